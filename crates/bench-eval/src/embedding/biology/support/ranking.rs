//! Where the right answers of a query stand in its ranking, ties kept as blocks.
//!
//! # What
//! A query has positives (right answers) and negatives (wrong ones); both are ordered by cosine distance. Only the
//! positives' places matter, so a [`Ranking`] holds one [`Tie`] per distinct distance of a positive: how many
//! negatives are nearer, how many are exactly as far, how many positives share it.
//!
//! # How
//! Positives are measured exactly. Negatives are multiplied in blocks in `f32`; those within the error bound of a
//! positive are measured exactly too, so that the ranks are those of `f64` at the speed of `f32`. Memory is that of
//! one block of queries times one block of candidates per thread.
//!
//! # Ties
//! Everything read from a ranking is the expectation over random orders of what is tied, so that no row order and no
//! constant embedding wins anything. Checked in the tests against all orders.

use std::collections::HashMap;

use rayon::prelude::*;

use super::profiles::Profiles;
use bench_geometry::product::products;

mod among_all;
mod near;

pub(crate) use near::rank_first;

/// Queries of a task.
const QUERIES: usize = 128;
/// Candidates of a product.
const CANDIDATES: usize = 512;
/// Candidates looked at before the outcome is.
const LANES: usize = 32;

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// The profile that asks.
    pub(crate) row: u32,
    /// The right answers.
    pub(crate) positives: Vec<u32>,
    /// Which pool its negatives come from.
    pub(crate) pool: u32,
}

/// Which members of a pool are wrong answers to a query: those that differ from it in every column and share no
/// member of `sets`; never the query itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Negatives<'a> {
    /// A code per profile.
    pub(crate) differ: Vec<&'a [u32]>,
    /// Ascending codes per profile.
    pub(crate) disjoint: Option<&'a [Vec<u32>]>,
}

impl Negatives<'_> {
    fn includes(&self, query: usize, candidate: usize) -> bool {
        query != candidate
            && self.differ.iter().all(|column| column[query] != column[candidate])
            && self.disjoint.is_none_or(|sets| share_none(&sets[query], &sets[candidate]))
    }
}

impl Negatives<'_> {
    /// Wrong answers in a pool, for each of some queries.
    fn counts(&self, queries: &[u32], pool: &[u32]) -> Vec<usize> {
        if let ([column], None) = (self.differ.as_slice(), self.disjoint) {
            // Members of the query's own code, it among them, are none.
            let mut with: HashMap<u32, usize> = HashMap::new();
            pool.iter().for_each(|&row| *with.entry(column[row as usize]).or_default() += 1);
            let own = |query: &u32| with.get(&column[*query as usize]).copied().unwrap_or(0);
            return queries.iter().map(|query| pool.len() - own(query)).collect();
        }
        let count = |&query: &u32| pool.iter().filter(|&&row| self.includes(query as usize, row as usize)).count();
        queries.iter().map(count).collect()
    }
}

fn share_none(a: &[u32], b: &[u32]) -> bool {
    a.iter().all(|code| b.binary_search(code).is_err())
}

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

/// Ranks the positives of every query among the negatives of its pool; in the order of the queries. Only the ties of the
/// `first` nearest positives are kept, which is enough to read what depends on the first ranks.
pub(crate) fn rank(
    profiles: &Profiles<'_>,
    queries: &[Query],
    pools: &[Vec<u32>],
    negatives: &Negatives<'_>,
    first: usize,
) -> Vec<Ranking> {
    if let [pool] = pools
        && among_all::fits(queries, pool)
    {
        return among_all::rank(profiles, queries, pool, negatives, first);
    }
    let mut order: Vec<u32> = (0..queries.len() as u32).collect();
    order.sort_by_key(|&at| queries[at as usize].pool);
    let tasks: Vec<&[u32]> = order
        .chunk_by(|&a, &b| queries[a as usize].pool == queries[b as usize].pool)
        .flat_map(|same| same.chunks(QUERIES))
        .collect();
    let ranked: Vec<Vec<Ranking>> = tasks
        .par_iter()
        .map(|task| {
            let asked: Vec<&Query> = task.iter().map(|&at| &queries[at as usize]).collect();
            let pool = &pools[asked[0].pool as usize];
            rank_block(profiles, &asked, pool, negatives, first)
        })
        .collect();
    let mut rankings = vec![Ranking::default(); queries.len()];
    for (&at, ranking) in tasks.iter().flat_map(|task| task.iter()).zip(ranked.into_iter().flatten()) {
        rankings[at as usize] = ranking;
    }
    rankings
}

/// The counts of one query while its negatives come in.
struct Counter {
    /// Distinct distances of positives, ascending, and how many share each.
    distance: Vec<f64>,
    positives: Vec<usize>,
    /// Negatives between the previous distance and this one.
    between: Vec<usize>,
    tied: Vec<usize>,
    /// Exact distances by point, where rows repeat.
    known: HashMap<u32, f64>,
}

impl Counter {
    fn new(profiles: &Profiles<'_>, query: &Query, first: usize) -> Self {
        let row = query.row as usize;
        let mut all: Vec<f64> =
            query.positives.iter().map(|&positive| profiles.distance(row, positive as usize)).collect();
        all.sort_unstable_by(f64::total_cmp);
        let (mut distance, mut positives): (Vec<f64>, Vec<usize>) = (Vec::new(), Vec::new());
        for (place, value) in all.into_iter().enumerate() {
            match positives.last_mut() {
                Some(count) if distance.last() == Some(&value) => *count += 1,
                _ if place >= first => break,
                _ => {
                    distance.push(value);
                    positives.push(1);
                }
            }
        }
        let places = distance.len();
        Self { distance, positives, between: vec![0; places], tied: vec![0; places], known: HashMap::new() }
    }

    /// The least product that a candidate at the last distance or nearer can have.
    fn bar(&self, bound: f64) -> f32 {
        // One part in a million is more than the rounding to `f32`.
        self.distance.last().map_or(f32::INFINITY, |last| (1.0 - last - bound - 1e-6) as f32)
    }

    /// Counts the negatives among some candidates, given their products with the query's row.
    fn meet(
        &mut self,
        profiles: &Profiles<'_>,
        negatives: &Negatives<'_>,
        row: u32,
        (candidates, products): (&[u32], &[f32]),
    ) {
        let (row, bound) = (row as usize, profiles.bound());
        let bar = self.bar(bound);
        for (candidates, products) in candidates.chunks(LANES).zip(products.chunks(LANES)) {
            // Where few positives matter, nearly all candidates are farther than the last of them.
            if !products.iter().fold(false, |any, &product| any | (product >= bar)) {
                continue;
            }
            for (&candidate, &product) in candidates.iter().zip(products) {
                let candidate = candidate as usize;
                if product >= bar && negatives.includes(row, candidate) {
                    self.add(1.0 - f64::from(product), bound, |known| {
                        if profiles.repeats {
                            let point = profiles.point(candidate);
                            *known.entry(point).or_insert_with(|| profiles.distance(row, candidate))
                        } else {
                            profiles.distance(row, candidate)
                        }
                    });
                }
            }
        }
    }

    fn add(&mut self, fast: f64, bound: f64, exact: impl FnOnce(&mut HashMap<u32, f64>) -> f64) {
        let at = self.distance.partition_point(|&distance| distance < fast);
        let near = (at > 0 && fast - self.distance[at - 1] <= bound)
            || (at < self.distance.len() && self.distance[at] - fast <= bound);
        let at = if near {
            let exact = exact(&mut self.known);
            let at = self.distance.partition_point(|&distance| distance < exact);
            if self.distance.get(at) == Some(&exact) {
                self.tied[at] += 1;
                return;
            }
            at
        } else {
            at
        };
        if let Some(between) = self.between.get_mut(at) {
            *between += 1;
        }
    }

    fn finish(self, positives: usize, negatives: usize) -> Ranking {
        let mut before = 0;
        let mut ties = Vec::with_capacity(self.distance.len());
        for (at, &positives) in self.positives.iter().enumerate() {
            before += self.between[at];
            ties.push(Tie { positives, negatives: self.tied[at], before });
            before += self.tied[at];
        }
        Ranking { ties, positives, negatives }
    }
}

fn rank_block(
    profiles: &Profiles<'_>,
    queries: &[&Query],
    pool: &[u32],
    negatives: &Negatives<'_>,
    first: usize,
) -> Vec<Ranking> {
    let rows: Vec<u32> = queries.iter().map(|query| query.row).collect();
    let mut counters: Vec<Counter> = queries.iter().map(|query| Counter::new(profiles, query, first)).collect();
    let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let left = profiles.gather(&rows, &mut left);
    for candidates in pool.chunks(CANDIDATES) {
        let right = profiles.gather(candidates, &mut right);
        out.resize(rows.len() * candidates.len(), 0.0);
        products(left, right, profiles.dims, &mut out);
        for ((counter, &row), products) in counters.iter_mut().zip(&rows).zip(out.chunks_exact(candidates.len())) {
            counter.meet(profiles, negatives, row, (candidates, products));
        }
    }
    let counted = negatives.counts(&rows, pool);
    let finish =
        |((counter, query), negatives): ((Counter, &&Query), usize)| counter.finish(query.positives.len(), negatives);
    counters.into_iter().zip(queries).zip(counted).map(finish).collect()
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
        let pool: Vec<u32> = (0..n as u32).collect();
        let alike = |row: u32, other: u32| other != row && code[other as usize] == code[row as usize];
        let same = |row: u32| -> Vec<u32> { pool.iter().copied().filter(|&other| alike(row, other)).collect() };
        let queries: Vec<Query> =
            (0..n as u32).filter(|row| row % 9 != 4).map(|row| Query { row, positives: same(row), pool: 0 }).collect();
        let negatives = Negatives { differ: vec![&code], disjoint: None };
        assert!(among_all::fits(&queries, &pool) && !among_all::fits(&queries[..99], &pool));
        for first in [1, 10, usize::MAX] {
            let asked: Vec<&Query> = queries.iter().collect();
            let expected = rank_block(&profiles, &asked, &pool, &negatives, first);
            assert_eq!(rank(&profiles, &queries, std::slice::from_ref(&pool), &negatives, first), expected);
            // The first ranks are those of the whole ranking.
            let whole = rank_block(&profiles, &asked, &pool, &negatives, usize::MAX);
            for (part, whole) in expected.iter().zip(whole) {
                assert_eq!(part.ties, whole.ties[..part.ties.len()]);
                assert_eq!((part.positives, part.negatives), (whole.positives, whole.negatives));
                assert!(first > 10 || (part.hit(1) - whole.hit(1)).abs() < 1e-12);
            }
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
