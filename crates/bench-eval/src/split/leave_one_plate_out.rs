//! Every plate is tested by a model that never saw it.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-one-plate-out`.
pub static CARD: Card = Card {
    id: "leave-one-plate-out",
    title: "Leave one plate out",
    what: "Holds out each plate in turn; every row is tested once.",
    formula: "One fold per id, all predictions pooled before scoring. strict: training sets larger than the size common to the repeated splits are cut to it; smaller ones stay, which n_train shows.",
    better: "none",
    range: "none",
    limits: "The other plates of the same batch stay in training. Pooling weighs plates by their rows.",
    reference: "Leave-one-group-out cross-validation, as in leave-one-domain-out of domain generalisation",
};

/// See [`CARD`].
pub struct LeaveOnePlateOut;

impl Rule for LeaveOnePlateOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("plate")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_paper(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_strict(split, input)
    }
}
