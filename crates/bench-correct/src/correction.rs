//! What a correction is: a card, a fit on the rows that the card declares, an application to any rows.

use bench_core::{Card, Factor, Matrix, Seed};
use serde::Serialize;

use crate::{Error, Origin};

/// Which rows a fit sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All rows of the fit.
    All,
    /// Negative controls alone: the other rows are removed before the correction sees anything.
    Controls,
    /// One or the other, by the parameter `on`.
    Chosen,
}

/// One parameter of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Name, as in `mad(by=plate)`.
    pub name: &'static str,
    /// Default, as text.
    pub default: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it does.
    pub what: &'static str,
}

/// The card of a correction: the fixed headings, and what only corrections have.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CorrectionCard {
    /// The fixed headings.
    pub card: Card,
    /// Which rows `fit` sees.
    pub scope: Scope,
    /// Whether corrected rows depend on all the rows that were fitted together, so that scores of rows outside the
    /// fit need not look like these. Where a parameter decides, [`Correction::is_transductive`] says.
    pub transductive: bool,
    /// Whose definition it follows.
    pub dialect: &'static str,
    /// Its parameters, in canonical order.
    pub parameters: &'static [Parameter],
}

/// What a fit is given. There is no place for a label.
#[derive(Clone, Copy, Debug)]
pub struct FitInput<'a> {
    /// Features, `[n, d]`.
    pub matrix: &'a Matrix,
    /// Where the rows come from.
    pub origin: &'a Origin,
    /// A covariate whose effect is to be kept, for corrections that [ask for one](Correction::wants_covariate); it
    /// reaches no other.
    pub covariate: Option<&'a Factor>,
    /// Seed of the run.
    pub seed: Seed,
}

/// The rows that a correction learns from: those of its scope.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Features, `[n, d]`.
    pub matrix: &'a Matrix,
    /// Where the rows come from.
    pub origin: &'a Origin,
    /// Seed of the step.
    pub seed: Seed,
}

/// A correction of batch effects.
pub trait Correction: Send + Sync {
    /// What it is.
    fn card(&self) -> &'static CorrectionCard;

    /// Which rows the fit sees, with its parameters as they are; never [`Scope::Chosen`].
    fn scope(&self) -> Scope;

    /// Whether corrected rows depend on all the rows that were fitted together.
    fn is_transductive(&self) -> bool {
        self.card().transductive
    }

    /// Whether it keeps the effect of a covariate that must be given. Its scores have to say so.
    fn wants_covariate(&self) -> bool {
        false
    }

    /// Whether it can be given values that are not finite.
    fn takes_missing(&self) -> bool {
        false
    }

    /// Learns from the rows of its scope. Callers use [`fit`](Self::fit).
    ///
    /// # Errors
    /// The reason why these rows do not allow it.
    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error>;

    /// As [`learn`](Self::learn), beside a covariate; for corrections that want one.
    ///
    /// # Errors
    /// The reason why these rows do not allow it.
    fn learn_beside(&self, rows: &Rows<'_>, covariate: &Factor) -> Result<Box<dyn Fitted>, Error> {
        let _ = covariate;
        self.learn(rows)
    }

    /// Fits it: checks the input, removes the rows outside the scope, and learns from the others.
    ///
    /// # Errors
    /// Input of the wrong shape or with missing values, no controls where they are the scope, or what `learn` says.
    fn fit(&self, input: &FitInput<'_>) -> Result<Box<dyn Fitted>, Error> {
        let step = self.card().card.id;
        check(step, input.matrix, input.origin, input.matrix.cols(), self.takes_missing())?;
        if input.matrix.rows() == 0 || input.matrix.cols() == 0 {
            let why = format!("the table is `{}` x `{}` values", input.matrix.rows(), input.matrix.cols());
            return Err(Error::Fit { step: step.to_owned(), group: "the table".to_owned(), why });
        }
        let part;
        let rows = match self.scope() {
            Scope::All | Scope::Chosen => Rows { matrix: input.matrix, origin: input.origin, seed: input.seed },
            Scope::Controls => {
                let controls = input.origin.controls();
                if controls.is_empty() {
                    return Err(Error::NoControls { step: step.to_owned(), group: "the table".to_owned() });
                }
                part = (input.matrix.take(&controls), input.origin.take(&controls));
                Rows { matrix: &part.0, origin: &part.1, seed: input.seed }
            }
        };
        if !self.wants_covariate() {
            return self.learn(&rows);
        }
        let covariate = input.covariate.ok_or_else(|| Error::NoCovariate { step: step.to_owned() })?;
        if covariate.len() != input.matrix.rows() {
            let what = format!("values of the covariate of `{step}`");
            return Err(Error::Shape { what, expected: input.matrix.rows(), found: covariate.len() });
        }
        match self.scope() {
            Scope::Controls => self.learn_beside(&rows, &covariate.take(&input.origin.controls())),
            Scope::All | Scope::Chosen => self.learn_beside(&rows, covariate),
        }
    }
}

/// A correction with what it learned.
pub trait Fitted: Send + Sync {
    /// Corrects rows, fitted or not. Groups that the fit saw are corrected with what was learned; a group that it did
    /// not see is aligned by its own controls alone, or refused by name.
    ///
    /// # Errors
    /// Rows of another shape, with missing values, or of a group that cannot be aligned.
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error>;

    /// The columns kept, if the correction selects columns and changes nothing else.
    fn kept(&self) -> Option<&[u32]> {
        None
    }

    /// What the fit found that a reader should know, one sentence each.
    fn notes(&self) -> &[String] {
        &[]
    }
}

/// Checks that a matrix fits its origin and the number of columns, and holds finite values.
pub(crate) fn check(
    step: &str,
    matrix: &Matrix,
    origin: &Origin,
    cols: usize,
    takes_missing: bool,
) -> Result<(), Error> {
    if origin.rows() != matrix.rows() {
        let what = format!("origins of the rows for `{step}`");
        return Err(Error::Shape { what, expected: matrix.rows(), found: origin.rows() });
    }
    if matrix.cols() != cols {
        return Err(Error::Shape { what: format!("features for `{step}`"), expected: cols, found: matrix.cols() });
    }
    if !takes_missing && let Some(at) = matrix.data().iter().position(|value| !value.is_finite()) {
        let (row, col) = (at / cols, at % cols);
        return Err(Error::NotFinite { step: step.to_owned(), row, col, value: matrix.data()[at] });
    }
    Ok(())
}
