//! Rows times constants, and rows of length one.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, table};
use crate::cpu::rows as kernel;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Result, Tape, Value, from_values, view};

/// Least length that [`normalize_rows`] divides by, as `torch.nn.functional.normalize`.
pub const LEAST_LENGTH: f64 = 1e-12;

/// Row `r` of `x` (all dimensions but the last, flattened) times `factors[r]`, which are constants
/// of the type of `x` and shape `(rows)`.
pub fn scale_rows(tape: &mut Tape, x: &Value, factors: &Tensor) -> Result<Value> {
    let output = scale(x.tensor(), factors)?;
    let factors = factors.clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(scale(&dy.contiguous()?, &factors)?)])))
}

/// Each row divided by its length, or by 1e-12 if it is shorter.
pub fn normalize_rows(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (output, lengths) = normalize_forward(x.tensor())?;
    let saved = output.clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(normalize_backward(&dy.contiguous()?, &saved, &lengths)?)])))
}

fn scale(x: &Tensor, factors: &Tensor) -> Result<Tensor> {
    let (rows, width) = table("scale_rows", x)?;
    if factors.dims() != [rows] {
        return Err(Error::shape("scale_rows", format!("{rows} factors"), factors.dims()));
    }
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::scale_rows(x, factors),
        Device::Cpu => with_element!("scale_rows", x, T => {
            from_values(kernel::scale_rows(&view::<T>(x)?, width, &view::<T>(factors)?), x.shape().clone())
        }),
        other => no_kernel("scale_rows", other),
    }
}

/// The unit rows, and the lengths `(rows)`.
fn normalize_forward(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, width) = table("normalize_rows", x)?;
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::normalize(x, LEAST_LENGTH),
        Device::Cpu => with_element!("normalize_rows", x, T => {
            let (y, lengths) = kernel::normalize(&view::<T>(x)?, width, LEAST_LENGTH);
            Ok((from_values(y, x.shape().clone())?, from_values(lengths, rows)?))
        }),
        other => no_kernel("normalize_rows", other),
    }
}

fn normalize_backward(dy: &Tensor, y: &Tensor, lengths: &Tensor) -> Result<Tensor> {
    let (_, width) = table("normalize_rows", y)?;
    match y.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::normalize_backward(dy, y, LEAST_LENGTH, lengths),
        Device::Cpu => with_element!("normalize_rows", y, T => {
            let (dy, output, lengths) = (view::<T>(dy)?, view::<T>(y)?, view::<T>(lengths)?);
            from_values(kernel::normalize_backward(&dy, &output, width, LEAST_LENGTH, &lengths), y.shape().clone())
        }),
        other => no_kernel("normalize_rows", other),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::super::testing::{assert_same_bits, doubles, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_right() {
        for case in goldens("scale_rows") {
            let factors: Vec<f64> = serde_json::from_value(case.options["factors"].clone()).unwrap();
            case.check(|tape, x| {
                let factors = Tensor::new(factors.as_slice(), &Device::Cpu)?.to_dtype(x[0].tensor().dtype())?;
                scale_rows(tape, &x[0], &factors)
            });
        }
        let x = normal(1, &[4, 18]).unwrap();
        let factors = normal(2, &[4]).unwrap();
        assert_gradients(std::slice::from_ref(&x), |tape, x| scale_rows(tape, &x[0], &factors));
        assert_gradients(&[x], |tape, x| normalize_rows(tape, &x[0]));
    }

    #[test]
    fn a_row_of_zeros_stays_and_its_gradient_is_that_of_a_constant_divisor() {
        for case in goldens("normalize_rows") {
            let mut tape = Tape::training(bench_core::seed::Seed(1));
            let x = tape.input(case.inputs[0].tensor(DType::F64));
            let y = normalize_rows(&mut tape, &x).unwrap();
            let gradients = case.finish(tape, &y, DType::F64);
            case.gradient(0, gradients.of(&x).unwrap());
            // In single precision the other rows are compared alone: a gradient of 1e12 would hide them.
            let mut tape = Tape::training(bench_core::seed::Seed(1));
            let short = tape.input(case.inputs[0].tensor(DType::F32).narrow(0, 0, 3).unwrap());
            let unit = normalize_rows(&mut tape, &short).unwrap();
            for (got, expected) in doubles(unit.tensor()).iter().zip(doubles(y.tensor())) {
                assert!((got - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_and_wrong_shapes_are_refused() {
        let x = [singles(1, &[900, 50])];
        let factors = singles(2, &[900]);
        assert_same_bits(&x, |tape, x| scale_rows(tape, &x[0], &factors));
        assert_same_bits(&x, |tape, x| normalize_rows(tape, &x[0]));
        let mut tape = Tape::inference();
        let x = tape.input(singles(1, &[4, 3]));
        assert!(scale_rows(&mut tape, &x, &singles(1, &[3])).is_err());
        let empty = tape.input(singles(1, &[4, 0]));
        assert!(normalize_rows(&mut tape, &empty).is_err());
    }
}
