//! The two slowest modes of a connected graph.
//!
//! # What
//! The eigenvectors of `S = D^-1/2 W D^-1/2` for its second and third largest eigenvalues, which
//! are those of the normalised Laplacian `I - S` for the smallest non-trivial ones.
//!
//! # Why this way
//! Chebyshev-filtered subspace iteration (Zhou, Saad, J. Comput. Phys. 219, 2006): a block of
//! eight vectors is multiplied by a polynomial of `S` that is small on the unwanted part of the
//! spectrum, then orthonormalised. Eight `f64` are one cache line, so a product reads one line
//! per edge, and its rows are independent of each other: no sums depend on the thread count.
//! Parity: umap-learn uses ARPACK with a residual of 1e-4 relative to the eigenvalue; here it is
//! 1e-3, or 1e-7 absolute, because slower convergence than that means a plane of equally slow
//! modes, any of which is as good a start.

use bench_core::Seed;
use rayon::prelude::*;

use super::fuzzy::FuzzyGraph;
use crate::pca::dense;

/// Vectors iterated at a time.
const WIDTH: usize = 8;
/// Vertices per task.
const ROWS: usize = 512;
/// Graphs up to this size are decomposed densely.
const DENSE: usize = 64;
/// Products with the graph at most.
const PRODUCTS: usize = 1500;

type Lanes = [f64; WIDTH];

/// Two eigenvectors and how good they are.
pub(super) struct Modes {
    /// Coordinates of each vertex.
    pub(super) position: Vec<[f64; 2]>,
    /// Whether the residuals are small enough.
    pub(super) converged: bool,
}

/// The normalised matrix `S` of a graph, in rows.
struct Walk {
    offset: Vec<usize>,
    entry: Vec<(u32, f64)>,
    root_degree: Vec<f64>,
}

/// Modes of the subgraph on `vertices` (ascending, connected, more than three).
pub(super) fn modes(graph: &FuzzyGraph, vertices: &[u32], seed: Seed) -> Modes {
    let walk = Walk::new(graph, vertices);
    if vertices.len() <= DENSE { walk.dense() } else { walk.filtered(seed) }
}

impl Walk {
    fn new(graph: &FuzzyGraph, vertices: &[u32]) -> Self {
        let degree = |v: u32| graph.row(v as usize).1.iter().map(|&w| f64::from(w)).sum::<f64>();
        let root_degree: Vec<f64> = vertices.iter().map(|&v| degree(v).sqrt()).collect();
        let mut local = vec![u32::MAX; graph.vertices()];
        for (i, &v) in vertices.iter().enumerate() {
            local[v as usize] = i as u32;
        }
        let (mut offset, mut entry) = (vec![0], Vec::new());
        for (i, &v) in vertices.iter().enumerate() {
            let (columns, weights) = graph.row(v as usize);
            for (&column, &weight) in columns.iter().zip(weights) {
                let j = local[column as usize];
                entry.push((j, f64::from(weight) / (root_degree[i] * root_degree[j as usize])));
            }
            offset.push(entry.len());
        }
        Self { offset, entry, root_degree }
    }

    fn len(&self) -> usize {
        self.root_degree.len()
    }

    fn dense(&self) -> Modes {
        let n = self.len();
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for &(j, value) in &self.entry[self.offset[i]..self.offset[i + 1]] {
                matrix[i * n + j as usize] = value;
            }
        }
        let (_, vectors) = dense::eigen(&matrix, n);
        Modes { position: (0..n).map(|i| [vectors[n + i], vectors[2 * n + i]]).collect(), converged: true }
    }

    fn filtered(&self, seed: Seed) -> Modes {
        let n = self.len();
        let norm = self.root_degree.iter().map(|r| r * r).sum::<f64>().sqrt();
        let trivial: Vec<f64> = self.root_degree.iter().map(|r| r / norm).collect();
        let mut stream = seed.stream();
        let mut x: Vec<Lanes> = (0..n).map(|_| std::array::from_fn(|_| stream.normal())).collect();
        orthonormalise(&mut x, &trivial);
        let mut image = vec![[0.0; WIDTH]; n];
        let mut products = 0;
        loop {
            self.apply(&x, &mut image, |sum, _, _| sum);
            products += 1;
            let values = rayleigh_ritz(&mut x, &mut image);
            let converged = (0..2).all(|lane| {
                let square: f64 = x.iter().zip(&image).map(|(x, y)| (y[lane] - values[lane] * x[lane]).powi(2)).sum();
                square.sqrt() <= (1e-3 * (1.0 - values[lane])).max(1e-7)
            });
            if converged || products >= PRODUCTS {
                return Modes { position: x.iter().map(|x| [x[0], x[1]]).collect(), converged };
            }
            products += self.filter(&mut x, &mut image, values[WIDTH - 1].clamp(-0.5, 1.0 - 1e-9));
            orthonormalise(&mut x, &trivial);
        }
    }

    /// Multiplies `x` by the Chebyshev polynomial that is small on `[-1, cut]` and one at one;
    /// returns the number of products with the graph.
    fn filter(&self, x: &mut Vec<Lanes>, y: &mut Vec<Lanes>, cut: f64) -> usize {
        let (half, centre) = ((cut + 1.0) / 2.0, (cut - 1.0) / 2.0);
        // A gain of 1e6 between one and the cut keeps the block far from numerical dependence.
        let rate = ((1.0 - centre) / half).acosh();
        let degree = ((2e6_f64.ln() / rate).ceil() as usize).clamp(8, 150);
        let first = half / (1.0 - centre);
        let mut sigma = first;
        self.apply(x, y, |sum, own, _| std::array::from_fn(|l| (sum[l] - centre * own[l]) * sigma / half));
        for _ in 1..degree {
            let next = 1.0 / (2.0 / first - sigma);
            // Writes over the oldest block, which each row reads only at its own place.
            self.apply(y, x, |sum, own, old| {
                std::array::from_fn(|l| 2.0 * next / half * (sum[l] - centre * own[l]) - sigma * next * old[l])
            });
            std::mem::swap(x, y);
            sigma = next;
        }
        std::mem::swap(x, y);
        degree
    }

    /// `out = combine(S x, x, out)`, row by row.
    fn apply(&self, x: &[Lanes], out: &mut [Lanes], combine: impl Fn(Lanes, &Lanes, &Lanes) -> Lanes + Sync) {
        out.par_chunks_mut(ROWS).enumerate().for_each(|(block, out)| {
            for (i, out) in out.iter_mut().enumerate() {
                let row = block * ROWS + i;
                let mut sum = [0.0; WIDTH];
                for &(column, value) in &self.entry[self.offset[row]..self.offset[row + 1]] {
                    let other = &x[column as usize];
                    for lane in 0..WIDTH {
                        sum[lane] += value * other[lane];
                    }
                }
                *out = combine(sum, &x[row], out);
            }
        });
    }
}

/// Rotates `x` and its image so that `x' image` is diagonal with descending values, which it
/// returns.
fn rayleigh_ritz(x: &mut [Lanes], image: &mut [Lanes]) -> Lanes {
    let mut small = [0.0; WIDTH * WIDTH];
    for (x, y) in x.iter().zip(image.iter()) {
        for i in 0..WIDTH {
            for j in 0..WIDTH {
                small[i * WIDTH + j] += x[i] * y[j];
            }
        }
    }
    for i in 0..WIDTH {
        for j in 0..i {
            let mean = (small[i * WIDTH + j] + small[j * WIDTH + i]) / 2.0;
            (small[i * WIDTH + j], small[j * WIDTH + i]) = (mean, mean);
        }
    }
    let (values, rotation) = dense::eigen(&small, WIDTH);
    for block in [x, image] {
        for row in block {
            let old = *row;
            *row = std::array::from_fn(|i| (0..WIDTH).map(|j| rotation[i * WIDTH + j] * old[j]).sum());
        }
    }
    std::array::from_fn(|i| values[i])
}

/// Orthonormalises the lanes against `fixed` (of length one) and each other, twice.
fn orthonormalise(x: &mut [Lanes], fixed: &[f64]) {
    for _ in 0..2 {
        let mut dots = [0.0; WIDTH];
        for (x, f) in x.iter().zip(fixed) {
            (0..WIDTH).for_each(|l| dots[l] += x[l] * f);
        }
        for (x, f) in x.iter_mut().zip(fixed) {
            (0..WIDTH).for_each(|l| x[l] -= dots[l] * f);
        }
        for lane in 0..WIDTH {
            let square: f64 = x.iter().map(|x| x[lane] * x[lane]).sum();
            let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
            x.iter_mut().for_each(|x| x[lane] *= scale);
            // All later lanes lose their share of this one in a single sweep.
            let mut dots = [0.0; WIDTH];
            for x in x.iter() {
                (lane + 1..WIDTH).for_each(|l| dots[l] += x[lane] * x[l]);
            }
            for x in x.iter_mut() {
                (lane + 1..WIDTH).for_each(|l| x[l] -= dots[l] * x[lane]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring, whose modes are known: cos and sin of the angle, eigenvalue cos(2 pi / n).
    fn ring(n: usize) -> FuzzyGraph {
        let mut graph = FuzzyGraph { offset: vec![0], ..FuzzyGraph::default() };
        for i in 0..n {
            let mut pair = [((i + n - 1) % n) as u32, ((i + 1) % n) as u32];
            pair.sort_unstable();
            graph.column.extend(pair);
            graph.weight.extend([0.5, 0.5]);
            graph.offset.push(graph.column.len());
        }
        graph
    }

    #[test]
    fn the_modes_of_a_ring_put_it_on_a_circle() {
        for n in [60, 700] {
            let vertices: Vec<u32> = (0..n as u32).collect();
            let modes = modes(&ring(n), &vertices, Seed(3));
            assert!(modes.converged);
            for position in &modes.position {
                let radius = position[0].hypot(position[1]) * (n as f64 / 2.0).sqrt();
                assert!((radius - 1.0).abs() < 1e-2, "{radius}");
            }
        }
    }
}
