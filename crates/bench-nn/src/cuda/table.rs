//! Rows and columns of tables: copied, gathered, summed by lists. Lists are `u32` tensors.

use candle_core::{DType, Tensor};

use super::machine::{Machine, int, one_type, pack_suffix, pointer, scalar_suffix};
use crate::{Error, Result};

fn width_of(x: &Tensor) -> usize {
    x.dims().last().copied().unwrap_or(1)
}

/// Row `r` of the output is row `index[r]` of `x`.
pub(crate) fn gather(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let (machine, rows, width) = (Machine::of(x)?, index.elem_count(), width_of(x));
    let y = machine.empty((rows, width), x.dtype())?;
    let (suffix, pack) = pack_suffix("gather_rows", width, &[x, &y])?;
    let args = [pointer(x)?, pointer(index)?, int(rows), int(width), pointer(&y)?];
    machine.launch_each(&format!("gather_{suffix}"), rows * width / pack, &args)?;
    Ok(y)
}

/// Row `r` of the output is the sum of rows `index[r * group..][..group]` of `x`.
pub(crate) fn sum_groups(x: &Tensor, index: &Tensor, group: usize) -> Result<Tensor> {
    let (machine, rows, width) = (Machine::of(x)?, index.elem_count() / group, width_of(x));
    let y = machine.empty((rows, width), x.dtype())?;
    let (suffix, pack) = pack_suffix("embedding_sum", width, &[x, &y])?;
    let args = [pointer(x)?, pointer(index)?, int(group), int(rows), int(width), pointer(&y)?];
    machine.launch_each(&format!("sum_groups_{suffix}"), rows * width / pack, &args)?;
    Ok(y)
}

/// Row `r` of the output is the sum of rows `index[j] / group` of `x` for `j` in
/// `offsets[r]..offsets[r + 1]`. Long lists are shared by eight lanes.
pub(crate) fn sum_listed(x: &Tensor, offsets: &Tensor, index: &Tensor, group: usize) -> Result<Tensor> {
    let (machine, rows, width) = (Machine::of(x)?, offsets.elem_count() - 1, width_of(x));
    let y = machine.empty((rows, width), x.dtype())?;
    let lists = [pointer(x)?, pointer(offsets)?, pointer(index)?, int(group)];
    if group > 1 || index.elem_count() > 16 * rows {
        let kernel = format!("sum_long_lists_{}", scalar_suffix("sum_listed", x.dtype())?);
        let args = [&lists[..], &[int(width), pointer(&y)?]].concat();
        machine.launch(&kernel, [rows, width.div_ceil(32), 1], [32, 8, 1], &args)?;
        return Ok(y);
    }
    let (suffix, pack) = pack_suffix("sum_listed", width, &[x, &y])?;
    let args = [&lists[..], &[int(rows), int(width), pointer(&y)?]].concat();
    machine.launch_each(&format!("sum_listed_{suffix}"), rows * width / pack, &args)?;
    Ok(y)
}

/// Copies columns between tables: `(table, width, first column)`.
fn copy_columns(
    machine: Machine,
    from: (&Tensor, usize, usize),
    to: (&Tensor, usize, usize),
    rows: usize,
    len: usize,
) -> Result<()> {
    // Packs need all widths and starts in fours.
    let fours = [from.1, from.2, to.1, to.2].iter().all(|number| number.is_multiple_of(4));
    let (suffix, pack) = pack_suffix("concat", if fours { len } else { 1 }, &[from.0, to.0])?;
    let args = [pointer(from.0)?, int(from.1), int(from.2), int(rows), int(len), pointer(to.0)?, int(to.1), int(to.2)];
    machine.launch_each(&format!("copy_columns_{suffix}"), rows * len / pack, &args)
}

/// Tables side by side, as a table of shape `dims`.
pub(crate) fn concat(parts: &[&Tensor], dims: &[usize]) -> Result<Tensor> {
    let Some(first) = parts.first() else {
        return Err(Error::shape("concat", "at least one part", parts.len()));
    };
    let machine = Machine::of(first)?;
    let y = machine.empty(dims, one_type("concat", parts)?)?;
    let width = width_of(&y);
    let mut start = 0;
    for part in parts {
        let len = width_of(part);
        copy_columns(machine, (part, len, 0), (&y, width, start), part.elem_count() / len, len)?;
        start += len;
    }
    Ok(y)
}

/// Columns `start..start + len`, as a table of shape `dims`.
pub(crate) fn slice(x: &Tensor, start: usize, len: usize, dims: &[usize]) -> Result<Tensor> {
    let (machine, width) = (Machine::of(x)?, width_of(x));
    let y = machine.empty(dims, x.dtype())?;
    copy_columns(machine, (x, width, start), (&y, len, 0), x.elem_count() / width, len)?;
    Ok(y)
}

/// A table of shape `dims` with `x` in its columns from `start` and zero elsewhere.
pub(crate) fn widen(x: &Tensor, dims: &[usize], start: usize) -> Result<Tensor> {
    let (machine, len) = (Machine::of(x)?, width_of(x));
    let y = machine.empty(dims, x.dtype())?;
    let (rows, width) = (x.elem_count() / len, width_of(&y));
    let args = [pointer(x)?, int(rows), int(width), int(start), int(len), pointer(&y)?];
    let kernel = format!("widen_{}", scalar_suffix("slice", x.dtype())?);
    machine.launch_each(&kernel, rows * width, &args)?;
    Ok(y)
}

/// Row `r` times `factors[r]` (`f32`).
pub(crate) fn scale_rows(x: &Tensor, factors: &Tensor) -> Result<Tensor> {
    if factors.dtype() != DType::F32 {
        return Err(Error::unsupported("scale_rows", format!("factors of type {:?}", factors.dtype())));
    }
    let (machine, width) = (Machine::of(x)?, width_of(x));
    let y = machine.empty(x.shape().clone(), x.dtype())?;
    let (suffix, pack) = pack_suffix("scale_rows", width, &[x, &y])?;
    let rows = x.elem_count() / width;
    let args = [pointer(x)?, pointer(factors)?, int(rows), int(width), pointer(&y)?];
    machine.launch_each(&format!("scale_rows_{suffix}"), rows * width / pack, &args)?;
    Ok(y)
}

/// In place: adds `bias (width)`, of either type, to each row of `y`.
pub(crate) fn add_bias(y: &Tensor, bias: &Tensor) -> Result<()> {
    let (machine, width) = (Machine::of(y)?, width_of(y));
    let (suffix, pack) = pack_suffix("linear", width, &[y])?;
    let rows = y.elem_count() / width;
    let kernel = format!("add_bias_{}_{suffix}", scalar_suffix("linear", bias.dtype())?);
    machine.launch_each(&kernel, rows * width / pack, &[pointer(y)?, pointer(bias)?, int(rows), int(width)])
}
