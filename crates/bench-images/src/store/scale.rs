//! From 16-bit intensities to 8-bit pixels, by a declared rule.
//!
//! # Formula
//! With percentiles p1 and p99 of this one image (linear interpolation between order statistics):
//! `trunc(255 * clip((x - p1) / (p99 - p1 + 2.22e-16), 0, 1))`.
//!
//! # What it cannot show
//! Percentiles per image and channel remove most of the gain and offset of a microscope, and with
//! them any phenotype that is a change of overall intensity. Very sparse images saturate.
//!
//! # Reference
//! gwatkinson/jump_download: `jump_download/images/final_image_class.py`.

use serde::{Deserialize, Serialize};

use crate::image::Pixels;
use crate::{Error, Result};

/// What becomes of 16-bit images. Images of 8 bits stay as they are: they were scaled before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Depth {
    /// To 8 bits between two percentiles of each image, after the centre crop.
    Percentiles {
        /// Percentile that becomes black.
        low: f64,
        /// Percentile that becomes white.
        high: f64,
    },
    /// To 8 bits over the whole range: `trunc(x * 255 / 65535)`.
    FullRange,
    /// Stay 16 bits. A field that mixes depths is then an error.
    Keep,
}

impl Default for Depth {
    fn default() -> Self {
        Self::Percentiles { low: 1.0, high: 99.0 }
    }
}

impl Depth {
    /// Fails unless the percentiles are in order.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Percentiles { low, high } if !(0.0 <= low && low < high && high <= 100.0) => {
                Err(Error::setting("depth", format!("needs 0 <= low < high <= 100, and has {low} and {high}")))
            }
            _ => Ok(()),
        }
    }

    /// Applies the rule to one channel.
    pub fn apply(self, plane: Pixels) -> Pixels {
        match (self, plane) {
            (Self::Percentiles { low, high }, Pixels::U16(values)) => {
                Pixels::U8(between_percentiles(&values, low, high))
            }
            (Self::FullRange, Pixels::U16(values)) => {
                Pixels::U8(values.iter().map(|&v| (u32::from(v) * 255 / 65535) as u8).collect())
            }
            (_, plane) => plane,
        }
    }
}

/// 8-bit pixels between two percentiles of one channel.
pub fn between_percentiles(values: &[u16], low: f64, high: f64) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let mut histogram = vec![0u32; 65536];
    for &value in values {
        histogram[usize::from(value)] += 1;
    }
    let black = percentile(&histogram, values.len(), low);
    let white = percentile(&histogram, values.len(), high);
    // One division per grey value that occurs, not per pixel.
    let mut table = vec![0u8; 65536];
    for (value, to) in table.iter_mut().enumerate() {
        if histogram[value] > 0 {
            let scaled = (value as f64 - black) / (white - black + 2.22e-16);
            *to = (scaled.clamp(0.0, 1.0) * 255.0) as u8;
        }
    }
    values.iter().map(|&value| table[usize::from(value)]).collect()
}

/// Percentile with linear interpolation, in the arithmetic of NumPy.
fn percentile(histogram: &[u32], n: usize, q: f64) -> f64 {
    let position = q / 100.0 * (n - 1) as f64;
    let below = position.floor() as usize;
    let (a, b) = (order_statistic(histogram, below), order_statistic(histogram, (below + 1).min(n - 1)));
    let t = position - below as f64;
    if t >= 0.5 { b - (b - a) * (1.0 - t) } else { a + (b - a) * t }
}

fn order_statistic(histogram: &[u32], rank: usize) -> f64 {
    let mut seen = 0usize;
    histogram
        .iter()
        .position(|&count| {
            seen += count as usize;
            seen > rank
        })
        .expect("a rank is below the number of values") as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_gives_the_published_vectors() {
        // specs: values 0,100,..,1500: p1 15, p99 1485.
        let ramp: Vec<u16> = (0..16).map(|i| i * 100).collect();
        let expected = [0, 14, 32, 49, 66, 84, 101, 118, 136, 153, 170, 188, 205, 222, 240, 255];
        assert_eq!(between_percentiles(&ramp, 1.0, 99.0), expected);
        let sparse = [0, 0, 10, 20, 30, 40, 50, 60, 65535, 65535];
        assert_eq!(between_percentiles(&sparse, 1.0, 99.0), [0, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
        assert_eq!(between_percentiles(&[7; 9], 1.0, 99.0), [0; 9]);
        assert!(between_percentiles(&[], 1.0, 99.0).is_empty());
    }

    #[test]
    fn the_full_range_ends_at_both_ends() {
        let scaled = Depth::FullRange.apply(Pixels::U16(vec![0, 256, 257, 65534, 65535]));
        assert_eq!(scaled, Pixels::U8(vec![0, 0, 1, 254, 255]));
        assert!(Depth::Percentiles { low: 99.0, high: 1.0 }.check().is_err());
    }
}
