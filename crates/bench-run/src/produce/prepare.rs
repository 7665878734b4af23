//! Plates on disk: prepare raw images, check what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bench_core::Seed;
use bench_images::prepare::{self, PrepareReport};
pub use bench_images::prepare::{Illumination, Output, PrepareOptions, QcFilter, Recipe};
use bench_images::sites::{self, Rule};
use bench_images::store::{Problem, StoreOptions};
use bench_images::{FieldId, ImageStore, Policy};

use super::dataset::Known;
use super::fetch::Shard;
use super::jump::PlateName;
use super::{failed, make_folder};
use crate::{Error, Progress};

/// Written by `bench data fetch` in the folders that it fills.
const LEDGER: &str = "fetched.jsonl";
/// Written by `bench data prepare`.
const PREPARED: &str = "prepared.csv";

/// What to prepare, and how.
#[derive(Clone, Debug)]
pub struct PrepareRequest {
    /// Folder in the layout of JUMP, or a CSV table of files.
    pub input: PathBuf,
    /// Folder for the prepared images.
    pub out: PathBuf,
    /// What is done to each image.
    pub recipe: Recipe,
    /// What is written, and which fields are left out.
    pub options: PrepareOptions,
    /// Sites per well.
    pub sample: Rule,
    /// Which part of the plates.
    pub shard: Shard,
    /// Source, batch and barcode of the only plate to prepare.
    pub only: Option<PlateName>,
    /// Seed of sampling.
    pub seed: u64,
}

/// Prepares images and copies the tables beside them.
///
/// # Errors
/// Images that cannot be used, unless they may be skipped; a part without plates; output errors.
pub fn prepare(request: &PrepareRequest, progress: &dyn Progress) -> Result<PrepareReport, Error> {
    let PrepareRequest { input, out, recipe, options, .. } = request;
    recipe.check().map_err(failed("use the recipe"))?;
    let opening = StoreOptions { policy: options.policy, only: request.only.clone(), ..recipe.options() };
    let mut store = ImageStore::open_with(input, &opening).map_err(failed("open the images"))?;
    let folder = if input.is_dir() { input.clone() } else { input.parent().map(Path::to_owned).unwrap_or_default() };
    let known = Known::find(&folder);

    if let Some([source, batch, plate]) = &request.only {
        store.retain(&|id| id.source == *source && id.batch == *batch && id.plate == *plate);
    }
    let plates: BTreeSet<String> = store.ids().iter().map(FieldId::plate_key).collect();
    let plates: BTreeSet<String> = request.shard.of(plates.into_iter().collect::<Vec<_>>()).into_iter().collect();
    if plates.is_empty() {
        return Err(Error::Nothing {
            message: format!("part {} of {} holds no plate", request.shard.index, request.shard.of),
            hint: "there are fewer plates than parts".into(),
        });
    }
    store.retain(&|id| plates.contains(&id.plate_key()));
    if request.sample != Rule::All {
        let chosen = sample(request, &store, known.as_ref().ok(), progress)?;
        store.retain(&|id| chosen.contains(id));
    }

    make_folder(out)?;
    progress.step(1, 1, "prepare plates");
    let report = prepare::write(&store, out, options, &|done, total| progress.tick(done, total))
        .map_err(failed("prepare plates"))?;
    let Ok(known) = known else {
        progress
            .note("no table says what is in the wells: training and scoring need one, see data-manifests/README.md");
        return Ok(report);
    };
    let mut tables: Vec<PathBuf> = known.files().into_iter().map(Path::to_owned).collect();
    tables.push(folder.join("compounds.csv"));
    for from in tables.iter().filter(|path| path.is_file()) {
        let to = out.join(from.strip_prefix(&folder).unwrap_or(from));
        if to == *from {
            continue;
        }
        if let Some(parent) = to.parent() {
            make_folder(parent)?;
        }
        let bytes = std::fs::read(from).map_err(|source| Error::Input { path: from.clone(), source })?;
        bench_core::atomic::write(&to, &bytes).map_err(|source| Error::Write { path: to, source })?;
    }
    Ok(report)
}

/// The fields that a rule takes.
fn sample(
    request: &PrepareRequest,
    store: &ImageStore,
    known: Option<&Known>,
    progress: &dyn Progress,
) -> Result<BTreeSet<FieldId>, Error> {
    let fields = match known {
        Some(known) => known.fields(store, progress)?,
        None => {
            progress.note("no table says which wells are controls: every well counts as treated when sites are drawn");
            Default::default()
        }
    };
    let of = |id: &FieldId| {
        let key = [&id.source, &id.batch, &id.plate, &id.well].map(String::as_str).join("\t");
        let field = fields.get(&format!("{key}\t{}", id.site)).or_else(|| fields.get(&format!("{key}\t")));
        field.map_or(("", "trt"), |field| (field.plate_type.as_str(), field.pert_type.as_str()))
    };
    Ok(sites::choose_fields(request.sample, Seed(request.seed), store.ids(), &of))
}

/// What [`verify`] found.
#[derive(Debug)]
pub struct Verified {
    /// Files of a fetch that are right.
    pub fetched: Option<usize>,
    /// Prepared images that were compared with their table.
    pub prepared: Option<usize>,
    /// Fields of view in all.
    pub fields: usize,
    /// What cannot be used.
    pub problems: Vec<Problem>,
    /// Names the images.
    pub digest: Option<String>,
}

/// Compares fetched files with their ledger and prepared images with their table, and decodes every
/// image.
///
/// # Errors
/// There is nothing that can be checked.
pub fn verify(input: &Path) -> Result<Verified, Error> {
    let mut found = Verified { fetched: None, prepared: None, fields: 0, problems: vec![], digest: None };
    for folder in [input.to_owned(), input.join("metadata")] {
        if !folder.join(LEDGER).is_file() {
            continue;
        }
        let checked = bench_fetch::verify(&folder, &(), &AtomicBool::new(false)).map_err(failed("check the files"))?;
        *found.fetched.get_or_insert(0) += checked.right;
        let problem = |(name, flaw): (String, bench_fetch::verify::Flaw)| {
            let text = flaw.to_string();
            Problem { name, reason: "fetched".to_owned(), message: text }
        };
        found.problems.extend(checked.flaws.into_iter().map(problem));
    }
    if input.join(PREPARED).is_file() {
        let checked = prepare::verify(input).map_err(failed("check the images"))?;
        found.prepared = Some(checked.images);
        found.problems.extend(checked.problems);
    }
    let options = StoreOptions { policy: Policy::Skip, ..StoreOptions::default() };
    match ImageStore::open_with(input, &options) {
        Ok(store) => {
            found.fields = store.len();
            found.problems.extend(store.problems().to_vec());
            // A comparison with digests has read every image.
            if found.prepared.is_none() {
                found.problems.extend(store.verify());
            }
            found.digest = Some(store.digest().map_err(failed("read the images"))?);
        }
        // Tables alone were fetched.
        Err(bench_images::Error::Nothing { .. }) if found.fetched.is_some() => {}
        Err(error) => return Err(failed("open the images")(error)),
    }
    Ok(found)
}
