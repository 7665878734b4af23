//! Functions of single numbers, and change of type.

use candle_core::{DType, Tensor};

use super::machine::{Arg, Machine, address, int, one_type, pack_suffix, pointer, scalar_suffix};
use crate::random::Keep;
use crate::{Error, Result};

fn map(op: &'static str, inputs: &[&Tensor]) -> Result<Tensor> {
    let x = inputs[0];
    let (machine, dtype, count) = (Machine::of(x)?, one_type(op, inputs)?, x.elem_count());
    let y = machine.empty(x.shape().clone(), dtype)?;
    let mut all = inputs.to_vec();
    all.push(&y);
    let (suffix, pack) = pack_suffix(op, count, &all)?;
    let mut args = all.iter().map(|tensor| pointer(tensor)).collect::<Result<Vec<_>>>()?;
    args.push(int(count / pack));
    machine.launch_each(&format!("{op}_{suffix}"), count / pack, &args)?;
    Ok(y)
}

/// `a + b`.
pub(crate) fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    map("add", &[a, b])
}

/// `relu(a + b)`.
pub(crate) fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    map("add_relu", &[a, b])
}

/// `max(x, 0)`.
pub(crate) fn relu(x: &Tensor) -> Result<Tensor> {
    map("relu", &[x])
}

/// `dy` where the output `y` of a ReLU is positive.
pub(crate) fn relu_backward(dy: &Tensor, y: &Tensor) -> Result<Tensor> {
    map("relu_backward", &[dy, y])
}

/// `x cdf(x)`.
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    map("gelu", &[x])
}

/// `dy (cdf(x) + x pdf(x))`.
pub(crate) fn gelu_backward(dy: &Tensor, x: &Tensor) -> Result<Tensor> {
    map("gelu_backward", &[dy, x])
}

/// `x` times the factor of `keep` where it keeps, else zero: the mask of the CPU.
pub(crate) fn dropout(x: &Tensor, keep: &Keep) -> Result<Tensor> {
    let (machine, count) = (Machine::of(x)?, x.elem_count());
    let Some(threshold) = keep.threshold() else {
        return machine.zeros(x.shape().clone(), x.dtype());
    };
    let y = machine.empty(x.shape().clone(), x.dtype())?;
    let (threshold, factor) = (Arg::Int(i64::from(threshold)), Arg::Float(keep.factor() as f32));
    let args = [pointer(x)?, pointer(&y)?, int(count), Arg::Seed(keep.seed().0), threshold, factor];
    let kernel = format!("dropout_{}", scalar_suffix("dropout", x.dtype())?);
    machine.launch_each(&kernel, count.div_ceil(4), &args)?;
    Ok(y)
}

/// Between `f32` and `bf16`, rounded to the nearest.
pub(crate) fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    let (machine, count) = (Machine::of(x)?, x.elem_count());
    let y = machine.empty(x.shape().clone(), dtype)?;
    let packs = count.is_multiple_of(4) && address(x)?.is_multiple_of(16) && address(&y)?.is_multiple_of(16);
    let kernel = match (x.dtype(), dtype, packs) {
        (DType::F32, DType::BF16, true) => "cast_f32x4_bf16x4",
        (DType::F32, DType::BF16, false) => "cast_f32_bf16",
        (DType::BF16, DType::F32, true) => "cast_bf16x4_f32x4",
        (DType::BF16, DType::F32, false) => "cast_bf16_f32",
        (from, to, _) => return Err(Error::unsupported("cast", format!("{from:?} to {to:?} on a CUDA device"))),
    };
    let threads = if packs { count / 4 } else { count };
    machine.launch_each(kernel, threads, &[pointer(x)?, pointer(&y)?, int(threads)])?;
    Ok(y)
}
