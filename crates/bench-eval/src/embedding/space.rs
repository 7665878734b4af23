//! What depends on the features alone, computed when first asked for and shared by all metrics.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use bench_core::Matrix;
use bench_geometry::neighbours::{self, Graph, Metric};

/// Neighbours in the shared graph, the row itself not counted (scib-metrics asks for 90 with itself).
pub const NEIGHBOURS: usize = 90;

/// An embedding as metrics see it.
pub struct Space<'a> {
    /// Treated rows, `[n, d]`.
    pub treated: &'a Matrix,
    /// Negative-control rows, `[m, d]`, possibly none.
    pub controls: &'a Matrix,
    unit_rows: OnceLock<Matrix>,
    unit_controls: OnceLock<Matrix>,
    cosine: OnceLock<Result<Graph, String>>,
    euclidean: OnceLock<Result<Graph, String>>,
    remembered: Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl<'a> Space<'a> {
    /// A space over treated and control rows.
    pub fn new(treated: &'a Matrix, controls: &'a Matrix) -> Self {
        Self {
            treated,
            controls,
            unit_rows: OnceLock::new(),
            unit_controls: OnceLock::new(),
            cosine: OnceLock::new(),
            euclidean: OnceLock::new(),
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
        cell.get_or_init(|| neighbours::graph(self.treated, k, metric, &|_, _| ()).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }
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
