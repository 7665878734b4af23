//! The two tables of a prepared folder, from the records of all its plates.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bench_core::atomic;

use super::record::{self, Record};
use crate::csv::push_row;
use crate::{Error, Result};

/// The table of images.
pub(super) const PREPARED: &str = "prepared.csv";
/// The table of measures.
const QUALITY: &str = "qc.csv";
/// Stands between the source files of a packed field.
const AND: &str = ";";

/// Columns of the table of images.
const COLUMNS: [&str; 14] = [
    "field",
    "file",
    "channel",
    "bytes",
    "sha256",
    "source_files",
    "raw_height",
    "raw_width",
    "crop_top",
    "crop_left",
    "crop_height",
    "crop_width",
    "height",
    "width",
];

/// Writes both tables, plate by plate, and returns their paths.
///
/// Processes that prepare other plates into the same folder take turns: each has recorded its plates
/// before it comes here, so that the last one sees all. Where a file system cannot lock, the next run mends the tables.
pub(super) fn write(folder: &Path, channels: &[String]) -> Result<(PathBuf, PathBuf)> {
    let (prepared, quality) = (folder.join(PREPARED), folder.join(QUALITY));
    let path = folder.join(record::FOLDER).join("lock");
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(|source| Error::write(&path, source))?;
    let _ = lock.lock();
    let plates = plates(folder)?;
    table(&prepared, &plates, &COLUMNS.map(str::to_owned), &|record, text| image_rows(record, text))?;
    let mut header = vec!["field".to_owned(), "empty".to_owned(), "left_out".to_owned()];
    for measure in ["focus", "saturated", "lowest", "mean", "p1", "p99"] {
        header.extend(channels.iter().map(|channel| format!("{measure}_{channel}")));
    }
    table(&quality, &plates, &header, &quality_row)?;
    Ok((prepared, quality))
}

/// The records of plates, in the order of their names.
fn plates(folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder.join(record::FOLDER);
    let failed = |source| Error::read(&folder, source);
    let entries = fs::read_dir(&folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<io::Result<_>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    paths.sort();
    Ok(paths)
}

fn table(path: &Path, plates: &[PathBuf], header: &[String], row: &dyn Fn(&Record, &mut String)) -> Result<()> {
    let mut failure = None;
    let written = atomic::write_with(path, |file| {
        let mut out = BufWriter::new(file);
        let mut text = String::new();
        push_row(&mut text, header);
        for plate in plates {
            match record::read(plate) {
                Ok(records) => records.values().for_each(|record| row(record, &mut text)),
                Err(error) => {
                    failure = Some(error);
                    return Err(io::Error::other("records cannot be read"));
                }
            }
            out.write_all(text.as_bytes())?;
            text.clear();
        }
        out.write_all(text.as_bytes())?;
        out.flush()
    });
    match (failure, written) {
        (Some(error), _) => Err(error),
        (None, written) => written.map_err(|source| Error::write(path, source)),
    }
}

fn image_rows(record: &Record, text: &mut String) {
    let numbers = [&record.raw[..], &record.crop, &record.size].concat();
    for written in &record.files {
        let mut row = vec![
            record.field.clone(),
            written.file.clone(),
            written.channel.clone(),
            written.bytes.to_string(),
            written.sha256.clone(),
            written.sources.join(AND),
        ];
        row.extend(numbers.iter().map(usize::to_string));
        push_row(text, &row);
    }
}

fn quality_row(record: &Record, text: &mut String) {
    let quality = &record.quality;
    let mut row = vec![record.field.clone(), quality.is_empty().to_string(), record.files.is_empty().to_string()];
    for measure in [
        |q: &super::ChannelQuality| q.focus,
        |q: &super::ChannelQuality| q.saturated,
        |q: &super::ChannelQuality| q.lowest,
        |q: &super::ChannelQuality| q.mean,
        |q: &super::ChannelQuality| q.p1,
        |q: &super::ChannelQuality| q.p99,
    ] {
        row.extend(quality.channels.iter().map(|channel| measure(channel).to_string()));
    }
    push_row(text, &row);
}
