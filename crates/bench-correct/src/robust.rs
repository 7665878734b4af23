//! Robust scaling: median and interquartile range of each group.
//!
//! # What
//! Subtracts the median of the reference rows of the group and divides by their interquartile range.
//!
//! # Formula
//! `(x - median_g) / (q75_g - q25_g)`, quantiles by linear interpolation; without spread only centred
//!
//! # Why
//! As standardising, but a quarter of the wells may be anything.
//!
//! # What it cannot show
//! Half of the values decide the scale, so that few controls make it noisy.
//!
//! # Reference
//! scikit-learn `RobustScaler`; pycytominer `normalize(method="robustize")`.

use bench_core::Card;

use crate::correction::{Correction, CorrectionCard, Scope};
use crate::group::{By, Defect, Grouped, read_on};
use crate::location::LocationScale;
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "robust",
        title: "Robust scaling",
        what: "Median zero and interquartile range one over the reference rows of each group.",
        formula: "(x - median_g) / (q75_g - q25_g), linear interpolation; a feature without spread is only centred",
        better: "none",
        range: "",
        limits: "Half of the values decide the scale, so that few controls make it noisy.",
        reference: "scikit-learn RobustScaler; pycytominer normalize(robustize)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "pycytominer 1.7",
    parameters: &[parameter::by("plate"), parameter::on("controls"), parameter::DEFECT],
};

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on, defect) = (By::read(reader)?, read_on(reader)?, Defect::read(reader)?);
    Ok(Box::new(Grouped { card: &CARD, learner: LocationScale::MedianIqr, by, on, defect }))
}
