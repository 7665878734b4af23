//! Batch against biology: a mark per embedding and correction, and the front that no other passes.
//!
//! # What it shows
//! What a correction costs: to the right batches are mixed better, upwards labels and compounds hold together better. A
//! correction that removes biology with the batch moves a mark down.
//!
//! # What it cannot show
//! Both sides are means over metrics of unequal range; a mark on the front may owe its place to one of them.

use std::collections::BTreeMap;

use bench_core::record::Interval;

use super::axis::{self, Frame, HEAD, LEGEND_LINE, LEVEL_LINE, Legend, SMALL};
use super::canvas::{About, Anchor, Canvas, draw};
use super::palette::{self, GREY, GRID, INK, PAPER};
use super::{Figure, Kind};
use crate::standing::{self, Row, Standing};
use crate::view::{View, distinct};
use crate::{Error, number, text};

/// Rows that are drawn, best first; the table has all.
const MOST_ROWS: usize = 60;
/// Names of a kind in the legend.
const MOST_NAMES: usize = 14;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let Some(found) = standing::first(view) else { return Ok(Vec::new()) };
    Ok(figure(view, &found)?.into_iter().collect())
}

/// Position of a value on the horizontal axis.
struct Across {
    left: f64,
    width: f64,
    low: f64,
    high: f64,
}

impl Across {
    fn x(&self, value: f64) -> f64 {
        self.left + self.width * ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

fn figure(view: &View<'_>, standing: &Standing<'_>) -> Result<Option<Figure>, Error> {
    let front = standing::on_front(&standing.rows);
    let placed_rows: Vec<(&Row<'_>, bool, (f64, f64))> = standing
        .rows
        .iter()
        .zip(front)
        .filter_map(|(row, on_front)| Some((row, on_front, row.total.batch.zip(row.total.biology)?)))
        .take(MOST_ROWS)
        .collect();
    if placed_rows.is_empty() {
        return Ok(None);
    }
    let models = distinct(placed_rows.iter().map(|(row, ..)| row.total.model.as_str()));
    let corrections: Vec<String> = {
        let names: Vec<String> = placed_rows.iter().map(|(row, ..)| row.correction()).collect();
        distinct(names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
    };
    // By the order of the record, so that neither depends on the ranking.
    let order_of = |names: Vec<&str>| -> BTreeMap<String, usize> {
        names.into_iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect()
    };
    let totals = || view.record.embedding_totals.iter();
    let shapes = order_of(distinct(totals().map(|t| t.model.as_str()).filter(|m| models.contains(m))));
    let plain: Vec<&str> = placed_rows.iter().map(|(row, ..)| row.total.correction.as_str()).collect();
    let colours = order_of(distinct(totals().map(|t| t.correction.as_str()).filter(|c| plain.contains(c))));
    let shape = |row: &Row<'_>| shapes.get(&row.total.model).copied().unwrap_or(0);
    let colour =
        |row: &Row<'_>| palette::level(colours.get(&row.total.correction).copied().unwrap_or(0), colours.len());

    let range = |range: Option<Interval>, value: f64| range.map_or((value, value), |i| (i.low, i.high));
    let across = limits(placed_rows.iter().map(|(row, _, (x, _))| range(row.total.batch_range, *x)));
    let up = limits(placed_rows.iter().map(|(row, _, (_, y))| range(row.total.biology_range, *y)));

    let names = models.iter().copied().chain(corrections.iter().map(String::as_str));
    let legend_width = axis::legend_width(names);
    // Names and what they are, two gaps, and the line of the front.
    let lines = models.len().min(MOST_NAMES + 1) + corrections.len().min(MOST_NAMES + 1) + 2;
    let legend_height = lines as f64 * LEVEL_LINE + 2.0 * 8.0 + LEGEND_LINE;
    let placed = axis::place(view, 470.0, (legend_width, legend_height), 66.0, 470.0);
    let frame = Frame { left: 64.0, top: HEAD, width: placed.plot, height: placed.tall, low: up.0, high: up.1 };
    let across = Across { left: 64.0, width: placed.plot, low: across.0, high: across.1 };

    let title = format!("Batch correction against bio conservation, {}", text::short(standing.preset));
    let caption = caption(standing, &placed_rows, (&across, &frame));
    let of_unit = standing.unit.map_or(String::new(), |unit| format!("batch side by {} · ", text::short(unit)));
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw("trade-off", &about, placed.width, placed.height, |canvas| {
        axis::head(canvas, view, &title, &format!("{of_unit}{}", axis::basis(view)), placed.width);
        frame.axis(canvas, "biology score, up is better");
        axis_below(canvas, &across, &frame);
        paint_front(canvas, &placed_rows, &across, &frame);
        // Ranges first, so that no line crosses a mark.
        for (row, _, (x, y)) in &placed_rows {
            let (x0, x1) = range(row.total.batch_range, *x);
            let (y0, y1) = range(row.total.biology_range, *y);
            let thin = colour(row);
            canvas.line(&[(across.x(x0), frame.y(*y)), (across.x(x1), frame.y(*y))], thin, 0.9);
            canvas.line(&[(across.x(*x), frame.y(y0)), (across.x(*x), frame.y(y1))], thin, 0.9);
        }
        for (row, _, (x, y)) in placed_rows.iter().rev() {
            let (x, y) = (across.x(*x), frame.y(*y));
            canvas.marker(shape(row), x, y, 5.5, colour(row));
            if row.rank.is_none() {
                canvas.dot(shape(row), x, y, 3.3, PAPER);
            }
        }
        let mut legend = Legend::new(placed.legend.0, placed.legend.1, placed.legend_width);
        legend.note(canvas, "shape: embedding");
        for model in models.iter().take(MOST_NAMES) {
            legend.level(canvas, model, shapes.get(*model).copied().unwrap_or(0), INK);
        }
        more(canvas, &mut legend, models.len());
        legend.gap(8.0);
        legend.note(canvas, "colour: correction");
        for (name, at) in by_place(&colours).into_iter().take(MOST_NAMES) {
            let marked =
                corrections.iter().find(|c| c.trim_end_matches(['*', '†']) == name).map_or(name, |c| c.as_str());
            legend.level(canvas, marked, 0, palette::level(at, colours.len()));
        }
        more(canvas, &mut legend, corrections.len());
        legend.gap(8.0);
        legend.dashed(canvas, "front", (4.0, 3.0), GREY);
        axis::foot(canvas, &foot_note(view, standing, &placed_rows), placed.width, placed.height);
    })?;
    let on_front: Vec<String> = placed_rows
        .iter()
        .filter(|(_, on_front, _)| *on_front)
        .take(6)
        .map(|(row, ..)| {
            format!("{} with correction {}", text::name(&row.total.model), text::name(&row.total.correction))
        })
        .collect();
    Ok(Some(Figure {
        id: "trade-off".to_owned(),
        kind: Kind::TradeOff,
        protocol: None,
        probe: None,
        split: None,
        alt: format!(
            "Scatter plot of batch and biology scores of {}. On the front: {}. All values are in the table of totals.",
            number::plural(placed_rows.len(), "embedding"),
            if on_front.is_empty() { "none".to_owned() } else { text::list(&on_front) }
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }))
}

/// Names by their places.
fn by_place(names: &BTreeMap<String, usize>) -> Vec<(&str, usize)> {
    let mut list: Vec<(&str, usize)> = names.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    list.sort_by_key(|(_, at)| *at);
    list
}

fn more(canvas: &mut Canvas<'_>, legend: &mut Legend, names: usize) {
    if names > MOST_NAMES {
        legend.note(canvas, &format!("… and {} more", number::count(names - MOST_NAMES)));
    }
}

/// Tenths around all values and ranges, at least three of them.
fn limits(ends: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (a, b)| (l.min(a), h.max(b)));
    let (mut low, mut high) = ((low * 10.0 - 0.2).floor(), (high * 10.0 + 0.2).ceil());
    while high - low < 3.0 {
        low -= 1.0;
        high += if high - low < 3.0 { 1.0 } else { 0.0 };
    }
    (low / 10.0, high / 10.0)
}

fn axis_below(canvas: &mut Canvas<'_>, across: &Across, frame: &Frame) {
    let step = axis::step(across.high - across.low);
    let (first, last) = ((across.low / step - 1e-9).ceil() as i64, (across.high / step + 1e-9).floor() as i64);
    for tick in first..=last {
        let value = tick as f64 * step;
        let x = across.x(value);
        canvas.line(&[(x, frame.top), (x, frame.bottom())], GRID, 0.7);
        canvas.text(&axis::tick_label(value, step), x, frame.bottom() + 12.0, SMALL, Anchor::Middle, GREY);
    }
    canvas.line(&[(frame.left, frame.bottom()), (frame.right(), frame.bottom())], GREY, 0.8);
    let middle = frame.left + frame.width / 2.0;
    canvas.label("batch score, to the right is better", middle, frame.bottom() + 30.0, SMALL, Anchor::Middle);
}

/// Steps through the marks that no other passes.
fn paint_front(canvas: &mut Canvas<'_>, rows: &[(&Row<'_>, bool, (f64, f64))], across: &Across, frame: &Frame) {
    let mut marks: Vec<(f64, f64)> = rows.iter().filter(|(_, on, _)| *on).map(|(.., place)| *place).collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let (Some(first), Some(last)) = (marks.first().copied(), marks.last().copied()) else { return };
    // What is dominated lies below and to the left of these steps.
    let mut corners = vec![(frame.left, frame.y(first.1))];
    for pair in marks.windows(2) {
        corners.push((across.x(pair[0].0), frame.y(pair[0].1)));
        corners.push((across.x(pair[0].0), frame.y(pair[1].1)));
    }
    corners.push((across.x(last.0), frame.y(last.1)));
    corners.push((across.x(last.0), frame.bottom()));
    for pair in corners.windows(2).filter(|pair| pair[0] != pair[1]) {
        canvas.dashes(pair[0], pair[1], (4.0, 3.0), GREY, 1.0);
    }
}

fn foot_note(view: &View<'_>, standing: &Standing<'_>, rows: &[(&Row<'_>, bool, (f64, f64))]) -> String {
    let mut parts = vec![format!("run {}", text::short(&view.record.run_id))];
    if standing.has_ranges {
        parts.push("lines: ranges".to_owned());
    }
    if rows.iter().any(|(row, ..)| row.rank.is_none()) {
        parts.push("hollow: a guard fired".to_owned());
    }
    parts.join(" · ")
}

fn caption(
    standing: &Standing<'_>,
    rows: &[(&Row<'_>, bool, (f64, f64))],
    (across, frame): (&Across, &Frame),
) -> String {
    let mut caption = vec![format!(
        "Mean of the batch metrics against mean of the biology metrics of the set `{}`{}, a mark per embedding (shape) and correction (colour).",
        text::name(standing.preset),
        standing.unit.map_or(String::new(), |unit| format!(", batch side by {}", text::name(unit)))
    )];
    if standing.has_ranges {
        caption.push("Lines reach to the means with all metrics at the lower, and at the upper, end of their 95 % intervals at once.".to_owned());
    }
    caption.push("Dashed: the front, whose marks no other ranked one betters on both sides.".to_owned());
    caption.push(format!(
        "The axes do not start at zero: {} to {} across, {} to {} upwards.",
        number::coarse(across.low),
        number::coarse(across.high),
        number::coarse(frame.low),
        number::coarse(frame.high)
    ));
    if rows.iter().any(|(row, ..)| row.rank.is_none()) {
        caption.push("Hollow marks have no rank, because a guard fired, and are not on the front.".to_owned());
    }
    if rows.iter().any(|(row, ..)| row.info.is_some_and(|info| info.transductive)) {
        caption.push("* marks corrections that see all rows at once, held-out ones included.".to_owned());
    }
    if rows.iter().any(|(row, ..)| row.info.is_some_and(|info| info.uses_answers)) {
        caption.push("† marks corrections that were given labels.".to_owned());
    }
    let left = standing.rows.len() - rows.len();
    if left > 0 {
        caption.push(format!(
            "{} without a place here, or beyond the {MOST_ROWS} drawn, are in the table.",
            number::plural(left, "row")
        ));
    }
    caption.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_tenths_around_all_ends() {
        let found = limits([(0.41, 0.52), (0.3, 0.47)].into_iter());
        assert!((found.0 - 0.2).abs() < 1e-12 && (found.1 - 0.6).abs() < 1e-12, "{found:?}");
        let one = limits([(0.5, 0.5)].into_iter());
        assert!(one.1 - one.0 > 0.29 && one.0 < 0.5 && one.1 > 0.5, "{one:?}");
    }
}
