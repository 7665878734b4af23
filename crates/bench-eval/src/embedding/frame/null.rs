//! Permutation nulls: what a metric gives when the thing it asks about is random.
//!
//! # What
//! Batch side: the unit is exchanged between wells of the same label (and of the same plate, where the unit varies
//! within plates). Biology side and metrics without a unit: the label is exchanged between wells of a plate, or between
//! compounds where compounds are compared by their labels. Metrics about compounds: compounds, with their labels, are
//! exchanged between wells of a plate. Metrics on negative controls: the unit is exchanged between control wells. A well (a
//! compound) keeps its rows together.
//!
//! # Why
//! An embedding cannot score better than the design allows: unequal units, few labels and confounding all move the value
//! of a batch score that knows nothing. z and p say how far the value is from that.
//!
//! # What it cannot show
//! Exchanging wells takes wells of a plate for independent. A plate that differs as a whole makes p of its source or
//! batch too small; the value of the coarser unit then speaks of plates. Where no well can move there is no null.
//! A metric that compares compounds with negative controls keeps a high null where most compounds act: the null then says
//! what any treatment gives, and the metric's own null (p of its parts) asks about the controls.
//!
//! # Reference
//! Permutation within strata: Good 2005, section 3; p counts the value itself among the draws (Phipson and
//! Smyth 2010).

use bench_core::{Factor, Layout, Seed};

use crate::embedding::Roles;

/// Strata of wells, and what is exchanged within them.
pub(super) struct Exchange {
    /// Rows of every well.
    wells: Vec<Vec<u32>>,
    /// Wells of every stratum in which something can change.
    strata: Vec<Vec<u32>>,
    /// What a well has now.
    code: Vec<u32>,
}

impl Exchange {
    /// Exchanges `what` between wells that agree in all of `within`. `None` if no well can change.
    ///
    /// A well whose rows differ in `what` or `within` is divided, so that its rows agree.
    pub(super) fn new(what: &Factor, within: &[&Factor], layout: &Layout) -> Option<Self> {
        let key = |row: usize| {
            let mut key: Vec<u32> = within.iter().map(|factor| factor.codes[row]).collect();
            key.push(what.codes[row]);
            key.push(layout.well.as_ref().map_or(row as u32, |well| well.codes[row]));
            key
        };
        let mut rows: Vec<(Vec<u32>, u32)> = (0..what.len()).map(|row| (key(row), row as u32)).collect();
        rows.sort_unstable();
        let mut wells: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
        for (key, row) in rows {
            match wells.last_mut() {
                Some((last, rows)) if *last == key => rows.push(row),
                _ => wells.push((key, vec![row])),
            }
        }
        let mut strata: Vec<Vec<u32>> = Vec::new();
        let mut before: Option<&[u32]> = None;
        for (at, (key, _)) in wells.iter().enumerate() {
            let stratum = &key[..within.len()];
            if before == Some(stratum) {
                if let Some(wells) = strata.last_mut() {
                    wells.push(at as u32);
                }
            } else {
                strata.push(vec![at as u32]);
                before = Some(stratum);
            }
        }
        let code: Vec<u32> = wells.iter().map(|(key, _)| key[within.len()]).collect();
        strata.retain(|wells| wells.iter().any(|&well| code[well as usize] != code[wells[0] as usize]));
        (!strata.is_empty()).then(|| Self { wells: wells.into_iter().map(|well| well.1).collect(), strata, code })
    }

    /// The factor after the `index`-th exchange.
    pub(super) fn draw(&self, what: &Factor, seed: Seed, index: u64) -> Factor {
        let mut stream = seed.derive("embedding-null", index).stream();
        let mut codes = what.codes.clone();
        for stratum in &self.strata {
            let mut drawn: Vec<u32> = stratum.iter().map(|&well| self.code[well as usize]).collect();
            stream.shuffle(&mut drawn);
            for (&well, code) in stratum.iter().zip(drawn) {
                for &row in &self.wells[well as usize] {
                    codes[row as usize] = code;
                }
            }
        }
        Factor { levels: what.levels.clone(), codes }
    }
}

/// Compounds with their labels, exchanged between wells of a plate.
pub(super) struct Compounds {
    exchange: Exchange,
    /// What wells are given: a compound with a label.
    pairs: Factor,
    /// Compound and label of every pair.
    of_pair: Vec<(u32, u32)>,
}

impl Compounds {
    /// `None` if there are no compounds, or none can move.
    pub(super) fn new(roles: &Roles<'_>) -> Option<Self> {
        let compound = roles.layout.compound.as_ref()?;
        let both: Vec<(u32, u32)> = compound.codes.iter().copied().zip(roles.label.codes.iter().copied()).collect();
        let mut of_pair = both.clone();
        of_pair.sort_unstable();
        of_pair.dedup();
        let codes = both.iter().map(|pair| of_pair.partition_point(|other| other < pair) as u32).collect();
        let pairs = Factor { levels: vec![String::new(); of_pair.len()], codes };
        let plate: Vec<&Factor> = roles.layout.plate.iter().collect();
        Some(Self { exchange: Exchange::new(&pairs, &plate, roles.layout)?, pairs, of_pair })
    }

    /// Compound and label of every row after the `index`-th exchange.
    pub(super) fn draw(&self, roles: &Roles<'_>, seed: Seed, index: u64) -> (Layout, Factor) {
        let drawn = self.exchange.draw(&self.pairs, seed, index);
        let (compounds, labels) = drawn.codes.iter().map(|&pair| self.of_pair[pair as usize]).unzip();
        let levels = |factor: &Factor| factor.levels.clone();
        let compound = roles.layout.compound.as_ref().map(|factor| Factor { levels: levels(factor), codes: compounds });
        let layout = Layout { compound, ..roles.layout.clone() };
        (layout, Factor { levels: levels(roles.label), codes: labels })
    }
}

/// Whether a factor takes two values on one plate.
pub(super) fn varies_within(factor: &Factor, plate: &Factor) -> bool {
    let mut first = vec![None; plate.level_count()];
    factor.codes.iter().zip(&plate.codes).any(|(&code, &plate)| *first[plate as usize].get_or_insert(code) != code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wells_stay_whole_and_strata_keep_their_counts() {
        let layout = Layout {
            rows: 8,
            well: Some(Factor::first_seen(&["a", "a", "b", "b", "c", "d", "e", "f"])),
            ..Layout::default()
        };
        let label = Factor::first_seen(&["x", "x", "x", "x", "x", "y", "y", "y"]);
        let unit = Factor::first_seen(&["1", "1", "2", "2", "2", "1", "1", "1"]);
        let exchange = Exchange::new(&unit, &[&label], &layout).unwrap();
        let mut changed = false;
        for index in 0..40 {
            let drawn = exchange.draw(&unit, Seed(3), index);
            assert_eq!(drawn.codes[0], drawn.codes[1]);
            assert_eq!(drawn.codes[2], drawn.codes[3]);
            // The three wells of label x hold one well of unit 1; label y has one unit only.
            let ones = [0, 2, 4].iter().filter(|&&row| drawn.codes[row] == unit.codes[0]).count();
            assert_eq!(ones, 1);
            assert_eq!(drawn.codes[5..], unit.codes[5..]);
            changed |= drawn != unit;
        }
        assert!(changed);
        assert!(Exchange::new(&label, &[&label], &layout).is_none());
    }

    #[test]
    fn compounds_move_within_plates_and_keep_their_labels() {
        let layout = Layout {
            rows: 8,
            plate: Some(Factor::first_seen(&["p", "p", "p", "p", "q", "q", "q", "q"])),
            well: Some(Factor::first_seen(&["a", "a", "b", "c", "d", "e", "f", "g"])),
            compound: Some(Factor::first_seen(&["x", "x", "y", "z", "x", "y", "z", "z"])),
            ..Layout::default()
        };
        let label = Factor::first_seen(&["one", "one", "two", "two", "one", "two", "two", "two"]);
        let roles = Roles { label: &label, unit: &label, unit_name: "batch", layout: &layout, controls: &layout };
        let compounds = Compounds::new(&roles).unwrap();
        let of = layout.compound.as_ref().unwrap();
        let mut changed = false;
        for index in 0..20 {
            let (drawn, labels) = compounds.draw(&roles, Seed(5), index);
            let drawn = drawn.compound.unwrap();
            assert_eq!(drawn.codes[0], drawn.codes[1], "rows of a well stay together");
            for row in 0..8 {
                assert_eq!(labels.name(row), if drawn.name(row) == "x" { "one" } else { "two" });
            }
            let mut of_plate: Vec<&str> = (4..8).map(|row| drawn.name(row)).collect();
            of_plate.sort_unstable();
            assert_eq!(of_plate, ["x", "y", "z", "z"]);
            changed |= drawn != *of;
        }
        assert!(changed);
        assert!(Compounds::new(&Roles { layout: &Layout { compound: None, ..layout.clone() }, ..roles }).is_none());
    }

    #[test]
    fn a_unit_that_varies_within_plates_is_seen() {
        let plate = Factor::first_seen(&["p", "p", "q", "q"]);
        assert!(!varies_within(&Factor::first_seen(&["s", "s", "t", "t"]), &plate));
        assert!(varies_within(&Factor::first_seen(&["s", "t", "t", "t"]), &plate));
    }
}
