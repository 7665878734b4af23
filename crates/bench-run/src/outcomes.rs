//! Outcomes by well as the record keeps them, and digests of splits.
//!
//! # Why
//! Two runs are compared well by well, and only on splits that are the same to the last row. A digest
//! covers what every row is (its names and label) and what it does in every fold; two runs with equal
//! digests trained and tested on the same rows.
//!
//! # What it cannot show
//! Rows of tables without wells have no name that survives another order of the file, so they are named
//! by their row in it.

use std::collections::BTreeMap;

use bench_core::digest;
use bench_core::record::{CellOutcomes, TestedSplit, TestedUnits, UnitOutcomes};
use bench_core::{Factor, Layout, Table};
use bench_eval::SplitSet;
use bench_eval::aggregate::{Outcomes, Tally};

use crate::run::{Prepared, Results};

/// Outcomes of all models, with the digest of every split.
pub(crate) fn collect(prepared: &Prepared, results: &Results) -> UnitOutcomes {
    let models: Vec<&str> = prepared.tables.iter().map(|table| table.name.as_str()).collect();
    let all = results.probes.iter().flat_map(|(_, result)| &result.outcomes);
    let cells: Vec<&Outcomes> = all.filter(|cell| models.contains(&cell.model.as_str())).collect();
    let layout = &prepared.tables[0].treated.layout;
    let clusters = &prepared.clusters;

    // Wells that are never tested are left out; the others keep their order.
    let mut number = vec![u32::MAX; clusters.units];
    for unit in cells.iter().flat_map(|cell| &cell.repeats).flat_map(|tally| &tally.unit) {
        number[*unit as usize] = 0;
    }
    let kept: Vec<usize> = (0..clusters.units).filter(|unit| number[*unit] == 0).collect();
    for (at, unit) in kept.iter().enumerate() {
        number[*unit] = at as u32;
    }
    let first = first_rows(&clusters.unit_of_row, clusters.units, &kept);
    let mut outcomes = UnitOutcomes {
        units: names(layout, &first),
        factors: factors(&prepared.tables[0], &first),
        cluster: clusters.name.clone(),
        cluster_of_unit: renumber(kept.iter().map(|unit| clusters.cluster_of_unit[*unit])),
        ..UnitOutcomes::default()
    };
    let rows = identity(&prepared.tables[0]);
    let digests: Vec<(&SplitSet, String)> = prepared.sets.iter().map(|set| (set, split_digest(set, &rows))).collect();
    for cell in cells {
        let found = digests.iter().find(|(set, _)| (&set.protocol, &set.split) == (&cell.protocol, &cell.split));
        let tested = TestedSplit {
            protocol: cell.protocol.clone(),
            split: cell.split.clone(),
            digest: found.map(|(_, digest)| digest.clone()).unwrap_or_default(),
            repeats: cell.repeats.iter().map(|tally| tested(tally, &number)).collect(),
        };
        let test = outcomes.tests.iter().position(|known| *known == tested).unwrap_or(outcomes.tests.len());
        if test == outcomes.tests.len() {
            outcomes.tests.push(tested);
        }
        outcomes.cells.push(CellOutcomes {
            model: cell.model.clone(),
            probe: cell.probe.clone(),
            test,
            correct: cell.repeats.iter().map(|tally| tally.correct.clone()).collect(),
        });
    }
    outcomes
}

/// Digest over all splits of a run.
pub(crate) fn splits_digest(prepared: &Prepared) -> String {
    let rows = identity(&prepared.tables[0]);
    let mut lines: Vec<String> = prepared.sets.iter().map(|set| split_digest(set, &rows)).collect();
    lines.sort_unstable();
    digest::of_bytes(lines.join("\n").as_bytes())
}

fn tested(tally: &Tally, number: &[u32]) -> TestedUnits {
    let same = tally.rows.first().filter(|first| tally.rows.iter().all(|rows| rows == *first));
    TestedUnits {
        unit: tally.unit.iter().map(|unit| number[*unit as usize]).collect(),
        rows: same.map_or_else(|| tally.rows.clone(), |rows| vec![*rows]),
    }
}

/// Codes by first occurrence.
pub(crate) fn renumber(codes: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut seen = std::collections::HashMap::new();
    codes
        .map(|code| {
            let next = seen.len() as u32;
            *seen.entry(code).or_insert(next)
        })
        .collect()
}

/// The first row of each kept unit.
fn first_rows(unit_of_row: &[u32], units: usize, kept: &[usize]) -> Vec<u32> {
    let mut first = vec![u32::MAX; units];
    for (row, unit) in unit_of_row.iter().enumerate().rev() {
        first[*unit as usize] = row as u32;
    }
    kept.iter().map(|unit| first[*unit]).collect()
}

/// Names of units by their first rows.
fn names(layout: &Layout, first: &[u32]) -> Vec<String> {
    let name = |row: usize| match &layout.well {
        Some(well) => well.name(row).to_owned(),
        None => format!("row {}", layout.file_row[row]),
    };
    first.iter().map(|row| name(*row as usize)).collect()
}

/// What units are, by their first rows: all rows of a well share these.
fn factors(table: &Table, first: &[u32]) -> BTreeMap<String, Factor> {
    let layout = &table.treated.layout;
    let known = ["source", "batch", "plate", "position", "compound"];
    let known = known.iter().filter_map(|unit| Some((*unit, layout.unit(unit)?)));
    known.chain([("label", &table.answers.label)]).map(|(unit, factor)| (unit.to_owned(), factor.take(first))).collect()
}

/// Digest of what every row is.
fn identity(table: &Table) -> String {
    let (layout, label) = (&table.treated.layout, &table.answers.label);
    let units = ["source", "batch", "plate", "well", "position", "site", "compound"];
    let factors: Vec<_> = units.iter().filter_map(|unit| layout.unit(unit)).chain(layout.groups.values()).collect();
    let mut text = String::new();
    for row in 0..layout.rows {
        for factor in factors.iter().chain([&label]) {
            text.push_str(factor.name(row));
            text.push('\0');
        }
        if layout.well.is_none() {
            text.push_str(&layout.file_row[row].to_string());
        }
        text.push('\n');
    }
    digest::of_bytes(text.as_bytes())
}

/// Digest of a split: its rows, and what each of them does in every fold.
fn split_digest(set: &SplitSet, rows: &str) -> String {
    let mut text = format!("{rows}\n{}\n{}\n{}\n", set.protocol, set.split, set.pooled);
    for fold in &set.folds {
        let roles: Vec<u8> = fold.roles.iter().map(|role| *role as u8).collect();
        text.push_str(&format!("{} {}\n", fold.repeat, digest::of_bytes(&roles)));
    }
    digest::of_bytes(text.as_bytes())[..16].to_owned()
}
