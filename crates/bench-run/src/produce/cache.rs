//! The cache of plates, trainings and embeddings: how large it is, what may go, and why a step is done again.
//!
//! # What
//! An entry is a folder `KIND/DIGEST`, where the digest is of everything that decides what lies in it. Beside its files
//! an entry has `key.json`, the same in words, so that [`why`] can say which setting differs.
//!
//! # What it cannot show
//! Who uses an entry: it is as old as its youngest file. [`prune`] removes nothing that was written to since.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bench_core::atomic;
use bench_images::simulate::Simulator;
use bench_train::checkpoint::Checkpoint;
use bench_train::fit::LAST;
use serde_json::{Value, json};

use super::dataset::Dataset;
use super::preset::Baseline;
use super::train::{self, Job};
use super::{Place, Production, embed, failed, retrieve, steps};
use crate::{Error, Progress};

/// What is kept.
pub const KINDS: [&str; 4] = ["plates", "models", "embeddings", "retrieval"];

/// What decided an entry, in words.
const KEY: &str = "key.json";

/// Ending of the name of an entry that is being removed.
const REMOVED: &str = "removed";

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Name of its folder.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// When its youngest file was written.
    pub written: SystemTime,
}

/// Writes down what decided an entry.
pub(super) fn describe(folder: &Path, revision: u32, words: &Value) -> Result<(), Error> {
    let path = folder.join(KEY);
    if path.is_file() {
        return Ok(());
    }
    let bytes =
        serde_json::to_vec(&json!({ "revision": revision, "decided": words })).map_err(failed("name an entry"))?;
    atomic::write(&path, &bytes).map_err(|source| Error::Write { path, source })
}

/// Every entry of a cache, by kind and name. Folders of other names are not ours and not listed.
///
/// # Errors
/// The folder cannot be read; one that is not there is empty.
pub fn entries(cache: &Path) -> Result<Vec<Entry>, Error> {
    let mut found = Vec::new();
    for kind in KINDS {
        let folder = cache.join(kind);
        let unreadable = |source| Error::Input { path: folder.clone(), source };
        let inside = match std::fs::read_dir(&folder) {
            Ok(inside) => inside,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        for entry in inside {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.len() == 24 && name.bytes().all(|b| b.is_ascii_hexdigit());
            // A link leads elsewhere, where nothing is ours.
            if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(measure(kind, name, entry.path()).map_err(unreadable)?);
            }
        }
    }
    found.sort_by(|a, b| (position(a.kind), &a.name).cmp(&(position(b.kind), &b.name)));
    Ok(found)
}

fn position(kind: &str) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
}

fn measure(kind: &'static str, name: String, folder: PathBuf) -> std::io::Result<Entry> {
    let mut entry = Entry { kind, name, folder, files: 0, bytes: 0, written: SystemTime::UNIX_EPOCH };
    let mut open = vec![entry.folder.clone()];
    while let Some(folder) = open.pop() {
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            // What a link leads to is counted where it lies.
            let meta = file.metadata()?;
            if meta.is_dir() {
                open.push(file.path());
            } else {
                entry.files += 1;
                entry.bytes += meta.len();
                entry.written = entry.written.max(meta.modified()?);
            }
        }
    }
    Ok(entry)
}

/// Removes entries that were not written to for this long; with `dry`, says which they would be.
///
/// # Errors
/// The cache cannot be read, or an entry cannot be removed.
pub fn prune(cache: &Path, older_than: Duration, now: SystemTime, dry: bool) -> Result<Vec<Entry>, Error> {
    if !dry {
        clear_removed(cache);
    }
    let old = |entry: &Entry| now.duration_since(entry.written).is_ok_and(|age| age >= older_than);
    let gone: Vec<Entry> = entries(cache)?.into_iter().filter(old).collect();
    if !dry {
        for entry in &gone {
            // Out of sight first: an entry that is half there could be taken for a whole one.
            let aside = entry.folder.with_extension(REMOVED);
            let write = |source| Error::Write { path: entry.folder.clone(), source };
            std::fs::rename(&entry.folder, &aside).map_err(write)?;
            std::fs::remove_dir_all(&aside).map_err(write)?;
        }
    }
    Ok(gone)
}

/// Removes what an interrupted removal left.
fn clear_removed(cache: &Path) {
    let folders = KINDS.iter().filter_map(|kind| std::fs::read_dir(cache.join(kind)).ok());
    for path in folders.flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == REMOVED) {
            // Left-over files cost disk space and nothing else.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// What becomes of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is taken from the cache.
    There,
    /// It was begun, and goes on from here.
    Begun(String),
    /// Nothing with these settings is in the cache.
    Missing,
    /// It cannot be said before this step is done.
    Waits(String),
    /// It is done in every run.
    Always,
}

/// What differs between two entries: key, here, there.
pub type Difference = (String, String, String);

/// Why a step is done, or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// What becomes of it.
    pub state: State,
    /// Where it lies or would lie.
    pub folder: Option<PathBuf>,
    /// Settings that decide it: dotted key and value.
    pub decided: Vec<(String, String)>,
    /// The entry most like it, and what differs: key, here, there.
    pub nearest: Option<(String, Vec<Difference>)>,
}

/// Explains a step of a production.
///
/// # Errors
/// No such step, or plates that cannot be read.
pub fn why(production: &Production, step: &str, progress: &dyn Progress) -> Result<Why, Error> {
    let known = steps(production);
    if !known.iter().any(|name| name == step) {
        let meant = bench_core::suggest::closest(step, known.iter().map(String::as_str));
        let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        return Err(Error::Usage {
            message: format!("no step is called `{step}`"),
            hint: Some(format!("{meant}steps are {}", known.join(", "))),
        });
    }
    let Some(plates) = &production.data else {
        let simulated = simulated(production)?;
        if step == known[0] || simulated.state != State::There {
            let waits = Why { state: State::Waits(known[0].clone()), folder: None, decided: vec![], nearest: None };
            return Ok(if step == known[0] { simulated } else { waits });
        }
        let folder = simulated.folder.unwrap_or_default();
        return decided(production, &folder, step, progress);
    };
    if step == known[0] {
        return Ok(Why { state: State::Always, folder: Some(plates.clone()), decided: vec![], nearest: None });
    }
    decided(production, plates, step, progress)
}

/// The plates that would be simulated.
fn simulated(production: &Production) -> Result<Why, Error> {
    let config = &production.preset.simulation;
    let simulator = Simulator::new(config.clone()).map_err(failed("plan the plates"))?;
    let folder = production.cache.join("plates").join(&config.digest()[..24]);
    // The table of fields is written when all plates are there.
    let (whole, begun) = (folder.join("metadata.csv").is_file(), folder.is_dir());
    let state = match (whole, begun) {
        (true, _) => State::There,
        (false, true) => State::Begun(format!("of {} plates those that are there are kept", simulator.plates().len())),
        (false, false) => State::Missing,
    };
    let words = serde_json::to_value(config).map_err(failed("name the plates"))?;
    explain(production, "plates", folder, &words, state, |folder| {
        let text = std::fs::read(folder.join("simulation.json")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?.get("configuration").cloned()
    })
}

/// A step that follows the plates.
fn decided(production: &Production, plates: &Path, step: &str, progress: &dyn Progress) -> Result<Why, Error> {
    let preset = &production.preset;
    let selected = production.device.select().map_err(failed("select a device"))?;
    let dataset = Dataset::open(plates, production.policy, progress)?;
    let fingerprints = preset.models.iter().any(|method| train::reads_fingerprints(&method.model));
    let training = dataset.training(&preset.plates, fingerprints, progress)?;
    let split = train::split(preset, &training.catalogue)?;
    let job = Job {
        production,
        dataset: &dataset,
        training: &training,
        split: &split,
        device: &selected.device,
        left_out: std::sync::Mutex::default(),
    };
    let (kind, place, state) = place_of(&job, step)?;
    explain(production, kind, place.folder, &place.words, state, |folder| {
        let text = std::fs::read(folder.join(KEY)).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?.get("decided").cloned()
    })
}

/// Kind, place and state of a step.
fn place_of(job: &Job<'_>, step: &str) -> Result<(&'static str, Place, State), Error> {
    let whole = |there: bool| if there { State::There } else { State::Missing };
    for (name, method, seed) in train::named(&job.production.preset) {
        let training = train::place(job, method, seed);
        if step == format!("train {name}") {
            let state = trained(&training.folder, method.train.epochs)?;
            return Ok(("models", training, state));
        }
        if step == format!("embed plates with {name}") {
            let place = embed::model_place(job, &training.digest);
            let names = [format!("{name}.parquet"), format!("{name}{}.parquet", embed::BACKBONE)];
            let state = whole(names.iter().all(|name| place.folder.join(name).is_file()));
            return Ok(("embeddings", place, state));
        }
        if step == format!("retrieval with {name}") {
            let place = retrieve::place(job, &name, &training.digest);
            let state = whole(place.folder.join(retrieve::SCORES).is_file());
            return Ok(("retrieval", place, state));
        }
    }
    let of = |baseline: &&Baseline| step == format!("embed plates with {}", embed::name(**baseline));
    match job.production.preset.baselines.iter().find(of) {
        Some(&baseline) => {
            let place = embed::baseline_place(job, baseline);
            let there = place.folder.join(format!("{}.parquet", embed::name(baseline))).is_file();
            Ok(("embeddings", place, whole(there)))
        }
        None => Err(Error::Usage { message: format!("step `{step}` is not kept in the cache"), hint: None }),
    }
}

/// How far a training is.
fn trained(folder: &Path, epochs: usize) -> Result<State, Error> {
    let last = folder.join(LAST);
    if !last.is_file() {
        return Ok(State::Missing);
    }
    let checkpoint = Checkpoint::read(&last).map_err(failed("read a checkpoint"))?;
    let progress = &checkpoint.state["progress"];
    let epoch = progress["epoch"].as_u64().unwrap_or_default();
    let finished = progress["stopped_early"].as_bool() == Some(true) || epoch >= epochs as u64;
    Ok(if finished { State::There } else { State::Begun(format!("after {epoch} of {epochs} epochs")) })
}

/// Compares a key with those of the other entries of its kind.
fn explain(
    production: &Production,
    kind: &str,
    folder: PathBuf,
    words: &Value,
    state: State,
    read: impl Fn(&Path) -> Option<Value>,
) -> Result<Why, Error> {
    let here = leaves(words);
    let mut nearest: Option<(String, Vec<Difference>)> = None;
    for entry in entries(&production.cache)?.into_iter().filter(|e| e.kind == kind && e.folder != folder) {
        let Some(other) = read(&entry.folder) else { continue };
        let differing = differences(&here, &leaves(&other));
        if nearest.as_ref().is_none_or(|(_, least)| differing.len() < least.len()) {
            nearest = Some((entry.name, differing));
        }
    }
    Ok(Why { state, folder: Some(folder), decided: here, nearest })
}

/// Keys whose values differ, in order of the first list, then those that only the second has.
fn differences(here: &[(String, String)], there: &[(String, String)]) -> Vec<(String, String, String)> {
    let absent = || "(absent)".to_owned();
    let find =
        |list: &[(String, String)], key: &str| list.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone());
    let mut found: Vec<(String, String, String)> = here
        .iter()
        .map(|(key, value)| (key.clone(), value.clone(), find(there, key).unwrap_or_else(absent)))
        .filter(|(_, a, b)| a != b)
        .collect();
    let extra = there.iter().filter(|(key, _)| find(here, key).is_none());
    found.extend(extra.map(|(key, value)| (key.clone(), absent(), value.clone())));
    found
}

/// Dotted keys and values of a JSON object.
fn leaves(value: &Value) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(&if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") }, value, out);
                }
            }
            Value::Null => {}
            Value::String(text) => out.push((prefix.to_owned(), text.clone())),
            other => out.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(cache: &Path, kind: &str, name: &str, bytes: usize) -> PathBuf {
        let folder = cache.join(kind).join(name);
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("a.bin"), vec![0; bytes]).expect("written");
        folder
    }

    #[test]
    fn old_entries_go_and_nothing_else_does() {
        let cache = tempfile::tempdir().expect("temporary folder");
        let cache = cache.path();
        let (old, young) = (fill(cache, "models", &"a".repeat(24), 10), fill(cache, "embeddings", &"b".repeat(24), 5));
        let foreign = fill(cache, "models", "my-notes", 3);
        fill(cache, "elsewhere", &"c".repeat(24), 3);
        let found = entries(cache).expect("read");
        let listed: Vec<_> = found.iter().map(|e| (e.kind, e.files, e.bytes)).collect();
        assert_eq!(listed, [("models", 1, 10), ("embeddings", 1, 5)]);
        let day = Duration::from_secs(86_400);
        let then = found[0].written;
        let file = std::fs::File::options().write(true).open(young.join("a.bin")).expect("open");
        file.set_modified(then + 40 * day).expect("set");
        let now = then + 41 * day;
        let gone = prune(cache, 30 * day, now, true).expect("read");
        assert_eq!(gone.len(), 1);
        assert!(old.exists(), "a dry run removes nothing");
        prune(cache, 30 * day, now, false).expect("removed");
        assert!(!old.exists() && young.exists() && foreign.exists() && cache.join("elsewhere").exists());
        assert_eq!(entries(&cache.join("nowhere")).expect("nothing there"), []);
    }

    #[test]
    fn differences_name_the_setting_and_both_values() {
        let (a, b) = (
            json!({"train": {"epochs": 3, "ema": null}, "x": "y"}),
            json!({"train": {"epochs": 20, "ema": 0.9}, "x": "y"}),
        );
        let found = differences(&leaves(&a), &leaves(&b));
        let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(found, [text("train.epochs", "3", "20"), text("train.ema", "(absent)", "0.9")]);
    }
}
