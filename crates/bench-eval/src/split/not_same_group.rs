//! Whole levels of a group that the suite names (or well positions, or compounds) are held out.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `not-same-<group>`.
pub static CARD: Card = Card {
    id: "not-same-<group>",
    title: "Not same group",
    what: "Tests on levels of a named group (such as `physical-plate` or `microscope`) that no training row comes from.",
    formula: "paper: permute the g ids, the first int(0.8 g) train. strict: of up to 500 seeded choices with about a fifth of the rows, the one whose labels are covered on both sides and distributed most like the whole; then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "As fair as the group is well chosen; other units lie on both sides.",
    reference: "Same rule as Watkinson et al. 2023, G_NSP, for any grouping",
};

/// See [`CARD`].
pub struct NotSameGroup;

impl Rule for NotSameGroup {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        None
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_groups(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::Balanced)
    }
}
