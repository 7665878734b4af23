//! Parameters: named tensors that training changes in place, and how they start.
//!
//! Every initial value comes from a stream seeded by (seed, parameter name), so it does not
//! depend on the order in which a network is built, on the device, or on the thread count.

use std::sync::{Arc, Mutex, PoisonError};

use bench_core::seed::Seed;
use candle_core::{DType, Device, Shape, Tensor};

use crate::{Error, Result};

/// What a parameter is for, which decides weight decay and whether it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Matrix, kernel or table.
    Weight,
    /// Added per output.
    Bias,
    /// Scale or shift of a normalisation.
    Norm,
    /// A single number such as the logarithm of a temperature.
    Scalar,
    /// Running statistics: saved with the parameters, never trained nor decayed.
    Buffer,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same number.
    Constant(f64),
    /// Normal with mean zero.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in (-bound, bound).
    Uniform {
        /// Half the width.
        bound: f64,
    },
    /// He et al. 2015 for ReLU, normal: standard deviation sqrt(2 / fan).
    KaimingNormal {
        /// Connections per output (or input) unit.
        fan: usize,
    },
    /// Glorot & Bengio 2010, uniform: bound gain * sqrt(6 / (fan_in + fan_out)).
    XavierUniform {
        /// Inputs per unit.
        fan_in: usize,
        /// Outputs per unit.
        fan_out: usize,
        /// Factor on the bound.
        gain: f64,
    },
}

impl Init {
    fn values(self, count: usize, seed: Seed) -> Vec<f64> {
        let mut stream = seed.stream();
        let mut uniform = |bound: f64| (0..count).map(|_| (2.0 * stream.uniform() - 1.0) * bound).collect();
        match self {
            Init::Constant(value) => vec![value; count],
            Init::Uniform { bound } => uniform(bound),
            Init::XavierUniform { fan_in, fan_out, gain } => uniform(gain * (6.0 / (fan_in + fan_out) as f64).sqrt()),
            Init::Normal { std } => (0..count).map(|_| stream.normal() * std).collect(),
            Init::KaimingNormal { fan } => {
                let std = (2.0 / fan as f64).sqrt();
                (0..count).map(|_| stream.normal() * std).collect()
            }
        }
    }
}

/// A named tensor of a network. Clones share the numbers.
#[derive(Clone, Debug)]
pub struct Param(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: usize,
    name: String,
    role: Role,
    tensor: Tensor,
}

impl Param {
    /// Position in its [`ParamSet`].
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Full name, such as `image.layer1.0.conv1.weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Whether an optimiser changes it.
    pub fn trainable(&self) -> bool {
        self.0.role != Role::Buffer
    }

    /// The numbers; clones of this tensor see every update.
    pub fn tensor(&self) -> &Tensor {
        &self.0.tensor
    }

    /// Replaces the numbers, in place.
    pub fn assign(&self, values: &Tensor) -> Result<()> {
        let target = self.tensor();
        if values.dims() != target.dims() {
            return Err(Error::shape("assign", format!("{:?} for `{}`", target.dims(), self.name()), values.dims()));
        }
        let values = values.to_dtype(target.dtype())?.to_device(target.device())?.contiguous()?;
        Ok(target.slice_set(&values, 0, 0)?)
    }
}

/// All parameters of a model, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct ParamSet {
    params: Vec<Param>,
}

impl ParamSet {
    /// All of them, buffers too.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// Those that an optimiser changes.
    pub fn trainable(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|param| param.trainable())
    }

    /// By full name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name() == name)
    }

    /// How many tensors.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// How many numbers an optimiser changes.
    pub fn trainable_count(&self) -> usize {
        self.trainable().map(|param| param.tensor().elem_count()).sum()
    }
}

/// Makes the parameters of a network under a prefix.
#[derive(Clone)]
pub struct Builder {
    registry: Arc<Mutex<Vec<Param>>>,
    prefix: String,
    seed: Seed,
    dtype: DType,
    device: Device,
}

impl Builder {
    /// Parameters of type `dtype` (`F32`, or `F64` to check gradients) on `device`.
    pub fn new(seed: Seed, dtype: DType, device: &Device) -> Builder {
        Builder { registry: Arc::default(), prefix: String::new(), seed, dtype, device: device.clone() }
    }

    /// The same builder under `prefix.name.`.
    pub fn within(&self, name: impl std::fmt::Display) -> Builder {
        Builder { prefix: format!("{}{name}.", self.prefix), ..self.clone() }
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Their type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Makes a parameter.
    pub fn param(&self, name: &str, shape: impl Into<Shape>, role: Role, init: Init) -> Result<Param> {
        let (name, shape) = (format!("{}{name}", self.prefix), shape.into());
        let values = init.values(shape.elem_count(), self.seed.derive(&name, 0));
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)?;
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.iter().any(|param| param.name() == name) {
            return Err(Error::DuplicateParameter(name));
        }
        let param = Param(Arc::new(Inner { index: registry.len(), name, role, tensor }));
        registry.push(param.clone());
        Ok(param)
    }

    /// Everything made so far.
    pub fn finish(&self) -> ParamSet {
        ParamSet { params: self.registry.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}
