//! Writing one packed plate, `{source}__{batch}__{plate}.bplate`. A file is whole or absent (temporary name, sync,
//! rename).

use std::io::{BufWriter, Write};
use std::path::Path;

use bench_core::atomic;

use super::packed::{MAGIC, PackedField, PlateHeader, raw_digest};
use super::{Policy, codec};
use crate::id::FieldId;
use crate::image::{Image, Pixels};
use crate::ordered::in_order;
use crate::{Error, Result};

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
