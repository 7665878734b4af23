//! Values and gradients against PyTorch (`tests/goldens/generators/models_losses.py`).

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    shape: (usize, usize, usize),
    temperature: f64,
    molecules: Vec<f64>,
    images: Vec<f64>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    value: f64,
    tau: f64,
    molecules: Gradient,
    images: Gradient,
}

#[derive(Deserialize)]
struct Gradient {
    largest: f64,
    millionths: Vec<f64>,
}

impl Gradient {
    fn values(&self) -> Vec<f64> {
        self.millionths.iter().map(|value| value * self.largest * 1e-6).collect()
    }
}

fn config(case: &str) -> LossConfig {
    let mut words = case.split(' ');
    let mut config = LossConfig::of(words.next().unwrap());
    match words.next() {
        Some("molecule-to-image") => config.direction = Direction::MoleculeToImage,
        Some("distinct") => config.pairs = Pairs::Distinct,
        Some("all") => config.pairs = Pairs::All,
        Some("raw") => config.regulariser = Some(Regulariser { normalise: false, ..Regulariser::default() }),
        Some("image-to-molecule" | "upper") | None => {}
        Some(other) => panic!("{other}"),
    }
    if config.loss == "regularised" {
        config.loss = "emm-code".to_owned();
        config.regulariser.get_or_insert_default();
    }
    config
}

fn close(name: &str, got: &Tensor, want: &[f64], tolerance: f64) {
    let got: Vec<f64> = got.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(got.len(), want.len(), "{name}");
    let scale = want.iter().fold(0f64, |top, w| top.max(w.abs()));
    for (got, want) in got.into_iter().zip(want) {
        assert!((got - want).abs() <= tolerance * scale, "{name}: {got} for {want}");
    }
}

fn agrees(json: &str) {
    let golden: Golden = serde_json::from_str(json).unwrap();
    let (n, _, d) = golden.shape;
    // Gradients are stored in millionths of their largest entry.
    for (dtype, tolerance) in [(DType::F32, 1e-4), (DType::F64, 1e-6)] {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let batch = Embeddings {
            molecules: tensor(&golden.molecules).reshape((n, d)).unwrap(),
            images: tensor(&golden.images).reshape(golden.shape).unwrap(),
            tau: tensor(&[golden.temperature]).squeeze(0).unwrap(),
        };
        for (name, case) in &golden.cases {
            let output = config(name).build().unwrap().evaluate(&batch).unwrap();
            close(name, &output.value, &[case.value], tolerance);
            close(name, &output.tau, &[case.tau], tolerance);
            close(name, &output.molecules, &case.molecules.values(), tolerance);
            close(name, &output.images, &case.images.values(), tolerance);
        }
    }
}

#[test]
fn single_view_losses_agree_with_pytorch() {
    agrees(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/models_losses_single.json")));
}

#[test]
fn multi_view_losses_agree_with_pytorch() {
    agrees(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/models_losses_multi.json")));
}
