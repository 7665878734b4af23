//! Feature selection: columns that carry nothing, too much of the same, or nonsense are dropped.
//!
//! # What
//! Runs the named operations one after the other on the columns left by those before.
//!
//! # Formula
//! `na`: share of missing values above `na`. `variance`: variance (divisor n) not above `variance`. `frequency`: the
//! second most common value occurs less than `frequency` times as often as the most common one, or fewer than `unique`
//! distinct values per row. `outliers`: an absolute value above `outliers`. `noise`: standard deviation of the controls
//! (divisor n), averaged over plates, above `noise`. `correlation`: of every pair with Pearson's r above `correlation`
//! the column with the larger sum of |r| over all columns.
//!
//! # Why
//! Constant and duplicated features make sphering singular; huge ones decide every distance.
//!
//! # What it cannot show
//! Correlation is signed, as in the reference: a column and its negative both stay. A column that another one
//! replaces may itself be replaced, so that a chain of correlated columns can vanish but for one.
//!
//! # Reference
//! pycytominer 1.7 `feature_select` (`frequency` was `variance_threshold` before); Arevalo et al. 2024 use
//! frequency and correlation. pycytominer's noise removal groups by treatment, which is an answer: here it is by plate
//! and on controls.

use bench_core::{Card, Matrix};

use crate::column::per_column;
use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope, check};
use crate::group::{By, read_on};
use crate::linear;
use crate::params::Reader;
use crate::{Error, Origin, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "select",
        title: "Feature selection",
        what: "Drops columns with missing values, without variance, with outliers, or correlated with others.",
        formula: "operations in order: na, variance, frequency, outliers, noise, correlation",
        better: "none",
        range: "",
        limits: "Correlation is signed: a column and its negative both stay.",
        reference: "pycytominer feature_select; Arevalo et al. 2024 (frequency+correlation)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "pycytominer 1.7",
    parameters: &[
        Parameter {
            name: "operations",
            default: "na+variance+outliers+correlation",
            values: "na, variance, frequency, outliers, noise and correlation, joined by +",
            what: "what is done, in order",
        },
        parameter::on("all"),
        Parameter { name: "na", default: "0.05", values: "0 to 1", what: "greatest share of missing values" },
        Parameter {
            name: "variance",
            default: "1e-6",
            values: "at least 0",
            what: "greatest variance that is dropped",
        },
        Parameter {
            name: "frequency",
            default: "0.05",
            values: "0 to 1",
            what: "least ratio of the two commonest values",
        },
        Parameter {
            name: "unique",
            default: "0.01",
            values: "0 to 1",
            what: "least number of distinct values per row",
        },
        Parameter { name: "outliers", default: "500", values: "above 0", what: "greatest absolute value" },
        Parameter {
            name: "noise",
            default: "0.8",
            values: "above 0",
            what: "greatest deviation of controls within plates",
        },
        Parameter { name: "correlation", default: "0.9", values: "0 to 1", what: "greatest signed correlation" },
    ],
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Na,
    Variance,
    Frequency,
    Outliers,
    Noise,
    Correlation,
}

struct Select {
    operations: Vec<Operation>,
    on: Scope,
    na: f64,
    variance: f64,
    frequency: f64,
    unique: f64,
    outliers: f64,
    noise: f64,
    correlation: f64,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let words = [
        ("na", Operation::Na),
        ("variance", Operation::Variance),
        ("frequency", Operation::Frequency),
        ("outliers", Operation::Outliers),
        ("noise", Operation::Noise),
        ("correlation", Operation::Correlation),
    ];
    let (share, positive) = (|value| (0.0..=1.0).contains(&value), |value| value > 0.0);
    Ok(Box::new(Select {
        operations: reader.list("operations", &words)?,
        on: read_on(reader)?,
        na: reader.number("na", share, "a number from 0 to 1")?,
        variance: reader.number("variance", |value| value >= 0.0, "a number of at least 0")?,
        frequency: reader.number("frequency", share, "a number from 0 to 1")?,
        unique: reader.number("unique", share, "a number from 0 to 1")?,
        outliers: reader.number("outliers", positive, "a number above 0")?,
        noise: reader.number("noise", positive, "a number above 0")?,
        correlation: reader.number("correlation", share, "a number from 0 to 1")?,
    }))
}

impl Correction for Select {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn takes_missing(&self) -> bool {
        self.operations.contains(&Operation::Na)
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let cols = rows.matrix.cols();
        let mut kept: Vec<u32> = (0..cols as u32).collect();
        let mut notes = Vec::new();
        for operation in &self.operations {
            let part = columns(rows.matrix, &kept);
            let keeps = self.keeps(*operation, &part, rows.origin)?;
            let before = kept.len();
            kept = kept.into_iter().zip(keeps).filter(|(_, keep)| *keep).map(|(col, _)| col).collect();
            if kept.len() < before {
                let name = format!("{operation:?}").to_lowercase();
                notes.push(format!("{name} drops {} of {before} features", before - kept.len()));
            }
            if kept.is_empty() {
                let why = format!("no feature is left: {}", notes.join(", "));
                let (step, group) = (CARD.card.id.to_owned(), "the table".to_owned());
                return Err(Error::Fit { step, group, why });
            }
        }
        Ok(Box::new(Selected { step: CARD.card.id, cols, kept, notes }))
    }
}

impl Select {
    /// Whether each column of `matrix` stays.
    fn keeps(&self, operation: Operation, matrix: &Matrix, origin: &Origin) -> Result<Vec<bool>, Error> {
        let n = matrix.rows() as f64;
        Ok(match operation {
            Operation::Na => {
                per_column(matrix, |_, values| values.iter().filter(|v| v.is_nan()).count() as f64 / n <= self.na)
            }
            Operation::Variance => per_column(matrix, |_, values| variance(values) > self.variance),
            Operation::Frequency => per_column(matrix, |_, values| self.is_varied(values)),
            Operation::Outliers => {
                per_column(matrix, |_, values| values.iter().all(|v| v.is_nan() || v.abs() <= self.outliers))
            }
            Operation::Noise => self.is_quiet(matrix, origin)?,
            Operation::Correlation => {
                check(CARD.card.id, matrix, origin, matrix.cols(), false)?;
                self.is_apart(matrix)
            }
        })
    }

    fn is_varied(&self, values: &mut [f64]) -> bool {
        let n = values.len() as f64;
        values.sort_unstable_by(f64::total_cmp);
        let (mut distinct, mut first, mut second) = (0, 0, 0);
        for run in values.chunk_by(|a, b| a == b).filter(|run| !run[0].is_nan()) {
            distinct += 1;
            if run.len() > first {
                (first, second) = (run.len(), first);
            } else {
                second = second.max(run.len());
            }
        }
        let ratio = if distinct < 2 { 0.0 } else { second as f64 / first as f64 };
        ratio >= self.frequency && f64::from(distinct) / n >= self.unique
    }

    fn is_quiet(&self, matrix: &Matrix, origin: &Origin) -> Result<Vec<bool>, Error> {
        let step = CARD.card.id;
        let controls = origin.controls();
        if controls.is_empty() {
            return Err(Error::NoControls { step: step.to_owned(), group: "the table".to_owned() });
        }
        let (matrix, origin) = (matrix.take(&controls), origin.take(&controls));
        let plates = By::Plate.groups(step, &origin)?;
        Ok(per_column(&matrix, |_, values| {
            let deviation = |rows: &[u32]| {
                let group: Vec<f64> = rows.iter().map(|&row| values[row as usize]).collect();
                variance(&group).sqrt()
            };
            let total: f64 = plates.iter().map(|plate| deviation(&plate.rows)).sum();
            total / plates.len() as f64 <= self.noise
        }))
    }

    fn is_apart(&self, matrix: &Matrix) -> Vec<bool> {
        let d = matrix.cols();
        let (mean, population) = linear::moments(matrix);
        let n = matrix.rows() as f64;
        let factor: Vec<f64> = population.iter().map(|v| if *v > 0.0 { 1.0 / (v * n).sqrt() } else { 0.0 }).collect();
        let correlation = linear::cross_products(matrix, &mean, Some(&factor));
        let sums: Vec<f64> = correlation.chunks_exact(d).map(|row| row.iter().map(|r| r.abs()).sum()).collect();
        let mut keeps = vec![true; d];
        for a in 0..d {
            for b in 0..a {
                if correlation[a * d + b] > self.correlation {
                    keeps[if sums[a] >= sums[b] { a } else { b }] = false;
                }
            }
        }
        keeps
    }
}

/// Variance with divisor n, missing values left out; differences from the first value keep constants exact.
fn variance(values: &[f64]) -> f64 {
    let present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let Some(&first) = present.first() else { return 0.0 };
    let n = present.len() as f64;
    let mean = first + present.iter().map(|v| v - first).sum::<f64>() / n;
    present.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
}

/// Copies columns.
fn columns(matrix: &Matrix, kept: &[u32]) -> Matrix {
    if kept.len() == matrix.cols() {
        return matrix.clone();
    }
    let mut data = Vec::with_capacity(matrix.rows() * kept.len());
    for row in 0..matrix.rows() {
        let values = matrix.row(row);
        data.extend(kept.iter().map(|&col| values[col as usize]));
    }
    Matrix::new(matrix.rows(), kept.len(), data)
}

/// The columns that stay.
pub(crate) struct Selected {
    pub(crate) step: &'static str,
    pub(crate) cols: usize,
    pub(crate) kept: Vec<u32>,
    pub(crate) notes: Vec<String>,
}

impl Fitted for Selected {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        check(self.step, matrix, origin, self.cols, true)?;
        Ok(columns(matrix, &self.kept))
    }

    fn kept(&self) -> Option<&[u32]> {
        Some(&self.kept)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
