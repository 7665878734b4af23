//! Neural-network operations with tested gradients, on CPU and CUDA.
//!
//! Tensors are candle's; the gradients are ours. candle's own backward pass has wrong or missing
//! gradients for the operations that convolutional and graph networks need (max-pooling, ties in
//! reductions, scatter, fused layer norm), keeps every activation until its end, and allocates
//! zeros for each gradient it adds. Here a [`Tape`] records one closure per operation; the
//! backward pass consumes them from the end, so an activation is freed as soon as its gradient
//! is known.
//!
//! Layout: images are `(batch, height, width, channels)`, convolution weights
//! `(out, kernel_h, kernel_w, in)`, tables `(rows, columns)`; all contiguous.

#[macro_use]
mod tensor;
mod device;
mod error;
mod param;
mod tape;

pub mod check;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod distributed;
pub mod ops;
pub mod optim;
pub mod random;

pub use device::{DeviceChoice, Selected};
pub use error::{Error, Result};
pub use param::{Builder, Init, Param, ParamSet, Role};
pub use tape::{Gradients, Precision, Statistics, Tape, Value};
pub use tensor::{Element, View, from_values, view};
