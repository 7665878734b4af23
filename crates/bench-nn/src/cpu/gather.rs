//! Products whose left factor is gathered from an image: rows are pixels, the sum runs over the
//! taps of a kernel and their channels.
//!
//! `out[pixel][c] = sum over taps t, channels i: image[pixel + t][i] * right[(t, i)][c]`
//!
//! The right factor (weights) is packed once into panels of the tile's width. Pixels whose window
//! lies equally across the border form a class with its own list of segments, so taps outside the
//! image cost nothing: for 3x3 kernels on 3x3 images, four products in ten.
//!
//! Work is cut by the problem's size alone, into groups of images times panels; the sum over `k`
//! of one number is done by one thread, in order, in blocks that keep a panel in the second cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::kernel::{Kernel, MAX_ROWS, Panel, Segment, Tiles};
use crate::cpu::scratch;

/// Bytes of a panel that stay in the second-level cache while the rows pass.
const BLOCK_BYTES: usize = 384 * 1024;
/// Tasks to aim at, and the range of rows of one.
const TASKS: usize = 16;
const TASK_ROWS: Range<usize> = 128..1024;
/// Rows of the right factor that are packed at once.
const PACK_ROWS: usize = 256;

/// One row of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixel {
    /// Where its window starts in the image of the left factor; may lie outside.
    pub(crate) a: isize,
    /// Where its row starts in the image of the output.
    pub(crate) out: usize,
}

/// Pixels whose windows have the same taps inside the image.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) pixels: Vec<Pixel>,
    /// The taps inside, as runs; ascending in `b`.
    pub(crate) segments: Vec<Segment>,
}

/// Which numbers of the left factor meet which rows of the right one.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub(crate) images: usize,
    /// Numbers of one image of the left factor.
    pub(crate) a_image: usize,
    /// Numbers of one image of the output.
    pub(crate) out_image: usize,
    /// Rows of the right factor.
    pub(crate) depth: usize,
    pub(crate) classes: Vec<Class>,
}

/// How the right factor, `depth` rows by some columns, lies in memory.
#[derive(Clone, Debug)]
pub(crate) enum Right {
    /// Rows are contiguous; runs of them, each `(first offset, distance between rows, rows)`.
    Rows(Vec<(usize, usize, usize)>),
    /// Columns are contiguous, `stride` apart.
    Columns { stride: usize },
}

/// A pointer that tasks share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub(crate) *mut T);
// SAFETY: those who write through it do so at places that no other task touches.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}

/// Computes the products of all `phases`, which write different pixels of one output.
///
/// # Safety
/// Every window offset that a class's segments reach must lie inside `a`, every `Right` offset
/// inside `right_values`, and `out` must have room for `columns` numbers at each pixel, which may
/// be uninitialised. Pixels are distinct. All phases have the same number of images.
pub(crate) unsafe fn product<T: Kernel>(
    tiles: &Tiles<T>,
    a: &[T],
    phases: &[(Gather, Right)],
    right_values: &[T],
    columns: usize,
    out: Shared<T>,
) {
    let images = phases.first().map_or(0, |(gather, _)| gather.images);
    let pixels: usize = phases.iter().flat_map(|(gather, _)| &gather.classes).map(|class| class.pixels.len()).sum();
    let depth: usize = phases.iter().map(|(gather, _)| gather.depth).sum();
    let panels = tiles.panels(columns);
    if panels * pixels * images == 0 {
        return;
    }
    let depths = phases.iter().scan(0, |end, (gather, _)| Some(std::mem::replace(end, *end + gather.depth)));
    let depths: Vec<usize> = depths.collect();
    // Panels lie one after the other, in each the phases.
    scratch::with(depth * tiles.padded(columns), |packed: *mut T| {
        let packed = Shared(packed);
        let chunks = |phase: usize| {
            let depth = phases[phase].0.depth;
            (0..depth).step_by(PACK_ROWS).map(move |first| (phase, first..depth.min(first + PACK_ROWS)))
        };
        let chunks: Vec<(usize, Range<usize>)> = (0..phases.len()).flat_map(chunks).collect();
        (0..panels * chunks.len()).into_par_iter().with_max_len(1).for_each(|task| {
            let panel = tiles.panel(columns, task / chunks.len());
            let (phase, rows) = chunks[task % chunks.len()].clone();
            // SAFETY: tasks write disjoint rows and panels of the scratch.
            unsafe {
                let to = packed.get().add(panel.start * depth + depths[phase] * panel.width);
                pack(right_values, &phases[phase].1, panel, rows, to);
            }
        });
        let size = (BLOCK_BYTES / size_of::<T>() / tiles.width()).max(64);
        let blocks: Vec<_> = phases.iter().map(|(gather, _)| blocks(gather, size)).collect();
        let per_task = group(images, pixels, panels);
        (0..images.div_ceil(per_task) * panels).into_par_iter().with_max_len(1).for_each(|task| {
            let panel = tiles.panel(columns, task % panels);
            let first = task / panels * per_task;
            let images = first..images.min(first + per_task);
            for (phase, (gather, _)) in phases.iter().enumerate() {
                // SAFETY: tasks write disjoint images and columns; the rest is the caller's.
                unsafe {
                    let right = packed.get().add(panel.start * depth + depths[phase] * panel.width);
                    run(tiles, a, gather, &blocks[phase], right, panel, images.clone(), out);
                }
            }
        });
    });
}

/// Images of one task.
fn group(images: usize, pixels: usize, panels: usize) -> usize {
    let wanted = images * panels / TASKS;
    wanted.clamp(TASK_ROWS.start.div_ceil(pixels), TASK_ROWS.end.div_ceil(pixels)).clamp(1, images)
}

/// Copies `rows` of a panel of the right factor into `out` (the panel's start), `width` numbers a
/// row; columns that do not exist become zero.
///
/// # Safety
/// See [`product`]; `out` has room for the panel.
unsafe fn pack<T: Kernel>(values: &[T], right: &Right, panel: Panel, rows: Range<usize>, out: *mut T) {
    let Panel { start, columns, width, .. } = panel;
    // SAFETY: the caller's.
    unsafe {
        if columns < width {
            out.add(rows.start * width).write_bytes(0, rows.len() * width);
        }
        match right {
            Right::Columns { stride } => {
                let from = values.as_ptr().add(start * stride + rows.start);
                T::transpose(from, *stride, out.add(rows.start * width), width, rows.len(), columns);
            }
            Right::Rows(runs) => {
                let mut run_start = 0;
                for &(offset, stride, len) in runs {
                    for k in rows.start.max(run_start)..rows.end.min(run_start + len) {
                        let from = values.as_ptr().add(offset + (k - run_start) * stride + start);
                        from.copy_to_nonoverlapping(out.add(k * width), columns);
                    }
                    run_start += len;
                }
            }
        }
    }
}

/// Segments of one class in one block of `k`.
struct Part {
    class: usize,
    segments: Vec<Segment>,
    add: bool,
}

/// Cuts the sum over `k` every `size` rows of the right factor.
fn blocks(gather: &Gather, size: usize) -> Vec<Vec<Part>> {
    let mut started = vec![false; gather.classes.len()];
    (0..gather.depth.div_ceil(size).max(1))
        .map(|block| {
            let limits = block * size..(block + 1) * size;
            let parts = gather.classes.iter().enumerate().filter_map(|(class, Class { segments, .. })| {
                let inside = segments.iter().filter_map(|segment| clip(segment, &limits)).collect::<Vec<_>>();
                // A class without any tap is written once, as zero.
                let needed = !inside.is_empty() || (segments.is_empty() && block == 0);
                needed.then(|| Part { class, segments: inside, add: std::mem::replace(&mut started[class], true) })
            });
            parts.collect()
        })
        .collect()
}

fn clip(segment: &Segment, limits: &Range<usize>) -> Option<Segment> {
    let start = segment.b.max(limits.start);
    let end = (segment.b + segment.len).min(limits.end);
    (start < end).then(|| Segment { a: segment.a + (start - segment.b) as isize, b: start, len: end - start })
}

/// One task: a panel for some images.
///
/// # Safety
/// See [`product`]; `right` is the packed panel.
#[allow(clippy::too_many_arguments)] // The loop's operands; a struct would only rename them.
unsafe fn run<T: Kernel>(
    tiles: &Tiles<T>,
    a: &[T],
    gather: &Gather,
    blocks: &[Vec<Part>],
    right: *const T,
    panel: Panel,
    images: Range<usize>,
    out: Shared<T>,
) {
    let mut rows: Vec<*const T> = vec![];
    let mut outs: Vec<*mut T> = vec![];
    let mut ends = vec![];
    for class in &gather.classes {
        for image in images.clone() {
            let (a, out) =
                (a.as_ptr().wrapping_add(image * gather.a_image), out.get().wrapping_add(image * gather.out_image));
            rows.extend(class.pixels.iter().map(|pixel| a.wrapping_offset(pixel.a)));
            outs.extend(class.pixels.iter().map(|pixel| out.wrapping_add(pixel.out)));
        }
        ends.push(rows.len());
    }
    let kernels = tiles.dot[panel.vectors - 1];
    for part in blocks.iter().flatten() {
        let start = if part.class == 0 { 0 } else { ends[part.class - 1] };
        for tile in even(start..ends[part.class], tiles.rows) {
            let (rows, outs) = (rows[tile.clone()].as_ptr(), outs[tile.clone()].as_ptr());
            // SAFETY: the pointers were made from the gather, whose segments the caller vouches for.
            unsafe { kernels[tile.len() - 1](rows, &part.segments, right, outs, panel.start, panel.columns, part.add) };
        }
    }
}

/// Cuts a range into as few pieces of at most `most` as there must be, of nearly equal length: a
/// last piece of one row would read the whole panel for a sixth of the work.
pub(crate) fn even(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    debug_assert!(most <= MAX_ROWS);
    let pieces = range.len().div_ceil(most);
    let (short, longer) = (range.len() / pieces.max(1), range.len() % pieces.max(1));
    let mut start = range.start;
    (0..pieces).map(move |piece| {
        let end = start + short + usize::from(piece < longer);
        std::mem::replace(&mut start, end)..end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_pieces_cover_the_range_and_differ_by_at_most_one() {
        for len in 0..40 {
            let pieces: Vec<_> = even(3..3 + len, 6).collect();
            assert_eq!(pieces.len(), len.div_ceil(6));
            assert_eq!(pieces.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (3..3 + len).collect::<Vec<_>>());
            let longest = pieces.iter().map(Range::len).max();
            assert!(pieces.iter().all(|piece| piece.len() + 1 >= longest.unwrap() && piece.len() <= 6));
        }
    }

    #[test]
    fn blocks_cut_segments_and_add_after_the_first() {
        let segments = vec![Segment { a: -4, b: 0, len: 10 }, Segment { a: 30, b: 20, len: 10 }];
        let classes = vec![
            Class { pixels: vec![], segments },
            Class { pixels: vec![], segments: vec![] },
            Class { pixels: vec![], segments: vec![Segment { a: 0, b: 24, len: 2 }] },
        ];
        let gather = Gather { images: 1, a_image: 0, out_image: 0, depth: 30, classes };
        let cut = blocks(&gather, 8);
        let flat: Vec<_> =
            cut.iter().map(|b| b.iter().map(|p| (p.class, p.segments.len(), p.add)).collect::<Vec<_>>()).collect();
        assert_eq!(
            flat,
            [
                vec![(0, 1, false), (1, 0, false)],
                vec![(0, 1, true)],
                vec![(0, 1, true)],
                vec![(0, 1, true), (2, 1, false)]
            ]
        );
        assert_eq!(cut[1][0].segments, [Segment { a: 4, b: 8, len: 2 }]);
        assert_eq!(cut[3][0].segments, [Segment { a: 34, b: 24, len: 6 }]);
    }
}
