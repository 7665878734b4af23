//! Scanorama-like stitching: batches join panoramas in order of how well they match.
//!
//! # What
//! Finds mutual nearest neighbours between all batches at once, on rows of length one, joins the pairs of batches from
//! the best match on, and moves the joining part by smoothed vectors to its matches.
//!
//! # Formula
//! Score of two batches: the larger share of rows of either that have a match in the other; pairs above `alpha` are
//! joined in order. A row x moves by `sum_m w_m v_m / sum_m w_m`, `w_m = exp(-sigma / 2 |x - x_m|^2)`, over the matches.
//!
//! # Why
//! Does not need a population that all batches share, nor an order of batches.
//!
//! # What it cannot show
//! `sigma` is an inverse width: on features of unequal scale the nearest match decides alone. Batches below `alpha`
//! stay as they are, which the notes say. All rows decide together.
//!
//! # Reference
//! Hie, Bryson, Berger 2019; scanorama 1.7 `assemble` (knn 20, sigma 15, alpha 0.1, Manhattan distance).
//! Parity: neighbours are exact (as with `approx=False`). Where all weights of a row underflow, scanorama leaves the
//! whole part uncorrected; here the nearest match decides.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::{Card, Matrix};
use bench_geometry::pca::dense;
use rayon::prelude::*;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::By;
use crate::memory::Memory;
use crate::mnn::{Merged, unit_rows};
use crate::nearest::{Distance, Points, nearest, products};
use crate::params::Reader;
use crate::{Error, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "scanorama",
        title: "Scanorama-like stitching",
        what: "Joins batches in order of how well they match, moving each by smoothed vectors to its matches.",
        formula: "x + sum_m w_m v_m / sum_m w_m, w_m = exp(-sigma / 2 |x - x_m|^2), over mutual nearest neighbours",
        better: "none",
        range: "",
        limits: "sigma is an inverse width; batches that match less than alpha stay as they are.",
        reference: "Hie et al. 2019; scanorama 1.7 assemble with exact neighbours",
    },
    scope: Scope::All,
    transductive: true,
    dialect: "scanorama 1.7, exact neighbours",
    parameters: &[
        parameter::unit("batch"),
        Parameter { name: "k", default: "20", values: "a whole number of at least 1", what: "neighbours" },
        Parameter { name: "sigma", default: "15", values: "a number above 0", what: "inverse width of the smoothing" },
        Parameter { name: "alpha", default: "0.1", values: "0 to 1", what: "least score of a pair that is joined" },
        Parameter {
            name: "distance",
            default: "manhattan",
            values: "manhattan or euclidean",
            what: "between rows of length one",
        },
    ],
};

struct Scanorama {
    by: By,
    k: usize,
    sigma: f64,
    alpha: f64,
    distance: Distance,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let k = reader.whole("k", 1)?;
    let sigma = reader.number("sigma", |value| value > 0.0, "a number above 0")?;
    let alpha = reader.number("alpha", |value| (0.0..=1.0).contains(&value), "a number from 0 to 1")?;
    let kinds = [("manhattan", Distance::Manhattan), ("euclidean", Distance::Euclidean)];
    Ok(Box::new(Scanorama { by, k, sigma, alpha, distance: reader.choice("distance", &kinds)? }))
}

/// Matched rows of two batches, by the numbers of the batches (the lower first).
type Matched = BTreeMap<(usize, usize), BTreeSet<(u32, u32)>>;

impl Correction for Scanorama {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        Scope::All
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let (step, d) = (CARD.card.id, rows.matrix.cols());
        let groups = self.by.groups(step, rows.origin)?;
        let matched = self.matched(rows.matrix, &groups.iter().map(|g| g.rows.as_slice()).collect::<Vec<_>>());
        let mut parts: Vec<Vec<f64>> = groups
            .iter()
            .map(|group| {
                group.rows.iter().flat_map(|&row| rows.matrix.row(row as usize)).map(|&v| f64::from(v)).collect()
            })
            .collect();
        let joined = self.assemble(&mut parts, &matched, d);
        let mut notes = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            if !joined[at] && groups.len() > 1 {
                notes.push(format!("{} matches no other well enough and stays as it is", group.words()));
            }
        }
        let mut out = Matrix::zeros(rows.matrix.rows(), d);
        for (group, part) in groups.iter().zip(&parts) {
            for (&row, values) in group.rows.iter().zip(part.chunks_exact(d)) {
                let to = &mut out.data_mut()[row as usize * d..(row as usize + 1) * d];
                to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32);
            }
        }
        Ok(Box::new(Merged { memory: Memory::new(step, self.by, rows, out)?, notes }))
    }
}

impl Scanorama {
    /// Mutual nearest neighbours between all batches. As in the reference, the neighbours of a batch are sought among
    /// all batches before it together, and among all after it together.
    fn matched(&self, matrix: &Matrix, groups: &[&[u32]]) -> Matched {
        let d = matrix.cols();
        let units: Vec<Vec<f64>> = groups.iter().map(|rows| unit_rows(matrix, rows)).collect();
        let mut one_way: Matched = BTreeMap::new();
        for (own, unit) in units.iter().enumerate() {
            for range in [0..own, own + 1..units.len()] {
                if range.is_empty() {
                    continue;
                }
                let others: Vec<f64> = units[range.clone()].iter().flatten().copied().collect();
                let lists =
                    nearest(Points { data: unit, cols: d }, Points { data: &others, cols: d }, self.k, self.distance);
                for (row, list) in lists.iter().enumerate() {
                    for &(_, at) in list {
                        let (mut other, mut at) = (range.start, at as usize);
                        while at >= groups[other].len() {
                            at -= groups[other].len();
                            other += 1;
                        }
                        one_way.entry((own, other)).or_default().insert((row as u32, at as u32));
                    }
                }
            }
        }
        let mut matched: Matched = BTreeMap::new();
        for (&(a, b), pairs) in one_way.iter().filter(|((a, b), _)| a < b) {
            if let Some(back) = one_way.get(&(b, a)) {
                matched.insert((a, b), pairs.iter().copied().filter(|&(i, j)| back.contains(&(j, i))).collect());
            }
        }
        matched
    }

    /// Joins batches into panoramas; whether each batch was joined to another.
    fn assemble(&self, parts: &mut [Vec<f64>], matched: &Matched, d: usize) -> Vec<bool> {
        let size = |at: usize| parts[at].len() / d;
        let mut pairs: Vec<(f64, (usize, usize))> = matched
            .iter()
            .map(|(&(a, b), pairs)| {
                let of_a = pairs.iter().map(|pair| pair.0).collect::<BTreeSet<_>>().len() as f64 / size(a) as f64;
                let of_b = pairs.iter().map(|pair| pair.1).collect::<BTreeSet<_>>().len() as f64 / size(b) as f64;
                (of_a.max(of_b), (a, b))
            })
            .filter(|(score, _)| *score > self.alpha)
            .collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        let mut uses = vec![0; parts.len()];
        let mut panoramas: Vec<Vec<usize>> = Vec::new();
        for (_, (mut i, mut j)) in pairs {
            uses[i] += 1;
            uses[j] += 1;
            // As in the reference, two batches that were both used three times are left alone.
            if uses[i] > 3 && uses[j] > 3 {
                continue;
            }
            let mut of_i = panoramas.iter().position(|p| p.contains(&i));
            let of_j = panoramas.iter().position(|p| p.contains(&j));
            if of_i.is_none() && of_j.is_none() {
                if parts[i].len() < parts[j].len() {
                    (i, j) = (j, i);
                }
                panoramas.push(vec![i]);
                of_i = Some(panoramas.len() - 1);
            }
            match (of_i, of_j) {
                (None, Some(to)) => {
                    self.join(parts, matched, (&[i], &panoramas[to]), None, d);
                    panoramas[to].push(i);
                }
                (Some(to), None) => {
                    self.join(parts, matched, (&[j], &panoramas[to]), None, d);
                    panoramas[to].push(j);
                }
                (Some(from), Some(to)) => {
                    self.join(parts, matched, (&panoramas[from], &panoramas[to]), Some((i, j)), d);
                    if from != to {
                        let other = panoramas[to].clone();
                        panoramas[from].extend(other);
                        panoramas.remove(to);
                    }
                }
                (None, None) => {}
            }
        }
        (0..parts.len()).map(|at| panoramas.iter().any(|p| p.contains(&at))).collect()
    }

    /// Moves the batches of `from` towards those of `to`, by the matches between them, or those of one pair alone.
    fn join(
        &self,
        parts: &mut [Vec<f64>],
        matched: &Matched,
        (from, to): (&[usize], &[usize]),
        only: Option<(usize, usize)>,
        d: usize,
    ) {
        // The summed vector and number of matches of every matched row, by batch and row.
        let mut sums: BTreeMap<(usize, u32), (Vec<f64>, f64)> = BTreeMap::new();
        for &a in from {
            for &b in to {
                if a == b || only.is_some_and(|pair| pair != (a, b)) {
                    continue;
                }
                let Some(pairs) = matched.get(&(a.min(b), a.max(b))) else { continue };
                for &(low, high) in pairs {
                    let (own, other) = if a < b { (low, high) } else { (high, low) };
                    let (x, y) = (&parts[a][own as usize * d..][..d], &parts[b][other as usize * d..][..d]);
                    let entry = sums.entry((a, own)).or_insert_with(|| (vec![0.0; d], 0.0));
                    entry.0.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += y - x);
                    entry.1 += 1.0;
                }
            }
        }
        if sums.is_empty() {
            return;
        }
        let matched: Vec<f64> = sums.keys().flat_map(|&(a, row)| &parts[a][row as usize * d..][..d]).copied().collect();
        let vectors: Vec<f64> = sums.values().flat_map(|(sum, _)| sum).copied().collect();
        let counts: Vec<f64> = sums.values().map(|(_, count)| *count).collect();
        for &a in from {
            let shifts = self.smoothed(&parts[a], &matched, &vectors, &counts, d);
            parts[a].iter_mut().zip(shifts).for_each(|(value, shift)| *value += shift);
        }
    }

    /// The move of every row, `[n, d]`.
    fn smoothed(&self, part: &[f64], matched: &[f64], vectors: &[f64], counts: &[f64], d: usize) -> Vec<f64> {
        let m = counts.len();
        let squares: Vec<f64> = matched.chunks_exact(d).map(|row| dense::dot(row, row)).collect();
        let mut scores = Vec::new();
        let mut shifts = Vec::with_capacity(part.len());
        for block in part.chunks(128 * d) {
            let rows = block.len() / d;
            products(Points { data: matched, cols: d }, block, &mut scores);
            let mut weights = vec![0.0; rows * m];
            weights.par_chunks_mut(m).enumerate().for_each(|(row, weights)| {
                let own = dense::dot(&block[row * d..(row + 1) * d], &block[row * d..(row + 1) * d]);
                for (at, weight) in weights.iter_mut().enumerate() {
                    *weight = -0.5 * self.sigma * (own + squares[at] - 2.0 * scores[at * rows + row]).max(0.0);
                }
                let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                weights.iter_mut().for_each(|weight| *weight = (*weight - most).exp());
                let total: f64 = weights.iter().zip(counts).map(|(weight, count)| weight * count).sum();
                weights.iter_mut().for_each(|weight| *weight /= total);
            });
            let mut out = vec![0.0; rows * d];
            dense::multiply(&weights, vectors, &mut out, rows, m, d);
            shifts.extend_from_slice(&out);
        }
        shifts
    }
}
