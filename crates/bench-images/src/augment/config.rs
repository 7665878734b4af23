//! Settings of the augmentation.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Random transforms of a training view. The defaults are those of the final configuration of the
/// reference: flips and a random crop, everything else off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AugmentConfig {
    /// Side of the square that leaves, in pixels.
    pub crop: usize,
    /// Probability of mirroring left and right.
    pub horizontal_flip: f64,
    /// Probability of mirroring top and bottom.
    pub vertical_flip: f64,
    /// Probability of colour jitter of a view.
    pub colour: f64,
    /// Largest shift of the intensity of a channel under colour jitter, as a part of white.
    pub colour_shift: f64,
    /// Largest departure of the exponent of a channel from one under colour jitter.
    pub colour_exponent: f64,
    /// Probability that the crop is of random size and then resized.
    pub resize: f64,
    /// Smallest and largest area of a resized crop, as a part of the image.
    pub resize_area: [f64; 2],
    /// Whether shrinking averages over all pixels it covers.
    pub antialias: bool,
    /// Probability that a channel is black.
    pub channel_drop: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            crop: 512,
            horizontal_flip: 0.5,
            vertical_flip: 0.5,
            colour: 0.0,
            colour_shift: 0.2,
            colour_exponent: 0.1,
            resize: 0.0,
            // 0.9 * 512 / 768 of the area, as the reference writes it.
            resize_area: [0.6, 1.0],
            antialias: true,
            channel_drop: 0.0,
        }
    }
}

impl AugmentConfig {
    /// The runs of September 2023: colour jitter in a view of five, resized crops in three of ten.
    pub fn september_2023() -> Self {
        Self { colour: 0.2, resize: 0.3, ..Self::default() }
    }

    /// The one run of September 2023 that also dropped channels.
    pub fn september_2023_channel_drop() -> Self {
        Self { channel_drop: 0.1, ..Self::september_2023() }
    }

    /// The probabilities of the paper's text: flips and colour changes at 0.4, resized crops as in
    /// the runs of September 2023 (the text gives no number for them).
    pub fn paper_text() -> Self {
        Self { horizontal_flip: 0.4, vertical_flip: 0.4, colour: 0.4, resize: 0.3, ..Self::default() }
    }

    /// Fails unless every setting is in range.
    pub fn check(&self) -> Result<()> {
        if self.crop == 0 {
            return Err(Error::setting("crop", "must be at least 1"));
        }
        let probabilities = [
            ("horizontal_flip", self.horizontal_flip),
            ("vertical_flip", self.vertical_flip),
            ("colour", self.colour),
            ("resize", self.resize),
            ("channel_drop", self.channel_drop),
            ("colour_shift", self.colour_shift),
            ("colour_exponent", self.colour_exponent),
        ];
        if let Some((name, value)) = probabilities.iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(Error::setting(name, format!("is between 0 and 1, and not {value}")));
        }
        let [low, high] = self.resize_area;
        if !(0.0 < low && low <= high && high <= 1.0) {
            return Err(Error::setting("resize_area", format!("needs 0 < low <= high <= 1, and has {low} and {high}")));
        }
        Ok(())
    }
}

/// Fixed crops of evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvaluationCrops {
    /// The centre.
    #[default]
    Centre,
    /// The four corners and the centre, in this order: top left, top right, bottom left, bottom
    /// right, centre.
    Five,
    /// A regular grid, row by row, from edge to edge.
    Grid(usize),
}
