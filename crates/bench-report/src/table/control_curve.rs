//! What corrections were given: control wells of unseen sources, and settings that inner folds chose.

use bench_core::record::{CorrectionChoice, Interval};

use super::{Cell, Shape, Table};
use crate::view::View;

/// The tables of both that have rows.
pub(crate) fn given(view: &View<'_>) -> Vec<Table> {
    [control_curve(view), choices(view)].into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// Accuracy on unseen sources by the number of control wells.
fn control_curve(view: &View<'_>) -> Table {
    let columns = [
        ("embedding", Shape::Text),
        ("correction", Shape::Text),
        ("probe", Shape::Text),
        ("control wells", Shape::Text),
        ("accuracy on unseen sources", Shape::Estimate),
        ("sd over draws", Shape::Number),
        ("worst source", Shape::Number),
        ("test rows", Shape::Number),
        ("remark", Shape::Text),
    ];
    let note = "Each source in turn is unseen: correction and classifier are fitted to the others, and the source is aligned by so \
                many control wells of each group that the correction aligns. Intervals are over wells within batches.";
    let mut table = Table::new("control-curve", "Control wells that an unseen source needs", note, &columns);
    for point in &view.record.control_curve {
        let interval = point.low.zip(point.high).map(|(low, high)| Interval { low, high });
        let accuracy = match point.accuracy {
            Some(accuracy) => Cell::Estimate(accuracy, interval),
            None => Cell::Missing(point.reason.clone().unwrap_or_else(|| "not measured".to_owned())),
        };
        let wells = match point.controls {
            Some(n) => format!("{n} per {}", point.unit),
            None if point.accuracy.is_some() => "all".to_owned(),
            None => String::new(),
        };
        let worst = point.sources.iter().map(|(_, accuracy)| *accuracy).reduce(f64::min);
        table.rows.push(vec![
            Cell::Text(point.model.clone()),
            Cell::Text(point.correction.clone()),
            Cell::Text(point.probe.clone()),
            Cell::Text(wells),
            accuracy,
            point.spread.map_or(Cell::Blank, Cell::Number),
            worst.map_or(Cell::Blank, Cell::Number),
            Cell::Count(point.n_test),
            point.accuracy.and(point.reason.clone()).map_or(Cell::Blank, |why| Cell::Prose(format!("left out: {why}"))),
        ]);
    }
    table
}

/// How often inner folds chose each setting.
fn choices(view: &View<'_>) -> Table {
    let columns = [
        ("embedding", Shape::Text),
        ("correction", Shape::Text),
        ("probe", Shape::Text),
        ("inner folds by", Shape::Text),
        ("chosen", Shape::Text),
        ("times", Shape::Number),
        ("inner balanced accuracy", Shape::Number),
    ];
    let note = "Settings that a correction leaves open, chosen in each training set by inner folds that keep apart what the outer \
                fold keeps apart. No test row takes part.";
    let mut table = Table::new("correction-choices", "Settings that inner folds chose", note, &columns);
    let mut groups: Vec<(&CorrectionChoice, usize, f64)> = Vec::new();
    for choice in &view.record.correction_choices {
        let key = |c: &CorrectionChoice| {
            (c.model.clone(), c.correction.clone(), c.probe.clone(), c.unit.clone(), c.chosen.clone())
        };
        match groups.iter_mut().find(|(known, _, _)| key(known) == key(choice)) {
            Some((_, times, sum)) => (*times, *sum) = (*times + 1, *sum + choice.accuracy),
            None => groups.push((choice, 1, choice.accuracy)),
        }
    }
    for (choice, times, sum) in groups {
        table.rows.push(vec![
            Cell::Text(choice.model.clone()),
            Cell::Text(choice.correction.clone()),
            Cell::Text(choice.probe.clone()),
            Cell::Text(choice.unit.clone()),
            Cell::Prose(choice.chosen.clone()),
            Cell::Count(times),
            Cell::Number(sum / times as f64),
        ]);
    }
    table
}
