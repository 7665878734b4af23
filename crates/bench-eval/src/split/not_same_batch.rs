//! Whole experimental batches are held out: no row of a tested batch was trained on.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `not-same-batch`.
pub static CARD: Card = Card {
    id: "not-same-batch",
    title: "Not same batch",
    what: "Tests on experimental batches that no training row comes from.",
    formula: "paper: permute the g ids, the first int(0.8 g) train. strict: of up to 500 seeded choices with about a fifth of the rows, the one whose labels are covered on both sides and distributed most like the whole; then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "Batches of one source share microscope and protocol. Where compounds keep their well position on every plate, position still gives the label away.",
    reference: "Watkinson et al. 2023, G_NSB",
};

/// See [`CARD`].
pub struct NotSameBatch;

impl Rule for NotSameBatch {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn alias(&self) -> Option<&'static str> {
        Some("nsb")
    }

    fn unit(&self) -> Option<&'static str> {
        Some("batch")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_groups(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::Balanced)
    }
}
