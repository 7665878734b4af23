//! Adam with decoupled weight decay.
//!
//! What, for the `t`-th gradient `g` of a parameter `p`:
//! `p <- (1 - lr wd) p`, `m <- m + (1 - b1)(g - m)`, `v <- b2 v + (1 - b2) g^2`,
//! `p <- p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`; the corrections in double
//! precision. A parameter without a gradient is not touched, and does not decay.
//! A step whose gradients are not all finite changes nothing and is counted.
//! Where the state lives: moments, step counts and the count of skipped steps are tensors on the
//! device of the parameters, so that a device can decide to skip without telling the host.
//! Reference: Loshchilov and Hutter 2019; `torch.optim.AdamW`.

use candle_core::{DType, Device, Tensor};

use crate::cpu::optimise::{self, AdamWFactors};
use crate::cpu::{read, update};
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Element, Error, Gradients, Param, ParamSet, Result, Role, view};

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecayRule {
    /// All trainable ones, as PyTorch's single group does.
    #[default]
    All,
    /// Matrices, kernels and tables; not biases, normalisations and scalars.
    WeightsOnly,
}

impl DecayRule {
    fn decays(self, param: &Param) -> bool {
        self == DecayRule::All || param.role() == Role::Weight
    }
}

/// Constants of [`AdamW`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the squares.
    pub eps: f64,
    /// Decay of the parameters per unit of learning rate.
    pub weight_decay: f64,
    /// What decays.
    pub decay: DecayRule,
}

impl Default for AdamWOptions {
    fn default() -> AdamWOptions {
        AdamWOptions { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01, decay: DecayRule::All }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// Whether the parameters moved; `false` if a gradient was not finite. `None` where the device
    /// decides: [`AdamW::skipped`] tells later.
    pub applied: Option<bool>,
}

/// Rate and decay of one parameter.
#[derive(Clone, Copy, Debug)]
struct Group {
    lr_scale: f64,
    weight_decay: f64,
}

#[derive(Clone, Debug)]
struct Moments {
    mean: Tensor,
    square: Tensor,
}

/// The optimiser of one [`ParamSet`].
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    groups: Vec<Group>,
    /// By parameter index; buffers have none.
    moments: Vec<Option<Moments>>,
    /// Gradients applied to each parameter: `(params)`, `u32`.
    steps: Tensor,
    /// Steps that were not applied: `(1)`, `u32`.
    skipped: Tensor,
}

impl AdamW {
    /// Moments of zero for every trainable parameter of `params`.
    pub fn new(params: &ParamSet, options: AdamWOptions) -> Result<AdamW> {
        let device = params.iter().next().map_or(Device::Cpu, |param| param.tensor().device().clone());
        let mut groups = vec![];
        let mut moments = vec![];
        for param in params.iter() {
            let weight_decay = if options.decay.decays(param) { options.weight_decay } else { 0.0 };
            groups.push(Group { lr_scale: 1.0, weight_decay });
            let zeros = || param.tensor().zeros_like();
            moments.push(match param.trainable() {
                true => Some(Moments { mean: zeros()?, square: zeros()? }),
                false => None,
            });
        }
        let steps = Tensor::zeros(params.len(), DType::U32, &device)?;
        Ok(AdamW { options, groups, moments, steps, skipped: Tensor::zeros(1, DType::U32, &device)? })
    }

    /// Multiplies the learning rate of the parameters that `member` picks by `lr_scale`, and gives
    /// them their own decay if `weight_decay` is set (subject to the [`DecayRule`]).
    pub fn group(
        mut self,
        params: &ParamSet,
        member: impl Fn(&Param) -> bool,
        lr_scale: f64,
        weight_decay: Option<f64>,
    ) -> AdamW {
        for (param, group) in params.iter().zip(&mut self.groups).filter(|(param, _)| member(param)) {
            group.lr_scale = lr_scale;
            if let Some(weight_decay) = weight_decay.filter(|_| self.options.decay.decays(param)) {
                group.weight_decay = weight_decay;
            }
        }
        self
    }

    /// The constants.
    pub fn options(&self) -> AdamWOptions {
        self.options
    }

    /// Moves the parameters that have a gradient, unless a gradient is not finite.
    pub fn step(&mut self, params: &ParamSet, gradients: &Gradients, lr: f64) -> Result<StepReport> {
        let mut pairs = vec![];
        for param in params.trainable() {
            let Some(gradient) = gradients.param(param) else { continue };
            if gradient.dims() != param.tensor().dims() {
                let expected = format!("a gradient of {:?} for `{}`", param.tensor().dims(), param.name());
                return Err(Error::shape("adamw", expected, gradient.dims()));
            }
            if param.index() >= self.moments.len() {
                return Err(Error::shape("adamw", "the parameters it was made for", param.name()));
            }
            pairs.push((param, gradient.contiguous()?));
        }
        match self.steps.device() {
            #[cfg(feature = "cuda")]
            device if cuda::handles(device) => self.cuda_step(&pairs, lr),
            Device::Cpu => self.cpu_step(&pairs, lr),
            other => Err(Error::unsupported("adamw", format!("parameters on {other:?}"))),
        }
    }

    fn cpu_step(&mut self, pairs: &[(&Param, Tensor)], lr: f64) -> Result<StepReport> {
        for (_, gradient) in pairs {
            if !with_element!("adamw", gradient, T => Ok(optimise::finite::<T>(&view::<T>(gradient)?)))? {
                self.skipped = (&self.skipped + &Tensor::ones(1, DType::U32, &Device::Cpu)?)?;
                return Ok(StepReport { applied: Some(false) });
            }
        }
        let mut steps = read(&self.steps, <[u32]>::to_vec)?;
        for (param, gradient) in pairs {
            let index = param.index();
            let Some(moments) = &self.moments[index] else { continue };
            steps[index] += 1;
            let factors = self.factors(self.groups[index], steps[index], lr);
            with_element!("adamw", gradient, T => move_one::<T>(param, moments, gradient, factors))?;
        }
        self.steps = Tensor::from_vec(steps, self.steps.shape().clone(), &Device::Cpu)?;
        Ok(StepReport { applied: Some(true) })
    }

    /// Whether the gradients are finite is known to the device alone.
    #[cfg(feature = "cuda")]
    fn cuda_step(&mut self, pairs: &[(&Param, Tensor)], lr: f64) -> Result<StepReport> {
        let mut tensors = vec![];
        for (param, gradient) in pairs {
            let index = param.index();
            let (Some(Moments { mean, square }), Group { lr_scale, weight_decay }) =
                (&self.moments[index], self.groups[index])
            else {
                continue;
            };
            let rate = lr * lr_scale;
            let keep = 1.0 - rate * weight_decay;
            tensors.push(cuda::AdamWTensor { param: param.tensor(), gradient, mean, square, keep, rate, index });
        }
        let AdamWOptions { beta1, beta2, eps, .. } = self.options;
        let (steps, skipped) = (&self.steps, &self.skipped);
        cuda::adamw(&cuda::AdamWLists { tensors: &tensors, steps, skipped, beta1, beta2, eps })?;
        Ok(StepReport { applied: None })
    }

    fn factors(&self, group: Group, step: u32, lr: f64) -> AdamWFactors {
        let AdamWOptions { beta1, beta2, eps, .. } = self.options;
        let (lr, step) = (lr * group.lr_scale, f64::from(step));
        AdamWFactors {
            keep: 1.0 - lr * group.weight_decay,
            first: 1.0 - beta1,
            beta2,
            step: lr / (1.0 - beta1.powf(step)),
            root: (1.0 - beta2.powf(step)).sqrt(),
            eps,
        }
    }

    /// How many steps were not applied. Waits for the device.
    pub fn skipped(&self) -> Result<u32> {
        Ok(self.skipped.to_vec1::<u32>()?[0])
    }

    /// The state under names that [`AdamW::load`] takes: `mean.NAME`, `square.NAME` for each
    /// trainable parameter, `steps`, `skipped`.
    pub fn state(&self, params: &ParamSet) -> Vec<(String, Tensor)> {
        let mut state = vec![("steps".to_owned(), self.steps.clone()), ("skipped".to_owned(), self.skipped.clone())];
        for (param, moments) in params.iter().zip(&self.moments) {
            if let Some(moments) = moments {
                state.push((format!("mean.{}", param.name()), moments.mean.clone()));
                state.push((format!("square.{}", param.name()), moments.square.clone()));
            }
        }
        state
    }

    /// Takes back a saved state; `find` gives the tensor of a name, on any device.
    pub fn load(&mut self, params: &ParamSet, find: impl Fn(&str) -> Option<Tensor>) -> Result<()> {
        let take = |name: String, like: &Tensor| -> Result<Tensor> {
            let Some(found) = find(&name) else {
                return Err(Error::MissingTensor(name));
            };
            if found.dims() != like.dims() || found.dtype() != like.dtype() {
                let expected = format!("`{name}` of {:?} {:?}", like.dtype(), like.dims());
                return Err(Error::shape("adamw", expected, (found.dtype(), found.dims())));
            }
            // A copy: the moments change in place.
            Ok(found.to_device(like.device())?.contiguous()?.copy()?)
        };
        let mut moments = vec![];
        for (param, old) in params.iter().zip(&self.moments) {
            let loaded = old.as_ref().map(|old| {
                Ok::<_, Error>(Moments {
                    mean: take(format!("mean.{}", param.name()), &old.mean)?,
                    square: take(format!("square.{}", param.name()), &old.square)?,
                })
            });
            moments.push(loaded.transpose()?);
        }
        let (steps, skipped) = (take("steps".to_owned(), &self.steps)?, take("skipped".to_owned(), &self.skipped)?);
        (self.moments, self.steps, self.skipped) = (moments, steps, skipped);
        Ok(())
    }
}

fn move_one<T: Element>(param: &Param, moments: &Moments, gradient: &Tensor, factors: AdamWFactors) -> Result<()> {
    let gradient = view::<T>(gradient)?;
    update::<T, _>(param.tensor(), |p| {
        update::<T, _>(&moments.mean, |m| {
            update::<T, _>(&moments.square, |v| optimise::adamw(p, m, v, &gradient, factors))
        })
    })??
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::{Golden, Pair, golden, gradients, params, tensor};
    use super::*;
    use crate::check::normal;
    use crate::ops::testing::doubles;
    use crate::{Builder, Init};

    fn start(golden: &Golden, dtype: DType) -> (ParamSet, AdamW) {
        let params = params(dtype);
        params.get("weight").unwrap().assign(&tensor(&golden.weight, dtype)).unwrap();
        params.get("bias").unwrap().assign(&tensor(&golden.bias, dtype)).unwrap();
        let options =
            AdamWOptions { weight_decay: golden.weight_decay, decay: DecayRule::WeightsOnly, ..Default::default() };
        let is_bias = |param: &Param| param.role() == Role::Bias;
        let adamw = AdamW::new(&params, options).unwrap().group(&params, is_bias, golden.bias_lr_scale, Some(0.05));
        (params, adamw)
    }

    fn numbers(params: &ParamSet) -> Vec<Vec<f64>> {
        params.iter().map(|param| doubles(param.tensor())).collect()
    }

    fn close(got: &[f64], expected: &[f64], tolerance: f64) {
        let scale = expected.iter().fold(1.0f64, |scale, v| scale.max(v.abs()));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= tolerance * scale, "{got} instead of {expected}");
        }
    }

    #[test]
    fn steps_are_those_of_pytorch() {
        let golden = golden();
        for (dtype, states, tolerance) in [(DType::F64, &golden.f64, 1e-13), (DType::F32, &golden.f32, 1e-6)] {
            let (params, mut adamw) = start(&golden, dtype);
            for ((pair, state), &lr) in golden.gradients.iter().zip(states).zip(&golden.rates) {
                let report = adamw.step(&params, &gradients(pair, dtype), lr).unwrap();
                assert_eq!(report.applied, Some(true));
                let got = numbers(&params);
                close(&got[0], &state.weight, tolerance);
                close(&got[2], state.bias.as_ref().unwrap(), tolerance);
                assert_eq!(got[1], [0.5; 4]);
            }
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing_and_is_counted() {
        let golden = golden();
        let (params, mut adamw) = start(&golden, DType::F32);
        let (control, mut other) = start(&golden, DType::F32);
        for (step, pair) in golden.gradients.iter().enumerate() {
            if step == 1 {
                for bad in [f64::NAN, f64::INFINITY] {
                    let before = numbers(&params);
                    let broken = Pair { weight: pair.weight.clone(), bias: Some(vec![1.0, bad, 0.0, 0.0]) };
                    let report = adamw.step(&params, &gradients(&broken, DType::F32), 0.01).unwrap();
                    assert_eq!(report.applied, Some(false));
                    assert_eq!(before, numbers(&params));
                }
            }
            adamw.step(&params, &gradients(pair, DType::F32), 0.01).unwrap();
            other.step(&control, &gradients(pair, DType::F32), 0.01).unwrap();
        }
        assert_eq!(numbers(&params), numbers(&control));
        assert_eq!((adamw.skipped().unwrap(), other.skipped().unwrap()), (2, 0));
    }

    #[test]
    fn a_saved_state_continues_to_the_bit() {
        let golden = golden();
        let (params, mut adamw) = start(&golden, DType::F32);
        let (again, mut resumed) = start(&golden, DType::F32);
        for (step, pair) in golden.gradients.iter().enumerate() {
            if step == 3 {
                let state: BTreeMap<String, Tensor> =
                    adamw.state(&params).into_iter().map(|(name, tensor)| (name, tensor.copy().unwrap())).collect();
                assert_eq!(
                    state.keys().collect::<Vec<_>>(),
                    ["mean.bias", "mean.weight", "skipped", "square.bias", "square.weight", "steps"]
                );
                resumed.load(&again, |name| state.get(name).cloned()).unwrap();
                for (from, to) in params.iter().zip(again.iter()) {
                    to.assign(from.tensor()).unwrap();
                }
                let error = resumed.load(&again, |_| None).unwrap_err().to_string();
                assert!(error.contains("`mean.weight`"), "{error}");
            }
            adamw.step(&params, &gradients(pair, DType::F32), 0.01).unwrap();
            if step >= 3 {
                resumed.step(&again, &gradients(pair, DType::F32), 0.01).unwrap();
            }
        }
        assert_eq!(numbers(&params), numbers(&again));
    }

    #[test]
    fn a_gradient_of_another_shape_is_refused() {
        let params = params(DType::F32);
        let mut adamw = AdamW::new(&params, AdamWOptions::default()).unwrap();
        let mut gradients = Gradients::default();
        gradients.set(0, normal(1, &[5, 4]).unwrap());
        let error = adamw.step(&params, &gradients, 0.1).unwrap_err().to_string();
        assert!(error.contains("`weight`"), "{error}");
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let run = |threads: usize| {
            let builder = Builder::new(bench_core::seed::Seed(1), DType::F32, &Device::Cpu);
            builder.param("weight", 70_001, Role::Weight, Init::Normal { std: 1.0 }).unwrap();
            let params = builder.finish();
            let mut gradients = Gradients::default();
            gradients.set(0, normal(2, &[70_001]).unwrap().to_dtype(DType::F32).unwrap());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let norm = super::super::clip_gradient_norm(&mut gradients, 1.0).unwrap().value().unwrap();
                let mut adamw = AdamW::new(&params, AdamWOptions::default()).unwrap();
                for _ in 0..3 {
                    adamw.step(&params, &gradients, 0.01).unwrap();
                }
                (norm.to_bits(), numbers(&params))
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}
