//! The temperature of a loss: fixed, or learnt through its logarithm.
//!
//! With a decoupled loss a learnable temperature has no optimum (the loss falls without bound as
//! it goes to zero), so it is kept within bounds, by default [0.01, 1], and fixed unless asked.

use bench_nn::{Builder, Init, Param, Role};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Settings of the temperature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TemperatureConfig {
    /// Where it starts, or stays.
    pub start: f64,
    /// Whether training changes it.
    pub learnable: bool,
    /// Least value of a learnable one.
    pub least: f64,
    /// Greatest value of a learnable one.
    pub greatest: f64,
}

impl Default for TemperatureConfig {
    fn default() -> TemperatureConfig {
        TemperatureConfig { start: 0.5, learnable: false, least: 0.01, greatest: 1.0 }
    }
}

/// The temperature of a model.
#[derive(Clone, Debug)]
pub struct Temperature {
    /// As configured.
    pub config: TemperatureConfig,
    /// Logarithm of a learnable temperature, named `log_temperature`. `[1]`
    pub log: Option<Param>,
    fixed: Tensor,
}

impl Temperature {
    /// From its settings; a learnable one becomes a parameter `log_temperature` of `builder`.
    ///
    /// # Errors
    /// Values that are not positive, or a start out of bounds.
    pub fn new(config: TemperatureConfig, builder: &Builder) -> Result<Temperature> {
        let TemperatureConfig { start, learnable, least, greatest } = config;
        if !(start.is_finite() && start > 0.0) {
            return Err(Error::setting("temperature.start", format!("`{start}` is not a positive number")));
        }
        if learnable && !(least > 0.0 && least <= start && start <= greatest && greatest.is_finite()) {
            let reason = format!("`{start}` is not between `{least}` and `{greatest}`, or these are not positive");
            return Err(Error::setting("temperature.start", reason));
        }
        let log = learnable
            .then(|| builder.param("log_temperature", 1, Role::Scalar, Init::Constant(start.ln())))
            .transpose()?;
        let fixed = scalar(start, builder.dtype(), builder.device())?;
        Ok(Temperature { config, log, fixed })
    }

    /// Its value. A scalar on the device
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn value(&self) -> Result<Tensor> {
        Ok(match &self.log {
            // Weights from elsewhere may lie out of bounds; the gradient still reaches the parameter.
            Some(log) => log.tensor().squeeze(0)?.exp()?.clamp(self.config.least, self.config.greatest)?,
            None => self.fixed.clone(),
        })
    }

    /// Gradient of the logarithm, from that of the temperature. `[] -> [1]`
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn log_gradient(&self, gradient: &Tensor) -> Result<Tensor> {
        Ok((gradient.to_dtype(self.fixed.dtype())? * self.value()?)?.reshape(1)?)
    }

    /// Brings a learnable temperature back within its bounds. To be called after each step.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn project(&self) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        Ok(log.assign(&log.tensor().clamp(self.config.least.ln(), self.config.greatest.ln())?)?)
    }
}

fn scalar(value: f64, dtype: DType, device: &Device) -> Result<Tensor> {
    Ok(Tensor::new(value, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
}
