//! Robustness index over pairs: two labels in two units at a time, as many rows of each.
//!
//! # What
//! The robustness index of every table of two labels in two units, cells thinned to the same size, and its mean.
//!
//! # Formula
//! `mean over pairs of sum SO / (sum SO + sum OS)` over the `k` nearest rows of the pair that are not on the row's own
//! plate (cosine); `k` as for [`super::robustness`], at most the rows of a cell. Rows at equal distance count by
//! expectation.
//!
//! # Why
//! In the whole table a large unit, or a label of one unit, decides the index; with equal cells an embedding that knows
//! neither biology nor laboratory scores 0.5.
//!
//! # What it cannot show
//! How labels that are not compared in a pair lie to each other. At most 20 pairs, 100 rows per cell, drawn with a seed.
//!
//! # Reference
//! PathoROB (Kömen et al. 2025), with the plate in the place of the slide.

use bench_core::{Card, Factor, Matrix, Seed};
use bench_geometry::neighbours::round_cosine;
use rayon::prelude::*;

use super::robustness::RobustnessIndex;
use super::shared::at_least_two;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Side, Space};

/// Most pairs, and most rows of a cell.
const MOST: (usize, usize) = (20, 100);

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "robustness-index-pairs",
        title: "Robustness index over pairs",
        what: "The robustness index of two labels in two units with equally many rows of each, averaged over such pairs. Constant embedding: m / (2m - 1) with m plates in every unit, because the own plate is left out.",
        formula: "mean over pairs of sum SO / (sum SO + sum OS), k nearest rows of the pair on other plates (cosine)",
        better: "higher",
        range: "0 to 1",
        limits: "A sample of pairs and rows; pairs of which a unit has one plate only are left out.",
        reference: "PathoROB (Koemen et al. 2025), plate for slide",
    },
    side: Side::Batch,
    dialect: "PathoROB, 2 x 2, own plate left out",
    best: "one-hot-label",
    worst: "one-hot-source",
};

/// Robustness index over pairs.
#[derive(Clone, Copy, Debug)]
pub struct RobustnessPairs;

impl EmbeddingMetric for RobustnessPairs {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pairs
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        let plate = roles.layout.plate.as_ref().ok_or("the rows have no plate")?;
        let k = match space.robustness_k.get() {
            Some(&k) => k,
            None => RobustnessIndex::Plate.best_k(space, roles)?,
        };
        let pairs = pairs(roles, plate, Seed(0))?;
        let found: Vec<(f64, f64)> = pairs
            .par_iter()
            .map(|pair| counts(space.unit_rows(), &pair.rows, roles, plate, fitting(k, pair)))
            .collect();
        let named = pairs.iter().zip(found).filter(|(_, (_, all))| *all > 0.0);
        let mut parts = vec![Part { unit: "neighbours", name: "k".to_owned(), n: k, value: k as f64, p: None }];
        parts.extend(named.map(|(pair, (top, all))| Part {
            unit: "label-pair / unit-pair",
            name: pair.name.clone(),
            n: pair.rows.len(),
            value: top / all,
            p: None,
        }));
        let values: Vec<f64> = parts[1..].iter().map(|part| part.value).collect();
        let value = bench_core::number::mean(&values).ok_or("no neighbour shares label or unit with its row")?;
        Ok(Measured { value, n: parts[1..].iter().map(|part| part.n).sum(), parts, ..Measured::default() })
    }
}

/// Beyond the rows of one cell, other cells would be counted whatever the embedding.
fn fitting(k: usize, pair: &Pair) -> usize {
    k.min(pair.rows.len() / 4).max(1)
}

/// Two labels in two units.
struct Pair {
    name: String,
    rows: Vec<u32>,
}

/// Pairs in which every unit has rows on two plates, cells thinned to one size.
fn pairs(roles: &Roles<'_>, plate: &Factor, seed: Seed) -> Result<Vec<Pair>, String> {
    let (labels, units) = (roles.label.level_count(), roles.unit.level_count());
    let mut cells = vec![Vec::new(); labels * units];
    for row in 0..roles.layout.rows {
        cells[roles.label.code(row) * units + roles.unit.code(row)].push(row as u32);
    }
    let of = |label: usize, unit: usize| cells[label * units + unit].as_slice();
    let mut chosen: Vec<[usize; 4]> = Vec::new();
    for (a, b) in (0..labels).flat_map(|a| (a + 1..labels).map(move |b| (a, b))) {
        let plates = |u: usize| {
            let mut seen: Vec<u32> = of(a, u).iter().chain(of(b, u)).map(|&row| plate.codes[row as usize]).collect();
            seen.sort_unstable();
            seen.dedup();
            seen.len()
        };
        let both: Vec<usize> =
            (0..units).filter(|&u| !of(a, u).is_empty() && !of(b, u).is_empty() && plates(u) > 1).collect();
        chosen.extend(both.iter().enumerate().flat_map(|(i, &u)| both[i + 1..].iter().map(move |&v| [a, b, u, v])));
    }
    if chosen.is_empty() {
        return Err(format!("no two labels both occur in two levels of `{}` of two plates each", roles.unit_name));
    }
    if chosen.len() > MOST.0 {
        seed.derive("robustness-pairs/pairs", 0).stream().shuffle(&mut chosen);
        chosen.truncate(MOST.0);
        chosen.sort_unstable();
    }
    let pair = |[a, b, u, v]: [usize; 4]| {
        let four = [of(a, u), of(a, v), of(b, u), of(b, v)];
        let size = four.iter().map(|cell| cell.len()).min().unwrap_or_default().min(MOST.1);
        let own = seed.derive("robustness-pairs", ((a * labels + b) * units * units + u * units + v) as u64);
        let mut rows: Vec<u32> = Vec::with_capacity(4 * size);
        for (at, cell) in four.into_iter().enumerate() {
            let mut cell = cell.to_vec();
            own.derive("cell", at as u64).stream().shuffle(&mut cell);
            rows.extend(&cell[..size]);
        }
        let names = [&roles.label.levels[a], &roles.label.levels[b], &roles.unit.levels[u], &roles.unit.levels[v]];
        Pair { name: names.map(String::as_str).join(" / "), rows }
    };
    Ok(chosen.into_iter().map(pair).collect())
}

/// Sums of SO and of SO + OS over given rows, each against the others.
///
/// # Errors
/// The rows have no plate.
pub fn counts_of(space: &Space<'_>, rows: &[u32], roles: &Roles<'_>, k: usize) -> Result<(f64, f64), String> {
    let plate = roles.layout.plate.as_ref().ok_or("the rows have no plate")?;
    Ok(counts(space.unit_rows(), rows, roles, plate, k))
}

/// Sums of SO and of SO + OS over the rows of a pair.
fn counts(unit_rows: &Matrix, rows: &[u32], roles: &Roles<'_>, plate: &Factor, k: usize) -> (f64, f64) {
    let distance = |a: u32, b: u32| {
        let (a, b) = (unit_rows.row(a as usize), unit_rows.row(b as usize));
        round_cosine(1.0 - a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>())
    };
    let mut sums = (0.0, 0.0);
    for &row in rows {
        let here = row as usize;
        let mut others: Vec<(f64, u32)> = rows
            .iter()
            .filter(|&&other| plate.code(other as usize) != plate.code(here))
            .map(|&other| (distance(row, other), other))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let k = k.min(others.len());
        let mut taken = 0;
        for run in others.chunk_by(|a, b| a.0 == b.0) {
            if taken >= k {
                break;
            }
            let weight = (k - taken).min(run.len()) as f64 / run.len() as f64;
            taken += run.len();
            for &(_, other) in run {
                let same_label = roles.label.code(other as usize) == roles.label.code(here);
                let same_unit = roles.unit.code(other as usize) == roles.unit.code(here);
                if same_label != same_unit {
                    sums.0 += if same_label { weight } else { 0.0 };
                    sums.1 += weight;
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::testing::Input;

    #[test]
    fn biology_scores_one_laboratory_zero_and_nothing_a_half() {
        let (_, input, _) = Input::all().remove(0);
        let none = Matrix::zeros(0, 5);
        let coded = |codes: Option<&[u32]>| {
            let one_hot = |row: usize| (0..5).map(move |at| f32::from(u8::from(codes.is_none_or(|c| c[row] == at))));
            Matrix::new(input.matrix.rows(), 5, (0..input.matrix.rows()).flat_map(one_hot).collect())
        };
        let measure = |matrix: &Matrix| {
            let space = Space::new(matrix, &none);
            space.robustness_k.set(1).unwrap();
            RobustnessPairs.measure(&space, &input.roles()).unwrap()
        };
        assert!(measure(&coded(Some(&input.label.codes))).value > 0.99);
        // Where a draw leaves a row without another of its unit on another plate, rows of other units are equally far.
        assert!(measure(&coded(Some(&input.batch.codes))).value < 0.1);
        // Half of the rows of the own unit are on the own plate and no neighbours, so that the other unit gains.
        let flat = measure(&coded(None)).value;
        assert!((0.5..0.8).contains(&flat), "{flat}");
    }
}
