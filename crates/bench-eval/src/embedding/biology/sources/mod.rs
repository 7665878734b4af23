//! Agreement between sources, and pairs that are known to be related.

pub mod cka;
pub mod known_relationships;
pub mod mantel;
pub mod retrieval;

use crate::embedding::Part;

/// Unordered pairs of `0..n`.
pub(crate) fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
}

/// Mean of the values of parts; an error if there are none.
pub(crate) fn mean_of(parts: &[Part], why: &str) -> Result<f64, String> {
    if parts.is_empty() {
        return Err(why.to_owned());
    }
    Ok(parts.iter().map(|part| part.value).sum::<f64>() / parts.len() as f64)
}
