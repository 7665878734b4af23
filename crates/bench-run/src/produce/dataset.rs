//! A folder of plates: what is known of its fields, and which of them train and which are scored.
//!
//! # Tables
//! `metadata.csv` (or `.csv.gz`, `.tsv`, `.parquet`) in the folder, read by [`table`]; or JUMP's own
//! tables, joined by [`super::jump`]. Fields of the image store that no table names are left out
//! and counted.
//!
//! # Held out
//! Plates are held out of training, as in the paper; compounds are not. [`held_out`] refuses to
//! train on a plate that is scored or that a manifest lists as held out, and says how many of the
//! training compounds are on scored plates, too.

mod held_out;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bench_core::digest;
use bench_images::store::StoreOptions;
use bench_images::{ImageStore, Policy};
use bench_train::{Catalogue, Origin, catalogue};

use super::failed;
use super::jump::{PlateName, Tables};
use super::preset::Plates;
use crate::{Error, Progress};

/// What is known about a field of view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Compound.
    pub compound: String,
    /// SMILES or InChI.
    pub structure: String,
    /// Label: one gene, where the tables have one.
    pub target: String,
    /// All genes that the compound acts on, `A|B`.
    pub target_list: String,
    /// The target, if the compound survives the join of InChIKeys in the code of Watkinson et al.
    pub target_reference_join: String,
    /// `trt`, `negcon` or `poscon`.
    pub pert_type: String,
    /// Type of the plate.
    pub plate_type: String,
}

/// Plates that are open.
#[derive(Debug)]
pub struct Dataset {
    /// The images.
    pub store: ImageStore,
    /// What is known about each image of the store, in its order; `None` if the table lacks it.
    pub fields: Vec<Option<Arc<Field>>>,
    /// Names pixels and table.
    pub digest: String,
}

/// Images with their compounds, as a training sees them.
#[derive(Debug)]
pub struct TrainingSet {
    /// Compounds and where their images come from.
    pub catalogue: Catalogue,
    /// Position in the store of each image of the catalogue.
    pub images: Vec<u32>,
}

/// What says what is in the wells.
pub(super) enum Known {
    Table(PathBuf),
    Jump(Tables),
}

impl Known {
    /// The tables of a folder.
    pub(super) fn find(folder: &Path) -> Result<Known, Error> {
        if let Some(table) = table::NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
            return Ok(Known::Table(table));
        }
        Tables::find(folder)?.map(Known::Jump).ok_or_else(|| Error::Usage {
            message: format!("`{}` holds no table of its images", folder.display()),
            hint: Some(format!(
                "expected one of {}, or JUMP's plate.csv with its other tables; see data-manifests/README.md",
                table::NAMES.join(", ")
            )),
        })
    }

    /// Every file that is read.
    pub(super) fn files(&self) -> Vec<&Path> {
        match self {
            Known::Table(path) => vec![path],
            Known::Jump(tables) => tables.files(),
        }
    }

    /// What stands for it in messages.
    fn shown(&self) -> String {
        match self {
            Known::Table(path) => format!("`{}`", path.display()),
            Known::Jump(tables) => format!("JUMP's tables (`{}` and those with it)", tables.files()[0].display()),
        }
    }

    /// Fields by source, batch, plate, well and site with tabulators between them; the site is
    /// empty where a row is a well.
    pub(super) fn fields(&self, store: &ImageStore, progress: &dyn Progress) -> Result<BTreeMap<String, Field>, Error> {
        match self {
            Known::Table(path) => table::read(path),
            Known::Jump(tables) => {
                let plates: BTreeSet<PlateName> =
                    store.ids().iter().map(|id| [&id.source, &id.batch, &id.plate].map(String::clone)).collect();
                tables.join(&plates, progress)
            }
        }
    }
}

impl Dataset {
    /// Opens a folder.
    ///
    /// # Errors
    /// No table, no images, a table without the columns it must have, a well with two compounds.
    pub fn open(folder: &Path, policy: Policy, progress: &dyn Progress) -> Result<Dataset, Error> {
        let known = Known::find(folder)?;
        let options = StoreOptions { policy, ..StoreOptions::default() };
        let store = ImageStore::open_with(folder, &options).map_err(failed("open the images"))?;
        for problem in store.problems() {
            progress.note(&format!("left out {} ({}): {}", problem.name, problem.reason, problem.message));
        }
        let wells = known.fields(&store, progress)?;
        let wells: BTreeMap<String, Arc<Field>> =
            wells.into_iter().map(|(key, field)| (key, Arc::new(field))).collect();
        let fields: Vec<Option<Arc<Field>>> = store
            .ids()
            .iter()
            .map(|id| {
                let key = [&id.source, &id.batch, &id.plate, &id.well].map(String::as_str).join("\t");
                wells.get(&format!("{key}\t{}", id.site)).or_else(|| wells.get(&format!("{key}\t"))).cloned()
            })
            .collect();
        let unnamed = fields.iter().filter(|field| field.is_none()).count();
        if unnamed == fields.len() {
            return Err(Error::Nothing {
                message: format!("none of the {} images is in {}", fields.len(), known.shown()),
                hint: "sources, batches, plates and wells of the table must be those of the image names".into(),
            });
        }
        if unnamed > 0 {
            let (total, shown) = (fields.len(), known.shown());
            progress.note(&format!("{unnamed} of {total} images are not in {shown} and are left out"));
        }
        let mut digests = vec![store.digest().map_err(failed("read the images"))?];
        for path in known.files() {
            let digest = digest::of_file(path).map_err(|source| Error::Input { path: path.to_owned(), source })?;
            digests.push(digest);
        }
        let digest = digest::of_bytes(digests.join("\n").as_bytes());
        Ok(Dataset { store, fields, digest })
    }

    /// Positions of the images on plates of these types.
    pub fn on(&self, plate_types: &[String]) -> Vec<u32> {
        let here = |field: &Option<Arc<Field>>| field.as_ref().is_some_and(|f| plate_types.contains(&f.plate_type));
        (0..self.fields.len() as u32).filter(|&i| here(&self.fields[i as usize])).collect()
    }

    /// Compounds and images of the training plates.
    ///
    /// # Errors
    /// No image, or a plate to train on that is scored or held out by a manifest.
    pub fn training(&self, plates: &Plates, fingerprints: bool, progress: &dyn Progress) -> Result<TrainingSet, Error> {
        let images = self.on(&plates.train);
        let empty = |what: &str, types: &[String]| Error::Nothing {
            message: format!("no image of a plate to {what} (of type {})", types.join(", ")),
            hint: "see `plates` in the preset, and `Metadata_PlateType` in the table".into(),
        };
        if images.is_empty() {
            return Err(empty("train on", &plates.train));
        }
        let scored = self.on(&plates.score);
        if scored.is_empty() {
            return Err(empty("score", &plates.score));
        }
        held_out::check(self, &images, &scored)?;
        let catalogue = self.catalogue(&images, fingerprints, progress)?;
        held_out::tell(self, &catalogue, &scored, progress);
        Ok(TrainingSet { catalogue, images })
    }

    /// Compounds of these images; those whose structure cannot be used are counted.
    ///
    /// # Errors
    /// An image that is there twice.
    pub fn catalogue(&self, images: &[u32], fingerprints: bool, progress: &dyn Progress) -> Result<Catalogue, Error> {
        let mut builder = catalogue::Builder::new().fingerprints(fingerprints);
        for &i in images {
            let id = &self.store.ids()[i as usize];
            let field = self.fields[i as usize].clone().unwrap_or_default();
            let structure = Some(field.structure.as_str()).filter(|text| !text.is_empty());
            builder.compound(&field.compound, Some(identity(&field)), structure);
            let origin =
                Origin { source: &id.source, batch: &id.batch, plate: &id.plate, well: &id.well, site: &id.site };
            builder.image(&field.compound, origin);
        }
        let catalogue = builder.finish().map_err(failed("list the compounds"))?;
        for (reason, count) in catalogue.skip_counts() {
            if count > 0 {
                progress.note(&format!("{count} compounds are left out: {reason}"));
            }
        }
        Ok(catalogue)
    }
}

/// Stereoisomers and salts share the first block of the InChIKey: they are one substance here.
fn identity(field: &Field) -> &str {
    field.compound.split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
