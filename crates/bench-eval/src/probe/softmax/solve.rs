//! Solves the problems of a group in step, each pass over the rows serving all of them.
//!
//! # What
//! Passes run in `f32` until a problem's predicted decrease is below the tolerance or rounding
//! stops it; then its point is evaluated anew in `f64`, and if that does not confirm the end it
//! is carried on in `f64`. So every result is certified in double precision. Tables that are
//! small or mostly repeats run in `f64` from the start, to a hundredth of the tolerance: there
//! more digits cost nothing.
//!
//! # Where it fits
//! A problem that is done leaves the group; the numbers of the others do not change by it.

use rayon::prelude::*;

use super::lbfgs::{Lbfgs, Next, Precision};
use super::pass::{Job, Pass, Value};
use super::precondition::{Precondition, Shared};
use super::problem::{Problem, Targets};
use super::rows::Rows;

/// Pairs that the optimiser remembers.
pub(super) const MEMORY: usize = 10;
/// Bytes that the remembered pairs of one problem may take.
const MEMORY_BYTES: usize = 256 << 20;

/// Values (rows times features) up to which a table is small.
pub(in crate::probe) const SMALL: usize = 1 << 20;
/// Share of the tolerance to which such a table is solved.
const FINER: f64 = 0.01;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) most_iterations: usize,
    /// Predicted decrease, as a share of the objective.
    pub(super) tolerance: f64,
    pub(super) standardise: bool,
    /// Values up to which a table runs in `f64` throughout; [`SMALL`] but for tests.
    pub(super) small: usize,
}

/// A fitted problem.
pub(super) struct Solution {
    /// `[classes, features + 1]`, for centred features, the intercept last.
    pub(super) point: Vec<f64>,
    /// Objective.
    pub(super) value: f64,
    /// Gradient at `point`.
    pub(super) gradient: Vec<f64>,
    /// Steps taken, where known.
    pub(super) iterations: Option<usize>,
    pub(super) converged: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Single,
    Double,
    Done,
}

struct State<'a> {
    problem: &'a Problem,
    precondition: Precondition,
    optimiser: Lbfgs,
    phase: Phase,
    /// Predicted decrease at which the fit has converged, as a share of the objective.
    tolerance: f64,
    converged: bool,
    /// Whether the double-precision search has been restarted without its history.
    retried: bool,
}

/// How many pairs are remembered for a problem of this many parameters.
pub(super) fn memory(parameters: usize) -> usize {
    (MEMORY_BYTES / (24 * parameters.max(1))).clamp(3, MEMORY)
}

/// Solves the problems of a group; `tick` gets the number of those done.
pub(super) fn solve(
    rows: &Rows<'_>,
    shared: &Shared,
    problems: &[Problem],
    limits: Limits,
    tick: &dyn Fn(usize),
) -> Vec<Solution> {
    let mut states: Vec<State<'_>> =
        problems.par_iter().map(|problem| State::new(rows, shared, problem, limits)).collect();
    let mut single = Pass::<f32>::new(rows);
    let mut double = Pass::<f64>::new(rows);
    loop {
        let phase = if states.iter().any(|s| s.phase == Phase::Single) { Phase::Single } else { Phase::Double };
        let mut active: Vec<&mut State<'_>> = states.iter_mut().filter(|s| s.phase == phase).collect();
        if active.is_empty() {
            break;
        }
        let jobs: Vec<Job<'_>> =
            active.iter().map(|s| Job { problem: s.problem, point: s.optimiser.trial() }).collect();
        let values = if phase == Phase::Single { single.evaluate(&jobs) } else { double.evaluate(&jobs) };
        drop(jobs);
        active.par_iter_mut().zip(values).for_each(|(state, value)| state.advance(value));
        tick(states.iter().filter(|s| s.phase == Phase::Done).count());
    }
    states
        .into_iter()
        .map(|state| Solution {
            point: state.optimiser.point,
            value: state.optimiser.value,
            gradient: state.optimiser.gradient,
            iterations: Some(state.optimiser.iterations),
            converged: state.converged,
        })
        .collect()
}

impl<'a> State<'a> {
    fn new(rows: &Rows<'_>, shared: &Shared, problem: &'a Problem, limits: Limits) -> Self {
        let start = problem.start(rows.features);
        // Rows that stand for many have residuals that are differences of large counts.
        let cheap = matches!(problem.targets, Targets::Counts { .. }) || rows.len * rows.width() <= limits.small;
        Self {
            precondition: shared.precondition(rows, problem, limits.standardise),
            optimiser: Lbfgs::new(start.clone(), memory(start.len()), limits.most_iterations),
            problem,
            phase: if cheap { Phase::Double } else { Phase::Single },
            tolerance: limits.tolerance * if cheap { FINER } else { 1.0 },
            converged: false,
            retried: false,
        }
    }

    fn advance(&mut self, value: Value) {
        let Self { problem, precondition, optimiser, .. } = self;
        let mut gradient = value.gradient;
        let penalty = problem.penalise(optimiser.trial(), &mut gradient);
        let precision = match self.phase {
            Phase::Single => Precision { noise: 1e-6, tolerance: 0.5 * self.tolerance },
            _ => Precision { noise: 1e-13, tolerance: self.tolerance },
        };
        let next =
            optimiser.advance(value.loss + penalty, gradient, precision, &|g: &[f64]| precondition.apply(problem, g));
        match (next, self.phase) {
            (Next::Evaluate, _) => {}
            (_, Phase::Single) => {
                self.phase = Phase::Double;
                optimiser.restart(next == Next::Stalled);
            }
            (Next::Stalled, _) if !self.retried => {
                self.retried = true;
                optimiser.restart(true);
            }
            (Next::Converged, _) => (self.phase, self.converged) = (Phase::Done, true),
            (Next::Stalled | Next::Exhausted, _) => self.phase = Phase::Done,
        }
    }
}
