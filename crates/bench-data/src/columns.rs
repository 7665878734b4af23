//! From column names to roles.

use bench_core::suggest::closest;

use crate::Error;
use crate::options::{ColumnRef, ControlRef, ReadOptions};

/// Units that a table can have, in canonical order, and the flag that names their column.
pub(crate) const UNITS: [&str; 6] = ["source", "batch", "plate", "well", "site", "compound"];

/// Columns by role, as positions in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    pub(crate) label: Option<usize>,
    /// One per name of [`UNITS`].
    pub(crate) units: [Option<usize>; 6],
    /// Units that were named or are required.
    asked_for: Vec<&'static str>,
    /// Candidates for the control column, and the value that marks controls.
    pub(crate) control: Vec<(usize, String)>,
    /// Group name and column, the fold column among them.
    pub(crate) groups: Vec<(String, usize)>,
    pub(crate) fold: Option<usize>,
    /// Column and values of each filter.
    pub(crate) filters: Vec<(usize, Vec<String>)>,
}

impl Roles {
    /// Column of a unit.
    pub(crate) fn unit(&self, unit: &str) -> Option<usize> {
        UNITS.iter().position(|u| *u == unit).and_then(|i| self.units[i])
    }

    /// Whether the unit was named or is required, rather than guessed.
    pub(crate) fn asked_for(&self, unit: &str) -> bool {
        self.asked_for.contains(&unit)
    }

    /// Every column that plays a role.
    pub(crate) fn all(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.label.into_iter().collect();
        columns.extend(self.units.iter().flatten());
        columns.extend(self.control.iter().map(|(column, _)| *column));
        columns.extend(self.groups.iter().map(|(_, column)| *column));
        columns.extend(self.filters.iter().map(|(column, _)| *column));
        columns
    }
}

/// Finds the columns; breaches are pushed, and the role stays empty.
pub(crate) fn resolve(names: &[String], options: &ReadOptions, file: &str, breaches: &mut Vec<Error>) -> Roles {
    let mut finder = Finder { names, file, breaches };
    let columns = &options.columns;
    let mut roles = Roles { label: finder.role("label", &columns.label, true), ..Roles::default() };
    let refs = [&columns.source, &columns.batch, &columns.plate, &columns.well, &columns.site, &columns.compound];
    for (i, (unit, column)) in UNITS.iter().zip(refs).enumerate() {
        let required = options.required.iter().any(|r| r == unit);
        roles.units[i] = finder.role(unit, column, required);
        if required || matches!(column, ColumnRef::Named(_)) {
            roles.asked_for.push(unit);
        }
    }
    for required in &options.required {
        let known = UNITS.contains(&required.as_str()) || required == "label" || required == "position";
        if !known && !columns.groups.contains_key(required) {
            let available = UNITS.iter().map(|u| (*u).to_owned()).chain(columns.groups.keys().cloned()).collect();
            let unit = required.clone();
            finder.breaches.push(Error::UnknownUnit { file: file.to_owned(), unit, by: "the suite", available });
        }
    }
    match &columns.control {
        ControlRef::Is { column, value } => {
            if let Some(found) = finder.named("the control", column) {
                roles.control.push((found, value.clone()));
            }
        }
        ControlRef::Guess(candidates) => {
            let found = candidates.iter().filter_map(|c| names.iter().position(|name| name == c));
            roles.control = found.map(|column| (column, crate::options::NEGATIVE_CONTROL.to_owned())).collect();
        }
    }
    for (group, column) in &columns.groups {
        if let Some(found) = finder.named(&format!("the group `{group}`"), column) {
            roles.groups.push((group.clone(), found));
        }
    }
    if let Some(fold) = &options.fold_column {
        roles.fold = finder.named("the fold column", fold);
        if let Some(found) = roles.fold
            && !columns.groups.contains_key(fold)
        {
            roles.groups.push((fold.clone(), found));
        }
    }
    for (column, values) in &options.selection.filters {
        if let Some(found) = finder.named("a filter (`--where`)", column) {
            roles.filters.push((found, values.clone()));
        }
    }
    roles
}

/// Finds one column that must be there.
pub(crate) fn find(names: &[String], role: &str, column: &ColumnRef, file: &str) -> Result<usize, Error> {
    let mut breaches = Vec::new();
    let found = Finder { names, file, breaches: &mut breaches }.role(role, column, true);
    found.ok_or_else(|| breaches.remove(0))
}

struct Finder<'a> {
    names: &'a [String],
    file: &'a str,
    breaches: &'a mut Vec<Error>,
}

impl Finder<'_> {
    fn role(&mut self, role: &str, column: &ColumnRef, required: bool) -> Option<usize> {
        match column {
            ColumnRef::Named(name) => self.named(&format!("the {role}"), name),
            ColumnRef::Guess(candidates) => {
                let found = candidates.iter().find_map(|c| self.names.iter().position(|name| name == c));
                if found.is_none() && required {
                    self.breaches.push(Error::MissingColumn {
                        file: self.file.to_owned(),
                        role: role.to_owned(),
                        tried: candidates.clone(),
                        available: available(self.names),
                    });
                }
                found
            }
        }
    }

    fn named(&mut self, role: &str, column: &str) -> Option<usize> {
        let found = self.names.iter().position(|name| name == column);
        if found.is_none() {
            let suggestion = closest(column, self.names.iter().map(String::as_str)).map(str::to_owned);
            self.breaches.push(Error::UnknownColumn {
                file: self.file.to_owned(),
                role: role.to_owned(),
                column: column.to_owned(),
                suggestion,
                available: available(self.names).into(),
            });
        }
        found
    }
}

/// Columns that could be metadata by their name.
fn available(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| !crate::features::is_named_like_feature(name)).cloned().collect()
}
