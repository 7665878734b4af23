//! How good the raw channels of a field are.
//!
//! # Formula
//! Per channel, over all pixels of the file before anything is done to it, with intensities x as
//! shares of the most that its type holds (of 1 for floating-point files):
//! - focus: variance of `4 x - left - right - above - below` over the inner pixels, divided by the
//!   mean of x; 0 for a black image
//! - saturated: share of pixels at the image's greatest value (CellProfiler's PercentMaximal)
//! - lowest: share of pixels at the image's least value (PercentMinimal)
//! - mean, p1, p99: in the units of the file, with linear interpolation
//!
//! A channel is empty if p1 equals p99: scaling between them leaves nothing. A field is empty if
//! one of its channels is.
//!
//! # Why
//! Details lost to defocus are lost to the Laplacian. Photon noise alone gives it a variance of 20
//! times the mean of its own variance, which grows as the mean: divided by the mean, empty and
//! full fields of one microscope share one floor. A camera of 12 bits saturates at 4095 in a file
//! of 16: the greatest value of the image finds that plateau, the type's would not.
//!
//! # What it cannot show
//! Focus compares fields of one channel, plate and microscope; across them gain and density move
//! it. A field without cells is not empty in the sense above: its noise is not constant.
//!
//! # Reference
//! Bray et al. 2012, "Workflow and metrics for image quality control in large-scale high-content
//! screens"; CellProfiler, MeasureImageQuality.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::store::Problem;
use crate::store::samples::{Raw, Samples};
use crate::store::scale::{float_percentiles, percentile};

/// Measures of one raw channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelQuality {
    /// Variance of the Laplacian over the mean; larger is sharper.
    pub focus: f64,
    /// Share of pixels at the greatest value.
    pub saturated: f64,
    /// Share of pixels at the least value.
    pub lowest: f64,
    /// Mean intensity in the units of the file.
    pub mean: f64,
    /// First percentile.
    pub p1: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Measures of one field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldQuality {
    /// The channels in the order of the store.
    pub channels: Vec<ChannelQuality>,
}

impl ChannelQuality {
    /// Measures one channel.
    pub fn measure(raw: &Raw) -> Self {
        let n = raw.samples.len() as f64;
        let (mean, [p1, p99], saturated, lowest, laplacian) = match &raw.samples {
            Samples::U8(values) => integers(values, 256, raw.width),
            Samples::U16(values) => integers(values, 65536, raw.width),
            Samples::Float { values, .. } => {
                let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
                let share = |wanted: f64| values.iter().filter(|&&v| v == wanted).count() as f64 / n;
                let mean = values.iter().sum::<f64>() / n;
                let percentiles = float_percentiles(&mut values.clone(), [1.0, 99.0]);
                (mean, percentiles, share(most), share(least), laplacian_variance(values, raw.width))
            }
        };
        // Of variance and mean one is in squared units: one division by white is left.
        let white = raw.samples.white().unwrap_or(1.0);
        let focus = if mean > 0.0 { laplacian / mean / white } else { 0.0 };
        Self { focus, saturated, lowest, mean, p1, p99 }
    }

    /// Whether scaling between the percentiles leaves nothing.
    pub fn is_empty(&self) -> bool {
        self.p1 == self.p99
    }
}

impl FieldQuality {
    /// Whether a channel is empty.
    pub fn is_empty(&self) -> bool {
        self.channels.iter().any(ChannelQuality::is_empty)
    }
}

/// Mean, percentiles, shares of greatest and least value, and variance of the Laplacian.
fn integers<T: Copy + Into<u32> + Into<f64>>(
    values: &[T],
    levels: usize,
    width: usize,
) -> (f64, [f64; 2], f64, f64, f64) {
    let mut histogram = vec![0u32; levels];
    for &value in values {
        let level: u32 = value.into();
        histogram[level as usize] += 1;
    }
    let n = values.len();
    let sum: f64 = histogram.iter().enumerate().map(|(value, &count)| value as f64 * f64::from(count)).sum();
    let share = |count: Option<&u32>| f64::from(count.copied().unwrap_or(0)) / n as f64;
    let most = share(histogram.iter().rev().find(|&&count| count > 0));
    let least = share(histogram.iter().find(|&&count| count > 0));
    let percentiles = [1.0, 99.0].map(|q| percentile(&histogram, n, q));
    (sum / n as f64, percentiles, most, least, laplacian_variance(values, width))
}

fn laplacian_variance<T: Copy + Into<f64>>(values: &[T], width: usize) -> f64 {
    let rows: Vec<&[T]> = values.chunks_exact(width.max(1)).collect();
    if width < 3 || rows.len() < 3 {
        return 0.0;
    }
    let (mut sum, mut squares) = (0.0, 0.0);
    for rows in rows.windows(3) {
        let [above, row, below] = rows else { unreachable!("windows of three") };
        // Sums of a row are exact for integers, and the loop has no branch.
        let (mut row_sum, mut row_squares) = (0.0f64, 0.0f64);
        for ((around, above), below) in row.windows(3).zip(&above[1..]).zip(&below[1..]) {
            let number = |value: T| -> f64 { value.into() };
            let v = 4.0 * number(around[1]) - number(around[0]) - number(around[2]) - number(*above) - number(*below);
            row_sum += v;
            row_squares += v * v;
        }
        sum += row_sum;
        squares += row_squares;
    }
    let n = ((rows.len() - 2) * (width - 2)) as f64;
    (squares / n - (sum / n).powi(2)).max(0.0)
}

/// Which fields are too bad to use. The default keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct QcFilter {
    /// Largest share of saturated pixels in any channel.
    pub max_saturated: Option<f64>,
    /// Least focus of every channel.
    pub min_focus: Option<f64>,
    /// Whether fields with an empty channel are left out.
    pub drop_empty: bool,
}

impl QcFilter {
    /// Why a field is left out; `channels` are their names.
    pub fn reason(&self, quality: &FieldQuality, channels: &[String]) -> Option<String> {
        channels.iter().zip(&quality.channels).find_map(|(name, channel)| {
            if self.drop_empty && channel.is_empty() {
                return Some(format!("channel `{name}` is empty: 98 % of its pixels are {}", channel.p1));
            }
            if let Some(most) = self.max_saturated.filter(|&most| channel.saturated > most) {
                return Some(format!("{} of channel `{name}` is saturated, above {most}", channel.saturated));
            }
            let least = self.min_focus.filter(|&least| channel.focus < least)?;
            Some(format!("focus {} of channel `{name}` is below {least}", channel.focus))
        })
    }

    /// The fields that are left out, each with its reason.
    pub fn left_out<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a str, &'a FieldQuality)>,
        channels: &[String],
    ) -> Vec<Problem> {
        let judged = fields.into_iter().filter_map(|(name, quality)| Some((name, self.reason(quality, channels)?)));
        let problem =
            |(name, reason): (&str, String)| Problem::new(name, &Error::Quality { field: name.to_owned(), reason });
        judged.map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(height: usize, width: usize, samples: Samples) -> ChannelQuality {
        ChannelQuality::measure(&Raw { height, width, samples })
    }

    #[test]
    fn measures_of_small_images_are_those_computed_by_hand() {
        // One inner pixel pair: Laplacians 4*6-1-0-2-3 = 18 and 4*0-6-4-1-1 = -12 over a mean of 2.
        let values = vec![9u16, 2, 1, 0, 1, 6, 0, 4, 0, 3, 1, 0];
        let quality = measure(3, 4, Samples::U16(values.clone()));
        assert!((quality.mean - 27.0 / 12.0).abs() < 1e-12);
        assert!((quality.focus - 225.0 / quality.mean / 65535.0).abs() < 1e-15);
        assert_eq!((quality.saturated, quality.lowest), (1.0 / 12.0, 4.0 / 12.0));
        let float = Samples::Float { values: values.into_iter().map(f64::from).collect(), white: Some(65535.0) };
        let same = measure(3, 4, float);
        assert_eq!((same.p1, same.p99, same.saturated), (quality.p1, quality.p99, quality.saturated));
        assert!((same.focus - quality.focus).abs() < 1e-15);
    }

    #[test]
    fn blur_lowers_focus_and_plateaus_are_found() {
        let sharp: Vec<u16> = (0..4096).map(|i| if (i / 8 + i / 512) % 2 == 0 { 500 } else { 4095 }).collect();
        let at = |i: usize| f64::from(sharp[i.min(4095)]);
        let blurred: Vec<u16> =
            (0..4096usize).map(|i| ((at(i.saturating_sub(1)) + at(i) + at(i + 1)) / 3.0) as u16).collect();
        let (a, b) = (measure(64, 64, Samples::U16(sharp)), measure(64, 64, Samples::U16(blurred)));
        assert!(a.focus > 2.0 * b.focus, "{a:?} {b:?}");
        assert_eq!(a.saturated, 0.5);
        let constant = measure(5, 5, Samples::U8(vec![7; 25]));
        assert_eq!((constant.focus, constant.saturated, constant.lowest), (0.0, 1.0, 1.0));
        assert!(constant.is_empty() && !a.is_empty());
        assert_eq!(measure(2, 2, Samples::U16(vec![0; 4])).focus, 0.0);
    }

    #[test]
    fn filters_name_the_channel_and_the_measure() {
        let good = measure(3, 3, Samples::U8(vec![9, 1, 2, 3, 4, 5, 6, 7, 8]));
        let empty = measure(3, 3, Samples::U8(vec![7; 9]));
        let names = ["DNA".to_owned(), "ER".to_owned()];
        let field = FieldQuality { channels: vec![good, empty] };
        assert_eq!(QcFilter::default().reason(&field, &names), None);
        let drop = QcFilter { drop_empty: true, ..QcFilter::default() };
        let sharp = QcFilter { min_focus: Some(1e9), ..QcFilter::default() };
        let dark = QcFilter { max_saturated: Some(0.5), ..QcFilter::default() };
        for (filter, start) in [(drop, "channel `ER` is empty"), (dark, "1 of channel `ER`"), (sharp, "focus ")] {
            assert!(filter.reason(&field, &names).is_some_and(|reason| reason.starts_with(start)));
        }
        let problems = drop.left_out([("a", &field)], &names);
        assert_eq!((problems.len(), problems[0].reason.as_str()), (1, "quality"));
    }
}
