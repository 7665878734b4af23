//! Control embeddings for treated rows and negative controls alike.
//!
//! # What
//! Constant, noise, one-hot label, and the one-hot embedding of every unit (`one-hot-source`, `one-hot-batch`, ...),
//! made by [`crate::control`] for treated rows and negative controls together. Negative controls have a level of their
//! own in the one-hot label.
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
    for &(name, unit) in units {
        let source = joined(unit, rows.controls.unit(name));
        wanted.push((
            format!("one-hot-{name}"),
            &one_hot_source::OneHotSource,
            Layout { source: Some(source), ..plain.clone() },
        ));
    }
    let made = wanted.into_iter().filter_map(|(name, control, layout)| {
        let Ok(Made::Features(mut matrix)) = control.make(&layout, &label, seed) else { return None };
        if name.starts_with("one-hot") {
            let mut stream = seed.derive("embedding-control", name.len() as u64).derive(&name, 0).stream();
            matrix.data_mut().iter_mut().for_each(|x| *x += (JITTER * stream.normal()) as f32);
        }
        let rows = |from: usize, to: usize| matrix.take(&(from as u32..to as u32).collect::<Vec<u32>>());
        Some(ControlEmbedding { name, treated: rows(0, n), controls: rows(n, n + m) })
    });
    made.collect()
}

/// The name of the control that a card means for a unit.
pub(super) fn anchor(name: &str, unit: Option<&str>) -> String {
    match unit {
        Some(unit) if name == one_hot_source::CARD.id => format!("one-hot-{unit}"),
        _ => name.to_owned(),
    }
}
