//! Columns of the layout as codes, and profiles of compounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bench_core::{Factor, Layout, Matrix};
use rayon::prelude::*;

use crate::embedding::{Roles, Space};

/// The compound of every treated row.
pub(crate) fn compound<'a>(roles: &Roles<'a>) -> Result<&'a Factor, String> {
    roles.layout.compound.as_ref().ok_or_else(|| "there is no compound column".to_owned())
}

/// The source of every treated row, of which there are at least two.
pub(crate) fn sources<'a>(roles: &Roles<'a>) -> Result<&'a Factor, String> {
    let source = roles.layout.source.as_ref().ok_or("there is no source column")?;
    if source.counts().iter().filter(|&&count| count > 0).count() < 2 {
        return Err("there is only one source".to_owned());
    }
    Ok(source)
}

/// The well of every row; where there is no well column, every row is a well of its own.
pub(crate) fn wells(layout: &Layout) -> Vec<u32> {
    match &layout.well {
        Some(well) => well.codes.clone(),
        None => (0..layout.rows as u32).collect(),
    }
}

/// Members of each label. A name that holds `|` is a list of labels (as JUMP's `target_list` writes them).
pub(crate) struct LabelSets {
    /// Names of the labels.
    pub(crate) names: Vec<String>,
    /// Ascending label codes of each level of the factor.
    pub(crate) of_level: Vec<Vec<u32>>,
}

impl LabelSets {
    /// Splits the levels of a factor.
    pub(crate) fn new(label: &Factor) -> Self {
        let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
        let mut names = Vec::new();
        let mut of_level = Vec::with_capacity(label.level_count());
        for level in &label.levels {
            let mut set: Vec<u32> = level
                .split('|')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(|name| {
                    *codes.entry(name).or_insert_with(|| {
                        names.push(name.to_owned());
                        names.len() as u32 - 1
                    })
                })
                .collect();
            set.sort_unstable();
            set.dedup();
            of_level.push(set);
        }
        Self { names, of_level }
    }
}

/// One code per treated row, then per control row where `with_controls`, for a column that a pair rule names:
/// `kind` (treated or control), `label`, or a unit of the layout.
pub(crate) fn column(roles: &Roles<'_>, name: &str, with_controls: bool) -> Result<Vec<u32>, String> {
    let (treated, controls) = (roles.layout.rows, if with_controls { roles.controls.rows } else { 0 });
    match name {
        "kind" => Ok((0..treated + controls).map(|row| u32::from(row >= treated)).collect()),
        "label" => {
            let none = roles.label.level_count() as u32;
            Ok(roles.label.codes.iter().copied().chain(std::iter::repeat_n(none, controls)).collect())
        }
        "well" if roles.layout.well.is_none() => Ok((0..(treated + controls) as u32).collect()),
        _ => {
            let first = roles.layout.unit(name).ok_or_else(|| format!("there is no column `{name}`"))?;
            let mut codes = first.codes.clone();
            if controls > 0 {
                let mut names: BTreeMap<&str, u32> =
                    first.levels.iter().enumerate().map(|(code, level)| (level.as_str(), code as u32)).collect();
                match roles.controls.unit(name) {
                    Some(second) => {
                        let recode: Vec<u32> = second
                            .levels
                            .iter()
                            .map(|level| {
                                let next = names.len() as u32;
                                *names.entry(level).or_insert(next)
                            })
                            .collect();
                        codes.extend(second.codes.iter().map(|&code| recode[code as usize]));
                    }
                    // Controls need no compound name: they are one of their own.
                    None if name == "compound" => {
                        codes.extend(std::iter::repeat_n(first.level_count() as u32, controls));
                    }
                    None => return Err(format!("control rows have no column `{name}`")),
                }
            }
            Ok(codes)
        }
    }
}

/// Numbers tuples of codes in the order in which they first occur; returns how many there are.
pub(crate) fn join(columns: &[Vec<u32>], rows: usize) -> (Vec<u32>, usize) {
    let mut seen: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    let codes = (0..rows)
        .map(|row| {
            let key: Vec<u32> = columns.iter().map(|column| column[row]).collect();
            let next = seen.len() as u32;
            *seen.entry(key).or_insert(next)
        })
        .collect();
    (codes, seen.len())
}

/// Rows of each code, ascending.
pub(crate) fn members(codes: &[u32], count: usize) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); count];
    for (row, &code) in codes.iter().enumerate() {
        members[code as usize].push(row as u32);
    }
    members
}

/// Mean row of each group, in `f64`, rounded once. Groups must not be empty.
pub(crate) fn mean_profiles(matrix: &Matrix, groups: &[Vec<u32>]) -> Matrix {
    let d = matrix.cols();
    let mut data = vec![0.0; groups.len() * d];
    data.par_chunks_mut(d.max(1)).zip(groups).for_each(|(out, group)| {
        let mut sum = vec![0.0_f64; d];
        for &row in group {
            sum.iter_mut().zip(matrix.row(row as usize)).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        out.iter_mut().zip(sum).for_each(|(out, sum)| *out = (sum / group.len() as f64) as f32);
    });
    Matrix::new(groups.len(), d, data)
}

/// Median row of each group, column by column. Groups must not be empty.
pub(crate) fn median_profiles(matrix: &Matrix, groups: &[Vec<u32>]) -> Matrix {
    let d = matrix.cols();
    let mut data = vec![0.0; groups.len() * d];
    data.par_chunks_mut(d.max(1)).zip(groups).for_each(|(out, group)| {
        let mut values = Vec::with_capacity(group.len());
        for (column, out) in out.iter_mut().enumerate() {
            values.clear();
            values.extend(group.iter().map(|&row| f64::from(matrix.row(row as usize)[column])));
            *out = super::stats::median(&mut values) as f32;
        }
    });
    Matrix::new(groups.len(), d, data)
}

/// Median profile of every compound that has rows, in the order of the factor; remembered, as labels take no part in it.
pub(crate) fn compound_medians(space: &Space<'_>, compounds: &Factor) -> Arc<Matrix> {
    space.remember(&format!("medians/{:016x}", digest([compounds.codes.as_slice()])), || {
        let groups: Vec<Vec<u32>> = compounds.members().into_iter().filter(|rows| !rows.is_empty()).collect();
        median_profiles(space.treated, &groups)
    })
}

/// The mean profile of every compound in every source where it is.
pub(crate) struct Centroids {
    /// One row per compound and source, `[cells, d]`.
    pub(crate) matrix: Matrix,
    /// Compound of each row.
    pub(crate) compound: Vec<u32>,
    /// Source of each row.
    pub(crate) source: Vec<u32>,
    /// Name of each source.
    pub(crate) names: Vec<String>,
}

impl Centroids {
    /// Means of the treated rows by compound and a second factor.
    pub(crate) fn new(matrix: &Matrix, compound: &Factor, source: &Factor) -> Self {
        let mut cells: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
        for row in 0..matrix.rows() {
            cells.entry((source.codes[row], compound.codes[row])).or_default().push(row as u32);
        }
        let groups: Vec<Vec<u32>> = cells.values().cloned().collect();
        Self {
            matrix: mean_profiles(matrix, &groups),
            compound: cells.keys().map(|key| key.1).collect(),
            source: cells.keys().map(|key| key.0).collect(),
            names: source.levels.clone(),
        }
    }

    /// The means of a space's treated rows, remembered.
    pub(crate) fn of(space: &Space<'_>, compound: &Factor, source: &Factor) -> Arc<Self> {
        let key = digest([compound.codes.as_slice(), source.codes.as_slice()]);
        let make = || Self::new(space.treated, compound, source);
        // Names are not in the digest: rows of the same codes may be of renamed sources.
        space.remember(&format!("centroids/{key:016x}/{}", source.levels.join("/")), make)
    }

    /// Rows of each source, by ascending compound.
    pub(crate) fn by_source(&self) -> Vec<Vec<u32>> {
        members(&self.source, self.names.len())
    }

    /// Rows of the compounds that two sources share: `(row in a, row in b)`, by ascending compound.
    pub(crate) fn shared(&self, a: &[u32], b: &[u32]) -> Vec<(u32, u32)> {
        let (mut i, mut j, mut shared) = (0, 0, Vec::new());
        while let (Some(&x), Some(&y)) = (a.get(i), b.get(j)) {
            match self.compound[x as usize].cmp(&self.compound[y as usize]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    shared.push((x, y));
                    i += 1;
                    j += 1;
                }
            }
        }
        shared
    }
}

/// FNV-1a over codes: what a shared computation was made of.
pub(crate) fn digest<'a>(columns: impl IntoIterator<Item = &'a [u32]>) -> u64 {
    columns.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, column| {
        column
            .iter()
            .chain(&[u32::MAX])
            .fold(hash, |hash: u64, &code| (hash ^ u64::from(code)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5))
    })
}
