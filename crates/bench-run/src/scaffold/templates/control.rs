//! Template title.
//!
//! # What
//! What it puts in the place of features or labels, in a sentence.
//!
//! # Formula
//! `x_i = ...`
//!
//! # Why
//! What it must score, and what it means if it does not.
//!
//! # What it cannot show
//! What a broken path could do and still pass.
//!
//! # Reference
//! Where such a control is used.

use bench_core::{Card, Factor, Layout, Seed};

use super::{Control, Made};

/// Its card.
pub static CARD: Card = Card {
    id: "template-id",
    title: "Template title",
    what: "What it puts in the place of features or labels, in a sentence.",
    formula: "x_i = ...",
    better: "none",
    range: "what it must score",
    limits: "What a broken path could do and still pass.",
    reference: "Where such a control is used",
};

/// Template title.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateId;

impl Control for TemplateId {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, _label: &Factor, _seed: Seed) -> Result<Made, String> {
        // `Made::Features` with one row per row of the layout, or `Made::Labels`; random numbers from `seed` alone.
        Err(format!("`{}` is not written yet for {} rows", CARD.id, layout.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "is not written yet")] // scaffold
    fn it_has_a_row_for_every_row_and_the_same_ones_again() {
        let layout = Layout { rows: 4, ..Layout::default() };
        let label = Factor::first_seen(&["a", "b", "a", "b"]);
        let make = || TemplateId.make(&layout, &label, Seed(1)).unwrap();
        let rows = match make() {
            Made::Features(matrix) => matrix.rows(),
            Made::Labels(factor) => factor.len(),
        };
        assert_eq!(rows, 4);
        assert_eq!(make(), make());
    }
}
