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
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::file::check_sides;
use super::samples::{Raw, Samples};
use crate::{Error, Result};

/// NewSubfileType: a copy of another page at a lower resolution.
const REDUCED: u32 = 1;
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
    let samples = match decoder.read_image().map_err(failed)? {
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

fn float(path: &Path, values: Vec<f64>) -> Result<Samples> {
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::corrupt(path, format!("pixel {at} is {}", values[at])));
    }
    Ok(Samples::Float { values, white: None })
}
