//! Maps of embeddings.

use serde::{Deserialize, Serialize};

/// A two-dimensional map of the labelled rows, possibly thinned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Model.
    pub model: String,
    /// `umap`.
    pub method: String,
    /// Parameters in words.
    pub parameters: String,
    /// Points mapped.
    pub points: usize,
    /// Trustworthiness at 15 neighbours, if computed.
    pub trustworthiness: Option<f64>,
    /// Rows shown here (thinned by a seeded draw if fewer than `points`), canonical row numbers.
    pub row: Vec<u32>,
    /// Coordinates, scaled to `0..=65535`.
    pub x: Vec<u16>,
    /// Coordinates, scaled to `0..=65535`.
    pub y: Vec<u16>,
    /// Ways to colour: name, levels, one code per shown row.
    pub colourings: Vec<Colouring>,
}

/// One way to colour a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Colouring {
    /// `label`, `source`, `batch`, `plate`, `position`.
    pub by: String,
    /// Level names.
    pub levels: Vec<String>,
    /// One code per shown row.
    pub codes: Vec<u32>,
}
