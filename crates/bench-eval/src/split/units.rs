//! Units (rows, wells, plates, ...) coded by where they first occur.
//!
//! A split must depend on the canonical order of the rows only, never on the order in which a
//! factor happens to list its levels, nor on levels that no row has.

use bench_core::Factor;

use super::SplitInput;

/// The unit of every row.
pub(super) struct Units<'a> {
    /// Unit of each row, numbered by first occurrence.
    pub(super) of_row: Vec<u32>,
    /// Names by number; empty where every row is a unit of its own.
    pub(super) names: Vec<&'a str>,
    /// Number of units.
    pub(super) count: usize,
}

impl<'a> Units<'a> {
    /// Levels of a factor.
    pub(super) fn of(factor: &'a Factor) -> Self {
        let mut number = vec![u32::MAX; factor.levels.len()];
        let mut names = Vec::new();
        let of_row = factor
            .codes
            .iter()
            .map(|&code| {
                let slot = &mut number[code as usize];
                if *slot == u32::MAX {
                    *slot = names.len() as u32;
                    names.push(factor.levels[code as usize].as_str());
                }
                *slot
            })
            .collect();
        Self { of_row, count: names.len(), names }
    }

    /// Every row for itself.
    pub(super) fn rows(n: usize) -> Self {
        Self { of_row: (0..n as u32).collect(), names: Vec::new(), count: n }
    }

    /// Wells where they are known, rows otherwise, and which of the two.
    pub(super) fn wells(input: &SplitInput<'a>) -> (Self, &'static str) {
        match &input.layout.well {
            Some(well) => (Self::of(well), "well"),
            None => (Self::rows(input.layout.rows), "row"),
        }
    }

    /// Names of the units that `is_held_out`, sorted.
    pub(super) fn held_out(&self, is_held_out: &[bool]) -> Vec<String> {
        let mut names: Vec<String> =
            self.names.iter().zip(is_held_out).filter(|(_, held)| **held).map(|(name, _)| (*name).to_owned()).collect();
        names.sort_unstable();
        names
    }
}
