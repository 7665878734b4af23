//! Fields of view in memory: pixels of all channels, interleaved.
//!
//! Height, width, channel (HWC) with the channel varying fastest is the layout of the training
//! engine, so that no transposition stands between disk and network.

use crate::{Error, Result};

/// Pixels of one depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// 8 bits; 255 is white.
    U8(Vec<u8>),
    /// 16 bits; 65535 is white.
    U16(Vec<u16>),
}

impl Pixels {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::U16(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that stands for white.
    pub fn white(&self) -> f32 {
        match self {
            Self::U8(_) => 255.0,
            Self::U16(_) => 65535.0,
        }
    }
}

/// A rectangle of pixels inside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Window {
    /// The whole of an image.
    pub fn whole(height: usize, width: usize) -> Self {
        Self { top: 0, left: 0, height, width }
    }

    /// The centre of an image: starts at `floor(side / 2) - size / 2`, as the reference does.
    /// A side shorter than `size` is kept whole.
    pub fn centre(height: usize, width: usize, size: usize) -> Self {
        let start = |side: usize| if side <= size { 0 } else { side / 2 - size / 2 };
        Self { top: start(height), left: start(width), height: size.min(height), width: size.min(width) }
    }

    /// Fails unless the window is not empty and lies inside an image of that size.
    pub fn check(&self, height: usize, width: usize) -> Result<()> {
        let inside = |start: usize, size: usize, side: usize| size > 0 && start <= side && size <= side - start;
        if inside(self.top, self.height, height) && inside(self.left, self.width, width) {
            return Ok(());
        }
        Err(Error::Window { wanted: [self.top, self.left, self.height, self.width], image: [height, width] })
    }
}

/// One field of view: `height x width x channels` values, channel fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// `height * width * channels` values.
    pub pixels: Pixels,
}

impl Image {
    /// Puts planes (one per channel, row by row) together. All must be of one depth and length.
    pub(crate) fn interleave(height: usize, width: usize, planes: &[Pixels]) -> Option<Self> {
        fn weave<T: Copy + Default>(n: usize, planes: &[&[T]]) -> Vec<T> {
            let channels = planes.len();
            let mut out = vec![T::default(); n * channels];
            for (c, plane) in planes.iter().enumerate() {
                for (to, &from) in out[c..].iter_mut().step_by(channels).zip(plane.iter()) {
                    *to = from;
                }
            }
            out
        }
        let n = height * width;
        if planes.iter().any(|plane| plane.len() != n) {
            return None;
        }
        let bytes: Option<Vec<&[u8]>> =
            planes.iter().map(|p| if let Pixels::U8(v) = p { Some(v.as_slice()) } else { None }).collect();
        let words: Option<Vec<&[u16]>> =
            planes.iter().map(|p| if let Pixels::U16(v) = p { Some(v.as_slice()) } else { None }).collect();
        let pixels = match (bytes, words) {
            (Some(planes), _) => Pixels::U8(weave(n, &planes)),
            (None, Some(planes)) => Pixels::U16(weave(n, &planes)),
            (None, None) => return None,
        };
        Some(Self { height, width, channels: planes.len(), pixels })
    }

    /// The pixels of a window.
    pub fn crop(&self, window: Window) -> Result<Self> {
        window.check(self.height, self.width)?;
        let pixels = match &self.pixels {
            Pixels::U8(values) => Pixels::U8(cut(values, self.width, self.channels, window)),
            Pixels::U16(values) => Pixels::U16(cut(values, self.width, self.channels, window)),
        };
        Ok(Self { height: window.height, width: window.width, channels: self.channels, pixels })
    }

    /// One channel as numbers in [0, 1], row by row.
    pub fn plane(&self, channel: usize) -> Vec<f32> {
        let white = self.pixels.white();
        match &self.pixels {
            Pixels::U8(v) => v[channel..].iter().step_by(self.channels).map(|&x| f32::from(x) / white).collect(),
            Pixels::U16(v) => v[channel..].iter().step_by(self.channels).map(|&x| f32::from(x) / white).collect(),
        }
    }
}

/// The values of a window of an image of that width.
pub(crate) fn cut<T: Copy>(values: &[T], width: usize, channels: usize, w: Window) -> Vec<T> {
    let mut out = Vec::with_capacity(w.height * w.width * channels);
    for row in w.top..w.top + w.height {
        let start = (row * width + w.left) * channels;
        out.extend_from_slice(&values[start..start + w.width * channels]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_starts_where_the_reference_starts() {
        // Crop starts of the reference: 1080 -> 156, 997 -> 114, 970 -> 101, 768 -> 0, 700 -> whole side.
        for (side, start, size) in [(1080, 156, 768), (997, 114, 768), (970, 101, 768), (768, 0, 768), (700, 0, 700)] {
            let window = Window::centre(side, side, 768);
            assert_eq!((window.top, window.left, window.height, window.width), (start, start, size, size));
        }
    }

    #[test]
    fn a_window_outside_is_refused_without_overflow() {
        let window = |top, left, height, width| Window { top, left, height, width };
        assert!(window(0, 0, 4, 5).check(4, 5).is_ok());
        assert!(window(3, 4, 1, 1).check(4, 5).is_ok());
        for w in [window(4, 0, 1, 1), window(0, 0, 0, 1), window(usize::MAX, 0, 2, 1), window(0, 1, 4, usize::MAX)] {
            assert!(w.check(4, 5).is_err(), "{w:?}");
        }
    }
}
