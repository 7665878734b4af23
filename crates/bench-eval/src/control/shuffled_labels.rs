//! Shuffled labels.
//!
//! # What
//! The features of a real model against labels permuted over wells, by the seed of the run.
//!
//! # Formula
//! `label of well w := label of well pi(w), pi a random permutation`
//!
//! # Why
//! It must score at chance on every split that divides no well: what is left above chance is
//! leakage between training and test rows.
//!
//! # What it cannot show
//! On a split that divides wells it scores above chance, because rows of a well share features
//! and keep a common label; that is leakage, but of the split.
//!
//! # Reference
//! openproblems batch integration, control methods; permutation tests

use bench_core::{Card, Factor, Layout, Seed};

use super::{Control, Made};

/// Its card.
pub static CARD: Card = Card {
    id: "shuffled-labels",
    title: "Shuffled labels",
    what: "The features of a real model against labels permuted over wells, by the seed of the run. It must score at chance on every split that divides no well: what is left above chance is leakage between training and test rows.",
    formula: "label of well w := label of well pi(w), pi a random permutation",
    better: "none",
    range: "chance where no well is divided",
    limits: "On a split that divides wells it scores above chance, because rows of a well share features and keep a common label; that is leakage, but of the split.",
    reference: "openproblems batch integration, control methods; permutation tests",
};

/// The code of each row after the permutation. A well of `m` rows that takes the labels of a
/// well of `k` rows takes them in turn, which is one label unless wells mix labels.
fn permuted(layout: &Layout, label: &Factor, seed: Seed) -> Vec<u32> {
    let mut wells = match &layout.well {
        Some(well) => well.members(),
        None => (0..layout.rows as u32).map(|row| vec![row]).collect(),
    };
    // By first row, so that the numbers of wells carry no meaning.
    wells.retain(|rows| !rows.is_empty());
    wells.sort_by_key(|rows| rows[0]);
    let order = seed.derive("control-shuffled-labels", 0).stream().permutation(wells.len());
    let mut codes = vec![0; layout.rows];
    for (rows, &from) in wells.iter().zip(&order) {
        let from = &wells[from as usize];
        for (i, &row) in rows.iter().enumerate() {
            codes[row as usize] = label.codes[from[i % from.len()] as usize];
        }
    }
    codes
}

/// Shuffled labels.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShuffledLabels;

impl Control for ShuffledLabels {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, label: &Factor, seed: Seed) -> Result<Made, String> {
        assert_eq!(label.len(), layout.rows, "one label per row");
        Ok(Made::Labels(Factor { levels: label.levels.clone(), codes: permuted(layout, label, seed) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let wells: Vec<String> = (0..60).map(|row| format!("w{}", row / 3)).collect();
        Layout { rows: 60, well: Some(Factor::first_seen(&wells)), ..Layout::default() }
    }

    fn shuffle(layout: &Layout, label: &Factor, seed: u64) -> Factor {
        match ShuffledLabels.make(layout, label, Seed(seed)) {
            Ok(Made::Labels(labels)) => labels,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn wells_keep_a_common_label_and_classes_keep_their_sizes() {
        let label =
            Factor { levels: vec!["a".into(), "b".into()], codes: (0..60).map(|r| u32::from(r < 24)).collect() };
        let shuffled = shuffle(&layout(), &label, 1);
        assert_eq!(shuffled.counts(), label.counts());
        assert!(shuffled.codes.chunks(3).all(|well| well.iter().all(|&code| code == well[0])));
        assert_ne!(shuffled, label);
        assert_ne!(shuffled, shuffle(&layout(), &label, 2));
        assert_eq!(shuffled, shuffle(&layout(), &label, 1));
    }

    #[test]
    fn the_numbers_of_wells_carry_no_meaning() {
        let label =
            Factor { levels: vec!["a".into(), "b".into()], codes: (0..60).map(|r| u32::from(r < 24)).collect() };
        let mut renumbered = layout();
        renumbered.well = renumbered
            .well
            .map(|well| Factor { codes: well.codes.iter().map(|code| 19 - code).collect(), levels: well.levels });
        assert_eq!(shuffle(&renumbered, &label, 1), shuffle(&layout(), &label, 1));
    }

    #[test]
    fn without_wells_rows_are_permuted() {
        let label =
            Factor { levels: vec!["a".into(), "b".into()], codes: (0..60).map(|r| u32::from(r < 24)).collect() };
        let shuffled = shuffle(&Layout { rows: 60, ..Layout::default() }, &label, 1);
        assert_eq!(shuffled.counts(), label.counts());
        assert!(shuffled.codes.chunks(3).any(|rows| rows.iter().any(|&code| code != rows[0])));
    }
}
