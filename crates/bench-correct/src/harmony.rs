//! Harmony: soft clusters in which batches are mixed, and a linear correction within each.
//!
//! # What
//! Clusters unit-length rows softly with a penalty on clusters in which a batch is over-represented, fits within each
//! cluster a ridge regression of the rows on the batches, takes the batch terms out, and repeats.
//!
//! # Formula
//! `R_ik ~ exp(-2 (1 - y_k z_i) / sigma) ((E_kb + 1) / (O_kb + 1))^theta`, `O = R' Phi`, `E_kb = sum_i R_ik Pr_b`; per
//! cluster `W_k = argmin sum_i R_ik |x_i - w_0 - w_b(i)|^2 + sum_b lambda_kb |w_b|^2`; `x_i - sum_k R_ik w_kb(i)`.
//! Objective: `sum R dist + sigma sum R ln R + sigma theta sum R ln((O + 1) / (E + 1))`.
//!
//! # Why
//! Among the best methods in every scenario of Arevalo et al. 2024, and cheap.
//!
//! # Unseen rows
//! The fit is transductive. Rows that it did not see are assigned to its clusters without the penalty and corrected by
//! their batch's terms; for an unseen batch these are fitted on its controls with the clusters fixed (as Symphony maps
//! queries), and a batch without controls is refused.
//!
//! # What it cannot show
//! Results depend on the random start of the clusters; compare objectives and directions, not digits. A treatment that
//! occurs in one batch only is pulled towards others.
//!
//! # Reference
//! Korsunsky et al. 2019; Kang et al. 2021 for unseen rows; written from the description of harmonypy 0.0.10 (`0.0`)
//! and 2.1 (`2`), whose defaults differ: theta 1 or 2, lambda 1 or 0.2 E, 20 or 4 rounds, and the first scaling.
//! Parity: starts of k-means come from at most 5,000 rows; the seeds of the packages cannot be reproduced.

use std::collections::BTreeMap;

use bench_core::{Card, Matrix};
use bench_geometry::pca::dense;
use rayon::prelude::*;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope};
use crate::group::{By, Group};
use crate::kmeans::{self, Effort};
use crate::linear::transposed;
use crate::memory::Memory;
use crate::nearest::Points;
use crate::params::Reader;
use crate::{Error, Origin, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "harmony",
        title: "Harmony",
        what: "Soft clusters in which batches are mixed; within each, a ridge regression on batches is taken out.",
        formula: "R ~ exp(-2 (1 - y z) / sigma) ((E + 1) / (O + 1))^theta; x - sum_k R_k w_kb",
        better: "none",
        range: "",
        limits: "Depends on a random start; treatments of one batch only are pulled towards others.",
        reference: "Korsunsky et al. 2019; harmonypy 0.0.10 and 2.1; Kang et al. 2021 (unseen rows)",
    },
    scope: Scope::All,
    transductive: true,
    dialect: "harmonypy 2.1 or 0.0.10",
    parameters: &[
        parameter::unit("batch"),
        Parameter { name: "dialect", default: "2", values: "2 or 0.0", what: "the version whose defaults are meant" },
        Parameter {
            name: "clusters",
            default: "auto",
            values: "a whole number of at least 1, or auto",
            what: "number of clusters; auto is a thirtieth of the rows, at most 100",
        },
        Parameter {
            name: "theta",
            default: "auto",
            values: "a number of at least 0, or auto",
            what: "penalty on unmixed clusters; auto is 2, or 1 in dialect 0.0",
        },
        Parameter {
            name: "lambda",
            default: "auto",
            values: "a number above 0, or auto",
            what: "ridge; auto is a fifth of the expected rows, or 1 in dialect 0.0",
        },
        Parameter { name: "sigma", default: "0.1", values: "a number above 0", what: "width of the soft clusters" },
        Parameter { name: "iterations", default: "10", values: "at least 1", what: "corrections at most" },
    ],
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Two,
    Zero,
}

#[derive(Clone, Copy, Debug)]
struct Harmony {
    by: By,
    dialect: Dialect,
    clusters: Option<usize>,
    theta: f64,
    lambda: Option<f64>,
    sigma: f64,
    iterations: usize,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let by = By::read_unit(reader)?;
    let dialect = reader.choice("dialect", &[("2", Dialect::Two), ("0.0", Dialect::Zero)])?;
    let clusters = reader.whole_or_auto("clusters", 1)?;
    let theta = reader.number_or_auto("theta", |value| value >= 0.0, "a number of at least 0, or auto")?;
    let lambda = reader.number_or_auto("lambda", |value| value > 0.0, "a number above 0, or auto")?;
    let sigma = reader.number("sigma", |value| value > 0.0, "a number above 0")?;
    let iterations = reader.whole("iterations", 1)?;
    let (usual_theta, usual_lambda) = match dialect {
        Dialect::Two => (2.0, None),
        Dialect::Zero => (1.0, Some(1.0)),
    };
    let (theta, lambda) = (theta.unwrap_or(usual_theta), lambda.or(usual_lambda));
    Ok(Box::new(Harmony { by, dialect, clusters, theta, lambda, sigma, iterations }))
}

/// Share of the expected rows that is the ridge, where it is estimated.
const ALPHA: f64 = 0.2;
/// A batch with a smaller share of its rows in a cluster is left out of that cluster's regression (dialect 2).
const LEAST_SHARE: f64 = 1e-5;
/// Share of the rows whose assignments are updated together.
const BLOCK_SHARE: f64 = 0.05;
/// Rounds whose objectives are added before they are compared.
const WINDOW: usize = 3;
/// Rows that k-means starts from, at most.
const START_ROWS: usize = 5000;

impl Correction for Harmony {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        Scope::All
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let groups = self.by.groups(CARD.card.id, rows.origin)?;
        let mut state = State::new(self, rows, &groups);
        state.run(rows, &groups);
        Ok(Box::new(state.finish(rows, &groups)?))
    }
}

/// Rows of length one, in `f64`, `[n, d]`.
fn unit_rows(matrix: &Matrix, by_largest_first: bool) -> Vec<f64> {
    let d = matrix.cols();
    let mut out = vec![0.0; matrix.rows() * d];
    out.par_chunks_mut(d).zip(matrix.data().par_chunks(d)).with_min_len(64).for_each(|(to, from)| {
        let largest = from.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // Parity: harmonypy 0.0 divides by the largest value first, which turns rows of negative values around.
        let sign = if by_largest_first && largest < 0.0 { -1.0 } else { 1.0 };
        let length = from.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let factor = if length > 0.0 { sign / length } else { 0.0 };
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = f64::from(from) * factor);
    });
    out
}

/// What changes while Harmony runs.
struct State<'a> {
    settings: &'a Harmony,
    n: usize,
    d: usize,
    k: usize,
    batches: usize,
    batch_of: Vec<u32>,
    /// Rows per batch.
    sizes: Vec<f64>,
    /// Rows of length one, `[n, d]`.
    unit: Vec<f64>,
    /// Centres of length one, `[k, d]`.
    centre: Vec<f64>,
    /// Soft assignments, `[n, k]`.
    assigned: Vec<f64>,
    /// Distances to the centres, `[n, k]`.
    distance: Vec<f64>,
    /// Observed and expected rows, `[k, batches]`.
    observed: Vec<f64>,
    expected: Vec<f64>,
    /// Cluster means and batch terms of the last regression.
    terms: Terms,
    corrected: Matrix,
    objectives: Vec<f64>,
    rounds: usize,
    converged: bool,
    stream: bench_core::Stream,
}

/// Intercepts `[k, d]` and batch terms, one `[k, d]` per batch.
#[derive(Clone, Default)]
struct Terms {
    intercept: Vec<f64>,
    batch: Vec<Vec<f64>>,
}

impl<'a> State<'a> {
    fn new(settings: &'a Harmony, rows: &Rows<'_>, groups: &[Group]) -> Self {
        let (n, d, batches) = (rows.matrix.rows(), rows.matrix.cols(), groups.len());
        let auto = ((n as f64 / 30.0).round() as usize).clamp(1, 100);
        let k = settings.clusters.unwrap_or(auto).min(n);
        let mut batch_of = vec![0; n];
        for (code, group) in groups.iter().enumerate() {
            group.rows.iter().for_each(|&row| batch_of[row as usize] = code as u32);
        }
        let unit = unit_rows(rows.matrix, settings.dialect == Dialect::Zero);
        let mut stream = rows.seed.derive("harmony", 0).stream();
        let start: Vec<f64> = if n > START_ROWS {
            let mut drawn = stream.permutation(n);
            drawn.truncate(START_ROWS);
            drawn.iter().flat_map(|&row| &unit[row as usize * d..(row as usize + 1) * d]).copied().collect()
        } else {
            unit.clone()
        };
        let points = Points { data: &start, cols: d };
        // Where rows are a sample anyway, three starts are as good as ten, and a third of the time.
        let effort = Effort { starts: if n > START_ROWS { 3 } else { 10 }, iterations: 25 };
        let centre = kmeans::centres(points, k.min(points.rows()), effort, &mut stream);
        let k = centre.len() / d;
        let mut state = Self {
            settings,
            n,
            d,
            k,
            batches,
            batch_of,
            sizes: groups.iter().map(|group| group.rows.len() as f64).collect(),
            unit,
            centre,
            assigned: vec![0.0; n * k],
            distance: vec![0.0; n * k],
            observed: vec![0.0; k * batches],
            expected: vec![0.0; k * batches],
            terms: Terms::default(),
            corrected: rows.matrix.clone(),
            objectives: Vec::new(),
            rounds: 0,
            converged: false,
            stream,
        };
        normalise(&mut state.centre, d);
        state.measure();
        state.assigned.clone_from(&state.distance);
        let sigma = settings.sigma;
        state.assigned.par_chunks_mut(k).with_min_len(64).for_each(|row| soften(row, sigma));
        state.count();
        state
    }

    /// Distances of all rows to all centres.
    fn measure(&mut self) {
        let turned = transposed(&self.centre, self.k, self.d);
        dense::multiply(&self.unit, &turned, &mut self.distance, self.n, self.d, self.k);
        self.distance.par_chunks_mut(4096).for_each(|part| part.iter_mut().for_each(|v| *v = 2.0 * (1.0 - *v)));
    }

    /// Observed and expected rows per cluster and batch.
    fn count(&mut self) {
        self.observed.fill(0.0);
        for row in 0..self.n {
            let batch = self.batch_of[row] as usize;
            for (cluster, share) in self.assigned[row * self.k..(row + 1) * self.k].iter().enumerate() {
                self.observed[cluster * self.batches + batch] += share;
            }
        }
        for cluster in 0..self.k {
            let total: f64 = self.observed[cluster * self.batches..(cluster + 1) * self.batches].iter().sum();
            for batch in 0..self.batches {
                self.expected[cluster * self.batches + batch] = total * self.sizes[batch] / self.n as f64;
            }
        }
    }

    fn run(&mut self, rows: &Rows<'_>, groups: &[Group]) {
        let (rounds, settles_cluster, settles) = match self.settings.dialect {
            Dialect::Two => (4, 1e-3, 1e-2),
            Dialect::Zero => (20, 1e-5, 1e-4),
        };
        let mut outer = vec![self.objective()];
        for _ in 0..self.settings.iterations {
            self.cluster(rounds, settles_cluster);
            self.regress(rows.matrix, groups);
            self.unit = unit_rows(&self.corrected, false);
            self.rounds += 1;
            outer.push(self.objectives.last().copied().unwrap_or_default());
            let (before, now) = (outer[outer.len() - 2], outer[outer.len() - 1]);
            if (before - now) / before.abs() < settles {
                self.converged = true;
                break;
            }
        }
        self.objectives = outer;
    }

    /// Rounds of moving centres and updating assignments.
    fn cluster(&mut self, rounds: usize, settles: f64) {
        let mut objectives = Vec::new();
        for _ in 0..rounds {
            let mut centre = vec![0.0; self.k * self.d];
            dense::add_transposed(&self.assigned, &self.unit, &mut centre, (self.n, self.k, self.d), false);
            self.centre = centre;
            normalise(&mut self.centre, self.d);
            self.measure();
            self.assign();
            objectives.push(self.objective());
            if objectives.len() > WINDOW {
                let sum =
                    |from: usize| objectives[objectives.len() - from - WINDOW..objectives.len() - from].iter().sum();
                let (before, now): (f64, f64) = (sum(1), sum(0));
                if ((before - now) / before).abs() < settles {
                    break;
                }
            }
        }
        self.objectives.extend(objectives.last());
    }

    /// Updates assignments, a twentieth of the rows at a time: each block is counted out, assigned, counted in.
    fn assign(&mut self) {
        let (k, batches, sigma, theta) = (self.k, self.batches, self.settings.sigma, self.settings.theta);
        let order = self.stream.permutation(self.n);
        let size = ((self.n as f64 * BLOCK_SHARE).ceil() as usize).max(1);
        for block in order.chunks(size) {
            self.add_counts(block, -1.0);
            let factor: Vec<f64> = self
                .expected
                .iter()
                .zip(&self.observed)
                .map(|(e, o)| ((e.max(0.0) + 1.0) / (o.max(0.0) + 1.0)).powf(theta))
                .collect();
            let updated: Vec<Vec<f64>> = block
                .par_iter()
                .with_min_len(16)
                .map(|&row| {
                    let (row, batch) = (row as usize, self.batch_of[row as usize] as usize);
                    let mut shares = self.distance[row * k..(row + 1) * k].to_vec();
                    soften(&mut shares, sigma);
                    shares.iter_mut().enumerate().for_each(|(c, share)| *share *= factor[c * batches + batch]);
                    let total: f64 = shares.iter().sum();
                    shares.iter_mut().for_each(|share| *share /= total);
                    shares
                })
                .collect();
            for (&row, shares) in block.iter().zip(updated) {
                self.assigned[row as usize * k..(row as usize + 1) * k].copy_from_slice(&shares);
            }
            self.add_counts(block, 1.0);
        }
    }

    fn add_counts(&mut self, block: &[u32], sign: f64) {
        let mut totals = vec![0.0; self.k];
        for &row in block {
            let batch = self.batch_of[row as usize] as usize;
            for (c, share) in self.assigned[row as usize * self.k..(row as usize + 1) * self.k].iter().enumerate() {
                self.observed[c * self.batches + batch] += sign * share;
                totals[c] += sign * share;
            }
        }
        for (c, total) in totals.iter().enumerate() {
            for batch in 0..self.batches {
                self.expected[c * self.batches + batch] += total * self.sizes[batch] / self.n as f64;
            }
        }
    }

    fn objective(&self) -> f64 {
        let (k, sigma) = (self.k, self.settings.sigma);
        let excess: Vec<f64> = self
            .observed
            .iter()
            .zip(&self.expected)
            .map(|(o, e)| sigma * self.settings.theta * ((o + 1.0) / (e + 1.0)).ln())
            .collect();
        let parts: Vec<f64> = (0..self.n.div_ceil(1024))
            .into_par_iter()
            .map(|block| {
                let mut sum = 0.0;
                for row in block * 1024..((block + 1) * 1024).min(self.n) {
                    let batch = self.batch_of[row] as usize;
                    for c in 0..k {
                        let share = self.assigned[row * k + c];
                        if share > 0.0 {
                            let penalty = excess[c * self.batches + batch];
                            sum += share * (self.distance[row * k + c] + sigma * share.ln() + penalty);
                        }
                    }
                }
                sum
            })
            .collect();
        // Version 2 reports the objective of 2,000 rows.
        let scale = if self.settings.dialect == Dialect::Two { 2000.0 / self.n as f64 } else { 1.0 };
        scale * parts.iter().sum::<f64>()
    }

    /// The ridge regression of every cluster, and the rows without its batch terms.
    fn regress(&mut self, matrix: &Matrix, groups: &[Group]) {
        let (k, d) = (self.k, self.d);
        let mut sums: Vec<Vec<f64>> = Vec::with_capacity(self.batches);
        for group in groups {
            let mut sum = vec![0.0; k * d];
            for part in group.rows.chunks(1024) {
                let (shares, values) = (self.shares(part), values(matrix, part));
                dense::add_transposed(&shares, &values, &mut sum, (part.len(), k, d), false);
            }
            sums.push(sum);
        }
        let ridge: Vec<Option<f64>> = (0..k * self.batches).map(|at| self.ridge(at)).collect();
        let mut terms = Terms { intercept: vec![0.0; k * d], batch: vec![vec![0.0; k * d]; self.batches] };
        for c in 0..k {
            let used: Vec<(usize, f64, f64)> = (0..self.batches)
                .filter_map(|b| {
                    ridge[c * self.batches + b].map(|ridge| (b, self.observed[c * self.batches + b].max(0.0), ridge))
                })
                .collect();
            let weight: f64 = used.iter().map(|(_, o, ridge)| o * ridge / (o + ridge)).sum();
            if weight <= 0.0 {
                continue;
            }
            for col in 0..d {
                let at = c * d + col;
                let share: f64 = used.iter().map(|&(b, o, ridge)| sums[b][at] * ridge / (o + ridge)).sum();
                let intercept = share / weight;
                terms.intercept[at] = intercept;
                for &(b, o, ridge) in &used {
                    terms.batch[b][at] = (sums[b][at] - o * intercept) / (o + ridge);
                }
            }
        }
        for (group, term) in groups.iter().zip(&terms.batch) {
            for part in group.rows.chunks(1024) {
                let shares = self.shares(part);
                subtract(&mut self.corrected, matrix, part, &shares, term, k);
            }
        }
        self.terms = terms;
    }

    /// The ridge of a cluster and batch, or nothing if the batch has no part in the cluster.
    fn ridge(&self, at: usize) -> Option<f64> {
        let batch = at % self.batches;
        if self.settings.dialect == Dialect::Two && self.observed[at] < LEAST_SHARE * self.sizes[batch] {
            return None;
        }
        Some(self.settings.lambda.unwrap_or(ALPHA * self.expected[at].max(0.0)).max(f64::MIN_POSITIVE))
    }

    fn shares(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter()
            .flat_map(|&row| &self.assigned[row as usize * self.k..(row as usize + 1) * self.k])
            .copied()
            .collect()
    }

    fn finish(self, rows: &Rows<'_>, groups: &[Group]) -> Result<Harmonised, Error> {
        let step = CARD.card.id;
        let (first, last) = (self.objectives[0], self.objectives[self.objectives.len() - 1]);
        let state = if self.converged { "settled" } else { "not settled" };
        let notes = vec![format!(
            "{} clusters, {} corrections, {state}, objective {first:.6e} to {last:.6e}",
            self.k, self.rounds
        )];
        let batch = groups.iter().map(|group| group.name.clone()).zip(self.terms.batch).collect();
        Ok(Harmonised {
            memory: Memory::new(step, self.settings.by, rows, self.corrected)?,
            settings: *self.settings,
            k: self.k,
            centre: self.centre,
            intercept: self.terms.intercept,
            batch,
            notes,
        })
    }
}

/// Turns distances into shares: `exp(-distance / sigma)`, adding up to one.
fn soften(row: &mut [f64], sigma: f64) {
    let least = row.iter().copied().fold(f64::INFINITY, f64::min);
    row.iter_mut().for_each(|value| *value = (-(*value - least) / sigma).exp());
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= total);
}

/// Scales rows to length one; zero rows stay.
fn normalise(rows: &mut [f64], d: usize) {
    for row in rows.chunks_exact_mut(d) {
        let length = dense::dot(row, row).sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|value| *value /= length);
        }
    }
}

fn values(matrix: &Matrix, rows: &[u32]) -> Vec<f64> {
    rows.iter().flat_map(|&row| matrix.row(row as usize)).map(|&value| f64::from(value)).collect()
}

/// `out = matrix - shares term` for some rows.
fn subtract(out: &mut Matrix, matrix: &Matrix, rows: &[u32], shares: &[f64], term: &[f64], k: usize) {
    let d = matrix.cols();
    let mut shift = vec![0.0; rows.len() * d];
    dense::multiply(shares, term, &mut shift, rows.len(), k, d);
    for (&row, shift) in rows.iter().zip(shift.chunks_exact(d)) {
        let from = matrix.row(row as usize);
        let to = &mut out.data_mut()[row as usize * d..(row as usize + 1) * d];
        for ((to, &from), shift) in to.iter_mut().zip(from).zip(shift) {
            *to = (f64::from(from) - shift) as f32;
        }
    }
}

/// Corrected rows, and what corrects others.
struct Harmonised {
    memory: Memory,
    settings: Harmony,
    k: usize,
    centre: Vec<f64>,
    intercept: Vec<f64>,
    batch: BTreeMap<String, Vec<f64>>,
    notes: Vec<String>,
}

impl Harmonised {
    /// Soft assignments of rows to the clusters of the fit.
    fn shares(&self, matrix: &Matrix) -> Vec<f64> {
        let (n, d) = (matrix.rows(), matrix.cols());
        let unit = unit_rows(matrix, self.settings.dialect == Dialect::Zero);
        let mut shares = vec![0.0; n * self.k];
        dense::multiply(&unit, &transposed(&self.centre, self.k, d), &mut shares, n, d, self.k);
        for row in shares.chunks_exact_mut(self.k) {
            row.iter_mut().for_each(|value| *value = 2.0 * (1.0 - *value));
            soften(row, self.settings.sigma);
        }
        shares
    }

    /// Batch terms of a batch that was not fitted, from its controls.
    fn mapped(&self, matrix: &Matrix, origin: &Origin, group: &Group) -> Result<Vec<f64>, Error> {
        let controls: Vec<u32> = group.rows.iter().copied().filter(|&row| origin.is_control(row as usize)).collect();
        if controls.is_empty() {
            return Err(Error::NoControls { step: CARD.card.id.to_owned(), group: group.words() });
        }
        let (rows, d) = (matrix.take(&controls), matrix.cols());
        let shares = self.shares(&rows);
        let all: Vec<u32> = (0..rows.rows() as u32).collect();
        let mut sum = vec![0.0; self.k * d];
        dense::add_transposed(&shares, &values(&rows, &all), &mut sum, (rows.rows(), self.k, d), false);
        for c in 0..self.k {
            let weight: f64 = shares.iter().skip(c).step_by(self.k).sum();
            let ridge = self.settings.lambda.unwrap_or(ALPHA * weight).max(f64::MIN_POSITIVE);
            let part = c * d..(c + 1) * d;
            for (sum, intercept) in sum[part.clone()].iter_mut().zip(&self.intercept[part]) {
                *sum = (*sum - weight * intercept) / (weight + ridge);
            }
        }
        Ok(sum)
    }
}

impl Fitted for Harmonised {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        let recalled = self.memory.recall(matrix, origin)?;
        let mut out = recalled.matrix;
        if recalled.unknown.is_empty() {
            return Ok(out);
        }
        let mut is_unknown = vec![false; matrix.rows()];
        recalled.unknown.iter().for_each(|&row| is_unknown[row as usize] = true);
        for group in self.settings.by.groups(CARD.card.id, origin)? {
            let unknown: Vec<u32> = group.rows.iter().copied().filter(|&row| is_unknown[row as usize]).collect();
            if unknown.is_empty() {
                continue;
            }
            let mapped;
            let term = match self.batch.get(&group.name) {
                Some(term) => term,
                None => {
                    mapped = self.mapped(matrix, origin, &group)?;
                    &mapped
                }
            };
            for part in unknown.chunks(1024) {
                let shares = self.shares(&matrix.take(part));
                subtract(&mut out, matrix, part, &shares, term, self.k);
            }
        }
        Ok(out)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
