//! One run, reduced to what a comparison needs of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bench_core::RunRecord;
use bench_core::compared::RunName;
use bench_core::history::{HISTORY_VERSION, HistoryRun, HistoryValue};
use bench_core::record::{ModelKind, SuiteInfo, UnitOutcomes};

use super::predictions;
use crate::suite::GateSettings;
use crate::suite::gates::QUANTITIES;
use crate::{Error, outputs, record};

/// One run of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// How it is named in the output.
    pub name: RunName,
    /// What is needed of it.
    pub run: HistoryRun,
    /// Why it has no outcomes by well, if it has none.
    pub without_outcomes: Option<String>,
    /// Things the reader should know.
    pub notes: Vec<String>,
}

impl Side {
    /// Reads a run folder or a record.
    ///
    /// # Errors
    /// Unreadable, not a record, or changed since it was written.
    pub fn read(place: &Path) -> Result<Self, Error> {
        let path = if place.is_dir() { place.join("record.json") } else { place.to_owned() };
        let record = outputs::read_record(&path)?;
        let damaged = |why: &str| Error::Record { path: path.clone(), why: why.to_owned() };
        if record::digest(&record) != record.record_digest {
            return Err(damaged("it was changed or damaged after it was written: its digest is wrong"));
        }
        if let Some(problem) = record.outcomes.problem() {
            return Err(damaged(&format!("its outcomes by well contradict each other: {problem}")));
        }
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self::of(&record, &folder, &place.display().to_string())
    }

    /// Reduces a record; `folder` is looked into where the record itself keeps no outcomes.
    ///
    /// # Errors
    /// A predictions file that is there and cannot be read.
    pub fn of(record: &RunRecord, folder: &Path, place: &str) -> Result<Self, Error> {
        let mut side = Self { name: name(record, place), run: reduce(record), ..Self::default() };
        if record.gates.is_none() {
            side.notes.push(format!("`{place}` was written before suites had gates; the default gates stand for them"));
        }
        if !side.run.outcomes.is_empty() {
            return Ok(side);
        }
        match predictions::outcomes(record, folder)? {
            predictions::Recovered::All { outcomes, note } => {
                side.run.outcomes = outcomes;
                side.notes.push(format!("`{place}`: {note}"));
            }
            predictions::Recovered::Nothing(why) => side.without_outcomes = Some(why),
        }
        Ok(side)
    }

    /// A run of a history.
    pub fn of_history(number: usize, run: &HistoryRun, place: &str) -> Self {
        let name = RunName {
            run_id: run.run_id.clone(),
            place: format!("{place}:{number}"),
            commit: run.commit.clone(),
            scores_digest: run.scores_digest.clone(),
        };
        Self { name, run: run.clone(), ..Self::default() }
    }
}

fn name(record: &RunRecord, place: &str) -> RunName {
    RunName {
        run_id: record.run_id.clone(),
        place: place.to_owned(),
        commit: None,
        scores_digest: record.scores_digest.clone(),
    }
}

/// What later comparisons need of a record; gates of older records are the default ones.
pub fn reduce(record: &RunRecord) -> HistoryRun {
    let is_model = |name: &str| record.models.iter().any(|m| m.kind == ModelKind::Model && m.name == name);
    let gates = record.gates.clone();
    let gates = gates.unwrap_or_else(|| GateSettings::default().resolve(&record.models, &record.summaries));
    let values = record.summaries.iter().filter(|s| is_model(&s.model) && QUANTITIES.contains(&s.quantity.as_str()));
    let values = values.map(|s| HistoryValue {
        model: s.model.clone(),
        quantity: s.quantity.clone(),
        protocol: s.protocol.clone(),
        split: s.split.clone(),
        probe: s.probe.clone(),
        value: s.value,
        interval: s.percentile,
    });
    HistoryRun {
        history_version: HISTORY_VERSION,
        run_id: record.run_id.clone(),
        suite: SuiteInfo { essay: String::new(), citation: String::new(), ..record.suite.clone() },
        seed: record.seed,
        splits_digest: record.splits_digest.clone(),
        scores_digest: record.scores_digest.clone(),
        models: record.models.iter().filter(|m| m.kind == ModelKind::Model).map(|m| m.name.clone()).collect(),
        values: values.collect(),
        gates,
        // A history compares wells by their names; what they are stays in the record.
        outcomes: UnitOutcomes { factors: BTreeMap::new(), ..record.outcomes.clone() },
        ..HistoryRun::default()
    }
}
