//! UMAP: a map of the rows in two dimensions that keeps neighbours together.
//!
//! # What
//! A fuzzy graph of nearest neighbours ([`fuzzy`]), a start (spectral or PCA), and a descent that
//! pulls neighbours together and pushes random pairs apart, along a fitted curve ([`curve`]).
//!
//! # Formula
//! Each module has its own; together they minimise, by sampling, the cross entropy
//! `sum w log(w / v) + (1 - w) log((1 - w) / (1 - v))` between memberships `w` in the graph and
//! `v = 1 / (1 + a d^(2b))` on the map.
//!
//! # Why
//! Readers want to see whether images gather by target or by batch. umap-learn's seeded layout
//! runs on one core and its parallel one is different every time; this one is parallel and gives
//! the same bytes at any thread count, from exact neighbours.
//!
//! # What it cannot show
//! Distances between far groups, densities and sizes on the map mean little. No score is computed
//! from a map.
//!
//! # Reference
//! McInnes, Healy, Melville, arXiv:1802.03426; umap-learn 0.5.12. The fuzzy graph and the curve
//! are umap-learn's to rounding; the layout is as trustworthy as its, not the same.
//!
//! # Where it fits
//! After [`neighbours::graph`](crate::neighbours::graph), before the figures;
//! [`trustworthiness`](crate::trustworthiness) says how far to trust the map.

pub mod curve;
mod descent;
pub mod fuzzy;
mod laplacian;
mod power;
mod start;

use bench_core::{Matrix, Seed};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::neighbours::{Graph, Metric};
use curve::Curve;
use fuzzy::FuzzyGraph;

/// Rows up to which 500 epochs are the default, beyond which 200 are.
const SMALL: usize = 10_000;

/// Where the layout starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The slowest modes of the fuzzy graph.
    #[default]
    Spectral,
    /// The first two principal components of the data.
    Pca,
}

/// Settings of a layout; the defaults are umap-learn's, with cosine distances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct UmapSettings {
    /// Entries of a row's neighbour list, the row itself counted.
    pub neighbours: usize,
    /// Distance on the map below which neighbours are as close as can be.
    pub min_dist: f64,
    /// Scale of the map.
    pub spread: f64,
    /// Epochs; by default 500 up to 10 000 rows and 200 beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Distance of the neighbour graph; here it only places the components of a graph that falls
    /// apart.
    pub metric: Metric,
    /// Where the layout starts.
    pub start: Start,
}

impl Default for UmapSettings {
    fn default() -> Self {
        Self {
            neighbours: 15,
            min_dist: 0.1,
            spread: 1.0,
            epochs: None,
            metric: Metric::Cosine,
            start: Start::Spectral,
        }
    }
}

impl UmapSettings {
    /// Neighbours that the graph of `n` rows must hold, the row itself not counted.
    /// As in umap-learn, a list is shortened to `n - 1` entries where there are too few rows.
    pub fn graph_neighbours(&self, n: usize) -> usize {
        self.entries(n).saturating_sub(1)
    }

    fn entries(&self, n: usize) -> usize {
        if n > self.neighbours { self.neighbours } else { n.saturating_sub(1).max(n.min(2)) }
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |key, value: String, why: &str| Err(Error::Setting { key, value, why: why.to_owned() });
        if self.neighbours < 2 {
            return wrong("neighbours", self.neighbours.to_string(), "at least 2, the row itself counted");
        }
        if !(self.spread.is_finite() && self.spread > 0.0) {
            return wrong("spread", self.spread.to_string(), "a positive number");
        }
        if !(0.0..=self.spread).contains(&self.min_dist) {
            return wrong("min-dist", self.min_dist.to_string(), "between 0 and the spread");
        }
        if self.epochs == Some(0) {
            return wrong("epochs", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

/// A map of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout2d {
    /// First coordinate of each row, `[n]`.
    pub x: Vec<f32>,
    /// Second coordinate of each row, `[n]`.
    pub y: Vec<f32>,
    /// Where it started.
    pub start: Start,
    /// Components of the fuzzy graph, each with a start of its own; 1 for a PCA start.
    pub components: usize,
    /// Epochs.
    pub epochs: usize,
    /// The fitted curve.
    pub curve: Curve,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

/// Lays out a neighbour graph. `tick(done, epochs)` is called after each epoch.
///
/// # Shapes
/// `graph` holds at least [`UmapSettings::graph_neighbours`] neighbours of `n` rows; `data`, if
/// given, is `[n, d]`. It is needed for a PCA start; a spectral start uses it only to place the
/// parts of a graph that falls into more than four.
///
/// # Errors
/// If a setting is out of range, the graph is too narrow or the data do not fit it.
///
/// # Examples
/// ```
/// use bench_core::{Matrix, Seed};
/// use bench_geometry::{neighbours, umap};
///
/// let data = Matrix::new(30, 2, (0..60).map(|i| (i as f32 * 0.7).sin()).collect());
/// let settings = umap::UmapSettings { neighbours: 5, epochs: Some(20), ..Default::default() };
/// let k = settings.graph_neighbours(data.rows());
/// let graph = neighbours::graph(&data, k, settings.metric, &|_, _| ())?;
/// let map = umap::layout(&graph, &settings, Seed(1), Some(&data), &|_, _| ())?;
/// assert_eq!((map.x.len(), map.y.len()), (30, 30));
/// # Ok::<(), bench_geometry::Error>(())
/// ```
pub fn layout(
    graph: &Graph,
    settings: &UmapSettings,
    seed: Seed,
    data: Option<&Matrix>,
    tick: &(dyn Fn(usize, usize) + Sync),
) -> Result<Layout2d, Error> {
    settings.check()?;
    let n = graph.n;
    check_graph(graph, settings)?;
    if let Some(data) = data
        && data.rows() != n
    {
        return Err(Error::Shape { what: "rows of the data", expected: n, found: data.rows() });
    }
    let curve = Curve::fit(settings.min_dist, settings.spread);
    let epochs = settings.epochs.unwrap_or(if n <= SMALL { 500 } else { 200 });
    let mut notes = Vec::new();
    if n < 2 {
        notes.push(format!("a map of {n} row(s) has no neighbours to show"));
        let zeros = vec![0.0; n];
        return Ok(Layout2d {
            x: zeros.clone(),
            y: zeros,
            start: settings.start,
            components: n,
            epochs: 0,
            curve,
            notes,
        });
    }
    let entries = settings.entries(n);
    if entries < settings.neighbours {
        notes.push(format!("{n} rows allow {entries} neighbours instead of {}", settings.neighbours));
    }
    if graph.distance.iter().all(|&d| d == 0.0) {
        notes.push("all distances are zero: positions on the map carry no information".to_owned());
    }
    // umap-learn prunes very short runs as if they had the default number of epochs.
    let prune = if epochs > 10 {
        epochs
    } else if n <= SMALL {
        500
    } else {
        200
    };
    let fuzzy = FuzzyGraph::new(graph, entries).prune(prune);
    let (start, components) = match (settings.start, data) {
        (Start::Spectral, data) => start::spectral(&fuzzy, data, settings.metric, seed, &mut notes)?,
        (Start::Pca, Some(data)) => (start::pca(data, seed)?, 1),
        (Start::Pca, None) => {
            return Err(Error::Setting { key: "start", value: "pca".to_owned(), why: "it needs the data".to_owned() });
        }
    };
    if components > 1 {
        notes.push(format!(
            "the neighbour graph falls into {components} parts; their distances on the map carry no information"
        ));
    }
    let start = start::settle(start, seed);
    let end = descent::descend(&fuzzy, &start, curve, epochs, seed, tick);
    let (x, y) = end.iter().map(|p| (p[0], p[1])).unzip();
    Ok(Layout2d { x, y, start: settings.start, components, epochs, curve, notes })
}

fn check_graph(graph: &Graph, settings: &UmapSettings) -> Result<(), Error> {
    let expected = graph.n * graph.k;
    for (what, found) in
        [("neighbours of the graph", graph.index.len()), ("distances of the graph", graph.distance.len())]
    {
        if found != expected {
            return Err(Error::Shape { what, expected, found });
        }
    }
    let needed = settings.graph_neighbours(graph.n);
    if graph.k < needed {
        return Err(Error::Shape { what: "neighbours per row of the graph", expected: needed, found: graph.k });
    }
    if graph.index.iter().any(|&i| i as usize >= graph.n) {
        return Err(Error::Setting {
            key: "graph",
            value: graph.n.to_string(),
            why: "a neighbour is no row".to_owned(),
        });
    }
    if let Some(at) = graph.distance.iter().position(|d| !d.is_finite()) {
        return Err(Error::NotFinite { row: at / graph.k, col: at % graph.k, value: graph.distance[at] });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
