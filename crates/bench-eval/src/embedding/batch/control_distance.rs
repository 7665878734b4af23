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
use bench_geometry::product::products;
use faer::Mat;

use super::shared::ControlSample;
use super::unit_pairs::{Units, mean_over_pairs};
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
        if sample.variance <= 0.0 {
            return Err("the negative controls have no spread".to_owned());
        }
        match self {
            Self::Energy => mean_over_pairs(space, roles, |sample, units| {
                let means = Means::new(&sample.distance, units, sample.rows.len());
                move |a, b| energy(&means, a, b)
            }),
            Self::Mmd => {
                let kernel = sample.kernel(|| kernel(sample));
                let kernel = kernel.ok_or("more than half of the negative controls are the same")?;
                mean_over_pairs(space, roles, |sample, units| {
                    let means = Means::new(kernel, units, sample.rows.len());
                    move |a, b| discrepancy(&means, a, b)
                })
            }
            Self::Sliced => {
                let projections = sample.projections(|| projections(sample, space.controls.cols()));
                mean_over_pairs(space, roles, |sample, units| {
                    let sorted = by_unit(projections, units, sample.rows.len());
                    move |a, b| sorted.iter().map(|of| wasserstein(&of[a], &of[b])).sum::<f64>() / sorted.len() as f64
                })
            }
            Self::Frechet => {
                let (products, m) = (sample.products(), sample.rows.len());
                mean_over_pairs(space, roles, |_, units| {
                    let units = units.to_vec();
                    move |a: usize, b: usize| frechet(products, m, &units[a].1, &units[b].1) / sample.variance
                })
            }
        }
    }
}

/// Means of a table of all pairs of places between units.
struct Means {
    units: usize,
    /// Places of each unit.
    size: Vec<f64>,
    /// `[units, units]`.
    mean: Vec<f64>,
}

impl Means {
    fn new(table: &[f32], units: &Units, m: usize) -> Self {
        let count = units.len();
        let mut unit_of = vec![usize::MAX; m];
        for (unit, (_, places)) in units.iter().enumerate() {
            places.iter().for_each(|&place| unit_of[place] = unit);
        }
        let size: Vec<f64> = units.iter().map(|(_, places)| places.len() as f64).collect();
        let mut mean = Vec::with_capacity(count * count);
        for (_, places) in units {
            let mut sums = vec![0.0; m];
            for &place in places {
                sums.iter_mut().zip(&table[place * m..(place + 1) * m]).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            let mut to = vec![0.0; count];
            for (&unit, sum) in unit_of.iter().zip(sums) {
                if unit != usize::MAX {
                    to[unit] += sum;
                }
            }
            mean.extend(to.iter().zip(&size).map(|(sum, size)| sum / (size * places.len() as f64)));
        }
        Self { units: count, size, mean }
    }

    fn between(&self, a: usize, b: usize) -> f64 {
        self.mean[a * self.units + b]
    }
}

fn energy(mean: &Means, a: usize, b: usize) -> f64 {
    let between = mean.between(a, b);
    let within = mean.between(a, a) + mean.between(b, b);
    if between > 0.0 { (2.0 * between - within) / (2.0 * between) } else { 0.0 }
}

fn discrepancy(mean: &Means, a: usize, b: usize) -> f64 {
    // The kernel of a row with itself is one; it does not count.
    let within = |unit: usize| {
        let n = mean.size[unit];
        (mean.between(unit, unit) * n * n - n) / (n * (n - 1.0))
    };
    within(a) + within(b) - 2.0 * mean.between(a, b)
}

/// Gaussian kernel of all pairs, as wide as the median distance; `None` if that is zero.
fn kernel(sample: &ControlSample) -> Option<Vec<f32>> {
    let median = median_distance(sample);
    let of = |&distance: &f32| (-f64::from(distance).powi(2) / (2.0 * median * median)).exp() as f32;
    (median > 0.0).then(|| sample.distance.iter().map(of).collect())
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

/// Projections on seeded directions, each over its standard deviation, with their places; ascending.
fn projections(sample: &ControlSample, d: usize) -> Vec<Vec<(f64, u32)>> {
    let mut stream = Seed(0).derive("sliced-wasserstein", 0).stream();
    let directions: Vec<f64> = (0..DIRECTIONS * d).map(|_| stream.normal()).collect();
    let m = sample.rows.len();
    let mut all = vec![0.0; DIRECTIONS * m];
    products(&directions, &sample.centred, d, &mut all);
    let scaled = |values: &[f64]| {
        let sd = (values.iter().map(|x| x * x).sum::<f64>() / (m - 1) as f64).sqrt();
        let mut places: Vec<(f64, u32)> =
            values.iter().zip(0..).map(|(x, place)| (if sd > 0.0 { x / sd } else { 0.0 }, place)).collect();
        places.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        places
    };
    all.chunks_exact(m).map(scaled).collect()
}

/// Projections of every unit, ascending; `[directions][units]`.
fn by_unit(projections: &[Vec<(f64, u32)>], units: &Units, m: usize) -> Vec<Vec<Vec<f64>>> {
    let mut unit_of = vec![usize::MAX; m];
    for (unit, (_, places)) in units.iter().enumerate() {
        places.iter().for_each(|&place| unit_of[place] = unit);
    }
    let divide = |sorted: &Vec<(f64, u32)>| {
        let mut of: Vec<Vec<f64>> = units.iter().map(|(_, places)| Vec::with_capacity(places.len())).collect();
        for &(value, place) in sorted {
            if let Some(of) = of.get_mut(unit_of[place as usize]) {
                of.push(value);
            }
        }
        of
    };
    projections.iter().map(divide).collect()
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

/// Fréchet distance of the normal distributions fitted to two sets of places, from the products of all `m` places.
fn frechet(products: &[f64], m: usize, a: &[usize], b: &[usize]) -> f64 {
    // Products of one set with another, and their means over rows, columns and all.
    let block = |a: &[usize], b: &[usize]| {
        let values: Vec<f64> = a.iter().flat_map(|&i| b.iter().map(move |&j| products[i * m + j])).collect();
        let rows: Vec<f64> = values.chunks_exact(b.len()).map(|row| row.iter().sum::<f64>() / b.len() as f64).collect();
        let mut columns = vec![0.0; b.len()];
        for row in values.chunks_exact(b.len()) {
            columns.iter_mut().zip(row).for_each(|(column, x)| *column += x / a.len() as f64);
        }
        let all = rows.iter().sum::<f64>() / a.len() as f64;
        (values, rows, columns, all)
    };
    let ((own_a, _, _, mean_a), (own_b, _, _, mean_b)) = (block(a, a), block(b, b));
    let (cross, rows, columns, mean) = block(a, b);
    let shift = mean_a + mean_b - 2.0 * mean;
    let trace = |own: &[f64], mean: f64, n: usize| {
        ((0..n).map(|i| own[i * (n + 1)]).sum::<f64>() - n as f64 * mean) / (n - 1) as f64
    };
    // Rows less the mean of their set: the products are centred on both sides.
    let matrix = Mat::from_fn(a.len(), b.len(), |i, j| cross[i * b.len() + j] - rows[i] - columns[j] + mean);
    let singular: f64 = matrix.singular_values().map_or(f64::NAN, |values| values.iter().sum());
    let scale = (((a.len() - 1) * (b.len() - 1)) as f64).sqrt();
    (shift + trace(&own_a, mean_a, a.len()) + trace(&own_b, mean_b, b.len()) - 2.0 * singular / scale).max(0.0)
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
