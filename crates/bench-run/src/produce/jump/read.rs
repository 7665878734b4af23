//! Reads JUMP's tables of plates, wells, compounds and roles.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::tell::Tally;
use super::{Content, HOME, Known, Plates};
use crate::Error;

/// DMSO among the JCP2022 ids.
const DMSO: &str = "JCP2022_033924";
/// Empty wells among the JCP2022 ids.
const EMPTY: &str = "JCP2022_999999";

/// A table that contradicts itself; rows are counted from one, the header is the first.
pub(super) fn broken(path: &Path, row: usize, why: String, hint: &str) -> Error {
    Error::Metadata { path: path.to_owned(), row: Some(row + 2), why, hint: hint.to_owned() }
}

/// Rows of these columns.
pub(super) fn rows<const N: usize>(path: &Path, names: [&str; N]) -> Result<Vec<[String; N]>, Error> {
    let mut columns: Vec<_> = bench_data::read_columns(path, &names)?.into_iter().map(Vec::into_iter).collect();
    let count = columns.first().map_or(0, ExactSizeIterator::len);
    Ok((0..count).map(|_| std::array::from_fn(|column| columns[column].next().unwrap_or_default())).collect())
}

/// A column that a table need not have.
pub(super) fn optional(path: &Path, name: &str) -> Option<Vec<String>> {
    bench_data::read_columns(path, &[name]).ok()?.pop()
}

/// All plates.
pub(super) fn plates(path: &Path) -> Result<Plates, Error> {
    let names = ["Metadata_Source", "Metadata_Plate", "Metadata_Batch", "Metadata_PlateType"];
    let mut plates = Plates::new();
    for (row, [source, barcode, batch, plate_type]) in rows(path, names)?.into_iter().enumerate() {
        let known = Known { batch, plate_type };
        let name = (source, barcode);
        if let Some(before) = plates.get(&name).filter(|before| **before != known) {
            let why = format!("plate `{}` of {} is listed twice: {before:?} and {known:?}", name.1, name.0);
            return Err(broken(path, row, why, "a plate has one batch and one type"));
        }
        plates.insert(name, known);
    }
    Ok(plates)
}

/// InChIKey and structure by JCP2022 id.
fn compounds(path: &Path) -> Result<HashMap<String, (String, String)>, Error> {
    let ids = rows(path, ["Metadata_JCP2022", "Metadata_InChIKey"])?;
    let structures: Vec<Vec<String>> =
        ["Metadata_SMILES", "Metadata_InChI"].iter().filter_map(|name| optional(path, name)).collect();
    if structures.is_empty() {
        return Err(Error::Metadata {
            path: path.to_owned(),
            row: None,
            why: "there is neither `Metadata_SMILES` nor `Metadata_InChI`".into(),
            hint: HOME.to_owned(),
        });
    }
    let mut compounds = HashMap::new();
    for (row, [id, key]) in ids.into_iter().enumerate() {
        let structure = structures.iter().map(|column| &column[row]).find(|text| !text.is_empty());
        let known = (if key.is_empty() { id.clone() } else { key }, structure.cloned().unwrap_or_default());
        if let Some(before) = compounds.insert(id.clone(), known.clone())
            && before.0 != known.0
        {
            let why = format!("`{id}` is `{}` here and `{}` before", known.0, before.0);
            return Err(broken(path, row, why, "an id names one compound"));
        }
    }
    Ok(compounds)
}

/// Roles by JCP2022 id: `negcon`, `poscon`, `empty`.
fn roles(path: Option<&Path>) -> Result<HashMap<String, String>, Error> {
    let mut roles = HashMap::from([
        (DMSO.to_owned(), bench_data::NEGATIVE_CONTROL.to_owned()),
        (EMPTY.to_owned(), "empty".to_owned()),
    ]);
    if let Some(path) = path {
        let listed = rows(path, ["Metadata_JCP2022", "Metadata_pert_type"])?;
        roles.extend(listed.into_iter().map(|[id, role]| (id, short(&role))));
    }
    Ok(roles)
}

/// `poscon_cp` and its kin are `poscon`.
pub(super) fn short(role: &str) -> String {
    role.split('_').next().unwrap_or_default().to_owned()
}

/// What is in the wells of the plates.
pub(super) fn contents(
    path: &Path,
    compound_table: &Path,
    control_table: Option<&Path>,
    plates: &Plates,
    tally: &mut Tally,
) -> Result<Vec<Content>, Error> {
    let names = ["Metadata_Source", "Metadata_Plate", "Metadata_Well", "Metadata_JCP2022"];
    let (compounds, roles) = (compounds(compound_table)?, roles(control_table)?);
    let mut held: BTreeMap<((String, String), String), String> = BTreeMap::new();
    let mut contents = vec![];
    for (row, [source, barcode, well, id]) in rows(path, names)?.into_iter().enumerate() {
        let plate = (source, barcode);
        if !plates.contains_key(&plate) {
            continue;
        }
        match held.insert((plate.clone(), well.clone()), id.clone()) {
            Some(before) if before == id => continue,
            Some(before) => {
                let place = format!("well {well} of plate `{}` of {}", plate.1, plate.0);
                let why = format!("{place} holds `{id}` here and `{before}` before");
                return Err(broken(path, row, why, "a well has one compound"));
            }
            None => {}
        }
        let pert_type = roles.get(&id).map_or("trt", String::as_str).to_owned();
        if pert_type == "empty" || id.is_empty() {
            tally.empty += 1;
            continue;
        }
        let (compound, structure) = compounds.get(&id).cloned().unwrap_or_else(|| {
            *tally.unknown.entry(id.clone()).or_default() += 1;
            (id, String::new())
        });
        contents.push(Content { plate, well, compound, structure, pert_type });
    }
    let named: BTreeSet<&(String, String)> = held.keys().map(|(plate, _)| plate).collect();
    let without = plates.keys().filter(|plate| !named.contains(plate));
    tally.without_wells = without.map(|(source, barcode)| format!("{source} {barcode}")).collect();
    Ok(contents)
}
