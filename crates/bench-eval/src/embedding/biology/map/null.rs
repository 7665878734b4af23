//! How likely a mean average precision is if ranks are random.
//!
//! # What
//! The null of one profile is the distribution of AP over all placements of its `P` positives in `L` ranks. Where
//! there are few placements (`C(L, P)` up to [`NullSettings::exact_up_to`]) all are enumerated, otherwise
//! [`NullSettings::size`] are drawn, with a seed of the configuration alone: unlike copairs' cached nulls, p does not
//! depend on which other configurations were asked for before. The standard error of a drawn p is stated beside it.
//!
//! # Groups
//! As in copairs, the null of a mean is the mean of its members' nulls, and members of one configuration share one
//! null: the ranks of replicates depend on each other, and treating them as independent would be too bold. A group of
//! one configuration therefore has an exact p; a mixed one is drawn.
//!
//! # Dialects
//! [`Tail::AtLeast`] counts equal values, so that p is valid on discrete nulls; [`Tail::Above`] is copairs' strict
//! count. A drawn p is `(count + 1) / (size + 1)`, an exact one the share itself.
//!
//! # What it cannot show
//! It takes ranks as exchangeable: plate layout and dependence between pairs are not in it.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::Seed;
use rayon::prelude::*;

/// Draws of a part.
const DRAWS: usize = 500;

/// Values closer than this are equal: two orders of the same sum.
const CLOSE: f64 = 1e-9;

/// Which null values count against an observed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tail {
    /// As large or larger.
    AtLeast,
    /// Larger: copairs.
    Above,
}

/// How nulls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NullSettings {
    /// Draws per configuration.
    pub size: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Most placements that are enumerated; 0 for none.
    pub exact_up_to: u64,
    /// What counts as extreme.
    pub tail: Tail,
}

impl Default for NullSettings {
    fn default() -> Self {
        Self { size: 10_000, seed: 0, exact_up_to: 200_000, tail: Tail::AtLeast }
    }
}

/// The probability of a value under the null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PValue {
    /// The probability.
    pub p: f64,
    /// Standard error of a drawn one, `sqrt(p (1 - p) / size)`; zero if exact.
    pub standard_error: f64,
    /// Whether all placements were enumerated.
    pub exact: bool,
}

/// p of the mean of every group, whose members have these configurations `(positives, all)`.
///
/// Draws are made a part at a time, every draw from its own place in a stream: memory stays small with many configurations, and
/// threads change nothing.
pub(crate) fn p_values(means: &[f64], groups: &[Vec<(usize, usize)>], settings: NullSettings) -> Vec<PValue> {
    let is_single = |group: &[(usize, usize)]| group.iter().all(|configuration| *configuration == group[0]);
    let few = |&(positives, all): &(usize, usize)| {
        placements(positives, all).is_some_and(|count| count <= settings.exact_up_to)
    };
    let single: BTreeSet<(usize, usize)> =
        groups.iter().filter(|group| is_single(group) && few(&group[0])).map(|group| group[0]).collect();
    let exact: BTreeMap<(usize, usize), Vec<f64>> =
        single.into_par_iter().map(|(p, l)| ((p, l), all_values(p, l))).collect();
    let counts = |value: f64, mean: f64| match settings.tail {
        Tail::AtLeast => value >= mean - CLOSE,
        Tail::Above => value > mean + CLOSE,
    };
    let exact_p = |group: &[(usize, usize)], mean: f64| {
        let sorted = exact.get(&group[0]).filter(|_| is_single(group))?;
        let first = sorted.partition_point(|&value| !counts(value, mean));
        Some(PValue { p: (sorted.len() - first) as f64 / sorted.len() as f64, standard_error: 0.0, exact: true })
    };
    let mut p: Vec<Option<PValue>> = groups.iter().zip(means).map(|(group, &mean)| exact_p(group, mean)).collect();
    let open: Vec<usize> = (0..groups.len()).filter(|&at| p[at].is_none()).collect();
    let drawn: Vec<(f64, &[(usize, usize)])> = open.iter().map(|&at| (means[at], groups[at].as_slice())).collect();
    for (&at, count) in open.iter().zip(draw_counts(&drawn, settings, &counts)) {
        let size = settings.size as f64;
        let drawn = (count as f64 + 1.0) / (size + 1.0);
        p[at] = Some(PValue { p: drawn, standard_error: (drawn * (1.0 - drawn) / size).sqrt(), exact: false });
    }
    p.into_iter().flatten().collect()
}

/// How many drawn means of each group count against its own.
fn draw_counts(
    groups: &[(f64, &[(usize, usize)])],
    settings: NullSettings,
    counts: &(dyn Fn(f64, f64) -> bool + Sync),
) -> Vec<usize> {
    // Configurations by length, then by positives: those of one length share their draws.
    let mut places: BTreeMap<(usize, usize), usize> =
        groups.iter().flat_map(|group| group.1).map(|&(positives, all)| ((all, positives), 0)).collect();
    places.values_mut().enumerate().for_each(|(at, place)| *place = at);
    let configurations: Vec<(usize, usize)> = places.keys().copied().collect();
    let shares: Vec<Vec<(usize, f64)>> = groups
        .iter()
        .map(|(_, members)| {
            let mut times: BTreeMap<usize, usize> = BTreeMap::new();
            members.iter().for_each(|&(positives, all)| *times.entry(places[&(all, positives)]).or_default() += 1);
            times.into_iter().map(|(at, times)| (at, times as f64 / members.len() as f64)).collect()
        })
        .collect();
    let parts: Vec<Vec<usize>> = (0..settings.size.div_ceil(DRAWS))
        .into_par_iter()
        .map(|part| {
            let range = part * DRAWS..((part + 1) * DRAWS).min(settings.size);
            let draws = range.len();
            let mut values = vec![0.0; configurations.len() * draws];
            let mut start = 0;
            for same in configurations.chunk_by(|a, b| a.0 == b.0) {
                let seed = Seed(settings.seed).derive("map-null", same[0].0 as u64);
                draw(same, range.clone(), seed, &mut values[start..start + same.len() * draws]);
                start += same.len() * draws;
            }
            let mut sum = vec![0.0; draws];
            let of_group = |((mean, _), shares): (&(f64, _), &Vec<(usize, f64)>)| {
                sum.fill(0.0);
                for &(at, share) in shares {
                    let values = &values[at * draws..(at + 1) * draws];
                    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * value);
                }
                sum.iter().filter(|&&value| counts(value, *mean)).count()
            };
            groups.iter().zip(&shares).map(of_group).collect()
        })
        .collect();
    let mut total = vec![0; groups.len()];
    parts.iter().for_each(|part| total.iter_mut().zip(part).for_each(|(total, count)| *total += count));
    total
}

/// Draws AP values for configurations `(all, positives)` of one length, ascending; `[configurations, draws]`.
///
/// The first ranks of a random order are a random set whatever their number, so one order serves all configurations.
/// Every draw has a place of its own in the stream, so that it does not depend on how many ranks others needed.
fn draw(configurations: &[(usize, usize)], draws: std::ops::Range<usize>, seed: Seed, values: &mut [f64]) {
    let all = configurations[0].0;
    let inverse: Vec<f64> = (0..all).map(|rank| 1.0 / (rank + 1) as f64).collect();
    let mut order: Vec<u32> = (0..all as u32).collect();
    let mut swapped: Vec<usize> = Vec::new();
    // One bit per rank: what is set comes out in order, without a sort.
    let mut taken = vec![0_u64; all.div_ceil(64)];
    for (place, draw) in draws.clone().enumerate() {
        let mut words = Words { seed, next: (draw as u64) << 32, block: [0; 4], left: 0 };
        for (at, &(_, positives)) in configurations.iter().enumerate() {
            for next in swapped.len()..positives {
                let other = next + words.below(all - next);
                order.swap(next, other);
                swapped.push(other);
                let rank = order[next] as usize;
                taken[rank / 64] |= 1 << (rank % 64);
            }
            values[at * draws.len() + place] = precision_sum(&taken, &inverse) / positives as f64;
        }
        taken.fill(0);
        for (next, other) in swapped.drain(..).enumerate().rev() {
            order.swap(next, other);
        }
    }
}

/// Words of a seed from a place on: this is where drawn nulls spend their time.
struct Words {
    seed: Seed,
    next: u64,
    block: [u32; 4],
    left: usize,
}

impl Words {
    /// Uniform in `0..bound` without bias (Lemire's method, on 32 bits).
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u32;
        loop {
            if self.left == 0 {
                self.block = self.seed.block(self.next);
                (self.next, self.left) = (self.next + 1, 4);
            }
            self.left -= 1;
            let product = u64::from(self.block[self.left]) * u64::from(bound);
            let low = product as u32;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 32) as usize;
            }
        }
    }
}

/// Sum of the precisions at the ranks that are set.
fn precision_sum(taken: &[u64], inverse: &[f64]) -> f64 {
    let (mut sum, mut found) = (0.0, 0.0);
    for (word, inverse) in taken.iter().zip(inverse.chunks(64)) {
        let mut left = *word;
        while left != 0 {
            found += 1.0;
            sum += found * inverse[left.trailing_zeros() as usize];
            left &= left - 1;
        }
    }
    sum
}

/// AP of all placements, sorted.
fn all_values(positives: usize, all: usize) -> Vec<f64> {
    let mut values = Vec::new();
    place(positives, all, 1, 0, 0.0, &mut values);
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// `C(all, positives)`, `None` beyond `u64`.
fn placements(positives: usize, all: usize) -> Option<u64> {
    let smaller = positives.min(all - positives);
    (0..smaller).try_fold(1_u64, |count, i| count.checked_mul((all - i) as u64).map(|product| product / (i as u64 + 1)))
}

/// Pushes the AP of every placement of the remaining positives at `rank` or later.
fn place(positives: usize, all: usize, rank: usize, found: usize, sum: f64, values: &mut Vec<f64>) {
    if found == positives {
        values.push(sum / positives as f64);
        return;
    }
    for at in rank..=all - (positives - found) + 1 {
        place(positives, all, at + 1, found + 1, sum + (found + 1) as f64 / at as f64, values);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::support::ranking::chance_average_precision;
    use super::*;

    #[test]
    fn an_exact_null_has_all_placements_and_the_mean_of_random_order() {
        for (positives, all) in [(1, 5), (3, 12), (4, 4), (2, 30)] {
            let values = all_values(positives, all);
            assert_eq!(Some(values.len() as u64), placements(positives, all));
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((mean - chance_average_precision(positives, all - positives)).abs() < 1e-12);
        }
    }

    #[test]
    fn draws_of_a_length_have_the_mean_of_random_order() {
        let configurations = [(150, 1), (150, 2), (150, 40), (150, 149), (150, 150)];
        let draws = 20_000;
        let mut values = vec![0.0; configurations.len() * draws];
        draw(&configurations, 0..draws, Seed(3), &mut values);
        for (&(all, positives), values) in configurations.iter().zip(values.chunks_exact(draws)) {
            let mean = values.iter().sum::<f64>() / draws as f64;
            let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / draws as f64;
            let error = (square / draws as f64).sqrt();
            let expected = chance_average_precision(positives, all - positives);
            assert!((mean - expected).abs() <= 5.0 * error + 1e-12, "{positives} of {all}: {mean} {expected}");
        }
    }

    #[test]
    fn drawn_p_is_within_its_error_of_the_exact_one() {
        let exact = NullSettings::default();
        let drawn = NullSettings { exact_up_to: 0, ..exact };
        for members in [vec![(3, 27); 4], vec![(1, 9); 2], vec![(9, 20)]] {
            let groups = std::slice::from_ref(&members);
            for mean in [0.1, 0.3, 0.6, 1.0] {
                let (a, b) = (p_values(&[mean], groups, exact)[0], p_values(&[mean], groups, drawn)[0]);
                assert!(a.exact && !b.exact);
                assert!((a.p - b.p).abs() < 5.0 * b.standard_error + 2e-4, "{mean} {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_draw_does_not_depend_on_what_else_is_drawn() {
        let settings = NullSettings { exact_up_to: 0, size: 1200, ..NullSettings::default() };
        let alone = p_values(&[0.5], &[vec![(2, 9)]], settings)[0];
        let groups = [vec![(5, 40)], vec![(2, 9)], vec![(1, 3), (2, 8), (7, 9)]];
        assert_eq!(p_values(&[0.5; 3], &groups, settings)[1], alone);
    }
}
