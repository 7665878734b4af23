//! From a file to a [`Table`]: the steps, in order.

use std::path::Path;

use bench_core::{Answers, Block, Factor, Matrix, Table, digest, order};

use crate::Error;
use crate::coded::Coded;
use crate::columns::{Roles, UNITS, resolve};
use crate::error::backticked;
use crate::features::{self, Features};
use crate::missing::{self, Draft, keep_rows};
use crate::options::ReadOptions;
use crate::raw::{self, Loaded, Scatter};
use crate::report::{Report, UnitCount};
use crate::select::{self, Labels, Selected};
use crate::units::{self, Ids};

/// Reads, checks and orders a table.
///
/// The first breach is the error; where there are more it says how many, and [`validate`]
/// lists them.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table, Error> {
    read_with_report(path, options).map(|(table, _)| table)
}

/// Like [`read`], with the account of the file.
pub fn read_with_report(path: &Path, options: &ReadOptions) -> Result<(Table, Report), Error> {
    let (table, mut report) = examine(path, options);
    let errors = std::mem::take(&mut report.errors);
    match (table, Error::of_all(errors, &report.file)) {
        (_, Some(error)) => Err(error),
        (Some(table), None) => Ok((table, report)),
        (None, None) => Err(Error::EmptySelection { file: report.file, why: "no row is left".to_owned() }),
    }
}

/// Checks a table and lists every breach, with what was understood of it.
pub fn validate(path: &Path, options: &ReadOptions) -> Report {
    examine(path, options).1
}

fn examine(path: &Path, options: &ReadOptions) -> (Option<Table>, Report) {
    let mut report = Report { file: path.display().to_string(), ..Report::default() };
    let table = steps(path, options, &mut report).unwrap_or_else(|error| {
        report.errors.push(error);
        None
    });
    (table, report)
}

/// Stops at the first breach that makes the rest meaningless, and reports the others.
fn steps(path: &Path, options: &ReadOptions, report: &mut Report) -> Result<Option<Table>, Error> {
    let opened = raw::open(path, options.metadata.as_deref(), options.array.as_deref())?;
    let names = opened.names();
    report.format = opened.format().to_owned();
    let roles = resolve(&names, options, &report.file, &mut report.errors);
    let mut used = vec![false; names.len()];
    roles.all().into_iter().for_each(|column| used[column] = true);
    let mut loaded = opened.load(&used)?;
    used.resize(loaded.columns.len(), false);
    report.rows = loaded.rows;
    report.understood.push(format!("{}, {} rows, {} columns", report.format, loaded.rows, loaded.columns.len()));
    describe_roles(&roles, &names, &loaded.text, report);
    let chosen = features::choose(&loaded.columns, &used, options, &report.file, &mut report.errors);
    describe_features(&chosen, report);

    let mut ids = Ids::new(&loaded.text, &roles);
    let Some(mut selected) = select::select(loaded.rows, &loaded.text, &names, &roles, &ids, options, report) else {
        return Ok(None);
    };
    units::check_filled(&selected.treated, &loaded.text, &roles, &names, &mut ids, report);
    units::drop_unplaced(&mut selected.controls, &loaded.text, &roles, report);
    let both: Vec<u32> = selected.treated.iter().chain(&selected.controls).copied().collect();
    units::check_duplicates(&both, &ids, options.duplicates, report);
    if chosen.pieces.is_empty() {
        return Ok(None);
    }
    let without = without(&roles, &ids, &loaded.text);
    let draft = order_and_fill(&mut selected, &ids, &without, &mut loaded, chosen)?;
    drop(loaded);
    let Some((treated, controls, features)) = finish(draft, &mut selected, &ids, &without, options, report) else {
        return Ok(None);
    };
    let label = match &selected.labels {
        Some(labels) => labels,
        None => return Ok(None),
    };
    summarise(&treated, &roles, &names, report);
    let answers = answers(label, &names[roles.label.unwrap_or_default()]);
    report.labels = counted(&answers);
    if !report.errors.is_empty() {
        return Ok(None);
    }
    Ok(Some(Table {
        name: options.name.clone().unwrap_or_else(|| raw::stem(path)),
        origin: report.file.clone(),
        digest: digest_of(path, options)?,
        features,
        treated,
        answers,
        controls,
        understood: report.understood.clone(),
        dropped: report.dropped.clone(),
        warnings: report.warnings.clone(),
    }))
}

/// Puts rows into the order of their keys and reads their features into it.
fn order_and_fill(
    selected: &mut Selected,
    ids: &Ids,
    without: &[&str],
    loaded: &mut Loaded,
    features: Features,
) -> Result<Draft, Error> {
    let keyed = |rows: &[u32]| {
        let block = Block { layout: ids.layout(rows), matrix: Matrix::zeros(rows.len(), 0) };
        order::canonical(&block, without)
    };
    let order = keyed(&selected.treated);
    selected.treated = order.iter().map(|&i| selected.treated[i as usize]).collect();
    if let Some(labels) = &mut selected.labels {
        labels.codes = order.iter().map(|&i| labels.codes[i as usize]).collect();
    }
    let order = keyed(&selected.controls);
    selected.controls = order.iter().map(|&i| selected.controls[i as usize]).collect();

    let file_rows: Vec<u32> = selected.treated.iter().chain(&selected.controls).copied().collect();
    let width = features.names.len();
    let mut data = vec![0.0; file_rows.len() * width];
    loaded.scatter(&features.pieces, &mut Scatter::new(&mut data, width, &file_rows))?;
    Ok(Draft { data, features: features.names, file_rows })
}

/// Treats missing values, then settles the order of rows whose keys are equal by their values.
fn finish(
    mut draft: Draft,
    selected: &mut Selected,
    ids: &Ids,
    without: &[&str],
    options: &ReadOptions,
    report: &mut Report,
) -> Option<(Block, Block, Vec<String>)> {
    let leave_out = missing::handle(&mut draft, options.missing, report);
    if draft.features.is_empty() {
        return None;
    }
    let width = draft.features.len();
    if !leave_out.is_empty() {
        drop_rows(&mut draft, selected, &leave_out, options, report)?;
    }
    let mut data = draft.data;
    let tail = data.split_off(selected.treated.len() * width);
    data.shrink_to_fit();
    let block = |rows: &mut Vec<u32>, labels: Option<&mut Vec<u32>>, data| {
        let mut block = Block { layout: ids.layout(rows), matrix: Matrix::new(rows.len(), width, data) };
        let order = order::canonical(&block, without);
        if order.iter().zip(0..).any(|(&from, to)| from != to) {
            permute_rows(block.matrix.data_mut(), width, &order);
            block.layout = block.layout.take(&order);
            *rows = order.iter().map(|&i| rows[i as usize]).collect();
            if let Some(codes) = labels {
                *codes = order.iter().map(|&i| codes[i as usize]).collect();
            }
        }
        block
    };
    let treated = block(&mut selected.treated, selected.labels.as_mut().map(|l| &mut l.codes), data);
    let controls = block(&mut selected.controls, None, tail);
    Some((treated, controls, draft.features))
}

/// Leaves out rows with missing values, and then labels that have become rare.
fn drop_rows(
    draft: &mut Draft,
    selected: &mut Selected,
    leave_out: &[u32],
    options: &ReadOptions,
    report: &mut Report,
) -> Option<()> {
    let labelled = selected.treated.len();
    let mut keep = vec![true; draft.file_rows.len()];
    leave_out.iter().for_each(|&row| keep[row as usize] = false);
    let lost = leave_out.iter().filter(|&&row| (row as usize) < labelled).count();
    for (what, lost) in
        [("missing feature values", lost), ("control with missing feature values", leave_out.len() - lost)]
    {
        if lost > 0 {
            report.dropped.push((what.to_owned(), lost));
        }
    }
    let kept = |rows: &mut Vec<u32>, keep: &[bool]| {
        let mut keep = keep.iter();
        rows.retain(|_| keep.next().is_some_and(|k| *k));
    };
    kept(&mut selected.treated, &keep[..labelled]);
    kept(&mut selected.controls, &keep[labelled..]);
    if let Some(labels) = &mut selected.labels {
        kept(&mut labels.codes, &keep[..labelled]);
    }
    if selected.treated.is_empty() {
        let why = "every labelled row has missing values".to_owned();
        report.errors.push(Error::EmptySelection { file: report.file.clone(), why });
        return None;
    }
    if selected.labels.is_some() {
        select::drop_rare(selected, &options.selection, report)?;
    }
    let wanted: std::collections::HashSet<u32> = selected.treated.iter().chain(&selected.controls).copied().collect();
    let rows: Vec<u32> =
        (0..draft.file_rows.len() as u32).filter(|&row| wanted.contains(&draft.file_rows[row as usize])).collect();
    keep_rows(&mut draft.data, draft.features.len(), &rows);
    draft.file_rows = rows.iter().map(|&row| draft.file_rows[row as usize]).collect();
    Some(())
}

/// Reorders the rows of a row-major matrix in place: row `i` becomes what row `order[i]` was.
fn permute_rows(data: &mut [f32], width: usize, order: &[u32]) {
    let mut done = vec![false; order.len()];
    for start in 0..order.len() {
        if done[start] || order[start] as usize == start {
            continue;
        }
        let saved = data[start * width..(start + 1) * width].to_vec();
        let mut to = start;
        loop {
            done[to] = true;
            let from = order[to] as usize;
            if from == start {
                data[to * width..(to + 1) * width].copy_from_slice(&saved);
                break;
            }
            data.copy_within(from * width..(from + 1) * width, to * width);
            to = from;
        }
    }
}

/// Units that must not take part in the order of rows, because they are the label.
fn without<'a>(roles: &'a Roles, ids: &'a Ids, text: &[Option<Coded>]) -> Vec<&'a str> {
    let Some(label) = roles.label else { return Vec::new() };
    let is_label = |column: usize| column == label || text[column] == text[label];
    let units = UNITS.iter().enumerate().filter(|(i, _)| roles.units[*i].is_some_and(is_label)).map(|(_, u)| *u);
    let groups = roles.groups.iter().filter(|(_, column)| is_label(*column)).map(|(name, _)| name.as_str());
    let mut without: Vec<&str> = units.chain(groups).collect();
    if without.contains(&"well") && ids.position.is_some() {
        without.push("position");
    }
    without
}

fn answers(labels: &Labels, column: &str) -> Answers {
    let names: Vec<&str> = labels.codes.iter().map(|&code| labels.names[code as usize].as_str()).collect();
    Answers { column: column.to_owned(), label: Factor::first_seen(&names) }
}

/// Labels with their rows, most rows first, ties by name.
fn counted(answers: &Answers) -> Vec<(String, usize)> {
    let mut labels: Vec<(String, usize)> = answers.label.levels.iter().cloned().zip(answers.label.counts()).collect();
    labels.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    labels
}

fn digest_of(path: &Path, options: &ReadOptions) -> Result<String, Error> {
    let of =
        |path: &Path| digest::of_path(path).map_err(|source| Error::Io { file: path.display().to_string(), source });
    let table = of(path)?;
    match &options.metadata {
        Some(metadata) => Ok(digest::of_bytes(format!("{table}\n{}\n", of(metadata)?).as_bytes())),
        None => Ok(table),
    }
}

fn describe_roles(roles: &Roles, names: &[String], text: &[Option<Coded>], report: &mut Report) {
    let mut columns: Vec<(String, usize)> =
        roles.label.map(|column| ("label".to_owned(), column)).into_iter().collect();
    columns.extend(UNITS.iter().enumerate().filter_map(|(i, unit)| roles.units[i].map(|c| ((*unit).to_owned(), c))));
    columns.extend(roles.groups.iter().map(|(name, column)| (format!("group {name}"), *column)));
    let words: Vec<String> = columns.iter().map(|(role, column)| format!("{role} = `{}`", names[*column])).collect();
    if !words.is_empty() {
        report.understood.push(format!("columns: {}", words.join(", ")));
    }
    // Text that pandas writes for a missing value, and that is a name here.
    for (_, column) in &columns {
        if let Some(coded) = &text[*column]
            && let Some(code) = coded.levels.iter().position(|level| raw::is_missing(level))
        {
            let rows = coded.codes.iter().filter(|c| **c as usize == code).count();
            let text = &coded.levels[code];
            report
                .warnings
                .push(format!("`{}` is the text `{text}` in {rows} rows, which counts as a name", names[*column]));
        }
    }
}

fn describe_features(features: &Features, report: &mut Report) {
    report.features = features.names.len();
    report.feature_naming = features.naming.clone();
    if let (Some(first), Some(last)) = (features.names.first(), features.names.last()) {
        let ends = backticked(&[first.clone(), last.clone()]).replace(", ", " to ");
        report.understood.push(format!("features: {} ({ends}), {}", features.names.len(), features.naming));
    }
    report.understood.extend(features.understood.iter().cloned());
}

fn summarise(treated: &Block, roles: &Roles, names: &[String], report: &mut Report) {
    report.labelled = treated.layout.rows;
    let units = UNITS.iter().enumerate().filter_map(|(i, unit)| roles.units[i].map(|c| ((*unit).to_owned(), c)));
    let groups = roles.groups.iter().cloned();
    for (unit, column) in units.chain(groups) {
        if let Some(factor) = treated.layout.unit(&unit) {
            report.units.push(UnitCount { unit, column: names[column].clone(), levels: factor.level_count() });
        }
    }
    let words: Vec<String> = report.units.iter().map(|u| format!("{} {}", u.levels, u.unit)).collect();
    if !words.is_empty() {
        report.understood.push(format!("{} labelled rows: distinct {}", report.labelled, words.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_permuted_in_place_as_by_copying() {
        for order in [vec![0, 1, 2, 3], vec![3, 2, 1, 0], vec![1, 2, 0, 3], vec![2, 3, 0, 1]] {
            let matrix = Matrix::new(4, 2, (0..8).map(|v| v as f32).collect());
            let mut data = matrix.data().to_vec();
            permute_rows(&mut data, 2, &order);
            assert_eq!(data, matrix.take(&order).data());
        }
    }
}
