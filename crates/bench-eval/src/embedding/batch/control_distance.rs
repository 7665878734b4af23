//! Distribution distances between the negative controls of two units: energy, MMD, sliced Wasserstein, Fréchet.
//!
//! # What
//! How far apart the distributions of negative controls of two units lie, averaged over pairs of units. All four are
//! free of the scale of the embedding. The permutation null exchanges the units of control wells, so that every pair of
//! units gets a p value as well.
//!
//! # Formula
//! With `X`, `Y` the rows of two units and `D` Euclidean distance:
//! - energy coefficient `(2 E D(X,Y) - E D(X,X') - E D(Y,Y')) / (2 E D(X,Y))`, means over all pairs (V-statistic);
//! - `MMD^2 = E k(X,X') + E k(Y,Y') - 2 E k(X,Y)` over different rows, `k = exp(-D^2 / (2 m^2))`, `m` the median distance
//!   of the whole sample;
//! - sliced Wasserstein: mean over 64 seeded directions of the Wasserstein-1 distance of the projections over their
//!   pooled standard deviation;
//! - Fréchet: `(|mean_X - mean_Y|^2 + tr(S_X + S_Y - 2 (S_X S_Y)^(1/2)))` over the trace of the sample's covariance. The
//!   cross term is the sum of the singular values of `X_c Y_c' / sqrt((n_X - 1)(n_Y - 1))`.
//!
//! # Why
//! Controls have the same treatment everywhere, so that what differs is technical; no label is needed, and the whole
//! distribution counts, not only means.
//!
//! # What it cannot show
//! Effects that only treated wells have. Few rows per unit leave a positive bias in all but MMD: read them against their
//! null.
//!
//! # Reference
//! Székely and Rizzo 2013; Gretton et al. 2012; Bonneel et al. 2015; Dowson and Landau 1982.

use bench_core::{Card, Seed};
use faer::Mat;

use super::shared::ControlSample;
use super::unit_pairs::mean_over_pairs;
use crate::embedding::pairs::products;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Roles, Side, Space};

/// Directions of the sliced distance.
const DIRECTIONS: usize = 64;

const fn card(
    id: &'static str,
    title: &'static str,
    what: &'static str,
    formula: &'static str,
    range: &'static str,
    limits: &'static str,
    reference: &'static str,
) -> EmbeddingCard {
    EmbeddingCard {
        card: Card { id, title, what, formula, better: "lower", range, limits, reference },
        side: Side::Batch,
        dialect: "negative controls",
        best: "noise",
        worst: "one-hot-source",
    }
}

/// Energy distance.
pub static ENERGY_CARD: EmbeddingCard = card(
    "control-energy",
    "Energy distance of controls",
    "How far the distributions of negative controls of two units lie apart, as a share of the mean distance between them. Constant embedding: not defined, it has no spread.",
    "(2 E D(X,Y) - E D(X,X') - E D(Y,Y')) / (2 E D(X,Y)), mean over pairs of units",
    "0 to 1",
    "Few rows per unit leave a positive bias: read it against its null.",
    "Szekely and Rizzo 2013",
);

/// Maximum mean discrepancy.
pub static MMD_CARD: EmbeddingCard = card(
    "control-mmd",
    "MMD of controls",
    "The unbiased squared maximum mean discrepancy between the negative controls of two units, with a Gaussian kernel as wide as the median distance. Constant embedding: not defined, it has no spread.",
    "E k(X,X') + E k(Y,Y') - 2 E k(X,Y), mean over pairs of units",
    "about 0 to 2",
    "Slightly negative where units do not differ.",
    "Gretton et al. 2012",
);

/// Sliced Wasserstein distance.
pub static SLICED_CARD: EmbeddingCard = card(
    "control-sliced-wasserstein",
    "Sliced Wasserstein distance of controls",
    "How far the negative controls of two units lie apart along random directions, in standard deviations. Constant embedding: not defined, it has no spread.",
    "mean over 64 directions of W1(projections) / sd, mean over pairs of units",
    "0 to about 2",
    "Random directions miss an effect along few of many features.",
    "Bonneel et al. 2015",
);

/// Fréchet distance.
pub static FRECHET_CARD: EmbeddingCard = card(
    "control-frechet",
    "Fréchet distance of controls",
    "The Fréchet distance between normal distributions fitted to the negative controls of two units, over the total variance. Constant embedding: not defined, it has no spread.",
    "(|mean_X - mean_Y|^2 + tr(S_X + S_Y - 2 (S_X S_Y)^(1/2))) / tr(S), mean over pairs of units",
    "0 to about 4",
    "Fewer rows than features leave a large positive bias: read it against its null.",
    "Dowson and Landau 1982",
);

/// A distribution distance between negative controls.
#[derive(Clone, Copy, Debug)]
pub enum ControlDistance {
    /// Energy coefficient.
    Energy,
    /// Maximum mean discrepancy.
    Mmd,
    /// Sliced Wasserstein distance.
    Sliced,
    /// Fréchet distance.
    Frechet,
}

impl EmbeddingMetric for ControlDistance {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Energy => &ENERGY_CARD,
            Self::Mmd => &MMD_CARD,
            Self::Sliced => &SLICED_CARD,
            Self::Frechet => &FRECHET_CARD,
        }
    }

    fn on_controls(&self) -> bool {
        true
    }

    fn null_cost(&self) -> NullCost {
        match self {
            Self::Frechet => NullCost::Pass,
            _ => NullCost::Low,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let sample = space.control_sample(roles.controls)?;
        let variance = total_variance(sample, space.controls.cols());
        if variance <= 0.0 {
            return Err("the negative controls have no spread".to_owned());
        }
        let d = space.controls.cols();
        match self {
            Self::Energy => mean_over_pairs(space, roles, energy),
            Self::Mmd => {
                let median = median_distance(sample);
                if median <= 0.0 {
                    return Err("more than half of the negative controls are the same".to_owned());
                }
                mean_over_pairs(space, roles, |sample, a, b| discrepancy(sample, a, b, median))
            }
            Self::Sliced => {
                let projections = projections(sample, d);
                mean_over_pairs(space, roles, |_, a, b| sliced(&projections, a, b))
            }
            Self::Frechet => mean_over_pairs(space, roles, |sample, a, b| frechet(sample, a, b, d) / variance),
        }
    }
}

/// Mean of a function of the distances between two sets of places.
fn mean_between(sample: &ControlSample, a: &[usize], b: &[usize], f: impl Fn(f64) -> f64) -> f64 {
    let sum: f64 = a.iter().flat_map(|&i| b.iter().map(move |&j| (i, j))).map(|(i, j)| f(sample.between(i, j))).sum();
    sum / (a.len() * b.len()) as f64
}

fn energy(sample: &ControlSample, a: &[usize], b: &[usize]) -> f64 {
    let between = mean_between(sample, a, b, |d| d);
    let within = mean_between(sample, a, a, |d| d) + mean_between(sample, b, b, |d| d);
    if between > 0.0 { (2.0 * between - within) / (2.0 * between) } else { 0.0 }
}

fn discrepancy(sample: &ControlSample, a: &[usize], b: &[usize], median: f64) -> f64 {
    let kernel = |d: f64| (-d * d / (2.0 * median * median)).exp();
    // The kernel of a row with itself is one; it does not count.
    let within = |a: &[usize]| {
        let n = a.len() as f64;
        (mean_between(sample, a, a, kernel) * n * n - n) / (n * (n - 1.0))
    };
    within(a) + within(b) - 2.0 * mean_between(sample, a, b, kernel)
}

/// Median distance between different places of the sample.
fn median_distance(sample: &ControlSample) -> f64 {
    let m = sample.rows.len();
    let mut all: Vec<f32> = (0..m).flat_map(|i| sample.distance[i * m + i + 1..(i + 1) * m].iter().copied()).collect();
    let middle = all.len() / 2;
    let is_odd = all.len() % 2 == 1;
    let (below, &mut upper, _) = all.select_nth_unstable_by(middle, f32::total_cmp);
    let lower = if is_odd { upper } else { below.iter().copied().fold(0.0, f32::max) };
    (f64::from(lower) + f64::from(upper)) / 2.0
}

/// Trace of the sample's covariance.
fn total_variance(sample: &ControlSample, d: usize) -> f64 {
    if d == 0 { 0.0 } else { sample.centred.iter().map(|x| x * x).sum::<f64>() / (sample.rows.len() - 1) as f64 }
}

/// Projections on seeded directions, each over its standard deviation; `[directions][places]`.
fn projections(sample: &ControlSample, d: usize) -> Vec<Vec<f64>> {
    let mut stream = Seed(0).derive("sliced-wasserstein", 0).stream();
    let directions: Vec<f64> = (0..DIRECTIONS * d).map(|_| stream.normal()).collect();
    let m = sample.rows.len();
    let mut all = vec![0.0; DIRECTIONS * m];
    products(&directions, &sample.centred, d, &mut all);
    let scaled = |values: &[f64]| {
        let sd = (values.iter().map(|x| x * x).sum::<f64>() / (m - 1) as f64).sqrt();
        values.iter().map(|x| if sd > 0.0 { x / sd } else { 0.0 }).collect()
    };
    all.chunks_exact(m).map(scaled).collect()
}

fn sliced(projections: &[Vec<f64>], a: &[usize], b: &[usize]) -> f64 {
    let sorted = |values: &[f64], places: &[usize]| {
        let mut chosen: Vec<f64> = places.iter().map(|&place| values[place]).collect();
        chosen.sort_unstable_by(f64::total_cmp);
        chosen
    };
    let sum: f64 = projections.iter().map(|values| wasserstein(&sorted(values, a), &sorted(values, b))).sum();
    sum / projections.len() as f64
}

/// Wasserstein-1 distance of two sorted samples: the area between their distribution functions.
fn wasserstein(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut at, mut area) = (0, 0, 0.0, 0.0);
    // Quantiles are steps at i / |a| and j / |b|; between two steps the distance is constant.
    while i < a.len() && j < b.len() {
        let (next_a, next_b) = ((i + 1) as f64 / a.len() as f64, (j + 1) as f64 / b.len() as f64);
        let next = next_a.min(next_b);
        area += (next - at) * (a[i] - b[j]).abs();
        at = next;
        // Both step at once where i / |a| = j / |b|, which whole numbers decide.
        let ordering = ((i + 1) * b.len()).cmp(&((j + 1) * a.len()));
        if ordering.is_le() {
            i += 1;
        }
        if ordering.is_ge() {
            j += 1;
        }
    }
    area
}

/// Fréchet distance of the normal distributions fitted to two sets of places.
fn frechet(sample: &ControlSample, a: &[usize], b: &[usize], d: usize) -> f64 {
    let centre = |places: &[usize]| {
        let mut mean = vec![0.0; d];
        for &place in places {
            for (mean, x) in mean.iter_mut().zip(&sample.centred[place * d..(place + 1) * d]) {
                *mean += x / places.len() as f64;
            }
        }
        let mut rows = Vec::with_capacity(places.len() * d);
        for &place in places {
            rows.extend(sample.centred[place * d..(place + 1) * d].iter().zip(&mean).map(|(x, mean)| x - mean));
        }
        (mean, rows)
    };
    let ((mean_a, rows_a), (mean_b, rows_b)) = (centre(a), centre(b));
    let shift: f64 = mean_a.iter().zip(&mean_b).map(|(a, b)| (a - b).powi(2)).sum();
    let trace = |rows: &[f64], n: usize| rows.iter().map(|x| x * x).sum::<f64>() / (n - 1) as f64;
    let mut cross = vec![0.0; a.len() * b.len()];
    products(&rows_a, &rows_b, d, &mut cross);
    let matrix = Mat::from_fn(a.len(), b.len(), |i, j| cross[i * b.len() + j]);
    let singular: f64 = matrix.singular_values().map_or(f64::NAN, |values| values.iter().sum());
    let scale = (((a.len() - 1) * (b.len() - 1)) as f64).sqrt();
    (shift + trace(&rows_a, a.len()) + trace(&rows_b, b.len()) - 2.0 * singular / scale).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::wasserstein;

    #[test]
    fn the_area_between_two_samples_is_found() {
        assert!((wasserstein(&[0.0, 1.0], &[2.0, 3.0]) - 2.0).abs() < 1e-12);
        assert!((wasserstein(&[0.0, 1.0, 2.0], &[1.0]) - 2.0 / 3.0).abs() < 1e-12);
    }
}
