//! Sphering (whitening): the reference rows get unit covariance.
//!
//! # What
//! A linear map after which the reference rows are uncorrelated with variance one: `pca` and `zca` of the covariance,
//! `pca-cor` and `zca-cor` of the correlation. The ZCA maps turn back into the old axes, so that features keep their
//! meaning.
//!
//! # Formula
//! Reference rows centred (`-cor`: divided by their standard deviations too) are `U S V'`.
//! `W = V diag(sqrt(n - 1) / (s + epsilon))`, for ZCA times `V'`. With shrinkage: `s^2 / (n - 1)` is replaced by
//! `s^2 / (n - 1) + ridge`, or by Ledoit and Wolf's mixture `(1 - a) s^2 / (n - 1) + a mean(s^2 / (n - 1))`, a estimated.
//!
//! # Why
//! What controls do together is nuisance; dividing by it shows what treatments do beyond. The standard last step of
//! image-based profiling.
//!
//! # What it cannot show
//! Fewer rows than features leave directions in which controls say nothing: without shrinkage they are multiplied
//! as the weakest known one, which amplifies noise. Sphering on few controls needs shrinkage.
//!
//! # Reference
//! Kessy, Lewin, Strimmer 2018; pycytominer `Spherize` as of 1.7.1 (1.3.0 to 1.7.0 do not whiten); Ledoit and Wolf
//! 2004 as in scikit-learn.
//! Parity: reference rows of too low a rank are refused; pycytominer means to, but its check never fails, and it divides by
//! epsilon. The sign of `pca` axes is fixed here (largest loading positive), in NumPy it is arbitrary. With n <= d and
//! `pca`, the axes without data are any orthonormal completion.

use bench_core::{Card, Matrix};
use bench_geometry::pca::dense;

use crate::correction::{Correction, CorrectionCard, Parameter, Scope};
use crate::group::{By, Defect, Grouped, Learner, read_on};
use crate::linear::{self, Affine, Spectrum};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "sphere",
        title: "Sphering",
        what: "A linear map after which the reference rows are uncorrelated with variance one.",
        formula: "W = V diag(sqrt(n - 1) / (s + epsilon)) [V' for ZCA], from the singular values s and vectors V of \
                  the centred (-cor: standardised) reference rows; with shrinkage of s^2 / (n - 1)",
        better: "none",
        range: "",
        limits: "With fewer reference rows than features, directions without data are amplified unless shrunk.",
        reference: "Kessy et al. 2018; pycytominer Spherize >= 1.7.1; Ledoit and Wolf 2004",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "pycytominer 1.7.1",
    parameters: &[
        Parameter {
            name: "method",
            default: "zca-cor",
            values: "pca, zca, pca-cor or zca-cor",
            what: "which whitening",
        },
        Parameter {
            name: "epsilon",
            default: "1e-6",
            values: "a number of at least 0",
            what: "is added to singular values",
        },
        Parameter {
            name: "shrinkage",
            default: "none",
            values: "none, ridge or ledoit-wolf",
            what: "how eigenvalues are made safe to divide by",
        },
        Parameter {
            name: "ridge",
            default: "0.1",
            values: "a number above 0",
            what: "is added to eigenvalues with shrinkage=ridge; for -cor their mean is 1",
        },
        parameter::by("all"),
        parameter::on("controls"),
        parameter::DEFECT,
    ],
};

/// How eigenvalues are made safe to divide by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shrinkage {
    None,
    Ridge,
    LedoitWolf,
}

/// The settings of a whitening.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sphere {
    turned_back: bool,
    correlation: bool,
    epsilon: f64,
    shrinkage: Shrinkage,
    ridge: f64,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let methods =
        [("pca", (false, false)), ("zca", (true, false)), ("pca-cor", (false, true)), ("zca-cor", (true, true))];
    let (turned_back, correlation) = reader.choice("method", &methods)?;
    let epsilon = reader.number("epsilon", |value| value >= 0.0, "a number of at least 0")?;
    let kinds = [("none", Shrinkage::None), ("ridge", Shrinkage::Ridge), ("ledoit-wolf", Shrinkage::LedoitWolf)];
    let shrinkage = reader.choice("shrinkage", &kinds)?;
    let ridge = reader.number("ridge", |value| value > 0.0, "a number above 0")?;
    let (by, on, defect) = (By::read(reader)?, read_on(reader)?, Defect::read(reader)?);
    let learner = Sphere { turned_back, correlation, epsilon, shrinkage, ridge };
    Ok(Box::new(Grouped { card: &CARD, learner, by, on, defect }))
}

impl Sphere {
    fn refuse<T>(group: &str, why: String) -> Result<T, Error> {
        Err(Error::Fit { step: CARD.card.id.to_owned(), group: group.to_owned(), why })
    }

    /// What each of the `d` axes is multiplied by, known ones first.
    fn factors(&self, spectrum: &Spectrum, shares: &[f64], group: &str) -> Result<Vec<f64>, Error> {
        let (n, d) = (spectrum.rows, spectrum.cols);
        let divisor = (n - 1) as f64;
        if self.shrinkage == Shrinkage::None {
            let rank = spectrum.rank();
            let full = rank == d || rank == n - 1;
            if !full || rank == 0 {
                let why = format!(
                    "{n} reference rows of {d} features have rank {rank}, so some features follow from others; drop \
                     these (`select`), or use shrinkage=ledoit-wolf"
                );
                return Self::refuse(group, why);
            }
            let weakest = spectrum.singular[rank - 1];
            let value = |at: usize| if at < rank { spectrum.singular[at] } else { weakest };
            return Ok((0..d).map(|at| divisor.sqrt() / (value(at) + self.epsilon)).collect());
        }
        let eigen: Vec<f64> = (0..d).map(|at| spectrum.singular.get(at).map_or(0.0, |s| s * s / divisor)).collect();
        let mean = eigen.iter().sum::<f64>() / d as f64;
        if mean == 0.0 {
            return Self::refuse(group, "no feature varies over the reference rows".to_owned());
        }
        let share = if self.shrinkage == Shrinkage::LedoitWolf { ledoit_wolf(spectrum, shares) } else { 0.0 };
        let shrunk = |value: f64| match self.shrinkage {
            Shrinkage::Ridge => value + self.ridge,
            _ => (1.0 - share) * value + share * mean,
        };
        let least = eigen.iter().map(|&value| shrunk(value)).fold(f64::INFINITY, f64::min);
        if least <= mean * f64::EPSILON {
            let why = "a direction without spread is left after shrinkage; use shrinkage=ridge".to_owned();
            return Self::refuse(group, why);
        }
        Ok(eigen.into_iter().map(|value| 1.0 / (shrunk(value).sqrt() + self.epsilon / divisor.sqrt())).collect())
    }
}

impl Learner for Sphere {
    type Model = Affine;

    fn learn(&self, matrix: &Matrix, group: &str) -> Result<Affine, Error> {
        let (n, d) = (matrix.rows(), matrix.cols());
        if n < 2 {
            return Self::refuse(group, format!("{n} reference row is too few: at least 2 are needed"));
        }
        let (mean, variance) = linear::moments(matrix);
        let constant = variance.iter().filter(|&&value| value == 0.0).count();
        if self.correlation && constant > 0 && self.shrinkage == Shrinkage::None {
            let why = format!(
                "{constant} of {d} features do not vary over the {n} reference rows; drop these (`select`), or use \
                 shrinkage=ledoit-wolf"
            );
            return Self::refuse(group, why);
        }
        let scale = |value: &f64| if *value > 0.0 { 1.0 / value.sqrt() } else { 1.0 };
        let factor: Option<Vec<f64>> = self.correlation.then(|| variance.iter().map(scale).collect());
        let spectrum = Spectrum::of(matrix, &mean, factor.as_deref());
        let shares = match self.shrinkage {
            Shrinkage::LedoitWolf => row_squares(matrix, &mean, factor.as_deref()),
            _ => Vec::new(),
        };
        let factors = self.factors(&spectrum, &shares, group)?;
        let mut map = if self.turned_back { turned_back(&spectrum, &factors) } else { axes(&spectrum, &factors) };
        if let Some(factor) = &factor {
            for (row, factor) in map.chunks_exact_mut(d).zip(factor) {
                row.iter_mut().for_each(|value| *value *= factor);
            }
        }
        Ok(Affine { before: mean, matrix: map, after: vec![0.0; d] })
    }

    fn apply(&self, model: &Affine, matrix: &Matrix) -> Matrix {
        model.apply(matrix)
    }
}

/// `V diag(f) V'` over all d axes, from the known ones alone: the others share one factor.
pub(crate) fn turned_back(spectrum: &Spectrum, factors: &[f64]) -> Vec<f64> {
    let (known, d) = (spectrum.singular.len(), spectrum.cols);
    let rest = if known < d { factors[known] } else { 0.0 };
    let beyond: Vec<f64> = factors[..known].iter().map(|factor| factor - rest).collect();
    let mut map = linear::sandwich(&spectrum.vectors, &beyond, d);
    for i in 0..d {
        map[i * d + i] += rest;
    }
    map
}

/// `V diag(f)`, completed to d axes.
fn axes(spectrum: &Spectrum, factors: &[f64]) -> Vec<f64> {
    let d = spectrum.cols;
    let mut vectors = spectrum.vectors.clone();
    vectors.resize(d * d, 0.0);
    dense::complete(&mut vectors, d);
    for (vector, factor) in vectors.chunks_exact_mut(d).zip(factors) {
        vector.iter_mut().for_each(|value| *value *= factor);
    }
    linear::transposed(&vectors, d, d)
}

/// Squared length of every centred and scaled row.
fn row_squares(matrix: &Matrix, mean: &[f64], factor: Option<&[f64]>) -> Vec<f64> {
    let d = matrix.cols();
    let mut squares = Vec::with_capacity(matrix.rows());
    linear::for_each_block(matrix, mean, factor, |_, block, _| {
        squares.extend(block.chunks_exact(d).map(|row| row.iter().map(|value| value * value).sum::<f64>()));
    });
    squares
}

/// Ledoit and Wolf's share of the scaled identity, for a covariance with divisor n.
fn ledoit_wolf(spectrum: &Spectrum, row_squares: &[f64]) -> f64 {
    let (n, d) = (spectrum.rows as f64, spectrum.cols as f64);
    let eigen: Vec<f64> = spectrum.singular.iter().map(|s| s * s / n).collect();
    let (trace, squares) = (eigen.iter().sum::<f64>(), eigen.iter().map(|e| e * e).sum::<f64>());
    let fourth: f64 = row_squares.iter().map(|square| square * square).sum::<f64>() / n;
    let spread = (squares - trace * trace / d) / d;
    let error = ((fourth - squares) / (d * n)).min(spread);
    if error <= 0.0 { 0.0 } else { error / spread }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{noise, spec};

    fn learned(text: &str, matrix: &Matrix) -> Result<Matrix, Error> {
        let mut reader = Reader::new("sphere", CARD.parameters, spec(text)).unwrap();
        let correction = build(&mut reader).unwrap();
        let origin = crate::testing::plain(matrix.rows());
        let input = crate::FitInput { matrix, origin: &origin, covariate: None, seed: bench_core::Seed(1) };
        correction.fit(&input)?.apply(matrix, &origin)
    }

    #[test]
    fn every_method_whitens_the_rows_it_was_fitted_on() {
        let matrix = noise(300, 12, 4);
        for method in ["pca", "zca", "pca-cor", "zca-cor"] {
            let white = learned(&format!("method={method},on=all"), &matrix).unwrap();
            let (mean, _) = linear::moments(&white);
            let covariance = linear::covariance(&white, &mean);
            for i in 0..12 {
                for j in 0..12 {
                    let expected = f64::from(i == j);
                    assert!((covariance[i * 12 + j] - expected).abs() < 1e-5, "{method} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn dependent_and_constant_features_are_refused_unless_shrunk() {
        let mut matrix = noise(60, 5, 1);
        for row in 0..60 {
            matrix.data_mut()[row * 5 + 4] = 2.5;
        }
        assert!(matches!(learned("on=all", &matrix), Err(Error::Fit { .. })));
        assert!(matches!(learned("on=all,method=zca", &matrix), Err(Error::Fit { .. })));
        for shrinkage in ["ridge", "ledoit-wolf"] {
            let out = learned(&format!("on=all,shrinkage={shrinkage}"), &matrix).unwrap();
            assert!(out.data().iter().all(|value| value.is_finite() && value.abs() < 1e3));
        }
    }
}
