//! Every compound is tested by a model that never saw it.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `leave-one-compound-out`.
pub static CARD: Card = Card {
    id: "leave-one-compound-out",
    title: "Leave one compound out",
    what: "Holds out each compound in turn; every row is tested once.",
    formula: "One fold per id, all predictions pooled before scoring. strict: training sets larger than the size common to the repeated splits are cut to it; smaller ones stay, which n_train shows.",
    better: "none",
    range: "none",
    limits: "A label with one compound is tested without ever having been trained on, and can only be missed: such rows are counted as unseen. Compounds that keep their well position are held out together with it.",
    reference: "Leave-one-group-out cross-validation, as in leave-one-domain-out of domain generalisation",
};

/// See [`CARD`].
pub struct LeaveOneCompoundOut;

impl Rule for LeaveOneCompoundOut {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("compound")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_paper(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::leave_one_out_strict(split, input)
    }
}
