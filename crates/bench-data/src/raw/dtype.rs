//! Elements of arrays: NumPy's type codes, and their bytes as numbers, whole numbers and text.
//!
//! # Reference
//! NumPy, "Array interface protocol", `typestr`.

use super::narrow;

/// Type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    kind: u8,
    size: usize,
    big_endian: bool,
}

impl Dtype {
    /// Reads `<f4` and its like.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (&order, &kind) = (bytes.first()?, bytes.get(1)?);
        let size: usize = text.get(2..)?.parse().ok()?;
        let known = match kind {
            b'f' => matches!(size, 2 | 4 | 8),
            b'i' | b'u' => matches!(size, 1 | 2 | 4 | 8),
            b'b' => size == 1,
            b'U' | b'S' => (1..=1 << 16).contains(&size),
            _ => false,
        };
        let big_endian = match order {
            b'>' => true,
            b'<' | b'|' => false,
            b'=' => cfg!(target_endian = "big"),
            _ => return None,
        };
        known.then_some(Self { kind, size, big_endian })
    }

    /// Whether an element is a number.
    pub(super) fn is_number(self) -> bool {
        matches!(self.kind, b'f' | b'i' | b'u')
    }

    /// Whether an element is a truth value.
    pub(super) fn is_truth(self) -> bool {
        self.kind == b'b'
    }

    /// Bytes of an element.
    pub(super) fn bytes(self) -> usize {
        if self.kind == b'U' { 4 * self.size } else { self.size }
    }

    /// An element as a feature value.
    pub(super) fn number(self, bytes: &[u8]) -> f32 {
        let bits = self.bits(bytes);
        match (self.kind, self.size) {
            (b'f', 2) => half(bits as u16),
            (b'f', 4) => f32::from_bits(bits as u32),
            (b'f', _) => narrow(f64::from_bits(bits)),
            (b'u', _) => bits as f32,
            _ => self.signed(bits) as f32,
        }
    }

    /// A whole number or truth value, if it fits.
    pub(super) fn integer(self, bytes: &[u8]) -> Option<i64> {
        let bits = self.bits(bytes);
        match self.kind {
            b'u' | b'b' => i64::try_from(bits).ok(),
            b'i' => Some(self.signed(bits)),
            _ => None,
        }
    }

    /// The bytes of a number, given as such and, for whole numbers, as low bits; zeros for text. `None` for half
    /// floats that are neither zero nor special.
    pub(super) fn bytes_of(self, real: f64, whole: u64) -> Option<Vec<u8>> {
        let mut bytes = match (self.kind, self.size) {
            (b'U' | b'S', _) => return Some(vec![0; self.bytes()]),
            (b'f', 2) => match real {
                0.0 => vec![0, 0],
                n if n.is_nan() => vec![0, 0x7e],
                n if n.is_infinite() => vec![0, if n > 0.0 { 0x7c } else { 0xfc }],
                _ => return None,
            },
            (b'f', 4) => (real as f32).to_le_bytes().to_vec(),
            (b'f', _) => real.to_le_bytes().to_vec(),
            (_, size) => whole.to_le_bytes()[..size].to_vec(),
        };
        if self.big_endian {
            bytes.reverse();
        }
        Some(bytes)
    }

    /// The bytes of an element as the low bits of a number.
    fn bits(self, bytes: &[u8]) -> u64 {
        let mut raw = [0u8; 8];
        for (to, from) in raw.iter_mut().zip(bytes) {
            *to = *from;
        }
        if self.big_endian {
            raw[..self.size].reverse();
        }
        u64::from_le_bytes(raw)
    }

    fn signed(self, bits: u64) -> i64 {
        let shift = 64 - 8 * self.size as u32;
        (bits << shift) as i64 >> shift
    }

    /// An element as text; NaN is no value.
    pub(super) fn text(self, bytes: &[u8]) -> Option<String> {
        let text = match self.kind {
            b'U' => bytes
                .chunks_exact(4)
                .map(|c| {
                    let raw = [c[0], c[1], c[2], c[3]];
                    if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
                })
                .take_while(|&c| c != 0)
                .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            b'S' => {
                let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
                String::from_utf8_lossy(&bytes[..end]).into_owned()
            }
            b'b' => if bytes[0] == 0 { "False" } else { "True" }.to_owned(),
            b'f' => {
                let value = match self.size {
                    8 => f64::from_bits(self.bits(bytes)),
                    _ => f64::from(self.number(bytes)),
                };
                return (!value.is_nan()).then(|| value.to_string());
            }
            b'u' => self.bits(bytes).to_string(),
            _ => self.signed(self.bits(bytes)).to_string(),
        };
        Some(text)
    }
}

/// IEEE 754 binary16 to binary32.
pub(super) fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2f32.powi(-14),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_those_of_ieee_754() {
        // IEEE 754-2019, table 3.5: smallest subnormal, smallest normal, one, largest, infinity.
        let cases =
            [(0x0001, 2f32.powi(-24)), (0x0400, 2f32.powi(-14)), (0x3c00, 1.0), (0x7bff, 65504.0), (0xc000, -2.0)];
        for (bits, value) in cases {
            assert_eq!(half(bits), value);
        }
        assert_eq!(half(0xfc00), f32::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn integers_keep_their_sign_in_both_byte_orders() {
        let dtype = |text| Dtype::parse(text).unwrap();
        assert_eq!(dtype("<i2").number(&[0xfe, 0xff]), -2.0);
        assert_eq!(dtype(">i2").number(&[0xff, 0xfe]), -2.0);
        assert_eq!(dtype("|u1").number(&[200]), 200.0);
        assert_eq!(dtype("|i1").number(&[200]), -56.0);
        assert_eq!(dtype(">i4").integer(&[0xff, 0xff, 0xff, 0xfe]), Some(-2));
        assert_eq!(dtype("<u8").integer(&[0xff; 8]), None);
        assert_eq!(dtype(">i4").text(&[0, 0, 1, 0]).unwrap(), "256");
        assert_eq!(dtype(">U2").text(&[0, 0, 0, 65, 0, 0, 0, 0]).unwrap(), "A");
    }
}
