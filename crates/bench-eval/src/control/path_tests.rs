//! The controls through the whole path: splits, real probes, metrics, batch probes, rules.

use bench_core::record::{ModelInfo, ModelKind, Summary};
use bench_core::{Block, Matrix};

use super::*;
use crate::SplitSet;
use crate::batch_probe::{self, ProbeUse};
use crate::metric::Confusion;
use crate::probe::knn::{Knn, KnnSettings};
use crate::probe::logistic::{LogisticProbe, LogisticSettings};
use crate::probe::{Probe, ProbeInput};
use crate::split::{SplitInput, paper_plan, strict_plan};

const CLASSES: usize = 4;
const FEATURES: usize = 6;

/// Three sources of four plates of 40 wells with two fields each. Labels are unequal between
/// sources; fields of a well share a well effect.
fn table(signal: f64) -> (Layout, Factor, Matrix) {
    let mut stream = Seed(21).stream();
    let (mut source, mut plate, mut well, mut label, mut data) = (vec![], vec![], vec![], vec![], vec![]);
    for s in 0..3 {
        for p in 0..4 {
            for w in 0..40 {
                let class = if s == 0 && w % 5 == 0 { 0 } else { w % CLASSES };
                let effect: Vec<f64> = (0..FEATURES).map(|_| stream.normal()).collect();
                for _ in 0..2 {
                    source.push(format!("s{s}"));
                    plate.push(format!("s{s}/p{p}"));
                    well.push(format!("s{s}/p{p}/w{w}"));
                    label.push(format!("class {class}"));
                    data.extend((0..FEATURES).map(|j| {
                        let of_class = if j == class { signal } else { 0.0 };
                        (of_class + effect[j] + 0.3 * stream.normal()) as f32
                    }));
                }
            }
        }
    }
    let rows = source.len();
    let layout = Layout {
        rows,
        source: Some(Factor::sorted(&source)),
        plate: Some(Factor::sorted(&plate)),
        well: Some(Factor::sorted(&well)),
        file_row: (0..rows as u64).collect(),
        ..Layout::default()
    };
    (layout, Factor::first_seen(&label), Matrix::new(rows, FEATURES, data))
}

/// Accuracy of a probe on every split, as summaries.
fn score(model: &str, matrix: &Matrix, label: &Factor, sets: &[SplitSet], probe: (&str, &dyn Probe)) -> Vec<Summary> {
    let input =
        ProbeInput { matrix, class: &label.codes, classes: label.level_count(), name_rank: &label.name_ranks() };
    sets.iter()
        .map(|set| {
            let folds: Vec<_> = set.folds.iter().collect();
            let mut accuracy = Vec::new();
            let mut pooled = Confusion::empty(input.classes);
            let mut sink = |_, fitted: Result<crate::probe::Fitted, String>| {
                let predictions = fitted.unwrap().predictions;
                let truth: Vec<u32> = predictions.rows.iter().map(|&row| label.codes[row as usize]).collect();
                let confusion = Confusion::of(&predictions, &truth, input.classes);
                accuracy.push(confusion.accuracy());
                pooled.add(&confusion);
            };
            probe.1.run(input, &folds, &|_, _| (), &mut sink).unwrap();
            let mean = bench_core::number::mean(&accuracy);
            Summary {
                model: model.to_owned(),
                protocol: set.protocol.clone(),
                split: set.split.clone(),
                probe: probe.0.to_owned(),
                quantity: "accuracy".to_owned(),
                value: if set.pooled { Some(pooled.accuracy()) } else { mean },
                ..Summary::default()
            }
        })
        .collect()
}

/// Scores a model and all controls and checks the rules. `spoil` may replace a control's features.
fn checks(signal: f64, spoil: impl Fn(&str, Matrix) -> Matrix) -> Vec<bench_core::record::ControlCheck> {
    let (layout, label, features) = table(signal);
    let input = SplitInput::new(&layout, &label, Seed(1));
    let mut sets = paper_plan(&["random", "not-same-plate", "not-same-source"], &input).unwrap();
    sets.extend(strict_plan(&["random", "not-same-source", "leave-one-source-out"], &input).unwrap());
    let knn = Knn::new(KnnSettings::default()).unwrap();
    let logreg = LogisticProbe::new(LogisticSettings::default()).unwrap();
    let probes: [(&str, &dyn Probe); 2] = [("logreg", &logreg), ("knn", &knn)];

    let mut models = vec![("clip", ModelKind::Model, features.clone(), label.clone())];
    for control in CONTROLS {
        let id = control.card().id;
        models.push(match control.make(&layout, &label, Seed(1)).unwrap() {
            Made::Features(matrix) => (id, ModelKind::Control, spoil(id, matrix), label.clone()),
            Made::Labels(shuffled) => (id, ModelKind::Control, features.clone(), shuffled),
        });
    }
    let (mut summaries, mut batch_probes) = (Vec::new(), Vec::new());
    for (name, _, matrix, label) in &models {
        for probe in probes {
            summaries.extend(score(name, matrix, label, &sets, probe));
        }
        let block = Block { layout: layout.clone(), matrix: matrix.clone() };
        let uses = probes.map(|(id, probe)| ProbeUse { id, probe, max_rows: 400 });
        batch_probes.extend(batch_probe::run(name, &block, "treated", &uses, Default::default(), Seed(1), &|_, _| ()));
    }
    let shuffled = &models[5].3;
    let bands = |label: &Factor| -> Vec<ChanceBand> {
        let band = |set| ChanceBand::of(set, &label.codes, label.level_count(), layout.well.as_ref());
        sets.iter().filter_map(band).collect()
    };
    let infos: Vec<ModelInfo> = models
        .iter()
        .map(|(name, kind, ..)| ModelInfo { name: (*name).to_owned(), kind: *kind, ..ModelInfo::default() })
        .collect();
    rules::check(&rules::Evidence {
        models: &infos,
        summaries: &summaries,
        batch_probes: &batch_probes,
        chance: &bands(&label),
        chance_shuffled: &bands(shuffled),
        random: &[("paper".to_owned(), "random".to_owned()), ("strict".to_owned(), "random".to_owned())],
    })
}

#[test]
fn controls_are_in_order_on_a_table_with_signal() {
    let checks = checks(2.0, |_, matrix| matrix);
    assert!(checks.iter().all(|check| check.holds == Some(true)), "{checks:#?}");
    // The paper's random split divides wells; the shuffled labels are not judged there.
    let shuffled = checks.iter().find(|check| check.control == "shuffled-labels").unwrap();
    assert!(shuffled.reason.as_deref().unwrap().contains("`paper random` divides"), "{shuffled:#?}");
}

#[test]
fn without_signal_no_control_is_out_of_order_and_the_model_is_said_to_be_at_chance() {
    let checks = checks(0.0, |_, matrix| matrix);
    assert!(checks.iter().all(|check| check.holds != Some(false)), "{checks:#?}");
    let constant = checks.iter().rfind(|check| check.control == "constant").unwrap();
    assert!(constant.reason.as_deref().unwrap().contains("is itself at chance"), "{constant:#?}");
}

#[test]
fn a_path_that_leaks_the_label_into_noise_is_caught() {
    let (_, label, _) = table(2.0);
    let checks = checks(2.0, |id, mut matrix| {
        if id == "noise" {
            let cols = matrix.cols();
            for (row, &code) in label.codes.iter().enumerate() {
                matrix.data_mut()[row * cols + code as usize] += 2.0;
            }
        }
        matrix
    });
    let broken: Vec<&str> = checks.iter().filter(|c| c.holds == Some(false)).map(|c| c.control.as_str()).collect();
    assert!(broken.contains(&"noise"), "{checks:#?}");
}
