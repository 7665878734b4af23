//! The exact k-nearest-neighbour graph.

use bench_core::Matrix;

use super::Metric;
use super::mask::Membership;
use super::pass::pass;
use super::space::Space;
use crate::Error;

/// The k nearest rows of every row.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Number of rows.
    pub n: usize,
    /// Neighbours of each row, the row itself not counted.
    pub k: usize,
    /// Neighbours, nearest first, `[n, k]`.
    pub index: Vec<u32>,
    /// Their distances, ascending, `[n, k]`.
    pub distance: Vec<f32>,
}

impl Graph {
    /// Neighbours of a row, nearest first.
    pub fn neighbours(&self, row: usize) -> &[u32] {
        &self.index[row * self.k..(row + 1) * self.k]
    }

    /// Distances to the neighbours of a row, ascending.
    pub fn distances(&self, row: usize) -> &[f32] {
        &self.distance[row * self.k..(row + 1) * self.k]
    }
}

/// Finds the `k` nearest other rows of every row, ordered by (distance, row). Distances are
/// those of `f64` sums over the rows as given, rounded as the [module](super) says.
/// `tick(done, total)` is called as work proceeds.
///
/// # Shapes
/// `matrix` `[n, d]` with `n > k`; the result is `[n, k]`.
///
/// # Errors
/// If the matrix is empty, holds a value that is not finite, or has no `k` other rows.
///
/// # Examples
/// ```
/// use bench_core::Matrix;
/// use bench_geometry::neighbours::{Metric, graph};
///
/// let line = Matrix::new(4, 1, vec![0.0, 1.0, 3.0, 7.0]);
/// let graph = graph(&line, 2, Metric::Euclidean, &|_, _| ())?;
/// assert_eq!(graph.neighbours(2), [1, 0]);
/// assert_eq!(graph.distances(2), [2.0, 3.0]);
/// # Ok::<(), bench_geometry::Error>(())
/// ```
pub fn graph(matrix: &Matrix, k: usize, metric: Metric, tick: &(dyn Fn(usize, usize) + Sync)) -> Result<Graph, Error> {
    let n = matrix.rows();
    if k == 0 {
        return Err(no_neighbours());
    }
    let space = Space::new(matrix, metric)?;
    let mut graph = Filling::new(n, k, metric)?;
    let class = vec![0; n];
    pass(
        &space,
        // One neighbour more than asked for, because every row finds itself.
        &Everyone { k: k + 1 },
        &class,
        &|_, _, found| found.rows.clone(),
        &mut |point, _, rows| graph.fill(space.members(point), &rows),
        tick,
    );
    Ok(graph.finish())
}

fn no_neighbours() -> Error {
    Error::Setting { key: "k", value: "0".to_owned(), why: "at least one neighbour".to_owned() }
}

/// A graph while its lists come in.
pub(super) struct Filling {
    graph: Graph,
    metric: Metric,
}

impl Filling {
    /// # Errors
    /// If there are no `k` other rows, or none are asked for.
    pub(super) fn new(n: usize, k: usize, metric: Metric) -> Result<Self, Error> {
        if k == 0 {
            return Err(no_neighbours());
        }
        if n <= k {
            return Err(Error::TooFewRows { what: "a neighbour graph", rows: n, needed: k + 1 });
        }
        Ok(Self { graph: Graph { n, k, index: vec![0; n * k], distance: vec![0.0; n * k] }, metric })
    }

    /// Takes the `k + 1` nearest rows, by (distance, row), of rows that are the same point.
    pub(super) fn fill(&mut self, members: &[u32], nearest: &[(f64, u32)]) {
        let k = self.graph.k;
        for &row in members {
            let others = nearest.iter().filter(|&&(_, other)| other != row).take(k);
            let at = row as usize * k;
            let places = self.graph.index[at..at + k].iter_mut().zip(&mut self.graph.distance[at..at + k]);
            for ((index, distance), &(ordering, other)) in places.zip(others) {
                *index = other;
                *distance = match self.metric {
                    Metric::Cosine => ordering,
                    Metric::Euclidean => ordering.sqrt(),
                } as f32;
            }
        }
    }

    pub(super) fn finish(self) -> Graph {
        self.graph
    }
}

/// One fold in which every row is candidate and query.
struct Everyone {
    k: usize,
}

impl Membership for Everyone {
    fn folds(&self) -> usize {
        1
    }

    fn trains(&self, _: usize, _: usize) -> bool {
        true
    }

    fn tests(&self, _: usize, _: usize) -> bool {
        true
    }

    fn k(&self, _: usize) -> usize {
        self.k
    }
}
