//! Tables of files, for folders in any other layout.
//!
//! # What
//! A CSV with the columns `Metadata_Source`, `Metadata_Batch`, `Metadata_Plate`, `Metadata_Well`,
//! `Metadata_Site` (each also without the prefix and in lower case), and either
//! - a row per file: columns `file` (or `path`, `FileName`) and `channel`, or
//! - a row per field: a column per channel, named as the channel or `FileName_Orig{channel}`.
//!
//! File names are relative to the folder of the table, or to the root given when it is opened.
//! Illumination functions, where images are corrected by a table, are in the columns
//! `FileName_Illum{channel}` or `URL_Illum{channel}`.

use std::path::{Path, PathBuf};

use super::StoreOptions;
use super::files::FileStore;
use super::folder::Collector;
use super::illumination::Illumination;
use crate::csv::Csv;
use crate::id::FieldId;
use crate::{Error, Result};

/// Opens a table of files.
pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<FileStore> {
    let table = Csv::read(path)?;
    let broken = |line: usize, reason: String| Error::Table { path: path.to_owned(), line, reason };
    let part = |name: &str| {
        let prefixed = format!("Metadata_{name}");
        let column = table.column(&[&prefixed, name]);
        column.ok_or_else(|| broken(1, format!("there is no column `{prefixed}`")))
    };
    let parts = [part("Source")?, part("Batch")?, part("Plate")?, part("Well")?, part("Site")?];
    let root = options.root.clone().or_else(|| path.parent().map(Path::to_owned)).unwrap_or_default();
    let channels = &options.channels;

    // (column of the file, channel): the channel is fixed for wide tables.
    let wide: Vec<(usize, usize)> = (0..table.header.len())
        .filter(|column| !parts.contains(column))
        .filter_map(|column| {
            let name = table.header[column].trim();
            let channel =
                ["FileName_", "URL_", ""].iter().find_map(|prefix| channels.find(name.strip_prefix(prefix)?))?;
            Some((column, channel))
        })
        .collect();
    let long = table.column(&["file", "path", "FileName"]).zip(table.column(&["channel", "Metadata_Channel"]));
    if long.is_none() && wide.is_empty() {
        let names = channels.names().join("`, `");
        return Err(broken(1, format!("there are neither columns `file` and `channel` nor columns `{names}`")));
    }

    let corrected = options.illumination == Some(Illumination::Table);
    let functions: Vec<(usize, usize)> = (0..if corrected { table.header.len() } else { 0 })
        .filter_map(|column| {
            let name = table.header[column].trim();
            let name = ["FileName_Illum", "URL_Illum"].iter().find_map(|prefix| name.strip_prefix(prefix))?;
            Some((column, channels.find(name)?))
        })
        .collect();

    let mut collector = Collector::new(channels, &root, corrected);
    for (line, cells) in &table.rows {
        let [source, batch, plate, well, site] = parts.map(|column| cells[column].trim());
        let id = FieldId::new(source, batch, plate, well, site).map_err(|e| broken(*line, e.to_string()))?;
        for &(column, channel) in functions.iter().filter(|(column, _)| !cells[*column].is_empty()) {
            collector.illuminate(id.clone(), channel, PathBuf::from(&cells[column]));
        }
        match long {
            Some((file, channel)) => match channels.find(&cells[channel]) {
                Some(channel) if !cells[file].is_empty() => collector.add(id, channel, PathBuf::from(&cells[file])),
                Some(_) => return Err(broken(*line, "the file has no name".to_owned())),
                // A channel that nobody asked for.
                None => {}
            },
            None => {
                for &(column, channel) in wide.iter().filter(|(column, _)| !cells[*column].is_empty()) {
                    collector.add(id.clone(), channel, PathBuf::from(&cells[column]));
                }
            }
        }
    }
    FileStore::new(collector.finish(), options, &root)
}
