//! Names of fields of view: `{source}__{batch}__{plate}__{well}__{site}`.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// What stands between the parts of a name.
pub const SEPARATOR: &str = "__";

/// Where a field of view was taken. Orders by source, batch, plate, well, site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId {
    /// Imaging centre.
    pub source: String,
    /// Experimental batch; unique within its source only.
    pub batch: String,
    /// Plate barcode.
    pub plate: String,
    /// Well on the plate (`A01`).
    pub well: String,
    /// Field of view in the well.
    pub site: String,
}

impl FieldId {
    /// Checks the parts: none may be empty, hold the separator or a path separator.
    pub fn new(source: &str, batch: &str, plate: &str, well: &str, site: &str) -> Result<Self> {
        for part in [source, batch, plate, well, site] {
            check_part(part)?;
        }
        let own = str::to_owned;
        Ok(Self { source: own(source), batch: own(batch), plate: own(plate), well: own(well), site: own(site) })
    }

    /// `{source}__{batch}__{plate}`: the plate with everything that makes it unique.
    pub fn plate_key(&self) -> String {
        [self.source.as_str(), &self.batch, &self.plate].join(SEPARATOR)
    }
}

/// Fails unless `part` can be one part of a name.
pub(crate) fn check_part(part: &str) -> Result<()> {
    let forbidden = |c: char| c == '/' || c == '\\' || c.is_control();
    // A part that begins or ends with the separator's character would join with it to another split.
    let splits = part.starts_with('_') || part.ends_with('_') || part.contains(SEPARATOR);
    if part.is_empty() || splits || part.contains(forbidden) || part == "." || part == ".." {
        let reason = "a part is not empty, holds no `__` or path separator, and has no `_` at its ends".to_owned();
        return Err(Error::Name { name: part.to_owned(), reason });
    }
    Ok(())
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}__{}__{}__{}__{}", self.source, self.batch, self.plate, self.well, self.site)
    }
}

impl FromStr for FieldId {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let parts: Vec<&str> = name.split(SEPARATOR).collect();
        let [source, batch, plate, well, site] = parts[..] else {
            let reason = "expected source, batch, plate, well and site with `__` between them".to_owned();
            return Err(Error::Name { name: name.to_owned(), reason });
        };
        Self::new(source, batch, plate, well, site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip_and_bad_ones_are_refused() -> Result<()> {
        let id = FieldId::new("source_4", "2021_08_23_Batch12", "BR00126114", "A01", "5")?;
        assert_eq!(id.to_string(), "source_4__2021_08_23_Batch12__BR00126114__A01__5");
        assert_eq!(id.to_string().parse::<FieldId>()?, id);
        for bad in ["a__b__c__d", "a__b__c__d__e__f", "a____c__d__e", "a__b__c__../d__e", "a__b__c___d__e"] {
            assert!(bad.parse::<FieldId>().is_err(), "{bad}");
        }
        Ok(())
    }
}
