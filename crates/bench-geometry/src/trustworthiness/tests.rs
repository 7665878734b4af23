use super::*;
use crate::golden::{clustered, geometry, on_one_and_two_threads, untied};

fn columns(map: &Matrix) -> (Vec<f32>, Vec<f32>) {
    (0..map.rows()).map(|row| (map.row(row)[0], map.row(row)[1])).unzip()
}

#[test]
fn values_are_scikit_learns() {
    let data = untied(80, 6, 3, 3);
    let noise = untied(80, 2, 1, 5);
    let close = (0..160).map(|at| data.row(at / 2)[at % 2] + noise.data()[at] * 0.5).collect();
    let close = Matrix::new(80, 2, close);
    let random = untied(80, 2, 80, 4);
    for golden in geometry()["trustworthiness"].as_array().unwrap() {
        let (x, y) = columns(if golden["map"] == "random" { &random } else { &close });
        let metric = serde_json::from_value(golden["metric"].clone()).unwrap();
        let k = golden["k"].as_u64().unwrap() as usize;
        let found = trustworthiness(&data, metric, &x, &y, k, Seed(1)).unwrap();
        let expected = golden["value"].as_f64().unwrap();
        assert!((found.value - expected).abs() < 1e-12, "{golden}: {}", found.value);
        assert_eq!((found.queries, found.rows), (80, 80));
    }
}

#[test]
fn a_map_equal_to_the_data_is_trusted_and_a_collapsed_one_is_no_better_than_chance() {
    let data = untied(120, 2, 5, 1);
    let (x, y) = columns(&data);
    let value = |x: &[f32], y: &[f32]| trustworthiness(&data, Metric::Euclidean, x, y, 10, Seed(1)).unwrap().value;
    assert_eq!(value(&x, &y), 1.0);
    // All rows tie on the map: a neighbour is any row, its expected excess that of a random one.
    let ranks: f64 = (1..120).map(|rank| f64::from((rank - 10).max(0))).sum::<f64>() / 119.0;
    let expected = 1.0 - 2.0 * ranks / (240.0 - 30.0 - 1.0);
    assert!((value(&[0.0; 120], &[0.0; 120]) - expected).abs() < 1e-12);
}

#[test]
fn tied_ranks_count_by_expectation() {
    // Ranks 3 to 6 with equal chance, and k = 4: excess 0, 0, 1, 2.
    assert_eq!(expected_excess(2, 4, 4), 0.75);
    assert_eq!(expected_excess(9, 1, 4), 6.0);
    assert_eq!(expected_excess(0, 3, 4), 0.0);
}

#[test]
fn a_large_table_is_sampled_and_says_so() {
    let data = clustered(2100, 4, 6, 2);
    let (x, y) = columns(&data);
    let (one, two) = on_one_and_two_threads(|| trustworthiness(&data, Metric::Cosine, &x, &y, 15, Seed(4)).unwrap());
    assert_eq!(one, two);
    assert_eq!((one.queries, one.rows), (QUERIES, 2100));
}

#[test]
fn impossible_requests_are_refused() {
    let data = clustered(10, 3, 2, 1);
    let ask = |x: &[f32], k| trustworthiness(&data, Metric::Cosine, x, &[0.0; 10], k, Seed(1));
    assert!(matches!(ask(&[0.0; 9], 2), Err(Error::Shape { .. })));
    assert!(matches!(ask(&[0.0; 10], 5), Err(Error::Setting { .. })));
    assert!(matches!(ask(&[0.0; 10], 0), Err(Error::Setting { .. })));
    assert!(matches!(ask(&[f32::NAN; 10], 2), Err(Error::NotFinite { .. })));
}
