//! Where each row comes from: source, batch, plate, well, site, compound.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Factor;

/// Origin of every row of a block.
///
/// Ids are unique: a batch id carries its source (`source/batch`), a plate id its source and
/// batch, a well id its plate. `position` is the bare well name (`A01`) that repeats on every
/// plate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Number of rows.
    pub rows: usize,
    /// Laboratory, centre or microscope site.
    pub source: Option<Factor>,
    /// Experimental batch (a week's run), qualified by source.
    pub batch: Option<Factor>,
    /// Plate, qualified by source and batch.
    pub plate: Option<Factor>,
    /// Well, qualified by plate.
    pub well: Option<Factor>,
    /// Well position on the plate, e.g. `A01`; not unique.
    pub position: Option<Factor>,
    /// Field of view within the well.
    pub site: Option<Factor>,
    /// Compound identifier.
    pub compound: Option<Factor>,
    /// Further grouping columns that the suite names, e.g. `physical-plate`.
    pub groups: BTreeMap<String, Factor>,
    /// Row of the file that the row was read from, counted from zero.
    pub file_row: Vec<u64>,
}

impl Layout {
    /// Keeps `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Self {
        let part = |f: &Option<Factor>| f.as_ref().map(|f| f.take(rows));
        Self {
            rows: rows.len(),
            source: part(&self.source),
            batch: part(&self.batch),
            plate: part(&self.plate),
            well: part(&self.well),
            position: part(&self.position),
            site: part(&self.site),
            compound: part(&self.compound),
            groups: self.groups.iter().map(|(name, f)| (name.clone(), f.take(rows))).collect(),
            file_row: rows.iter().map(|&r| self.file_row[r as usize]).collect(),
        }
    }

    /// The factor of a unit (`source`, `batch`, `plate`, `well`, `position`, `site`, `compound`
    /// or a named group).
    pub fn unit(&self, unit: &str) -> Option<&Factor> {
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
}
