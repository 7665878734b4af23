//! Differentiable operations. One file each: forward, backward, CPU and CUDA, tests.

mod basic;
mod batch_norm;
mod columns;
mod conv;
mod dropout;
mod gather;
mod gelu;
mod index;
mod layer_norm;
mod linear;
mod pool;
mod rescale;
mod segment;
mod shape;
mod softmax;
#[cfg(test)]
pub(crate) mod testing;

pub use basic::{add, add_relu, cast, relu, sum_of};
pub use batch_norm::{BatchNorm, batch_norm};
pub use columns::{concat, slice};
pub use conv::{ConvOptions, conv2d};
pub use dropout::dropout;
pub use gather::{embedding_sum, gather_rows};
pub use gelu::gelu;
pub use index::{Codes, IndexList, RowIndex, Segments};
pub use layer_norm::{LayerNorm, layer_norm};
pub use linear::linear;
pub use pool::{global_average_pool, max_pool};
pub use rescale::{LEAST_LENGTH, normalize_rows, scale_rows};
pub use segment::{Reduce, segment};
pub use softmax::{log_softmax, softmax};
