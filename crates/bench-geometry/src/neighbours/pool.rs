//! The training rows behind a point, fold by fold.
//!
//! Most points are one row. A point that stands for very many rows (a constant or one-hot
//! embedding) would be counted again for every query, so its counts are made once.

use std::collections::HashMap;

use super::mask::Membership;
use super::nearest::Pool;
use super::space::Space;

/// Looks up or counts the training rows of a point in a fold.
pub(super) struct Pools<'a> {
    count: Box<dyn Fn(usize, u32) -> Pool + Sync + 'a>,
    /// Counts of the points with many rows, by fold. Only looked up, never iterated.
    large: HashMap<u32, Vec<Pool>>,
}

impl<'a> Pools<'a> {
    /// `class` is the class of each row.
    pub(super) fn new(space: &'a Space<'a>, membership: &'a impl Membership, class: &'a [u32], k: usize) -> Self {
        let count = move |fold: usize, point: u32| {
            let mut pool = Pool::default();
            for &row in space.members(point as usize) {
                if membership.trains(fold, row as usize) {
                    pool.count += 1;
                    if pool.lowest.len() < k {
                        pool.lowest.push(row);
                    }
                    match pool.classes.binary_search_by_key(&class[row as usize], |entry| entry.0) {
                        Ok(at) => pool.classes[at].1 += 1,
                        Err(at) => pool.classes.insert(at, (class[row as usize], 1)),
                    }
                }
            }
            pool
        };
        // A point counts as large if its table is not larger than a few times its rows.
        let folds = membership.folds();
        let threshold = (folds * (k + 8)).max(64);
        let large = (0..space.points() as u32)
            .filter(|&point| space.members(point as usize).len() >= threshold)
            .map(|point| (point, (0..folds).map(|fold| count(fold, point)).collect()))
            .collect();
        Self { count: Box::new(count), large }
    }

    /// The training rows that a point stands for in a fold.
    pub(super) fn pool(&self, fold: usize, point: u32) -> Pool {
        match self.large.get(&point) {
            Some(pools) => pools[fold].clone(),
            None => (self.count)(fold, point),
        }
    }
}
