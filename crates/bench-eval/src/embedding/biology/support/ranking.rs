//! Where the right answers of a query stand in its ranking, ties kept as blocks.
//!
//! # What
//! A query has positives (right answers) and negatives (wrong ones); both are ordered by cosine distance. Only the
//! positives' places matter, so a [`Ranking`] holds one [`Tie`] per distinct distance of a positive: how many
//! negatives are nearer, how many are exactly as far, how many positives share it.
//!
//! # How
//! Positives are measured exactly. Negatives are multiplied in blocks in `f32`; those within the error bound of a
//! positive are measured exactly too, so that the ranks are those of `f64` at the speed of `f32`. A ranking is read as
//! soon as it is known: what is held at a time are the counts of one block of queries per thread, or those of all
//! queries where they take little.
//!
//! # Ties
//! Everything read from a ranking is the expectation over random orders of what is tied, so that no row order and no
//! constant embedding wins anything. Checked in the tests against all orders.

use rayon::prelude::*;

use super::profiles::Profiles;
use bench_geometry::product::products;
use counter::Counter;

mod among_all;
mod counter;
mod near;
mod questions;

pub(crate) use near::rank_first;
pub(crate) use questions::{Negatives, Query, Questions};

/// Queries of a task.
const QUERIES: usize = 128;
/// Candidates of a product.
const CANDIDATES: usize = 512;

/// Positives at one distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tie {
    /// Positives at this distance.
    pub(crate) positives: usize,
    /// Negatives at this distance.
    pub(crate) negatives: usize,
    /// Negatives that are nearer.
    pub(crate) before: usize,
}

/// Where the positives of one query stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranking {
    /// Nearest first.
    pub(crate) ties: Vec<Tie>,
    /// All positives.
    pub(crate) positives: usize,
    /// All negatives.
    pub(crate) negatives: usize,
}

impl Ranking {
    /// Whether there is something to find and something to confuse it with.
    pub(crate) fn counts(&self) -> bool {
        self.positives > 0 && self.negatives > 0
    }

    /// Average precision. With `t` tied entries, `p` of them positive, after `r` ranks that hold `R` positives, the
    /// expected contribution is `sum_j (p/t) (R + 1 + (j-1)(p-1)/(t-1)) / (r + j)`.
    pub(crate) fn average_precision(&self) -> f64 {
        let (mut sum, mut found) = (0.0, 0);
        for tie in &self.ties {
            let (p, t) = (tie.positives as f64, (tie.positives + tie.negatives) as f64);
            let step = if t > 1.0 { (p - 1.0) / (t - 1.0) } else { 0.0 };
            let (before, mut share) = ((tie.before + found) as f64, 0.0);
            for j in 0..tie.positives + tie.negatives {
                share += (found as f64 + 1.0 + j as f64 * step) / (before + 1.0 + j as f64);
            }
            sum += p / t * share;
            found += tie.positives;
        }
        sum / self.positives as f64
    }

    /// Expected reciprocal rank of the first positive.
    pub(crate) fn reciprocal_rank(&self) -> f64 {
        let Some(tie) = self.ties.first() else { return 0.0 };
        let total = tie.positives + tie.negatives;
        let (mut none_yet, mut sum) = (1.0, 0.0);
        for j in 0..=tie.negatives {
            let left = (total - j) as f64;
            sum += none_yet * tie.positives as f64 / left / (tie.before + j + 1) as f64;
            none_yet *= (tie.negatives - j) as f64 / left;
        }
        sum
    }

    /// Probability that a positive is among the first `k`.
    pub(crate) fn hit(&self, k: usize) -> f64 {
        match self.ties.first() {
            Some(tie) if tie.before < k => 1.0 - all_negative(tie.positives, tie.negatives, k - tie.before),
            _ => 0.0,
        }
    }

    /// Expected share of positives among the first `k`.
    pub(crate) fn precision(&self, k: usize) -> f64 {
        let (mut sum, mut found) = (0.0, 0);
        for tie in &self.ties {
            let (before, total) = (tie.before + found, tie.positives + tie.negatives);
            if before >= k {
                break;
            }
            sum += tie.positives as f64 * total.min(k - before) as f64 / total as f64;
            found += tie.positives;
        }
        sum / k as f64
    }

    /// [`Self::reciprocal_rank`] under a random order of everything.
    pub(crate) fn chance_reciprocal_rank(&self) -> f64 {
        let tie = Tie { positives: self.positives, negatives: self.negatives, before: 0 };
        Self { ties: vec![tie], ..Self::default() }.reciprocal_rank()
    }

    /// [`Self::hit`] under a random order of everything.
    pub(crate) fn chance_of_a_hit(&self, k: usize) -> f64 {
        1.0 - all_negative(self.positives, self.negatives, k)
    }
}

/// Probability that the first `k` of a random order hold no positive.
fn all_negative(positives: usize, negatives: usize, k: usize) -> f64 {
    if k > negatives {
        return 0.0;
    }
    let total = positives + negatives;
    (0..k).map(|i| (negatives - i) as f64 / (total - i) as f64).product()
}

/// Expected average precision of `positives` among `positives + negatives` in random order:
/// `((P-1)/(L-1) (L - H_L) + H_L) / L`.
pub(crate) fn chance_average_precision(positives: usize, negatives: usize) -> f64 {
    let total = positives + negatives;
    if positives == 0 || total == 0 {
        return 0.0;
    }
    if negatives == 0 {
        return 1.0;
    }
    let (l, harmonic) = (total as f64, harmonic(total));
    ((positives as f64 - 1.0) / (l - 1.0) * (l - harmonic) + harmonic) / l
}

/// The n-th harmonic number; beyond 64 by its expansion, whose error there is below 1e-15.
fn harmonic(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if n <= 64 {
        return (1..=n).map(|k| 1.0 / k as f64).sum();
    }
    let x = n as f64;
    let y = 1.0 / (x * x);
    x.ln() + EULER + 0.5 / x - y * (1.0 / 12.0 - y * (1.0 / 120.0 - y / 252.0))
}

/// Average precision between chance (0) and perfect (1), at least -1; copairs 0.5.5 normalises so.
pub(crate) fn normalised(average_precision: f64, positives: usize, negatives: usize) -> f64 {
    let chance = chance_average_precision(positives, negatives);
    ((average_precision - chance) / (1.0 - chance).max(1e-10)).clamp(-1.0, 1.0)
}

/// Ranks the positives of every query among the negatives of its pool and reads the ranking; in the order of the queries.
/// Only the ties of the `first` nearest positives are kept, which is enough to read what depends on the first ranks.
pub(crate) fn rank<T: Send>(
    profiles: &Profiles<'_>,
    questions: &Questions<'_>,
    first: usize,
    read: &(impl Fn(Query, Ranking) -> T + Sync),
) -> Vec<T> {
    if among_all::fits(questions, first) {
        return among_all::rank(profiles, questions, first, read);
    }
    by_blocks(profiles, questions, first, read)
}

/// The same, block of queries by block of queries.
fn by_blocks<T: Send>(
    profiles: &Profiles<'_>,
    questions: &Questions<'_>,
    first: usize,
    read: &(impl Fn(Query, Ranking) -> T + Sync),
) -> Vec<T> {
    let queries = questions.queries;
    let mut order: Vec<u32> = (0..queries.len() as u32).collect();
    order.sort_by_key(|&at| queries[at as usize].pool);
    let tasks: Vec<&[u32]> = order
        .chunk_by(|&a, &b| queries[a as usize].pool == queries[b as usize].pool)
        .flat_map(|same| same.chunks(QUERIES))
        .collect();
    let answered: Vec<Vec<T>> = tasks
        .par_iter()
        .map(|task| {
            let asked: Vec<Query> = task.iter().map(|&at| queries[at as usize]).collect();
            let rankings = rank_block(profiles, questions, &asked, first);
            asked.iter().zip(rankings).map(|(&query, ranking)| read(query, ranking)).collect()
        })
        .collect();
    let mut answers: Vec<Option<T>> = queries.iter().map(|_| None).collect();
    for (&at, answer) in order.iter().zip(answered.into_iter().flatten()) {
        answers[at as usize] = Some(answer);
    }
    answers.into_iter().flatten().collect()
}

/// Rankings of queries that share a pool.
fn rank_block(
    profiles: &Profiles<'_>,
    questions: &Questions<'_>,
    asked: &[Query],
    first: usize,
) -> impl Iterator<Item = Ranking> {
    let pool = asked.first().map_or(&[] as &[u32], |query| &questions.pools[query.pool as usize]);
    let rows: Vec<u32> = asked.iter().map(|query| query.row).collect();
    let mut counters: Vec<Counter> =
        asked.iter().map(|&query| Counter::new(profiles, questions, query, first)).collect();
    let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let left = profiles.gather(&rows, &mut left);
    for candidates in pool.chunks(CANDIDATES) {
        let right = profiles.gather(candidates, &mut right);
        out.resize(rows.len() * candidates.len(), 0.0);
        products(left, right, profiles.dims, &mut out);
        for ((counter, &row), products) in counters.iter_mut().zip(&rows).zip(out.chunks_exact(candidates.len())) {
            counter.meet(profiles, questions, row, candidates, products);
        }
    }
    let negatives = questions.negatives.counts(asked, pool);
    counters.into_iter().zip(negatives).map(|(counter, negatives)| counter.finish(negatives))
}

#[cfg(test)]
mod tests {
    use bench_core::{Matrix, Seed};

    use super::*;
    use crate::embedding::Space;

    /// Means over all orders of the entries of each tie.
    fn over_all_orders(ties: &[Tie], k: usize) -> [f64; 4] {
        fn orders(positives: usize, negatives: usize) -> Vec<Vec<bool>> {
            if positives + negatives == 0 {
                return vec![Vec::new()];
            }
            let mut all = Vec::new();
            for (first, p, n) in
                [(true, positives.checked_sub(1), Some(negatives)), (false, Some(positives), negatives.checked_sub(1))]
            {
                if let (Some(p), Some(n)) = (p, n) {
                    all.extend(orders(p, n).into_iter().map(|rest| [vec![first], rest].concat()));
                }
            }
            all
        }
        let (mut lists, mut found) = (vec![Vec::new()], 0);
        for tie in ties {
            let gap = tie.before - found;
            found = tie.before + tie.negatives;
            let tied = orders(tie.positives, tie.negatives);
            lists = lists
                .iter()
                .flat_map(|list: &Vec<bool>| {
                    tied.iter().map(|order| [list.clone(), vec![false; gap], order.clone()].concat())
                })
                .collect();
        }
        let mut sums = [0.0; 4];
        for list in &lists {
            let ranks: Vec<usize> = (0..list.len()).filter(|&at| list[at]).collect();
            let precision: f64 = ranks.iter().enumerate().map(|(i, &rank)| (i + 1) as f64 / (rank + 1) as f64).sum();
            sums[0] += precision / ranks.len() as f64;
            sums[1] += 1.0 / (ranks[0] + 1) as f64;
            sums[2] += f64::from(ranks[0] < k);
            sums[3] += ranks.iter().filter(|&&rank| rank < k).count() as f64 / k as f64;
        }
        sums.map(|sum| sum / lists.len() as f64)
    }

    #[test]
    fn expectations_are_means_over_all_orders_of_ties() {
        let cases: [&[(usize, usize, usize)]; 4] =
            [&[(1, 0, 0)], &[(2, 3, 1)], &[(1, 2, 0), (2, 2, 4)], &[(3, 1, 2), (1, 0, 3), (1, 3, 5)]];
        for case in cases {
            let ties: Vec<Tie> =
                case.iter().map(|&(positives, negatives, before)| Tie { positives, negatives, before }).collect();
            let positives = ties.iter().map(|tie| tie.positives).sum();
            let ranking = Ranking { ties: ties.clone(), positives, negatives: 20 };
            for k in 1..9 {
                let [ap, reciprocal, hit, precision] = over_all_orders(&ties, k);
                assert!((ranking.average_precision() - ap).abs() < 1e-12);
                assert!((ranking.reciprocal_rank() - reciprocal).abs() < 1e-12);
                assert!((ranking.hit(k) - hit).abs() < 1e-12);
                assert!((ranking.precision(k) - precision).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn both_ways_through_a_pool_agree() {
        let (n, d) = (700, 6);
        let mut stream = Seed(7).stream();
        let mut matrix = Matrix::new(n, d, (0..n * d).map(|_| stream.normal() as f32).collect());
        // Equal rows, so that there are ties.
        for (from, to) in [(0, 300), (1, 301), (1, 699), (2, 5)] {
            let row: Vec<f32> = matrix.row(from).to_vec();
            matrix.data_mut()[to * d..(to + 1) * d].copy_from_slice(&row);
        }
        let code: Vec<u32> = (0..n as u32).map(|row| row % 61).collect();
        let none = Matrix::zeros(0, d);
        let space = Space::new(&matrix, &none);
        let profiles = Profiles::treated(&space);
        let same: Vec<Vec<u32>> = (0..61).map(|code| (code..n as u32).step_by(61).collect()).collect();
        let pools = [(0..n as u32).collect::<Vec<u32>>()];
        // Every 50th row is in no other batch than its replicates.
        let batch: Vec<u32> = (0..n as u32).map(|row| if row % 50 == 7 { 0 } else { 1 + row % 9 }).collect();
        let queries: Vec<Query> = (0..n as u32)
            .filter(|row| row % 9 != 4)
            .map(|row| Query { row, group: code[row as usize], pool: 0 })
            .collect();
        for apart in [vec![], vec![batch]] {
            let negatives = Negatives { differ: vec![&code], disjoint: None };
            let questions = Questions { queries: &queries, groups: &same, apart: &apart, pools: &pools, negatives };
            assert!(among_all::fits(&questions, usize::MAX));
            assert!(!among_all::fits(&Questions { queries: &queries[..99], ..questions.clone() }, usize::MAX));
            for first in [1, 10, usize::MAX] {
                let expected: Vec<Ranking> = rank_block(&profiles, &questions, &queries, first).collect();
                assert_eq!(rank(&profiles, &questions, first, &|_, ranking| ranking), expected);
                let asked = |query: Query, ranking| (query.row, ranking);
                let blocks = by_blocks(&profiles, &questions, first, &asked);
                let rows = queries.iter().map(|query| query.row);
                assert_eq!(blocks, rows.zip(expected.iter().cloned()).collect::<Vec<_>>());
                // The first ranks are those of the whole ranking.
                let whole = rank_block(&profiles, &questions, &queries, usize::MAX);
                for (part, whole) in expected.iter().zip(whole) {
                    assert_eq!(part.ties, whole.ties[..part.ties.len()]);
                    assert_eq!((part.positives, part.negatives), (whole.positives, whole.negatives));
                    assert!(first > 10 || (part.hit(1) - whole.hit(1)).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn the_counts_of_all_queries_are_held_only_where_they_are_small() {
        let n = 2400;
        let everyone = [(0..n).collect::<Vec<u32>>()];
        let queries: Vec<Query> = (0..n).map(|row| Query { row, group: 0, pool: 0 }).collect();
        let negatives = Negatives::default();
        let questions = Questions { queries: &queries, groups: &everyone, apart: &[], pools: &everyone, negatives };
        // 5.8 million pairs of replicates are too many, their first ranks are not.
        assert!(!among_all::fits(&questions, usize::MAX) && among_all::fits(&questions, 10));
    }

    #[test]
    fn ranks_are_those_of_sorted_exact_distances() {
        let (n, d) = (600_u32, 5);
        let mut stream = Seed(8).stream();
        // Coarse values, so that there are ties.
        let values = (0..n as usize * d).map(|_| (stream.normal() * 2.0).round() as f32).collect();
        let (matrix, none) = (Matrix::new(n as usize, d, values), Matrix::zeros(0, d));
        let space = Space::new(&matrix, &none);
        let profiles = Profiles::treated(&space);
        let code: Vec<u32> = (0..n).map(|row| row % 7).collect();
        let groups: Vec<Vec<u32>> = (0..7).map(|code| (code..n).step_by(7).collect()).collect();
        let pools = [(0..n).collect::<Vec<u32>>()];
        let queries: Vec<Query> = (0..n).map(|row| Query { row, group: row % 7, pool: 0 }).collect();
        let negatives = Negatives { differ: vec![&code], disjoint: None };
        let questions = Questions { queries: &queries, groups: &groups, apart: &[], pools: &pools, negatives };
        let rankings = rank(&profiles, &questions, usize::MAX, &|_, ranking| ranking);
        for (query, ranking) in (0..n).zip(rankings) {
            let mut all: Vec<(f64, bool)> = (0..n)
                .filter(|&other| other != query)
                .map(|other| (profiles.distance(query as usize, other as usize), other % 7 == query % 7))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (mut expected, mut before) = (Vec::new(), 0);
            for tied in all.chunk_by(|a, b| a.0 == b.0) {
                let positives = tied.iter().filter(|entry| entry.1).count();
                let negatives = tied.len() - positives;
                if positives > 0 {
                    expected.push(Tie { positives, negatives, before });
                }
                before += negatives;
            }
            assert_eq!(ranking.ties, expected);
            assert_eq!((ranking.positives, ranking.negatives), (all.iter().filter(|entry| entry.1).count(), before));
        }
    }

    #[test]
    fn one_tie_of_everything_is_chance() {
        for (positives, negatives) in [(1, 1), (3, 7), (2, 200), (90, 2000)] {
            let ties = vec![Tie { positives, negatives, before: 0 }];
            let ranking = Ranking { ties, positives, negatives };
            let chance = chance_average_precision(positives, negatives);
            assert!((ranking.average_precision() - chance).abs() < 1e-12);
            assert!(normalised(ranking.average_precision(), positives, negatives).abs() < 1e-12);
            assert!((ranking.hit(1) - ranking.chance_of_a_hit(1)).abs() < 1e-12);
        }
        assert!((harmonic(64) + 1.0 / 65.0 - harmonic(65)).abs() < 1e-14);
    }
}
