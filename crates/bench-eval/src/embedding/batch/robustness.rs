//! Robustness index.
//!
//! # What
//! Among the nearest neighbours of every row: how many share its label and come from another unit (source, batch),
//! against how many share its unit and carry another label.
//!
//! # Formula
//! `RI = sum SO / (sum SO + sum OS)` over the `k` nearest rows by cosine distance. `k` is the one of 1, 3, 5, 7, 9, 11,
//! 21, ... 81 with the best balanced accuracy of a vote for the label; over several models, the median of theirs.
//! [`PLATE`] leaves the row's own plate out (its well with it), [`WELL`] only its well.
//!
//! # Why
//! It asks the question of a screen directly: are the nearest images the same biology or the same laboratory?
//!
//! # Ties
//! Rows at equal distance count by expectation, so that a constant embedding scores the share that the labels and units
//! of the table give by themselves.
//!
//! # What it cannot show
//! Units with one plate have no neighbours of their own once their plate is left out: it is then not defined, and the
//! other form, which leaves out only the well, mixes plate with unit.
//!
//! # Reference
//! PathoROB (Kömen et al. 2025), with plate or well in the place of the slide.

use bench_core::{Card, Factor};
use bench_geometry::neighbours::{Graph, Metric};
use rayon::prelude::*;

use super::shared::{Foreign, ON_OTHER_PLATES, at_least_two};
use crate::embedding::{EmbeddingCard, EmbeddingMetric, MeanOver, Measured, Part, Roles, Side, Space, summary};

/// Neighbours tried.
const GRID: [usize; 13] = [1, 3, 5, 7, 9, 11, 21, 31, 41, 51, 61, 71, ON_OTHER_PLATES];

/// The card of the form that leaves the own plate out.
pub static PLATE_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "robustness-index",
        title: "Robustness index",
        what: "Of the nearest neighbours on other plates that share either label or unit with a row, the share that has its label and another unit. Constant embedding: the share that the table itself gives; 0.5 is a tie between biology and laboratory.",
        formula: "sum SO / (sum SO + sum OS) over k nearest rows on other plates (cosine); k by the best label vote, median over models",
        better: "higher",
        range: "0 to 1",
        limits: "Not defined where a unit has one plate only.",
        reference: "PathoROB (Koemen et al. 2025), plate for slide",
    },
    side: Side::Batch,
    dialect: "PathoROB, own plate left out",
    best: "one-hot-label",
    worst: "one-hot-source",
};

/// The card of the form that leaves the own well out.
pub static WELL_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "robustness-index-well",
        title: "Robustness index (own well left out)",
        what: "As the robustness index, with the neighbours of the own plate kept and only the own well left out. Constant embedding: the share among the neighbours that the row order happens to give.",
        formula: "sum SO / (sum SO + sum OS) over k nearest rows of other wells (cosine); k by the best label vote, median over models",
        better: "higher",
        range: "0 to 1",
        limits: "Plate effects count as effects of the unit.",
        reference: "PathoROB (Koemen et al. 2025), well for slide",
    },
    side: Side::Batch,
    dialect: "PathoROB, own well left out",
    best: "one-hot-label",
    worst: "one-hot-source",
};

/// The card of the form of the first paper.
pub static EARLIER_CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "robustness-index-2025",
        title: "Robustness index (first form)",
        what: "Nearest neighbours on other plates that share a row's label, for one that shares its unit; neighbours that share both count on both sides. Above 1 biology is stronger. Constant embedding: the ratio that the table itself gives.",
        formula: "sum (SS + SO) / sum (SS + OS) over k nearest rows on other plates (cosine); k by the best label vote, median over models",
        better: "higher",
        range: "0 and above, 1 is a tie",
        limits: "Not defined where a unit has one plate only. Neighbours that share both pull it to 1.",
        reference: "de Jong et al. 2025, arXiv:2501.18055, plate for slide",
    },
    side: Side::Batch,
    dialect: "arXiv:2501.18055, own plate left out",
    best: "one-hot-label",
    worst: "one-hot-source",
};

/// Which rows are no neighbours, and what is counted.
#[derive(Clone, Copy, Debug)]
pub enum RobustnessIndex {
    /// Those of the own plate.
    Plate,
    /// Those of the own well.
    Well,
    /// Those of the own plate; neighbours that share label and unit count too.
    Earlier,
}

/// Leaves the own plate out.
pub static PLATE: RobustnessIndex = RobustnessIndex::Plate;

/// The first form, own plate left out.
pub static EARLIER: RobustnessIndex = RobustnessIndex::Earlier;

/// Leaves the own well out.
pub static WELL: RobustnessIndex = RobustnessIndex::Well;

impl EmbeddingMetric for RobustnessIndex {
    fn card(&self) -> &'static EmbeddingCard {
        match self {
            Self::Plate => &PLATE_CARD,
            Self::Well => &WELL_CARD,
            Self::Earlier => &EARLIER_CARD,
        }
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        at_least_two(roles.unit, roles.unit_name)?;
        let units = roles.unit.level_count() as u32;
        let cell = |row: usize| roles.label.codes[row] * units + roles.unit.codes[row];
        let lists = self.lists(space, roles, cell)?;
        let k = match space.robustness_k.get() {
            Some(&k) => k,
            None => lists.best_k(roles.label, |code| code / units, cell),
        };
        let pairs: Vec<(f64, f64)> = (0..roles.label.len())
            .into_par_iter()
            .map(|row| {
                let (label, unit) = (roles.label.codes[row], roles.unit.codes[row]);
                let (mut same_label, mut same_unit, mut both) = (0.0, 0.0, 0.0);
                lists.visit(row, k, cell, |code, weight| match (code / units == label, code % units == unit) {
                    (true, false) => same_label += weight,
                    (false, true) => same_unit += weight,
                    (true, true) => both += weight,
                    (false, false) => {}
                });
                match self {
                    Self::Earlier => (both + same_label, both + same_unit),
                    Self::Plate | Self::Well => (same_label, same_label + same_unit),
                }
            })
            .collect();
        let mut parts = vec![Part { unit: "neighbours", name: "k".to_owned(), n: k, value: k as f64, p: None }];
        parts.extend(by_label(roles.label, &pairs));
        let (top, bottom): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        summary::of_rows(top, MeanOver::Ratio(bottom), roles, parts)
            .map_err(|_| "no neighbour shares label or unit with its row".to_owned())
    }
}

impl RobustnessIndex {
    /// The neighbours at which the label is voted best, to be joined over models by [`median_k`].
    ///
    /// # Errors
    /// As measuring.
    pub fn best_k(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<usize, String> {
        let code = |row: usize| roles.label.codes[row];
        Ok(self.lists(space, roles, code)?.best_k(roles.label, |code| code, code))
    }

    fn lists<'a>(
        &self,
        space: &'a Space<'_>,
        roles: &Roles<'a>,
        code: impl Fn(usize) -> u32,
    ) -> Result<Lists<'a>, String> {
        match self {
            Self::Plate | Self::Earlier => {
                let plate = roles.layout.plate.as_ref().ok_or("the rows have no plate")?;
                if let Some(single) = unit_of_one_plate(roles.unit, plate) {
                    return Err(format!(
                        "{} `{single}` has one plate: without it, no neighbour is of the same {}",
                        roles.unit_name, roles.unit_name
                    ));
                }
                let foreign = space.foreign(plate)?;
                Ok(Lists::Plate(foreign, foreign.tallies(code)))
            }
            Self::Well => Ok(Lists::Well(space.graph(Metric::Cosine)?, roles.layout.well.as_ref())),
        }
    }
}

/// A level of the unit with rows on one plate only.
fn unit_of_one_plate<'a>(unit: &'a Factor, plate: &Factor) -> Option<&'a str> {
    let mut seen: Vec<Option<u32>> = vec![None; unit.level_count()];
    let mut several = vec![false; unit.level_count()];
    for (&unit, &plate) in unit.codes.iter().zip(&plate.codes) {
        let first = seen[unit as usize].get_or_insert(plate);
        several[unit as usize] |= *first != plate;
    }
    let single = seen.iter().zip(&several).position(|(seen, several)| seen.is_some() && !several)?;
    Some(&unit.levels[single])
}

/// The median of the models' best numbers of neighbours, the lower of two.
pub fn median_k(best: &[usize]) -> Option<usize> {
    let mut sorted = best.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len().max(1) - 1) / 2).copied()
}

/// Neighbours of every row with what must not count left out.
enum Lists<'a> {
    Plate(&'a Foreign, Vec<Vec<(u32, f64)>>),
    Well(&'a Graph, Option<&'a Factor>),
}

impl Lists<'_> {
    fn visit(&self, row: usize, k: usize, code: impl Fn(usize) -> u32, mut visit: impl FnMut(u32, f64)) {
        match self {
            Self::Plate(foreign, tallies) => foreign.visit(row, k, code, tallies, visit),
            Self::Well(graph, well) => {
                let others = graph.neighbours(row).iter().map(|&other| other as usize);
                let other_wells = others.filter(|&other| well.is_none_or(|well| well.code(other) != well.code(row)));
                other_wells.take(k).for_each(|other| visit(code(other), 1.0));
            }
        }
    }

    /// The first `k` of the grid with the greatest balanced accuracy of the vote; tied votes count in part.
    fn best_k(
        &self,
        label: &Factor,
        label_of: impl Fn(u32) -> u32 + Sync,
        code: impl Fn(usize) -> u32 + Sync,
    ) -> usize {
        let counts = label.counts();
        let mut best = (GRID[0], f64::NEG_INFINITY);
        for k in GRID.into_iter().filter(|&k| k < label.len()) {
            let hits: Vec<f64> = (0..label.len())
                .into_par_iter()
                .map_init(
                    || vec![0.0; label.level_count()],
                    |votes, row| {
                        votes.fill(0.0);
                        self.visit(row, k, &code, |code, weight| votes[label_of(code) as usize] += weight);
                        let most = votes.iter().copied().fold(0.0, f64::max);
                        // Weights of tied rows are fractions: what differs by their rounding is a tie.
                        let wins = |votes: f64| most > 0.0 && votes >= most * (1.0 - 1e-9);
                        let winners = votes.iter().filter(|&&votes| wins(votes)).count();
                        if wins(votes[label.code(row)]) { 1.0 / winners as f64 } else { 0.0 }
                    },
                )
                .collect();
            let mut recall = vec![0.0; label.level_count()];
            for (&code, hit) in label.codes.iter().zip(hits) {
                recall[code as usize] += hit / counts[code as usize] as f64;
            }
            let accuracy: f64 = recall.iter().sum();
            if accuracy > best.1 + 1e-12 {
                best = (k, accuracy);
            }
        }
        best.0
    }
}

fn by_label(label: &Factor, pairs: &[(f64, f64)]) -> Vec<Part> {
    let mut sums = vec![(0.0, 0.0, 0); label.level_count()];
    for (&code, &(top, bottom)) in label.codes.iter().zip(pairs) {
        let sum = &mut sums[code as usize];
        *sum = (sum.0 + top, sum.1 + bottom, sum.2 + 1);
    }
    let named = sums.into_iter().zip(&label.levels).filter(|((_, bottom, _), _)| *bottom > 0.0);
    named
        .map(|((top, bottom, n), name)| Part { unit: "label", name: name.clone(), n, value: top / bottom, p: None })
        .collect()
}
