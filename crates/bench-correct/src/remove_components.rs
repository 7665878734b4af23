//! Removal of the leading principal components.
//!
//! # What
//! Projects rows onto the complement of the k strongest principal components of the reference rows.
//!
//! # Formula
//! `y = x - V_k V_k' (x - mean)`
//!
//! # Why
//! The first components of controls are often plate and position; removing them is the simplest model of that.
//!
//! # What it cannot show
//! Whether the components carried biology too; fitted on all rows, they usually did.
//!
//! # Reference
//! Textbook; "removal of top components" in expression and profiling studies.

use bench_core::{Card, Matrix};

use crate::correction::{Correction, CorrectionCard, Parameter, Scope};
use crate::group::{By, Defect, Grouped, Learner, read_on};
use crate::linear::{self, Affine, Spectrum};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "remove-components",
        title: "Removal of leading principal components",
        what: "Projects rows onto the complement of the k strongest principal components of the reference rows.",
        formula: "y = x - V_k V_k' (x - mean)",
        better: "none",
        range: "",
        limits: "The components may carry biology, above all when fitted on all rows.",
        reference: "textbook",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "bench",
    parameters: &[
        Parameter {
            name: "k",
            default: "1",
            values: "a whole number of at least 1",
            what: "the number of components removed",
        },
        parameter::by("all"),
        parameter::on("controls"),
    ],
};

#[derive(Clone, Copy, Debug)]
struct Remove {
    k: usize,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let k = reader.whole("k", 1)?;
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    Ok(Box::new(Grouped { card: &CARD, learner: Remove { k }, by, on, defect: Defect::None }))
}

impl Learner for Remove {
    type Model = Affine;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Affine, Error> {
        let d = matrix.cols();
        let (mean, _) = linear::moments(matrix);
        let spectrum = Spectrum::of(matrix, &mean, None);
        let rank = spectrum.rank();
        if self.k > rank {
            let why = format!("{} components were asked for, and the {} rows have {rank}", self.k, matrix.rows());
            return Err(Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why });
        }
        let mut map = linear::sandwich(&spectrum.vectors[..self.k * d], &vec![-1.0; self.k], d);
        for i in 0..d {
            map[i * d + i] += 1.0;
        }
        Ok(Affine { before: mean.clone(), matrix: map, after: mean })
    }

    fn apply(&self, model: &Affine, matrix: &Matrix) -> Matrix {
        model.apply(matrix)
    }
}
