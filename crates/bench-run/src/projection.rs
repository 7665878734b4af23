//! The two-dimensional map of a model, whole for the file and thinned for figures.

use bench_core::record::{Colouring, Projection};
use bench_core::{Factor, Layout, Matrix, Seed};
use bench_data::{Column, ColumnValues};
use bench_geometry::{neighbours, trustworthiness, umap};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::suite::ProjectionSettings;

/// Coordinates of every row, and what the record keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Map {
    /// Horizontal coordinate of every row.
    pub x: Vec<f32>,
    /// Vertical coordinate.
    pub y: Vec<f32>,
    /// What the record keeps.
    pub shown: Projection,
}

/// Neighbours for which trustworthiness is computed.
const TRUST: usize = 15;

/// Maps a model's rows.
///
/// # Errors
/// Values that are not finite.
pub fn map(
    model: &str,
    matrix: &Matrix,
    layout: &Layout,
    label: &Factor,
    settings: &ProjectionSettings,
    seed: Seed,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<Map, Error> {
    let failed = |source| Error::Geometry { model: model.to_owned(), source };
    let umap = &settings.umap;
    let n = matrix.rows();
    let k = umap.graph_neighbours(n);
    let graph = neighbours::graph(matrix, k, umap.metric, &|done, total| tick(done, total * 2)).map_err(failed)?;
    let later = |done: usize, total: usize| tick(done + total, total * 2);
    let embedding = umap::layout(&graph, umap, seed.derive("umap", 0), Some(matrix), &later).map_err(failed)?;
    let trust = if 2 * TRUST < n {
        let (x, y) = (&embedding.x, &embedding.y);
        Some(trustworthiness::trustworthiness(matrix, umap.metric, x, y, TRUST, seed).map_err(failed)?.value)
    } else {
        None
    };
    let rows = thin(matrix.rows(), settings.shown, seed);
    let mut colourings = vec![colouring("label", label, &rows)];
    for unit in ["source", "batch", "plate", "position"] {
        if let Some(factor) = layout.unit(unit) {
            colourings.push(colouring(unit, factor, &rows));
        }
    }
    let shown = Projection {
        model: model.to_owned(),
        method: "umap".into(),
        parameters: format!(
            "{} neighbours, {:?} distance, min_dist {}, start {:?}{}",
            umap.neighbours,
            umap.metric,
            umap.min_dist,
            embedding.start,
            embedding.notes.iter().map(|n| format!("; {n}")).collect::<String>()
        )
        .to_lowercase(),
        points: matrix.rows(),
        trustworthiness: trust,
        x: quantise(&embedding.x, &rows),
        y: quantise(&embedding.y, &rows),
        row: rows,
        colourings,
    };
    Ok(Map { x: embedding.x, y: embedding.y, shown })
}

/// A seeded draw of at most `most` rows, ascending.
fn thin(rows: usize, most: usize, seed: Seed) -> Vec<u32> {
    if rows <= most {
        return (0..rows as u32).collect();
    }
    let mut drawn = seed.derive("thin", 0).stream().permutation(rows);
    drawn.truncate(most);
    drawn.sort_unstable();
    drawn
}

fn colouring(by: &str, factor: &Factor, rows: &[u32]) -> Colouring {
    // Levels in the order of their names, so that a colour does not depend on row order.
    let rank = factor.name_ranks();
    let mut levels = factor.levels.clone();
    levels.sort_unstable();
    Colouring { by: by.into(), levels, codes: rows.iter().map(|&r| rank[factor.code(r as usize)]).collect() }
}

fn quantise(values: &[f32], rows: &[u32]) -> Vec<u16> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let width = if high > low { high - low } else { 1.0 };
    rows.iter().map(|&r| (((values[r as usize] - low) / width) * 65535.0).round() as u16).collect()
}

/// Columns of the projection file: row of the table, origin, label, coordinates.
pub fn columns(map: &Map, layout: &Layout, label: &Factor, label_column: &str) -> Vec<Column> {
    let mut columns = vec![Column::new("row", ColumnValues::U64(layout.file_row.clone()))];
    for (name, unit) in [
        ("Metadata_Source", "source"),
        ("Metadata_Batch", "batch"),
        ("Metadata_Plate", "plate"),
        ("Metadata_Well", "position"),
        ("Metadata_Site", "site"),
        ("Metadata_Compound", "compound"),
    ] {
        if let Some(factor) = layout.unit(unit) {
            columns.push(Column::factor(name, factor));
        }
    }
    columns.push(Column::factor(format!("Metadata_{}", label_column.trim_start_matches("Metadata_")), label));
    columns.push(Column::new("x", ColumnValues::F32(map.x.clone())));
    columns.push(Column::new("y", ColumnValues::F32(map.y.clone())));
    columns
}
