//! Candidates of a block of queries: everything that could still be a neighbour.
//!
//! # What it computes
//! For each query and each fold that tests it, a short list of candidates with the upper bound
//! of their score, and the k highest lower bounds seen. The k-th of these is the bar: no
//! candidate whose upper bound is below it can be a neighbour. A list that stays long although
//! everything below the bar was dropped (large sets of equal distances) is turned into an exact
//! one, which holds ties as counts.

use super::mask::Masks;
use super::nearest::{Found, Nearest, Pool};
use super::pool::Pools;
use super::space::Space;

/// What every block needs to know.
pub(super) struct Context<'a> {
    pub(super) space: &'a Space<'a>,
    pub(super) masks: &'a Masks,
    pub(super) pools: &'a Pools<'a>,
    /// The most neighbours wanted in a fold: the length of shortlists.
    pub(super) k: usize,
    /// Neighbours wanted in each fold.
    pub(super) k_of_fold: &'a [usize],
}

impl Context<'_> {
    /// Upper and lower bound of a candidate's score, from its inner product with the query.
    fn bounds(&self, query: usize, candidate: usize, product: f32) -> (f32, f32) {
        let error = self.space.norm[query] * (self.space.norm[candidate] * self.space.product_error);
        ((product + error) - self.space.shift_low[candidate], (product - error) - self.space.shift_high[candidate])
    }
}

/// Lists of a block of consecutive points; a slot is a query in a fold.
pub(super) struct Shortlists {
    first: usize,
    slot_start: Vec<u32>,
    fold: Vec<u32>,
    k: usize,
    capacity: usize,
    /// The k highest lower bounds of each slot, descending, `[slots, k]`.
    best: Vec<f32>,
    /// Upper bound and point of the candidates, `[slots, capacity]`.
    entries: Vec<(f32, u32)>,
    len: Vec<u32>,
    bar: Vec<f32>,
    exact: Vec<Option<Box<Nearest>>>,
}

fn capacity(k: usize) -> usize {
    2 * k + 16
}

/// Bytes that a slot takes while its list is short.
pub(super) fn bytes_per_slot(k: usize) -> usize {
    k * size_of::<f32>() + capacity(k) * size_of::<(f32, u32)>() + 24
}

impl Shortlists {
    /// Empty lists for the points `from..to`.
    pub(super) fn new(context: &Context<'_>, from: usize, to: usize) -> Self {
        let mut slot_start = vec![0];
        let mut fold = Vec::new();
        for point in from..to {
            fold.extend(context.masks.test_folds(point).map(|fold| fold as u32));
            slot_start.push(fold.len() as u32);
        }
        let (slots, k, capacity) = (fold.len(), context.k, capacity(context.k));
        Self {
            first: from,
            slot_start,
            fold,
            k,
            capacity,
            best: vec![f32::NEG_INFINITY; slots * k],
            entries: vec![(0.0, 0); slots * capacity],
            len: vec![0; slots],
            bar: vec![f32::NEG_INFINITY; slots],
            exact: vec![None; slots],
        }
    }

    fn slots(&self, query: usize) -> std::ops::Range<usize> {
        self.slot_start[query] as usize..self.slot_start[query + 1] as usize
    }

    /// The lowest bar of a query over the folds in `relevant`; infinite if there is none.
    pub(super) fn bar(&self, query: usize, relevant: &[u64]) -> f32 {
        let is_relevant = |fold: u32| relevant[fold as usize / 64] >> (fold % 64) & 1 == 1;
        self.slots(query)
            .filter(|&slot| is_relevant(self.fold[slot]))
            .fold(f32::INFINITY, |bar, s| bar.min(self.bar[s]))
    }

    /// Offers a candidate to every list of a query that may use it. `query` counts from the
    /// start of the block.
    pub(super) fn offer(&mut self, context: &Context<'_>, query: usize, candidate: usize, product: f32) {
        let (high, low) = context.bounds(self.first + query, candidate, product);
        for slot in self.slots(query) {
            if high >= self.bar[slot] && context.masks.trains(self.fold[slot] as usize, candidate) {
                self.insert(context, self.first + query, slot, candidate as u32, high, low);
            }
        }
    }

    fn insert(&mut self, context: &Context<'_>, query: usize, slot: usize, candidate: u32, high: f32, low: f32) {
        if self.exact[slot].is_none() && self.len[slot] as usize == self.capacity && !self.prune(slot) {
            self.make_exact(context, query, slot);
        }
        if self.exact[slot].is_some() {
            self.insert_exact(context, query, slot, candidate);
            return;
        }
        self.entries[slot * self.capacity + self.len[slot] as usize] = (high, candidate);
        self.len[slot] += 1;
        // A fold with fewer than k training points needs them all, so that its bar is theirs.
        let kept = self.k.min(context.masks.train_points[self.fold[slot] as usize]);
        let best = &mut self.best[slot * self.k..slot * self.k + kept];
        let place = best.partition_point(|&b| b >= low);
        if place < kept {
            best.copy_within(place..kept - 1, place + 1);
            best[place] = low;
            self.bar[slot] = best[kept - 1];
        }
    }

    /// Drops the candidates below the bar. Whether a quarter of the places became free.
    fn prune(&mut self, slot: usize) -> bool {
        let entries = &mut self.entries[slot * self.capacity..(slot + 1) * self.capacity];
        let mut kept = 0;
        for at in 0..self.len[slot] as usize {
            if entries[at].0 >= self.bar[slot] {
                entries[kept] = entries[at];
                kept += 1;
            }
        }
        self.len[slot] = kept as u32;
        kept * 4 <= self.capacity * 3
    }

    fn make_exact(&mut self, context: &Context<'_>, query: usize, slot: usize) {
        self.exact[slot] = Some(Box::new(Nearest::new()));
        for at in 0..self.len[slot] as usize {
            let candidate = self.entries[slot * self.capacity + at].1;
            self.insert_exact(context, query, slot, candidate);
        }
    }

    fn insert_exact(&mut self, context: &Context<'_>, query: usize, slot: usize, candidate: u32) {
        let fold = self.fold[slot] as usize;
        let distance = context.space.ordering_distance(query, candidate as usize);
        if let Some(exact) = &mut self.exact[slot] {
            exact.offer(context.k_of_fold[fold], distance, candidate, &|point| context.pools.pool(fold, point));
            if exact.boundary() < f64::INFINITY {
                self.bar[slot] = self.bar[slot].max(context.space.score_at(query, exact.boundary()));
            }
        }
    }

    /// Computes the distances of what is left and hands on the exact neighbours of every slot,
    /// as `(point, fold, neighbours)`, ascending.
    pub(super) fn finish<R>(
        &self,
        context: &Context<'_>,
        result: &dyn Fn(usize, usize, &Found) -> R,
    ) -> Vec<(u32, u32, R)> {
        let mut results = Vec::with_capacity(self.fold.len());
        // Folds share most candidates; only looked up, never iterated.
        let mut known = std::collections::HashMap::new();
        for query in 0..self.slot_start.len() - 1 {
            let point = self.first + query;
            known.clear();
            for slot in self.slots(query) {
                let fold = self.fold[slot] as usize;
                let k = context.k_of_fold[fold];
                let pool = |point: u32| -> Pool { context.pools.pool(fold, point) };
                let found = match &self.exact[slot] {
                    Some(exact) => exact.finish(k, &pool),
                    None => {
                        let mut nearest = Nearest::new();
                        let from = slot * self.capacity;
                        for &(high, candidate) in &self.entries[from..from + self.len[slot] as usize] {
                            if high >= self.bar[slot] {
                                let distance = *known
                                    .entry(candidate)
                                    .or_insert_with(|| context.space.ordering_distance(point, candidate as usize));
                                nearest.offer(k, distance, candidate, &pool);
                            }
                        }
                        nearest.finish(k, &pool)
                    }
                };
                results.push((point as u32, fold as u32, result(point, fold, &found)));
            }
        }
        results
    }
}
