use super::*;
use crate::golden::{clustered, geometry, numbers, on_one_and_two_threads};
use crate::neighbours;
use crate::trustworthiness::trustworthiness;

fn quiet(_: usize, _: usize) {}

fn map(data: &Matrix, settings: &UmapSettings, seed: u64) -> Layout2d {
    let k = settings.graph_neighbours(data.rows());
    let graph = neighbours::graph(data, k, settings.metric, &quiet).unwrap();
    layout(&graph, settings, Seed(seed), Some(data), &quiet).unwrap()
}

#[test]
fn the_curve_is_umap_learns() {
    for golden in geometry()["curve"].as_array().unwrap() {
        let [min_dist, spread, a, b] = numbers(golden)[..] else { panic!("four numbers") };
        let curve = Curve::fit(min_dist, spread);
        assert!((curve.a - a).abs() < 1e-6 && (curve.b - b).abs() < 1e-6, "{curve:?} for {golden}");
    }
}

#[test]
fn memberships_are_umap_learns() {
    let golden = &geometry()["fuzzy"];
    let entries = golden["entries"].as_u64().unwrap() as usize;
    let index: Vec<u32> = numbers(&golden["index"]).iter().map(|&v| v as u32).collect();
    let distance = numbers(&golden["distance"]).iter().map(|&v| v as f32).collect();
    let graph = Graph { n: index.len() / (entries - 1), k: entries - 1, index, distance };
    let fuzzy = FuzzyGraph::new(&graph, entries);
    assert_eq!(fuzzy.offset, numbers(&golden["offset"]).iter().map(|&v| v as usize).collect::<Vec<_>>());
    assert_eq!(fuzzy.column, numbers(&golden["column"]).iter().map(|&v| v as u32).collect::<Vec<_>>());
    for (found, expected) in fuzzy.weight.iter().zip(numbers(&golden["weight"])) {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

#[test]
fn memberships_are_symmetric_and_pruning_keeps_them_so() {
    let data = clustered(200, 5, 4, 21);
    let graph = neighbours::graph(&data, 9, Metric::Euclidean, &quiet).unwrap();
    let full = FuzzyGraph::new(&graph, 10);
    let pruned = full.clone().prune(20);
    assert!(pruned.column.len() < full.column.len());
    for fuzzy in [full, pruned] {
        let weight = |a: usize, b: u32| {
            let (columns, weights) = fuzzy.row(a);
            columns.binary_search(&b).ok().map(|at| weights[at])
        };
        for a in 0..200 {
            for &b in fuzzy.row(a).0 {
                assert_eq!(weight(a, b), weight(b as usize, a as u32));
            }
        }
    }
}

#[test]
fn maps_are_as_trustworthy_as_umap_learns() {
    let data = clustered(1500, 16, 12, 7);
    for golden in geometry()["maps"].as_array().unwrap() {
        let settings = UmapSettings {
            metric: serde_json::from_value(golden["metric"].clone()).unwrap(),
            start: serde_json::from_value(golden["start"].clone()).unwrap(),
            ..UmapSettings::default()
        };
        let map = map(&data, &settings, 1);
        let found = trustworthiness(&data, settings.metric, &map.x, &map.y, 15, Seed(1)).unwrap().value;
        let values = numbers(&golden["values"]);
        let expected = values.iter().sum::<f64>() / values.len() as f64;
        assert!((found - expected).abs() < 0.01, "{golden}: {found}");
    }
}

#[test]
fn one_and_two_threads_give_the_same_bytes_and_seeds_differ() {
    let data = clustered(900, 8, 7, 5);
    for start in [Start::Spectral, Start::Pca] {
        let settings = UmapSettings { epochs: Some(60), start, ..UmapSettings::default() };
        let (one, two) = on_one_and_two_threads(|| map(&data, &settings, 3));
        assert!(one == two);
        assert!(map(&data, &settings, 4).x != one.x);
    }
}

#[test]
fn tiny_and_degenerate_tables_get_a_finite_map() {
    let mut tables: Vec<Matrix> = (2..=17).map(|n| clustered(n, 3, 2, n as u64)).collect();
    for n in [2, 3, 4, 20, 100] {
        tables.push(Matrix::new(n, 3, vec![1.5; n * 3]));
        tables.push(Matrix::zeros(n, 3));
    }
    // Few distinct rows, and one column.
    tables.push(Matrix::new(60, 2, (0..120).map(|i| (i / 2 % 3) as f32).collect()));
    tables.push(Matrix::new(50, 1, (0..50).map(|i| i as f32).collect()));
    for data in &tables {
        for start in [Start::Spectral, Start::Pca] {
            for metric in [Metric::Cosine, Metric::Euclidean] {
                let settings = UmapSettings { start, metric, epochs: Some(30), ..UmapSettings::default() };
                let map = map(data, &settings, 1);
                assert_eq!((map.x.len(), map.y.len()), (data.rows(), data.rows()));
                assert!(map.x.iter().chain(&map.y).all(|v| v.is_finite()), "{data:?}");
                let constant = data.data().iter().all(|v| *v == 1.5);
                assert!(!constant || map.notes.iter().any(|note| note.contains("distances are zero")));
            }
        }
    }
}

#[test]
fn maps_of_no_row_and_of_one_row_say_that_they_are_empty() {
    for n in [0, 1] {
        let graph = Graph { n, k: 0, index: Vec::new(), distance: Vec::new() };
        let map = layout(&graph, &UmapSettings::default(), Seed(1), None, &quiet).unwrap();
        assert_eq!((map.x, map.notes.len()), (vec![0.0; n], 1));
    }
}

#[test]
fn separate_components_stay_apart_and_are_counted() {
    // Six far groups of 30 rows: the graph of 15 neighbours cannot join them.
    let mut data = clustered(180, 4, 1, 9);
    for (at, value) in data.data_mut().iter_mut().enumerate() {
        *value += 1e4 * ((at / 4 % 6) as f32 * 1.3 + (at % 4) as f32).sin();
    }
    let settings = UmapSettings { metric: Metric::Euclidean, ..UmapSettings::default() };
    let graph = neighbours::graph(&data, 14, Metric::Euclidean, &quiet).unwrap();
    for with in [Some(&data), None] {
        let map = layout(&graph, &settings, Seed(2), with, &quiet).unwrap();
        assert_eq!(map.components, 6);
        assert!(map.notes.iter().any(|note| note.contains("6 parts")), "{:?}", map.notes);
        let trust = trustworthiness(&data, Metric::Euclidean, &map.x, &map.y, 15, Seed(1)).unwrap().value;
        assert!(trust > 0.9, "{trust}");
    }
}

#[test]
fn impossible_requests_are_refused() {
    let data = clustered(40, 3, 2, 1);
    let graph = neighbours::graph(&data, 14, Metric::Cosine, &quiet).unwrap();
    let ask = |settings: UmapSettings, data: Option<&Matrix>| layout(&graph, &settings, Seed(1), data, &quiet);
    let default = UmapSettings::default;
    assert!(matches!(
        ask(UmapSettings { neighbours: 1, ..default() }, None),
        Err(Error::Setting { key: "neighbours", .. })
    ));
    assert!(matches!(
        ask(UmapSettings { min_dist: 2.0, ..default() }, None),
        Err(Error::Setting { key: "min-dist", .. })
    ));
    assert!(matches!(ask(UmapSettings { spread: 0.0, ..default() }, None), Err(Error::Setting { key: "spread", .. })));
    assert!(matches!(
        ask(UmapSettings { epochs: Some(0), ..default() }, None),
        Err(Error::Setting { key: "epochs", .. })
    ));
    assert!(matches!(
        ask(UmapSettings { start: Start::Pca, ..default() }, None),
        Err(Error::Setting { key: "start", .. })
    ));
    assert!(matches!(ask(UmapSettings { neighbours: 30, ..default() }, None), Err(Error::Shape { .. })));
    assert!(matches!(ask(default(), Some(&data.take(&[0, 1]))), Err(Error::Shape { .. })));
}

#[test]
fn settings_reject_unknown_keys_and_default_to_umap_learns() {
    let settings: UmapSettings = serde_json::from_str(r#"{"min-dist": 0.3, "start": "pca"}"#).unwrap();
    assert_eq!(settings, UmapSettings { min_dist: 0.3, start: Start::Pca, ..UmapSettings::default() });
    assert!(serde_json::from_str::<UmapSettings>(r#"{"min_dist": 0.3}"#).is_err());
}
