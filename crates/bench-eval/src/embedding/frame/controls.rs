//! Control embeddings for treated rows and negative controls alike.
//!
//! # What
//! Constant, noise, one-hot label, one-hot compound, and the one-hot embedding of every unit (`one-hot-source`,
//! `one-hot-batch`, ...), for treated rows and negative controls together. Negative controls have a level of their own in
//! the one-hot label and compound.
//!
//! # Of single metrics
//! `one-hot-position` knows the well position and nothing else; it is measured by metrics that name it, as is
//! `random-compound`: a random direction per compound, for metrics that compare distances between compounds, which are
//! all equal in a one-hot embedding.
//!
//! # Jitter
//! One-hot rows get normal noise of 0.001 per feature, as those of openproblems do: rows that are equal have no
//! neighbours but by row order, and the scale between the controls must not rest on that.

use bench_core::{Factor, Layout, Matrix, Seed};

use super::Rows;
use crate::control::{Control, Made, constant, noise, one_hot_label, one_hot_source};

/// Standard deviation of the noise on one-hot rows.
const JITTER: f64 = 1e-3;

/// A control embedding.
pub(super) struct ControlEmbedding {
    /// `constant`, `noise`, `one-hot-label`, `one-hot-source`, ...
    pub(super) name: String,
    pub(super) treated: Matrix,
    pub(super) controls: Matrix,
    /// Whether only metrics are measured on it whose cards name it.
    pub(super) is_special: bool,
}

/// One feature per compound.
const COMPOUND: &str = "one-hot-compound";
/// One feature per well position.
const POSITION: &str = "one-hot-position";
/// A random direction per compound.
const RANDOM: &str = "random-compound";
/// Features of [`RANDOM`].
const RANDOM_FEATURES: usize = 32;

/// Whether a card may name it.
#[cfg(test)]
pub(super) fn exists(name: &str) -> bool {
    [COMPOUND, POSITION, RANDOM].contains(&name) || crate::control::lookup(name).is_ok()
}

/// All control embeddings that the rows can have.
pub(super) fn make(rows: &Rows<'_>, units: &[(&str, &Factor)], seed: Seed) -> Vec<ControlEmbedding> {
    let (n, m) = (rows.layout.rows, rows.controls.rows);
    let joined = |treated: &Factor, controls: Option<&Factor>| {
        // Names keep treated levels and controls apart only where they must be.
        let names = (0..n).map(|row| treated.name(row).to_owned());
        let more = (0..m).map(|row| controls.map_or_else(|| "negative control".to_owned(), |f| f.name(row).to_owned()));
        Factor::first_seen(&names.chain(more).collect::<Vec<String>>())
    };
    let label = joined(rows.label, None);
    let plain = Layout { rows: n + m, ..Layout::default() };
    let mut wanted: Vec<(String, &dyn Control, Layout)> = vec![
        (constant::CARD.id.to_owned(), &constant::Constant, plain.clone()),
        (noise::CARD.id.to_owned(), &noise::Noise, plain.clone()),
        (one_hot_label::CARD.id.to_owned(), &one_hot_label::OneHotLabel, plain.clone()),
    ];
    // What has no card among the controls of models is one-hot all the same.
    let of_compound = rows.layout.compound.as_ref().map(|compound| joined(compound, None));
    let of_position = rows.layout.position.as_ref().zip(rows.controls.position.as_ref());
    let of_position = of_position.map(|(treated, controls)| joined(treated, Some(controls)));
    let one_hot = [(COMPOUND, &of_compound), (POSITION, &of_position)];
    for (name, factor) in one_hot.into_iter().filter_map(|(name, factor)| Some((name, factor.clone()?))) {
        let layout = Layout { source: Some(factor), ..plain.clone() };
        wanted.push((name.to_owned(), &one_hot_source::OneHotSource, layout));
    }
    for &(name, unit) in units {
        let source = joined(unit, rows.controls.unit(name));
        wanted.push((
            format!("one-hot-{name}"),
            &one_hot_source::OneHotSource,
            Layout { source: Some(source), ..plain.clone() },
        ));
    }
    let made = wanted.into_iter().filter_map(|(name, control, layout)| match control.make(&layout, &label, seed) {
        Ok(Made::Features(matrix)) => Some((name, matrix)),
        _ => None,
    });
    let random = of_compound.as_ref().map(|compound| (RANDOM.to_owned(), random(compound, seed)));
    let finished = made.chain(random).map(|(name, mut matrix)| {
        if name.starts_with("one-hot") || name == RANDOM {
            let mut stream = seed.derive("embedding-control", name.len() as u64).derive(&name, 0).stream();
            matrix.data_mut().iter_mut().for_each(|x| *x += (JITTER * stream.normal()) as f32);
        }
        let rows = |from: usize, to: usize| matrix.take(&(from as u32..to as u32).collect::<Vec<u32>>());
        let is_special = name == POSITION || name == RANDOM;
        ControlEmbedding { name, treated: rows(0, n), controls: rows(n, n + m), is_special }
    });
    finished.collect()
}

/// A normal vector per level.
fn random(factor: &Factor, seed: Seed) -> Matrix {
    let mut stream = seed.derive("embedding-control/random", 0).stream();
    let of_level: Vec<f32> = (0..factor.level_count() * RANDOM_FEATURES).map(|_| stream.normal() as f32).collect();
    let data = factor.codes.iter().flat_map(|&code| {
        let start = code as usize * RANDOM_FEATURES;
        of_level[start..start + RANDOM_FEATURES].iter().copied()
    });
    Matrix::new(factor.len(), RANDOM_FEATURES, data.collect())
}

/// The name of the control that a card means for a unit.
pub(super) fn anchor(name: &str, unit: Option<&str>) -> String {
    match unit {
        Some(unit) if name == one_hot_source::CARD.id => format!("one-hot-{unit}"),
        _ => name.to_owned(),
    }
}
