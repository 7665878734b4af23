//! Well profiles of many plates, joined with what is in the wells, as one table that can be scored.
//!
//! # What
//! `profiles/{source}/{batch}/{plate}.parquet` (or `.csv`, `.csv.gz`) as `bench data fetch` stores
//! them, JUMP's own tables beside them; one row per well whose content is known, features that all
//! plates have. Values that are missing stay missing: whoever scores decides what becomes of them.
//!
//! # What it cannot show
//! What was done to the profiles before they were published. CellProfiler profiles of the gallery
//! are means of raw measurements: no normalisation, no correction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bench_data::{Column, ColumnRef, ColumnValues, VectorOptions, read_vectors, write_parquet};

use super::jump::{PlateName, Tables};
use super::make_folder;
use crate::{Error, Progress};

/// What was joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Plates.
    pub plates: usize,
    /// Rows.
    pub rows: usize,
    /// Features.
    pub features: usize,
    /// Wells left out because no table knows their content.
    pub unknown: usize,
    /// Features left out because some plates lack them.
    pub uncommon: usize,
}

/// One plate.
struct Profiles {
    name: PlateName,
    wells: Vec<String>,
    features: Vec<String>,
    matrix: bench_core::Matrix,
}

/// Joins the profiles below `folder/what` and writes them to `out`.
///
/// # Errors
/// No profiles, no tables, a table without wells, output errors.
pub fn join(folder: &Path, what: &str, out: &Path, progress: &dyn Progress) -> Result<Joined, Error> {
    let files = files(&folder.join(what))?;
    let none = |message: String, hint: &str| Error::Usage { message, hint: Some(hint.to_owned()) };
    if files.is_empty() {
        let message = format!("`{}` holds no profiles", folder.join(what).display());
        return Err(none(message, "`bench data fetch ID --what metadata,profiles` gets them"));
    }
    let tables = Tables::find(folder)?.ok_or_else(|| {
        none(
            format!("`{}` has no tables of plates", folder.display()),
            "`bench data fetch ID --what metadata` gets them",
        )
    })?;
    let names: BTreeSet<PlateName> = files.keys().cloned().collect();
    let fields = tables.join(&names, progress)?;

    progress.step(1, 1, "join profiles");
    let mut plates = vec![];
    for (at, (name, path)) in files.iter().enumerate() {
        let well = ("the well".to_owned(), ColumnRef::guess(&["Metadata_Well", "well"]));
        let options = VectorOptions { keys: vec![well], keep_missing: true, ..VectorOptions::default() };
        let mut read = read_vectors(path, &options)?;
        let wells = std::mem::take(&mut read.keys[0]);
        plates.push(Profiles { name: name.clone(), wells, features: read.features, matrix: read.matrix });
        progress.tick(at + 1, files.len());
    }
    let (features, uncommon) = common(&plates);
    if features.is_empty() {
        return Err(none("no feature is on all plates".to_owned(), "fetch profiles of one kind alone"));
    }

    let mut joined = Joined { plates: plates.len(), features: features.len(), uncommon, ..Joined::default() };
    let mut text: [Vec<String>; 11] = Default::default();
    let mut values: Vec<Vec<f32>> = vec![vec![]; features.len()];
    for plate in plates {
        let at: BTreeMap<&str, usize> =
            plate.features.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let columns: Vec<usize> = features.iter().map(|name| at[name.as_str()]).collect();
        let [source, batch, barcode] = &plate.name;
        for (row, well) in plate.wells.iter().enumerate() {
            let Some(field) = fields.get(&format!("{source}\t{batch}\t{barcode}\t{well}\t")) else {
                joined.unknown += 1;
                continue;
            };
            joined.rows += 1;
            let cells = [
                source,
                batch,
                barcode,
                well,
                &field.plate_type,
                &field.compound,
                &field.structure,
                &field.pert_type,
                &field.target,
                &field.target_list,
                &field.target_reference_join,
            ];
            cells.into_iter().zip(&mut text).for_each(|(cell, column)| column.push(cell.clone()));
            let row = plate.matrix.row(row);
            columns.iter().zip(&mut values).for_each(|(&at, column)| column.push(row[at]));
        }
    }
    if joined.rows == 0 {
        return Err(none(
            format!("none of {} wells is in the tables", joined.unknown),
            "source, batch and plate are taken from the folders of the profiles",
        ));
    }
    const NAMES: [&str; 11] = [
        "Metadata_Source",
        "Metadata_Batch",
        "Metadata_Plate",
        "Metadata_Well",
        "Metadata_PlateType",
        "Metadata_InChIKey",
        "Metadata_SMILES",
        "Metadata_pert_type",
        "target",
        "target_list",
        "target_reference_join",
    ];
    let text = NAMES.into_iter().zip(text).map(|(name, cells)| Column::new(name, ColumnValues::Text(cells)));
    let values = features.into_iter().zip(values).map(|(name, cells)| Column::new(name, ColumnValues::F32(cells)));
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    let columns: Vec<Column> = text.chain(values).collect();
    write_parquet(out, &columns)
        .map_err(|source| Error::WriteTable { path: out.to_owned(), source: Box::new(source) })?;
    Ok(joined)
}

/// Features that every plate has, in the order of the first; how many others there are.
fn common(plates: &[Profiles]) -> (Vec<String>, usize) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for plate in plates {
        plate.features.iter().for_each(|name| *times.entry(name).or_default() += 1);
    }
    let everywhere = |name: &&String| times[name.as_str()] == plates.len();
    let features: Vec<String> =
        plates.first().into_iter().flat_map(|p| p.features.iter().filter(everywhere).cloned()).collect();
    let uncommon = times.len() - features.len();
    (features, uncommon)
}

/// Profiles by source, batch and plate.
fn files(root: &Path) -> Result<BTreeMap<PlateName, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    for (source, path) in entries(root)? {
        for (batch, path) in entries(&path)? {
            for (name, path) in entries(&path)? {
                let stem = [".parquet", ".csv.gz", ".csv"].iter().find_map(|ending| name.strip_suffix(ending));
                if let Some(barcode) = stem.filter(|_| path.is_file()) {
                    files.insert([source.clone(), batch.clone(), barcode.to_owned()], path);
                }
            }
        }
    }
    Ok(files)
}

/// What is in a folder, in order; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let failed = |source| Error::Input { path: folder.to_owned(), source };
    let mut out = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        out.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    out.sort();
    Ok(out)
}
