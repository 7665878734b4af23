//! Retrieval against NumPy, scikit-learn and rational arithmetic; see `tests/goldens/generators/eval_retrieval.py`.

use bench_core::Matrix;
use serde_json::Value;

use super::*;

fn golden() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/eval_retrieval.json"));
    serde_json::from_str(text).unwrap()
}

fn matrix(value: &Value, dims: usize) -> Matrix {
    let data: Vec<f32> = value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    Matrix::new(data.len() / dims, dims, data)
}

fn whole<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_metric_and_rank_is_that_of_the_independent_script() {
    for case in golden()["cases"].as_array().unwrap() {
        let dims = case["dims"].as_u64().unwrap() as usize;
        let (molecule, image) = (matrix(&case["molecules"], dims), matrix(&case["images"], dims));
        let keys: Vec<String> = (0..molecule.rows()).map(|at| format!("C{at:03}")).collect();
        let identities: Vec<String> = whole(&case["identity"]);
        let compound: Vec<usize> = whole(&case["compound"]);
        let compounds: Vec<String> = compound.iter().map(|&at| keys[at].clone()).collect();
        let ids: Vec<String> = (0..image.rows()).map(|at| format!("{at:03}")).collect();
        let molecules = Molecules { keys: &keys, identities: Some(&identities), matrix: &molecule };
        let images = Images { compounds: &compounds, ids: &ids, matrix: &image };
        for result in case["results"].as_array().unwrap() {
            for ties in ["expected", "pessimistic"] {
                let expected = result[ties].as_object().unwrap();
                let settings = Settings {
                    gallery: Amount::All,
                    images_per_compound: Amount::All,
                    directions: vec![whole(&result["direction"])],
                    similarity: whole(&result["similarity"]),
                    ties: serde_json::from_value(ties.into()).unwrap(),
                    metrics: expected.keys().cloned().collect(),
                    bootstrap: 20,
                    ..Settings::default()
                };
                let plan = Plan::new(&molecules, &images, None, &settings).unwrap();
                let scored = evaluate("m", &plan, &molecules, &images, &settings).unwrap();
                for (summary, (metric, value)) in scored.summaries.iter().zip(expected) {
                    let (value, ours) = (value.as_f64().unwrap(), summary.value.unwrap());
                    assert_eq!(&summary.metric, metric);
                    let tolerance = 1e-12 * value.abs().max(1.0);
                    assert!((ours - value).abs() < tolerance, "{} {result:?} {ties} {metric} {ours}", case["name"]);
                    if case["name"] == "constant" && ties == "expected" {
                        assert_eq!((summary.value, summary.corrected), (summary.chance, Some(0.0)), "{metric}");
                    }
                }
                // The plan shuffles a gallery; the script asks in the order of rows.
                let mut queries = scored.queries.clone();
                queries.sort_by_key(|query| (query.compound, query.image));
                let ranks: (Vec<u32>, Vec<u32>) =
                    queries.iter().map(|query| (query.best_rank(), query.worst_rank())).unzip();
                assert_eq!(ranks, (whole(&result["best"]), whole(&result["worst"])));
            }
        }
    }
}
