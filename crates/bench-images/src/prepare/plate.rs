//! The fields of one plate: kept, made, or left out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bench_core::{atomic, digest};

use super::output::{Output, PrepareOptions, PrepareReport};
use super::quality::{ChannelQuality, FieldQuality};
use super::record::{self, Journal, Record, Records, Written};
use crate::image::{Image, Pixels};
use crate::ordered::in_order;
use crate::store::file::encode_png;
use crate::store::files::{FileStore, Planes};
use crate::store::pack::write_plate;
use crate::store::packed::{self, ENDING, PlateHeader};
use crate::store::{ImageStore, Policy, Problem};
use crate::{Error, FieldId, Result};

/// The fields `start..end` of a store, which are of one plate.
pub(super) struct Job<'a> {
    pub(super) store: &'a ImageStore,
    pub(super) files: &'a FileStore,
    pub(super) folder: &'a Path,
    pub(super) options: &'a PrepareOptions,
    pub(super) key: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Job<'_> {
    /// Makes what is not there, and returns a text that names all content.
    pub(super) fn run(&self, report: &mut PrepareReport, progress: &(dyn Fn(usize) + Sync)) -> Result<String> {
        let path = record::path(self.folder, self.key);
        let before = record::read(&path)?;
        let journal = Journal::new(path);
        let records = match self.options.output {
            Output::Png => self.pngs(before, journal, report, progress)?,
            Output::Packed => self.pack(before, journal, report, progress)?,
        };
        let mut content = String::new();
        for record in records.values() {
            let judged = [(record.field.as_str(), &record.quality)];
            report.problems.extend(self.options.filter.left_out(judged, self.store.channels()));
            if !record.files.is_empty() {
                report.fields += 1;
                report.bytes_in += record.bytes_in;
            }
            for written in &record.files {
                content.push_str(&format!("{} {} {}\n", record.field, written.channel, written.sha256));
                report.bytes += if self.options.output == Output::Png { written.bytes } else { 0 };
            }
        }
        if self.options.output == Output::Packed {
            let path = self.packed_path();
            report.bytes += fs::metadata(&path).map_err(|source| Error::read(&path, source))?.len();
        }
        Ok(content)
    }

    fn id(&self, i: usize) -> &FieldId {
        &self.store.ids()[self.start + i]
    }

    fn count(&self) -> usize {
        self.end - self.start
    }

    /// Digest of settings and sources of a field, and the bytes of the sources.
    fn origin(&self, i: usize) -> Result<(String, u64)> {
        let (stamp, bytes) = self.files.stamp(self.start + i)?;
        let settings = format!("{} {:?}\n{stamp}", self.files.settings(), self.options.output);
        Ok((digest::of_bytes(settings.as_bytes()), bytes))
    }

    fn rejects(&self, quality: &FieldQuality) -> Option<String> {
        self.options.filter.reason(quality, self.store.channels())
    }

    /// Decodes and measures a field.
    fn make(&self, i: usize, origin: &str, bytes_in: u64) -> Result<(Planes, Record)> {
        let mut quality = FieldQuality::default();
        let mut look = |_: usize, raw: &_| quality.channels.push(ChannelQuality::measure(raw));
        let planes = self.files.planes(self.start + i, None, &mut look)?;
        let (height, width) = planes.raw;
        let cut = self.files.cut(height, width);
        let record = Record {
            field: self.id(i).to_string(),
            origin: origin.to_owned(),
            raw: [height, width],
            crop: [cut.top, cut.left, cut.height, cut.width],
            size: [planes.height, planes.width],
            bytes_in,
            quality,
            files: Vec::new(),
        };
        Ok((planes, record))
    }

    fn pngs(
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

    fn packed_path(&self) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", self.key))
    }

    fn pack(
        &self,
        before: Records,
        journal: Journal,
        report: &mut PrepareReport,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Records> {
        let path = self.packed_path();
        let filter = &self.options.filter;
        let mut origin = format!("{} {} {filter:?}\n", self.files.settings(), self.options.tile);
        let mut bytes_in = Vec::with_capacity(self.count());
        for i in 0..self.count() {
            let (stamp, bytes) = self.files.stamp(self.start + i)?;
            origin.push_str(&stamp);
            bytes_in.push(bytes);
        }
        let origin = digest::of_bytes(origin.as_bytes());
        if let Some(header) = packed::read_header(&path).ok().filter(|header| header.origin == origin)
            && let Some((records, problems)) = self.packed_before(&header, before)
        {
            report.kept += records.values().filter(|record| !record.files.is_empty()).count();
            report.problems.extend(problems);
            return Ok(records);
        }
        let first = self.id(0);
        let header = PlateHeader {
            simulated: self.store.is_simulated(),
            origin: origin.clone(),
            source: first.source.clone(),
            batch: first.batch.clone(),
            plate: first.plate.clone(),
            channels: self.store.channels().to_vec(),
            bits: 8,
            tile: self.options.tile,
            fields: Vec::new(),
            left_out: Vec::new(),
        };
        let records: Mutex<Records> = Mutex::default();
        let failures: Mutex<BTreeMap<String, Problem>> = Mutex::default();
        let load = |i: usize| -> Result<Image> {
            let (planes, mut record) = self.make(i, &origin, bytes_in[i])?;
            let rejected = self.rejects(&record.quality);
            let image = self.files.weave(self.start + i, &planes)?;
            if rejected.is_none() {
                let bytes = bytes_of(&image.pixels);
                record.files = vec![Written {
                    file: format!("{}.{ENDING}", self.key),
                    channel: String::new(),
                    bytes: bytes.len() as u64,
                    sha256: digest::of_bytes(&bytes),
                    sources: self.files.names(self.start + i).collect(),
                }];
            }
            let field = record.field.clone();
            records.lock().unwrap_or_else(PoisonError::into_inner).insert(field.clone(), record);
            rejected.map_or(Ok(image), |reason| Err(Error::Quality { field, reason }))
        };
        let field = |i: usize| {
            let made = load(i);
            if let Some(error) = made.as_ref().err().filter(|error| error.reason() != "quality") {
                let name = self.id(i).to_string();
                let problem = Problem::new(name.clone(), error);
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(name, problem);
            }
            (self.id(i).clone(), made)
        };
        let header = write_plate(&path, header, self.count(), self.options.policy, &field, progress)?;
        let mut records = records.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Fields of another depth than those before them decode, and cannot be packed with them.
        for (name, message) in header.left_out {
            if records.get(&name).is_some_and(|record| !record.files.is_empty()) {
                records.remove(&name);
                failures.insert(name.clone(), Problem { name, reason: "inconsistent".to_owned(), message });
            }
        }
        report.problems.extend(failures.into_values());
        journal.finish(&records)?;
        Ok(records)
    }
}

impl Job<'_> {
    /// The records of a packed plate and what was left out of it, if all fields are accounted for.
    fn packed_before(&self, header: &PlateHeader, mut before: Records) -> Option<(Records, Vec<Problem>)> {
        let (mut records, mut problems) = (Records::new(), Vec::new());
        for i in 0..self.count() {
            let name = self.id(i).to_string();
            if let Some(record) = before.remove(&name).filter(|record| record.origin == header.origin) {
                records.insert(name, record);
                continue;
            }
            // A plate with gaps is tried again when gaps are not allowed.
            let (name, message) = header.left_out.iter().find(|(left, _)| *left == name)?.clone();
            if self.options.policy == Policy::Error {
                return None;
            }
            problems.push(Problem { name, reason: "left-out".to_owned(), message });
        }
        Some((records, problems))
    }
}

/// The pixels as bytes, 16 bits with the low byte first.
pub(super) fn bytes_of(pixels: &Pixels) -> Vec<u8> {
    match pixels {
        Pixels::U8(values) => values.clone(),
        Pixels::U16(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
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
