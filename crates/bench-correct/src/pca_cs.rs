//! PCA-CS: principal components, then centring and scaling on the controls of each group.
//!
//! # What
//! Turns the rows to their leading principal components and standardises these on the controls of each group.
//!
//! # Formula
//! `p = V_k' (x - mean)`, `y = (p - mean_g) / sd_g` over the controls of the group, divisor n
//!
//! # Why
//! The strongest simple pipeline of the EFAAR benchmark, and the one of RxRx3-core.
//!
//! # What it cannot show
//! Scaling raises weak components to the strength of strong ones, noise included; how many are kept matters.
//!
//! # Reference
//! EFAAR_benchmarking; RxRx3-core. Components are learned without labels, from all rows of the fit or the controls.
//! Parity: components of no variance are left out, not divided by rounding errors; the sign of axes is fixed.

use bench_core::Card;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, Defect, PerGroup};
use crate::location::LocationScale;
use crate::params::Reader;
use crate::two_stage::{TwoStage, principal_axes};
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "pca-cs",
        title: "Principal components, centred and scaled on controls",
        what: "Turns rows to their leading principal components and standardises these on the controls of each group.",
        formula: "p = V_k' (x - mean); y = (p - mean_g) / sd_g over the controls of the group",
        better: "none",
        range: "",
        limits: "Scaling raises weak components to the strength of strong ones; how many are kept matters.",
        reference: "EFAAR_benchmarking (PCA 128); RxRx3-core",
    },
    scope: Scope::All,
    transductive: false,
    dialect: "EFAAR_benchmarking",
    parameters: &[
        parameter::unit("batch"),
        parameter::components("128", "the most components kept; auto keeps all that vary"),
        Parameter {
            name: "axes",
            default: "all",
            values: "all or controls",
            what: "the rows whose principal components are used",
        },
    ],
};

struct PcaCs {
    by: By,
    components: Option<usize>,
    axes_on_controls: bool,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let components = reader.whole_or_auto("components", 1)?;
    let axes_on_controls = reader.choice("axes", &[("all", false), ("controls", true)])?;
    Ok(Box::new(PcaCs { by, components, axes_on_controls }))
}

impl Correction for PcaCs {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        if self.axes_on_controls { Scope::Controls } else { Scope::All }
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let step = CARD.card.id;
        let controls = rows.origin.controls();
        if controls.is_empty() {
            return Err(Error::NoControls { step: step.to_owned(), group: "the table".to_owned() });
        }
        let first = principal_axes(step, rows.matrix, false, self.components)?;
        let (turned, origin) = (first.apply(&rows.matrix.take(&controls)), rows.origin.take(&controls));
        let controls = Rows { matrix: &turned, origin: &origin, seed: rows.seed };
        let second = PerGroup::learn(step, LocationScale::MeanSd, self.by, Defect::None, &controls)?;
        let notes = vec![format!("{} components are kept", turned.cols())];
        Ok(Box::new(TwoStage { step, first, second, notes }))
    }
}
