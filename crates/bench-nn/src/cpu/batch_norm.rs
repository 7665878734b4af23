//! Batch normalisation over the rows of a table `(rows, channels)`.
//!
//! What: per-channel moments; `y = x scale + shift [+ residual]`, optionally through a ReLU; and
//! the sums and the map of the backward pass. Images are tables of `batch * height * width` rows.
//! Why: the operation is bound by memory. Each direction reads its inputs twice and writes its
//! outputs once; ReLU, its mask and the residual sum cost no pass of their own.
//! Precision: blocks of at most [`ROWS`] rows are reduced in the type of the table, in two passes
//! over a block that stays in cache (mean, then squares about it), and combined in double
//! precision in the order of the blocks (Chan, Golub, LeVeque 1983).

// Many slices of one length: an index reads better than eight nested zips.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use super::elementwise::rectified;
use super::{BLOCK, collect, rows_per_block};
use crate::Element;

/// Most rows that are added up in single precision.
const ROWS: usize = 512;

fn rows_of_block(channels: usize) -> usize {
    rows_per_block(channels).min(ROWS)
}

/// Where the ReLU was active.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a, T> {
    /// There was none.
    None,
    /// Where `x scale + shift` is positive; found again from the input, which is read anyway.
    Affine { scale: &'a [T], shift: &'a [T] },
    /// Where the output is positive (with a residual).
    Output(&'a [T]),
}

const NO_MASK: u8 = 0;
const AFFINE: u8 = 1;
const OUTPUT: u8 = 2;

vectorised! {
    fn moments_block<T: Element>(x: &[T], mean: &mut [T], squares: &mut [T]) {
        let channels = mean.len();
        let (mean, squares) = (&mut mean[..channels], &mut squares[..channels]);
        let mut fours = x.chunks_exact(4 * channels);
        for rows in &mut fours {
            let (a, rest) = rows.split_at(channels);
            let (b, rest) = rest.split_at(channels);
            let (c, d) = rest.split_at(channels);
            let d = &d[..channels];
            for i in 0..channels {
                mean[i] += (a[i] + b[i]) + (c[i] + d[i]);
            }
        }
        for row in fours.remainder().chunks_exact(channels) {
            for i in 0..channels {
                mean[i] += row[i];
            }
        }
        let factor = T::of_f64(1.0 / (x.len() / channels) as f64);
        for i in 0..channels {
            mean[i] *= factor;
        }
        let mut fours = x.chunks_exact(4 * channels);
        for rows in &mut fours {
            let (a, rest) = rows.split_at(channels);
            let (b, rest) = rest.split_at(channels);
            let (c, d) = rest.split_at(channels);
            let d = &d[..channels];
            for i in 0..channels {
                let (a, b, c, d) = (a[i] - mean[i], b[i] - mean[i], c[i] - mean[i], d[i] - mean[i]);
                squares[i] += (a * a + b * b) + (c * c + d * d);
            }
        }
        for row in fours.remainder().chunks_exact(channels) {
            for i in 0..channels {
                let centred = row[i] - mean[i];
                squares[i] += centred * centred;
            }
        }
    }

    fn forward_block<T: Element, const RESIDUAL: bool, const RELU: bool>(
        out: &mut [T],
        x: &[T],
        residual: &[T],
        scale: &[T],
        shift: &[T],
    ) {
        let channels = scale.len();
        let shift = &shift[..channels];
        let rows = out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)).zip(residual.chunks_exact(channels));
        for ((out, x), residual) in rows {
            for i in 0..channels {
                let mut y = x[i] * scale[i] + shift[i];
                if RESIDUAL {
                    y += residual[i];
                }
                out[i] = if RELU { rectified(y) } else { y };
            }
        }
    }

    /// Adds a block's `sum dy` and `sum dy (x - mean)` to `first` and `second`.
    fn sums_block<T: Element, const MASK: u8>(
        x: &[T],
        dy: &[T],
        y: &[T],
        scale: &[T],
        shift: &[T],
        mean: &[T],
        first: &mut [T],
        second: &mut [T],
    ) {
        let channels = mean.len();
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        let (first, second) = (&mut first[..channels], &mut second[..channels]);
        let rows = x.chunks_exact(channels).zip(dy.chunks_exact(channels)).zip(y.chunks_exact(channels));
        for ((x, dy), y) in rows {
            for i in 0..channels {
                let kept = masked::<T, MASK>(x[i], dy[i], y[i], scale[i], shift[i]);
                first[i] += kept;
                second[i] += kept * (x[i] - mean[i]);
            }
        }
    }

    /// `dx = a dy + b (x - mean) + c`, with the masked `dy` written to `kept_out` if `KEEP`.
    fn backward_block<T: Element, const MASK: u8, const KEEP: bool>(
        out: &mut [T],
        kept_out: &mut [T],
        x: &[T],
        dy: &[T],
        y: &[T],
        scale: &[T],
        shift: &[T],
        mean: &[T],
        coefficients: [&[T]; 3],
    ) {
        let channels = mean.len();
        let (scale, shift) = (&scale[..channels], &shift[..channels]);
        let [a, b, c] = coefficients.map(|slice| &slice[..channels]);
        let rows = x.chunks_exact(channels).zip(dy.chunks_exact(channels)).zip(y.chunks_exact(channels));
        for (row, ((x, dy), y)) in rows.enumerate() {
            let out = &mut out[row * channels..][..channels];
            if KEEP {
                let kept_out = &mut kept_out[row * channels..][..channels];
                for i in 0..channels {
                    let kept = masked::<T, MASK>(x[i], dy[i], y[i], scale[i], shift[i]);
                    kept_out[i] = kept;
                    out[i] = a[i] * kept + b[i] * (x[i] - mean[i]) + c[i];
                }
            } else {
                for i in 0..channels {
                    let kept = masked::<T, MASK>(x[i], dy[i], y[i], scale[i], shift[i]);
                    out[i] = a[i] * kept + b[i] * (x[i] - mean[i]) + c[i];
                }
            }
        }
    }
}

#[inline(always)]
fn masked<T: Element, const MASK: u8>(x: T, dy: T, y: T, scale: T, shift: T) -> T {
    let off = match MASK {
        NO_MASK => false,
        AFFINE => x * scale + shift <= T::ZERO,
        _ => y <= T::ZERO,
    };
    if off { T::ZERO } else { dy }
}

/// Mean and biased variance of each channel. At least one row.
pub(crate) fn moments<T: Element>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let blocks: Vec<(usize, Vec<T>)> = x
        .par_chunks(rows_of_block(channels) * channels)
        .map(|block| {
            let mut both = vec![T::ZERO; 2 * channels];
            let (mean, squares) = both.split_at_mut(channels);
            moments_block(block, mean, squares);
            (block.len() / channels, both)
        })
        .collect();
    let (mut mean, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    let mut count = 0.0;
    for (rows, both) in blocks {
        let rows = rows as f64;
        let total = count + rows;
        for i in 0..channels {
            let shift = both[i].as_f64() - mean[i];
            squares[i] += both[channels + i].as_f64() + shift * shift * (count * rows / total);
            mean[i] += shift * (rows / total);
        }
        count = total;
    }
    for square in &mut squares {
        *square /= count;
    }
    (mean, squares)
}

/// `[relu](x scale + shift [+ residual])`.
pub(crate) fn forward<T: Element>(x: &[T], scale: &[T], shift: &[T], residual: Option<&[T]>, relu: bool) -> Vec<T> {
    let kernel = match (residual.is_some(), relu) {
        (false, false) => forward_block::<T, false, false>,
        (false, true) => forward_block::<T, false, true>,
        (true, false) => forward_block::<T, true, false>,
        (true, true) => forward_block::<T, true, true>,
    };
    let size = BLOCK.max(scale.len()) / scale.len() * scale.len();
    let residual = residual.unwrap_or(x);
    collect(x.len(), |out| {
        let blocks = out.par_chunks_mut(size).zip(x.par_chunks(size)).zip(residual.par_chunks(size));
        blocks.for_each(|((out, x), residual)| kernel(out, x, residual, scale, shift));
    })
}

/// Sums over the rows of the masked `dy` and of the masked `dy (x - mean)`.
pub(crate) fn sums<T: Element>(x: &[T], dy: &[T], mean: &[T], mask: Mask<'_, T>) -> (Vec<f64>, Vec<f64>) {
    let channels = mean.len();
    let (kernel, y, scale, shift) = match mask {
        Mask::None => {
            (sums_block::<T, NO_MASK> as fn(&[T], &[T], &[T], &[T], &[T], &[T], &mut [T], &mut [T]), x, mean, mean)
        }
        Mask::Affine { scale, shift } => (sums_block::<T, AFFINE> as _, x, scale, shift),
        Mask::Output(y) => (sums_block::<T, OUTPUT> as _, y, mean, mean),
    };
    let size = rows_of_block(channels) * channels;
    let blocks: Vec<Vec<T>> = x
        .par_chunks(size)
        .zip(dy.par_chunks(size))
        .zip(y.par_chunks(size))
        .map(|((x, dy), y)| {
            let mut both = vec![T::ZERO; 2 * channels];
            let (first, second) = both.split_at_mut(channels);
            kernel(x, dy, y, scale, shift, mean, first, second);
            both
        })
        .collect();
    let (mut first, mut second) = (vec![0.0; channels], vec![0.0; channels]);
    for both in blocks {
        for i in 0..channels {
            first[i] += both[i].as_f64();
            second[i] += both[channels + i].as_f64();
        }
    }
    (first, second)
}

/// `a dy + b (x - mean) + c` of the masked `dy`, and the masked `dy` itself if `keep`.
pub(crate) fn backward<T: Element>(
    x: &[T],
    dy: &[T],
    mean: &[T],
    coefficients: [&[T]; 3],
    mask: Mask<'_, T>,
    keep: bool,
) -> (Vec<T>, Option<Vec<T>>) {
    let channels = mean.len();
    type Kernel<T> = fn(&mut [T], &mut [T], &[T], &[T], &[T], &[T], &[T], &[T], [&[T]; 3]);
    let (kernel, y, scale, shift): (Kernel<T>, _, _, _) = match (mask, keep) {
        (Mask::None, false) => (backward_block::<T, NO_MASK, false>, x, mean, mean),
        (Mask::None, true) => (backward_block::<T, NO_MASK, true>, x, mean, mean),
        (Mask::Affine { scale, shift }, false) => (backward_block::<T, AFFINE, false>, x, scale, shift),
        (Mask::Affine { scale, shift }, true) => (backward_block::<T, AFFINE, true>, x, scale, shift),
        (Mask::Output(y), false) => (backward_block::<T, OUTPUT, false>, y, mean, mean),
        (Mask::Output(y), true) => (backward_block::<T, OUTPUT, true>, y, mean, mean),
    };
    let size = rows_per_block(channels) * channels;
    let inputs = || x.par_chunks(size).zip(dy.par_chunks(size)).zip(y.par_chunks(size));
    let mut kept = None;
    let dx = collect(x.len(), |out| {
        if keep {
            kept = Some(collect(x.len(), |kept| {
                let outputs = out.par_chunks_mut(size).zip(kept.par_chunks_mut(size));
                outputs.zip(inputs()).for_each(|((out, kept), ((x, dy), y))| {
                    kernel(out, kept, x, dy, y, scale, shift, mean, coefficients);
                });
            }));
        } else {
            out.par_chunks_mut(size).zip(inputs()).for_each(|(out, ((x, dy), y))| {
                kernel(out, &mut [], x, dy, y, scale, shift, mean, coefficients);
            });
        }
    });
    (dx, kept)
}
