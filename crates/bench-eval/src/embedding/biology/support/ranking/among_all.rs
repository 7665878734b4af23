//! Rankings where nearly all members of one pool ask: every pair is multiplied once and counted for both.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::super::profiles::Profiles;
use super::counter::Counter;
use super::{Query, Questions, Ranking};
use crate::embedding::tournament::rounds;
use bench_geometry::product::products;

/// Rows of a block.
const BLOCK: usize = 256;
/// Bytes of the counts of all queries.
const MOST: usize = 1 << 28;

/// Consecutive members of the pool.
struct Block<'a> {
    rows: &'a [u32],
    /// Of the members that ask.
    counters: Vec<Option<Counter>>,
}

/// Products of two blocks.
#[derive(Default)]
struct Tile {
    /// Rows of the blocks where they must be copied.
    left: Vec<f32>,
    right: Vec<f32>,
    /// `[left, right]`.
    products: Vec<f32>,
    /// `[right, left]`.
    turned: Vec<f32>,
}

/// Whether every query is another member of one pool, most members ask, and the counts of all queries fit.
pub(super) fn fits(questions: &Questions<'_>, first: usize) -> bool {
    let ([pool], queries) = (questions.pools, questions.queries) else { return false };
    let positives = |query: &Query| questions.groups[query.group as usize].len().min(first);
    queries.len() * 3 > pool.len() * 2
        && queries.is_sorted_by(|a, b| a.row < b.row)
        && queries.iter().all(|query| pool.binary_search(&query.row).is_ok())
        && queries.iter().map(positives).sum::<usize>() <= MOST / Counter::BYTES
}

/// Ranks queries that [fit](fits).
pub(super) fn rank<T: Send>(
    profiles: &Profiles<'_>,
    questions: &Questions<'_>,
    first: usize,
    read: &(impl Fn(Query, Ranking) -> T + Sync),
) -> Vec<T> {
    let (queries, pool) = (questions.queries, &questions.pools[0]);
    let counters: Vec<Counter> =
        queries.par_iter().map(|&query| Counter::new(profiles, questions, query, first)).collect();
    let mut waiting = queries.iter().map(|query| query.row).zip(counters).peekable();
    let blocks: Vec<Mutex<Block<'_>>> = pool
        .chunks(BLOCK)
        .map(|rows| {
            let own = |&row: &u32| waiting.next_if(|next| next.0 == row).map(|next| next.1);
            Mutex::new(Block { rows, counters: rows.iter().map(own).collect() })
        })
        .collect();
    let lock = |block: usize| blocks[block].lock().unwrap_or_else(PoisonError::into_inner);
    (0..blocks.len()).into_par_iter().for_each_init(Tile::default, |tile, block| {
        let mut block = lock(block);
        tile.multiply(profiles, block.rows, block.rows);
        let rows = block.rows;
        block.meet(profiles, questions, rows, &tile.products);
    });
    for round in rounds(blocks.len()) {
        round.into_par_iter().for_each_init(Tile::default, |tile, (a, b)| {
            let (mut a, mut b) = (lock(a), lock(b));
            let (left, right) = (a.rows, b.rows);
            tile.multiply(profiles, left, right);
            a.meet(profiles, questions, right, &tile.products);
            tile.turn(right.len());
            b.meet(profiles, questions, left, &tile.turned);
        });
    }
    let negatives = questions.negatives.counts(queries, pool);
    // Blocks and queries are both in order of rows.
    let counted =
        blocks.into_iter().flat_map(|block| block.into_inner().unwrap_or_else(PoisonError::into_inner).counters);
    let finished: Vec<((Counter, &Query), usize)> = counted.flatten().zip(queries).zip(negatives).collect();
    finished.into_par_iter().map(|((counter, &query), negatives)| read(query, counter.finish(negatives))).collect()
}

impl Block<'_> {
    fn meet(&mut self, profiles: &Profiles<'_>, questions: &Questions<'_>, others: &[u32], products: &[f32]) {
        for ((counter, &row), products) in
            self.counters.iter_mut().zip(self.rows).zip(products.chunks_exact(others.len()))
        {
            if let Some(counter) = counter {
                counter.meet(profiles, questions, row, others, products);
            }
        }
    }
}

impl Tile {
    fn multiply(&mut self, profiles: &Profiles<'_>, left: &[u32], right: &[u32]) {
        self.products.resize(left.len() * right.len(), 0.0);
        let (left, right) = (profiles.gather(left, &mut self.left), profiles.gather(right, &mut self.right));
        products(left, right, profiles.dims, &mut self.products);
    }

    fn turn(&mut self, columns: usize) {
        let rows = self.products.len() / columns;
        self.turned.clear();
        self.turned.extend(
            (0..columns)
                .flat_map(|column| (0..rows).map(move |row| (row, column)))
                .map(|(row, column)| self.products[row * columns + column]),
        );
    }
}
