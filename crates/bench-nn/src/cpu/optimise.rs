//! Kernels of the optimiser: one pass over parameters, gradients and moments.

use rayon::prelude::*;

use super::BLOCK;
use crate::Element;

/// The numbers of one AdamW step for one parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamWFactors {
    /// `1 - lr weight_decay`.
    pub(crate) keep: f64,
    /// `1 - beta1`.
    pub(crate) first: f64,
    pub(crate) beta2: f64,
    /// `lr / (1 - beta1^t)`.
    pub(crate) step: f64,
    /// `sqrt(1 - beta2^t)`.
    pub(crate) root: f64,
    pub(crate) eps: f64,
}

vectorised! {
    fn adamw_block<T: Element>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], factors: AdamWFactors) {
        let [keep, first, beta2, second, step, root, eps] = [
            factors.keep,
            factors.first,
            factors.beta2,
            1.0 - factors.beta2,
            factors.step,
            factors.root,
            factors.eps,
        ]
        .map(T::of_f64);
        for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
            *m += first * (g - *m);
            *v = *v * beta2 + second * (g * g);
            *p = *p * keep - step * (*m / (v.root() / root + eps));
        }
    }

    fn blend_block<T: Element>(out: &mut [T], x: &[T], momentum: T, rest: T) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = *out * momentum + x * rest;
        }
    }

    fn scale_block<T: Element>(out: &mut [T], x: &[T], factor: T) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x * factor;
        }
    }

    /// Sum of squares, in double precision and eight lanes.
    fn squares_block<T: Element>(x: &[T]) -> f64 {
        let mut lanes = [0.0; 8];
        let mut chunks = x.chunks_exact(8);
        for chunk in &mut chunks {
            for i in 0..8 {
                let x = chunk[i].as_f64();
                lanes[i] += x * x;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane += x.as_f64() * x.as_f64();
        }
        ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
    }

    /// Whether every number is finite: zero times anything else is not a number.
    fn finite_block<T: Element>(x: &[T]) -> bool {
        let mut lanes = [T::ZERO; 32];
        let mut chunks = x.chunks_exact(32);
        for chunk in &mut chunks {
            for i in 0..32 {
                lanes[i] += chunk[i] * T::ZERO;
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane += x * T::ZERO;
        }
        lanes.iter().all(|lane| *lane == T::ZERO)
    }
}

/// Moves a parameter `p` with moments `m` and `v` by the gradient `g`.
pub(crate) fn adamw<T: Element>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], factors: AdamWFactors) {
    p.par_chunks_mut(BLOCK)
        .zip(m.par_chunks_mut(BLOCK))
        .zip(v.par_chunks_mut(BLOCK))
        .zip(g.par_chunks(BLOCK))
        .for_each(|(((p, m), v), g)| adamw_block(p, m, v, g, factors));
}

/// `out = momentum out + (1 - momentum) x`.
pub(crate) fn blend<T: Element>(out: &mut [T], x: &[T], momentum: f64) {
    let (momentum, rest) = (T::of_f64(momentum), T::of_f64(1.0 - momentum));
    out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(out, x)| blend_block(out, x, momentum, rest));
}

/// `factor x`.
pub(crate) fn scaled<T: Element>(x: &[T], factor: f64) -> Vec<T> {
    super::collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK));
        blocks.for_each(|(out, x)| scale_block(out, x, T::of_f64(factor)));
    })
}

/// Sum of squares, added block by block.
pub(crate) fn squares<T: Element>(x: &[T]) -> f64 {
    x.par_chunks(BLOCK).map(|x| squares_block(x)).collect::<Vec<f64>>().into_iter().sum()
}

/// Whether every number is finite.
pub(crate) fn finite<T: Element>(x: &[T]) -> bool {
    x.par_chunks(BLOCK).all(|x| finite_block(x))
}
