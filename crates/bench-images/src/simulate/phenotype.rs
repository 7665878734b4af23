//! What a target does to cells, how much of it a compound does, and how cells differ.
//!
//! # Formula
//! A target changes five of twenty traits, each by a normal deviate of its own. A cell of a well
//! with compound c shows `effect_size * potency(c) * response(cell) * change(target)`, on top of
//! its own variation. All of it follows from the seed and the names.
//!
//! # What it cannot show
//! Real targets are not independent of each other, and real compounds have more than one.

use bench_core::{Seed, Stream};

/// What can change in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Trait {
    /// Cells per area (log).
    Count,
    /// Area of the nucleus (log of its radius).
    NucleusSize,
    /// Elongation of the nucleus (log of the ratio of axes).
    NucleusShape,
    /// Brightness of DNA (log).
    Dna,
    /// Contrast of chromatin.
    Chromatin,
    /// Size of the cell (log of its radius).
    CellSize,
    /// Elongation of the cell (log of the ratio of axes).
    CellShape,
    /// Brightness of the endoplasmic reticulum (log).
    Er,
    /// Contrast of its texture.
    ErTexture,
    /// How far it reaches from the nucleus (log).
    ErSpread,
    /// Brightness of actin fibres (log).
    Fibres,
    /// Brightness of the cell border (log).
    Membrane,
    /// Brightness of the Golgi (log).
    Golgi,
    /// Brightness of mitochondria (log).
    Mito,
    /// Coarseness of their network.
    MitoScale,
    /// How far they reach from the nucleus (log).
    MitoSpread,
    /// Brightness of RNA in the cytoplasm (log).
    Rna,
    /// Number and size of nucleoli (log).
    NucleolusSize,
    /// Brightness of nucleoli (log).
    Nucleolus,
    /// Rounded cells with condensed chromatin (logit of their share).
    Condensed,
}

/// How many traits there are.
pub const TRAITS: usize = 20;
/// How many of them a target changes.
const CHANGED: usize = 5;
/// Change of each trait at one standard deviation, in the units of [`Trait`].
const UNIT: [f64; TRAITS] = [
    0.30, 0.14, 0.16, 0.30, 0.50, 0.12, 0.30, 0.35, 0.55, 0.35, 0.50, 0.50, 0.60, 0.40, 0.80, 0.40, 0.35, 0.30, 0.40,
    1.2,
];

/// Changes of traits, in the units of [`Trait`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phenotype(pub [f64; TRAITS]);

impl Phenotype {
    /// What a target does at full strength.
    pub fn of_target(seed: Seed, target: &str) -> Self {
        let mut stream = seed.derive(&format!("target {target}"), 0).stream();
        let order = stream.permutation(TRAITS);
        let mut change = [0.0; TRAITS];
        for &which in &order[..CHANGED] {
            let which = which as usize;
            // At least half a unit either way: a target without effect teaches nothing.
            let z = stream.normal();
            change[which] = UNIT[which] * z.signum() * (0.5 + z.abs().min(2.5));
        }
        Self(change)
    }

    /// What a compound does in a well: its target's change at its own potency.
    pub fn of_compound(seed: Seed, target: &str, inchikey: &str, effect_size: f64) -> Self {
        if target.is_empty() {
            return Self::default();
        }
        let strength = effect_size * potency(seed, inchikey);
        Self(Self::of_target(seed, target).0.map(|change| change * strength))
    }

    /// The change of one trait.
    pub fn get(&self, which: Trait) -> f64 {
        self.0[which as usize]
    }
}

/// Strength of a compound on its target: 0.6 to 1.2.
pub fn potency(seed: Seed, inchikey: &str) -> f64 {
    0.6 + 0.6 * seed.derive(&format!("potency {inchikey}"), 0).stream().uniform()
}

/// A normal deviate that stays within three standard deviations.
pub(super) fn bounded_normal(stream: &mut Stream) -> f64 {
    stream.normal().clamp(-3.0, 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_differ_and_compounds_of_one_target_agree_in_direction() {
        let seed = Seed(4);
        let a = Phenotype::of_compound(seed, "ABL1", "X", 1.0);
        let b = Phenotype::of_compound(seed, "ABL1", "Y", 1.0);
        let ratio = potency(seed, "X") / potency(seed, "Y");
        assert!(a.0.iter().zip(&b.0).all(|(a, b)| (a - ratio * b).abs() < 1e-12));
        assert_eq!(a.0.iter().filter(|c| **c != 0.0).count(), CHANGED);
        assert_ne!(Phenotype::of_target(seed, "ABL1"), Phenotype::of_target(seed, "ADH1C"));
        assert_eq!(Phenotype::of_compound(seed, "", "DMSO", 1.0), Phenotype::default());
        assert_eq!(Phenotype::of_compound(seed, "ABL1", "X", 0.0).0, [0.0; TRAITS]);
    }
}
