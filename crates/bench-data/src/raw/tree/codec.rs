//! How zarr stores the bytes of a chunk: compression, checksums, order.
//!
//! # What
//! The codecs that zarr-python and anndata write by default, in format 2 (compressor and filters) and 3 (a list):
//! Blosc, Zstandard, gzip, zlib, LZ4, byte shuffling, CRC-32C, transposition, chunks within shards, text.
//!
//! # What it cannot do
//! Filters that change values (delta, quantisation) and pickled objects: an array that has one says so when it is read.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use serde_json::Value;

use super::blosc;

/// Longest chunk of text.
const LONGEST_TEXT: usize = 1 << 31;
/// Largest chunk of anything else.
const LARGEST: usize = 1 << 36;

/// The chunk of a shard at a row and column, as it is stored.
type Part<'a> = ((usize, usize), &'a [u8]);

/// One step between stored and plain bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Codec {
    Blosc,
    Zstd,
    Gzip,
    Zlib,
    Lz4,
    Crc32c,
    Shuffle(usize),
}

impl Codec {
    /// The codec of an id, with its settings.
    pub(super) fn named(id: &str, settings: &Value) -> Result<Self, String> {
        Ok(match id.strip_prefix("numcodecs.").unwrap_or(id) {
            "blosc" => Self::Blosc,
            "zstd" => Self::Zstd,
            "gzip" => Self::Gzip,
            "zlib" => Self::Zlib,
            "lz4" => Self::Lz4,
            "crc32c" => Self::Crc32c,
            "shuffle" => match settings["elementsize"].as_u64() {
                Some(width @ 1..=64) => Self::Shuffle(width as usize),
                _ => return Err("values shuffled by an unknown width".to_owned()),
            },
            other => return Err(format!("values behind the filter `{other}`")),
        })
    }

    /// Undoes the step; gives at most `most` bytes.
    fn decode(&self, bytes: Vec<u8>, most: usize) -> Result<Vec<u8>, String> {
        let damaged = |what: &str, e: std::io::Error| format!("has a damaged {what} chunk: {e}");
        let read = |what: &str, reader: &mut dyn Read| {
            let mut plain = Vec::new();
            reader.take(most as u64 + 1).read_to_end(&mut plain).map_err(|e| damaged(what, e))?;
            if plain.len() > most {
                return Err(format!("has a chunk of more than the {most} bytes due"));
            }
            Ok(plain)
        };
        match self {
            Self::Blosc => blosc::decode(&bytes, most),
            Self::Zstd => {
                let mut reader =
                    zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(|e| damaged("Zstandard", e))?;
                read("Zstandard", &mut reader)
            }
            Self::Gzip => read("gzip", &mut MultiGzDecoder::new(bytes.as_slice())),
            Self::Zlib => read("zlib", &mut ZlibDecoder::new(bytes.as_slice())),
            Self::Lz4 => {
                let size = bytes.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
                match size {
                    Some(size) if size as usize <= most && i32::try_from(size).is_ok() => {
                        lz4::block::decompress(&bytes[4..], Some(size as i32)).map_err(|e| damaged("LZ4", e))
                    }
                    _ => Err("has a damaged LZ4 chunk: its length is wrong".to_owned()),
                }
            }
            Self::Crc32c => {
                let Some((plain, sum)) = bytes.split_last_chunk::<4>() else {
                    return Err("has a chunk without its checksum".to_owned());
                };
                if crc32c(plain) != u32::from_le_bytes(*sum) {
                    return Err("has a chunk with the wrong checksum".to_owned());
                }
                Ok(plain.to_vec())
            }
            Self::Shuffle(width) => {
                let mut plain = Vec::with_capacity(bytes.len());
                blosc::unshuffle(&bytes, *width, &mut plain);
                Ok(plain)
            }
        }
    }
}

/// What a chunk holds once its codecs are undone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// Elements of a fixed size.
    Fixed,
    /// Texts, each after its length.
    Text,
    /// Smaller chunks, and where each is.
    Shards(Box<Chunks>, Index),
}

/// The index of a shard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    /// Whether it stands behind the chunks.
    pub(super) at_end: bool,
    /// Whether it carries a checksum.
    pub(super) checked: bool,
}

/// Chunks of one array.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chunks {
    /// Rows and columns of a chunk.
    pub(super) shape: (usize, usize),
    /// Whether columns come one after another.
    pub(super) column_major: bool,
    /// Steps from plain to stored bytes.
    pub(super) codecs: Vec<Codec>,
    pub(super) content: Content,
}

impl Chunks {
    /// Elements of a chunk, row after row, `fill` where nothing is stored.
    pub(super) fn elements(&self, stored: Vec<u8>, fill: &[u8]) -> Result<Vec<u8>, String> {
        let (rows, columns) = self.shape;
        let width = fill.len();
        let due = rows.checked_mul(columns).and_then(|n| n.checked_mul(width)).filter(|due| *due <= LARGEST);
        let due = due.ok_or("has chunks too large to read")?;
        match &self.content {
            Content::Text => Err("holds text".to_owned()),
            Content::Fixed => {
                let bytes = self.plain(stored, due + 16)?;
                if bytes.len() != due {
                    return Err(format!("has a chunk of {} bytes where {due} are due", bytes.len()));
                }
                if !self.column_major || columns == 1 || rows == 1 {
                    return Ok(bytes);
                }
                let mut plain = Vec::with_capacity(due);
                for row in 0..rows {
                    for column in 0..columns {
                        let at = (column * rows + row) * width;
                        plain.extend_from_slice(&bytes[at..at + width]);
                    }
                }
                Ok(plain)
            }
            Content::Shards(inner, index) => {
                let mut bytes = fill.repeat(rows * columns);
                for (place, part) in inner.parts(&stored, index, self.shape)? {
                    let part = inner.elements(part.to_vec(), fill)?;
                    let length = inner.shape.1 * width;
                    for row in 0..inner.shape.0 {
                        let to = ((place.0 + row) * columns + place.1) * width;
                        bytes[to..to + length].copy_from_slice(&part[row * length..(row + 1) * length]);
                    }
                }
                Ok(bytes)
            }
        }
    }

    /// Texts of a chunk, `fill` where nothing is stored.
    pub(super) fn texts(&self, stored: Vec<u8>, fill: &str) -> Result<Vec<String>, String> {
        match &self.content {
            Content::Fixed => Err("holds no text".to_owned()),
            Content::Text => texts(&self.plain(stored, LONGEST_TEXT)?).ok_or("has a damaged chunk of text".to_owned()),
            Content::Shards(inner, index) => {
                let mut all = vec![fill.to_owned(); self.shape.0];
                for (place, part) in inner.parts(&stored, index, self.shape)? {
                    let part = inner.texts(part.to_vec(), fill)?;
                    for (to, text) in all[place.0..].iter_mut().zip(part) {
                        *to = text;
                    }
                }
                Ok(all)
            }
        }
    }

    fn plain(&self, stored: Vec<u8>, most: usize) -> Result<Vec<u8>, String> {
        self.codecs.iter().rev().try_fold(stored, |bytes, codec| codec.decode(bytes, most))
    }

    /// The chunks of this kind within a shard of a shape: row and column of the first element, and the stored bytes.
    fn parts<'a>(&self, shard: &'a [u8], index: &Index, shape: (usize, usize)) -> Result<Vec<Part<'a>>, String> {
        let (down, across) = (shape.0 / self.shape.0, shape.1 / self.shape.1);
        let cut = || "has a shard that ends too early".to_owned();
        let size = down.checked_mul(across).and_then(|n| n.checked_mul(16)).ok_or_else(cut)?;
        let stored = size + if index.checked { 4 } else { 0 };
        let start = if index.at_end { shard.len().checked_sub(stored).ok_or_else(cut)? } else { 0 };
        let mut entries = shard.get(start..start + stored).ok_or_else(cut)?.to_vec();
        if index.checked {
            entries = Codec::Crc32c.decode(entries, size)?;
        }
        let mut parts = Vec::new();
        for (number, entry) in entries.chunks_exact(16).enumerate() {
            let half = |at: usize| entry[at..at + 8].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            let (offset, length) = (half(0), half(8));
            if offset == u64::MAX && length == u64::MAX {
                continue;
            }
            let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok()).ok_or_else(cut)?;
            let part = shard.get(offset as usize..end).ok_or_else(cut)?;
            parts.push(((number / across * self.shape.0, number % across * self.shape.1), part));
        }
        Ok(parts)
    }
}

/// A count, then each text after its length.
fn texts(bytes: &[u8]) -> Option<Vec<String>> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize);
    let mut at = 4_usize;
    let mut texts = Vec::new();
    for _ in 0..word(0)? {
        let end = (at + 4).checked_add(word(at)?)?;
        texts.push(std::str::from_utf8(bytes.get(at + 4..end)?).ok()?.to_owned());
        at = end;
    }
    Some(texts)
}

/// CRC-32C (Castagnoli), bit by bit: it covers the index of a shard and, where asked for, chunks.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_is_that_of_the_standard() {
        // RFC 3720, appendix B.4: 32 zeros, and 0 to 31.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn texts_that_lie_are_refused() {
        assert_eq!(texts(&[2, 0, 0, 0, 1, 0, 0, 0, b'a', 0, 0, 0, 0]).unwrap(), ["a", ""]);
        assert_eq!(texts(&[2, 0, 0, 0, 1, 0, 0, 0, b'a']), None);
        assert_eq!(texts(&[255, 255, 255, 255, 255, 255, 255, 255]), None);
    }
}
