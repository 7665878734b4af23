//! Layer normalisation over the last dimension.
//!
//! What: `y = gamma (x - mean) / sqrt(var + eps) + beta` with the mean and biased variance of each
//! row, the variance taken about the mean in a second pass.
//! Reference: Ba, Kiros, Hinton 2016; `torch.nn.LayerNorm`.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, table};
use crate::cpu::rows as kernel;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Builder, Error, Init, Param, Result, Role, Tape, Value, from_values, view};

/// Parameters of a layer normalisation, of shape `(width)`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// Scale, starts at one; `weight`.
    pub gamma: Param,
    /// Shift, starts at zero; `bias`.
    pub beta: Param,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f64,
}

impl LayerNorm {
    /// A normalisation of rows of `width` numbers with PyTorch's names and starting values.
    pub fn new(builder: &Builder, width: usize, eps: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            gamma: builder.param("weight", width, Role::Norm, Init::Constant(1.0))?,
            beta: builder.param("bias", width, Role::Norm, Init::Constant(0.0))?,
            eps,
        })
    }
}

/// Normalises each row of `x` (its last dimension).
pub fn layer_norm(tape: &mut Tape, x: &Value, layer: &LayerNorm) -> Result<Value> {
    let (gamma, beta) = (tape.param(&layer.gamma), tape.param(&layer.beta));
    let (output, stats) = forward(x.tensor(), gamma.tensor(), beta.tensor(), layer.eps)?;
    let (input, scale) = (x.tensor().clone(), gamma.tensor().clone());
    Ok(tape.record(&[x, &gamma, &beta], output, move |dy| {
        let [x, gamma, beta] = backward(&dy.contiguous()?, &input, &scale, &stats)?;
        Ok(vec![Some(x), Some(gamma), Some(beta)])
    }))
}

/// The output, and `(mean, 1 / sqrt(var + eps))` of each row, `(rows, 2)`.
fn forward(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let (rows, width) = table("layer_norm", x)?;
    if gamma.dims() != [width] || beta.dims() != [width] {
        return Err(Error::shape("layer_norm", format!("rows of {:?}", gamma.dims()), x.dims()));
    }
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::layer_norm(x, gamma, beta, eps),
        Device::Cpu => with_element!("layer_norm", x, T => {
            let (gamma, beta) = (view::<T>(gamma)?, view::<T>(beta)?);
            let (y, stats) = kernel::layer_norm(&view::<T>(x)?, &gamma, &beta, eps);
            Ok((from_values(y, x.shape().clone())?, from_values(stats.into_flattened(), (rows, 2))?))
        }),
        other => no_kernel("layer_norm", other),
    }
}

/// Gradients of `x`, `gamma` and `beta`.
fn backward(dy: &Tensor, x: &Tensor, gamma: &Tensor, stats: &Tensor) -> Result<[Tensor; 3]> {
    let (_, width) = table("layer_norm", x)?;
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::layer_norm_backward(x, dy, gamma, stats),
        Device::Cpu => with_element!("layer_norm", x, T => {
            let (input, dy, gamma, stats) = (view::<T>(x)?, view::<T>(dy)?, view::<T>(gamma)?, view::<T>(stats)?);
            let (dx, for_gamma, for_beta) = kernel::layer_norm_backward(&input, &dy, &gamma, stats.as_chunks::<2>().0);
            Ok([from_values(dx, x.shape().clone())?, from_values(for_gamma, width)?, from_values(for_beta, width)?])
        }),
        other => no_kernel("layer_norm", other),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;
    use candle_core::DType;

    use super::super::testing::{assert_same_numbers, goldens, singles};
    use super::*;
    use crate::ParamSet;
    use crate::check::{assert_gradients, assert_parameters, normal};

    fn layer(dtype: DType, width: usize) -> (LayerNorm, ParamSet) {
        let builder = Builder::new(Seed(1), dtype, &Device::Cpu);
        let layer = LayerNorm::new(&builder, width, 1e-5).unwrap();
        layer.gamma.assign(&normal(4, &[width]).unwrap()).unwrap();
        layer.beta.assign(&normal(5, &[width]).unwrap()).unwrap();
        (layer, builder.finish())
    }

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("layer_norm") {
            for dtype in [DType::F64, DType::F32] {
                let gamma = case.inputs[1].tensor(dtype);
                let (layer, _) = layer(dtype, gamma.dims()[0]);
                layer.gamma.assign(&gamma).unwrap();
                layer.beta.assign(&case.inputs[2].tensor(dtype)).unwrap();
                let mut tape = Tape::training(Seed(1));
                let x = tape.input(case.inputs[0].tensor(dtype));
                let y = layer_norm(&mut tape, &x, &layer).unwrap();
                let gradients = case.finish(tape, &y, dtype);
                case.gradient(0, gradients.of(&x).unwrap());
                case.gradient(1, gradients.param(&layer.gamma).unwrap());
                case.gradient(2, gradients.param(&layer.beta).unwrap());
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for width in [2, 16, 21] {
            let (layer, params) = layer(DType::F64, width);
            let x = normal(1, &[2, 3, width]).unwrap();
            assert_gradients(std::slice::from_ref(&x), |tape, x| layer_norm(tape, &x[0], &layer));
            assert_parameters(&params, |tape| {
                let x = tape.constant(x.clone());
                layer_norm(tape, &x, &layer)
            });
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let x = singles(1, &[2000, 48]);
        let (layer, _) = layer(DType::F32, 48);
        assert_same_numbers(|| {
            let mut tape = Tape::training(Seed(1));
            let x = tape.input(x.clone());
            let y = layer_norm(&mut tape, &x, &layer).unwrap();
            let gradients = tape.backward(&[(&y, singles(3, y.dims()))]).unwrap();
            let params = [&layer.gamma, &layer.beta].map(|param| gradients.param(param).unwrap().clone());
            [&[y.tensor().clone(), gradients.of(&x).unwrap().clone()], &params[..]].concat()
        });
    }

    #[test]
    fn wrong_widths_are_refused() {
        let (layer, _) = layer(DType::F32, 4);
        let mut tape = Tape::inference();
        let x = tape.input(singles(1, &[4, 5]));
        assert!(layer_norm(&mut tape, &x, &layer).is_err());
    }
}
