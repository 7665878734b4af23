//! Making packed plates from any store.
//!
//! # What
//! [`prepare`] writes one `{source}__{batch}__{plate}.bplate` per plate. A file is whole or
//! absent (temporary name, sync, rename). Plates whose source files have not changed since are
//! kept, so that an interrupted run goes on where it was.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bench_core::{atomic, digest};
use serde::{Deserialize, Serialize};

use super::packed::{self, ENDING, LONGEST_TILE, MAGIC, PackedField, PlateHeader, raw_digest};
use super::{ImageStore, Policy, Problem, codec};
use crate::id::FieldId;
use crate::image::{Image, Pixels};
use crate::ordered::in_order;
use crate::{Error, Result};

/// How plates are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PackOptions {
    /// Side of a tile in pixels. Small tiles waste less around a crop, large ones read faster.
    pub tile: usize,
    /// What to do with fields that do not decode.
    #[serde(skip)]
    pub policy: Policy,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self { tile: 128, policy: Policy::Error }
    }
}

/// What [`prepare`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PackReport {
    /// The packed plates, in order.
    pub files: Vec<PathBuf>,
    /// How many of them were there already.
    pub kept: usize,
    /// Fields written or kept.
    pub fields: usize,
    /// Fields left out, with reasons.
    pub problems: Vec<Problem>,
    /// Bytes of the packed plates.
    pub bytes: u64,
    /// Digest over the content of all plates.
    pub digest: String,
}

/// Packs every plate of a store into `folder`. `progress` hears (fields done, fields in all).
pub fn prepare(
    store: &ImageStore,
    folder: &Path,
    options: &PackOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<PackReport> {
    if !(1..=LONGEST_TILE).contains(&options.tile) {
        return Err(Error::setting("tile", format!("is between 1 and {LONGEST_TILE}, and not {}", options.tile)));
    }
    let Some(files) = store.files() else {
        return Err(Error::setting("store", "is packed already"));
    };
    let mut report = PackReport { problems: store.problems().to_vec(), ..PackReport::default() };
    let mut indices = String::new();
    let ids = store.ids();
    let mut start = 0;
    while start < ids.len() {
        let key = ids[start].plate_key();
        let end = start + ids[start..].iter().take_while(|id| id.plate_key() == key).count();
        let mut origin = format!("{} {}\n", files.settings(), options.tile);
        for index in start..end {
            origin.push_str(&files.stamp(index)?.0);
        }
        let origin = digest::of_bytes(origin.as_bytes());
        let path = folder.join(format!("{key}.{ENDING}"));
        let there = packed::read_header(&path).ok().filter(|header| header.origin == origin);
        let header = match there {
            // A plate with gaps is tried again when gaps are not allowed.
            Some(header) if header.left_out.is_empty() || options.policy == Policy::Skip => {
                report.kept += 1;
                header
            }
            _ => {
                let id = &ids[start];
                let blank = PlateHeader {
                    simulated: store.is_simulated(),
                    origin,
                    source: id.source.clone(),
                    batch: id.batch.clone(),
                    plate: id.plate.clone(),
                    channels: store.channels().to_vec(),
                    bits: 8,
                    tile: options.tile,
                    fields: Vec::new(),
                    left_out: Vec::new(),
                };
                let load = |i: usize| (ids[start + i].clone(), store.load(start + i));
                write_plate(&path, blank, end - start, options.policy, &load, &|done| {
                    progress(start + done, ids.len())
                })?
            }
        };
        report.fields += header.fields.len();
        for (name, message) in &header.left_out {
            report.problems.push(Problem {
                name: name.clone(),
                reason: "corrupt".to_owned(),
                message: message.clone(),
            });
        }
        indices.push_str(&packed::content_digest(&path)?);
        report.bytes += fs::metadata(&path).map_err(|source| Error::read(&path, source))?.len();
        report.files.push(path);
        progress(end, ids.len());
        start = end;
    }
    report.digest = digest::of_bytes(indices.as_bytes());
    Ok(report)
}

/// Writes one packed plate of `n` fields made by `field`, in parallel, and returns its header.
pub(crate) fn write_plate(
    path: &Path,
    mut header: PlateHeader,
    n: usize,
    policy: Policy,
    field: &(dyn Fn(usize) -> (FieldId, Result<Image>) + Sync),
    progress: &dyn Fn(usize),
) -> Result<PlateHeader> {
    let mut failure = None;
    let mut bits = None;
    let written = atomic::write_with(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(MAGIC)?;
        let mut offset = MAGIC.len() as u64;
        let mut table = Vec::new();
        let make = |i: usize| {
            let (id, image) = field(i);
            let tiles = image.map(|image| (tiles(&image, header.tile), image.height, image.width, depth(&image)));
            (id, tiles)
        };
        let (mut fields, mut left_out) = (Vec::new(), Vec::new());
        in_order(n, &make, &mut |i, (id, result)| {
            let checked = result.and_then(|(tiles, height, width, depth)| {
                if *bits.get_or_insert(depth) == depth {
                    return Ok((tiles, height, width));
                }
                let reason = format!("it has {depth} bits, and fields before it on the plate have not");
                Err(Error::Inconsistent { field: id.to_string(), reason })
            });
            match checked {
                Ok((tiles, height, width)) => {
                    fields.push(PackedField { well: id.well, site: id.site, height, width });
                    for tile in tiles {
                        out.write_all(&tile)?;
                        offset += tile.len() as u64;
                        table.extend_from_slice(&(tile.len() as u32).to_le_bytes());
                        table.extend_from_slice(&crc32fast::hash(&tile).to_le_bytes());
                    }
                }
                Err(error) if policy == Policy::Skip || matches!(error, Error::Quality { .. }) => {
                    left_out.push((id.to_string(), error.to_string()));
                }
                Err(error) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("a field does not decode"));
                }
            }
            progress(i + 1);
            Ok(())
        })?;
        (header.fields, header.left_out) = (fields, left_out);
        header.bits = bits.unwrap_or(8);
        let json = serde_json::to_vec(&header).map_err(std::io::Error::other)?;
        let index = [&(json.len() as u32).to_le_bytes()[..], &json, &table].concat();
        out.write_all(&index)?;
        out.write_all(&offset.to_le_bytes())?;
        out.write_all(&raw_digest(&index))?;
        out.write_all(MAGIC)?;
        out.flush()
    });
    match (failure, written) {
        (Some(error), _) => Err(error),
        (None, Err(source)) => Err(Error::write(path, source)),
        (None, Ok(())) => Ok(header),
    }
}

fn depth(image: &Image) -> u32 {
    if matches!(image.pixels, Pixels::U8(_)) { 8 } else { 16 }
}

/// The compressed tiles of a field, row by row.
fn tiles(image: &Image, side: usize) -> Vec<Vec<u8>> {
    fn cut<T: codec::Sample>(values: &[T], image: &Image, side: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut tile = Vec::new();
        for top in (0..image.height).step_by(side) {
            for left in (0..image.width).step_by(side) {
                let width = side.min(image.width - left);
                tile.clear();
                for y in top..(top + side).min(image.height) {
                    let start = (y * image.width + left) * image.channels;
                    tile.extend_from_slice(&values[start..start + width * image.channels]);
                }
                let mut bytes = Vec::new();
                codec::encode(&tile, width, image.channels, &mut bytes);
                out.push(bytes);
            }
        }
        out
    }
    match &image.pixels {
        Pixels::U8(values) => cut(values, image, side),
        Pixels::U16(values) => cut(values, image, side),
    }
}
