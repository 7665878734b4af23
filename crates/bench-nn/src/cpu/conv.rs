//! Convolution of channels-last images: forward, gradient of the input, gradient of the weights.
//!
//! All three are products that read the images in place (see `gather` and
//! `reduce`); no matrix of windows is built. In every direction a number is summed by one
//! thread in a fixed order, so results have the same bits at any thread count.
//!
//! Reference: Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning.

use crate::Element;
use crate::cpu::collect;
use crate::cpu::gather::{Gather, Right, Shared, product};
use crate::cpu::geometry::Geometry;
use crate::cpu::kernel::Tiles;
use crate::cpu::reduce::weight_gradient;

/// `y[n, i, j, o] = sum over (h, w, c): x[n, i stride + h - padding, j stride + w - padding, c]
/// weight[o, h, w, c]`.
///
/// # Shapes
/// `x`: `(images, height, width, channels)`, `weight`: `(outputs, kernel_h, kernel_w, channels)`;
/// returns `(images, out_height, out_width, outputs)`.
///
/// # Panics
/// If a slice does not have the length that the geometry gives it.
pub fn forward<T: Element>(x: &[T], weight: &[T], geometry: &Geometry) -> Vec<T> {
    forward_on(T::tiles(), x, weight, geometry)
}

/// Gradient of the input: `dx[n, y, x, c] = sum over (h, w, o): dy[n, i, j, o] weight[o, h, w, c]`
/// with `i stride + h - padding = y`, `j stride + w - padding = x`. Shapes as in [`forward`].
///
/// # Panics
/// If a slice does not have the length that the geometry gives it.
pub fn backward_input<T: Element>(dy: &[T], weight: &[T], geometry: &Geometry) -> Vec<T> {
    backward_input_on(T::tiles(), dy, weight, geometry)
}

/// Gradient of the weights: `dweight[o, h, w, c] = sum over (n, i, j): dy[n, i, j, o]
/// x[n, i stride + h - padding, j stride + w - padding, c]`. Shapes as in [`forward`].
///
/// # Panics
/// If a slice does not have the length that the geometry gives it.
pub fn backward_weight<T: Element>(x: &[T], dy: &[T], geometry: &Geometry) -> Vec<T> {
    backward_weight_on(T::tiles(), x, dy, geometry)
}

pub(crate) fn forward_on<T: Element>(tiles: &Tiles<T>, x: &[T], weight: &[T], geometry: &Geometry) -> Vec<T> {
    check(geometry, [("x", x.len(), geometry.input_len()), ("weight", weight.len(), geometry.weight_len())]);
    collect(geometry.output_len(), |out| multiply(tiles, x, weight, &[geometry.forward()], geometry.outputs, out))
}

pub(crate) fn backward_input_on<T: Element>(tiles: &Tiles<T>, dy: &[T], weight: &[T], geometry: &Geometry) -> Vec<T> {
    check(geometry, [("dy", dy.len(), geometry.output_len()), ("weight", weight.len(), geometry.weight_len())]);
    collect(geometry.input_len(), |out| {
        multiply(tiles, dy, weight, &geometry.backward(), geometry.channels, out);
    })
}

pub(crate) fn backward_weight_on<T: Element>(tiles: &Tiles<T>, x: &[T], dy: &[T], geometry: &Geometry) -> Vec<T> {
    check(geometry, [("x", x.len(), geometry.input_len()), ("dy", dy.len(), geometry.output_len())]);
    collect(geometry.weight_len(), |out| weight_gradient(tiles, x, dy, *geometry, out))
}

fn multiply<T: Element>(
    tiles: &Tiles<T>,
    a: &[T],
    weight: &[T],
    phases: &[(Gather, Right)],
    columns: usize,
    out: &mut [T],
) {
    // SAFETY: the slices have the lengths of the geometry, from which the offsets were made: taps
    // outside the image are in no segment, and pixels lie inside the output.
    unsafe { product(tiles, a, phases, weight, columns, Shared(out.as_mut_ptr())) }
}

fn check(geometry: &Geometry, slices: [(&str, usize, usize); 2]) {
    assert!(geometry.stride > 0, "a convolution needs a stride of at least one");
    for (name, len, expected) in slices {
        assert_eq!(len, expected, "`{name}` has the length of {geometry:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::kernel::Kernel;

    pub(super) fn numbers<T: Element>(len: usize, seed: usize) -> Vec<T> {
        (0..len).map(|i| T::of_f64(((i * 7919 + seed * 104_729) % 2003) as f64 / 1001.0 - 1.0)).collect()
    }

    /// The definition, one multiplication at a time: `(y, dx, dweight)`.
    fn plain(x: &[f64], weight: &[f64], dy: &[f64], g: &Geometry) -> [Vec<f64>; 3] {
        let (out_height, out_width) = (g.out_height(), g.out_width());
        let mut out = [vec![0.0; g.output_len()], vec![0.0; x.len()], vec![0.0; weight.len()]];
        for n in 0..g.images {
            for i in 0..out_height {
                for j in 0..out_width {
                    for h in 0..g.kernel_h {
                        for w in 0..g.kernel_w {
                            let (row, column) = (i * g.stride + h, j * g.stride + w);
                            let inside = |at: usize, size: usize| at >= g.padding && at < size + g.padding;
                            if !inside(row, g.height) || !inside(column, g.width) {
                                continue;
                            }
                            let pixel = (n * g.height + row - g.padding) * g.width + column - g.padding;
                            for o in 0..g.outputs {
                                let at = ((n * out_height + i) * out_width + j) * g.outputs + o;
                                let tap = ((o * g.kernel_h + h) * g.kernel_w + w) * g.channels;
                                for c in 0..g.channels {
                                    out[0][at] += x[pixel * g.channels + c] * weight[tap + c];
                                    out[1][pixel * g.channels + c] += dy[at] * weight[tap + c];
                                    out[2][tap + c] += dy[at] * x[pixel * g.channels + c];
                                }
                            }
                        }
                    }
                }
            }
        }
        out
    }

    fn widened<T: Element>(values: &[T]) -> Vec<f64> {
        values.iter().map(|value| value.as_f64()).collect()
    }

    fn compare<T: Element>(tiles: &Tiles<T>, g: &Geometry, tolerance: f64) {
        let (x, weight, dy) = (numbers(g.input_len(), 1), numbers(g.weight_len(), 2), numbers(g.output_len(), 3));
        let ours = [
            forward_on::<T>(tiles, &x, &weight, g),
            backward_input_on(tiles, &dy, &weight, g),
            backward_weight_on(tiles, &x, &dy, g),
        ];
        let expected = plain(&widened(&x), &widened(&weight), &widened(&dy), g);
        for ((ours, expected), what) in ours.iter().zip(&expected).zip(["y", "dx", "dweight"]) {
            let scale = expected.iter().fold(1.0f64, |scale, value| scale.max(value.abs()));
            for (index, (a, b)) in ours.iter().zip(expected).enumerate() {
                assert!((a.as_f64() - b).abs() <= tolerance * scale, "{what}[{index}]: {a:?} for {b}, {g:?}");
            }
        }
    }

    fn geometry(
        images: usize,
        size: [usize; 2],
        channels: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        padding: usize,
    ) -> Geometry {
        let ([height, width], [channels, outputs], [kernel_h, kernel_w]) = (size, channels, kernel);
        Geometry { images, height, width, channels, outputs, kernel_h, kernel_w, stride, padding }
    }

    fn small() -> Vec<Geometry> {
        let mut all = vec![
            geometry(1, [5, 7], [3, 2], [3, 2], 3, 1),
            geometry(3, [1, 1], [17, 33], [1, 1], 1, 0),
            geometry(2, [4, 4], [16, 65], [5, 5], 1, 4), // More padding than a window: pixels without taps.
            geometry(2, [3, 3], [80, 20], [3, 3], 1, 1),
            geometry(1, [2, 2], [5, 4], [5, 5], 1, 0), // The kernel does not fit: no output.
            geometry(0, [4, 4], [5, 4], [3, 3], 1, 1),
            geometry(130, [2, 3], [16, 7], [3, 3], 2, 1),
            geometry(2, [13, 20], [5, 9], [7, 7], 2, 3),
        ];
        for stride in 1..=3 {
            for padding in 0..=3 {
                for kernel in [1, 3, 4, 7] {
                    all.push(geometry(2, [9, 8], [6, 10], [kernel, kernel], stride, padding));
                    all.push(geometry(1, [8, 9], [32, 17], [kernel, kernel], stride, padding));
                }
            }
        }
        all
    }

    #[test]
    fn every_direction_agrees_with_the_definition_on_every_processor() {
        for g in small() {
            compare::<f64>(f64::portable(), &g, 1e-12);
            compare::<f32>(f32::portable(), &g, 1e-5);
            compare::<f32>(f32::tiles(), &g, 1e-5);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                compare::<f32>(&crate::cpu::kernel_avx2::TILES, &g, 1e-5);
            }
        }
    }
    #[test]
    fn every_layer_of_a_resnet34_agrees_with_the_definition() {
        let mut layers = vec![geometry(1, [14, 14], [5, 64], [7, 7], 2, 3)];
        for (channels, outputs) in [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)] {
            if channels == outputs {
                layers.push(geometry(2, [3, 3], [channels, outputs], [3, 3], 1, 1));
            } else {
                layers.push(geometry(2, [4, 4], [channels, outputs], [3, 3], 2, 1));
                layers.push(geometry(2, [4, 4], [channels, outputs], [1, 1], 2, 0));
            }
        }
        for g in layers {
            compare::<f32>(f32::tiles(), &g, 1e-5);
        }
    }

    #[test]
    fn many_images_and_large_ones_agree_with_the_definition() {
        // Several tasks, blocks of `k`, partial sums and blocks of pixels.
        for g in [
            geometry(70, [5, 5], [16, 20], [3, 3], 1, 1),
            geometry(2, [40, 40], [16, 16], [3, 3], 1, 1),
            geometry(3, [33, 30], [5, 20], [3, 3], 2, 1),
            geometry(40, [2, 2], [200, 90], [3, 3], 1, 1),
            geometry(900, [1, 1], [48, 30], [1, 1], 1, 0),
        ] {
            compare::<f64>(f64::portable(), &g, 1e-12);
            compare::<f32>(f32::tiles(), &g, 1e-5);
        }
    }
}
