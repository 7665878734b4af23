//! What figures share: title lines, a vertical value axis, a legend in an area of its own.

use plotters::style::RGBColor;

use super::canvas::{Anchor, Canvas, cut, fit, width_of};
use super::palette::{BAND, GREY, GRID, INK};
use crate::view::View;
use crate::{number, text};

/// Height taken by the title lines.
pub(crate) const HEAD: f64 = 62.0;
/// Size of axis and legend text.
pub(crate) const SMALL: f64 = 11.0;
/// Size of notes, the smallest text there is.
pub(crate) const TINY: f64 = crate::page::LEAST_TEXT;

/// The plotting area and its vertical scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Frame {
    /// Position of a value, kept inside the frame.
    pub(crate) fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.top + self.height * (1.0 - share)
    }

    /// Right edge.
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Lower edge.
    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Centre of column `index` of `columns`.
    pub(crate) fn column(&self, index: usize, columns: usize) -> f64 {
        self.left + self.width * (index as f64 + 0.5) / columns as f64
    }

    /// Grid lines, tick labels and the axis title.
    pub(crate) fn axis(&self, canvas: &mut Canvas<'_>, title: &str) {
        let step = step(self.high - self.low);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        for tick in first..=last {
            let value = tick as f64 * step;
            let y = self.y(value);
            canvas.line(&[(self.left, y), (self.right(), y)], GRID, 0.7);
            canvas.text(&tick_label(value, step), self.left - 7.0, y, SMALL, Anchor::End, GREY);
        }
        canvas.line(&[(self.left, self.top), (self.left, self.bottom())], GREY, 0.8);
        let base = self.y(self.low.max(0.0));
        canvas.line(&[(self.left, base), (self.right(), base)], GREY, 0.8);
        canvas.text_upwards(title, self.left - 42.0, self.top + self.height / 2.0, SMALL, Anchor::Middle, INK);
    }
}

/// Distance between ticks so that there are about five.
pub(crate) fn step(range: f64) -> f64 {
    let raw = range / 5.0;
    let size = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * size).find(|s| *s >= 0.8 * raw).unwrap_or(size * 10.0)
}

/// The value of a tick, with as many decimals as its distance to the next needs.
pub(crate) fn tick_label(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 4.0) as usize;
    let value = if value.abs() < 1e-9 { 0.0 } else { value };
    format!("{value:.digits$}").replace('-', "−")
}

/// Where a plot and its legend stand: side by side where there is room, else one above the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// Width of the figure.
    pub(crate) width: f64,
    /// Height of the figure.
    pub(crate) height: f64,
    /// Width of the plotting area.
    pub(crate) plot: f64,
    /// Height of the plotting area.
    pub(crate) tall: f64,
    /// Upper left corner of the legend.
    pub(crate) legend: (f64, f64),
    /// Width of the legend.
    pub(crate) legend_width: f64,
    /// Whether the legend stands below.
    pub(crate) stacked: bool,
}

/// Height of a plotting area above its legend.
const STACKED: f64 = 230.0;

/// Places a plot of `plot` px whose left edge is at 64 px beside a legend. `bottom` is the room below the plotting
/// area, `least` the least height of the figure with its legend at the side.
pub(crate) fn place(view: &View<'_>, plot: f64, legend: (f64, f64), bottom: f64, least: f64) -> Placed {
    let (legend_width, legend_height) = legend;
    let width = 64.0 + plot + 34.0 + legend_width;
    if let Some(room) = view.page.too_narrow_for(width) {
        // The line at the foot stays the last.
        let below = HEAD + STACKED + bottom - 18.0;
        return Placed {
            width: room,
            height: below + legend_height + 34.0,
            plot: room - 64.0 - 14.0,
            tall: STACKED,
            legend: (18.0, below + 8.0),
            legend_width: room - 36.0,
            stacked: true,
        };
    }
    let height = (HEAD + legend_height + bottom).max(least);
    Placed {
        width,
        height,
        plot,
        tall: height - HEAD - bottom,
        legend: (64.0 + plot + 24.0, HEAD + 8.0),
        legend_width,
        stacked: false,
    }
}

/// A line in at most two, broken at a blank or behind a hyphen, each cut to a width.
pub(crate) fn two_lines(line: &str, width: f64, size: f64) -> Vec<String> {
    let whole = fit(line, width, size);
    if width_of(&text::short_ends(line), size) <= width {
        return vec![whole];
    }
    let hyphen = line.find('-').map(|at| line.split_at(at + 1));
    match line.split_once(' ').or(hyphen) {
        Some((first, rest)) if !first.is_empty() && !rest.is_empty() => {
            vec![fit(first, width, size), fit(rest, width, size)]
        }
        _ => vec![whole],
    }
}

/// A sentence in as many lines as it needs, broken at blanks; a word that is too long is cut.
pub(crate) fn wrapped(line: &str, width: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text::visible(line).split(' ').filter(|word| !word.is_empty()) {
        let longer = lines.last().map(|last| format!("{last} {word}"));
        match longer.filter(|longer| width_of(longer, size) <= width) {
            Some(longer) => {
                lines.pop();
                lines.push(longer);
            }
            None => lines.push(cut(word, width, size)),
        }
    }
    lines
}

/// The largest size up to `most` at which a line has this width, not below that of the smallest text.
fn size_for(line: &str, width: f64, most: f64) -> f64 {
    let wide = width_of(line, most);
    if wide <= width { most } else { (most * width / wide * 2.0).floor().max(2.0 * TINY) / 2.0 }
}

/// Title, a line on what was measured, and the mark of simulated data.
pub(crate) fn head(canvas: &mut Canvas<'_>, view: &View<'_>, title: &str, subtitle: &str, width: f64) {
    let size = if view.page.room().is_some() { size_for(title, width - 36.0, 15.0) } else { 15.0 };
    canvas.text(&cut(title, width - 36.0, size), 18.0, 20.0, size, Anchor::Start, INK);
    let subtitle = match view.record.suite.simulated {
        true => format!("simulated data · {subtitle}"),
        false => subtitle.to_owned(),
    };
    let Some(_) = view.page.room() else {
        return canvas.text(&cut(&subtitle, width - 36.0, SMALL), 18.0, 41.0, SMALL, Anchor::Start, GREY);
    };
    let size = size_for(&subtitle, width - 36.0, SMALL);
    let breaks = subtitle.match_indices(" · ").map(|(at, _)| at);
    let fits = |at: &usize| width_of(&subtitle[..*at], TINY) <= width - 36.0;
    match breaks.filter(fits).last() {
        // Two lines where one would be cut.
        Some(at) if width_of(&subtitle, TINY) > width - 36.0 => {
            canvas.text(&subtitle[..at], 18.0, 37.0, TINY, Anchor::Start, GREY);
            let rest = cut(&subtitle[at + " · ".len()..], width - 36.0, TINY);
            canvas.text(&rest, 18.0, 50.0, TINY, Anchor::Start, GREY);
        }
        _ => canvas.text(&cut(&subtitle, width - 36.0, size), 18.0, 41.0, size, Anchor::Start, GREY),
    }
}

/// The line at the foot of a figure.
pub(crate) fn foot(canvas: &mut Canvas<'_>, note: &str, width: f64, height: f64) {
    canvas.text(&cut(note, width - 36.0, TINY), 18.0, height - 13.0, TINY, Anchor::Start, GREY);
}

/// `target · 9 classes · 27,000 rows`: what a figure rests on.
pub(crate) fn basis(view: &View<'_>) -> String {
    let data = &view.record.data;
    format!(
        "{} · {} · {}",
        text::short(&data.label),
        number::plural(data.labels.len(), "label"),
        number::plural(data.rows, "row")
    )
}

/// A legend that grows downwards.
pub(crate) struct Legend {
    x: f64,
    y: f64,
    width: f64,
}

/// Width of a legend that shows these names, within limits.
pub(crate) fn legend_width<'n>(names: impl Iterator<Item = &'n str>) -> f64 {
    let widest = names.map(|n| width_of(&text::short_ends(n), SMALL)).fold(0.0, f64::max);
    (widest + 36.0).clamp(172.0, 330.0)
}

/// Height of a legend line.
pub(crate) const LEGEND_LINE: f64 = 19.0;
/// Height of a line with a level of a map, or with a note.
pub(crate) const LEVEL_LINE: f64 = 15.0;

impl Legend {
    pub(crate) fn new(x: f64, y: f64, width: f64) -> Self {
        Legend { x, y, width }
    }

    /// A series: line and marker.
    pub(crate) fn series(&mut self, canvas: &mut Canvas<'_>, name: &str, shape: usize, colour: RGBColor) {
        canvas.line(&[(self.x, self.y), (self.x + 22.0, self.y)], colour, 1.8);
        canvas.marker(shape, self.x + 11.0, self.y, 4.0, colour);
        self.name(canvas, &fit(name, self.width - 30.0, SMALL));
    }

    /// A level of a map: marker only.
    pub(crate) fn level(&mut self, canvas: &mut Canvas<'_>, name: &str, shape: usize, colour: RGBColor) {
        canvas.marker(shape, self.x + 6.0, self.y, 3.6, colour);
        canvas.label(&fit(name, self.width - 18.0, TINY + 0.5), self.x + 16.0, self.y, TINY + 0.5, Anchor::Start);
        self.y += LEVEL_LINE;
    }

    /// A dashed line.
    pub(crate) fn dashed(&mut self, canvas: &mut Canvas<'_>, name: &str, dash: (f64, f64), colour: RGBColor) {
        canvas.dashes((self.x, self.y), (self.x + 22.0, self.y), dash, colour, 1.2);
        self.name(canvas, name);
    }

    /// The control band.
    pub(crate) fn band(&mut self, canvas: &mut Canvas<'_>, name: &str) {
        canvas.rectangle(self.x, self.y - 5.0, 22.0, 10.0, BAND);
        self.name(canvas, name);
    }

    /// A line of small grey text.
    pub(crate) fn note(&mut self, canvas: &mut Canvas<'_>, note: &str) {
        canvas.text(&cut(note, self.width, TINY), self.x, self.y, TINY, Anchor::Start, GREY);
        self.y += LEVEL_LINE;
    }

    /// Free space.
    pub(crate) fn gap(&mut self, height: f64) {
        self.y += height;
    }

    fn name(&mut self, canvas: &mut Canvas<'_>, name: &str) {
        canvas.label(name, self.x + 30.0, self.y, SMALL, Anchor::Start);
        self.y += LEGEND_LINE;
    }
}

/// Half the width of a whisker's caps where there is room.
pub(crate) const CAP: f64 = 3.5;

/// A vertical interval with caps that reach `cap` to both sides.
pub(crate) fn whisker(canvas: &mut Canvas<'_>, x: f64, (low, high): (f64, f64), cap: f64, colour: RGBColor) {
    canvas.line(&[(x, low), (x, high)], colour, 1.3);
    for y in [low, high] {
        canvas.line(&[(x - cap, y), (x + cap, y)], colour, 1.3);
    }
}

/// A small cross for a value that is missing.
pub(crate) fn missing_mark(canvas: &mut Canvas<'_>, x: f64, y: f64, colour: RGBColor) {
    canvas.line(&[(x - 3.5, y - 3.5), (x + 3.5, y + 3.5)], colour, 1.5);
    canvas.line(&[(x - 3.5, y + 3.5), (x + 3.5, y - 3.5)], colour, 1.5);
}
