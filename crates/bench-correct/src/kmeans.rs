//! k-means: seeds drawn by squared distance, then Lloyd's iterations; the best of several starts.
//!
//! # Reference
//! Arthur and Vassilvitskii 2007; the number of candidates per seed as in scikit-learn (2 + ln k).

use bench_core::Stream;
use bench_geometry::pca::dense;
use rayon::prelude::*;

use crate::nearest::{Points, products};

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) starts: usize,
    pub(crate) iterations: usize,
}

/// `k` centres of the points, `[k, d]`; `k` is at most the number of points.
pub(crate) fn centres(points: Points<'_>, k: usize, effort: Effort, stream: &mut Stream) -> Vec<f64> {
    let mut best: Option<(f64, Vec<f64>)> = None;
    for _ in 0..effort.starts {
        let mut centre = seeds(points, k, stream);
        let mut assigned = assign(points, &centre);
        for _ in 0..effort.iterations {
            update(points, &assigned, &mut centre);
            let next = assign(points, &centre);
            let settled = next.iter().zip(&assigned).all(|(a, b)| a.1 == b.1);
            assigned = next;
            if settled {
                break;
            }
        }
        let inertia: f64 = assigned.iter().map(|(distance, _)| distance).sum();
        if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
            best = Some((inertia, centre));
        }
    }
    best.map(|(_, centre)| centre).unwrap_or_default()
}

/// Squared distance and index of the nearest centre of every point.
fn assign(points: Points<'_>, centre: &[f64]) -> Vec<(f64, u32)> {
    let d = points.cols;
    let squares: Vec<f64> = centre.chunks_exact(d).map(|row| dense::dot(row, row)).collect();
    let mut scores = Vec::new();
    products(points, centre, &mut scores);
    let k = squares.len();
    (0..points.rows())
        .into_par_iter()
        .with_min_len(64)
        .map(|row| {
            let own = dense::dot(points.row(row), points.row(row));
            let nearest = (0..k)
                .map(|c| (squares[c] - 2.0 * scores[row * k + c], c as u32))
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
                .unwrap_or((0.0, 0));
            ((own + nearest.0).max(0.0), nearest.1)
        })
        .collect()
}

/// Moves every centre to the mean of its points; a centre without points moves to the point farthest from its own.
fn update(points: Points<'_>, assigned: &[(f64, u32)], centre: &mut [f64]) {
    let d = points.cols;
    let mut counts = vec![0_usize; centre.len() / d];
    centre.fill(0.0);
    for (row, &(_, c)) in assigned.iter().enumerate() {
        counts[c as usize] += 1;
        let to = &mut centre[c as usize * d..(c as usize + 1) * d];
        to.iter_mut().zip(points.row(row)).for_each(|(to, value)| *to += value);
    }
    let mut farthest: Vec<usize> = (0..assigned.len()).collect();
    if counts.contains(&0) {
        farthest.sort_by(|&a, &b| assigned[b].0.total_cmp(&assigned[a].0).then(a.cmp(&b)));
    }
    let mut spare = farthest.into_iter();
    for (c, &count) in counts.iter().enumerate() {
        let to = &mut centre[c * d..(c + 1) * d];
        if count > 0 {
            to.iter_mut().for_each(|value| *value /= count as f64);
        } else if let Some(row) = spare.next() {
            to.copy_from_slice(points.row(row));
        }
    }
}

/// First centres: each the best of a few points drawn with probability proportional to the squared distance from the
/// centres so far.
fn seeds(points: Points<'_>, k: usize, stream: &mut Stream) -> Vec<f64> {
    let (n, d) = (points.rows(), points.cols);
    let trials = 2 + (k as f64).ln() as usize;
    let squares: Vec<f64> = points.data.par_chunks(d).with_min_len(64).map(|row| dense::dot(row, row)).collect();
    let first = stream.below(n);
    let mut centre = points.row(first).to_vec();
    let mut least: Vec<f64> = distances(points, &squares, &[first]).swap_remove(0);
    while centre.len() < k * d {
        let total: f64 = least.iter().sum();
        let rows: Vec<usize> = (0..trials).map(|_| drawn(&least, total, stream)).collect();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for (&row, mut next) in rows.iter().zip(distances(points, &squares, &rows)) {
            next.iter_mut().zip(&least).for_each(|(next, least)| *next = next.min(*least));
            let potential: f64 = next.iter().sum();
            if best.as_ref().is_none_or(|(lowest, _, _)| potential < *lowest) {
                best = Some((potential, row, next));
            }
        }
        if let Some((_, row, next)) = best {
            centre.extend_from_slice(points.row(row));
            least = next;
        }
    }
    centre
}

fn drawn(weights: &[f64], total: f64, stream: &mut Stream) -> usize {
    if total <= 0.0 {
        return stream.below(weights.len());
    }
    let mut left = stream.uniform() * total;
    for (row, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return row;
        }
    }
    weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0)
}

/// Squared distances of all points to some of them, `[to][n]`; what is below the rounding of the squares is zero.
fn distances(points: Points<'_>, squares: &[f64], to: &[usize]) -> Vec<Vec<f64>> {
    let chosen: Vec<f64> = to.iter().flat_map(|&row| points.row(row)).copied().collect();
    let mut scores = Vec::new();
    products(points, &chosen, &mut scores);
    let of = |(at, &row): (usize, &usize)| {
        let own = scores.chunks_exact(to.len()).zip(squares).map(|(scores, square)| {
            let lengths = square + squares[row];
            let squared = lengths - 2.0 * scores[at];
            if squared <= 1e-13 * lengths { 0.0 } else { squared }
        });
        own.collect()
    };
    to.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_core::Seed;

    #[test]
    fn separate_clusters_are_found_and_duplicates_do_no_harm() {
        let centre = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];
        let noise = crate::testing::noise(90, 2, 3);
        let data: Vec<f64> = (0..180).map(|i| centre[i / 2 % 3][i % 2] + f64::from(noise.data()[i]) * 0.1).collect();
        let effort = Effort { starts: 3, iterations: 20 };
        let points = Points { data: &data, cols: 2 };
        let found = centres(points, 3, effort, &mut Seed(1).stream());
        for c in centre {
            assert!(found.chunks_exact(2).any(|f| (f[0] - c[0]).abs() < 0.2 && (f[1] - c[1]).abs() < 0.2), "{found:?}");
        }
        let same = vec![1.0; 20];
        let found = centres(Points { data: &same, cols: 2 }, 4, effort, &mut Seed(1).stream());
        assert_eq!(found, [1.0; 8]);
    }
}
