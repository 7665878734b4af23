//! Compounds: how often each is recognised, and how it scores under the metrics that look at compounds.

use std::collections::BTreeMap;

use super::plates::{headed, shared, some_models};
use super::{Cell, Column, Shape, Table};
use crate::plates::{self, Tally, by_level, main_level};
use crate::text;
use crate::view::{View, distinct};

/// Metrics with a column of their own, as far as a run has them; all are in the table of groups.
const METRICS: [&str; 8] = [
    "activity-map",
    "distinctiveness-map",
    "cross-batch-map",
    "cross-source-map",
    "arevalo-map-negcon",
    "arevalo-map-nonrep",
    "percent-replicating",
    "grit",
];

/// A row per compound; accuracy by model and split, then metrics by model.
///
/// Accuracy needs a record that says which compound a well holds; metrics are of embeddings as they are scored.
pub(crate) fn compounds(view: &View<'_>, most: usize) -> Table {
    let outcomes = plates::outcomes(view);
    let factors = &view.record.outcomes.factors;
    let (compound, label) = (factors.get("compound"), factors.get("label"));
    let of_accuracy = if compound.is_some() { some_models(&outcomes, most) } else { Vec::new() };
    let scores = distinct_scores(view, most);
    let mut table = Table::new("compounds", "Each compound", "", &[("compound", Shape::Text)]);
    let parts = scores.iter().flat_map(|(_, score)| &score.parts).filter(|part| part.unit == "compound");
    let known = compound.iter().flat_map(|factor| &factor.levels).map(String::as_str);
    let names: Vec<&str> = distinct(known.chain(parts.map(|part| part.name.as_str())));
    if names.is_empty() || of_accuracy.is_empty() && scores.is_empty() {
        return table;
    }
    let mut notes = Vec::new();
    if let Some(compound) = compound {
        if label.is_some() {
            table.columns.push(Column { title: "label".to_owned(), shape: Shape::Text });
        }
        table.columns.push(Column { title: "wells".to_owned(), shape: Shape::Number });
        table.columns.extend(of_accuracy.iter().map(|outcome| headed(outcome)));
        notes.push("Accuracy: share of the compound's test rows predicted correctly, over all repeats, by the probe of the headline.".to_owned());
        debug_assert_eq!(compound.codes.len(), view.record.outcomes.units.len());
    }
    for (title, _) in &scores {
        table.columns.push(Column { title: title.clone(), shape: Shape::Number });
    }
    if !scores.is_empty() {
        notes.push("Metrics: values of the single compound, as their cards define them.".to_owned());
    }
    table.note = notes.join(" ");
    let sums: Vec<Vec<Tally>> = match compound {
        Some(compound) => of_accuracy.iter().map(|outcome| by_level(compound, &outcome.of_unit)).collect(),
        None => Vec::new(),
    };
    let labels = compound.zip(label).map(|(compound, label)| main_level(label, compound));
    let counts = compound.map(|compound| compound.counts());
    let places: BTreeMap<&str, usize> =
        compound.iter().flat_map(|c| c.levels.iter().enumerate()).map(|(at, name)| (name.as_str(), at)).collect();
    let values: Vec<BTreeMap<&str, Option<f64>>> = scores
        .iter()
        .map(|(_, score)| {
            score.parts.iter().filter(|p| p.unit == "compound").map(|p| (p.name.as_str(), p.value)).collect()
        })
        .collect();
    for name in names {
        let at = places.get(name).copied();
        let mut row = vec![Cell::Text(name.to_owned())];
        if let Some(labels) = &labels {
            let name = at.and_then(|at| labels[at]).zip(label).map(|(code, label)| label.levels[code].clone());
            row.push(name.map_or(Cell::Blank, Cell::Text));
        }
        if let Some(counts) = &counts {
            row.push(at.map_or(Cell::Blank, |at| Cell::Count(counts[at])));
        }
        row.extend(sums.iter().map(|sums| at.map_or_else(|| shared(Tally::default()), |at| shared(sums[at]))));
        row.extend(values.iter().map(|values| match values.get(name) {
            Some(Some(value)) => Cell::Number(*value),
            Some(None) => Cell::Missing("no number".to_owned()),
            None => Cell::Missing("not measured for this compound".to_owned()),
        }));
        table.rows.push(row);
    }
    table
}

/// Scores with parts per compound: metric by metric, the first `most` embeddings of the record.
fn distinct_scores<'a>(view: &View<'a>, most: usize) -> Vec<(String, &'a bench_core::record::EmbeddingScore)> {
    let all = &view.record.embedding_scores;
    let models: Vec<&str> = view.models().take(most).map(|model| model.name.as_str()).collect();
    let mut found = Vec::new();
    for metric in METRICS {
        for score in all.iter().filter(|s| s.metric == metric && s.parts.iter().any(|p| p.unit == "compound")) {
            let Some(model) = view.embedded(&score.model, &score.correction) else { continue };
            if models.contains(&model.name.as_str()) {
                found.push((format!("{}, {metric}", text::shorten(&model.name, 24)), score));
            }
        }
    }
    found
}
