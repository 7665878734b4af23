//! Simulated plates on disk.
//!
//! # What
//! ```text
//! README.md          says that everything is simulated, and how
//! simulation.json    {"simulated": true, digest, configuration}
//! metadata.csv       a row per field in the columns of JUMP, and `simulated`
//! compounds.csv      a row per compound: SMILES, target, potency, kind
//! *.bplate           packed plates, or
//! {source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.png
//! ```
//!
//! # Interruption
//! A plate is whole or absent: packed files are renamed when complete, folders too. A second call
//! with the same configuration keeps what is there; a folder of another configuration is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bench_core::{Seed, atomic};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Format, PlateType, SimulationConfig, Simulator, Target2Plan, phenotype, plan::Plate};
use crate::channels::Channels;
use crate::csv::push_row;
use crate::image::Pixels;
use crate::store::file::encode_png;
use crate::store::folder::SIMULATED_MARK;
use crate::store::pack::write_plate;
use crate::store::packed::{self, ENDING, PlateHeader};
use crate::store::{Policy, has_extension};
use crate::{Error, Result};

/// Side of the tiles of simulated plates: small fields are one tile.
const TILE: usize = 128;
/// Marks a complete plate folder.
const COMPLETE: &str = ".complete";

/// What is written beside the plates.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    simulated: bool,
    digest: String,
    configuration: SimulationConfig,
}

/// What [`write()`] did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimulationReport {
    /// Digest of the configuration.
    pub digest: String,
    /// Plates in all.
    pub plates: usize,
    /// How many of them were there already.
    pub kept: usize,
    /// Fields in all.
    pub fields: usize,
    /// The table of fields.
    pub metadata: PathBuf,
    /// The table of compounds.
    pub compounds: PathBuf,
}

/// Writes all plates and tables into `folder`. `progress` hears (fields done, fields in all).
pub fn write(
    simulator: &Simulator,
    folder: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<SimulationReport> {
    let config = simulator.config();
    let digest = config.digest();
    claim(folder, config, &digest)?;
    let total = simulator.fields();
    let (mut done, mut kept) = (0, 0);
    for plate in simulator.plates() {
        let n: usize = plate.wells.iter().map(|well| well.fields).sum();
        let report = |fields: usize| progress(done + fields, total);
        let there = match config.format {
            Format::Packed => packed_plate(simulator, plate, folder, &digest, &report)?,
            Format::Folder => folder_plate(simulator, plate, folder, &digest)?,
        };
        kept += usize::from(there);
        done += n;
        progress(done, total);
    }
    let (metadata, compounds) = (folder.join("metadata.csv"), folder.join("compounds.csv"));
    put(&metadata, &metadata_table(simulator))?;
    put(&compounds, &compound_table(simulator))?;
    Ok(SimulationReport { digest, plates: simulator.plates().len(), kept, fields: total, metadata, compounds })
}

fn put(path: &Path, text: &str) -> Result<()> {
    // A table that is there already and right is not written again.
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    atomic::write(path, text.as_bytes()).map_err(|source| Error::write(path, source))
}

/// Marks the folder as this simulation's, or fails if it is something else's.
fn claim(folder: &Path, config: &SimulationConfig, digest: &str) -> Result<()> {
    let mark = folder.join(SIMULATED_MARK);
    atomic::sweep(folder);
    match fs::read(&mark) {
        Ok(bytes) => {
            let there: Mark = serde_json::from_slice(&bytes).map_err(|e| Error::corrupt(&mark, e.to_string()))?;
            if there.digest != digest {
                let reason = format!("digest {} there, {digest} now; choose another folder", there.digest);
                return Err(Error::Occupied { path: folder.to_owned(), reason });
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let others = fs::read_dir(folder).map(|mut entries| entries.next().is_some()).unwrap_or(false);
            if others {
                let reason = "it is not empty and holds no simulation; choose another folder".to_owned();
                return Err(Error::Occupied { path: folder.to_owned(), reason });
            }
            let text = Mark { simulated: true, digest: digest.to_owned(), configuration: config.clone() };
            let text = serde_json::to_string_pretty(&text).expect("a configuration becomes JSON");
            put(&mark, &(text + "\n"))?;
        }
        Err(source) => return Err(Error::read(&mark, source)),
    }
    put(&folder.join("README.md"), &readme(config, digest))
}

fn readme(config: &SimulationConfig, digest: &str) -> String {
    let plan = match config.target2.plan {
        Target2Plan::Grid => "",
        Target2Plan::Jump => {
            "Batches and barcodes of the TARGET2 plates are those of JUMP-CP with `sim` before them. That each quadrant \
             of the\nplates of source_9 repeats the 384-well layout is an assumption.\n"
        }
    };
    format!(
        "# Simulated Cell Painting plates\n\n\
         Everything in this folder is simulated: no cell was imaged, and no compound has the effect that its images \
         show.\nNames of sources are those of JUMP imaging centres, whose microscopes these are not; batches and plates \
         begin with `sim`.\nThe wells of TARGET2 plates, their compounds and targets are the real layout. Compounds of \
         the other plates are real\n(`kind` real in `compounds.csv`) or made by combining substituents (synthetic); \
         their targets are assumptions.\n{plan}\n\
         - `simulation.json`: the configuration; digest `{digest}`\n\
         - `metadata.csv`: a row per field of view\n\
         - `compounds.csv`: a row per compound, with the potency it was given\n\
         - plates: `*.bplate` (packed) or `source/batch/plate/*.png`\n"
    )
}

fn packed_plate(
    simulator: &Simulator,
    plate: &Plate,
    folder: &Path,
    digest: &str,
    progress: &dyn Fn(usize),
) -> Result<bool> {
    let fields = plate.fields();
    let key = plate.field_id(fields[0].0, fields[0].1).plate_key();
    let path = folder.join(format!("{key}.{ENDING}"));
    if packed::read_header(&path).is_ok_and(|header| header.origin == digest && header.fields.len() == fields.len()) {
        return Ok(true);
    }
    let header = PlateHeader {
        simulated: true,
        origin: digest.to_owned(),
        source: plate.source.clone(),
        batch: plate.batch.clone(),
        plate: plate.name.clone(),
        channels: Channels::jump().names().to_vec(),
        bits: 8,
        tile: TILE,
        fields: Vec::new(),
        left_out: Vec::new(),
    };
    let render = |i: usize| {
        let (well, site) = fields[i];
        (plate.field_id(well, site), Ok(simulator.render(plate, well, site)))
    };
    write_plate(&path, header, fields.len(), Policy::Error, &render, progress)?;
    Ok(false)
}

fn folder_plate(simulator: &Simulator, plate: &Plate, folder: &Path, digest: &str) -> Result<bool> {
    let batch = folder.join(&plate.source).join(&plate.batch);
    let path = batch.join(&plate.name);
    if fs::read(path.join(COMPLETE)).is_ok_and(|there| there == digest.as_bytes()) {
        return Ok(true);
    }
    // A hidden name: a scan passes over what an interrupted run leaves.
    let temporary = batch.join(format!(".{}.tmp", plate.name));
    for old in [&temporary, &path] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(|source| Error::write(old, source))?;
        }
    }
    fs::create_dir_all(&temporary).map_err(|source| Error::write(&temporary, source))?;
    let channels = Channels::jump();
    let write_field = |(well, site): (&super::Well, usize)| -> Result<()> {
        let image = simulator.render(plate, well, site);
        let Pixels::U8(pixels) = &image.pixels else { unreachable!("fields are rendered in 8 bits") };
        for (c, channel) in channels.names().iter().enumerate() {
            let file = temporary.join(file_name(plate, &well.name(), site, channel));
            let values: Vec<u8> = pixels[c..].iter().step_by(image.channels).copied().collect();
            let bytes = encode_png(&file, image.height, image.width, &values)?;
            fs::write(&file, bytes).map_err(|source| Error::write(&file, source))?;
        }
        Ok(())
    };
    plate.fields().into_par_iter().map(write_field).collect::<Result<Vec<()>>>()?;
    let complete = temporary.join(COMPLETE);
    fs::write(&complete, digest).map_err(|source| Error::write(&complete, source))?;
    fs::rename(&temporary, &path).map_err(|source| Error::write(&path, source))?;
    Ok(false)
}

fn file_name(plate: &Plate, well: &str, site: usize, channel: &str) -> String {
    format!("{}__{}__{well}__{site}__{channel}.png", plate.source, plate.name)
}

/// The table of fields.
pub(super) fn metadata_table(simulator: &Simulator) -> String {
    let channels = Channels::jump();
    let names = [
        "Metadata_Source",
        "Metadata_Batch",
        "Metadata_Plate",
        "Metadata_PlateType",
        "Metadata_Well",
        "Metadata_Site",
        "Metadata_JCP2022",
        "Metadata_InChIKey",
        "Metadata_SMILES",
        "Metadata_pert_type",
        "target",
        "compound_kind",
        "simulated",
    ];
    let mut header: Vec<String> = names.map(str::to_owned).to_vec();
    let folder = simulator.config().format == Format::Folder;
    if folder {
        header.extend(channels.names().iter().map(|name| format!("FileName_Orig{name}")));
    }
    let mut text = String::new();
    push_row(&mut text, &header);
    for plate in simulator.plates() {
        for (well, site) in plate.fields() {
            let compound = &well.compound;
            let (name, site_name) = (well.name(), site.to_string());
            let mut row: Vec<String> = [
                &plate.source,
                &plate.batch,
                &plate.name,
                plate.kind.name(),
                &name,
                &site_name,
                &compound.jcp2022,
                &compound.inchikey,
                &compound.smiles,
                &well.pert_type,
                &compound.target,
                &compound.kind,
                "true",
            ]
            .map(str::to_owned)
            .to_vec();
            if folder {
                let path = |channel| {
                    let file = file_name(plate, &name, site, channel);
                    format!("{}/{}/{}/{file}", plate.source, plate.batch, plate.name)
                };
                row.extend(channels.names().iter().map(|channel| path(channel)));
            }
            push_row(&mut text, &row);
        }
    }
    text
}

/// The table of compounds.
fn compound_table(simulator: &Simulator) -> String {
    let config = simulator.config();
    // False sorts first: training compounds before those of TARGET2.
    let mut rows: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for plate in simulator.plates() {
        for well in &plate.wells {
            let c = &well.compound;
            let potency = if c.target.is_empty() { 0.0 } else { phenotype::potency(Seed(config.seed), &c.inchikey) };
            let role = if plate.kind == PlateType::Target2 { "TARGET2" } else { "COMPOUND" };
            let row = vec![
                role.to_owned(),
                c.jcp2022.clone(),
                c.inchikey.clone(),
                c.smiles.clone(),
                well.pert_type.clone(),
                c.target.clone(),
                c.kind.clone(),
                format!("{:.6}", potency * config.effect_size),
                "true".to_owned(),
            ];
            rows.insert((plate.kind == PlateType::Target2, c.jcp2022.clone()), row);
        }
    }
    let mut text = String::new();
    push_row(
        &mut text,
        &[
            "Metadata_PlateType",
            "Metadata_JCP2022",
            "Metadata_InChIKey",
            "Metadata_SMILES",
            "Metadata_pert_type",
            "target",
            "compound_kind",
            "potency",
            "simulated",
        ],
    );
    for row in rows.values() {
        push_row(&mut text, row);
    }
    text
}

/// Whether a folder holds simulated plates: by its mark, or by the headers of packed plates.
pub fn is_simulated(folder: &Path) -> bool {
    if folder.join(SIMULATED_MARK).is_file() {
        return true;
    }
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut plates = entries.flatten().map(|entry| entry.path()).filter(|path| has_extension(path, &[ENDING]));
    plates.any(|path| packed::read_header(&path).is_ok_and(|header| header.simulated))
}
