//! Variant features: those whose controls vary in every group.
//!
//! # What
//! Keeps a feature if, in every group, the median absolute deviation of the reference rows is neither zero nor tiny
//! beside their median.
//!
//! # Formula
//! `mad_g > 0` and `|mad_g / median_g| > least` for all g, raw deviation; a median of zero counts as a ratio of zero
//!
//! # Why
//! The first step of the JUMP recipe: what follows divides by these deviations.
//!
//! # What it cannot show
//! It depends on where zero is: of two features with the same deviation, the one far from zero fails.
//!
//! # Reference
//! Arevalo et al. 2024 and the JUMP profiling recipe, `select_variant_features`.

use bench_core::Card;

use crate::column::{median_and_mad, per_column};
use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, read_on, taken};
use crate::params::Reader;
use crate::select::Selected;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "variant",
        title: "Variant features",
        what: "Keeps the features whose reference rows vary in every group.",
        formula: "mad_g > 0 and |mad_g / median_g| > least in every group g",
        better: "none",
        range: "",
        limits: "Depends on where zero is.",
        reference: "Arevalo et al. 2024; JUMP profiling recipe",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "JUMP recipe",
    parameters: &[
        parameter::by("plate"),
        parameter::on("controls"),
        Parameter { name: "least", default: "0.001", values: "a number of at least 0", what: "least |mad / median|" },
    ],
};

struct Variant {
    by: By,
    on: Scope,
    least: f64,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    Ok(Box::new(Variant { by, on, least: reader.number("least", |value| value >= 0.0, "a number of at least 0")? }))
}

impl Correction for Variant {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let (step, cols) = (CARD.card.id, rows.matrix.cols());
        let mut keeps = vec![true; cols];
        for group in self.by.groups(step, rows.origin)? {
            let varies = per_column(&taken(rows.matrix, &group.rows), |_, values| {
                let (median, mad) = median_and_mad(values);
                mad > 0.0 && median != 0.0 && (mad / median).abs() > self.least
            });
            keeps.iter_mut().zip(varies).for_each(|(keep, varies)| *keep &= varies);
        }
        let kept: Vec<u32> = (0..cols as u32).filter(|&col| keeps[col as usize]).collect();
        if kept.is_empty() {
            let why = "no feature varies in every group; lower `least` or choose larger groups".to_owned();
            return Err(Error::Fit { step: step.to_owned(), group: "the table".to_owned(), why });
        }
        let notes = if kept.len() < cols {
            vec![format!("drops {} of {cols} features", cols - kept.len())]
        } else {
            Vec::new()
        };
        Ok(Box::new(Selected { step, cols, kept, notes }))
    }
}
