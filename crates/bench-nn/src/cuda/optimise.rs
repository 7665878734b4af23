//! What the optimiser does to all parameters at once.
//!
//! Tensors go to the kernels in lists of up to 64 that travel with the launch, so a step of a
//! network is a handful of launches, and nothing is copied from the host.

use candle_core::{DType, Tensor};

use super::machine::{Arg, Machine, address, int, pointer, structure};
use crate::{Error, Result};

const MOST: usize = 64;

/// The structure `Tensors` of the kernels.
#[repr(C)]
struct List {
    addresses: [[u64; MOST]; 4],
    count: [i64; MOST],
    keep: [f32; MOST],
    rate: [f32; MOST],
    index: [u32; MOST],
}

impl List {
    /// `tensors` of one entry lie side by side; at most [`MOST`] entries of at most four.
    fn new<const N: usize>(entries: &[[&Tensor; N]]) -> Result<List> {
        let mut list = List {
            addresses: [[0; MOST]; 4],
            count: [0; MOST],
            keep: [0.0; MOST],
            rate: [0.0; MOST],
            index: [0; MOST],
        };
        for (slot, tensors) in entries.iter().enumerate() {
            for (kind, tensor) in tensors.iter().enumerate() {
                if tensor.dtype() != DType::F32 {
                    return Err(Error::unsupported("optimiser", format!("{:?} on a CUDA device", tensor.dtype())));
                }
                list.addresses[kind][slot] = address(tensor)?;
            }
            list.count[slot] = tensors[0].elem_count() as i64;
        }
        Ok(list)
    }

    /// Blocks for the largest tensor, a thread taking at least four numbers; the second dimension
    /// is the tensor.
    fn grid(&self, entries: usize) -> [usize; 3] {
        let largest = self.count.iter().copied().max().unwrap_or(0) as usize;
        [largest.div_ceil(4 * 256).clamp(1, 256), entries, 1]
    }
}

const THREADS: [usize; 3] = [256, 1, 1];

/// One parameter of an AdamW step.
pub(crate) struct AdamWTensor<'a> {
    pub(crate) param: &'a Tensor,
    pub(crate) gradient: &'a Tensor,
    pub(crate) mean: &'a Tensor,
    pub(crate) square: &'a Tensor,
    /// `1 - lr weight_decay`.
    pub(crate) keep: f64,
    /// Learning rate.
    pub(crate) rate: f64,
    /// Which number of `steps` counts its steps.
    pub(crate) index: usize,
}

/// What the tensors of a step share: counters on the device (`u32`) and constants.
pub(crate) struct AdamWLists<'a> {
    pub(crate) tensors: &'a [AdamWTensor<'a>],
    /// Steps of every parameter.
    pub(crate) steps: &'a Tensor,
    /// Steps that were not taken, `(1)`.
    pub(crate) skipped: &'a Tensor,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
}

/// A step in place, or a count of it as skipped if a gradient is not finite.
pub(crate) fn adamw(step: &AdamWLists<'_>) -> Result<()> {
    let AdamWLists { tensors, steps, skipped, beta1, beta2, eps } = *step;
    let machine = Machine::of(steps)?;
    let flag = machine.zeros(1, DType::U32)?;
    let corrections = machine.empty((steps.elem_count(), 2), DType::F32)?;
    let mut lists = vec![];
    for tensors in tensors.chunks(MOST) {
        let entries: Vec<_> = tensors.iter().map(|t| [t.param, t.gradient, t.mean, t.square]).collect();
        let mut list = List::new(&entries)?;
        for (slot, tensor) in tensors.iter().enumerate() {
            list.keep[slot] = tensor.keep as f32;
            list.rate[slot] = tensor.rate as f32;
            list.index[slot] = tensor.index as u32;
        }
        let finite = [structure(&list), pointer(&flag)?];
        machine.launch("find_not_finite", list.grid(tensors.len()), THREADS, &finite)?;
        lists.push((tensors.len(), list));
    }
    machine.launch("count_skipped", [1; 3], [1; 3], &[pointer(&flag)?, pointer(skipped)?])?;
    for (entries, list) in &lists {
        let counters = [pointer(&flag)?, pointer(steps)?, Arg::Double(beta1), Arg::Double(beta2)];
        let advance = [&[structure(list), int(*entries)][..], &counters, &[pointer(&corrections)?]].concat();
        machine.launch("adamw_advance", [1; 3], [MOST, 1, 1], &advance)?;
        let constants = [1.0 - beta1, beta2, 1.0 - beta2, eps].map(|constant| Arg::Float(constant as f32));
        let args = [&[structure(list), pointer(&flag)?, pointer(&corrections)?][..], &constants].concat();
        machine.launch("adamw", list.grid(*entries), THREADS, &args)?;
    }
    Ok(())
}

/// The norm of all `gradients` together (a scalar on the device), and the gradients times
/// `min(1, max / (norm + 1e-6))`; as they are if the norm is not finite.
pub(crate) fn clip(gradients: &[&Tensor], max: f64) -> Result<(Tensor, Vec<Tensor>)> {
    let Some(first) = gradients.first() else {
        return Err(Error::shape("clip_gradient_norm", "at least one gradient", gradients.len()));
    };
    let machine = Machine::of(first)?;
    let mut scaled = vec![];
    for gradient in gradients {
        scaled.push(machine.empty(gradient.shape().clone(), DType::F32)?);
    }
    let pairs: Vec<_> = gradients.iter().zip(&scaled).map(|(gradient, scaled)| [*gradient, scaled]).collect();
    let lists =
        pairs.chunks(MOST).map(|pairs| Ok((List::new(pairs)?, pairs.len()))).collect::<Result<Vec<(List, usize)>>>()?;

    let blocks = |(list, entries): &(List, usize)| list.grid(*entries)[0] * entries;
    let parts = machine.empty(lists.iter().map(blocks).sum::<usize>(), DType::F64)?;
    let mut start = 0;
    for (list, entries) in &lists {
        let grid = list.grid(*entries);
        let len = grid[0] * entries;
        let here = parts.narrow(0, start, len)?;
        machine.launch("square_sums", grid, THREADS, &[structure(list), pointer(&here)?])?;
        start += len;
    }
    let (norm, factor) = (machine.empty((), DType::F32)?, machine.empty(1, DType::F32)?);
    let outputs = [pointer(&norm)?, pointer(&factor)?];
    machine.launch(
        "finish_norm",
        [1; 3],
        THREADS,
        &[pointer(&parts)?, int(start), Arg::Double(max), outputs[0], outputs[1]],
    )?;
    for (list, entries) in &lists {
        machine.launch("scale_all", list.grid(*entries), THREADS, &[structure(list), outputs[1]])?;
    }
    Ok((norm, scaled))
}

/// In place: `to <- momentum to + (1 - momentum) from` of each pair `[to, from]`.
pub(crate) fn blend(pairs: &[[&Tensor; 2]], momentum: f64) -> Result<()> {
    for pairs in pairs.chunks(MOST) {
        let (machine, list) = (Machine::of(pairs[0][0])?, List::new(pairs)?);
        let args = [structure(&list), Arg::Float(momentum as f32), Arg::Float((1.0 - momentum) as f32)];
        machine.launch("blend_all", list.grid(pairs.len()), THREADS, &args)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_fits_into_the_arguments_of_a_launch() {
        // CUDA guarantees 4096 bytes; up to 64 are needed beside the list.
        assert!(size_of::<super::List>() <= 4096 - 64);
        assert_eq!(size_of::<super::List>(), super::MOST * (4 * 8 + 8 + 3 * 4));
    }
}
