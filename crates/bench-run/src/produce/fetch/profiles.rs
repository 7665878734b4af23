//! Tables of single plates in the bucket: where their images are, and profiles that others made.

use bench_fetch::{Failure, Listed, Object, Remote};

use crate::manifest::{Manifest, Plate};
use crate::produce::failed;
use crate::{Error, Progress};

/// Keys of the layout that hold tables of a kind, the best first.
fn templates(kind: &str) -> &'static [&'static str] {
    match kind {
        "load-data" => &["load-data", "load-data-raw", "load-data-old"],
        "profiles" => &["profiles"],
        _ => &["embeddings", "embeddings-efficientnet"],
    }
}

/// Folder of a plate's table, without its ending.
pub(super) fn stem(kind: &str, name: &str, plate: &Plate) -> String {
    let folder = match kind {
        "load-data" => "load_data".to_owned(),
        "profiles" => "profiles".to_owned(),
        _ => format!("embeddings/{}", name.strip_prefix("embeddings-").unwrap_or("cpcnn")),
    };
    format!("{folder}/{}/{}/{}", plate.source, plate.batch, plate.barcode)
}

/// The tables of the plates, and those that should be there and are not.
///
/// Each table may be stored in several ways (`.csv`, `.csv.gz`, `.parquet`), and has been in other
/// ways before, so its folder is listed and the best of them is taken.
pub(super) fn objects(
    kind: &str,
    manifest: &Manifest,
    remote: &Remote,
    plates: &[Plate],
    progress: &dyn Progress,
) -> Result<(Vec<Object>, Vec<Failure>), Error> {
    let (mut objects, mut missing) = (vec![], vec![]);
    for (at, plate) in plates.iter().enumerate() {
        progress.detail(&format!("{kind}: plate {} of {}", at + 1, plates.len()));
        let values = [("source", plate.source.as_str()), ("batch", &plate.batch), ("plate", &plate.barcode)];
        let mut found = false;
        let mut first = None;
        for name in templates(kind) {
            let Some(key) = manifest.key(name, &values) else { continue };
            let (folder, file) = key.rsplit_once('/').unwrap_or(("", &key));
            let listed = remote.list_folder(&format!("{folder}/")).map_err(failed("list the bucket"))?.objects;
            first.get_or_insert_with(|| key.clone());
            if let Some((object, ending)) = best(&listed, folder, file) {
                objects.push(Object::from(object).at(format!("{}{ending}", stem(kind, name, plate))));
                found = true;
                // Embeddings are several tables, the others are ways to store one.
                if kind != "embeddings" {
                    break;
                }
            }
        }
        if let (false, Some(key)) = (found, first) {
            let message = "no table of this plate is in the bucket".to_owned();
            missing.push(super::missing(key, stem(kind, kind, plate), message));
        }
    }
    Ok((objects, missing))
}

/// A file of this name with any of the known endings, and the ending.
fn best<'a>(listed: &'a [Listed], folder: &str, file: &str) -> Option<(&'a Listed, &'static str)> {
    const ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".parquet"];
    let own = ENDINGS.iter().rev().find(|ending| file.ends_with(*ending))?;
    let stem = file.strip_suffix(own)?;
    let order = std::iter::once(*own).chain(ENDINGS.into_iter().filter(|ending| ending != own));
    order.into_iter().find_map(|ending| {
        let key = format!("{folder}/{stem}{ending}");
        Some((listed.iter().find(|object| object.key == key)?, ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_ending_comes_first_and_others_serve() {
        let listed: Vec<Listed> = ["f/a.parquet", "f/a.csv.gz", "f/b.csv", "f/ab.csv"]
            .map(|key| Listed { key: key.to_owned(), bytes: Some(1), etag: None, last_modified: None })
            .into();
        let key = |file: &str| best(&listed, "f", file).map(|(object, ending)| (object.key.as_str(), ending));
        assert_eq!(key("a.parquet"), Some(("f/a.parquet", ".parquet")));
        assert_eq!(key("a.csv"), Some(("f/a.csv.gz", ".csv.gz")));
        assert_eq!(key("b.csv.gz"), Some(("f/b.csv", ".csv")));
        assert_eq!(key("c.csv"), None);
    }
}
