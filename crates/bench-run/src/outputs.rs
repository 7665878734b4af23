//! Files of a run: what is there already, and writing what is not.
//!
//! Every file is written under a temporary name and renamed; `record.json` comes last, so a
//! folder with a record is a finished run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bench_core::record::{OutputFile, RunRecord, SCHEMA_VERSION};
use bench_core::{atomic, digest};
use bench_data::{Column, SplitPart};
use bench_eval::Role;

use crate::key::Key;
use crate::run::{Done, Outcome, Prepared, Render};
use crate::{Error, Progress, record, score_table};

/// A name that is safe as a file name: letters, digits, `-`, `_` and `.`; anything else becomes
/// `-`, and a digest keeps names apart that would then be equal.
pub fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(60).collect();
    if plain == name && !plain.starts_with('.') {
        return plain;
    }
    format!("{}-{}", plain.trim_start_matches('.'), &digest::of_bytes(name.as_bytes())[..8])
}

/// The finished run in `folder` with this key, if there is one. Files that can be drawn from the
/// record and are missing are drawn again.
pub(crate) fn finished(
    folder: &Path,
    key: &Key,
    render: &Render<'_>,
    progress: &dyn Progress,
) -> Result<Option<Outcome>, Error> {
    let Some(mut record) = read_record(&folder.join("record.json")).ok().filter(|r| r.run_key == key.digest) else {
        return Ok(None);
    };
    if digest::of_scores(&record.scores) != record.scores_digest {
        progress.note("the record in this folder is damaged (its digest is wrong); scoring again");
        return Ok(None);
    }
    let whole = |file: &OutputFile| fs::metadata(folder.join(&file.path)).is_ok_and(|m| m.len() == file.bytes);
    let missing: BTreeSet<String> = record.outputs.iter().filter(|f| !whole(f)).map(|f| f.path.clone()).collect();
    if missing.is_empty() {
        return Ok(Some(Outcome { record, folder: folder.to_owned(), done: Done::Nothing }));
    }
    // What cannot be drawn from the record is made again by the steps that made it.
    let table = |path: &&String| path.as_str() == score_table::FILE;
    let drawn = |path: &&String| table(path) || !path.ends_with(".parquet") && !path.starts_with("retrieval/");
    if let Some(path) = missing.iter().find(|path| !drawn(path)) {
        progress.note(&format!("`{path}` is missing from a finished run; scoring again"));
        return Ok(None);
    }
    if missing.iter().any(|path| table(&path)) {
        score_table::write(folder, &record.scores)?;
    }
    for (path, bytes) in render(&mut record)? {
        if missing.contains(&path) {
            write(&folder.join(path), &bytes)?;
        }
    }
    Ok(Some(Outcome { record, folder: folder.to_owned(), done: Done::Drawn }))
}

/// Reads a record.
///
/// # Errors
/// Unreadable, not a record, or of a newer layout.
pub fn read_record(path: &Path) -> Result<RunRecord, Error> {
    let failed = |why: String| Error::Record { path: path.to_owned(), why };
    let bytes = fs::read(path).map_err(|e| failed(e.to_string()))?;
    // The version first: a newer layout may have anything else in it.
    if let Ok(Layout { schema_version }) = serde_json::from_slice(&bytes)
        && schema_version > SCHEMA_VERSION
    {
        return Err(failed(format!(
            "its layout is version {schema_version}, this program reads up to {SCHEMA_VERSION}; a newer program reads it"
        )));
    }
    serde_json::from_slice(&bytes).map_err(|e| failed(format!("it is not a run record: {e}")))
}

/// What every layout of a record begins with.
#[derive(serde::Deserialize)]
struct Layout {
    schema_version: u32,
}

/// Makes the folder usable: it exists, it can be written to, and the files of another run that
/// stood there are gone.
pub(crate) fn prepare(folder: &Path, key: &Key) -> Result<(), Error> {
    writable(folder)?;
    let old = folder.join("record.json");
    if let Ok(record) = read_record(&old)
        && record.run_key != key.digest
    {
        fs::remove_file(&old).map_err(failed(&old))?;
        for file in record.outputs.iter().filter(|f| !f.path.contains("..") && !f.path.starts_with('/')) {
            // A file that is gone already is as good as removed.
            let _ = fs::remove_file(folder.join(&file.path));
        }
    }
    Ok(())
}

/// Makes the folder and sees whether it can be written to, before work that would be in vain.
///
/// # Errors
/// It cannot.
pub fn writable(folder: &Path) -> Result<(), Error> {
    // A run that fails before its first step leaves no empty folders.
    let made: Vec<&Path> = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).collect();
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let probe = folder.join(".steps").join("writable");
    write(&probe, b"")?;
    fs::remove_file(&probe).map_err(failed(&probe))?;
    // Steps of an interrupted run stay.
    let _ = fs::remove_dir(folder.join(".steps"));
    for folder in made {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Write { path, source }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic::write(path, bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes a Parquet table.
pub(crate) fn table(path: &Path, columns: &[Column]) -> Result<(), Error> {
    bench_data::write_parquet(path, columns).map_err(written(path))
}

/// Writes splits and embeddings.
pub(crate) fn data(
    folder: &Path,
    prepared: &Prepared,
    made: &[(String, PathBuf)],
    progress: &dyn Progress,
) -> Result<(), Error> {
    let total = prepared.tables.len() + 1;
    for (to, from) in made {
        let bytes = fs::read(from).map_err(|source| Error::Input { path: from.clone(), source })?;
        write(&folder.join(to), &bytes)?;
    }
    splits(&folder.join("splits.parquet"), prepared)?;
    progress.tick(1, total);
    for (done, table) in prepared.tables.iter().enumerate() {
        let path = folder.join("embeddings").join(format!("{}.parquet", slug(&table.name)));
        bench_data::write_embeddings(&path, table).map_err(written(&path))?;
        progress.tick(done + 2, total);
    }
    Ok(())
}

/// One row per (protocol, split, repeat, row) that trains or is tested; the folds of pooled
/// splits are numbered as repeats.
fn splits(path: &Path, prepared: &Prepared) -> Result<(), Error> {
    let file_row = &prepared.tables[0].treated.layout.file_row;
    // One fold at a time: with a million rows and sixty folds all of them would be too many.
    let folds = prepared.sets.iter().flat_map(|set| set.folds.iter().map(move |fold| (set, fold)));
    bench_data::write_splits(
        path,
        &["train", "test"],
        folds.map(|(set, fold)| {
            let used = || fold.roles.iter().enumerate().filter(|(_, role)| **role != Role::Unused);
            SplitPart {
                protocol: &set.protocol,
                split: &set.split,
                repeat: fold.repeat,
                fold: 0,
                rows: used().map(|(row, _)| file_row[row]).collect(),
                roles: used().map(|(_, role)| u8::from(*role == Role::Test)).collect(),
            }
        }),
    )
    .map_err(written(path))
}

fn written(path: &Path) -> impl FnOnce(bench_data::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::WriteTable { path, source: Box::new(source) }
}

/// Renders the record, writes every file, the record last.
pub(crate) fn finish(
    folder: &Path,
    key: &Key,
    mut record: RunRecord,
    made: &[(String, PathBuf)],
    render: &Render<'_>,
) -> Result<RunRecord, Error> {
    record.run_key.clone_from(&key.digest);
    record.scores_digest = digest::of_scores(&record.scores);
    record.record_digest = record::digest(&record);
    let mut outputs = BTreeSet::new();
    for (path, bytes) in render(&mut record)? {
        write(&folder.join(&path), &bytes)?;
        outputs.insert(path);
    }
    outputs.insert("splits.parquet".into());
    score_table::write(folder, &record.scores)?;
    outputs.insert(score_table::FILE.into());
    outputs.extend(made.iter().map(|(path, _)| path.clone()));
    // Others may lie there from a run with other models that was killed.
    let mine = tables(&record);
    for sub in ["embeddings", "predictions", "projection"] {
        let files = parquet_files(&folder.join(sub)).into_iter().filter(|name| mine.contains(name));
        outputs.extend(files.map(|name| format!("{sub}/{name}")));
    }
    let folders: BTreeSet<PathBuf> =
        outputs.iter().filter_map(|path| Some(folder.join(path).parent()?.into())).collect();
    folders.iter().for_each(|folder| atomic::sweep(folder));
    record.outputs = outputs
        .into_iter()
        .map(|path| OutputFile { bytes: fs::metadata(folder.join(&path)).map_or(0, |m| m.len()), path })
        .collect();
    let text = serde_json::to_vec(&record)
        .map_err(|e| Error::Record { path: folder.join("record.json"), why: e.to_string() })?;
    write(&folder.join("record.json"), &text)?;
    Ok(record)
}

/// Names of the tables that a run writes for its models.
fn tables(record: &RunRecord) -> BTreeSet<String> {
    let models = record.models.iter().map(|model| slug(&model.name));
    let fits = record.fits.iter().map(|fit| slug(&format!("{}-{}", fit.model, fit.probe)));
    models.chain(fits).map(|name| format!("{name}.parquet")).collect()
}

fn parquet_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|e| PathBuf::from(e.file_name()));
    names.filter(|n| n.extension().is_some_and(|e| e == "parquet")).map(|n| n.display().to_string()).collect()
}
