//! MAD normalisation: median and median absolute deviation of each group.
//!
//! # What
//! Subtracts the median of the reference rows of the group and divides by their median absolute deviation.
//!
//! # Formula
//! `(x - median_g) / (constant * mad_g + epsilon)`; if the divisor is zero, the feature is only centred
//!
//! # Why
//! What JUMP's own pipelines do, plate by plate on DMSO.
//!
//! # What it cannot show
//! With `constant=1` (the raw deviation, as in the JUMP recipe and Arevalo et al.) a normal feature comes out with
//! standard deviation 0.67; with 1.4826 (pycytominer) with 1. Which it was has to be said.
//!
//! # Reference
//! pycytominer `RobustMAD` (constant 1.4826, epsilon 1e-18); Arevalo et al. 2024 and the JUMP profiling recipe
//! (constant 1, epsilon 0).
//! Parity: pycytominer divides features without spread by 1e-18; ask for it with `epsilon=1e-18`.

use bench_core::Card;

use crate::correction::{Correction, CorrectionCard, Parameter, Scope};
use crate::group::{By, Defect, Grouped, read_on};
use crate::location::LocationScale;
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "mad",
        title: "MAD normalisation",
        what: "Median zero and median absolute deviation one over the reference rows of each group.",
        formula: "(x - median_g) / (constant * mad_g + epsilon); if the divisor is zero, only centred",
        better: "none",
        range: "",
        limits: "Half of the values decide the scale; constant 1 and 1.4826 differ by a factor that must be said.",
        reference: "pycytominer RobustMAD (1.4826, 1e-18); Arevalo et al. 2024, JUMP profiling recipe (1, 0)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "pycytominer 1.7 or JUMP recipe, by constant and epsilon",
    parameters: &[
        parameter::by("plate"),
        parameter::on("controls"),
        Parameter {
            name: "constant",
            default: "1.4826",
            values: "a number above 0",
            what: "multiplies the deviation: 1.4826 for a normal feature to have sd 1, 1 for the raw deviation",
        },
        Parameter {
            name: "epsilon",
            default: "0",
            values: "a number of at least 0",
            what: "is added to the divisor; pycytominer adds 1e-18",
        },
        parameter::DEFECT,
    ],
};

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    let constant = reader.number("constant", |value| value > 0.0, "a number above 0")?;
    let epsilon = reader.number("epsilon", |value| value >= 0.0, "a number of at least 0")?;
    let defect = Defect::read(reader)?;
    Ok(Box::new(Grouped { card: &CARD, learner: LocationScale::MedianMad { constant, epsilon }, by, on, defect }))
}
