//! Exact neighbours, PCA, UMAP and trustworthiness: geometry shared by metrics, probes and
//! plots.
//!
//! Everything here is a pure function of a row-major matrix, and gives the same bytes at any
//! thread count: work is divided by problem size, never by the number of threads, and reduced
//! in a fixed order.

pub mod error;
#[cfg(test)]
mod golden;
pub mod kmeans;
pub mod neighbours;
pub mod pca;
pub mod product;
pub mod trustworthiness;
pub mod umap;

pub use error::Error;
