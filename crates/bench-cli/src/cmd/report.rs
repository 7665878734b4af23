//! `bench report`: every file that is a function of the record.

use std::path::{Path, PathBuf};

use bench_core::{Card, RunRecord, atomic};
use bench_run::{Error, outputs, score_table};

use super::list;
use crate::args::ReportArgs;
use crate::exit;

/// Verdict, figures, tables and pages of a record.
pub(crate) fn render(record: &mut RunRecord) -> Result<Vec<(String, Vec<u8>)>, Error> {
    record.verdict = bench_report::verdict(record);
    let artifacts = bench_report::render_with_cards(record, &cards(record)).map_err(|error| Error::Usage {
        message: format!("failed to render the report: {error}"),
        hint: Some("scores are kept; `bench report RUN` tries again".into()),
    })?;
    Ok(artifacts.into_iter().map(|a| (a.path, a.bytes)).collect())
}

/// Cards of every split, probe, metric and control of a record, each once, for its methods
/// section. Ids that this program does not know (of a record made elsewhere) have none.
fn cards(record: &RunRecord) -> Vec<Card> {
    let known = list::all();
    let groups: Vec<&str> = record.data.units.iter().map(|(unit, _)| unit.as_str()).collect();
    let splits = record.splits.iter().filter_map(|s| match s.protocol.as_str() {
        "fixed" => Some(&bench_eval::split::fixed::CARD),
        _ => bench_eval::split::find(&s.split, &groups).ok().map(|split| split.rule.card()),
    });
    let ids = record.scores.iter().flat_map(|s| [s.probe.as_str(), s.metric.as_str()]);
    let ids = ids.chain(record.models.iter().map(|m| m.name.as_str()));
    let named = ids.filter_map(|id| match bench_eval::metric::card(id) {
        Ok(card) => Some(card),
        Err(_) => known.iter().copied().find(|card| card.id == id),
    });
    let mut cards: Vec<Card> = Vec::new();
    for card in splits.chain(named) {
        if cards.iter().all(|c| c.id != card.id) {
            cards.push(*card);
        }
    }
    cards
}

/// The record of a run folder, or of a file, and the folder that it is in.
pub(crate) fn load(run: &Path) -> Result<(RunRecord, PathBuf), Error> {
    let path = if run.is_dir() { run.join("record.json") } else { run.to_owned() };
    let record = outputs::read_record(&path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((record, folder.to_owned()))
}

/// Writes the files of a finished run again.
pub(crate) fn run(args: &ReportArgs) -> Result<i32, Error> {
    let (mut record, folder) = load(&args.run)?;
    let folder = args.out.clone().unwrap_or(folder);
    score_table::write(&folder, &record.scores)?;
    for (name, bytes) in render(&mut record)? {
        let path = folder.join(name);
        atomic::write(&path, &bytes).map_err(|source| Error::Write { path, source })?;
    }
    println!("{}", folder.join("report.html").display());
    Ok(exit::DONE)
}
