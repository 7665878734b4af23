//! Logistic regression by linfa-logistic, one fold after another.
//!
//! # What
//! The back end the user knows by name, kept as a reference for [`super::logistic`]: the same
//! objective in double precision, on a copy of each training set.
//!
//! # Formula
//! linfa's penalty is `alpha / 2 |W|^2` with a free intercept, so `alpha = 1 / C`. Two classes
//! go to its binary model, as in scikit-learn; more to its multinomial one.
//!
//! # What it cannot show
//! linfa-logistic 0.8.1 subtracts the largest logit of the whole matrix, not of each row, before
//! it exponentiates, and clamps the sums at 1e-15: rows whose logits lie some 35 below the
//! largest get a wrong loss and a wrong gradient, and the fit stops early, most of all on
//! separable features that are not standardised. So its result is measured by our own objective
//! and gradient in double precision, and `converged` says whether it is at the optimum. The
//! number of iterations is not told.
//!
//! # Reference
//! linfa-logistic 0.8.1 `log_sum_exp`.
//!
//! # Where it fits
//! Classes missing from training, ties and the other conventions are those of
//! [`super::logistic`].

use bench_core::Card;
use linfa::traits::Fit;
use linfa::{Dataset, DatasetBase};
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2};

use super::logistic::{CARD, LogisticSettings, check_input, classes_in_training, without_fit};
use super::softmax::{Objective, SMALL, Table};
use super::{Probe, ProbeInput, Sink};
use crate::{Error, Fold, Role};

/// Norm of the gradient at which linfa stops.
const GRADIENT_TOLERANCE: f64 = 1e-6;
/// A step that promises a larger share of the objective shows that the optimum was missed.
const PROMISED: f64 = 1e-6;

/// Logistic regression by linfa-logistic.
#[derive(Clone, Copy, Debug)]
pub struct LinfaLogisticProbe {
    settings: LogisticSettings,
}

impl LinfaLogisticProbe {
    /// A probe with checked settings; `tolerance` plays no part.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub fn new(settings: LogisticSettings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// Weights and intercepts by class, `[classes, features + 1]`.
    fn fit(&self, x: Array2<f64>, y: Array1<usize>, classes: usize) -> Result<Vec<f64>, linfa_logistic::error::Error> {
        let d = x.ncols();
        let data: DatasetBase<_, _> = Dataset::new(x, y);
        let (alpha, most) = (1.0 / self.settings.c, self.settings.max_iterations as u64);
        if classes == 2 {
            let model = LogisticRegression::default()
                .alpha(alpha)
                .max_iterations(most)
                .gradient_tolerance(GRADIENT_TOLERANCE)
                .fit(&data)?;
            let sign = if model.labels().pos.class == 1 { 0.5 } else { -0.5 };
            let half = |share: f64| model.params().iter().map(move |w| share * w).chain([share * model.intercept()]);
            return Ok(half(-sign).chain(half(sign)).collect());
        }
        let model = MultiLogisticRegression::default()
            .alpha(alpha)
            .max_iterations(most)
            .gradient_tolerance(GRADIENT_TOLERANCE)
            .fit(&data)?;
        let (weights, intercept) = (model.params(), model.intercept());
        Ok((0..classes).flat_map(|k| (0..d).map(move |j| weights[(j, k)]).chain([intercept[k]])).collect())
    }
}

impl Probe for LinfaLogisticProbe {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn backend(&self) -> &'static str {
        "linfa"
    }

    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        check_input(&input, folds)?;
        let LogisticSettings { c, max_iterations, tolerance, standardise } = self.settings;
        let objective = Objective { c, standardise, most_iterations: max_iterations, tolerance, small: SMALL };
        let table = Table::new(input, objective);
        for (i, fold) in folds.iter().enumerate() {
            let seen = classes_in_training(&input, fold);
            let result = without_fit(&input, fold, &seen).unwrap_or_else(|| {
                let solved = table.certify(fold, PROMISED, |mean, scale| {
                    let train = fold.rows(Role::Train);
                    let x = Array2::from_shape_fn((train.len(), input.matrix.cols()), |(r, j)| {
                        (f64::from(input.matrix.row(train[r] as usize)[j]) - mean[j]) / scale[j]
                    });
                    let code = |row: &u32| seen.partition_point(|&class| class < input.class[*row as usize]);
                    self.fit(x, train.iter().map(code).collect(), seen.len())
                });
                solved.map(|s| table.predict(fold, &s)).map_err(|e| format!("linfa-logistic gave up: {e}"))
            });
            sink(i, result);
            tick(i + 1, folds.len());
        }
        Ok(())
    }
}
