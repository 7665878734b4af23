//! Simple measurements of a field, in the manner of CellProfiler: baselines without learning.
//!
//! # What
//! - `Intensity_*`: mean, standard deviation, skewness and percentiles 5, 50, 95 of each channel.
//! - `Texture_*`: mean squared difference of neighbours at 1, 2 and 4 px over twice the variance
//!   (one minus autocorrelation), and the share of variance that a 3 x 3 mean removes.
//! - `Correlation_*`: Pearson correlation of each pair of channels.
//! - `Nuclei_*`: number, area (mean, standard deviation), covered share and elongation of bright
//!   objects in the first channel (Otsu threshold on the 3 x 3 mean, four-connected, objects of at
//!   least `smallest` px), and each channel's mean inside nuclei over its mean outside.
//!
//! # What it cannot show
//! Cells that touch count as one nucleus; nothing is corrected for illumination.

use crate::image::Image;

/// Which measurements are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureSet {
    /// Intensity of each channel, and number and area of nuclei.
    IntensityAndCount,
    /// Everything.
    Simple,
}

/// Names of the features, in order, for channels of those names.
pub fn names(set: FeatureSet, channels: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for channel in channels {
        for what in ["Mean", "Std", "Skewness", "P05", "P50", "P95"] {
            out.push(format!("Intensity_{what}_{channel}"));
        }
    }
    for what in ["Count", "AreaMean", "AreaStd", "Covered", "Elongation"] {
        out.push(format!("Nuclei_{what}"));
    }
    if set == FeatureSet::IntensityAndCount {
        return out;
    }
    for channel in channels {
        out.push(format!("Nuclei_Contrast_{channel}"));
    }
    for channel in channels {
        for what in ["Difference1", "Difference2", "Difference4", "Fine"] {
            out.push(format!("Texture_{what}_{channel}"));
        }
    }
    for (i, a) in channels.iter().enumerate() {
        for b in &channels[i + 1..] {
            out.push(format!("Correlation_{a}_{b}"));
        }
    }
    out
}

/// Measures a field; values in the order of [`names`], all finite. Objects of fewer than
/// `smallest` px are not nuclei.
pub fn measure(set: FeatureSet, image: &Image, smallest: usize) -> Vec<f32> {
    let (height, width) = (image.height, image.width);
    let planes: Vec<Vec<f32>> = (0..image.channels).map(|c| image.plane(c)).collect();
    let moments: Vec<Moments> = planes.iter().map(|plane| Moments::of(plane)).collect();
    let mut out = Vec::new();
    for (plane, m) in planes.iter().zip(&moments) {
        let mut sorted = plane.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| f64::from(sorted[(share * (sorted.len() - 1) as f64).round() as usize]);
        out.extend([m.mean, m.variance.sqrt(), m.skewness, at(0.05), at(0.5), at(0.95)]);
    }
    let smooth = mean3(&planes[0], height, width);
    let nuclei = Nuclei::find(&smooth, height, width, smallest);
    out.extend([
        nuclei.areas.len() as f64,
        nuclei.mean_area(),
        nuclei.spread_of_areas(),
        nuclei.covered(),
        nuclei.elongation,
    ]);
    if set == FeatureSet::Simple {
        for plane in &planes {
            out.push(nuclei.contrast(plane));
        }
        for (plane, m) in planes.iter().zip(&moments) {
            for lag in [1, 2, 4] {
                out.push(difference(plane, height, width, lag) / (2.0 * m.variance).max(1e-9));
            }
            let coarse = Moments::of(&mean3(plane, height, width)).variance;
            out.push(1.0 - coarse / m.variance.max(1e-9));
        }
        for (i, a) in planes.iter().enumerate() {
            for (j, b) in planes.iter().enumerate().skip(i + 1) {
                let product: f64 = a
                    .iter()
                    .zip(b)
                    .map(|(&a, &b)| (f64::from(a) - moments[i].mean) * (f64::from(b) - moments[j].mean))
                    .sum();
                let scale = (moments[i].variance * moments[j].variance).sqrt().max(1e-9);
                out.push(product / a.len() as f64 / scale);
            }
        }
    }
    out.into_iter().map(|value| value as f32).collect()
}

struct Moments {
    mean: f64,
    variance: f64,
    skewness: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let central = |power: i32| values.iter().map(|&v| (f64::from(v) - mean).powi(power)).sum::<f64>() / n;
        let variance = central(2);
        Self { mean, variance, skewness: central(3) / variance.powf(1.5).max(1e-9) }
    }
}

/// Mean over 3 x 3 px; at borders over what there is.
fn mean3(plane: &[f32], height: usize, width: usize) -> Vec<f32> {
    let across: Vec<f32> = plane
        .chunks_exact(width)
        .flat_map(|row| (0..width).map(|x| mean(&row[x.saturating_sub(1)..(x + 2).min(width)])))
        .collect();
    let mut out = Vec::with_capacity(plane.len());
    for y in 0..height {
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        for x in 0..width {
            let sum: f32 = rows.clone().map(|r| across[r * width + x]).sum();
            out.push(sum / rows.len() as f32);
        }
    }
    out
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// Mean squared difference of pixels `lag` apart, over rows and columns.
fn difference(plane: &[f32], height: usize, width: usize, lag: usize) -> f64 {
    let (mut sum, mut n) = (0.0, 0usize);
    let mut add = |a: f32, b: f32| {
        sum += f64::from(a - b) * f64::from(a - b);
        n += 1;
    };
    for y in 0..height {
        for x in 0..width {
            let at = y * width + x;
            if x + lag < width {
                add(plane[at], plane[at + lag]);
            }
            if y + lag < height {
                add(plane[at], plane[at + lag * width]);
            }
        }
    }
    sum / n.max(1) as f64
}

/// Bright objects of a plane.
struct Nuclei {
    inside: Vec<bool>,
    areas: Vec<f64>,
    elongation: f64,
}

impl Nuclei {
    fn find(plane: &[f32], height: usize, width: usize, smallest: usize) -> Self {
        let threshold = otsu(plane);
        let mut open: Vec<bool> = plane.iter().map(|&v| v > threshold).collect();
        let mut inside = vec![false; plane.len()];
        let (mut areas, mut ratios) = (Vec::new(), 0.0);
        for start in 0..plane.len() {
            if !open[start] {
                continue;
            }
            open[start] = false;
            let mut object = vec![start];
            let mut next = 0;
            while next < object.len() {
                let at = object[next];
                next += 1;
                let (y, x) = (at / width, at % width);
                let neighbours = [
                    (x > 0).then(|| at - 1),
                    (x + 1 < width).then(|| at + 1),
                    (y > 0).then(|| at - width),
                    (y + 1 < height).then(|| at + width),
                ];
                for neighbour in neighbours.into_iter().flatten() {
                    if std::mem::take(&mut open[neighbour]) {
                        object.push(neighbour);
                    }
                }
            }
            if object.len() >= smallest.max(1) {
                areas.push(object.len() as f64);
                ratios += elongation(&object, width);
                object.iter().for_each(|&at| inside[at] = true);
            }
        }
        let elongation = if areas.is_empty() { 0.0 } else { ratios / areas.len() as f64 };
        Self { inside, areas, elongation }
    }

    fn mean_area(&self) -> f64 {
        self.areas.iter().sum::<f64>() / self.areas.len().max(1) as f64
    }

    fn spread_of_areas(&self) -> f64 {
        let mean = self.mean_area();
        (self.areas.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / self.areas.len().max(1) as f64).sqrt()
    }

    fn covered(&self) -> f64 {
        self.areas.iter().sum::<f64>() / self.inside.len() as f64
    }

    /// Mean inside over mean outside; 1 when either is empty.
    fn contrast(&self, plane: &[f32]) -> f64 {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for (&value, &inside) in plane.iter().zip(&self.inside) {
            sums[usize::from(inside)] += f64::from(value);
            counts[usize::from(inside)] += 1.0;
        }
        if counts.contains(&0.0) {
            return 1.0;
        }
        (sums[1] / counts[1] + 1e-3) / (sums[0] / counts[0] + 1e-3)
    }
}

/// Ratio of the axes of the ellipse with an object's second moments.
fn elongation(object: &[usize], width: usize) -> f64 {
    let n = object.len() as f64;
    let place = |&at: &usize| ((at / width) as f64, (at % width) as f64);
    let (sy, sx) = object.iter().map(place).fold((0.0, 0.0), |(a, b), (y, x)| (a + y, b + x));
    let (my, mx) = (sy / n, sx / n);
    let (mut yy, mut xx, mut xy) = (0.0, 0.0, 0.0);
    for (y, x) in object.iter().map(place) {
        yy += (y - my) * (y - my) / n;
        xx += (x - mx) * (x - mx) / n;
        xy += (x - mx) * (y - my) / n;
    }
    // The moments of a pixel itself keep thin objects finite.
    let (yy, xx) = (yy + 1.0 / 12.0, xx + 1.0 / 12.0);
    let root = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt();
    ((xx + yy + root) / (xx + yy - root)).sqrt()
}

/// Threshold that separates two classes best, over 256 grey values (Otsu 1979).
fn otsu(plane: &[f32]) -> f32 {
    let mut histogram = [0.0f64; 256];
    for &value in plane {
        histogram[(value.clamp(0.0, 1.0) * 255.0) as usize] += 1.0;
    }
    let n = plane.len() as f64;
    let total: f64 = histogram.iter().enumerate().map(|(i, count)| i as f64 * count).sum();
    let (mut below, mut sum, mut best, mut threshold) = (0.0, 0.0, -1.0, 0);
    for (i, &count) in histogram.iter().enumerate() {
        below += count;
        sum += i as f64 * count;
        if below == 0.0 || below == n {
            continue;
        }
        let between = (total * below / n - sum).powi(2) / (below * (n - below));
        if between > best {
            (best, threshold) = (between, i);
        }
    }
    // Values of the lower class truncate to `threshold`, so the border is where the next begins.
    (threshold + 1) as f32 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::Channels;
    use crate::image::Pixels;

    #[test]
    fn two_squares_are_two_nuclei_with_their_areas() {
        let (height, width) = (20, 30);
        let mut pixels = vec![10u8; height * width * 5];
        for y in 0..height {
            for x in 0..width {
                let nucleus =
                    (3..9).contains(&y) && (4..10).contains(&x) || (10..16).contains(&y) && (15..27).contains(&x);
                if nucleus {
                    pixels[(y * width + x) * 5] = 200;
                    pixels[(y * width + x) * 5 + 1] = 30;
                }
            }
        }
        let image = Image { height, width, channels: 5, pixels: Pixels::U8(pixels) };
        let names = names(FeatureSet::Simple, Channels::jump().names());
        let values = measure(FeatureSet::Simple, &image, 8);
        assert_eq!(names.len(), values.len());
        assert!(values.iter().all(|v| v.is_finite()));
        let value = |name: &str| values[names.iter().position(|n| n == name).unwrap()];
        assert_eq!(value("Nuclei_Count"), 2.0);
        // The mean over 3 x 3 px rounds corners off: at most four pixels each.
        assert!((value("Nuclei_AreaMean") - 54.0).abs() <= 4.0, "{}", value("Nuclei_AreaMean"));
        assert!(value("Nuclei_Contrast_AGP") > 2.0 && (value("Nuclei_Contrast_ER") - 1.0).abs() < 1e-3);
        assert!(value("Correlation_DNA_AGP") > 0.99 && value("Correlation_DNA_ER") == 0.0);
        assert!((value("Intensity_P50_ER") - 10.0 / 255.0).abs() < 1e-6);
    }

    #[test]
    fn a_constant_field_gives_finite_features() {
        let image = Image { height: 9, width: 9, channels: 5, pixels: Pixels::U8(vec![0; 405]) };
        let values = measure(FeatureSet::Simple, &image, 8);
        assert!(values.iter().all(|v| v.is_finite()));
        let few = measure(FeatureSet::IntensityAndCount, &image, 8);
        assert_eq!(few.len(), names(FeatureSet::IntensityAndCount, Channels::jump().names()).len());
        assert_eq!(few[..], values[..few.len()]);
    }
}
