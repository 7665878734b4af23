//! Intervals, tests between models, and whether the controls are in order.

use std::collections::BTreeMap;

use bench_core::record::{Comparison, ControlCheck, ModelInfo, ModelKind, RankInterval, Summary};
use bench_core::{Score, Seed};
use bench_eval::aggregate::{self, Outcomes, Spread};
use bench_eval::control::{self, ChanceBand, Made, rules};
use serde::{Deserialize, Serialize};

use crate::run::{Prepared, Results};
use crate::{Error, Progress, Request};

/// What is derived from scores and outcomes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summaries {
    /// Aggregates with intervals.
    pub summaries: Vec<Summary>,
    /// Paired tests.
    pub comparisons: Vec<Comparison>,
    /// Ranks.
    pub ranks: Vec<RankInterval>,
    /// Control rules.
    pub controls: Vec<ControlCheck>,
    /// Things the reader should know.
    pub warnings: Vec<String>,
}

/// Derives everything.
pub(crate) fn summarise(
    request: &Request,
    prepared: &Prepared,
    results: &Results,
    progress: &dyn Progress,
) -> Result<Summaries, Error> {
    let suite = &request.suite;
    let seed = Seed(request.seed);
    let label = &prepared.tables[0].answers.label;
    let outcomes: Vec<Outcomes> = results.probes.iter().flat_map(|(_, r)| r.outcomes.iter().cloned()).collect();
    let cells: Vec<&Outcomes> = outcomes.iter().collect();
    let draws = aggregate::bootstrap(&prepared.clusters, &cells, suite.uncertainty.bootstrap, seed);
    progress.tick(1, 3);
    let chance = aggregate::chance_level(label);
    let baseline = |protocol: &str| match protocol {
        "fixed" => prepared.baseline.clone(),
        _ => Some("random".to_owned()),
    };
    let mut summaries = aggregate::summarise(&outcomes, &draws, &prepared.clusters, chance, &baseline);
    summaries.extend(other_metrics(results));
    let models: Vec<&str> = prepared.tables.iter().map(|t| t.name.as_str()).collect();
    let comparisons = aggregate::compare(&outcomes, &draws, &models, suite.uncertainty.permutations, seed)?;
    progress.tick(2, 3);
    let ranks = if models.len() > 1 { aggregate::rank(&outcomes, &draws, &models) } else { Vec::new() };
    let controls = if suite.controls.is_empty() { Vec::new() } else { check(request, prepared, results, &summaries)? };
    let mut warnings = Vec::new();
    if prepared.sets.iter().any(|set| set.protocol == "fixed") && prepared.baseline.is_none() {
        warnings
            .push("no split of the folds stands for `random`, so G is not computed; name one with `--baseline`".into());
    }
    warnings.extend(fits(results));
    Ok(Summaries { summaries, comparisons, ranks, controls, warnings })
}

/// Mean and spread over repeats of every metric but accuracy, which has intervals of its own.
fn other_metrics(results: &Results) -> Vec<Summary> {
    let mut cells: BTreeMap<[&str; 5], Vec<&Score>> = BTreeMap::new();
    for score in results.probes.iter().flat_map(|(_, r)| &r.scores).filter(|s| s.metric != "accuracy") {
        cells
            .entry([&score.model, &score.protocol, &score.split, &score.probe, &score.metric])
            .or_default()
            .push(score);
    }
    cells
        .into_iter()
        .map(|([model, protocol, split, probe, quantity], scores)| {
            let values: Vec<f64> = scores.iter().filter_map(|s| s.value).collect();
            let spread = Spread::of(&values);
            Summary {
                model: model.into(),
                protocol: protocol.into(),
                split: split.into(),
                probe: probe.into(),
                quantity: quantity.into(),
                value: spread.mean,
                sd: spread.sd,
                min: spread.min,
                max: spread.max,
                repeats: spread.repeats,
                // One repeat without a value is enough to say why; the raw scores have all.
                reason: scores.iter().find_map(|s| s.reason.clone()),
                ..Summary::default()
            }
        })
        .collect()
}

fn check(
    request: &Request,
    prepared: &Prepared,
    results: &Results,
    summaries: &[Summary],
) -> Result<Vec<ControlCheck>, Error> {
    let first = &prepared.tables[0];
    let layout = &first.treated.layout;
    let label = &first.answers.label;
    let classes = label.level_count();
    let well = layout.well.as_ref();
    let bands = |codes: &[u32]| -> Vec<ChanceBand> {
        prepared.sets.iter().filter_map(|set| ChanceBand::of(set, codes, classes, well)).collect()
    };
    let chance_shuffled = match control::lookup("shuffled-labels")?.make(layout, label, Seed(request.seed)) {
        Ok(Made::Labels(shuffled)) => bands(&shuffled.codes),
        Ok(Made::Features(_)) | Err(_) => Vec::new(),
    };
    let info = |name: &str, kind| ModelInfo { name: name.to_owned(), kind, ..ModelInfo::default() };
    let mut models: Vec<ModelInfo> = prepared.tables.iter().map(|t| info(&t.name, ModelKind::Model)).collect();
    models.extend(request.suite.controls.iter().map(|id| info(id, ModelKind::Control)));
    let random: Vec<(String, String)> = prepared
        .sets
        .iter()
        .map(|set| (set.protocol.clone(), set.split.clone()))
        .filter(|(protocol, split)| match protocol.as_str() {
            "fixed" => prepared.baseline.as_ref() == Some(split),
            _ => split == "random",
        })
        .collect();
    let checks = rules::check(&rules::Evidence {
        models: &models,
        summaries,
        batch_probes: &results.origin,
        chance: &bands(&label.codes),
        chance_shuffled: &chance_shuffled,
        random: &random,
    });
    // Rules about controls that the suite leaves out are not rules of this run.
    Ok(checks.into_iter().filter(|check| request.suite.controls.contains(&check.control)).collect())
}

/// Fits of the models that did not converge.
fn fits(results: &Results) -> Vec<String> {
    let fits = results.probes.iter().flat_map(|(_, r)| &r.fits);
    fits.filter_map(|fit| {
        let open = fit.fits - fit.converged.filter(|converged| *converged < fit.fits)?;
        Some(format!(
            "{open} of {} fits of {} for {} on {} ({}) did not converge: their scores depend on where the solver stopped",
            fit.fits, fit.probe, fit.model, fit.split, fit.protocol
        ))
    })
    .collect()
}
