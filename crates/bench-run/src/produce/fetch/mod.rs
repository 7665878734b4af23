//! `bench data fetch`: from a manifest to tables, profiles and images in a folder.
//!
//! # What
//! First the tables that say what is on the plates, then per plate what was asked for: load-data
//! tables (where the images of a plate are), well profiles, embeddings, illumination functions, images. Images get the
//! names of the JUMP layout, so that `bench data prepare` and `bench run --data` take the folder
//! as it is.
//!
//! | what | where |
//! | --- | --- |
//! | metadata | `metadata/` |
//! | load-data | `load_data/{source}/{batch}/{plate}.csv` |
//! | profiles | `profiles/{source}/{batch}/{plate}.parquet` |
//! | embeddings | `embeddings/{name}/{source}/{batch}/{plate}.parquet` |
//! | illumination | `illum/{source}/{batch}/{plate}/{channel}.npy` |
//! | images | `{source}/{batch}/{plate}/{source}__{plate}__{well}__{site}__{channel}.tiff` |
//!
//! # Why
//! A run of this may take days. Whatever is there and right is not asked for again; what fails is
//! listed and does not stop the rest.

mod illumination;
mod images;
mod load_data;
mod plates;
mod profiles;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use bench_fetch::{Access, Options, Proxy, Retry};
use bench_fetch::{Cause, Failure, Object, Remote, Report, Tally};
use bench_images::Policy;
use bench_images::prepare::{PrepareOptions, Recipe};
use bench_images::sites::Rule;

use super::{failed, prepare};
use crate::manifest::{Manifest, Plate};
use crate::{Error, Progress};

pub use images::{Sample, sample};
pub use plates::{Filter, Shard};

/// What can be fetched, in the order in which it is.
pub const KINDS: [&str; 6] = ["metadata", "load-data", "profiles", "embeddings", "illumination", "images"];

/// Where the tables of manifests are published.
const TABLES: &str = "https://raw.githubusercontent.com";

/// What to fetch, and how.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Id of the manifest.
    pub manifest: String,
    /// Some of [`KINDS`].
    pub what: Vec<String>,
    /// Which plates, wells and sites.
    pub filter: Filter,
    /// Sites per well.
    pub sample: Sample,
    /// Which part of the plates.
    pub shard: Shard,
    /// Keeps plates that the manifest advises to drop.
    pub keep_bad: bool,
    /// Bucket instead of that of the manifest: `s3://name`, or a folder.
    pub bucket: Option<String>,
    /// Site or folder of the tables instead of GitHub.
    pub tables: Option<String>,
    /// How servers are reached.
    pub access: Access,
    /// How many objects at once, and what is checked again.
    pub options: Options,
    /// Folder.
    pub out: PathBuf,
    /// Only says what would be fetched.
    pub dry_run: bool,
    /// Seed of sampling.
    pub seed: u64,
    /// Prepares the images of each plate as soon as they are here, and removes the raw ones.
    pub prepare: Option<PrepareInto>,
}

/// Where prepared plates go, and what is done to their images.
#[derive(Clone, Debug)]
pub struct PrepareInto {
    /// Folder of the packed plates.
    pub out: PathBuf,
    /// What is done to each image.
    pub recipe: Recipe,
    /// Which fields are left out.
    pub options: PrepareOptions,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// By kind: objects planned, their bytes as far as known, fetched, there already.
    pub kinds: Vec<(String, Counts)>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Bytes that came over the network.
    pub bytes_received: u64,
    /// Requests made.
    pub requests: u64,
}

/// Numbers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects asked for.
    pub objects: usize,
    /// Bytes of those whose length is known.
    pub bytes: u64,
    /// Objects whose length is not known.
    pub unknown: usize,
    /// Fetched now.
    pub fetched: usize,
    /// There already.
    pub present: usize,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.unknown += other.unknown;
        self.fetched += other.fetched;
        self.present += other.present;
    }
}

/// Does a request.
///
/// # Errors
/// No such manifest, data that cannot be fetched without an account, no plate left, a folder that
/// cannot be written to. Objects that fail are no error: they are listed.
pub fn fetch(request: &FetchRequest, progress: &dyn Progress, interrupted: &AtomicBool) -> Result<Fetched, Error> {
    let manifest = Manifest::load(&request.manifest)?;
    for kind in &request.what {
        if !KINDS.contains(&kind.as_str()) {
            let meant = bench_core::suggest::closest(kind, KINDS).map(|meant| format!("did you mean `{meant}`? "));
            return Err(Error::Usage {
                message: format!("`{kind}` cannot be fetched"),
                hint: Some(format!("{}kinds are {}", meant.unwrap_or_default(), KINDS.join(", "))),
            });
        }
    }
    let mut job = Job { request, manifest, progress, interrupted, done: Fetched::default() };
    let wants = |kind: &str| request.what.iter().any(|what| what == kind);
    if wants("metadata") {
        job.metadata()?;
    }
    if KINDS[1..].iter().any(|kind| wants(kind)) && !job.done.interrupted {
        job.plates(&wants)?;
    }
    Ok(job.done)
}

/// A request that is being done.
struct Job<'a> {
    request: &'a FetchRequest,
    manifest: &'static Manifest,
    progress: &'a dyn Progress,
    interrupted: &'a AtomicBool,
    done: Fetched,
}

impl Job<'_> {
    /// The tables that say what is on the plates.
    fn metadata(&mut self) -> Result<(), Error> {
        let home = self.request.tables.as_deref().unwrap_or(TABLES);
        let remote = Remote::open(home, &self.request.access).map_err(failed("reach the tables"))?;
        let objects = tables::objects(self.manifest);
        self.get("metadata", &remote, &objects, &self.request.out.join("metadata"))
    }

    /// Everything that comes from the bucket.
    fn plates(&mut self, wants: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let remote = self.bucket()?;
        let chosen = plates::choose(self.manifest, &remote, self.request, self.progress)?;
        let out = self.request.out.clone();
        for kind in ["load-data", "profiles", "embeddings"] {
            let needed = wants(kind) || (kind == "load-data" && (wants("images") || wants("illumination")));
            if needed && !self.done.interrupted {
                let (objects, missing) = profiles::objects(kind, self.manifest, &remote, &chosen, self.progress)?;
                self.done.failures.extend(missing);
                self.get(kind, &remote, &objects, &out)?;
            }
        }
        if (wants("images") || wants("illumination")) && !self.done.interrupted {
            // Where images are is known from tables alone: a dry run looks at them and throws them away.
            let passing = tempfile::tempdir().map_err(failed("make a temporary folder"))?;
            if self.request.dry_run {
                let lacking: Vec<Plate> =
                    chosen.iter().filter(|plate| images::table(&out, plate).is_none()).cloned().collect();
                let (objects, _) = profiles::objects("load-data", self.manifest, &remote, &lacking, self.progress)?;
                remote
                    .fetch(&objects, passing.path(), &self.request.options, &Bar(self.progress), self.interrupted)
                    .map_err(failed("fetch"))?;
            }
            let tables = [out.as_path(), passing.path()];
            if wants("illumination") {
                let (objects, missing) =
                    illumination::objects(self.manifest, &remote, &chosen, &tables, self.progress)?;
                self.done.failures.extend(missing);
                self.get("illumination", &remote, &objects, &out)?;
            }
            if !wants("images") || self.done.interrupted {
                return Ok(());
            }
            let Some(into) = self.request.prepare.as_ref().filter(|_| !self.request.dry_run) else {
                return self.images(&remote, &chosen, &tables).map(|_| ());
            };
            for plate in &chosen {
                if self.done.interrupted {
                    break;
                }
                self.stream(&remote, plate, into)?;
            }
        }
        Ok(())
    }

    /// The images of some plates; whether all of them are here.
    fn images(&mut self, remote: &Remote, plates: &[Plate], tables: &[&Path]) -> Result<bool, Error> {
        let before = self.done.failures.len();
        let objects = images::objects(self.request, self.manifest, remote, plates, tables, self.progress)?;
        let some = !objects.wanted.is_empty();
        self.done.failures.extend(objects.missing);
        self.get("images", remote, &objects.wanted, &self.request.out)?;
        Ok(some && self.done.failures.len() == before && !self.done.interrupted)
    }

    /// The images of one plate, prepared and then removed. A plate that is prepared is not fetched again.
    fn stream(&mut self, remote: &Remote, plate: &Plate, into: &PrepareInto) -> Result<(), Error> {
        let (source, batch, barcode) = (&plate.source, &plate.batch, &plate.barcode);
        if into.out.join(format!("{source}__{batch}__{barcode}.bplate")).is_file() {
            self.progress.note(&format!("plate `{barcode}` is prepared already"));
            return Ok(());
        }
        let out = self.request.out.clone();
        if !self.images(remote, std::slice::from_ref(plate), &[out.as_path()])? && into.options.policy == Policy::Error
        {
            self.progress.note(&format!("plate `{barcode}` is not whole and was not prepared; its images are kept"));
            return Ok(());
        }
        prepare::prepare(
            &prepare::PrepareRequest {
                input: out.clone(),
                out: into.out.clone(),
                recipe: into.recipe.clone(),
                options: into.options,
                sample: Rule::All,
                shard: Shard::default(),
                only: Some([source.clone(), batch.clone(), barcode.clone()]),
                seed: self.request.seed,
            },
            self.progress,
        )?;
        let raw = out.join(source).join(batch).join(barcode);
        std::fs::remove_dir_all(&raw).map_err(|source| Error::Write { path: raw, source })
    }

    fn bucket(&self) -> Result<Remote, Error> {
        let named = self.manifest.bucket.as_ref().and_then(|bucket| bucket.name.as_deref());
        let fetchable = self.manifest.fetch.as_ref().is_some_and(|fetch| fetch.possible);
        let address = match (&self.request.bucket, named) {
            (Some(address), _) => address.clone(),
            (None, Some(name)) if fetchable => format!("s3://{name}"),
            _ => {
                let why = self.manifest.fetch.as_ref().map(|fetch| fetch.why.clone());
                return Err(Error::Usage {
                    message: format!("`{}` cannot be fetched from an open bucket", self.manifest.id),
                    hint: why.or_else(|| Some(format!("see `bench data show {}`", self.manifest.id))),
                });
            }
        };
        let region = self.manifest.bucket.as_ref().and_then(|bucket| bucket.region.clone());
        let access = Access {
            region: region.unwrap_or_else(|| self.request.access.region.clone()),
            ..self.request.access.clone()
        };
        Remote::open(&address, &access).map_err(failed("reach the bucket"))
    }

    /// Fetches objects, or counts them.
    fn get(&mut self, kind: &str, remote: &Remote, objects: &[Object], folder: &Path) -> Result<(), Error> {
        let mut counts = Counts {
            objects: objects.len(),
            bytes: objects.iter().filter_map(|object| object.bytes).sum(),
            unknown: objects.iter().filter(|object| object.bytes.is_none()).count(),
            ..Counts::default()
        };
        if !self.request.dry_run && !objects.is_empty() {
            self.progress.step(self.done.kinds.len() + 1, self.request.what.len(), &format!("fetch {kind}"));
            let report = remote
                .fetch(objects, folder, &self.request.options, &Bar(self.progress), self.interrupted)
                .map_err(failed("fetch"))?;
            (counts.fetched, counts.present) = (report.fetched, report.present);
            self.add(report);
        }
        match self.done.kinds.iter_mut().find(|(known, _)| known == kind) {
            Some((_, all)) => all.add(counts),
            None => self.done.kinds.push((kind.to_owned(), counts)),
        }
        Ok(())
    }

    fn add(&mut self, report: Report) {
        self.done.failures.extend(report.failures);
        self.done.interrupted |= report.interrupted;
        self.done.bytes_received += report.bytes_received;
        self.done.requests += report.requests;
    }
}

/// An object that should be there and is not.
fn missing(key: String, path: String, message: String) -> Failure {
    Failure { key, path, attempts: 1, cause: Cause::Missing, message }
}

/// Shows bytes on the bar of the terminal.
struct Bar<'a>(&'a dyn Progress);

impl bench_fetch::Progress for Bar<'_> {
    fn update(&self, tally: &Tally) {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        let total = if tally.bytes > 0 { format!(" of {:.1}", mega(tally.bytes)) } else { String::new() };
        let failed =
            if tally.objects_failed > 0 { format!(", {} failed", tally.objects_failed) } else { String::new() };
        self.0.detail(&format!("{:.1}{total} MB{failed}", mega(tally.bytes_done)));
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        self.0.tick(count(tally.objects_done + tally.objects_failed), count(tally.objects));
    }

    fn failed(&self, failure: &Failure) {
        self.0.note(&format!("`{}` failed after {} requests: {}", failure.key, failure.attempts, failure.message));
    }
}
