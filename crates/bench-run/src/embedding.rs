//! Embedding metrics of a run: all embeddings and corrections on the same rows, beside control embeddings.

use bench_core::Seed;
use bench_core::record::{EmbeddingScore, EmbeddingTotal};
use bench_eval::embedding::biology::sources::known_relationships::KnownRelationships;
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
    let mut wanted: Vec<&str> = Vec::new();
    for id in &settings.ids {
        wanted.push(embedding::lookup(id)?.card().card.id);
    }
    for id in &settings.presets {
        wanted.extend(preset::lookup(id)?.metrics());
    }
    if settings.ids.is_empty() {
        wanted.extend(embedding::metrics().map(|metric| metric.card().card.id));
    }
    Ok(embedding::every().filter(|metric| wanted.contains(&metric.card().card.id)).collect())
}

/// The pairs of the user's file, as a metric; `None` without a file.
///
/// # Errors
/// A file that cannot be read as pairs.
pub fn relationships(settings: &EmbeddingMetrics) -> Result<Option<KnownRelationships>, Error> {
    let Some(path) = &settings.relationships else { return Ok(None) };
    Ok(Some(KnownRelationships { pairs: bench_data::read_pairs(path)? }))
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
    let given = relationships(settings)?;
    let mut metrics: Vec<&dyn EmbeddingMetric> = Vec::new();
    for metric in chosen(settings)? {
        if given.as_ref().is_none_or(|given| given.card().card.id != metric.card().card.id) {
            metrics.push(metric);
        }
    }
    metrics.extend(given.as_ref().map(|given| given as &dyn EmbeddingMetric));
    let settings_of_frame = frame::Settings {
        metrics,
        permutations: settings.permutations,
        pass_permutations: settings.permutations.min(settings.pass_permutations),
        pair_permutations: settings.permutations.min(settings.pair_permutations),
        jackknife_rows: settings.jackknife_rows,
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
