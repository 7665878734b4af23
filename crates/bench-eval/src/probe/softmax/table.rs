//! The training sets of one table, fitted group by group.

use rayon::prelude::*;

use super::precondition::Shared;
use super::predict::{decide, probabilities};
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
        let Objective { c, standardise, most_iterations, tolerance } = self.objective;
        let problems: Vec<Problem> = folds
            .par_iter()
            .map(|fold| {
                let trains = |row: usize| fold.roles[row] == Role::Train;
                let training = Training { class: self.input.class, classes: self.input.classes, trains: &trains };
                Problem::new(&self.rows, &training, c, standardise)
            })
            .collect();
        let limits = Limits { most_iterations, tolerance, standardise };
        let solutions = solve(&self.rows, &self.shared, &problems, limits, tick);
        problems.into_iter().zip(solutions).map(|(problem, solution)| Solved { problem, solution }).collect()
    }

    /// Predicts the test rows of a fold that was solved.
    pub(in crate::probe) fn predict(&self, fold: &Fold, solved: &Solved) -> Fitted {
        let Solved { problem, solution } = solved;
        let test = fold.rows(Role::Test);
        let k = problem.class_len();
        let (predictions, tied_votes) = if let Some(distinct) = &self.rows.distinct {
            let every: Vec<u32> = (0..self.rows.len as u32).collect();
            let probability = probabilities(&self.rows, &every, &solution.point);
            let of_row = |i: usize| &probability[distinct[test[i] as usize] as usize * k..][..k];
            decide(&test, self.input.classes, &problem.classes, of_row)
        } else {
            let probability = probabilities(&self.rows, &test, &solution.point);
            decide(&test, self.input.classes, &problem.classes, |i| &probability[i * k..(i + 1) * k])
        };
        let gradient = problem.largest_gradient(&self.rows, &solution.gradient, self.objective.standardise);
        let diagnostics = Diagnostics {
            converged: Some(solution.converged),
            iterations: Some(solution.iterations),
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
