//! TIFF files as microscopes write them.
//!
//! # What
//! One grey channel of 8 or 16 unsigned bits (a camera's 12 bits in 16 too), or of 32 or 64
//! floating-point bits; strips or tiles, either byte order, BigTIFF; uncompressed, LZW, deflate
//! or PackBits, with or without a predictor. Pages after the first are passed over if they are
//! reduced copies of it (bit 0 of NewSubfileType), and an error otherwise.
//!
//! # What it cannot read
//! Samples packed to 12 bits, signed or 32-bit integers, colours, palettes, JPEG, stacks, and
//! images whose zero is white: each is an error that says so.

use std::io::{Cursor, Read, Seek};
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{ByteOrder, Tag};
use tiff::{ColorType, TiffError};

use super::file::check_sides;
use super::lzw;
use super::samples::{Raw, Samples};
use crate::{Error, Result};

/// NewSubfileType: a copy of another page at a lower resolution.
const REDUCED: u32 = 1;
/// Compression.
const LZW: u64 = 5;
/// PhotometricInterpretation: zero is white.
const WHITE_IS_ZERO: u32 = 0;

fn failed(path: &Path, error: TiffError) -> Error {
    match error {
        TiffError::UnsupportedError(_) => unsupported(path, error.to_string()),
        _ => Error::corrupt(path, error.to_string()),
    }
}

fn unsupported(path: &Path, reason: String) -> Error {
    Error::Unsupported { path: path.to_owned(), reason }
}

/// Width and height of the first page.
pub(super) fn dimensions(path: &Path, reader: impl Read + Seek) -> Result<(u32, u32)> {
    let mut decoder = Decoder::new(reader).map_err(|e| failed(path, e))?;
    decoder.dimensions().map_err(|e| failed(path, e))
}

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Raw> {
    let failed = |e| failed(path, e);
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions().map_err(failed)?;
    let (height, width) = check_sides(path, height as usize, width as usize)?;
    let colour = decoder.colortype().map_err(failed)?;
    match colour {
        ColorType::Gray(8 | 16 | 32 | 64) => {}
        ColorType::Gray(bits) => {
            let reason = format!("samples packed to {bits} bits; write them with 8 or 16");
            return Err(unsupported(path, reason));
        }
        _ => {
            let reason = format!("a TIFF of {colour:?}; one grey channel of 8 or 16 bits is needed");
            return Err(unsupported(path, reason));
        }
    }
    if decoder.find_tag_unsigned(Tag::PhotometricInterpretation).map_err(failed)? == Some(WHITE_IS_ZERO) {
        return Err(unsupported(path, "zero is white in it; invert it first".to_owned()));
    }
    let quick = lzw_strips(&mut decoder, bytes, colour, height, width);
    let samples = match quick.map_or_else(|| decoder.read_image().map_err(failed), Ok)? {
        DecodingResult::U8(values) => Samples::U8(values),
        DecodingResult::U16(values) => Samples::U16(values),
        DecodingResult::F32(values) => float(path, values.into_iter().map(f64::from).collect())?,
        DecodingResult::F64(values) => float(path, values)?,
        _ => {
            let reason = "its samples are neither unsigned integers of 8 or 16 bits nor floating-point numbers of 32";
            return Err(unsupported(path, reason.to_owned()));
        }
    };
    if samples.len() != height * width {
        return Err(Error::corrupt(path, "the pixels do not fill the image"));
    }
    let (mut pages, mut others) = (1, 0);
    while decoder.more_images() {
        decoder.next_image().map_err(failed)?;
        pages += 1;
        let kind: Option<u32> = decoder.find_tag_unsigned(Tag::NewSubfileType).map_err(failed)?;
        others += usize::from(kind.unwrap_or(0) & REDUCED == 0);
    }
    if others > 0 {
        let reason = format!("it has {pages} pages; one image in a file is needed");
        return Err(unsupported(path, reason));
    }
    Ok(Raw { height, width, samples })
}

/// Decodes LZW strips of unsigned samples. None for anything else, and for what is damaged.
fn lzw_strips(
    decoder: &mut Decoder<Cursor<&[u8]>>,
    bytes: &[u8],
    colour: ColorType,
    height: usize,
    width: usize,
) -> Option<DecodingResult> {
    let size = match colour {
        ColorType::Gray(8) => 1,
        ColorType::Gray(16) => 2,
        _ => return None,
    };
    let big = decoder.byte_order() == ByteOrder::BigEndian;
    let mut tag = |tag, default: u64| Some(decoder.find_tag_unsigned::<u64>(tag).ok()?.unwrap_or(default));
    let predictor = tag(Tag::Predictor, 1)?;
    let plain = tag(Tag::Compression, 1)? == LZW && tag(Tag::FillOrder, 1)? == 1 && tag(Tag::SampleFormat, 1)? == 1;
    let rows = usize::try_from(tag(Tag::RowsPerStrip, height as u64)?).ok()?.min(height);
    if !plain || !matches!(predictor, 1 | 2) || rows == 0 {
        return None;
    }
    let offsets = decoder.find_tag_unsigned_vec::<u64>(Tag::StripOffsets).ok()??;
    let lengths = decoder.find_tag_unsigned_vec::<u64>(Tag::StripByteCounts).ok()??;
    // A damaged header must not claim much more memory than its strips can fill: LZW packs a
    // byte at most some 1,400 times.
    if offsets.len() != height.div_ceil(rows) || height * width / 2048 > bytes.len() {
        return None;
    }
    let mut out = vec![0u8; height * width * size];
    for ((offset, length), strip) in offsets.iter().zip(&lengths).zip(out.chunks_mut(rows * width * size)) {
        let start = usize::try_from(*offset).ok()?;
        let end = start.checked_add(usize::try_from(*length).ok()?)?;
        lzw::decode(bytes.get(start..end)?, strip)?;
    }
    if lengths.len() != offsets.len() {
        return None;
    }
    if size == 1 {
        if predictor == 2 {
            out.chunks_exact_mut(width).for_each(|row| sum_up(row, u8::wrapping_add));
        }
        return Some(DecodingResult::U8(out));
    }
    let pairs = out.chunks_exact(2).map(|b| [b[0], b[1]]);
    let mut values: Vec<u16> =
        if big { pairs.map(u16::from_be_bytes).collect() } else { pairs.map(u16::from_le_bytes).collect() };
    if predictor == 2 {
        values.chunks_exact_mut(width).for_each(|row| sum_up(row, u16::wrapping_add));
    }
    Some(DecodingResult::U16(values))
}

/// Undoes the horizontal predictor of a row.
fn sum_up<T: Copy + Default>(row: &mut [T], add: fn(T, T) -> T) {
    let mut sum = T::default();
    for value in row {
        sum = add(sum, *value);
        *value = sum;
    }
}

fn float(path: &Path, values: Vec<f64>) -> Result<Samples> {
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::corrupt(path, format!("pixel {at} is {}", values[at])));
    }
    Ok(Samples::Float { values, white: None })
}
