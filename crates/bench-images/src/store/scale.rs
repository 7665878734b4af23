//! From intensities to 8-bit pixels, by a declared rule.
//!
//! # Formula
//! - percentiles: with p1 and p99 of this one image (linear interpolation between order
//!   statistics, as NumPy does) `trunc(255 * clip((x - p1) / (p99 - p1 + 2.22e-16), 0, 1))`
//! - Bray: with the threshold t, the smallest of the `round(n * 2.8e-5)` brightest of n pixels,
//!   `trunc(min(x * (256 / t), 255))`; the lower end stays where it is
//!
//! Integers and corrected (fractional) intensities go through the same arithmetic in `f64`.
//!
//! # What it cannot show
//! Percentiles per image and channel remove most of the gain and offset of a microscope, and with
//! them any phenotype that is a change of overall intensity. Very sparse images saturate.
//!
//! # Reference
//! gwatkinson/jump_download: `jump_download/images/final_image_class.py`; for the threshold
//! ml-jku/cloome and suinleelab/CellCLIP: `preprocessing/preprocess_images.py`.

use serde::{Deserialize, Serialize};

use super::samples::Samples;
use crate::image::Pixels;
use crate::{Error, Result};

/// Share of the pixels at and above the threshold of [`Depth::Bray`].
const BRAY_SHARE: f64 = 2.8e-5;

/// What becomes of intensities. Files of 8 bits stay as they are: they were scaled before. A
/// correction makes them fractional, and then they are scaled as any others.
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
    /// To 8 bits below a threshold that few pixels reach, black where it is.
    Bray,
    /// To 8 bits over the whole range of the file's type: `trunc(x * 255 / 65535)`.
    FullRange,
    /// Stay as they are. A field that mixes depths is then an error; corrected intensities are
    /// rounded to the type of their file.
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

    /// Applies the rule to one channel. `Err` says what the rule cannot do.
    pub fn apply(self, plane: Samples) -> Result<Pixels, &'static str> {
        Ok(match (self, plane) {
            (_, Samples::U8(values)) => Pixels::U8(values),
            (Self::Percentiles { low, high }, Samples::U16(values)) => {
                Pixels::U8(between_percentiles(&values, low, high))
            }
            (Self::Percentiles { low, high }, Samples::Float { mut values, .. }) => {
                Pixels::U8(between_float_percentiles(&mut values, low, high))
            }
            (Self::Bray, Samples::U16(values)) => Pixels::U8(below_threshold(&values)),
            (Self::Bray, Samples::Float { mut values, .. }) => Pixels::U8(below_float_threshold(&mut values)),
            (Self::FullRange, Samples::U16(values)) => {
                Pixels::U8(values.iter().map(|&v| (u32::from(v) * 255 / 65535) as u8).collect())
            }
            (Self::Keep, Samples::U16(values)) => Pixels::U16(values),
            (Self::FullRange, Samples::Float { values, white: Some(white) }) => {
                Pixels::U8(values.iter().map(|v| (v * 255.0 / white).clamp(0.0, 255.0) as u8).collect())
            }
            (Self::Keep, Samples::Float { values, white: Some(white) }) => {
                let rounded = values.iter().map(|v| (v + 0.5).floor().clamp(0.0, white));
                if white > 255.0 {
                    Pixels::U16(rounded.map(|v| v as u16).collect())
                } else {
                    Pixels::U8(rounded.map(|v| v as u8).collect())
                }
            }
            (Self::FullRange | Self::Keep, Samples::Float { white: None, .. }) => {
                return Err("floating-point intensities have no white; scale them by percentiles or threshold");
            }
        })
    }
}

/// 8-bit pixels between two percentiles of one channel.
pub fn between_percentiles(values: &[u16], low: f64, high: f64) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let histogram = histogram(values);
    let black = percentile(&histogram, values.len(), low);
    let white = percentile(&histogram, values.len(), high);
    by_table(values, &histogram, |v| between(v, black, white))
}

fn between_float_percentiles(values: &mut [f64], low: f64, high: f64) -> Vec<u8> {
    let [black, white] = float_percentiles(&mut values.to_vec(), [low, high]);
    values.iter().map(|&v| between(v, black, white)).collect()
}

fn between(value: f64, black: f64, white: f64) -> u8 {
    (((value - black) / (white - black + f64::EPSILON)).clamp(0.0, 1.0) * 255.0) as u8
}

/// How many pixels the threshold counts from the brightest.
///
/// Parity: the reference takes all pixels where the share rounds to none (below 17,858 pixels),
/// and so the darkest one for its threshold; here it is the brightest.
fn bray_rank(n: usize) -> usize {
    ((n as f64 * BRAY_SHARE).round_ties_even() as usize).clamp(1, n)
}

fn below_threshold(values: &[u16]) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let histogram = histogram(values);
    let threshold = order_statistic(&histogram, values.len() - bray_rank(values.len()));
    by_table(values, &histogram, |v| below(v, threshold))
}

fn below_float_threshold(values: &mut [f64]) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let rank = values.len() - bray_rank(values.len());
    let threshold = *values.to_vec().select_nth_unstable_by(rank, f64::total_cmp).1;
    values.iter().map(|&v| below(v, threshold)).collect()
}

/// An image whose threshold is black has nothing to show and becomes black.
fn below(value: f64, threshold: f64) -> u8 {
    if threshold > 0.0 && value > 0.0 { (value * (256.0 / threshold)).min(255.0) as u8 } else { 0 }
}

fn histogram(values: &[u16]) -> Vec<u32> {
    let mut histogram = vec![0u32; 65536];
    for &value in values {
        histogram[usize::from(value)] += 1;
    }
    histogram
}

/// Converts each grey value that occurs once, and then looks pixels up.
fn by_table(values: &[u16], histogram: &[u32], convert: impl Fn(f64) -> u8) -> Vec<u8> {
    let mut table = vec![0u8; 65536];
    for (value, to) in table.iter_mut().enumerate() {
        if histogram[value] > 0 {
            *to = convert(value as f64);
        }
    }
    values.iter().map(|&value| table[usize::from(value)]).collect()
}

/// Percentile with linear interpolation, in the arithmetic of NumPy.
pub(crate) fn percentile(histogram: &[u32], n: usize, q: f64) -> f64 {
    let (below, t) = position(n, q);
    interpolate(order_statistic(histogram, below), order_statistic(histogram, (below + 1).min(n - 1)), t)
}

/// Two percentiles `low <= high` of numbers, which are put in another order.
pub(crate) fn float_percentiles(values: &mut [f64], [low, high]: [f64; 2]) -> [f64; 2] {
    if values.is_empty() {
        return [0.0; 2];
    }
    let n = values.len();
    let one = |values: &mut [f64], q: f64| {
        let (below, t) = position(n, q);
        let (_, &mut a, above) = values.select_nth_unstable_by(below, f64::total_cmp);
        let b = above.iter().copied().min_by(f64::total_cmp).unwrap_or(a);
        interpolate(a, b, t)
    };
    [one(values, low), one(values, high)]
}

/// The order statistic below a percentile of `n` values, and the way to the next.
fn position(n: usize, q: f64) -> (usize, f64) {
    let position = q / 100.0 * (n - 1) as f64;
    (position.floor() as usize, position - position.floor())
}

fn interpolate(a: f64, b: f64, t: f64) -> f64 {
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
        let values = vec![0, 256, 257, 65534, 65535];
        let scaled = Depth::FullRange.apply(Samples::U16(values.clone())).unwrap();
        assert_eq!(scaled, Pixels::U8(vec![0, 0, 1, 254, 255]));
        let float = Samples::Float { values: values.into_iter().map(f64::from).collect(), white: Some(65535.0) };
        assert_eq!(Depth::FullRange.apply(float).unwrap(), scaled);
        assert!(Depth::Percentiles { low: 99.0, high: 1.0 }.check().is_err());
    }

    #[test]
    fn numbers_are_scaled_as_integers_are() {
        let mut stream = bench_core::Seed(3).stream();
        for n in [1, 2, 3, 10, 199, 40_000] {
            let values: Vec<u16> = (0..n).map(|_| (stream.uniform().powi(4) * 5000.0) as u16).collect();
            let float = || Samples::Float { values: values.iter().map(|&v| f64::from(v)).collect(), white: None };
            for depth in [Depth::default(), Depth::Percentiles { low: 0.0, high: 100.0 }, Depth::Bray] {
                assert_eq!(depth.apply(float()), depth.apply(Samples::U16(values.clone())), "{n} {depth:?}");
            }
            assert!(Depth::Keep.apply(float()).is_err());
        }
    }

    #[test]
    fn the_threshold_is_the_rank_that_the_reference_takes() {
        assert_eq!([520 * 696, 1080 * 1080, 100, 17_858].map(bray_rank), [10, 33, 1, 1]);
        // 72,000 pixels: the second brightest is the threshold.
        let mut values = vec![100u16; 72_000];
        values[..3].copy_from_slice(&[60_000, 5_000, 2_500]);
        let scaled = below_threshold(&values);
        assert_eq!(scaled[..4], [255, 255, 128, 5]);
        assert_eq!(below_threshold(&[0; 5]), [0; 5]);
        assert_eq!(below_threshold(&[65535; 5]), [255; 5]);
    }
}
