//! Intensities of one channel, as a file or a correction gives them.
//!
//! # Why
//! Images in memory have 8 or 16 bits ([`Pixels`]). Floating-point files and images divided by an
//! illumination function have neither until a rule has scaled them, and the type says so: what
//! [`super::scale::Depth::apply`] has not seen cannot become an image.

use crate::image::{Pixels, Window, cut};

/// Intensities, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// 8 bits; 255 is the most a file can hold.
    U8(Vec<u8>),
    /// 16 bits, also of cameras with 12; 65535 is the most a file can hold.
    U16(Vec<u16>),
    /// Any finite numbers.
    Float {
        /// The numbers.
        values: Vec<f64>,
        /// The most that the file could hold, for corrected integers; files of floating-point
        /// numbers have no such thing.
        white: Option<f64>,
    },
}

/// One channel of one file, before anything was done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height * width` values.
    pub samples: Samples,
}

impl Samples {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::Float { values, .. } => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most that the file can hold.
    pub fn white(&self) -> Option<f64> {
        match self {
            Self::U8(_) => Some(255.0),
            Self::U16(_) => Some(65535.0),
            Self::Float { white, .. } => *white,
        }
    }

    /// The values as numbers.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        match self {
            Self::U8(values) => values.iter().map(|&v| f64::from(v)).collect(),
            Self::U16(values) => values.iter().map(|&v| f64::from(v)).collect(),
            Self::Float { values, .. } => values.clone(),
        }
    }

    /// The values inside a window of rows of `width` values.
    pub(crate) fn crop(&self, width: usize, window: Window) -> Self {
        match self {
            Self::U8(values) => Self::U8(cut(values, width, 1, window)),
            Self::U16(values) => Self::U16(cut(values, width, 1, window)),
            Self::Float { values, white } => Self::Float { values: cut(values, width, 1, window), white: *white },
        }
    }
}

impl From<Pixels> for Samples {
    fn from(pixels: Pixels) -> Self {
        match pixels {
            Pixels::U8(values) => Self::U8(values),
            Pixels::U16(values) => Self::U16(values),
        }
    }
}
