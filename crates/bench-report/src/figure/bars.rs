//! Grouped bars with whiskers, shared by G-scores and batch probes.

use plotters::style::RGBColor;

use super::axis::{CAP, Frame, SMALL, TINY, missing_mark, two_lines, whisker};
use super::canvas::{Anchor, Canvas};
use super::palette::{GREY, PAPER};

/// One bar.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bar {
    /// Height, absent if missing.
    pub(crate) value: Option<f64>,
    /// Ends of its interval.
    pub(crate) interval: Option<(f64, f64)>,
    /// Drawn as an outline: the number means little.
    pub(crate) hollow: bool,
    /// Colour and shape of its series.
    pub(crate) series: usize,
    /// Colour.
    pub(crate) colour: RGBColor,
}

/// Draws groups of bars side by side, each with the mark of its series at its end, and the
/// groups' names below.
pub(crate) fn paint(canvas: &mut Canvas<'_>, frame: &Frame, groups: &[(String, String, Vec<Bar>)]) {
    let zero = frame.y(0.0);
    for (g, (name, note, bars)) in groups.iter().enumerate() {
        let centre = frame.column(g, groups.len());
        let room = frame.width / groups.len() as f64 * 0.78;
        let pitch = (room / bars.len().max(1) as f64).min(42.0);
        let thick = (pitch * 0.72).max(1.0);
        for (b, bar) in bars.iter().enumerate() {
            let x = centre + pitch * (b as f64 - (bars.len() as f64 - 1.0) / 2.0);
            let Some(value) = bar.value else {
                missing_mark(canvas, x, zero - 8.0, bar.colour);
                continue;
            };
            let y = frame.y(value);
            let (top, height) = (y.min(zero), (y - zero).abs().max(0.6));
            canvas.rectangle(x - thick / 2.0, top, thick, height, bar.colour);
            if bar.hollow && thick > 4.0 && height > 4.0 {
                canvas.rectangle(x - thick / 2.0 + 1.4, top + 1.4, thick - 2.8, height - 2.8, PAPER);
            }
            if let Some((low, high)) = bar.interval {
                // A light line below keeps the whisker apart from its own bar.
                canvas.line(&[(x, frame.y(low)), (x, frame.y(high))], PAPER, (0.5 * thick).min(3.4));
                whisker(canvas, x, (frame.y(low), frame.y(high)), (0.45 * thick).min(CAP), super::palette::INK);
            }
            canvas.marker(bar.series, x, y, (thick / 4.0).clamp(2.0, 4.2), bar.colour);
        }
        let width = frame.width / groups.len() as f64 - 6.0;
        let mut y = frame.bottom() + 16.0;
        for line in two_lines(name, width, SMALL) {
            canvas.label(&line, centre, y, SMALL, Anchor::Middle);
            y += 15.0;
        }
        for line in two_lines(note, width, TINY) {
            canvas.text(&line, centre, y, TINY, Anchor::Middle, GREY);
            y += 12.0;
        }
    }
}
