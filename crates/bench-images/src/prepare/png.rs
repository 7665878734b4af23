//! Fields of a plate as PNG files, one per channel.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use bench_core::{atomic, digest};

use super::output::PrepareReport;
use super::plate::Job;
use super::record::{Journal, Record, Records, Written};
use crate::image::Pixels;
use crate::ordered::in_order;
use crate::store::file::encode_png;
use crate::store::files::Planes;
use crate::store::{Policy, Problem};
use crate::{Error, Result};

impl Job<'_> {
    pub(super) fn pngs(
        &self,
        mut before: Records,
        mut journal: Journal,
        report: &mut PrepareReport,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Records> {
        let first = self.id(0);
        let inside = [&*first.source, &first.batch, &first.plate].join("/");
        let plate = self.folder.join(&inside);
        fs::create_dir_all(&plate).map_err(|source| Error::write(&plate, source))?;
        atomic::sweep(&plate);
        let make = |i: usize| {
            let (origin, bytes_in) = self.origin(i)?;
            if let Some(there) = before.get(&self.id(i).to_string()).filter(|r| r.origin == origin)
                && (self.rejects(&there.quality).is_some() || self.is_whole(there))
            {
                return Ok(None);
            }
            let (planes, mut record) = self.make(i, &origin, bytes_in)?;
            if self.rejects(&record.quality).is_none() {
                record.files = self.write_pngs(i, &inside, &planes)?;
            }
            Ok(Some(record))
        };
        let mut records = Records::new();
        in_order(self.count(), &make, &mut |i, made: Result<Option<Record>>| {
            let name = self.id(i).to_string();
            let is_new = matches!(made, Ok(Some(_)));
            let mut record = match made {
                Ok(Some(record)) => {
                    journal.add(&record)?;
                    record
                }
                Ok(None) => before.get(&name).cloned().expect("a kept field has a record"),
                Err(error) if self.options.policy == Policy::Skip => {
                    report.problems.push(Problem::new(name.clone(), &error));
                    // What an earlier run wrote for it is of other sources.
                    if let Some(old) = before.get(&name) {
                        self.remove(old)?;
                    }
                    progress(i + 1);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let rejected = self.rejects(&record.quality).is_some();
            if let Some(old) = before.get(&name).filter(|_| rejected) {
                self.remove(old)?;
                record.files.clear();
            }
            report.kept += usize::from(!rejected && !is_new);
            records.insert(name, record);
            progress(i + 1);
            Ok(())
        })?;
        before.clear();
        journal.finish(&records)?;
        Ok(records)
    }

    /// Whether the files of a record are there with their lengths.
    fn is_whole(&self, record: &Record) -> bool {
        let sound = |written: &Written| {
            fs::metadata(self.folder.join(&written.file)).is_ok_and(|there| there.len() == written.bytes)
        };
        !record.files.is_empty() && record.files.iter().all(sound)
    }

    fn remove(&self, record: &Record) -> Result<()> {
        for written in &record.files {
            let path = self.folder.join(&written.file);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::write(&path, source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write_pngs(&self, i: usize, inside: &str, planes: &Planes) -> Result<Vec<Written>> {
        let id = self.id(i);
        let mut out = Vec::with_capacity(planes.pixels.len());
        let sources = self.files.names(self.start + i);
        for ((channel, source), pixels) in self.store.channels().iter().zip(sources).zip(&planes.pixels) {
            let file = format!("{inside}/{}__{}__{}__{}__{channel}.png", id.source, id.plate, id.well, id.site);
            let path = self.folder.join(&file);
            let Pixels::U8(values) = pixels else {
                let reason = "PNG output has 8 bits, and the recipe keeps 16; pack the plates".to_owned();
                return Err(Error::setting("output", reason));
            };
            let bytes = encode_png(&path, planes.height, planes.width, values)?;
            put(&path, &bytes).map_err(|source| Error::write(&path, source))?;
            out.push(Written {
                file,
                channel: channel.clone(),
                bytes: bytes.len() as u64,
                sha256: digest::of_bytes(&bytes),
                sources: vec![source],
            });
        }
        Ok(out)
    }
}

/// Writes a file through a temporary name. It is not synced, as a plate has thousands: a file that
/// a failing machine cut short does not have the length in its record, and is made again.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        // Tells `atomic::sweep` that somebody writes here.
        let _ = file.try_lock();
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The error that matters is the one above; a left-over temporary file is swept.
        let _ = fs::remove_file(&temporary);
    }
    written
}
