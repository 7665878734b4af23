//! Dropout: each number is zeroed with probability `p`, the others are divided by `1 - p`.
//!
//! The mask depends only on (seed, position), see [`crate::random`]; it is made again on the way
//! back instead of being stored.
//! Reference: Srivastava et al. 2014; `torch.nn.Dropout`.

use candle_core::{Device, Tensor};

use super::shape::no_kernel;
use crate::cpu::elementwise;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::random::Keep;
use crate::{Result, Tape, Value, from_values, view};

/// Drops numbers of `x` with `probability`. In evaluation, or with probability zero, it is `x`.
pub fn dropout(tape: &mut Tape, x: &Value, probability: f64) -> Result<Value> {
    let seed = tape.next_seed();
    let keep = Keep::new(seed, probability)?;
    if !tape.drops_out() || probability == 0.0 {
        return Ok(x.clone());
    }
    let output = masked(x.tensor(), keep)?;
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(masked(&dy.contiguous()?, keep)?)])))
}

/// `x` times the mask; the gradient goes through the same function.
fn masked(x: &Tensor, keep: Keep) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::dropout(x, &keep),
        Device::Cpu => with_element!("dropout", x, T => {
            from_values(elementwise::dropout(&view::<T>(x)?, &keep), x.shape().clone())
        }),
        other => no_kernel("dropout", other),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;

    use super::super::testing::{assert_same_bits, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    fn ones(count: usize) -> Tensor {
        from_values(vec![1f32; count], count).unwrap()
    }

    #[test]
    fn the_mask_follows_the_words_of_the_stream() {
        let mut tape = Tape::training(Seed(5));
        let x = tape.input(ones(40_003));
        let y = dropout(&mut tape, &x, 0.3).unwrap();
        let y = view::<f32>(y.tensor()).unwrap();
        let mut stream = Tape::training(Seed(5)).next_seed().stream();
        let threshold = (0.3f64 * 4_294_967_296.0).round() as u32;
        for (index, &value) in y.iter().enumerate() {
            let expected = if stream.next_u32() >= threshold { (1.0 / 0.7) as f32 } else { 0.0 };
            assert_eq!(value, expected, "{index}");
        }
        let kept = y.iter().filter(|&&value| value > 0.0).count() as f64 / y.len() as f64;
        assert!((kept - 0.7).abs() < 0.01, "{kept}");
    }

    #[test]
    fn gradients_use_the_same_mask_and_masks_differ_between_calls() {
        assert_gradients(&[normal(1, &[9, 5]).unwrap()], |tape, x| dropout(tape, &x[0], 0.4));
        assert_same_bits(&[singles(1, &[50_001])], |tape, x| dropout(tape, &x[0], 0.5));
        let mut tape = Tape::training(Seed(5));
        let x = tape.input(ones(100));
        let (a, b) = (dropout(&mut tape, &x, 0.5).unwrap(), dropout(&mut tape, &x, 0.5).unwrap());
        assert_ne!(&*view::<f32>(a.tensor()).unwrap(), &*view::<f32>(b.tensor()).unwrap());
    }

    #[test]
    fn nothing_is_dropped_in_evaluation_and_everything_at_one() {
        let (mut evaluation, mut training) = (Tape::inference(), Tape::training(Seed(1)));
        let x = evaluation.input(ones(50));
        assert_eq!(&*view::<f32>(dropout(&mut evaluation, &x, 0.9).unwrap().tensor()).unwrap(), &[1.0; 50]);
        assert_eq!(&*view::<f32>(dropout(&mut training, &x, 1.0).unwrap().tensor()).unwrap(), &[0.0; 50]);
        assert!(dropout(&mut training, &x, 1.1).is_err());
        assert!(dropout(&mut evaluation, &x, -0.1).is_err());
    }
}
