//! A fifth of the compounds is held out: can the label be read from a compound never seen?
//!
//! A target or mechanism is often hit by two or three compounds only, each of which may keep its
//! well position on all plates. A model can then score by knowing compounds, or positions,
//! rather than what the label means; holding compounds out takes that away.

use bench_core::Card;

use super::stratify::Choice;
use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-compound-out`.
pub static CARD: Card = Card {
    id: "leave-compound-out",
    title: "Leave compounds out",
    what: "Tests on a fifth of the compounds, chosen within labels that have several, so that every tested label was trained on through other compounds.",
    formula: "Of a label's k compounds 0.2 k are held out on average over repeats and never all; compounds held out least often so far come first. The same draw in both protocols; strict cuts training sets to the common size.",
    better: "none",
    range: "none",
    limits: "Labels with one compound are never tested, only offered as wrong answers. With few compounds per label a repeat tests some of the labels only.",
    reference: "Not in the reference code, whose labels can be solved by compound identity and well position (jump_models datamodule)",
};

/// See [`CARD`].
pub struct LeaveCompoundOut;

impl Rule for LeaveCompoundOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("compound")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        SplitSet { protocol: "paper".to_owned(), ..self.strict(split, input) }
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_groups(split, input, Choice::WithinLabels { cover: false })
    }
}
