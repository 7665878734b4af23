//! Template title: what is held out, in a sentence.

use bench_core::Card;

use super::{Rule, Split, SplitInput, draw};
use crate::SplitSet;

/// Card of `template-id`.
pub static CARD: Card = Card {
    id: "template-id",
    title: "Template title",
    what: "What it tests on, in a sentence.",
    formula: "paper: ...; strict: ...",
    better: "none",
    range: "none",
    limits: "What still lies on both sides.",
    reference: "Paper and section",
};

/// See [`CARD`].
pub struct TemplateId;

impl Rule for TemplateId {
    fn card(&self) -> &'static Card {
        &CARD
    }

    /// The column whose levels are held out.
    fn unit(&self) -> Option<&'static str> {
        Some("plate")
    }

    fn paper(&self, split: &Split, _: &SplitInput<'_>) -> SplitSet {
        draw::refused("paper", &split.id, &split.unit, false, "it is not written yet".to_owned())
    }

    fn strict(&self, split: &Split, _: &SplitInput<'_>) -> SplitSet {
        draw::refused("strict", &split.id, &split.unit, false, "it is not written yet".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use bench_core::{Factor, Layout, Seed};

    use super::*;
    use crate::Role;

    #[test]
    #[should_panic(expected = "it is not written yet")] // scaffold
    fn no_held_out_level_is_trained_on() {
        let plates = Factor::first_seen(&["p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4"]);
        let label = Factor::first_seen(&["a", "b", "a", "b", "a", "b", "a", "b"]);
        let layout = Layout { rows: 8, plate: Some(plates.clone()), ..Layout::default() };
        let input = SplitInput::new(&layout, &label, Seed(1));
        let split = Split { id: CARD.id.to_owned(), unit: "plate".to_owned(), rule: &TemplateId };
        for set in [TemplateId.paper(&split, &input), TemplateId.strict(&split, &input)] {
            assert_eq!(set.reason, None, "{}", set.reason.as_deref().unwrap_or_default());
            assert!(!set.folds.is_empty());
            for fold in &set.folds {
                let levels = |role| fold.rows(role).iter().map(|&row| plates.name(row as usize)).collect::<Vec<_>>();
                let (train, test) = (levels(Role::Train), levels(Role::Test));
                assert!(!test.is_empty() && test.iter().all(|level| !train.contains(level)));
            }
        }
    }
}
