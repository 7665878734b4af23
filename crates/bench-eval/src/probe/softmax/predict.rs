//! Probabilities of test rows under a fitted problem, and decisions with their ties.
//!
//! # What
//! Logits and softmax in double precision. The decision is the most probable class; classes
//! whose probability is within [`tie`] of the largest, relative to it, share the decision
//! equally, so that features that cannot tell two classes apart (a constant embedding with
//! balanced classes) are scored by expectation and not by the order of classes.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::real::Real;
use super::rows::{BLOCK, Rows};
use crate::Predictions;

/// Relative difference below which two probabilities are equal.
pub(super) const TIE: f64 = 1e-9;
/// The same where it is rounding alone.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Relative difference below which two probabilities of a fit are equal: [`TIE`] times the spread
/// of its logits where that is below one. A strong penalty brings all probabilities together and
/// leaves decisions as they are: at `C = 1e-8` logits spread by about 1e-7, of which 1e-9 is a
/// hundredth and no tie. Where the features have no weight it is [`TIE`].
pub(super) fn tie(rows: &Rows<'_>, point: &[f64]) -> f64 {
    let d = rows.features;
    // A bound on the standard deviation of the difference of any two logits.
    let spread: f64 = rows
        .moments()
        .1
        .iter()
        .enumerate()
        .map(|(j, square)| {
            let weights = point.chunks_exact(d + 1).map(|class| class[j]);
            let (low, high) = weights.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), w| (a.min(w), b.max(w)));
            (high - low) * (square / rows.len as f64).sqrt()
        })
        .sum();
    if spread > 0.0 { (TIE * spread).clamp(ROUNDING, TIE) } else { TIE }
}

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
/// `seen`: classes of the model; `tie`: see there; `probability`: gives the `i`-th row's `[seen]` values.
pub(super) fn decide<'p>(
    wanted: &[u32],
    classes: usize,
    seen: &[u32],
    tie: f64,
    probability: impl Fn(usize) -> &'p [f64],
) -> (Predictions, usize) {
    let mut predictions = Predictions::with_classes(classes);
    let mut all = vec![0f64; classes];
    let mut tied = 0;
    for (i, &row) in wanted.iter().enumerate() {
        let values = probability(i);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let top = || seen.iter().zip(values).filter(|(_, p)| **p >= largest * (1.0 - tie)).map(|(k, _)| *k);
        let share = top().count();
        tied += usize::from(share > 1);
        seen.iter().zip(values).for_each(|(&k, &p)| all[k as usize] = p);
        predictions.push(row, &all, top().map(|k| (k, 1.0 / share as f64)));
    }
    (predictions, tied)
}
