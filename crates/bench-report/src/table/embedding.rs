//! Embedding metrics: the values of every embedding and correction beside their control embeddings, and the totals that
//! packages and papers make of them.

use std::collections::BTreeMap;

use bench_core::record::{EmbeddingScore, Interval};

use super::{Cell, Shape, Table};
use crate::view::View;

/// Side in the record, id and title of its table, what a reader must know.
const SIDES: [(&str, &str, &str, &str); 3] = [
    (
        "batch",
        "embedding-batch",
        "Embedding metrics, batch side",
        "How far source, batch and plate are mixed. Scaled: 0 is the control embedding that must be worst, 1 the one that must be \
         best; absent where a guard says that the embedding has collapsed. p: share of permutations within label and plate at \
         least as badly mixed.",
    ),
    (
        "biology",
        "embedding-biology",
        "Embedding metrics, biology side",
        "How well labels and compounds hold together. Scaled as on the batch side. p: share of permutations of labels within \
         plates at least as good.",
    ),
    (
        "guard",
        "embedding-guards",
        "Guards",
        "Whether an embedding is degenerate. A guard that fires makes the other scores of the embedding doubtful.",
    ),
];

/// A table per side that has scores, then the totals.
pub(crate) fn embedding(view: &View<'_>) -> Vec<Table> {
    let scores = &view.record.embedding_scores;
    let mut tables: Vec<Table> = SIDES.iter().filter_map(|side| of_side(scores, *side)).collect();
    tables.extend(totals(view));
    tables
}

fn of_side(scores: &[EmbeddingScore], (side, id, title, note): (&str, &str, &str, &str)) -> Option<Table> {
    let columns = [
        ("metric", Shape::Text),
        ("unit", Shape::Text),
        ("embedding", Shape::Text),
        ("correction", Shape::Text),
        ("value", Shape::Estimate),
        ("scaled", Shape::Number),
        ("p", Shape::Number),
        ("remark", Shape::Text),
    ];
    let mut table = Table::new(id, title, note, &columns);
    // Embeddings of one metric and unit stand together.
    let mut groups: BTreeMap<usize, Vec<&EmbeddingScore>> = BTreeMap::new();
    let mut known: Vec<(&str, Option<&str>)> = Vec::new();
    for score in scores.iter().filter(|score| score.side == side) {
        let key = (score.metric.as_str(), score.unit.as_deref());
        let at = known.iter().position(|other| *other == key).unwrap_or_else(|| {
            known.push(key);
            known.len() - 1
        });
        groups.entry(at).or_default().push(score);
    }
    for score in groups.into_values().flatten() {
        let interval = score.low.zip(score.high).map(|(low, high)| Interval { low, high });
        let value = match (score.value, &score.reason) {
            (Some(value), _) => Cell::Estimate(value, interval),
            (None, reason) => Cell::Missing(reason.clone().unwrap_or_else(|| "not measured".to_owned())),
        };
        table.rows.push(vec![
            Cell::Text(score.metric.clone()),
            score.unit.clone().map_or(Cell::Blank, Cell::Text),
            Cell::Text(score.model.clone()),
            Cell::Text(score.correction.clone()),
            value,
            score.scaled.map_or(Cell::Blank, Cell::Number),
            score.p.map_or(Cell::Blank, Cell::Probability),
            score.flag.clone().map_or(Cell::Blank, Cell::Prose),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

fn totals(view: &View<'_>) -> Option<Table> {
    let columns = [
        ("set", Shape::Text),
        ("unit", Shape::Text),
        ("embedding", Shape::Text),
        ("correction", Shape::Text),
        ("batch", Shape::Number),
        ("biology", Shape::Number),
        ("total", Shape::Number),
        ("remark", Shape::Text),
    ];
    let note = "Means over the metrics that each package or paper averages, with its weights. They mix metrics of unequal range \
                and have no interval: read the single values first.";
    let mut table = Table::new("embedding-totals", "Totals as packages and papers make them", note, &columns);
    for total in &view.record.embedding_totals {
        let cell = |value: Option<f64>| {
            value.map_or_else(|| Cell::Missing("no metric of this side has a value".to_owned()), Cell::Number)
        };
        let remark = match (&total.flag, total.missing.as_slice()) {
            (Some(flag), _) => Cell::Prose(flag.clone()),
            (None, []) => Cell::Blank,
            (None, missing) => Cell::Prose(format!("without {}", missing.join(", "))),
        };
        table.rows.push(vec![
            Cell::Text(total.preset.clone()),
            total.unit.clone().map_or(Cell::Blank, Cell::Text),
            Cell::Text(total.model.clone()),
            Cell::Text(total.correction.clone()),
            cell(total.batch),
            cell(total.biology),
            cell(total.total),
            remark,
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}
