//! The numbers behind a figure: one table per figure, written beside it and into the page.
//!
//! A reader who wants to draw a figure in another way, or to check a bar, finds here every value
//! that was drawn and nothing else.

use bench_core::record::Confusion;

use super::{
    Cell, Shape, Table, batch_probes, by_position, circles, confounding, embedding, g_scores, given, or_missing,
    transfer,
};
use crate::figure::{Figure, Kind};
use crate::view::{self, View};

/// The table behind a figure.
pub(crate) fn behind(view: &View<'_>, figure: &Figure) -> Option<Table> {
    let place = (figure.protocol.as_deref(), figure.probe.as_deref());
    let mut table = match (figure.kind, place) {
        (Kind::Ladder, (Some(protocol), Some(probe))) => ladder(view, protocol, probe),
        (Kind::GScores, (Some(protocol), Some(probe))) => g_scores(view, protocol, probe),
        (Kind::Transfer, (_, Some(probe))) => {
            let model = model_of(view, figure)?;
            only(transfer(view), &[("model", model), ("probe", probe)])
        }
        (Kind::BatchProbes, (_, Some(probe))) => only(batch_probes(view), &[("probe", probe)]),
        (Kind::Confounding, _) => confounding(view),
        (Kind::Aggregate, _) => circles(view),
        (Kind::TradeOff, _) => embedding(view).into_iter().find(|table| table.id == "embedding-totals")?,
        (Kind::ControlCurve, (_, Some(probe))) => {
            only(given(view).into_iter().find(|table| table.id == "control-curve")?, &[("probe", probe)])
        }
        (Kind::Plates, _) => by_position(view),
        (Kind::Confusion, (Some(protocol), Some(probe))) => {
            let (model, split) = (model_of(view, figure)?, figure.split.as_deref()?);
            let found = view.record.confusion.iter().find(|c| {
                (c.model.as_str(), c.protocol.as_str(), c.split.as_str(), c.probe.as_str())
                    == (model, protocol, split, probe)
            });
            confusion(found?)
        }
        (Kind::Training, _) => training(view),
        (Kind::Projection, _) => points(view, figure)?,
        _ => return None,
    };
    table.id.clone_from(&figure.id);
    (!table.rows.is_empty()).then_some(table)
}

/// The model of a figure that has one: its place stands in the id, `confusion-2-…`.
fn model_of<'a>(view: &View<'a>, figure: &Figure) -> Option<&'a str> {
    view.models().nth(place_of(figure)?).map(|m| m.name.as_str())
}

/// The first number of an id, counted from zero.
fn place_of(figure: &Figure) -> Option<usize> {
    figure.id.split('-').find_map(|part| part.parse::<usize>().ok())?.checked_sub(1)
}

/// Rows with these texts in the named columns.
fn only(mut table: Table, wanted: &[(&str, &str)]) -> Table {
    let places: Vec<(usize, &str)> = wanted
        .iter()
        .filter_map(|(title, text)| Some((table.columns.iter().position(|c| c.title == *title)?, *text)))
        .collect();
    table.rows.retain(|row| places.iter().all(|(at, text)| matches!(&row[*at], Cell::Text(words) if words == text)));
    table
}

fn ladder(view: &View<'_>, protocol: &str, probe: &str) -> Table {
    let mut table = Table::new(
        "ladder",
        "Split ladder",
        "",
        &[
            ("model", Shape::Text),
            ("split", Shape::Text),
            ("n train", Shape::Number),
            ("n test", Shape::Number),
            ("accuracy", Shape::Estimate),
            ("majority", Shape::Number),
            ("uniform", Shape::Number),
            ("control band low", Shape::Number),
            ("control band high", Shape::Number),
        ],
    );
    for model in view.models() {
        for rung in view.ladder(protocol) {
            let split = rung.split;
            let band = view.control_band(protocol, &split.split, probe);
            let accuracy = match view.summary(&model.name, protocol, &split.split, probe, "accuracy") {
                Some(s) => {
                    or_missing(s.value, s.reason.as_deref(), |v| Cell::Estimate(v, view::spread(s).map(|x| x.interval)))
                }
                None => Cell::Missing(view::why(split.reason.as_deref().or(Some("not scored")))),
            };
            table.rows.push(vec![
                Cell::Text(model.name.clone()),
                Cell::Text(split.split.clone()),
                Cell::Count(split.n_train.1),
                Cell::Count(split.n_test.1),
                accuracy,
                Cell::Number(view.record.data.majority),
                Cell::Number(view.record.data.uniform),
                band.map_or(Cell::Blank, |b| Cell::Number(b.0)),
                band.map_or(Cell::Blank, |b| Cell::Number(b.1)),
            ]);
        }
    }
    table
}

fn confusion(matrix: &Confusion) -> Table {
    let columns = [("true", Shape::Text), ("predicted", Shape::Text), ("count", Shape::Number)];
    let mut table = Table::new("confusion", "Confusion matrix", "", &columns);
    let n = matrix.classes.len();
    for (at, count) in matrix.counts.iter().enumerate() {
        let (row, column) = (at / n, at % n);
        table.rows.push(vec![
            Cell::Text(matrix.classes[row].clone()),
            Cell::Text(matrix.classes[column].clone()),
            Cell::Number(*count),
        ]);
    }
    table
}

fn training(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "training",
        "Loss over epochs",
        "",
        &[
            ("model", Shape::Text),
            ("epoch", Shape::Number),
            ("learning rate", Shape::Number),
            ("training loss", Shape::Number),
            ("validation loss", Shape::Number),
        ],
    );
    let loss = |value: Option<f64>| or_missing(value, Some("the loss was not finite"), Cell::Size);
    for t in &view.record.training {
        for e in &t.history {
            table.rows.push(vec![
                Cell::Text(t.model.clone()),
                Cell::Count(e.epoch as usize + 1),
                Cell::Size(e.lr),
                loss(e.train_loss),
                loss(e.validation_loss),
            ]);
        }
    }
    table
}

/// The points of a map with every colouring; the file of a map has all its points.
fn points(view: &View<'_>, figure: &Figure) -> Option<Table> {
    let map = view.record.projections.get(place_of(figure)?)?;
    let names = map.colourings.iter().map(|c| (c.by.as_str(), Shape::Text));
    let columns: Vec<(&str, Shape)> =
        [("row", Shape::Number), ("x", Shape::Number), ("y", Shape::Number)].into_iter().chain(names).collect();
    let mut table = Table::new("points", "Points of a map", "", &columns);
    for (at, row) in map.row.iter().enumerate() {
        let mut cells = vec![
            Cell::Count(*row as usize),
            Cell::Count(usize::from(*map.x.get(at)?)),
            Cell::Count(usize::from(*map.y.get(at)?)),
        ];
        for colouring in &map.colourings {
            cells.push(Cell::Text(colouring.levels.get(*colouring.codes.get(at)? as usize)?.clone()));
        }
        table.rows.push(cells);
    }
    Some(table)
}
