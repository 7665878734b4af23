//! MNN correction: batches are merged one by one along vectors between mutual nearest neighbours.
//!
//! # What
//! Scales rows to length one. The first batch, by name, is the reference; every other one is matched with it by mutual
//! nearest neighbours, moved by the smoothed vectors of its matches, and joins the reference.
//!
//! # Formula
//! For a matched row m, `v_m = mean(x_ref - x_m)` over its matches; a row x moves by
//! `sum_m w_m v_m / sum_m w_m`, `w_m = exp(-|x - x_m|^2 / sigma) / density(m)`. Variance adjustment: the move is
//! lengthened until the row has, along it, the same quantile in the reference as in its own batch.
//!
//! # Why
//! The first method that asks for no more than one shared population.
//!
//! # What it cannot show
//! The output is scaled to length one before it is moved; the order of batches matters; all rows decide together.
//!
//! # Reference
//! Haghverdi et al. 2018; mnnpy 0.1.9 for the defaults (k 20, sigma 1).
//! Parity: mnnpy weights by `exp(-x.y / sigma)`, which favours far rows, and lengthens every move by the greatest
//! factor of any row; `dialect=mnnpy` does both, `exact` does what the paper says.

use bench_core::{Card, Matrix};
use bench_geometry::pca::dense;
use rayon::prelude::*;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::By;
use crate::memory::Memory;
use crate::nearest::{Points, mutual, products};
use crate::params::Reader;
use crate::{Error, Origin, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "mnn",
        title: "Mutual nearest neighbours",
        what: "Merges batches one by one, moving rows along smoothed vectors between mutual nearest neighbours.",
        formula: "x + sum_m w_m v_m / sum_m w_m, w_m = exp(-|x - x_m|^2 / sigma) / density(m), rows of length one",
        better: "none",
        range: "",
        limits: "Output is scaled to length one; the order of batches matters; needs a population shared by all.",
        reference: "Haghverdi et al. 2018; mnnpy 0.1.9",
    },
    scope: Scope::All,
    transductive: true,
    dialect: "Haghverdi et al. or mnnpy 0.1.9",
    parameters: &[
        parameter::unit("batch"),
        Parameter {
            name: "dialect",
            default: "exact",
            values: "exact or mnnpy",
            what: "whether mnnpy's slips are kept",
        },
        Parameter { name: "k", default: "20", values: "a whole number of at least 1", what: "neighbours" },
        Parameter { name: "sigma", default: "1", values: "a number above 0", what: "width of the smoothing" },
        Parameter {
            name: "adjust",
            default: "variance",
            values: "variance or none",
            what: "whether moves are lengthened to match quantiles",
        },
    ],
};

struct Mnn {
    by: By,
    as_mnnpy: bool,
    k: usize,
    sigma: f64,
    adjust: bool,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let as_mnnpy = reader.choice("dialect", &[("exact", false), ("mnnpy", true)])?;
    let k = reader.whole("k", 1)?;
    let sigma = reader.number("sigma", |value| value > 0.0, "a number above 0")?;
    let adjust = reader.choice("adjust", &[("variance", true), ("none", false)])?;
    Ok(Box::new(Mnn { by, as_mnnpy, k, sigma, adjust }))
}

impl Correction for Mnn {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        Scope::All
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let (step, d) = (CARD.card.id, rows.matrix.cols());
        let groups = self.by.groups(step, rows.origin)?;
        let mut merged = unit_rows(rows.matrix, &groups[0].rows);
        let mut order = groups[0].rows.clone();
        let mut notes = Vec::new();
        for group in &groups[1..] {
            let mut batch = unit_rows(rows.matrix, &group.rows);
            let (reference, own) = (Points { data: &merged, cols: d }, Points { data: &batch, cols: d });
            let pairs = mutual(reference, own, self.k);
            notes.push(format!("{} pairs of {}", pairs.len(), group.words()));
            if pairs.is_empty() {
                let why = "it has no mutual nearest neighbours; raise `k`".to_owned();
                return Err(Error::Fit { step: step.to_owned(), group: group.words(), why });
            }
            let mut moves = self.smoothed(own, &Matches::new(reference, own, &pairs));
            if self.adjust {
                self.lengthen(reference, own, &mut moves);
            }
            batch.iter_mut().zip(&moves).for_each(|(value, shift)| *value += shift);
            merged.extend_from_slice(&batch);
            order.extend_from_slice(&group.rows);
        }
        let mut out = Matrix::zeros(rows.matrix.rows(), d);
        for (&row, values) in order.iter().zip(merged.chunks_exact(d)) {
            let to = &mut out.data_mut()[row as usize * d..(row as usize + 1) * d];
            to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32);
        }
        Ok(Box::new(Merged { memory: Memory::new(step, self.by, rows, out)?, notes }))
    }
}

/// Rows moved together; others cannot be.
pub(crate) struct Merged {
    pub(crate) memory: Memory,
    pub(crate) notes: Vec<String>,
}

impl Fitted for Merged {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        self.memory.only_fitted(matrix, origin, "rows are matched and moved together")
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Rows of length one; zero rows stay.
pub(crate) fn unit_rows(matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows.len() * matrix.cols());
    for &row in rows {
        let values = matrix.row(row as usize);
        let length = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
        out.extend(values.iter().map(|&value| f64::from(value) * factor));
    }
    out
}

/// The matched rows of a batch, ascending, and the mean vector from each to its matches.
pub(crate) struct Matches {
    pub(crate) rows: Vec<u32>,
    /// `[rows, d]`.
    pub(crate) vectors: Vec<f64>,
}

impl Matches {
    /// `pairs` are (reference, own), ascending by own.
    pub(crate) fn new(reference: Points<'_>, own: Points<'_>, pairs: &[(u32, u32)]) -> Self {
        let (mut rows, mut vectors) = (Vec::new(), Vec::new());
        for run in pairs.chunk_by(|a, b| a.1 == b.1) {
            let row = run[0].1;
            rows.push(row);
            let mut sum = vec![0.0; own.cols];
            for &(matched, _) in run {
                sum.iter_mut().zip(reference.row(matched as usize)).for_each(|(sum, value)| *sum += value);
            }
            let count = run.len() as f64;
            vectors.extend(sum.iter().zip(own.row(row as usize)).map(|(sum, value)| sum / count - value));
        }
        Self { rows, vectors }
    }
}

/// Rows smoothed at a time.
const BLOCK: usize = 128;

impl Mnn {
    /// The move of every row of a batch, `[n, d]`.
    fn smoothed(&self, own: Points<'_>, matches: &Matches) -> Vec<f64> {
        let (d, m) = (own.cols, matches.rows.len());
        let matched: Vec<f64> = matches.rows.iter().flat_map(|&row| own.row(row as usize)).copied().collect();
        let matched = Points { data: &matched, cols: d };
        let squares: Vec<f64> = (0..m).map(|at| dense::dot(matched.row(at), matched.row(at))).collect();
        // The exponents of the weights of a block of rows, `[m, rows]`.
        let exponents = |block: &[f64], out: &mut Vec<f64>| {
            products(matched, block, out);
            if self.as_mnnpy {
                out.iter_mut().for_each(|value| *value = -*value / self.sigma);
                return;
            }
            let rows = block.len() / d;
            let own: Vec<f64> = block.chunks_exact(d).map(|row| dense::dot(row, row)).collect();
            for (scores, square) in out.chunks_exact_mut(rows).zip(&squares) {
                for (score, own) in scores.iter_mut().zip(&own) {
                    *score = -(own + square - 2.0 * *score).max(0.0) / self.sigma;
                }
            }
        };
        let mut scores = Vec::new();
        let mut density = vec![0.0; m];
        for block in matched.data.chunks(BLOCK * d) {
            exponents(block, &mut scores);
            let rows = block.len() / d;
            density.iter_mut().zip(scores.chunks_exact(rows)).for_each(|(density, row)| {
                *density += row.iter().map(|value| value.exp()).sum::<f64>();
            });
        }
        let logs: Vec<f64> = density.iter().map(|value| value.ln()).collect();
        let mut moves = Vec::with_capacity(own.data.len());
        for block in own.data.chunks(BLOCK * d) {
            exponents(block, &mut scores);
            let rows = block.len() / d;
            let mut weights = vec![0.0; rows * m];
            weights.par_chunks_mut(m).enumerate().for_each(|(row, weights)| {
                // Relative to the largest, so that a row far from all matches follows the nearest instead of 0 / 0.
                let mut most = f64::NEG_INFINITY;
                for (at, weight) in weights.iter_mut().enumerate() {
                    *weight = scores[at * rows + row] - logs[at];
                    most = most.max(*weight);
                }
                weights.iter_mut().for_each(|weight| *weight = (*weight - most).exp());
                let total: f64 = weights.iter().sum();
                weights.iter_mut().for_each(|weight| *weight /= total);
            });
            let mut part = vec![0.0; rows * d];
            dense::multiply(&weights, &matches.vectors, &mut part, rows, m, d);
            moves.extend_from_slice(&part);
        }
        moves
    }

    /// Lengthens moves so that every row has the quantile of its own batch in the reference, along its move.
    fn lengthen(&self, reference: Points<'_>, own: Points<'_>, moves: &mut [f64]) {
        let d = own.cols;
        let (mut along, mut inner) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        let squares = [reference, own]
            .map(|points| -> Vec<f64> { points.data.par_chunks(d).map(|row| dense::dot(row, row)).collect() });
        let mut factors = Vec::with_capacity(own.rows());
        for (block, shifts) in own.data.chunks(BLOCK * d).zip(moves.chunks(BLOCK * d)) {
            let rows = block.len() / d;
            let lengths: Vec<f64> = shifts.chunks_exact(d).map(|shift| dense::dot(shift, shift).sqrt()).collect();
            let mut direction = shifts.to_vec();
            for (direction, length) in direction.chunks_exact_mut(d).zip(&lengths) {
                direction.iter_mut().for_each(|value| *value /= length.max(f64::MIN_POSITIVE));
            }
            for (at, points) in [reference, own].into_iter().enumerate() {
                products(points, &direction, &mut along[at]);
                products(points, block, &mut inner[at]);
            }
            let part: Vec<f64> = (0..rows)
                .into_par_iter()
                .map(|row| {
                    if lengths[row] == 0.0 {
                        return 1.0;
                    }
                    let values = &block[row * d..(row + 1) * d];
                    let (place, square) =
                        (dense::dot(values, &direction[row * d..(row + 1) * d]), dense::dot(values, values));
                    // Place along the move and exponent of the weight, by the distance from the line of the move.
                    let seen = |at: usize| -> Vec<(f64, f64)> {
                        let points = squares[at].len();
                        let mut seen: Vec<(f64, f64)> = (0..points)
                            .map(|point| {
                                let projected = along[at][point * rows + row];
                                let apart = square + squares[at][point] - 2.0 * inner[at][point * rows + row];
                                let off = (apart - (projected - place).powi(2)).max(0.0);
                                (projected, -off / self.sigma)
                            })
                            .collect();
                        let most = seen.iter().map(|s| s.1).fold(f64::NEG_INFINITY, f64::max);
                        seen.iter_mut().for_each(|s| s.1 = (s.1 - most).exp());
                        seen
                    };
                    let same = seen(1);
                    let total: f64 = same.iter().map(|s| s.1).sum();
                    // The row itself lies at its own place; rounding must not put it beyond.
                    let below: f64 = same.iter().filter(|s| s.0 <= place + 1e-12 * place.abs()).map(|s| s.1).sum();
                    let quantile = weighted_quantile(seen(0), below / total);
                    (quantile - place) / lengths[row]
                })
                .collect();
            factors.extend(part);
        }
        if self.as_mnnpy {
            let most = factors.iter().copied().fold(1.0, f64::max);
            factors.fill(most);
        }
        for (shift, factor) in moves.chunks_exact_mut(d).zip(&factors) {
            shift.iter_mut().for_each(|value| *value *= factor.max(1.0));
        }
    }
}

/// The first value, ascending, at which the sum of weights exceeds `share` of the total; the last value if none does.
fn weighted_quantile(mut values: Vec<(f64, f64)>, share: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let target = share * values.iter().map(|value| value.1).sum::<f64>();
    let mut sum = 0.0;
    for &(value, weight) in &values {
        sum += weight;
        if sum > target {
            return value;
        }
    }
    values.last().map_or(0.0, |value| value.0)
}
