//! Which plates no model may be trained on, and what of the scored plates is trained on all the same.
//!
//! # What is held out
//! Plates: those that are scored, and those that a [manifest](crate::manifest) lists as held out,
//! whatever the table says of their type. Compounds are not held out: as in the paper, a compound
//! of a scored plate is trained on where it is on a training plate, too. [`tell`] counts them.

use std::collections::BTreeSet;

use bench_train::Catalogue;

use super::{Dataset, identity};
use crate::manifest::{self, Counts};
use crate::{Error, Progress};

/// Barcodes shown before the rest is counted.
const SHOWN: usize = 8;

/// Refuses plates that are trained on and must not be.
pub(super) fn check(dataset: &Dataset, trained: &[u32], scored: &[u32]) -> Result<(), Error> {
    // A plate is one physical thing: by its name and source, whatever the table says of its type.
    let plate = |&i: &u32| {
        let id = &dataset.store.ids()[i as usize];
        (&id.source, &id.plate)
    };
    let scored: BTreeSet<_> = scored.iter().map(plate).collect();
    let trained: BTreeSet<_> = trained.iter().map(plate).collect();
    if let Some((source, name)) = trained.intersection(&scored).next() {
        return Err(Error::Usage {
            message: format!("plate `{name}` of source `{source}` is both trained on and scored"),
            hint: Some("a plate has one type; see `plates` in the preset".into()),
        });
    }
    for (source, name) in trained {
        let Some((manifest, listed)) = manifest::held_out(name) else { continue };
        return Err(Error::Usage {
            message: format!(
                "plate `{name}` of source `{source}` would be trained on, and manifest `{}` holds it out: it is a {} plate \
                 of {} ({}, batch {})",
                manifest.id, manifest.plate_type, manifest.accession, listed.source, listed.batch
            ),
            hint: Some(format!(
                "its `Metadata_PlateType` should be {}; rename the plate if it is another one of the same name",
                manifest.plate_type
            )),
        });
    }
    Ok(())
}

/// Says which plates of a manifest are here, and how many training compounds are scored, too.
pub(super) fn tell(dataset: &Dataset, catalogue: &Catalogue, scored: &[u32], progress: &dyn Progress) {
    let simulated = dataset.store.is_simulated();
    if !simulated {
        let here: BTreeSet<&str> = dataset.store.ids().iter().map(|id| id.plate.as_str()).collect();
        for manifest in
            manifest::embedded().iter().filter(|manifest| manifest.held_out && manifest.plates().count() > 0)
        {
            let plates: Vec<&manifest::Plate> = here.iter().filter_map(|name| manifest.plate(name)).collect();
            let counts = Counts::of(plates.iter().copied());
            let mut names: Vec<String> = plates.iter().take(SHOWN).map(|plate| plate.barcode.clone()).collect();
            if plates.len() > SHOWN {
                names.push("...".to_owned());
            }
            progress.note(&format!(
                "{} of {} {} plates of {} are here{}",
                plates.len(),
                manifest.plates().count(),
                manifest.plate_type,
                manifest.accession,
                match plates.len() {
                    0 => String::new(),
                    _ =>
                        format!(", of {} sources and {} batches: {}", counts.sources, counts.batches, names.join(", ")),
                }
            ));
        }
    }
    let treated = scored.iter().filter_map(|&i| dataset.fields[i as usize].as_deref());
    let treated = treated.filter(|field| field.pert_type != bench_data::NEGATIVE_CONTROL);
    let treated: BTreeSet<&str> = treated.map(identity).collect();
    let both = catalogue.compounds().iter().filter(|compound| treated.contains(compound.identity.as_str())).count();
    if both > 0 || !simulated {
        progress.note(&format!(
            "{both} of {} training compounds are also on the scored plates: plates are held out, compounds are not",
            catalogue.compounds().len()
        ));
    }
}
