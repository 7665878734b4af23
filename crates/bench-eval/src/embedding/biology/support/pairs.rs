//! The most similar (or least similar) share of all pairs of profiles, without the list of pairs.
//!
//! # What
//! The largest `f32` similarities of pairs are found by counting: one pass over all pairs counts the upper sixteen
//! bits of each similarity, a second the lower sixteen of those that share the upper bits of the threshold. That is
//! exact for the products as computed, and needs two lists of 65,536 counts whatever the number of pairs.
//!
//! # Ties
//! Of the pairs exactly at the threshold, the share that fills the requested number counts; where all pairs are equal,
//! that is the requested share of every kind of pair, which is chance.

use rayon::prelude::*;

use super::product::products;
use super::profiles::Profiles;

/// Rows of a block; a block is compared with itself and every later one.
const BLOCK: usize = 256;
/// Counts of each pass.
const BINS: usize = 1 << 16;

/// Similarities above which a share of all pairs lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// Order-preserving bits of the similarity.
    key: u32,
    /// Share of the pairs at the threshold that counts.
    pub(crate) tied_share: f64,
}

impl Threshold {
    /// How much a pair of this similarity counts as above: 0, 1, or the share of the tied.
    pub(crate) fn above(self, similarity: f32) -> f64 {
        match key(similarity).cmp(&self.key) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => self.tied_share,
            std::cmp::Ordering::Less => 0.0,
        }
    }
}

/// Pairs above a threshold and in all, by kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Split {
    /// The threshold.
    pub(crate) threshold: Threshold,
    /// Pairs above by kind, tied ones in part.
    pub(crate) above: Vec<f64>,
    /// Pairs by kind.
    pub(crate) total: Vec<u64>,
}

/// Bits of a number in the order of numbers.
fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// Splits the pairs of profiles at the similarity above which `share` of them lie (below which, with `lowest`).
/// `kind` gives the kind of a pair, below `kinds`, or `None` for a pair that does not count.
///
/// # Errors
/// If no pair counts.
pub(crate) fn split(
    profiles: &Profiles<'_>,
    share: f64,
    lowest: bool,
    kinds: usize,
    kind: &(dyn Fn(usize, usize) -> Option<usize> + Sync),
) -> Result<Split, String> {
    let sign = if lowest { -1.0 } else { 1.0 };
    let upper =
        count(profiles, kinds, &|a, b, value| kind(a, b).map(|kind| (kind, (key(sign * value) >> 16) as usize)));
    let total: Vec<u64> = upper.iter().map(|bins| bins.iter().sum()).collect();
    let wanted = share * total.iter().sum::<u64>() as f64;
    if wanted <= 0.0 {
        return Err("there are no pairs to compare".to_owned());
    }
    let (high, beyond) = descend(&upper, wanted, 0.0);
    let lower = count(profiles, kinds, &|a, b, value| {
        let key = key(sign * value);
        if (key >> 16) as usize == high { kind(a, b).map(|kind| (kind, (key & 0xffff) as usize)) } else { None }
    });
    let (low, beyond) = descend(&lower, wanted, beyond);
    let tied: u64 = lower.iter().map(|bins| bins[low]).sum();
    let tied_share = ((wanted - beyond) / tied as f64).clamp(0.0, 1.0);
    let above = upper
        .iter()
        .zip(&lower)
        .map(|(upper, lower)| {
            let whole = upper[high + 1..].iter().sum::<u64>() + lower[low + 1..].iter().sum::<u64>();
            whole as f64 + tied_share * lower[low] as f64
        })
        .collect();
    Ok(Split { threshold: Threshold { key: (high << 16 | low) as u32, tied_share }, above, total })
}

/// The highest bin down to which at least `wanted` pairs lie, and how many lie beyond it.
fn descend(counts: &[Vec<u64>], wanted: f64, mut beyond: f64) -> (usize, f64) {
    for bin in (0..BINS).rev() {
        let here: u64 = counts.iter().map(|bins| bins[bin]).sum();
        if beyond + here as f64 >= wanted && here > 0 {
            return (bin, beyond);
        }
        beyond += here as f64;
    }
    unreachable!("no more pairs are wanted than there are")
}

/// What a pair is counted as, given its similarity: kind and bin.
type Bin<'a> = &'a (dyn Fn(usize, usize, f32) -> Option<(usize, usize)> + Sync);

/// Counts all pairs by kind and bin.
fn count(profiles: &Profiles<'_>, kinds: usize, bin: Bin<'_>) -> Vec<Vec<u64>> {
    let n = profiles.len();
    let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
    let empty = || vec![vec![0_u64; BINS]; kinds];
    // Counts are whole numbers: their sum is the same in any order.
    starts
        .par_iter()
        .fold(empty, |mut counts, &start| {
            each_product(profiles, start, &mut |a, b, value| {
                if let Some((kind, bin)) = bin(a, b, value) {
                    counts[kind][bin] += 1;
                }
            });
            counts
        })
        .reduce(empty, |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
            a
        })
}

/// Calls `take` with every pair `a < b` whose `a` is in the block at `start`.
fn each_product(profiles: &Profiles<'_>, start: usize, take: &mut dyn FnMut(usize, usize, f32)) {
    let n = profiles.len();
    let rows = |from: usize| -> Vec<u32> { (from as u32..(from + BLOCK).min(n) as u32).collect() };
    let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let first = rows(start);
    profiles.gather(&first, &mut left);
    for other in (start..n).step_by(BLOCK) {
        let second = rows(other);
        profiles.gather(&second, &mut right);
        out.resize(first.len() * second.len(), 0.0_f32);
        products(&left, &right, profiles.dims, &mut out);
        for (i, line) in out.chunks_exact(second.len()).enumerate() {
            for (j, &value) in line.iter().enumerate() {
                if start + i < other + j {
                    take(start + i, other + j, value);
                }
            }
        }
    }
}

/// The product of two profiles as [`split`] computes it: through a block, so that its bits are the same.
pub(crate) fn similarity_of(profiles: &Profiles<'_>, pairs: &[(u32, u32)]) -> Vec<f32> {
    let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), vec![0.0_f32; 4]);
    pairs
        .iter()
        .map(|&(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            profiles.gather(&[a, a], &mut left);
            profiles.gather(&[b, b], &mut right);
            products(&left, &right, profiles.dims, &mut out);
            out[0]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bench_core::{Matrix, Seed};

    use super::*;
    use crate::embedding::Space;

    #[test]
    fn the_threshold_is_that_of_sorted_pairs() {
        let mut stream = Seed(3).stream();
        let matrix = Matrix::new(300, 5, (0..1500).map(|_| stream.normal() as f32).collect());
        let (none, kind) = (Matrix::zeros(0, 5), |a: usize, b: usize| (!(a + b).is_multiple_of(7)).then_some(a % 2));
        let space = Space::new(&matrix, &none);
        let profiles = Profiles::treated(&space);
        let mut all = Vec::new();
        for start in (0..300).step_by(BLOCK) {
            each_product(&profiles, start, &mut |a, b, value| {
                if let Some(kind) = kind(a, b) {
                    all.push((value, kind));
                }
            });
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        for share in [0.01, 0.5, 1.0] {
            let found = split(&profiles, share, false, 2, &kind).unwrap();
            let wanted = share * all.len() as f64;
            assert!((found.above.iter().sum::<f64>() - wanted).abs() < 1e-6);
            let whole = wanted.floor() as usize;
            let odd = all[..whole].iter().filter(|pair| pair.1 == 1).count() as f64;
            assert!((found.above[1] - odd).abs() <= 1.0, "{found:?} {odd}");
            assert_eq!(found.total.iter().sum::<u64>(), all.len() as u64);
        }
        let lowest = split(&profiles, 0.1, true, 2, &kind).unwrap();
        let cut = all[all.len() - (0.1 * all.len() as f64) as usize - 2].0;
        assert_eq!(lowest.threshold.above(-cut), 0.0);
        assert_eq!(lowest.threshold.above(-all[all.len() - 1].0), 1.0);
    }

    #[test]
    fn equal_pairs_are_divided_by_the_share() {
        let (matrix, none) = (Matrix::new(600, 37, vec![0.3; 600 * 37]), Matrix::zeros(0, 37));
        let space = Space::new(&matrix, &none);
        let profiles = Profiles::treated(&space);
        let found = split(&profiles, 0.01, false, 2, &|a, b| Some(usize::from(a + b == 9))).unwrap();
        let kinds = found.above.iter().zip(&found.total);
        assert!(kinds.clone().all(|(&above, &total)| (above - 0.01 * total as f64).abs() < 1e-9), "{found:?}");
        assert_eq!(similarity_of(&profiles, &[(0, 599)]), similarity_of(&profiles, &[(5, 6)]));
    }
}
