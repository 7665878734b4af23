//! Functions of whole rows: softmax, layer normalisation, length one.
//!
//! What: for a table `(rows, width)`, values that need a reduction along each row. Rows are
//! independent, so threads share them in blocks; within a row, sums run in sixteen lanes that are
//! added in a fixed order.

use rayon::prelude::*;

use super::{collect, rows_per_block};
use crate::Element;

const LANES: usize = 16;

/// Sum of `f(a_i, b_i)`.
#[inline(always)]
fn sum_of<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in (&mut a).zip(&mut b) {
        for i in 0..LANES {
            lanes[i] += f(a[i], b[i]);
        }
    }
    for (lane, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        lanes[lane] += f(a, b);
    }
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn largest<T: Element>(x: &[T]) -> T {
    let mut best = x[0];
    for &x in x {
        best = if x > best { x } else { best };
    }
    best
}

vectorised! {
    fn softmax_block<T: Element>(out: &mut [T], x: &[T], width: usize) {
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let best = largest(x);
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - best).exponential();
            }
            let factor = T::ONE / sum_of(out, out, |e, _| e);
            for out in out.iter_mut() {
                *out *= factor;
            }
        }
    }

    fn softmax_backward_block<T: Element>(out: &mut [T], dy: &[T], y: &[T], width: usize) {
        let rows = out.chunks_exact_mut(width).zip(dy.chunks_exact(width)).zip(y.chunks_exact(width));
        for ((out, dy), y) in rows {
            let mean = sum_of(dy, y, |dy, y| dy * y);
            for ((out, &dy), &y) in out.iter_mut().zip(dy).zip(y) {
                *out = y * (dy - mean);
            }
        }
    }

    fn log_softmax_block<T: Element>(out: &mut [T], x: &[T], width: usize) {
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let best = largest(x);
            let log = sum_of(x, x, |x, _| (x - best).exponential()).logarithm();
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - best) - log;
            }
        }
    }

    fn log_softmax_backward_block<T: Element>(out: &mut [T], dy: &[T], y: &[T], width: usize) {
        let rows = out.chunks_exact_mut(width).zip(dy.chunks_exact(width)).zip(y.chunks_exact(width));
        for ((out, dy), y) in rows {
            let sum = sum_of(dy, dy, |dy, _| dy);
            for ((out, &dy), &y) in out.iter_mut().zip(dy).zip(y) {
                *out = dy - y.exponential() * sum;
            }
        }
    }

    fn layer_norm_block<T: Element>(out: &mut [T], x: &[T], gamma: &[T], beta: &[T], eps: T, stats: &mut [[T; 2]]) {
        let width = gamma.len();
        let factor = T::of_f64(1.0 / width as f64);
        let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(stats);
        for ((out, x), stats) in rows {
            let mean = sum_of(x, x, |x, _| x) * factor;
            let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) * factor;
            let inverse = T::ONE / (variance + eps).root();
            *stats = [mean, inverse];
            for (((out, &x), &gamma), &beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                *out = (x - mean) * inverse * gamma + beta;
            }
        }
    }

    /// Also adds the block's gradients of `gamma` and `beta` to the halves of `sums`.
    fn layer_norm_backward_block<T: Element>(
        out: &mut [T],
        x: &[T],
        dy: &[T],
        gamma: &[T],
        stats: &[[T; 2]],
        scratch: &mut [T],
        sums: &mut [T],
    ) {
        let width = gamma.len();
        let factor = T::of_f64(1.0 / width as f64);
        let (centred, product) = scratch.split_at_mut(width);
        let (for_gamma, for_beta) = sums.split_at_mut(width);
        let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width)).zip(stats);
        for (((out, x), dy), &[mean, inverse]) in rows {
            for ((((centred, product), &x), &dy), &gamma) in
                centred.iter_mut().zip(product.iter_mut()).zip(x).zip(dy).zip(gamma)
            {
                *centred = (x - mean) * inverse;
                *product = dy * gamma;
            }
            let first = sum_of(product, product, |p, _| p) * factor;
            let second = sum_of(product, centred, |p, c| p * c) * factor;
            for ((out, &product), &centred) in out.iter_mut().zip(&*product).zip(&*centred) {
                *out = (product - first - centred * second) * inverse;
            }
            for (((gamma, beta), &centred), &dy) in
                for_gamma.iter_mut().zip(for_beta.iter_mut()).zip(&*centred).zip(dy)
            {
                *gamma += dy * centred;
                *beta += dy;
            }
        }
    }

    fn normalize_block<T: Element>(out: &mut [T], x: &[T], width: usize, least: T, lengths: &mut [T]) {
        for ((out, x), length) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(lengths) {
            *length = sum_of(x, x, |x, _| x * x).root();
            let factor = T::ONE / if *length < least { least } else { *length };
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        }
    }

    fn normalize_backward_block<T: Element>(out: &mut [T], dy: &[T], y: &[T], width: usize, least: T, lengths: &[T]) {
        let rows = out.chunks_exact_mut(width).zip(dy.chunks_exact(width)).zip(y.chunks_exact(width)).zip(lengths);
        for (((out, dy), y), &length) in rows {
            // Below the least length the divisor is a constant.
            let (along, factor) = if length < least {
                (T::ZERO, T::ONE / least)
            } else {
                (sum_of(dy, y, |dy, y| dy * y), T::ONE / length)
            };
            for ((out, &dy), &y) in out.iter_mut().zip(dy).zip(y) {
                *out = (dy - y * along) * factor;
            }
        }
    }

    fn scale_rows_block<T: Element>(out: &mut [T], x: &[T], width: usize, factors: &[T]) {
        for ((out, x), &factor) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(factors) {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        }
    }
}

fn map<T: Element>(x: &[T], width: usize, kernel: fn(&mut [T], &[T], usize)) -> Vec<T> {
    let size = rows_per_block(width) * width;
    collect(x.len(), |out| {
        out.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(out, x)| kernel(out, x, width));
    })
}

fn zip<T: Element>(dy: &[T], y: &[T], width: usize, kernel: fn(&mut [T], &[T], &[T], usize)) -> Vec<T> {
    let size = rows_per_block(width) * width;
    collect(dy.len(), |out| {
        let blocks = out.par_chunks_mut(size).zip(dy.par_chunks(size)).zip(y.par_chunks(size));
        blocks.for_each(|((out, dy), y)| kernel(out, dy, y, width));
    })
}

/// `exp(x - max) / sum exp(x - max)` of each row.
pub(crate) fn softmax<T: Element>(x: &[T], width: usize) -> Vec<T> {
    map(x, width, softmax_block)
}

/// Gradient of the input of [`softmax`] from its output.
pub(crate) fn softmax_backward<T: Element>(dy: &[T], y: &[T], width: usize) -> Vec<T> {
    zip(dy, y, width, softmax_backward_block)
}

/// Logarithm of [`softmax`].
pub(crate) fn log_softmax<T: Element>(x: &[T], width: usize) -> Vec<T> {
    map(x, width, log_softmax_block)
}

/// Gradient of the input of [`log_softmax`] from its output.
pub(crate) fn log_softmax_backward<T: Element>(dy: &[T], y: &[T], width: usize) -> Vec<T> {
    zip(dy, y, width, log_softmax_backward_block)
}

/// Rows with mean zero and variance one, times `gamma`, plus `beta`; also the mean and the
/// inverse standard deviation of each row.
pub(crate) fn layer_norm<T: Element>(x: &[T], gamma: &[T], beta: &[T], eps: f64) -> (Vec<T>, Vec<[T; 2]>) {
    let rows = rows_per_block(gamma.len());
    let size = rows * gamma.len();
    let mut stats = vec![[T::ZERO; 2]; x.len() / gamma.len()];
    let y = collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(size).zip(x.par_chunks(size)).zip(stats.par_chunks_mut(rows));
        blocks.for_each(|((out, x), stats)| layer_norm_block(out, x, gamma, beta, T::of_f64(eps), stats));
    });
    (y, stats)
}

/// Gradients of the input, of `gamma` and of `beta`.
pub(crate) fn layer_norm_backward<T: Element>(
    x: &[T],
    dy: &[T],
    gamma: &[T],
    stats: &[[T; 2]],
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let width = gamma.len();
    let rows = rows_per_block(width);
    let size = rows * width;
    let mut parts = vec![];
    let dx = collect(x.len(), |out| {
        let inputs = x.par_chunks(size).zip(dy.par_chunks(size)).zip(stats.par_chunks(rows));
        parts = out
            .par_chunks_mut(size)
            .zip(inputs)
            .map(|(out, ((x, dy), stats))| {
                let (mut scratch, mut sums) = (vec![T::ZERO; 2 * width], vec![T::ZERO; 2 * width]);
                layer_norm_backward_block(out, x, dy, gamma, stats, &mut scratch, &mut sums);
                sums
            })
            .collect::<Vec<Vec<T>>>();
    });
    let mut sums = vec![0.0; 2 * width];
    for part in parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part.as_f64();
        }
    }
    let cast = |sums: &[f64]| sums.iter().map(|&sum| T::of_f64(sum)).collect();
    (dx, cast(&sums[..width]), cast(&sums[width..]))
}

/// Rows divided by their length, or by `least` if that is larger; also the lengths.
pub(crate) fn normalize<T: Element>(x: &[T], width: usize, least: f64) -> (Vec<T>, Vec<T>) {
    let rows = rows_per_block(width);
    let mut lengths = vec![T::ZERO; x.len() / width];
    let y = collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(rows * width).zip(x.par_chunks(rows * width)).zip(lengths.par_chunks_mut(rows));
        blocks.for_each(|((out, x), lengths)| normalize_block(out, x, width, T::of_f64(least), lengths));
    });
    (y, lengths)
}

/// Gradient of the input of [`normalize`] from its output and the lengths.
pub(crate) fn normalize_backward<T: Element>(dy: &[T], y: &[T], width: usize, least: f64, lengths: &[T]) -> Vec<T> {
    let rows = rows_per_block(width);
    let size = rows * width;
    collect(dy.len(), |out| {
        let inputs = dy.par_chunks(size).zip(y.par_chunks(size)).zip(lengths.par_chunks(rows));
        out.par_chunks_mut(size).zip(inputs).for_each(|(out, ((dy, y), lengths))| {
            normalize_backward_block(out, dy, y, width, T::of_f64(least), lengths);
        });
    })
}

/// Row `r` times `factors[r]`.
pub(crate) fn scale_rows<T: Element>(x: &[T], width: usize, factors: &[T]) -> Vec<T> {
    let rows = rows_per_block(width);
    let size = rows * width;
    collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(size).zip(x.par_chunks(size)).zip(factors.par_chunks(rows));
        blocks.for_each(|((out, x), factors)| scale_rows_block(out, x, width, factors));
    })
}
