//! Blosc 1 frames, as numcodecs writes them.
//!
//! # What
//! A header, the starts of the blocks, and blocks whose bytes may be shuffled (all first bytes of the elements, all
//! second bytes, ...) or bit-shuffled, cut into streams and compressed by LZ4, Zstandard, zlib or BloscLZ.
//!
//! # What it cannot do
//! Snappy inside Blosc, which no wheel of numcodecs writes any more.
//!
//! # Reference
//! Blosc, `README_CHUNK_FORMAT.rst`, version 1.21.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Bytes of the header.
const HEADER: usize = 16;
/// Elements wider than this are not cut into one stream per byte.
const MOST_STREAMS: usize = 16;
/// Streams shorter than this are not cut.
const SHORTEST_STREAM: usize = 128;

/// The bytes of a frame; at most `most`.
pub(super) fn decode(frame: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let cut = || "ends within a Blosc frame".to_owned();
    let [_, _, flags, width, sizes @ ..] = frame.get(..HEADER).ok_or_else(cut)? else { return Err(cut()) };
    let (flags, width) = (*flags, usize::from(*width).max(1));
    let (total, block_size) = (word(sizes, 0).ok_or_else(cut)?, word(sizes, 4).ok_or_else(cut)?);
    if total > most {
        return Err(format!("has a Blosc frame of {total} bytes where {most} are due"));
    }
    if flags & 2 != 0 {
        return frame.get(HEADER..HEADER + total).map(<[u8]>::to_vec).ok_or_else(cut);
    }
    if total > 0 && (block_size == 0 || block_size > total) {
        return Err("has a Blosc frame with blocks of an impossible size".to_owned());
    }
    let mut bytes = Vec::new();
    for block in 0..total.div_ceil(block_size.max(1)) {
        let start = word(frame, HEADER + 4 * block).ok_or_else(cut)?;
        let size = block_size.min(total - block * block_size);
        let whole = size == block_size;
        let split = flags & 16 == 0 && width <= MOST_STREAMS && block_size / width >= SHORTEST_STREAM && whole;
        let streams = if split { width } else { 1 };
        let mut content = Vec::with_capacity(size);
        let mut at = start;
        for _ in 0..streams {
            let length = word(frame, at).ok_or_else(cut)?;
            let end = at.checked_add(4).and_then(|at| at.checked_add(length)).ok_or_else(cut)?;
            let stream = frame.get(at + 4..end).ok_or_else(cut)?;
            let due = size / streams;
            if length == due {
                content.extend_from_slice(stream);
            } else {
                content.extend(decompress(flags >> 5, stream, due)?);
            }
            at = end;
        }
        if content.len() != size {
            return Err("has a Blosc block of the wrong length".to_owned());
        }
        match flags {
            _ if flags & 1 != 0 && width > 1 => unshuffle(&content, width, &mut bytes),
            _ if flags & 4 != 0 => unshuffle_bits(&content, width, &mut bytes),
            _ => bytes.extend(content),
        }
    }
    Ok(bytes)
}

/// A number of four bytes, as a length.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(i32::from_le_bytes(word)).ok()
}

fn decompress(codec: u8, stream: &[u8], due: usize) -> Result<Vec<u8>, String> {
    let damaged = |e: std::io::Error| format!("has a damaged Blosc block: {e}");
    let read = |reader: &mut dyn Read| -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        reader.take(due as u64 + 1).read_to_end(&mut bytes).map_err(damaged)?;
        Ok(bytes)
    };
    let bytes = match codec {
        0 => blosclz(stream, due).ok_or("has a damaged BloscLZ block")?,
        1 => lz4::block::decompress(stream, i32::try_from(due).ok()).map_err(damaged)?,
        3 => read(&mut ZlibDecoder::new(stream))?,
        4 => read(&mut zstd::stream::read::Decoder::with_buffer(stream).map_err(damaged)?)?,
        2 => return Err("is compressed by Snappy within Blosc, which is not read".to_owned()),
        other => return Err(format!("is compressed by the codec {other} of Blosc, which is not read")),
    };
    if bytes.len() != due {
        return Err("has a Blosc block of the wrong length".to_owned());
    }
    Ok(bytes)
}

/// LZ77 with runs of literals (control below 32) and matches of at most 8191 bytes back, or 16 bits further.
fn blosclz(stream: &[u8], due: usize) -> Option<Vec<u8>> {
    const NEAR: usize = 8191;
    let mut bytes: Vec<u8> = Vec::with_capacity(due);
    let mut rest = stream.iter().copied();
    let mut control = usize::from(rest.next()? & 31);
    loop {
        if control < 32 {
            for _ in 0..=control {
                bytes.push(rest.next()?);
            }
        } else {
            let mut length = (control >> 5) - 1;
            let mut back = (control & 31) << 8;
            if length == 6 {
                loop {
                    let more = rest.next()?;
                    length += usize::from(more);
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = usize::from(rest.next()?);
            if low == 255 && back == 31 << 8 {
                back = NEAR + (usize::from(rest.next()?) << 8) + usize::from(rest.next()?);
            } else {
                back += low;
            }
            let from = bytes.len().checked_sub(back + 1)?;
            if bytes.len() + length + 3 > due {
                return None;
            }
            // A match may run into what it writes.
            for i in from..from + length + 3 {
                bytes.push(bytes[i]);
            }
        }
        if bytes.len() > due {
            return None;
        }
        match rest.next() {
            Some(next) => control = usize::from(next),
            None => return Some(bytes),
        }
    }
}

/// Puts the bytes of elements together again; what is left over at the end stays.
pub(super) fn unshuffle(content: &[u8], width: usize, bytes: &mut Vec<u8>) {
    let count = content.len() / width;
    for element in 0..count {
        bytes.extend((0..width).map(|byte| content[byte * count + element]));
    }
    bytes.extend_from_slice(&content[count * width..]);
}

/// The same for bits: of eight elements at a time, or not at all.
fn unshuffle_bits(content: &[u8], width: usize, bytes: &mut Vec<u8>) {
    let count = content.len() / width;
    if !count.is_multiple_of(8) {
        bytes.extend_from_slice(content);
        return;
    }
    let row = count / 8;
    for element in 0..count {
        for byte in 0..width {
            let bit = |bit: usize| content[(byte * 8 + bit) * row + element / 8] >> (element % 8) & 1;
            bytes.push((0..8).map(|b| bit(b) << b).sum());
        }
    }
    bytes.extend_from_slice(&content[count * width..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_bytes_and_bits_come_back() {
        let mut bytes = Vec::new();
        unshuffle(&[1, 2, 3, 11, 12, 13, 9], 2, &mut bytes);
        assert_eq!(bytes, [1, 11, 2, 12, 3, 13, 9]);
        // Eight elements of one byte: bit plane 0 says which are odd, plane 1 which have a two.
        bytes.clear();
        unshuffle_bits(&[0b1000_0001, 0b0000_0010, 0, 0, 0, 0, 0, 0b0000_0001], 1, &mut bytes);
        assert_eq!(bytes, [129, 2, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn frames_that_lie_are_refused() {
        for frame in [&[][..], &[2, 1, 0, 4, 255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 1, 2, 4, 8, 0, 0, 0]] {
            assert!(decode(frame, 1 << 20).is_err());
        }
        let mut frame = vec![2, 1, 1, 4, 64, 0, 0, 0, 64, 0, 0, 0, 40, 0, 0, 0, 20, 0, 0, 0, 255, 255, 255, 127];
        assert!(decode(&frame, 64).is_err());
        frame[4] = 65;
        assert!(decode(&frame, 64).unwrap_err().contains("65 bytes where 64 are due"));
    }
}
