//! k-means of a few hundred rows by their inner products.
//!
//! # What
//! The same steps as [`super::kmeans`] with random starts, and cosine silhouettes of the clusters, from the products of
//! all pairs of rows alone.
//!
//! # Formula
//! A centre is the mean of rows, so `|x_i - m_c|^2 = x_i.x_i - 2 S_ci / n_c + sum_{j in c} S_cj / n_c^2` with
//! `S_ci = sum_{j in c} x_i.x_j`. When a row changes its cluster, one line of products moves from one `S_c` to another.
//!
//! # Why
//! The clustering score clusters the same few rows thousands of times: a step costs `n k` instead of `n k d` numbers,
//! and the products are made once.
//!
//! # What it cannot show
//! All pairs are held, so it is for few rows only.
//!
//! # Reference
//! Kernel k-means: Dhillon, Guan and Kulis 2004.

use bench_core::{Matrix, Seed, Stream};

use super::silhouette::cosine_widths;
use bench_geometry::kmeans::{KMeansSettings, fill_empty};
use bench_geometry::product::products;

/// Squared distances below this share of the squared lengths are rounding.
const NOISE: f64 = 1e-12;

/// Products of all pairs of rows.
pub(super) struct Gram {
    n: usize,
    /// `[n, n]`.
    product: Vec<f64>,
    /// Mean over columns of their variances.
    variance: f64,
}

/// Centres as the sums of the rows that they are means of.
struct Centres {
    /// Rows of each.
    count: Vec<f64>,
    /// Products of each sum with every row, `[k, n]`.
    sum: Vec<f64>,
    /// Squared length of each centre.
    square: Vec<f64>,
    /// Whether the sum is that of the rows that are now in the cluster: such a sum takes what changes, others are summed
    /// anew.
    holds: Vec<bool>,
}

impl Gram {
    /// Products of the rows of a matrix.
    pub(super) fn new(matrix: &Matrix) -> Self {
        let (n, d) = (matrix.rows(), matrix.cols());
        let rows: Vec<f64> = matrix.data().iter().map(|&value| f64::from(value)).collect();
        let mut product = vec![0.0; n * n];
        products(&rows, &rows, d, &mut product);
        let own: f64 = (0..n).map(|row| product[row * n + row]).sum();
        let scatter = (own - product.iter().sum::<f64>() / n as f64).max(0.0);
        Self { n, product, variance: scatter / (n * d).max(1) as f64 }
    }

    fn line(&self, row: usize) -> &[f64] {
        &self.product[row * self.n..(row + 1) * self.n]
    }

    /// The cluster of every row, by the best of several random starts.
    pub(super) fn kmeans(&self, settings: &KMeansSettings, seed: Seed) -> Vec<u32> {
        let mut best: Option<(f64, Vec<u32>)> = None;
        for restart in 0..settings.restarts.max(1) {
            let found = self.lloyd(settings, &mut seed.derive("kmeans", restart as u64).stream());
            if best.as_ref().is_none_or(|best| found.0 < best.0) {
                best = Some(found);
            }
        }
        best.map(|best| best.1).unwrap_or_default()
    }

    /// Mean cosine silhouette of clusters of rows of length one or zero.
    pub(super) fn cosine_silhouette(&self, cluster: &[u32], clusters: usize) -> f64 {
        let mut size = vec![0_usize; clusters];
        cluster.iter().for_each(|&own| size[own as usize] += 1);
        let mut sums = vec![0.0; self.n * clusters];
        for (row, sums) in sums.chunks_exact_mut(clusters).enumerate() {
            for (&other, product) in cluster.iter().zip(self.line(row)) {
                sums[other as usize] += 1.0 - product;
            }
            sums[cluster[row] as usize] -= 1.0 - self.product[row * self.n + row];
        }
        cosine_widths(cluster, &size, &sums).iter().sum::<f64>() / self.n as f64
    }

    fn lloyd(&self, settings: &KMeansSettings, stream: &mut Stream) -> (f64, Vec<u32>) {
        let (n, k) = (self.n, settings.clusters);
        let starts = &stream.permutation(n)[..k];
        let mut centres = Centres {
            count: vec![1.0; k],
            sum: starts.iter().flat_map(|&row| self.line(row as usize)).copied().collect(),
            square: starts.iter().map(|&row| self.product[row as usize * (n + 1)]).collect(),
            holds: vec![false; k],
        };
        let mut cluster: Vec<u32> = Vec::new();
        for _ in 0..settings.steps {
            let mut nearest = self.assign(&centres);
            fill_empty(&mut nearest, k);
            let assigned: Vec<u32> = nearest.iter().map(|nearest| nearest.0).collect();
            let settled = assigned == cluster;
            let shift = self.move_centres(&mut centres, &cluster, &assigned);
            cluster = assigned;
            if settled || shift <= settings.tolerance * self.variance {
                break;
            }
        }
        let nearest = self.assign(&centres);
        (
            nearest.iter().map(|nearest| f64::from(nearest.1)).sum(),
            nearest.into_iter().map(|nearest| nearest.0).collect(),
        )
    }

    /// Nearest centre of every row and the squared distance to it; the lowest of equals.
    fn assign(&self, centres: &Centres) -> Vec<(u32, f32)> {
        let mut nearest = vec![(0_u32, f64::INFINITY); self.n];
        for (cluster, (sum, (count, square))) in
            centres.sum.chunks_exact(self.n).zip(centres.count.iter().zip(&centres.square)).enumerate()
        {
            let twice = 2.0 / count;
            for (row, (nearest, sum)) in nearest.iter_mut().zip(sum).enumerate() {
                let lengths = self.product[row * (self.n + 1)] + square;
                let squared = lengths - twice * sum;
                let squared = if squared <= NOISE * lengths { 0.0 } else { squared };
                if squared < nearest.1 {
                    *nearest = (cluster as u32, squared);
                }
            }
        }
        nearest.into_iter().map(|(cluster, squared)| (cluster, squared as f32)).collect()
    }

    /// Moves the centres from the rows of `old` (the starts, if that is empty) to those of `new`, and returns by how much
    /// in all. A centre that loses all rows stays where it is.
    fn move_centres(&self, centres: &mut Centres, old: &[u32], new: &[u32]) -> f64 {
        let (n, k) = (self.n, centres.count.len());
        let mut size = vec![0.0; k];
        new.iter().for_each(|&own| size[own as usize] += 1.0);
        // Products of the old centres with the new sums.
        let mut across = vec![0.0; k];
        for (row, &own) in new.iter().enumerate() {
            across[own as usize] += centres.sum[own as usize * n + row];
        }
        for at in (0..k).filter(|&at| size[at] > 0.0 && !centres.holds[at]) {
            centres.sum[at * n..(at + 1) * n].fill(0.0);
        }
        for (row, &own) in new.iter().enumerate() {
            let before = old.get(row).copied();
            if !centres.holds[own as usize] || before != Some(own) {
                self.add(&mut centres.sum, own as usize, row, 1.0);
            }
            if let Some(before) = before.map(|before| before as usize)
                && before != own as usize
                && centres.holds[before]
                && size[before] > 0.0
            {
                self.add(&mut centres.sum, before, row, -1.0);
            }
        }
        let mut shift = 0.0;
        for at in (0..k).filter(|&at| size[at] > 0.0) {
            let inside: f64 = new
                .iter()
                .zip(&centres.sum[at * n..(at + 1) * n])
                .filter(|(own, _)| **own as usize == at)
                .map(|(_, sum)| sum)
                .sum();
            let square = inside / (size[at] * size[at]);
            shift += (square + centres.square[at] - 2.0 * across[at] / (size[at] * centres.count[at])).max(0.0);
            (centres.count[at], centres.square[at]) = (size[at], square);
        }
        centres.holds.iter_mut().zip(&size).for_each(|(holds, &size)| *holds = size > 0.0);
        shift
    }

    fn add(&self, sums: &mut [f64], cluster: usize, row: usize, sign: f64) {
        let sums = &mut sums[cluster * self.n..(cluster + 1) * self.n];
        sums.iter_mut().zip(self.line(row)).for_each(|(sum, product)| *sum += sign * product);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_geometry::kmeans::{Start, kmeans};

    #[test]
    fn clusters_are_those_of_the_rows() {
        let (n, d) = (90, 5);
        let mut stream = Seed(1).stream();
        let data = (0..n * d).map(|at| (stream.normal() + 3.0 * f64::from(at / d % 4 == at % d)) as f32).collect();
        let matrix = Matrix::new(n, d, data);
        let gram = Gram::new(&matrix);
        for clusters in [1, 2, 4, 9, 30] {
            let settings = KMeansSettings { restarts: 4, start: Start::Random, ..KMeansSettings::new(clusters) };
            assert_eq!(gram.kmeans(&settings, Seed(2)), kmeans(&matrix, &settings, Seed(2)).cluster, "{clusters}");
        }
    }

    #[test]
    fn equal_rows_are_one_cluster() {
        let gram = Gram::new(&Matrix::new(40, 37, vec![0.3; 40 * 37]));
        let settings = KMeansSettings { start: Start::Random, ..KMeansSettings::new(5) };
        assert_eq!(gram.kmeans(&settings, Seed(2)), [0; 40]);
    }
}
