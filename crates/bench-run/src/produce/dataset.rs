//! A folder of plates: the table of fields, and which of them train and which are scored.
//!
//! # Tables
//! `metadata.csv` (or `.csv.gz`, `.parquet`) in the folder holds a row per field of view, or per
//! well, in the columns of JUMP: `Metadata_Source`, `Metadata_Batch`, `Metadata_Plate`,
//! `Metadata_Well`, `Metadata_PlateType`, a compound (`Metadata_InChIKey` or `Metadata_JCP2022`), a
//! structure (`Metadata_SMILES` or `Metadata_InChI`), and optionally `Metadata_Site`,
//! `Metadata_pert_type`, `target`. Fields of the image store that the table does not name are left
//! out and counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_core::digest;
use bench_images::store::StoreOptions;
use bench_images::{ImageStore, Policy};
use bench_train::{Catalogue, Origin, catalogue};

use super::failed;
use super::preset::Plates;
use crate::{Error, Progress};

/// What is known about a field of view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Compound.
    pub compound: String,
    /// SMILES or InChI.
    pub structure: String,
    /// Label.
    pub target: String,
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
    pub fields: Vec<Option<Field>>,
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

const UNIT: [&str; 4] = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"];
const OTHER: [(&str, &[&str]); 5] = [
    ("compound", &["Metadata_InChIKey", "Metadata_JCP2022", "Metadata_broad_sample"]),
    ("structure", &["Metadata_SMILES", "Metadata_InChI", "smiles"]),
    ("target", &["target", "Metadata_target", "target_list"]),
    ("pert_type", &["Metadata_pert_type", "pert_type"]),
    ("plate type", &["Metadata_PlateType"]),
];

impl Dataset {
    /// Opens a folder.
    ///
    /// # Errors
    /// No table, no images, a table without the columns named above, a well with two compounds.
    pub fn open(folder: &Path, policy: Policy, progress: &dyn Progress) -> Result<Dataset, Error> {
        let table = table_of(folder)?;
        let options = StoreOptions { policy, ..StoreOptions::default() };
        let store = ImageStore::open_with(folder, &options).map_err(failed("open the images"))?;
        for problem in store.problems() {
            progress.note(&format!("left out {} ({}): {}", problem.name, problem.reason, problem.message));
        }
        let known = read_table(&table)?;
        let fields: Vec<Option<Field>> = store
            .ids()
            .iter()
            .map(|id| {
                let key = [&id.source, &id.batch, &id.plate, &id.well].map(String::as_str).join("\t");
                known.get(&format!("{key}\t{}", id.site)).or_else(|| known.get(&format!("{key}\t"))).cloned()
            })
            .collect();
        let unnamed = fields.iter().filter(|field| field.is_none()).count();
        if unnamed == fields.len() {
            return Err(Error::Nothing {
                message: format!("`{}` names none of the {} images beside it", table.display(), fields.len()),
                hint: "sources, batches, plates and wells of the table must be those of the image names".into(),
            });
        }
        if unnamed > 0 {
            progress.note(&format!(
                "{unnamed} of {} images are not in `{}` and are left out",
                fields.len(),
                table.display()
            ));
        }
        let images = store.digest().map_err(failed("read the images"))?;
        let table = digest::of_file(&table).map_err(|source| Error::Input { path: table.clone(), source })?;
        let digest = digest::of_bytes(format!("{images}\n{table}").as_bytes());
        Ok(Dataset { store, fields, digest })
    }

    /// Positions of the images on plates of these types.
    pub fn on(&self, plate_types: &[String]) -> Vec<u32> {
        let here = |field: &Option<Field>| field.as_ref().is_some_and(|f| plate_types.contains(&f.plate_type));
        (0..self.fields.len() as u32).filter(|&i| here(&self.fields[i as usize])).collect()
    }

    /// Compounds and images of the training plates.
    ///
    /// # Errors
    /// No image, or a plate that is both trained on and scored.
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
        // A plate is one physical thing: by its name and source, whatever the table says of its type.
        let plate = |i: u32| {
            let id = &self.store.ids()[i as usize];
            (&id.source, &id.plate)
        };
        let scored: std::collections::BTreeSet<_> = scored.into_iter().map(plate).collect();
        if let Some((source, name)) = images.iter().map(|&i| plate(i)).find(|p| scored.contains(p)) {
            return Err(Error::Usage {
                message: format!("plate `{name}` of source `{source}` is both trained on and scored"),
                hint: Some("a plate has one type; see `plates` in the preset".into()),
            });
        }
        let mut builder = catalogue::Builder::new().fingerprints(fingerprints);
        for &i in &images {
            let id = &self.store.ids()[i as usize];
            let field = self.fields[i as usize].clone().unwrap_or_default();
            let structure = Some(field.structure.as_str()).filter(|text| !text.is_empty());
            // Stereoisomers and salts share the first block of the InChIKey: they are one substance here.
            let identity = field.compound.split('-').next().unwrap_or_default();
            builder.compound(&field.compound, Some(identity), structure);
            let origin =
                Origin { source: &id.source, batch: &id.batch, plate: &id.plate, well: &id.well, site: &id.site };
            builder.image(&field.compound, origin);
        }
        let catalogue = builder.finish().map_err(failed("list the compounds"))?;
        for (reason, count) in catalogue.skip_counts() {
            if count > 0 {
                progress.note(&format!("{count} compounds are not trained on: {reason}"));
            }
        }
        Ok(TrainingSet { catalogue, images })
    }
}

fn table_of(folder: &Path) -> Result<PathBuf, Error> {
    let names = ["metadata.csv", "metadata.csv.gz", "metadata.tsv", "metadata.parquet"];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| Error::Usage {
        message: format!("`{}` holds no table of its images", folder.display()),
        hint: Some(format!("expected one of {}; see data-manifests/README.md", names.join(", "))),
    })
}

/// Fields by their tab-separated unit and site; the site is empty where the table has none.
fn read_table(path: &Path) -> Result<BTreeMap<String, Field>, Error> {
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
        let [compound, structure, target, pert_type, plate_type] = [0, 1, 2, 3, 4].map(|i| cell(&other[i]));
        let field = Field { compound, structure, target, pert_type, plate_type };
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
