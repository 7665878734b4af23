//! Which plates to fetch.

use std::collections::BTreeSet;

use bench_fetch::Remote;

use super::FetchRequest;
use crate::manifest::{Action, Manifest, Plate};
use crate::produce::failed;
use crate::{Error, Progress};

/// Names to keep; an empty list keeps all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Sources.
    pub sources: Vec<String>,
    /// Batches.
    pub batches: Vec<String>,
    /// Barcodes.
    pub plates: Vec<String>,
    /// Types of plates.
    pub plate_types: Vec<String>,
    /// Wells.
    pub wells: Vec<String>,
    /// Sites.
    pub sites: Vec<String>,
}

/// Part `index` of `of`, counted from one: plates are dealt out in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 1, of: 1 }
    }
}

impl Shard {
    /// Reads `i/n`.
    ///
    /// # Errors
    /// Another text, or a part that does not exist.
    pub fn parse(text: &str) -> Result<Shard, Error> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if 1 <= index && index <= of => Ok(Shard { index, of }),
            _ => Err(Error::Usage {
                message: format!("cannot read the part `{text}`"),
                hint: Some("write I/N with I from 1 to N, such as 2/8".into()),
            }),
        }
    }

    /// The part of a sorted list.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        let keep = |at: &usize| at % self.of == self.index - 1;
        all.into_iter().enumerate().filter(|(at, _)| keep(at)).map(|(_, item)| item).collect()
    }
}

/// Whether a list that keeps names keeps this one.
pub(super) fn kept(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|known| known == name)
}

/// The plates of a request, in the order of source, batch and barcode.
pub(super) fn choose(
    manifest: &Manifest,
    remote: &Remote,
    request: &FetchRequest,
    progress: &dyn Progress,
) -> Result<Vec<Plate>, Error> {
    let filter = &request.filter;
    let listed = if manifest.plates().next().is_some() {
        manifest.plates().cloned().collect()
    } else {
        from_bucket(manifest, remote, filter)?
    };
    check(filter, &listed, &manifest.id)?;
    let mut chosen: Vec<Plate> = listed
        .into_iter()
        .filter(|plate| kept(&filter.sources, &plate.source) && kept(&filter.batches, &plate.batch))
        .filter(|plate| kept(&filter.plates, &plate.barcode) && kept(&filter.plate_types, &plate.kind))
        .collect();
    chosen.sort_by(|a, b| (&a.source, &a.batch, &a.barcode).cmp(&(&b.source, &b.batch, &b.barcode)));
    let mut told = BTreeSet::new();
    chosen.retain(|plate| {
        let mut keep = true;
        for bad in manifest.bad(plate) {
            let drop = bad.action == Action::Drop && !request.keep_bad;
            keep &= !drop;
            let which = if drop { "left out" } else { "fetched, but look" };
            told.insert(format!("plate `{}` of {} is {which}: {}", plate.barcode, plate.source, bad.reason));
        }
        keep
    });
    told.iter().for_each(|line| progress.note(line));
    let chosen = request.shard.of(chosen);
    if chosen.is_empty() {
        return Err(Error::Nothing {
            message: format!("no plate of `{}` has these names", manifest.id),
            hint: format!("see `bench data show {}`; plates that it advises to drop need --keep-bad", manifest.id),
        });
    }
    Ok(chosen)
}

/// Refuses names that no plate has, so that a slip of the pen does not fetch nothing.
fn check(filter: &Filter, listed: &[Plate], id: &str) -> Result<(), Error> {
    let refuse = |what: &str, names: &[String], of: &dyn Fn(&Plate) -> String| {
        let known: BTreeSet<String> = listed.iter().map(of).collect();
        let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) else { return Ok(()) };
        let meant = bench_core::suggest::closest(name, known.iter().map(String::as_str));
        Err(Error::Usage {
            message: format!("`{id}` has no {what} `{name}`"),
            hint: meant.map(|meant| format!("did you mean `{meant}`?")),
        })
    };
    refuse("source", &filter.sources, &|plate| plate.source.clone())?;
    refuse("batch", &filter.batches, &|plate| plate.batch.clone())?;
    refuse("plate", &filter.plates, &|plate| plate.barcode.clone())?;
    refuse("plate type", &filter.plate_types, &|plate| plate.kind.clone())?;
    Ok(())
}

/// The plates that have a folder of load-data tables, or else of profiles.
fn from_bucket(manifest: &Manifest, remote: &Remote, filter: &Filter) -> Result<Vec<Plate>, Error> {
    let template = ["load-data", "profiles"].into_iter().find_map(|what| manifest.layout.get(what)?.as_str());
    let prefix = template.and_then(|template| Some(template.split_once("{batch}")?.0)).ok_or_else(|| Error::Usage {
        message: format!("the manifest `{}` does not say where its plates are", manifest.id),
        hint: None,
    })?;
    // The gallery names the laboratory in the second place of every key.
    let source = prefix.split('/').nth(1).unwrap_or_default().to_owned();
    let folders = |prefix: &str| -> Result<Vec<String>, Error> {
        let page = remote.list_folder(prefix).map_err(failed("list the bucket"))?;
        let last = |folder: &String| folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        Ok(page.folders.iter().map(last).collect())
    };
    let mut plates = vec![];
    for batch in folders(prefix)? {
        if !kept(&filter.batches, &batch) {
            continue;
        }
        for barcode in folders(&format!("{prefix}{batch}/"))? {
            let (source, batch, kind) = (source.clone(), batch.clone(), manifest.plate_type.clone());
            plates.push(Plate {
                source,
                batch,
                barcode,
                kind,
                wells: 384,
                compound_site: true,
                standard_layout: false,
            });
        }
    }
    Ok(plates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_together_everything() {
        let all: Vec<usize> = (0..23).collect();
        let mut seen = vec![];
        for index in 1..=5 {
            seen.extend(Shard { index, of: 5 }.of(all.clone()));
        }
        seen.sort_unstable();
        assert_eq!(seen, all);
        assert_eq!(Shard::parse("2/8").expect("a part"), Shard { index: 2, of: 8 });
        for text in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }
}
