//! Rows of one or several matrices as profiles with exact and fast cosine distances.
//!
//! # What
//! The exact distance is `1 - a.b / (|a| |b|)` in `f64` (1 if either is zero), rounded to a multiple of 2^-40 as the
//! neighbour graph rounds it, so that equal distances are equal whatever the rounding of sums. The fast one is that
//! of `f32` products of unit rows, within [`Profiles::bound`] of it.
//!
//! # Bound
//! With u = 2^-24 a unit vector is rounded by at most u per entry and a sum of d products, in any order, errs by at
//! most `d u / (1 - d u)` of the sum of their sizes, which is at most 1 (Higham 2002, section 3.1). `(d + 8) u` and
//! one per cent cover both and the rounding of the difference from one.

use std::collections::HashMap;

use bench_core::Matrix;
use bench_geometry::neighbours::round_cosine;
use rayon::prelude::*;

use crate::embedding::Space;

/// Sums of `f64` that run side by side.
const LANES: usize = 8;
/// Rows of a parallel block.
const BLOCK: usize = 256;

/// Rows that are compared.
pub(crate) struct Profiles<'a> {
    raw: Vec<&'a [f32]>,
    unit: Vec<&'a [f32]>,
    /// The unit rows of each matrix, one after the other, and the first profile that is one of them.
    parts: Vec<(usize, &'a [f32])>,
    norm: Vec<f64>,
    /// Rows of the same bits have the same number.
    point: Vec<u32>,
    /// Whether two rows have the same bits.
    pub(crate) repeats: bool,
    /// Columns.
    pub(crate) dims: usize,
}

impl<'a> Profiles<'a> {
    /// The treated rows.
    pub(crate) fn treated(space: &'a Space<'_>) -> Self {
        Self::new(&[(space.treated, space.unit_rows())])
    }

    /// The treated rows, then the controls.
    pub(crate) fn with_controls(space: &'a Space<'_>) -> Self {
        Self::new(&[(space.treated, space.unit_rows()), (space.controls, space.unit_controls())])
    }

    fn new(parts: &[(&'a Matrix, &'a Matrix)]) -> Self {
        let rows = |side: fn(&(&'a Matrix, &'a Matrix)) -> &'a Matrix| -> Vec<&'a [f32]> {
            parts.iter().map(side).flat_map(|matrix| (0..matrix.rows()).map(move |row| matrix.row(row))).collect()
        };
        let (raw, unit) = (rows(|part| part.0), rows(|part| part.1));
        let norm = raw.par_iter().with_min_len(BLOCK).map(|row| dot(row, row).sqrt()).collect();
        let (point, points) = points(&raw);
        let dims = parts.iter().map(|part| part.0).find(|matrix| matrix.rows() > 0).map_or(0, Matrix::cols);
        let starts = parts.iter().scan(0, |next, part| {
            let start = *next;
            *next += part.1.rows();
            Some(start)
        });
        let parts = starts.zip(parts).map(|(start, part)| (start, part.1.data())).collect();
        Self { repeats: points < raw.len(), raw, unit, parts, norm, point, dims }
    }

    /// Number of profiles.
    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// A number that only rows of the same bits share.
    pub(crate) fn point(&self, row: usize) -> u32 {
        self.point[row]
    }

    /// Exact cosine distance, rounded.
    pub(crate) fn distance(&self, a: usize, b: usize) -> f64 {
        let lengths = self.norm[a] * self.norm[b];
        let cosine = if lengths == 0.0 {
            0.0
        } else if self.point[a] == self.point[b] {
            1.0
        } else {
            dot(self.raw[a], self.raw[b]) / lengths
        };
        round_cosine(1.0 - cosine)
    }

    /// Largest difference between a fast and an exact distance.
    pub(crate) fn bound(&self) -> f64 {
        1.01 * (self.dims as f64 + 8.0) * 2f64.powi(-24) + 2f64.powi(-38)
    }

    /// The unit rows of `rows` one after the other: as they lie, or copied to `block` where others lie between.
    pub(crate) fn gather<'b>(&'b self, rows: &[u32], block: &'b mut Vec<f32>) -> &'b [f32] {
        if let (Some(&first), Some(&last)) = (rows.first(), rows.last())
            && rows.windows(2).all(|pair| pair[0] + 1 == pair[1])
            && let Some((start, data)) = self.parts.iter().rfind(|part| part.0 <= first as usize)
            && let Some(data) = data.get((first as usize - start) * self.dims..(last as usize + 1 - start) * self.dims)
        {
            return data;
        }
        block.clear();
        for &row in rows {
            block.extend_from_slice(self.unit[row as usize]);
        }
        block
    }
}

/// Numbers the distinct rows; returns how many there are.
pub(crate) fn points(rows: &[&[f32]]) -> (Vec<u32>, usize) {
    let digest: Vec<u64> = rows.par_iter().with_min_len(BLOCK).map(|row| digest(row)).collect();
    let mut seen: HashMap<u64, Vec<u32>> = HashMap::new();
    let (mut point, mut count) = (Vec::with_capacity(rows.len()), 0);
    for (row, digest) in digest.into_iter().enumerate() {
        let firsts = seen.entry(digest).or_default();
        let known = firsts.iter().find(|&&first| rows[first as usize].iter().zip(rows[row]).all(|(a, b)| a == b));
        match known {
            Some(&first) => point.push(point[first as usize]),
            None => {
                firsts.push(row as u32);
                point.push(count as u32);
                count += 1;
            }
        }
    }
    (point, count)
}

/// FNV-1a over the values, negative zero as zero.
fn digest(row: &[f32]) -> u64 {
    row.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &value| {
        (hash ^ u64::from((value + 0.0).to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Inner product in `f64`, in eight interleaved sums of a fixed order.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0f64; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    lanes.iter().sum::<f64>() + rest
}
