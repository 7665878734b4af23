//! Whole plates are held out: no row of a tested plate was trained on.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `not-same-plate`.
pub static CARD: Card = Card {
    id: "not-same-plate",
    title: "Not same plate",
    what: "Tests on plates that no training row comes from.",
    formula: "paper: permute the g ids, the first int(0.8 g) train. strict: of up to 500 seeded choices with about a fifth of the rows, the one whose labels are covered on both sides and distributed most like the whole; then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "Plates of one batch share reagents, day and microscope settings, so batch effects lie on both sides. A physical plate that was imaged twice under two names leaks; name it as a group and hold that out.",
    reference: "Watkinson et al. 2023, G_NSP",
};

/// See [`CARD`].
pub struct NotSamePlate;

impl Rule for NotSamePlate {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn alias(&self) -> Option<&'static str> {
        Some("nsp")
    }

    fn unit(&self) -> Option<&'static str> {
        Some("plate")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_groups(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::Balanced)
    }
}
