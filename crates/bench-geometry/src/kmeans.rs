//! k-means clustering.
//!
//! # What
//! Lloyd's algorithm from seeded starts, the best of several by the sum of squared distances to the centres.
//!
//! # How
//! Rows less the column means; k-means++ with `2 + ln k` trials per centre, or random rows; at most a fixed number of
//! steps, stopped when no row changes its cluster or the centres move less than the tolerance times the mean variance.
//! A cluster that empties takes the row that is farthest from its centre. Equal distances go to the lowest cluster.
//!
//! # Reference
//! Arthur and Vassilvitskii 2007; the defaults and the stopping rule are scikit-learn's `KMeans`. Starts are random,
//! so partitions agree with scikit-learn's where the clusters are clear, and sums of squares within a few per cent
//! otherwise.

use bench_core::{Matrix, Seed, Stream};
use rayon::prelude::*;

use crate::product::{products, squared_distance};

/// Rows of a task.
const ROWS: usize = 256;

/// Where a start comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// Far from each other, by weighted draws.
    PlusPlus,
    /// Random rows.
    Random,
}

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeansSettings {
    /// Clusters.
    pub clusters: usize,
    /// Starts, of which the best is kept.
    pub restarts: usize,
    /// Most steps of one start.
    pub steps: usize,
    /// Movement of the centres at which a start has settled, as a share of the mean variance.
    pub tolerance: f64,
    /// Where starts come from.
    pub start: Start,
}

impl KMeansSettings {
    /// Five starts of k-means++.
    pub fn new(clusters: usize) -> Self {
        Self { clusters, restarts: 5, steps: 100, tolerance: 1e-4, start: Start::PlusPlus }
    }
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KMeans {
    /// Cluster of each row.
    pub cluster: Vec<u32>,
    /// Sum of squared distances to the centres.
    pub inertia: f64,
    /// Means of the clusters, `[clusters, columns]`.
    pub centre: Vec<f32>,
}

/// Clusters the rows of a matrix of at least as many rows as clusters.
pub fn kmeans(matrix: &Matrix, settings: &KMeansSettings, seed: Seed) -> KMeans {
    let data = Data::new(matrix);
    let mut best: Option<KMeans> = None;
    for restart in 0..settings.restarts.max(1) {
        let mut stream = seed.derive("kmeans", restart as u64).stream();
        let found = lloyd(&data, settings, &mut stream);
        if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
            best = Some(found);
        }
    }
    best.unwrap_or_default()
}

/// Centred rows and their squared lengths.
struct Data {
    mean: Vec<f64>,
    rows: Vec<f32>,
    square: Vec<f32>,
    n: usize,
    d: usize,
    /// Mean over columns of their variances.
    variance: f64,
}

impl Data {
    fn new(matrix: &Matrix) -> Self {
        let (n, d) = (matrix.rows(), matrix.cols());
        let mut mean = vec![0.0_f64; d];
        for row in 0..n {
            mean.iter_mut().zip(matrix.row(row)).for_each(|(mean, &value)| *mean += f64::from(value));
        }
        mean.iter_mut().for_each(|mean| *mean /= n as f64);
        let rows: Vec<f32> = (0..n)
            .flat_map(|row| matrix.row(row).iter().zip(&mean).map(|(&value, mean)| (f64::from(value) - mean) as f32))
            .collect();
        let square: Vec<f32> = (0..n)
            .map(|row| rows[row * d..(row + 1) * d].iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32)
            .collect();
        let variance = square.iter().map(|&square| f64::from(square)).sum::<f64>() / (n * d).max(1) as f64;
        Self { mean, rows, square, n, d, variance }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.d..(row + 1) * self.d]
    }

    /// Nearest centre of every row and the squared distance to it.
    fn assign(&self, centres: &[f32]) -> Vec<(u32, f32)> {
        let k = centres.len() / self.d.max(1);
        let lengths: Vec<f32> = centres
            .chunks_exact(self.d.max(1))
            .map(|centre| centre.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32)
            .collect();
        let mut nearest = vec![(0, 0.0); self.n];
        nearest.par_chunks_mut(ROWS).enumerate().for_each(|(block, nearest)| {
            let start = block * ROWS;
            let mut out = vec![0.0_f32; nearest.len() * k];
            products(&self.rows[start * self.d..(start + nearest.len()) * self.d], centres, self.d, &mut out);
            for (i, (nearest, line)) in nearest.iter_mut().zip(out.chunks_exact(k)).enumerate() {
                let mut best = (0_u32, f32::INFINITY);
                for (cluster, (&product, &length)) in line.iter().zip(&lengths).enumerate() {
                    let distance = length - 2.0 * product;
                    if distance < best.1 {
                        best = (cluster as u32, distance);
                    }
                }
                *nearest = (best.0, (best.1 + self.square[start + i]).max(0.0));
            }
        });
        nearest
    }

    /// Squared distances of all rows to some of them, one list for each of these: the rows are read once for all.
    fn distances(&self, to: &[usize]) -> Vec<Vec<f32>> {
        let points: Vec<f32> = to.iter().flat_map(|&row| self.row(row)).copied().collect();
        let mut out = vec![0.0_f32; self.n * to.len()];
        out.par_chunks_mut(ROWS * to.len()).zip(self.rows.par_chunks(ROWS * self.d.max(1))).for_each(|(out, rows)| {
            products(rows, &points, self.d, out);
        });
        let of = |(at, &point): (usize, &usize)| {
            let lines = out.chunks_exact(to.len()).zip(&self.square);
            lines.map(|(line, square)| (self.square[point] - 2.0 * line[at] + square).max(0.0)).collect()
        };
        to.par_iter().enumerate().map(of).collect()
    }

    /// Adds the rows that came to each cluster to its sum, and takes off those that left; `before` is empty at first.
    fn move_sums(&self, sums: &mut [f64], before: &[u32], cluster: &[u32]) {
        let d = self.d.max(1);
        let changed: Vec<usize> = (0..self.n).filter(|&row| before.get(row) != Some(&cluster[row])).collect();
        // With many changes it is less work, and less rounding, to start anew.
        let anew = before.is_empty() || 2 * changed.len() > self.n;
        let rows: Vec<usize> = if anew { (0..self.n).collect() } else { changed };
        let clusters = sums.len() / d;
        let mut coming = vec![Vec::new(); clusters];
        let mut leaving = vec![Vec::new(); clusters];
        for row in rows {
            coming[cluster[row] as usize].push(row);
            if !anew {
                leaving[before[row] as usize].push(row);
            }
        }
        sums.par_chunks_mut(d).zip(coming.par_iter().zip(&leaving)).for_each(|(sum, (coming, leaving))| {
            if anew {
                sum.fill(0.0);
            }
            for &row in coming {
                sum.iter_mut().zip(self.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            for &row in leaving {
                sum.iter_mut().zip(self.row(row)).for_each(|(sum, &value)| *sum -= f64::from(value));
            }
        });
    }

    /// Mean of the rows of every cluster; clusters without rows keep `old`.
    fn centres(&self, sums: &[f64], cluster: &[u32], old: &[f32]) -> Vec<f32> {
        let d = self.d.max(1);
        let mut size = vec![0_usize; old.len() / d];
        cluster.iter().for_each(|&own| size[own as usize] += 1);
        let mut centres = old.to_vec();
        for ((centre, sum), size) in centres.chunks_exact_mut(d).zip(sums.chunks_exact(d)).zip(size) {
            if size > 0 {
                centre.iter_mut().zip(sum).for_each(|(centre, sum)| *centre = (sum / size as f64) as f32);
            }
        }
        centres
    }
}

fn lloyd(data: &Data, settings: &KMeansSettings, stream: &mut Stream) -> KMeans {
    let mut centres = match settings.start {
        Start::PlusPlus => plus_plus(data, settings.clusters, stream),
        Start::Random => {
            let order = stream.permutation(data.n);
            order[..settings.clusters].iter().flat_map(|&row| data.row(row as usize)).copied().collect()
        }
    };
    let mut cluster: Vec<u32> = Vec::new();
    let mut sums = vec![0.0_f64; centres.len()];
    for _ in 0..settings.steps {
        let mut nearest = data.assign(&centres);
        fill_empty(&mut nearest, settings.clusters);
        let assigned: Vec<u32> = nearest.iter().map(|nearest| nearest.0).collect();
        let settled = assigned == cluster;
        data.move_sums(&mut sums, &cluster, &assigned);
        cluster = assigned;
        let moved = data.centres(&sums, &cluster, &centres);
        let shift = squared_distance(&moved, &centres);
        centres = moved;
        if settled || shift <= settings.tolerance * data.variance {
            break;
        }
    }
    let cluster: Vec<u32> = data.assign(&centres).into_iter().map(|nearest| nearest.0).collect();
    let centre = |cluster: u32| &centres[cluster as usize * data.d..(cluster as usize + 1) * data.d];
    let inertia = (0..data.n).map(|row| squared_distance(data.row(row), centre(cluster[row]))).sum();
    let centre = centres.iter().zip(data.mean.iter().cycle()).map(|(&x, mean)| (f64::from(x) + mean) as f32).collect();
    KMeans { cluster, inertia, centre }
}

/// Gives empty clusters the rows that are farthest from their centres, if they are off them at all.
///
/// `nearest` holds the cluster of every row and its squared distance from the centre.
pub fn fill_empty(nearest: &mut [(u32, f32)], clusters: usize) {
    let mut size = vec![0_usize; clusters];
    nearest.iter().for_each(|nearest| size[nearest.0 as usize] += 1);
    for empty in 0..clusters {
        if size[empty] > 0 {
            continue;
        }
        let farthest = (0..nearest.len())
            .filter(|&row| size[nearest[row].0 as usize] > 1 && nearest[row].1 > 0.0)
            .max_by(|&a, &b| nearest[a].1.total_cmp(&nearest[b].1).then(b.cmp(&a)));
        if let Some(row) = farthest {
            size[nearest[row].0 as usize] -= 1;
            size[empty] = 1;
            nearest[row] = (empty as u32, 0.0);
        }
    }
}

/// Centres far from each other.
fn plus_plus(data: &Data, clusters: usize, stream: &mut Stream) -> Vec<f32> {
    let trials = 2 + (clusters as f64).ln() as usize;
    let first = stream.below(data.n);
    let mut centres = data.row(first).to_vec();
    let mut closest = data.distances(&[first]).swap_remove(0);
    while centres.len() < clusters * data.d {
        let total: f64 = closest.iter().map(|&distance| f64::from(distance)).sum();
        let rows: Vec<usize> = (0..trials).map(|_| weighted(&closest, total, stream)).collect();
        let candidates = data.distances(&rows).into_par_iter().zip(&rows).map(|(mut candidate, &row)| {
            candidate.iter_mut().zip(&closest).for_each(|(to, &closest)| *to = to.min(closest));
            let potential: f64 = candidate.iter().map(|&distance| f64::from(distance)).sum();
            (potential, row, candidate)
        });
        let candidates: Vec<(f64, usize, Vec<f32>)> = candidates.collect();
        // The first of equals.
        let Some((_, row, candidate)) = candidates.into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a }) else {
            break;
        };
        centres.extend_from_slice(data.row(row));
        closest = candidate;
    }
    centres
}

/// A row drawn in proportion to its weight; any row if all weights are zero.
fn weighted(weight: &[f32], total: f64, stream: &mut Stream) -> usize {
    if total <= 0.0 {
        return stream.below(weight.len());
    }
    let mut left = stream.uniform() * total;
    for (row, &weight) in weight.iter().enumerate() {
        left -= f64::from(weight);
        if left < 0.0 {
            return row;
        }
    }
    weight.iter().rposition(|&weight| weight > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_clusters_are_found() {
        let means = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];
        let mut stream = Seed(3).stream();
        let data = (0..180).map(|at| means[at / 2 % 3][at % 2] + stream.normal() as f32 * 0.1).collect();
        for start in [Start::PlusPlus, Start::Random] {
            let settings = KMeansSettings { restarts: 10, start, ..KMeansSettings::new(3) };
            let found = kmeans(&Matrix::new(90, 2, Clone::clone(&data)), &settings, Seed(1));
            for (mean, first) in means.iter().zip(&found.cluster) {
                let centre = &found.centre[*first as usize * 2..][..2];
                assert!((centre[0] - mean[0]).abs() < 0.1 && (centre[1] - mean[1]).abs() < 0.1, "{centre:?}");
            }
            assert!((0..90).all(|row| found.cluster[row] == found.cluster[row % 3]), "{:?}", found.cluster);
            // 90 rows with a variance of 0.01 in both columns.
            assert!(found.inertia > 1.0 && found.inertia < 2.6, "{}", found.inertia);
        }
    }

    #[test]
    fn equal_rows_give_equal_centres() {
        let found = kmeans(&Matrix::new(10, 2, vec![1.0; 20]), &KMeansSettings::new(4), Seed(1));
        assert_eq!((found.centre, found.inertia), (vec![1.0; 8], 0.0));
        assert_eq!(found.cluster, [0; 10]);
    }
}
