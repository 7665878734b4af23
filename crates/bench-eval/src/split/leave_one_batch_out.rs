//! Every batch is tested by a model that never saw it.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-one-batch-out`.
pub static CARD: Card = Card {
    id: "leave-one-batch-out",
    title: "Leave one batch out",
    what: "Holds out each experimental batch in turn; every row is tested once.",
    formula: "One fold per id, all predictions pooled before scoring. strict: training sets larger than the size common to the repeated splits are cut to it; smaller ones stay, which n_train shows.",
    better: "none",
    range: "none",
    limits: "The other batches of the same source stay in training. Pooling weighs batches by their rows.",
    reference: "Leave-one-group-out cross-validation, as in leave-one-domain-out of domain generalisation",
};

/// See [`CARD`].
pub struct LeaveOneBatchOut;

impl Rule for LeaveOneBatchOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("batch")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_paper(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_strict(split, input)
    }
}
