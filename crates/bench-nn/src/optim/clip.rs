//! Gradient clipping by the norm of all gradients together.
//!
//! What: with `n` the Euclidean norm over all parameter gradients, multiplies each by
//! `min(1, max / (n + 1e-6))`. A norm that is not finite leaves them as they are: the optimiser
//! then skips the step.
//! Reference: `torch.nn.utils.clip_grad_norm_`.

use candle_core::{DType, Device, Tensor};

use crate::cpu::optimise;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Gradients, Result, from_values, view};

const EPS: f64 = 1e-6;

/// The norm of the gradients before clipping; a number that may still be on its way from a device.
#[derive(Clone, Debug)]
pub struct GradientNorm(Tensor);

impl GradientNorm {
    /// The norm. Waits for the device.
    pub fn value(&self) -> Result<f64> {
        Ok(self.0.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }
}

/// Scales the parameter gradients so that their common norm is at most `max`, and gives the norm
/// they had.
pub fn clip_gradient_norm(gradients: &mut Gradients, max: f64) -> Result<GradientNorm> {
    let device = gradients.iter().next().map_or(Device::Cpu, |(_, gradient)| gradient.device().clone());
    match device {
        #[cfg(feature = "cuda")]
        device if cuda::handles(&device) => on_cuda(gradients, max),
        Device::Cpu => cpu(gradients, max),
        other => Err(Error::unsupported("clip_gradient_norm", format!("gradients on {other:?}"))),
    }
}

#[cfg(feature = "cuda")]
fn on_cuda(gradients: &mut Gradients, max: f64) -> Result<GradientNorm> {
    let (indices, parts): (Vec<usize>, Vec<&Tensor>) = gradients.iter().unzip();
    let parts = parts.into_iter().map(Tensor::contiguous).collect::<candle_core::Result<Vec<_>>>()?;
    let (norm, scaled) = cuda::clip(&parts.iter().collect::<Vec<_>>(), max)?;
    for (index, gradient) in indices.into_iter().zip(scaled) {
        gradients.set(index, gradient);
    }
    Ok(GradientNorm(norm))
}

fn cpu(gradients: &mut Gradients, max: f64) -> Result<GradientNorm> {
    let mut sum = 0.0;
    for (_, gradient) in gradients.iter() {
        let gradient = gradient.contiguous()?;
        sum += with_element!("clip_gradient_norm", gradient, T => Ok(optimise::squares::<T>(&view::<T>(&gradient)?)))?;
    }
    let norm = sum.sqrt();
    let factor = max / (norm + EPS);
    if norm.is_finite() && factor < 1.0 {
        let mut scaled = vec![];
        for (index, gradient) in gradients.iter() {
            // Not in place: two parameters may share one gradient.
            let gradient = gradient.contiguous()?;
            scaled.push((
                index,
                with_element!("clip_gradient_norm", gradient, T => {
                    from_values(optimise::scaled::<T>(&view::<T>(&gradient)?, factor), gradient.shape().clone())
                })?,
            ));
        }
        for (index, gradient) in scaled {
            gradients.set(index, gradient);
        }
    }
    Ok(GradientNorm(Tensor::new(norm, &Device::Cpu)?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{golden, gradients};
    use super::*;
    use crate::ops::testing::doubles;

    #[test]
    fn norms_and_gradients_are_those_of_pytorch() {
        let golden = golden();
        for clip in &golden.clip {
            let mut parts = gradients(&golden.gradients[0], DType::F64);
            let norm = clip_gradient_norm(&mut parts, clip.limit).unwrap().value().unwrap();
            assert!((norm - clip.norm).abs() < 1e-12 * clip.norm);
            for (got, expected) in [(0, &clip.weight), (2, &clip.bias)] {
                for (got, expected) in doubles(parts.at(got).unwrap()).iter().zip(expected) {
                    assert!((got - expected).abs() < 1e-13, "{got} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn a_gradient_that_two_parameters_share_is_scaled_once() {
        let shared = Tensor::new(&[3f32, 4.0], &Device::Cpu).unwrap();
        let mut parts = Gradients::default();
        parts.set(0, shared.clone());
        parts.set(3, shared);
        clip_gradient_norm(&mut parts, 1.0).unwrap();
        for index in [0, 3] {
            let length: f64 = doubles(parts.at(index).unwrap()).iter().map(|v| v * v).sum();
            assert!((length - 0.5).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn a_norm_that_is_not_finite_leaves_the_gradients() {
        let mut parts = Gradients::default();
        parts.set(0, Tensor::new(&[1f32, f32::NAN], &Device::Cpu).unwrap());
        assert!(clip_gradient_norm(&mut parts, 0.1).unwrap().value().unwrap().is_nan());
        assert_eq!(doubles(parts.at(0).unwrap())[0], 1.0);
        assert_eq!(clip_gradient_norm(&mut Gradients::default(), 0.1).unwrap().value().unwrap(), 0.0);
    }
}
