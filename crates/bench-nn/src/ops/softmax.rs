//! Softmax over the last dimension, and its logarithm.
//!
//! What: `exp(x_i - max) / sum_j exp(x_j - max)`; the largest entry is subtracted so that nothing
//! overflows. The logarithm is computed directly, not from the softmax.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, table};
use crate::cpu::rows;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Result, Tape, Value, from_values, view};

/// Softmax of each row.
pub fn softmax(tape: &mut Tape, x: &Value) -> Result<Value> {
    apply(tape, x, false)
}

/// Logarithm of the softmax of each row.
pub fn log_softmax(tape: &mut Tape, x: &Value) -> Result<Value> {
    apply(tape, x, true)
}

fn apply(tape: &mut Tape, x: &Value, log: bool) -> Result<Value> {
    let output = forward(x.tensor(), log)?;
    let saved = output.clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(backward(&dy.contiguous()?, &saved, log)?)])))
}

fn forward(x: &Tensor, log: bool) -> Result<Tensor> {
    let (_, width) = table("softmax", x)?;
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::softmax(x, log),
        Device::Cpu => with_element!("softmax", x, T => {
            let kernel = if log { rows::log_softmax::<T> } else { rows::softmax::<T> };
            from_values(kernel(&view::<T>(x)?, width), x.shape().clone())
        }),
        other => no_kernel("softmax", other),
    }
}

fn backward(dy: &Tensor, y: &Tensor, log: bool) -> Result<Tensor> {
    let (_, width) = table("softmax", y)?;
    match y.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::softmax_backward(dy, y, log),
        Device::Cpu => with_element!("softmax", y, T => {
            let kernel = if log { rows::log_softmax_backward::<T> } else { rows::softmax_backward::<T> };
            from_values(kernel(&view::<T>(dy)?, &view::<T>(y)?, width), y.shape().clone())
        }),
        other => no_kernel("softmax", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("softmax") {
            case.check(|tape, x| softmax(tape, &x[0]));
        }
        for case in goldens("log_softmax") {
            case.check(|tape, x| log_softmax(tape, &x[0]));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for width in [1, 7, 16, 35] {
            let x = normal(1, &[3, width]).unwrap();
            assert_gradients(std::slice::from_ref(&x), |tape, x| softmax(tape, &x[0]));
            assert_gradients(&[x], |tape, x| log_softmax(tape, &x[0]));
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_and_empty_rows_are_refused() {
        let x = [singles(1, &[700, 60])];
        assert_same_bits(&x, |tape, x| softmax(tape, &x[0]));
        assert_same_bits(&x, |tape, x| log_softmax(tape, &x[0]));
        let mut tape = Tape::inference();
        let empty = tape.input(singles(1, &[4, 0]));
        assert!(softmax(&mut tape, &empty).is_err());
    }
}
