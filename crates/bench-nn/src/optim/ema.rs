//! Exponential moving average of a network's parameters.
//!
//! What: `shadow <- momentum shadow + (1 - momentum) source` for trainable parameters; buffers
//! (running statistics) are copied. This is the teacher of self-distillation methods, and the
//! averaged weights of long runs.
//! Reference: He et al. 2020 (momentum encoder), Grill et al. 2020 (momentum rising to one).

use candle_core::Device;

use super::Cosine;
use crate::cpu::{optimise, update};
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, ParamSet, Result, view};

/// A network that follows another.
#[derive(Clone, Debug)]
pub struct Ema {
    source: ParamSet,
    shadow: ParamSet,
}

impl Ema {
    /// `shadow`, the parameters of a network built like that of `source` (names may differ, shapes
    /// not), becomes a copy of it.
    pub fn new(source: &ParamSet, shadow: &ParamSet) -> Result<Ema> {
        if source.len() != shadow.len() {
            return Err(Error::shape("ema", format!("{} parameters", source.len()), shadow.len()));
        }
        for (from, to) in source.iter().zip(shadow.iter()) {
            to.assign(from.tensor())?;
        }
        Ok(Ema { source: source.clone(), shadow: shadow.clone() })
    }

    /// The averaged parameters.
    pub fn shadow(&self) -> &ParamSet {
        &self.shadow
    }

    /// Moves the average: `momentum` of the old one stays.
    pub fn update(&self, momentum: f64) -> Result<()> {
        #[cfg(feature = "cuda")]
        let mut pairs = vec![];
        for (from, to) in self.source.iter().zip(self.shadow.iter()) {
            if !from.trainable() {
                to.assign(from.tensor())?;
                continue;
            }
            match to.tensor().device() {
                #[cfg(feature = "cuda")]
                device if cuda::handles(device) => pairs.push([to.tensor(), from.tensor()]),
                Device::Cpu => with_element!("ema", to.tensor(), T => {
                    let source = view::<T>(from.tensor())?;
                    update::<T, _>(to.tensor(), |shadow| optimise::blend(shadow, &source, momentum))
                })?,
                other => return Err(Error::unsupported("ema", format!("parameters on {other:?}"))),
            }
        }
        #[cfg(feature = "cuda")]
        cuda::blend(&pairs, momentum)?;
        Ok(())
    }
}

/// Momentum that rises from `start` to one along a cosine over `steps` updates.
pub fn rising_momentum(start: f64, steps: usize) -> Cosine {
    Cosine { start, end: 1.0, steps }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::super::testing::params;
    use super::*;
    use crate::check::normal;
    use crate::ops::testing::doubles;

    #[test]
    fn parameters_are_averaged_and_buffers_copied() {
        for (dtype, tolerance) in [(DType::F64, 1e-15), (DType::F32, 1e-6)] {
            let (source, shadow) = (params(dtype), params(dtype));
            source.get("bias").unwrap().assign(&normal(3, &[4]).unwrap()).unwrap();
            let ema = Ema::new(&source, &shadow).unwrap();
            let mut expected = doubles(source.get("bias").unwrap().tensor());
            assert_eq!(doubles(shadow.get("bias").unwrap().tensor()), expected);
            for step in 0..4 {
                let next = normal(10 + step, &[4]).unwrap().to_dtype(dtype).unwrap();
                source.get("bias").unwrap().assign(&next).unwrap();
                source.get("running_mean").unwrap().assign(&next).unwrap();
                let momentum = rising_momentum(0.9, 4).at(step as usize);
                ema.update(momentum).unwrap();
                for (expected, next) in expected.iter_mut().zip(doubles(&next)) {
                    *expected = momentum * *expected + (1.0 - momentum) * next;
                }
                for (got, expected) in doubles(ema.shadow().get("bias").unwrap().tensor()).iter().zip(&expected) {
                    assert!((got - expected).abs() < tolerance, "{got} {expected}");
                }
                assert_eq!(doubles(shadow.get("running_mean").unwrap().tensor()), doubles(&next));
            }
        }
    }

    #[test]
    fn networks_of_other_shapes_are_refused() {
        let builder = crate::Builder::new(bench_core::seed::Seed(1), DType::F32, &Device::Cpu);
        assert!(Ema::new(&params(DType::F32), &builder.finish()).is_err());
    }
}
