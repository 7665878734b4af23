//! What changes while Harmony runs: assignments, centres, counts and batch terms.
//!
//! Rows are held in the order of their batches, so that the rows of a batch are one block.

use std::ops::Range;

use bench_core::{Matrix, Stream};
use bench_geometry::kmeans::{KMeansSettings, kmeans};
use rayon::prelude::*;

use super::mapping::Harmonised;
use super::{ALPHA, CARD, Dialect, Harmony, cluster_sums, distances, soften, subtract, unit_rows};
use crate::Error;
use crate::correction::Rows;
use crate::group::Group;
use crate::memory::Memory;

/// A batch with a smaller share of its rows in a cluster is left out of that cluster's regression (dialect 2).
const LEAST_SHARE: f64 = 1e-5;
/// Share of the rows whose assignments are updated together.
const BLOCK_SHARE: f64 = 0.05;
/// Rounds whose objectives are added before they are compared.
const WINDOW: usize = 3;
/// Rows that k-means starts from, at most.
const START_ROWS: usize = 5000;

pub(super) struct State<'a> {
    settings: &'a Harmony,
    n: usize,
    d: usize,
    k: usize,
    /// Row of the table that each row is.
    order: Vec<u32>,
    /// Rows of each batch.
    spans: Vec<Range<usize>>,
    batch_of: Vec<u32>,
    rows: Matrix,
    corrected: Matrix,
    /// Corrected rows of length one, `[n, d]`.
    unit: Vec<f32>,
    /// Centres of length one, `[k, d]`.
    centre: Vec<f32>,
    /// Soft assignments, `[n, k]`.
    assigned: Vec<f32>,
    /// Distances to the centres, `[n, k]`.
    distance: Vec<f32>,
    /// Observed and expected rows, `[k, batches]`.
    observed: Vec<f64>,
    expected: Vec<f64>,
    /// Of the last regression: the mean of each cluster, `[k, d]`, and the terms of each batch, `[k, d]`.
    intercept: Vec<f64>,
    terms: Vec<Vec<f64>>,
    objectives: Vec<f64>,
    rounds: usize,
    converged: bool,
    stream: Stream,
}

impl<'a> State<'a> {
    pub(super) fn new(settings: &'a Harmony, rows: &Rows<'_>, groups: &[Group]) -> Self {
        let (n, d) = (rows.matrix.rows(), rows.matrix.cols());
        let order: Vec<u32> = groups.iter().flat_map(|group| group.rows.iter().copied()).collect();
        let mut spans = Vec::with_capacity(groups.len());
        let mut batch_of = Vec::with_capacity(n);
        for (code, group) in groups.iter().enumerate() {
            spans.push(batch_of.len()..batch_of.len() + group.rows.len());
            batch_of.resize(batch_of.len() + group.rows.len(), code as u32);
        }
        let matrix = rows.matrix.take(&order);
        let unit = unit_rows(&matrix, settings.dialect == Dialect::Zero);
        let mut stream = rows.seed.derive("harmony", 0).stream();
        let mut drawn = stream.permutation(n);
        drawn.truncate(START_ROWS);
        let start: Vec<f32> =
            drawn.iter().flat_map(|&row| &unit[row as usize * d..(row as usize + 1) * d]).copied().collect();
        let auto = ((n as f64 / 30.0).round() as usize).clamp(1, 100);
        let k = settings.clusters.unwrap_or(auto).min(drawn.len());
        // Where rows are a sample anyway one start does: Harmony ends within a thousandth of the objective of ten.
        let restarts = if n > START_ROWS { 1 } else { 10 };
        let effort = KMeansSettings { restarts, steps: 25, ..KMeansSettings::new(k) };
        let found = kmeans(&Matrix::new(drawn.len(), d, start), &effort, rows.seed.derive("harmony", 1));
        let mut state = Self {
            settings,
            n,
            d,
            k,
            order,
            batch_of,
            corrected: matrix.clone(),
            rows: matrix,
            unit,
            centre: normalised(found.centre.iter().map(|&value| f64::from(value)).collect(), d),
            assigned: vec![0.0; n * k],
            distance: vec![0.0; n * k],
            observed: vec![0.0; k * spans.len()],
            expected: vec![0.0; k * spans.len()],
            intercept: Vec::new(),
            terms: Vec::new(),
            spans,
            objectives: Vec::new(),
            rounds: 0,
            converged: false,
            stream,
        };
        distances(&state.unit, &state.centre, d, &mut state.distance);
        state.assigned.copy_from_slice(&state.distance);
        let sigma = settings.sigma as f32;
        state.assigned.par_chunks_mut(k).with_min_len(64).for_each(|row| soften(row, sigma, |_| 1.0));
        let all: Vec<u32> = (0..n as u32).collect();
        state.add_counts(&all, 1.0);
        state
    }

    pub(super) fn run(&mut self) {
        let (rounds, settles_cluster, settles) = match self.settings.dialect {
            Dialect::Two => (4, 1e-3, 1e-2),
            Dialect::Zero => (20, 1e-5, 1e-4),
        };
        let mut before = self.objective();
        self.objectives.push(before);
        for _ in 0..self.settings.iterations {
            let now = self.cluster(rounds, settles_cluster);
            self.regress();
            self.rounds += 1;
            self.objectives.push(now);
            if (before - now) / before.abs() < settles {
                self.converged = true;
                break;
            }
            before = now;
            self.unit = unit_rows(&self.corrected, false);
        }
    }

    /// Rounds of moving centres and updating assignments; the last objective.
    fn cluster(&mut self, rounds: usize, settles: f64) -> f64 {
        let mut objectives = Vec::new();
        for _ in 0..rounds {
            self.centre = normalised(cluster_sums(&self.assigned, &self.unit, self.k, self.d), self.d);
            distances(&self.unit, &self.centre, self.d, &mut self.distance);
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
        objectives[objectives.len() - 1]
    }

    /// Updates assignments, a twentieth of the rows at a time: each block is counted out, assigned, counted in.
    fn assign(&mut self) {
        let (k, batches, sigma) = (self.k, self.spans.len(), self.settings.sigma as f32);
        let order = self.stream.permutation(self.n);
        let size = ((self.n as f64 * BLOCK_SHARE).ceil() as usize).max(1);
        for block in order.chunks(size) {
            self.add_counts(block, -1.0);
            let factor: Vec<f32> = self
                .expected
                .iter()
                .zip(&self.observed)
                .map(|(e, o)| ((e.max(0.0) + 1.0) / (o.max(0.0) + 1.0)).powf(self.settings.theta) as f32)
                .collect();
            let mut updated = vec![0.0; block.len() * k];
            updated.par_chunks_mut(k).zip(block).with_min_len(16).for_each(|(shares, &row)| {
                let (row, batch) = (row as usize, self.batch_of[row as usize] as usize);
                shares.copy_from_slice(&self.distance[row * k..(row + 1) * k]);
                soften(shares, sigma, |c| factor[c * batches + batch]);
            });
            for (&row, shares) in block.iter().zip(updated.chunks_exact(k)) {
                self.assigned[row as usize * k..(row as usize + 1) * k].copy_from_slice(shares);
            }
            self.add_counts(block, 1.0);
        }
    }

    /// Adds rows to the observed and expected counts, or takes them off.
    fn add_counts(&mut self, rows: &[u32], sign: f64) {
        let (k, batches) = (self.k, self.spans.len());
        let mut by_batch = vec![0.0; batches * k];
        for &row in rows {
            let to = &mut by_batch[self.batch_of[row as usize] as usize * k..][..k];
            let shares = &self.assigned[row as usize * k..(row as usize + 1) * k];
            to.iter_mut().zip(shares).for_each(|(to, &share)| *to += f64::from(share));
        }
        for c in 0..k {
            let total: f64 = by_batch.iter().skip(c).step_by(k).sum();
            for (batch, span) in self.spans.iter().enumerate() {
                self.observed[c * batches + batch] += sign * by_batch[batch * k + c];
                self.expected[c * batches + batch] += sign * total * span.len() as f64 / self.n as f64;
            }
        }
    }

    fn objective(&self) -> f64 {
        let (k, batches, sigma) = (self.k, self.spans.len(), self.settings.sigma as f32);
        let weight = self.settings.sigma * self.settings.theta;
        let excess: Vec<f32> = self
            .observed
            .iter()
            .zip(&self.expected)
            .map(|(o, e)| (weight * ((o.max(0.0) + 1.0) / (e.max(0.0) + 1.0)).ln()) as f32)
            .collect();
        let rows = self.assigned.par_chunks(k).zip(self.distance.par_chunks(k)).zip(&self.batch_of);
        let parts: Vec<f64> = rows
            .with_min_len(64)
            .map(|((shares, distances), &batch)| {
                let terms = shares.iter().zip(distances).enumerate().filter(|&(_, (&share, _))| share > 0.0);
                let term = |(c, (&share, &distance)): (usize, (&f32, &f32))| {
                    f64::from(share * (distance + sigma * share.ln() + excess[c * batches + batch as usize]))
                };
                terms.map(term).sum()
            })
            .collect();
        // Version 2 reports the objective of 2,000 rows.
        let scale = if self.settings.dialect == Dialect::Two { 2000.0 / self.n as f64 } else { 1.0 };
        scale * parts.iter().sum::<f64>()
    }

    /// The ridge regression of every cluster, and the rows without its batch terms.
    fn regress(&mut self) {
        let (k, d, batches) = (self.k, self.d, self.spans.len());
        let sums: Vec<Vec<f64>> = self
            .spans
            .iter()
            .map(|span| {
                let (shares, rows) = (k * span.start..k * span.end, d * span.start..d * span.end);
                cluster_sums(&self.assigned[shares], &self.rows.data()[rows], k, d)
            })
            .collect();
        self.intercept = vec![0.0; k * d];
        self.terms = vec![vec![0.0; k * d]; batches];
        for c in 0..k {
            // Batch, rows in the cluster, ridge and sums of the rows' values.
            let used: Vec<(usize, f64, f64, &[f64])> = (0..batches)
                .filter_map(|b| {
                    let observed = self.observed[c * batches + b].max(0.0);
                    Some((b, observed, self.ridge(c, b)?, &sums[b][c * d..(c + 1) * d]))
                })
                .collect();
            let weight: f64 = used.iter().map(|(_, o, ridge, _)| o * ridge / (o + ridge)).sum();
            if weight <= 0.0 {
                continue;
            }
            for (col, intercept) in self.intercept[c * d..(c + 1) * d].iter_mut().enumerate() {
                let share: f64 = used.iter().map(|(_, o, ridge, sums)| sums[col] * ridge / (o + ridge)).sum();
                *intercept = share / weight;
                for (b, o, ridge, sums) in &used {
                    self.terms[*b][c * d + col] = (sums[col] - o * *intercept) / (o + ridge);
                }
            }
        }
        for (span, term) in self.spans.iter().zip(&self.terms) {
            let (shares, rows) = (k * span.start..k * span.end, d * span.start..d * span.end);
            let to = &mut self.corrected.data_mut()[rows.clone()];
            subtract(to, &self.rows.data()[rows], &self.assigned[shares], term, d);
        }
    }

    /// The ridge of a cluster and batch, or nothing if the batch has no part in the cluster.
    fn ridge(&self, cluster: usize, batch: usize) -> Option<f64> {
        let at = cluster * self.spans.len() + batch;
        if self.settings.dialect == Dialect::Two && self.observed[at] < LEAST_SHARE * self.spans[batch].len() as f64 {
            return None;
        }
        Some(self.settings.lambda.unwrap_or(ALPHA * self.expected[at].max(0.0)).max(f64::MIN_POSITIVE))
    }

    pub(super) fn finish(self, rows: &Rows<'_>, groups: Vec<Group>) -> Result<Harmonised, Error> {
        let (first, last) = (self.objectives[0], self.objectives[self.objectives.len() - 1]);
        let state = if self.converged { "settled" } else { "not settled" };
        let notes = vec![format!(
            "{} clusters, {} corrections, {state}, objective {first:.6e} to {last:.6e}",
            self.k, self.rounds
        )];
        let mut corrected = Matrix::zeros(self.n, self.d);
        for (at, &row) in self.order.iter().enumerate() {
            let to = &mut corrected.data_mut()[row as usize * self.d..(row as usize + 1) * self.d];
            to.copy_from_slice(self.corrected.row(at));
        }
        Ok(Harmonised {
            memory: Memory::new(CARD.card.id, self.settings.by, rows, corrected)?,
            settings: *self.settings,
            centre: self.centre,
            intercept: self.intercept,
            batch: groups.into_iter().map(|group| group.name).zip(self.terms).collect(),
            notes,
        })
    }
}

/// Rows scaled to length one; zero rows stay.
fn normalised(mut rows: Vec<f64>, d: usize) -> Vec<f32> {
    for row in rows.chunks_exact_mut(d.max(1)) {
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|value| *value /= length);
        }
    }
    rows.into_iter().map(|value| value as f32).collect()
}
