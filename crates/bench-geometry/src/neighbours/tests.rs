//! Against brute force over all pairs, and against scikit-learn.

use bench_core::{Matrix, Seed};
use proptest::prelude::*;

use super::*;

/// Kinds of tables on which searches go wrong: generic, with repeated rows, on a small lattice
/// (many equal distances), far from the origin, with one enormous row.
fn table(kind: usize, n: usize, d: usize, seed: u64) -> Matrix {
    let mut stream = Seed(seed).stream();
    let mut data: Vec<f32> = (0..n * d).map(|_| stream.normal() as f32).collect();
    match kind {
        1 => {
            for row in 1..n {
                if stream.below(2) == 0 {
                    let other = stream.below(row);
                    let factor = [1.0, 2.0, 0.5][stream.below(3)];
                    for col in 0..d {
                        data[row * d + col] = data[other * d + col] * factor;
                    }
                }
            }
        }
        2 => data.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0).round()),
        3 => data.iter_mut().for_each(|x| *x += 1000.0),
        4 => data[..d].iter_mut().for_each(|x| *x *= 1e12),
        _ => {}
    }
    Matrix::new(n, d, data)
}

/// The definition, in plain `f64` loops.
fn ordering(matrix: &Matrix, a: usize, b: usize, metric: Metric) -> f64 {
    let pairs = || matrix.row(a).iter().zip(matrix.row(b)).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    match metric {
        Metric::Euclidean => round_square(pairs().map(|(x, y)| (x - y) * (x - y)).sum()),
        Metric::Cosine => {
            let length = |row: usize| matrix.row(row).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let scale = length(a) * length(b);
            round_cosine(if scale == 0.0 { 1.0 } else { 1.0 - pairs().map(|(x, y)| x * y).sum::<f64>() / scale })
        }
    }
}

fn sorted_candidates(
    matrix: &Matrix,
    query: usize,
    metric: Metric,
    candidates: impl Iterator<Item = usize>,
) -> Vec<(f64, u32)> {
    let mut all: Vec<(f64, u32)> =
        candidates.map(|other| (ordering(matrix, query, other, metric), other as u32)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

fn metric(cosine: bool) -> Metric {
    if cosine { Metric::Cosine } else { Metric::Euclidean }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_graph_is_that_of_brute_force(
        kind in 0_usize..5, n in 2_usize..330, d in 1_usize..12, k in 1_usize..40, cosine: bool, seed: u64,
    ) {
        let k = k.min(n - 1);
        let matrix = table(kind, n, d, seed);
        let graph = graph(&matrix, k, metric(cosine), &|_, _| ()).unwrap();
        for row in 0..n {
            let expected = sorted_candidates(&matrix, row, metric(cosine), (0..n).filter(|&other| other != row));
            let rows: Vec<u32> = expected[..k].iter().map(|entry| entry.1).collect();
            prop_assert_eq!(graph.neighbours(row), &rows);
            prop_assert!(graph.distances(row).is_sorted());
        }
    }

    #[test]
    fn ballots_are_those_of_brute_force_under_any_masks(
        kind in 0_usize..5, n in 2_usize..330, d in 1_usize..12, k in 1_usize..6, folds in 1_usize..80, cosine: bool,
        seed: u64,
    ) {
        let matrix = table(kind, n, d, seed);
        let mut stream = Seed(seed).derive("masks", 0).stream();
        let class: Vec<u32> = (0..n).map(|_| stream.below(3) as u32).collect();
        // Groups of consecutive rows that are held out, rows drawn one by one, and empty folds.
        let parts: Vec<Vec<Part>> = (0..folds)
            .map(|fold| {
                let (from, to) = (stream.below(n), stream.below(n));
                (0..n)
                    .map(|row| match fold % 4 {
                        0 => [Part::Unused, Part::Train, Part::Train, Part::Test][stream.below(4)],
                        1 => if (from..to).contains(&row) { Part::Test } else { Part::Train },
                        2 => if (from..to).contains(&row) { Part::Train } else { Part::Test },
                        _ => [Part::Unused, Part::Test, Part::Test, Part::Train][stream.below(40) / 13],
                    })
                    .collect()
            })
            .collect();
        let question = Question {
            matrix: &matrix, class: &class, folds, part: |fold: usize, row: usize| parts[fold][row], k,
            metric: metric(cosine),
        };
        let ballots = std::sync::Mutex::new(Vec::new());
        let keep = |ballot: &Ballot<'_>| {
            let mut ballots = ballots.lock().unwrap();
            ballots.push((ballot.fold, ballot.rows.to_vec(), ballot.certain, ballot.tied.to_vec()));
            ballots.len() as u32 - 1
        };
        let swept = sweep(&question, &keep, &|_, _| ()).unwrap();
        let ballots = ballots.into_inner().unwrap();
        for fold in 0..folds {
            let of_part = |part: Part| (0..n).filter(|&row| parts[fold][row] == part).collect::<Vec<_>>();
            let (train, test) = (of_part(Part::Train), of_part(Part::Test));
            prop_assert_eq!(swept[fold].train_rows, train.len());
            prop_assert_eq!(swept[fold].kept.len(), if train.is_empty() { 0 } else { test.len() });
            for (&row, &id) in test.iter().zip(&swept[fold].kept) {
                let all = sorted_candidates(&matrix, row, metric(cosine), train.iter().copied());
                let used = k.min(all.len());
                let (of, rows, certain, tied) = &ballots[id as usize];
                prop_assert_eq!(*of, fold);
                prop_assert_eq!(rows, &all[..used].iter().map(|entry| entry.1).collect::<Vec<_>>());
                let boundary = all[used - 1].0;
                if all.get(used).is_some_and(|next| next.0 == boundary) {
                    prop_assert_eq!(*certain, all.iter().filter(|entry| entry.0 < boundary).count());
                    let mut counts = [0_u32; 3];
                    for (_, row) in all.iter().filter(|entry| entry.0 == boundary) {
                        counts[class[*row as usize] as usize] += 1;
                    }
                    let expected: Vec<(u32, u32)> =
                        (0..3).map(|c| (c, counts[c as usize])).filter(|entry| entry.1 > 0).collect();
                    prop_assert_eq!(tied, &expected);
                } else {
                    prop_assert_eq!((*certain, tied.len()), (used, 0));
                }
            }
        }
    }
}

fn golden() -> serde_json::Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/knn.json"));
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value.as_array() {
        Some(values) => values.iter().flat_map(numbers).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}

#[test]
fn the_graph_is_that_of_scikit_learn() {
    let golden = golden();
    let rows = golden["features"].as_array().unwrap().len();
    let features: Vec<f32> = numbers(&golden["features"]).into_iter().map(|x| x as f32).collect();
    let matrix = Matrix::new(rows, features.len() / rows, features);
    for (name, metric) in [("cosine", Metric::Cosine), ("euclidean", Metric::Euclidean)] {
        let expected = &golden["graph"][name];
        let k = expected["k"].as_u64().unwrap() as usize;
        let graph = graph(&matrix, k, metric, &|_, _| ()).unwrap();
        assert_eq!(graph.index, numbers(&expected["index"]).into_iter().map(|i| i as u32).collect::<Vec<_>>());
        for (ours, theirs) in graph.distance.iter().zip(numbers(&expected["distance"])) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{ours} {theirs}");
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let matrix = table(1, 1300, 9, 5);
    let class: Vec<u32> = (0..1300).map(|row| row % 4).collect();
    let part = |fold: usize, row: usize| if row * 7 % 10 == fold { Part::Test } else { Part::Train };
    let question = Question { matrix: &matrix, class: &class, folds: 10, part, k: 3, metric: Metric::Cosine };
    let keep = |ballot: &Ballot<'_>| {
        ballot
            .rows
            .iter()
            .chain(ballot.tied.iter().map(|entry| &entry.1))
            .fold(ballot.certain as u32, |hash, &x| hash.wrapping_mul(31).wrapping_add(x))
    };
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let swept = sweep(&question, &keep, &|_, _| ()).unwrap();
            (graph(&matrix, 20, Metric::Cosine, &|_, _| ()).unwrap(), swept)
        })
    };
    let (graph, swept) = with_threads(1);
    for threads in [2, 5] {
        let (other, others) = with_threads(threads);
        assert_eq!(graph.index, other.index);
        assert!(graph.distance.iter().zip(&other.distance).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(swept, others);
    }
}

#[test]
fn a_constant_table_costs_nothing_and_ties_are_counted() {
    let n = 200_000;
    let matrix = Matrix::new(n, 3, [0.5, 1.0, -2.0].repeat(n));
    let class: Vec<u32> = (0..n as u32).map(|row| row % 2).collect();
    let part = |fold: usize, row: usize| if row % 60 == fold { Part::Test } else { Part::Train };
    let question = Question { matrix: &matrix, class: &class, folds: 60, part, k: 3, metric: Metric::Cosine };
    let keep = |ballot: &Ballot<'_>| {
        assert_eq!((ballot.certain, ballot.drawn()), (0, 3));
        ballot.tied[0].1
    };
    let swept = sweep(&question, &keep, &|_, _| ()).unwrap();
    // 200,000 rows leave 3,334 or 3,333 test rows a fold, all of one class.
    assert_eq!(swept[0].kept, vec![100_000 - 3_334; 3_334]);
    assert_eq!(swept[1].kept, vec![100_000; 3_334]);
}

#[test]
fn errors_say_what_is_missing() {
    let matrix = Matrix::new(3, 1, vec![1.0, 2.0, 3.0]);
    let error = graph(&matrix, 3, Metric::Cosine, &|_, _| ()).unwrap_err();
    assert_eq!(error.to_string(), "cannot compute a neighbour graph of `3` rows: at least `4` are needed");
    let error = graph(&matrix, 0, Metric::Cosine, &|_, _| ()).unwrap_err();
    assert_eq!(error.to_string(), "invalid k = `0`: at least one neighbour");
    let error = graph(&Matrix::zeros(0, 3), 1, Metric::Cosine, &|_, _| ()).unwrap_err();
    assert_eq!(error.to_string(), "cannot compute neighbours of a matrix of `0` x `3` values");
}
