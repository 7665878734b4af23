//! The plain step, the chunked step, and what both leave behind.

use bench_core::Seed;
use bench_models::{Model, ModelConfig};
use bench_nn::optim::{AdamW, AdamWOptions};
use bench_nn::{Precision, Statistics};
use bench_train::catalogue::GroupLevel;
use bench_train::chunked::chunked;
use bench_train::contrast::Setting;
use bench_train::loader::{Minibatch, Mode, load};
use bench_train::step::{Outcome, plain};
use bench_train::{Catalogue, Sampler, SamplerConfig};
use candle_core::DType;

use crate::data::{all, model, plates};

/// One minibatch of `compounds` with two views.
pub(crate) fn minibatch(catalogue: &Catalogue, source: &dyn bench_train::ImageSource, compounds: usize) -> Minibatch {
    let config = SamplerConfig { batch: compounds, views: 2, group: GroupLevel::Batch, ..SamplerConfig::default() };
    let sampler = Sampler::new(catalogue, &all(catalogue), &config, Seed(4)).unwrap();
    let plan = sampler.epoch(0).batches[0].clone();
    load(&sampler, source, &plan, 0..compounds, Mode::Training).unwrap()
}

pub(crate) fn setting<'a>(model: &'a Model, catalogue: &'a Catalogue, statistics: Statistics) -> Setting<'a> {
    Setting { model, catalogue, precision: Precision::F32, statistics }
}

/// A model without dropout and with a learnable temperature, whose running statistics are not
/// those it starts with. The molecule tower's weights are enlarged: they start so small that,
/// without batch statistics, all molecules would have nearly the same embedding.
pub(crate) fn undropped(method: &str, dtype: DType) -> Model {
    let mut config = ModelConfig::tiny(method);
    config.head.dropout = 0.0;
    config.temperature.learnable = true;
    if let bench_models::MoleculeEncoderConfig::Pna(pna) = &mut config.molecule {
        pna.dropout = 0.0;
    }
    let model = model(&config, dtype);
    for param in model.params.iter().filter(|param| param.name().contains(".linear.weight")) {
        let width = param.tensor().dims()[1] as f64;
        param.assign(&param.tensor().affine(width, 0.0).unwrap()).unwrap();
    }
    for (i, param) in model.params.iter().filter(|param| !param.trainable()).enumerate() {
        let mut stream = Seed(7).derive("statistics", i as u64).stream();
        let mean = param.name().ends_with("running_mean");
        let mut value = || if mean { 0.1 * stream.normal() } else { 0.5 + stream.uniform() };
        let values: Vec<f64> = (0..param.tensor().elem_count()).map(|_| value()).collect();
        let values = candle_core::Tensor::from_vec(values, param.tensor().shape().clone(), &candle_core::Device::Cpu);
        param.assign(&values.unwrap()).unwrap();
    }
    model
}

/// Greatest difference of two sets of gradients over the greatest gradient of each tensor.
pub(crate) fn difference(model: &Model, a: &Outcome, b: &Outcome) -> f64 {
    let numbers = |outcome: &Outcome, param| -> Vec<f64> {
        let gradient = outcome.gradients.param(param).unwrap_or_else(|| panic!("`{}` has no gradient", param.name()));
        gradient.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    let mut most = (a.loss_value().unwrap() - b.loss_value().unwrap()).abs();
    for param in model.params.trainable() {
        let (x, y) = (numbers(a, param), numbers(b, param));
        let scale = x.iter().fold(1e-30f64, |m, v| m.max(v.abs()));
        let worst = x.iter().zip(&y).fold(0f64, |m, (x, y)| m.max((x - y).abs() / scale));
        most = most.max(worst);
    }
    most
}

#[test]
fn a_chunked_step_has_the_gradients_of_the_plain_step() {
    let (catalogue, source) = plates(7, 3, 32, 0.5);
    let minibatch = minibatch(&catalogue, &source, 7);
    for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-5)] {
        for method in ["emm", "imm"] {
            let model = undropped(method, dtype);
            let setting = setting(&model, &catalogue, Statistics::Running);
            let whole = plain(&setting, &minibatch, Seed(1), None).unwrap();
            assert!(whole.gradients.param(model.temperature.log.as_ref().unwrap()).is_some());
            for chunk in [1, 3, 7] {
                let parts = chunked(&setting, &minibatch, chunk, Seed(1), None).unwrap();
                let difference = difference(&model, &whole, &parts);
                assert!(difference < tolerance, "{method} {dtype:?} in chunks of {chunk}: {difference}");
            }
        }
    }
}

#[test]
fn one_chunk_is_the_plain_step_bit_by_bit_with_batch_statistics_and_dropout() {
    let (catalogue, source) = plates(6, 3, 32, 0.5);
    let minibatch = minibatch(&catalogue, &source, 6);
    let config = crate::data::emm();
    let (a, b) = (model(&config, DType::F32), model(&config, DType::F32));
    let of = |model: &Model, in_chunks: bool| -> Vec<Vec<f32>> {
        let setting = setting(model, &catalogue, Statistics::Batch);
        let outcome = match in_chunks {
            false => plain(&setting, &minibatch, Seed(1), None).unwrap(),
            true => chunked(&setting, &minibatch, 6, Seed(1), None).unwrap(),
        };
        let flat = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Gradients, and running statistics, which must have moved once.
        let gradients = model.params.trainable().map(|param| flat(outcome.gradients.param(param).unwrap()));
        gradients.chain(model.params.iter().filter(|p| !p.trainable()).map(|p| flat(p.tensor()))).collect()
    };
    assert!(of(&a, false) == of(&b, true));
    assert!(of(&a, false) != of(&b, true).into_iter().rev().collect::<Vec<_>>(), "the comparison can fail");
}

#[test]
fn after_one_step_every_trainable_tensor_has_changed() {
    let (catalogue, source) = plates(6, 3, 32, 0.5);
    let minibatch = minibatch(&catalogue, &source, 6);
    for method in ["emm", "imm"] {
        let model = undropped(method, DType::F32);
        let numbers = || -> Vec<(String, Vec<f32>)> {
            let flat = |p: &bench_nn::Param| p.tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            model.params.trainable().map(|param| (param.name().to_owned(), flat(param))).collect()
        };
        let before = numbers();
        let outcome = plain(&setting(&model, &catalogue, Statistics::Batch), &minibatch, Seed(1), None).unwrap();
        // Without decay, which would change tensors that have no gradient of their own.
        let options = AdamWOptions { weight_decay: 0.0, ..AdamWOptions::default() };
        AdamW::new(&model.params, options).unwrap().step(&model.params, &outcome.gradients, 1e-3).unwrap();
        for ((name, before), (_, after)) in before.into_iter().zip(numbers()) {
            assert_ne!(before, after, "`{name}` has not changed");
        }
    }
}

/// With normalisation per chunk and dropout, against finite differences of the chunked loss.
#[test]
fn a_chunked_step_with_batch_statistics_and_dropout_has_the_gradients_of_finite_differences() {
    let (catalogue, source) = plates(6, 3, 32, 0.5);
    let minibatch = minibatch(&catalogue, &source, 6);
    let mut config = crate::data::emm();
    // Away from the bounds, where the slope has a jump.
    (config.temperature.learnable, config.temperature.start) = (true, 0.5);
    let model = model(&config, DType::F64);
    let setting = setting(&model, &catalogue, Statistics::BatchWithoutUpdate);
    let outcome = || chunked(&setting, &minibatch, 4, Seed(1), None).unwrap();
    let gradients = outcome().gradients;
    let step = 1e-5;
    for name in [
        "image.conv1.weight",
        "image.layer2.0.bn1.weight",
        "image_head.linear2.bias",
        "molecule.output.fully_connected.0.linear.weight",
        "molecule_head.linear1.weight",
        "log_temperature",
    ] {
        let param = model.params.get(name).unwrap_or_else(|| panic!("no `{name}`"));
        let gradient: Vec<f64> = gradients.param(param).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // The number with the steepest slope.
        let place = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
        let start = param.tensor().copy().unwrap();
        let loss = |by: f64| {
            let mut numbers: Vec<f64> = start.flatten_all().unwrap().to_vec1().unwrap();
            numbers[place] += by;
            let moved = candle_core::Tensor::from_vec(numbers, start.shape().clone(), &candle_core::Device::Cpu);
            param.assign(&moved.unwrap()).unwrap();
            outcome().loss_value().unwrap()
        };
        let slope = (loss(step) - loss(-step)) / (2.0 * step);
        param.assign(&start).unwrap();
        let error = (slope - gradient[place]).abs() / slope.abs();
        assert!(error < 1e-4, "`{name}`: {} for {slope}", gradient[place]);
    }
}

#[test]
fn running_statistics_move_once_per_chunk() {
    let (catalogue, source) = plates(6, 3, 32, 0.5);
    let whole = minibatch(&catalogue, &source, 6);
    let statistics = |model: &Model| -> Vec<Vec<f32>> {
        let buffers = model.params.iter().filter(|param| !param.trainable());
        buffers.map(|param| param.tensor().flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let (a, b) = (undropped("emm", DType::F32), undropped("emm", DType::F32));
    chunked(&setting(&a, &catalogue, Statistics::Batch), &whole, 3, Seed(1), None).unwrap();
    for range in [0..3, 3..6] {
        let part = crate::parallel::part(&whole, range);
        plain(&setting(&b, &catalogue, Statistics::Batch), &part, Seed(1), None).unwrap();
    }
    assert!(statistics(&a) == statistics(&b));
}
