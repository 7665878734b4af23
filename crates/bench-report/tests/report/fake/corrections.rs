//! Corrections, embedding metrics with totals, and outcomes by well.

use bench_core::RunRecord;
use bench_core::record::*;

use super::{LABELS, hostile, hostile_names, record};

/// [`record`] with three corrections of its models, embedding metrics with totals, and outcomes by well.
pub(crate) fn full(points: usize) -> RunRecord {
    let mut r = record(points);
    add_corrections(&mut r, "mad-plate > sphere", "harmony");
    add_outcomes(&mut r, |name| name.to_owned());
    r
}

/// [`hostile`] with the same, its names included.
pub(crate) fn hostile_full(points: usize) -> RunRecord {
    let mut r = hostile(points);
    let names = hostile_names();
    add_corrections(&mut r, &names[0], &names[6]);
    for score in &mut r.embedding_scores {
        score.flag = score.flag.as_ref().map(|_| names.join(" "));
        score.reason = score.reason.as_ref().map(|_| names[0].clone());
        score.parts.iter_mut().enumerate().for_each(|(at, part)| part.name.clone_from(&names[at % names.len()]));
    }
    for total in &mut r.embedding_totals {
        total.flag = total.flag.as_ref().map(|_| names.join(" "));
    }
    add_outcomes(&mut r, |name| format!("{}{name}", names[name.len() % names.len()]));
    r
}

const BATCH_METRICS: [&str; 5] = ["asw-batch", "ilisi-graph", "kbet-label", "graph-connectivity", "pcr-50"];
const BIOLOGY_METRICS: [&str; 5] =
    ["asw-label-euclidean", "isolated-labels", "nmi-leiden-best", "ari-leiden-best", "clisi-graph"];

/// Embedding metrics of all models, plain and under two chains; the second is transductive, and its last embedding has
/// collapsed.
fn add_corrections(r: &mut RunRecord, inductive: &str, transductive: &str) {
    let models: Vec<ModelInfo> = r.models.iter().filter(|m| m.kind == ModelKind::Model).cloned().collect();
    for (c, chain) in ["none", inductive, transductive].into_iter().enumerate() {
        for (m, model) in models.iter().enumerate() {
            if c > 0 {
                r.models.push(ModelInfo {
                    name: format!("{} + {chain}", model.name),
                    correction: Some(CorrectionInfo {
                        model: model.name.clone(),
                        chain: chain.to_owned(),
                        transductive: c == 2,
                        ..CorrectionInfo::default()
                    }),
                    ..model.clone()
                });
            }
            let collapsed = m == 2 && c == 2;
            for (unit, shift) in [("source", 0.0), ("plate", 0.04)] {
                let mut sides = [Vec::new(), Vec::new()];
                for (at, metric) in BATCH_METRICS.into_iter().chain(BIOLOGY_METRICS).enumerate() {
                    let side = at / 5;
                    let base =
                        if side == 0 { 0.42 + 0.15 * c as f64 + shift } else { 0.7 - 0.2 * m as f64 - 0.03 * c as f64 };
                    let value = (base + 0.05 * ((at * 3 + m) % 5) as f64 - 0.1).clamp(-0.02, 1.0);
                    let value = if collapsed { 1.0 } else { value };
                    let missing = m == 1 && metric == "kbet-label" && c == 1;
                    sides[side].push((!missing).then_some(value));
                    if side == 1 && unit == "plate" {
                        continue;
                    }
                    let falls = metric == "pcr-50";
                    let shown = if falls { 1.0 - value } else { value };
                    r.embedding_scores.push(EmbeddingScore {
                        model: model.name.clone(),
                        correction: chain.to_owned(),
                        metric: metric.into(),
                        side: ["batch", "biology"][side].into(),
                        dialect: "scib".into(),
                        unit: (side == 0).then(|| unit.to_owned()),
                        value: (!missing).then_some(shown),
                        scaled: (!missing && !collapsed && metric != "nmi-leiden-best").then_some(value.max(0.0)),
                        best: Some(if falls { 0.0 } else { 1.0 }),
                        worst: Some(if falls { 1.0 } else { 0.0 }),
                        low: (!missing && at % 3 != 2).then_some(shown - 0.03),
                        high: (!missing && at % 3 != 2).then_some(shown + 0.03),
                        n: 27_000,
                        flag: collapsed
                            .then(|| "effective rank 0.00 is below 1.5: the embedding has collapsed".to_owned()),
                        reason: missing.then(|| "no batch has fifty rows of a label".to_owned()),
                        parts: LABELS
                            .into_iter()
                            .enumerate()
                            .filter(|_| metric == "kbet-label" || metric == "asw-label-euclidean")
                            .map(|(l, name)| part("label", name, (l != 4).then_some(value - 0.02 * l as f64)))
                            .collect(),
                        ..EmbeddingScore::default()
                    });
                }
                let mean = |values: &[Option<f64>]| {
                    let there: Vec<f64> = values.iter().flatten().copied().collect();
                    there.iter().sum::<f64>() / there.len() as f64
                };
                let (batch, biology) = (mean(&sides[0]), mean(&sides[1]));
                let around = |v: f64| Some(Interval { low: v - 0.03, high: v + 0.03 });
                let total = 0.4 * batch + 0.6 * biology;
                r.embedding_totals.push(EmbeddingTotal {
                    model: model.name.clone(),
                    correction: chain.to_owned(),
                    preset: "scib".into(),
                    unit: Some(unit.into()),
                    batch: Some(batch),
                    biology: Some(biology),
                    total: Some(total),
                    batch_range: around(batch),
                    biology_range: around(biology),
                    total_range: around(total),
                    batch_metrics: BATCH_METRICS.map(String::from).to_vec(),
                    biology_metrics: BIOLOGY_METRICS.map(String::from).to_vec(),
                    missing: if m == 1 && c == 1 { vec!["kbet-label".into()] } else { Vec::new() },
                    flag: collapsed.then(|| "effective rank 0.00 is below 1.5: the embedding has collapsed".to_owned()),
                });
            }
            let compounds =
                (0..18).map(|at| part("compound", &format!("compound-{at:02}"), Some(0.9 - 0.04 * at as f64)));
            r.embedding_scores.push(EmbeddingScore {
                model: model.name.clone(),
                correction: chain.to_owned(),
                metric: "activity-map".into(),
                side: "biology".into(),
                value: Some(0.56),
                n: 18,
                parts: compounds.collect(),
                ..EmbeddingScore::default()
            });
        }
    }
}

fn part(unit: &str, name: &str, value: Option<f64>) -> EmbeddingPart {
    EmbeddingPart { unit: unit.to_owned(), name: name.to_owned(), n: 3000, value, p: None }
}

/// Six plates of 384 wells, 18 compounds in two wells each; wells at the edge fail more often.
fn add_outcomes(r: &mut RunRecord, name: impl Fn(&str) -> String) {
    let (plates, compounds) = (6, 18);
    let well = |compound: usize, replicate: usize| {
        let at = (compound * 41 + replicate * 200) % 384;
        (at / 24, at % 24)
    };
    let (mut units, mut codes) = (Vec::new(), [const { Vec::<String>::new() }; 4]);
    let mut hard = Vec::new();
    for plate in 0..plates {
        for compound in 0..compounds {
            for replicate in 0..2 {
                let (row, column) = well(compound, replicate);
                let position = format!("{}{:02}", char::from(b'A' + row as u8), column + 1);
                let id = name(&format!("source_{}/batch/plate-{plate}", plate % 3));
                units.push(format!("{id}/{position}"));
                let words = [id, position, name(&format!("compound-{compound:02}")), name(LABELS[compound / 2])];
                codes.iter_mut().zip(words).for_each(|(list, word)| list.push(word));
                hard.push(row == 0 || row == 15 || column == 0 || column == 23);
            }
        }
    }
    let factor = |values: &[String]| bench_core::Factor::first_seen(values);
    let [plate, position, compound, label] = &codes;
    r.outcomes = UnitOutcomes {
        cluster: "batch".into(),
        cluster_of_unit: (0..units.len() as u32).map(|unit| unit / 72).collect(),
        factors: [("plate", plate), ("position", position), ("compound", compound), ("label", label)]
            .map(|(by, values)| (by.to_owned(), factor(values)))
            .into(),
        ..UnitOutcomes::default()
    };
    for (t, split) in ["random", "not-same-source"].into_iter().enumerate() {
        let tested = TestedUnits { unit: (0..units.len() as u32).collect(), rows: vec![5] };
        r.outcomes.tests.push(TestedSplit {
            protocol: "strict".into(),
            split: split.into(),
            digest: String::new(),
            repeats: vec![tested],
        });
        for (m, model) in r.models.iter().filter(|m| m.kind == ModelKind::Model && m.correction.is_none()).enumerate() {
            let correct = |(unit, hard): (usize, &bool)| {
                let lost = t + m + usize::from(*hard) * 2 + (unit * 7 % 3) / 2;
                5usize.saturating_sub(lost) as f64
            };
            r.outcomes.cells.push(CellOutcomes {
                model: model.name.clone(),
                probe: "logreg".into(),
                test: t,
                correct: vec![hard.iter().enumerate().map(correct).collect()],
            });
        }
    }
    r.outcomes.units = units;
}
