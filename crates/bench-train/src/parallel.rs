//! Several processes that train one model, each on its part of every minibatch.
//!
//! Row blocks are in the order of ranks, and every process has as many rows as every other.
//! Gradients are summed, not averaged: each process computes the exact gradient of the global
//! loss with respect to its own rows. Batch normalisation uses the rows of each process, as in
//! PyTorch's data parallel training without synchronised batch norm; the running statistics are
//! averaged after every step, so that all processes hold the same model. Every process must see
//! the same folder of checkpoints, of which the first writes; if one fails, the others wait for it
//! until they are stopped.

use std::ops::Range;

use bench_nn::distributed::{self, Communicator};
use bench_nn::{Gradients, Param, ParamSet};
use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// The part of a process in every minibatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Number of the process.
    pub rank: usize,
    /// How many there are.
    pub count: usize,
}

impl Share {
    /// All of it, for a process that is alone.
    pub const WHOLE: Share = Share { rank: 0, count: 1 };

    /// Its items of a minibatch of `total`.
    pub fn of(self, total: usize) -> Result<Range<usize>> {
        let Share { rank, count } = self;
        if !total.is_multiple_of(count) {
            return Err(Error::Parallel(format!("a minibatch of `{total}` compounds does not divide among `{count}`")));
        }
        let part = total / count;
        Ok(rank * part..(rank + 1) * part)
    }
}

/// The processes of a training, seen from one of them.
#[derive(Clone, Copy)]
pub struct Peers<'a> {
    link: &'a dyn Communicator,
    device: &'a Device,
}

impl<'a> Peers<'a> {
    /// Those that `link` connects; `device` is that of this process.
    pub fn new(link: &'a dyn Communicator, device: &'a Device) -> Peers<'a> {
        Peers { link, device }
    }

    /// Number of this process.
    pub fn rank(&self) -> usize {
        self.link.rank()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.link.size()
    }

    /// Which part of every minibatch this process encodes.
    pub fn share(&self) -> Share {
        Share { rank: self.rank(), count: self.count() }
    }

    /// Rows of all processes, in the order of ranks.
    pub(crate) fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        Ok(self.link.all_gather_rows(rows)?)
    }

    /// Where the `own` rows of this process lie among those of all.
    pub(crate) fn rows(&self, own: usize) -> Range<usize> {
        self.rank() * own..(self.rank() + 1) * own
    }

    /// Sums parameter gradients over processes.
    pub(crate) fn sum_gradients(&self, gradients: &mut Gradients) -> Result<()> {
        Ok(distributed::sum_gradients(gradients, self.link)?)
    }

    /// Whether `holds` for any process.
    pub(crate) fn any(&self, holds: bool) -> Result<bool> {
        Ok(self.sum(f64::from(u8::from(holds)))? > 0.0)
    }

    /// The number that the first process has.
    pub(crate) fn of_first(&self, number: f64) -> Result<f64> {
        self.sum(if self.rank() == 0 { number } else { 0.0 })
    }

    /// In two single-precision parts, because links between devices carry no double precision.
    fn sum(&self, number: f64) -> Result<f64> {
        let high = number as f32;
        let parts = Tensor::new(&[high, (number - f64::from(high)) as f32], self.device)?;
        let parts = self.link.all_reduce_sum(&parts)?.to_vec1::<f32>()?;
        Ok(f64::from(parts[0]) + f64::from(parts[1]))
    }

    /// Replaces running statistics by their mean over processes.
    pub fn average_buffers(&self, params: &ParamSet) -> Result<()> {
        let buffers: Vec<&Param> = params.iter().filter(|param| !param.trainable()).collect();
        // Copies: a process that is done changes its own in place while others may still read.
        let copies = buffers.iter().map(|param| param.tensor().copy()).collect::<Result<Vec<_>, _>>()?;
        let sums = self.link.all_reduce_sums(&copies.iter().collect::<Vec<_>>())?;
        for (param, sum) in buffers.into_iter().zip(sums) {
            param.assign(&(sum / self.count() as f64)?)?;
        }
        Ok(())
    }
}
