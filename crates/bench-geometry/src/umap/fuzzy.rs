//! The fuzzy graph of a neighbour graph.
//!
//! # What
//! Each row spreads `log2(neighbours)` units of membership over its neighbours, with a bandwidth
//! of its own; the two directions of an edge are joined.
//!
//! # Formula
//! `rho_i` is the smallest non-zero distance of row `i`, `sigma_i` solves
//! `sum_j exp(-max(0, d_ij - rho_i) / sigma_i) = log2(neighbours)`, the directed membership is
//! `v_ij = exp(-max(0, d_ij - rho_i) / sigma_i)`, the undirected one
//! `w_ij = v_ij + v_ji - v_ij v_ji`.
//!
//! # Reference
//! McInnes, Healy, Melville, arXiv:1802.03426, algorithms 2 and 3; umap-learn 0.5.12,
//! `smooth_knn_dist`, `compute_membership_strengths`, `fuzzy_simplicial_set`. As there, the
//! arithmetic is `f32`, and a list of `neighbours` entries counts the row itself.

use rayon::prelude::*;

use crate::neighbours::Graph;

/// Steps of the bisection for `sigma`.
const STEPS: usize = 64;
/// Error of the sum of memberships at which the bisection stops.
const TOLERANCE: f32 = 1e-5;
/// `sigma` is at least this share of the mean distance.
const SMALLEST_SCALE: f32 = 1e-3;
/// Rows per task.
const ROWS: usize = 256;

/// A symmetric sparse matrix of memberships, in rows of ascending columns.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct FuzzyGraph {
    /// Where each row starts in `column` and `weight`, `[n + 1]`.
    pub offset: Vec<usize>,
    /// Column of each entry.
    pub column: Vec<u32>,
    /// Membership of each entry, in `(0, 1]`.
    pub weight: Vec<f32>,
}

impl FuzzyGraph {
    /// Number of vertices.
    pub fn vertices(&self) -> usize {
        self.offset.len().saturating_sub(1)
    }

    /// Neighbours of a vertex and their memberships.
    pub fn row(&self, vertex: usize) -> (&[u32], &[f32]) {
        let range = self.offset[vertex]..self.offset[vertex + 1];
        (&self.column[range.clone()], &self.weight[range])
    }

    /// Builds the graph from the first `entries - 1` neighbours of every row; the row itself is
    /// the first of its `entries`.
    pub fn new(neighbours: &Graph, entries: usize) -> Self {
        let (n, used) = (neighbours.n, entries - 1);
        let sum: f64 = (0..n).flat_map(|row| &neighbours.distances(row)[..used]).map(|&d| f64::from(d)).sum();
        let mean = (sum / (n * entries) as f64) as f32;
        let mut entry = vec![(0_u32, 0_f32); n * used];
        entry.par_chunks_mut(used * ROWS).enumerate().for_each(|(block, out)| {
            for (i, out) in out.chunks_exact_mut(used).enumerate() {
                let row = block * ROWS + i;
                let distances = &neighbours.distances(row)[..used];
                let (sigma, rho) = bandwidth(distances, entries, mean);
                for (out, (&other, &d)) in out.iter_mut().zip(neighbours.neighbours(row).iter().zip(distances)) {
                    let beyond = d - rho;
                    let value = if beyond <= 0.0 || sigma == 0.0 { 1.0 } else { (-(beyond / sigma)).exp() };
                    *out = (other, value);
                }
                out.sort_unstable_by_key(|e| e.0);
            }
        });
        let transposed = transpose(&entry, n, used);
        Self::union(&entry, used, &transposed, n)
    }

    /// Removes memberships below the largest divided by `epochs`: they would never be sampled.
    pub fn prune(mut self, epochs: usize) -> Self {
        let floor = self.largest() / epochs as f32;
        let (mut kept, mut start) = (0, 0);
        for vertex in 0..self.vertices() {
            let end = self.offset[vertex + 1];
            for i in start..end {
                if self.weight[i] >= floor {
                    self.weight[kept] = self.weight[i];
                    self.column[kept] = self.column[i];
                    kept += 1;
                }
            }
            start = end;
            self.offset[vertex + 1] = kept;
        }
        self.weight.truncate(kept);
        self.column.truncate(kept);
        self
    }

    /// Largest membership, zero for a graph without edges.
    pub fn largest(&self) -> f32 {
        self.weight.iter().fold(0.0, |a, &b| a.max(b))
    }

    /// Joins the two directions of every edge by merging sorted rows.
    fn union(forward: &[(u32, f32)], used: usize, backward: &(Vec<usize>, Vec<(u32, f32)>), n: usize) -> Self {
        let mut graph = Self { offset: vec![0], ..Self::default() };
        for row in 0..n {
            let a = &forward[row * used..(row + 1) * used];
            let b = &backward.1[backward.0[row]..backward.0[row + 1]];
            let (mut i, mut j) = (0, 0);
            while i < a.len() || j < b.len() {
                let column = match (a.get(i), b.get(j)) {
                    (Some(x), Some(y)) => x.0.min(y.0),
                    (Some(x), None) | (None, Some(x)) => x.0,
                    (None, None) => break,
                };
                let take = |list: &[(u32, f32)], at: &mut usize| match list.get(*at) {
                    Some(&(other, value)) if other == column => {
                        *at += 1;
                        value
                    }
                    _ => 0.0,
                };
                let (x, y) = (take(a, &mut i), take(b, &mut j));
                let weight = (x + y) - x * y;
                if weight > 0.0 && column as usize != row {
                    graph.column.push(column);
                    graph.weight.push(weight);
                }
            }
            graph.offset.push(graph.column.len());
        }
        graph
    }
}

/// Bandwidth `sigma` and local offset `rho` of one row, whose `distances` leave the row itself
/// out; `entries` counts it, `mean` is the mean over the whole graph.
fn bandwidth(distances: &[f32], entries: usize, mean: f32) -> (f32, f32) {
    let target = (entries as f64).log2();
    let rho = distances.iter().copied().find(|&d| d > 0.0).unwrap_or(0.0);
    let (mut low, mut high, mut middle) = (0.0_f32, f32::MAX, 1.0_f32);
    for _ in 0..STEPS {
        let sum: f32 = distances.iter().map(|d| if *d > rho { (-((d - rho) / middle)).exp() } else { 1.0 }).sum();
        if (f64::from(sum) - target).abs() < f64::from(TOLERANCE) {
            break;
        }
        if f64::from(sum) > target {
            high = middle;
            middle = (low + high) / 2.0;
        } else {
            low = middle;
            middle = if high == f32::MAX { middle * 2.0 } else { (low + high) / 2.0 };
        }
    }
    let scale = if rho > 0.0 { distances.iter().sum::<f32>() / entries as f32 } else { mean };
    (middle.max(SMALLEST_SCALE * scale), rho)
}

/// Rows of the transposed directed graph, each in ascending order of column: `(offset, entries)`.
fn transpose(entry: &[(u32, f32)], n: usize, used: usize) -> (Vec<usize>, Vec<(u32, f32)>) {
    let mut offset = vec![0; n + 1];
    for (other, _) in entry {
        offset[*other as usize + 1] += 1;
    }
    for i in 0..n {
        offset[i + 1] += offset[i];
    }
    let mut next = offset.clone();
    let mut out = vec![(0, 0.0); entry.len()];
    for (row, list) in entry.chunks_exact(used).enumerate() {
        for &(other, value) in list {
            out[next[other as usize]] = (row as u32, value);
            next[other as usize] += 1;
        }
    }
    (offset, out)
}
