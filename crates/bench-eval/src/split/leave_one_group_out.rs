//! Every level of a group that the suite names is tested by a model that never saw it.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-one-<group>-out`.
pub static CARD: Card = Card {
    id: "leave-one-<group>-out",
    title: "Leave one group out",
    what: "Holds out each level of a named group (such as `microscope`) in turn; every row is tested once.",
    formula: "One fold per id, all predictions pooled before scoring. strict: training sets larger than the size common to the repeated splits are cut to it; smaller ones stay, which n_train shows.",
    better: "none",
    range: "none",
    limits: "As fair as the group is well chosen; other units lie on both sides.",
    reference: "Leave-one-group-out cross-validation, as in leave-one-domain-out of domain generalisation",
};

/// See [`CARD`].
pub struct LeaveOneGroupOut;

impl Rule for LeaveOneGroupOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        None
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_paper(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_strict(split, input)
    }
}
