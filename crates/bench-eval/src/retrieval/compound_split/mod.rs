//! Compounds held out of training: validation, test and retrieval sets.
//!
//! [`split_random`] draws compounds as the reference code does; [`split_scaffold`] keeps compounds of one scaffold
//! together, so that a held-out compound has no close relative in training. Both work on keys alone, and the order in
//! which compounds are given changes nothing.

mod random;
mod scaffold;

pub use random::split_random;
pub use scaffold::split_scaffold;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Compounds for which the sizes of the reference split are meant; smaller collections get the same shares.
const REFERENCE: f64 = 110_000.0;

/// Size of one held-out set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// This many compounds.
    Count(usize),
    /// This share of all compounds, rounded; between 0 and 1.
    Fraction(f64),
    /// This many, or the same share of 110,000 compounds if there are fewer than that; at least one.
    Scaled(usize),
}

impl Share {
    fn of(self, compounds: usize) -> Result<usize, Error> {
        match self {
            Self::Count(count) => Ok(count),
            Self::Fraction(share) if (0.0..1.0).contains(&share) => Ok((share * compounds as f64).round() as usize),
            Self::Fraction(share) => {
                Err(Error::Compounds { why: format!("a share of `{share}` is not between 0 and 1") })
            }
            Self::Scaled(count) => {
                Ok(((count as f64 * compounds as f64 / REFERENCE).round() as usize).min(count).max(1))
            }
        }
    }
}

/// Sizes of the held-out sets; the rest trains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Test set.
    pub test: Share,
    /// Retrieval set.
    pub retrieval: Share,
    /// Validation set.
    pub validation: Share,
}

impl Default for Sizes {
    /// Those of the reference code, scaled down for small collections.
    fn default() -> Self {
        Self { test: Share::Scaled(8192), retrieval: Share::Scaled(4096), validation: Share::Scaled(4096) }
    }
}

/// Disjoint sets of compounds that together are all of them, each in the order in which it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompoundSplit {
    /// Trained on.
    pub train: Vec<String>,
    /// For choosing settings.
    pub validation: Vec<String>,
    /// Held out further.
    pub test: Vec<String>,
    /// Searched in the retrieval task; the order is that of protocol `paper`.
    pub retrieval: Vec<String>,
}

/// Wanted sizes as counts: test, retrieval, validation.
///
/// # Errors
/// They leave nothing to train on.
fn counts(sizes: Sizes, compounds: usize) -> Result<[usize; 3], Error> {
    let counts = [sizes.test.of(compounds)?, sizes.retrieval.of(compounds)?, sizes.validation.of(compounds)?];
    let held_out = counts.iter().try_fold(0usize, |sum, count| sum.checked_add(*count));
    if held_out.is_none_or(|held_out| held_out >= compounds) {
        let [test, retrieval, validation] = counts;
        let why = format!("{test} + {retrieval} + {validation} held out of {compounds} leave none to train on");
        return Err(Error::Compounds { why });
    }
    Ok(counts)
}

/// Positions of the keys in sorted order.
///
/// # Errors
/// A key is given twice.
fn sorted(keys: &[String]) -> Result<Vec<usize>, Error> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|at| &keys[*at]);
    match order.windows(2).find(|pair| keys[pair[0]] == keys[pair[1]]) {
        Some(pair) => Err(Error::Compounds { why: format!("compound `{}` is given twice", keys[pair[0]]) }),
        None => Ok(order),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bench_core::Seed;

    use super::*;

    fn keys(n: usize) -> Vec<String> {
        (0..n).map(|at| format!("C{:05}", at * 7919 % 100_003)).collect()
    }

    fn is_a_partition(split: &CompoundSplit, keys: &[String]) {
        let parts = [&split.train, &split.validation, &split.test, &split.retrieval];
        let all: BTreeSet<&String> = parts.iter().flat_map(|part| part.iter()).collect();
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), keys.len());
        assert_eq!(all, keys.iter().collect());
    }

    #[test]
    fn random_sets_have_their_sizes_and_do_not_depend_on_the_order_given() {
        let mut keys = keys(20_000);
        let sizes =
            Sizes { test: Share::Count(8192), retrieval: Share::Count(4096), validation: Share::Fraction(0.05) };
        let split = split_random(&keys, sizes, Seed(42)).unwrap();
        is_a_partition(&split, &keys);
        assert_eq!((split.test.len(), split.retrieval.len(), split.validation.len()), (8192, 4096, 1000));
        keys.reverse();
        assert_eq!(split_random(&keys, sizes, Seed(42)).unwrap(), split);
        assert_ne!(split_random(&keys, sizes, Seed(43)).unwrap(), split);
        // The retrieval set is drawn without looking at what comes after it.
        let other = Sizes { validation: Share::Count(1), ..sizes };
        assert_eq!(split_random(&keys, other, Seed(42)).unwrap().retrieval, split.retrieval);
    }

    #[test]
    fn default_sizes_are_the_papers_and_shrink_with_the_collection() {
        assert_eq!(counts(Sizes::default(), 116_984).unwrap(), [8192, 4096, 4096]);
        assert_eq!(counts(Sizes::default(), 300).unwrap(), [22, 11, 11]);
        assert_eq!(counts(Sizes::default(), 4).unwrap(), [1, 1, 1]);
        assert!(counts(Sizes::default(), 3).is_err());
        let wrong = Sizes { test: Share::Fraction(1.5), ..Sizes::default() };
        assert!(split_random(&keys(50), wrong, Seed(1)).is_err());
        assert!(split_random(&["a".into(), "a".into()], Sizes::default(), Seed(1)).is_err());
    }

    #[test]
    fn no_scaffold_is_on_two_sides() {
        let mut keys = keys(3000);
        // Scaffold sizes from one compound to a few hundred.
        let scaffold = |key: &String| format!("S{}", key[1..].parse::<f64>().unwrap().sqrt().powf(0.9) as u32);
        let sizes = Sizes { test: Share::Count(400), retrieval: Share::Count(200), validation: Share::Count(200) };
        let scaffolds: Vec<String> = keys.iter().map(scaffold).collect();
        let split = split_scaffold(&keys, &scaffolds, sizes, Seed(7)).unwrap();
        is_a_partition(&split, &keys);
        let of = |part: &[String]| part.iter().map(scaffold).collect::<BTreeSet<_>>();
        let parts = [of(&split.train), of(&split.validation), of(&split.test), of(&split.retrieval)];
        for a in 0..4 {
            for b in a + 1..4 {
                assert!(parts[a].is_disjoint(&parts[b]), "{a} {b}");
            }
        }
        assert!(split.test.len() <= 400 && split.test.len() > 300, "{}", split.test.len());
        assert!(split.retrieval.len() <= 200 && split.retrieval.len() > 100);
        assert!(split.validation.len() <= 200 && split.validation.len() > 100);
        keys.reverse();
        let scaffolds: Vec<String> = keys.iter().map(scaffold).collect();
        assert_eq!(split_scaffold(&keys, &scaffolds, sizes, Seed(7)).unwrap(), split);
        assert_ne!(split_scaffold(&keys, &scaffolds, sizes, Seed(8)).unwrap(), split);
        assert!(split_scaffold(&keys, &scaffolds[1..], sizes, Seed(7)).is_err());
    }

    #[test]
    fn a_scaffold_too_large_for_the_held_out_sets_trains() {
        let keys = keys(10);
        let scaffolds = vec![String::new(); 10];
        let sizes = Sizes { test: Share::Count(2), retrieval: Share::Count(2), validation: Share::Count(2) };
        let why = split_scaffold(&keys, &scaffolds, sizes, Seed(1)).unwrap_err().to_string();
        assert!(why.contains("`validation`"), "{why}");
    }
}
