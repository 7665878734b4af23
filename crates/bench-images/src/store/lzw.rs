//! LZW as TIFF has it: codes from the high bit, each width left one code early.
//!
//! # Why
//! Microscopes write LZW, and decoding it takes most of the time of preprocessing. A string of
//! the table is the previous string and one byte more, and both stand in the output already, one
//! after the other: the table holds places in the output, and a code is one copy.
//!
//! # Reference
//! TIFF 6.0, section 13.

const CLEAR: usize = 256;
const END: usize = 257;
const FIRST: usize = 258;
const MOST: usize = 4096;
/// Bytes that a short copy moves at once.
const SHORT: usize = 16;

/// Fills `out`. None if the data are damaged, too short, or of the old kind without a first clear
/// code: then the general decoder has the word.
pub(crate) fn decode(packed: &[u8], out: &mut [u8]) -> Option<()> {
    // Place and length of each string.
    let mut table = [(0u32, 0u32); MOST];
    let (mut next, mut width) = (FIRST, 9u32);
    let (mut bits, mut count) = (0u64, 0u32);
    let (mut at, mut pos) = (0, 0);
    let mut previous: Option<(usize, usize)> = None;
    let mut begun = false;
    while pos < out.len() {
        if count < width {
            if let Some(word) = packed.get(at..at + 4) {
                bits = bits << 32 | u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
                (at, count) = (at + 4, count + 32);
            } else {
                while count < width {
                    bits = bits << 8 | u64::from(*packed.get(at)?);
                    (at, count) = (at + 1, count + 8);
                }
            }
        }
        count -= width;
        let code = (bits >> count) as usize & ((1 << width) - 1);
        if code == CLEAR {
            (next, width, previous, begun) = (FIRST, 9, None, true);
            continue;
        }
        if !begun || code == END {
            return None;
        }
        // The new string: the previous one and the first byte of this one, which follows it.
        if let Some((start, length)) = previous
            && next < MOST
        {
            table[next] = (start as u32, length as u32 + 1);
            next += 1;
            if next + 1 >= 1 << width && width < 12 {
                width += 1;
            }
        }
        let length = if code < CLEAR {
            out[pos] = code as u8;
            1
        } else {
            if code >= next {
                return None;
            }
            let (start, length) = (table[code].0 as usize, table[code].1 as usize);
            let length = length.min(out.len() - pos);
            if length <= SHORT && start + SHORT <= pos && pos + SHORT <= out.len() {
                let (done, rest) = out.split_at_mut(pos);
                rest[..SHORT].copy_from_slice(&done[start..start + SHORT]);
            } else {
                // A string that ends at this byte repeats its own begin.
                let known = length.min(pos - start);
                out.copy_within(start..start + known, pos);
                for i in known..length {
                    out[pos + i] = out[start + i];
                }
            }
            length
        };
        previous = Some((pos, length));
        pos += length;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_decodes() {
        // 7 7 7 8 8 7 7 6 6: codes clear, 7, 258, 8, 8, 258, 6, 6, end, of 9 bits each.
        let codes = [256u32, 7, 258, 8, 8, 258, 6, 6, 257];
        let text: String = codes.iter().map(|code| format!("{code:09b}")).collect::<String>() + "0000000";
        let bits: Vec<u8> = text.bytes().map(|b| b - b'0').collect();
        let packed: Vec<u8> = bits.chunks_exact(8).map(|b| b.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
        let mut out = [0; 9];
        assert_eq!(decode(&packed, &mut out), Some(()));
        assert_eq!(out, [7, 7, 7, 8, 8, 7, 7, 6, 6]);
        assert_eq!(decode(&packed, &mut [0; 10]), None, "ends too early");
        assert_eq!(decode(&packed[..4], &mut [0; 9]), None);
        assert_eq!(decode(&[], &mut [0; 1]), None);
    }

    #[test]
    fn any_bytes_are_refused_or_decoded_and_never_crash() {
        let mut stream = bench_core::Seed(5).stream();
        for n in 0..3000 {
            let mut packed: Vec<u8> = (0..n % 200).map(|_| stream.next_u32() as u8).collect();
            packed.splice(0..0, [0x80, 0x00]);
            let mut out = vec![0; n % 700];
            let _ = decode(&packed, &mut out);
        }
    }
}
