//! The descent that lays the fuzzy graph out, in parallel and yet the same at any thread count.
//!
//! # What
//! Edges are sampled in proportion to their membership. A sampled edge pulls both ends
//! together, and pushes its head away from five vertices drawn at random.
//!
//! # Formula
//! With `d` the distance of two vertices on the map, the pull on `x` is
//! `-2 a b d^(2b-2) / (1 + a d^(2b)) (x - y)`, the push `2 b / ((0.001 + d^2)(1 + a d^(2b))) (x - y)`;
//! each coordinate of each is cut to `[-4, 4]` and multiplied by a rate that falls from 1 to 0.
//!
//! # How it can run in parallel
//! umap-learn visits edge after edge and moves both ends. Here a vertex gathers its own moves:
//! every undirected edge is stored in both directions with equal memberships, so both are sampled
//! in the same epochs, and a vertex is moved twice by each (once as head, once as tail). It sees
//! its own position as it moves, and all others as they stood when the part began: an epoch is
//! divided into [`PARTS`] parts of fixed vertices, every eighth vertex to a part, and moves become
//! visible between parts. Random numbers belong to (epoch, vertex), so nothing depends on which
//! thread does what.
//!
//! Parity: an edge draws always five negative vertices; umap-learn's schedule draws five on
//! average. The pushes of one draw are evaluated at the same position.
//!
//! # Reference
//! umap-learn 0.5.12, `optimize_layout_euclidean`.

use bench_core::Seed;
use rayon::prelude::*;

use super::curve::Curve;
use super::fuzzy::FuzzyGraph;
use super::power::power;

/// Parts of an epoch.
const PARTS: usize = 8;
/// Vertices per task.
const VERTICES: usize = 128;
/// Vertices pushed away per sampled edge.
const NEGATIVES: usize = 5;
/// Largest coordinate of one move, before the rate.
const CLIP: f32 = 4.0;

type Point = [f32; 2];

/// The graph in the order of visits.
struct Plan {
    /// Vertex at each place of the order.
    vertex: Vec<u32>,
    /// Where each place's edges start.
    offset: Vec<usize>,
    /// Place of the other end, and samples per epoch.
    edge: Vec<(u32, f32)>,
    /// First place of each part, and the end.
    part: Vec<usize>,
}

impl Plan {
    fn new(graph: &FuzzyGraph) -> Self {
        let n = graph.vertices();
        let mut vertex = Vec::with_capacity(n);
        let mut part = vec![0];
        for p in 0..PARTS {
            vertex.extend((p..n).step_by(PARTS).map(|v| v as u32));
            part.push(vertex.len());
        }
        let mut place = vec![0; n];
        for (at, &v) in vertex.iter().enumerate() {
            place[v as usize] = at as u32;
        }
        let largest = graph.largest();
        let (mut offset, mut edge) = (vec![0], Vec::with_capacity(graph.column.len()));
        for &v in &vertex {
            let (columns, weights) = graph.row(v as usize);
            edge.extend(columns.iter().zip(weights).map(|(&c, &w)| (place[c as usize], w / largest)));
            offset.push(edge.len());
        }
        Self { vertex, offset, edge, part }
    }
}

/// What the moves of one epoch share.
#[derive(Clone, Copy)]
struct Epoch {
    number: usize,
    rate: f32,
    a: f32,
    b: f32,
    seed: u64,
}

/// Moves `start` for `epochs` epochs; `tick(done, epochs)` is called after each.
pub(super) fn descend(
    graph: &FuzzyGraph,
    start: &[Point],
    curve: Curve,
    epochs: usize,
    seed: Seed,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Point> {
    let plan = Plan::new(graph);
    let mut position: Vec<Point> = plan.vertex.iter().map(|&v| start[v as usize]).collect();
    let mut moved = position.clone();
    let seed = seed.derive("umap-negatives", 0).0;
    for number in 0..epochs {
        // As in umap-learn, the rate falls after an epoch, and the first epoch samples nothing.
        let rate = 1.0 - number.saturating_sub(1) as f32 / epochs as f32;
        let epoch = Epoch { number, rate, a: curve.a as f32, b: curve.b as f32, seed };
        for part in plan.part.windows(2) {
            let (first, last) = (part[0], part[1]);
            moved[first..last].par_chunks_mut(VERTICES).enumerate().for_each(|(task, moved)| {
                for (i, moved) in moved.iter_mut().enumerate() {
                    *moved = epoch.step(&plan, &position, first + task * VERTICES + i);
                }
            });
            position[first..last].copy_from_slice(&moved[first..last]);
        }
        tick(number + 1, epochs);
    }
    let mut end = vec![[0.0; 2]; start.len()];
    for (&v, p) in plan.vertex.iter().zip(&position) {
        end[v as usize] = *p;
    }
    end
}

impl Epoch {
    /// New position of the vertex at place `own`.
    fn step(self, plan: &Plan, position: &[Point], own: usize) -> Point {
        let mut current = position[own];
        let vertex = u64::from(plan.vertex[own]);
        let mut stream = Seed(self.seed ^ ((self.number as u64) << 32 | vertex)).stream();
        let (now, before) = (self.number as f32, self.number.saturating_sub(1) as f32);
        for &(other, rate) in &plan.edge[plan.offset[own]..plan.offset[own + 1]] {
            // Sample `i` of an edge is due in the first epoch that reaches `i / rate`.
            if (now * rate) as u32 == (before * rate) as u32 {
                continue;
            }
            let other = position[other as usize];
            for _ in 0..2 {
                current = self.pull(current, other);
            }
            let drawn: [u32; NEGATIVES] = std::array::from_fn(|_| stream.next_u32());
            current = self.push(current, own, position, drawn);
        }
        current
    }

    #[inline(always)]
    fn pull(self, current: Point, other: Point) -> Point {
        let (dx, dy) = (current[0] - other[0], current[1] - other[1]);
        let square = (dx * dx + dy * dy).max(1e-30);
        let powered = power(square, self.b);
        let factor = -2.0 * self.a * self.b * powered / (square * (self.a * powered + 1.0));
        [current[0] + clip(factor * dx) * self.rate, current[1] + clip(factor * dy) * self.rate]
    }

    #[inline(always)]
    fn push(self, current: Point, own: usize, position: &[Point], drawn: [u32; NEGATIVES]) -> Point {
        let n = position.len() as u64;
        let (mut dx, mut dy) = ([0.0; NEGATIVES], [0.0; NEGATIVES]);
        for lane in 0..NEGATIVES {
            // The multiplication maps 32 bits to `0..n` with a bias below n / 2^32.
            let place = ((u64::from(drawn[lane]) * n) >> 32) as usize;
            let other = position[place];
            let itself = place == own;
            dx[lane] = if itself { 0.0 } else { current[0] - other[0] };
            dy[lane] = if itself { 0.0 } else { current[1] - other[1] };
        }
        let (mut x, mut y) = (current[0], current[1]);
        for lane in 0..NEGATIVES {
            let square = dx[lane] * dx[lane] + dy[lane] * dy[lane];
            let factor = 2.0 * self.b / ((0.001 + square) * (self.a * power(square, self.b) + 1.0));
            x += clip(factor * dx[lane]) * self.rate;
            y += clip(factor * dy[lane]) * self.rate;
        }
        [x, y]
    }
}

#[inline(always)]
fn clip(value: f32) -> f32 {
    value.clamp(-CLIP, CLIP)
}
