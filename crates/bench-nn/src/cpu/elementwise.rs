//! Functions of single numbers: sum, ReLU, dropout, GELU.
//!
//! What: `y_i = f(x_i)` or `f(a_i, b_i)` and their derivatives, one pass each.
//! Where it fits: [`crate::ops`]; each function here takes whole slices and cuts them into blocks of
//! [`BLOCK`] numbers, one at a time per thread.

use bench_core::seed::Seed;
use candle_core::cpu::erf;
use rayon::prelude::*;

use super::{BLOCK, collect};
use crate::Element;
use crate::random::Keep;

fn map<T: Element>(x: &[T], kernel: impl Fn(&mut [T], &[T]) + Sync) -> Vec<T> {
    collect(x.len(), |out| {
        out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(out, x)| kernel(out, x));
    })
}

fn zip<T: Element>(a: &[T], b: &[T], kernel: impl Fn(&mut [T], &[T], &[T]) + Sync) -> Vec<T> {
    collect(a.len(), |out| {
        let blocks = out.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).zip(b.par_chunks(BLOCK));
        blocks.for_each(|((out, a), b)| kernel(out, a, b));
    })
}

/// `x` where positive or not a number, else zero. As in PyTorch, not-a-number passes through.
#[inline(always)]
pub(super) fn rectified<T: Element>(x: T) -> T {
    if x <= T::ZERO { T::ZERO } else { x }
}

vectorised! {
    fn add_block<T: Element>(out: &mut [T], a: &[T], b: &[T]) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = a + b;
        }
    }

    fn add_relu_block<T: Element>(out: &mut [T], a: &[T], b: &[T]) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = rectified(a + b);
        }
    }

    fn relu_block<T: Element>(out: &mut [T], x: &[T]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = rectified(x);
        }
    }

    fn relu_backward_block<T: Element>(out: &mut [T], dy: &[T], y: &[T]) {
        for ((out, &dy), &y) in out.iter_mut().zip(dy).zip(y) {
            *out = if y <= T::ZERO { T::ZERO } else { dy };
        }
    }

    /// `first` is the position of the block, a multiple of four.
    fn keep_block<T: Element>(out: &mut [T], x: &[T], seed: Seed, first: u64, threshold: u32, factor: T) {
        let mut words = [0u32; 64];
        for (index, (out, x)) in out.chunks_mut(64).zip(x.chunks(64)).enumerate() {
            for (counter, four) in words.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&seed.block((first + index as u64 * 64) / 4 + counter as u64));
            }
            for ((out, &x), &word) in out.iter_mut().zip(x).zip(&words) {
                *out = if word >= threshold { x * factor } else { T::ZERO };
            }
        }
    }
}

/// `a + b`.
pub(crate) fn add<T: Element>(a: &[T], b: &[T]) -> Vec<T> {
    zip(a, b, add_block)
}

/// `relu(a + b)`.
pub(crate) fn add_relu<T: Element>(a: &[T], b: &[T]) -> Vec<T> {
    zip(a, b, add_relu_block)
}

/// `relu(x)`.
pub(crate) fn relu<T: Element>(x: &[T]) -> Vec<T> {
    map(x, relu_block)
}

/// Gradient of the input of a ReLU from its output: `dy` where `y` is not zero.
pub(crate) fn relu_backward<T: Element>(dy: &[T], y: &[T]) -> Vec<T> {
    zip(dy, y, relu_backward_block)
}

/// `x` times the factor of `keep` where it keeps, else zero.
pub(crate) fn dropout<T: Element>(x: &[T], keep: &Keep) -> Vec<T> {
    let factor = T::of_f64(keep.factor());
    let Some(threshold) = keep.threshold() else {
        return vec![T::ZERO; x.len()];
    };
    collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).enumerate();
        blocks.for_each(|(index, (out, x))| {
            keep_block(out, x, keep.seed(), (index * BLOCK) as u64, threshold, factor);
        });
    })
}

/// Distribution function of the standard normal.
fn cdf(x: f64) -> f64 {
    0.5 * (1.0 + erf::erf_f64(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// `x cdf(x)`, computed in double precision.
pub(crate) fn gelu<T: Element>(x: &[T]) -> Vec<T> {
    map(x, |out, x| {
        for (out, x) in out.iter_mut().zip(x) {
            let x = x.as_f64();
            *out = T::of_f64(x * cdf(x));
        }
    })
}

/// `dy (cdf(x) + x pdf(x))`.
pub(crate) fn gelu_backward<T: Element>(dy: &[T], x: &[T]) -> Vec<T> {
    let root = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
    zip(dy, x, |out, dy, x| {
        for ((out, dy), x) in out.iter_mut().zip(dy).zip(x) {
            let x = x.as_f64();
            let slope = cdf(x) + x * root * (-0.5 * x * x).exp();
            *out = T::of_f64(dy.as_f64() * slope);
        }
    })
}
