//! The operations on CUDA devices.
//!
//! What: convolutions through cuDNN, products of matrices through cuBLAS, everything else by
//! kernels of ours that are compiled when a device is first used; sums over devices through NCCL.
//! Activations are `f32` or `bf16`; statistics, sums, master weights and optimiser state are `f32`.
//! No call waits for the device, except those that hand a number to the host.
//! Order: no atomic additions, and algorithms of cuDNN that it declares deterministic, so the same
//! device gives the same bits each time.
//!
//! Where it fits: [`crate::ops`] and [`crate::optim`] check shapes and call one function here per
//! direction. Tensors on the CPU are accepted in tests only, where an emulator runs the kernels.

mod batch_norm;
pub mod checks;
mod compile;
mod conv;
mod elementwise;
#[cfg(test)]
mod emulator;
mod gemm;
mod machine;
mod nccl;
mod optimise;
mod pool;
mod rows;
mod segment;
mod table;

pub use compile::compile_for;
pub(crate) use machine::handles;
pub use machine::{name, open, take_peak_memory};
pub use nccl::Nccl;

pub(crate) use batch_norm::{
    Affine, batch_norm_backward, batch_norm_forward, batch_norm_statistics, running_statistics,
};
pub(crate) use conv::{conv_backward_data, conv_backward_filter, conv_forward};
pub(crate) use elementwise::{add, add_relu, cast, dropout, gelu, gelu_backward, relu, relu_backward};
pub(crate) use gemm::{linear_backward_input, linear_backward_weight, linear_forward};
pub(crate) use optimise::{AdamWLists, AdamWTensor, adamw, blend, clip};
pub(crate) use pool::{max_backward, max_forward, mean_backward, mean_forward};
pub(crate) use rows::{
    column_sum, layer_norm, layer_norm_backward, normalize, normalize_backward, softmax, softmax_backward,
};
pub(crate) use segment::{segment_backward, segment_forward};
pub(crate) use table::{add_bias, concat, gather, scale_rows, slice, sum_groups, sum_listed, widen};
