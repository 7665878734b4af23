//! Rows by shortest path on the fuzzy graph, as scib's graph LISI finds its neighbours.
//!
//! # What
//! The 90 rows nearest to every row when edges of the fuzzy graph cost their weights: scib's graph has 15 Euclidean
//! neighbours, that of Arevalo et al. 2024 has 25 cosine ones.
//!
//! # Formula
//! Dijkstra's algorithm, stopped after 90 rows.
//!
//! # What it cannot show
//! Parity: a strong edge (weight 1) is a long way and a weak one a short way, because scib hands connectivities to a
//! program that expects distances. The values are those of scib, not what one would choose.
//!
//! # Reference
//! scib 1.1.7, `knn_graph.cpp` and `lisi_graph_py`.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use bench_geometry::neighbours::Metric;
use bench_geometry::umap::fuzzy::FuzzyGraph;
use rayon::prelude::*;

use crate::embedding::Space;
use crate::embedding::biology::label::clusters::connectivities;

/// Neighbours of scib's fuzzy graph, the row itself counted.
pub(super) const FUZZY_NEIGHBOURS: usize = 15;

/// Whose fuzzy graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fuzzy {
    /// 15 Euclidean neighbours: scanpy's default, which scib takes.
    Scib,
    /// 25 cosine neighbours: Arevalo et al. 2024.
    Arevalo,
}

impl Fuzzy {
    /// Neighbours, the row itself counted.
    pub(in crate::embedding) fn neighbours(self) -> usize {
        match self {
            Self::Scib => FUZZY_NEIGHBOURS,
            Self::Arevalo => 25,
        }
    }

    /// Distance.
    pub(in crate::embedding) fn metric(self) -> Metric {
        match self {
            Self::Scib => Metric::Euclidean,
            Self::Arevalo => Metric::Cosine,
        }
    }
}

/// Rows to reach.
const REACHED: usize = 90;

/// Rows reached from every row, nearest first, with their costs.
pub(in crate::embedding) struct Reached {
    /// Rows that were asked for.
    pub(super) asked: usize,
    /// Rows found; fewer than asked for in a small component.
    pub(super) rows: Vec<Vec<(u32, f64)>>,
}

impl Reached {
    pub(in crate::embedding) fn new(space: &Space<'_>, of: Fuzzy) -> Result<Self, String> {
        let fuzzy = fuzzy_graph(space, of)?;
        let n = fuzzy.vertices();
        let rows = (0..n)
            .into_par_iter()
            .map_init(|| vec![f64::INFINITY; n], |cost, start| reach(&fuzzy, start, cost))
            .collect();
        Ok(Self { asked: REACHED, rows })
    }
}

/// The fuzzy graph of scanpy's `neighbors`, the one that Leiden runs on.
pub(super) fn fuzzy_graph(space: &Space<'_>, of: Fuzzy) -> Result<Arc<FuzzyGraph>, String> {
    let (graph, neighbours) = (space.graph(of.metric())?, of.neighbours());
    if graph.k + 1 < neighbours {
        return Err(format!("{} rows are too few for a graph of {neighbours} neighbours", graph.n));
    }
    connectivities(space, of)
}

/// A row and its cost; the cheapest, then lowest, is the greatest.
#[derive(PartialEq)]
struct Open(f64, u32);

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0).then_with(|| other.1.cmp(&self.1))
    }
}

/// The nearest rows of `start`. `cost` holds infinity everywhere before and after.
fn reach(fuzzy: &FuzzyGraph, start: usize, cost: &mut [f64]) -> Vec<(u32, f64)> {
    let (mut open, mut touched, mut found) = (BinaryHeap::new(), vec![start as u32], Vec::with_capacity(REACHED));
    cost[start] = 0.0;
    open.push(Open(0.0, start as u32));
    while let Some(Open(at, vertex)) = open.pop() {
        if at > cost[vertex as usize] {
            continue;
        }
        if vertex as usize != start {
            found.push((vertex, at));
            if found.len() == REACHED {
                break;
            }
        }
        let (columns, weights) = fuzzy.row(vertex as usize);
        for (&column, &weight) in columns.iter().zip(weights) {
            let next = at + f64::from(weight);
            if next < cost[column as usize] {
                if cost[column as usize].is_infinite() {
                    touched.push(column);
                }
                cost[column as usize] = next;
                open.push(Open(next, column));
            }
        }
    }
    for vertex in touched {
        cost[vertex as usize] = f64::INFINITY;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheap_way_round_is_found() {
        // 0 - 1 costs 1, 0 - 2 and 2 - 1 cost 0.25 each.
        let fuzzy = FuzzyGraph {
            offset: vec![0, 2, 4, 6],
            column: vec![1, 2, 0, 2, 0, 1],
            weight: vec![1.0, 0.25, 1.0, 0.25, 0.25, 0.25],
        };
        let mut cost = vec![f64::INFINITY; 3];
        assert_eq!(reach(&fuzzy, 0, &mut cost), [(2, 0.25), (1, 0.5)]);
        assert!(cost.iter().all(|c| c.is_infinite()));
    }
}
