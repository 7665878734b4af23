//! Which rows are labelled, which are controls, and which labels count.
//!
//! # What
//! In this order: controls are set apart; filters; rows without a label are left out; cells
//! with several labels follow their policy; only the listed labels; only labels that occur in
//! every level of a unit; the labels with the most rows, ties by name; labels with too few rows
//! follow their policy. Two labels must remain.

use std::collections::HashSet;

use bench_core::suggest::closest;

use crate::Error;
use crate::coded::{Coded, MISSING};
use crate::columns::Roles;
use crate::options::{ControlRef, MultiLabel, RareLabels, ReadOptions, Selection};
use crate::report::Report;
use crate::units::Ids;

/// Rows of the file that are wanted, ascending.
pub(crate) struct Selected {
    pub(crate) treated: Vec<u32>,
    /// Label of each treated row; absent if the table has no label column.
    pub(crate) labels: Option<Labels>,
    pub(crate) controls: Vec<u32>,
}

/// One label per treated row.
pub(crate) struct Labels {
    pub(crate) names: Vec<String>,
    pub(crate) codes: Vec<u32>,
}

/// Selects rows; `None` if nothing is left, which is then reported.
pub(crate) fn select(
    rows: u64,
    text: &[Option<Coded>],
    names: &[String],
    roles: &Roles,
    ids: &Ids,
    options: &ReadOptions,
    report: &mut Report,
) -> Option<Selected> {
    let (control, control_column) = controls(rows, text, names, roles, options, report);
    let mut keep = vec![true; rows as usize];
    let mut keep_control = vec![true; rows as usize];
    for (column, values) in &roles.filters {
        let coded = text[*column].as_ref()?;
        let allowed: Vec<u32> = values.iter().filter_map(|value| coded.code_of(value)).collect();
        let absent: Vec<String> = values.iter().filter(|v| coded.code_of(v).is_none()).cloned().collect();
        if !absent.is_empty() {
            report.warnings.push(format!(
                "filter on `{}`: {} does not occur",
                names[*column],
                crate::error::backticked(&absent)
            ));
        }
        for (row, code) in coded.codes.iter().enumerate() {
            let passes = allowed.contains(code);
            keep[row] &= passes;
            keep_control[row] &= passes || control_column == Some(*column);
        }
    }
    let all = 0..rows as u32;
    let controls: Vec<u32> = all.clone().filter(|&row| control[row as usize] && keep_control[row as usize]).collect();
    let mut treated: Vec<u32> = all.filter(|&row| !control[row as usize]).collect();
    let candidates = treated.len();
    treated.retain(|&row| keep[row as usize]);
    if treated.len() < candidates {
        report.dropped.push(("filtered by `--where`".to_owned(), candidates - treated.len()));
    }
    if treated.is_empty() {
        let why = match candidates {
            0 => "every row is a control".to_owned(),
            _ => {
                let filters = &options.selection.filters;
                let shown: Vec<String> =
                    filters.iter().map(|(c, v)| format!("`--where {c}={}`", v.join(","))).collect();
                format!("no row passes {}", shown.join(" and "))
            }
        };
        report.errors.push(Error::EmptySelection { file: report.file.clone(), why });
        return None;
    }
    let Some(label) = roles.label else {
        return Some(Selected { treated, labels: None, controls });
    };
    let column = Label { name: &names[label], coded: text[label].as_ref()? };
    let labels = label_rows(&mut treated, &column, options, report)?;
    let mut selected = Selected { treated, labels: Some(labels), controls };
    narrow(&mut selected, &column, ids, &options.selection, report)?;
    drop_rare(&mut selected, &options.selection, report)?;
    Some(selected)
}

struct Label<'a> {
    name: &'a str,
    coded: &'a Coded,
}

/// Marks control rows; gives the column that marks them.
fn controls(
    rows: u64,
    text: &[Option<Coded>],
    names: &[String],
    roles: &Roles,
    options: &ReadOptions,
    report: &mut Report,
) -> (Vec<bool>, Option<usize>) {
    for (column, value) in &roles.control {
        let Some(coded) = &text[*column] else { continue };
        if let Some(code) = coded.code_of(value) {
            let control: Vec<bool> = coded.codes.iter().map(|c| *c == code).collect();
            let count = control.iter().filter(|c| **c).count();
            report.understood.push(format!("controls: {count} rows where `{}` is `{value}`", names[*column]));
            return (control, Some(*column));
        }
        if matches!(options.columns.control, ControlRef::Is { .. }) {
            report.warnings.push(format!("no controls: `{value}` does not occur in `{}`", names[*column]));
            return (vec![false; rows as usize], Some(*column));
        }
    }
    report.understood.push("controls: none (name them with `--control COL=VALUE`)".to_owned());
    (vec![false; rows as usize], None)
}

/// Labels of the rows; rows without one are left out.
fn label_rows(
    treated: &mut Vec<u32>,
    column: &Label<'_>,
    options: &ReadOptions,
    report: &mut Report,
) -> Option<Labels> {
    let before = treated.len();
    treated.retain(|&row| column.coded.codes[row as usize] != MISSING);
    if treated.len() < before {
        report.dropped.push((format!("no label in `{}`", column.name), before - treated.len()));
    }
    let levels = &column.coded.levels;
    let several: Vec<bool> = levels.iter().map(|level| parts(level).nth(1).is_some()).collect();
    let is_several = |row: &u32| several[column.coded.codes[*row as usize] as usize];
    let count = treated.iter().filter(|row| is_several(row)).count();
    let mut names = levels.clone();
    if count > 0 {
        match options.multi_label {
            MultiLabel::Whole => report.understood.push(format!(
                "{count} rows have several labels (`A|B`); each such text is taken as one label (`--multi-label whole`)"
            )),
            MultiLabel::First => {
                report.understood.push(format!(
                    "{count} rows have several labels (`A|B`); the first one counts (`--multi-label first`)"
                ));
            }
            MultiLabel::Drop => {
                treated.retain(|row| !is_several(row));
                report.dropped.push(("several labels (`A|B`)".to_owned(), count));
            }
            MultiLabel::Error => {
                let row = treated.iter().copied().find(|row| is_several(row))?;
                report.errors.push(Error::SeveralLabels {
                    file: report.file.clone(),
                    column: column.name.to_owned(),
                    count: count as u64,
                    row: u64::from(row) + 1,
                    example: column.coded.get(row).unwrap_or_default().to_owned(),
                });
            }
        }
        if options.multi_label == MultiLabel::First {
            for name in &mut names {
                let first = parts(name).next().unwrap_or_default().to_owned();
                if parts(name).nth(1).is_some() {
                    *name = first;
                }
            }
        }
    }
    if treated.is_empty() {
        let why = format!("no row has a label in `{}`", column.name);
        report.errors.push(Error::EmptySelection { file: report.file.clone(), why });
        return None;
    }
    // Levels that became equal share a code.
    let merged = crate::coded::merge(&names);
    let codes = treated.iter().map(|&row| merged.codes[column.coded.codes[row as usize] as usize]).collect();
    Some(Labels { names: merged.levels, codes })
}

/// The labels within one cell.
fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('|').map(str::trim).filter(|part| !part.is_empty())
}

/// Applies the list, `in_every` and `top_labels`.
fn narrow(
    selected: &mut Selected,
    column: &Label<'_>,
    ids: &Ids,
    selection: &Selection,
    report: &mut Report,
) -> Option<()> {
    let file = report.file.clone();
    if let Some(listed) = &selection.labels {
        let labels = selected.labels.as_ref()?;
        let counts = labels.counts();
        let mut keep = vec![false; labels.names.len()];
        for wanted in listed {
            match labels.names.iter().position(|name| name == wanted).filter(|&i| counts[i] > 0) {
                Some(at) => keep[at] = true,
                None => report.errors.push(Error::UnknownLabel {
                    file: file.clone(),
                    column: column.name.to_owned(),
                    label: wanted.clone(),
                    suggestion: closest(wanted, labels.names.iter().map(String::as_str)).map(str::to_owned),
                }),
            }
        }
        selected.keep_labels(&keep, "label not listed", report)?;
    }
    if let Some(unit) = &selection.in_every {
        let Some(coded) = ids.unit(unit) else {
            let error = Error::UnknownUnit { file, unit: unit.clone(), by: "`in-every`", available: ids.names() };
            report.errors.push(error);
            return None;
        };
        let labels = selected.labels.as_ref()?;
        let levels: HashSet<u32> = selected.treated.iter().map(|&row| coded.codes[row as usize]).collect();
        let mut seen = vec![HashSet::new(); labels.names.len()];
        for (&row, &label) in selected.treated.iter().zip(&labels.codes) {
            seen[label as usize].insert(coded.codes[row as usize]);
        }
        let keep: Vec<bool> = seen.iter().map(|seen| seen.len() == levels.len()).collect();
        selected.keep_labels(&keep, &format!("label not in every {unit}"), report)?;
    }
    if let Some(top) = selection.top_labels {
        let labels = selected.labels.as_ref()?;
        let counts = labels.counts();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| labels.names[a].cmp(&labels.names[b])));
        let mut keep = vec![false; counts.len()];
        order.into_iter().take(top).for_each(|label| keep[label] = true);
        selected.keep_labels(&keep, &format!("label not among the {top} with the most rows"), report)?;
    }
    Some(())
}

/// Applies the policy for labels with few rows, and asks for two labels.
pub(crate) fn drop_rare(selected: &mut Selected, selection: &Selection, report: &mut Report) -> Option<()> {
    let minimum = selection.min_label_rows;
    let labels = selected.labels.as_ref()?;
    let counts = labels.counts();
    let mut rare: Vec<(String, usize)> =
        labels.names.iter().cloned().zip(counts.iter().copied()).filter(|(_, n)| *n > 0 && *n < minimum).collect();
    rare.sort_unstable();
    if !rare.is_empty() {
        match selection.rare_labels {
            RareLabels::Error => {
                report.errors.push(Error::RareLabels { file: report.file.clone(), minimum, labels: rare });
            }
            RareLabels::Drop => {
                let keep: Vec<bool> = counts.iter().map(|n| *n >= minimum).collect();
                selected.keep_labels(&keep, &format!("label with fewer than {minimum} rows"), report)?;
            }
        }
    }
    let labels = selected.labels.as_ref()?;
    let counts = labels.counts();
    let mut left = (0..counts.len()).filter(|&i| counts[i] > 0);
    if let (Some(only), None) = (left.next(), left.next()) {
        let (label, rows) = (labels.names[only].clone(), counts[only]);
        report.errors.push(Error::OneLabel { file: report.file.clone(), label, rows });
    }
    Some(())
}

impl Labels {
    /// Rows per label.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for &code in &self.codes {
            counts[code as usize] += 1;
        }
        counts
    }
}

impl Selected {
    /// Keeps the rows whose label is marked; `None` if nothing is left, which is then reported.
    fn keep_labels(&mut self, keep: &[bool], why: &str, report: &mut Report) -> Option<()> {
        let labels = self.labels.as_mut()?;
        let before = self.treated.len();
        let mut codes = labels.codes.iter();
        self.treated.retain(|_| codes.next().is_some_and(|code| keep[*code as usize]));
        labels.codes.retain(|code| keep[*code as usize]);
        if self.treated.len() < before {
            report.dropped.push((why.to_owned(), before - self.treated.len()));
        }
        if self.treated.is_empty() {
            report.errors.push(Error::EmptySelection {
                file: report.file.clone(),
                why: format!("every row is left out ({why})"),
            });
            return None;
        }
        Some(())
    }
}
