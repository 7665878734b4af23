//! Which images of the plates to fetch: channels, wells, sites.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use bench_core::Seed;
use bench_fetch::{Failure, Listed, Object, Remote};
use bench_images::sites::{Rule, Well};

use super::load_data::{self, Channel};
use super::plates::kept;
use super::{FetchRequest, profiles};
use crate::manifest::{Manifest, Plate};
use crate::produce::failed;
use crate::produce::jump::Tables;
use crate::{Error, Progress};

/// The five channels of the field.
pub(super) const CHANNELS: [&str; 5] = ["DNA", "AGP", "ER", "Mito", "RNA"];

/// Sites per well.
pub type Sample = Rule;

/// Reads `all`, a number, `paper` or `code`.
///
/// # Errors
/// Another text.
pub fn sample(text: &str) -> Result<Sample, Error> {
    match (text, text.parse()) {
        ("all", _) => Ok(Rule::All),
        ("paper", _) => Ok(Rule::paper()),
        ("code", _) => Ok(Rule::Code),
        (_, Ok(n)) if n > 0 => Ok(Rule::Count(n)),
        _ => Err(Error::Usage {
            message: format!("cannot draw sites by the rule `{text}`"),
            hint: Some("rules are all, paper, code, or a number of at least 1".into()),
        }),
    }
}

/// Objects of images, and fields that the tables name and the bucket lacks.
pub(super) struct Images {
    pub(super) wanted: Vec<Object>,
    pub(super) missing: Vec<Failure>,
}

/// The images of a request, by the load-data tables in one of the folders `tables`.
pub(super) fn objects(
    request: &FetchRequest,
    manifest: &Manifest,
    remote: &Remote,
    plates: &[Plate],
    tables: &[&Path],
    progress: &dyn Progress,
) -> Result<Images, Error> {
    let bucket = manifest.bucket.as_ref().and_then(|bucket| bucket.name.as_deref()).unwrap_or_default();
    let roles = roles(request, plates, progress)?;
    let mut images = Images { wanted: vec![], missing: vec![] };
    let mut read = 0;
    for (at, plate) in plates.iter().enumerate() {
        progress.detail(&format!("images: plate {} of {}", at + 1, plates.len()));
        // A table that is not there was listed as missing.
        let Some(table) = tables.iter().find_map(|folder| table(folder, plate)) else { continue };
        let channels = load_data::read(&table, &CHANNELS, bucket)?;
        read += 1;
        let chosen = choose(request, plate, channels, &roles);
        let lengths = lengths(remote, &chosen)?;
        for channel in chosen {
            let Channel { well, site, channel, key } = &channel;
            let ending = key.rsplit('.').next().unwrap_or("tif").to_lowercase();
            let (source, batch, barcode) = (&plate.source, &plate.batch, &plate.barcode);
            let name = format!("{source}__{barcode}__{well}__{site}__{channel}.{ending}");
            let path = format!("{source}/{batch}/{barcode}/{name}");
            match lengths.get(key.as_str()) {
                Some(listed) => images.wanted.push(Object::from(listed).at(path)),
                None => {
                    let message = "the load-data table names it, and it is not in the bucket".to_owned();
                    images.missing.push(super::missing(key.clone(), path, message));
                }
            }
        }
    }
    let named = !request.filter.wells.is_empty() || !request.filter.sites.is_empty();
    if named && read > 0 && images.wanted.is_empty() && images.missing.is_empty() {
        return Err(Error::Nothing {
            message: format!(
                "none of {read} plates has such fields (wells {}; sites {})",
                words(&request.filter.wells),
                words(&request.filter.sites)
            ),
            hint: "wells are written A01, sites as the load-data tables name them".into(),
        });
    }
    Ok(images)
}

fn words(names: &[String]) -> String {
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

/// The load-data table of a plate that was fetched.
pub(super) fn table(out: &Path, plate: &Plate) -> Option<PathBuf> {
    let stem = profiles::stem("load-data", "load-data", plate);
    [".csv", ".csv.gz", ".parquet"].iter().map(|ending| out.join(format!("{stem}{ending}"))).find(|path| path.is_file())
}

/// Role of each well (`negcon`, `poscon`, `trt`) as far as the metadata tables say.
fn roles(request: &FetchRequest, plates: &[Plate], progress: &dyn Progress) -> Result<HashMap<String, String>, Error> {
    if matches!(request.sample, Rule::All | Rule::Count(_)) {
        return Ok(HashMap::new());
    }
    let Some(tables) = Tables::find(&request.out)? else {
        progress.note("no tables say which wells are controls: every well counts as treated when sites are drawn");
        return Ok(HashMap::new());
    };
    let names = plates.iter().map(|plate| [plate.source.clone(), plate.batch.clone(), plate.barcode.clone()]);
    let fields = tables.join(&names.collect::<BTreeSet<_>>(), progress)?;
    Ok(fields.into_iter().map(|(key, field)| (key, field.pert_type)).collect())
}

/// Wells and sites of one plate that are wanted, in the order of their names.
fn choose(
    request: &FetchRequest,
    plate: &Plate,
    channels: Vec<Channel>,
    roles: &HashMap<String, String>,
) -> Vec<Channel> {
    let mut wells: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for channel in &channels {
        if kept(&request.filter.wells, &channel.well) {
            wells.entry(channel.well.clone()).or_default().insert(channel.site.clone());
        }
    }
    let (source, batch, barcode) = (&plate.source, &plate.batch, &plate.barcode);
    let chosen: BTreeMap<String, BTreeSet<String>> = wells
        .into_iter()
        .map(|(well, sites)| {
            let key = format!("{source}\t{batch}\t{barcode}\t{well}\t");
            let role = roles.get(&key).map_or("trt", String::as_str);
            let sites: Vec<String> = sites.into_iter().collect();
            let named = Well { source, plate: barcode, plate_type: &plate.kind, well: &well, role };
            let drawn = request.sample.choose(Seed(request.seed), &named, &sites);
            (well, drawn.into_iter().filter(|site| kept(&request.filter.sites, site)).collect())
        })
        .collect();
    let mut wanted: Vec<Channel> =
        channels.into_iter().filter(|c| chosen.get(&c.well).is_some_and(|sites| sites.contains(&c.site))).collect();
    wanted.sort();
    wanted.dedup();
    wanted
}

/// What the bucket has in the folders of these images.
fn lengths(remote: &Remote, channels: &[Channel]) -> Result<HashMap<String, Listed>, Error> {
    let folders: BTreeSet<&str> = channels.iter().filter_map(|c| Some(c.key.rsplit_once('/')?.0)).collect();
    let mut found = HashMap::new();
    for folder in folders {
        let page = remote.list_folder(&format!("{folder}/")).map_err(failed("list the bucket"))?;
        found.extend(page.objects.into_iter().map(|object| (object.key.clone(), object)));
    }
    Ok(found)
}
