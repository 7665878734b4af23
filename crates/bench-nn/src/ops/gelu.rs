//! Gaussian error linear unit: `y = x Phi(x)` with the exact distribution function.
//!
//! Reference: Hendrycks and Gimpel 2016; `torch.nn.GELU()` (not its tanh approximation).

use candle_core::{Device, Tensor};

use super::shape::no_kernel;
use crate::cpu::elementwise;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Result, Tape, Value, from_values, view};

/// `x Phi(x)`, with `Phi(x) = (1 + erf(x / sqrt 2)) / 2`.
pub fn gelu(tape: &mut Tape, x: &Value) -> Result<Value> {
    let output = forward(x.tensor())?;
    let saved = x.tensor().clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(backward(dy, &saved)?)])))
}

fn forward(x: &Tensor) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::gelu(x),
        Device::Cpu => with_element!("gelu", x, T => {
            from_values(elementwise::gelu(&view::<T>(x)?), x.shape().clone())
        }),
        other => no_kernel("gelu", other),
    }
}

fn backward(dy: &Tensor, x: &Tensor) -> Result<Tensor> {
    let dy = dy.contiguous()?;
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::gelu_backward(&dy, x),
        Device::Cpu => with_element!("gelu", x, T => {
            from_values(elementwise::gelu_backward(&view::<T>(&dy)?, &view::<T>(x)?), x.shape().clone())
        }),
        other => no_kernel("gelu", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_right() {
        for case in goldens("gelu") {
            case.check(|tape, x| gelu(tape, &x[0]));
        }
        assert_gradients(&[normal(1, &[6, 7]).unwrap()], |tape, x| gelu(tape, &x[0]));
        assert_same_bits(&[singles(1, &[20_000])], |tape, x| gelu(tape, &x[0]));
    }

    #[test]
    fn whole_numbers_are_refused() {
        let mut tape = Tape::inference();
        let x = tape.input(Tensor::zeros(3, candle_core::DType::U32, &Device::Cpu).unwrap());
        assert!(gelu(&mut tape, &x).is_err());
    }
}
