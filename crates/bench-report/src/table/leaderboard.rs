//! The results at a glance: accuracy of every model along the split ladder, best first, with
//! ranks that models share where their intervals overlap.
//!
//! # Formula
//! On the hardest split with accuracies: the best rank of a model is one more than the number of
//! models whose interval lies wholly above its own, its worst rank the number of models less
//! those that lie wholly below. `1–3` says that the first three places cannot be told apart.
//!
//! # What it cannot show
//! Intervals of models that are scored on the same rows move together, so two that overlap may
//! still differ in the paired test; the table of differences has that.

use super::build::kind;
use super::{Cell, Column, Shape, Table, or_missing};
use crate::text;
use crate::view::{self, Rung, View, g_symbol, probe_title};

/// Accuracy by split with intervals and ranks; controls below, without ranks.
pub(crate) fn leaderboard(view: &View<'_>, protocol: &str, probe: &str) -> Table {
    let scored = |rung: &Rung<'_>| {
        view.models().any(|m| {
            let found = view.summary(&m.name, protocol, &rung.split.split, probe, "accuracy");
            found.is_some_and(|s| s.value.is_some())
        })
    };
    let rungs: Vec<Rung<'_>> = view.ladder(protocol).into_iter().filter(scored).collect();
    let mut table = Table::new(
        &format!("leaderboard-{}-{}", text::slug(protocol), text::slug(probe)),
        &format!("Models, {} protocol, {}", text::name(protocol), probe_title(probe)),
        "",
        &[("rank", Shape::Text), ("model", Shape::Text), ("kind", Shape::Text)],
    );
    let Some(hardest) = rungs.last() else { return table };
    let symbol = (rungs.len() > 1).then(|| g_symbol(&hardest.split.split));
    table.note = format!(
        "Accuracy with 95 % intervals, ordered by accuracy on {}. Models share ranks where their intervals overlap there, so 1–2 means that the first two cannot be told apart; a model without an interval shares all ranks. Chance: {}.",
        hardest.noun,
        crate::number::fixed(view.chance())
    );
    table.columns.extend(rungs.iter().map(|r| Column { title: r.title.clone(), shape: Shape::Estimate }));
    table.columns.extend(symbol.map(|title| Column { title, shape: Shape::Estimate }));

    let on_hardest = |model: &str| view.summary(model, protocol, &hardest.split.split, probe, "accuracy");
    let mut names: Vec<&str> = view.models().map(|m| m.name.as_str()).collect();
    // The order of the record where values are equal or missing.
    names.sort_by(|a, b| {
        let value = |m: &str| on_hardest(m).and_then(|s| s.value).unwrap_or(f64::NEG_INFINITY);
        value(b).total_cmp(&value(a))
    });
    let ends: Vec<(f64, f64)> = names
        .iter()
        .filter_map(|m| on_hardest(m).filter(|s| s.value.is_some()))
        .map(|s| view::spread(s).map_or((f64::NEG_INFINITY, f64::INFINITY), |x| (x.interval.low, x.interval.high)))
        .collect();
    let ranks = shared_ranks(&ends);
    let controls = view.models_and_controls().map(|m| m.name.as_str()).filter(|m| view.is_control(m));
    for (at, model) in names.iter().copied().chain(controls).enumerate() {
        let cell = |split: &str, quantity: &str| match view.summary(model, protocol, split, probe, quantity) {
            Some(s) => {
                or_missing(s.value, s.reason.as_deref(), |v| Cell::Estimate(v, view::spread(s).map(|x| x.interval)))
            }
            None => Cell::Missing("not scored".to_owned()),
        };
        let mut row = vec![
            ranks.get(at).map_or(Cell::Blank, |(best, worst)| Cell::Text(span(*best, *worst))),
            Cell::Text(model.to_owned()),
            Cell::Text(kind(view, model).to_owned()),
        ];
        row.extend(rungs.iter().map(|r| cell(&r.split.split, "accuracy")));
        row.extend((rungs.len() > 1).then(|| cell(&hardest.split.split, "g")));
        // A model that this protocol and probe never met has no row.
        if row[3..].iter().any(|c| !matches!(c, Cell::Missing(r) if r == "not scored")) {
            table.rows.push(row);
        }
    }
    table
}

/// Best and worst rank of each interval.
pub(crate) fn shared_ranks(ends: &[(f64, f64)]) -> Vec<(usize, usize)> {
    ends.iter()
        .map(|(low, high)| {
            let above = ends.iter().filter(|(l, _)| l > high).count();
            let below = ends.iter().filter(|(_, h)| h < low).count();
            (above + 1, ends.len() - below)
        })
        .collect()
}

/// `2`, or `1–3` where places cannot be told apart.
pub(crate) fn span(best: usize, worst: usize) -> String {
    if best == worst { best.to_string() } else { format!("{best}–{worst}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_shared_where_intervals_overlap() {
        let ranks = shared_ranks(&[(0.8, 0.9), (0.75, 0.82), (0.5, 0.6), (0.1, 0.2)]);
        assert_eq!(ranks, [(1, 2), (1, 2), (3, 3), (4, 4)]);
        let touching = shared_ranks(&[(0.5, 0.6), (0.4, 0.5)]);
        assert_eq!(touching, [(1, 2), (1, 2)], "a common end is an overlap");
        let unknown = shared_ranks(&[(0.8, 0.9), (f64::NEG_INFINITY, f64::INFINITY), (0.1, 0.2)]);
        assert_eq!(unknown, [(1, 2), (1, 3), (2, 3)]);
        assert_eq!((span(1, 1), span(2, 10)), ("1".to_owned(), "2–10".to_owned()));
    }
}
