//! The aggregate table: a circle per metric and a bar per total, embeddings and corrections in order of their total.
//!
//! # What it shows
//! At a glance which embedding under which correction mixes batches and keeps the biology, and which single metrics make
//! its total.
//!
//! # Formula
//! The area of a circle is the value between the metric's control embeddings, 0 the worst and 1 the best; a ring is the
//! value itself where no pair of controls brackets it. Bars are the means of the set, as its package makes them.
//!
//! # What it cannot show
//! A total hides which metric it owes its height to, and metrics of unequal range count alike: read the circles first.
//!
//! # Reference
//! Luecken et al. 2022 (scIB) made this form of table known.

use bench_core::record::{EmbeddingScore, Interval};
use plotters::style::RGBColor;

use super::axis::{self, HEAD, SMALL, TINY};
use super::canvas::{About, Anchor, Canvas, draw, fit, width_of};
use super::palette::{self, BAND, GREY, GRID, INK, PAPER};
use super::{Figure, Kind};
use crate::standing::{self, Row, Standing};
use crate::table::span;
use crate::view::{self, View};
use crate::{Error, number, text};

/// Rows that are drawn; the table has all.
const MOST_ROWS: usize = 40;
/// Room between groups of columns.
const GAP: f64 = 16.0;
/// Longest name of a metric above its column.
const NAME: f64 = 150.0;
/// Least width of a column of circles, and of a bar.
const LEAST: (f64, f64) = (15.0, 40.0);

/// Sizes that follow from the number of columns and the room there is.
struct Grid {
    width: f64,
    /// Where columns begin.
    left: f64,
    cell: f64,
    bar: f64,
    /// Width of the names beside the columns; none where names stand above their row.
    names: Option<f64>,
    /// Height of a row.
    row: f64,
    /// From the top of a row to the middle of its circles.
    middle: f64,
    /// Largest circle.
    radius: f64,
}

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    Ok(standing::first(view).map(|found| figure(view, &found)).transpose()?.into_iter().collect())
}

impl Grid {
    fn new(view: &View<'_>, standing: &Standing<'_>, rows: &[Row<'_>]) -> Self {
        let circles = (standing.batch.len() + standing.biology.len()) as f64;
        let widest = rows
            .iter()
            .map(|row| {
                let correction = width_of(&text::short_ends(&row.correction()), TINY);
                width_of(&text::short_ends(&row.total.model), SMALL).max(correction)
            })
            .fold(70.0, f64::max);
        let (names, cell, bar) = (widest.min(210.0) + 12.0, 44.0, 92.0);
        let left = 18.0 + RANK + names;
        let width = left + circles * cell + 2.0 * GAP + 3.0 * bar + 10.0;
        let Some(room) = view.page.too_narrow_for(width) else {
            return Grid { width, left, cell, bar, names: Some(names), row: 44.0, middle: 16.0, radius: 12.5 };
        };
        // Names above their rows leave the whole width to the columns.
        let free = room - 36.0 - 2.0 * GAP;
        let cell = ((free - 3.0 * LEAST.1) / circles.max(1.0)).clamp(LEAST.0, 44.0);
        let bar = ((free - circles * cell) / 3.0).clamp(LEAST.1, 92.0);
        let radius = (cell / 2.0 - 1.0).min(12.5);
        Grid { width: room, left: 18.0, cell, bar, names: None, row: 56.0, middle: 27.0, radius }
    }

    /// Left edge of the column of a metric, counted over both sides.
    fn circle(&self, standing: &Standing<'_>, at: usize) -> f64 {
        let gap = if at >= standing.batch.len() { GAP } else { 0.0 };
        self.left + gap + at as f64 * self.cell
    }

    /// Left edge of one of the three bars.
    fn bar(&self, standing: &Standing<'_>, at: usize) -> f64 {
        let circles = (standing.batch.len() + standing.biology.len()) as f64;
        self.left + circles * self.cell + 2.0 * GAP + at as f64 * self.bar
    }
}

/// Width of the ranks.
const RANK: f64 = 40.0;

fn figure(view: &View<'_>, standing: &Standing<'_>) -> Result<Figure, Error> {
    let rows = &standing.rows[..standing.rows.len().min(MOST_ROWS)];
    let grid = Grid::new(view, standing, rows);
    let metrics: Vec<String> =
        standing.batch.iter().chain(standing.biology).enumerate().map(|(at, id)| headed(rows, at, id)).collect();
    let name_size = if grid.names.is_some() { SMALL } else { TINY };
    let name_height = metrics.iter().map(|m| width_of(m, name_size)).fold(30.0, f64::max).min(NAME);
    let first_row = HEAD + 30.0 + name_height + 10.0;
    let ranked = rows.iter().filter(|row| row.rank.is_some()).count();
    let unranked = rows.len() > ranked;
    let notes = axis::wrapped(&legend(standing, rows), grid.width - 36.0, TINY);
    let below = first_row + rows.len() as f64 * grid.row + if unranked { 18.0 } else { 0.0 };
    let height = below + 10.0 + notes.len() as f64 * 14.0 + 28.0;

    let title = format!("Batch correction and bio conservation, {}", text::short(standing.preset));
    let of_unit = standing.unit.map_or(String::new(), |unit| format!("batch side by {} · ", text::short(unit)));
    let caption = caption(standing, rows);
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw("aggregate", &about, grid.width, height, |canvas| {
        axis::head(canvas, view, &title, &format!("{of_unit}{}", axis::basis(view)), grid.width);
        heads(canvas, standing, &grid, &metrics, (name_size, name_height));
        for (at, row) in rows.iter().enumerate() {
            let lower = if row.rank.is_none() { 18.0 } else { 0.0 };
            let top = first_row + lower + at as f64 * grid.row;
            if at == ranked {
                let words = "not ranked: a guard fired, or a side has no value";
                canvas.text(&fit_line(words, &grid), 18.0, top - 10.0, TINY, Anchor::Start, GREY);
            }
            canvas.line(&[(18.0, top - 2.0), (grid.width - 18.0, top - 2.0)], GRID, 0.7);
            paint_row(canvas, standing, &grid, row, top);
        }
        for (at, note) in notes.iter().enumerate() {
            canvas.text(note, 18.0, below + 14.0 + at as f64 * 14.0, TINY, Anchor::Start, GREY);
        }
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), grid.width, height);
    })?;
    Ok(Figure {
        id: "aggregate".to_owned(),
        kind: Kind::Aggregate,
        protocol: None,
        probe: None,
        split: None,
        alt: alt(standing),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}

fn fit_line(words: &str, grid: &Grid) -> String {
    super::canvas::cut(words, grid.width - 36.0, TINY)
}

/// A metric's name, with an arrow where lower is better.
fn headed(rows: &[Row<'_>], at: usize, id: &str) -> String {
    let scores = || rows.iter().filter_map(|row| row.scores.get(at).copied().flatten());
    let falls = scores().find_map(|score| score.best.zip(score.worst)).is_some_and(|(best, worst)| best < worst);
    format!("{}{}", fit(id, NAME - 14.0, SMALL), if falls { " ↓" } else { "" })
}

fn heads(
    canvas: &mut Canvas<'_>,
    standing: &Standing<'_>,
    grid: &Grid,
    metrics: &[String],
    (size, height): (f64, f64),
) {
    let foot = HEAD + 30.0 + height;
    for (at, metric) in metrics.iter().enumerate() {
        let x = grid.circle(standing, at) + grid.cell / 2.0;
        canvas.text_upwards(metric, x, foot, size, Anchor::Start, INK);
    }
    for (at, name) in ["batch", "biology", "total"].into_iter().enumerate() {
        canvas.text(name, grid.bar(standing, at), foot - 5.0, size, Anchor::Start, INK);
    }
    let (batch, all) = (standing.batch.len(), metrics.len());
    let groups = [
        ("Batch correction", 0, batch, grid.circle(standing, 0)),
        ("Bio conservation", batch, all, grid.left + batch as f64 * grid.cell + GAP),
    ];
    let mut titles: Vec<(&str, f64, f64)> = groups
        .into_iter()
        .filter(|(_, from, to, _)| to > from)
        .map(|(words, from, to, x)| (words, x, (to - from) as f64 * grid.cell))
        .collect();
    titles.push(("Aggregate", grid.bar(standing, 0), 3.0 * grid.bar - 6.0));
    for (words, x, width) in titles {
        canvas.label(&super::canvas::cut(words, width, size), x, HEAD + 6.0, size, Anchor::Start);
        canvas.line(&[(x, HEAD + 15.0), (x + width - 4.0, HEAD + 15.0)], GREY, 0.8);
    }
}

fn paint_row(canvas: &mut Canvas<'_>, standing: &Standing<'_>, grid: &Grid, row: &Row<'_>, top: f64) {
    let middle = top + grid.middle;
    let rank = row.rank.map_or_else(|| "–".to_owned(), |(best, worst)| span(best, worst));
    let correction = row.correction();
    match grid.names {
        Some(width) => {
            canvas.text(&fit(&rank, RANK - 8.0, SMALL), 18.0, middle - 1.0, SMALL, Anchor::Start, GREY);
            let x = 18.0 + RANK;
            canvas.label(&fit(&row.total.model, width - 10.0, SMALL), x, middle - 1.0, SMALL, Anchor::Start);
            canvas.text(&fit(&correction, width - 10.0, TINY), x, middle + 14.0, TINY, Anchor::Start, GREY);
        }
        None => {
            let words = format!("{rank}  {}, {correction}", text::short_ends(&row.total.model));
            canvas.label(&fit_line(&words, grid), 18.0, top + 6.0, TINY, Anchor::Start);
        }
    }
    for (at, score) in row.scores.iter().enumerate() {
        let x = grid.circle(standing, at) + grid.cell / 2.0;
        let side = if at < standing.batch.len() { BATCH } else { BIOLOGY };
        circle(canvas, grid, *score, (x, middle), if row.rank.is_some() { palette::series(side) } else { BAND });
    }
    let total = row.total;
    let bars = [
        (total.batch, total.batch_range, BATCH),
        (total.biology, total.biology_range, BIOLOGY),
        (total.total, total.total_range, TOTAL),
    ];
    for (at, (value, range, colour)) in bars.into_iter().enumerate() {
        let colour = if row.rank.is_some() { palette::series(colour) } else { BAND };
        let partly = at == 2 && !total.missing.is_empty();
        bar(canvas, (grid.bar(standing, at), middle, grid.bar - 12.0), (value, range), colour, partly);
    }
}

/// Places of colours in the series.
const BATCH: usize = 0;
const BIOLOGY: usize = 2;
const TOTAL: usize = 1;

fn circle(canvas: &mut Canvas<'_>, grid: &Grid, score: Option<&EmbeddingScore>, (x, y): (f64, f64), colour: RGBColor) {
    let Some(value) = score.and_then(|score| score.value) else {
        return canvas.text("–", x, y, SMALL, Anchor::Middle, GREY);
    };
    let scaled = score.and_then(|score| score.scaled);
    let radius = grid.radius * scaled.unwrap_or(value).clamp(0.0, 1.0).sqrt();
    // What a value of one would fill.
    canvas.circle(x, y, grid.radius, BAND);
    canvas.circle(x, y, grid.radius - 0.8, PAPER);
    if radius > 0.4 {
        canvas.circle(x, y, radius, colour);
    }
    if scaled.is_none() && radius > 2.0 {
        canvas.circle(x, y, radius - 1.7, PAPER);
    }
    let words = number::coarse(value);
    if width_of(&words, TINY) <= grid.cell {
        canvas.text(&words, x, y + 20.0, TINY, Anchor::Middle, INK);
    }
}

/// A bar from 0 to 1 with its range and number.
fn bar(
    canvas: &mut Canvas<'_>,
    (x, y, width): (f64, f64, f64),
    (value, range): (Option<f64>, Option<Interval>),
    colour: RGBColor,
    partly: bool,
) {
    let Some(value) = value else {
        return canvas.text("–", x, y, SMALL, Anchor::Start, GREY);
    };
    let at = |v: f64| x + width * v.clamp(0.0, 1.0);
    canvas.rectangle(x, y - 6.0, at(value) - x, 12.0, colour);
    for end in [x, x + width] {
        canvas.line(&[(end, y - 9.0), (end, y + 9.0)], GREY, 0.7);
    }
    if let Some(range) = range {
        canvas.line(&[(at(range.low), y), (at(range.high), y)], INK, 1.2);
        for end in [range.low, range.high] {
            canvas.line(&[(at(end), y - 3.0), (at(end), y + 3.0)], INK, 1.2);
        }
    }
    let words = format!("{}{}", number::coarse(value), if partly { "‡" } else { "" });
    canvas.text(&words, x, y + 20.0, TINY, Anchor::Start, INK);
}

fn has(rows: &[Row<'_>], wanted: impl Fn(&Row<'_>) -> bool) -> bool {
    rows.iter().any(wanted)
}

/// What marks mean, below the rows.
fn legend(standing: &Standing<'_>, rows: &[Row<'_>]) -> String {
    let mut parts = vec!["circle: area is the value between control embeddings, the number is the value itself"];
    if has(rows, |row| row.scores.iter().flatten().any(|score| score.value.is_some() && score.scaled.is_none())) {
        parts.push("ring: no such pair, area is the value");
    }
    if has(rows, |row| row.scores.iter().any(|s| s.is_none_or(|s| s.value.is_none()))) {
        parts.push("–: no value, reason in the data");
    }
    if standing.has_ranges {
        parts.push("lines on bars: all metrics at one end of their intervals at once");
    }
    if has(rows, |row| row.info.is_some_and(|info| info.transductive)) {
        parts.push("*: all rows corrected together, not those of later rows");
    }
    if has(rows, |row| row.info.is_some_and(|info| info.uses_answers)) {
        parts.push("†: the correction was given labels");
    }
    if has(rows, |row| !row.total.missing.is_empty() && row.total.total.is_some()) {
        parts.push("‡: a metric of the set is missing");
    }
    parts.push("↓: lower is better");
    parts.join(" · ")
}

fn caption(standing: &Standing<'_>, rows: &[Row<'_>]) -> String {
    let mut caption = vec![format!(
        "Embeddings and corrections by the total of the set `{}`{}: means of its batch and of its biology metrics, and of both with the weights of the package or paper.",
        text::name(standing.preset),
        standing.unit.map_or(String::new(), |unit| format!(", batch side by {}", text::name(unit)))
    )];
    caption.push("The area of a circle is the metric between its control embeddings (0 as bad as the worst, 1 as good as the best), the number below is the value itself; a ring has no such pair and shows the value.".to_owned());
    caption.push(if standing.has_ranges {
        "Rows share ranks where the ranges of their totals overlap: the total with all metrics at the lower, and at the upper, end of their 95 % intervals at once, wider than an interval of the mean.".to_owned()
    } else {
        "No metric has an interval, so ranks are by order alone.".to_owned()
    });
    if has(rows, |row| row.info.is_some_and(|info| info.transductive)) {
        caption.push("* marks corrections that see all rows at once, held-out ones included: their scores are not those of rows that come later.".to_owned());
    }
    if has(rows, |row| row.info.is_some_and(|info| info.uses_answers)) {
        caption.push("† marks corrections that were given labels.".to_owned());
    }
    let unequal: Vec<String> = rows
        .iter()
        .filter(|row| row.total.total.is_some() && !row.total.missing.is_empty())
        .take(4)
        .map(|row| {
            format!(
                "{}, {} without {}",
                text::name(&row.total.model),
                text::name(&row.total.correction),
                text::list(&row.total.missing.iter().map(|m| text::name(m)).collect::<Vec<_>>())
            )
        })
        .collect();
    if !unequal.is_empty() {
        caption.push(format!("‡ Not of all metrics: {}.", unequal.join("; ")));
    }
    let flagged: Vec<String> = rows
        .iter()
        .filter(|row| row.rank.is_none())
        .take(4)
        .map(|row| {
            let why = row.total.flag.as_deref().or(Some("a side has no value"));
            format!("{}, {}: {}", text::name(&row.total.model), text::name(&row.total.correction), view::why(why))
        })
        .collect();
    if !flagged.is_empty() {
        caption.push(format!("Grey and without a rank: {}.", flagged.join("; ")));
    }
    let left = standing.rows.len() - rows.len();
    if left > 0 {
        caption.push(format!("{} are in the table.", number::plural(left, "more row")));
    }
    caption.join(" ")
}

fn alt(standing: &Standing<'_>) -> String {
    let best: Vec<String> = standing
        .rows
        .iter()
        .filter(|row| row.rank.is_some_and(|(best, _)| best == 1))
        .take(4)
        .map(|row| format!("{} with correction {}", text::name(&row.total.model), text::name(&row.total.correction)))
        .collect();
    let first = match best.len() {
        0 => "none has a rank".to_owned(),
        1 => format!("the first is {}", best[0]),
        _ => format!("the first place is shared by {}", text::list(&best)),
    };
    format!(
        "Table of circles and bars for {} under {} metrics; {first}. All values are in the tables of embedding metrics.",
        number::plural(standing.rows.len(), "embedding"),
        standing.batch.len() + standing.biology.len()
    )
}
