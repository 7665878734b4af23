//! Correction of uneven illumination: every image divided by a function of its plate and channel.
//!
//! # Formula
//! `y = x / f`, pixel by pixel, in `f64`; before the crop, and not rounded before it is scaled.
//!
//! # Why
//! Corners of a field are darker than its centre. CellProfiler estimates the function of a plate
//! and channel from all its images and saves it as `.npy`; JUMP publishes these, and its profiles
//! are of corrected images. The images that Watkinson et al. trained on are not corrected.
//!
//! # Reference
//! Singh et al. 2014, "Pipeline for illumination correction of images for high-throughput
//! microscopy"; columns `FileName_Illum{Channel}` of JUMP's `load_data_with_illum`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::npy;
use super::samples::{Raw, Samples};
use crate::id::FieldId;
use crate::{Error, Result};

/// Functions that stay in memory: the channels of two plates of five.
const MOST_KEPT: usize = 10;

/// Where the functions are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Illumination {
    /// In the columns `FileName_Illum{Channel}` or `URL_Illum{Channel}` of the table of files.
    Table,
    /// At a path with `{source}`, `{batch}`, `{plate}` and `{channel}` in it, relative to the root.
    Template(String),
}

impl Illumination {
    /// The path of a template for one channel of a field; none if paths are in a table.
    pub(crate) fn path(&self, root: &Path, id: &FieldId, channel: &str) -> Option<PathBuf> {
        let Self::Template(template) = self else { return None };
        let parts = [("{source}", &*id.source), ("{batch}", &*id.batch), ("{plate}", &*id.plate)];
        let mut path = template.clone();
        for (mark, part) in parts.into_iter().chain([("{channel}", channel)]) {
            path = path.replace(mark, part);
        }
        Some(root.join(path))
    }
}

#[derive(Debug)]
struct Function {
    height: usize,
    width: usize,
    values: Vec<f64>,
}

/// The functions read last.
#[derive(Debug, Default)]
pub(crate) struct Functions(Mutex<Vec<(PathBuf, Arc<Function>)>>);

impl Functions {
    fn get(&self, path: &Path) -> Result<Arc<Function>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(name, _)| name == path) {
            let found = kept.remove(at);
            kept.push(found);
            return Ok(Arc::clone(&kept[kept.len() - 1].1));
        }
        // Others wait: they are of the same plate, mostly, and want the same file.
        let (height, width, values) = npy::read(path)?;
        if let Some(at) = values.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
            let reason = format!("value {at} is {}; an image cannot be divided by it", values[at]);
            return Err(Error::corrupt(path, reason));
        }
        let function = Arc::new(Function { height, width, values });
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push((path.to_owned(), Arc::clone(&function)));
        Ok(function)
    }

    /// An image divided by the function of a file.
    pub(crate) fn correct(&self, raw: &Raw, path: &Path) -> Result<Raw> {
        let function = self.get(path)?;
        if (function.height, function.width) != (raw.height, raw.width) {
            let reason = format!(
                "it has {} x {} values, and the image {} x {} px",
                function.height, function.width, raw.height, raw.width
            );
            return Err(Error::corrupt(path, reason));
        }
        let mut values = raw.samples.numbers();
        values.iter_mut().zip(&function.values).for_each(|(value, f)| *value /= f);
        Ok(Raw { samples: Samples::Float { values, white: raw.samples.white() }, ..*raw })
    }
}
