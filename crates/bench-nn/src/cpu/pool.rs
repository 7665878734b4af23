//! Pooling over image windows, channels last.
//!
//! What: maximum of each window with the place of its first maximum (row-major within the window,
//! one byte), the map back, and the mean of whole images.
//! Why: padding counts as minus infinity. Ties and not-a-number follow PyTorch: the first maximum
//! of a window gets the gradient, and a not-a-number wins.

// Many slices of one length: an index reads better than nested zips.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use super::collect;
use crate::Element;

/// Sizes of a pooling, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) out_height: usize,
    pub(crate) out_width: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

vectorised! {
    /// Maxima over `cells`, pairs of (start of a pixel in `x`, its place in the window), for one output.
    fn window_maxima<T: Element>(best: &mut [T], places: &mut [u8], wide: &mut [u32], x: &[T], cells: &[(usize, u8)]) {
        let channels = best.len();
        let (wide, places) = (&mut wide[..channels], &mut places[..channels]);
        best.copy_from_slice(&x[cells[0].0..][..channels]);
        wide.fill(u32::from(cells[0].1));
        for &(pixel, here) in &cells[1..] {
            let x = &x[pixel..][..channels];
            for i in 0..channels {
                // Not-a-number differs from itself and replaces whatever was best.
                #[allow(clippy::eq_op)]
                let larger = (x[i] > best[i]) | (x[i] != x[i]);
                best[i] = if larger { x[i] } else { best[i] };
                wide[i] = if larger { u32::from(here) } else { wide[i] };
            }
        }
        for i in 0..channels {
            places[i] = wide[i] as u8;
        }
    }

    /// Sum of `dy` over the `cells`, pairs of (start of an output, place in its window), whose maximum was
    /// at that place.
    fn window_gradient<T: Element>(out: &mut [T], dy: &[T], places: &[u8], cells: &[(usize, u8)]) {
        let channels = out.len();
        out.fill(T::ZERO);
        for &(cell, here) in cells {
            let (dy, places) = (&dy[cell..][..channels], &places[cell..][..channels]);
            for i in 0..channels {
                out[i] += if places[i] == here { dy[i] } else { T::ZERO };
            }
        }
    }

    fn add_rows<T: Element>(out: &mut [T], rows: &[T]) {
        let width = out.len();
        for row in rows.chunks_exact(width) {
            for i in 0..width {
                out[i] += row[i];
            }
        }
    }

    fn repeat_row<T: Element>(out: &mut [T], row: &[T], factor: T) {
        for out in out.chunks_exact_mut(row.len()) {
            for i in 0..row.len() {
                out[i] = row[i] * factor;
            }
        }
    }
}

/// Maxima of `(n, height, width, channels)` and where in its window each lies.
pub(crate) fn max_forward<T: Element>(x: &[T], window: Window) -> (Vec<T>, Vec<u8>) {
    let Window { height, width, channels, out_height, out_width, kernel, stride, padding } = window;
    // Rows (or columns) of the window of an output that lie in the image.
    let inside = |at: usize, size: usize| {
        let start = at * stride;
        padding.saturating_sub(start)..kernel.min(size + padding - start)
    };
    let image = height * width * channels;
    let row = out_width * channels;
    let outputs = x.len().checked_div(image).unwrap_or(0) * out_height * row;
    let mut maxima = vec![];
    let places = collect(outputs, |places| {
        maxima = collect(outputs, |maxima| {
            let rows = maxima.par_chunks_mut(row).zip(places.par_chunks_mut(row)).enumerate();
            let scratch = || (vec![], vec![0; channels]);
            rows.for_each_init(scratch, |(cells, wide), (index, (maxima, places))| {
                let x = &x[index / out_height * image..][..image];
                let out_row = index % out_height;
                let outputs = maxima.chunks_exact_mut(channels).zip(places.chunks_exact_mut(channels));
                for (out_column, (best, places)) in outputs.enumerate() {
                    cells.clear();
                    for i in inside(out_row, height) {
                        for j in inside(out_column, width) {
                            let pixel = (out_row * stride + i - padding) * width + out_column * stride + j - padding;
                            cells.push((pixel * channels, (i * kernel + j) as u8));
                        }
                    }
                    window_maxima(best, places, wide, x, cells);
                }
            });
        });
    });
    (maxima, places)
}

/// Gradient of the images from that of the maxima. Each pixel gathers from the windows that cover
/// it, so pixels are independent.
pub(crate) fn max_backward<T: Element>(dy: &[T], places: &[u8], images: usize, window: Window) -> Vec<T> {
    let Window { height, width, channels, out_height, out_width, kernel, stride, padding } = window;
    // Outputs whose window covers a padded row (or column).
    let covering = |at: usize, outputs: usize| {
        let first = (at + 1).saturating_sub(kernel).div_ceil(stride);
        first..(at / stride + 1).min(outputs)
    };
    collect(images * height * width * channels, |out| {
        let rows = out.par_chunks_mut(width * channels).enumerate();
        rows.for_each_init(Vec::new, |cells, (index, out)| {
            let (image, in_row) = (index / height, index % height + padding);
            for (in_column, out) in out.chunks_exact_mut(channels).enumerate() {
                let in_column = in_column + padding;
                cells.clear();
                for i in covering(in_row, out_height) {
                    for j in covering(in_column, out_width) {
                        let place = (in_row - i * stride) * kernel + in_column - j * stride;
                        cells.push((((image * out_height + i) * out_width + j) * channels, place as u8));
                    }
                }
                window_gradient(out, dy, places, cells);
            }
        });
    })
}

/// Mean over the pixels of each image: `(n, pixels, channels)` to `(n, channels)`.
pub(crate) fn mean_forward<T: Element>(x: &[T], pixels: usize, channels: usize) -> Vec<T> {
    let factor = T::of_f64(1.0 / pixels as f64);
    collect(x.len() / pixels, |out| {
        out.par_chunks_mut(channels).zip(x.par_chunks(pixels * channels)).for_each(|(out, x)| {
            out.fill(T::ZERO);
            // Sums of sums of 64 pixels: the rounding error grows with 64 + pixels / 64.
            let mut part = vec![T::ZERO; channels];
            for block in x.chunks(64 * channels) {
                part.fill(T::ZERO);
                add_rows(&mut part, block);
                add_rows(out, &part);
            }
            for out in out.iter_mut() {
                *out *= factor;
            }
        });
    })
}

/// Gradient of the images from that of their means.
pub(crate) fn mean_backward<T: Element>(dy: &[T], pixels: usize, channels: usize) -> Vec<T> {
    let factor = T::of_f64(1.0 / pixels as f64);
    collect(dy.len() * pixels, |out| {
        out.par_chunks_mut(pixels * channels)
            .zip(dy.par_chunks(channels))
            .for_each(|(out, dy)| repeat_row(out, dy, factor));
    })
}
