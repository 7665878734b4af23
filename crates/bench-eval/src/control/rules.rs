//! What the controls must score: the rules by which a run vouches for itself.
//!
//! # What
//! | control | rule |
//! |---|---|
//! | constant, noise | within chance on every split and probe |
//! | shuffled labels | within chance on every split that divides no well |
//! | one-hot label | accuracy 1 on the classes that can be learnt; no model does better |
//! | one-hot source | the source probe is perfect; within chance on held-out sources |
//! | all but one-hot label | no better than the best model on the random split |
//!
//! Chance is [`ChanceBand`]. A rule is checked on every split and probe it applies to and
//! reported once; where it could not be checked at all, `holds` is absent and the reason is
//! given. A model that is itself at chance on the random split cannot be told from the controls:
//! that is no fault of the controls, so the last rule is then left open, in words.
//!
//! # Why
//! A score is worth reading if the path that made it gives known answers to known questions.
//!
//! # What it cannot show
//! Errors that leave these five inputs alone.

use bench_core::record::{BatchProbe, ControlCheck, ModelInfo, ModelKind, Summary};

use super::{ChanceBand, constant, noise, one_hot_label, one_hot_source, shuffled_labels};

/// Numerical slack of accuracies that must be equal or ordered.
const SLACK: f64 = 1e-9;

/// Corrected source probe from which on the source is read perfectly.
const PERFECT_PROBE: f64 = 0.999;

/// Breaches named in full.
const NAMED: usize = 3;

/// What the rules are checked on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Models and controls; controls are named by their id.
    pub models: &'a [ModelInfo],
    /// Summaries; those of `accuracy` are read.
    pub summaries: &'a [Summary],
    /// Batch probes of models and controls.
    pub batch_probes: &'a [BatchProbe],
    /// Chance on each split, for the real labels.
    pub chance: &'a [ChanceBand],
    /// Chance on each split, for the shuffled labels.
    pub chance_shuffled: &'a [ChanceBand],
    /// The splits `(protocol, split)` that stand for a random division.
    pub random: &'a [(String, String)],
}

/// Checks all rules, in a fixed order.
pub fn check(evidence: &Evidence<'_>) -> Vec<ControlCheck> {
    let blind = [constant::CARD.id, noise::CARD.id, one_hot_source::CARD.id, shuffled_labels::CARD.id];
    let mut checks = vec![
        evidence.at_chance(constant::CARD.id),
        evidence.at_chance(noise::CARD.id),
        evidence.at_chance(shuffled_labels::CARD.id),
        evidence.label_is_read(),
        evidence.label_beats_models(),
        evidence.source_is_read(),
        evidence.source_is_useless_elsewhere(),
    ];
    checks.extend(blind.map(|control| evidence.wins_nothing(control)));
    checks
}

/// One accuracy with the chance of its split.
struct Cell<'a> {
    summary: &'a Summary,
    band: &'a ChanceBand,
    accuracy: f64,
}

impl Cell<'_> {
    fn name(&self) -> String {
        format!("{} {} {}", self.summary.protocol, self.summary.split, self.summary.probe)
    }

    fn outside(&self) -> String {
        let Self { accuracy, band: ChanceBand { low, high, allowance, .. }, .. } = self;
        format!("{} {accuracy:.4} (chance {low:.4} to {high:.4}, allowance {allowance:.4})", self.name())
    }
}

impl<'a> Evidence<'a> {
    /// Accuracies of a model or control, with the chance of their split.
    fn cells(&self, model: &str) -> Vec<Cell<'a>> {
        let bands = if model == shuffled_labels::CARD.id { self.chance_shuffled } else { self.chance };
        let own = self.summaries.iter().filter(|s| s.model == model && s.quantity == "accuracy");
        own.filter_map(|summary| {
            let at = |band: &&ChanceBand| band.protocol == summary.protocol && band.split == summary.split;
            Some(Cell { summary, band: bands.iter().find(at)?, accuracy: summary.value? })
        })
        .collect()
    }

    /// Accuracy of a model where another has a cell.
    fn accuracy(&self, model: &str, at: &Cell<'_>) -> Option<f64> {
        let same = |s: &&Summary| {
            s.model == model
                && s.quantity == "accuracy"
                && s.protocol == at.summary.protocol
                && s.split == at.summary.split
                && s.probe == at.summary.probe
        };
        self.summaries.iter().find(same)?.value
    }

    fn tested(&self) -> impl Iterator<Item = &'a str> {
        self.models.iter().filter(|model| model.kind == ModelKind::Model).map(|model| model.name.as_str())
    }

    fn at_chance(&self, control: &str) -> ControlCheck {
        let mut rule = Tally::new(
            control,
            "scores at chance on every split and probe",
            "accuracy between the smallest and the largest share of a class in the test rows, widened by max(0.02, 4 standard deviations)",
        );
        for cell in self.cells(control) {
            if control == shuffled_labels::CARD.id && cell.band.divided_wells > 0 {
                rule.open(format!(
                    "`{} {}` divides {} wells, whose rows share label and features",
                    cell.summary.protocol, cell.summary.split, cell.band.divided_wells
                ));
            } else {
                rule.add(cell.band.holds(cell.accuracy), || cell.outside());
            }
        }
        rule.finish()
    }

    fn label_is_read(&self) -> ControlCheck {
        let mut rule = Tally::new(
            one_hot_label::CARD.id,
            "reads the label on every split and probe",
            "accuracy 1 on test rows whose class has at least 10 training rows",
        );
        for cell in self.cells(one_hot_label::CARD.id) {
            let (least, accuracy) = (cell.band.readable, cell.accuracy);
            rule.add(accuracy >= least - SLACK, || format!("{} {accuracy:.4} (at least {least:.4})", cell.name()));
        }
        rule.finish()
    }

    fn label_beats_models(&self) -> ControlCheck {
        let mut rule = Tally::new(
            one_hot_label::CARD.id,
            "is beaten by no model",
            "accuracy at least that of every model, on splits whose classes can all be learnt",
        );
        for cell in self.cells(one_hot_label::CARD.id) {
            if cell.band.readable < 1.0 - SLACK {
                let split = format!("`{} {}`", cell.summary.protocol, cell.summary.split);
                rule.open(format!("{split} tests classes with fewer than 10 training rows"));
                continue;
            }
            for model in self.tested() {
                if let Some(other) = self.accuracy(model, &cell) {
                    let name = || format!("{}: `{model}` {other:.4} above {:.4}", cell.name(), cell.accuracy);
                    rule.add(other <= cell.accuracy + SLACK, name);
                }
            }
        }
        rule.finish()
    }

    fn source_is_read(&self) -> ControlCheck {
        let mut rule = Tally::new(
            one_hot_source::CARD.id,
            "the source can be read from it",
            "corrected balanced accuracy of the source probe at least 0.999",
        );
        let own = self.batch_probes.iter().filter(|p| p.model == one_hot_source::CARD.id && p.target == "source");
        for probe in own {
            match (probe.corrected, &probe.reason) {
                (Some(value), _) => {
                    rule.add(value >= PERFECT_PROBE, || format!("{} {} {value:.4}", probe.rows, probe.probe));
                }
                (None, Some(reason)) => rule.open(format!("{} {}: {reason}", probe.rows, probe.probe)),
                (None, None) => {}
            }
        }
        rule.finish()
    }

    fn source_is_useless_elsewhere(&self) -> ControlCheck {
        let mut rule = Tally::new(
            one_hot_source::CARD.id,
            "scores at chance on held-out sources",
            "accuracy between the smallest and the largest share of a class in the test rows, widened by max(0.02, 4 standard deviations)",
        );
        for cell in self.cells(one_hot_source::CARD.id).iter().filter(|cell| cell.band.unit == "source") {
            rule.add(cell.band.holds(cell.accuracy), || cell.outside());
        }
        rule.finish()
    }

    fn wins_nothing(&self, control: &str) -> ControlCheck {
        let mut rule = Tally::new(
            control,
            "beats no model on the random split",
            "mean accuracy at most that of the best model on the random split",
        );
        let is_random = |cell: &&Cell<'_>| {
            self.random.iter().any(|(protocol, split)| *protocol == cell.band.protocol && *split == cell.band.split)
        };
        for cell in self.cells(control).iter().filter(is_random) {
            if control == shuffled_labels::CARD.id && cell.band.divided_wells > 0 {
                rule.open(format!("`{} {}` divides wells", cell.summary.protocol, cell.summary.split));
                continue;
            }
            let scores = self.tested().filter_map(|model| Some((model, self.accuracy(model, cell)?)));
            // The first of equals, in the order of the models.
            let best = scores.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some((model, best)) = best else { continue };
            // Chance for the model is that of the real labels.
            let same = |band: &&ChanceBand| band.protocol == cell.band.protocol && band.split == cell.band.split;
            let reach = self.chance.iter().find(same).map_or(1.0, |band| band.high + band.allowance);
            if best <= reach {
                let name = cell.name();
                rule.open(format!(
                    "the best model on `{name}`, `{model}`, is itself at chance: {best:.4}, chance reaches {reach:.4}"
                ));
            } else {
                let name = || format!("{}: {:.4} above `{model}` {best:.4}", cell.name(), cell.accuracy);
                rule.add(cell.accuracy <= best + SLACK, name);
            }
        }
        rule.finish()
    }
}

/// A rule and what was seen of it.
struct Tally<'a> {
    control: &'a str,
    rule: &'static str,
    expected: &'static str,
    kept: usize,
    broken: Vec<String>,
    open: Vec<String>,
}

impl<'a> Tally<'a> {
    fn new(control: &'a str, rule: &'static str, expected: &'static str) -> Self {
        Self { control, rule, expected, kept: 0, broken: Vec::new(), open: Vec::new() }
    }

    fn add(&mut self, holds: bool, breach: impl FnOnce() -> String) {
        if holds {
            self.kept += 1;
        } else {
            self.broken.push(breach());
        }
    }

    /// A place where the rule cannot be checked; each reason is kept once.
    fn open(&mut self, reason: String) {
        if !self.open.contains(&reason) {
            self.open.push(reason);
        }
    }

    fn finish(self) -> ControlCheck {
        let checked = self.kept + self.broken.len();
        let observed = match (checked, self.broken.len()) {
            (0, _) => "nothing to check".to_owned(),
            (_, 0) => format!("holds in all {checked} places"),
            (_, breaches) => {
                let more = breaches.saturating_sub(NAMED);
                let named = self.broken[..breaches - more].join("; ");
                let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
                format!("broken in {breaches} of {checked} places: {named}{rest}")
            }
        };
        let reason = match (checked, self.open.is_empty()) {
            (0, true) => Some(format!("`{}` was not scored where this could be seen", self.control)),
            (_, true) => None,
            (_, false) => Some(self.open.join("; ")),
        };
        ControlCheck {
            control: self.control.to_owned(),
            rule: self.rule.to_owned(),
            expected: self.expected.to_owned(),
            observed,
            holds: (checked > 0).then_some(self.broken.is_empty()),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run {
        models: Vec<ModelInfo>,
        summaries: Vec<Summary>,
        batch_probes: Vec<BatchProbe>,
        chance: Vec<ChanceBand>,
    }

    impl Run {
        /// Accuracy of each model or control on the random and the not-same-source split.
        fn new(scores: &[(&str, f64, f64)]) -> Self {
            let controls: Vec<&str> = super::super::CONTROLS.iter().map(|c| c.card().id).collect();
            let kind = |name| if controls.contains(&name) { ModelKind::Control } else { ModelKind::Model };
            let models = scores.iter().map(|(name, ..)| ModelInfo {
                name: (*name).to_owned(),
                kind: kind(*name),
                ..ModelInfo::default()
            });
            let summary = |name: &str, split: &str, value| Summary {
                model: name.to_owned(),
                protocol: "strict".into(),
                split: split.to_owned(),
                probe: "knn".into(),
                quantity: "accuracy".into(),
                value: Some(value),
                ..Summary::default()
            };
            let summaries = scores.iter().flat_map(|(name, random, source)| {
                [summary(name, "random", *random), summary(name, "not-same-source", *source)]
            });
            let band = |split: &str, unit: &str| ChanceBand {
                protocol: "strict".into(),
                split: split.into(),
                unit: unit.into(),
                low: 0.1,
                high: 0.12,
                allowance: 0.02,
                readable: 1.0,
                divided_wells: 0,
            };
            Self {
                models: models.collect(),
                summaries: summaries.collect(),
                batch_probes: vec![BatchProbe {
                    model: "one-hot-source".into(),
                    target: "source".into(),
                    rows: "treated".into(),
                    probe: "knn".into(),
                    corrected: Some(1.0),
                    ..BatchProbe::default()
                }],
                chance: vec![band("random", "well"), band("not-same-source", "source")],
            }
        }

        fn check(&self) -> Vec<ControlCheck> {
            check(&Evidence {
                models: &self.models,
                summaries: &self.summaries,
                batch_probes: &self.batch_probes,
                chance: &self.chance,
                chance_shuffled: &self.chance,
                random: &[("strict".to_owned(), "random".to_owned())],
            })
        }
    }

    fn orderly() -> Vec<(&'static str, f64, f64)> {
        vec![
            ("clip", 0.6, 0.4),
            ("constant", 0.1, 0.1),
            ("noise", 0.11, 0.12),
            ("one-hot-label", 1.0, 1.0),
            ("one-hot-source", 0.2, 0.11),
            ("shuffled-labels", 0.12, 0.09),
        ]
    }

    fn with(name: &str, random: f64, source: f64) -> Vec<ControlCheck> {
        let mut scores = orderly();
        *scores.iter_mut().find(|(n, ..)| *n == name).unwrap() =
            (orderly().iter().find(|(n, ..)| *n == name).unwrap().0, random, source);
        Run::new(&scores).check()
    }

    fn broken(checks: &[ControlCheck]) -> Vec<(&str, &str)> {
        checks.iter().filter(|c| c.holds == Some(false)).map(|c| (c.control.as_str(), c.rule.as_str())).collect()
    }

    #[test]
    fn controls_in_order_keep_every_rule() {
        let checks = Run::new(&orderly()).check();
        assert_eq!(checks.len(), 11);
        assert!(checks.iter().all(|check| check.holds == Some(true)), "{checks:#?}");
    }

    #[test]
    fn each_disorder_breaks_its_rule() {
        assert_eq!(broken(&with("constant", 0.3, 0.1)), [("constant", "scores at chance on every split and probe")]);
        assert_eq!(broken(&with("noise", 0.05, 0.1)), [("noise", "scores at chance on every split and probe")]);
        assert_eq!(
            broken(&with("one-hot-label", 1.0, 0.3)),
            [("one-hot-label", "reads the label on every split and probe"), ("one-hot-label", "is beaten by no model")]
        );
        assert_eq!(
            broken(&with("one-hot-source", 0.2, 0.3)),
            [("one-hot-source", "scores at chance on held-out sources")]
        );
        assert_eq!(
            broken(&with("one-hot-source", 0.7, 0.1)),
            [("one-hot-source", "beats no model on the random split")]
        );
        let mut run = Run::new(&orderly());
        run.batch_probes[0].corrected = Some(0.99);
        assert_eq!(broken(&run.check()), [("one-hot-source", "the source can be read from it")]);
    }

    #[test]
    fn a_model_at_chance_leaves_the_last_rule_open() {
        let checks = with("clip", 0.13, 0.1);
        let last: Vec<_> = checks.iter().filter(|c| c.rule.starts_with("beats no model")).collect();
        assert_eq!(last.len(), 4);
        for check in last {
            assert_eq!(check.holds, None);
            assert!(check.reason.as_deref().unwrap().contains("`clip`, is itself at chance"), "{check:?}");
        }
        assert!(broken(&checks).is_empty());
    }

    #[test]
    fn shuffled_labels_are_not_judged_on_a_split_that_divides_wells() {
        let mut run = Run::new(&orderly());
        run.summaries.iter_mut().filter(|s| s.model == "shuffled-labels").for_each(|s| s.value = Some(0.9));
        run.chance.iter_mut().for_each(|band| band.divided_wells = 3);
        let checks = run.check();
        assert!(broken(&checks).is_empty());
        let check = checks.iter().find(|c| c.control == "shuffled-labels").unwrap();
        assert!(check.holds.is_none() && check.reason.as_deref().unwrap().contains("divides 3 wells"));
    }

    #[test]
    fn a_control_that_was_not_scored_is_open_and_many_breaches_are_counted() {
        let mut run = Run::new(&orderly()[..2]);
        run.summaries.iter_mut().filter(|s| s.model == "constant").for_each(|s| s.value = Some(0.9));
        let mut more = run.summaries.clone();
        more.iter_mut().for_each(|s| s.probe = "logreg".into());
        run.summaries.extend(more);
        let checks = run.check();
        assert_eq!(checks[0].holds, Some(false));
        assert!(checks[0].observed.starts_with("broken in 4 of 4 places: "), "{}", checks[0].observed);
        assert!(checks[0].observed.ends_with("; and 1 more"), "{}", checks[0].observed);
        assert_eq!(checks[1].holds, None);
        assert_eq!(checks[1].reason.as_deref(), Some("`noise` was not scored where this could be seen"));
    }
}
