//! Which illumination functions to fetch: one per plate and channel.
//!
//! # What
//! Their keys come from the columns `URL_Illum{channel}` (or `PathName_Illum*` and `FileName_Illum*`) of the load-data
//! table, because a few plates have files named otherwise; a table without them leaves the layout of the manifest.
//!
//! # Where it fits
//! They are put where `bench data prepare --illumination 'illum/{source}/{batch}/{plate}/{channel}.npy'` finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bench_fetch::{Failure, Listed, Object, Remote};

use super::images::{CHANNELS, table};
use super::load_data;
use crate::manifest::{Manifest, Plate};
use crate::produce::failed;
use crate::{Error, Progress};

/// The functions of the plates, and those that should be there and are not.
pub(super) fn objects(
    manifest: &Manifest,
    remote: &Remote,
    plates: &[Plate],
    tables: &[&Path],
    progress: &dyn Progress,
) -> Result<(Vec<Object>, Vec<Failure>), Error> {
    let bucket = manifest.bucket.as_ref().and_then(|bucket| bucket.name.as_deref()).unwrap_or_default();
    let (mut wanted, mut missing) = (vec![], vec![]);
    for (at, plate) in plates.iter().enumerate() {
        progress.detail(&format!("illumination: plate {} of {}", at + 1, plates.len()));
        // A table that is not there was listed as missing.
        let Some(table) = tables.iter().find_map(|folder| table(folder, plate)) else { continue };
        let mut keys = load_data::illumination(&table, &CHANNELS, bucket)?;
        if keys.is_empty() {
            keys = by_layout(manifest, plate)?;
        }
        let folders: BTreeSet<&str> = keys.values().filter_map(|key| Some(key.rsplit_once('/')?.0)).collect();
        let mut there: BTreeMap<String, Listed> = BTreeMap::new();
        for folder in folders {
            let page = remote.list_folder(&format!("{folder}/")).map_err(failed("list the bucket"))?;
            there.extend(page.objects.into_iter().map(|object| (object.key.clone(), object)));
        }
        for (channel, key) in keys {
            let path = format!("illum/{}/{}/{}/{channel}.npy", plate.source, plate.batch, plate.barcode);
            match there.get(&key) {
                Some(listed) => wanted.push(Object::from(listed).at(path)),
                None => {
                    let message = "an illumination function of this plate is not in the bucket".to_owned();
                    missing.push(super::missing(key, path, message));
                }
            }
        }
    }
    Ok((wanted, missing))
}

/// Keys by channel, as the manifest says.
fn by_layout(manifest: &Manifest, plate: &Plate) -> Result<BTreeMap<String, String>, Error> {
    let (source, batch, barcode) = (plate.source.as_str(), plate.batch.as_str(), plate.barcode.as_str());
    let key = |channel: &str| {
        let values = [("source", source), ("batch", batch), ("plate", barcode), ("channel-name", channel)];
        manifest.key("illumination", &values).map(|key| (channel.to_owned(), key))
    };
    CHANNELS.iter().map(|channel| key(channel)).collect::<Option<_>>().ok_or_else(|| Error::Usage {
        message: format!("`{}` names no illumination functions", manifest.id),
        hint: Some("leave `illumination` out of `--what`; images are then prepared as they are".into()),
    })
}
