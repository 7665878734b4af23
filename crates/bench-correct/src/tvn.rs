//! Typical variation normalisation (TVN).
//!
//! # What
//! Standardises on all controls, turns to the principal components of the controls, standardises on the controls of
//! each group, and makes the controls of each group alike in covariance.
//!
//! # Formula
//! `z = (x - mean) / sd`, `p = V' z` (all controls); per group `q = (p - mean_g) / sd_g`,
//! `y = q (cov(q controls of g) + ridge I)^(-1/2)`; sd with divisor n, cov with n - 1
//!
//! # Why
//! What negative controls do within a batch is the typical variation; it is taken out, the weak directions included.
//!
//! # What it cannot show
//! A treatment whose effect lies along the typical variation is weakened with it. Few controls per group make its
//! covariance noise: the ridge decides then.
//!
//! # Reference
//! Ando, McLean, Berndl 2017; EFAAR_benchmarking of Recursion (ridge 0.5).
//! Parity: components of no variance over the controls are left out, not divided by rounding errors.

use bench_core::{Card, Matrix};

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, Defect, Learner, PerGroup};
use crate::linear::{self, Affine};
use crate::params::Reader;
use crate::two_stage::{TwoStage, principal_axes};
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "tvn",
        title: "Typical variation normalisation",
        what: "Standardises and turns to the principal components of the controls, then makes the controls of each \
               group alike in mean, deviation and covariance.",
        formula: "p = V' (x - mean) / sd over all controls; per group q = (p - mean_g) / sd_g and \
                  y = q (cov(q of controls of g) + ridge I)^(-1/2)",
        better: "none",
        range: "",
        limits: "Effects along the typical variation are weakened; few controls per group leave the ridge to decide.",
        reference: "Ando et al. 2017; EFAAR_benchmarking (ridge 0.5)",
    },
    scope: Scope::Controls,
    transductive: false,
    dialect: "EFAAR_benchmarking",
    parameters: &[
        parameter::unit("batch"),
        Parameter {
            name: "ridge",
            default: "0.5",
            values: "a number above 0",
            what: "is added to the diagonal of the covariance of each group",
        },
        parameter::components("auto", "the most components kept; auto keeps all that vary"),
    ],
};

struct Tvn {
    by: By,
    ridge: f64,
    components: Option<usize>,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let ridge = reader.number("ridge", |value| value > 0.0, "a number above 0")?;
    Ok(Box::new(Tvn { by, ridge, components: reader.whole_or_auto("components", 1)? }))
}

impl Correction for Tvn {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        Scope::Controls
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let step = CARD.card.id;
        let first = principal_axes(step, rows.matrix, true, self.components)?;
        let turned = first.apply(rows.matrix);
        let rows = Rows { matrix: &turned, ..*rows };
        let second = PerGroup::learn(step, Whitened { ridge: self.ridge }, self.by, Defect::None, &rows)?;
        let notes = vec![format!("{} components of the controls are kept", turned.cols())];
        Ok(Box::new(TwoStage { step, first, second, notes }))
    }
}

/// Standardising, then whitening with a ridge.
struct Whitened {
    ridge: f64,
}

impl Learner for Whitened {
    type Model = Affine;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Affine, Error> {
        let (n, d) = (matrix.rows(), matrix.cols());
        if n < 2 {
            let why = format!("{n} control row is too few for a covariance: at least 2 are needed");
            return Err(Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why });
        }
        let (mean, variance) = linear::moments(matrix);
        let factor: Vec<f64> = variance.iter().map(|v| if *v > 0.0 { 1.0 / v.sqrt() } else { 1.0 }).collect();
        let mut covariance = linear::cross_products(matrix, &mean, Some(&factor));
        covariance.iter_mut().for_each(|value| *value /= (n - 1) as f64);
        for i in 0..d {
            covariance[i * d + i] += self.ridge;
        }
        let mut map = linear::power(&covariance, d, -0.5);
        for (row, factor) in map.chunks_exact_mut(d).zip(&factor) {
            row.iter_mut().for_each(|value| *value *= factor);
        }
        Ok(Affine { before: mean, matrix: map, after: vec![0.0; d] })
    }

    fn apply(&self, model: &Affine, matrix: &Matrix) -> Matrix {
        model.apply(matrix)
    }
}
