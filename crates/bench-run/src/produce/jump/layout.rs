//! The 384-well layout in place of a table of wells.

use std::path::Path;

use super::targets::Targets;
use super::{Content, HOME, MANIFEST, Plates, tell};
use crate::manifest::Manifest;
use crate::{Error, Progress};

/// What is in the wells of TARGET2 plates on which the layout holds; other plates are named.
pub(super) fn contents(
    table: &Path,
    plates: &Plates,
    targets: &Targets,
    progress: &dyn Progress,
) -> Result<Vec<Content>, Error> {
    let manifest = Manifest::load(MANIFEST)?;
    let (mut applied, mut unknown, mut contents) = (vec![], vec![], vec![]);
    for (source, barcode) in plates.keys() {
        let name = format!("{source} {barcode}");
        let Some(listed) = manifest.plate(barcode).filter(|listed| listed.source == *source) else {
            unknown.push(name);
            continue;
        };
        let refused = |why: String| Error::Metadata { path: table.to_owned(), row: None, why, hint: needed() };
        if !listed.standard_layout {
            return Err(refused(format!(
                "what is in the {} wells of plate `{barcode}` of {source} is not known without `well.csv`: the 384-well \
                 layout of TARGET2 plates does not hold on it",
                listed.wells
            )));
        }
        if targets.layout().next().is_none() {
            return Err(refused(format!(
                "no table says what is in the wells of plate `{barcode}` of {source}: neither `well.csv` nor \
                 `JUMP-Target-2_compound_platemap.tsv` is here"
            )));
        }
        contents.extend(targets.layout().map(|(well, sample)| Content {
            plate: (source.clone(), barcode.clone()),
            well: well.to_owned(),
            compound: sample.key.clone(),
            structure: sample.structure.clone(),
            pert_type: sample.pert_type.clone(),
        }));
        applied.push(name);
    }
    if !applied.is_empty() {
        progress.note(&format!(
            "there is no `well.csv`: the published 384-well layout is taken for {} TARGET2 plates ({})",
            applied.len(),
            tell::listed(&applied)
        ));
    }
    if !unknown.is_empty() {
        progress.note(&format!(
            "there is no `well.csv`: what is in the wells of {} plates is not known, and they are left out ({})",
            unknown.len(),
            tell::listed(&unknown)
        ));
    }
    Ok(contents)
}

fn needed() -> String {
    format!("add `well.csv.gz` and `compound.csv.gz`; {HOME}")
}
