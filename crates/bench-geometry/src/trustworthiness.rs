//! How far a map can be trusted.
//!
//! # What
//! Whether rows that are neighbours on the map are neighbours in the data. 1 is perfect, a random
//! map has about 0.5.
//!
//! # Formula
//! `1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in N_k(i)} max(0, r(i, j) - k)`, where `N_k(i)` are the
//! `k` nearest rows on the map and `r(i, j)` is the rank of `j` among the neighbours of `i` in the
//! data.
//!
//! # Why
//! A picture is convincing even when it is wrong; this number says how often it is.
//!
//! # What it cannot show
//! Neighbours that the map tore apart (that is continuity), and anything beyond neighbourhoods.
//!
//! # Reference
//! Venna, Kaski, ICANN 2001; scikit-learn `sklearn.manifold.trustworthiness`.
//! Parity: equal distances, on the map or in the data, count by expectation over the orders they
//! allow, where scikit-learn takes whatever order its sort leaves.
//!
//! # Where it fits
//! Beside every map in a report. Large tables are asked through a seeded sample of rows; their
//! neighbours are still sought among all.

use bench_core::{Matrix, Seed};
use rayon::prelude::*;

use crate::Error;
use crate::neighbours::Metric;
use crate::product;

/// Rows asked at most.
pub const QUERIES: usize = 2000;
/// Rows asked at a time.
const BLOCK: usize = 32;
/// Rows compared with at a time.
const CANDIDATES: usize = 512;

/// The trustworthiness of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trustworthiness {
    /// The value, at most 1.
    pub value: f64,
    /// Neighbours considered.
    pub neighbours: usize,
    /// Rows asked.
    pub queries: usize,
    /// Rows of the table; if more than `queries`, these were a seeded sample.
    pub rows: usize,
}

/// Compares a map with the data it shows.
///
/// # Shapes
/// `data`: `[n, d]`; `x`, `y`: `[n]`. `k` must be below `n / 2`.
///
/// # Errors
/// If the shapes disagree, a value is not finite, or `k` is out of range.
pub fn trustworthiness(
    data: &Matrix,
    metric: Metric,
    x: &[f32],
    y: &[f32],
    k: usize,
    seed: Seed,
) -> Result<Trustworthiness, Error> {
    let (n, d) = (data.rows(), data.cols());
    for (what, found) in [("first coordinates", x.len()), ("second coordinates", y.len())] {
        if found != n {
            return Err(Error::Shape { what, expected: n, found });
        }
    }
    if d == 0 {
        return Err(Error::Empty { what: "trustworthiness", rows: n, cols: d });
    }
    if k == 0 || 2 * k >= n {
        let why = format!("between 1 and half of the {n} rows, exclusive");
        return Err(Error::Setting { key: "neighbours", value: k.to_string(), why });
    }
    for (col, values, width) in [(None, data.data(), d), (Some(0), x, 1), (Some(1), y, 1)] {
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { row: at / width, col: col.unwrap_or(at % width), value: values[at] });
        }
    }
    let mut queries: Vec<u32> = (0..n as u32).collect();
    if n > QUERIES {
        seed.derive("trustworthiness", 0).stream().shuffle(&mut queries);
        queries.truncate(QUERIES);
        queries.sort_unstable();
    }
    let rows = Prepared::new(data, metric);
    let excess: Vec<f64> = queries
        .par_chunks(BLOCK)
        .map(|block| {
            let likeness = rows.likeness(block);
            block.iter().zip(likeness.chunks_exact(n)).map(|(&q, row)| row_excess(row, q as usize, x, y, k)).sum()
        })
        .collect();
    let (n_real, k_real) = (n as f64, k as f64);
    let norm = queries.len() as f64 * k_real * (2.0 * n_real - 3.0 * k_real - 1.0);
    let value = 1.0 - 2.0 * excess.iter().sum::<f64>() / norm;
    Ok(Trustworthiness { value, neighbours: k, queries: queries.len(), rows: n })
}

/// Rows made ready for products: centred for Euclidean, of length one for cosine distances.
struct Prepared {
    cols: usize,
    values: Vec<f32>,
    /// Half the squared length of each row for Euclidean distances, zero for cosine ones.
    half_square: Vec<f32>,
}

impl Prepared {
    fn new(data: &Matrix, metric: Metric) -> Self {
        let (n, d) = (data.rows(), data.cols());
        let mut values = data.data().to_vec();
        let mut half_square = vec![0.0; n];
        // Distances do not change when all rows are moved; near the origin they round less.
        let mut mean = vec![0.0; d];
        if metric == Metric::Euclidean {
            for row in data.data().chunks_exact(d) {
                mean.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v) / n as f64);
            }
        }
        values.par_chunks_mut(d).zip(&mut half_square).for_each(|(row, half)| {
            row.iter_mut().zip(&mean).for_each(|(v, m)| *v = (f64::from(*v) - m) as f32);
            let square: f64 = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            match metric {
                Metric::Euclidean => *half = (square / 2.0) as f32,
                Metric::Cosine if square > 0.0 => {
                    let length = square.sqrt();
                    row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
                }
                Metric::Cosine => {}
            }
        });
        Self { cols: d, values, half_square }
    }

    /// A number that falls with the distance between each query and every row, `[queries, n]`.
    fn likeness(&self, queries: &[u32]) -> Vec<f32> {
        let (d, n) = (self.cols, self.half_square.len());
        let left: Vec<f32> =
            queries.iter().flat_map(|&q| &self.values[q as usize * d..(q as usize + 1) * d]).copied().collect();
        let mut out = vec![0.0; queries.len() * n];
        let mut products = Vec::new();
        for first in (0..n).step_by(CANDIDATES) {
            let width = CANDIDATES.min(n - first);
            products.resize(queries.len() * width, 0.0);
            product::products(&left, &self.values[first * d..(first + width) * d], d, &mut products);
            let half_square = &self.half_square[first..first + width];
            for (row, products) in products.chunks_exact(width).enumerate() {
                let out = &mut out[row * n + first..row * n + first + width];
                out.iter_mut().zip(products).zip(half_square).for_each(|((o, p), h)| *o = p - h);
            }
        }
        out
    }
}

/// Sum of `max(0, rank - k)` over the `k` map neighbours of one row.
fn row_excess(likeness: &[f32], own: usize, x: &[f32], y: &[f32], k: usize) -> f64 {
    let distance: Vec<f64> = (0..x.len())
        .map(|j| {
            let (dx, dy) = (f64::from(x[j]) - f64::from(x[own]), f64::from(y[j]) - f64::from(y[own]));
            if j == own { f64::INFINITY } else { dx * dx + dy * dy }
        })
        .collect();
    let mut order = distance.clone();
    let (_, &mut cut, _) = order.select_nth_unstable_by(k - 1, f64::total_cmp);
    let inside: Vec<usize> = (0..x.len()).filter(|&j| distance[j] < cut).collect();
    let on_cut: Vec<usize> = (0..x.len()).filter(|&j| distance[j] == cut).collect();
    // Where several rows share the k-th distance, each is a neighbour with the same probability.
    let share = (k - inside.len()) as f64 / on_cut.len() as f64;
    let mut others: Vec<f32> = Vec::new();
    let many = inside.len() + on_cut.len() > 8 * k;
    if many {
        others.extend(likeness.iter().enumerate().filter(|(j, _)| *j != own).map(|(_, &l)| l));
        others.sort_unstable_by(|a, b| b.total_cmp(a));
    }
    let excess = |j: usize| {
        let level = likeness[j];
        let (closer, equal) = if many {
            let closer = others.partition_point(|&l| l > level);
            (closer, others[closer..].partition_point(|&l| l == level))
        } else {
            let closer = likeness.iter().filter(|&&l| l > level).count();
            let equal = likeness.iter().filter(|&&l| l == level).count();
            (closer - usize::from(likeness[own] > level), equal - usize::from(likeness[own] == level))
        };
        expected_excess(closer, equal, k)
    };
    inside.iter().map(|&j| excess(j)).sum::<f64>() + share * on_cut.iter().map(|&j| excess(j)).sum::<f64>()
}

/// Mean of `max(0, rank - k)` over the ranks `closer + 1 ..= closer + equal`.
fn expected_excess(closer: usize, equal: usize, k: usize) -> f64 {
    let highest = (closer + equal).saturating_sub(k) as f64;
    let below = closer.saturating_sub(k) as f64;
    // Sum of the integers from `below + 1` to `highest`; ranks up to k add nothing.
    (highest * (highest + 1.0) - below * (below + 1.0)) / (2.0 * equal as f64)
}

#[cfg(test)]
mod tests;
