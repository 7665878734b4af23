//! Several models, the same rows.
//!
//! # What
//! A labelled row is known by source, batch, plate, well, site, compound and label, as far as
//! all tables have them. Where these keys repeat within a table (fields of view without a site
//! column), rows are matched by their row in the file instead, and must agree in their keys.
//! Afterwards all tables have the rows of the first, in its order, with its layout and answers;
//! each keeps its own `file_row`.
//!
//! # Why
//! Splits are drawn once and hold for every model; a paired test needs the same rows.

use std::collections::HashMap;

use bench_core::{Answers, Factor, Table};

use crate::Error;

/// Which rows models are compared on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rows {
    /// All tables must have the same rows.
    #[default]
    Same,
    /// Only rows that all tables have; the others are left out and counted.
    Common,
}

/// Gives all tables the same labelled rows in the same order. Controls stay as they are.
pub fn align(tables: &mut [Table], rows: Rows) -> Result<(), Error> {
    if tables.len() < 2 {
        return Ok(());
    }
    let units: Vec<&str> = ["source", "batch", "plate", "well", "site", "compound"]
        .into_iter()
        .filter(|unit| tables.iter().all(|table| table.treated.layout.unit(unit).is_some()))
        .collect();
    let unique = tables.iter().all(|table| {
        let rows = table.treated.layout.rows as u32;
        let mut seen = std::collections::HashSet::with_capacity(rows as usize);
        (0..rows).all(|row| seen.insert(key(table, &units, row, false)))
    });
    let keys: Vec<HashMap<Key, u32>> = tables
        .iter()
        .map(|table| (0..table.treated.layout.rows as u32).map(|row| (key(table, &units, row, !unique), row)).collect())
        .collect();
    let first_keys: Vec<Key> =
        (0..tables[0].treated.layout.rows as u32).map(|row| key(&tables[0], &units, row, !unique)).collect();

    if rows == Rows::Same {
        for other in 1..tables.len() {
            complain(&tables[0], &tables[other], &keys[other], &units, !unique)?;
            complain(&tables[other], &tables[0], &keys[0], &units, !unique)?;
        }
    }
    let shared: Vec<u32> = (0..first_keys.len() as u32)
        .filter(|&row| keys[1..].iter().all(|keys| keys.contains_key(&first_keys[row as usize])))
        .collect();
    if shared.is_empty() {
        let why = "it has no row that every other table has".to_owned();
        return Err(Error::EmptySelection { file: tables[0].origin.clone(), why });
    }
    for (table, keys) in tables.iter_mut().zip(&keys) {
        let order: Vec<u32> = shared.iter().map(|&row| keys[&first_keys[row as usize]]).collect();
        let lost = table.treated.layout.rows - order.len();
        if lost > 0 {
            table.dropped.push(("row that another model lacks".to_owned(), lost));
        }
        if order.iter().zip(0..).any(|(&from, to)| from != to) || lost > 0 {
            table.treated = table.treated.take(&order);
            table.answers = recode(&table.answers.take(&order));
        }
    }
    if let [label] = tables[0].answers.label.levels.as_slice() {
        let (label, rows) = (label.clone(), shared.len());
        return Err(Error::OneLabel { file: tables[0].origin.clone(), label, rows });
    }
    let (first, others) = tables.split_at_mut(1);
    for table in others {
        let file_row = std::mem::take(&mut table.treated.layout.file_row);
        table.treated.layout = first[0].treated.layout.clone();
        table.treated.layout.file_row = file_row;
        table.answers = first[0].answers.clone();
    }
    Ok(())
}

/// Unit names, label and, where these repeat, the row of the file.
type Key<'a> = (Vec<String>, Option<u64>);

fn key(table: &Table, units: &[&str], row: u32, by_file_row: bool) -> Key<'static> {
    let layout = &table.treated.layout;
    let mut parts: Vec<String> =
        units.iter().filter_map(|unit| layout.unit(unit)).map(|factor| factor.name(row as usize).to_owned()).collect();
    parts.push(table.answers.label.name(row as usize).to_owned());
    (parts, by_file_row.then(|| layout.file_row[row as usize]))
}

/// Fails if `having` has a row that is not among `keys` of `lacking`.
fn complain(
    having: &Table,
    lacking: &Table,
    keys: &HashMap<Key<'_>, u32>,
    units: &[&str],
    by_file_row: bool,
) -> Result<(), Error> {
    let mut missing = (0..having.treated.layout.rows as u32)
        .map(|row| (row, key(having, units, row, by_file_row)))
        .filter(|(_, key)| !keys.contains_key(key));
    let Some((row, (parts, _))) = missing.next() else { return Ok(()) };
    let count = 1 + missing.count() as u64;
    let file_row = having.treated.layout.file_row[row as usize] + 1;
    let mut words: Vec<String> =
        units.iter().chain(&["label"]).zip(&parts).map(|(unit, name)| format!("{unit} `{name}`")).collect();
    words.push(format!("row {file_row} of `{}`", having.origin));
    Err(Error::NotAligned {
        missing_in: lacking.origin.clone(),
        present_in: having.origin.clone(),
        key: words.join(", "),
        count,
    })
}

/// Codes labels in order of first occurrence.
fn recode(answers: &Answers) -> Answers {
    let names: Vec<&str> = (0..answers.label.len()).map(|row| answers.label.name(row)).collect();
    Answers { column: answers.column.clone(), label: Factor::first_seen(&names) }
}
