//! Scaffold split of compounds.
//!
//! Compounds of one scaffold (Murcko, without stereochemistry) form a set. The sets, in seeded order, go to the first of
//! validation, test and retrieval in which they still fit, and else to training. No scaffold is on two sides.
//! Compounds without a ring have the empty scaffold and are one set.
//!
//! Sizes are upper limits: a held-out set is short by what no remaining scaffold could fill.
//!
//! Parity: the reference code shuffles the sets without a seed.

use std::collections::BTreeMap;

use bench_core::Seed;

use super::{CompoundSplit, Sizes, counts, sorted};
use crate::Error;

/// Fills validation, test and retrieval with whole scaffolds; `scaffolds` has one entry per key.
///
/// # Errors
/// A key is given twice, the numbers of keys and scaffolds differ, or one of the four sets stays empty though it
/// was asked for.
pub fn split_scaffold(keys: &[String], scaffolds: &[String], sizes: Sizes, seed: Seed) -> Result<CompoundSplit, Error> {
    if keys.len() != scaffolds.len() {
        let why = format!("there are {} compounds but {} scaffolds", keys.len(), scaffolds.len());
        return Err(Error::Compounds { why });
    }
    let [test, retrieval, validation] = counts(sizes, keys.len())?;
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in sorted(keys)? {
        sets.entry(&scaffolds[at]).or_default().push(at);
    }
    let mut sets: Vec<Vec<usize>> = sets.into_values().collect();
    seed.derive("compounds/scaffold", 0).stream().shuffle(&mut sets);
    let mut split = CompoundSplit::default();
    for set in sets {
        let fits = |part: &Vec<String>, size: usize| part.len() + set.len() <= size;
        let part = if fits(&split.validation, validation) {
            &mut split.validation
        } else if fits(&split.test, test) {
            &mut split.test
        } else if fits(&split.retrieval, retrieval) {
            &mut split.retrieval
        } else {
            &mut split.train
        };
        part.extend(set.into_iter().map(|at| keys[at].clone()));
    }
    for (name, wanted, part) in [
        ("validation", validation, &split.validation),
        ("test", test, &split.test),
        ("retrieval", retrieval, &split.retrieval),
        ("train", 1, &split.train),
    ] {
        if wanted > 0 && part.is_empty() {
            let why = format!("no scaffold is small enough for `{name}`; make it larger or split at random");
            return Err(Error::Compounds { why });
        }
    }
    Ok(split)
}
