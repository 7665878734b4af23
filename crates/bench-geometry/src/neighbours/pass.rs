//! One pass over all pairs of points.
//!
//! # What it computes
//! For every query and fold the exact nearest training rows. Pairs are met in tiles of
//! [`BLOCK`] x [`BLOCK`] inner products; one comparison per pair against the bar of the query
//! (the lowest over the folds that matter) skips nearly all of them.
//!
//! # Why
//! A product serves both of its rows, so each pair is multiplied once as long as the lists of
//! all queries fit into [`LIST_BYTES`]; larger tables are taken in groups of blocks, each
//! against all others. Within a group the tiles are scheduled like the games of a tournament:
//! no two tiles of a round share a block, so they run in parallel without waiting. The lists
//! are exact whatever the order of the tiles, so results do not depend on threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::mask::{Masks, Membership, meet};
use super::nearest::Found;
use super::pool::Pools;
use super::shortlist::{Context, Shortlists, bytes_per_slot};
use super::space::Space;
use crate::product::products;

/// Points per block: a tile of products (590 kB) stays in a second-level cache of a megabyte.
/// Tests take small blocks and groups, so that small tables have many of both.
const BLOCK: usize = if cfg!(test) { 40 } else { 384 };
/// Memory for the lists of one group of blocks.
const LIST_BYTES: usize = if cfg!(test) { 64 << 10 } else { 160 << 20 };
/// Pairs compared before the outcome is looked at.
const LANES: usize = 32;

/// Finds the neighbours of every query in every fold. `result` turns them into what the caller
/// keeps, in parallel; `deliver(point, fold, kept)` receives it, one at a time. `tick` is called
/// with the number of tiles done and in all.
pub(super) fn pass<R: Send>(
    space: &Space<'_>,
    membership: &impl Membership,
    class: &[u32],
    result: &(dyn Fn(usize, usize, &Found) -> R + Sync),
    deliver: &mut dyn FnMut(usize, usize, R),
    tick: &(dyn Fn(usize, usize) + Sync),
) {
    let masks = Masks::new(space, membership);
    let k_of_fold: Vec<usize> = (0..membership.folds()).map(|fold| membership.k(fold)).collect();
    let k = k_of_fold.iter().copied().max().unwrap_or(1);
    let pools = Pools::new(space, membership, class, k);
    let context = Context { space, masks: &masks, pools: &pools, k, k_of_fold: &k_of_fold };
    let blocks: Vec<Block> = (0..space.points().div_ceil(BLOCK))
        .map(|block| {
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(space.points()));
            Block { from, to, trains: masks.train_union(from, to), tests: masks.test_union(from, to) }
        })
        .collect();
    let groups = groups(&blocks, &masks, k);
    let total = groups.iter().map(|g| g.len() * (g.len() + 1) / 2 + g.len() * (blocks.len() - g.len())).sum();
    let done = AtomicUsize::new(0);
    let count = || tick(done.fetch_add(1, Ordering::Relaxed) + 1, total);

    for group in groups {
        let lists: Vec<Mutex<Shortlists>> = blocks[group.clone()]
            .par_iter()
            .map(|block| Mutex::new(Shortlists::new(&context, block.from, block.to)))
            .collect();
        let list = |block: usize| lock(&lists[block - group.start]);
        group.clone().into_par_iter().for_each_init(Tile::default, |tile, i| {
            tile.one_sided(&context, &blocks[i], &mut list(i), &blocks[i]);
            count();
        });
        for round in rounds(group.len()) {
            round.into_par_iter().for_each_init(Tile::default, |tile, (i, j)| {
                let (i, j) = (group.start + i, group.start + j);
                tile.two_sided(&context, (&blocks[i], &mut list(i)), (&blocks[j], &mut list(j)));
                count();
            });
        }
        group.clone().into_par_iter().for_each_init(Tile::default, |tile, i| {
            let mut own = list(i);
            for j in (0..blocks.len()).filter(|j| !group.contains(j)) {
                tile.one_sided(&context, &blocks[i], &mut own, &blocks[j]);
                count();
            }
        });
        // A few blocks at a time, because what callers keep may be larger than the lists.
        for some in lists.chunks(64) {
            let finished: Vec<_> = some.par_iter().map(|list| lock(list).finish(&context, result)).collect();
            for (point, fold, kept) in finished.into_iter().flatten() {
                deliver(point as usize, fold as usize, kept);
            }
        }
    }
}

/// Consecutive points, and the folds in which any of them trains or is tested.
struct Block {
    from: usize,
    to: usize,
    trains: Vec<u64>,
    tests: Vec<u64>,
}

fn lock(list: &Mutex<Shortlists>) -> MutexGuard<'_, Shortlists> {
    // A poisoned lock means that another task panicked, which ends the pass anyway.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Divides the blocks into groups whose lists fit into memory.
fn groups(blocks: &[Block], masks: &Masks, k: usize) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, block) in blocks.iter().enumerate() {
        let slots: usize = (block.from..block.to).map(|point| masks.test_folds(point).count()).sum();
        let own = slots * bytes_per_slot(k);
        if at > start && bytes + own > LIST_BYTES {
            groups.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += own;
    }
    groups.push(start..blocks.len());
    groups
}

/// Every pair of `n` players once, in rounds in which each plays at most once (the circle
/// method of round-robin tournaments).
fn rounds(n: usize) -> Vec<Vec<(usize, usize)>> {
    let even = n + n % 2;
    (1..even)
        .map(|round| {
            let pairs = (0..even / 2).map(|i| {
                let seat = |i: usize| (round + i) % (even - 1);
                if i == 0 { (seat(0), even - 1) } else { (seat(i), seat(even - 1 - i)) }
            });
            pairs.filter(|&(a, b)| a < n && b < n).map(|(a, b)| (a.min(b), a.max(b))).collect()
        })
        .collect()
}

/// Buffers of one task.
#[derive(Default)]
struct Tile {
    /// Inner products, `[queries, candidates]`.
    products: Vec<f32>,
    /// Error per unit of the query's length, by candidate.
    error: Vec<f32>,
    /// Bars of the candidates as queries.
    bars: Vec<f32>,
}

impl Tile {
    fn multiply(&mut self, context: &Context<'_>, rows: &Block, cols: &Block) {
        let space = context.space;
        self.products.resize((rows.to - rows.from) * (cols.to - cols.from), 0.0);
        let (left, right) = (space.prepared(rows.from, rows.to), space.prepared(cols.from, cols.to));
        products(left, right, space.cols(), &mut self.products);
        self.error.clear();
        self.error.extend(space.norm[cols.from..cols.to].iter().map(|norm| norm * space.product_error));
    }

    /// Offers the points of `cols` to the queries of `rows`.
    fn one_sided(&mut self, context: &Context<'_>, rows: &Block, lists: &mut Shortlists, cols: &Block) {
        if !meet(&rows.tests, &cols.trains) {
            return;
        }
        self.multiply(context, rows, cols);
        let low = &context.space.shift_low[cols.from..cols.to];
        for (query, products) in self.products.chunks_exact(low.len()).enumerate() {
            let mut bar = lists.bar(query, &cols.trains);
            if bar == f32::INFINITY {
                continue;
            }
            let norm = context.space.norm[rows.from + query];
            let reaches = |product: f32, error: f32, low: f32, bar: f32| (product + norm * error) - low >= bar;
            let lanes = products.chunks(LANES).zip(self.error.chunks(LANES)).zip(low.chunks(LANES));
            for (chunk, ((products, error), low)) in lanes.enumerate() {
                let each = products.iter().zip(error).zip(low);
                if !each.fold(false, |any, ((&p, &e), &l)| any | reaches(p, e, l, bar)) {
                    continue;
                }
                for lane in 0..products.len() {
                    if reaches(products[lane], error[lane], low[lane], bar) {
                        lists.offer(context, query, cols.from + chunk * LANES + lane, products[lane]);
                        bar = lists.bar(query, &cols.trains);
                    }
                }
            }
        }
    }

    /// Offers the points of either block to the queries of the other.
    fn two_sided(&mut self, context: &Context<'_>, a: (&Block, &mut Shortlists), b: (&Block, &mut Shortlists)) {
        let ((rows, row_lists), (cols, col_lists)) = (a, b);
        match (meet(&rows.tests, &cols.trains), meet(&cols.tests, &rows.trains)) {
            (false, false) => return,
            (true, false) => return self.one_sided(context, rows, row_lists, cols),
            (false, true) => return self.one_sided(context, cols, col_lists, rows),
            (true, true) => self.multiply(context, rows, cols),
        }
        let space = context.space;
        let low = &space.shift_low[cols.from..cols.to];
        self.bars.clear();
        self.bars.extend((0..low.len()).map(|col| col_lists.bar(col, &rows.trains)));
        for (query, products) in self.products.chunks_exact(low.len()).enumerate() {
            let mut bar = row_lists.bar(query, &cols.trains);
            let (norm, own_low) = (space.norm[rows.from + query], space.shift_low[rows.from + query]);
            let lanes = products.chunks(LANES).zip(self.error.chunks(LANES)).zip(low.chunks(LANES));
            for ((chunk, ((products, error), low)), bars) in lanes.enumerate().zip(self.bars.chunks_mut(LANES)) {
                let each = products.iter().zip(error).zip(low).zip(bars.iter());
                let any = each.fold(false, |any, (((&p, &e), &l), &b)| {
                    let high = p + norm * e;
                    any | (high - l >= bar) | (high - own_low >= b)
                });
                if !any {
                    continue;
                }
                for lane in 0..products.len() {
                    let (product, col) = (products[lane], chunk * LANES + lane);
                    let high = product + norm * error[lane];
                    if high - low[lane] >= bar {
                        row_lists.offer(context, query, cols.from + col, product);
                        bar = row_lists.bar(query, &cols.trains);
                    }
                    if high - own_low >= bars[lane] {
                        col_lists.offer(context, col, rows.from + query, product);
                        bars[lane] = col_lists.bar(col, &rows.trains);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tournament_meets_every_pair_once_and_nobody_twice_in_a_round() {
        for n in 0..12 {
            let mut met = std::collections::BTreeSet::new();
            for round in rounds(n) {
                let mut seen = std::collections::BTreeSet::new();
                for (a, b) in round {
                    assert!(a < b && b < n);
                    assert!(seen.insert(a) && seen.insert(b));
                    assert!(met.insert((a, b)));
                }
            }
            assert_eq!(met.len(), n * n.saturating_sub(1) / 2);
        }
    }
}
