//! Standardising: mean zero and standard deviation one in each group.
//!
//! # What
//! Subtracts the mean of the reference rows of the group and divides by their standard deviation.
//!
//! # Formula
//! `(x - mean_g) / sd_g`, divisor n; a feature without spread is only centred
//!
//! # Why
//! The z-score per plate is the field's default for deep features.
//!
//! # What it cannot show
//! A few extreme wells move both numbers; correlations between features stay as they are.
//!
//! # Reference
//! scikit-learn `StandardScaler`; pycytominer `normalize(method="standardize")`.

use bench_core::Card;

use crate::correction::{Correction, CorrectionCard, Scope};
use crate::group::{By, Defect, Grouped, read_on};
use crate::location::LocationScale;
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "standardise",
        title: "Standardising",
        what: "Mean zero and standard deviation one over the reference rows of each group.",
        formula: "(x - mean_g) / sd_g, divisor n; a feature without spread is only centred",
        better: "none",
        range: "",
        limits: "A few extreme wells move mean and deviation; correlations between features stay as they are.",
        reference: "scikit-learn StandardScaler; pycytominer normalize(standardize)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "pycytominer 1.7",
    parameters: &[parameter::by("plate"), parameter::on("controls"), parameter::DEFECT],
};

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on, defect) = (By::read(reader)?, read_on(reader)?, Defect::read(reader)?);
    Ok(Box::new(Grouped { card: &CARD, learner: LocationScale::MeanSd, by, on, defect }))
}
