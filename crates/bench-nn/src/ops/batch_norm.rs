//! Batch normalisation over the last dimension, with an optional residual sum and ReLU.
//!
//! What: `y = [relu](gamma (x - mean) / sqrt(var + eps) + beta [+ residual])` per channel. In
//! training `mean` and the biased `var` are those of all rows of the batch, and the running ones
//! move to `(1 - momentum) running + momentum new`, with the unbiased variance. In evaluation they
//! are the running ones.
//! Why one operation: it is bound by memory; the ReLU, its mask and the sum ride along.
//! Reference: Ioffe and Szegedy 2015; `torch.nn.BatchNorm1d/2d`.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, same, table};
use crate::cpu::batch_norm::{self as kernel, Mask};
use crate::cpu::update;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Builder, Element, Error, Init, Param, Result, Role, Statistics, Tape, Value, from_values, view};

/// Parameters of a batch normalisation, each of shape `(channels)`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Scale, starts at one; `weight`.
    pub gamma: Param,
    /// Shift, starts at zero; `bias`.
    pub beta: Param,
    /// Running mean, starts at zero; `running_mean`.
    pub running_mean: Param,
    /// Running unbiased variance, starts at one; `running_var`.
    pub running_var: Param,
    /// Share of the new statistics in the running ones; PyTorch's default is 0.1.
    pub momentum: f64,
    /// Added to the variance; 1e-5.
    pub eps: f64,
}

impl BatchNorm {
    /// A normalisation of `channels` with PyTorch's names, starting values and `eps` of 1e-5.
    pub fn new(builder: &Builder, channels: usize, momentum: f64) -> Result<BatchNorm> {
        let make = |name: &str, role, start| builder.param(name, channels, role, Init::Constant(start));
        Ok(BatchNorm {
            gamma: make("weight", Role::Norm, 1.0)?,
            beta: make("bias", Role::Norm, 0.0)?,
            running_mean: make("running_mean", Role::Buffer, 0.0)?,
            running_var: make("running_var", Role::Buffer, 1.0)?,
            momentum,
            eps: 1e-5,
        })
    }
}

/// Normalises `x` over its last dimension, adds `residual` of the same shape if given, and applies
/// a ReLU if asked. The statistics are those that the tape names ([`Tape::statistics`]); those of
/// a batch need at least two rows.
pub fn batch_norm(
    tape: &mut Tape,
    x: &Value,
    layer: &BatchNorm,
    residual: Option<&Value>,
    relu: bool,
) -> Result<Value> {
    let (gamma, beta) = (tape.param(&layer.gamma), tape.param(&layer.beta));
    let forward = forward(x.tensor(), layer, residual.map(Value::tensor), tape.statistics(), relu)?;
    let saved = Saved {
        x: x.tensor().clone(),
        // Without a residual the mask is found again from `x`.
        y: (relu && residual.is_some()).then(|| forward.y.clone()),
        gamma: gamma.tensor().clone(),
        beta: beta.tensor().clone(),
        mean: forward.mean,
        inverse: forward.inverse,
        relu,
        of_batch: tape.statistics() != Statistics::Running,
        residual: residual.is_some_and(Value::requires_grad),
    };
    let mut inputs = vec![x, &gamma, &beta];
    inputs.extend(residual);
    Ok(tape.record(&inputs, forward.y, move |dy| {
        let parts = backward(&dy.contiguous()?, &saved)?;
        Ok(vec![Some(parts.x), Some(parts.gamma), Some(parts.beta), parts.residual])
    }))
}

/// What a forward pass leaves: the output, and the statistics it used, of shape `(channels)`.
struct Forward {
    y: Tensor,
    mean: Tensor,
    /// `1 / sqrt(var + eps)`.
    inverse: Tensor,
}

struct Saved {
    x: Tensor,
    y: Option<Tensor>,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    inverse: Tensor,
    relu: bool,
    of_batch: bool,
    /// Whether the residual's gradient is wanted.
    residual: bool,
}

struct Parts {
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    residual: Option<Tensor>,
}

fn forward(
    x: &Tensor,
    layer: &BatchNorm,
    residual: Option<&Tensor>,
    statistics: Statistics,
    relu: bool,
) -> Result<Forward> {
    let (rows, channels) = table("batch_norm", x)?;
    if layer.gamma.tensor().dims() != [channels] {
        return Err(Error::shape("batch_norm", format!("{:?} channels", layer.gamma.tensor().dims()), x.dims()));
    }
    if let Some(residual) = residual {
        same("batch_norm", x, residual)?;
    }
    if statistics != Statistics::Running && rows < 2 {
        return Err(Error::shape("batch_norm", "more than one row per channel in training", x.dims()));
    }
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda_forward(x, layer, residual, statistics, relu),
        Device::Cpu => with_element!("batch_norm", x, T => cpu_forward::<T>(x, layer, residual, statistics, relu)),
        other => no_kernel("batch_norm", other),
    }
}

fn backward(dy: &Tensor, saved: &Saved) -> Result<Parts> {
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda_backward(dy, saved),
        Device::Cpu => with_element!("batch_norm", dy, T => cpu_backward::<T>(dy, saved)),
        other => no_kernel("batch_norm", other),
    }
}

fn cpu_forward<T: Element>(
    x: &Tensor,
    layer: &BatchNorm,
    residual: Option<&Tensor>,
    statistics: Statistics,
    relu: bool,
) -> Result<Forward> {
    let (rows, channels) = table("batch_norm", x)?;
    let input = view::<T>(x)?;
    let (mean, variance) = match statistics {
        Statistics::Running => (doubles::<T>(layer.running_mean.tensor())?, doubles::<T>(layer.running_var.tensor())?),
        Statistics::Batch | Statistics::BatchWithoutUpdate => kernel::moments(&input, channels),
    };
    if statistics == Statistics::Batch {
        let unbiased = rows as f64 / (rows as f64 - 1.0);
        follow::<T>(&layer.running_mean, layer.momentum, &mean, 1.0)?;
        follow::<T>(&layer.running_var, layer.momentum, &variance, unbiased)?;
    }
    let inverse: Vec<T> = variance.iter().map(|v| T::of_f64(1.0 / (v + layer.eps).sqrt())).collect();
    let mean: Vec<T> = mean.into_iter().map(T::of_f64).collect();
    let (gamma, beta) = (view::<T>(layer.gamma.tensor())?, view::<T>(layer.beta.tensor())?);
    let (scale, shift) = affine::<T>(&gamma, &beta, &mean, &inverse);
    let residual = residual.map(view::<T>).transpose()?;
    let y = kernel::forward(&input, &scale, &shift, residual.as_deref(), relu);
    Ok(Forward {
        y: from_values(y, x.shape().clone())?,
        mean: from_values(mean, channels)?,
        inverse: from_values(inverse, channels)?,
    })
}

fn cpu_backward<T: Element>(dy: &Tensor, saved: &Saved) -> Result<Parts> {
    let (rows, channels) = table("batch_norm", dy)?;
    let (x, gradient) = (view::<T>(&saved.x)?, view::<T>(dy)?);
    let (gamma, beta) = (view::<T>(&saved.gamma)?, view::<T>(&saved.beta)?);
    let (mean, inverse) = (view::<T>(&saved.mean)?, view::<T>(&saved.inverse)?);
    let (scale, shift) = affine::<T>(&gamma, &beta, &mean, &inverse);
    let output = saved.y.as_ref().map(view::<T>).transpose()?;
    let mask = match &output {
        Some(y) => Mask::Output(y),
        None if saved.relu => Mask::Affine { scale: &scale, shift: &shift },
        None => Mask::None,
    };
    let (sum, centred) = kernel::sums(&x, &gradient, &mean, mask);

    // dx = a dy + b (x - mean) + c; statistics that do not depend on x leave a dy.
    let mut coefficients = [vec![T::ZERO; channels], vec![T::ZERO; channels], vec![T::ZERO; channels]];
    for i in 0..channels {
        let (inverse, rows) = (inverse[i].as_f64(), rows as f64);
        let a = gamma[i].as_f64() * inverse;
        coefficients[0][i] = T::of_f64(a);
        if saved.of_batch {
            coefficients[1][i] = T::of_f64(-a * inverse * inverse * centred[i] / rows);
            coefficients[2][i] = T::of_f64(-a * sum[i] / rows);
        }
    }
    let for_gamma: Vec<T> = (0..channels).map(|i| T::of_f64(centred[i] * inverse[i].as_f64())).collect();
    let for_beta: Vec<T> = sum.into_iter().map(T::of_f64).collect();
    let [a, b, c] = &coefficients;
    // Without a ReLU the residual's gradient is the output's.
    let keep = saved.residual && saved.relu;
    let (dx, kept) = kernel::backward(&x, &gradient, &mean, [a, b, c], mask, keep);
    let residual = match kept {
        Some(kept) => Some(from_values(kept, dy.shape().clone())?),
        None => saved.residual.then(|| dy.clone()),
    };
    Ok(Parts {
        x: from_values(dx, dy.shape().clone())?,
        gamma: from_values(for_gamma, channels)?,
        beta: from_values(for_beta, channels)?,
        residual,
    })
}

#[cfg(feature = "cuda")]
fn cuda_forward(
    x: &Tensor,
    layer: &BatchNorm,
    residual: Option<&Tensor>,
    statistics: Statistics,
    relu: bool,
) -> Result<Forward> {
    let (running_mean, running_var) = (layer.running_mean.tensor(), layer.running_var.tensor());
    let (mean, inverse) = match statistics {
        Statistics::Running => cuda::running_statistics(running_mean, running_var, layer.eps)?,
        Statistics::BatchWithoutUpdate => cuda::batch_norm_statistics(x, None, layer.eps)?,
        Statistics::Batch => {
            cuda::batch_norm_statistics(x, Some((running_mean, running_var, layer.momentum)), layer.eps)?
        }
    };
    let (gamma, beta) = (layer.gamma.tensor(), layer.beta.tensor());
    let affine = cuda::Affine { mean: &mean, inverse: &inverse, gamma, beta };
    Ok(Forward { y: cuda::batch_norm_forward(x, affine, residual, relu)?, mean, inverse })
}

#[cfg(feature = "cuda")]
fn cuda_backward(dy: &Tensor, saved: &Saved) -> Result<Parts> {
    let Saved { x, y, gamma, beta, mean, inverse, relu, of_batch, residual } = saved;
    let affine = cuda::Affine { mean, inverse, gamma, beta };
    // Without a ReLU the residual's gradient is the output's.
    let keep = *residual && *relu;
    let parts = cuda::batch_norm_backward(x, dy, y.as_ref(), affine, *relu, *of_batch, keep)?;
    let residual = if keep { parts.kept } else { residual.then(|| dy.clone()) };
    Ok(Parts { x: parts.x, gamma: parts.gamma, beta: parts.beta, residual })
}

/// `y = x scale + shift`. Forward and backward must agree to the bit about where `y > 0`.
fn affine<T: Element>(gamma: &[T], beta: &[T], mean: &[T], inverse: &[T]) -> (Vec<T>, Vec<T>) {
    let scale: Vec<T> = gamma.iter().zip(inverse).map(|(&gamma, &inverse)| gamma * inverse).collect();
    let shift = beta.iter().zip(mean).zip(&scale).map(|((&beta, &mean), &scale)| beta - mean * scale).collect();
    (scale, shift)
}

fn doubles<T: Element>(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(view::<T>(tensor)?.iter().map(|value| value.as_f64()).collect())
}

/// Moves a running statistic towards `factor` times the new one.
fn follow<T: Element>(running: &Param, momentum: f64, new: &[f64], factor: f64) -> Result<()> {
    update::<T, ()>(running.tensor(), |running| {
        for (running, new) in running.iter_mut().zip(new) {
            *running = T::of_f64((1.0 - momentum) * running.as_f64() + momentum * (new * factor));
        }
    })
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;
    use candle_core::DType;

    use super::super::testing::{assert_same_numbers, doubles, goldens, singles};
    use super::*;
    use crate::check::{assert_parameters, gradients_on, normal};
    use crate::{ParamSet, Tape};

    fn layer(dtype: DType, channels: usize) -> (BatchNorm, ParamSet) {
        let builder = Builder::new(Seed(1), dtype, &Device::Cpu);
        (BatchNorm::new(&builder, channels, 0.1).unwrap(), builder.finish())
    }

    /// A layer whose scale, shift and running statistics are not the starting ones.
    fn moved(dtype: DType, channels: usize) -> (BatchNorm, ParamSet) {
        let (layer, params) = layer(dtype, channels);
        layer.gamma.assign(&normal(11, &[channels]).unwrap()).unwrap();
        layer.beta.assign(&normal(12, &[channels]).unwrap()).unwrap();
        layer.running_mean.assign(&normal(13, &[channels]).unwrap()).unwrap();
        layer.running_var.assign(&normal(14, &[channels]).unwrap().sqr().unwrap()).unwrap();
        (layer, params)
    }

    fn mode(training: bool) -> Tape {
        let statistics = if training { Statistics::Batch } else { Statistics::Running };
        Tape::training(Seed(1)).with_statistics(statistics)
    }

    #[test]
    fn values_gradients_and_running_statistics_are_those_of_pytorch() {
        for case in goldens("batch_norm") {
            for dtype in [DType::F64, DType::F32] {
                let (layer, _) = layer(dtype, 3);
                layer.gamma.assign(&case.inputs[1].tensor(dtype)).unwrap();
                layer.beta.assign(&case.inputs[2].tensor(dtype)).unwrap();
                layer.running_mean.assign(&Tensor::new(&[0.5, -0.25, 1.0], &Device::Cpu).unwrap()).unwrap();
                layer.running_var.assign(&Tensor::new(&[1.5, 0.75, 2.0], &Device::Cpu).unwrap()).unwrap();
                let mut tape = mode(case.switch("training"));
                let x = tape.input(case.inputs[0].tensor(dtype));
                let residual = case.switch("residual").then(|| tape.input(case.inputs[3].tensor(dtype)));
                let y = batch_norm(&mut tape, &x, &layer, residual.as_ref(), case.switch("relu")).unwrap();
                let gradients = case.finish(tape, &y, dtype);
                case.gradient(0, gradients.of(&x).unwrap());
                case.gradient(1, gradients.param(&layer.gamma).unwrap());
                case.gradient(2, gradients.param(&layer.beta).unwrap());
                if let Some(residual) = residual {
                    case.gradient(3, gradients.of(&residual).unwrap());
                }
                case.extra("running_mean", layer.running_mean.tensor());
                case.extra("running_var", layer.running_var.tensor());
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (x, residual) = (normal(1, &[3, 2, 2, 5]).unwrap(), normal(2, &[3, 2, 2, 5]).unwrap());
        for training in [true, false] {
            for relu in [true, false] {
                let (layer, params) = moved(DType::F64, 5);
                let inputs = [x.clone(), residual.clone()];
                let worst = gradients_on(
                    || mode(training),
                    &inputs,
                    |tape, x| batch_norm(tape, &x[0], &layer, Some(&x[1]), relu),
                );
                assert!(worst.unwrap() < 1e-6);
                let worst = gradients_on(
                    || mode(training),
                    &inputs[..1],
                    |tape, x| batch_norm(tape, &x[0], &layer, None, relu),
                );
                assert!(worst.unwrap() < 1e-6);
                assert_parameters(&params, |tape| {
                    let x = tape.constant(x.clone());
                    batch_norm(tape, &x, &layer, None, relu)
                });
            }
        }
    }

    #[test]
    fn only_training_moves_the_running_statistics() {
        for statistics in [Statistics::BatchWithoutUpdate, Statistics::Running] {
            let (layer, _) = layer(DType::F32, 4);
            let mut tape = Tape::training(Seed(1)).with_statistics(statistics);
            let x = tape.input(singles(1, &[6, 4]));
            batch_norm(&mut tape, &x, &layer, None, false).unwrap();
            assert_eq!(doubles(layer.running_mean.tensor()), [0.0; 4]);
            assert_eq!(doubles(layer.running_var.tensor()), [1.0; 4]);
        }
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_precision() {
        // Single precision holds 4096 with steps of 2^-11; the spread of one is kept to 1e-3.
        let (layer, _) = layer(DType::F32, 3);
        let mut tape = Tape::training(Seed(1));
        let shifted = singles(1, &[9000, 3]).affine(1.0, 4096.0).unwrap();
        let x = tape.input(shifted.clone());
        batch_norm(&mut tape, &x, &layer, None, false).unwrap();
        for channel in 0..3 {
            let values: Vec<f64> = doubles(&shifted).into_iter().skip(channel).step_by(3).collect();
            let mean = values.iter().sum::<f64>() / 9000.0;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 8999.0;
            let got = (doubles(layer.running_var.tensor())[channel] - 0.9) / 0.1;
            assert!((got - variance).abs() < 1e-4 * variance, "{got} {variance}");
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let (x, residual) = (singles(1, &[9, 20, 20, 24]), singles(2, &[9, 20, 20, 24]));
        assert_same_numbers(|| {
            let (layer, _) = moved(DType::F32, 24);
            let mut tape = mode(true);
            let (x, residual) = (tape.input(x.clone()), tape.input(residual.clone()));
            let y = batch_norm(&mut tape, &x, &layer, Some(&residual), true).unwrap();
            let gradients = tape.backward(&[(&y, singles(3, y.dims()))]).unwrap();
            let mut tensors = vec![y.tensor().clone()];
            tensors.extend([&x, &residual].map(|value| gradients.of(value).unwrap().clone()));
            tensors.extend([&layer.gamma, &layer.beta].map(|param| gradients.param(param).unwrap().clone()));
            tensors.extend([&layer.running_mean, &layer.running_var].map(|param| param.tensor().clone()));
            tensors
        });
    }

    #[test]
    fn one_row_and_wrong_shapes_are_refused() {
        let (layer, _) = layer(DType::F32, 4);
        let mut tape = Tape::training(Seed(1));
        let one = tape.input(singles(1, &[1, 1, 1, 4]));
        let error = batch_norm(&mut tape, &one, &layer, None, false).unwrap_err().to_string();
        assert!(error.contains("more than one row per channel in training"), "{error}");
        assert!(batch_norm(&mut Tape::inference(), &one, &layer, None, false).is_ok());
        let wide = tape.input(singles(1, &[6, 5]));
        assert!(batch_norm(&mut tape, &wide, &layer, None, false).is_err());
        let (x, residual) = (tape.input(singles(1, &[6, 4])), tape.input(singles(1, &[5, 4])));
        assert!(batch_norm(&mut tape, &x, &layer, Some(&residual), false).is_err());
    }
}
