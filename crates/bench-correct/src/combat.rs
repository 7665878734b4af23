//! ComBat: location and scale of every batch, shrunk towards what the features have in common.
//!
//! # What
//! Standardises each feature by the grand mean and the pooled variance within batches, estimates shift and scale of
//! each batch by parametric empirical Bayes over features, and takes them out. With a covariate, its effect is
//! fitted beside the batches and kept.
//!
//! # Formula
//! `z = (x - m) / s`; `g_b = (t2 n g + d2 gbar) / (t2 n + d2)`, `d2_b = (b + sum (z - g_b)^2 / 2) / (n / 2 + a - 1)` in
//! turn until both change by less than 1e-4; `y = s (z - g_b) / sqrt(d2_b) + m`. Priors by the method of moments over
//! features: gbar, t2 of the means (divisor d), a, b of the variances (divisor d - 1).
//!
//! # Why
//! The classic; strong wherever batches differ by shift and scale, and cheap.
//!
//! # Unseen batches
//! Add-on ComBat on controls: shift and scale of the new batch's controls relative to the corrected controls of the
//! fit, shrunk by the same rule with the new batch's own priors. A batch without controls is refused.
//!
//! # What it cannot show
//! If treatments differ between batches, part of their effect is taken for batch; a covariate keeps it, but then the
//! correction has seen an answer, and says so.
//!
//! # Reference
//! Johnson, Li, Rabinovic 2007; scanpy 1.11 `pp.combat`; add-on: Hornung, Boulesteix, Causeur 2016.
//! Parity: features of no variance are returned as they are and do not take part in the priors; in scanpy one of
//! them ends the iteration after its first round. Covariates are coded by treatment contrasts, so that the design has
//! full rank.

use std::collections::BTreeMap;

use bench_core::{Card, Factor, Matrix};
use rayon::prelude::*;

use crate::correction::{Correction, CorrectionCard, Fitted, Parameter, Rows, Scope, check};
use crate::group::{By, Group, read_on};
use crate::memory::Memory;
use crate::params::Reader;
use crate::{Error, Origin, parameter};

/// Its card.
pub(crate) static CARD: CorrectionCard = CorrectionCard {
    card: Card {
        id: "combat",
        title: "ComBat",
        what: "Takes out shift and scale of every batch, estimated by parametric empirical Bayes over features.",
        formula: "y = s (z - g_b) / sqrt(d2_b) + m, z = (x - m) / s; g_b and d2_b shrunk to priors over features",
        better: "none",
        range: "",
        limits: "Treatments that differ between batches are taken for batch; with a covariate it sees an answer.",
        reference: "Johnson et al. 2007; scanpy pp.combat; Hornung et al. 2016 (unseen batches)",
    },
    scope: Scope::Chosen,
    transductive: false,
    dialect: "scanpy 1.11",
    parameters: &[
        parameter::unit("batch"),
        parameter::on("all"),
        Parameter {
            name: "covariate",
            default: "none",
            values: "none or given",
            what: "given keeps the effect of the covariate handed to the fit, which makes it transductive",
        },
    ],
};

struct ComBat {
    by: By,
    on: Scope,
    covariate: bool,
}

pub(crate) fn build(reader: &mut Reader) -> Result<Box<dyn Correction>, Error> {
    let (by, on) = (By::read_unit(reader)?, read_on(reader)?);
    let covariate = reader.choice("covariate", &[("none", false), ("given", true)])?;
    if covariate && on == Scope::Controls {
        return Err(Error::Setting {
            step: CARD.card.id.to_owned(),
            key: "covariate".to_owned(),
            value: "given".to_owned(),
            why: "negative controls have no covariate to keep; use on=all".to_owned(),
        });
    }
    Ok(Box::new(ComBat { by, on, covariate }))
}

impl Correction for ComBat {
    fn card(&self) -> &'static CorrectionCard {
        &CARD
    }

    fn scope(&self) -> Scope {
        self.on
    }

    fn is_transductive(&self) -> bool {
        self.covariate
    }

    fn wants_covariate(&self) -> bool {
        self.covariate
    }

    fn learn(&self, rows: &Rows<'_>) -> Result<Box<dyn Fitted>, Error> {
        let none = Factor { levels: vec![String::new()], codes: vec![0; rows.matrix.rows()] };
        let (model, _) = Model::learn(rows, self.by, &none)?;
        Ok(Box::new(model))
    }

    fn learn_beside(&self, rows: &Rows<'_>, covariate: &Factor) -> Result<Box<dyn Fitted>, Error> {
        let (model, means) = Model::learn(rows, self.by, covariate)?;
        let mut out = rows.matrix.clone();
        for (group, batch) in self.by.groups(model.step(), rows.origin)?.iter().zip(model.batches.values()) {
            for &row in &group.rows {
                let mean = &means[covariate.code(row as usize)];
                let at = row as usize * model.cols..(row as usize + 1) * model.cols;
                model.correct(batch, mean, &mut out.data_mut()[at]);
            }
        }
        Ok(Box::new(Kept { memory: Memory::new(model.step(), self.by, rows, out)? }))
    }
}

/// Shift and scale of one batch, in standardised units.
#[derive(Clone, Debug)]
struct Batch {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

/// What ComBat learned.
struct Model {
    by: By,
    cols: usize,
    /// Grand mean.
    mean: Vec<f64>,
    /// Standard deviation within batches; zero for features of no variance.
    deviation: Vec<f64>,
    batches: BTreeMap<String, Batch>,
    /// Mean and standard deviation of the corrected controls of the fit, in standardised units.
    controls: Option<(Vec<f64>, Vec<f64>)>,
    notes: Vec<String>,
}

impl Model {
    fn step(&self) -> &'static str {
        CARD.card.id
    }

    /// Learns; also returns the mean that each level of the covariate is standardised and put back by.
    fn learn(rows: &Rows<'_>, by: By, covariate: &Factor) -> Result<(Self, Vec<Vec<f64>>), Error> {
        let (step, n, d) = (CARD.card.id, rows.matrix.rows(), rows.matrix.cols());
        let refuse = |group: String, why: &str| Error::Fit { step: step.to_owned(), group, why: why.to_owned() };
        let groups = by.groups(step, rows.origin)?;
        if let Some(small) = groups.iter().find(|group| group.rows.len() < 2) {
            return Err(refuse(small.words(), "a single row has no variance; drop it, or choose a larger unit"));
        }
        let mut batch_of = vec![0; n];
        for (code, group) in groups.iter().enumerate() {
            group.rows.iter().for_each(|&row| batch_of[row as usize] = code);
        }
        let design = Design { batches: groups.len(), levels: covariate.level_count() };
        let effects = design
            .effects(rows.matrix, &batch_of, &covariate.codes)
            .ok_or_else(|| refuse("the table".to_owned(), "the covariate is confounded with the batches"))?;

        let mut mean = vec![0.0; d];
        for (group, effect) in groups.iter().zip(&effects) {
            let share = group.rows.len() as f64 / n as f64;
            mean.iter_mut().zip(effect).for_each(|(mean, value)| *mean += share * value);
        }
        let means: Vec<Vec<f64>> = (0..design.levels)
            .map(|level| match level {
                0 => mean.clone(),
                _ => mean.iter().zip(&effects[groups.len() + level - 1]).map(|(m, e)| m + e).collect(),
            })
            .collect();
        let fitted = |row: usize, col: usize| {
            let level = covariate.code(row);
            effects[batch_of[row]][col] + if level == 0 { 0.0 } else { effects[groups.len() + level - 1][col] }
        };
        let deviation: Vec<f64> = row_sums(rows.matrix, |row, col, value| (value - fitted(row, col)).powi(2))
            .into_iter()
            .map(|sum| (sum / n as f64).sqrt())
            .collect();
        // A constant feature leaves rounding errors of its fit, not a variance.
        let spread = column_spread(rows.matrix);
        let deviation: Vec<f64> =
            deviation.iter().zip(&spread).map(|(s, spread)| if *s > 1e-12 * spread { *s } else { 0.0 }).collect();
        let varying: Vec<usize> = (0..d).filter(|&col| deviation[col] > 0.0).collect();
        if varying.len() < 2 {
            return Err(refuse(
                "the table".to_owned(),
                "its priors need at least two features that vary within batches",
            ));
        }

        let standardised =
            |row: usize, col: usize, value: f64| (value - means[covariate.code(row)][col]) / deviation[col];
        let mut batches = BTreeMap::new();
        for group in groups.iter() {
            let moments = group_moments(rows.matrix, &group.rows, &varying, &standardised);
            let Some((shift, scale)) = shrink(&moments, group.rows.len()) else {
                return Err(refuse(group.words(), "no feature varies within it"));
            };
            batches.insert(group.name.clone(), spread_out(d, &varying, &shift, &scale));
        }
        let mut model = Self { by, cols: d, mean, deviation, batches, controls: None, notes: Vec::new() };
        model.controls = model.corrected_controls(rows, &groups, &means, covariate);
        if varying.len() < d {
            model.notes.push(format!("{} features of no variance are left as they are", d - varying.len()));
        }
        Ok((model, means))
    }

    /// Mean and deviation of the corrected controls, in standardised units.
    fn corrected_controls(
        &self,
        rows: &Rows<'_>,
        groups: &[Group],
        means: &[Vec<f64>],
        covariate: &Factor,
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut corrected: Vec<f64> = Vec::new();
        let mut count = 0_usize;
        let (mut sum, mut squares) = (vec![0.0; self.cols], vec![0.0; self.cols]);
        for (group, batch) in groups.iter().zip(self.batches.values()) {
            for &row in group.rows.iter().filter(|&&row| rows.origin.is_control(row as usize)) {
                let mean = &means[covariate.code(row as usize)];
                corrected.clear();
                corrected.extend(rows.matrix.row(row as usize).iter().enumerate().map(|(col, &value)| {
                    let s = self.deviation[col];
                    let z = if s > 0.0 { (f64::from(value) - mean[col]) / s } else { 0.0 };
                    // Levels of the covariate differ in what is put back, so it counts here.
                    let kept = if s > 0.0 { (mean[col] - self.mean[col]) / s } else { 0.0 };
                    (z - batch.shift[col]) / batch.scale[col] + kept
                }));
                count += 1;
                for col in 0..self.cols {
                    sum[col] += corrected[col];
                    squares[col] += corrected[col] * corrected[col];
                }
            }
        }
        (count > 1).then(|| {
            let n = count as f64;
            let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
            let variance = |col: usize| (squares[col] - n * mean[col] * mean[col]) / (n - 1.0);
            let deviation = (0..self.cols).map(|col| positive_or_one(variance(col).max(0.0).sqrt())).collect();
            (mean, deviation)
        })
    }

    /// Corrects one row in place; `mean` is taken out and put back.
    fn correct(&self, batch: &Batch, mean: &[f64], row: &mut [f32]) {
        for (col, value) in row.iter_mut().enumerate() {
            let s = self.deviation[col];
            if s > 0.0 {
                let z = (f64::from(*value) - mean[col]) / s;
                *value = (s * (z - batch.shift[col]) / batch.scale[col] + mean[col]) as f32;
            }
        }
    }

    /// Shift and scale of a batch that was not fitted, from its controls.
    fn add_on(&self, matrix: &Matrix, origin: &Origin, group: &Group) -> Result<Batch, Error> {
        let step = self.step().to_owned();
        let Some((mean, deviation)) = &self.controls else {
            return Err(Error::NoControls { step, group: "the rows of the fit".to_owned() });
        };
        let controls: Vec<u32> = group.rows.iter().copied().filter(|&row| origin.is_control(row as usize)).collect();
        if controls.is_empty() {
            return Err(Error::NoControls { step, group: group.words() });
        }
        if controls.len() < 2 {
            let why = "a single control has no variance; at least 2 are needed".to_owned();
            return Err(Error::Fit { step, group: group.words(), why });
        }
        let varying: Vec<usize> = (0..self.cols).filter(|&col| self.deviation[col] > 0.0).collect();
        let relative = |_: usize, col: usize, value: f64| {
            ((value - self.mean[col]) / self.deviation[col] - mean[col]) / deviation[col]
        };
        let moments = group_moments(matrix, &controls, &varying, &relative);
        let Some((shift, scale)) = shrink(&moments, controls.len()) else {
            let why = "its controls do not vary".to_owned();
            return Err(Error::Fit { step, group: group.words(), why });
        };
        // Back from units of the controls: ((z - m) / v - g) / sqrt(d2) v + m = (z - shift) / sqrt(d2).
        let scale: Vec<f64> = scale.iter().map(|d2| d2.sqrt()).collect();
        let shift: Vec<f64> = varying
            .iter()
            .enumerate()
            .map(|(at, &col)| mean[col] + shift[at] * deviation[col] - scale[at] * mean[col])
            .collect();
        let mut batch = Batch { shift: vec![0.0; self.cols], scale: vec![1.0; self.cols] };
        for (at, &col) in varying.iter().enumerate() {
            (batch.shift[col], batch.scale[col]) = (shift[at], scale[at]);
        }
        Ok(batch)
    }
}

impl Fitted for Model {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        check(self.step(), matrix, origin, self.cols, false)?;
        let mut out = matrix.clone();
        for group in self.by.groups(self.step(), origin)? {
            let added;
            let batch = match self.batches.get(&group.name) {
                Some(batch) => batch,
                None => {
                    added = self.add_on(matrix, origin, &group)?;
                    &added
                }
            };
            for &row in &group.rows {
                let at = row as usize * self.cols..(row as usize + 1) * self.cols;
                self.correct(batch, &self.mean, &mut out.data_mut()[at]);
            }
        }
        Ok(out)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Rows corrected beside a covariate: others have none to keep.
struct Kept {
    memory: Memory,
}

impl Fitted for Kept {
    fn apply(&self, matrix: &Matrix, origin: &Origin) -> Result<Matrix, Error> {
        self.memory.only_fitted(matrix, origin, "their covariate is not known")
    }
}

/// A batch column for each batch, and a column for each level of the covariate but the first.
struct Design {
    batches: usize,
    levels: usize,
}

impl Design {
    /// Least-squares effects, one list of `d` per column of the design, or nothing if the design has no full rank.
    fn effects(&self, matrix: &Matrix, batch_of: &[usize], level_of: &[u32]) -> Option<Vec<Vec<f64>>> {
        let (p, d) = (self.batches + self.levels - 1, matrix.cols());
        let columns = |row: usize| {
            let level = level_of[row] as usize;
            [Some(batch_of[row]), (level > 0).then(|| self.batches + level - 1)]
        };
        let mut gram = vec![0.0; p * p];
        let mut sums = vec![vec![0.0; d]; p];
        for row in 0..matrix.rows() {
            for a in columns(row).into_iter().flatten() {
                for b in columns(row).into_iter().flatten() {
                    gram[a * p + b] += 1.0;
                }
                sums[a].iter_mut().zip(matrix.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        solve(&mut gram, &mut sums, p).then_some(sums)
    }
}

/// Solves `gram x = sums` in place by elimination; false if the matrix is singular.
fn solve(gram: &mut [f64], sums: &mut [Vec<f64>], p: usize) -> bool {
    let scale: Vec<f64> = (0..p).map(|i| gram[i * p + i]).collect();
    for pivot in 0..p {
        if gram[pivot * p + pivot] <= 1e-9 * scale[pivot].max(1.0) {
            return false;
        }
        for row in 0..p {
            let factor = gram[row * p + pivot] / gram[pivot * p + pivot];
            if row == pivot || factor == 0.0 {
                continue;
            }
            for col in pivot..p {
                gram[row * p + col] -= factor * gram[pivot * p + col];
            }
            let (low, high) = sums.split_at_mut(row.max(pivot));
            let (to, from) = if row > pivot { (&mut high[0], &low[pivot]) } else { (&mut low[row], &high[0]) };
            to.iter_mut().zip(from).for_each(|(to, from)| *to -= factor * from);
        }
    }
    for pivot in 0..p {
        let value = gram[pivot * p + pivot];
        sums[pivot].iter_mut().for_each(|sum| *sum /= value);
    }
    true
}

/// Sums over rows of a function of row, column and value.
fn row_sums(matrix: &Matrix, term: impl Fn(usize, usize, f64) -> f64 + Sync) -> Vec<f64> {
    const ROWS: usize = 256;
    let d = matrix.cols();
    let partial: Vec<Vec<f64>> = (0..matrix.rows().div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![0.0; d];
            for row in block * ROWS..((block + 1) * ROWS).min(matrix.rows()) {
                for (col, (sum, &value)) in sums.iter_mut().zip(matrix.row(row)).enumerate() {
                    *sum += term(row, col, f64::from(value));
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; d];
    for sums in partial {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// Largest absolute value of every column.
fn column_spread(matrix: &Matrix) -> Vec<f64> {
    let mut spread = vec![0.0_f64; matrix.cols()];
    for row in 0..matrix.rows() {
        spread.iter_mut().zip(matrix.row(row)).for_each(|(most, &value)| *most = most.max(f64::from(value.abs())));
    }
    spread
}

/// Mean and variance (divisor n - 1) of each varying feature over rows of one batch, in standardised units.
fn group_moments(
    matrix: &Matrix,
    rows: &[u32],
    varying: &[usize],
    standardised: &(impl Fn(usize, usize, f64) -> f64 + Sync),
) -> Vec<(f64, f64)> {
    let n = rows.len() as f64;
    varying
        .par_iter()
        .with_min_len(16)
        .map(|&col| {
            let z = |row: u32| standardised(row as usize, col, f64::from(matrix.row(row as usize)[col]));
            let mean = rows.iter().map(|&row| z(row)).sum::<f64>() / n;
            let variance = rows.iter().map(|&row| (z(row) - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean, variance)
        })
        .collect()
}

/// Posterior shift and variance of each feature, from means and variances over `rows` rows; nothing if no variance
/// is positive.
fn shrink(moments: &[(f64, f64)], rows: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let (n, d) = (rows as f64, moments.len() as f64);
    let mean_of = |value: &dyn Fn(&(f64, f64)) -> f64| moments.iter().map(value).sum::<f64>() / d;
    let (shift_mean, variance_mean) = (mean_of(&|m| m.0), mean_of(&|m| m.1));
    if variance_mean <= 0.0 {
        return None;
    }
    let t2 = mean_of(&|m| (m.0 - shift_mean).powi(2));
    let s2 = moments.iter().map(|m| (m.1 - variance_mean).powi(2)).sum::<f64>() / (d - 1.0).max(1.0);
    let (a, b) = ((2.0 * s2 + variance_mean.powi(2)) / s2, (variance_mean * s2 + variance_mean.powi(3)) / s2);
    let (mut shift, mut scale): (Vec<f64>, Vec<f64>) = moments.iter().copied().unzip();
    loop {
        let mut change = 0.0_f64;
        for (at, &(mean, variance)) in moments.iter().enumerate() {
            let weight = t2 * n + scale[at];
            let new_shift = if weight > 0.0 { (t2 * n * mean + scale[at] * shift_mean) / weight } else { mean };
            let squares = (n - 1.0) * variance + n * (mean - new_shift).powi(2);
            // Variances that are all alike have a prior without spread: it decides.
            let new_scale = if s2 > 0.0 { (0.5 * squares + b) / (n / 2.0 + a - 1.0) } else { variance_mean };
            change = change.max(relative(new_shift, shift[at])).max(relative(new_scale, scale[at]));
            (shift[at], scale[at]) = (new_shift, new_scale);
        }
        if change <= 1e-4 {
            return Some((shift, scale));
        }
    }
}

/// Parity: as in scanpy the divisor keeps its sign, so that negative shifts take no part in the stopping rule.
fn relative(new: f64, old: f64) -> f64 {
    if new == old { 0.0 } else { (new - old).abs() / old }
}

fn positive_or_one(value: f64) -> f64 {
    if value > 0.0 { value } else { 1.0 }
}

/// Shift and scale of all features from those of the varying ones; `variance` becomes a standard deviation.
fn spread_out(d: usize, varying: &[usize], shift: &[f64], variance: &[f64]) -> Batch {
    let mut batch = Batch { shift: vec![0.0; d], scale: vec![1.0; d] };
    for (at, &col) in varying.iter().enumerate() {
        (batch.shift[col], batch.scale[col]) = (shift[at], variance[at].sqrt());
    }
    batch
}
