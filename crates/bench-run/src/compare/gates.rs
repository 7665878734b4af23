//! Decides the gates: differences with intervals, Holm's correction, verdicts.

use bench_core::Seed;
use bench_core::compared::{Gate, GateOutcome};
use bench_core::record::GateRule;
use bench_eval::aggregate::{Draws, Outcomes, bootstrap, bootstrap_p, holm, over_seeds, percentile_at};

use super::{Side, pairs};
use crate::Error;

/// Fewest bootstrap draws.
const DRAWS: usize = 2000;

/// Draws per gate: Holm multiplies the least p, 2 / (1 + draws), by the number of gates.
const DRAWS_PER_GATE: usize = 200;

/// Most draws; enough for 500 gates at level 0.95.
const MOST_DRAWS: usize = 20_000;

/// Runs of a window from which their own spread is known well enough.
const RUNS_FOR_SPREAD: usize = 5;

/// What was decided.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Gates.
    pub gates: Vec<Gate>,
    /// Units resampled.
    pub units: usize,
    /// What is resampled first, and how many there are.
    pub cluster: Option<(String, usize)>,
    /// Draws.
    pub draws: usize,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// A gate on its way.
struct Open {
    gate: Gate,
    /// Positions of head, head's baseline split, base and its baseline split among the bootstrapped cells.
    cells: Option<Needed>,
}

#[derive(Clone, Copy)]
struct Needed {
    head: usize,
    base: usize,
    /// The split that G divides by.
    random: Option<(usize, usize)>,
}

/// Decides every gate of the head's suite for every pair of models.
///
/// # Errors
/// A head without gates.
pub fn decide(base: &[Side], head: &Side, models: &[(String, String)]) -> Result<Decided, Error> {
    let rules = &head.run.gates.rules;
    if rules.is_empty() {
        return Err(Error::Usage {
            message: format!("suite `{}` has no gates that its run could check", head.run.suite.id),
            hint: Some(
                "`[[gates.rules]]` in the suite names quantities, splits and the least loss that matters".into(),
            ),
        });
    }
    let mut table = Cells { base, head, cells: Vec::new(), notes: Vec::new(), runs: Vec::new() };
    table.runs = base.iter().map(|side| pairs::positions(side, head)).collect();
    let mut open: Vec<Open> = Vec::new();
    for (old, new) in models {
        for rule in rules {
            open.push(table.open(rule, old, new));
        }
    }
    let clusters = pairs::clusters(head);
    let checked = open.iter().filter(|open| open.cells.is_some()).count();
    let draws = (checked * DRAWS_PER_GATE).clamp(DRAWS, MOST_DRAWS);
    let seed = Seed(head.run.seed).derive("compare", 0);
    let cells: Vec<&Outcomes> = table.cells.iter().map(|cell| &cell.outcomes).collect();
    let drawn = bootstrap(&clusters, &cells, draws, seed);
    for open in &mut open {
        if let Some(needed) = open.cells {
            measure(&mut open.gate, needed, &drawn, &table.cells, base.len(), clusters.count);
        }
    }
    let mut gates: Vec<Gate> = open.into_iter().map(|open| open.gate).collect();
    let with_p: Vec<usize> = (0..gates.len()).filter(|at| gates[*at].p.is_some()).collect();
    let p: Vec<f64> = with_p.iter().filter_map(|at| gates[*at].p).collect();
    for (at, p) in with_p.iter().zip(holm(&p)) {
        gates[*at].p_holm = Some(p);
        gates[*at].outcome = outcome(&gates[*at]);
    }
    if base.len() > 1 && base.len() < RUNS_FOR_SPREAD {
        table.notes.push(format!(
            "the window holds {} runs; how much runs differ by themselves is taken into account from {RUNS_FOR_SPREAD} on",
            base.len()
        ));
    }
    Ok(Decided {
        gates,
        units: clusters.units,
        cluster: (clusters.count > 1).then_some((clusters.name, clusters.count)),
        draws,
        notes: table.notes,
    })
}

/// A cell to be resampled; cells of a window are means, with the accuracy of every run.
struct Cell {
    key: (bool, String, String, String, String),
    outcomes: Outcomes,
    accuracies: Vec<f64>,
}

struct Cells<'a> {
    base: &'a [Side],
    head: &'a Side,
    runs: Vec<Vec<Option<u32>>>,
    cells: Vec<Cell>,
    notes: Vec<String>,
}

impl Cells<'_> {
    fn open(&mut self, rule: &GateRule, old: &str, new: &str) -> Open {
        let mut gate = Gate {
            model: new.to_owned(),
            base_model: (old != new).then(|| old.to_owned()),
            quantity: rule.quantity.clone(),
            protocol: rule.protocol.clone(),
            split: rule.split.clone(),
            probe: rule.probe.clone(),
            base: self.base.iter().rev().find_map(|side| value(side, rule, old)),
            head: value(self.head, rule, new),
            level: rule.level,
            min_effect: rule.min_effect,
            ..Gate::default()
        };
        let cells = self.needed(rule, old, new);
        if let Err(reason) = &cells {
            gate.outcome = match (gate.base, gate.head) {
                (None, None) => GateOutcome::Absent,
                _ => GateOutcome::Unchecked,
            };
            gate.difference = gate.base.zip(gate.head).map(|(base, head)| head - base);
            gate.reason = Some(reason.clone());
        }
        Open { gate, cells: cells.ok() }
    }

    fn needed(&mut self, rule: &GateRule, old: &str, new: &str) -> Result<Needed, String> {
        let mut pair = |split: &str| -> Result<(usize, usize), String> {
            let head = self.of_head(rule, split, new)?;
            let base = self.of_base(rule, split, old)?;
            if !self.cells[head].outcomes.is_paired_with(&self.cells[base].outcomes) {
                return Err(format!("split `{split}` tested other units in the two runs"));
            }
            Ok((head, base))
        };
        let (head, base) = pair(&rule.split)?;
        let random = if rule.baseline.is_empty() { None } else { Some(pair(&rule.baseline)?) };
        Ok(Needed { head, base, random })
    }

    fn of_head(&mut self, rule: &GateRule, split: &str, model: &str) -> Result<usize, String> {
        let key = key(true, rule, split, model);
        if let Some(at) = self.cells.iter().position(|cell| cell.key == key) {
            return Ok(at);
        }
        let own: Vec<Option<u32>> = (0..self.head.run.outcomes.units.len()).map(|at| Some(at as u32)).collect();
        let outcomes = pairs::cell(self.head, &own, (model, &rule.protocol, split, &rule.probe));
        let outcomes = outcomes.ok_or_else(|| lacking("the head", self.head, split))?;
        self.push(key, vec![outcomes])
    }

    fn of_base(&mut self, rule: &GateRule, split: &str, model: &str) -> Result<usize, String> {
        let key = key(false, rule, split, model);
        if let Some(at) = self.cells.iter().position(|cell| cell.key == key) {
            return Ok(at);
        }
        let runs = self.base.iter().zip(&self.runs);
        let cells: Vec<Outcomes> =
            runs.filter_map(|(side, at)| pairs::cell(side, at, (model, &rule.protocol, split, &rule.probe))).collect();
        let Some(last) = self.base.last().filter(|_| cells.is_empty()) else {
            if cells.len() < self.base.len() {
                let (n, all) = (cells.len(), self.base.len());
                self.notes
                    .push(format!("`{model}` was scored on `{split}` with {} in {n} of the {all} runs", rule.probe));
            }
            return self.push(key, cells);
        };
        Err(lacking("the baseline", last, split))
    }

    fn push(&mut self, key: (bool, String, String, String, String), cells: Vec<Outcomes>) -> Result<usize, String> {
        let place = format!("split `{}` with {}", key.3, key.4);
        let accuracies: Vec<f64> = cells.iter().filter_map(Outcomes::accuracy).collect();
        if accuracies.len() < cells.len() {
            return Err(format!("no fold of {place} could be scored"));
        }
        let outcomes = pairs::mean(&cells).ok_or_else(|| format!("{place} tested other units in some of the runs"))?;
        self.cells.push(Cell { key, outcomes, accuracies });
        Ok(self.cells.len() - 1)
    }
}

fn key(head: bool, rule: &GateRule, split: &str, model: &str) -> (bool, String, String, String, String) {
    (head, model.to_owned(), rule.protocol.clone(), split.to_owned(), rule.probe.clone())
}

fn lacking(which: &str, side: &Side, split: &str) -> String {
    match &side.without_outcomes {
        Some(why) => format!("`{}` keeps no outcomes by well: {why}", side.name.place),
        None => format!("{which} has no score on `{split}`"),
    }
}

fn value(side: &Side, rule: &GateRule, model: &str) -> Option<f64> {
    let mut values = side.run.values.iter();
    let found = values.find(|v| {
        (v.model.as_str(), &v.quantity, &v.protocol, &v.split, &v.probe)
            == (model, &rule.quantity, &rule.protocol, &rule.split, &rule.probe)
    });
    found.and_then(|v| v.value)
}

/// The quantity from its accuracy and that of the split it refers to.
fn quantity(id: &str, split: f64, random: f64) -> f64 {
    match id {
        "g" => split / random,
        "gap" => random - split,
        _ => split,
    }
}

fn measure(gate: &mut Gate, needed: Needed, drawn: &[Draws], cells: &[Cell], runs: usize, clusters: usize) {
    let of = |split: usize, random: Option<usize>| match random {
        Some(random) => drawn[split].combine(&drawn[random], |s, r| quantity(&gate.quantity, s, r)),
        None => drawn[split].clone(),
    };
    let head = of(needed.head, needed.random.map(|(head, _)| head));
    let base = of(needed.base, needed.random.map(|(_, base)| base));
    let difference = head.combine(&base, |head, base| head - base);
    if !difference.estimate.is_finite() {
        gate.outcome = GateOutcome::Unchecked;
        gate.reason = Some("the accuracy that it refers to is zero".into());
        return;
    }
    (gate.base, gate.head, gate.difference) = (Some(base.estimate), Some(head.estimate), Some(difference.estimate));
    if clusters > 1 {
        gate.interval = percentile_at(&difference.draws, gate.level);
        gate.p = bootstrap_p(&difference.draws);
    }
    if gate.interval.is_none() {
        gate.outcome = GateOutcome::Unchecked;
        gate.reason = Some("too few units were tested for an interval".into());
        gate.p = None;
    }
    if runs >= RUNS_FOR_SPREAD {
        let splits = &cells[needed.base].accuracies;
        let values: Vec<f64> = match needed.random.map(|(_, base)| &cells[base].accuracies) {
            Some(random) if random.len() == splits.len() => {
                splits.iter().zip(random).map(|(s, r)| quantity(&gate.quantity, *s, *r)).collect()
            }
            _ => splits.clone(),
        };
        gate.window_spread = spread(&values);
    }
}

/// How far a new run may lie from the mean of these by chance: half a 95 % prediction interval.
fn spread(values: &[f64]) -> Option<f64> {
    if values.len() < RUNS_FOR_SPREAD {
        return None;
    }
    let (_, _, interval) = over_seeds(values);
    interval.map(|interval| 0.5 * (interval.high - interval.low) * (values.len() as f64 + 1.0).sqrt())
}

/// What a measured gate says.
fn outcome(gate: &Gate) -> GateOutcome {
    let (Some(difference), Some(interval), Some(p)) = (gate.difference, gate.interval, gate.p_holm) else {
        return GateOutcome::Unchecked;
    };
    let excludes_zero = interval.low > 0.0 || interval.high < 0.0;
    // Level 0.95 leaves 0.05 but for rounding.
    if !excludes_zero || p > 1.0 - gate.level + 1e-12 {
        return GateOutcome::Noise;
    }
    let size = difference.abs();
    if size <= gate.min_effect {
        return GateOutcome::Tolerated;
    }
    if gate.window_spread.is_some_and(|spread| size <= spread) {
        return GateOutcome::Noise;
    }
    let is_loss = (difference < 0.0) != (gate.quantity == "gap");
    if is_loss { GateOutcome::Regression } else { GateOutcome::Improvement }
}

#[cfg(test)]
mod tests {
    use bench_core::record::{CellOutcomes, Gates, Interval, SuiteInfo, TestedSplit, TestedUnits, UnitOutcomes};

    use super::super::{Found, Options, compare};
    use super::*;

    /// A run of 40 batches of 5 wells; `right` says which wells of `random` and `not-same-source` are right.
    fn side(place: &str, right: impl Fn(bool, usize) -> bool) -> Side {
        let wells = 200;
        let tested = |split: &str| TestedSplit {
            protocol: "strict".into(),
            split: split.into(),
            digest: "same".into(),
            repeats: vec![TestedUnits { unit: (0..wells).collect(), rows: vec![1] }],
        };
        let cell = |test: usize| CellOutcomes {
            model: "m".into(),
            probe: "knn".into(),
            test,
            correct: vec![(0..wells as usize).map(|well| f64::from(u8::from(right(test == 0, well)))).collect()],
        };
        let rule = |quantity: &str, split: &str, baseline: &str| GateRule {
            quantity: quantity.into(),
            protocol: "strict".into(),
            split: split.into(),
            probe: "knn".into(),
            baseline: baseline.into(),
            min_effect: 0.02,
            level: 0.95,
        };
        let mut side = Side::default();
        side.name.place = place.into();
        side.run.suite = SuiteInfo { id: "s".into(), version: 1, ..SuiteInfo::default() };
        side.run.splits_digest = "same".into();
        side.run.models = vec!["m".into()];
        side.run.gates = Gates {
            window: 10,
            rules: vec![
                rule("accuracy", "random", ""),
                rule("accuracy", "not-same-source", ""),
                rule("g", "not-same-source", "random"),
                rule("gap", "not-same-source", "random"),
            ],
        };
        side.run.outcomes = UnitOutcomes {
            units: (0..wells).map(|well| format!("w{well}")).collect(),
            cluster: "batch".into(),
            cluster_of_unit: (0..wells).map(|well| well / 5).collect(),
            tests: vec![tested("random"), tested("not-same-source")],
            cells: vec![cell(0), cell(1)],
            ..UnitOutcomes::default()
        };
        side
    }

    fn outcomes(base: Vec<Side>, head: &Side) -> Vec<(GateOutcome, f64)> {
        let base = Found { what: "a run".into(), sides: base, notes: Vec::new() };
        let compared = compare(&base, head, &Options::default()).unwrap();
        compared.gates.iter().map(|gate| (gate.outcome, gate.difference.unwrap_or(f64::NAN))).collect()
    }

    #[test]
    fn a_run_is_not_told_from_itself_and_a_loss_is() {
        use GateOutcome::{Improvement, Noise, Regression};
        let good = side("good", |_, well| well % 10 != 0);
        let poor = side("poor", |random, well| if random { well % 10 != 0 } else { well % 3 != 0 });
        assert!(outcomes(vec![good.clone()], &good).iter().all(|(outcome, d)| *outcome == Noise && *d == 0.0));
        let found = outcomes(vec![good.clone()], &poor);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Noise, Regression, Regression, Regression]);
        // 67 of 200 wells are wrong instead of 20; G is the ratio, the gap rises by what accuracy loses.
        let loss = (133.0 - 180.0) / 200.0;
        for (at, expected) in [(1, loss), (2, loss / 0.9), (3, -loss)] {
            assert!((found[at].1 - expected).abs() < 1e-12, "{found:?}");
        }
        let found = outcomes(vec![poor], &good);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Noise, Improvement, Improvement, Improvement]);
    }

    #[test]
    fn a_certain_loss_that_is_small_is_tolerated_and_one_that_is_not_certain_is_noise() {
        // Three wells of 200 in other batches: 0.015, and some draws hold none of them.
        let good = side("good", |_, _| true);
        let few = side("few", |_, well| well % 70 != 3);
        assert!(outcomes(vec![good.clone()], &few).iter().all(|(outcome, _)| *outcome == GateOutcome::Noise));
        let mut lenient = side("many", |_, well| well % 10 != 3);
        lenient.run.gates.rules.iter_mut().for_each(|rule| rule.min_effect = 0.2);
        let found = outcomes(vec![good], &lenient);
        assert_eq!(found[0].0, GateOutcome::Tolerated);
        assert!((found[0].1 + 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_window_tolerates_what_its_own_runs_differ_by() {
        let run = |wrong: usize| side("run", move |_, well| (well * 7) % 200 >= wrong);
        // Means of 20 wrong wells; the runs lie at 10 to 30.
        let window: Vec<Side> = [10, 15, 20, 25, 30].into_iter().map(run).collect();
        let head = run(40);
        assert_eq!(outcomes(vec![run(20)], &head)[0].0, GateOutcome::Regression);
        assert_eq!(outcomes(window, &head)[0].0, GateOutcome::Noise);
        let steady: Vec<Side> = [20, 20, 20, 20, 21].into_iter().map(run).collect();
        assert_eq!(outcomes(steady, &head)[0].0, GateOutcome::Regression);
        // t(0.975, 4) = 2.7764, sd of 10, 15, .. is 7.9057: 2.7764 * 7.9057 * sqrt(1.2).
        let spread = spread(&[10.0, 15.0, 20.0, 25.0, 30.0]).unwrap();
        assert!((spread - 24.0446).abs() < 1e-3, "{spread}");
    }

    #[test]
    fn what_cannot_be_checked_says_why() {
        let good = side("good", |_, _| true);
        let mut bare = side("bare", |_, _| true);
        bare.run.outcomes = UnitOutcomes::default();
        bare.without_outcomes = Some("it is old".into());
        let base = Found { what: "a run".into(), sides: vec![bare], notes: Vec::new() };
        let compared = compare(&base, &good, &Options::default()).unwrap();
        assert!(compared.gates.iter().all(|gate| gate.reason.as_ref().is_some_and(|why| why.contains("it is old"))));
        let mut other = good.clone();
        other.run.splits_digest = "other".into();
        other.run.outcomes.tests[1].digest = "other".into();
        let base = Found { what: "a run".into(), sides: vec![other], notes: Vec::new() };
        let error = compare(&base, &good, &Options::default()).unwrap_err().to_string();
        assert!(error.contains("not-same-source") && error.contains("training rows"), "{error}");
    }

    #[test]
    fn holm_and_the_interval_must_both_agree() {
        let gate = Gate {
            difference: Some(-0.1),
            interval: Some(Interval { low: -0.2, high: -0.01 }),
            level: 0.95,
            min_effect: 0.02,
            quantity: "g".into(),
            ..Gate::default()
        };
        assert_eq!(outcome(&Gate { p_holm: Some(0.05), ..gate.clone() }), GateOutcome::Regression);
        assert_eq!(outcome(&Gate { p_holm: Some(0.06), ..gate }), GateOutcome::Noise);
    }
}
