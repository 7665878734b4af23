//! Tells what a join could not join.

use std::collections::BTreeMap;

use super::targets::{Found, How, Targets};
use crate::Progress;

/// Names shown before the rest is counted.
const SHOWN: usize = 8;

/// What was counted on the way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Empty wells.
    pub(super) empty: usize,
    /// Wells by id of a compound that no table knows.
    pub(super) unknown: BTreeMap<String, usize>,
    /// Plates without any well in the table.
    pub(super) without_wells: Vec<String>,
    /// Treated TARGET2 wells by compound without a sample.
    unmatched: BTreeMap<String, usize>,
    /// Treated TARGET2 wells by compound and the targets it may have.
    several: BTreeMap<String, usize>,
    by_skeleton: usize,
    by_well: usize,
}

/// The first names, and how many follow.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Tally {
    /// Counts a treated well of a TARGET2 plate.
    pub(super) fn count(&mut self, compound: &str, found: &Found<'_>) {
        match found {
            Found::Sample(_, How::Key) => {}
            Found::Sample(_, How::Skeleton) => self.by_skeleton += 1,
            Found::Sample(_, How::Well) => self.by_well += 1,
            Found::Nothing => *self.unmatched.entry(compound.to_owned()).or_default() += 1,
            Found::Several(samples) => {
                let targets: Vec<&str> = samples.iter().map(|sample| sample.target.as_str()).collect();
                let name = format!("{compound} ({})", targets.join(" or "));
                *self.several.entry(name).or_default() += 1;
            }
        }
    }

    /// Tells what is worth telling.
    pub(super) fn tell(&self, targets: &Targets, progress: &dyn Progress) {
        let wells = |of: &BTreeMap<String, usize>| of.values().sum::<usize>();
        let names = |of: &BTreeMap<String, usize>| listed(&of.keys().cloned().collect::<Vec<_>>());
        if !self.without_wells.is_empty() {
            let (count, which) = (self.without_wells.len(), listed(&self.without_wells));
            progress.note(&format!("{count} plates have no well in `well.csv` and are left out: {which}"));
        }
        if self.empty > 0 {
            progress.note(&format!("{} wells are empty and are left out", self.empty));
        }
        if !self.unknown.is_empty() {
            let (count, which) = (wells(&self.unknown), names(&self.unknown));
            progress.note(&format!("{count} wells hold compounds that `compound.csv` does not list: {which}"));
        }
        if !self.unmatched.is_empty() {
            let (count, which) = (wells(&self.unmatched), names(&self.unmatched));
            progress.note(&format!("{count} wells of TARGET2 plates hold compounds without known target: {which}"));
        }
        if !self.several.is_empty() {
            let (count, which) = (wells(&self.several), names(&self.several));
            progress.note(&format!(
                "{count} wells of TARGET2 plates have no target, for JUMP has one id for compounds with different ones: {which}"
            ));
        }
        if self.by_well > 0 {
            progress.note(&format!(
                "{} wells of TARGET2 plates have their target by their place in the layout, for JUMP has one id for \
                 compounds with different ones",
                self.by_well
            ));
        }
        if self.by_skeleton > 0 {
            progress.note(&format!(
                "{} wells of TARGET2 plates have their target by the first block of their InChIKey only",
                self.by_skeleton
            ));
        }
        if !targets.single() {
            progress.note("no table has one gene per compound (that of 2021 has): `target` holds lists of genes");
        }
    }
}
