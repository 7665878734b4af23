//! What depends on the features alone, computed when first asked for and shared by all metrics.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use bench_core::{Factor, Layout, Matrix};
use bench_geometry::neighbours::{self, Graph, Metric};

use super::batch::lisi::{self, LisiWeights};
use super::batch::shared::{ControlSample, Foreign, LabelGraph, Leading};

/// Neighbours in the shared graph, the row itself not counted (scib-metrics asks for 90 with itself).
pub const NEIGHBOURS: usize = 90;

/// An embedding as metrics see it.
pub struct Space<'a> {
    /// Treated rows, `[n, d]`.
    pub treated: &'a Matrix,
    /// Negative-control rows, `[m, d]`, possibly none.
    pub controls: &'a Matrix,
    /// Neighbours at which the robustness index is read, if it was chosen for several models together.
    pub robustness_k: OnceLock<usize>,
    /// Plates of the treated rows, if neighbours on other plates will be asked for: they are then found in the pass that
    /// finds the cosine graph.
    pub plates: OnceLock<Factor>,
    unit_rows: OnceLock<Matrix>,
    unit_controls: OnceLock<Matrix>,
    cosine: OnceLock<Result<Graph, String>>,
    euclidean: OnceLock<Result<Graph, String>>,
    lisi: [OnceLock<Result<LisiWeights, String>>; 5],
    by_label: OnceLock<Result<LabelGraph, String>>,
    leading: OnceLock<Result<Leading, String>>,
    foreign: OnceLock<Result<Foreign, String>>,
    sample: OnceLock<Result<ControlSample, String>>,
    remembered: Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl<'a> Space<'a> {
    /// A space over treated and control rows.
    pub fn new(treated: &'a Matrix, controls: &'a Matrix) -> Self {
        Self {
            treated,
            controls,
            robustness_k: OnceLock::new(),
            plates: OnceLock::new(),
            unit_rows: OnceLock::new(),
            unit_controls: OnceLock::new(),
            cosine: OnceLock::new(),
            euclidean: OnceLock::new(),
            lisi: Default::default(),
            by_label: OnceLock::new(),
            leading: OnceLock::new(),
            foreign: OnceLock::new(),
            sample: OnceLock::new(),
            remembered: Mutex::default(),
        }
    }

    /// What `make` gives, made once per `key`: clusterings and rankings that several metrics share, or that a
    /// permutation of labels leaves alone. The key says everything that the value depends on beside the features.
    pub fn remember<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let lock = || self.remembered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = lock().get(key).cloned();
        if let Some(value) = known.and_then(|value| value.downcast().ok()) {
            return value;
        }
        // Made outside the lock: `make` may run on several threads, and a second one would only make the same again.
        let made = Arc::new(make());
        lock().insert(key.to_owned(), made.clone());
        made
    }

    /// Treated rows of length one; zero rows stay zero. `[n, d]`.
    pub fn unit_rows(&self) -> &Matrix {
        self.unit_rows.get_or_init(|| normalised(self.treated))
    }

    /// Control rows of length one. `[m, d]`.
    pub fn unit_controls(&self) -> &Matrix {
        self.unit_controls.get_or_init(|| normalised(self.controls))
    }

    /// The graph of the [`NEIGHBOURS`] nearest treated rows (all others, if there are fewer), exact.
    ///
    /// # Errors
    /// Fewer than two rows, or values that are not finite.
    pub fn graph(&self, metric: Metric) -> Result<&Graph, String> {
        let cell = match metric {
            Metric::Cosine => &self.cosine,
            Metric::Euclidean => &self.euclidean,
        };
        let k = NEIGHBOURS.min(self.treated.rows().saturating_sub(1));
        shared(cell, || match self.plates.get() {
            Some(plate) if metric == Metric::Cosine && self.foreign.get().is_none() => {
                let (graph, foreign) = Foreign::with_graph(self.treated, plate, k);
                self.foreign.get_or_init(|| foreign);
                graph
            }
            _ => neighbours::graph(self.treated, k, metric, &|_, _| ()).map_err(|error| error.to_string()),
        })
    }

    /// Probabilities of neighbours for one dialect of LISI.
    pub(super) fn lisi(&self, dialect: lisi::Dialect) -> Result<&LisiWeights, String> {
        shared(&self.lisi[dialect as usize], || LisiWeights::new(self, dialect))
    }

    /// Neighbours of every row among the rows of its label. Kept for the first label factor asked for, which nulls of
    /// the batch side leave alone; another one is computed anew and handed to `f` as well.
    pub(super) fn with_label_graph<T>(&self, label: &Factor, f: impl FnOnce(&LabelGraph) -> T) -> Result<T, String> {
        let kept = shared(&self.by_label, || LabelGraph::new(self.treated, label))?;
        if kept.is_of(label) { Ok(f(kept)) } else { Ok(f(&LabelGraph::new(self.treated, label)?)) }
    }

    /// The leading principal components.
    pub(super) fn leading(&self) -> Result<&Leading, String> {
        shared(&self.leading, || Leading::new(self.treated))
    }

    /// Neighbours of every row on other plates. The plates are those first asked for: permutations do not move them.
    pub(super) fn foreign(&self, plate: &Factor) -> Result<&Foreign, String> {
        if self.cosine.get().is_none() && self.plates.get() == Some(plate) {
            // A graph that fails leaves a reason in its place, and the same one in that of the lists.
            let _graph = self.graph(Metric::Cosine);
        }
        shared(&self.foreign, || Foreign::new(self.treated, plate))
    }

    /// The thinned negative controls and their distances.
    pub(super) fn control_sample(&self, layout: &Layout) -> Result<&ControlSample, String> {
        shared(&self.sample, || ControlSample::new(self.controls, layout))
    }
}

/// What a cell holds, computed by `make` when first asked for.
fn shared<T>(cell: &OnceLock<Result<T, String>>, make: impl FnOnce() -> Result<T, String>) -> Result<&T, String> {
    cell.get_or_init(make).as_ref().map_err(Clone::clone)
}

/// Rows scaled to length one, in `f64`.
fn normalised(matrix: &Matrix) -> Matrix {
    let mut data = Vec::with_capacity(matrix.data().len());
    for row in 0..matrix.rows() {
        let values = matrix.row(row);
        let square: f64 = values.iter().map(|&x| f64::from(x).powi(2)).sum();
        let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        data.extend(values.iter().map(|&x| (f64::from(x) * scale) as f32));
    }
    Matrix::new(matrix.rows(), matrix.cols(), data)
}
