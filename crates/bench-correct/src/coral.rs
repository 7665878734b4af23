//! CORAL: correlation alignment.
//!
//! # What
//! Gives the reference rows of every group the same mean and covariance: those of the table, batch effects left out.
//!
//! # Formula
//! `y = (x - mean_g) (C_g + ridge I)^(-1/2) (C + ridge I)^(1/2) + mean`, `C_g` the covariance of the group's reference
//! rows, `C` that of all reference rows about the means of their groups, `mean` the mean of the groups' means
//!
//! # Why
//! Second-order alignment of domains in closed form; controls say what the domains share.
//!
//! # What it cannot show
//! With fewer reference rows than features the ridge decides; nothing beyond mean and covariance is aligned.
//!
//! # Reference
//! Sun, Feng, Saenko 2016 (ridge 1, one source and one target domain; here each group is aligned to the pooled one).

use bench_core::{Card, Matrix};
use bench_geometry::pca::dense;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, Defect, Learner, PerGroup, read_on, taken};
use crate::linear::{self, Affine};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "coral",
        title: "Correlation alignment (CORAL)",
        what: "Gives the reference rows of every group the mean and covariance that they have within groups on average.",
        formula: "y = (x - mean_g) (C_g + ridge I)^(-1/2) (C + ridge I)^(1/2) + mean",
        better: "none",
        range: "",
        limits: "With fewer reference rows than features the ridge decides; only mean and covariance are aligned.",
        reference: "Sun et al. 2016",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "bench: groups to their pool",
    parameters: &[
        parameter::unit("batch"),
        parameter::on("controls"),
        Parameter {
            name: "ridge",
            default: "1",
            values: "a number above 0",
            what: "is added to the diagonal of covariances",
        },
    ],
};

struct Coral {
    by: By,
    on: Scope,
    ridge: f64,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read_unit(reader)?, read_on(reader)?);
    Ok(Box::new(Coral { by, on, ridge: reader.number("ridge", |value| value > 0.0, "a number above 0")? }))
}

impl Correction for Coral {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let (step, d) = (CARD.card.id, rows.matrix.cols());
        let groups = self.by.groups(step, rows.origin)?;
        let (mut mean, mut pooled, mut freedom) = (vec![0.0; d], vec![0.0; d * d], 0);
        for group in &groups {
            let part = taken(rows.matrix, &group.rows);
            let (centre, _) = linear::moments(&part);
            mean.iter_mut().zip(&centre).for_each(|(mean, value)| *mean += value / groups.len() as f64);
            let products = linear::cross_products(&part, &centre, None);
            pooled.iter_mut().zip(&products).for_each(|(sum, value)| *sum += value);
            freedom += group.rows.len() - 1;
        }
        if freedom == 0 {
            let why = "every group has a single reference row, so that none has a covariance".to_owned();
            return Err(Error::Fit { step: step.to_owned(), group: "the table".to_owned(), why });
        }
        pooled.iter_mut().for_each(|value| *value /= freedom as f64);
        let target = regularised_power(pooled, d, self.ridge, 0.5);
        let learner = Aligned { ridge: self.ridge, mean, target };
        Ok(Box::new(PerGroup::learn(step, learner, self.by, Defect::None, rows)?))
    }
}

fn regularised_power(mut covariance: Vec<f64>, d: usize, ridge: f64, power: f64) -> Vec<f64> {
    for i in 0..d {
        covariance[i * d + i] += ridge;
    }
    linear::power(&covariance, d, power)
}

/// Alignment to a common mean and covariance.
struct Aligned {
    ridge: f64,
    mean: Vec<f64>,
    target: Vec<f64>,
}

impl Learner for Aligned {
    type Model = Affine;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Affine, Error> {
        let (n, d) = (matrix.rows(), matrix.cols());
        if n < 2 {
            let why = format!("{n} reference row is too few for a covariance: at least 2 are needed");
            return Err(Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why });
        }
        let (mean, _) = linear::moments(matrix);
        let whiten = regularised_power(linear::covariance(matrix, &mean), d, self.ridge, -0.5);
        let mut map = vec![0.0; d * d];
        dense::multiply(&whiten, &self.target, &mut map, d, d, d);
        Ok(Affine { before: mean, matrix: map, after: self.mean.clone() })
    }

    fn apply(&self, model: &Affine, matrix: &Matrix) -> Matrix {
        model.apply(matrix)
    }
}
