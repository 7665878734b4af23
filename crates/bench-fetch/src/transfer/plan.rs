//! What is to be done, before anything is asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Options;
use crate::ledger::{Ledger, mtime_ns};
use crate::part::Place;
use crate::{Entry, Error, Object, Remote, Result, Tally, key};

/// One object that is not simply there.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) object: Object,
    pub(super) place: Place,
    /// What the ledger says of the file, where it is there with the length that it should have.
    pub(super) known: Option<Entry>,
    /// Whether the digest of that file is to be compared first.
    pub(super) suspect: bool,
}

/// What there is to do, and what is done.
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    pub(super) present: Vec<Entry>,
    pub(super) tally: Tally,
}

/// Objects with their destinations, by key; the same object at the same place once.
pub(super) fn destinations(objects: &[Object]) -> Result<Vec<(&Object, PathBuf)>> {
    let mut by_path: BTreeMap<&str, (&Object, PathBuf)> = BTreeMap::new();
    for object in objects {
        let breach = |reason: String| Error::Destination { key: object.key.clone(), path: object.path.clone(), reason };
        let path = key::destination(&object.path).map_err(|reason| breach(reason.to_owned()))?;
        match by_path.insert(&object.path, (object, path)) {
            Some((other, _)) if other.key != object.key => {
                return Err(breach(format!("`{}` is to be put there, too", other.key)));
            }
            Some((other, _)) if other != object => {
                return Err(breach("the object is listed twice, with different lengths, tags or digests".into()));
            }
            _ => {}
        }
    }
    let mut wanted: Vec<_> = by_path.into_values().collect();
    wanted.sort_by(|(a, _), (b, _)| (&a.key, &a.path).cmp(&(&b.key, &b.path)));
    Ok(wanted)
}

/// Removes the note of the last file of the ledger: a process killed right after it wrote a line
/// leaves it.
pub(super) fn tidy(folder: &Path, ledger: &Ledger) -> Result<()> {
    let Some(path) = ledger.last.as_deref().and_then(|path| key::destination(path).ok()) else { return Ok(()) };
    let place = Place::new(folder.join(path));
    if place.note.exists() && !place.part.exists() {
        place.settle()?;
    }
    Ok(())
}

/// Compares the wish with the ledger and the disk.
pub(super) fn plan(
    remote: &Remote,
    wanted: Vec<(&Object, PathBuf)>,
    folder: &Path,
    ledger: &Ledger,
    options: &Options,
    interrupted: &AtomicBool,
) -> Result<Plan> {
    let mut plan = Plan { jobs: Vec::new(), present: Vec::new(), tally: Tally::default() };
    for (object, path) in wanted {
        plan.tally.objects += 1;
        if interrupted.load(Ordering::Relaxed) {
            continue;
        }
        let place = Place::new(folder.join(path));
        let known = ledger.entries.get(&object.path).filter(|entry| entry.answers(remote.address(), object));
        // Whatever is in the way of reading the file will be told when it is written.
        let on_disk = known.and_then(|_| fs::metadata(&place.file).ok()).filter(fs::Metadata::is_file);
        let known = known.zip(on_disk).filter(|(entry, on_disk)| on_disk.len() == entry.bytes);
        let suspect =
            known.as_ref().is_some_and(|(entry, on_disk)| options.recheck || mtime_ns(on_disk) != entry.mtime_ns);
        plan.tally.bytes += object.bytes.or(known.as_ref().map(|(entry, _)| entry.bytes)).unwrap_or(0);
        match known {
            Some((entry, _)) if !suspect && !options.refresh => {
                plan.tally.objects_done += 1;
                plan.tally.bytes_done += entry.bytes;
                plan.present.push(entry.clone());
            }
            known => {
                let known = known.map(|(entry, _)| entry.clone());
                plan.jobs.push(Job { object: object.clone(), place, known, suspect });
            }
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_planned_once_and_by_key() {
        let objects = [Object::new("b"), Object::new("a").at("z"), Object::new("b"), Object::new("a").at("y")];
        let wanted = destinations(&objects).unwrap();
        let names: Vec<_> = wanted.iter().map(|(object, _)| (object.key.as_str(), object.path.as_str())).collect();
        assert_eq!(names, [("a", "y"), ("a", "z"), ("b", "b")]);
    }

    #[test]
    fn two_objects_cannot_be_one_file() {
        let clash = destinations(&[Object::new("a").at("c"), Object::new("b").at("c")]).unwrap_err();
        assert!(matches!(&clash, Error::Destination { key, .. } if key == "b"), "{clash}");
        let twice = [Object::new("a"), Object { bytes: Some(1), ..Object::new("a") }];
        assert!(matches!(destinations(&twice), Err(Error::Destination { .. })));
        assert!(matches!(destinations(&[Object::new("a").at("../a")]), Err(Error::Destination { .. })));
    }
}
