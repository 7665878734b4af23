//! Products that sum over pixels: the gradient of a convolution's weights.
//!
//! `out[o][(tap, c)] = sum over output pixels p: dy[p][o] * x[p * stride + tap][c]`
//!
//! The pixels are taken in blocks. Of each block, `dy` is packed so that the few channels of a tile
//! lie together; `x` is read where it is, a list of steps naming the pixels that tap meets inside
//! the image (for 3x3 kernels on 3x3 images four in ten are outside). Images of few channels, for
//! which a tap would fill only part of a vector, are unrolled instead: one row per pixel with all
//! taps, zero outside.
//!
//! Few weights and many pixels (the first layers): the blocks are dealt to a fixed number of
//! partial sums, which are added in order. Many weights: the columns are dealt to tasks, too.

use std::ops::Range;

use rayon::prelude::*;

use crate::Element;
use crate::cpu::gather::{Shared, even};
use crate::cpu::geometry::{Axis, Geometry};
use crate::cpu::kernel::{MAX_ROWS, Panel, Step, Tiles};
use crate::cpu::scratch;

/// Tasks to aim at.
const TASKS: usize = 16;
/// Most tasks of a problem whose partial sums are shared.
const MOST_TASKS: usize = 64;
/// Numbers that one task adds up at a time.
const CHUNK: usize = 4096;
/// Numbers of packed `dy` or unrolled `x` that stay in the second-level cache.
const BLOCK_NUMBERS: usize = 65_536;
/// Pixels of a block.
const BLOCK_PIXELS: Range<usize> = 96..512;

/// A convolution's shapes and how its sum over pixels is cut.
struct Plan<'a, T: 'static> {
    tiles: &'a Tiles<T>,
    geometry: Geometry,
    rows: Axis,
    columns: Axis,
    /// Rows of output pixels of all images, and how many make a block.
    lines: usize,
    block_lines: usize,
    /// Whether `x` is unrolled, and the numbers of one unrolled pixel.
    unrolled: Option<usize>,
    jobs: Vec<Job>,
}

/// Some columns of the output.
#[derive(Clone, Copy)]
struct Job {
    /// Row and column of the tap; the first one where `x` is unrolled.
    tap: (usize, usize),
    /// Columns among those of the tap, or among all where `x` is unrolled.
    panel: Panel,
    /// First column of the output.
    out: usize,
}

impl<'a, T: Element> Plan<'a, T> {
    fn new(tiles: &'a Tiles<T>, geometry: Geometry) -> Plan<'a, T> {
        let g = &geometry;
        let unrolled = (!g.channels.is_multiple_of(tiles.lanes)).then(|| tiles.padded(g.taps_len()));
        let columns = if unrolled.is_some() { g.taps_len() } else { g.channels };
        let taps = if unrolled.is_some() { (1, 1) } else { (g.kernel_h, g.kernel_w) };
        let mut jobs = vec![];
        for row in 0..taps.0 {
            for column in 0..taps.1 {
                for index in 0..tiles.panels(columns) {
                    let panel = tiles.panel(columns, index);
                    let out = (row * g.kernel_w + column) * g.channels + panel.start;
                    jobs.push(Job { tap: (row, column), panel, out });
                }
            }
        }
        let pixels =
            (BLOCK_NUMBERS / g.outputs.max(unrolled.unwrap_or(0)).max(1)).clamp(BLOCK_PIXELS.start, BLOCK_PIXELS.end);
        let block_lines = (pixels / g.out_width().max(1)).max(1);
        let lines = g.images * g.out_height();
        Plan { tiles, geometry, rows: g.rows(), columns: g.columns(), lines, block_lines, unrolled, jobs }
    }

    fn blocks(&self) -> usize {
        self.lines.div_ceil(self.block_lines)
    }

    fn block(&self, index: usize) -> Range<usize> {
        let start = index * self.block_lines;
        start..self.lines.min(start + self.block_lines)
    }

    /// Partial sums: as many as there are tasks, unless adding them would cost more than a small
    /// part of reading the pixels.
    fn parts(&self) -> usize {
        let g = &self.geometry;
        let read = self.lines * g.out_width() * (g.channels + g.outputs);
        (read / (4 * g.weight_len().max(1))).clamp(1, TASKS).min(self.blocks().max(1))
    }

    /// Blocks of a partial sum.
    fn blocks_of(&self, part: usize, parts: usize) -> Range<usize> {
        part * self.blocks() / parts..(part + 1) * self.blocks() / parts
    }

    /// Numbers of `dy` of one block, packed.
    fn packed_len(&self) -> usize {
        self.geometry.outputs.div_ceil(self.tiles.rows) * self.tiles.rows * self.block_lines * self.geometry.out_width()
    }

    fn unrolled_len(&self) -> usize {
        self.unrolled.unwrap_or(0) * self.block_lines * self.geometry.out_width()
    }

    /// Packs `dy` of a block, and unrolls `x` if it is to be.
    ///
    /// # Safety
    /// There is room for [`Plan::packed_len`] and [`Plan::unrolled_len`].
    unsafe fn pack(&self, x: &[T], dy: &[T], block: usize, left: *mut T, unrolled: *mut T) {
        let lines = self.block(block);
        // SAFETY: the caller's.
        unsafe {
            self.pack_left(dy, lines.clone(), left);
            if let Some(row_len) = self.unrolled {
                self.unroll(x, lines, row_len, unrolled);
            }
        }
    }

    /// Packs `dy` of some lines: for each tile of channels, `tiles.rows` numbers a pixel.
    ///
    /// # Safety
    /// `out` has room for [`Plan::packed_len`].
    unsafe fn pack_left(&self, dy: &[T], lines: Range<usize>, out: *mut T) {
        let (outputs, width, slot) = (self.geometry.outputs, self.geometry.out_width(), self.tiles.rows);
        let pixels = lines.len() * width;
        let from = dy[lines.start * width * outputs..lines.end * width * outputs].as_ptr();
        // A few pixels at a time, whose rows stay in the first cache while the tiles pass.
        let group = (2048 / outputs).max(1);
        for first in (0..pixels).step_by(group) {
            let count = group.min(pixels - first);
            for (index, tile) in even(0..outputs, slot).enumerate() {
                // SAFETY: `from` spans all pixels; `out` has a slot for each tile and pixel.
                unsafe {
                    let from = from.add(first * outputs + tile.start);
                    let out = out.add((index * pixels + first) * slot);
                    match tile.len() {
                        6 => copy_rows::<T, 6>(from, outputs, out, slot, count),
                        5 => copy_rows::<T, 5>(from, outputs, out, slot, count),
                        4 => copy_rows::<T, 4>(from, outputs, out, slot, count),
                        3 => copy_rows::<T, 3>(from, outputs, out, slot, count),
                        2 => copy_rows::<T, 2>(from, outputs, out, slot, count),
                        _ => copy_rows::<T, 1>(from, outputs, out, slot, count),
                    }
                }
            }
        }
    }

    /// Unrolls `x` of some lines of output pixels: one row per pixel, all taps, zero outside.
    ///
    /// # Safety
    /// `out` has room for [`Plan::unrolled_len`].
    unsafe fn unroll(&self, x: &[T], lines: Range<usize>, row_len: usize, out: *mut T) {
        let g = &self.geometry;
        let (out_height, out_width) = (g.out_height(), g.out_width());
        let (run, line_len) = (g.kernel_w * g.channels, g.width * g.channels);
        let inside = |first: isize, kernel: usize, size: usize| {
            let clamp = |at: isize| at.clamp(0, kernel as isize) as usize;
            clamp(-first)..clamp(size as isize - first).max(clamp(-first))
        };
        for (index, line) in lines.enumerate() {
            let (image, row) = (line / out_height, line % out_height);
            let first_row = (row * g.stride) as isize - g.padding as isize;
            let rows = inside(first_row, g.kernel_h, g.height);
            for column in 0..out_width {
                let first = (column * g.stride) as isize - g.padding as isize;
                let columns = inside(first, g.kernel_w, g.width);
                // SAFETY: one row of `row_len` for each pixel of the block.
                let to =
                    unsafe { std::slice::from_raw_parts_mut(out.add((index * out_width + column) * row_len), row_len) };
                to[g.taps_len()..].fill(T::ZERO);
                if rows.len() < g.kernel_h || columns.len() < g.kernel_w {
                    to.fill(T::ZERO);
                }
                if rows.is_empty() || columns.is_empty() {
                    continue;
                }
                let line = image * g.height + (first_row + rows.start as isize) as usize;
                let start = line * line_len + (first + columns.start as isize) as usize * g.channels;
                let (to_start, len) = (rows.start * run + columns.start * g.channels, columns.len() * g.channels);
                let (from, to) = (&x[start..start + (rows.len() - 1) * line_len + len], &mut to[to_start..]);
                assert!((rows.len() - 1) * run + len <= to.len());
                // SAFETY: the last run ends inside both slices.
                unsafe { T::copy_rows(from.as_ptr(), line_len, to.as_mut_ptr(), run, rows.len(), len) };
            }
        }
    }

    /// The pixels of some lines that a tap meets inside the image. Offsets in `x` count from the
    /// start of the first line's image, which is returned.
    fn steps(&self, lines: Range<usize>, tap: (usize, usize), steps: &mut Vec<Step>) -> usize {
        let g = &self.geometry;
        let (slot, out_width, out_height) = (self.tiles.rows, g.out_width(), g.out_height());
        steps.clear();
        let image_len = g.height * g.width * g.channels;
        let base = lines.start / out_height * image_len;
        let (inside, columns) = (self.rows.windows(tap.0), self.columns.windows(tap.1));
        for (index, line) in lines.enumerate() {
            let (image, row) = (line / out_height, line % out_height);
            if !inside.contains(&row) {
                continue;
            }
            let y = row * g.stride + tap.0 - g.padding;
            for column in columns.clone() {
                let pixel = y * g.width + column * g.stride + tap.1 - g.padding;
                let b = image * image_len + pixel * g.channels - base;
                steps.push(Step { a: ((index * out_width + column) * slot) as u32, b: b as u32 });
            }
        }
        base
    }

    /// Adds one block to the columns `jobs` of `out`.
    ///
    /// # Safety
    /// `left` is the block packed, `unrolled` the block unrolled if the plan says so, `out` the
    /// whole output, of which no one else touches these columns.
    #[allow(clippy::too_many_arguments)] // The loop's operands; a struct would only rename them.
    unsafe fn multiply(
        &self,
        x: &[T],
        left: *const T,
        unrolled: *const T,
        lines: Range<usize>,
        jobs: &[Job],
        out: Shared<T>,
        add: bool,
        lists: &mut Lists,
    ) {
        let g = &self.geometry;
        let pixels = lines.len() * g.out_width();
        let (slot, taps_len) = (self.tiles.rows, g.taps_len());
        scratch::with(if self.copied() { pixels * self.tiles.width() } else { 0 }, |room: *mut T| {
            let mut right = unrolled;
            let mut tap = None;
            for job in jobs {
                let Panel { start, columns, vectors, width } = job.panel;
                if tap != Some(job.tap) {
                    tap = Some(job.tap);
                    if let Some(row_len) = self.unrolled {
                        lists.steps.clear();
                        lists.steps.extend((0..pixels).map(|p| Step { a: (p * slot) as u32, b: (p * row_len) as u32 }));
                    } else {
                        let base = self.steps(lines.clone(), job.tap, &mut lists.steps);
                        right = x[base..].as_ptr();
                    }
                }
                // SAFETY: a panel's columns are numbers of each pixel of the steps, which lie in the
                // block and the image; the scratch has a row for each.
                let (right, steps) = unsafe {
                    if self.copied() {
                        lists.copied.clear();
                        for (row, step) in lists.steps.iter().enumerate() {
                            let from = right.add(start + step.b as usize);
                            T::copy_rows(from, 0, room.add(row * width), 0, 1, width);
                            lists.copied.push(Step { a: step.a, b: (row * width) as u32 });
                        }
                        (room.cast_const(), &lists.copied)
                    } else {
                        (right.add(start), &lists.steps)
                    }
                };
                let kernels = self.tiles.outer[vectors - 1];
                for (index, tile) in even(0..g.outputs, slot).enumerate() {
                    let row = |row: usize| out.get().wrapping_add((tile.start + row) * taps_len);
                    let outs: [*mut T; MAX_ROWS] = std::array::from_fn(row);
                    // SAFETY: as above; the first rows of `outs`, as many as the tile has, are in the output.
                    unsafe {
                        let left = left.add(index * pixels * slot);
                        kernels[tile.len() - 1](left, right, steps, outs.as_ptr(), job.out, columns, add);
                    }
                }
            }
        });
    }

    /// Whether a panel's columns are copied together before the tiles pass: where pixels lie further
    /// apart than the panel is wide, reading them there is slower than the copy, which serves all
    /// tiles.
    fn copied(&self) -> bool {
        self.unrolled.is_none() && self.geometry.channels * self.geometry.stride > self.tiles.width()
    }
}

/// Steps of a tap, and the same with the offsets of copied columns.
#[derive(Default)]
struct Lists {
    steps: Vec<Step>,
    copied: Vec<Step>,
}

/// Copies `N` numbers from each of `count` rows.
///
/// # Safety
/// All rows are valid.
#[inline(always)]
unsafe fn copy_rows<T: Copy, const N: usize>(
    from: *const T,
    from_stride: usize,
    to: *mut T,
    to_stride: usize,
    count: usize,
) {
    for row in 0..count {
        // SAFETY: the caller's.
        unsafe {
            to.add(row * to_stride)
                .cast::<[T; N]>()
                .write_unaligned(from.add(row * from_stride).cast::<[T; N]>().read_unaligned())
        };
    }
}

/// Gradient of the weights into `out`, `(outputs, taps_len)`, every number of which is written.
pub(crate) fn weight_gradient<T: Element>(tiles: &Tiles<T>, x: &[T], dy: &[T], geometry: Geometry, out: &mut [T]) {
    let plan = Plan::new(tiles, geometry);
    if geometry.output_len() == 0 || geometry.channels == 0 {
        return out.fill(T::ZERO);
    }
    let images = plan.block_lines / geometry.out_height() + 2;
    let reach =
        (images * geometry.height * geometry.width * geometry.channels).max(plan.packed_len()).max(plan.unrolled_len());
    assert!(u32::try_from(reach).is_ok(), "a block of pixels has fewer than 2^32 numbers");
    let parts = plan.parts();
    let len = geometry.weight_len();
    let out = Shared(out.as_mut_ptr());
    scratch::with((parts - 1) * len, |partial: *mut T| {
        let partial = Shared(partial);
        let sum = |part: usize| if part == 0 { out } else { Shared(partial.get().wrapping_add((part - 1) * len)) };
        if 2 * parts > TASKS {
            whole_parts(&plan, x, dy, parts, sum)
        } else {
            shared_parts(&plan, x, dy, parts, sum)
        }
        (0..len.div_ceil(CHUNK)).into_par_iter().filter(|_| parts > 1).for_each(|chunk| {
            let range = chunk * CHUNK..len.min((chunk + 1) * CHUNK);
            // SAFETY: every part wrote all its numbers; chunks are disjoint.
            unsafe {
                let total = std::slice::from_raw_parts_mut(out.get().add(range.start), range.len());
                for part in 1..parts {
                    let part = std::slice::from_raw_parts(sum(part).get().add(range.start), range.len());
                    total.iter_mut().zip(part).for_each(|(total, part)| *total += *part);
                }
            }
        });
    });
}

/// One task per partial sum, which packs its blocks as it comes to them and computes all columns.
fn whole_parts<T: Element>(
    plan: &Plan<'_, T>,
    x: &[T],
    dy: &[T],
    parts: usize,
    sum: impl Fn(usize) -> Shared<T> + Sync,
) {
    (0..parts).into_par_iter().with_max_len(1).for_each(|part| {
        let blocks = plan.blocks_of(part, parts);
        scratch::with(plan.packed_len(), |left| {
            scratch::with(plan.unrolled_len(), |unrolled| {
                let mut lists = Lists::default();
                for block in blocks.clone() {
                    // SAFETY: the scratch has the lengths asked for; each part has its own sum.
                    unsafe {
                        plan.pack(x, dy, block, left, unrolled);
                        let add = block > blocks.start;
                        plan.multiply(x, left, unrolled, plan.block(block), &plan.jobs, sum(part), add, &mut lists);
                    }
                }
            });
        });
    });
}

/// Several tasks per partial sum, each with its columns; the blocks are packed beforehand.
fn shared_parts<T: Element>(
    plan: &Plan<'_, T>,
    x: &[T],
    dy: &[T],
    parts: usize,
    sum: impl Fn(usize) -> Shared<T> + Sync,
) {
    let (left_len, unrolled_len) = (plan.packed_len(), plan.unrolled_len());
    scratch::with(plan.blocks() * left_len, |left: *mut T| {
        scratch::with(plan.blocks() * unrolled_len, |unrolled: *mut T| {
            let (left, unrolled) = (Shared(left), Shared(unrolled));
            let room = |block: usize| {
                (left.get().wrapping_add(block * left_len), unrolled.get().wrapping_add(block * unrolled_len))
            };
            (0..plan.blocks()).into_par_iter().with_max_len(1).for_each(|block| {
                let (left, unrolled) = room(block);
                // SAFETY: each block has its own room.
                unsafe { plan.pack(x, dy, block, left, unrolled) };
            });
            let groups = plan.jobs.len().min((MOST_TASKS / parts).max(1));
            (0..parts * groups).into_par_iter().with_max_len(1).for_each(|task| {
                let (part, group) = (task / groups, task % groups);
                let jobs = &plan.jobs[group * plan.jobs.len() / groups..(group + 1) * plan.jobs.len() / groups];
                let blocks = plan.blocks_of(part, parts);
                let mut lists = Lists::default();
                for block in blocks.clone() {
                    let (left, unrolled) = room(block);
                    // SAFETY: tasks own their columns of their part.
                    unsafe {
                        let add = block > blocks.start;
                        plan.multiply(x, left, unrolled, plan.block(block), jobs, sum(part), add, &mut lists);
                    }
                }
            });
        });
    });
}
