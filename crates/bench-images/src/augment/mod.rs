//! Random views for training and fixed crops for evaluation.
//!
//! # What
//! A view is drawn first ([`draw`]: window, flips, colours) and rendered afterwards
//! ([`View::render`]), so that a store need decode only the window. Pixels leave as `f32` in
//! [0, 1], height x width x channels. Conversion, colour and flip happen in one pass.
//!
//! # Formula
//! - flip: each with its probability;
//! - crop: a window of `crop` x `crop` px, uniform over all positions. With probability `resize`
//!   a square of random area instead (uniform in `resize_area` times the image), brought to
//!   `crop` px by bilinear interpolation;
//! - colour, with probability `colour` for the view, drawn for each channel on its own:
//!   `x <- clamp(max(x + U(-s, s), 0) ^ U(1 - e, 1 + e), 0, 1)`;
//! - channel drop: each channel is black with its probability.
//!
//! Parity: the reference raises negative numbers to a fractional power and turns the NaN into 0
//! afterwards; clamping before the power gives that 0 without a NaN.
//! Parity: the reference also evaluates on random views; [`windows`] gives fixed ones. Rendering
//! drawn views for evaluation mimics it.
//!
//! # Reference
//! gwatkinson/jump_models: `src/modules/transforms/default.py` (methods reference, section 1A).

mod config;
mod resize;
pub(crate) use resize::resized;

use bench_core::{Seed, Stream};

pub use config::{AugmentConfig, EvaluationCrops};

use crate::image::{Image, Pixels, Window};
use crate::store::ImageStore;
use crate::{Error, Result};

/// Changes of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Colour {
    shift: f32,
    exponent: f32,
    dropped: bool,
}

/// One view of an image: everything that was drawn for it.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The part of the image that is needed.
    pub window: Window,
    /// Side of the square that leaves.
    pub crop: usize,
    flip_horizontal: bool,
    flip_vertical: bool,
    antialias: bool,
    /// Empty when no channel changes.
    colours: Vec<Colour>,
}

/// Seed of one view: of this run, epoch, image and view. No view depends on another.
pub fn view_seed(run: Seed, epoch: u64, image: u64, view: u64) -> Seed {
    run.derive("augment epoch", epoch).derive("image", image).derive("view", view)
}

/// Draws a view of an image of that size. Fails if the image is smaller than the crop.
pub fn draw(config: &AugmentConfig, height: usize, width: usize, channels: usize, seed: Seed) -> Result<View> {
    let crop = config.crop;
    Window { top: 0, left: 0, height: crop, width: crop }.check(height, width)?;
    let mut stream = seed.stream();
    let stream = &mut stream;
    let side = if happens(stream, config.resize) { resized_side(config, height, width, stream) } else { crop };
    let top = stream.below(height - side + 1);
    let left = stream.below(width - side + 1);
    let flip_horizontal = happens(stream, config.horizontal_flip);
    let flip_vertical = happens(stream, config.vertical_flip);
    let coloured = happens(stream, config.colour);
    let mut colours = vec![Colour { shift: 0.0, exponent: 1.0, dropped: false }; channels];
    if coloured {
        for colour in &mut colours {
            colour.shift = (config.colour_shift * (2.0 * stream.uniform() - 1.0)) as f32;
            colour.exponent = (1.0 + config.colour_exponent * (2.0 * stream.uniform() - 1.0)) as f32;
        }
    }
    for colour in &mut colours {
        colour.dropped = happens(stream, config.channel_drop);
    }
    if !coloured && !colours.iter().any(|colour| colour.dropped) {
        colours.clear();
    }
    let window = Window { top, left, height: side, width: side };
    Ok(View { window, crop, flip_horizontal, flip_vertical, antialias: config.antialias, colours })
}

/// Takes its number from the stream whatever the probability, so that switching one transform on
/// does not change the draws of the others before it.
fn happens(stream: &mut Stream, probability: f64) -> bool {
    stream.uniform() < probability
}

/// Side of a square of random area: ten tries that fit, then the largest that does.
fn resized_side(config: &AugmentConfig, height: usize, width: usize, stream: &mut Stream) -> usize {
    let [low, high] = config.resize_area;
    for _ in 0..10 {
        let area = (height * width) as f64 * (low + (high - low) * stream.uniform());
        let side = area.sqrt().round() as usize;
        if (1..=height.min(width)).contains(&side) {
            return side;
        }
    }
    height.min(width)
}

/// The fixed windows of evaluation, each `crop` x `crop` px.
pub fn windows(crops: EvaluationCrops, crop: usize, height: usize, width: usize) -> Result<Vec<Window>> {
    let at = |top, left| Window { top, left, height: crop, width: crop };
    at(0, 0).check(height, width)?;
    let (bottom, right) = (height - crop, width - crop);
    let centre = Window::centre(height, width, crop);
    Ok(match crops {
        EvaluationCrops::Centre => vec![centre],
        EvaluationCrops::Five => vec![at(0, 0), at(0, right), at(bottom, 0), at(bottom, right), centre],
        EvaluationCrops::Grid(0) => return Err(Error::setting("evaluation grid", "must be at least 1")),
        EvaluationCrops::Grid(1) => vec![centre],
        EvaluationCrops::Grid(n) => {
            (0..n * n).map(|i| at(bottom * (i / n) / (n - 1), right * (i % n) / (n - 1))).collect()
        }
    })
}

impl View {
    /// The view that changes nothing: a fixed window of evaluation.
    pub fn fixed(window: Window) -> Self {
        Self {
            window,
            crop: window.height,
            flip_horizontal: false,
            flip_vertical: false,
            antialias: true,
            colours: Vec::new(),
        }
    }

    /// Renders the pixels of the window, which `image` holds and nothing else, into `out`
    /// (`crop * crop * channels` numbers in [0, 1]).
    pub fn render(&self, image: &Image, out: &mut [f32]) -> Result<()> {
        let (channels, side) = (image.channels, self.crop);
        let colours = self.colours.len();
        if (image.height, image.width) != (self.window.height, self.window.width) {
            return Err(Error::setting("image", "is not the window that the view asks for"));
        }
        if out.len() != side * side * channels || (colours != 0 && colours != channels) {
            let reason = format!("holds {} numbers, and {side} x {side} x {channels} are rendered", out.len());
            return Err(Error::setting("output", reason));
        }
        if (image.height, image.width) == (side, side) {
            match &image.pixels {
                Pixels::U8(pixels) if colours == 0 => self.convert(pixels, channels, out, |_, v| f32::from(v) / 255.0),
                Pixels::U8(pixels) => {
                    // A power for each grey value instead of each pixel.
                    let table: Vec<[f32; 256]> = (self.colours.iter())
                        .map(|colour| std::array::from_fn(|v| colour.apply(v as f32 / 255.0)))
                        .collect();
                    self.convert(pixels, channels, out, |c, v| table[c][usize::from(v)]);
                }
                Pixels::U16(pixels) if colours == 0 => {
                    self.convert(pixels, channels, out, |_, v| f32::from(v) / 65535.0);
                }
                Pixels::U16(pixels) => {
                    self.convert(pixels, channels, out, |c, v| self.colours[c].apply(f32::from(v) / 65535.0));
                }
            }
            return Ok(());
        }
        let resized = resize::bilinear(image, side, side, self.antialias);
        if colours == 0 {
            self.convert(&resized, channels, out, |_, v| v);
        } else {
            self.convert(&resized, channels, out, |c, v| self.colours[c].apply(v));
        }
        Ok(())
    }

    /// One pass: flip and map.
    #[inline(always)]
    fn convert<T: Copy>(&self, from: &[T], channels: usize, out: &mut [f32], map: impl Fn(usize, T) -> f32) {
        let row_len = self.crop * channels;
        for (y, to) in out.chunks_exact_mut(row_len).enumerate() {
            let y = if self.flip_vertical { self.crop - 1 - y } else { y };
            let row = &from[y * row_len..(y + 1) * row_len];
            if self.flip_horizontal {
                for (to, pixel) in to.chunks_exact_mut(channels).zip(row.rchunks_exact(channels)) {
                    for (c, (to, &value)) in to.iter_mut().zip(pixel).enumerate() {
                        *to = map(c, value);
                    }
                }
            } else {
                for (to, pixel) in to.chunks_exact_mut(channels).zip(row.chunks_exact(channels)) {
                    for (c, (to, &value)) in to.iter_mut().zip(pixel).enumerate() {
                        *to = map(c, value);
                    }
                }
            }
        }
    }
}

impl Colour {
    fn apply(&self, value: f32) -> f32 {
        if self.dropped {
            return 0.0;
        }
        (value + self.shift).max(0.0).powf(self.exponent).clamp(0.0, 1.0)
    }
}

/// Loads and renders a random view of a field into `out` (`crop * crop * channels`).
pub fn load_view(store: &ImageStore, index: usize, config: &AugmentConfig, seed: Seed, out: &mut [f32]) -> Result<()> {
    let (height, width) = store.shape(index)?;
    let view = draw(config, height, width, store.channels().len(), seed)?;
    view.render(&store.load_crop(index, view.window)?, out)
}

/// Loads the fixed windows of a field, one behind the other (`windows * crop * crop * channels`).
pub fn load_fixed(
    store: &ImageStore,
    index: usize,
    crops: EvaluationCrops,
    crop: usize,
    out: &mut [f32],
) -> Result<()> {
    let (height, width) = store.shape(index)?;
    let windows = windows(crops, crop, height, width)?;
    let each = crop * crop * store.channels().len();
    if out.len() != windows.len() * each {
        return Err(Error::setting(
            "output",
            format!("holds {} numbers, and {} x {each} are rendered", out.len(), windows.len()),
        ));
    }
    for (window, out) in windows.into_iter().zip(out.chunks_exact_mut(each)) {
        View::fixed(window).render(&store.load_crop(index, window)?, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
