//! Averaged weights beside the trained ones.

use bench_core::Seed;
use bench_nn::optim::Ema;
use bench_nn::{Builder, Init, ParamSet};
use candle_core::{DType, Device, Tensor};

use crate::Result;

/// Weights that follow the trained ones: `momentum` of the old average stays at each step.
#[derive(Debug)]
pub(crate) struct Averaged {
    ema: Ema,
    momentum: f64,
}

impl Averaged {
    /// Starts as a copy of `params`.
    pub(crate) fn new(params: &ParamSet, momentum: f64) -> Result<Averaged> {
        let first = params.iter().next().map(|param| (param.tensor().dtype(), param.tensor().device().clone()));
        let (dtype, device) = first.unwrap_or((DType::F32, Device::Cpu));
        // The start does not matter: the average becomes a copy at once.
        let builder = Builder::new(Seed(0), dtype, &device);
        for param in params.iter() {
            builder.param(param.name(), param.tensor().shape().clone(), param.role(), Init::Constant(0.0))?;
        }
        Ok(Averaged { ema: Ema::new(params, &builder.finish())?, momentum })
    }

    /// The averages, under the names of the parameters.
    pub(crate) fn shadow(&self) -> &ParamSet {
        self.ema.shadow()
    }

    /// Moves the averages towards the parameters.
    pub(crate) fn update(&self) -> Result<()> {
        Ok(self.ema.update(self.momentum)?)
    }

    /// Runs `body` with the averages in place of the trained weights, which are put back
    /// afterwards bit by bit, whatever `body` gives.
    pub(crate) fn in_place<T>(&self, params: &ParamSet, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let trained = snapshot(params, |_| true)?;
        for (param, average) in params.iter().zip(self.shadow().iter()) {
            param.assign(average.tensor())?;
        }
        let result = body();
        trained.restore(params)?;
        result
    }
}

/// Copies of some parameters.
pub(crate) struct Snapshot(Vec<(usize, Tensor)>);

/// Copies the parameters that `pick` names.
pub(crate) fn snapshot(params: &ParamSet, pick: impl Fn(&bench_nn::Param) -> bool) -> Result<Snapshot> {
    let picked = params.iter().filter(|param| pick(param));
    Ok(Snapshot(picked.map(|param| Ok((param.index(), param.tensor().copy()?))).collect::<Result<_>>()?))
}

impl Snapshot {
    /// Puts the copies back.
    pub(crate) fn restore(&self, params: &ParamSet) -> Result<()> {
        let mut copies = self.0.iter().peekable();
        for param in params.iter() {
            if let Some((_, copy)) = copies.next_if(|(index, _)| *index == param.index()) {
                param.assign(copy)?;
            }
        }
        Ok(())
    }
}
