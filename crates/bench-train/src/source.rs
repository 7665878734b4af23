//! Images as the trainer asks for them, and where a crop lies.
//!
//! A source returns one view of an image: cropped, flipped and scaled to [0, 1] as the view's seed
//! says. Cropping belongs to the source because a store on disk decodes only the crop.

use bench_core::Seed;

use crate::catalogue::ImageId;
use crate::{Error, Result};

/// How an image is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// With the random augmentation of this seed.
    Training(Seed),
    /// Without any (centre crop, no flip).
    Evaluation,
}

/// Where images come from. Loading happens on several threads at once.
pub trait ImageSource: Sync {
    /// Height, width and channels of every view.
    fn shape(&self) -> [usize; 3];

    /// One view of an image, `(height, width, channels)` row by row. The same image and view give
    /// the same numbers, on any thread.
    fn load(&self, image: ImageId, view: View) -> Result<Vec<f32>>;
}

/// Which part of an image a view shows, and how it is turned over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// First row of the crop.
    pub top: usize,
    /// First column of the crop.
    pub left: usize,
    /// Whether columns are reversed.
    pub mirrored: bool,
    /// Whether rows are reversed.
    pub upside_down: bool,
}

impl Placement {
    /// Crop of `to = [height, width]` in an image of `from`: a uniformly random place and, with
    /// probability `flip` each, mirrored and upside down; in the centre for evaluation.
    /// Parity: torchvision's `RandomCrop`, `RandomHorizontalFlip`, `RandomVerticalFlip`.
    pub fn of(view: View, from: [usize; 2], to: [usize; 2], flip: f64) -> Placement {
        let room = [from[0].saturating_sub(to[0]), from[1].saturating_sub(to[1])];
        match view {
            View::Evaluation => Placement { top: room[0] / 2, left: room[1] / 2, mirrored: false, upside_down: false },
            View::Training(seed) => {
                let mut stream = seed.stream();
                let (mirrored, upside_down) = (stream.uniform() < flip, stream.uniform() < flip);
                let (top, left) = (stream.below(room[0] + 1), stream.below(room[1] + 1));
                Placement { top, left, mirrored, upside_down }
            }
        }
    }

    /// The crop of `to` pixels out of `image` of `from` pixels with `channels` numbers each.
    pub fn cut(self, image: &[f32], from: [usize; 2], to: [usize; 2], channels: usize) -> Vec<f32> {
        let mut crop = Vec::with_capacity(to[0] * to[1] * channels);
        for row in 0..to[0] {
            let row = self.top + if self.upside_down { to[0] - 1 - row } else { row };
            let start = (row * from[1] + self.left) * channels;
            let line = &image[start..start + to[1] * channels];
            if self.mirrored {
                line.chunks_exact(channels).rev().for_each(|pixel| crop.extend_from_slice(pixel));
            } else {
                crop.extend_from_slice(line);
            }
        }
        crop
    }
}

/// Images held in memory: for tests, timings and simulated data.
#[derive(Clone, Debug)]
pub struct MemoryImages {
    images: Vec<Vec<f32>>,
    size: [usize; 2],
    crop: [usize; 2],
    channels: usize,
    flip: f64,
}

impl MemoryImages {
    /// Images of `size = [height, width]` and `channels`, of which views show a crop; each is
    /// flipped with probability `flip` in either direction. `images[i]` belongs to `ImageId(i)`.
    pub fn new(images: Vec<Vec<f32>>, size: [usize; 2], channels: usize, crop: [usize; 2], flip: f64) -> Result<Self> {
        if crop[0] > size[0] || crop[1] > size[1] {
            return Err(Error::config("crop", format!("of `{crop:?}` is larger than the images, `{size:?}`")));
        }
        let expected = size[0] * size[1] * channels;
        if let Some((i, image)) = images.iter().enumerate().find(|(_, image)| image.len() != expected) {
            return Err(Error::ImageSize { image: i.to_string(), got: image.len(), expected });
        }
        Ok(MemoryImages { images, size, crop, channels, flip })
    }
}

impl ImageSource for MemoryImages {
    fn shape(&self) -> [usize; 3] {
        [self.crop[0], self.crop[1], self.channels]
    }

    fn load(&self, image: ImageId, view: View) -> Result<Vec<f32>> {
        let missing = || Error::Image { image: image.0.to_string(), reason: "no such image".to_owned() };
        let pixels = self.images.get(image.0 as usize).ok_or_else(missing)?;
        let placement = Placement::of(view, self.size, self.crop, self.flip);
        Ok(placement.cut(pixels, self.size, self.crop, self.channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_centre_crop_is_the_centre_and_flips_reverse_pixels_not_channels() {
        // 4 x 3 pixels of 2 channels: pixel (r, c) holds 10 r + c and its negative.
        let image: Vec<f32> =
            (0..12).flat_map(|i| [(10 * (i / 3) + i % 3) as f32, -((10 * (i / 3) + i % 3) as f32)]).collect();
        let source = MemoryImages::new(vec![image.clone()], [4, 3], 2, [2, 1], 0.5).unwrap();
        assert_eq!(source.load(ImageId(0), View::Evaluation).unwrap(), [11.0, -11.0, 21.0, -21.0]);
        let placement = Placement { top: 0, left: 1, mirrored: true, upside_down: true };
        assert_eq!(placement.cut(&image, [4, 3], [2, 2], 2), [12.0, -12.0, 11.0, -11.0, 2.0, -2.0, 1.0, -1.0]);
        assert!(source.load(ImageId(1), View::Evaluation).unwrap_err().to_string().contains("no such image"));
    }

    #[test]
    fn random_placements_reach_every_place_and_turn_half_of_the_time() {
        let mut places = [0; 6];
        let (mut mirrored, mut upside_down) = (0, 0);
        for i in 0..6000 {
            let p = Placement::of(View::Training(Seed(2).derive("view", i)), [6, 5], [5, 3], 0.5);
            places[p.top * 3 + p.left] += 1;
            mirrored += usize::from(p.mirrored);
            upside_down += usize::from(p.upside_down);
        }
        assert!(places.iter().all(|count| (880..1120).contains(count)), "{places:?}");
        assert!((2850..3150).contains(&mirrored) && (2850..3150).contains(&upside_down));
    }
}
