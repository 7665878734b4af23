//! Template title.
//!
//! # What
//! What it does to a row, in a sentence.
//!
//! # Formula
//! `y = ...`
//!
//! # Why
//! Which batch effect it is a model of.
//!
//! # What it cannot show
//! What it removes besides.
//!
//! # Reference
//! Paper and section, or the package whose values it has.

use bench_core::{Card, Matrix};

use crate::correction::{Correction, CorrectionCard, Scope};
use crate::group::{By, Defect, Grouped, Learner, read_on};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "template-id",
        title: "Template title",
        what: "What it does to a row, in a sentence.",
        formula: "y = ...",
        better: "none",
        range: "",
        limits: "What it removes besides.",
        reference: "Paper and section, or the package whose values it has",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "bench",
    parameters: &[parameter::by("plate"), parameter::on("controls")],
};

/// Template title.
#[derive(Clone, Copy, Debug)]
struct TemplateId;

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    Ok(Box::new(Grouped { card: &CARD, learner: TemplateId, by, on, defect: Defect::None }))
}

impl Learner for TemplateId {
    /// What is learned from the rows of a group.
    type Model = Vec<f64>;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Vec<f64>, Error> {
        let why = format!("it is not written yet; the group has {} rows", matrix.rows());
        Err(Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why })
    }

    fn apply(&self, _model: &Vec<f64>, matrix: &Matrix) -> Matrix {
        matrix.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "it is not written yet")] // scaffold
    fn a_case_worked_out_by_hand_has_its_values() {
        let matrix = Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 6.0]);
        let model = TemplateId.learn(&matrix, "p1").unwrap();
        // From the formula, or from the package named as reference; never from this code.
        let expected = [f32::NAN; 4];
        assert_eq!(TemplateId.apply(&model, &matrix).data(), expected);
    }
}
