//! Puts the pieces of a run together.

use bench_core::Factor;
use bench_core::digest as sha;
use bench_core::record::{DataInfo, DataSet, Machine, ModelInfo, ModelKind, RunRecord, SCHEMA_VERSION, SuiteInfo};
use bench_eval::control;

use crate::key::Key;
use crate::manifest::Manifest;
use crate::run::{Prepared, Results};
use crate::summaries::Summaries;
use crate::{Request, outcomes, settings};

/// What the suite's manifest says of the data, unless they are simulated.
fn dataset(request: &Request) -> Option<DataSet> {
    if request.embeddings.is_empty() || request.origin.simulated {
        return None;
    }
    // The suite was checked when it was read: the manifest is there.
    let manifest = Manifest::load(request.suite.data.manifest.as_deref()?).ok()?;
    Some(DataSet {
        id: manifest.id.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.clone(),
        citation: manifest.citation.clone(),
    })
}

/// The record, but for steps, outputs, verdict and digests.
pub(crate) fn assemble(
    request: &Request,
    key: &Key,
    prepared: &Prepared,
    results: Results,
    summaries: Summaries,
) -> RunRecord {
    let mut warnings = request.origin.warnings.clone();
    warnings.extend(prepared.warnings.iter().cloned());
    for (control, reason) in &results.missing_controls {
        warnings.push(format!("control `{control}` was not scored: {reason}"));
    }
    if request.suite.controls.is_empty() {
        warnings.push("no control embeddings were scored: nothing vouches for these scores".into());
    }
    warnings.extend(summaries.warnings);
    let models = models(request, prepared, &results);
    let outcomes = outcomes::collect(prepared, &results);
    let gates = request.suite.gates.resolve(&models, &summaries.summaries);
    warnings.extend(request.suite.gates.idle(&summaries.summaries));
    let mut record = RunRecord {
        schema_version: SCHEMA_VERSION,
        run_id: format!("{}-{}", request.suite.id, key.id),
        suite: SuiteInfo {
            id: request.suite.id.clone(),
            version: request.suite.version,
            title: request.suite.title.clone(),
            essay: request.suite.essay.trim().to_owned(),
            citation: request.suite.citation.clone(),
            simulated: request.embeddings.is_empty() || request.origin.simulated,
            digest: sha::of_bytes(request.suite_text.as_bytes()),
            dataset: dataset(request),
        },
        command: request.command.clone(),
        settings: settings::resolve(request),
        software: request.software.clone(),
        machine: Machine {
            device: if request.origin.device.is_empty() { "cpu".into() } else { request.origin.device.clone() },
            dtype: "f32 features, f64 statistics".into(),
            threads: rayon::current_num_threads(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        },
        seed: request.seed,
        models,
        data: data(prepared),
        splits: prepared.audits.clone(),
        confounding: prepared.confounding.clone(),
        summaries: summaries.summaries,
        comparisons: summaries.comparisons,
        ranks: summaries.ranks,
        controls: summaries.controls,
        transfer: results.transfer,
        batch_probes: results.origin,
        embedding_scores: results.embedding.scores,
        embedding_totals: results.embedding.totals,
        control_curve: results.control_curve,
        correction_choices: results.choices,
        projections: results.maps.into_iter().map(|map| map.shown).collect(),
        training: request.origin.training.clone(),
        retrieval: request.origin.retrieval.clone(),
        outcomes,
        splits_digest: outcomes::splits_digest(prepared),
        gates: Some(gates),
        warnings,
        ..RunRecord::default()
    };
    for (_, result) in results.probes {
        record.scores.extend(result.scores);
        record.per_class.extend(result.per_class);
        record.per_group.extend(result.per_group);
        record.confusion.extend(result.confusion);
        record.fits.extend(result.fits);
        record.correction_choices.extend(result.choices);
    }
    record.seed_summaries = crate::seeds::summarise(&record);
    record
}

fn models(request: &Request, prepared: &Prepared, results: &Results) -> Vec<ModelInfo> {
    let mut models: Vec<ModelInfo> = prepared
        .tables
        .iter()
        .zip(&prepared.corrections)
        .map(|(table, corrected)| ModelInfo {
            correction: corrected.as_ref().map(|corrected| corrected.info.clone()),
            name: table.name.clone(),
            kind: ModelKind::Model,
            origin: table.origin.clone(),
            digest: table.digest.clone(),
            dims: table.treated.matrix.cols(),
            rows: table.treated.layout.rows,
            control_rows: table.controls.layout.rows,
            understood: table.understood.clone(),
            dropped: table.dropped.clone(),
        })
        .collect();
    let rows = prepared.tables[0].treated.layout.rows;
    for id in &request.suite.controls {
        if results.missing_controls.iter().any(|(missing, _)| missing == id) {
            continue;
        }
        if let Ok(control) = control::lookup(id) {
            let origin = control.card().what.to_owned();
            models.push(ModelInfo { name: id.clone(), kind: ModelKind::Control, origin, rows, ..ModelInfo::default() });
        }
    }
    models
}

fn data(prepared: &Prepared) -> DataInfo {
    let first = &prepared.tables[0];
    let layout = &first.treated.layout;
    let label = &first.answers.label;
    let by_count = |factor: &Factor| {
        let mut counts: Vec<(String, usize)> = factor.levels.iter().cloned().zip(factor.counts()).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    };
    let named = ["source", "batch", "plate", "well", "position", "site", "compound"];
    let units = named
        .iter()
        .copied()
        .chain(layout.groups.keys().map(String::as_str))
        .filter_map(|unit| layout.unit(unit).map(|factor| (unit.to_owned(), factor.level_count())))
        .collect();
    let labels = by_count(label);
    let rows = label.len();
    DataInfo {
        label: first.answers.column.clone(),
        rows,
        majority: labels.first().map_or(0.0, |(_, n)| *n as f64 / rows.max(1) as f64),
        uniform: 1.0 / label.level_count().max(1) as f64,
        labels,
        units,
        sources: layout.source.as_ref().map(by_count).unwrap_or_default(),
    }
}

/// Digest over everything but times, paths, machine and program: two runs of the same inputs and
/// settings agree on it.
pub fn digest(record: &RunRecord) -> String {
    let mut stable = record.clone();
    stable.command.clear();
    stable.settings.clear();
    stable.software = Default::default();
    stable.machine = Default::default();
    stable.steps.clear();
    stable.outputs.clear();
    stable.verdict.clear();
    stable.record_digest.clear();
    for model in &mut stable.models {
        model.origin.clear();
        model.understood.clear();
    }
    // A record always serialises: it holds strings, numbers and lists only.
    sha::of_bytes(&serde_json::to_vec(&stable).unwrap_or_default())
}
