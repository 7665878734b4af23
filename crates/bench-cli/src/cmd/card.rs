//! `bench card`: model and dataset cards of a run.

use bench_core::{RunRecord, atomic};
use bench_report::{DataFacts, model_cards};
use bench_run::Error;
use bench_run::manifest::Manifest;

use super::report;
use crate::args::CardArgs;
use crate::exit;

/// Writes a card per model and one of the data.
pub(crate) fn run(args: &CardArgs) -> Result<i32, Error> {
    let (record, folder) = report::load(&args.run)?;
    let folder = args.out.clone().unwrap_or_else(|| folder.join("cards"));
    for card in model_cards(&record, facts(&record)?.as_ref()) {
        let path = folder.join(card.path);
        atomic::write(&path, &card.bytes).map_err(|source| Error::Write { path, source })?;
    }
    println!("{}", folder.display());
    Ok(exit::DONE)
}

/// What the manifest of the suite says, if the run is of its plates.
fn facts(record: &RunRecord) -> Result<Option<DataFacts>, Error> {
    let Some(setting) = record.settings.iter().find(|s| s.key == "data.manifest") else { return Ok(None) };
    let manifest = Manifest::load(&setting.value)?;
    Ok(Some(DataFacts {
        id: manifest.id.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.clone(),
        citation: manifest.citation.clone(),
        images: manifest.images.clone(),
        caveats: manifest.caveats.iter().map(|caveat| format!("{}: {}", caveat.about, caveat.text)).collect(),
    }))
}
