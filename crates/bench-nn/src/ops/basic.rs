//! Sums, ReLU and change of type.

use candle_core::{DType, Device, Tensor};

use super::shape::{no_kernel, same};
use crate::cpu::elementwise;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Result, Tape, Value, from_values, view};

/// `a + b` of one shape, outside any tape.
pub fn sum_of(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same("add", a, b)?;
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    match a.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::add(&a, &b),
        Device::Cpu => with_element!("add", a, T => {
            from_values(elementwise::add(&view::<T>(&a)?, &view::<T>(&b)?), a.shape().clone())
        }),
        other => no_kernel("add", other),
    }
}

/// `x` in another floating-point type; the gradient comes back in the type of `x`.
pub fn cast(tape: &mut Tape, x: &Value, dtype: DType) -> Result<Value> {
    let from = x.tensor().dtype();
    let output = convert(x.tensor(), dtype)?;
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(convert(&dy.contiguous()?, from)?)])))
}

fn convert(x: &Tensor, dtype: DType) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::cast(x, dtype),
        _ => Ok(x.to_dtype(dtype)?),
    }
}

/// `a + b` of one shape.
pub fn add(tape: &mut Tape, a: &Value, b: &Value) -> Result<Value> {
    let output = sum_of(a.tensor(), b.tensor())?;
    Ok(tape.record(&[a, b], output, |dy| Ok(vec![Some(dy.clone()), Some(dy.clone())])))
}

/// `relu(a + b)` of one shape, in one pass.
pub fn add_relu(tape: &mut Tape, a: &Value, b: &Value) -> Result<Value> {
    let output = add_relu_forward(a.tensor(), b.tensor())?;
    let saved = output.clone();
    Ok(tape.record(&[a, b], output, move |dy| {
        let dx = relu_backward(dy, &saved)?;
        Ok(vec![Some(dx.clone()), Some(dx)])
    }))
}

/// `max(x, 0)`. Its slope at zero is zero, as in PyTorch.
pub fn relu(tape: &mut Tape, x: &Value) -> Result<Value> {
    let output = relu_forward(x.tensor())?;
    let saved = output.clone();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(relu_backward(dy, &saved)?)])))
}

fn add_relu_forward(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same("add_relu", a, b)?;
    match a.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::add_relu(a, b),
        Device::Cpu => with_element!("add_relu", a, T => {
            from_values(elementwise::add_relu(&view::<T>(a)?, &view::<T>(b)?), a.shape().clone())
        }),
        other => no_kernel("add_relu", other),
    }
}

fn relu_forward(x: &Tensor) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::relu(x),
        Device::Cpu => with_element!("relu", x, T => {
            from_values(elementwise::relu(&view::<T>(x)?), x.shape().clone())
        }),
        other => no_kernel("relu", other),
    }
}

/// `dy` where the output `y` is positive.
fn relu_backward(dy: &Tensor, y: &Tensor) -> Result<Tensor> {
    let dy = dy.contiguous()?;
    match y.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::relu_backward(&dy, y),
        Device::Cpu => with_element!("relu", y, T => {
            from_values(elementwise::relu_backward(&view::<T>(&dy)?, &view::<T>(y)?), y.shape().clone())
        }),
        other => no_kernel("relu", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, away_from_zero, normal};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("relu") {
            case.check(|tape, x| relu(tape, &x[0]));
        }
        for case in goldens("add") {
            case.check(|tape, x| add(tape, &x[0], &x[1]));
        }
        for case in goldens("add_relu") {
            case.check(|tape, x| add_relu(tape, &x[0], &x[1]));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (a, b) = (away_from_zero(1, &[7, 9]).unwrap(), normal(2, &[7, 9]).unwrap());
        assert_gradients(std::slice::from_ref(&a), |tape, x| relu(tape, &x[0]));
        assert_gradients(&[a.clone(), b.clone()], |tape, x| add(tape, &x[0], &x[1]));
        assert_gradients(&[a, b], |tape, x| add_relu(tape, &x[0], &x[1]));
    }

    #[test]
    fn a_value_used_twice_gets_both_gradients() {
        let x = away_from_zero(3, &[5]).unwrap();
        assert_gradients(&[x], |tape, x| {
            let once = relu(tape, &x[0])?;
            add(tape, &once, &x[0])
        });
    }

    #[test]
    fn not_a_number_passes_through_and_long_inputs_do_not_depend_on_threads() {
        let mut tape = Tape::inference();
        let x = tape.input(from_values(vec![f32::NAN, -1.0, -0.0, 2.0], 4).unwrap());
        let y = relu(&mut tape, &x).unwrap();
        let y = view::<f32>(y.tensor()).unwrap();
        assert!(y[0].is_nan());
        assert_eq!(&y[1..], &[0.0, 0.0, 2.0]);
        let inputs = [singles(1, &[50_001]), singles(2, &[50_001])];
        assert_same_bits(&inputs, |tape, x| add_relu(tape, &x[0], &x[1]));
        assert_same_bits(&inputs[..1], |tape, x| relu(tape, &x[0]));
    }

    #[test]
    fn shapes_and_types_that_differ_are_refused() {
        let mut tape = Tape::inference();
        let a = tape.input(singles(1, &[2, 3]));
        let b = tape.input(singles(1, &[3, 2]));
        let c = tape.input(normal(1, &[2, 3]).unwrap());
        assert!(add(&mut tape, &a, &b).is_err());
        assert!(add_relu(&mut tape, &a, &b).is_err());
        assert!(add(&mut tape, &a, &c).is_err());
    }
}
