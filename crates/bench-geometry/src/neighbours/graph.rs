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
        return Err(Error::Setting { key: "k", value: k.to_string(), why: "at least one neighbour".to_owned() });
    }
    let space = Space::new(matrix, metric)?;
    if n <= k {
        return Err(Error::TooFewRows { what: "a neighbour graph", rows: n, needed: k + 1 });
    }
    let (mut index, mut distance) = (vec![0; n * k], vec![0.0; n * k]);
    let class = vec![0; n];
    // One neighbour more than asked for, because every row finds itself.
    pass(
        &space,
        &Everyone,
        &class,
        k + 1,
        &|_, _, found| found.rows.clone(),
        &mut |point, _, rows| {
            for &row in space.members(point) {
                let others = rows.iter().filter(|&&(_, other)| other != row).take(k);
                let at = row as usize * k;
                let places = index[at..at + k].iter_mut().zip(&mut distance[at..at + k]);
                for ((index, distance), &(ordering, other)) in places.zip(others) {
                    *index = other;
                    *distance = match metric {
                        Metric::Cosine => ordering,
                        Metric::Euclidean => ordering.sqrt(),
                    } as f32;
                }
            }
        },
        tick,
    );
    Ok(Graph { n, k, index, distance })
}

/// One fold in which every row is candidate and query.
struct Everyone;

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
}
