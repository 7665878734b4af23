//! Bilinear interpolation, with and without antialiasing.
//!
//! # Formula
//! Separable. With `scale = from / to`, output `i` has its centre at `(i + 0.5) * scale` and
//! averages the inputs around it with weights `max(0, 1 - |d| / support)`, normalised, where `d`
//! is the distance of pixel centres and `support` is `max(scale, 1)` with antialiasing and 1
//! without. This is `interpolate(mode="bilinear", align_corners=False)` of PyTorch, whose weights
//! at the border are the same after normalisation.

use crate::image::{Image, Pixels};

/// First input and weights of one output.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

fn taps(from: usize, to: usize, antialias: bool) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let support = if antialias { scale.max(1.0) } else { 1.0 };
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weight = |j: usize| (1.0 - ((j as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let sum: f64 = (first..end).map(weight).sum();
            Taps { first, weights: (first..end).map(|j| (weight(j) / sum) as f32).collect() }
        })
        .collect()
}

/// Resizes to `height` x `width`; numbers in [0, 1], channel fastest.
pub(super) fn bilinear(image: &Image, height: usize, width: usize, antialias: bool) -> Vec<f32> {
    let channels = image.channels;
    let white = image.pixels.white();
    let across = taps(image.width, width, antialias);
    let down = taps(image.height, height, antialias);
    let row_len = image.width * channels;
    let mut row = vec![0.0f32; row_len];
    let mut narrow = vec![0.0f32; image.height * width * channels];
    for (y, to) in narrow.chunks_exact_mut(width * channels).enumerate() {
        match &image.pixels {
            Pixels::U8(v) => row.iter_mut().zip(&v[y * row_len..]).for_each(|(to, &v)| *to = f32::from(v) / white),
            Pixels::U16(v) => row.iter_mut().zip(&v[y * row_len..]).for_each(|(to, &v)| *to = f32::from(v) / white),
        }
        for (taps, to) in across.iter().zip(to.chunks_exact_mut(channels)) {
            for (pixel, weight) in row[taps.first * channels..].chunks_exact(channels).zip(&taps.weights) {
                for (to, value) in to.iter_mut().zip(pixel) {
                    *to += weight * value;
                }
            }
        }
    }
    let mut out = vec![0.0f32; height * width * channels];
    for (taps, to) in down.iter().zip(out.chunks_exact_mut(width * channels)) {
        for (from, weight) in narrow[taps.first * width * channels..].chunks_exact(width * channels).zip(&taps.weights)
        {
            for (to, value) in to.iter_mut().zip(from) {
                *to += weight * value;
            }
        }
    }
    // Rounding of the weights may leave a hair more than white.
    out.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    out
}

/// An image resized with antialiasing, rounded to the nearest pixel value (halves up).
pub(crate) fn resized(image: &Image, height: usize, width: usize) -> Image {
    let values = bilinear(image, height, width, true);
    let white = image.pixels.white();
    let rounded = values.iter().map(|v| (v * white + 0.5).floor());
    let pixels = match &image.pixels {
        Pixels::U8(_) => Pixels::U8(rounded.map(|v| v as u8).collect()),
        Pixels::U16(_) => Pixels::U16(rounded.map(|v| v as u16).collect()),
    };
    Image { height, width, channels: image.channels, pixels }
}
