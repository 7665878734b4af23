//! Whole sources are held out: no row of a tested laboratory was trained on.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `not-same-source`.
pub static CARD: Card = Card {
    id: "not-same-source",
    title: "Not same source",
    what: "Tests on sources (laboratories) that no training row comes from.",
    formula: "paper: permute the g ids, the first int(0.8 g) train. strict: of up to 500 seeded choices with about a fifth of the rows, the one whose labels are covered on both sides and distributed most like the whole; then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "With few sources there are few distinct test sets: five repeats of eleven sources are not five independent experiments, so their spread is no interval. Where compounds keep their well position everywhere, position still gives the label away.",
    reference: "Watkinson et al. 2023, G_NSS",
};

/// See [`CARD`].
pub struct NotSameSource;

impl Rule for NotSameSource {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn alias(&self) -> Option<&'static str> {
        Some("nss")
    }

    fn unit(&self) -> Option<&'static str> {
        Some("source")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_groups(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::Balanced)
    }
}
