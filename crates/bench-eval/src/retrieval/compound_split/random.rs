//! Random split of compounds.
//!
//! From the sorted keys, test, then retrieval, then validation compounds are drawn; the rest trains. Each draw
//! takes from what the earlier ones left, so a set depends only on the sizes before it.
//!
//! Reference: the data module of Watkinson et al. 2023 (seed 42; 8,192, 4,096 and 4,096 compounds). The draws are
//! not those of its generator.

use bench_core::Seed;

use super::{CompoundSplit, Sizes, counts, sorted};
use crate::Error;

/// Draws test, retrieval and validation compounds.
///
/// # Errors
/// A key is given twice, or the sets leave nothing to train on.
pub fn split_random(keys: &[String], sizes: Sizes, seed: Seed) -> Result<CompoundSplit, Error> {
    let mut left: Vec<String> = sorted(keys)?.into_iter().map(|at| keys[at].clone()).collect();
    let [test, retrieval, validation] = counts(sizes, keys.len())?;
    let mut draw = |name: &str, count: usize| {
        let mut order = left.clone();
        seed.derive(&format!("compounds/{name}"), 0).stream().shuffle(&mut order);
        order.truncate(count);
        let mut drawn: Vec<&String> = order.iter().collect();
        drawn.sort_unstable();
        left.retain(|key| drawn.binary_search(&key).is_err());
        order
    };
    let (test, retrieval, validation) =
        (draw("test", test), draw("retrieval", retrieval), draw("validation", validation));
    Ok(CompoundSplit { train: left, validation, test, retrieval })
}
