//! Outcomes of older runs, from the predictions in their folder.
//!
//! # What it does
//! Records did not always keep outcomes by well. Where the run's folder still has `predictions/*.parquet`
//! and `embeddings/*.parquet`, they are counted from there, and the output names it.
//!
//! # What it cannot show
//! Predictions say of a tied vote how many labels tied, and not always whether the true one was among
//! them. What is counted must give the record's own accuracies, or it is not used.

use std::collections::BTreeMap;
use std::path::Path;

use bench_core::RunRecord;
use bench_core::record::{CellOutcomes, ModelKind, TestedSplit, TestedUnits, UnitOutcomes};
use bench_data::{column_names, read_columns};

use crate::{Error, outcomes, outputs};

/// What was found in a folder.
#[derive(Clone, Debug)]
pub enum Recovered {
    /// Outcomes of every model.
    All {
        /// The outcomes.
        outcomes: UnitOutcomes,
        /// Where they are from.
        note: String,
    },
    /// Nothing that could be used, and why.
    Nothing(String),
}

/// Columns that say where a row comes from, outermost first.
const PLACE: [&str; 4] = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"];

/// Correct and tested rows of each unit.
type OfUnits = BTreeMap<u32, (f64, u32)>;

/// By model, protocol, split, probe and repeat.
type Counts = BTreeMap<(usize, String, String, String, u32), OfUnits>;

/// Outcomes of a record from the files beside it.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn outcomes(record: &RunRecord, folder: &Path) -> Result<Recovered, Error> {
    let models: Vec<&str> =
        record.models.iter().filter(|m| m.kind == ModelKind::Model).map(|m| m.name.as_str()).collect();
    let mut probes: Vec<&str> = record.fits.iter().map(|fit| fit.probe.as_str()).collect();
    probes.sort_unstable();
    probes.dedup();
    let Some(first) = models.first() else { return Ok(Recovered::Nothing("it has no model".into())) };
    let wells = folder.join("embeddings").join(format!("{}.parquet", outputs::slug(first)));
    if !wells.is_file() {
        return Ok(Recovered::Nothing(format!(
            "it was written before records kept them, and `{}` is not there to count them from",
            wells.display()
        )));
    }
    let Some(units) = Units::read(&wells)? else {
        return Ok(Recovered::Nothing(format!(
            "it was written before records kept them, and `{}` names no wells",
            wells.display()
        )));
    };
    let mut counts = Counts::new();
    for (at, model) in models.iter().enumerate() {
        for probe in &probes {
            let name = format!("{}.parquet", outputs::slug(&format!("{model}-{probe}")));
            let path = folder.join("predictions").join(name);
            if !path.is_file() {
                return Ok(Recovered::Nothing(format!(
                    "it was written before records kept them, and `{}` is not there to count them from",
                    path.display()
                )));
            }
            if let Err(why) = count(&path, at, &units, &mut counts)? {
                return Ok(Recovered::Nothing(format!("`{}` {why}", path.display())));
            }
        }
    }
    let pooled: Vec<(&str, &str)> =
        record.splits.iter().filter(|s| s.pooled).map(|s| (s.protocol.as_str(), s.split.as_str())).collect();
    let outcomes = assemble(counts, units, &models, &pooled);
    if let Some(why) = disagreement(record, &outcomes) {
        return Ok(Recovered::Nothing(why));
    }
    let note = "its record keeps no outcomes by well; they were counted from predictions/*.parquet beside it".into();
    Ok(Recovered::All { outcomes, note })
}

/// Wells of the rows of the file that was scored.
struct Units {
    of_file_row: BTreeMap<String, u32>,
    names: Vec<String>,
    cluster: &'static str,
    cluster_of_unit: Vec<u32>,
}

impl Units {
    /// `None` where the table has no wells.
    fn read(path: &Path) -> Result<Option<Self>, Error> {
        let names = column_names(path)?;
        let present: Vec<&str> = PLACE.into_iter().filter(|name| names.iter().any(|n| n == name)).collect();
        if !present.contains(&"Metadata_Well") {
            return Ok(None);
        }
        let mut wanted = present.clone();
        wanted.extend(["Metadata_file_row", "Metadata_control"]);
        let columns = read_columns(path, &wanted)?;
        let (file_row, control) = (&columns[present.len()], &columns[present.len() + 1]);
        let rows: Vec<usize> = (0..file_row.len()).filter(|row| control[*row] == "trt").collect();
        let join = |row: usize, depth: usize| {
            let parts: Vec<&str> = columns[..depth].iter().map(|column| column[row].as_str()).collect();
            parts.join("/")
        };
        let depth = |name: &str| present.iter().position(|p| *p == name).map(|at| at + 1);
        // As the run did: batches first, plates where there are fewer than two, then wells.
        let level =
            [("batch", "Metadata_Batch"), ("plate", "Metadata_Plate")].into_iter().find_map(|(unit, column)| {
                let depth = depth(column)?;
                let first = join(*rows.first()?, depth);
                rows.iter().any(|row| join(*row, depth) != first).then_some((unit, depth))
            });
        let (cluster, cluster_depth) = level.unwrap_or(("well", present.len()));
        let mut units = Self { of_file_row: BTreeMap::new(), names: Vec::new(), cluster, cluster_of_unit: Vec::new() };
        let (mut number, mut clusters) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            let name = join(row, present.len());
            let next = number.len() as u32;
            let unit = *number.entry(name.clone()).or_insert(next);
            if unit == next {
                let code = clusters.len() as u32;
                units.cluster_of_unit.push(*clusters.entry(join(row, cluster_depth)).or_insert(code));
                units.names.push(name);
            }
            units.of_file_row.insert(file_row[row].clone(), unit);
        }
        Ok(Some(units))
    }
}

/// Adds the rows of one predictions file; the inner error is a reason not to use it.
fn count(path: &Path, model: usize, units: &Units, counts: &mut Counts) -> Result<Result<(), String>, Error> {
    let names = ["protocol", "split", "probe", "repeat", "row", "label", "predicted", "tied", "p_true"];
    let columns = read_columns(path, &names)?;
    let [protocol, split, probe, repeat, row, label, predicted, tied, p_true] = &columns[..] else {
        return Ok(Err("has other columns".into()));
    };
    for at in 0..row.len() {
        let Some(unit) = units.of_file_row.get(&row[at]) else {
            return Ok(Err(format!("names row {}, which the embeddings do not have", row[at])));
        };
        let (Ok(repeat), Ok(tied), Ok(p)) = (repeat[at].parse(), tied[at].parse::<f64>(), p_true[at].parse::<f64>())
        else {
            return Ok(Err(format!("has no numbers in row {}", at + 1)));
        };
        // The true label is among `t` tied ones if its probability is 1 / (t + 1) or more; below, it may be.
        let is_among = predicted[at] == label[at] || (tied > 1.0 && p * (tied + 1.0) >= 1.0);
        let key = (model, protocol[at].clone(), split[at].clone(), probe[at].clone(), repeat);
        let entry = counts.entry(key).or_default().entry(*unit).or_default();
        entry.0 += if is_among { 1.0 / tied.max(1.0) } else { 0.0 };
        entry.1 += 1;
    }
    Ok(Ok(()))
}

fn assemble(counts: Counts, units: Units, models: &[&str], pooled: &[(&str, &str)]) -> UnitOutcomes {
    // Folds of pooled splits are numbered as repeats.
    let mut merged = Counts::new();
    for ((model, protocol, split, probe, repeat), tally) in counts {
        let repeat = if pooled.contains(&(&protocol, &split)) { 0 } else { repeat };
        let into = merged.entry((model, protocol, split, probe, repeat)).or_default();
        for (unit, (correct, rows)) in tally {
            let entry = into.entry(unit).or_default();
            entry.0 += correct;
            entry.1 += rows;
        }
    }
    let mut cells: BTreeMap<(usize, String, String, String), Vec<OfUnits>> = BTreeMap::new();
    for ((model, protocol, split, probe, _), tally) in merged {
        cells.entry((model, protocol, split, probe)).or_default().push(tally);
    }
    let mut outcomes = UnitOutcomes {
        units: units.names,
        cluster: units.cluster.to_owned(),
        cluster_of_unit: outcomes::renumber(units.cluster_of_unit.into_iter()),
        ..UnitOutcomes::default()
    };
    for ((model, protocol, split, probe), repeats) in cells {
        let tested = |tally: &OfUnits| {
            let rows: Vec<u32> = tally.values().map(|(_, rows)| *rows).collect();
            let is_same = rows.iter().all(|n| *n == rows[0]);
            TestedUnits { unit: tally.keys().copied().collect(), rows: if is_same { rows[..1].to_vec() } else { rows } }
        };
        let split =
            TestedSplit { protocol, split, digest: String::new(), repeats: repeats.iter().map(tested).collect() };
        let test = outcomes.tests.iter().position(|known| *known == split).unwrap_or(outcomes.tests.len());
        if test == outcomes.tests.len() {
            outcomes.tests.push(split);
        }
        outcomes.cells.push(CellOutcomes {
            model: models[model].to_owned(),
            probe,
            test,
            correct: repeats.iter().map(|tally| tally.values().map(|(correct, _)| *correct).collect()).collect(),
        });
    }
    outcomes
}

/// Where the counted accuracies are not those of the record.
fn disagreement(record: &RunRecord, outcomes: &UnitOutcomes) -> Option<String> {
    for cell in &outcomes.cells {
        let test = &outcomes.tests[cell.test];
        let mut stored: Vec<(u32, f64)> = record
            .scores
            .iter()
            .filter(|s| {
                (s.metric.as_str(), &s.model, &s.protocol, &s.split, &s.probe)
                    == ("accuracy", &cell.model, &test.protocol, &test.split, &cell.probe)
            })
            .filter_map(|s| Some((s.repeat, s.value?)))
            .collect();
        stored.sort_by_key(|(repeat, _)| *repeat);
        let counted = test.repeats.iter().zip(&cell.correct).map(|(tested, correct)| {
            let rows: u32 = match tested.rows[..] {
                [one] => one * tested.unit.len() as u32,
                _ => tested.rows.iter().sum(),
            };
            correct.iter().sum::<f64>() / f64::from(rows)
        });
        let counted: Vec<f64> = counted.collect();
        let agrees =
            stored.len() == counted.len() && stored.iter().zip(&counted).all(|((_, a), b)| (a - b).abs() < 1e-9);
        if !agrees {
            return Some(format!(
                "its predictions do not give the accuracies of its record for `{}` on `{}` with {}; ties cannot be \
                 told apart in them",
                cell.model, test.split, cell.probe
            ));
        }
    }
    None
}
