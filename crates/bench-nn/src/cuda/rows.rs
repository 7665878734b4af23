//! Functions of whole rows of tables `(rows, width)`: softmax, layer normalisation, length one.

use candle_core::{DType, Tensor};

use super::machine::{Arg, Machine, Tiles, int, one_type, pack_suffix, pointer, scalar_suffix};
use crate::{Error, Result};

/// Rows and columns.
fn table(x: &Tensor) -> (usize, usize) {
    let width = x.dims().last().copied().unwrap_or(1);
    (x.elem_count() / width.max(1), width)
}

fn need_f32(op: &'static str, tensors: &[&Tensor]) -> Result<()> {
    match tensors.iter().find(|tensor| tensor.dtype() != DType::F32) {
        Some(wrong) => Err(Error::unsupported(op, format!("parameters or statistics of type {:?}", wrong.dtype()))),
        None => Ok(()),
    }
}

/// One warp per row.
fn start(kernel: &str, x: &Tensor, args: &[Arg]) -> Result<()> {
    let name = format!("{kernel}_{}", scalar_suffix("rows", x.dtype())?);
    Machine::of(x)?.launch(&name, [table(x).0.div_ceil(8), 1, 1], [32, 8, 1], args)
}

/// Softmax of each row, or its logarithm.
pub(crate) fn softmax(x: &Tensor, log: bool) -> Result<Tensor> {
    let (rows, width) = table(x);
    let y = Machine::of(x)?.empty(x.shape().clone(), x.dtype())?;
    let kernel = if log { "log_softmax" } else { "softmax" };
    start(kernel, x, &[pointer(x)?, int(rows), int(width), pointer(&y)?])?;
    Ok(y)
}

/// Gradient of the input from that of the output and the output.
pub(crate) fn softmax_backward(dy: &Tensor, y: &Tensor, log: bool) -> Result<Tensor> {
    let (rows, width) = table(y);
    let dx = Machine::of(y)?.empty(y.shape().clone(), one_type("softmax", &[dy, y])?)?;
    let kernel = if log { "log_softmax_backward" } else { "softmax_backward" };
    start(kernel, y, &[pointer(dy)?, pointer(y)?, int(rows), int(width), pointer(&dx)?])?;
    Ok(dx)
}

/// The normalised rows, and mean and inverse standard deviation of each, `(rows, 2)`.
pub(crate) fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    need_f32("layer_norm", &[gamma, beta])?;
    let ((rows, width), machine) = (table(x), Machine::of(x)?);
    let (y, statistics) = (machine.empty(x.shape().clone(), x.dtype())?, machine.empty((rows, 2), DType::F32)?);
    let args = [
        pointer(x)?,
        pointer(gamma)?,
        pointer(beta)?,
        Arg::Float(eps as f32),
        int(rows),
        int(width),
        pointer(&y)?,
        pointer(&statistics)?,
    ];
    start("layer_norm", x, &args)?;
    Ok((y, statistics))
}

/// Gradients of the input, of `gamma` and of `beta`.
pub(crate) fn layer_norm_backward(x: &Tensor, dy: &Tensor, gamma: &Tensor, statistics: &Tensor) -> Result<[Tensor; 3]> {
    need_f32("layer_norm", &[gamma, statistics])?;
    let ((rows, width), machine) = (table(x), Machine::of(x)?);
    let dx = machine.empty(x.shape().clone(), one_type("layer_norm", &[x, dy])?)?;
    let inputs = [pointer(x)?, pointer(dy)?, pointer(gamma)?, pointer(statistics)?];
    let sizes = [int(rows), int(width)];
    start("layer_norm_backward", x, &[&inputs[..], &sizes, &[pointer(&dx)?]].concat())?;

    let (suffix, pack) = pack_suffix("layer_norm", width, &[x, dy])?;
    let tiles = Tiles::new(rows, width, pack);
    let parts = machine.empty((tiles.parts, 2, width), DType::F32)?;
    let args = [&inputs[..2], &inputs[3..], &sizes, &[pointer(&parts)?]].concat();
    machine.launch(&format!("layer_norm_columns_{suffix}"), tiles.grid(), tiles.block, &args)?;
    let both = finish(machine, &parts, tiles.parts, 2 * width, DType::F32)?;
    Ok([dx, both.narrow(0, 0, width)?, both.narrow(0, width, width)?])
}

/// Sum over the rows, `(width)`, in type `dtype`.
pub(crate) fn column_sum(x: &Tensor, dtype: DType) -> Result<Tensor> {
    let ((rows, width), machine) = (table(x), Machine::of(x)?);
    let (suffix, pack) = pack_suffix("column_sum", width, &[x])?;
    let tiles = Tiles::new(rows, width, pack);
    let parts = machine.empty((tiles.parts, width), DType::F32)?;
    let args = [pointer(x)?, int(rows), int(width), pointer(&parts)?];
    machine.launch(&format!("column_sums_{suffix}"), tiles.grid(), tiles.block, &args)?;
    finish(machine, &parts, tiles.parts, width, dtype)
}

/// Second stage of sums over rows: adds `count` parts of `width` numbers.
fn finish(machine: Machine, parts: &Tensor, count: usize, width: usize, dtype: DType) -> Result<Tensor> {
    let y = machine.empty(width, dtype)?;
    let kernel = format!("finish_columns_{}", scalar_suffix("column_sum", dtype)?);
    machine.launch_each(&kernel, width, &[pointer(parts)?, int(count), int(width), pointer(&y)?])?;
    Ok(y)
}

/// Rows divided by their length, or by `least` if that is larger; and the lengths, `(rows)`.
pub(crate) fn normalize(x: &Tensor, least: f64) -> Result<(Tensor, Tensor)> {
    let ((rows, width), machine) = (table(x), Machine::of(x)?);
    let (y, lengths) = (machine.empty(x.shape().clone(), x.dtype())?, machine.empty(rows, DType::F32)?);
    let outputs = [pointer(&y)?, pointer(&lengths)?];
    start(
        "normalize_rows",
        x,
        &[pointer(x)?, int(rows), int(width), Arg::Float(least as f32), outputs[0], outputs[1]],
    )?;
    Ok((y, lengths))
}

/// Gradient of the input from that of the output, the output and the lengths.
pub(crate) fn normalize_backward(dy: &Tensor, y: &Tensor, least: f64, lengths: &Tensor) -> Result<Tensor> {
    need_f32("normalize_rows", &[lengths])?;
    let (rows, width) = table(y);
    let dx = Machine::of(y)?.empty(y.shape().clone(), one_type("normalize_rows", &[dy, y])?)?;
    let inputs = [pointer(dy)?, pointer(y)?, pointer(lengths)?];
    let rest = [int(rows), int(width), Arg::Float(least as f32), pointer(&dx)?];
    start("normalize_rows_backward", y, &[&inputs[..], &rest].concat())?;
    Ok(dx)
}
