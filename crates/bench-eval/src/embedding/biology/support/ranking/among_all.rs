//! Rankings where nearly all members of one pool ask: every pair is multiplied once and counted for both.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::super::profiles::Profiles;
use super::{Counter, Negatives, Query, Ranking};
use crate::embedding::tournament::rounds;
use bench_geometry::product::products;

/// Rows of a block.
const BLOCK: usize = 256;

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

/// Whether every query is another member of the pool, and most members ask.
pub(super) fn fits(queries: &[Query], pool: &[u32]) -> bool {
    queries.len() * 3 > pool.len() * 2
        && queries.is_sorted_by(|a, b| a.row < b.row)
        && queries.iter().all(|query| pool.binary_search(&query.row).is_ok())
}

/// Ranks queries that [fit](fits).
pub(super) fn rank(
    profiles: &Profiles<'_>,
    queries: &[Query],
    pool: &[u32],
    negatives: &Negatives<'_>,
    first: usize,
) -> Vec<Ranking> {
    let counters: Vec<Counter> = queries.par_iter().map(|query| Counter::new(profiles, query, first)).collect();
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
        block.meet(profiles, negatives, rows, &tile.products);
    });
    for round in rounds(blocks.len()) {
        round.into_par_iter().for_each_init(Tile::default, |tile, (a, b)| {
            let (mut a, mut b) = (lock(a), lock(b));
            let (left, right) = (a.rows, b.rows);
            tile.multiply(profiles, left, right);
            a.meet(profiles, negatives, right, &tile.products);
            tile.turn(right.len());
            b.meet(profiles, negatives, left, &tile.turned);
        });
    }
    let rows: Vec<u32> = queries.iter().map(|query| query.row).collect();
    let negatives = negatives.counts(&rows, pool);
    // Blocks and queries are both in order of rows.
    let counted =
        blocks.into_iter().flat_map(|block| block.into_inner().unwrap_or_else(PoisonError::into_inner).counters);
    let finished = counted.flatten().zip(queries).zip(negatives);
    finished.map(|((counter, query), negatives)| counter.finish(query.positives.len(), negatives)).collect()
}

impl Block<'_> {
    fn meet(&mut self, profiles: &Profiles<'_>, negatives: &Negatives<'_>, others: &[u32], products: &[f32]) {
        for ((counter, &row), products) in
            self.counters.iter_mut().zip(self.rows).zip(products.chunks_exact(others.len()))
        {
            if let Some(counter) = counter {
                counter.meet(profiles, negatives, row, (others, products));
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
