//! Reductions of contiguous runs of rows. `offsets` is a `u32` tensor of one more number than
//! there are segments.

use candle_core::{DType, Tensor};

use super::machine::{Arg, Machine, int, one_type, pointer, scalar_suffix};
use crate::Result;
use crate::ops::Reduce;

fn start(kernel: &str, x: &Tensor, segments: usize, width: usize, args: &[Arg]) -> Result<()> {
    let name = format!("{kernel}_{}", scalar_suffix("segment", x.dtype())?);
    Machine::of(x)?.launch_each(&name, segments * width, args)
}

/// The reduced rows, and for extremes the row of each (`u32`).
pub(crate) fn segment_forward(x: &Tensor, offsets: &Tensor, reduce: Reduce) -> Result<(Tensor, Option<Tensor>)> {
    let (machine, segments, width) = (Machine::of(x)?, offsets.elem_count() - 1, x.dims()[1]);
    let y = machine.empty((segments, width), x.dtype())?;
    let (inputs, sizes) = ([pointer(x)?, pointer(offsets)?], [int(segments), int(width), pointer(&y)?]);
    let with = |choice: Arg, more: &[Arg]| [&inputs[..], &[choice], &sizes, more].concat();
    let mut places = None;
    match reduce {
        Reduce::Sum | Reduce::Mean => {
            let mean = Arg::Int(i64::from(reduce == Reduce::Mean));
            start("segment_sum", x, segments, width, &with(mean, &[]))?;
        }
        Reduce::Max | Reduce::Min => {
            let rows = machine.empty((segments, width), DType::U32)?;
            let largest = Arg::Int(i64::from(reduce == Reduce::Max));
            start("segment_extreme", x, segments, width, &with(largest, &[pointer(&rows)?]))?;
            places = Some(rows);
        }
        Reduce::Std { eps } => start("segment_std", x, segments, width, &with(Arg::Float(eps as f32), &[]))?,
    }
    Ok((y, places))
}

/// Gradient of the `rows` rows. `places` as [`segment_forward`] gave them; `x` is the input of a
/// standard deviation.
pub(crate) fn segment_backward(
    dy: &Tensor,
    offsets: &Tensor,
    rows: usize,
    reduce: Reduce,
    places: Option<&Tensor>,
    x: Option<&Tensor>,
) -> Result<Tensor> {
    let (machine, segments, width) = (Machine::of(dy)?, offsets.elem_count() - 1, dy.dims()[1]);
    let dx = machine.empty((rows, width), dy.dtype())?;
    let sizes = [int(segments), int(width), pointer(&dx)?];
    match (reduce, places, x) {
        (_, Some(places), _) => {
            let inputs = [pointer(dy)?, pointer(places)?, pointer(offsets)?];
            start("segment_extreme_backward", dy, segments, width, &[&inputs[..], &sizes].concat())?;
        }
        (Reduce::Std { eps }, _, Some(x)) => {
            one_type("segment", &[dy, x])?;
            let inputs = [pointer(dy)?, pointer(x)?, pointer(offsets)?, Arg::Float(eps as f32)];
            start("segment_std_backward", dy, segments, width, &[&inputs[..], &sizes].concat())?;
        }
        _ => {
            let inputs = [pointer(dy)?, pointer(offsets)?, Arg::Int(i64::from(reduce == Reduce::Mean))];
            start("segment_sum_backward", dy, segments, width, &[&inputs[..], &sizes].concat())?;
        }
    }
    Ok(dx)
}
