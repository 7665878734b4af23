//! Tables side by side, and some columns of one.

use candle_core::{Device, Tensor};

use super::shape::{no_kernel, table};
use crate::cpu::table as kernel;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Result, Tape, Value, from_values, view};

/// Joins values along the last dimension; the other dimensions agree.
pub fn concat(tape: &mut Tape, parts: &[&Value]) -> Result<Value> {
    let tensors: Vec<&Tensor> = parts.iter().map(|part| part.tensor()).collect();
    let (output, widths) = join(&tensors)?;
    Ok(tape.record(parts, output, move |dy| {
        let dy = dy.contiguous()?;
        let mut start = 0;
        let mut gradients = vec![];
        for width in widths {
            gradients.push(Some(cut(&dy, start, width)?));
            start += width;
        }
        Ok(gradients)
    }))
}

/// Columns `start..start + len` of the last dimension.
pub fn slice(tape: &mut Tape, x: &Value, start: usize, len: usize) -> Result<Value> {
    let output = cut(x.tensor(), start, len)?;
    let dims = x.dims().to_vec();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(widen(&dy.contiguous()?, &dims, start)?)])))
}

fn join(parts: &[&Tensor]) -> Result<(Tensor, Vec<usize>)> {
    let Some(first) = parts.first() else {
        return Err(Error::shape("concat", "at least one part", parts.len()));
    };
    let mut widths = vec![];
    for part in parts {
        let (_, width) = table("concat", part)?;
        if part.dims().split_last().map(|last| last.1) != first.dims().split_last().map(|last| last.1) {
            return Err(Error::shape(
                "concat",
                format!("all but the last dimension of {:?}", first.dims()),
                part.dims(),
            ));
        }
        widths.push(width);
    }
    let mut dims = first.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = widths.iter().sum();
    }
    let joined = match first.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::concat(parts, &dims),
        Device::Cpu => with_element!("concat", first, T => {
            let views = parts.iter().map(|part| view::<T>(part)).collect::<Result<Vec<_>>>()?;
            let slices: Vec<&[T]> = views.iter().map(|view| &**view).collect();
            from_values(kernel::concat(&slices, &widths), dims)
        }),
        other => no_kernel("concat", other),
    };
    Ok((joined?, widths))
}

fn cut(x: &Tensor, start: usize, len: usize) -> Result<Tensor> {
    let (_, width) = table("slice", x)?;
    if len == 0 || start + len > width {
        return Err(Error::shape("slice", format!("columns {start}..{}", start + len), x.dims()));
    }
    let mut dims = x.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = len;
    }
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::slice(x, start, len, &dims),
        Device::Cpu => with_element!("slice", x, T => {
            from_values(kernel::columns(&view::<T>(x)?, width, start, len), dims)
        }),
        other => no_kernel("slice", other),
    }
}

/// A tensor of shape `dims` with `dy` in the columns from `start`, zero elsewhere.
fn widen(dy: &Tensor, dims: &[usize], start: usize) -> Result<Tensor> {
    let (_, len) = table("slice", dy)?;
    let width = dims[dims.len() - 1];
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::widen(dy, dims, start),
        Device::Cpu => with_element!("slice", dy, T => {
            from_values(kernel::widened(&view::<T>(dy)?, width, start, len), dims)
        }),
        other => no_kernel("slice", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_right() {
        for case in goldens("concat") {
            case.check(|tape, x| concat(tape, &x.iter().collect::<Vec<_>>()));
        }
        for case in goldens("slice") {
            case.check(|tape, x| slice(tape, &x[0], case.number("start"), case.number("len")));
        }
        let parts = [normal(1, &[2, 3, 4]).unwrap(), normal(2, &[2, 3, 1]).unwrap()];
        assert_gradients(&parts, |tape, x| concat(tape, &[&x[0], &x[1], &x[0]]));
        assert_gradients(&parts[..1], |tape, x| slice(tape, &x[0], 1, 2));
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let parts = [singles(1, &[1500, 20]), singles(2, &[1500, 33])];
        assert_same_bits(&parts, |tape, x| concat(tape, &[&x[0], &x[1]]));
        assert_same_bits(&parts[1..], |tape, x| slice(tape, &x[0], 3, 29));
    }

    #[test]
    fn rows_that_differ_and_columns_outside_are_refused() {
        let mut tape = Tape::inference();
        let (a, b) = (tape.input(singles(1, &[4, 3])), tape.input(singles(1, &[5, 3])));
        assert!(concat(&mut tape, &[&a, &b]).is_err());
        assert!(concat(&mut tape, &[]).is_err());
        assert!(slice(&mut tape, &a, 2, 2).is_err());
        assert!(slice(&mut tape, &a, 1, 0).is_err());
    }
}
