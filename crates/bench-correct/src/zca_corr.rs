//! ZCA of the correlation, regularised at the knee of its spectrum.
//!
//! # What
//! Whitens the reference rows as `sphere(method=zca-cor)` does, but lifts the eigenvalues of the correlation matrix
//! to a tenth of the one at the knee, and variances to 0.001.
//!
//! # Formula
//! `W = G max(T, t_knee / 10)^(-1/2) G' diag(max(v, 0.001))^(-1/2)`, `G T G'` the correlation matrix, v the variances
//! (divisor n - 1)
//!
//! # Why
//! The correction of the reference code, and of JUMP's pilot analyses before it.
//!
//! # What it cannot show
//! The knee is a rule of thumb: a spectrum without bend has none (an error), and a sharp one regularises little.
//!
//! # Reference
//! gwatkinson/jump_models `ZCA_corr`, after Chandrasekaran et al. 2021; kneed for the knee. The reference leaves all
//! groups but the last uncorrected; `defect=last-group-only` does so too.

use bench_core::{Card, Matrix};

use crate::correction::{Correction, CorrectionCard, Parameter, Scope};
use crate::group::{By, Defect, Grouped, Learner, read_on};
use crate::knee::knee;
use crate::linear::{self, Affine, Spectrum};
use crate::params::Reader;
use crate::sphere::turned_back;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "zca-corr",
        title: "ZCA of the correlation with the knee rule",
        what: "Whitens the reference rows; eigenvalues of their correlation are lifted to a tenth of that at the knee.",
        formula: "W = G max(T, t_knee / divisor)^(-1/2) G' diag(max(v, floor))^(-1/2), G T G' the correlation matrix",
        better: "none",
        range: "",
        limits: "A spectrum without bend has no knee; a sharp bend regularises little.",
        reference: "gwatkinson/jump_models ZCA_corr; Satopää et al. 2011 (kneed)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "jump_models",
    parameters: &[
        parameter::by("plate"),
        parameter::on("controls"),
        Parameter {
            name: "divisor",
            default: "10",
            values: "a number of at least 1",
            what: "divides the eigenvalue at the knee",
        },
        Parameter { name: "floor", default: "0.001", values: "a number above 0", what: "least variance of a feature" },
        parameter::DEFECT,
    ],
};

#[derive(Clone, Copy, Debug, PartialEq)]
struct ZcaCorr {
    divisor: f64,
    floor: f64,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    let divisor = reader.number("divisor", |value| value >= 1.0, "a number of at least 1")?;
    let floor = reader.number("floor", |value| value > 0.0, "a number above 0")?;
    let defect = Defect::read(reader)?;
    Ok(Box::new(Grouped { card: &CARD, learner: ZcaCorr { divisor, floor }, by, on, defect }))
}

impl Learner for ZcaCorr {
    type Model = Affine;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Affine, Error> {
        let (n, d) = (matrix.rows(), matrix.cols());
        let refuse = |why: String| Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why };
        if n < 2 {
            return Err(refuse(format!("{n} reference row is too few: at least 2 are needed")));
        }
        let (mean, population) = linear::moments(matrix);
        let (divisor, correction) = ((n - 1) as f64, n as f64 / (n - 1) as f64);
        // A constant feature has correlation 0 with everything, itself included, as in the reference.
        let factor: Vec<f64> =
            population.iter().map(|v| if *v > 0.0 { 1.0 / (v * correction).sqrt() } else { 0.0 }).collect();
        let spectrum = Spectrum::of(matrix, &mean, Some(&factor));
        let eigen: Vec<f64> = (0..d).map(|at| spectrum.singular.get(at).map_or(0.0, |s| s * s / divisor)).collect();
        let Some(at) = knee(&eigen, 1.0) else {
            let why =
                format!("the eigenvalues of {d} features over {n} rows have no knee; use `sphere` with shrinkage");
            return Err(refuse(why));
        };
        // Singular values below this are rounding (as in the rank of NumPy): to divide by them would leave noise alone.
        let rounding = (n.max(d) as f64 * f64::EPSILON).powi(2) * eigen[0];
        if eigen[at] <= rounding {
            let why = format!(
                "the eigenvalue at the knee, the {}th of {d} features over {n} rows, is zero but for rounding; use more \
                 reference rows, fewer features, or `sphere` with shrinkage",
                at + 1
            );
            return Err(refuse(why));
        }
        let least = eigen[at] / self.divisor;
        let factors: Vec<f64> = eigen.iter().map(|value| 1.0 / value.max(least).sqrt()).collect();
        let mut map = turned_back(&spectrum, &factors);
        for (row, v) in map.chunks_exact_mut(d).zip(&population) {
            let factor = 1.0 / (v * correction).max(self.floor).sqrt();
            row.iter_mut().for_each(|value| *value *= factor);
        }
        Ok(Affine { before: mean, matrix: map, after: vec![0.0; d] })
    }

    fn apply(&self, model: &Affine, matrix: &Matrix) -> Matrix {
        model.apply(matrix)
    }
}
