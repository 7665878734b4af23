//! Whole wells are held out: no field of a tested well was trained on.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `not-same-well`.
pub static CARD: Card = Card {
    id: "not-same-well",
    title: "Not same well",
    what: "Tests on wells that no training row comes from.",
    formula: "paper: permute the g ids, the first int(0.8 g) train. strict: within each label a fifth of the wells, those tested least often so far first (as in `random`, whose wells are drawn in the same way with another seed); then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "Plates and batches lie on both sides. Fields of one well share cells, stain and edge effects, so a score that falls from random to here was partly a memory of wells.",
    reference: "jump_models src/eval/batch_effect (present in the code, not in the paper)",
};

/// See [`CARD`].
pub struct NotSameWell;

impl Rule for NotSameWell {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn alias(&self) -> Option<&'static str> {
        Some("nsw")
    }

    fn unit(&self) -> Option<&'static str> {
        Some("well")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_groups(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::Balanced)
    }
}
