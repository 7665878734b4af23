//! Tables of the page: what is shown, what sorting and copying need, what a tooltip adds.

use minijinja::{Value, context};

use crate::table::{Cell, Shape, Table, letter, shown};
use crate::{number, text};

/// Longest text in a `title` attribute, in characters.
const TITLE_CHARS: usize = 400;

/// Tables that have rows.
pub(super) fn tables(list: &[Table], rows: usize) -> Value {
    Value::from(list.iter().filter(|t| !t.rows.is_empty()).map(|t| table(t, rows)).collect::<Vec<_>>())
}

/// A table of at most `most` rows, with file links, filter and copying.
pub(super) fn table(table: &Table, most: usize) -> Value {
    build(table, most, false)
}

/// A small table without tools, for use inside a folded part.
pub(super) fn plain(table: &Table, most: usize) -> Value {
    build(table, most, true)
}

fn build(table: &Table, most: usize, plain: bool) -> Value {
    let reasons = table.reasons();
    let more = table.rows.len().saturating_sub(most);
    let rows: Vec<Value> = table
        .rows
        .iter()
        .take(most)
        .map(|row| {
            Value::from(
                row.iter().zip(&table.columns).map(|(c, column)| cell(c, column.shape, &reasons)).collect::<Vec<_>>(),
            )
        })
        .collect();
    context! {
        id => &table.id,
        title => &table.title,
        note => &table.note,
        plain => plain,
        columns => table.columns.iter().map(|c| context! {
            text => text::short(&c.title),
            full => full(&c.title),
            class => if c.shape == Shape::Text { "t" } else { "n" },
            shape => shape(c.shape),
        }).collect::<Vec<_>>(),
        rows => rows,
        reasons => reasons.iter().enumerate().map(|(at, r)| context! { letter => letter(at), text => text::reason(r) }).collect::<Vec<_>>(),
        more => (more > 0).then(|| format!("{} of {} left out here; record.json has all.", number::plural(more, "row"), number::count(table.rows.len()))),
    }
}

/// How many numbers a cell of the column holds, for copies.
fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Text => "text",
        Shape::Number => "number",
        Shape::Spread => "spread",
        Shape::Estimate => "estimate",
    }
}

fn cell(cell: &Cell, shape: Shape, reasons: &[&str]) -> Value {
    let title = match cell {
        Cell::Text(words) => full(words),
        Cell::Prose(words) if text::reason(words) != *words => Some(text::shorten(words, TITLE_CHARS)),
        Cell::Missing(reason) => Some(text::reason(reason)),
        _ => None,
    };
    context! {
        text => shown(cell, reasons),
        class => match (cell, shape) {
            (Cell::Missing(_), _) => "m",
            (Cell::Text(words), Shape::Text) if words.chars().count() <= 24 => "t s",
            (_, Shape::Text) => "t",
            _ => "n",
        },
        raw => raw(cell),
        title => title,
        name => matches!(cell, Cell::Text(_) | Cell::Prose(_)),
    }
}

/// Every digit of a cell's numbers, the one to sort by first.
fn raw(cell: &Cell) -> Option<String> {
    let joined = |first: f64, rest: &[Option<f64>]| {
        let rest: String = rest.iter().map(|v| format!(";{}", v.map_or(String::new(), |v| v.to_string()))).collect();
        format!("{first}{rest}")
    };
    match cell {
        Cell::Count(n) => Some(n.to_string()),
        Cell::Number(v) | Cell::Size(v) | Cell::Probability(v) => Some(v.to_string()),
        Cell::Spread(v, sd) => Some(joined(*v, &[*sd])),
        Cell::Estimate(v, interval) => Some(joined(*v, &[interval.map(|i| i.low), interval.map(|i| i.high)])),
        Cell::Text(_) | Cell::Prose(_) | Cell::Missing(_) | Cell::Blank => None,
    }
}

/// The full text for a tooltip, if it differs from what is shown.
fn full(words: &str) -> Option<String> {
    (text::short(words) != words).then(|| text::shorten(words, TITLE_CHARS))
}
