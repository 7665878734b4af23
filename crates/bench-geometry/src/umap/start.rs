//! Where the layout starts.
//!
//! # What
//! Spectral: the two slowest modes of the fuzzy graph. If the graph falls into components, each
//! is laid out by itself around a place of its own. PCA: the first two components of the data.
//! Either is scaled to a largest coordinate of 10, shaken by noise of 1e-4, and stretched to
//! `[0, 10]` on both axes.
//!
//! # Reference
//! umap-learn 0.5.12, `spectral.py` and `noisy_scale_coords`.
//! Parity: places of more than [`DENSE_PLACES`] components come from the PCA of their centroids
//! instead of a spectral embedding, and without the data they lie on a spiral instead of at
//! random; both are said in the notes.

use bench_core::{Matrix, Seed};

use super::fuzzy::FuzzyGraph;
use super::laplacian;
use crate::Error;
use crate::neighbours::Metric;
use crate::pca::{Method, Pca, dense};

/// Components whose places are found by a dense spectral embedding, at most.
const DENSE_PLACES: usize = 512;
/// Largest coordinate before the stretch.
const EXTENT: f64 = 10.0;
/// Standard deviation of the noise.
const NOISE: f64 = 1e-4;

type Point = [f64; 2];

/// Spectral start; also returns the number of components.
pub(super) fn spectral(
    graph: &FuzzyGraph,
    data: Option<&Matrix>,
    metric: Metric,
    seed: Seed,
    notes: &mut Vec<String>,
) -> Result<(Vec<Point>, usize), Error> {
    let components = components(graph);
    let mut position = vec![[0.0; 2]; graph.vertices()];
    let places = if components.len() == 1 { vec![[0.0; 2]] } else { places(&components, data, metric, seed, notes)? };
    let mut slow = 0;
    for (c, (vertices, place)) in components.iter().zip(&places).enumerate() {
        let room = room(&places, c);
        let seed = seed.derive("umap-component", c as u64);
        let mut local: Vec<Point> = if vertices.len() < 4 {
            let mut stream = seed.stream();
            vertices.iter().map(|_| std::array::from_fn(|_| room * (2.0 * stream.uniform() - 1.0))).collect()
        } else {
            let modes = laplacian::modes(graph, vertices, seed);
            slow += usize::from(!modes.converged);
            modes.position
        };
        if vertices.len() >= 4 && components.len() > 1 {
            scale(&mut local, room);
        }
        for (&v, p) in vertices.iter().zip(&local) {
            position[v as usize] = [place[0] + p[0], place[1] + p[1]];
        }
    }
    if slow > 0 {
        notes.push(format!(
            "the spectral start of {slow} component(s) was not fully converged; this changes the start, not the optimum"
        ));
    }
    Ok((position, components.len()))
}

/// PCA start.
pub(super) fn pca(data: &Matrix, seed: Seed) -> Result<Vec<Point>, Error> {
    let k = data.rows().min(data.cols()).min(2);
    let scores = Pca::fit(data, k, Method::Auto, seed)?.scores(data)?;
    Ok((0..data.rows())
        .map(|row| std::array::from_fn(|i| scores.row(row).get(i).map_or(0.0, |&v| f64::from(v))))
        .collect())
}

/// Scales, shakes and stretches a start to `[0, 10]` on both axes.
pub(super) fn settle(mut position: Vec<Point>, seed: Seed) -> Vec<[f32; 2]> {
    scale(&mut position, EXTENT);
    let mut stream = seed.derive("umap-noise", 0).stream();
    for p in &mut position {
        p.iter_mut().for_each(|v| *v += NOISE * stream.normal());
    }
    let mut settled = vec![[0.0; 2]; position.len()];
    for axis in 0..2 {
        let low = position.iter().map(|p| p[axis]).fold(f64::INFINITY, f64::min);
        let high = position.iter().map(|p| p[axis]).fold(f64::NEG_INFINITY, f64::max);
        let factor = if high > low { EXTENT / (high - low) } else { 0.0 };
        for (to, from) in settled.iter_mut().zip(&position) {
            to[axis] = (factor * (from[axis] - low)) as f32;
        }
    }
    settled
}

/// Connected components in order of their first vertex, each with ascending vertices.
fn components(graph: &FuzzyGraph) -> Vec<Vec<u32>> {
    let n = graph.vertices();
    let mut seen = vec![false; n];
    let mut components = Vec::new();
    for first in 0..n {
        if seen[first] {
            continue;
        }
        seen[first] = true;
        let mut members = vec![first as u32];
        let mut next = 0;
        while let Some(&vertex) = members.get(next) {
            next += 1;
            for &other in graph.row(vertex as usize).0 {
                if !std::mem::replace(&mut seen[other as usize], true) {
                    members.push(other);
                }
            }
        }
        members.sort_unstable();
        components.push(members);
    }
    components
}

/// A place for each of several components.
fn places(
    components: &[Vec<u32>],
    data: Option<&Matrix>,
    metric: Metric,
    seed: Seed,
    notes: &mut Vec<String>,
) -> Result<Vec<Point>, Error> {
    let count = components.len();
    if count <= 4 {
        let axes = count.div_ceil(2);
        let place = |i: usize| {
            let sign = if i < axes { 1.0 } else { -1.0 };
            if i.is_multiple_of(axes) { [sign, 0.0] } else { [0.0, sign] }
        };
        return Ok((0..count).map(place).collect());
    }
    let Some(data) = data else {
        notes.push(format!("the {count} components were placed on a spiral, because the data were not at hand"));
        // Vogel's spiral: turns by the golden angle, equal areas.
        let golden = std::f64::consts::PI * (3.0 - 5f64.sqrt());
        return Ok((0..count)
            .map(|i| {
                let (radius, angle) = ((i as f64 + 0.5).sqrt(), golden * i as f64);
                [radius * angle.cos(), radius * angle.sin()]
            })
            .collect());
    };
    let centroids = centroids(components, data);
    if count <= DENSE_PLACES {
        return Ok(spectral_places(&centroids, data.cols(), metric));
    }
    notes.push(format!("the {count} components were placed by the principal components of their centroids"));
    let centroids = Matrix::new(count, data.cols(), centroids.iter().map(|&v| v as f32).collect());
    let mut places = pca(&centroids, seed)?;
    scale(&mut places, 1.0);
    Ok(places)
}

/// Mean row of each component, `[components, d]`.
fn centroids(components: &[Vec<u32>], data: &Matrix) -> Vec<f64> {
    let d = data.cols();
    let mut centroids = vec![0.0; components.len() * d];
    for (vertices, centroid) in components.iter().zip(centroids.chunks_exact_mut(d)) {
        for &v in vertices {
            centroid.iter_mut().zip(data.row(v as usize)).for_each(|(c, &x)| *c += f64::from(x));
        }
        centroid.iter_mut().for_each(|c| *c /= vertices.len() as f64);
    }
    centroids
}

/// Spectral embedding of the affinities `exp(-d^2)` between centroids, as scikit-learn's
/// `SpectralEmbedding`: eigenvectors divided by the root of the degree, largest entry positive.
fn spectral_places(centroids: &[f64], d: usize, metric: Metric) -> Vec<Point> {
    let count = centroids.len() / d;
    let row = |i: usize| &centroids[i * d..(i + 1) * d];
    let square: Vec<f64> = (0..count).map(|i| dense::dot(row(i), row(i))).collect();
    let mut affinity = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..i {
            let distance_squared = match metric {
                Metric::Euclidean => row(i).iter().zip(row(j)).map(|(a, b)| (a - b) * (a - b)).sum(),
                Metric::Cosine => {
                    let length = (square[i] * square[j]).sqrt();
                    let cosine = if length > 0.0 { dense::dot(row(i), row(j)) / length } else { 0.0 };
                    (1.0 - cosine).powi(2)
                }
            };
            let value = f64::exp(-distance_squared);
            (affinity[i * count + j], affinity[j * count + i]) = (value, value);
        }
    }
    let root: Vec<f64> = (0..count)
        .map(|i| affinity[i * count..(i + 1) * count].iter().sum::<f64>())
        .map(|degree| if degree > 0.0 { degree.sqrt() } else { 1.0 })
        .collect();
    for i in 0..count {
        for j in 0..count {
            affinity[i * count + j] /= root[i] * root[j];
        }
    }
    let (_, vectors) = dense::eigen(&affinity, count);
    let mut places = vec![[0.0; 2]; count];
    for axis in 0..2 {
        let vector = &vectors[(axis + 1) * count..(axis + 2) * count];
        let values: Vec<f64> = vector.iter().zip(&root).map(|(v, r)| v / r).collect();
        let largest = values.iter().fold(0.0_f64, |best, &v| if v.abs() > best.abs() { v } else { best });
        for (place, value) in places.iter_mut().zip(&values) {
            place[axis] = value * largest.signum();
        }
    }
    let highest = places.iter().flatten().fold(0.0_f64, |a, &b| a.max(b));
    if highest > 0.0 {
        places.iter_mut().flatten().for_each(|v| *v /= highest);
    }
    places
}

/// Half the distance from a component's place to the nearest other one.
fn room(places: &[Point], own: usize) -> f64 {
    let nearest = places
        .iter()
        .map(|p| (p[0] - places[own][0]).hypot(p[1] - places[own][1]))
        .filter(|&distance| distance > 0.0)
        .fold(f64::INFINITY, f64::min);
    if nearest.is_finite() { nearest / 2.0 } else { 1.0 }
}

/// Scales positions to a largest absolute coordinate of `extent`.
fn scale(position: &mut [Point], extent: f64) {
    let largest = position.iter().flatten().fold(0.0_f64, |a, &b| a.max(b.abs()));
    if largest > 0.0 {
        position.iter_mut().flatten().for_each(|v| *v *= extent / largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` rings of five vertices.
    fn rings(count: usize) -> FuzzyGraph {
        let mut graph = FuzzyGraph { offset: vec![0], ..FuzzyGraph::default() };
        for i in 0..5 * count {
            let (ring, at) = (i / 5 * 5, i % 5);
            let mut pair = [(ring + (at + 4) % 5) as u32, (ring + (at + 1) % 5) as u32];
            pair.sort_unstable();
            graph.column.extend(pair);
            graph.weight.extend([1.0, 1.0]);
            graph.offset.push(graph.column.len());
        }
        graph
    }

    #[test]
    fn components_do_not_overlap_at_the_start() {
        for count in [2, 3, 4, 7] {
            let data = Matrix::new(
                5 * count,
                3,
                (0..15 * count).map(|i| ((i / 15) as f32 * 0.7).sin() + (i % 3) as f32).collect(),
            );
            for data in [None, Some(&data)] {
                let (position, found) =
                    spectral(&rings(count), data, Metric::Euclidean, Seed(1), &mut Vec::new()).unwrap();
                assert_eq!(found, count);
                let centre = |c: usize| -> Point {
                    std::array::from_fn(|axis| position[5 * c..5 * c + 5].iter().map(|p| p[axis]).sum::<f64>() / 5.0)
                };
                for a in 0..count {
                    for b in 0..a {
                        let (p, q) = (centre(a), centre(b));
                        assert!((p[0] - q[0]).hypot(p[1] - q[1]) > 1e-3, "{count}: {a} and {b}");
                    }
                }
            }
        }
    }
}
