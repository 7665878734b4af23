//! One-hot label.
//!
//! # What
//! One feature per label, one for the label of the row and zero for the others.
//!
//! # Formula
//! `x_ij = [label_i = j]`
//!
//! # Why
//! It must reach accuracy 1 on every split, and no model may beat it: whatever is lost on the
//! way is lost by the path, not by the embedding.
//!
//! # What it cannot show
//! A class with very few training rows may be missed by a penalised classifier even so.
//!
//! # Reference
//! openproblems batch integration, control methods

use bench_core::{Card, Factor, Layout, Seed};

use super::{Control, Made, one_hot};

/// Its card.
pub static CARD: Card = Card {
    id: "one-hot-label",
    title: "One-hot label",
    what: "One feature per label, one for the label of the row and zero for the others. It must reach accuracy 1 on every split, and no model may beat it: whatever is lost on the way is lost by the path, not by the embedding.",
    formula: "x_ij = [label_i = j]",
    better: "none",
    range: "accuracy 1",
    limits: "A class with very few training rows may be missed by a penalised classifier even so.",
    reference: "openproblems batch integration, control methods",
};

/// One-hot label.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneHotLabel;

impl Control for OneHotLabel {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, label: &Factor, _seed: Seed) -> Result<Made, String> {
        assert_eq!(label.len(), layout.rows, "one label per row");
        Ok(Made::Features(one_hot(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_equal_if_and_only_if_their_labels_are() {
        let label = Factor::first_seen(&["x", "y", "x"]);
        let layout = Layout { rows: 3, ..Layout::default() };
        let Made::Features(matrix) = OneHotLabel.make(&layout, &label, Seed(1)).unwrap() else { panic!() };
        assert_eq!(matrix.row(0), matrix.row(2));
        assert_ne!(matrix.row(0), matrix.row(1));
    }
}
