//! Images of a store as the trainer asks for them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bench_images::augment::{self, AugmentConfig, EvaluationCrops, View as Drawn};
use bench_images::{ImageStore, Policy};
use bench_train::{ImageId, ImageSource, View};

use crate::Error;

/// A part of a store, seen through the transforms of a preset.
#[derive(Debug)]
pub(super) struct StoreImages<'a> {
    store: &'a ImageStore,
    images: &'a [u32],
    augment: &'a AugmentConfig,
    crops: EvaluationCrops,
    /// Fixed windows of an image.
    views: usize,
    policy: Policy,
    failed: Mutex<BTreeMap<String, String>>,
    stop: AtomicBool,
}

impl<'a> StoreImages<'a> {
    /// Image `i` of the trainer is image `images[i]` of the store. For evaluation with `k` fixed
    /// windows, id `i * k + j` is window `j` of image `i`.
    ///
    /// # Errors
    /// An image that is smaller than the crop.
    pub(super) fn new(
        store: &'a ImageStore,
        images: &'a [u32],
        augment: &'a AugmentConfig,
        crops: EvaluationCrops,
        policy: Policy,
    ) -> Result<Self, Error> {
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
        let views = augment::windows(crops, crop, crop, crop).map_err(super::failed("place fixed crops"))?.len();
        let (failed, stop) = (Mutex::default(), AtomicBool::new(false));
        Ok(StoreImages { store, images, augment, crops, views, policy, failed, stop })
    }

    /// Fixed windows of each image.
    pub(super) fn views(&self) -> usize {
        self.views
    }

    /// Becomes true when an image could not be read and that is an error.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// Images that could not be read so far, and why.
    pub(super) fn failed(&self) -> BTreeMap<String, String> {
        self.failed.lock().map(|failed| failed.clone()).unwrap_or_default()
    }
}

impl ImageSource for StoreImages<'_> {
    fn shape(&self) -> [usize; 3] {
        [self.augment.crop, self.augment.crop, self.store.channels().len()]
    }

    fn load(&self, image: ImageId, view: View) -> bench_train::Result<Vec<f32>> {
        let id = image.0 as usize;
        let mut out = vec![0.0; self.shape().iter().product()];
        let (index, made) = match view {
            View::Training(seed) => {
                let index = self.images[id] as usize;
                (index, augment::load_view(self.store, index, self.augment, seed, &mut out))
            }
            View::Evaluation => {
                let index = self.images[id / self.views] as usize;
                let made = self.store.shape(index).and_then(|(height, width)| {
                    let window = augment::windows(self.crops, self.augment.crop, height, width)?[id % self.views];
                    Drawn::fixed(window).render(&self.store.load_crop(index, window)?, &mut out)
                });
                (index, made)
            }
        };
        made.map_err(|error| {
            let (image, reason) = (self.store.ids()[index].to_string(), error.to_string());
            if let Ok(mut failed) = self.failed.lock() {
                failed.insert(image.clone(), reason.clone());
            }
            if self.policy == Policy::Error {
                self.stop.store(true, Ordering::Relaxed);
            }
            bench_train::Error::Image { image, reason }
        })?;
        Ok(out)
    }
}
