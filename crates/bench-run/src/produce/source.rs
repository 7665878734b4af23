//! Images of a store as the trainer asks for them.

use bench_images::ImageStore;
use bench_images::augment::{self, AugmentConfig, EvaluationCrops};
use bench_train::{ImageId, ImageSource, View};

use crate::Error;

/// A part of a store, seen through the transforms of a preset.
#[derive(Debug)]
pub(super) struct StoreImages<'a> {
    store: &'a ImageStore,
    images: &'a [u32],
    augment: &'a AugmentConfig,
}

impl<'a> StoreImages<'a> {
    /// Image `i` of the trainer is image `images[i]` of the store.
    ///
    /// # Errors
    /// An image that is smaller than the crop.
    pub(super) fn new(store: &'a ImageStore, images: &'a [u32], augment: &'a AugmentConfig) -> Result<Self, Error> {
        let crop = augment.crop;
        for &image in images {
            let (height, width) = store.shape(image as usize).map_err(super::failed("read an image"))?;
            if height < crop || width < crop {
                return Err(Error::Usage {
                    message: format!(
                        "image `{}` has {height} x {width} px, less than a crop of {crop}",
                        store.ids()[image as usize]
                    ),
                    hint: Some("set a smaller `augment.crop` in the preset".into()),
                });
            }
        }
        Ok(StoreImages { store, images, augment })
    }
}

impl ImageSource for StoreImages<'_> {
    fn shape(&self) -> [usize; 3] {
        [self.augment.crop, self.augment.crop, self.store.channels().len()]
    }

    fn load(&self, image: ImageId, view: View) -> bench_train::Result<Vec<f32>> {
        let index = self.images[image.0 as usize] as usize;
        let mut out = vec![0.0; self.shape().iter().product()];
        let made = match view {
            View::Training(seed) => augment::load_view(self.store, index, self.augment, seed, &mut out),
            View::Evaluation => {
                augment::load_fixed(self.store, index, EvaluationCrops::Centre, self.augment.crop, &mut out)
            }
        };
        made.map_err(|error| bench_train::Error::Image {
            image: self.store.ids()[index].to_string(),
            reason: error.to_string(),
        })?;
        Ok(out)
    }
}
