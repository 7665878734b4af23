//! Shapes of a convolution, and which taps of its kernel fall inside the image.

use std::ops::Range;

use crate::cpu::gather::{Class, Gather, Pixel, Right};
use crate::cpu::kernel::Segment;

/// Shapes of a two-dimensional convolution of channels-last images `(images, height, width,
/// channels)` with weights `(outputs, kernel_h, kernel_w, channels)`; zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images.
    pub images: usize,
    /// Height of an image, pixels.
    pub height: usize,
    /// Width of an image, pixels.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height of the kernel, pixels.
    pub kernel_h: usize,
    /// Width of the kernel, pixels.
    pub kernel_w: usize,
    /// Distance between windows, pixels; at least one.
    pub stride: usize,
    /// Zeros on each side, pixels.
    pub padding: usize,
}

impl Geometry {
    /// A product of matrices as the convolution it is: `rows` images of one pixel.
    pub(crate) fn matrix(rows: usize, channels: usize, outputs: usize) -> Geometry {
        let (height, width, kernel_h, kernel_w) = (1, 1, 1, 1);
        Geometry { images: rows, height, width, channels, outputs, kernel_h, kernel_w, stride: 1, padding: 0 }
    }

    /// Height of the output: `floor((height + 2 padding - kernel_h) / stride) + 1`.
    pub fn out_height(&self) -> usize {
        out_size(self.height, self.kernel_h, self.stride, self.padding)
    }

    /// Width of the output.
    pub fn out_width(&self) -> usize {
        out_size(self.width, self.kernel_w, self.stride, self.padding)
    }

    /// Numbers of the images.
    pub fn input_len(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }

    /// Numbers of one output channel's kernel.
    pub fn taps_len(&self) -> usize {
        self.kernel_h * self.kernel_w * self.channels
    }

    /// Numbers of the weights.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.taps_len()
    }

    /// Numbers of the output.
    pub fn output_len(&self) -> usize {
        self.images * self.out_height() * self.out_width() * self.outputs
    }

    /// Multiplications and additions of one direction, taps outside the image included.
    pub fn flops(&self) -> f64 {
        2.0 * self.output_len() as f64 * self.taps_len() as f64
    }

    pub(crate) fn rows(&self) -> Axis {
        Axis::forward(self.height, self.out_height(), self.kernel_h, self)
    }

    pub(crate) fn columns(&self) -> Axis {
        Axis::forward(self.width, self.out_width(), self.kernel_w, self)
    }

    /// The forward product: rows are output pixels, `k` runs over (tap, channel) as in the weights.
    pub(crate) fn forward(&self) -> (Gather, Right) {
        let gather = Gather {
            images: self.images,
            a_image: self.height * self.width * self.channels,
            out_image: self.out_height() * self.out_width() * self.outputs,
            depth: self.taps_len(),
            classes: classes(&self.rows(), &self.columns(), self.channels, self.outputs, self.out_width()),
        };
        (gather, Right::Columns { stride: self.taps_len() })
    }

    /// The products that make up the gradient of the input, one per phase: pixels whose coordinates
    /// have the same remainders by the stride meet the same taps, in reverse. Each pixel is in
    /// exactly one, so nothing is scattered.
    pub(crate) fn backward(&self) -> Vec<(Gather, Right)> {
        let mut phases = vec![];
        for phase_row in 0..self.stride.min(self.height) {
            for phase_column in 0..self.stride.min(self.width) {
                let rows = Axis::backward(self.height, self.out_height(), self.kernel_h, phase_row, self);
                let columns = Axis::backward(self.width, self.out_width(), self.kernel_w, phase_column, self);
                let tap = |row: usize, column: usize| (row * self.kernel_w + column) * self.channels;
                let runs = rows.taps.iter().flat_map(|row| columns.taps.iter().map(move |column| (row.1, column.1)));
                let runs: Vec<_> =
                    runs.map(|(row, column)| (tap(row, column), self.taps_len(), self.outputs)).collect();
                let gather = Gather {
                    images: self.images,
                    a_image: self.out_height() * self.out_width() * self.outputs,
                    out_image: self.height * self.width * self.channels,
                    depth: runs.len() * self.outputs,
                    classes: classes(&rows, &columns, self.outputs, self.channels, self.width),
                };
                phases.push((gather, Right::Rows(runs)));
            }
        }
        phases
    }
}

/// Pixels along one side of the output of a convolution; zero where the kernel does not fit.
pub fn out_size(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (size + 2 * padding).checked_sub(kernel).map_or(0, |room| room / stride + 1)
}

/// Windows along one side: window `i` reads `i * step + delta` for each tap's delta.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Windows.
    count: usize,
    /// Distance between windows.
    step: usize,
    /// Pixels that can be read.
    size: usize,
    /// `(delta, position in the kernel)`; deltas ascend by one.
    pub(crate) taps: Vec<(isize, usize)>,
    /// Pixel that window `i` writes: `out_start + i * out_step`.
    out_start: usize,
    out_step: usize,
}

impl Axis {
    fn forward(size: usize, count: usize, kernel: usize, geometry: &Geometry) -> Axis {
        let taps = (0..kernel).map(|tap| (tap as isize - geometry.padding as isize, tap)).collect();
        Axis { count, step: geometry.stride, size, taps, out_start: 0, out_step: 1 }
    }

    fn backward(size: usize, out_size: usize, kernel: usize, phase: usize, geometry: &Geometry) -> Axis {
        // Pixel x was read by window (x + padding - tap) / stride wherever that is whole.
        let stride = geometry.stride as isize;
        let numerator = |tap: usize| phase as isize + geometry.padding as isize - tap as isize;
        let taps = (0..kernel).rev().filter(|&tap| numerator(tap).rem_euclid(stride) == 0);
        Axis {
            count: (size - phase).div_ceil(geometry.stride),
            step: 1,
            size: out_size,
            taps: taps.map(|tap| (numerator(tap) / stride, tap)).collect(),
            out_start: phase,
            out_step: geometry.stride,
        }
    }

    /// Taps of window `index` that fall inside.
    fn inside(&self, index: usize) -> Range<usize> {
        let at = (index * self.step) as isize;
        let start = self.taps.partition_point(|tap| at + tap.0 < 0);
        let end = self.taps.partition_point(|tap| at + tap.0 < self.size as isize);
        if start < end { start..end } else { 0..0 }
    }

    /// Windows for which tap `tap` falls inside.
    pub(crate) fn windows(&self, tap: usize) -> Range<usize> {
        let delta = self.taps[tap].0;
        let start = ((-delta).max(0) as usize).div_ceil(self.step);
        let end = (self.size as isize - delta).max(0) as usize;
        let end = end.div_ceil(self.step).min(self.count);
        start.min(end)..end
    }

    /// Windows with the same taps inside, neighbouring ones together.
    fn groups(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let mut groups: Vec<(Range<usize>, Range<usize>)> = vec![];
        for index in 0..self.count {
            let taps = self.inside(index);
            match groups.last_mut() {
                Some((last, windows)) if *last == taps => windows.end = index + 1,
                _ => groups.push((taps, index..index + 1)),
            }
        }
        groups
    }
}

/// Classes of windows; `left` numbers per pixel read, `right` per pixel written, `out_width` pixels
/// in a row of the output.
fn classes(rows: &Axis, columns: &Axis, left: usize, right: usize, out_width: usize) -> Vec<Class> {
    let mut classes = vec![];
    let first = |axis: &Axis| axis.taps.first().map_or(0, |tap| tap.0);
    for (row_taps, row_windows) in rows.groups() {
        for (column_taps, column_windows) in columns.groups() {
            let pixel = |i: usize, j: usize| {
                let row = (i * rows.step) as isize + first(rows);
                let column = (j * columns.step) as isize + first(columns);
                let (out_row, out_column) =
                    (rows.out_start + i * rows.out_step, columns.out_start + j * columns.out_step);
                Pixel {
                    a: (row * columns.size as isize + column) * left as isize,
                    out: (out_row * out_width + out_column) * right,
                }
            };
            // Taps of one row are neighbours in the image and in the weights: one run.
            let segment = |tap: usize| Segment {
                a: ((tap * columns.size + column_taps.start) * left) as isize,
                b: (tap * columns.taps.len() + column_taps.start) * left,
                len: column_taps.len() * left,
            };
            let column_windows = &column_windows;
            classes.push(Class {
                pixels: row_windows.clone().flat_map(|i| column_windows.clone().map(move |j| pixel(i, j))).collect(),
                segments: row_taps.clone().map(segment).filter(|segment| segment.len > 0).collect(),
            });
        }
    }
    classes
}
