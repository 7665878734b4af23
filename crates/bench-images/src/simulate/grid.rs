//! Planes of numbers: white noise, Gaussian blur, smooth noise.

use bench_core::Stream;

/// Rows and columns of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Size {
    pub(super) fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// Deviates of mean 0 and variance 1 from one random word each: the sum of its four bytes, which
/// is close to normal within its range of 3.45 standard deviations and needs no logarithm.
pub(super) fn white_noise(stream: &mut Stream, out: &mut [f32]) {
    // Variance of a uniform byte: (256^2 - 1) / 12.
    let scale = 1.0 / (4.0 * 65535.0f32 / 12.0).sqrt();
    for value in out {
        let sum: u32 = stream.next_u32().to_le_bytes().iter().map(|&b| u32::from(b)).sum();
        *value = (sum as f32 - 510.0) * scale;
    }
}

/// Weights of a Gaussian, normalised, out to three standard deviations.
fn kernel(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil().max(1.0) as i32;
    let mut weights: Vec<f32> = (-radius..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    weights
}

/// Gaussian blur with mirrored borders, in pixels. Below a fifth of a pixel nothing happens.
pub(super) fn blur(plane: &mut [f32], size: Size, sigma: f32, work: &mut Vec<f32>) {
    if sigma < 0.2 {
        return;
    }
    let weights = kernel(sigma);
    let radius = weights.len() / 2;
    let Size { height, width } = size;
    // Mirrored index; a kernel longer than the image stops at the far border.
    let mirror = |i: isize, n: usize| -> usize {
        let i = if i < 0 { -i - 1 } else { i };
        let i = if i >= n as isize { 2 * n as isize - 1 - i } else { i };
        i.clamp(0, n as isize - 1) as usize
    };
    let mut row = vec![0.0f32; width + 2 * radius];
    for line in plane.chunks_exact_mut(width) {
        for (i, value) in row.iter_mut().enumerate() {
            *value = line[mirror(i as isize - radius as isize, width)];
        }
        line.fill(0.0);
        for (t, weight) in weights.iter().enumerate() {
            for (to, value) in line.iter_mut().zip(&row[t..t + width]) {
                *to += weight * value;
            }
        }
    }
    work.clear();
    work.extend_from_slice(plane);
    for (y, line) in plane.chunks_exact_mut(width).enumerate() {
        line.fill(0.0);
        for (t, weight) in weights.iter().enumerate() {
            let from = mirror((y + t) as isize - radius as isize, height) * width;
            for (to, value) in line.iter_mut().zip(&work[from..from + width]) {
                *to += weight * value;
            }
        }
    }
}

/// Noise of variance one that is smooth over `sigma` pixels.
pub(super) fn smooth_noise(stream: &mut Stream, size: Size, sigma: f32, out: &mut Vec<f32>, work: &mut Vec<f32>) {
    out.clear();
    out.resize(size.pixels(), 0.0);
    white_noise(stream, out);
    if sigma < 0.2 {
        return;
    }
    blur(out, size, sigma, work);
    // A separable kernel w leaves the variance (sum of w^2)^2.
    let left: f32 = kernel(sigma).iter().map(|w| w * w).sum();
    out.iter_mut().for_each(|value| *value /= left);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_core::Seed;

    #[test]
    fn noise_has_variance_one_and_blur_keeps_the_mean() {
        let size = Size { height: 90, width: 110 };
        let (mut plane, mut work) = (Vec::new(), Vec::new());
        for sigma in [0.0, 0.7, 2.0] {
            smooth_noise(&mut Seed(3).stream(), size, sigma, &mut plane, &mut work);
            let n = plane.len() as f32;
            let mean = plane.iter().sum::<f32>() / n;
            let variance = plane.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n;
            assert!(mean.abs() < 0.2 && (0.8..1.25).contains(&variance), "{sigma}: {mean} {variance}");
        }
        let mut constant = vec![0.25f32; size.pixels()];
        blur(&mut constant, size, 40.0, &mut work);
        assert!(constant.iter().all(|v| (v - 0.25).abs() < 1e-5));
    }
}
