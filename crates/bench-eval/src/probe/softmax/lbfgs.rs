//! Limited-memory BFGS for one problem, driven from outside.
//!
//! # What
//! The optimiser names a point, is told value and gradient there, and names the next one. Many
//! problems can so be evaluated in one pass over their common rows.
//!
//! # Formula
//! The two-loop recursion (Nocedal 1980) around a fixed preconditioner `H`, rescaled at each
//! step by `s'y / y'Hy`; the products `Hy` are kept with the pairs, so that `H` is applied once
//! per step. Step lengths satisfy the Wolfe conditions, or near the optimum, where values no
//! longer differ by more than rounding, the approximate Wolfe conditions of Hager and Zhang
//! (2005), which look at slopes only.
//!
//! A fit has converged when the decrease that the model predicts for the next step,
//! `-g'p / 2` (half the squared Newton decrement if the model of the curvature is right), is at
//! most `tolerance` times the objective.
//!
//! # Reference
//! Nocedal and Wright, Numerical Optimization, 7.2; Hager and Zhang, SIAM J. Optim. 16 (2005).

use std::collections::VecDeque;

/// Sufficient decrease.
const DECREASE: f64 = 1e-4;
/// Slopes must shrink to this share.
const CURVATURE: f64 = 0.9;
/// Evaluations of one line search.
const MOST_TRIALS: usize = 25;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Evaluate at [`Lbfgs::trial`].
    Evaluate,
    /// Done: the predicted decrease is below the tolerance.
    Converged,
    /// No step decreases the objective: its rounding errors are in the way.
    Stalled,
    /// The iterations are used up.
    Exhausted,
}

/// A step `s`, the change of gradient `y`, and `z = H y`.
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    z: Vec<f64>,
    /// `s'y`.
    sy: f64,
}

/// The state of one optimisation.
pub(super) struct Lbfgs {
    /// Best point so far.
    pub(super) point: Vec<f64>,
    /// Objective at `point`.
    pub(super) value: f64,
    /// Gradient at `point`.
    pub(super) gradient: Vec<f64>,
    /// Steps taken.
    pub(super) iterations: usize,
    trial: Vec<f64>,
    scaled: Vec<f64>,
    direction: Vec<f64>,
    slope: f64,
    history: VecDeque<Pair>,
    memory: usize,
    most_iterations: usize,
    search: Search,
    /// Whether `value`, `gradient` and `scaled` belong to `point`.
    evaluated: bool,
}

/// A bracket around the step length.
#[derive(Default)]
struct Search {
    step: f64,
    /// Step and slope at the near end.
    low: (f64, f64),
    /// Step and, if finite, slope at the far end.
    high: Option<(f64, f64)>,
    trials: usize,
}

/// How precise an evaluation is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Precision {
    /// Rounding error of the objective, as a share of it.
    pub(super) noise: f64,
    /// Share of the objective at which the predicted decrease ends the search.
    pub(super) tolerance: f64,
}

impl Lbfgs {
    /// Starts at `point`.
    pub(super) fn new(point: Vec<f64>, memory: usize, most_iterations: usize) -> Self {
        Self {
            trial: point.clone(),
            point,
            value: f64::INFINITY,
            gradient: Vec::new(),
            iterations: 0,
            scaled: Vec::new(),
            direction: Vec::new(),
            slope: 0.0,
            history: VecDeque::new(),
            memory,
            most_iterations,
            search: Search::default(),
            evaluated: false,
        }
    }

    /// The point to evaluate.
    pub(super) fn trial(&self) -> &[f64] {
        &self.trial
    }

    /// Goes back to the best point, to evaluate it anew (in another precision). `forget` drops
    /// what was learnt about the curvature.
    pub(super) fn restart(&mut self, forget: bool) {
        self.trial.clone_from(&self.point);
        self.evaluated = false;
        if forget {
            self.history.clear();
        }
    }

    /// Takes value and gradient at [`Self::trial`]; `precondition` turns a gradient into a
    /// step.
    pub(super) fn advance(
        &mut self,
        value: f64,
        gradient: Vec<f64>,
        precision: Precision,
        precondition: &dyn Fn(&[f64]) -> Vec<f64>,
    ) -> Next {
        if !self.evaluated {
            self.scaled = precondition(&gradient);
            (self.value, self.gradient, self.evaluated) = (value, gradient, true);
            return self.start_search(precision);
        }
        let slope = dot(&gradient, &self.direction);
        if !self.accepts(value, slope, precision.noise) {
            return self.shrink_bracket(value, slope, precision.noise);
        }
        let scaled = precondition(&gradient);
        self.remember(&gradient, &scaled);
        std::mem::swap(&mut self.point, &mut self.trial);
        (self.value, self.gradient, self.scaled) = (value, gradient, scaled);
        self.iterations += 1;
        self.start_search(precision)
    }

    fn accepts(&self, value: f64, slope: f64, noise: f64) -> bool {
        let flatter = slope >= CURVATURE * self.slope;
        let decreased = value <= self.value + DECREASE * self.search.step * self.slope;
        let level = value <= self.value + noise * self.value.abs() && slope <= (2.0 * DECREASE - 1.0) * self.slope;
        flatter && (decreased || level)
    }

    /// Narrows the bracket by a trial that was not accepted.
    fn shrink_bracket(&mut self, value: f64, slope: f64, noise: f64) -> Next {
        let search = &mut self.search;
        search.trials += 1;
        if search.trials == MOST_TRIALS {
            return Next::Stalled;
        }
        let far = !value.is_finite()
            || !slope.is_finite()
            || slope > 0.0
            || value > self.value + (DECREASE * search.step * self.slope).max(noise * self.value.abs());
        if far {
            search.high = Some((search.step, slope));
        } else {
            search.low = (search.step, slope);
        }
        let (low, low_slope) = search.low;
        search.step = match search.high {
            // The objective is convex: the slope's zero lies between the ends.
            Some((high, high_slope)) if high_slope > 0.0 && high_slope.is_finite() => {
                let secant = low + (high - low) * (-low_slope / (high_slope - low_slope));
                secant.clamp(low + 0.05 * (high - low), high - 0.05 * (high - low))
            }
            Some((high, _)) => low + 0.3 * (high - low),
            None => {
                let secant = low * self.slope / (self.slope - low_slope);
                if secant.is_finite() { secant.clamp(2.0 * low, 10.0 * low) } else { 4.0 * low }
            }
        };
        self.place_trial();
        Next::Evaluate
    }

    fn remember(&mut self, gradient: &[f64], scaled: &[f64]) {
        let s: Vec<f64> = self.trial.iter().zip(&self.point).map(|(t, p)| t - p).collect();
        let y: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(n, g)| n - g).collect();
        let sy = dot(&s, &y);
        // The line search makes this positive but for rounding.
        if sy > 1e-14 * norm(&s) * norm(&y) {
            let z = scaled.iter().zip(&self.scaled).map(|(n, u)| n - u).collect();
            if self.history.len() == self.memory {
                self.history.pop_front();
            }
            self.history.push_back(Pair { s, y, z, sy });
        }
    }

    /// Sets out from `point` in a new direction.
    fn start_search(&mut self, precision: Precision) -> Next {
        self.direction = self.downhill();
        self.slope = dot(&self.gradient, &self.direction);
        if self.slope > 0.0 || self.slope.is_nan() {
            self.history.clear();
            self.direction = self.downhill();
            self.slope = dot(&self.gradient, &self.direction);
        }
        if -0.5 * self.slope <= precision.tolerance * self.value.abs() {
            return Next::Converged;
        }
        if self.slope.is_nan() || self.value.is_nan() {
            return Next::Stalled;
        }
        if self.iterations >= self.most_iterations {
            return Next::Exhausted;
        }
        self.search = Search { step: 1.0, low: (0.0, self.slope), high: None, trials: 0 };
        self.place_trial();
        Next::Evaluate
    }

    fn place_trial(&mut self) {
        let step = self.search.step;
        self.trial.clear();
        self.trial.extend(self.point.iter().zip(&self.direction).map(|(p, d)| p + step * d));
    }

    /// The two-loop recursion.
    fn downhill(&self) -> Vec<f64> {
        let mut q = self.gradient.clone();
        let mut r = self.scaled.clone();
        let mut shares = Vec::with_capacity(self.history.len());
        for pair in self.history.iter().rev() {
            let share = dot(&pair.s, &q) / pair.sy;
            subtract(&mut q, share, &pair.y);
            subtract(&mut r, share, &pair.z);
            shares.push(share);
        }
        if let Some(pair) = self.history.back() {
            let scale = pair.sy / dot(&pair.y, &pair.z);
            if scale.is_finite() && scale > 0.0 {
                r.iter_mut().for_each(|r| *r *= scale);
            }
        }
        for (pair, share) in self.history.iter().zip(shares.iter().rev()) {
            let back = dot(&pair.y, &r) / pair.sy;
            subtract(&mut r, back - share, &pair.s);
        }
        r.iter_mut().for_each(|r| *r = -*r);
        r
    }
}

fn subtract(from: &mut [f64], share: f64, what: &[f64]) {
    from.iter_mut().zip(what).for_each(|(f, w)| *f -= share * w);
}

/// Inner product, in eight interleaved sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0f64; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRECISION: Precision = Precision { noise: 1e-14, tolerance: 1e-18 };

    fn minimise(start: Vec<f64>, scale: &[f64], function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> (Lbfgs, Next, usize) {
        let mut optimiser = Lbfgs::new(start, 10, 500);
        for evaluations in 1.. {
            let (value, gradient) = function(optimiser.trial());
            let next = optimiser
                .advance(value, gradient, PRECISION, &|g: &[f64]| g.iter().zip(scale).map(|(g, s)| g * s).collect());
            if next != Next::Evaluate {
                return (optimiser, next, evaluations);
            }
        }
        unreachable!()
    }

    #[test]
    fn an_ill_conditioned_convex_function_is_minimised() {
        // sum_j c_j (exp(x_j) - x_j), minimum sum_j c_j at 0.
        let weights: Vec<f64> = (0..30).map(|j| 10f64.powf(f64::from(j) / 10.0)).collect();
        let function = |x: &[f64]| {
            let value = x.iter().zip(&weights).map(|(x, c)| c * (x.exp() - x)).sum();
            (value, x.iter().zip(&weights).map(|(x, c)| c * x.exp_m1()).collect())
        };
        let start: Vec<f64> = (0..30).map(|j| f64::from(j % 7) - 2.0).collect();
        let plain = minimise(start.clone(), &[1.0; 30], function);
        let scale: Vec<f64> = weights.iter().map(|c| 1.0 / c).collect();
        let scaled = minimise(start, &scale, function);
        for (optimiser, next, _) in [&plain, &scaled] {
            assert_eq!(*next, Next::Converged);
            assert!((optimiser.value / weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        }
        assert!(3 * scaled.2 < plain.2, "{} {}", scaled.2, plain.2);
    }

    #[test]
    fn a_step_that_overflows_is_shortened() {
        let function = |x: &[f64]| {
            let value = x[0].exp() - 3.0 * x[0];
            (if value > 1e30 { f64::NAN } else { value }, vec![x[0].exp() - 3.0])
        };
        let (optimiser, next, _) = minimise(vec![-4.0], &[1e6], function);
        assert_eq!(next, Next::Converged);
        assert!((optimiser.point[0] - 3f64.ln()).abs() < 1e-9);
    }
}
