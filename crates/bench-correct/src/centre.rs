//! Centring: the mean of each group is subtracted.
//!
//! # What
//! Subtracts from every feature its mean over the reference rows of the group.
//!
//! # Formula
//! `x - mean_g`
//!
//! # Why
//! The least that can be done about a batch, and hard to beat where batches differ by a shift.
//!
//! # What it cannot show
//! Nothing about differences in scale or in covariance; on all rows it also removes what compounds have in common.
//!
//! # Reference
//! Textbook; pycytominer `normalize` without scaling.

use bench_core::Card;

use crate::correction::{Correction, CorrectionCard, Scope};
use crate::group::{By, Defect, Grouped, read_on};
use crate::location::LocationScale;
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "centre",
        title: "Centring",
        what: "Subtracts from every feature its mean over the reference rows of the group.",
        formula: "x - mean_g",
        better: "none",
        range: "",
        limits: "Leaves differences in scale and covariance; on all rows it also removes what compounds have in common.",
        reference: "textbook",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "bench",
    parameters: &[parameter::by("plate"), parameter::on("controls"), parameter::DEFECT],
};

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on, defect) = (By::read(reader)?, read_on(reader)?, Defect::read(reader)?);
    Ok(Box::new(Grouped { card: &CARD, learner: LocationScale::Mean, by, on, defect }))
}
