//! Rows or wells at random: the split that every other split is compared with.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `random`.
pub static CARD: Card = Card {
    id: "random",
    title: "Random",
    what: "Tests on a random fifth of the rows (protocol `paper`) or of the wells, balanced over labels (protocol `strict`).",
    formula: "paper: permute the n rows, the first int(0.8 n) train. strict: within each label a fifth of the wells is tested, wells tested least often so far first; then training sets are cut to the size common to all splits.",
    better: "none",
    range: "none",
    limits: "Batches, plates and (in `paper`) even wells lie on both sides, so its accuracy includes whatever can be read from them. It is the denominator of the G-scores, not a result. Without a well column the strict protocol draws rows, and says so by its unit.",
    reference: "Watkinson et al. 2023, batch-effect task; jump_models src/eval/batch_effect",
};

/// See [`CARD`].
pub struct Random;

impl Rule for Random {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn unit(&self) -> Option<&'static str> {
        Some("row")
    }

    fn paper(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::paper_rows(split, input)
    }

    fn strict(&self, split: &Split, input: &SplitInput<'_>) -> SplitSet {
        draw::strict_wells(split, input)
    }
}
