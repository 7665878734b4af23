//! `bench report`: every file that is a function of the record, and of a baseline where one is named.

use std::path::{Path, PathBuf};

use bench_core::{Card, RunRecord, atomic};
use bench_report::{Changes, Extras};
use bench_run::compare::{Found, Options, Side, Source, compare};
use bench_run::{Error, outputs, score_table};

use super::list;
use crate::args::ReportArgs;
use crate::exit;

/// A baseline as it was named, looked up when it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    name: String,
    history: PathBuf,
}

impl Baseline {
    /// Sees whether the baseline is there, before work that would be in vain.
    ///
    /// # Errors
    /// Unreadable or damaged; a run that the history does not have.
    pub(crate) fn named(name: Option<&String>, history: &Path) -> Result<Option<Self>, Error> {
        let Some(name) = name else { return Ok(None) };
        match Source::parse(name) {
            // Which runs of a window can be compared depends on the head.
            Source::Window => drop(bench_run::history::History::read(history)?),
            one => drop(one.one(history)?),
        }
        Ok(Some(Self { name: name.clone(), history: history.to_owned() }))
    }

    /// What changed in a record since the baseline.
    ///
    /// # Errors
    /// Runs that cannot be compared, with the reason.
    pub(crate) fn changes(&self, record: &RunRecord, folder: &Path) -> Result<Changes, Error> {
        let head = Side::of(record, folder, "this run")?;
        let base: Found = Source::parse(&self.name).baseline(&self.history, &head, None, None)?;
        Ok(bench_report::changes(&compare(&base, &head, &Options::default())?))
    }

    /// The same for a run that is finished, and whose report is to be written whatever the baseline is: a refusal becomes
    /// a sentence of the page and a warning.
    pub(crate) fn changes_or_reason(&self, record: &RunRecord, folder: &Path) -> Changes {
        self.changes(record, folder).unwrap_or_else(|error| {
            eprintln!("warning: {error}");
            bench_report::no_changes(&self.name, &error.to_string())
        })
    }
}

/// Verdict, figures, tables and pages of a record.
pub(crate) fn render(record: &mut RunRecord, changes: Option<&Changes>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    record.verdict = bench_report::verdict(record);
    let cards = cards(record);
    let extras = Extras { cards: &cards, changes, ..Extras::default() };
    let artifacts = bench_report::render_with(record, &extras).map_err(|error| Error::Usage {
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
    let (mut record, found_in) = load(&args.run)?;
    let baseline = Baseline::named(args.baseline.as_ref(), &args.history)?;
    let changes = baseline.map(|baseline| baseline.changes(&record, &found_in)).transpose()?;
    let folder = args.out.clone().unwrap_or(found_in);
    score_table::write(&folder, &record.scores)?;
    write(&mut record, &folder, changes.as_ref())?;
    println!("{}", folder.join("report.html").display());
    Ok(exit::DONE)
}

/// Writes what is drawn from a record.
pub(crate) fn write(record: &mut RunRecord, folder: &Path, changes: Option<&Changes>) -> Result<(), Error> {
    for (name, bytes) in render(record, changes)? {
        let path = folder.join(name);
        atomic::write(&path, &bytes).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}
