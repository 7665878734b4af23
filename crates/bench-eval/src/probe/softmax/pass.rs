//! One pass over the rows: losses and gradients of many problems at once.
//!
//! # What
//! All problems' weights stand side by side as columns. For each block of rows: logits of all
//! columns by one matrix product, residuals problem by problem ([`super::tile`]), gradients of
//! all columns by a second matrix product.
//!
//! # Why it is exact enough, and always the same
//! Products run in `T` (`f32`, or `f64` for the last digits); every part of at most 1,024 rows
//! is added up in `f64`. Parts depend on the number of rows only and are added in order, so the
//! number of threads changes no bit. Products are made in panels of [`LANES`] columns, whatever
//! the number of columns: a column goes through the same instructions wherever it stands, so a
//! problem's numbers do not depend on the problems solved beside it.

use std::ops::Range;
use std::sync::Mutex;

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::problem::{Problem, Targets};
use super::real::Real;
use super::rows::{BLOCK, LANES, Rows};
use super::tile::{self, Logits, Residuals};

/// Blocks whose gradients are added up in `T` before they go to `f64`.
const BLOCKS_PER_SUM: usize = 4;

/// A problem and the point at which it is wanted.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) problem: &'a Problem,
    /// `[classes, features + 1]`, the intercept last.
    pub(super) point: &'a [f64],
}

/// Sum of losses at a point, and its gradient.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    pub(super) loss: f64,
    /// `[classes, features + 1]`.
    pub(super) gradient: Vec<f64>,
}

/// The workspace of passes in one precision.
pub(super) struct Pass<'a, T> {
    rows: &'a Rows<'a>,
    parts: Vec<Range<usize>>,
    sums: Vec<PartSums>,
    scratch: Mutex<Vec<Scratch<T>>>,
}

/// Sums over the rows of one part.
#[derive(Default)]
struct PartSums {
    /// `[columns, width]`.
    gradient: Vec<f64>,
    /// `[columns]`.
    bias: Vec<f64>,
    /// `[jobs]`.
    loss: Vec<f64>,
}

/// What one thread needs to handle a block.
#[derive(Default)]
struct Scratch<T> {
    block: Vec<T>,
    logits: Vec<T>,
    residual: Vec<T>,
    partial: Vec<T>,
    room: Vec<T>,
}

/// The columns of a pass.
struct Columns<T> {
    /// First column of each job, and the number of columns.
    start: Vec<usize>,
    /// Panels of weights, each `[width, LANES]`.
    weights: Vec<T>,
    /// `[columns]`.
    bias: Vec<T>,
}

impl<T: Real> Columns<T> {
    fn new(rows: &Rows<'_>, jobs: &[Job<'_>]) -> Self {
        let width = rows.width();
        let mut start = vec![0];
        for job in jobs {
            start.push(start[start.len() - 1] + job.problem.class_len());
        }
        let columns = start[jobs.len()];
        let mut weights = vec![T::default(); columns.div_ceil(LANES) * width * LANES];
        let mut bias = Vec::with_capacity(columns);
        for point in jobs.iter().flat_map(|job| job.point.chunks_exact(rows.features + 1)) {
            let column = bias.len();
            let panel = &mut weights[column / LANES * width * LANES + column % LANES..];
            for (j, &w) in point[..rows.features].iter().enumerate() {
                panel[j * LANES] = T::from_f64(w);
            }
            bias.push(T::from_f64(point[rows.features]));
        }
        Self { start, weights, bias }
    }

    fn len(&self) -> usize {
        self.bias.len()
    }
}

impl<'a, T: Real> Pass<'a, T> {
    pub(super) fn new(rows: &'a Rows<'a>) -> Self {
        let parts = rows.parts();
        let sums = parts.iter().map(|_| PartSums::default()).collect();
        Self { rows, parts, sums, scratch: Mutex::new(Vec::new()) }
    }

    /// Losses and gradients of all jobs.
    pub(super) fn evaluate(&mut self, jobs: &[Job<'_>]) -> Vec<Value> {
        let columns = Columns::<T>::new(self.rows, jobs);
        let (rows, scratch) = (self.rows, &self.scratch);
        self.sums.par_iter_mut().zip(&self.parts).for_each(|(sums, part)| {
            let taken = scratch.lock().expect("no holder panics").pop();
            let mut own = taken.unwrap_or_default();
            own.add_part(rows, jobs, &columns, part.clone(), sums);
            scratch.lock().expect("no holder panics").push(own);
        });
        let (width, features, sums) = (rows.width(), rows.features, &self.sums);
        (0..jobs.len())
            .into_par_iter()
            .map(|job| {
                let range = columns.start[job]..columns.start[job + 1];
                let mut value = Value {
                    loss: sums.iter().map(|s| s.loss[job]).sum(),
                    gradient: vec![0.0; range.len() * (features + 1)],
                };
                for (column, gradient) in range.zip(value.gradient.chunks_exact_mut(features + 1)) {
                    for sums in sums {
                        let part = &sums.gradient[column * width..column * width + features];
                        gradient.iter_mut().zip(part).for_each(|(g, p)| *g += p);
                        gradient[features] += sums.bias[column];
                    }
                }
                value
            })
            .collect()
    }
}

impl<T: Real> Scratch<T> {
    fn add_part(
        &mut self,
        rows: &Rows<'_>,
        jobs: &[Job<'_>],
        columns: &Columns<T>,
        part: Range<usize>,
        sums: &mut PartSums,
    ) {
        let (width, stride, count) = (rows.width(), rows.stride(), columns.len());
        let panels = count.div_ceil(LANES);
        let most = jobs.iter().map(|job| job.problem.class_len()).max().unwrap_or(0);
        self.block.resize(BLOCK * stride, T::default());
        self.logits.resize(panels * BLOCK * LANES, T::default());
        self.residual.resize(panels * LANES * BLOCK, T::default());
        self.residual[count * BLOCK..].fill(T::default());
        self.partial.resize(panels * LANES * width, T::default());
        self.room.resize(2 * most * LANES, T::default());
        for (sum, len) in [(&mut sums.gradient, count * width), (&mut sums.bias, count), (&mut sums.loss, jobs.len())] {
            sum.clear();
            sum.resize(len, 0.0);
        }
        for (i, first) in part.clone().step_by(BLOCK).enumerate() {
            let range = first..(first + BLOCK).min(part.end);
            let padded = rows.load(range.clone(), &mut self.block);
            for (panel, weights) in columns.weights.chunks_exact(width * LANES).enumerate() {
                let logits = &mut self.logits[panel * BLOCK * LANES..][..padded * LANES];
                multiply_logits(padded, width, &self.block, stride, weights, logits);
            }
            for (j, job) in jobs.iter().enumerate() {
                let range_of_job = columns.start[j]..columns.start[j + 1];
                let logits = Logits {
                    panels: &self.logits,
                    start: range_of_job.start,
                    bias: &columns.bias[range_of_job.clone()],
                };
                let mut out = Residuals {
                    residual: &mut self.residual[range_of_job.start * BLOCK..range_of_job.end * BLOCK],
                    bias: &mut sums.bias[range_of_job.clone()],
                    room: &mut self.room[..2 * range_of_job.len() * LANES],
                };
                sums.loss[j] += match &job.problem.targets {
                    Targets::Codes(codes) => tile::of_codes(&logits, &codes[range.clone()], padded, &mut out),
                    Targets::Counts { total, count } => {
                        let k = range_of_job.len();
                        let count = &count[range.start * k..range.end * k];
                        tile::of_counts(&logits, &total[range.clone()], count, padded, &mut out)
                    }
                };
            }
            let add = i % BLOCKS_PER_SUM != 0;
            for panel in 0..panels {
                let residual = &self.residual[panel * LANES * BLOCK..][..LANES * BLOCK];
                let partial = &mut self.partial[panel * LANES * width..][..LANES * width];
                multiply_gradient(padded, width, &self.block, stride, residual, partial, add);
            }
            if i % BLOCKS_PER_SUM == BLOCKS_PER_SUM - 1 || range.end == part.end {
                sums.gradient.iter_mut().zip(&self.partial).for_each(|(s, p)| *s += p.to_f64());
            }
        }
    }
}

/// `logits = block weights`.
///
/// # Shapes
/// `block` `[rows, width]` with row stride `stride`, `weights` `[width, LANES]`, `logits`
/// `[rows, LANES]`.
fn multiply_logits<T: Real>(rows: usize, width: usize, block: &[T], stride: usize, weights: &[T], logits: &mut [T]) {
    assert!(block.len() >= (rows - 1) * stride + width && width <= stride, "the block holds its rows");
    assert!(weights.len() == width * LANES && logits.len() == rows * LANES, "a panel has {LANES} columns");
    // SAFETY: the assertions above keep every access inside its slice.
    unsafe {
        gemm(
            rows,
            LANES,
            width,
            logits.as_mut_ptr(),
            1,
            LANES as isize,
            false,
            block.as_ptr(),
            1,
            stride as isize,
            weights.as_ptr(),
            1,
            LANES as isize,
            T::default(),
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// `gradient = (gradient if add) + residual block`.
///
/// # Shapes
/// `block` `[rows, width]` with row stride `stride`, `residual` `[LANES, BLOCK]` of which the
/// first `rows` columns count, `gradient` `[LANES, width]`.
fn multiply_gradient<T: Real>(
    rows: usize,
    width: usize,
    block: &[T],
    stride: usize,
    residual: &[T],
    gradient: &mut [T],
    add: bool,
) {
    assert!(block.len() >= (rows - 1) * stride + width && width <= stride, "the block holds its rows");
    assert!(rows <= BLOCK && residual.len() == LANES * BLOCK, "a panel has {LANES} columns");
    assert!(gradient.len() == LANES * width, "a panel has {LANES} columns");
    // SAFETY: the assertions above keep every access inside its slice.
    unsafe {
        gemm(
            width,
            LANES,
            rows,
            gradient.as_mut_ptr(),
            width as isize,
            1,
            add,
            block.as_ptr(),
            stride as isize,
            1,
            residual.as_ptr(),
            BLOCK as isize,
            1,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use bench_core::{Matrix, Seed};

    use super::*;
    use crate::probe::softmax::problem::Training;

    fn objective(pass: &mut Pass<'_, f64>, problem: &Problem, point: &[f64]) -> Value {
        let mut value = pass.evaluate(&[Job { problem, point }]).remove(0);
        value.loss += problem.penalise(point, &mut value.gradient);
        value
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (n, d, classes) = (700, 5, 4);
        let mut stream = Seed(21).stream();
        let distinct: Vec<f32> = (0..n * d).map(|_| (2.0 + stream.normal()) as f32).collect();
        let repeated: Vec<f32> = (0..n * d).map(|i| distinct[i % (40 * d)]).collect();
        let class: Vec<u32> = (0..n).map(|_| stream.below(classes) as u32).collect();
        for (values, standardise) in [(&distinct, false), (&distinct, true), (&repeated, false)] {
            let matrix = Matrix::new(n, d, values.clone());
            let rows = Rows::new(&matrix);
            let training = Training { class: &class, classes, trains: &|row| row % 7 != 3 };
            let problem = Problem::new(&rows, &training, 0.7, standardise);
            let point: Vec<f64> = (0..classes * (d + 1)).map(|_| 0.5 * stream.normal()).collect();
            let mut pass = Pass::<f64>::new(&rows);
            let value = objective(&mut pass, &problem, &point);
            for i in 0..point.len() {
                let mut at = |step: f64| {
                    let mut moved = point.clone();
                    moved[i] += step;
                    objective(&mut pass, &problem, &moved).loss
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((difference - value.gradient[i]).abs() < 1e-5, "{difference} {}", value.gradient[i]);
            }
            let single = Pass::<f32>::new(&rows).evaluate(&[Job { problem: &problem, point: &point }]).remove(0);
            let double = pass.evaluate(&[Job { problem: &problem, point: &point }]).remove(0);
            assert!((single.loss / double.loss - 1.0).abs() < 1e-6);
            assert!(single.gradient.iter().zip(&double.gradient).all(|(a, b)| (a - b).abs() < 1e-3));
        }
    }
}
