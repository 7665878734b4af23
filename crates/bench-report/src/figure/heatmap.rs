//! A matrix of coloured cells with names, numbers and a colour scale.

use plotters::style::RGBColor;

use super::axis::{SMALL, TINY};
use super::canvas::{Anchor, Canvas, fit, width_of};
use super::palette::{GREY, GRID, INK, NOTHING, ink_on};
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

/// Sizes that follow from the number of cells.
pub(crate) struct Layout {
    pub(crate) cell: f64,
    names: f64,
    foot: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Heatmap<'_> {
    /// Room that the map takes, with names and scale.
    pub(crate) fn layout(&self) -> Layout {
        let most = self.rows.len().max(self.columns.len()).max(1);
        let cell = (420.0 / most as f64).clamp(9.0, 46.0);
        let size = name_size(cell);
        let widest = |names: &[String]| names.iter().map(|n| width_of(&text::short(n), size)).fold(24.0, f64::max);
        let (names, foot) = (widest(self.rows).min(190.0) + 10.0, widest(self.columns).min(150.0) + 12.0);
        Layout {
            cell,
            names,
            foot,
            width: 40.0 + names + cell * self.columns.len() as f64 + 110.0,
            height: cell * self.rows.len() as f64 + foot + 20.0,
        }
    }

    /// Draws at `left`, `top`.
    pub(crate) fn paint(&self, canvas: &mut Canvas<'_>, left: f64, top: f64) {
        let layout = self.layout();
        let (cell, size) = (layout.cell, name_size(layout.cell));
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
                            let size = (cell * 0.36).clamp(6.0, 10.5);
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
        for (r, name) in self.rows.iter().enumerate() {
            let y = top + (r as f64 + 0.5) * cell;
            canvas.label(&fit(name, layout.names - 8.0, size), x0 - 6.0, y, size, Anchor::End);
        }
        let bottom = top + rows as f64 * cell;
        for (c, name) in self.columns.iter().enumerate() {
            let x = x0 + (c as f64 + 0.5) * cell;
            canvas.text_upwards(&fit(name, layout.foot - 10.0, size), x, bottom + 6.0, size, Anchor::End, INK);
        }
        canvas.text_upwards(self.row_title, left + 8.0, top + rows as f64 * cell / 2.0, SMALL, Anchor::Middle, INK);
        let middle = x0 + columns as f64 * cell / 2.0;
        canvas.label(self.column_title, middle, bottom + layout.foot + 8.0, SMALL, Anchor::Middle);
        self.paint_scale(canvas, x0 + columns as f64 * cell + 24.0, top, (rows as f64 * cell).max(90.0));
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
        if (0..self.values.len()).any(|at| self.values[at].is_none() && !self.is_blank(at)) {
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
