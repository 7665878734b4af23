//! From a suite's words to read tables: columns, selection, several models on the same rows.

use std::collections::HashMap;

use bench_core::{Answers, Seed, Table};
use bench_data::{ColumnRef, Columns, ControlRef, Folds, NEGATIVE_CONTROL, ReadOptions, Rows, Selection};

use crate::request::{Embedding, Request};
use crate::suite::Suite;
use crate::{Error, Progress};

/// How a suite reads a table.
pub fn options(suite: &Suite, request: &Request, name: Option<&str>) -> ReadOptions {
    let defaults = Columns::default();
    let pick = |names: &[String], default: ColumnRef| match names {
        [] => default,
        [one] => ColumnRef::Named(one.clone()),
        several => ColumnRef::Guess(several.to_vec()),
    };
    let columns = &suite.columns;
    let control = match &columns.control {
        None => defaults.control,
        Some(control) => match control.column.as_slice() {
            [one] if request.is_given("columns.control") || control.value != NEGATIVE_CONTROL => {
                ControlRef::Is { column: one.clone(), value: control.value.clone() }
            }
            candidates => ControlRef::Guess(candidates.to_vec()),
        },
    };
    let select = &suite.select;
    // Folds given by the user choose the rows; the suite's choice of labels would fight them.
    let by_folds = request.folds.is_some();
    let keep = |key: &str| !by_folds || request.is_given(key);
    ReadOptions {
        name: name.map(str::to_owned),
        columns: Columns {
            label: pick(&columns.label, defaults.label),
            compound: pick(&columns.compound, defaults.compound),
            source: pick(&columns.source, defaults.source),
            batch: pick(&columns.batch, defaults.batch),
            plate: pick(&columns.plate, defaults.plate),
            well: pick(&columns.well, defaults.well),
            site: pick(&columns.site, defaults.site),
            control,
            groups: columns.groups.clone(),
        },
        required: required(suite, request),
        features: suite.features.include.clone(),
        exclude_features: suite.features.exclude.clone(),
        missing: select.missing,
        multi_label: select.multi_label,
        duplicates: select.duplicates,
        selection: Selection {
            filters: select.conditions.iter().map(|(c, v)| (c.clone(), v.clone())).collect(),
            labels: select.labels.clone().filter(|_| keep("select.labels")),
            top_labels: select.top_labels.filter(|_| keep("select.top-labels")),
            in_every: select.in_every.clone().filter(|_| keep("select.in-every")),
            min_label_rows: if keep("select.min-label-rows") { select.min_label_rows } else { 1 },
            rare_labels: select.rare_labels,
        },
        metadata: request.metadata.clone(),
        array: request.array.clone(),
        fold_column: suite.splits.fold_column.clone(),
    }
}

/// Units that the splits need; none where the suite skips splits without their column.
fn required(suite: &Suite, request: &Request) -> Vec<String> {
    let fixed = request.folds.is_some() || suite.splits.fold_column.is_some();
    if fixed || suite.splits.missing_columns == "skip" {
        return Vec::new();
    }
    let groups: Vec<&str> = suite.columns.groups.keys().map(String::as_str).collect();
    let mut needed: Vec<String> = suite
        .splits
        .paper
        .iter()
        .chain(&suite.splits.strict)
        .filter_map(|id| bench_eval::split::find(id, &groups).ok())
        .map(|split| split.unit)
        .filter(|unit| ["source", "batch", "plate", "well", "compound"].contains(&unit.as_str()))
        .collect();
    needed.sort();
    needed.dedup();
    needed
}

/// Reads every embedding of the request, or simulates the suite's data. Also returns the number
/// of rows of the first table's file.
///
/// # Errors
/// Whatever is wrong with a table, or between tables.
pub fn read(suite: &Suite, request: &Request, progress: &dyn Progress) -> Result<(Vec<Table>, u64), Error> {
    if request.embeddings.is_empty() {
        let Some(spec) = &suite.data.simulate else {
            return Err(Error::Usage {
                message: format!("suite `{}` has no data of its own", suite.id),
                hint: Some("give `--embeddings FILE`; `bench run --suite smoke` runs on simulated profiles".into()),
            });
        };
        let table = bench_data::simulate(spec, Seed(request.seed).derive("simulate", 0))?;
        return Ok((vec![table], spec.rows() as u64));
    }
    let mut tables = Vec::with_capacity(request.embeddings.len());
    let mut rows = 0;
    for (done, Embedding { name, path }) in request.embeddings.iter().enumerate() {
        progress.tick(done, request.embeddings.len());
        let (table, report) = bench_data::read_with_report(path, &options(suite, request, Some(name)))?;
        if done == 0 {
            rows = report.rows;
        }
        tables.push(table);
    }
    bench_data::align(&mut tables, if request.common_rows { Rows::Common } else { Rows::Same })?;
    Ok((tables, rows))
}

/// A split given by the user: its name, and the held-out fold of each row.
pub type GivenSplit = (String, Vec<Option<String>>);

/// Keeps the rows that have a fold in at least one split, and gives each split's fold of the
/// rows kept.
///
/// # Errors
/// No row of the folds file is among the rows selected.
pub fn restrict(tables: &mut [Table], folds: &Folds, place: &str) -> Result<Vec<GivenSplit>, Error> {
    let position: HashMap<u64, usize> = folds.row.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    let first = &tables[0].treated.layout;
    let used = |i: usize| folds.fold.iter().any(|split| split[i].is_some());
    let mut keep = Vec::new();
    let mut at = Vec::new();
    for (row, file_row) in first.file_row.iter().enumerate() {
        if let Some(&i) = position.get(file_row)
            && used(i)
        {
            keep.push(row as u32);
            at.push(i);
        }
    }
    if keep.is_empty() {
        return Err(Error::Nothing {
            message: format!("none of the {} rows of `{place}` is a selected row of the table", folds.row.len()),
            hint: "`row` counts the rows of the table from zero, header not counted".into(),
        });
    }
    let left_out = folds.row.len().saturating_sub(keep.len());
    for table in tables.iter_mut() {
        let before = table.treated.layout.rows;
        table.treated = table.treated.take(&keep);
        let Answers { column, label } = table.answers.take(&keep);
        // Classes are numbered by first occurrence among the rows that are left.
        let names: Vec<&str> = (0..label.len()).map(|row| label.name(row)).collect();
        table.answers = Answers { column, label: bench_core::Factor::first_seen(&names) };
        if before > keep.len() {
            table.dropped.push(("not in the folds file".into(), before - keep.len()));
        }
    }
    if left_out > 0 {
        let note = format!("{left_out} rows of the folds file are not among the rows selected");
        tables[0].warnings.push(note);
    }
    Ok(folds
        .names
        .iter()
        .zip(&folds.fold)
        .map(|(name, fold)| (name.clone(), at.iter().map(|&i| fold[i].clone()).collect()))
        .collect())
}
