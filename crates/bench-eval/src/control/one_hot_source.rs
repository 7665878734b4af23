//! One-hot source.
//!
//! # What
//! One feature per source, one for the source of the row and zero for the others.
//!
//! # Formula
//! `x_ij = [source_i = j]`
//!
//! # Why
//! The source probe must read it perfectly, and on unseen sources it must score at chance.
//!
//! # What it cannot show
//! Within a source it says nothing; where labels and sources are confounded it scores above
//! chance on splits that keep sources on both sides, and rightly so.
//!
//! # Reference
//! openproblems batch integration, control methods

use bench_core::{Card, Factor, Layout, Seed};

use super::{Control, Made, one_hot};

/// Its card.
pub static CARD: Card = Card {
    id: "one-hot-source",
    title: "One-hot source",
    what: "One feature per source, one for the source of the row and zero for the others. The source probe must read it perfectly, and on unseen sources it must score at chance.",
    formula: "x_ij = [source_i = j]",
    better: "none",
    range: "source probe 1; chance on held-out sources",
    limits: "Within a source it says nothing; where labels and sources are confounded it scores above chance on splits that keep sources on both sides, and rightly so.",
    reference: "openproblems batch integration, control methods",
};

/// One-hot source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneHotSource;

impl Control for OneHotSource {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn make(&self, layout: &Layout, _label: &Factor, _seed: Seed) -> Result<Made, String> {
        let source = layout.source.as_ref().ok_or("the table has no source column")?;
        Ok(Made::Features(one_hot(source)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_sources_is_a_reason() {
        let mut layout = Layout { rows: 2, ..Layout::default() };
        assert!(OneHotSource.make(&layout, &Factor::default(), Seed(1)).is_err());
        layout.source = Some(Factor::sorted(&["s2", "s1"]));
        let Made::Features(matrix) = OneHotSource.make(&layout, &Factor::default(), Seed(1)).unwrap() else { panic!() };
        assert_eq!(matrix.data(), [0.0, 1.0, 1.0, 0.0]);
    }
}
