//! The fields of a plate as one packed file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bench_core::digest;

use super::output::PrepareReport;
use super::plate::Job;
use super::record::{Journal, Records, Written};
use crate::image::{Image, Pixels};
use crate::store::pack::write_plate;
use crate::store::packed::{self, ENDING, PlateHeader};
use crate::store::{Policy, Problem};
use crate::{Error, Result};

impl Job<'_> {
    pub(super) fn packed_path(&self) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", self.key))
    }

    pub(super) fn pack(
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
            // A file that went after the scan fails its field below, by name.
            let (stamp, bytes) = self.files.stamp(self.start + i).unwrap_or_default();
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
