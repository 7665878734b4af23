//! Unit ids, layouts, and the checks on where rows come from.
//!
//! # What
//! A batch id is `source/batch`, a plate id `source/batch/plate`, a well id its plate id and
//! the well; absent parts are left out. Labelled rows must say all of what the table has
//! columns for; controls that do not are left out. A well (and field of view) occurs once.

use std::collections::{BTreeMap, HashMap};

use bench_core::Layout;

use crate::Error;
use crate::coded::{Coded, MISSING};
use crate::columns::{Roles, UNITS};
use crate::error::{LISTED, many};
use crate::options::Duplicates;
use crate::report::Report;

/// Ids of every row of the file.
pub(crate) struct Ids {
    pub(crate) source: Option<Coded>,
    pub(crate) batch: Option<Coded>,
    pub(crate) plate: Option<Coded>,
    pub(crate) well: Option<Coded>,
    pub(crate) position: Option<Coded>,
    pub(crate) site: Option<Coded>,
    pub(crate) compound: Option<Coded>,
    pub(crate) groups: BTreeMap<String, Coded>,
}

impl Ids {
    pub(crate) fn new(text: &[Option<Coded>], roles: &Roles) -> Self {
        let bare = |unit| roles.unit(unit).and_then(|column| text[column].clone());
        let within = |inner: Option<Coded>, outer: &Option<Coded>| match (inner, outer) {
            (Some(inner), Some(outer)) => Some(inner.within(outer)),
            (inner, _) => inner,
        };
        let source = bare("source");
        let batch = within(bare("batch"), &source);
        let plate = within(bare("plate"), if batch.is_some() { &batch } else { &source });
        let outer = [&plate, &batch, &source].into_iter().find(|unit| unit.is_some()).unwrap_or(&None);
        let well = within(bare("well"), outer);
        let groups = roles
            .groups
            .iter()
            .filter_map(|(name, column)| text[*column].clone().map(|coded| (name.clone(), coded)))
            .collect();
        Self {
            source,
            batch,
            plate,
            well,
            position: bare("well"),
            site: bare("site"),
            compound: bare("compound"),
            groups,
        }
    }

    /// Ids of a unit.
    pub(crate) fn unit(&self, unit: &str) -> Option<&Coded> {
        match unit {
            "source" => self.source.as_ref(),
            "batch" => self.batch.as_ref(),
            "plate" => self.plate.as_ref(),
            "well" => self.well.as_ref(),
            "position" => self.position.as_ref(),
            "site" => self.site.as_ref(),
            "compound" => self.compound.as_ref(),
            other => self.groups.get(other),
        }
    }

    /// Names of the units the table has.
    pub(crate) fn names(&self) -> Vec<String> {
        let units = ["source", "batch", "plate", "well", "position", "site", "compound"];
        let units = units.into_iter().filter(|unit| self.unit(unit).is_some()).map(str::to_owned);
        units.chain(self.groups.keys().cloned()).collect()
    }

    /// Layout of some rows of the file, in that order.
    pub(crate) fn layout(&self, rows: &[u32]) -> Layout {
        let part = |unit: &Option<Coded>| unit.as_ref().map(|coded| coded.factor(rows));
        Layout {
            rows: rows.len(),
            source: part(&self.source),
            batch: part(&self.batch),
            plate: part(&self.plate),
            well: part(&self.well),
            position: part(&self.position),
            site: part(&self.site),
            compound: part(&self.compound),
            groups: self.groups.iter().map(|(name, coded)| (name.clone(), coded.factor(rows))).collect(),
            file_row: rows.iter().map(|&row| u64::from(row)).collect(),
        }
    }
}

/// Labelled rows must have a value in every unit column. A compound or site column that nobody
/// asked for and that has gaps is not used, with a warning.
pub(crate) fn check_filled(
    treated: &[u32],
    text: &[Option<Coded>],
    roles: &Roles,
    names: &[String],
    ids: &mut Ids,
    report: &mut Report,
) {
    let units = UNITS.iter().enumerate().filter_map(|(i, unit)| roles.units[i].map(|column| (*unit, column)));
    let groups = roles.groups.iter().filter(|(_, column)| roles.fold != Some(*column));
    for (unit, column) in units.chain(groups.map(|(name, column)| (name.as_str(), *column))) {
        let Some(coded) = &text[column] else { continue };
        let mut rows = treated.iter().filter(|&&row| coded.codes[row as usize] == MISSING);
        let mut first: Vec<u64> = rows.by_ref().take(LISTED).map(|&row| u64::from(row) + 1).collect();
        let count = (first.len() + rows.count()) as u64;
        if count == 0 {
            continue;
        }
        let optional = match unit {
            "compound" => Some(&mut ids.compound),
            "site" => Some(&mut ids.site),
            _ => None,
        };
        match optional.filter(|_| !roles.asked_for(unit)) {
            Some(unused) => {
                *unused = None;
                report.warnings.push(format!(
                    "{} without {unit} in `{}` (the first is row {}): {unit}s are not used; name another column with `--{unit} COL`",
                    many(count, "labelled row"),
                    names[column],
                    first.swap_remove(0),
                ));
            }
            None => report.errors.push(Error::MissingUnit {
                file: report.file.clone(),
                unit: unit.to_owned(),
                column: names[column].clone(),
                count,
                rows: first,
            }),
        }
    }
}

/// Leaves out controls that do not say where they come from.
pub(crate) fn drop_unplaced(controls: &mut Vec<u32>, text: &[Option<Coded>], roles: &Roles, report: &mut Report) {
    for unit in ["source", "batch", "plate", "well"] {
        let Some(coded) = roles.unit(unit).and_then(|column| text[column].as_ref()) else { continue };
        let before = controls.len();
        controls.retain(|&row| coded.codes[row as usize] != MISSING);
        if controls.len() < before {
            report.dropped.push((format!("control without {unit}"), before - controls.len()));
        }
    }
}

/// No well (and field of view) may occur twice. Without plates there is nothing to check.
pub(crate) fn check_duplicates(rows: &[u32], ids: &Ids, policy: Duplicates, report: &mut Report) {
    let (Some(well), Some(_), Duplicates::Error) = (&ids.well, &ids.plate, policy) else { return };
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut seen: HashMap<(u32, u32), u32> = HashMap::with_capacity(rows.len());
    let mut first = None;
    let mut count = 0;
    for row in rows {
        let site = ids.site.as_ref().map_or(MISSING, |site| site.codes[row as usize]);
        let key = (well.codes[row as usize], site);
        if key.0 == MISSING {
            continue;
        }
        if let Some(&earlier) = seen.get(&key) {
            count += 1;
            first.get_or_insert((earlier, row));
        } else {
            seen.insert(key, row);
        }
    }
    let Some((earlier, row)) = first else { return };
    let site = ids.site.as_ref().and_then(|site| site.get(row));
    let well = well.get(row).unwrap_or_default();
    report.errors.push(Error::DuplicateWell {
        file: report.file.clone(),
        what: if site.is_some() { "the field of view" } else { "the well" },
        key: site.map_or_else(|| well.to_owned(), |site| format!("{well}/{site}")),
        first: u64::from(earlier) + 1,
        second: u64::from(row) + 1,
        count,
        has_site: ids.site.is_some(),
    });
}
