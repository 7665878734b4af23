//! Reductions of contiguous runs of rows: the neighbours of an atom, the atoms of a molecule.
//!
//! What: for rows `offsets[s]..offsets[s + 1]` of a table, their sum, mean, largest or smallest
//! value and standard deviation, per column; and the maps back. An empty segment gives zero.
//! Ties give the gradient to the first extreme row and a not-a-number wins, as `torch.max(dim)`.

// Many slices of one length: an index reads better than nested zips.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use super::elementwise::rectified;
use super::{collect, rows_per_block};
use crate::Element;

vectorised! {
    /// Adds the rows of `x` to `out`, then multiplies by `factor`.
    fn sum_rows<T: Element>(out: &mut [T], x: &[T], factor: T) {
        let width = out.len();
        out.fill(T::ZERO);
        for row in x.chunks_exact(width) {
            for i in 0..width {
                out[i] += row[i];
            }
        }
        for out in out.iter_mut() {
            *out *= factor;
        }
    }

    fn extreme_rows<T: Element, const LARGEST: bool>(out: &mut [T], place: &mut [u32], x: &[T], first: u32) {
        let width = out.len();
        let place = &mut place[..width];
        out.copy_from_slice(&x[..width]);
        place.fill(first);
        for (row, x) in x.chunks_exact(width).enumerate().skip(1) {
            let here = first + row as u32;
            for i in 0..width {
                let beyond = if LARGEST { x[i] > out[i] } else { x[i] < out[i] };
                // Not-a-number differs from itself; the first one stays.
                #[allow(clippy::eq_op)]
                let take = (beyond | (x[i] != x[i])) & (out[i] == out[i]);
                out[i] = if take { x[i] } else { out[i] };
                place[i] = if take { here } else { place[i] };
            }
        }
    }

    /// `scratch` takes the means.
    fn std_rows<T: Element>(out: &mut [T], scratch: &mut [T], x: &[T], eps: T) {
        let width = out.len();
        let mean = &mut scratch[..width];
        moments_of_rows(out, mean, x);
        for i in 0..width {
            out[i] = (out[i] + eps).root();
        }
    }

    fn spread_rows<T: Element>(out: &mut [T], dy: &[T], factor: T) {
        for out in out.chunks_exact_mut(dy.len()) {
            for i in 0..dy.len() {
                out[i] = dy[i] * factor;
            }
        }
    }

    fn place_rows<T: Element>(out: &mut [T], dy: &[T], place: &[u32], first: u32) {
        let width = dy.len();
        let place = &place[..width];
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let here = first + row as u32;
            for i in 0..width {
                out[i] = if place[i] == here { dy[i] } else { T::ZERO };
            }
        }
    }

    /// `dy (x - mean) / (n std)` where the variance was not clamped, else zero.
    fn std_rows_backward<T: Element>(out: &mut [T], dy: &[T], x: &[T], std: &[T], scratch: &mut [T]) {
        let width = dy.len();
        let (mean, slope) = scratch.split_at_mut(width);
        let (std, slope) = (&std[..width], &mut slope[..width]);
        moments_of_rows(slope, mean, x);
        let rows = T::of_f64((x.len() / width) as f64);
        for i in 0..width {
            slope[i] = if slope[i] <= T::ZERO { T::ZERO } else { dy[i] / (rows * std[i]) };
        }
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            for i in 0..width {
                out[i] = slope[i] * (x[i] - mean[i]);
            }
        }
    }
}

/// Means, and `relu(E[x^2] - E[x]^2)`.
#[inline(always)]
fn moments_of_rows<T: Element>(variance: &mut [T], mean: &mut [T], x: &[T]) {
    let width = variance.len();
    let mean = &mut mean[..width];
    let factor = T::of_f64(1.0 / (x.len() / width) as f64);
    variance.fill(T::ZERO);
    mean.fill(T::ZERO);
    for row in x.chunks_exact(width) {
        for i in 0..width {
            mean[i] += row[i];
            variance[i] += row[i] * row[i];
        }
    }
    for i in 0..width {
        mean[i] *= factor;
        variance[i] = rectified(variance[i] * factor - mean[i] * mean[i]);
    }
}

/// Calls `kernel(segment, its row of out, its row of second)`, in blocks.
fn each_segment<T: Element>(
    out: &mut [T],
    second: &mut [u32],
    width: usize,
    kernel: impl Fn(usize, &mut [T], &mut [u32]) + Sync,
) {
    let rows = rows_per_block(width);
    let blocks = out.par_chunks_mut(rows * width).zip(second.par_chunks_mut(rows * width)).enumerate();
    blocks.for_each(|(block, (out, second))| {
        let segments = out.chunks_exact_mut(width).zip(second.chunks_exact_mut(width)).enumerate();
        for (row, (out, second)) in segments {
            kernel(block * rows + row, out, second);
        }
    });
}

fn rows_of(offsets: &[u32], segment: usize) -> std::ops::Range<usize> {
    offsets[segment] as usize..offsets[segment + 1] as usize
}

/// Cuts `out`, rows of all segments, into the rows of runs of segments and calls
/// `kernel(segment, its rows, scratch)` with two rows of scratch.
fn each_run<T: Element>(
    out: &mut [T],
    width: usize,
    offsets: &[u32],
    kernel: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    let segments = offsets.len() - 1;
    // Runs of at least this many rows; they depend on the offsets only.
    let rows = rows_per_block(width);
    let mut runs = vec![];
    let (mut rest, mut first) = (out, 0);
    for segment in 0..segments {
        let taken = (offsets[segment + 1] - offsets[first]) as usize;
        if taken >= rows || segment + 1 == segments {
            let (run, tail) = std::mem::take(&mut rest).split_at_mut(taken * width);
            runs.push((first, segment + 1, run));
            (rest, first) = (tail, segment + 1);
        }
    }
    runs.into_par_iter().for_each(|(first, last, mut run)| {
        let mut scratch = vec![T::ZERO; 2 * width];
        for segment in first..last {
            let (here, tail) = run.split_at_mut(rows_of(offsets, segment).len() * width);
            run = tail;
            if !here.is_empty() {
                kernel(segment, here, &mut scratch);
            }
        }
    });
}

fn factor<T: Element>(mean: bool, rows: usize) -> T {
    if mean { T::of_f64(1.0 / rows.max(1) as f64) } else { T::ONE }
}

/// Sums, or means, of segments.
pub(crate) fn sum<T: Element>(x: &[T], width: usize, offsets: &[u32], mean: bool) -> Vec<T> {
    let rows = rows_per_block(width);
    collect((offsets.len() - 1) * width, |out| {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(block, out)| {
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let rows = rows_of(offsets, block * rows + row);
                sum_rows(out, &x[rows.start * width..rows.end * width], factor(mean, rows.len()));
            }
        });
    })
}

/// Gradient of the rows from that of [`sum`].
pub(crate) fn sum_backward<T: Element>(dy: &[T], width: usize, offsets: &[u32], mean: bool) -> Vec<T> {
    collect(offsets[offsets.len() - 1] as usize * width, |out| {
        each_run(out, width, offsets, |segment, out, _| {
            let factor = factor(mean, out.len() / width);
            spread_rows(out, &dy[segment * width..][..width], factor);
        });
    })
}

/// Largest (or smallest) values, and the row of each.
pub(crate) fn extreme<T: Element>(x: &[T], width: usize, offsets: &[u32], largest: bool) -> (Vec<T>, Vec<u32>) {
    let len = (offsets.len() - 1) * width;
    let kernel = if largest { extreme_rows::<T, true> } else { extreme_rows::<T, false> };
    let mut values = vec![];
    let places = collect(len, |places| {
        values = collect(len, |values| {
            each_segment(values, places, width, |segment, out, place| {
                let rows = rows_of(offsets, segment);
                if rows.is_empty() {
                    out.fill(T::ZERO);
                    place.fill(u32::MAX);
                } else {
                    kernel(out, place, &x[rows.start * width..rows.end * width], rows.start as u32);
                }
            });
        });
    });
    (values, places)
}

/// Gradient of the rows from that of [`extreme`].
pub(crate) fn extreme_backward<T: Element>(dy: &[T], places: &[u32], width: usize, offsets: &[u32]) -> Vec<T> {
    collect(offsets[offsets.len() - 1] as usize * width, |out| {
        each_run(out, width, offsets, |segment, out, _| {
            let (dy, place) = (&dy[segment * width..][..width], &places[segment * width..][..width]);
            place_rows(out, dy, place, offsets[segment]);
        });
    })
}

/// `sqrt(relu(E[x^2] - E[x]^2) + eps)`.
pub(crate) fn std<T: Element>(x: &[T], width: usize, offsets: &[u32], eps: f64) -> Vec<T> {
    let rows = rows_per_block(width);
    collect((offsets.len() - 1) * width, |out| {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(block, out)| {
            let mut scratch = vec![T::ZERO; width];
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let rows = rows_of(offsets, block * rows + row);
                if rows.is_empty() {
                    out.fill(T::ZERO);
                } else {
                    std_rows(out, &mut scratch, &x[rows.start * width..rows.end * width], T::of_f64(eps));
                }
            }
        });
    })
}

/// Gradient of the rows from that of [`std`] and its output.
pub(crate) fn std_backward<T: Element>(dy: &[T], x: &[T], stds: &[T], width: usize, offsets: &[u32]) -> Vec<T> {
    collect(x.len(), |out| {
        each_run(out, width, offsets, |segment, out, scratch| {
            let at = segment * width..(segment + 1) * width;
            let rows = rows_of(offsets, segment);
            let x = &x[rows.start * width..rows.end * width];
            std_rows_backward(out, &dy[at.clone()], x, &stds[at], scratch);
        });
    })
}
