use super::*;
use crate::metric::evaluate_all;
use crate::probe::knn::{Knn, KnnSettings};
use crate::probe::logistic::LogisticProbe;
use crate::probe::{Diagnostics, Fitted, Sink};
use crate::{Error, Fold, Predictions, Role};
use bench_core::Card;

/// Nearest training centroid, ties shared: enough of a probe to test what surrounds it.
struct Centroid;

static CARD: Card = Card {
    id: "centroid",
    title: "Nearest centroid",
    what: "",
    formula: "",
    better: "none",
    range: "",
    limits: "",
    reference: "",
};

impl Probe for Centroid {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn backend(&self) -> &'static str {
        "test"
    }

    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        _tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let cols = input.matrix.cols();
        for (index, fold) in folds.iter().enumerate() {
            let mut sums = vec![vec![0.0; cols]; input.classes];
            let mut counts = vec![0.0; input.classes];
            for row in fold.rows(Role::Train) {
                let class = input.class[row as usize] as usize;
                counts[class] += 1.0;
                sums[class].iter_mut().zip(input.matrix.row(row as usize)).for_each(|(s, x)| *s += f64::from(*x));
            }
            let mut predictions = Predictions::with_classes(input.classes);
            for row in fold.rows(Role::Test) {
                let distance = |class: usize| -> f64 {
                    if counts[class] == 0.0 {
                        return f64::INFINITY;
                    }
                    let mean = sums[class].iter().map(|s| s / counts[class]);
                    mean.zip(input.matrix.row(row as usize)).map(|(m, x)| (m - f64::from(*x)).powi(2)).sum()
                };
                let distances: Vec<f64> = (0..input.classes).map(distance).collect();
                let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
                let nearest: Vec<u32> =
                    (0..input.classes).filter(|&c| distances[c] == least).map(|c| c as u32).collect();
                let weight = 1.0 / nearest.len() as f64;
                predictions.push(row, &vec![0.0; input.classes], nearest.into_iter().map(|class| (class, weight)));
            }
            sink(index, Ok(Fitted { predictions, diagnostics: Diagnostics::default() }));
        }
        Ok(())
    }
}

const SOURCES: usize = 3;
const ROWS_PER_WELL: usize = 2;

/// Three sources of two plates, eight rows and six columns of wells, two rows per well.
fn layout() -> Layout {
    let mut names: [Vec<String>; 5] = Default::default();
    for source in 0..SOURCES {
        for plate in 0..2 {
            for well in 0..48 {
                for _ in 0..ROWS_PER_WELL {
                    let position = format!("{}{:02}", (b'A' + (well / 6) as u8) as char, 1 + well % 6);
                    let plate = format!("s{source}/b{plate}/p");
                    let values = [format!("s{source}"), format!("s{source}/b{plate}"), plate.clone()];
                    values.into_iter().zip(&mut names).for_each(|(value, names)| names.push(value));
                    names[3].push(format!("{plate}/{position}"));
                    names[4].push(position);
                }
            }
        }
    }
    let factor = |i: usize| Some(Factor::sorted(&names[i]));
    Layout {
        rows: names[0].len(),
        source: factor(0),
        batch: factor(1),
        plate: factor(2),
        well: factor(3),
        position: factor(4),
        file_row: (0..names[0].len() as u64).collect(),
        ..Layout::default()
    }
}

fn one_hot(factor: &Factor) -> Matrix {
    let mut matrix = Matrix::zeros(factor.len(), factor.level_count());
    let cols = factor.level_count();
    factor.codes.iter().enumerate().for_each(|(row, &c)| matrix.data_mut()[row * cols + c as usize] = 1.0);
    matrix
}

fn probe(block: &Block, max_rows: usize) -> Vec<BatchProbe> {
    let probes = [ProbeUse { id: "centroid", probe: &Centroid, max_rows }];
    run("m", block, "treated", &probes, Settings::default(), Seed(1), &|_, _| ())
}

fn of<'a>(results: &'a [BatchProbe], target: &str) -> &'a BatchProbe {
    results.iter().find(|result| result.target == target).unwrap()
}

#[test]
fn a_one_hot_source_gives_exactly_one_for_the_source() {
    let layout = layout();
    let matrix = one_hot(layout.source.as_ref().unwrap());
    for max_rows in [10_000, 200] {
        let results = probe(&Block { layout: layout.clone(), matrix: matrix.clone() }, max_rows);
        assert_eq!(results.len(), TARGETS.len());
        assert_eq!(of(&results, "source").corrected, Some(1.0));
        assert_eq!(of(&results, "source").n, 576.min(max_rows / 2 * 2));
        // Two plates per source cannot be told apart.
        assert!((of(&results, "plate").balanced_accuracy.unwrap() - 0.5).abs() < 0.1);
    }
}

#[test]
fn the_real_probes_read_a_one_hot_source_of_unequal_sources_perfectly() {
    let all = layout();
    // Ten wells are left of the last source; or few wells of every source, one of them with most.
    let few = (0..60).chain(200..212).chain(390..402).collect();
    for rows in [(0..404).collect::<Vec<u32>>(), few] {
        let layout = all.take(&rows);
        let block = Block { matrix: one_hot(layout.source.as_ref().unwrap()), layout };
        let knn = Knn::new(KnnSettings::default()).unwrap();
        let logreg = LogisticProbe::new(logistic_settings(rows.len())).unwrap();
        let probes = [
            ProbeUse { id: "logreg", probe: &logreg, max_rows: MAX_ROWS_LOGREG },
            ProbeUse { id: "knn", probe: &knn, max_rows: MAX_ROWS_KNN },
        ];
        let results = run("one-hot-source", &block, "treated", &probes, Settings::default(), Seed(1), &|_, _| ());
        let source: Vec<&BatchProbe> = results.iter().filter(|result| result.target == "source").collect();
        assert_eq!(source.iter().map(|result| result.probe.as_str()).collect::<Vec<_>>(), ["logreg", "knn"]);
        assert!(source.iter().all(|result| result.corrected == Some(1.0) && result.levels == 3), "{source:?}");
    }
}

#[test]
fn a_constant_embedding_gives_zero_for_everything() {
    let layout = layout();
    let matrix = Matrix::new(layout.rows, 1, vec![1.0; layout.rows]);
    for result in probe(&Block { layout, matrix }, 10_000) {
        assert!(result.corrected.unwrap().abs() < 1e-12, "{result:?}");
    }
}

#[test]
fn positions_are_read_by_number_and_edge_wells_are_those_of_the_format() {
    let layout = layout();
    let row = factor_of(&layout, "well-row").unwrap();
    let column = factor_of(&layout, "well-column").unwrap();
    let edge = factor_of(&layout, "well-edge").unwrap();
    assert_eq!((row.level_count(), column.level_count(), edge.level_count()), (8, 6, 2));
    // Columns 1 to 6 of a 96-well plate: rows A and H and column 1 are the edge.
    assert_eq!(edge.counts()[1], SOURCES * 2 * ROWS_PER_WELL * (6 + 6 + 6));
    let results = probe(&Block { matrix: one_hot(&column), layout }, 10_000);
    assert_eq!(of(&results, "well-column").corrected, Some(1.0));
    assert_eq!((of(&results, "well-column").levels, of(&results, "well-column").n), (6, 576));
}

#[test]
fn what_cannot_be_probed_has_its_reason() {
    let full = layout();
    let bare = Layout {
        rows: 576,
        source: full.source.as_ref().map(|f| Factor::sorted(&vec!["s"; f.len()])),
        ..Layout::default()
    };
    let results = probe(&Block { layout: bare, matrix: Matrix::zeros(576, 1) }, 10_000);
    assert_eq!(of(&results, "source").reason.as_deref(), Some("`source` has one level"));
    assert_eq!(of(&results, "plate").reason.as_deref(), Some("the table has no plate column"));
    assert_eq!(of(&results, "well-edge").reason.as_deref(), Some("the table has no well column"));

    // Four wells of each of six plates.
    let rows: Vec<u32> = (0..576).filter(|row| row % 96 < 8).collect();
    let few = full.take(&rows);
    let results = probe(&Block { matrix: Matrix::zeros(rows.len(), 1), layout: few }, 10_000);
    assert_eq!(of(&results, "plate").reason.as_deref(), Some("4.0 wells per level of `plate`, at least 5 are needed"));
    assert!(of(&results, "source").corrected.is_some());
    let empty = probe(&Block::default(), 10_000);
    assert!(empty.iter().all(|result| result.reason.as_deref() == Some("no rows")));
}

#[test]
fn a_level_in_a_single_well_is_left_out() {
    let mut layout = layout();
    let batch = layout.batch.as_mut().unwrap();
    batch.levels.push("lone".to_owned());
    batch.codes[0] = 6;
    batch.codes[1] = 6;
    let matrix = one_hot(layout.batch.as_ref().unwrap());
    let results = probe(&Block { layout, matrix }, 10_000);
    assert_eq!((of(&results, "batch").levels, of(&results, "batch").n), (6, 574));
    assert_eq!(of(&results, "batch").corrected, Some(1.0));
}

#[test]
fn no_well_is_divided_and_all_models_get_the_same_rows() {
    let layout = layout();
    let task = Task::new(&layout, "source", Settings::default()).ok().unwrap();
    let all: Vec<u32> = (0..576).collect();
    for fold in stratified_folds(&task.well, &task.level.codes, 5, Seed(4), &all) {
        let tested: Vec<u32> = fold.rows(Role::Test).iter().map(|&row| task.well[row as usize]).collect();
        assert!(fold.rows(Role::Train).iter().all(|&row| !tested.contains(&task.well[row as usize])));
    }
    let block = |scale: f32| {
        let mut matrix = one_hot(layout.plate.as_ref().unwrap());
        matrix.data_mut().iter_mut().for_each(|value| *value *= scale);
        Block { layout: layout.clone(), matrix }
    };
    assert_eq!(probe(&block(1.0), 300), probe(&block(2.0), 300));
}

#[test]
fn the_test_probe_agrees_with_the_metrics_it_is_scored_by() {
    // Balanced accuracy over pooled folds is the metric of the same name on pooled predictions.
    let layout = layout();
    let mut stream = Seed(9).stream();
    let source = layout.source.as_ref().unwrap();
    let mut matrix = one_hot(source);
    matrix.data_mut().iter_mut().for_each(|value| *value += (1.2 * stream.normal()) as f32);
    let block = Block { layout: layout.clone(), matrix };
    let result = of(&probe(&block, 10_000), "source").clone();

    let task = Task::new(&layout, "source", Settings::default()).ok().unwrap();
    let seed = Seed(1).derive("batch-probe/source/treated", 0).derive("folds", 0);
    let all: Vec<u32> = (0..576).collect();
    let folds = stratified_folds(&task.well, &task.level.codes, 5, seed, &all);
    let input = ProbeInput { matrix: &block.matrix, class: &source.codes, classes: 3, name_rank: &[0, 1, 2] };
    let mut pooled = Predictions::with_classes(3);
    Centroid
        .run(input, &folds.iter().collect::<Vec<_>>(), &|_, _| (), &mut |_, fitted| {
            pooled.append(&fitted.unwrap().predictions)
        })
        .unwrap();
    let evaluated = crate::metric::Evaluated::new(&pooled, &source.codes, 3, &[true; 3]);
    let metric = [crate::metric::lookup("balanced-accuracy").unwrap()];
    assert_eq!(evaluate_all(&evaluated, &metric)[0].1.clone().ok(), result.balanced_accuracy);
    let expected = (result.balanced_accuracy.unwrap() - 1.0 / 3.0) / (2.0 / 3.0);
    assert!((result.corrected.unwrap() - expected).abs() < 1e-12);
    assert!((0.2..0.95).contains(&expected), "{expected}");
}
