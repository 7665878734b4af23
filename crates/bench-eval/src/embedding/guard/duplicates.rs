//! Duplicate rows.
//!
//! # What
//! The share of treated rows that equal an earlier one in every feature.
//!
//! # Formula
//! `(rows - distinct rows) / rows`, bit for bit (the two zeros are one).
//!
//! # Why
//! Duplicates make perfect neighbours of each other; a table that was joined twice, or a model that ignores its input,
//! shows here first.
//!
//! # What it cannot show
//! Copies that differ in the last bit.
//!
//! # Threshold
//! It fires above 0.01; above a half it means collapse.
//!
//! # Reference
//! None needed.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use bench_core::Card;

use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, Roles, Side, Space};

/// Above this it fires.
const MOST: f64 = 0.01;

/// Above this it means collapse.
const COLLAPSED: f64 = 0.5;

/// A row, bit for bit; the two zeros are one.
struct Bits<'a>(&'a [f32]);

impl Bits<'_> {
    /// Adding zero makes a negative zero positive.
    fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|&x| (x + 0.0).to_bits())
    }
}

impl Hash for Bits<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|bits| state.write_u32(bits));
    }
}

impl PartialEq for Bits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Bits<'_> {}

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "duplicate-rows",
        title: "Duplicate rows",
        what: "The share of rows that equal an earlier one. Fires above 0.01, and means collapse above a half. Constant embedding: all but one row.",
        formula: "(rows - distinct rows) / rows",
        better: "lower",
        range: "0 to below 1",
        limits: "Copies that differ in the last bit are not seen.",
        reference: "none needed",
    },
    side: Side::Guard,
    dialect: "bit for bit",
    best: "noise",
    worst: "constant",
};

/// Duplicate rows.
#[derive(Clone, Copy, Debug)]
pub struct Duplicates;

impl EmbeddingMetric for Duplicates {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn measure(&self, space: &Space<'_>, _roles: &Roles<'_>) -> Result<Measured, String> {
        let n = space.treated.rows();
        if n == 0 {
            return Err("there are no rows".to_owned());
        }
        let distinct: HashSet<Bits<'_>> = (0..n).map(|row| Bits(space.treated.row(row))).collect();
        Ok(Measured { value: (n - distinct.len()) as f64 / n as f64, n, ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        (measured.value > MOST).then(|| format!("{:.1} % of the rows repeat an earlier one", 100.0 * measured.value))
    }

    fn means_collapse(&self, measured: &Measured) -> bool {
        measured.value > COLLAPSED
    }
}
