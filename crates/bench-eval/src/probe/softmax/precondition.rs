//! A fixed bound on the curvature, by which every step is scaled.
//!
//! # Formula
//! Boehning (1992): the Hessian of a softmax loss is at most `1/2 (I - 11'/K) (x) X'X`, whatever
//! the weights. In coordinates where the intercept is the logit at the mean of the training
//! rows, the model of the curvature is the same for every class,
//!
//! ```text
//! S = CURVATURE * G + diag(penalty)     weights, G the centred Gram matrix
//! CURVATURE * n                         intercept
//! ```
//!
//! and a gradient `g` is turned into the step `inv(S) g`.
//!
//! # Why
//! Embeddings have spectra that decay over many orders of magnitude; without this scaling
//! hundreds of iterations are needed, with it twenty or so. The constant only trades curvature
//! against penalty, so the bound's 1/2 need not be kept; the optimiser rescales and checks
//! every step. A training set that holds most rows of the table is scaled by the Gram matrix of
//! all rows, which the folds then share; the optimum does not depend on it.
//!
//! # Where it fits
//! Called by [`super::solve`]. The inverse is formed because it is applied, once per iteration,
//! to a few columns at a time. Beyond [`LARGEST`] features only the diagonal is used.

use std::sync::{Arc, Mutex};

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, inverse};
use faer::{Mat, Par};
use gemm::{Parallelism, gemm};

use super::gram::{Chosen, gram};
use super::problem::{Problem, Targets};
use super::rows::Rows;

/// Curvature of a loss along one logit, as a share of the bound's `X'X`.
pub(super) const CURVATURE: f64 = 0.1;
/// Most features for which the whole matrix is used.
pub(super) const LARGEST: usize = 8192;

/// The inverse of `S`.
enum Inverse {
    /// `[features, stride]`, symmetric.
    Dense { values: Vec<f64>, stride: usize },
    /// `[features]`.
    Diagonal(Vec<f64>),
}

/// What scales the steps of one problem.
pub(super) struct Precondition {
    inverse: Arc<Inverse>,
    /// Inverse curvature of the intercept.
    intercept: f64,
}

/// Inverses that the problems of a table share, made when first wanted.
#[derive(Default)]
pub(super) struct Shared {
    gram: Mutex<Option<Arc<Vec<f64>>>>,
    /// By ridge: two-class problems have another.
    inverses: Mutex<Vec<(f64, Arc<Inverse>)>>,
}

impl Shared {
    /// Whether a problem's steps are scaled by the Gram matrix of all rows.
    fn serves(rows: &Rows<'_>, problem: &Problem) -> bool {
        matches!(problem.targets, Targets::Codes(_))
            && 2.0 * problem.rows >= rows.len as f64
            && rows.len >= 2 * rows.features
            && rows.features <= LARGEST
    }

    /// The preconditioner of a problem.
    pub(super) fn precondition(&self, rows: &Rows<'_>, problem: &Problem, standardise: bool) -> Precondition {
        let inverse = if Self::serves(rows, problem) {
            self.of_all(rows, problem.ridge, standardise)
        } else {
            Arc::new(own(rows, problem))
        };
        Precondition { inverse, intercept: 1.0 / (CURVATURE * problem.rows) }
    }

    fn of_all(&self, rows: &Rows<'_>, ridge: f64, standardise: bool) -> Arc<Inverse> {
        let mut inverses = self.inverses.lock().expect("no holder panics");
        if let Some((_, inverse)) = inverses.iter().find(|(r, _)| *r == ridge) {
            return Arc::clone(inverse);
        }
        let all = {
            let mut slot = self.gram.lock().expect("no holder panics");
            Arc::clone(slot.get_or_insert_with(|| {
                let mean: Vec<f64> = rows.moments().0.iter().map(|s| s / rows.len as f64).collect();
                Arc::new(gram(rows, &Chosen::All, &mean, rows.len as f64))
            }))
        };
        let scale = |j: usize| if standardise { all[j * rows.features + j] / rows.len as f64 } else { 1.0 };
        let penalty: Vec<f64> = (0..rows.features).map(|j| ridge * scale(j)).collect();
        let inverse = Arc::new(invert(&all, &penalty));
        inverses.push((ridge, Arc::clone(&inverse)));
        inverse
    }
}

/// The inverse from the training rows alone.
fn own(rows: &Rows<'_>, problem: &Problem) -> Inverse {
    let weighted: Vec<(u32, f32)> =
        (0..rows.len).map(|row| (row as u32, problem.weight(row) as f32)).filter(|(_, weight)| *weight > 0.0).collect();
    if rows.features <= LARGEST {
        return invert(&gram(rows, &Chosen::Some(weighted), &problem.centre, problem.rows), &problem.penalty);
    }
    let mut sums = (vec![0.0; rows.features], vec![0.0; rows.features]);
    weighted.iter().for_each(|&(row, weight)| rows.add_moments(row as usize, f64::from(weight), &mut sums));
    let curvature = sums.1.iter().zip(&problem.centre).map(|(s, c)| CURVATURE * (s - problem.rows * c * c).max(0.0));
    Inverse::Diagonal(curvature.zip(&problem.penalty).map(|(s, p)| inverse_or_zero(s + p)).collect())
}

/// Inverse of `CURVATURE * gram + diag(penalty)`.
///
/// The matrix is brought to a unit diagonal first. What rounding has left of the Gram matrix
/// may have eigenvalues below zero, by up to its own noise: the diagonal is raised until the
/// factorisation succeeds.
fn invert(gram: &[f64], penalty: &[f64]) -> Inverse {
    let d = penalty.len();
    let diagonal: Vec<f64> = (0..d).map(|j| (CURVATURE * gram[j * d + j]).max(0.0) + penalty[j]).collect();
    let scale: Vec<f64> = diagonal.iter().map(|&s| inverse_or_zero(s).sqrt()).collect();
    let mut raise = 1e-7;
    while raise < 1.0 {
        let scaled = Mat::<f64>::from_fn(d, d, |i, j| {
            if i == j { 1.0 + raise } else { CURVATURE * gram[i * d + j] * scale[i] * scale[j] }
        });
        if let Some(inverse) = invert_definite(scaled) {
            let stride = d.next_multiple_of(8) + 8;
            let mut values = vec![0.0; d * stride];
            for j in 0..d {
                for i in j..d {
                    let value = inverse[(i, j)] * scale[i] * scale[j];
                    values[i * stride + j] = value;
                    values[j * stride + i] = value;
                }
            }
            return Inverse::Dense { values, stride };
        }
        raise *= 10.0;
    }
    Inverse::Diagonal(diagonal.into_iter().map(inverse_or_zero).collect())
}

/// Lower triangle of the inverse of a positive definite matrix, of which the lower triangle is
/// read; on one thread, so that no sum depends on how many there are. `None` if the matrix is
/// not positive definite.
fn invert_definite(mut matrix: Mat<f64>) -> Option<Mat<f64>> {
    let d = matrix.nrows();
    let mut room = MemBuffer::new(factor::cholesky_in_place_scratch::<f64>(d, Par::Seq, Default::default()));
    factor::cholesky_in_place(
        matrix.as_mut(),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut room),
        Default::default(),
    )
    .ok()?;
    let mut out = Mat::zeros(d, d);
    let mut room = MemBuffer::new(inverse::inverse_scratch::<f64>(d, Par::Seq));
    inverse::inverse(out.as_mut(), matrix.as_ref(), Par::Seq, MemStack::new(&mut room));
    Some(out)
}

fn inverse_or_zero(value: f64) -> f64 {
    if value > 0.0 { 1.0 / value } else { 0.0 }
}

impl Precondition {
    /// The step `inv(S) gradient`, back in the coordinates of weights and intercepts.
    ///
    /// # Shapes
    /// `gradient` and the result: `[classes, features + 1]`.
    pub(super) fn apply(&self, problem: &Problem, gradient: &[f64]) -> Vec<f64> {
        let d = problem.penalty.len();
        let classes = problem.class_len();
        let mut centred = gradient.to_vec();
        for g in centred.chunks_exact_mut(d + 1) {
            for j in 0..d {
                g[j] = if problem.constant[j] { 0.0 } else { g[j] - problem.centre[j] * g[d] };
            }
        }
        let mut step = vec![0.0; gradient.len()];
        match &*self.inverse {
            Inverse::Dense { values, stride } if d > 0 => {
                // SAFETY: `values` is `[d, stride]` with `stride >= d`; `centred` and `step` are
                // `[classes, d + 1]`, of which the first `d` columns are touched.
                unsafe {
                    gemm(
                        d,
                        classes,
                        d,
                        step.as_mut_ptr(),
                        (d + 1) as isize,
                        1,
                        false,
                        values.as_ptr(),
                        *stride as isize,
                        1,
                        centred.as_ptr(),
                        (d + 1) as isize,
                        1,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        Parallelism::None,
                    );
                }
            }
            Inverse::Dense { .. } => {}
            Inverse::Diagonal(values) => {
                for (step, g) in step.chunks_exact_mut(d + 1).zip(centred.chunks_exact(d + 1)) {
                    step.iter_mut().zip(g).zip(values).for_each(|((s, g), v)| *s = g * v);
                }
            }
        }
        for (step, g) in step.chunks_exact_mut(d + 1).zip(centred.chunks_exact(d + 1)) {
            let mut shift = 0.0;
            for ((s, centre), &constant) in step.iter_mut().zip(&problem.centre).zip(&problem.constant) {
                if constant {
                    *s = 0.0;
                }
                shift += centre * *s;
            }
            step[d] = g[d] * self.intercept - shift;
        }
        step
    }
}
