//! Probabilities of test rows under a fitted problem, and decisions with their ties.
//!
//! # What
//! Logits and softmax in double precision. The decision is the most probable class; classes
//! whose probability is within [`TIE`] of the largest, relative to it, share the decision
//! equally, so that features that cannot tell two classes apart (a constant embedding with
//! balanced classes) are scored by expectation and not by the order of classes.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::real::Real;
use super::rows::{BLOCK, Rows};
use crate::Predictions;

/// Relative difference below which two probabilities are equal.
pub(super) const TIE: f64 = 1e-9;

/// Probabilities of rows under weights `[classes, features + 1]`; `[rows, classes]`.
pub(super) fn probabilities(rows: &Rows<'_>, wanted: &[u32], point: &[f64]) -> Vec<f64> {
    let (d, width, stride) = (rows.features, rows.width(), rows.stride());
    let classes = point.len() / (d + 1);
    let mut weights = vec![0f64; classes * width];
    for (weights, point) in weights.chunks_exact_mut(width).zip(point.chunks_exact(d + 1)) {
        weights[..d].copy_from_slice(&point[..d]);
    }
    let mut probability = vec![0f64; wanted.len() * classes];
    let work = probability.par_chunks_mut(BLOCK * classes).zip(wanted.par_chunks(BLOCK));
    work.for_each_init(
        || vec![0f64; BLOCK * stride],
        |block, (probability, wanted)| {
            rows.load(wanted.iter().map(|&row| row as usize), block);
            // SAFETY: `block` holds `wanted.len() <= BLOCK` rows of `width` values at distance
            // `stride`; `weights` is `[classes, width]`, `probability` `[wanted, classes]`.
            unsafe {
                gemm(
                    wanted.len(),
                    classes,
                    width,
                    probability.as_mut_ptr(),
                    1,
                    classes as isize,
                    false,
                    block.as_ptr(),
                    1,
                    stride as isize,
                    weights.as_ptr(),
                    width as isize,
                    1,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
            for logits in probability.chunks_exact_mut(classes) {
                logits.iter_mut().zip(point.chunks_exact(d + 1)).for_each(|(l, class)| *l += class[d]);
                softmax(logits);
            }
        },
    );
    probability
}

/// Turns logits into probabilities.
fn softmax(logits: &mut [f64]) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|l| *l = (*l - largest).exp_nonpositive());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|l| *l /= sum);
}

/// Puts the probabilities of one row per entry of `wanted` among those of all classes of the
/// task, and decides. Returns the number of tied decisions too.
///
/// # Shapes
/// `seen`: classes of the model; `probability`: gives the `i`-th row's `[seen]` values.
pub(super) fn decide<'p>(
    wanted: &[u32],
    classes: usize,
    seen: &[u32],
    probability: impl Fn(usize) -> &'p [f64],
) -> (Predictions, usize) {
    let mut predictions = Predictions::with_classes(classes);
    let mut all = vec![0f64; classes];
    let mut tied = 0;
    for (i, &row) in wanted.iter().enumerate() {
        let values = probability(i);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let top = || seen.iter().zip(values).filter(|(_, p)| **p >= largest * (1.0 - TIE)).map(|(k, _)| *k);
        let share = top().count();
        tied += usize::from(share > 1);
        seen.iter().zip(values).for_each(|(&k, &p)| all[k as usize] = p);
        predictions.push(row, &all, top().map(|k| (k, 1.0 / share as f64)));
    }
    (predictions, tied)
}
