//! One channel of one field: a grey PNG of 8 or 16 bits, or a grey TIFF of 8 or 16 bits or of
//! floating-point numbers (`tiff_file`).
//!
//! The kind is decided by the first bytes, not by the name. Checksums are verified and the whole
//! file is decoded, so that a truncated file is an error that names it.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use png::{BitDepth, ColorType};

use super::samples::{Raw, Samples};
use super::tiff_file;
use crate::image::Pixels;
use crate::{Error, Result};

/// Sides beyond this are taken for a damaged header.
const LONGEST_SIDE: usize = 1 << 16;

/// One channel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height * width` values.
    pub pixels: Pixels,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Png,
    Tiff,
}

fn kind(path: &Path, start: &[u8]) -> Result<Kind> {
    match start {
        [] => Err(Error::corrupt(path, "the file is empty")),
        [0x89, b'P', b'N', b'G', ..] => Ok(Kind::Png),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Kind::Tiff),
        _ => Err(Error::corrupt(path, "the first bytes are neither those of a PNG nor of a TIFF")),
    }
}

/// Reads a whole channel of 8 or 16 bits.
///
/// # Errors
/// No such file, damage, or another kind of image; floating-point numbers too, which need a rule
/// that scales them ([`read_raw`] has them as they are).
pub fn read_plane(path: &Path) -> Result<Plane> {
    let Raw { height, width, samples } = read_raw(path)?;
    let pixels = match samples {
        Samples::U8(values) => Pixels::U8(values),
        Samples::U16(values) => Pixels::U16(values),
        Samples::Float { .. } => {
            let reason = "its samples are floating-point numbers, which a recipe has to scale".to_owned();
            return Err(Error::Unsupported { path: path.to_owned(), reason });
        }
    };
    Ok(Plane { height, width, pixels })
}

/// Reads a whole channel as it is.
///
/// # Errors
/// No such file, damage, or another kind of image.
pub fn read_raw(path: &Path) -> Result<Raw> {
    let bytes = std::fs::read(path).map_err(|source| Error::read(path, source))?;
    match kind(path, &bytes)? {
        Kind::Png => {
            let Plane { height, width, pixels } = read_png(path, &bytes)?;
            Ok(Raw { height, width, samples: pixels.into() })
        }
        Kind::Tiff => tiff_file::read(path, &bytes),
    }
}

/// Height and width from the header alone.
pub fn read_shape(path: &Path) -> Result<(usize, usize)> {
    let failed = |source| Error::read(path, source);
    let mut start = [0; 4];
    let mut file = File::open(path).map_err(failed)?;
    let mut read = 0;
    while read < start.len() {
        match file.read(&mut start[read..]).map_err(failed)? {
            0 => break,
            n => read += n,
        }
    }
    let reader = BufReader::new(File::open(path).map_err(failed)?);
    let (width, height) = match kind(path, &start[..read])? {
        Kind::Png => {
            let reader = png::Decoder::new(reader).read_info().map_err(|e| Error::corrupt(path, e.to_string()))?;
            (reader.info().width, reader.info().height)
        }
        Kind::Tiff => tiff_file::dimensions(path, reader)?,
    };
    check_sides(path, height as usize, width as usize)
}

pub(super) fn check_sides(path: &Path, height: usize, width: usize) -> Result<(usize, usize)> {
    if height == 0 || width == 0 || height > LONGEST_SIDE || width > LONGEST_SIDE {
        return Err(Error::corrupt(path, format!("the header claims {height} x {width} px")));
    }
    Ok((height, width))
}

fn read_png(path: &Path, bytes: &[u8]) -> Result<Plane> {
    let corrupt = |e: png::DecodingError| Error::corrupt(path, e.to_string());
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().map_err(corrupt)?;
    let info = reader.info();
    let (height, width) = check_sides(path, info.height as usize, info.width as usize)?;
    let (colour, depth) = (info.color_type, info.bit_depth);
    if colour != ColorType::Grayscale || !matches!(depth, BitDepth::Eight | BitDepth::Sixteen) {
        let reason = format!("a {colour:?} PNG of {} bits; one grey channel of 8 or 16 bits is needed", depth as u8);
        return Err(Error::Unsupported { path: path.to_owned(), reason });
    }
    let mut buffer = vec![0; height * width * if depth == BitDepth::Sixteen { 2 } else { 1 }];
    let frame = reader.next_frame(&mut buffer).map_err(corrupt)?;
    if frame.buffer_size() != buffer.len() {
        return Err(Error::corrupt(path, "the pixels do not fill the image"));
    }
    // Reads the checksum and the end mark, which a truncated file lacks.
    reader.finish().map_err(corrupt)?;
    let pixels = match depth {
        BitDepth::Eight => Pixels::U8(buffer),
        _ => Pixels::U16(buffer.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()),
    };
    Ok(Plane { height, width, pixels })
}

/// Encodes one 8-bit channel as a grey PNG.
pub(crate) fn encode_png(path: &Path, height: usize, width: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::write(path, std::io::Error::other(e));
    let mut bytes = Vec::with_capacity(pixels.len());
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
