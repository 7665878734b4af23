//! The training sets of one table, fitted group by group.

use rayon::prelude::*;

use super::pass::{Job, Pass, Value};
use super::precondition::Shared;
use super::predict::{decide, probabilities, tie};
use super::problem::{Problem, Training};
use super::rows::{LANES, Rows};
use super::solve::{Limits, Solution, memory, solve};
use crate::probe::{Diagnostics, Fitted, ProbeInput};
use crate::{Fold, Role};

/// Bytes that the problems of one group may take together, beside the features.
const GROUP_BYTES: usize = 256 << 20;

/// The objective and when to stop.
#[derive(Clone, Copy, Debug)]
pub(in crate::probe) struct Objective {
    /// Inverse penalty.
    pub(in crate::probe) c: f64,
    /// Whether features are brought to mean zero and variance one over the training rows.
    pub(in crate::probe) standardise: bool,
    pub(in crate::probe) most_iterations: usize,
    /// Predicted decrease of the next step, as a share of the objective.
    pub(in crate::probe) tolerance: f64,
    /// Values up to which a table runs in `f64` throughout.
    pub(in crate::probe) small: usize,
}

/// All that the folds of one table share.
pub(in crate::probe) struct Table<'a> {
    rows: Rows<'a>,
    shared: Shared,
    input: ProbeInput<'a>,
    objective: Objective,
}

impl<'a> Table<'a> {
    /// Takes the rows of a table.
    pub(in crate::probe) fn new(input: ProbeInput<'a>, objective: Objective) -> Self {
        Self { rows: Rows::new(input.matrix), shared: Shared::default(), input, objective }
    }

    /// How many of the next folds are solved together, given the classes that each has in
    /// training; at least one.
    pub(in crate::probe) fn group(&self, classes: impl Iterator<Item = usize>) -> usize {
        let mut bytes = 0;
        let fitting = classes.take_while(|&k| {
            let parameters = k * (self.rows.width() + LANES);
            // Pairs and vectors of the optimiser, sums of each part of the rows, class codes,
            // and a preconditioner of its own.
            let vectors = 3 * memory(parameters) + 8 + self.rows.parts().len();
            bytes += 8 * (parameters * vectors + self.rows.features.pow(2).min(1 << 23)) + 4 * self.rows.len;
            bytes <= GROUP_BYTES
        });
        fitting.count().max(1)
    }

    /// Fits folds together, each with at least two classes in training; `tick` gets the number
    /// of those done.
    pub(in crate::probe) fn solve(&self, folds: &[&Fold], tick: &dyn Fn(usize)) -> Vec<Solved> {
        let Objective { standardise, most_iterations, tolerance, small, .. } = self.objective;
        let problems: Vec<Problem> = folds.par_iter().map(|fold| self.problem(fold)).collect();
        let limits = Limits { most_iterations, tolerance, standardise, small };
        let solutions = solve(&self.rows, &self.shared, &problems, limits, tick);
        problems.into_iter().zip(solutions).map(|(problem, solution)| Solved { problem, solution }).collect()
    }

    /// The problem of one fold, which needs at least one training row.
    fn problem(&self, fold: &Fold) -> Problem {
        let trains = |row: usize| fold.roles[row] == Role::Train;
        let training = Training { class: self.input.class, classes: self.input.classes, trains: &trains };
        Problem::new(&self.rows, &training, self.objective.c, self.objective.standardise)
    }

    /// Has a fold with at least two classes in training fitted by `fit` and measures how far the
    /// result is from the optimum: it counts as converged if one preconditioned step promises
    /// no more than `tolerance` times the objective.
    ///
    /// `fit` gets the features' means and scales (zeros and ones unless standardised, and scale
    /// infinity for a feature that is constant over the training rows), and returns weights of
    /// the scaled features and an intercept for each class in training, `[classes, features + 1]`.
    pub(in crate::probe) fn certify<E>(
        &self,
        fold: &Fold,
        tolerance: f64,
        fit: impl FnOnce(&[f64], &[f64]) -> Result<Vec<f64>, E>,
    ) -> Result<Solved, E> {
        let problem = self.problem(fold);
        let (d, standardise) = (self.rows.features, self.objective.standardise);
        let offset = |j: usize| f64::from(self.rows.offset[j]);
        let mean: Vec<f64> = (0..d).map(|j| if standardise { offset(j) + problem.centre[j] } else { 0.0 }).collect();
        let scale: Vec<f64> =
            (0..d).map(|j| if problem.constant[j] { f64::INFINITY } else { problem.scale[j] }).collect();
        let mut point = fit(&mean, &scale)?;
        for class in point.chunks_exact_mut(d + 1) {
            for j in 0..d {
                class[j] /= scale[j];
                class[d] += (offset(j) - mean[j]) * class[j];
            }
        }
        let job = Job { problem: &problem, point: &point };
        let Some(Value { loss, mut gradient }) = Pass::<f64>::new(&self.rows).evaluate(&[job]).pop() else {
            unreachable!("a pass gives a value for each job")
        };
        let value = loss + problem.penalise(&point, &mut gradient);
        let step = self.shared.precondition(&self.rows, &problem, standardise).apply(&problem, &gradient);
        let promised = 0.5 * step.iter().zip(&gradient).map(|(s, g)| s * g).sum::<f64>();
        let converged = promised <= tolerance * value;
        Ok(Solved { problem, solution: Solution { point, value, gradient, iterations: None, converged } })
    }

    /// Predicts the test rows of a fold that was solved.
    pub(in crate::probe) fn predict(&self, fold: &Fold, solved: &Solved) -> Fitted {
        let Solved { problem, solution } = solved;
        let test = fold.rows(Role::Test);
        let k = problem.class_len();
        let tie = tie(&self.rows, &solution.point);
        let (predictions, tied_votes) = if let Some(distinct) = &self.rows.distinct {
            let every: Vec<u32> = (0..self.rows.len as u32).collect();
            let probability = probabilities(&self.rows, &every, &solution.point);
            let of_row = |i: usize| &probability[distinct[test[i] as usize] as usize * k..][..k];
            decide(&test, self.input.classes, &problem.classes, tie, of_row)
        } else {
            let probability = probabilities(&self.rows, &test, &solution.point);
            decide(&test, self.input.classes, &problem.classes, tie, |i| &probability[i * k..(i + 1) * k])
        };
        let gradient = problem.largest_gradient(&self.rows, &solution.gradient, self.objective.standardise);
        let diagnostics = Diagnostics {
            converged: Some(solution.converged),
            iterations: solution.iterations,
            gradient: Some(gradient),
            objective: Some(solution.value / problem.rows),
            tied_votes,
            tied_neighbours: 0,
        };
        Fitted { predictions, diagnostics }
    }
}

/// A training set and its optimum.
pub(in crate::probe) struct Solved {
    problem: Problem,
    solution: Solution,
}
