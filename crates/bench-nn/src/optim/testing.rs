//! PyTorch's optimiser steps, and a small set of parameters.

use bench_core::seed::Seed;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use crate::{Builder, Gradients, Init, ParamSet, Role};

/// Numbers of the two parameters.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Option<Vec<f64>>,
}

/// What clipping at a limit gives for the first gradients.
#[derive(Deserialize)]
pub(crate) struct Clip {
    pub(crate) limit: f64,
    pub(crate) norm: f64,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

/// `tests/goldens/nn_optim.json`.
#[derive(Deserialize)]
pub(crate) struct Golden {
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) weight_decay: f64,
    pub(crate) bias_lr_scale: f64,
    pub(crate) rates: Vec<f64>,
    pub(crate) gradients: Vec<Pair>,
    pub(crate) f64: Vec<Pair>,
    pub(crate) f32: Vec<Pair>,
    pub(crate) clip: Vec<Clip>,
}

pub(crate) fn golden() -> Golden {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/nn_optim.json"));
    serde_json::from_str(text).unwrap()
}

/// A matrix `weight (4, 5)`, a `bias (4)`, and a buffer between them.
pub(crate) fn params(dtype: DType) -> ParamSet {
    let builder = Builder::new(Seed(1), dtype, &Device::Cpu);
    builder.param("weight", (4, 5), Role::Weight, Init::Normal { std: 1.0 }).unwrap();
    builder.param("running_mean", 4, Role::Buffer, Init::Constant(0.5)).unwrap();
    builder.param("bias", 4, Role::Bias, Init::Normal { std: 1.0 }).unwrap();
    builder.finish()
}

pub(crate) fn tensor(values: &[f64], dtype: DType) -> Tensor {
    let tensor = Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
    if values.len() == 20 { tensor.reshape((4, 5)).unwrap() } else { tensor }
}

/// Gradients of the parameters of [`params`].
pub(crate) fn gradients(pair: &Pair, dtype: DType) -> Gradients {
    let mut gradients = Gradients::default();
    gradients.set(0, tensor(&pair.weight, dtype));
    if let Some(bias) = &pair.bias {
        gradients.set(2, tensor(bias, dtype));
    }
    gradients
}
