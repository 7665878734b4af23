//! The strength of every technical effect, each on its own dial.
//!
//! Zero is none. One is a strong difference, as between the most different imaging centres;
//! effects grow in proportion, so two is twice that. What each dial does is written beside it and
//! done in [`super::effects`].

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Strengths of technical effects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dials {
    /// Source: width of the point spread of its optics.
    pub blur: f64,
    /// Source: gain of each channel.
    pub gain: f64,
    /// Source: constant background of each channel.
    pub offset: f64,
    /// Source: shot noise and read noise.
    pub noise: f64,
    /// Source: fall-off of the illumination towards the corners, and its centre.
    pub illumination: f64,
    /// Source: light of one dye in the filter of another.
    pub bleed_through: f64,
    /// Source: grey levels that the camera tells apart.
    pub bit_depth: f64,
    /// Source: how densely cells are seeded.
    pub confluency: f64,
    /// Batch: how strongly each dye stains, and its haze.
    pub staining: f64,
    /// Plate: defocus of the plate and its drift across it.
    pub focus: f64,
    /// Plate: wells near the border evaporate: brighter, with fewer cells.
    pub edge: f64,
    /// Well: what rows and columns do to staining and density on every plate alike.
    pub position: f64,
}

impl Dials {
    /// No technical effect at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every dial at one strength.
    pub fn all(strength: f64) -> Self {
        Self { staining: strength, focus: strength, edge: strength, position: strength, ..Self::sources(strength) }
    }

    /// The dials of the source at one strength, the rest at zero.
    pub fn sources(strength: f64) -> Self {
        Self {
            blur: strength,
            gain: strength,
            offset: strength,
            noise: strength,
            illumination: strength,
            bleed_through: strength,
            bit_depth: strength,
            confluency: strength,
            ..Self::default()
        }
    }

    /// Every dial times a factor.
    pub fn scaled(&self, factor: f64) -> Self {
        let mut out = self.clone();
        for (_, dial) in out.named_mut() {
            *dial *= factor;
        }
        out
    }

    fn named_mut(&mut self) -> [(&'static str, &mut f64); 12] {
        [
            ("blur", &mut self.blur),
            ("gain", &mut self.gain),
            ("offset", &mut self.offset),
            ("noise", &mut self.noise),
            ("illumination", &mut self.illumination),
            ("bleed_through", &mut self.bleed_through),
            ("bit_depth", &mut self.bit_depth),
            ("confluency", &mut self.confluency),
            ("staining", &mut self.staining),
            ("focus", &mut self.focus),
            ("edge", &mut self.edge),
            ("position", &mut self.position),
        ]
    }

    /// Fails unless every dial is between 0 and 5.
    pub fn check(&self) -> Result<()> {
        match self.clone().named_mut().iter().find(|(_, dial)| !(0.0..=5.0).contains(&**dial)) {
            Some((name, dial)) => {
                Err(Error::setting(&format!("dials.{name}"), format!("is between 0 and 5, and not {dial}")))
            }
            None => Ok(()),
        }
    }
}
