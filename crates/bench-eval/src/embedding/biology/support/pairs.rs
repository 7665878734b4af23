//! The most similar (or least similar) share of all pairs of profiles, without the list of pairs.
//!
//! # What
//! The pairs of a sample of rows say between which similarities the threshold lies; one pass over all pairs counts those
//! beyond, and lists those between, among which it is found exactly. Where it lies elsewhere after all, or too many pairs
//! lie between, it is found by counting: one pass over all pairs counts the upper sixteen bits of each similarity, a
//! second the lower sixteen of those that share the upper bits of the threshold. Both ways are exact for the products as
//! computed, and neither holds a list that grows with the number of pairs without bound.
//!
//! Where several questions are asked about the same rows, [`Top`] keeps the most similar pairs: what is related may
//! change, the products do not.
//!
//! # Ties
//! Of the pairs exactly at the threshold, the share that fills the requested number counts; where all pairs are equal,
//! that is the requested share of every kind of pair, which is chance.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::profiles::Profiles;
use bench_geometry::product::products;

/// Rows of a block; a block is compared with itself and every later one.
const BLOCK: usize = 256;
/// Counts of each pass.
const BINS: usize = 1 << 16;
/// Rows of the sample.
const SAMPLE: usize = 2048;
/// Fewest pairs of the sample above the bracket.
const FEWEST: usize = 200;
/// Most pairs that are listed.
const LISTED: usize = 1 << 24;
/// Most pairs that are kept: 12 bytes each.
const KEPT: usize = 1 << 23;
/// Pairs that are kept, for one in the share of all pairs: some may not count.
const DEPTH: f64 = 1.5;
/// Similarities looked at before the outcome is.
const LANES: usize = 32;

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

/// The number of a key.
fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ 1 << 31 } else { !key })
}

/// What kind a pair of profiles is, or `None` if it does not count.
pub(crate) trait Kind: Fn(usize, usize) -> Option<usize> + Sync {}

impl<F: Fn(usize, usize) -> Option<usize> + Sync> Kind for F {}

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
    kind: &impl Kind,
) -> Result<Split, String> {
    let sign = if lowest { -1.0 } else { 1.0 };
    if let Some(bracket) = bracket(profiles, share, sign, kind)
        && let Some(split) = within(profiles, share, sign, (kinds, kind), bracket)
    {
        return Ok(split);
    }
    by_counting(profiles, share, sign, kinds, kind)
}

/// Keys between which a sample of the rows puts the threshold; `None` if too few of its pairs would lie above.
fn bracket(profiles: &Profiles<'_>, share: f64, sign: f32, kind: &impl Kind) -> Option<(u32, u32)> {
    let mut keys = sample(profiles, sign, kind);
    let wanted = share * keys.len() as f64;
    let (fewer, more) = ((wanted * 0.8) as usize, (wanted * 1.25) as usize);
    let listed = (wanted * 0.45) / keys.len() as f64 * (profiles.len() as f64).powi(2) / 2.0;
    if fewer < FEWEST || more >= keys.len() || listed > LISTED as f64 / 2.0 {
        return None;
    }
    Some((from_above(&mut keys, more), from_above(&mut keys, fewer)))
}

/// The key that so many others are above.
fn from_above(keys: &mut [u32], others: usize) -> u32 {
    let at = keys.len() - 1 - others;
    *keys.select_nth_unstable(at).1
}

/// Keys of the pairs of some rows.
fn sample(profiles: &Profiles<'_>, sign: f32, kind: &impl Kind) -> Vec<u32> {
    let n = profiles.len();
    let sampled = SAMPLE.min(n);
    let rows: Vec<u32> = (0..sampled).map(|at| (at * n / sampled) as u32).collect();
    let starts: Vec<usize> = (0..sampled).step_by(BLOCK).collect();
    let found: Vec<Vec<u32>> = starts
        .par_iter()
        .map(|&start| {
            let mut keys = Vec::new();
            each_product(profiles, &rows, start, &mut |a, b, value| {
                if kind(a as usize, b as usize).is_some() {
                    keys.push(key(sign * value));
                }
            });
            keys
        })
        .collect();
    found.concat()
}

/// The split in one pass, with the pairs of a bracket of keys listed; `None` if the threshold lies outside, or the list
/// grows beyond [`LISTED`].
fn within(
    profiles: &Profiles<'_>,
    share: f64,
    sign: f32,
    (kinds, kind): (usize, &impl Kind),
    (low, high): (u32, u32),
) -> Option<Split> {
    struct Part {
        total: Vec<u64>,
        above: Vec<u64>,
        listed: Vec<(u32, u32)>,
    }
    let rows: Vec<u32> = (0..profiles.len() as u32).collect();
    let starts: Vec<usize> = (0..rows.len()).step_by(BLOCK).collect();
    let listed = AtomicUsize::new(0);
    let parts: Vec<Part> = starts
        .par_iter()
        .map(|&start| {
            let mut part = Part { total: vec![0; kinds], above: vec![0; kinds], listed: Vec::new() };
            if listed.load(Ordering::Relaxed) > LISTED {
                return part;
            }
            each_product(profiles, &rows, start, &mut |a, b, value| {
                let Some(kind) = kind(a as usize, b as usize) else { return };
                part.total[kind] += 1;
                let key = key(sign * value);
                if key > high {
                    part.above[kind] += 1;
                } else if key >= low {
                    part.listed.push((key, kind as u32));
                }
            });
            listed.fetch_add(part.listed.len(), Ordering::Relaxed);
            part
        })
        .collect();
    if listed.into_inner() > LISTED {
        return None;
    }
    let sum = |of: &dyn Fn(&Part) -> &Vec<u64>| -> Vec<u64> {
        (0..kinds).map(|kind| parts.iter().map(|part| of(part)[kind]).sum()).collect()
    };
    let (total, beyond) = (sum(&|part| &part.total), sum(&|part| &part.above));
    decide(parts.into_iter().flat_map(|part| part.listed).collect(), beyond, total, share)
}

/// Finds the threshold among the keys and kinds of listed pairs, given the pairs `beyond` them; `None` if it is not there.
fn decide(mut keys: Vec<(u32, u32)>, beyond: Vec<u64>, total: Vec<u64>, share: f64) -> Option<Split> {
    let wanted = share * total.iter().sum::<u64>() as f64;
    let missing = wanted - beyond.iter().sum::<u64>() as f64;
    if missing <= 0.0 || missing > keys.len() as f64 {
        return None;
    }
    // The key of the pair that fills the number: the first place from above at or beyond what is missing.
    let place = keys.len() - missing.ceil() as usize;
    let threshold = keys.select_nth_unstable(place).1.0;
    let (mut above, mut tied) = (beyond, vec![0_u64; total.len()]);
    for &(key, kind) in &keys {
        above[kind as usize] += u64::from(key > threshold);
        tied[kind as usize] += u64::from(key == threshold);
    }
    let whole = above.iter().sum::<u64>() as f64;
    let tied_share = ((wanted - whole) / tied.iter().sum::<u64>() as f64).clamp(0.0, 1.0);
    let above = above.iter().zip(&tied).map(|(&above, &tied)| above as f64 + tied_share * tied as f64).collect();
    Some(Split { threshold: Threshold { key: threshold, tied_share }, above, total })
}

/// The most similar pairs of some profiles, a little more than a share of them.
pub(crate) struct Top {
    profiles: usize,
    /// Key, lower and higher row of each, by blocks of lower rows.
    pairs: Vec<Vec<(u32, u32, u32)>>,
}

impl Top {
    /// `None` if there are too few pairs to say where they begin, or too many to keep.
    pub(crate) fn new(profiles: &Profiles<'_>, share: f64) -> Option<Self> {
        let n = profiles.len();
        let mut keys = sample(profiles, 1.0, &|_, _| Some(0));
        let deep = (share * keys.len() as f64 * DEPTH) as usize;
        let expected = share * DEPTH * (n as f64).powi(2) / 2.0;
        if deep < FEWEST || deep >= keys.len() || expected > KEPT as f64 * 0.8 {
            return None;
        }
        let low = value(from_above(&mut keys, deep));
        // What is no number keeps the place that its key has.
        let reaches = |x: f32| x >= low || x.is_nan();
        let rows: Vec<u32> = (0..n as u32).collect();
        let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
        let kept = AtomicUsize::new(0);
        let pairs: Vec<Vec<(u32, u32, u32)>> = starts
            .par_iter()
            .map(|&start| {
                let mut pairs = Vec::new();
                each_line(profiles, &rows, start, &mut |a, others, line| {
                    for (others, line) in others.chunks(LANES).zip(line.chunks(LANES)) {
                        if kept.load(Ordering::Relaxed) > KEPT || !line.iter().fold(false, |any, &x| any | reaches(x)) {
                            continue;
                        }
                        let before = pairs.len();
                        let reach = others.iter().zip(line).filter(|pair| reaches(*pair.1));
                        pairs.extend(reach.map(|(&b, &value)| (key(value), a, b)));
                        kept.fetch_add(pairs.len() - before, Ordering::Relaxed);
                    }
                });
                pairs
            })
            .collect();
        (kept.into_inner() <= KEPT).then_some(Self { profiles: n, pairs })
    }

    /// As [`split`] of the most similar share; `None` if the pairs that count and were kept are fewer.
    pub(crate) fn split(&self, share: f64, kinds: usize, kind: &impl Kind) -> Option<Split> {
        let n = self.profiles;
        let count = |start: usize| {
            let mut total = vec![0_u64; kinds];
            for a in start..(start + BLOCK).min(n) {
                (a + 1..n).filter_map(|b| kind(a, b)).for_each(|kind| total[kind] += 1);
            }
            total
        };
        let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
        let counted: Vec<Vec<u64>> = starts.par_iter().map(|&start| count(start)).collect();
        let total = (0..kinds).map(|kind| counted.iter().map(|total| total[kind]).sum()).collect();
        let of_kind = |&(key, a, b): &(u32, u32, u32)| Some((key, kind(a as usize, b as usize)? as u32));
        let keys: Vec<Vec<(u32, u32)>> =
            self.pairs.par_iter().map(|pairs| pairs.iter().filter_map(of_kind).collect()).collect();
        decide(keys.concat(), vec![0; kinds], total, share)
    }
}

/// The split in two passes that count bits of the similarities.
fn by_counting(
    profiles: &Profiles<'_>,
    share: f64,
    sign: f32,
    kinds: usize,
    kind: &impl Kind,
) -> Result<Split, String> {
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

/// Counts all pairs by kind and bin; `bin` says what a pair is counted as, given its similarity.
fn count(
    profiles: &Profiles<'_>,
    kinds: usize,
    bin: &(impl Fn(usize, usize, f32) -> Option<(usize, usize)> + Sync),
) -> Vec<Vec<u64>> {
    let rows: Vec<u32> = (0..profiles.len() as u32).collect();
    let starts: Vec<usize> = (0..rows.len()).step_by(BLOCK).collect();
    let empty = || vec![vec![0_u64; BINS]; kinds];
    // Counts are whole numbers: their sum is the same in any order.
    starts
        .par_iter()
        .fold(empty, |mut counts, &start| {
            each_product(profiles, &rows, start, &mut |a, b, value| {
                if let Some((kind, bin)) = bin(a as usize, b as usize, value) {
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

/// Calls `take` with every pair `a < b` of some ascending rows whose `a` is in the block at `start`.
fn each_product(profiles: &Profiles<'_>, rows: &[u32], start: usize, take: &mut impl FnMut(u32, u32, f32)) {
    each_line(profiles, rows, start, &mut |a, others, line| {
        others.iter().zip(line).for_each(|(&b, &value)| take(a, b, value));
    });
}

/// Calls `take` with every row of the block at `start`, some of the rows after it and its products with them.
fn each_line(profiles: &Profiles<'_>, rows: &[u32], start: usize, take: &mut impl FnMut(u32, &[u32], &[f32])) {
    let n = rows.len();
    let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let first = &rows[start..(start + BLOCK).min(n)];
    let left = profiles.gather(first, &mut left);
    for other in (start..n).step_by(BLOCK) {
        let second = &rows[other..(other + BLOCK).min(n)];
        let right = profiles.gather(second, &mut right);
        out.resize(first.len() * second.len(), 0.0_f32);
        products(left, right, profiles.dims, &mut out);
        for (i, (&a, line)) in first.iter().zip(out.chunks_exact(second.len())).enumerate() {
            // In the block's own tile a row meets the later ones only.
            let from = if other == start { i + 1 } else { 0 };
            take(a, &second[from..], &line[from..]);
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
            let (left, right) = (profiles.gather(&[a, a], &mut left), profiles.gather(&[b, b], &mut right));
            products(left, right, profiles.dims, &mut out);
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
        let rows: Vec<u32> = (0..300).collect();
        for start in (0..300).step_by(BLOCK) {
            each_product(&profiles, &rows, start, &mut |a, b, value| {
                if let Some(kind) = kind(a as usize, b as usize) {
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
            assert_eq!(found, by_counting(&profiles, share, 1.0, 2, &kind).unwrap(), "{share}");
        }
        for share in [0.01, 0.1] {
            let expected = split(&profiles, share, false, 2, &kind).unwrap();
            assert_eq!(Top::new(&profiles, share).unwrap().split(share, 2, &kind).unwrap(), expected);
            // The kept pairs are not enough where few of them count, and not known to be where there are few of them.
            assert!(Top::new(&profiles, share).unwrap().split(2.0 * share, 2, &kind).is_none());
        }
        assert!(Top::new(&profiles, 1e-3).is_none() && Top::new(&profiles, 0.9).is_none());
        assert!(bracket(&profiles, 0.5, 1.0, &kind).is_some() && bracket(&profiles, 1e-4, 1.0, &kind).is_none());
        // A bracket beside the threshold is noticed.
        assert!(within(&profiles, 0.5, 1.0, (2, &kind), (key(0.9), key(0.95))).is_none());
        assert!(within(&profiles, 0.5, 1.0, (2, &kind), (key(-0.9), key(-0.8))).is_none());
        let lowest = split(&profiles, 0.1, true, 2, &kind).unwrap();
        let cut = all[all.len() - (0.1 * all.len() as f64) as usize - 2].0;
        assert_eq!(lowest.threshold.above(-cut), 0.0);
        assert_eq!(lowest.threshold.above(-all[all.len() - 1].0), 1.0);
    }

    #[test]
    fn kept_pairs_with_ties_split_as_all_pairs_do() {
        // Whole numbers and repeated rows: many pairs are at the threshold.
        let mut stream = Seed(4).stream();
        let mut values: Vec<f32> = (0..900 * 3).map(|_| (stream.normal() * 1.5).round() as f32).collect();
        values.copy_within(0..300, 600);
        let (matrix, none) = (Matrix::new(900, 3, values), Matrix::zeros(0, 3));
        let space = Space::new(&matrix, &none);
        let profiles = Profiles::treated(&space);
        let kind = |a: usize, b: usize| (a % 10 != b % 10).then_some(usize::from(a % 4 == b % 4));
        let top = Top::new(&profiles, 0.3).unwrap();
        let found = top.split(0.3, 2, &kind).unwrap();
        assert_eq!(found, by_counting(&profiles, 0.3, 1.0, 2, &kind).unwrap());
        assert!(found.threshold.tied_share > 0.0 && found.threshold.tied_share < 1.0);
        for number in [-2.5_f32, -0.0, 0.0, 1e-20, 7.0] {
            assert_eq!(value(key(number)), number);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(|| Top::new(&profiles, 0.3).unwrap().split(0.3, 2, &kind).unwrap()), found);
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
