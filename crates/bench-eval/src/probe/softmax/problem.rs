//! One softmax problem: which rows of the table it is fitted on, and with which penalty.
//!
//! # Formula
//! Minimise over weights `w_k` and intercepts `b_k`, one pair for each class seen in training,
//!
//! ```text
//! sum_i -log softmax(w x_i + b)[y_i]  +  1/2 sum_j penalty_j sum_k w_kj^2
//! ```
//!
//! `penalty_j` is `1 / C`, times the training variance of feature `j` where features are
//! standardised: a fit on z-scores is a fit on the features with another penalty, so nothing is
//! copied. With two classes it is twice that: the usual binary model has one vector
//! `v = w_1 - w_0` with penalty `1/2 |v|^2 / C`, and `|w_0|^2 + |w_1|^2 = |v|^2 / 2`.
//!
//! # Why
//! Classes without training rows are no part of the model. A feature that is constant over the
//! training rows has weight zero at the optimum, because the intercept does its work for free;
//! it is held there, so that rounding cannot give it a weight that would matter for test rows
//! on which it varies.

use super::rows::Rows;

/// Code of a row that takes no part.
pub(super) const UNUSED: u32 = u32::MAX;

/// Which class each row has, among the classes seen in training.
pub(super) enum Targets {
    /// One class per row, [`UNUSED`] for rows that are not trained on; `[rows]`.
    Codes(Vec<u32>),
    /// Rows stand for several training rows each.
    Counts {
        /// Training rows per distinct row; `[rows]`.
        total: Vec<f64>,
        /// Training rows per distinct row and class; `[rows, classes]`.
        count: Vec<f64>,
    },
}

/// One problem.
pub(super) struct Problem {
    /// Classes of the task seen in training, ascending.
    pub(super) classes: Vec<u32>,
    /// Training rows per class of `classes`.
    pub(super) class_count: Vec<f64>,
    /// Class of each row.
    pub(super) targets: Targets,
    /// Number of training rows.
    pub(super) rows: f64,
    /// Penalty of a unit weight, before standardisation.
    pub(super) ridge: f64,
    /// Penalty of each feature; `[features]`.
    pub(super) penalty: Vec<f64>,
    /// Mean over the training rows of each (centred) feature; `[features]`.
    pub(super) centre: Vec<f64>,
    /// Scale of each feature, one unless standardised; `[features]`.
    pub(super) scale: Vec<f64>,
    /// Whether the feature is constant over the training rows; `[features]`.
    pub(super) constant: Vec<bool>,
}

/// Class of every row of the table, and whether the row trains.
pub(super) struct Training<'a> {
    /// Class of each row of the table.
    pub(super) class: &'a [u32],
    /// Classes of the task.
    pub(super) classes: usize,
    /// Whether each row of the table is trained on.
    pub(super) trains: &'a dyn Fn(usize) -> bool,
}

impl Problem {
    /// The problem of one training set, which must not be empty.
    pub(super) fn new(rows: &Rows<'_>, training: &Training<'_>, c: f64, standardise: bool) -> Self {
        let mut count = vec![0f64; training.classes];
        for (row, &class) in training.class.iter().enumerate() {
            if (training.trains)(row) {
                count[class as usize] += 1.0;
            }
        }
        let classes: Vec<u32> = (0..training.classes as u32).filter(|&k| count[k as usize] > 0.0).collect();
        let class_count: Vec<f64> = classes.iter().map(|&k| count[k as usize]).collect();
        let mut code = vec![UNUSED; training.classes];
        for (k, &class) in classes.iter().enumerate() {
            code[class as usize] = k as u32;
        }
        let targets = match &rows.distinct {
            None => Targets::Codes(
                (0..rows.len)
                    .map(|row| if (training.trains)(row) { code[training.class[row] as usize] } else { UNUSED })
                    .collect(),
            ),
            Some(distinct) => {
                let mut total = vec![0f64; rows.len];
                let mut count = vec![0f64; rows.len * classes.len()];
                for (row, &d) in distinct.iter().enumerate().filter(|(row, _)| (training.trains)(*row)) {
                    total[d as usize] += 1.0;
                    count[d as usize * classes.len() + code[training.class[row] as usize] as usize] += 1.0;
                }
                Targets::Counts { total, count }
            }
        };
        let ridge = if classes.len() == 2 { 2.0 / c } else { 1.0 / c };
        let mut problem = Self {
            rows: class_count.iter().sum(),
            classes,
            class_count,
            targets,
            ridge,
            penalty: Vec::new(),
            centre: Vec::new(),
            scale: vec![1.0; rows.features],
            constant: constant_features(rows, training),
        };
        problem.measure(rows, standardise);
        problem
    }

    /// Number of classes of the model.
    pub(super) fn class_len(&self) -> usize {
        self.classes.len()
    }

    /// How many training rows a row stands for.
    pub(super) fn weight(&self, row: usize) -> f64 {
        match &self.targets {
            Targets::Codes(codes) => f64::from(u8::from(codes[row] != UNUSED)),
            Targets::Counts { total, .. } => total[row],
        }
    }

    /// Where the optimiser starts: zero weights, intercepts at the logarithms of the class
    /// shares, which is the optimum where the features say nothing. `[classes, features + 1]`.
    pub(super) fn start(&self, features: usize) -> Vec<f64> {
        let mut point = vec![0.0; self.class_len() * (features + 1)];
        let logs: Vec<f64> = self.class_count.iter().map(|n| (n / self.rows).ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        for (class, log) in point.chunks_exact_mut(features + 1).zip(logs) {
            class[features] = log - mean;
        }
        point
    }

    /// Adds the penalty's gradient to that of the losses and returns the penalty. Components
    /// that are held at zero get gradient zero.
    pub(super) fn penalise(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let features = self.penalty.len();
        let mut penalty = 0.0;
        for (w, g) in point.chunks_exact(features + 1).zip(gradient.chunks_exact_mut(features + 1)) {
            for j in 0..features {
                penalty += self.penalty[j] * w[j] * w[j];
                g[j] = if self.constant[j] { 0.0 } else { g[j] + self.penalty[j] * w[j] };
            }
        }
        0.5 * penalty
    }

    /// Largest component of the gradient, per training row, in the coordinates of the features
    /// as they were given, or of their z-scores if standardised.
    pub(super) fn largest_gradient(&self, rows: &Rows<'_>, gradient: &[f64], standardise: bool) -> f64 {
        let features = self.penalty.len();
        let mut largest = 0f64;
        for g in gradient.chunks_exact(features + 1) {
            largest = largest.max(g[features].abs());
            for j in (0..features).filter(|&j| !self.constant[j]) {
                let component = if standardise {
                    (g[j] - self.centre[j] * g[features]) * self.scale[j]
                } else {
                    g[j] + f64::from(rows.offset[j]) * g[features]
                };
                largest = largest.max(component.abs());
            }
        }
        largest / self.rows
    }

    /// Mean and scale of the features over the training rows, and the penalties.
    fn measure(&mut self, rows: &Rows<'_>, standardise: bool) {
        let features = rows.features;
        let total_weight: f64 = match &self.targets {
            Targets::Codes(_) => rows.len as f64,
            Targets::Counts { .. } => self.rows,
        };
        // Few rows are left out as a rule: their sums are subtracted from those of all rows.
        let complement = 2.0 * self.rows > total_weight && matches!(self.targets, Targets::Codes(_));
        let mut sums = (vec![0f64; features], vec![0f64; features]);
        if complement {
            (0..rows.len).filter(|&row| self.weight(row) == 0.0).for_each(|row| rows.add_moments(row, 1.0, &mut sums));
            let all = rows.moments();
            sums.0.iter_mut().zip(&all.0).for_each(|(s, a)| *s = a - *s);
            sums.1.iter_mut().zip(&all.1).for_each(|(s, a)| *s = a - *s);
        } else {
            let trained = (0..rows.len).filter(|&row| self.weight(row) > 0.0);
            trained.for_each(|row| rows.add_moments(row, self.weight(row), &mut sums));
        }
        let (sum, square) = sums;
        let largest = if complement { &rows.moments().1 } else { &square };
        self.centre = sum.iter().map(|s| s / self.rows).collect();
        if standardise {
            for j in (0..features).filter(|&j| !self.constant[j]) {
                let mut centred = square[j] - self.rows * self.centre[j] * self.centre[j];
                if centred < 1e-6 * largest[j] {
                    // Cancellation: the feature hardly varies over the training rows.
                    centred = self.centred_square(rows, j);
                }
                self.scale[j] = (centred / self.rows).sqrt();
            }
        }
        self.penalty = self.scale.iter().map(|s| self.ridge * s * s).collect();
    }

    /// Sum over the training rows of the squared distance of a feature to its mean, in two
    /// passes.
    fn centred_square(&self, rows: &Rows<'_>, feature: usize) -> f64 {
        let value = |row: usize| f64::from(rows.row(row)[feature]);
        let trained = || (0..rows.len).filter(|&row| self.weight(row) > 0.0);
        let mean = trained().map(|row| self.weight(row) * value(row)).sum::<f64>() / self.rows;
        trained().map(|row| self.weight(row) * (value(row) - mean).powi(2)).sum()
    }
}

/// Whether each feature has one value over all training rows.
fn constant_features(rows: &Rows<'_>, training: &Training<'_>) -> Vec<bool> {
    let at = |row: usize| rows.row(rows.distinct.as_ref().map_or(row, |d| d[row] as usize));
    let mut trained = (0..training.class.len()).filter(|&row| (training.trains)(row));
    let mut constant = vec![true; rows.features];
    let Some(first) = trained.next() else { return constant };
    let first = at(first);
    let mut candidates: Vec<usize> = (0..rows.features).collect();
    for row in trained {
        if candidates.is_empty() {
            break;
        }
        let row = at(row);
        candidates.retain(|&j| {
            constant[j] = row[j] == first[j];
            constant[j]
        });
    }
    constant
}

#[cfg(test)]
mod tests {
    use bench_core::Matrix;

    use super::*;

    #[test]
    fn statistics_are_those_of_the_training_rows() {
        let values: Vec<f32> =
            (0..30).flat_map(|i| [(i * i % 17) as f32, 4.0, if i < 25 { 7.5 } else { 8.0 }]).collect();
        let matrix = Matrix::new(30, 3, values);
        let rows = Rows::new(&matrix);
        let class: Vec<u32> = (0..30).map(|i| i % 3).collect();
        let sets: [fn(usize) -> bool; 2] = [|row| row < 25, |row| row % 3 == 0];
        for trains in sets {
            let problem = Problem::new(&rows, &Training { class: &class, classes: 4, trains: &trains }, 0.5, true);
            let x: Vec<f64> = (0..30).filter(|&r| trains(r)).map(|r| f64::from(matrix.row(r)[0])).collect();
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
            assert!((problem.centre[0] + f64::from(rows.offset[0]) - mean).abs() < 1e-12);
            assert!((problem.scale[0] - sd).abs() < 1e-12);
            assert!((problem.penalty[0] - 2.0 * sd * sd).abs() < 1e-10);
            assert_eq!(problem.constant, [false, true, !trains(27)]);
        }
    }

    #[test]
    fn classes_without_training_rows_are_left_out() {
        let matrix = Matrix::new(4, 1, vec![1.0, 2.0, 3.0, 4.0]);
        let rows = Rows::new(&matrix);
        let class = [2, 0, 1, 2];
        let problem = Problem::new(&rows, &Training { class: &class, classes: 3, trains: &|r| r != 2 }, 1.0, false);
        assert_eq!(problem.classes, [0, 2]);
        assert_eq!(problem.class_count, [1.0, 2.0]);
        assert!(matches!(&problem.targets, Targets::Codes(codes) if codes[..] == [1, 0, UNUSED, 1]));
        assert_eq!(problem.ridge, 2.0);
    }
}
