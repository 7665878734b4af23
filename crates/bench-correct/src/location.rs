//! Location and scale of every feature in a group: shared by `centre`, `standardise`, `robust` and `mad`.

use bench_core::{Matrix, number};
use rayon::prelude::*;

use crate::column::{median_and_mad, per_column};
use crate::group::Learner;
use crate::{Error, linear};

/// What is subtracted and what divides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LocationScale {
    /// The mean; nothing divides.
    Mean,
    /// Mean and standard deviation, divisor n.
    MeanSd,
    /// Median and interquartile range.
    MedianIqr,
    /// Median and median absolute deviation.
    MedianMad {
        /// Multiplies the deviation.
        constant: f64,
        /// Added to the product.
        epsilon: f64,
    },
}

/// Location and scale of every feature.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) centre: Vec<f64>,
    /// Never zero: a feature without spread is only centred.
    pub(crate) scale: Vec<f64>,
}

impl Learner for LocationScale {
    type Model = Location;

    fn learn(&self, matrix: &Matrix, _: &str) -> Result<Location, Error> {
        let (centre, scale): (Vec<f64>, Vec<f64>) = match *self {
            Self::Mean => {
                let (mean, _) = linear::moments(matrix);
                let scale = vec![1.0; mean.len()];
                (mean, scale)
            }
            Self::MeanSd => {
                let (mean, variance) = linear::moments(matrix);
                (mean, variance.into_iter().map(f64::sqrt).collect())
            }
            Self::MedianIqr => per_column(matrix, |_, values| {
                values.sort_unstable_by(f64::total_cmp);
                let at = |q| number::quantile_sorted(values, q);
                (at(0.5), at(0.75) - at(0.25))
            })
            .into_iter()
            .unzip(),
            Self::MedianMad { constant, epsilon } => per_column(matrix, |_, values| {
                let (centre, mad) = median_and_mad(values);
                (centre, constant * mad + epsilon)
            })
            .into_iter()
            .unzip(),
        };
        let scale = scale.into_iter().map(|scale| if scale > 0.0 { scale } else { 1.0 }).collect();
        Ok(Location { centre, scale })
    }

    fn apply(&self, model: &Location, matrix: &Matrix) -> Matrix {
        let mut out = matrix.clone();
        out.data_mut().par_chunks_mut(matrix.cols().max(1)).with_min_len(64).for_each(|row| {
            for ((value, centre), scale) in row.iter_mut().zip(&model.centre).zip(&model.scale) {
                *value = ((f64::from(*value) - centre) / scale) as f32;
            }
        });
        out
    }
}
