//! Multidimensional perturbation value.
//!
//! # What
//! Whether the mean of a compound's wells lies farther from the controls than the mean of as many random rows of both.
//!
//! # Formula
//! Rows of compound and controls are projected on the principal components that hold 90 % of their variance, each
//! scaled by its share of the variance; `D = (mean - m)' C^+ (mean - m)` with mean `m` and covariance `C` (ddof 0) of
//! the controls. `p = (1 + permutations with D as large) / 101`. The value is the share of compounds with
//! Benjamini-Hochberg q < 0.05.
//!
//! # Deviations
//! cytominer-eval reports the plain share of 100 permutations, which may be zero. Controls beyond [`CONTROLS`] are a
//! sample, because every compound needs a decomposition of its own.
//!
//! # What it cannot show
//! With 100 permutations no p is below 1/101, so many compounds need many rejections for any q to pass. With fewer
//! controls than components the covariance has no inverse and directions that controls do not use are ignored.
//!
//! # Reference
//! Hutz et al., Journal of Biomolecular Screening 18:367 (2013); cytominer-eval 0.1 `mp_value`.

use bench_core::{Matrix, Seed};
use faer::{MatRef, Side};
use rayon::prelude::*;

use super::super::support::columns::compound;
use super::{LEVEL, share_retrieved};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};
use bench_geometry::product::{column_products, dot, products};

/// Most controls.
pub const CONTROLS: usize = 200;
/// Most wells of a compound.
pub const WELLS: usize = 200;
/// Permutations.
const PERMUTATIONS: usize = 100;
/// Share of the variance that the components hold.
const SHARE: f64 = 0.9;

static CARD: EmbeddingCard = card! {
    id: "mp-value", title: "mp-value, share of compounds apart from controls",
    what: "Whether a compound's mean lies farther from the controls than that of as many random rows of both.",
    formula: "share of compounds with q < 0.05, p = (1 + permutations with Mahalanobis distance as large) / 101",
    better: "higher", range: "0 to 1",
    limits: "No p is below 1/101. A sample of 200 controls and 200 wells per compound. Constant embedding: 0.",
    reference: "Hutz et al., Journal of Biomolecular Screening 18:367 (2013)", side: Biology,
    dialect: "cytominer-eval 0.1 mp_value, p with one added", best: "one-hot-compound", worst: "noise",
};

/// The metric.
#[derive(Clone, Copy, Debug)]
pub struct MpValue;

/// Eigenvalues, ascending, and eigenvectors as rows.
fn eigen(matrix: &[f64], n: usize) -> Result<(Vec<f64>, Vec<f64>), String> {
    let found = MatRef::from_row_major_slice(matrix, n, n)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| "the eigenvalues of a covariance do not converge".to_owned())?;
    let (values, vectors) = (found.S().column_vector(), found.U());
    let rows = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| vectors[(j, i)]).collect();
    Ok(((0..n).map(|i| values[i]).collect(), rows))
}

/// Coordinates along the components that hold [`SHARE`] of the variance, each times its share. `[n, r]` and `r`.
fn components(rows: &[&[f32]], dims: usize) -> Result<(Vec<f64>, usize), String> {
    let n = rows.len();
    let mut mean = vec![0.0; dims];
    for row in rows {
        mean.iter_mut().zip(*row).for_each(|(mean, &value)| *mean += f64::from(value) / n as f64);
    }
    let centred: Vec<f64> =
        rows.iter().flat_map(|row| row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean)).collect();
    // Of the rows' products or the columns', the smaller: both have the same eigenvalues.
    let by_rows = n <= dims;
    let size = n.min(dims);
    let mut gram = vec![0.0; size * size];
    if by_rows {
        products(&centred, &centred, dims, &mut gram)
    } else {
        column_products(&centred, &centred, n, &mut gram)
    }
    let (values, vectors) = eigen(&gram, size)?;
    let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
    let all: f64 = rows.iter().flat_map(|row| row.iter()).map(|&value| f64::from(value).powi(2)).sum();
    // What is left of equal rows is the rounding of their mean.
    if total <= 1e-20 * all {
        return Ok((Vec::new(), 0));
    }
    let (mut kept, mut sum) = (Vec::new(), 0.0);
    for at in (0..size).rev() {
        // As scikit-learn counts: the components up to the first sum above the share.
        if sum > SHARE || values[at] <= 0.0 {
            break;
        }
        sum += values[at] / total;
        kept.push(at);
    }
    let mut out = vec![0.0; n * kept.len()];
    for (column, &at) in kept.iter().enumerate() {
        let (vector, share) = (&vectors[at * size..(at + 1) * size], values[at] / total);
        for row in 0..n {
            let coordinate: f64 = if by_rows {
                vector[row] * values[at].sqrt()
            } else {
                centred[row * dims..(row + 1) * dims].iter().zip(vector).map(|(a, b)| a * b).sum()
            };
            out[row * kept.len() + column] = coordinate * share;
        }
    }
    Ok((out, kept.len()))
}

/// `x' C^-1 x` by the Cholesky factor of the correlations, ten times faster than by eigenvectors; `None` if `C` is so
/// near to singular that a pseudo-inverse would leave directions out.
fn by_cholesky(covariance: &[f64], x: &[f64]) -> Option<f64> {
    let n = x.len();
    let scale: Vec<f64> = (0..n).map(|i| covariance[i * n + i].sqrt()).collect();
    let largest = scale.iter().copied().fold(0.0, f64::max);
    if !scale.iter().all(|&scale| scale > 3e-6 * largest) {
        return None;
    }
    let mut factor = vec![0.0; n * n];
    let mut solved = Vec::with_capacity(n);
    for i in 0..n {
        for j in 0..=i {
            let (left, right) = (&factor[i * n..i * n + j], &factor[j * n..j * n + j]);
            let inner = dot(left, right);
            let rest = covariance[i * n + j] / (scale[i] * scale[j]) - inner;
            factor[i * n + j] = if i == j {
                if rest < 1e-6 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / factor[j * n + j]
            };
        }
        let inner = dot(&factor[i * n..i * n + i], &solved);
        solved.push((x[i] / scale[i] - inner) / factor[i * n + i]);
    }
    Some(solved.iter().map(|value: &f64| value * value).sum())
}

/// Squared Mahalanobis distance of the mean of the chosen rows to the others.
fn mahalanobis(data: &[f64], dims: usize, chosen: &[bool]) -> Result<f64, String> {
    let mean_of = |which: bool| -> Vec<f64> {
        let (mut mean, mut count) = (vec![0.0; dims], 0.0);
        for (row, _) in data.chunks_exact(dims).zip(chosen).filter(|(_, chosen)| **chosen == which) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
            count += 1.0;
        }
        mean.iter_mut().for_each(|mean| *mean /= count);
        mean
    };
    let (treated, control) = (mean_of(true), mean_of(false));
    let others: Vec<f64> = data
        .chunks_exact(dims)
        .zip(chosen)
        .filter(|(_, chosen)| !**chosen)
        .flat_map(|(row, _)| row.iter().zip(&control).map(|(value, mean)| value - mean))
        .collect();
    let count = others.len() / dims;
    let mut covariance = vec![0.0; dims * dims];
    column_products(&others, &others, count, &mut covariance);
    covariance.iter_mut().for_each(|value| *value /= count as f64);
    let difference: Vec<f64> = treated.iter().zip(&control).map(|(t, c)| t - c).collect();
    if let Some(distance) = by_cholesky(&covariance, &difference) {
        return Ok(distance);
    }
    let (values, vectors) = eigen(&covariance, dims)?;
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let floor = largest * dims as f64 * f64::EPSILON;
    let along = |vector: &[f64]| -> f64 { vector.iter().zip(&difference).map(|(v, x)| v * x).sum() };
    Ok(vectors
        .chunks_exact(dims)
        .zip(&values)
        .filter(|(_, value)| **value > floor)
        .map(|(vector, value)| along(vector).powi(2) / value)
        .sum())
}

/// Products of the rows after whitening all of them together: what Mahalanobis distances between two parts of the rows
/// need, whatever the parts.
///
/// # Formula
/// With rows `z` whitened so that `Z'Z = I`, `t` of them treated (`T`) and `c` controls, the controls' scatter is
/// `I - A'A`, `A` the treated rows and `sqrt(c)` times the controls' mean. By Woodbury's identity
/// `d' (I - A'A)^-1 d = d'd + (A d)' (I - A A')^-1 (A d)`, and everything on the right is made of `G = Z Z'`: a
/// permutation costs a factor of size `t + 1` and no pass over the rows.
struct Whitened {
    rows: usize,
    products: Vec<f64>,
}

impl Whitened {
    /// Whitens rows whose columns are centred and orthogonal: each is divided by its length.
    fn new(data: &[f64], dims: usize) -> Self {
        let mut length = vec![0.0; dims];
        for row in data.chunks_exact(dims) {
            length.iter_mut().zip(row).for_each(|(length, value)| *length += value * value);
        }
        let white: Vec<f64> = data
            .chunks_exact(dims)
            .flat_map(|row| row.iter().zip(&length).map(|(x, length)| x / length.sqrt()))
            .collect();
        let rows = data.len() / dims;
        let mut all = vec![0.0; rows * rows];
        products(&white, &white, dims, &mut all);
        Self { rows, products: all }
    }

    /// Squared Mahalanobis distance of the mean of the chosen rows to the others; `None` if the others' covariance is
    /// so near to singular that a pseudo-inverse would leave directions out.
    fn mahalanobis(&self, chosen: &[bool]) -> Option<f64> {
        let treated: Vec<usize> = (0..self.rows).filter(|&row| chosen[row]).collect();
        let (t, c, n) = (treated.len() as f64, (self.rows - treated.len()) as f64, self.rows as f64);
        let size = treated.len() + 1;
        let mut factor = vec![0.0; size * size];
        let mut to_mean = Vec::with_capacity(size);
        for (i, &row) in treated.iter().enumerate() {
            let line = &self.products[row * self.rows..(row + 1) * self.rows];
            for (out, &other) in factor[i * size..=i * size + i].iter_mut().zip(&treated) {
                *out = -line[other];
            }
            factor[i * size + i] += 1.0;
            to_mean.push(treated.iter().map(|&other| line[other]).sum::<f64>());
        }
        let square: f64 = to_mean.iter().sum();
        // The controls' mean is `-t / c` times that of the treated rows, because the mean of all is zero.
        for (out, inner) in factor[(size - 1) * size..].iter_mut().zip(&to_mean) {
            *out = inner / c.sqrt();
        }
        factor[size * size - 1] = 1.0 - square / c;
        let mut right: Vec<f64> = to_mean.iter().map(|inner| inner * n / (c * t)).collect();
        right.push(-square * n / (t * c * c.sqrt()));
        let direct = square / (t * t) * (n / c).powi(2);
        Some(c * (direct + solve_square(&mut factor, &right)?))
    }
}

/// `x' M^-1 x` by the Cholesky factor of `M`, whose lower triangle is given and overwritten; `None` if `M` is nearly
/// singular. The diagonal of `M` is at most one.
fn solve_square(lower: &mut [f64], x: &[f64]) -> Option<f64> {
    let n = x.len();
    let mut solved: Vec<f64> = Vec::with_capacity(n);
    for i in 0..n {
        let (above, line) = lower.split_at_mut(i * n);
        for j in 0..i {
            let rest = line[j] - dot(&line[..j], &above[j * n..j * n + j]);
            line[j] = rest / above[j * n + j];
        }
        let rest = line[i] - dot(&line[..i], &line[..i]);
        if rest < 1e-6 {
            return None;
        }
        line[i] = rest.sqrt();
        solved.push((x[i] - dot(&line[..i], &solved)) / line[i]);
    }
    Some(solved.iter().map(|value| value * value).sum())
}

/// Distance of the first `treated` rows to the rest, and p. Ties count as larger. Permutations end where p is known to be
/// at least `enough`, and p is then a lower bound.
pub(crate) fn mp_value(
    rows: &[&[f32]],
    treated: usize,
    dims: usize,
    seed: Seed,
    enough: f64,
) -> Result<(f64, f64), String> {
    let (data, kept) = components(rows, dims)?;
    if kept == 0 {
        return Ok((0.0, 1.0));
    }
    // The smaller system: as many unknowns as treated rows, or as components.
    let whitened = (treated < kept).then(|| Whitened::new(&data, kept));
    let distance = |chosen: &[bool]| match whitened.as_ref().and_then(|whitened| whitened.mahalanobis(chosen)) {
        Some(distance) => Ok(distance),
        None => mahalanobis(&data, kept, chosen),
    };
    let mut chosen: Vec<bool> = (0..rows.len()).map(|row| row < treated).collect();
    let observed = distance(&chosen)?;
    let mut stream = seed.stream();
    let mut as_large = 0;
    let p = |as_large: usize| (1 + as_large) as f64 / (1 + PERMUTATIONS) as f64;
    for _ in 0..PERMUTATIONS {
        if p(as_large) >= enough {
            break;
        }
        stream.shuffle(&mut chosen);
        as_large += usize::from(distance(&chosen)? >= observed * (1.0 - 1e-9));
    }
    Ok((observed, p(as_large)))
}

/// At most `most` rows, drawn with a seed and in order.
pub(crate) fn sample(rows: usize, most: usize, seed: Seed) -> Vec<u32> {
    let mut sample = seed.stream().permutation(rows);
    sample.truncate(most);
    sample.sort_unstable();
    sample
}

impl MpValue {
    /// Distance and p of every compound; a p of at least `enough` may be a lower bound.
    fn parts(&self, space: &Space<'_>, roles: &Roles<'_>, enough: f64) -> Result<Vec<Part>, String> {
        let compounds = compound(roles)?;
        if space.controls.rows() < 2 {
            return Err("there are fewer than two negative controls".to_owned());
        }
        let seed = Seed(0).derive("mp-value", 0);
        let controls = sample(space.controls.rows(), CONTROLS, seed);
        let row = |matrix: &'_ Matrix, at: u32| -> Vec<f32> { matrix.row(at as usize).to_vec() };
        let controls: Vec<Vec<f32>> = controls.iter().map(|&at| row(space.controls, at)).collect();
        let parts: Vec<Part> = compounds
            .members()
            .par_iter()
            .enumerate()
            .filter(|(_, members)| members.len() > 1)
            .map(|(code, members)| {
                let drawn = sample(members.len(), WELLS, seed.derive("wells", code as u64));
                let wells: Vec<&[f32]> =
                    drawn.iter().map(|&at| space.treated.row(members[at as usize] as usize)).collect();
                let rows: Vec<&[f32]> = wells.iter().copied().chain(controls.iter().map(Vec::as_slice)).collect();
                let (distance, p) =
                    mp_value(&rows, wells.len(), space.treated.cols(), seed.derive("permute", code as u64), enough)?;
                let name = compounds.levels[code].clone();
                Ok(Part { unit: "compound", name, n: members.len(), value: distance, p: Some(p) })
            })
            .collect::<Result<_, String>>()?;
        if parts.is_empty() {
            return Err("no compound has two wells".to_owned());
        }
        Ok(parts)
    }
}

impl EmbeddingMetric for MpValue {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn value(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<f64, String> {
        // q is never below p, nor made smaller by a p that is not below the level: how far above it does not matter.
        Ok(share_retrieved(self.parts(space, roles, LEVEL)?).value)
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        Ok(share_retrieved(self.parts(space, roles, f64::INFINITY)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_a_distance_agree() {
        let (n, dims) = (60, 20);
        let mut stream = Seed(5).stream();
        let values: Vec<f32> = (0..n * dims).map(|at| (stream.normal() * (1 + at % dims) as f64) as f32).collect();
        let rows: Vec<&[f32]> = values.chunks_exact(dims).collect();
        let (data, kept) = components(&rows, dims).unwrap();
        let whitened = Whitened::new(&data, kept);
        let mut chosen: Vec<bool> = (0..n).map(|row| row < 7).collect();
        for _ in 0..20 {
            let (fast, direct) = (whitened.mahalanobis(&chosen).unwrap(), mahalanobis(&data, kept, &chosen).unwrap());
            assert!((fast - direct).abs() < 1e-9 * direct, "{fast} {direct}");
            stream.shuffle(&mut chosen);
        }
        // With more treated rows than directions are left to the controls, only the pseudo-inverse answers.
        let most: Vec<bool> = (0..n).map(|row| row < n - 5).collect();
        assert_eq!(whitened.mahalanobis(&most), None);
    }
}
