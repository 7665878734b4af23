//! Exact nearest neighbours between two sets of rows, in `f64`.
//!
//! Candidates come from blocked products (Euclidean) or sums (Manhattan); the distances of the nearest are computed
//! again from differences, so that lists are exact and ordered by (distance, row).

use bench_geometry::pca::dense;
use rayon::prelude::*;

/// Queries taken at a time.
const BLOCK: usize = 128;
/// Candidates beyond k that are measured again: products round.
const SPARE: usize = 8;

/// Distance between rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distance {
    Euclidean,
    Manhattan,
}

/// A set of rows, `[n, d]`, row-major.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) data: &'a [f64],
    pub(crate) cols: usize,
}

impl<'a> Points<'a> {
    pub(crate) fn rows(self) -> usize {
        self.data.len() / self.cols.max(1)
    }

    pub(crate) fn row(self, row: usize) -> &'a [f64] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }
}

/// The `k` nearest points of every query (all of them if there are fewer), nearest first, with their distances
/// (squared, if Euclidean).
pub(crate) fn nearest(queries: Points<'_>, points: Points<'_>, k: usize, distance: Distance) -> Vec<Vec<(f64, u32)>> {
    let (n, d) = (points.rows(), points.cols);
    let k = k.min(n);
    let squares: Vec<f64> = points.data.par_chunks(d).map(|row| dense::dot(row, row)).collect();
    let mut found = Vec::with_capacity(queries.rows());
    let mut scores = Vec::new();
    for block in queries.data.chunks(BLOCK * d) {
        let rows = block.len() / d;
        match distance {
            Distance::Euclidean => products(points, block, &mut scores),
            Distance::Manhattan => sums(points, block, &mut scores),
        }
        let part: Vec<Vec<(f64, u32)>> = (0..rows)
            .into_par_iter()
            .map(|query| {
                let score = |point: u32| match distance {
                    Distance::Euclidean => squares[point as usize] - 2.0 * scores[point as usize * rows + query],
                    Distance::Manhattan => scores[point as usize * rows + query],
                };
                let mut candidates: Vec<(f64, u32)> = (0..n as u32).map(|point| (score(point), point)).collect();
                let keep = (k + SPARE).min(n);
                if keep < n {
                    candidates.select_nth_unstable_by(keep - 1, by_distance);
                    candidates.truncate(keep);
                }
                let row = &block[query * d..(query + 1) * d];
                for (value, point) in &mut candidates {
                    *value = measured(row, points.row(*point as usize), distance);
                }
                candidates.sort_unstable_by(by_distance);
                candidates.truncate(k);
                candidates
            })
            .collect();
        found.extend(part);
    }
    found
}

fn by_distance(a: &(f64, u32), b: &(f64, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// The distance of two rows, squared if Euclidean.
fn measured(a: &[f64], b: &[f64], distance: Distance) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_head, a_tail) = a.as_chunks::<8>();
    let (b_head, b_tail) = b.as_chunks::<8>();
    let term = |x: f64, y: f64| match distance {
        Distance::Euclidean => (x - y) * (x - y),
        Distance::Manhattan => (x - y).abs(),
    };
    for (a, b) in a_head.iter().zip(b_head) {
        for lane in 0..8 {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    lanes.iter().sum::<f64>() + a_tail.iter().zip(b_tail).map(|(&x, &y)| term(x, y)).sum::<f64>()
}

/// Inner products of all points with a block of queries, `[n, queries]`.
pub(crate) fn products(points: Points<'_>, block: &[f64], out: &mut Vec<f64>) {
    let (n, d) = (points.rows(), points.cols);
    let rows = block.len() / d;
    let turned = crate::linear::transposed(block, rows, d);
    out.resize(n * rows, 0.0);
    dense::multiply(points.data, &turned, out, n, d, rows);
}

/// Manhattan distances of all points to a block of queries, `[n, queries]`.
fn sums(points: Points<'_>, block: &[f64], out: &mut Vec<f64>) {
    let d = points.cols;
    let rows = block.len() / d;
    out.resize(points.rows() * rows, 0.0);
    out.par_chunks_mut(rows).zip(points.data.par_chunks(d)).for_each(|(out, point)| {
        for (out, query) in out.iter_mut().zip(block.chunks_exact(d)) {
            *out = measured(query, point, Distance::Manhattan);
        }
    });
}

/// Pairs `(a, b)` of rows that are among the `k` nearest of each other, ascending by (b, a).
pub(crate) fn mutual(a: Points<'_>, b: Points<'_>, k: usize) -> Vec<(u32, u32)> {
    let of_a = nearest(a, b, k, Distance::Euclidean);
    let of_b = nearest(b, a, k, Distance::Euclidean);
    let mut pairs = Vec::new();
    for (row_b, list) in of_b.iter().enumerate() {
        let mut partners: Vec<u32> = list
            .iter()
            .map(|&(_, row_a)| row_a)
            .filter(|&row_a| of_a[row_a as usize].iter().any(|&(_, other)| other as usize == row_b))
            .collect();
        partners.sort_unstable();
        pairs.extend(partners.into_iter().map(|row_a| (row_a, row_b as u32)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    #[test]
    fn neighbours_are_those_of_the_definition() {
        for distance in [Distance::Euclidean, Distance::Manhattan] {
            let to = |m: bench_core::Matrix| m.data().iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
            let (a, mut b) = (to(noise(150, 7, 1)), to(noise(90, 7, 2)));
            b.extend_from_within(0..70);
            let (a, b) = (Points { data: &a, cols: 7 }, Points { data: &b, cols: 7 });
            for (row, found) in nearest(a, b, 5, distance).iter().enumerate() {
                let mut all: Vec<(f64, u32)> =
                    (0..b.rows()).map(|other| (measured(a.row(row), b.row(other), distance), other as u32)).collect();
                all.sort_by(by_distance);
                assert_eq!(found[..], all[..5]);
            }
        }
    }
}
