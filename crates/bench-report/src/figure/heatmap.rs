//! A matrix of coloured cells with names, numbers and a colour scale.

use plotters::style::RGBColor;

use super::axis::{SMALL, TINY};
use super::canvas::{Anchor, Canvas, fit, width_of};
use super::palette::{GREY, GRID, INK, NOTHING, ink_on};
use crate::page::Page;
use crate::text;

/// Most rows or columns that get numbers in their cells.
const NUMBERED: usize = 20;

/// What is drawn.
pub(crate) struct Heatmap<'a> {
    pub(crate) rows: &'a [String],
    pub(crate) columns: &'a [String],
    pub(crate) row_title: &'a str,
    pub(crate) column_title: &'a str,
    /// Row after row; missing cells are hatched.
    pub(crate) values: &'a [Option<f64>],
    /// Cells that were not asked for, left empty; none if the list is empty.
    pub(crate) blank: &'a [bool],
    pub(crate) colour: &'a dyn Fn(f64) -> RGBColor,
    /// Text of a cell; short.
    pub(crate) number: &'a dyn Fn(f64) -> String,
    /// Values named at the colour scale, ascending; the scale reaches from the first to the last.
    pub(crate) scale: &'a [(f64, String)],
    pub(crate) scale_title: &'a str,
}

/// Sizes that follow from the number of cells and the room there is.
pub(crate) struct Layout {
    pub(crate) cell: f64,
    names: f64,
    foot: f64,
    /// Size of the names.
    size: f64,
    /// Smallest text allowed.
    least: f64,
    /// Whether the scale stands below the map.
    stacked: bool,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Room that a figure leaves beside its map.
const MARGINS: f64 = 36.0;
/// Height of a scale below its map.
const SCALE_BELOW: f64 = 72.0;

impl Heatmap<'_> {
    /// Room that the map takes, with names and scale.
    pub(crate) fn layout(&self, page: Page) -> Layout {
        let most = self.rows.len().max(self.columns.len()).max(1);
        let cell = (420.0 / most as f64).clamp(9.0, 46.0);
        // On paper a name is either large enough to be read or not there.
        let least = if page.room().is_some() { TINY } else { 0.0 };
        let size = name_size(cell).max(least);
        let widest = |names: &[String]| names.iter().map(|n| width_of(&text::short(n), size)).fold(24.0, f64::max);
        let (names, foot) = (widest(self.rows).min(190.0) + 10.0, widest(self.columns).min(150.0) + 12.0);
        let (columns, rows) = (self.columns.len() as f64, self.rows.len() as f64);
        let width = 40.0 + names + cell * columns + 110.0;
        if let Some(room) = page.too_narrow_for(width + MARGINS) {
            let room = room - MARGINS;
            let names = names.min(0.28 * room);
            let cell = ((room - 40.0 - names - 12.0) / columns.max(1.0)).min(46.0);
            let height = cell * rows + foot + 20.0 + SCALE_BELOW;
            return Layout { cell, names, foot, size: TINY, least, stacked: true, width: room, height };
        }
        Layout { cell, names, foot, size, least, stacked: false, width, height: cell * rows + foot + 20.0 }
    }

    /// Draws at `left`, `top`.
    pub(crate) fn paint(&self, canvas: &mut Canvas<'_>, page: Page, left: f64, top: f64) {
        let layout = self.layout(page);
        let (cell, size, least) = (layout.cell, layout.size, layout.least);
        let x0 = left + 22.0 + layout.names;
        let (columns, rows) = (self.columns.len(), self.rows.len());
        for r in 0..rows {
            for c in 0..columns {
                let (x, y) = (x0 + c as f64 * cell, top + r as f64 * cell);
                match self.values.get(r * columns + c).copied().flatten() {
                    Some(value) => {
                        let fill = (self.colour)(value);
                        canvas.rectangle(x, y, cell, cell, fill);
                        if rows.max(columns) <= NUMBERED {
                            let label = (self.number)(value);
                            let size = (cell * 0.36).clamp(6.0, 10.5).max(least);
                            if least > 0.0 && width_of(&label, size) > cell - 1.0 {
                                continue;
                            }
                            canvas.text(&label, x + cell / 2.0, y + cell / 2.0, size, Anchor::Middle, ink_on(fill));
                        }
                    }
                    None if self.is_blank(r * columns + c) => {}
                    None => hatch(canvas, x, y, cell),
                }
            }
        }
        // Thin light lines between cells, an outline around.
        for r in 0..=rows {
            let y = top + r as f64 * cell;
            canvas.line(&[(x0, y), (x0 + columns as f64 * cell, y)], GRID, 0.5);
        }
        for c in 0..=columns {
            let x = x0 + c as f64 * cell;
            canvas.line(&[(x, top), (x, top + rows as f64 * cell)], GRID, 0.5);
        }
        canvas.outline(x0, top, columns as f64 * cell, rows as f64 * cell, GREY, 0.8);
        // Every name where they fit, else every second, third, ...
        let every = if least > 0.0 { ((least + 1.0) / cell).ceil().max(1.0) as usize } else { 1 };
        for (r, name) in self.rows.iter().enumerate().step_by(every) {
            let y = top + (r as f64 + 0.5) * cell;
            canvas.label(&fit(name, layout.names - 8.0, size), x0 - 6.0, y, size, Anchor::End);
        }
        let bottom = top + rows as f64 * cell;
        for (c, name) in self.columns.iter().enumerate().step_by(every) {
            let x = x0 + (c as f64 + 0.5) * cell;
            canvas.text_upwards(&fit(name, layout.foot - 10.0, size), x, bottom + 6.0, size, Anchor::End, INK);
        }
        canvas.text_upwards(self.row_title, left + 8.0, top + rows as f64 * cell / 2.0, SMALL, Anchor::Middle, INK);
        let middle = x0 + columns as f64 * cell / 2.0;
        canvas.label(self.column_title, middle, bottom + layout.foot + 8.0, SMALL, Anchor::Middle);
        if layout.stacked {
            self.paint_scale_below(canvas, x0, bottom + layout.foot + 36.0, (columns as f64 * cell).min(160.0));
        } else {
            self.paint_scale(canvas, x0 + columns as f64 * cell + 24.0, top, (rows as f64 * cell).max(90.0));
        }
    }

    /// The colour scale from left to right.
    fn paint_scale_below(&self, canvas: &mut Canvas<'_>, x: f64, y: f64, width: f64) {
        let (Some((low, _)), Some((high, _))) = (self.scale.first(), self.scale.last()) else { return };
        const STEPS: usize = 60;
        for i in (0..STEPS).rev() {
            let share = (i as f64 + 0.5) / STEPS as f64;
            let reach = width * (i + 1) as f64 / STEPS as f64;
            canvas.rectangle(x, y, reach, 11.0, (self.colour)(low + (high - low) * share));
        }
        canvas.outline(x, y, width, 11.0, GREY, 0.6);
        for (i, (value, name)) in self.scale.iter().enumerate() {
            let at = x + width * (value - low) / (high - low);
            canvas.line(&[(at, y + 11.0), (at, y + 15.0)], GREY, 0.8);
            let end = i == 0 || i + 1 == self.scale.len();
            if end || width_of(name, TINY) / 2.0 + 8.0 < (at - x).min(x + width - at) {
                canvas.text(name, at, y + 22.0, TINY, Anchor::Middle, GREY);
            } else {
                // Beside the ends it would run into their names.
                canvas.line(&[(at, y - 4.0), (at, y)], GREY, 0.8);
                canvas.text(name, at - 2.0, y - 9.0, TINY, Anchor::Start, GREY);
            }
        }
        canvas.text(self.scale_title, x + width + 12.0, y + 5.5, TINY, Anchor::Start, GREY);
        if self.lacks_values() {
            hatch(canvas, x + width + 12.0, y + 16.0, 11.0);
            canvas.text("missing", x + width + 28.0, y + 22.0, TINY, Anchor::Start, GREY);
        }
    }

    fn lacks_values(&self) -> bool {
        (0..self.values.len()).any(|at| self.values[at].is_none() && !self.is_blank(at))
    }

    fn is_blank(&self, at: usize) -> bool {
        self.blank.get(at).copied().unwrap_or(false)
    }

    fn paint_scale(&self, canvas: &mut Canvas<'_>, x: f64, top: f64, height: f64) {
        let (Some((low, _)), Some((high, _))) = (self.scale.first(), self.scale.last()) else { return };
        const STEPS: usize = 60;
        let height = height.min(200.0);
        // Each step reaches down to the foot and is painted over by the next, so no seam shows.
        for i in (0..STEPS).rev() {
            let share = (i as f64 + 0.5) / STEPS as f64;
            let y = top + height * (1.0 - (i + 1) as f64 / STEPS as f64);
            canvas.rectangle(x, y, 13.0, top + height - y, (self.colour)(low + (high - low) * share));
        }
        canvas.outline(x, top, 13.0, height, GREY, 0.6);
        for (value, name) in self.scale {
            let y = top + height * (1.0 - (value - low) / (high - low));
            canvas.line(&[(x + 13.0, y), (x + 17.0, y)], GREY, 0.8);
            canvas.text(name, x + 20.0, y, TINY, Anchor::Start, GREY);
        }
        canvas.text(self.scale_title, x, top + height + 15.0, TINY, Anchor::Start, GREY);
        if self.lacks_values() {
            hatch(canvas, x, top + height + 26.0, 13.0);
            canvas.text("missing", x + 20.0, top + height + 32.5, TINY, Anchor::Start, GREY);
        }
    }
}

fn name_size(cell: f64) -> f64 {
    (cell * 0.55).clamp(6.5, SMALL)
}

/// A grey cell with two diagonal strokes.
fn hatch(canvas: &mut Canvas<'_>, x: f64, y: f64, cell: f64) {
    canvas.rectangle(x, y, cell, cell, NOTHING);
    let colour = RGBColor(176, 176, 176);
    canvas.line(&[(x, y + cell), (x + cell, y)], colour, 0.8);
    canvas.line(&[(x, y + cell / 2.0), (x + cell / 2.0, y)], colour, 0.8);
    canvas.line(&[(x + cell / 2.0, y + cell), (x + cell, y + cell / 2.0)], colour, 0.8);
}
