//! Counts the wrong answers between the right answers of one query while candidates come in.
//!
//! # How
//! The range of the distances is cut into equal bins, and a bin knows how many distances lie before it. The number of a
//! bin never falls as the distance grows, whatever the rounding. So a candidate in a bin that no distance of a positive can
//! reach, with the error of a product added, is counted by the number of its bin alone; most are. The others are looked
//! for among the few distances of their bin, and measured exactly where one is within the error.

use std::collections::HashMap;

use super::super::profiles::Profiles;
use super::questions::{Query, Questions};
use super::{Ranking, Tie};

/// Candidates looked at before the outcome is.
const LANES: usize = 32;
/// Bins for each distance.
const BINS: usize = 4;
/// Set for bins where the number of the bin is not enough.
const MIXED: u32 = 1 << 31;
/// A number of this size has no room for a fraction: added, it rounds.
const WHOLE: f64 = (1_u64 << 52) as f64;

/// The counts of one query.
pub(super) struct Counter {
    /// Distinct distances of positives, ascending, and how many share each.
    distance: Vec<f64>,
    positives: Vec<u32>,
    /// Negatives between the previous distance and this one; the last entry is of those beyond all.
    between: Vec<u32>,
    tied: Vec<u32>,
    /// Distances before each bin, and whether that is [not enough](MIXED).
    bins: Vec<u32>,
    /// Where the bins begin.
    origin: f64,
    /// Bins in a distance of one.
    scale: f64,
    /// Largest error of a product.
    bound: f64,
    /// All positives.
    all: usize,
    /// Exact distances by point, where rows repeat.
    known: HashMap<u32, f64>,
}

impl Counter {
    /// Bytes per positive, at most.
    pub(super) const BYTES: usize = 8 + 3 * 4 + BINS * 4 + 2 * 8;

    /// Measures the positives of a query and keeps the `first` nearest.
    pub(super) fn new(profiles: &Profiles<'_>, questions: &Questions<'_>, query: Query, first: usize) -> Self {
        let row = query.row as usize;
        let mut all: Vec<f64> =
            questions.positives(query).map(|positive| profiles.distance(row, positive as usize)).collect();
        all.sort_unstable_by(f64::total_cmp);
        let (mut distance, mut positives): (Vec<f64>, Vec<u32>) = (Vec::new(), Vec::new());
        for (place, &value) in all.iter().enumerate() {
            match positives.last_mut() {
                Some(count) if distance.last() == Some(&value) => *count += 1,
                _ if place >= first => break,
                _ => {
                    distance.push(value);
                    positives.push(1);
                }
            }
        }
        Self::of(distance, positives, all.len(), profiles.bound())
    }

    fn of(distance: Vec<f64>, positives: Vec<u32>, all: usize, bound: f64) -> Self {
        let places = distance.len();
        let mut counter = Self {
            distance,
            positives,
            between: vec![0; places + 1],
            tied: vec![0; places],
            bins: vec![0; (places + 1) * BINS],
            origin: 0.0,
            scale: 0.0,
            bound,
            all,
            known: HashMap::new(),
        };
        counter.fill_bins();
        counter
    }

    fn fill_bins(&mut self) {
        let (Some(&first), Some(&last)) = (self.distance.first(), self.distance.last()) else { return };
        // Room for a bin on either side that no positive reaches; more than the rounding of a difference.
        let reach = self.bound + 1e-9;
        let spread = last - first + 2.0 * reach;
        let bins = self.bins.len();
        self.scale = (bins - 4) as f64 / spread;
        self.origin = first - reach - 1.5 / self.scale;
        let mut next = 0;
        for at in 0..self.distance.len() {
            let distance = self.distance[at];
            let (bin, end) = (self.bin(distance), self.bin(distance + reach));
            // The bins up to here have all distances met so far before them.
            while next <= bin {
                self.bins[next] |= at as u32;
                next += 1;
            }
            for mixed in self.bin(distance - reach)..=end {
                self.bins[mixed] |= MIXED;
            }
        }
        let places = self.distance.len() as u32;
        self.bins[next..].iter_mut().for_each(|bin| *bin |= places);
    }

    /// The bin of a distance; the first one holds all before it, and the last one all beyond.
    #[inline(always)]
    fn bin(&self, distance: f64) -> usize {
        let bin = ((distance - self.origin) * self.scale).max(0.0).min((self.bins.len() - 1) as f64);
        (bin + WHOLE).to_bits() as u32 as usize
    }

    /// Distances that are smaller.
    fn place(&self, distance: f64) -> usize {
        let bin = self.bin(distance);
        let before = |bin: usize| self.bins.get(bin).map_or(self.distance.len(), |&bin| (bin & !MIXED) as usize);
        let (start, end) = (before(bin), before(bin + 1));
        start + self.distance[start..end].partition_point(|&other| other < distance)
    }

    /// The least product that a candidate at the last distance or nearer can have.
    fn bar(&self) -> f32 {
        // One part in a million is more than the rounding to `f32`.
        self.distance.last().map_or(f32::INFINITY, |last| (1.0 - last - self.bound - 1e-6) as f32)
    }

    /// Counts the negatives among some candidates, given their products with the query's row.
    pub(super) fn meet(
        &mut self,
        profiles: &Profiles<'_>,
        questions: &Questions<'_>,
        row: u32,
        candidates: &[u32],
        products: &[f32],
    ) {
        let row = row as usize;
        match questions.negatives.only_column() {
            // The query is of its own code.
            Some(codes) => {
                let own = codes[row];
                self.count(profiles, row, candidates, products, |candidate| codes[candidate] != own);
            }
            None => {
                let includes = |candidate| questions.negatives.includes(row, candidate);
                self.count(profiles, row, candidates, products, includes);
            }
        }
    }

    fn count(
        &mut self,
        profiles: &Profiles<'_>,
        row: usize,
        candidates: &[u32],
        products: &[f32],
        is_negative: impl Fn(usize) -> bool,
    ) {
        let bar = self.bar();
        let mut bins = [0_u32; LANES];
        for (candidates, products) in candidates.chunks(LANES).zip(products.chunks(LANES)) {
            // Where few positives matter, nearly all candidates are farther than the last of them.
            if !products.iter().fold(false, |any, &product| any | (product >= bar)) {
                continue;
            }
            for (bin, &product) in bins.iter_mut().zip(products) {
                *bin = self.bin(1.0 - f64::from(product)) as u32;
            }
            for ((&candidate, &product), &bin) in candidates.iter().zip(products).zip(&bins) {
                let candidate = candidate as usize;
                if product >= bar && is_negative(candidate) {
                    let before = self.bins[bin as usize];
                    if before & MIXED == 0 {
                        self.between[before as usize] += 1;
                    } else {
                        self.look(profiles, row, candidate, 1.0 - f64::from(product));
                    }
                }
            }
        }
    }

    /// Counts a negative that may be near a positive.
    fn look(&mut self, profiles: &Profiles<'_>, row: usize, candidate: usize, fast: f64) {
        let mut at = self.place(fast);
        let near = (at > 0 && fast - self.distance[at - 1] <= self.bound)
            || (at < self.distance.len() && self.distance[at] - fast <= self.bound);
        if near {
            let exact = if profiles.repeats {
                let point = profiles.point(candidate);
                *self.known.entry(point).or_insert_with(|| profiles.distance(row, candidate))
            } else {
                profiles.distance(row, candidate)
            };
            at = self.place(exact);
            if self.distance.get(at) == Some(&exact) {
                self.tied[at] += 1;
                return;
            }
        }
        self.between[at] += 1;
    }

    /// The ranking, given the negatives of the query.
    pub(super) fn finish(self, negatives: usize) -> Ranking {
        let mut before = 0;
        let mut ties = Vec::with_capacity(self.distance.len());
        for (at, &positives) in self.positives.iter().enumerate() {
            before += self.between[at] as usize;
            ties.push(Tie { positives: positives as usize, negatives: self.tied[at] as usize, before });
            before += self.tied[at] as usize;
        }
        Ranking { ties, positives: self.all, negatives }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_search() {
        let sets: [&[f64]; 6] = [
            &[0.3],
            &[0.25, 0.5],
            &[0.0, 1e-12, 2e-12, 3e-12, 2.0],
            &[-1e-12, 0.1, 0.100_000_1, 0.100_000_2, 0.9, 1.0, 1.1, 1.2, 1.999],
            &std::array::from_fn::<f64, 40, _>(|at| 1.0 + at as f64 * 1e-13),
            &std::array::from_fn::<f64, 700, _>(|at| (at as f64 / 700.0).powi(3)),
        ];
        for set in sets {
            for bound in [1e-15, 1e-5, 0.01] {
                let counter = Counter::of(set.to_vec(), vec![1; set.len()], set.len(), bound);
                let search = |distance: f64| set.partition_point(|&other| other < distance);
                let steps = [0.0, bound, 2.0 * bound, 1e-3, 0.05].map(|step| [step, -step]);
                let beside = set.iter().flat_map(|&at| [at, at.next_up(), at.next_down()]);
                let beside = beside.flat_map(|at| steps.as_flattened().iter().map(move |step| at + step));
                for distance in beside.chain([-0.1, 0.0, 1.0, 2.0, 2.5]) {
                    assert_eq!(counter.place(distance), search(distance), "{distance}");
                    let bin = counter.bins[counter.bin(distance)];
                    let reached = set.iter().any(|&other| (other - distance).abs() <= bound);
                    assert!(bin & MIXED != 0 || !reached && bin as usize == search(distance), "{distance} {bin}");
                }
                assert!(counter.bins.iter().any(|bin| bin & MIXED == 0));
            }
        }
    }
}
