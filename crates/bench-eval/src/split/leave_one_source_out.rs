//! Every source is tested by a model that never saw it.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-one-source-out`.
pub static CARD: Card = Card {
    id: "leave-one-source-out",
    title: "Leave one source out",
    what: "Holds out each source (laboratory) in turn; every row is tested once.",
    formula: "One fold per id, all predictions pooled before scoring. strict: training sets larger than the size common to the repeated splits are cut to it; smaller ones stay, which n_train shows.",
    better: "none",
    range: "none",
    limits: "Pooling weighs sources by their rows. Folds train on different amounts of data and share most of it, so they are not independent.",
    reference: "Leave-one-group-out cross-validation, as in leave-one-domain-out of domain generalisation",
};

/// See [`CARD`].
pub struct LeaveOneSourceOut;

impl Rule for LeaveOneSourceOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("source")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_paper(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_strict(split, input)
    }
}
