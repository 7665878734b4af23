//! Plates as seen by a probe: the share of test rows predicted correctly at every position, over all plates.
//!
//! # What it shows
//! Whether mistakes gather at the edge, in a row or in a column: a strip beside and below each map has the means of rows
//! and columns.
//!
//! # What it cannot show
//! Where compounds never change their wells, a hard compound looks like a bad position.

use plotters::style::RGBColor;

use super::axis::{self, HEAD, SMALL, TINY};
use super::canvas::{About, Anchor, Canvas, cut, draw};
use super::palette::{self, GREY, GRID, INK, NOTHING};
use super::{Figure, Kind};
use crate::plates::{self, Outcome, Place, Plates, Tally, row_name};
use crate::view::{View, distinct, probe_title};
use crate::{Error, number, text};

/// Models that are drawn; the table has all.
const MOST_MODELS: usize = 8;
/// Room for the letters of rows.
const LETTERS: f64 = 20.0;
/// Between map and strips.
const APART: f64 = 4.0;

/// Sizes of one panel.
struct Panel {
    cell: f64,
    width: f64,
    height: f64,
}

impl Panel {
    fn new(view: &View<'_>, plates: &Plates<'_>) -> Self {
        let columns = plates.columns as f64 + 1.0;
        let wide = (340.0 / columns).clamp(7.0, 26.0);
        let room = view.page.room().map_or(f64::INFINITY, |room| (room - 36.0 - LETTERS - APART - 4.0) / columns);
        let cell = wide.min(room);
        Panel {
            cell,
            width: LETTERS + columns * cell + APART + 14.0,
            height: 20.0 + (plates.rows as f64 + 1.0) * cell + APART + 18.0 + 34.0,
        }
    }
}

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let outcomes = plates::outcomes(view);
    let Ok(plates) = plates::plates(view) else { return Ok(Vec::new()) };
    if outcomes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![figure(view, &plates, &outcomes)?])
}

fn figure(view: &View<'_>, plates: &Plates<'_>, outcomes: &[Outcome<'_>]) -> Result<Figure, Error> {
    let models: Vec<&str> = distinct(outcomes.iter().map(|o| o.model));
    let left = models.len().saturating_sub(MOST_MODELS);
    let shown: Vec<&Outcome<'_>> =
        outcomes.iter().filter(|o| models.iter().take(MOST_MODELS).any(|m| *m == o.model)).collect();
    let panel = Panel::new(view, plates);
    let across = match view.page.too_narrow_for(36.0 + 2.0 * panel.width) {
        Some(_) => 1,
        None => 2,
    };
    let rows = shown.len().div_ceil(across);
    let width = view.page.room().unwrap_or(f64::INFINITY).min((36.0 + across as f64 * panel.width).max(520.0));
    let below = HEAD + 6.0 + rows as f64 * (panel.height + 12.0);
    let height = below + 74.0;
    let probe = view.headline().map_or_else(String::new, |h| probe_title(h.probe));
    let protocol = view.headline().map_or_else(String::new, |h| text::short(h.protocol));
    let title = format!("Plates as {probe} sees them, {protocol} protocol");
    let caption = caption(view, plates, &shown, left);
    let chance = view.chance();
    let colour = |share: f64| palette::diverging(share, chance);
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw("plates", &about, width, height, |canvas| {
        let basis = format!("{} · {}", number::plural(plates.plate.levels.len(), "plate"), axis::basis(view));
        axis::head(canvas, view, &title, &basis, width);
        for (at, outcome) in shown.iter().enumerate() {
            let (x, y) =
                (18.0 + (at % across) as f64 * panel.width, HEAD + 6.0 + (at / across) as f64 * (panel.height + 12.0));
            paint(canvas, plates, &panel, outcome, (x, y), &colour);
        }
        scale(canvas, (18.0, below + 6.0), chance, &colour);
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    Ok(Figure {
        id: "plates".to_owned(),
        kind: Kind::Plates,
        protocol: view.headline().map(|h| h.protocol.to_owned()),
        probe: view.headline().map(|h| h.probe.to_owned()),
        split: None,
        alt: format!(
            "Heat maps of a plate of {} by {} wells with the share of test rows predicted correctly at each position. {} All values are in the table of positions.",
            plates.rows,
            plates.columns,
            shown.iter().take(4).map(|o| summary(plates, o)).collect::<Vec<_>>().join(" ")
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}

fn paint(
    canvas: &mut Canvas<'_>,
    plates: &Plates<'_>,
    panel: &Panel,
    outcome: &Outcome<'_>,
    (left, top): (f64, f64),
    colour: &dyn Fn(f64) -> RGBColor,
) {
    let (cell, rows, columns) = (panel.cell, plates.rows, plates.columns);
    let title = format!("{} · {}", text::short_ends(outcome.model), outcome.split);
    canvas.label(&cut(&title, panel.width - 10.0, SMALL), left, top + 4.0, SMALL, Anchor::Start);
    let (x0, y0) = (left + LETTERS, top + 18.0);
    let fill = |canvas: &mut Canvas<'_>, x: f64, y: f64, tally: Tally| match tally.share() {
        Some(share) => canvas.rectangle(x, y, cell, cell, colour(share)),
        None => canvas.rectangle(x, y, cell, cell, NOTHING),
    };
    for (at, tally) in plates.by_position(&outcome.of_unit).into_iter().enumerate() {
        fill(canvas, x0 + (at % columns) as f64 * cell, y0 + (at / columns) as f64 * cell, tally);
    }
    // Means of rows to the right, of columns below.
    let (right, bottom) = (x0 + columns as f64 * cell + APART, y0 + rows as f64 * cell + APART);
    for row in 0..rows {
        let tally = plates.where_place(&outcome.of_unit, |place| place.row == row);
        fill(canvas, right, y0 + row as f64 * cell, tally);
    }
    for column in 0..columns {
        let tally = plates.where_place(&outcome.of_unit, |place| place.column == column);
        fill(canvas, x0 + column as f64 * cell, bottom, tally);
    }
    for row in 0..=rows {
        let y = y0 + row as f64 * cell;
        canvas.line(&[(x0, y), (x0 + columns as f64 * cell, y)], GRID, 0.4);
    }
    for column in 0..=columns {
        let x = x0 + column as f64 * cell;
        canvas.line(&[(x, y0), (x, y0 + rows as f64 * cell)], GRID, 0.4);
    }
    canvas.outline(x0, y0, columns as f64 * cell, rows as f64 * cell, GREY, 0.8);
    canvas.outline(right, y0, cell, rows as f64 * cell, GREY, 0.6);
    canvas.outline(x0, bottom, columns as f64 * cell, cell, GREY, 0.6);
    // Every name where they fit, else every second, third, ...
    let every = ((TINY + 1.0) / cell).ceil().max(1.0) as usize;
    for row in (0..rows).step_by(every) {
        canvas.text(&row_name(row), x0 - 4.0, y0 + (row as f64 + 0.5) * cell, TINY, Anchor::End, GREY);
    }
    let every = ((1.3 * TINY) / cell).ceil().max(1.0) as usize;
    for column in (0..columns).step_by(every) {
        let x = x0 + (column as f64 + 0.5) * cell;
        canvas.text(&(column + 1).to_string(), x, bottom + cell + 9.0, TINY, Anchor::Middle, GREY);
    }
    let words = axis::wrapped(&summary(plates, outcome), panel.width - 12.0, TINY);
    for (line, words) in words.iter().take(2).enumerate() {
        canvas.text(words, left, bottom + cell + 26.0 + 13.0 * line as f64, TINY, Anchor::Start, INK);
    }
}

/// Edge against inside, and the range of rows and columns.
fn summary(plates: &Plates<'_>, outcome: &Outcome<'_>) -> String {
    let of = |wanted: &dyn Fn(Place) -> bool| plates.where_place(&outcome.of_unit, wanted).share();
    let said = |value: Option<f64>| value.map_or_else(|| "not tested".to_owned(), number::coarse);
    let (edge, inside) = (of(&|place| plates.is_edge(place)), of(&|place| !plates.is_edge(place)));
    let span = |values: Vec<f64>| match values.is_empty() {
        true => "not tested".to_owned(),
        false => format!(
            "{} to {}",
            number::coarse(values.iter().copied().fold(f64::INFINITY, f64::min)),
            number::coarse(values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        ),
    };
    let rows = (0..plates.rows).filter_map(|row| of(&|place| place.row == row)).collect();
    let columns = (0..plates.columns).filter_map(|column| of(&|place| place.column == column)).collect();
    format!("Edge {}, inside {}; rows {}, columns {}.", said(edge), said(inside), span(rows), span(columns))
}

/// The colour scale from left to right, and what has no value.
fn scale(canvas: &mut Canvas<'_>, (x, y): (f64, f64), chance: f64, colour: &dyn Fn(f64) -> RGBColor) {
    const STEPS: usize = 60;
    let width = 160.0;
    for step in (0..STEPS).rev() {
        let share = (step as f64 + 0.5) / STEPS as f64;
        canvas.rectangle(x, y, width * (step + 1) as f64 / STEPS as f64, 11.0, colour(share));
    }
    canvas.outline(x, y, width, 11.0, GREY, 0.6);
    for (value, words) in
        [(0.0, "0".to_owned()), (chance, format!("chance {}", number::coarse(chance))), (1.0, "1".to_owned())]
    {
        let at = x + width * value;
        canvas.line(&[(at, y + 11.0), (at, y + 15.0)], GREY, 0.8);
        let anchor = if value == 0.0 || value == 1.0 { Anchor::Middle } else { Anchor::Start };
        let (x, y) = if anchor == Anchor::Middle { (at, y + 22.0) } else { (at.max(x + 8.0), y + 22.0) };
        canvas.text(&words, x, y, TINY, anchor, GREY);
    }
    canvas.text("predicted correctly", x + width + 12.0, y + 5.5, TINY, Anchor::Start, GREY);
    canvas.rectangle(x + width + 12.0, y + 16.0, 11.0, 11.0, NOTHING);
    canvas.outline(x + width + 12.0, y + 16.0, 11.0, 11.0, GRID, 0.6);
    canvas.text("no tested well", x + width + 28.0, y + 22.0, TINY, Anchor::Start, GREY);
}

fn caption(view: &View<'_>, plates: &Plates<'_>, shown: &[&Outcome<'_>], left: usize) -> String {
    let mut caption = vec![format!(
        "Share of test rows that {} predicts correctly at each position of {}, over all repeats; blue is above chance ({}), orange below. The strips have the means of rows and columns.",
        view.headline().map_or_else(|| "the probe".to_owned(), |h| probe_title(h.probe)),
        number::plural(plates.plate.levels.len(), "plate"),
        number::fixed(view.chance())
    )];
    let mut counts: Vec<usize> = vec![0; plates.rows * plates.columns];
    for place in &plates.place {
        counts[place.row * plates.columns + place.column] += 1;
    }
    counts.retain(|n| *n > 0);
    counts.sort_unstable();
    caption.push(format!(
        "{} of {} positions hold tested wells, {} each.",
        number::count(counts.len()),
        number::count(plates.rows * plates.columns),
        number::span((counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0)))
    ));
    let confounding = &view.record.confounding;
    if confounding.single_position_compounds > 0 {
        caption.push(format!(
            "{} of {} stand in one position only: there, a hard compound looks like a bad position.",
            number::count(confounding.single_position_compounds),
            number::plural(confounding.compounds, "compound")
        ));
    }
    if left > 0 {
        caption.push(format!("{} in the table of positions.", number::plural(left, "more model")));
    }
    if shown.is_empty() {
        caption.push("Nothing was tested.".to_owned());
    }
    caption.join(" ")
}
