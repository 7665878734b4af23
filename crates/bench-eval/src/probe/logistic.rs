//! Multinomial logistic regression with an L2 penalty.
//!
//! # What
//! A linear classifier on frozen features, the usual linear probe. All folds of a table are
//! fitted together (`softmax/` beside this file).
//!
//! # Formula
//! ```text
//! minimise  sum_i -log softmax(W x_i + b)[y_i]  +  |W|^2 / (2 C)
//! ```
//! over the training rows; the intercept `b` is not penalised. With two classes the binary
//! model is meant, one weight vector for the difference of the logits. This is scikit-learn's
//! `LogisticRegression(C)`. `standardise` fits on z-scores with the mean and the population
//! standard deviation of each fold's training rows; a feature without variance keeps scale one.
//!
//! # Why
//! The paper's probe: L2, C = 1, at most 1000 iterations, features as they are. Of the two back
//! ends this one is the default; `linfa` ([`super::logistic_linfa`]) reaches the same optimum.
//!
//! # Conventions
//! - Classes without training rows have probability zero. A training set of one class predicts
//!   that class with certainty. A fold without training rows is handed on as a reason.
//! - The decision is the most probable class; classes within a relative 1e-9 of it (or 1e-9 of
//!   the spread of the logits where that is below one) share the decision equally and count as a tied vote.
//! - A fit has converged when the optimiser, in double precision, predicts for its next step a
//!   decrease below `tolerance` times the objective (a hundredth of that on small tables).
//!
//! # What it cannot show
//! Structure that is not linear in the features. Without standardisation the penalty weighs
//! features by their scale.
//!
//! # Reference
//! scikit-learn 1.9 `LogisticRegression`; Boehning, Ann. Inst. Stat. Math. 44 (1992) 197.

use bench_core::Card;
use serde::{Deserialize, Serialize};

use super::softmax::{Objective, SMALL, Table};
use super::{Diagnostics, Fitted, Probe, ProbeInput, Sink};
use crate::{Error, Fold, Predictions, Role};

/// Card of the probe.
pub static CARD: Card = Card {
    id: "logreg",
    title: "Logistic regression",
    what: "a linear classifier fitted on the training rows by penalised maximum likelihood",
    formula: "minimise sum of -log softmax(W x + b)[y] + |W|^2 / (2 C), b free",
    better: "none",
    range: "class probabilities, 0 to 1",
    limits: "sees only what is linear in the features; without standardisation their scale matters",
    reference: "the paper's linear probe (L2, C = 1, at most 1000 iterations); scikit-learn LogisticRegression",
};

/// Settings of logistic regression, for both back ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LogisticSettings {
    /// Inverse strength of the penalty.
    pub c: f64,
    /// Most iterations of the optimiser.
    pub max_iterations: usize,
    /// Predicted relative decrease of the objective at which a fit has converged.
    pub tolerance: f64,
    /// Whether features are brought to mean zero and variance one over each training set.
    pub standardise: bool,
}

impl Default for LogisticSettings {
    fn default() -> Self {
        Self { c: 1.0, max_iterations: 1000, tolerance: 1e-10, standardise: false }
    }
}

impl LogisticSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub fn check(&self) -> Result<(), Error> {
        let fault = |key: &str, value: String, why: &str| {
            Err(Error::Setting { key: format!("logreg.{key}"), value, why: why.to_owned() })
        };
        if !(self.c.is_finite() && self.c > 0.0) {
            return fault("c", self.c.to_string(), "the inverse penalty must be a positive number");
        }
        if self.max_iterations == 0 {
            return fault("max-iterations", "0".to_owned(), "at least one iteration is needed");
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return fault("tolerance", self.tolerance.to_string(), "the tolerance must lie between 0 and 1");
        }
        Ok(())
    }
}

/// Logistic regression by blocked matrix products, all folds together.
#[derive(Clone, Copy, Debug)]
pub struct LogisticProbe {
    settings: LogisticSettings,
    /// Values up to which a table runs in `f64` throughout.
    small: usize,
}

impl LogisticProbe {
    /// A probe with checked settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub fn new(settings: LogisticSettings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings, small: SMALL })
    }

    /// The same probe, in single precision first on small tables too.
    #[cfg(test)]
    pub(super) fn single_first(self) -> Self {
        Self { small: 0, ..self }
    }
}

impl Probe for LogisticProbe {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn backend(&self) -> &'static str {
        "gemm"
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
        let objective = Objective { c, standardise, most_iterations: max_iterations, tolerance, small: self.small };
        let table = Table::new(input, objective);
        let seen: Vec<Vec<u32>> = folds.iter().map(|fold| classes_in_training(&input, fold)).collect();
        let regular: Vec<usize> = (0..folds.len()).filter(|&i| seen[i].len() > 1).collect();
        let (mut next, mut solved) = (0, std::collections::VecDeque::new());
        for (i, fold) in folds.iter().enumerate() {
            if let Some(result) = without_fit(&input, fold, &seen[i]) {
                sink(i, result);
                tick(i + 1, folds.len());
                continue;
            }
            if solved.is_empty() {
                let size = table.group(regular[next..].iter().map(|&i| seen[i].len()));
                let group: Vec<&Fold> = regular[next..next + size].iter().map(|&i| folds[i]).collect();
                solved.extend(table.solve(&group, &|done| tick((i + done).min(folds.len()), folds.len())));
                next += size;
            }
            let solution = solved.pop_front().expect("a group holds the fold it was made for");
            sink(i, Ok(table.predict(fold, &solution)));
        }
        tick(folds.len(), folds.len());
        Ok(())
    }
}

/// Whether matrix, classes and folds fit together and all values are finite.
pub(super) fn check_input(input: &ProbeInput<'_>, folds: &[&Fold]) -> Result<(), Error> {
    let fault = |why: String| Err(Error::Probe { probe: CARD.id.to_owned(), why });
    let rows = input.matrix.rows();
    if input.class.len() != rows {
        return fault(format!("{} classes are given for {rows} rows", input.class.len()));
    }
    if let Some(class) = input.class.iter().find(|class| **class as usize >= input.classes) {
        return fault(format!("class `{class}` is not below the number of classes, `{}`", input.classes));
    }
    if let Some(fold) = folds.iter().find(|fold| fold.roles.len() != rows) {
        return fault(format!("a fold has {} roles for {rows} rows", fold.roles.len()));
    }
    let cols = input.matrix.cols().max(1);
    if let Some(at) = input.matrix.data().iter().position(|value| !value.is_finite()) {
        return fault(format!("row `{}`, column `{}` is not a finite number", at / cols, at % cols));
    }
    Ok(())
}

/// Classes with training rows, ascending.
pub(super) fn classes_in_training(input: &ProbeInput<'_>, fold: &Fold) -> Vec<u32> {
    let mut seen = vec![false; input.classes];
    for (&class, _) in input.class.iter().zip(&fold.roles).filter(|(_, role)| **role == Role::Train) {
        seen[class as usize] = true;
    }
    (0..input.classes as u32).filter(|&class| seen[class as usize]).collect()
}

/// The result of a fold that needs no fit: none or one class in training.
pub(super) fn without_fit(input: &ProbeInput<'_>, fold: &Fold, seen: &[u32]) -> Option<Result<Fitted, String>> {
    match *seen {
        [] => Some(Err("the training set has no rows".to_owned())),
        [class] => {
            let mut predictions = Predictions::with_classes(input.classes);
            let mut probability = vec![0.0; input.classes];
            probability[class as usize] = 1.0;
            fold.rows(Role::Test).into_iter().for_each(|row| predictions.push(row, &probability, [(class, 1.0)]));
            let diagnostics = Diagnostics {
                converged: Some(true),
                iterations: Some(0),
                gradient: Some(0.0),
                objective: Some(0.0),
                ..Diagnostics::default()
            };
            Some(Ok(Fitted { predictions, diagnostics }))
        }
        _ => None,
    }
}
