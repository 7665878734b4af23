//! Embeddings and corrections in the order of a total: what the aggregate table, the scatter plot and the table of
//! totals show.
//!
//! # Formula
//! Rows descend by total. Their ranks are shared where the ranges of their totals overlap
//! ([`crate::table::shared_ranks`]); without a range, by order alone. A row with a guard that fired, or without a total,
//! stands below all others and has no rank.
//!
//! # Why
//! A collapsed embedding can reach a high total, since everything is mixed where everything is one point.
//!
//! # What it cannot show
//! Totals of rows that lack different metrics are not means of the same things; such rows are marked.

use bench_core::record::{CorrectionInfo, EmbeddingScore, EmbeddingTotal};

use crate::table::shared_ranks;
use crate::view::{View, distinct};

/// All embeddings under one set of metrics and one nuisance unit.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    /// Id of the set.
    pub(crate) preset: &'a str,
    /// Nuisance unit of the batch side.
    pub(crate) unit: Option<&'a str>,
    /// Metrics of the batch side.
    pub(crate) batch: &'a [String],
    /// Metrics of the biology side.
    pub(crate) biology: &'a [String],
    /// Best first, those without a rank last.
    pub(crate) rows: Vec<Row<'a>>,
    /// Whether any total has a range, so that ranks can be shared.
    pub(crate) has_ranges: bool,
}

/// One embedding under one correction.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// Its totals.
    pub(crate) total: &'a EmbeddingTotal,
    /// Best and worst rank.
    pub(crate) rank: Option<(usize, usize)>,
    /// What its correction is, if it has one.
    pub(crate) info: Option<&'a CorrectionInfo>,
    /// Scores of the batch side, then of the biology side, in the order of the set.
    pub(crate) scores: Vec<Option<&'a EmbeddingScore>>,
}

impl Row<'_> {
    /// The correction's name with its marks: `*` where rows are corrected together, `†` where labels are given.
    pub(crate) fn correction(&self) -> String {
        let star = if self.info.is_some_and(|info| info.transductive) { "*" } else { "" };
        let dagger = if self.info.is_some_and(|info| info.uses_answers) { "†" } else { "" };
        format!("{}{star}{dagger}", self.total.correction)
    }
}

/// The first set and unit of the record whose metrics are known.
pub(crate) fn first<'a>(view: &View<'a>) -> Option<Standing<'a>> {
    all(view).into_iter().find(|standing| !standing.batch.is_empty() || !standing.biology.is_empty())
}

/// Every set and unit, in the order of the record; control embeddings are left out.
pub(crate) fn all<'a>(view: &View<'a>) -> Vec<Standing<'a>> {
    let record = view.record;
    let places = distinct(record.embedding_totals.iter().map(|total| (total.preset.as_str(), total.unit.as_deref())));
    places.into_iter().map(|(preset, unit)| standing(view, preset, unit)).filter(|s| !s.rows.is_empty()).collect()
}

fn standing<'a>(view: &View<'a>, preset: &'a str, unit: Option<&'a str>) -> Standing<'a> {
    let here = || view.record.embedding_totals.iter().filter(move |t| t.preset == preset && t.unit.as_deref() == unit);
    let (batch, biology): (&[String], &[String]) =
        here().next().map_or((&[], &[]), |total| (&total.batch_metrics, &total.biology_metrics));
    let mut rows: Vec<Row<'a>> = here()
        .filter_map(|total| {
            let model = view.embedded(&total.model, &total.correction)?;
            let find = |metric: &String| {
                view.record.embedding_scores.iter().find(|score| {
                    score.metric == *metric
                        && score.model == total.model
                        && score.correction == total.correction
                        // Measured once, or once per unit.
                        && score.unit.as_deref().is_none_or(|of| Some(of) == unit)
                })
            };
            let scores = batch.iter().chain(biology).map(find).collect();
            Some(Row { total, rank: None, info: model.correction.as_ref(), scores })
        })
        .collect();
    let is_ranked = |row: &Row<'_>| row.total.flag.is_none() && row.total.total.is_some();
    // The order of the record where totals are equal.
    rows.sort_by(|a, b| {
        let value = |row: &Row<'_>| row.total.total.unwrap_or(f64::NEG_INFINITY);
        is_ranked(b).cmp(&is_ranked(a)).then(value(b).total_cmp(&value(a)))
    });
    let has_ranges = rows.iter().any(|row| row.total.total_range.is_some());
    let ends: Vec<(f64, f64)> = rows
        .iter()
        .filter(|row| is_ranked(row))
        .filter_map(|row| {
            let total = row.total.total?;
            Some(row.total.total_range.map_or((total, total), |range| (range.low, range.high)))
        })
        .collect();
    for (row, rank) in rows.iter_mut().zip(shared_ranks(&ends)) {
        row.rank = Some(rank);
    }
    Standing { preset, unit, batch, biology, rows, has_ranges }
}

/// Whether no other row is at least as good on both sides and better on one; ranked rows with both sides only.
pub(crate) fn on_front(rows: &[Row<'_>]) -> Vec<bool> {
    let sides: Vec<Option<(f64, f64)>> =
        rows.iter().map(|row| row.rank.and(row.total.batch.zip(row.total.biology))).collect();
    sides
        .iter()
        .map(|mine| {
            mine.is_some_and(|(x, y)| !sides.iter().flatten().any(|&(a, b)| a >= x && b >= y && (a > x || b > y)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bench_core::RunRecord;
    use bench_core::record::{Interval, ModelInfo, ModelKind};

    use super::*;

    fn record(rows: &[(&str, f64, f64, Option<&str>)]) -> RunRecord {
        let mut record = RunRecord::default();
        for (name, batch, biology, flag) in rows {
            let total = 0.4 * batch + 0.6 * biology;
            record.models.push(ModelInfo { name: (*name).to_owned(), ..ModelInfo::default() });
            record.embedding_totals.push(EmbeddingTotal {
                model: (*name).to_owned(),
                correction: "none".to_owned(),
                preset: "scib".to_owned(),
                batch: Some(*batch),
                biology: Some(*biology),
                total: Some(total),
                total_range: Some(Interval { low: total - 0.05, high: total + 0.05 }),
                flag: flag.map(str::to_owned),
                ..EmbeddingTotal::default()
            });
        }
        record
    }

    #[test]
    fn a_row_whose_guard_fired_stands_last_whatever_its_total() {
        let mut record = record(&[
            ("weak", 0.2, 0.2, None),
            ("collapsed", 1.0, 1.0, Some("effective rank 0.00 is below 1.5")),
            ("good", 0.6, 0.6, None),
            ("near", 0.62, 0.5, None),
            ("control", 0.9, 0.9, None),
        ]);
        record.models[4].kind = ModelKind::Control;
        let view = View::new(&record);
        let found = all(&view).remove(0);
        let names: Vec<(&str, Option<(usize, usize)>)> =
            found.rows.iter().map(|row| (row.total.model.as_str(), row.rank)).collect();
        assert_eq!(
            names,
            [("good", Some((1, 2))), ("near", Some((1, 2))), ("weak", Some((3, 3))), ("collapsed", None)]
        );
        assert_eq!(on_front(&found.rows), [true, true, false, false]);
    }
}
