//! Embedding metrics of a run: all embeddings and corrections on the same rows, beside control embeddings.

use bench_core::Seed;
use bench_core::record::{EmbeddingScore, EmbeddingTotal};
use bench_eval::embedding::frame::{self, Rows, Subject, preset};
use bench_eval::embedding::{self, EmbeddingMetric};
use serde::{Deserialize, Serialize};

use crate::run::Prepared;
use crate::suite::EmbeddingMetrics;
use crate::{Error, Progress};

/// Scores and totals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) scores: Vec<EmbeddingScore>,
    pub(crate) totals: Vec<EmbeddingTotal>,
}

/// The metrics of a suite, in order of report: those named, those of the presets named, or all.
///
/// # Errors
/// An unknown id.
pub fn chosen(settings: &EmbeddingMetrics) -> Result<Vec<&'static dyn EmbeddingMetric>, Error> {
    let mut wanted: Vec<String> = Vec::new();
    for id in &settings.ids {
        wanted.push(embedding::lookup(id)?.card().card.id.to_owned());
    }
    for id in &settings.presets {
        let preset = preset::lookup(id)?;
        if !settings.ids.is_empty() {
            wanted.extend(preset.batch.iter().chain(preset.biology).map(|id| (*id).to_owned()));
        }
    }
    Ok(embedding::metrics()
        .filter(|metric| settings.ids.is_empty() || wanted.iter().any(|id| id == metric.card().card.id))
        .collect())
}

/// Measures all embeddings of a run.
///
/// # Errors
/// An unknown id in the settings.
pub(crate) fn measure(
    prepared: &Prepared,
    settings: &EmbeddingMetrics,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Measured, Error> {
    let first = &prepared.tables[0];
    let rows = Rows { label: &first.answers.label, layout: &first.treated.layout, controls: &first.controls.layout };
    let subjects: Vec<Subject<'_>> = prepared
        .tables
        .iter()
        .zip(&prepared.corrections)
        .map(|(table, corrected)| Subject {
            model: corrected.as_ref().map_or(table.name.as_str(), |corrected| corrected.info.model.as_str()),
            correction: corrected.as_ref().map_or(crate::corrections::NONE, |corrected| corrected.info.chain.as_str()),
            treated: &table.treated.matrix,
            controls: &table.controls.matrix,
        })
        .collect();
    let settings_of_frame = frame::Settings {
        metrics: chosen(settings)?,
        permutations: settings.permutations,
        pass_permutations: settings.permutations.min(settings.pass_permutations),
        pair_permutations: settings.permutations.min(settings.pair_permutations),
        draws: settings.bootstrap,
        seed: Seed(seed).derive("embedding-metrics", 0),
        ..frame::Settings::default()
    };
    let scores = frame::measure(&subjects, &rows, &settings_of_frame, &|done, total| progress.tick(done, total));
    let presets: Vec<&preset::Preset> =
        settings.presets.iter().map(|id| preset::lookup(id)).collect::<Result<_, _>>()?;
    let totals = frame::totals(&scores, &presets);
    Ok(Measured { scores, totals })
}
