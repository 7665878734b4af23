//! Missing scores by reason: one row where the list of places would be a page of the same words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Shape, Table};
use crate::text;
use crate::view::{View, is_fault, why};

/// Where one reason holds.
#[derive(Default)]
struct Place<'a> {
    models: BTreeSet<&'a str>,
    splits: BTreeSet<(&'a str, &'a str)>,
    scores: usize,
}

/// Reasons for missing scores and where they hold, faults first, then by number.
pub(crate) fn gaps(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "missing-reasons",
        "Missing scores by reason",
        "A score is undefined where its metric has no value on these rows, whatever the model; everything else is a gap. None counts as zero.",
        &[
            ("reason", Shape::Text),
            ("metric", Shape::Text),
            ("kind", Shape::Text),
            ("scores", Shape::Number),
            ("models and controls", Shape::Number),
            ("splits", Shape::Text),
        ],
    );
    let mut places: BTreeMap<(String, &str), Place<'_>> = BTreeMap::new();
    for score in view.record.scores.iter().filter(|s| s.value.is_none()) {
        let place = places.entry((why(score.reason.as_deref()), &score.metric)).or_default();
        place.models.insert(&score.model);
        place.splits.insert((&score.protocol, &score.split));
        place.scores += 1;
    }
    let mut sorted: Vec<_> = places.into_iter().collect();
    // Stable: equals stay in the order of their words.
    sorted.sort_by_key(|((_, metric), place)| (!is_fault(metric), std::cmp::Reverse(place.scores)));
    for ((reason, metric), place) in sorted {
        let named: Vec<String> =
            place.splits.iter().take(3).map(|(p, s)| format!("{} {}", text::short(p), text::short(s))).collect();
        let more = place.splits.len().saturating_sub(named.len());
        let splits = if more > 0 { format!("{} and {more} more", named.join(", ")) } else { text::list(&named) };
        table.rows.push(vec![
            Cell::Prose(reason),
            Cell::Text(metric.to_owned()),
            Cell::Text(if is_fault(metric) { "gap" } else { "undefined" }.to_owned()),
            Cell::Count(place.scores),
            Cell::Count(place.models.len()),
            Cell::Prose(splits),
        ]);
    }
    table
}
