//! Pooling of images `(n, height, width, channels)`.
//!
//! What: the maximum of square windows, and the mean of whole images.
//! Padding counts as minus infinity; among equal maxima the first in reading order gets the
//! gradient, and a not-a-number wins, as `torch.nn.MaxPool2d`.

use candle_core::{Device, Tensor};

use super::shape::no_kernel;
use crate::cpu::pool::{self as kernel, Window};
use crate::cpu::read;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::{Error, Result, Tape, Value, from_values, view};

/// Maximum of windows of `kernel` by `kernel` pixels, `stride` apart, with at most `kernel / 2`
/// pixels of padding: `(n, h, w, c)` to `(n, h', w', c)`, `h' = (h + 2 padding - kernel) / stride + 1`.
/// Kernels of up to 16 pixels.
pub fn max_pool(tape: &mut Tape, x: &Value, kernel: usize, stride: usize, padding: usize) -> Result<Value> {
    let window = window(x.tensor(), kernel, stride, padding)?;
    let (output, places) = max_forward(x.tensor(), window)?;
    let images = x.dims()[0];
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(max_backward(&dy.contiguous()?, &places, images, window)?)])))
}

/// Mean over the pixels of each image: `(n, h, w, c)` to `(n, c)`.
pub fn global_average_pool(tape: &mut Tape, x: &Value) -> Result<Value> {
    let &[images, height, width, channels] = x.dims() else {
        return Err(Error::shape("global_average_pool", "images (n, height, width, channels)", x.dims()));
    };
    if height * width * channels == 0 {
        return Err(Error::shape("global_average_pool", "images that are not empty", x.dims()));
    }
    let output = mean_forward(x.tensor(), images, height * width, channels)?;
    let dims = x.dims().to_vec();
    Ok(tape.record(&[x], output, move |dy| Ok(vec![Some(mean_backward(&dy.contiguous()?, &dims)?)])))
}

fn window(x: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Window> {
    let &[_, height, width, channels] = x.dims() else {
        return Err(Error::shape("max_pool", "images (n, height, width, channels)", x.dims()));
    };
    if kernel == 0 || kernel > 16 || stride == 0 || 2 * padding > kernel {
        let expected = "a kernel of 1 to 16, a stride of at least 1 and padding of at most half the kernel";
        return Err(Error::shape("max_pool", expected, (kernel, stride, padding)));
    }
    if channels == 0 || height + 2 * padding < kernel || width + 2 * padding < kernel {
        return Err(Error::shape("max_pool", format!("images of at least {kernel} pixels with padding"), x.dims()));
    }
    let out = |size: usize| (size + 2 * padding - kernel) / stride + 1;
    Ok(Window { height, width, channels, out_height: out(height), out_width: out(width), kernel, stride, padding })
}

/// The maxima, and the place of each in its window (`u8`, row-major).
fn max_forward(x: &Tensor, window: Window) -> Result<(Tensor, Tensor)> {
    let shape = (x.dims()[0], window.out_height, window.out_width, window.channels);
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::max_forward(x, window),
        Device::Cpu => with_element!("max_pool", x, T => {
            let (maxima, places) = kernel::max_forward(&view::<T>(x)?, window);
            Ok((from_values(maxima, shape)?, Tensor::from_vec(places, shape, &Device::Cpu)?))
        }),
        other => no_kernel("max_pool", other),
    }
}

fn max_backward(dy: &Tensor, places: &Tensor, images: usize, window: Window) -> Result<Tensor> {
    let shape = (images, window.height, window.width, window.channels);
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::max_backward(dy, places, images, window),
        Device::Cpu => with_element!("max_pool", dy, T => {
            let dy = view::<T>(dy)?;
            from_values(read(places, |places| kernel::max_backward::<T>(&dy, places, images, window))?, shape)
        }),
        other => no_kernel("max_pool", other),
    }
}

fn mean_forward(x: &Tensor, images: usize, pixels: usize, channels: usize) -> Result<Tensor> {
    match x.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::mean_forward(x, images, pixels, channels),
        Device::Cpu => with_element!("global_average_pool", x, T => {
            from_values(kernel::mean_forward(&view::<T>(x)?, pixels, channels), (images, channels))
        }),
        other => no_kernel("global_average_pool", other),
    }
}

fn mean_backward(dy: &Tensor, dims: &[usize]) -> Result<Tensor> {
    match dy.device() {
        #[cfg(feature = "cuda")]
        device if cuda::handles(device) => cuda::mean_backward(dy, dims),
        Device::Cpu => with_element!("global_average_pool", dy, T => {
            from_values(kernel::mean_backward(&view::<T>(dy)?, dims[1] * dims[2], dims[3]), dims)
        }),
        other => no_kernel("global_average_pool", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_bits, doubles, goldens, singles};
    use super::*;
    use crate::check::{assert_gradients, normal};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        for case in goldens("max_pool") {
            let (kernel, stride, padding) = (case.number("kernel"), case.number("stride"), case.number("padding"));
            case.check(|tape, x| max_pool(tape, &x[0], kernel, stride, padding));
        }
        for case in goldens("global_average_pool") {
            case.check(|tape, x| global_average_pool(tape, &x[0]));
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let x = normal(1, &[2, 7, 6, 3]).unwrap();
        for (kernel, stride, padding) in [(3, 2, 1), (2, 2, 0), (4, 1, 2), (1, 2, 0), (3, 3, 1)] {
            assert_gradients(std::slice::from_ref(&x), |tape, x| max_pool(tape, &x[0], kernel, stride, padding));
        }
        assert_gradients(&[x], |tape, x| global_average_pool(tape, &x[0]));
    }

    #[test]
    fn padding_never_wins_and_not_a_number_always_does() {
        let mut tape = Tape::inference();
        let low = [f32::NEG_INFINITY, -5.0, -3.0, -4.0];
        let x = tape.input(from_values(low.to_vec(), (1, 2, 2, 1)).unwrap());
        let y = max_pool(&mut tape, &x, 2, 2, 1).unwrap();
        assert_eq!(doubles(y.tensor()), [f64::NEG_INFINITY, -5.0, -3.0, -4.0]);
        let x = tape.input(from_values(vec![1.0, f32::NAN, 7.0, 0.0], (1, 2, 2, 1)).unwrap());
        let y = max_pool(&mut tape, &x, 2, 2, 0).unwrap();
        assert!(doubles(y.tensor())[0].is_nan());
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let x = [singles(1, &[5, 24, 24, 16])];
        assert_same_bits(&x, |tape, x| max_pool(tape, &x[0], 3, 2, 1));
        assert_same_bits(&x, |tape, x| global_average_pool(tape, &x[0]));
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let mut tape = Tape::inference();
        let table = tape.input(singles(1, &[4, 3]));
        let image = tape.input(singles(1, &[1, 2, 2, 3]));
        assert!(max_pool(&mut tape, &table, 2, 2, 0).is_err());
        assert!(global_average_pool(&mut tape, &table).is_err());
        for (kernel, stride, padding) in [(3, 1, 0), (2, 0, 0), (2, 1, 2), (0, 1, 0), (17, 1, 8)] {
            assert!(max_pool(&mut tape, &image, kernel, stride, padding).is_err());
        }
    }
}
