//! Paired permutation test between two models, by well.
//!
//! # What it computes
//! Under the hypothesis that two models are equally accurate, which of them was better in a well
//! is a coin toss: the signs of the wells' differences are flipped at random, all rows of a well
//! together. p is the share of sign assignments whose summed difference is at least as far from
//! zero as the one seen.
//!
//! # Formula
//! Up to 13 wells differ: all 2^m assignments are enumerated, p = count / 2^m. Otherwise
//! p = (1 + count) / (1 + draws), which is never zero (Phipson and Smyth 2010). Wells without a
//! difference take no part.
//!
//! # What it cannot show
//! Wells of one batch are treated as exchangeable although they share their batch; where batches differ in which
//! model they favour, p is too small. Look at the cluster-bootstrap interval beside it.
//!
//! # Reference
//! Good 2005, section 3; `scipy.stats.permutation_test(permutation_type="samples")` agrees.

use bench_core::{Seed, Stream};
use rayon::prelude::*;

/// Result of a sign-flip test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignFlip {
    /// Two-sided p.
    pub p: f64,
    /// Units with a difference.
    pub units: usize,
    /// Assignments drawn; zero if all were enumerated.
    pub permutations: usize,
}

/// Most units whose sign assignments are enumerated.
const ENUMERATED: usize = 13;

/// Draws per parallel block; fixed, so that results do not depend on the thread count.
const BLOCK: usize = 250;

/// Two-sided test that `differences` (one per unit) are symmetric about zero.
pub fn sign_flip(differences: &[f64], draws: usize, seed: Seed) -> SignFlip {
    let mut sizes: Vec<f64> = differences.iter().map(|d| d.abs()).filter(|size| *size > 0.0).collect();
    sizes.sort_unstable_by(|a, b| b.total_cmp(a));
    let units = sizes.len();
    // Sums of the same numbers in another order may differ in the last bits.
    let slack = 1e-12 * sizes.iter().sum::<f64>();
    let seen = differences.iter().sum::<f64>().abs() - slack;
    if units <= ENUMERATED {
        let all = 1u32 << units;
        let extreme = (0..all)
            .filter(|signs| {
                let sum: f64 =
                    sizes.iter().enumerate().map(|(at, d)| if signs >> at & 1 == 1 { *d } else { -*d }).sum();
                sum.abs() >= seen
            })
            .count();
        return SignFlip { p: extreme as f64 / f64::from(all), units, permutations: 0 };
    }
    // Differences of equal size are interchangeable: their sum is a count of heads, and coins
    // are counted 64 at a time.
    let runs: Vec<(f64, usize)> = sizes.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let extreme: usize = (0..draws.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut coins = Coins { stream: seed.derive("permutation", block as u64).stream(), word: 0, left: 0 };
            (0..BLOCK.min(draws - block * BLOCK))
                .filter(|_| {
                    let sum: f64 = runs.iter().map(|&(d, n)| d * (2.0 * coins.heads(n) as f64 - n as f64)).sum();
                    sum.abs() >= seen
                })
                .count()
        })
        .sum();
    SignFlip { p: (1 + extreme) as f64 / (1 + draws) as f64, units, permutations: draws }
}

struct Coins {
    stream: Stream,
    word: u64,
    left: usize,
}

impl Coins {
    /// Heads among the next `n` tosses.
    fn heads(&mut self, mut n: usize) -> usize {
        let mut heads = 0;
        while n > 0 {
            if self.left == 0 {
                (self.word, self.left) = (self.stream.next_u64(), 64);
            }
            let take = n.min(self.left);
            heads += (self.word & (u64::MAX >> (64 - take))).count_ones() as usize;
            self.word = if take == 64 { 0 } else { self.word >> take };
            self.left -= take;
            n -= take;
        }
        heads
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::golden::{golden, numbers};
    use super::*;

    #[test]
    fn exact_p_is_scipys_and_drawn_p_is_close_to_it() {
        for case in golden()["sign_flip"].as_array().unwrap() {
            let differences = numbers(&case["differences"]);
            let expected = case["p"].as_f64().unwrap();
            let test = sign_flip(&differences, 10_000, Seed(3));
            let is_exact = test.permutations == 0;
            // Four standard errors of a share of 10 000 draws.
            let tolerance = if is_exact { 1e-12 } else { 4.0 * (expected * (1.0 - expected) / 1e4).sqrt() + 1e-4 };
            assert!((test.p - expected).abs() <= tolerance, "{test:?} {expected}");
            assert_eq!(is_exact, test.units <= 13);
        }
    }

    #[test]
    fn equal_models_are_not_told_apart_and_threads_change_nothing() {
        assert_eq!(sign_flip(&[0.0; 9], 100, Seed(1)), SignFlip { p: 1.0, units: 0, permutations: 0 });
        let differences: Vec<f64> = (0..200).map(|at| f64::from(at % 7) - 2.0).collect();
        let test = sign_flip(&differences, 1000, Seed(1));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(test, pool.install(|| sign_flip(&differences, 1000, Seed(1))));
        let mut mirrored: Vec<f64> = differences.iter().map(|d| -d).collect();
        mirrored.reverse();
        assert_eq!(test.p, sign_flip(&mirrored, 1000, Seed(1)).p);
        assert!(test.p < 0.01);
    }

    #[test]
    fn heads_are_counted_across_words() {
        let coins = || Coins { stream: Seed(2).stream(), word: 0, left: 0 };
        let (mut one, mut many) = (coins(), coins());
        let total: usize = [1, 63, 64, 65, 7, 200].into_iter().map(|n| one.heads(n)).sum();
        assert_eq!(total, many.heads(400));
    }
}
