//! Convolution of images `(n, height, width, channels)`.
//!
//! What: `y[n, i, j, o] = sum over (h, w, c): x[n, i stride + h - padding, j stride + w - padding, c]
//! weight[o, h, w, c]`, zeros outside the image, no bias (a normalisation follows).
//! Why: the layer of every image encoder here, and nearly all of its arithmetic.
//! On the CPU through [`crate::cpu::conv`], on CUDA devices through cuDNN. The input and the weights
//! are all that is kept for the backward pass.
//! Reference: `torch.nn.functional.conv2d`.

use candle_core::{Device, Tensor};

use super::shape::no_kernel;
use crate::cpu::{Geometry, conv};
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Precision, Result, Tape, Value, from_values, view};

/// How windows lie on the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Distance between windows, pixels; at least one.
    pub stride: usize,
    /// Zeros on each side of the image, pixels.
    pub padding: usize,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: 1, padding: 0 }
    }
}

/// Convolution of `x (n, h, w, c)` with `weight (o, kh, kw, c)`: `(n, h', w', o)`,
/// `h' = (h + 2 padding - kh) / stride + 1`. The gradient of an image that needs none is not computed.
pub fn conv2d(tape: &mut Tape, x: &Value, weight: &Value, options: ConvOptions) -> Result<Value> {
    let geometry = geometry(x.tensor(), weight.tensor(), options)?;
    let tf32 = tape.precision() == Precision::Tf32;
    let (input, kernel) = (x.tensor().contiguous()?, weight.tensor().contiguous()?);
    let output = forward(&input, &kernel, &geometry, tf32)?;
    let (needs_input, needs_weight) = (x.requires_grad(), weight.requires_grad());
    Ok(tape.record(&[x, weight], output, move |dy| {
        let dy = dy.contiguous()?;
        let dx = if needs_input { Some(backward_input(&dy, &kernel, &geometry, tf32)?) } else { None };
        let dweight = if needs_weight { Some(backward_weight(&input, &dy, &geometry, tf32)?) } else { None };
        Ok(vec![dx, dweight])
    }))
}

fn geometry(x: &Tensor, weight: &Tensor, ConvOptions { stride, padding }: ConvOptions) -> Result<Geometry> {
    let (&[images, height, width, channels], &[outputs, kernel_h, kernel_w, inputs]) = (x.dims(), weight.dims()) else {
        let expected = "images (n, height, width, channels) and weights (out, kernel_h, kernel_w, channels)";
        return Err(Error::shape("conv2d", expected, (x.dims(), weight.dims())));
    };
    if channels != inputs || channels * outputs * kernel_h * kernel_w == 0 {
        let expected = format!("weights (out, kernel_h, kernel_w, {channels}) that are not empty");
        return Err(Error::shape("conv2d", expected, weight.dims()));
    }
    if stride == 0 || height + 2 * padding < kernel_h || width + 2 * padding < kernel_w {
        let expected = format!("a stride of at least 1 and images of at least {kernel_h}x{kernel_w} with padding");
        return Err(Error::shape("conv2d", expected, (x.dims(), stride, padding)));
    }
    if x.dtype() != weight.dtype() {
        return Err(Error::unsupported("conv2d", format!("{:?} images with {:?} weights", x.dtype(), weight.dtype())));
    }
    Ok(Geometry { images, height, width, channels, outputs, kernel_h, kernel_w, stride, padding })
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn forward(x: &Tensor, weight: &Tensor, g: &Geometry, tf32: bool) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::conv_forward(x, weight, g.stride, g.padding, tf32),
        Device::Cpu => with_element!("conv2d", x, T => {
            let y = conv::forward(&view::<T>(x)?, &view::<T>(weight)?, g);
            from_values(y, (g.images, g.out_height(), g.out_width(), g.outputs))
        }),
        other => no_kernel("conv2d", other),
    }
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn backward_input(dy: &Tensor, weight: &Tensor, g: &Geometry, tf32: bool) -> Result<Tensor> {
    let dims = [g.images, g.height, g.width, g.channels];
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::conv_backward_data(dy, weight, &dims, g.stride, g.padding, tf32),
        Device::Cpu => with_element!("conv2d", dy, T => {
            from_values(conv::backward_input(&view::<T>(dy)?, &view::<T>(weight)?, g), &dims)
        }),
        other => no_kernel("conv2d", other),
    }
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn backward_weight(x: &Tensor, dy: &Tensor, g: &Geometry, tf32: bool) -> Result<Tensor> {
    let dims = [g.outputs, g.kernel_h, g.kernel_w, g.channels];
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::conv_backward_filter(dy, x, &dims, g.stride, g.padding, tf32),
        Device::Cpu => with_element!("conv2d", dy, T => {
            from_values(conv::backward_weight(&view::<T>(x)?, &view::<T>(dy)?, g), &dims)
        }),
        other => no_kernel("conv2d", other),
    }
}

#[cfg(test)]
mod tests {
    use bench_core::seed::Seed;
    use candle_core::DType;

    use super::super::testing::{assert_same_bits, conv_goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in conv_goldens("conv2d") {
            let options = ConvOptions { stride: case.number("stride"), padding: case.number("padding") };
            case.check(|tape, x| conv2d(tape, &x[0], &x[1], options));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for (kernel, stride, padding) in [([3, 3], 1, 1), ([3, 2], 2, 1), ([1, 1], 2, 0), ([4, 4], 3, 2)] {
            let inputs = [normal(1, &[2, 6, 5, 3]).unwrap(), normal(2, &[4, kernel[0], kernel[1], 3]).unwrap()];
            assert_gradients(&inputs, |tape, x| conv2d(tape, &x[0], &x[1], ConvOptions { stride, padding }));
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_thread_count() {
        // Partial sums, columns dealt to tasks, and unrolled images in the gradient of the weights.
        for (x, weight) in
            [([40, 8, 8, 16], [16, 3, 3, 16]), ([24, 6, 6, 64], [80, 3, 3, 64]), ([8, 30, 30, 5], [20, 5, 5, 5])]
        {
            let inputs = [singles(1, &x), singles(2, &weight)];
            assert_same_bits(&inputs, |tape, x| conv2d(tape, &x[0], &x[1], ConvOptions { stride: 1, padding: 1 }));
        }
    }

    #[test]
    fn an_image_without_gradient_gets_none() {
        let mut tape = Tape::training(Seed(0));
        let (x, weight) = (normal(1, &[1, 4, 4, 2]).unwrap(), normal(2, &[3, 3, 3, 2]).unwrap());
        let (x, weight) = (tape.constant(x), tape.input(weight));
        let y = conv2d(&mut tape, &x, &weight, ConvOptions::default()).unwrap();
        let dy = normal(3, y.dims()).unwrap();
        let gradients = tape.backward(&[(&y, dy)]).unwrap();
        assert!(gradients.of(&x).is_none());
        assert_eq!(gradients.of(&weight).unwrap().dims(), [3, 3, 3, 2]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let mut tape = Tape::inference();
        let mut run = |x: &[usize], w: &[usize], stride, padding| {
            let (x, w) = (tape.input(normal(1, x).unwrap()), tape.input(normal(2, w).unwrap()));
            conv2d(&mut tape, &x, &w, ConvOptions { stride, padding }).map(|y| y.dims().to_vec())
        };
        assert_eq!(run(&[1, 4, 5, 2], &[3, 3, 3, 2], 2, 1).unwrap(), [1, 2, 3, 3]);
        assert_eq!(run(&[0, 4, 5, 2], &[3, 3, 3, 2], 2, 1).unwrap(), [0, 2, 3, 3]);
        for (x, w, stride, padding) in [
            (&[1, 4, 5][..], &[3, 3, 3, 2][..], 1, 0),
            (&[1, 4, 5, 2], &[3, 3, 2], 1, 0),
            (&[1, 4, 5, 2], &[3, 3, 3, 1], 1, 0),
            (&[1, 4, 5, 2], &[3, 3, 3, 2], 0, 0),
            (&[1, 2, 5, 2], &[3, 3, 3, 2], 1, 0),
            (&[1, 4, 5, 2], &[0, 3, 3, 2], 1, 0),
        ] {
            assert!(matches!(run(x, w, stride, padding), Err(Error::Shape { op: "conv2d", .. })), "{x:?} {w:?}");
        }
        let (x, w) = (normal(1, &[1, 4, 4, 2]).unwrap(), normal(2, &[3, 3, 3, 2]).unwrap());
        let (x, w) = (tape.input(x), tape.input(w.to_dtype(DType::F32).unwrap()));
        assert!(matches!(conv2d(&mut tape, &x, &w, ConvOptions::default()), Err(Error::Unsupported { .. })));
    }
}
