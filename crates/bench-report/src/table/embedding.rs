//! Embedding metrics: the values of every embedding and correction beside their control embeddings, and the totals that
//! packages and papers make of them.

use std::collections::BTreeMap;

use bench_core::record::{EmbeddingScore, EmbeddingTotal, Interval};

use super::{Cell, Shape, Table, or_missing, span};
use crate::standing;
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

/// The totals, then a table per side that has scores.
pub(crate) fn embedding(view: &View<'_>) -> Vec<Table> {
    let scores = &view.record.embedding_scores;
    totals(view).into_iter().chain(SIDES.iter().filter_map(|side| of_side(scores, *side))).collect()
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
        let value = match (score.value, &score.reason) {
            (Some(value), _) => Cell::Estimate(value, interval(score)),
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
            remark(score).map_or(Cell::Blank, Cell::Prose),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Totals in order, with ranks; control embeddings below, without.
fn totals(view: &View<'_>) -> Option<Table> {
    let columns = [
        ("set", Shape::Text),
        ("unit", Shape::Text),
        ("rank", Shape::Text),
        ("embedding", Shape::Text),
        ("correction", Shape::Text),
        ("batch", Shape::Estimate),
        ("biology", Shape::Estimate),
        ("total", Shape::Estimate),
        ("front", Shape::Text),
        ("remark", Shape::Text),
    ];
    let note = "Means over the metrics that each package or paper averages, with its weights. They mix metrics of unequal range: \
                read the single values first. Brackets: all metrics at the lower, and at the upper, end of their 95 % intervals at \
                once, wider than an interval of the mean. Rows share ranks where these overlap; a row whose guard fired has no \
                rank. Front: no ranked row is better on both sides.";
    let mut table = Table::new("embedding-totals", "Totals as packages and papers make them", note, &columns);
    for standing in standing::all(view) {
        let fronts = standing::on_front(&standing.rows);
        for (row, front) in standing.rows.iter().zip(fronts) {
            let mut marks = Vec::new();
            if row.info.is_some_and(|info| info.transductive) {
                marks.push("corrected together with later rows (transductive)".to_owned());
            }
            if row.info.is_some_and(|info| info.uses_answers) {
                marks.push("the correction was given labels".to_owned());
            }
            let rank = row.rank.map_or(Cell::Blank, |(best, worst)| Cell::Text(span(best, worst)));
            table.rows.push(total(row.total, rank, front, marks));
        }
    }
    let controls = view.record.embedding_totals.iter().filter(|t| view.embedded(&t.model, &t.correction).is_none());
    table.rows.extend(controls.map(|t| total(t, Cell::Blank, false, vec!["control embedding".to_owned()])));
    (!table.rows.is_empty()).then_some(table)
}

fn total(total: &EmbeddingTotal, rank: Cell, front: bool, mut marks: Vec<String>) -> Vec<Cell> {
    let cell = |value: Option<f64>, range: Option<Interval>| {
        let absent = || Cell::Missing("no metric of this side has a value".to_owned());
        value.map_or_else(absent, |value| Cell::Estimate(value, range))
    };
    marks.extend(total.flag.clone());
    if !total.missing.is_empty() {
        marks.push(format!("without {}", total.missing.join(", ")));
    }
    vec![
        Cell::Text(total.preset.clone()),
        total.unit.clone().map_or(Cell::Blank, Cell::Text),
        rank,
        Cell::Text(total.model.clone()),
        Cell::Text(total.correction.clone()),
        cell(total.batch, total.batch_range),
        cell(total.biology, total.biology_range),
        cell(total.total, total.total_range),
        if front { Cell::Text("yes".to_owned()) } else { Cell::Blank },
        if marks.is_empty() { Cell::Blank } else { Cell::Prose(marks.join("; ")) },
    ]
}

/// Every circle of the aggregate table, for all sets and units: a row per embedding and metric.
pub(crate) fn circles(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "aggregate",
        "Metrics of the sets",
        "",
        &[
            ("set", Shape::Text),
            ("unit", Shape::Text),
            ("rank", Shape::Text),
            ("embedding", Shape::Text),
            ("correction", Shape::Text),
            ("side", Shape::Text),
            ("metric", Shape::Text),
            ("value", Shape::Estimate),
            ("scaled", Shape::Number),
            ("worst control", Shape::Number),
            ("best control", Shape::Number),
            ("n", Shape::Number),
            ("remark", Shape::Text),
        ],
    );
    for standing in standing::all(view) {
        for row in &standing.rows {
            let place = |side: &str, metric: &str| {
                vec![
                    Cell::Text(standing.preset.to_owned()),
                    standing.unit.map_or(Cell::Blank, |unit| Cell::Text(unit.to_owned())),
                    row.rank.map_or(Cell::Blank, |(best, worst)| Cell::Text(span(best, worst))),
                    Cell::Text(row.total.model.clone()),
                    Cell::Text(row.total.correction.clone()),
                    Cell::Text(side.to_owned()),
                    Cell::Text(metric.to_owned()),
                ]
            };
            for (at, metric) in standing.batch.iter().chain(standing.biology).enumerate() {
                let mut cells = place(if at < standing.batch.len() { "batch" } else { "biology" }, metric);
                let score = row.scores[at];
                let number = |value: Option<f64>| value.map_or(Cell::Blank, Cell::Size);
                cells.push(match score {
                    Some(score) => {
                        or_missing(score.value, score.reason.as_deref(), |v| Cell::Estimate(v, interval(score)))
                    }
                    None => Cell::Missing("not measured".to_owned()),
                });
                cells.extend([
                    number(score.and_then(|s| s.scaled)),
                    number(score.and_then(|s| s.worst)),
                    number(score.and_then(|s| s.best)),
                    score.map_or(Cell::Blank, |s| Cell::Count(s.n)),
                    score.and_then(|s| s.flag.clone()).map_or(Cell::Blank, Cell::Prose),
                ]);
                table.rows.push(cells);
            }
            let total = row.total;
            let sides = [
                ("batch", total.batch, total.batch_range),
                ("biology", total.biology, total.biology_range),
                ("both", total.total, total.total_range),
            ];
            for (side, value, range) in sides {
                let mut cells = place(side, "total");
                cells.push(or_missing(value, Some("no metric of a side has a value"), |v| Cell::Estimate(v, range)));
                cells.extend([Cell::Blank, Cell::Blank, Cell::Blank, Cell::Blank]);
                cells.push(total.flag.clone().map_or(Cell::Blank, Cell::Prose));
                table.rows.push(cells);
            }
        }
    }
    table
}

/// The values of embedding metrics by label, compound, source, pair, ...: a long CSV file.
pub(crate) fn parts(view: &View<'_>) -> Option<String> {
    let mut out = "metric,unit,embedding,correction,group of,group,n,value,p\r\n".to_owned();
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let mut rows = 0;
    for score in &view.record.embedding_scores {
        for part in &score.parts {
            let unit = score.unit.as_deref().unwrap_or("");
            let words = [&score.metric, unit, &score.model, &score.correction, &part.unit, &part.name];
            let mut fields: Vec<String> = words.iter().map(|word| crate::text::csv(word)).collect();
            fields.extend([part.n.to_string(), number(part.value), number(part.p)]);
            super::push_record(&mut out, &fields);
            rows += 1;
        }
    }
    (rows > 0).then_some(out)
}

/// What makes the value doubtful, and why something is missing beside it.
fn remark(score: &EmbeddingScore) -> Option<String> {
    let words: Vec<&str> = [score.flag.as_deref(), score.remark.as_deref()].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn interval(score: &EmbeddingScore) -> Option<Interval> {
    score.low.zip(score.high).map(|(low, high)| Interval { low, high })
}
