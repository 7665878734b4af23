//! JUMP's own tables, joined: what is in each well of the plates whose images are here.
//!
//! # Tables
//! In the folder of the images or in `metadata/` below it, plain or with `.gz`:
//! `plate.csv` (always), `well.csv` and `compound.csv` (JUMP-CP production), `perturbation_control.csv`
//! (roles; without it DMSO is the negative control and everything else a treatment),
//! `JUMP-Target-2_compound_metadata*.tsv` (targets, both versions if both are here) and
//! `JUMP-Target-2_compound_platemap.tsv` (the 384-well layout).
//!
//! # Join
//! Type and batch of a plate by (source, barcode); what is in a well by (source, barcode, well);
//! InChIKey and structure (SMILES, else InChI) by JCP2022 id; targets as [`targets`] says. Wells that
//! JUMP calls empty are left out.
//!
//! # Without `well.csv`
//! The 384-well layout is applied to the TARGET2 plates on which the manifest `cpg0016-target2`
//! says that it holds. Other TARGET2 plates are an error, other plates are left out and named.
//!
//! # What it cannot show
//! What a folder holds that its names do not say. Whatever cannot be joined is counted and told.

mod layout;
mod read;
pub mod targets;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Field;
use crate::manifest::Manifest;
use crate::{Error, Progress};
use targets::{Found, Targets};
use tell::Tally;

/// Source, batch and barcode of a plate, as images name it.
pub type PlateName = [String; 3];

/// The manifest that says where the 384-well layout holds.
const MANIFEST: &str = "cpg0016-target2";
/// Where the tables are published.
const HOME: &str = "JUMP's tables are in `metadata/` of github.com/jump-cellpainting/datasets";

/// The tables of a folder.
#[derive(Clone, Debug)]
pub struct Tables {
    plate: PathBuf,
    /// Wells, and the compounds that they name.
    well: Option<(PathBuf, PathBuf)>,
    control: Option<PathBuf>,
    samples: Vec<PathBuf>,
    platemap: Option<PathBuf>,
}

/// Batch and type of a plate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    batch: String,
    plate_type: String,
}

/// Known plates by source and barcode.
type Plates = BTreeMap<(String, String), Known>;

/// What is in a well.
#[derive(Clone, Debug)]
struct Content {
    plate: (String, String),
    well: String,
    /// InChIKey, or the JCP2022 id where no table knows it.
    compound: String,
    structure: String,
    pert_type: String,
}

impl Tables {
    /// The tables of a folder, if it has JUMP's.
    ///
    /// # Errors
    /// Some of them without those that they need.
    pub fn find(folder: &Path) -> Result<Option<Tables>, Error> {
        let folders = [folder.to_owned(), folder.join("metadata")];
        let table = |name: &str| {
            let names = [name.to_owned(), format!("{name}.gz")];
            folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).find(|path| path.is_file())
        };
        let (well, compound) = (table("well.csv"), table("compound.csv"));
        let lacking = |there: &Path, missing: &str| Error::Usage {
            message: format!("`{}` is here, and no `{missing}` beside it", there.display()),
            hint: Some(HOME.to_owned()),
        };
        let Some(plate) = table("plate.csv") else {
            return match &well {
                Some(well) => Err(lacking(well, "plate.csv")),
                None => Ok(None),
            };
        };
        let well = match (well, compound) {
            (Some(well), Some(compound)) => Some((well, compound)),
            (Some(well), None) => return Err(lacking(&well, "compound.csv")),
            (None, _) => None,
        };
        let samples = folders.iter().flat_map(|folder| samples(folder)).collect();
        let platemap = table("JUMP-Target-2_compound_platemap.tsv");
        Ok(Some(Tables { plate, well, control: table("perturbation_control.csv"), samples, platemap }))
    }

    /// Every file that the join reads.
    pub fn files(&self) -> Vec<&Path> {
        let wells = self.well.iter().flat_map(|(well, compound)| [well, compound]);
        let files = [&self.plate].into_iter().chain(wells).chain(&self.control).chain(&self.samples);
        files.chain(&self.platemap).map(PathBuf::as_path).collect()
    }

    /// What is in the wells of these plates, by source, batch, plate, well and an empty site with
    /// tabulators between them.
    ///
    /// # Errors
    /// A table without its columns, a well with two compounds, a plate or sample listed twice, no
    /// table of targets, a plate on which the layout does not hold and whose wells no table has.
    pub fn join(
        &self,
        images: &BTreeSet<PlateName>,
        progress: &dyn Progress,
    ) -> Result<BTreeMap<String, Field>, Error> {
        let plates = self.plates(images, progress)?;
        let targets = Targets::read(&self.samples, self.platemap.as_deref())?;
        let mut tally = Tally::default();
        let contents = match &self.well {
            Some((well, compound)) => read::contents(well, compound, self.control.as_deref(), &plates, &mut tally)?,
            None => layout::contents(&self.plate, &plates, &targets, progress)?,
        };
        let manifest = Manifest::load(MANIFEST)?;
        let jump_keys = self.well.is_some() || targets.jump_keys();
        let mut fields = BTreeMap::new();
        for content in contents {
            let Content { plate, well, compound, structure, pert_type } = content;
            let known = &plates[&plate];
            let listed = manifest.plate(&plate.1).filter(|listed| listed.source == plate.0);
            let position = listed.filter(|listed| listed.standard_layout).map(|_| well.as_str());
            let found = targets.of(&compound, position);
            if known.plate_type == manifest.plate_type && pert_type != bench_data::NEGATIVE_CONTROL {
                tally.count(&compound, &found);
            }
            let (target, target_list) = match found {
                Found::Sample(sample, _) => (sample.target.clone(), sample.target_list.clone()),
                Found::Several(_) | Found::Nothing => Default::default(),
            };
            let key = [plate.0.as_str(), &known.batch, &plate.1, &well, ""].join("\t");
            let reference = if jump_keys { targets.by_reference_join(&compound) } else { "" };
            let target_reference_join = reference.to_owned();
            let plate_type = known.plate_type.clone();
            let field =
                Field { compound, structure, target, target_list, target_reference_join, pert_type, plate_type };
            fields.insert(key, field);
        }
        tally.tell(&targets, progress);
        Ok(fields)
    }

    /// The plates of images that JUMP knows.
    fn plates(&self, images: &BTreeSet<PlateName>, progress: &dyn Progress) -> Result<Plates, Error> {
        let all = read::plates(&self.plate)?;
        let (mut plates, mut unknown, mut elsewhere) = (Plates::new(), vec![], vec![]);
        for [source, batch, barcode] in images {
            let name = (source.clone(), barcode.clone());
            match all.get(&name) {
                None => unknown.push(format!("{source} {barcode}")),
                Some(known) if known.batch != *batch => {
                    elsewhere.push(format!("{source} {barcode} (`{batch}` and `{}`)", known.batch));
                }
                Some(known) => drop(plates.insert(name, known.clone())),
            }
        }
        let table = self.plate.display();
        if !unknown.is_empty() {
            progress.note(&format!(
                "{} plates of images are not in `{table}`: {}",
                unknown.len(),
                tell::listed(&unknown)
            ));
        }
        if !elsewhere.is_empty() {
            progress.note(&format!(
                "{} plates have one batch in the names of their images and another in `{table}`, and are left out: {}",
                elsewhere.len(),
                tell::listed(&elsewhere)
            ));
        }
        Ok(plates)
    }
}

/// Tables of the compounds of the TARGET2 plate, in order of their names.
fn samples(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("JUMP-Target-2_compound_metadata") && (name.ends_with(".tsv") || name.ends_with(".tsv.gz"))
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(ours).collect();
    paths.sort();
    paths
}

#[cfg(test)]
pub(super) mod tests;
