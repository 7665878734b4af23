//! Finite-difference checks of gradients, for tests.
//!
//! What: the tape's gradient of `s = sum_i w_i y_i`, with fixed random weights `w` on the output
//! `y` of a function, against `(s(x + h) - s(x - h)) / 2h` for every number of every input (a
//! seeded sample of [`SAMPLE`] numbers where an input is larger). Both in `f64`.
//! Why: an operation whose value is right and whose gradient is wrong still trains, only worse;
//! nothing but this comparison notices.
//! Where it fits: tests of this crate and of networks built from it. Inputs must not lie within
//! `h = 1e-5` of a kink (zero of a ReLU, equal maxima); those points are compared with PyTorch.

use bench_core::seed::Seed;
use candle_core::{DType, Device, Tensor};

use crate::{Error, Gradients, ParamSet, Result, Tape, Value, from_values, view};

/// Most numbers of one input that are perturbed.
pub const SAMPLE: usize = 48;

/// Largest difference that [`assert_gradients`] and [`assert_parameters`] accept.
pub const TOLERANCE: f64 = 1e-6;

const STEP: f64 = 1e-5;

/// Gradients below this are compared absolutely: sums that cancel (a bias before batch
/// normalisation) leave rounding of about 1e-10, not zero.
const FLOOR: f64 = 1e-2;

/// Standard normal numbers, the same for the same seed and shape.
pub fn normal(seed: u64, shape: &[usize]) -> Result<Tensor> {
    let mut stream = Seed(seed).stream();
    from_values((0..shape.iter().product()).map(|_| stream.normal()).collect::<Vec<f64>>(), shape)
}

/// Normal numbers as [`normal`] makes them, moved away from zero by 0.1, for functions with a kink
/// at zero.
pub fn away_from_zero(seed: u64, shape: &[usize]) -> Result<Tensor> {
    let values = view::<f64>(&normal(seed, shape)?)?.iter().map(|v| v + v.signum() * 0.1).collect::<Vec<f64>>();
    from_values(values, shape)
}

/// Largest difference between the tape's gradients and finite differences with respect to
/// `inputs` (`f64`, CPU), relative to the largest gradient of the same input. `f` runs on
/// [`Tape::training`] of one fixed seed, so that random masks repeat.
pub fn gradients(inputs: &[Tensor], f: impl Fn(&mut Tape, &[Value]) -> Result<Value>) -> Result<f64> {
    gradients_on(|| Tape::training(Seed(0x5eed)), inputs, f)
}

/// As [`gradients`], on tapes made by `tape` (evaluation mode, other statistics).
pub fn gradients_on(
    tape: impl Fn() -> Tape,
    inputs: &[Tensor],
    f: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> Result<f64> {
    let run = |inputs: &[Tensor]| -> Result<(Tape, Vec<Value>, Value)> {
        let mut tape = tape();
        let values: Vec<Value> = inputs.iter().map(|input| tape.input(input.clone())).collect();
        let output = f(&mut tape, &values)?;
        Ok((tape, values, output))
    };
    let (tape, values, output) = run(inputs)?;
    let gradients = backward(tape, &output)?;
    let mut worst = 0.0f64;
    for (position, input) in inputs.iter().enumerate() {
        let analytic = dense(gradients.of(&values[position]), input)?;
        let start = numbers(input)?;
        let at = |index: usize, value: f64| -> Result<f64> {
            let mut moved = start.clone();
            moved[index] = value;
            let mut inputs = inputs.to_vec();
            inputs[position] = from_values(moved, input.shape().clone())?;
            weighted_sum(&run(&inputs)?.2)
        };
        worst = worst.max(compare(position as u64, &start, &analytic, at)?);
    }
    Ok(worst)
}

/// As [`gradients`], with respect to the trainable parameters of a network (`f64`, CPU). They are
/// moved in place and put back; running statistics move with every evaluation in training mode.
pub fn parameters(params: &ParamSet, f: impl Fn(&mut Tape) -> Result<Value>) -> Result<f64> {
    let run = || -> Result<(Tape, Value)> {
        let mut tape = Tape::training(Seed(0x5eed));
        let output = f(&mut tape)?;
        Ok((tape, output))
    };
    let (tape, output) = run()?;
    let gradients = backward(tape, &output)?;
    let mut worst = 0.0f64;
    for param in params.trainable() {
        let analytic = dense(gradients.param(param), param.tensor())?;
        let start = numbers(param.tensor())?;
        let shape = param.tensor().shape().clone();
        let at = |index: usize, value: f64| -> Result<f64> {
            let mut moved = start.clone();
            moved[index] = value;
            param.assign(&from_values(moved, shape.clone())?)?;
            let sum = weighted_sum(&run()?.1);
            param.assign(&from_values(start.clone(), shape.clone())?)?;
            sum
        };
        worst = worst.max(compare(param.index() as u64, &start, &analytic, at)?);
    }
    Ok(worst)
}

/// Panics when [`gradients`] fails or finds a difference above [`TOLERANCE`].
#[track_caller]
pub fn assert_gradients(inputs: &[Tensor], f: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    accept(gradients(inputs, f));
}

/// Panics when [`parameters`] fails or finds a difference above [`TOLERANCE`].
#[track_caller]
pub fn assert_parameters(params: &ParamSet, f: impl Fn(&mut Tape) -> Result<Value>) {
    accept(parameters(params, f));
}

#[track_caller]
fn accept(result: Result<f64>) {
    match result {
        Ok(worst) => assert!(worst <= TOLERANCE, "gradients differ from finite differences by {worst:e}"),
        Err(error) => panic!("gradient check failed: {error}"),
    }
}

fn compare(purpose: u64, start: &[f64], analytic: &[f64], at: impl Fn(usize, f64) -> Result<f64>) -> Result<f64> {
    let mut picks = Seed(1).derive("check", purpose).stream().permutation(start.len());
    picks.truncate(SAMPLE);
    let mut scale = analytic.iter().fold(FLOOR, |scale, g| scale.max(g.abs()));
    let mut worst = 0.0f64;
    for pick in picks {
        let index = pick as usize;
        let step = STEP * start[index].abs().max(1.0);
        let numeric = (at(index, start[index] + step)? - at(index, start[index] - step)?) / (2.0 * step);
        scale = scale.max(numeric.abs());
        let difference = (numeric - analytic[index]).abs();
        // A not-a-number would be lost by `max`.
        worst = if difference.is_nan() { f64::INFINITY } else { worst.max(difference) };
    }
    Ok(worst / scale)
}

fn backward(tape: Tape, output: &Value) -> Result<Gradients> {
    let seed = from_values(weights(output.tensor().elem_count()), output.tensor().shape().clone())?;
    tape.backward(&[(output, seed)])
}

fn dense(gradient: Option<&Tensor>, like: &Tensor) -> Result<Vec<f64>> {
    match gradient {
        None => Ok(vec![0.0; like.elem_count()]),
        Some(gradient) if gradient.dims() == like.dims() => numbers(gradient),
        Some(gradient) => Err(Error::shape("check", format!("a gradient of {:?}", like.dims()), gradient.dims())),
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    if tensor.dtype() != DType::F64 || !matches!(tensor.device(), Device::Cpu) {
        return Err(Error::unsupported("check", format!("{:?} on {:?}", tensor.dtype(), tensor.device())));
    }
    Ok(view::<f64>(tensor)?.to_vec())
}

fn weights(count: usize) -> Vec<f64> {
    let mut stream = Seed(2).stream();
    (0..count).map(|_| stream.normal()).collect()
}

fn weighted_sum(output: &Value) -> Result<f64> {
    let values = numbers(output.tensor())?;
    Ok(values.iter().zip(weights(values.len())).map(|(value, weight)| value * weight).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(tape: &mut Tape, x: &Value, slope: f64) -> Result<Value> {
        let saved = x.tensor().clone();
        let output = saved.sqr()?;
        Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(((dy * &saved)? * slope)?)])))
    }

    #[test]
    fn a_right_gradient_passes_and_a_wrong_one_does_not() {
        let x = normal(3, &[4, 30]).unwrap();
        assert_gradients(std::slice::from_ref(&x), |tape, x| square(tape, &x[0], 2.0));
        assert!(gradients(std::slice::from_ref(&x), |tape, x| square(tape, &x[0], 2.01)).unwrap() > 1e-3);
        assert!(gradients(&[x], |tape, x| square(tape, &x[0], f64::NAN)).unwrap() > 1e-3);
    }

    #[test]
    fn a_missing_gradient_is_noticed_and_parameters_come_back_unchanged() {
        let x = normal(3, &[4]).unwrap();
        let lost = |tape: &mut Tape, x: &[Value]| Ok(tape.constant(x[0].tensor().clone()));
        assert!(gradients(&[x], lost).unwrap() > 0.1);

        let builder = crate::Builder::new(Seed(1), DType::F64, &Device::Cpu);
        let param = builder.param("p", 5, crate::Role::Weight, crate::Init::Normal { std: 1.0 }).unwrap();
        let before = numbers(param.tensor()).unwrap();
        assert_parameters(&builder.finish(), |tape| {
            let value = tape.param(&param);
            square(tape, &value, 2.0)
        });
        assert_eq!(before, numbers(param.tensor()).unwrap());
    }
}
