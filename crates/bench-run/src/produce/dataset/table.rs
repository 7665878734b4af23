//! The table `metadata.csv`: a row per field of view, or per well.
//!
//! # Columns
//! Those of JUMP: `Metadata_Source`, `Metadata_Batch`, `Metadata_Plate`, `Metadata_Well`,
//! `Metadata_PlateType`, a compound (`Metadata_InChIKey` or `Metadata_JCP2022`), a structure
//! (`Metadata_SMILES` or `Metadata_InChI`), and optionally `Metadata_Site`, `Metadata_pert_type`,
//! `target`, `target_list` and `target_reference_join`.

use std::collections::BTreeMap;
use std::path::Path;

use super::Field;
use crate::Error;

/// Names of the table, in the order in which they are looked for.
pub(super) const NAMES: [&str; 4] = ["metadata.csv", "metadata.csv.gz", "metadata.tsv", "metadata.parquet"];

const UNIT: [&str; 4] = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"];
const OTHER: [(&str, &[&str]); 7] = [
    ("compound", &["Metadata_InChIKey", "Metadata_JCP2022", "Metadata_broad_sample"]),
    ("structure", &["Metadata_SMILES", "Metadata_InChI", "smiles"]),
    // A table that has lists only is labelled by whole lists.
    ("target", &["target", "Metadata_target", "target_list", "Metadata_target_list"]),
    ("list of targets", &["target_list", "Metadata_target_list"]),
    ("target of the reference", &["target_reference_join"]),
    ("pert_type", &["Metadata_pert_type", "pert_type"]),
    ("plate type", &["Metadata_PlateType"]),
];

/// Fields by their tab-separated unit and site; the site is empty where the table has none.
///
/// # Errors
/// A column is missing, or a well has two compounds.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Field>, Error> {
    let unit = bench_data::read_columns(path, &UNIT)?;
    let optional = |names: &[&str]| names.iter().find_map(|name| bench_data::read_columns(path, &[name]).ok()?.pop());
    let mut other = Vec::new();
    for (what, names) in OTHER {
        let column = optional(names);
        if column.is_none() && ["compound", "structure", "plate type"].contains(&what) {
            return Err(Error::Usage {
                message: format!("`{}` has no column for the {what}", path.display()),
                hint: Some(format!("expected one of {}", names.join(", "))),
            });
        }
        other.push(column);
    }
    let site = optional(&["Metadata_Site"]);
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    for row in 0..unit[0].len() {
        let cell = |column: &Option<Vec<String>>| column.as_ref().map(|c| c[row].clone()).unwrap_or_default();
        let [compound, structure, target, target_list, target_reference_join, pert_type, plate_type] =
            [0, 1, 2, 3, 4, 5, 6].map(|i| cell(&other[i]));
        let field = Field { compound, structure, target, target_list, target_reference_join, pert_type, plate_type };
        let place = [0, 1, 2, 3].map(|i: usize| unit[i][row].as_str()).join("\t");
        let key = format!("{place}\t{}", cell(&site));
        if let Some(before) = fields.insert(key, field.clone())
            && before != field
        {
            return Err(Error::Usage {
                message: format!(
                    "`{}` row {}: {} holds `{}` here and `{}` before",
                    path.display(),
                    row + 2,
                    place.replace('\t', " "),
                    field.compound,
                    before.compound
                ),
                hint: Some("a well has one compound; name sites in `Metadata_Site` if rows are fields".into()),
            });
        }
    }
    Ok(fields)
}
