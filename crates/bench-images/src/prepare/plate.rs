//! The fields of one plate: kept, made, or left out.

use std::fs;
use std::path::Path;

use bench_core::digest;

use super::output::{Output, PrepareOptions, PrepareReport};
use super::quality::{ChannelQuality, FieldQuality};
use super::record::{self, Journal, Record};
use crate::store::ImageStore;
use crate::store::files::{FileStore, Planes};
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

    pub(super) fn id(&self, i: usize) -> &FieldId {
        &self.store.ids()[self.start + i]
    }

    pub(super) fn count(&self) -> usize {
        self.end - self.start
    }

    /// Digest of settings and sources of a field, and the bytes of the sources.
    pub(super) fn origin(&self, i: usize) -> Result<(String, u64)> {
        let (stamp, bytes) = self.files.stamp(self.start + i)?;
        let settings = format!("{} {:?}\n{stamp}", self.files.settings(), self.options.output);
        Ok((digest::of_bytes(settings.as_bytes()), bytes))
    }

    pub(super) fn rejects(&self, quality: &FieldQuality) -> Option<String> {
        self.options.filter.reason(quality, self.store.channels())
    }

    /// Decodes and measures a field.
    pub(super) fn make(&self, i: usize, origin: &str, bytes_in: u64) -> Result<(Planes, Record)> {
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
}
