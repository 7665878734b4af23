//! Batch probes: how well source, batch, plate and well position can be read from an embedding.
//!
//! # What
//! A probe is trained to tell the levels of a factor apart, in five folds that never divide a
//! well and hold every level alike; its decisions for all rows are scored together.
//!
//! # Formula
//! `A` = balanced accuracy over the `B` levels, corrected `(A - 1/B) / (1 - 1/B)`: 0 is chance, 1
//! is perfect; below 0 is worse than chance.
//!
//! # Why
//! G-scores say what a batch effect costs; batch probes say that it is there, in control wells
//! too, where there is no phenotype to tell apart.
//!
//! # What it cannot show
//! On treated rows the factors are entangled with the label: where every compound has one well
//! position, reading the position may be reading the compound. The control rows are free of that.
//! Large tables are thinned, see [`thin`]; a score then is that of a smaller training set.
//!
//! # Rows
//! Fewer than five wells per level on average are too few, and a level seen in a single well
//! cannot be on both sides of a fold, so it is left out. Rows and folds depend on the run's seed
//! and on the layout only, so all models are compared on the same ones.
//!
//! # Reference
//! The probes named "batch/source probe" in reviews of batch integration; chance correction as
//! `adjusted=True` of scikit-learn's `balanced_accuracy_score`.

use bench_core::record::BatchProbe;
use bench_core::{Block, Factor, Layout, Matrix, Seed};

use crate::metric::Confusion;
use crate::probe::logistic::LogisticSettings;
use crate::probe::{Probe, ProbeInput};
use crate::split::grouped::stratified_folds;

pub mod position;
pub mod thin;

/// What is read from the embedding, in order of report.
pub const TARGETS: [&str; 6] = ["source", "batch", "plate", "well-row", "well-column", "well-edge"];

/// Rows for logistic regression, which iterates over them; each of 141 plates then has about 28.
pub const MAX_ROWS_LOGREG: usize = 4000;

/// Rows for k nearest neighbours, which looks at all pairs, once per target.
pub const MAX_ROWS_KNN: usize = 6000;

/// Settings of logistic regression as a batch probe of so many rows: standardised features, C = 0.01,
/// stopped early; below 400 rows C = 4 / rows, at most 1.
///
/// With 141 plates, 4000 rows and 1024 features the fit of the label task (C = 1, tolerance 1e-9)
/// takes more than ten times as long, because so few rows per level are separable and the optimum
/// is far out; balanced accuracy on simulated plates was 0.784 with these settings and 0.803 with
/// those. C weighs the sum over rows, so at few rows 0.01 is a penalty that leaves nothing but the
/// sizes of the levels: a one-hot source of 16, 9 and 9 rows was then read at 0.06 instead of 1.
pub fn logistic_settings(rows: usize) -> LogisticSettings {
    let c = (4.0 / rows.max(1) as f64).clamp(0.01, 1.0);
    LogisticSettings { c, max_iterations: 200, tolerance: 1e-3, standardise: true }
}

/// A probe and how many rows it may be given.
#[derive(Clone, Copy)]
pub struct ProbeUse<'a> {
    /// Id in the record.
    pub id: &'a str,
    /// The probe.
    pub probe: &'a dyn Probe,
    /// Most rows it is fitted and tested on; larger tables are thinned to whole wells.
    pub max_rows: usize,
}

/// Settings of all batch probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Folds.
    pub folds: usize,
    /// Least number of wells per level, on average.
    pub wells_per_level: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { folds: 5, wells_per_level: 5 }
    }
}

/// Probes every target, with every probe, on the rows of a block.
///
/// `rows_name` is `treated` or `controls`. `tick(done, total)` is called after each probe. What
/// cannot be probed is returned with its reason; the order is that of [`TARGETS`], then probes.
pub fn run(
    model: &str,
    block: &Block,
    rows_name: &str,
    probes: &[ProbeUse<'_>],
    settings: Settings,
    seed: Seed,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Vec<BatchProbe> {
    let total = TARGETS.len() * probes.len();
    let mut results = Vec::with_capacity(total);
    for target in TARGETS {
        let task = Task::new(&block.layout, target, settings);
        for using in probes {
            let mut result = BatchProbe {
                model: model.to_owned(),
                target: target.to_owned(),
                rows: rows_name.to_owned(),
                probe: using.id.to_owned(),
                ..BatchProbe::default()
            };
            let seed = seed.derive(&format!("batch-probe/{target}/{rows_name}"), 0);
            match task.as_ref().map_err(Clone::clone).and_then(|task| task.probe(&block.matrix, using, settings, seed))
            {
                Ok(read) => {
                    let chance = 1.0 / read.levels as f64;
                    result.n = read.rows;
                    result.levels = read.levels;
                    result.balanced_accuracy = Some(read.balanced_accuracy);
                    result.corrected = Some((read.balanced_accuracy - chance) / (1.0 - chance));
                }
                Err(reason) => result.reason = Some(reason),
            }
            results.push(result);
            tick(results.len(), total);
        }
    }
    results
}

/// The rows of one target, their levels and wells.
struct Task {
    /// Rows of the block whose level can be probed, ascending.
    rows: Vec<u32>,
    /// Level of each of them.
    level: Factor,
    /// Well of each of them.
    well: Vec<u32>,
}

struct Read {
    rows: usize,
    levels: usize,
    balanced_accuracy: f64,
}

impl Task {
    fn new(layout: &Layout, target: &str, settings: Settings) -> Result<Self, String> {
        if layout.rows == 0 {
            return Err("no rows".to_owned());
        }
        let factor = factor_of(layout, target)?;
        let well: Vec<u32> = match &layout.well {
            Some(well) => well.codes.clone(),
            None => (0..layout.rows as u32).collect(),
        };
        let wells = wells_per_level(&factor, &well);
        let present = wells.iter().filter(|&&n| n > 0).count();
        if present < 2 {
            return Err(format!("`{target}` has one level"));
        }
        let mean = wells.iter().sum::<usize>() as f64 / present as f64;
        if mean < settings.wells_per_level as f64 {
            let least = settings.wells_per_level;
            return Err(format!("{mean:.1} wells per level of `{target}`, at least {least} are needed"));
        }
        let rows: Vec<u32> = (0..layout.rows as u32).filter(|&row| wells[factor.code(row as usize)] > 1).collect();
        let level = factor.take(&rows);
        if level.level_count() < 2 {
            return Err(format!("only one level of `{target}` has more than one well"));
        }
        let well = rows.iter().map(|&row| well[row as usize]).collect();
        Ok(Self { rows, level, well })
    }

    fn probe(&self, matrix: &Matrix, using: &ProbeUse<'_>, settings: Settings, seed: Seed) -> Result<Read, String> {
        let kept = thin::whole_wells(&self.level, &self.well, using.max_rows, seed.derive("rows", 0));
        let (level, well) = match &kept {
            Some(kept) => (self.level.take(kept), kept.iter().map(|&i| self.well[i as usize]).collect()),
            None => (self.level.clone(), self.well.clone()),
        };
        if level.level_count() < 2 {
            return Err(format!("{} rows are too few for the wells of two levels", using.max_rows));
        }
        let rows: Vec<u32> = match kept {
            Some(kept) => kept.iter().map(|&i| self.rows[i as usize]).collect(),
            None => self.rows.clone(),
        };
        // A copy only where rows are left out.
        let taken = (rows.len() < matrix.rows()).then(|| matrix.take(&rows));
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let folds = stratified_folds(&well, &level.codes, settings.folds, seed.derive("folds", 0), &all);
        let classes = level.level_count();
        let input = ProbeInput {
            matrix: taken.as_ref().unwrap_or(matrix),
            class: &level.codes,
            classes,
            name_rank: &level.name_ranks(),
        };
        let mut confusion = Confusion::empty(classes);
        let mut failed = None;
        using
            .probe
            .run(input, &folds.iter().collect::<Vec<_>>(), &|_, _| (), &mut |_, fitted| match fitted {
                Ok(fitted) => {
                    let predictions = &fitted.predictions;
                    let truth: Vec<u32> = predictions.rows.iter().map(|&row| level.codes[row as usize]).collect();
                    confusion.add(&Confusion::of(predictions, &truth, classes));
                }
                Err(reason) => failed = Some(reason),
            })
            .map_err(|error| error.to_string())?;
        match failed {
            Some(reason) => Err(reason),
            None if confusion.rows() as usize != rows.len() => {
                Err(format!("the folds test {} of {} rows", confusion.rows(), rows.len()))
            }
            None => Ok(Read { rows: rows.len(), levels: classes, balanced_accuracy: confusion.balanced_accuracy() }),
        }
    }
}

/// The factor of a target, or why there is none.
fn factor_of(layout: &Layout, target: &str) -> Result<Factor, String> {
    match target {
        "well-row" => Ok(numbered(position::of_rows(layout)?.into_iter().map(|(row, _)| row))),
        "well-column" => Ok(numbered(position::of_rows(layout)?.into_iter().map(|(_, column)| column))),
        "well-edge" => position::edge(layout),
        unit => layout.unit(unit).cloned().ok_or_else(|| format!("the table has no {unit} column")),
    }
}

/// A factor whose levels are numbers, in their order.
fn numbered(values: impl Iterator<Item = u32>) -> Factor {
    // Equal width, so that the order of names is that of numbers.
    Factor::sorted(&values.map(|value| format!("{value:02}")).collect::<Vec<_>>())
}

/// Wells of each level. A well counts for every level that its rows have.
fn wells_per_level(factor: &Factor, well: &[u32]) -> Vec<usize> {
    let mut pairs: Vec<(u32, u32)> = factor.codes.iter().copied().zip(well.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut wells = vec![0; factor.level_count()];
    for (level, _) in pairs {
        wells[level as usize] += 1;
    }
    wells
}

#[cfg(test)]
mod tests;
