//! What operations ask of their inputs.

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// Rows and columns of a tensor read as a table: all dimensions but the last, and the last, which
/// must not be zero.
pub(super) fn table(op: &'static str, x: &Tensor) -> Result<(usize, usize)> {
    match x.dims().split_last() {
        Some((&width, rows)) if width > 0 => Ok((rows.iter().product(), width)),
        _ => Err(Error::shape(op, "at least one column", x.dims())),
    }
}

/// Checks that two tensors have one shape.
pub(super) fn same(op: &'static str, a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dims() == b.dims() {
        return Ok(());
    }
    Err(Error::shape(op, format!("two tensors of one shape, {:?}", a.dims()), b.dims()))
}

/// The error of a device without a kernel.
pub(super) fn no_kernel<T>(op: &'static str, device: &Device) -> Result<T> {
    Err(Error::unsupported(op, format!("tensors on {device:?}")))
}
