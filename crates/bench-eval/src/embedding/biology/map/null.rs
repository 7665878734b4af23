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

use std::collections::BTreeMap;

use bench_core::Seed;
use rayon::prelude::*;

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

/// Null values of the AP of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Null {
    /// All of them, sorted.
    Exact(Vec<f64>),
    /// Draws, in the order of drawing.
    Drawn(Vec<f64>),
}

/// Nulls by configuration `(positives, all)`.
pub(crate) struct Nulls {
    settings: NullSettings,
    of: BTreeMap<(usize, usize), Null>,
    drawn: BTreeMap<(usize, usize), Vec<f64>>,
}

impl Nulls {
    /// Makes the nulls that groups of members with these configurations need.
    pub(crate) fn new(groups: &[Vec<(usize, usize)>], settings: NullSettings) -> Self {
        let mut single: BTreeMap<(usize, usize), ()> = BTreeMap::new();
        let mut mixed: BTreeMap<(usize, usize), ()> = BTreeMap::new();
        for group in groups {
            let is_mixed = group.iter().any(|configuration| *configuration != group[0]);
            let into = if is_mixed { &mut mixed } else { &mut single };
            into.extend(group.iter().map(|&configuration| (configuration, ())));
        }
        let single: Vec<(usize, usize)> = single.into_keys().collect();
        let mixed: Vec<(usize, usize)> = mixed.into_keys().collect();
        Self {
            settings,
            of: single.par_iter().map(|&(p, l)| ((p, l), null(p, l, settings))).collect(),
            drawn: mixed.par_iter().map(|&(p, l)| ((p, l), draw(p, l, settings))).collect(),
        }
    }

    /// p of the mean of a group; its members' configurations are those given to [`Self::new`].
    pub(crate) fn p(&self, mean: f64, members: &[(usize, usize)]) -> PValue {
        let counts = |value: f64| match self.settings.tail {
            Tail::AtLeast => value >= mean - CLOSE,
            Tail::Above => value > mean + CLOSE,
        };
        let drawn = |count: usize| {
            let size = self.settings.size as f64;
            let p = (count as f64 + 1.0) / (size + 1.0);
            PValue { p, standard_error: (p * (1.0 - p) / size).sqrt(), exact: false }
        };
        if members.iter().all(|configuration| *configuration == members[0]) {
            return match &self.of[&members[0]] {
                Null::Exact(sorted) => {
                    let first = sorted.partition_point(|&value| !counts(value));
                    let p = (sorted.len() - first) as f64 / sorted.len() as f64;
                    PValue { p, standard_error: 0.0, exact: true }
                }
                Null::Drawn(values) => drawn(values.iter().filter(|&&value| counts(value)).count()),
            };
        }
        let mut weight: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for &configuration in members {
            *weight.entry(configuration).or_default() += 1;
        }
        let mut sum = vec![0.0; self.settings.size];
        for (configuration, weight) in weight {
            let share = weight as f64 / members.len() as f64;
            sum.iter_mut().zip(&self.drawn[&configuration]).for_each(|(sum, value)| *sum += share * value);
        }
        drawn(sum.iter().filter(|&&value| counts(value)).count())
    }
}

/// The null of one configuration, enumerated if there are few enough placements.
pub(crate) fn null(positives: usize, all: usize, settings: NullSettings) -> Null {
    if placements(positives, all).is_none_or(|count| count > settings.exact_up_to) {
        return Null::Drawn(draw(positives, all, settings));
    }
    let mut values = Vec::new();
    place(positives, all, 1, 0, 0.0, &mut values);
    values.sort_unstable_by(f64::total_cmp);
    Null::Exact(values)
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

/// Draws AP values.
fn draw(positives: usize, all: usize, settings: NullSettings) -> Vec<f64> {
    let mut stream = Seed(settings.seed).derive(&format!("map-null/{positives}"), all as u64).stream();
    let mut taken = vec![false; all];
    let mut ranks: Vec<usize> = Vec::with_capacity(positives);
    (0..settings.size)
        .map(|_| {
            ranks.clear();
            if positives * 4 < all {
                while ranks.len() < positives {
                    let rank = stream.below(all);
                    if !std::mem::replace(&mut taken[rank], true) {
                        ranks.push(rank);
                    }
                }
                ranks.iter().for_each(|&rank| taken[rank] = false);
                ranks.sort_unstable();
            } else {
                // Knuth's selection sampling: ranks come in order.
                for rank in 0..all {
                    if stream.below(all - rank) < positives - ranks.len() {
                        ranks.push(rank);
                    }
                }
            }
            let sum: f64 = ranks.iter().enumerate().map(|(i, &rank)| (i + 1) as f64 / (rank + 1) as f64).sum();
            sum / positives as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::support::ranking::chance_average_precision;
    use super::*;

    #[test]
    fn an_exact_null_has_all_placements_and_the_mean_of_random_order() {
        for (positives, all) in [(1, 5), (3, 12), (4, 4), (2, 30)] {
            let Null::Exact(values) = null(positives, all, NullSettings::default()) else { panic!("few placements") };
            assert_eq!(Some(values.len() as u64), placements(positives, all));
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((mean - chance_average_precision(positives, all - positives)).abs() < 1e-12);
        }
    }

    #[test]
    fn drawn_p_is_within_its_error_of_the_exact_one() {
        let exact = NullSettings::default();
        let drawn = NullSettings { exact_up_to: 0, ..exact };
        for members in [vec![(3, 27); 4], vec![(1, 9); 2], vec![(9, 20)]] {
            let groups = std::slice::from_ref(&members);
            let (a, b) = (Nulls::new(groups, exact), Nulls::new(groups, drawn));
            for mean in [0.1, 0.3, 0.6, 1.0] {
                let (a, b) = (a.p(mean, &members), b.p(mean, &members));
                assert!(a.exact && !b.exact);
                assert!((a.p - b.p).abs() < 5.0 * b.standard_error + 2e-4, "{mean} {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_draw_does_not_depend_on_what_else_is_drawn() {
        let settings = NullSettings { exact_up_to: 0, size: 100, ..NullSettings::default() };
        let alone = Nulls::new(&[vec![(2, 9)]], settings).p(0.5, &[(2, 9)]);
        let among = Nulls::new(&[vec![(5, 40)], vec![(2, 9)], vec![(1, 3), (2, 8)]], settings).p(0.5, &[(2, 9)]);
        assert_eq!(alone, among);
    }
}
