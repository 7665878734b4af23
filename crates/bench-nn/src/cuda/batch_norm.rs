//! Batch normalisation of tables `(rows, channels)`.

use candle_core::{DType, Tensor};

use super::machine::{
    Arg, Machine, Tiles, address, int, one_type, pack_suffix, pointer, pointer_or_null, scalar_suffix, structure,
};
use crate::{Error, Result};

/// What normalises a channel, each `(channels)`, `f32`: `y = (x - mean) inverse gamma + beta`.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'a> {
    pub(crate) mean: &'a Tensor,
    pub(crate) inverse: &'a Tensor,
    pub(crate) gamma: &'a Tensor,
    pub(crate) beta: &'a Tensor,
}

impl Affine<'_> {
    fn tensors(&self) -> [&Tensor; 4] {
        [self.mean, self.inverse, self.gamma, self.beta]
    }

    /// The structure `Channels` of the kernels.
    fn addresses(&self) -> Result<[u64; 4]> {
        let [mean, inverse, gamma, beta] = self.tensors().map(address);
        Ok([mean?, inverse?, gamma?, beta?])
    }
}

/// A table and how kernels cut it.
struct Table {
    machine: Machine,
    rows: usize,
    channels: usize,
    suffix: &'static str,
    tiles: Tiles,
}

impl Table {
    /// `like` are tables of activations; `statistics` are read in packs of the same width.
    fn of(like: &[&Tensor], statistics: &[&Tensor]) -> Result<Table> {
        let x = like[0];
        one_type("batch_norm", like)?;
        if let Some(wrong) = statistics.iter().find(|tensor| tensor.dtype() != DType::F32) {
            return Err(Error::unsupported("batch_norm", format!("statistics of type {:?}", wrong.dtype())));
        }
        let channels = x.dims().last().copied().unwrap_or(1);
        let all: Vec<&Tensor> = like.iter().chain(statistics).copied().collect();
        let (suffix, pack) = pack_suffix("batch_norm", channels, &all)?;
        let rows = x.elem_count() / channels.max(1);
        Ok(Table { machine: Machine::of(x)?, rows, channels, suffix, tiles: Tiles::new(rows, channels, pack) })
    }

    fn start(&self, kernel: &str, args: &[Arg]) -> Result<()> {
        self.machine.launch(&format!("batch_norm_{kernel}_{}", self.suffix), self.tiles.grid(), self.tiles.block, args)
    }

    /// Blocks of the second stage: 32 channels by eight lanes.
    fn finish(&self, kernel: &str, args: &[Arg]) -> Result<()> {
        self.machine.launch(kernel, [self.channels.div_ceil(32), 1, 1], [32, 8, 1], args)
    }
}

/// Mean and `1 / sqrt(variance + eps)` of each channel of `x`. With `running`, the running mean and
/// variance move by that momentum.
pub(crate) fn batch_norm_statistics(
    x: &Tensor,
    running: Option<(&Tensor, &Tensor, f64)>,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    let table = Table::of(&[x], &[])?;
    let Table { machine, rows, channels, tiles, .. } = table;
    let parts = machine.empty((tiles.parts, 2, channels), DType::F32)?;
    table.start("moments", &[pointer(x)?, int(rows), int(channels), pointer(&parts)?])?;
    let (mean, inverse) = (machine.empty(channels, DType::F32)?, machine.empty(channels, DType::F32)?);
    let (running_mean, running_variance, momentum) = match running {
        Some((mean, variance, momentum)) => {
            one_type("batch_norm", &[&parts, mean, variance])?;
            (pointer(mean)?, pointer(variance)?, momentum)
        }
        None => (Arg::Pointer(0), Arg::Pointer(0), 0.0),
    };
    let args = [
        pointer(&parts)?,
        int(tiles.parts),
        pointer(x)?,
        int(rows),
        int(channels),
        running_mean,
        running_variance,
        Arg::Double(momentum),
        Arg::Double(eps),
        pointer(&mean)?,
        pointer(&inverse)?,
    ];
    table.finish(&format!("batch_norm_finish_{}", scalar_suffix("batch_norm", x.dtype())?), &args)?;
    Ok((mean, inverse))
}

/// The same from running statistics.
pub(crate) fn running_statistics(mean: &Tensor, variance: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let (machine, channels) = (Machine::of(mean)?, mean.elem_count());
    if one_type("batch_norm", &[mean, variance])? != DType::F32 {
        return Err(Error::unsupported("batch_norm", format!("statistics of type {:?}", mean.dtype())));
    }
    let (mean_out, inverse) = (machine.empty(channels, DType::F32)?, machine.empty(channels, DType::F32)?);
    let outputs = [pointer(&mean_out)?, pointer(&inverse)?];
    let args = [pointer(mean)?, pointer(variance)?, int(channels), Arg::Double(eps), outputs[0], outputs[1]];
    machine.launch_each("batch_norm_running", channels, &args)?;
    Ok((mean_out, inverse))
}

/// `[relu]((x - mean) inverse gamma + beta [+ residual])`.
pub(crate) fn batch_norm_forward(
    x: &Tensor,
    affine: Affine<'_>,
    residual: Option<&Tensor>,
    relu: bool,
) -> Result<Tensor> {
    let y = Machine::of(x)?.empty(x.shape().clone(), x.dtype())?;
    let mut like = vec![x, &y];
    like.extend(residual);
    let table = Table::of(&like, &affine.tensors())?;
    let channels = affine.addresses()?;
    let args = [
        pointer(x)?,
        structure(&channels),
        pointer_or_null(residual)?,
        Arg::Int(i64::from(relu)),
        int(table.rows),
        int(table.channels),
        pointer(&y)?,
    ];
    table.start("forward", &args)?;
    Ok(y)
}

/// Gradients of a batch normalisation.
pub(crate) struct BatchNormGradients {
    pub(crate) x: Tensor,
    pub(crate) gamma: Tensor,
    pub(crate) beta: Tensor,
    /// The gradient behind the ReLU, if it was asked for.
    pub(crate) kept: Option<Tensor>,
}

/// Gradients from that of the output. `y` is the output if a residual was added before the ReLU;
/// `relu` says whether there was one; `of_batch` whether the statistics depend on `x`; `keep`
/// asks for the gradient behind the ReLU.
pub(crate) fn batch_norm_backward(
    x: &Tensor,
    dy: &Tensor,
    y: Option<&Tensor>,
    affine: Affine<'_>,
    relu: bool,
    of_batch: bool,
    keep: bool,
) -> Result<BatchNormGradients> {
    let machine = Machine::of(x)?;
    let dx = machine.empty(x.shape().clone(), x.dtype())?;
    let kept = if keep { Some(machine.empty(x.shape().clone(), x.dtype())?) } else { None };
    let mut like = vec![x, dy, &dx];
    like.extend(y);
    like.extend(kept.as_ref());
    let table = Table::of(&like, &affine.tensors())?;
    let Table { rows, channels, tiles, .. } = table;
    let addresses = affine.addresses()?;
    let mask = Arg::Int(match (relu, y) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(_)) => 2,
    });

    let parts = machine.empty((tiles.parts, 2, channels), DType::F32)?;
    let sums = [
        pointer(x)?,
        pointer(dy)?,
        pointer_or_null(y)?,
        structure(&addresses),
        mask,
        int(rows),
        int(channels),
        pointer(&parts)?,
    ];
    table.start("backward_sums", &sums)?;

    let (gamma, beta) = (machine.empty(channels, DType::F32)?, machine.empty(channels, DType::F32)?);
    let coefficients = machine.empty((3, channels), DType::F32)?;
    let finish = [
        pointer(&parts)?,
        int(tiles.parts),
        int(rows),
        int(channels),
        structure(&addresses),
        Arg::Int(i64::from(of_batch)),
        pointer(&gamma)?,
        pointer(&beta)?,
        pointer(&coefficients)?,
    ];
    table.finish("batch_norm_backward_finish", &finish)?;

    let apply = [
        pointer(x)?,
        pointer(dy)?,
        pointer_or_null(y)?,
        structure(&addresses),
        pointer(&coefficients)?,
        mask,
        int(rows),
        int(channels),
        pointer(&dx)?,
        pointer_or_null(kept.as_ref())?,
    ];
    table.start("backward_apply", &apply)?;
    Ok(BatchNormGradients { x: dx, gamma, beta, kept })
}
