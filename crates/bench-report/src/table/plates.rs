//! Predictions by place: positions, edge against inside, plates, wells.

use super::{Cell, Column, Shape, Table};
use crate::plates::{self, Outcome, Place, Plates, Tally, by_level, place_name, row_name};
use crate::view::{View, distinct};

/// What a share is, for the notes of these tables.
const SHARE: &str = "Share of test rows predicted correctly, over all repeats, by the probe of the headline";

/// Edge against inside, with the worst and the best row and column; a row per model and split.
pub(crate) fn by_edge(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "edges",
        "Edge, rows and columns of the plates",
        &format!(
            "{SHARE}. The edge is the outermost row and column. Where compounds never change their wells, this compares compounds as well."
        ),
        &[
            ("model", Shape::Text),
            ("split", Shape::Text),
            ("edge", Shape::Number),
            ("inside", Shape::Number),
            ("edge less inside", Shape::Number),
            ("worst row", Shape::Text),
            ("worst row, share", Shape::Number),
            ("best row", Shape::Text),
            ("best row, share", Shape::Number),
            ("worst column", Shape::Text),
            ("worst column, share", Shape::Number),
            ("best column", Shape::Text),
            ("best column, share", Shape::Number),
        ],
    );
    let Ok(places) = plates::plates(view) else { return table };
    for outcome in plates::outcomes(view) {
        let of = |wanted: &dyn Fn(Place) -> bool| places.where_place(&outcome.of_unit, wanted).share();
        let (edge, inside) = (of(&|place| places.is_edge(place)), of(&|place| !places.is_edge(place)));
        let share = |value: Option<f64>| {
            value.map_or_else(|| Cell::Missing("no well was tested there".to_owned()), Cell::Number)
        };
        let mut row = vec![
            Cell::Text(outcome.model.to_owned()),
            Cell::Text(outcome.split_id.to_owned()),
            share(edge),
            share(inside),
            share(edge.zip(inside).map(|(edge, inside)| edge - inside)),
        ];
        let rows = (0..places.rows).filter_map(|at| Some((row_name(at), of(&|place| place.row == at)?)));
        row.extend(ends(rows.collect()));
        let columns =
            (0..places.columns).filter_map(|at| Some(((at + 1).to_string(), of(&|place| place.column == at)?)));
        row.extend(ends(columns.collect()));
        table.rows.push(row);
    }
    table
}

/// Name and share of the lowest and of the highest.
fn ends(lines: Vec<(String, f64)>) -> Vec<Cell> {
    // The first of equals at both ends.
    let lowest = lines.iter().rev().min_by(|a, b| a.1.total_cmp(&b.1));
    let highest = lines.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
    [lowest, highest]
        .into_iter()
        .flat_map(|line| match line {
            Some((name, share)) => [Cell::Text(name.clone()), Cell::Number(*share)],
            None => [Cell::Blank, Cell::Missing("no well was tested there".to_owned())],
        })
        .collect()
}

/// Every position of the heat maps.
pub(crate) fn by_position(view: &View<'_>) -> Table {
    let mut table = Table::new(
        "positions",
        "Positions on the plates",
        &format!("{SHARE}, at each position over all plates."),
        &[
            ("model", Shape::Text),
            ("split", Shape::Text),
            ("position", Shape::Text),
            ("row", Shape::Text),
            ("column", Shape::Number),
            ("tested", Shape::Number),
            ("share", Shape::Number),
        ],
    );
    let Ok(places) = plates::plates(view) else { return table };
    for outcome in plates::outcomes(view) {
        for (at, tally) in places.by_position(&outcome.of_unit).into_iter().enumerate() {
            let place = Place { row: at / places.columns, column: at % places.columns };
            let Some(share) = tally.share() else { continue };
            table.rows.push(vec![
                Cell::Text(outcome.model.to_owned()),
                Cell::Text(outcome.split_id.to_owned()),
                Cell::Text(place_name(place)),
                Cell::Text(row_name(place.row)),
                Cell::Count(place.column + 1),
                Cell::Count(tally.tested as usize),
                Cell::Number(share),
            ]);
        }
    }
    table
}

/// A row per plate, a column per model and split.
pub(crate) fn by_plate(view: &View<'_>, most: usize) -> Table {
    let Ok(places) = plates::plates(view) else { return Table::new("plates", "", "", &[]) };
    let outcomes = plates::outcomes(view);
    let outcomes = some_models(&outcomes, most);
    let mut table = Table::new(
        "plates",
        "Each plate",
        &format!("{SHARE}, on each plate over all its wells."),
        &[("plate", Shape::Text), ("wells", Shape::Number)],
    );
    table.columns.extend(outcomes.iter().map(|outcome| headed(outcome)));
    let sums: Vec<Vec<Tally>> = outcomes.iter().map(|outcome| by_level(&places.plate, &outcome.of_unit)).collect();
    for (plate, wells) in places.plate.counts().into_iter().enumerate() {
        let mut row = vec![Cell::Text(places.plate.levels[plate].clone()), Cell::Count(wells)];
        row.extend(sums.iter().map(|sums| shared(sums[plate])));
        if !outcomes.is_empty() {
            table.rows.push(row);
        }
    }
    table
}

/// Every well with its counts: a long CSV file for those who want to draw plates themselves.
pub(crate) fn wells(view: &View<'_>) -> Option<String> {
    let places: Plates<'_> = plates::plates(view).ok()?;
    let outcomes = plates::outcomes(view);
    let factors = &view.record.outcomes.factors;
    let name = |factor: &str, unit: usize| factors.get(factor).map_or("", |f| f.name(unit)).to_owned();
    let mut out = "model,split,plate,position,label,compound,correct,tested\r\n".to_owned();
    for outcome in &outcomes {
        for (unit, tally) in outcome.of_unit.iter().enumerate().filter(|(_, tally)| tally.tested > 0.0) {
            let words = [
                outcome.model.to_owned(),
                outcome.split_id.to_owned(),
                places.plate.name(unit).to_owned(),
                place_name(places.place[unit]),
                name("label", unit),
                name("compound", unit),
            ];
            let mut fields: Vec<String> = words.iter().map(|word| crate::text::csv(word)).collect();
            fields.extend([tally.correct.to_string(), tally.tested.to_string()]);
            super::push_record(&mut out, &fields);
        }
    }
    (!outcomes.is_empty()).then_some(out)
}

/// Outcomes of the first models.
pub(super) fn some_models<'o, 'a>(outcomes: &'o [Outcome<'a>], most: usize) -> Vec<&'o Outcome<'a>> {
    let models = distinct(outcomes.iter().map(|outcome| outcome.model));
    outcomes.iter().filter(|outcome| models.iter().take(most).any(|model| *model == outcome.model)).collect()
}

pub(super) fn headed(outcome: &Outcome<'_>) -> Column {
    let title = format!("{}, {}", crate::text::shorten(outcome.model, 24), outcome.split);
    Column { title, shape: Shape::Number }
}

pub(super) fn shared(tally: Tally) -> Cell {
    tally.share().map_or_else(|| Cell::Missing("not tested".to_owned()), Cell::Number)
}
