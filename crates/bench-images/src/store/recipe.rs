//! What is done to every raw image, in words.
//!
//! # What
//! In this order: division by the illumination function, centre crop, scaling to 8 bits, resizing.
//!
//! # Formula
//! - crop: starts at `floor(side / 2) - size / 2`; a shorter side stays whole
//! - scaling: [`Depth`], on the cropped channel
//! - resizing: the shorter side becomes `side` and the longer one keeps the ratio (truncated);
//!   separable antialiased bilinear interpolation of the 8-bit pixels, `floor(x + 0.5)`
//!
//! # Why
//! Resizing comes last, as it does where published images of 8 bits are resized for training, so
//! that contrast does not depend on the size. Rounding twice moves a pixel by 1 of 255 at most.
//!
//! # Reference
//! gwatkinson/jump_download (crop and percentiles, no resizing, no correction); ml-jku/cloome and
//! suinleelab/CellCLIP (threshold of Bray 2017).

use serde::{Deserialize, Serialize};

use super::StoreOptions;
use super::illumination::Illumination;
use super::scale::Depth;
use crate::{Error, Result};

/// Longest side to resize to.
const LONGEST: usize = 1 << 14;

/// What is done to every raw image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Side of the centre crop in pixels; `"none"` keeps everything.
    #[serde(with = "side")]
    pub crop: Option<usize>,
    /// From intensities to pixels.
    pub depth: Depth,
    /// Length that the shorter side becomes, in pixels; `"none"` keeps it.
    #[serde(with = "side")]
    pub resize: Option<usize>,
    /// Where illumination functions are, if images are corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub illumination: Option<Illumination>,
}

impl Recipe {
    /// The images of JUMP as Watkinson et al. trained on them.
    pub const JUMP: Self =
        Self { crop: Some(768), depth: Depth::Percentiles { low: 1.0, high: 99.0 }, resize: None, illumination: None };
    /// The images of Bray et al. 2017 as CLOOME and CellCLIP were trained on them.
    pub const BRAY: Self = Self { crop: None, depth: Depth::Bray, resize: None, illumination: None };
    /// Names of the recipes.
    pub const NAMES: [&str; 2] = ["jump", "bray"];

    /// A recipe by its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "jump" => Some(Self::JUMP),
            "bray" => Some(Self::BRAY),
            _ => None,
        }
    }

    /// Fails unless sizes and percentiles can be.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(&self) -> Result<()> {
        self.depth.check()?;
        if self.crop == Some(0) {
            return Err(Error::setting("centre_crop", "must be at least 1"));
        }
        match self.resize {
            Some(side) if !(1..=LONGEST).contains(&side) => {
                Err(Error::setting("resize", format!("is between 1 and {LONGEST}, and not {side}")))
            }
            _ => Ok(()),
        }
    }

    /// How to open a folder or table of raw images by this recipe.
    pub fn options(&self) -> StoreOptions {
        StoreOptions {
            depth: self.depth,
            centre_crop: self.crop,
            resize: self.resize,
            illumination: self.illumination.clone(),
            ..StoreOptions::default()
        }
    }

    /// Height and width after the crop and the resizing.
    pub(crate) fn resized(&self, height: usize, width: usize) -> (usize, usize) {
        let Some(side) = self.resize else { return (height, width) };
        let longer = |long: usize, short: usize| (side * long / short).max(1);
        if height <= width { (side, longer(width, height)) } else { (longer(height, width), side) }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self::JUMP
    }
}

/// A length or the word `none`: TOML has no null.
mod side {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(side: &Option<usize>, to: S) -> Result<S::Ok, S::Error> {
        match side {
            Some(side) => to.serialize_u64(*side as u64),
            None => to.serialize_str("none"),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
        from.deserialize_any(Side)
    }

    struct Side;

    impl Visitor<'_> for Side {
        type Value = Option<usize>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a length in pixels, or \"none\"")
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            usize::try_from(value).map(Some).map_err(E::custom)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            usize::try_from(value).map(Some).map_err(E::custom)
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
            if value == "none" { Ok(None) } else { Err(E::invalid_value(serde::de::Unexpected::Str(value), &self)) }
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_survive_json_and_reject_unknown_words() -> Result<(), serde_json::Error> {
        let other = Recipe {
            resize: Some(256),
            illumination: Some(Illumination::Template("{plate}/{channel}.npy".into())),
            ..Recipe::BRAY
        };
        for recipe in [Recipe::JUMP, Recipe::BRAY, other] {
            assert_eq!(serde_json::from_str::<Recipe>(&serde_json::to_string(&recipe)?)?, recipe);
        }
        assert_eq!(serde_json::from_str::<Recipe>("{}")?, Recipe::JUMP);
        let text = r#"{"crop":"none","depth":"bray","illumination":"table"}"#;
        let table = Recipe { illumination: Some(Illumination::Table), ..Recipe::BRAY };
        assert_eq!(serde_json::from_str::<Recipe>(text)?, table);
        for bad in [r#"{"cropp":1}"#, r#"{"crop":"some"}"#, r#"{"crop":-1}"#, r#"{"depth":"brey"}"#] {
            assert!(serde_json::from_str::<Recipe>(bad).is_err(), "{bad}");
        }
        assert!(Recipe::NAMES.iter().all(|name| Recipe::named(name).is_some_and(|r| r.check().is_ok())));
        assert!(Recipe { resize: Some(0), ..Recipe::JUMP }.check().is_err());
        Ok(())
    }

    #[test]
    fn the_shorter_side_is_named_and_the_ratio_stays() {
        let to = |side| Recipe { resize: Some(side), ..Recipe::JUMP };
        assert_eq!(to(224).resized(520, 696), (224, 299));
        assert_eq!(to(224).resized(696, 520), (299, 224));
        assert_eq!(to(256).resized(768, 768), (256, 256));
        assert_eq!(Recipe::JUMP.resized(5, 9), (5, 9));
    }
}
