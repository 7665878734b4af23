use bench_core::{Factor, Seed};

use super::*;

fn run(settings: KnnSettings, input: ProbeInput<'_>, folds: &[&Fold]) -> Vec<Fitted> {
    let mut results = Vec::new();
    let mut sink = |fold: usize, fitted: Result<Fitted, String>| {
        assert_eq!(fold, results.len(), "folds come in order");
        results.push(fitted.unwrap());
    };
    Knn::new(settings).unwrap().run(input, folds, &|_, _| (), &mut sink).unwrap();
    results
}

fn fold(roles: Vec<Role>) -> Fold {
    Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles }
}

fn expected_accuracy(fitted: &Fitted, class: &[u32]) -> f64 {
    let p = &fitted.predictions;
    (0..p.len()).map(|i| p.decided(i, class[p.rows[i] as usize])).sum::<f64>() / p.len() as f64
}

#[test]
fn decisions_and_shares_are_those_of_scikit_learn() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/knn.json"));
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let features: Vec<Vec<f32>> = serde_json::from_value(golden["features"].clone()).unwrap();
    let label: Vec<String> = serde_json::from_value(golden["label"].clone()).unwrap();
    let train: Vec<bool> = serde_json::from_value(golden["train"].clone()).unwrap();
    let matrix = Matrix::new(features.len(), features[0].len(), features.concat());
    let label = Factor::first_seen(&label);
    let ranks = label.name_ranks();
    let input = ProbeInput { matrix: &matrix, class: &label.codes, classes: label.level_count(), name_rank: &ranks };
    let fold = fold(train.iter().map(|&train| if train { Role::Train } else { Role::Test }).collect());
    for (name, metric, standardise) in [
        ("cosine", Metric::Cosine, false),
        ("euclidean", Metric::Euclidean, false),
        ("cosine-standardised", Metric::Cosine, true),
        ("euclidean-standardised", Metric::Euclidean, true),
    ] {
        let expected = &golden["probe"][name];
        let classes: Vec<String> = serde_json::from_value(expected["classes"].clone()).unwrap();
        let decision: Vec<String> = serde_json::from_value(expected["decision"].clone()).unwrap();
        let probability: Vec<Vec<f64>> = serde_json::from_value(expected["probability"].clone()).unwrap();
        let settings = KnnSettings { k: 3, metric, ties: VoteTies::LowestClass, standardise };
        let fitted = &run(settings, input, &[&fold])[0];
        let p = &fitted.predictions;
        assert_eq!(p.len(), decision.len());
        for i in 0..p.len() {
            assert_eq!(label.levels[p.decision(i)[0].0 as usize], decision[i], "{name}, test row {i}");
            for (class, share) in classes.iter().zip(&probability[i]) {
                let code = label.levels.iter().position(|level| level == class).unwrap();
                assert!((p.probability(i)[code] - share).abs() < 1e-12);
            }
        }
        assert!(fitted.diagnostics.tied_votes > 0, "the golden data exercise the tie rule");
        assert_eq!(fitted.diagnostics.tied_neighbours, 0);
    }
}

#[test]
fn a_constant_embedding_scores_chance() {
    let (n, classes) = (240, 4);
    let matrix = Matrix::new(n, 2, [3.0, -1.0].repeat(n));
    let name_rank = [1, 0, 3, 2];
    // Balanced: whatever the rows, every class is decided for with probability 1 / classes.
    let class: Vec<u32> = (0..n as u32).map(|row| row % 4).collect();
    let roles: Vec<Role> = (0..n).map(|row| if row < 40 { Role::Test } else { Role::Train }).collect();
    let input = ProbeInput { matrix: &matrix, class: &class, classes, name_rank: &name_rank };
    let fitted = &run(KnnSettings::default(), input, &[&fold(roles)])[0];
    assert!((expected_accuracy(fitted, &class) - 0.25).abs() < 1e-12);
    assert_eq!((fitted.diagnostics.tied_neighbours, fitted.diagnostics.tied_votes), (40, 40));
    assert!(fitted.predictions.probability(7).iter().all(|p| (p - 0.25).abs() < 1e-12));

    // Unbalanced, k = 1: a neighbour drawn at random has the class shares of training.
    let class: Vec<u32> = (0..n as u32).map(|row| u32::from(row % 10 >= 6)).collect();
    let roles: Vec<Role> = (0..n).map(|row| if row < 100 { Role::Test } else { Role::Train }).collect();
    let input = ProbeInput { matrix: &matrix, class: &class, classes: 2, name_rank: &[0, 1] };
    let settings = KnnSettings { k: 1, ..KnnSettings::default() };
    let fitted = &run(settings, input, &[&fold(roles.clone())])[0];
    assert!((expected_accuracy(fitted, &class) - (0.6 * 0.6 + 0.4 * 0.4)).abs() < 1e-12);

    // Unbalanced, k = 3: majority of three drawn from 84 and 56 rows.
    let fitted = &run(KnnSettings::default(), input, &[&fold(roles)])[0];
    let choose = |n: f64, k: i32| (0..k).map(|i| (n - f64::from(i)) / f64::from(i + 1)).product::<f64>();
    let first = (choose(84.0, 3) + choose(84.0, 2) * 56.0) / choose(140.0, 3);
    assert!((expected_accuracy(fitted, &class) - (0.6 * first + 0.4 * (1.0 - first))).abs() < 1e-12);
}

#[test]
fn a_one_hot_embedding_is_decided_by_its_own_rows() {
    let (n, classes) = (300, 3);
    let class: Vec<u32> = (0..n as u32).map(|row| row % 3).collect();
    let data = class.iter().flat_map(|&c| (0..3).map(move |i| f32::from(u8::from(i == c)))).collect();
    let matrix = Matrix::new(n, 3, data);
    let roles: Vec<Role> = (0..n).map(|row| if row % 7 == 0 { Role::Test } else { Role::Train }).collect();
    let input = ProbeInput { matrix: &matrix, class: &class, classes, name_rank: &[0, 1, 2] };
    for metric in [Metric::Cosine, Metric::Euclidean] {
        let fitted = &run(KnnSettings { metric, ..KnnSettings::default() }, input, &[&fold(roles.clone())])[0];
        assert_eq!(expected_accuracy(fitted, &class), 1.0);
        assert_eq!(fitted.diagnostics.tied_votes, 0);
        assert_eq!(fitted.diagnostics.tied_neighbours, fitted.predictions.len());
    }
}

#[test]
fn renaming_classes_leaves_expected_votes_as_they_are() {
    let (n, d) = (80, 3);
    let mut stream = Seed(3).stream();
    let matrix = Matrix::new(n, d, (0..n * d).map(|_| stream.normal().round() as f32).collect());
    let class: Vec<u32> = (0..n).map(|_| stream.below(4) as u32).collect();
    let roles: Vec<Role> = (0..n).map(|row| if row % 3 == 0 { Role::Test } else { Role::Train }).collect();
    let fold = fold(roles);
    let one = ProbeInput { matrix: &matrix, class: &class, classes: 4, name_rank: &[0, 1, 2, 3] };
    let other = ProbeInput { name_rank: &[3, 1, 0, 2], ..one };
    let settings = KnnSettings::default();
    assert_eq!(run(settings, one, &[&fold])[0].predictions, run(settings, other, &[&fold])[0].predictions);
}

#[test]
fn fewer_training_rows_than_neighbours_all_vote() {
    let matrix = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 4.0]);
    let class = [0, 1, 1, 0];
    let input = ProbeInput { matrix: &matrix, class: &class, classes: 2, name_rank: &[0, 1] };
    let settings = KnnSettings { k: 5, metric: Metric::Euclidean, ..KnnSettings::default() };
    let fitted = &run(settings, input, &[&fold(vec![Role::Train, Role::Train, Role::Train, Role::Test])])[0];
    assert_eq!(fitted.predictions.decision(0), [(1, 1.0)]);
    assert!((fitted.predictions.probability(0)[1] - 2.0 / 3.0).abs() < 1e-15);
}

#[test]
fn settings_are_checked() {
    let refused = |settings: KnnSettings| Knn::new(settings).unwrap_err().to_string();
    assert_eq!(refused(KnnSettings { k: 0, ..KnnSettings::default() }), "invalid k = `0`: at least one neighbour");
    assert!(refused(KnnSettings { k: 101, ..KnnSettings::default() }).contains("at most 100 neighbours"));
    assert!(Knn::new(KnnSettings { k: 101, ties: VoteTies::LowestClass, ..KnnSettings::default() }).is_ok());
    let parsed: Result<KnnSettings, _> =
        serde_json::from_str(r#"{"k": 5, "ties": "lowest-class", "metrik": "cosine"}"#);
    assert!(parsed.unwrap_err().to_string().contains("unknown field `metrik`"));
    let parsed: KnnSettings =
        serde_json::from_str(r#"{"k": 5, "ties": "lowest-class", "metric": "euclidean"}"#).unwrap();
    assert_eq!((parsed.k, parsed.ties, parsed.metric), (5, VoteTies::LowestClass, Metric::Euclidean));
}

#[test]
fn few_tested_rows_get_the_votes_that_they_get_among_many() {
    // 240 rows of which 30 are tested: taken first. The same fold with all rows tested or
    // trained beside it goes the plain way; the votes must be the same.
    let mut stream = bench_core::Seed(3).stream();
    let matrix = Matrix::new(240, 5, (0..240 * 5).map(|_| stream.normal() as f32).collect());
    let class: Vec<u32> = (0..240).map(|row| row % 4).collect();
    let input = ProbeInput { matrix: &matrix, class: &class, classes: 4, name_rank: &[0, 1, 2, 3] };
    let few = fold((0..240).map(|row| if row % 8 == 3 { Role::Test } else { Role::Train }).collect());
    let many = fold((0..240).map(|row| if row % 2 == 0 { Role::Test } else { Role::Train }).collect());
    assert!(super::tested_first(&[&few], 240).is_some() && super::tested_first(&[&few, &many], 240).is_none());
    let alone = run(KnnSettings::default(), input, &[&few]);
    let together = run(KnnSettings::default(), input, &[&few, &many]);
    assert_eq!(alone[0].predictions, together[0].predictions);
    assert_eq!(alone[0].diagnostics, together[0].diagnostics);
}
