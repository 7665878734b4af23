//! Inverse normal transformation (INT): ranks turned into normal scores.
//!
//! # What
//! Replaces every value of a feature by the normal quantile of its rank among the reference rows of the group.
//!
//! # Formula
//! `ordinal`: `quantile((r - 3/8) / (n + 1/4))`, r the rank; ties in a random, seeded order. `quantile`: the empirical
//! distribution function by `quantiles` landmarks, clipped at 1e-7, its normal quantile.
//!
//! # Why
//! Makes CellProfiler's skewed features comparable; a step of the pipeline that did best in Arevalo et al. 2024.
//!
//! # What it cannot show
//! Distances within a feature: an outlier is next to its neighbour afterwards. On all rows a row's score depends on
//! the others, so it is transductive.
//!
//! # Reference
//! Blom 1958; Arevalo et al. 2024 and the JUMP profiling recipe (`ordinal`); pycytominer 1.7
//! `InverseNormalTransform`, which is scikit-learn's `QuantileTransformer` (`quantile`).
//! Parity: ties are ordered by a seeded hash of the rows, not of their places, so that the order of the table does
//! not matter; equal rows share the mean of their ranks. The `quantile` dialect uses all rows where scikit-learn
//! draws 10,000.

use bench_core::normal;
use bench_core::{Card, Matrix};
use rayon::prelude::*;

use crate::column::per_column;
use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, Defect, Learner, PerGroup, read_on};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "int",
        title: "Inverse normal transformation",
        what: "Replaces every value of a feature by the normal quantile of its rank among the reference rows.",
        formula: "ordinal: quantile((r - 3/8) / (n + 1/4)), ties in seeded order; quantile: by landmarks of the \
                  distribution function, clipped at 1e-7",
        better: "none",
        range: "about -5.2 to 5.2",
        limits: "Distances within a feature are lost; on all rows it is transductive.",
        reference: "Blom 1958; Arevalo et al. 2024 (ordinal); pycytominer InverseNormalTransform (quantile)",
    },
    scope: Scope::Chosen,
    transductive: true,
    dialect: "JUMP recipe (ordinal) or pycytominer 1.7 (quantile)",
    parameters: &[
        Parameter {
            name: "dialect",
            default: "ordinal",
            values: "ordinal or quantile",
            what: "how ranks become probabilities",
        },
        parameter::by("all"),
        parameter::on("all"),
        Parameter {
            name: "quantiles",
            default: "1000",
            values: "a whole number of at least 2",
            what: "landmarks of the quantile dialect, at most one per row",
        },
    ],
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Ordinal,
    Quantile,
}

struct Int {
    dialect: Dialect,
    by: By,
    on: Scope,
    quantiles: usize,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let dialect = reader.choice("dialect", &[("ordinal", Dialect::Ordinal), ("quantile", Dialect::Quantile)])?;
    let (by, on) = (By::read(reader)?, read_on(reader)?);
    Ok(Box::new(Int { dialect, by, on, quantiles: reader.whole("quantiles", 2)? }))
}

impl Correction for Int {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn is_transductive(&self) -> bool {
        self.on == Scope::All
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let step = CARD.card.id;
        Ok(match self.dialect {
            Dialect::Ordinal => {
                let learner = Ordinal { seed: rows.seed.derive("ties of ranks", 0).0 };
                Box::new(PerGroup::learn(step, learner, self.by, Defect::None, rows)?)
            }
            Dialect::Quantile => {
                let learner = Landmarks { most: self.quantiles };
                Box::new(PerGroup::learn(step, learner, self.by, Defect::None, rows)?)
            }
        })
    }
}

/// Applies `score(column, row, value)` to every value.
fn map_values(matrix: &Matrix, score: impl Fn(usize, usize, f32) -> f64 + Sync) -> Matrix {
    let d = matrix.cols();
    let mut out = matrix.clone();
    out.data_mut().par_chunks_mut(d.max(1)).enumerate().with_min_len(16).for_each(|(row, values)| {
        for (col, value) in values.iter_mut().enumerate() {
            *value = score(col, row, *value) as f32;
        }
    });
    out
}

/// Ranks with ties in the order of a seeded hash.
struct Ordinal {
    seed: u64,
}

/// The sorted values of a column and, where some are equal, the hashes of their rows.
struct Ranked {
    values: Vec<f32>,
    hashes: Option<Vec<u32>>,
}

impl Ordinal {
    /// A hash of the values of a row: FNV-1a over bits, seeded, then mixed.
    fn hash(&self, row: &[f32]) -> u32 {
        let mut hash = 0xCBF2_9CE4_8422_2325 ^ self.seed;
        for value in row {
            // Zeros of both signs are equal values.
            hash = (hash ^ u64::from((value + 0.0).to_bits())).wrapping_mul(0x0000_0100_0000_01B3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((hash ^ (hash >> 31)) >> 16) as u32
    }

    fn hashes(&self, matrix: &Matrix) -> Vec<u32> {
        (0..matrix.rows()).into_par_iter().with_min_len(64).map(|row| self.hash(matrix.row(row))).collect()
    }
}

impl Ranked {
    /// Mean rank, from one, of a value with a hash; between ranks if it was not fitted.
    fn rank(&self, value: f32, hash: u32) -> f64 {
        let (mut below, mut end) =
            (self.values.partition_point(|v| *v < value), self.values.partition_point(|v| *v <= value));
        if let Some(hashes) = &self.hashes {
            let tied = &hashes[below..end];
            let (low, high) = (tied.partition_point(|h| *h < hash), tied.partition_point(|h| *h <= hash));
            (below, end) = (below + low, below + high);
        }
        (below + end + 1) as f64 / 2.0
    }
}

impl Learner for Ordinal {
    type Model = Vec<Ranked>;

    fn learn(&self, matrix: &Matrix, _: &str) -> Result<Vec<Ranked>, Error> {
        let hashes = self.hashes(matrix);
        Ok(per_column(matrix, |_, values| {
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            let key = |row: u32| (values[row as usize] + 0.0, hashes[row as usize]);
            order.sort_unstable_by(|&a, &b| {
                let ((a, a_hash), (b, b_hash)) = (key(a), key(b));
                a.total_cmp(&b).then(a_hash.cmp(&b_hash))
            });
            let sorted: Vec<f32> = order.iter().map(|&row| values[row as usize] as f32 + 0.0).collect();
            let is_tied = sorted.windows(2).any(|pair| pair[0] == pair[1]);
            let hashes = is_tied.then(|| order.iter().map(|&row| hashes[row as usize]).collect());
            Ranked { values: sorted, hashes }
        }))
    }

    fn apply(&self, model: &Vec<Ranked>, matrix: &Matrix) -> Matrix {
        let hashes = self.hashes(matrix);
        map_values(matrix, |col, row, value| {
            let ranked = &model[col];
            let n = ranked.values.len() as f64;
            normal::quantile((ranked.rank(value + 0.0, hashes[row]) - 0.375) / (n + 0.25))
        })
    }
}

/// Values closer than this to the least or the greatest are it (scikit-learn's `BOUNDS_THRESHOLD`).
const BOUND: f64 = 1e-7;

/// The distribution function by landmarks.
struct Landmarks {
    most: usize,
}

impl Learner for Landmarks {
    type Model = Vec<Vec<f64>>;

    fn learn(&self, matrix: &Matrix, _: &str) -> Result<Vec<Vec<f64>>, Error> {
        let count = self.most.min(matrix.rows()).max(1);
        Ok(per_column(matrix, |_, values| {
            values.sort_unstable_by(f64::total_cmp);
            (0..count).map(|i| landmark(values, i, count)).collect()
        }))
    }

    fn apply(&self, model: &Vec<Vec<f64>>, matrix: &Matrix) -> Matrix {
        let clip = normal::quantile(BOUND - f64::EPSILON);
        let highest = normal::quantile(1.0 - (BOUND - f64::EPSILON));
        map_values(matrix, |col, _, value| {
            let (landmarks, value) = (&model[col], f64::from(value));
            let (low, high) = (landmarks[0], landmarks[landmarks.len() - 1]);
            let probability = if value - BOUND < low {
                0.0
            } else if value + BOUND > high {
                1.0
            } else {
                // The mean of the interpolations from below and from above, which differ at repeated landmarks.
                0.5 * (interpolated(landmarks, value, true) + interpolated(landmarks, value, false))
            };
            normal::quantile(probability).clamp(clip, highest)
        })
    }
}

/// The `i`-th of `count` landmarks of sorted values, with the rounding of NumPy's percentiles: whether a value equals its
/// landmark decides where ties are put.
fn landmark(sorted: &[f64], i: usize, count: usize) -> f64 {
    let last = sorted.len() - 1;
    if count == 1 || i + 1 == count {
        return sorted[if count == 1 { 0 } else { last }];
    }
    let share = i as f64 * (1.0 / (count - 1) as f64) * 100.0 / 100.0;
    let place = share * last as f64;
    let (low, part) = ((place.floor() as usize).min(last), place - place.floor());
    let (a, b) = (sorted[low], sorted[(low + 1).min(last)]);
    if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) }
}

/// Where `value` lies among ascending landmarks, as a share of their number; of equal landmarks the last (`upper`) or
/// the first counts.
fn interpolated(landmarks: &[f64], value: f64, upper: bool) -> f64 {
    let last = landmarks.len() - 1;
    let at = if upper {
        landmarks.partition_point(|l| *l <= value).saturating_sub(1)
    } else {
        landmarks.partition_point(|l| *l < value)
    };
    if landmarks[at.min(last)] == value {
        return at.min(last) as f64 / last as f64;
    }
    let low = if upper { at } else { at.saturating_sub(1) };
    if low >= last {
        return 1.0;
    }
    let width = landmarks[low + 1] - landmarks[low];
    (low as f64 + (value - landmarks[low]) / width) / last as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_distinct_for_distinct_rows_and_shared_by_equal_ones() {
        let matrix = Matrix::new(6, 2, vec![1.0, 0.0, 1.0, 5.0, 2.0, 1.0, 1.0, 0.0, 3.0, 7.0, 1.0, -2.0]);
        let ordinal = Ordinal { seed: 3 };
        let model = ordinal.learn(&matrix, "the table").unwrap();
        let hashes = ordinal.hashes(&matrix);
        let mut ranks: Vec<f64> = (0..6).map(|row| model[0].rank(matrix.row(row)[0], hashes[row])).collect();
        assert_eq!(ranks[0], ranks[3], "equal rows");
        assert_eq!((ranks[2], ranks[4]), (5.0, 6.0));
        ranks.sort_unstable_by(f64::total_cmp);
        assert_eq!(ranks.iter().sum::<f64>(), 21.0);
        assert_eq!(model[0].rank(0.0, 1), 0.5);
        assert_eq!(model[0].rank(9.0, 1), 6.5);
        assert_eq!(model[0].rank(2.5, 1), 5.5);
    }
}
