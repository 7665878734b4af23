//! Loss curves: training and validation loss of every model over its epochs.
//!
//! # What it shows
//! Whether training went on long enough (a level end), or too long (validation loss rises while
//! training loss falls).
//!
//! # What it cannot show
//! Which model is better: losses of different methods are different quantities, so every model
//! has a panel with an axis of its own.

use super::axis::{self, HEAD, SMALL, TINY};
use super::canvas::{About, Anchor, draw, fit};
use super::palette::{self, GREY};
use super::{Figure, Kind};
use crate::view::View;
use crate::{Error, number, text};

const PANEL: (f64, f64) = (290.0, 190.0);
const MARGIN: (f64, f64) = (66.0, 46.0);
const COLUMNS: usize = 3;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let trainings = &view.record.training;
    if trainings.iter().all(|t| t.history.is_empty()) {
        return Ok(vec![]);
    }
    let room = view.page.room().unwrap_or(f64::INFINITY);
    let most = (((room - MARGIN.0) / (PANEL.0 + MARGIN.0)) as usize).clamp(1, COLUMNS);
    let columns = trainings.len().min(most);
    let rows = trainings.len().div_ceil(most);
    let panel = (PANEL.0.min(room - MARGIN.0 - 22.0), PANEL.1);
    let gap = MARGIN.0.min(room - MARGIN.0 - panel.0);
    let step = (panel.0 + gap, panel.1 + MARGIN.1 + 24.0);
    let (width, height) = (MARGIN.0 + columns as f64 * step.0, HEAD + rows as f64 * step.1 + 34.0);
    let title = "Loss over epochs";
    let caption = "Solid: training; dashed: validation compounds; the dot marks the epoch whose weights are used. \
                   Each panel has an axis of its own: losses of different methods are different quantities."
        .to_owned();
    let about = About { title, caption: &caption, view };
    let drawing = draw("training-loss", &about, width, height, |canvas| {
        axis::head(canvas, view, title, "training and validation compounds", width);
        for (at, training) in trainings.iter().enumerate() {
            let left = MARGIN.0 + (at % most) as f64 * step.0;
            let top = HEAD + (at / most) as f64 * step.1 + 18.0;
            let colour = palette::series(at);
            let history = &training.history;
            let losses = || history.iter().flat_map(|e| [e.train_loss, e.validation_loss]).flatten();
            let (low, high) = losses().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            canvas.text(&fit(&training.model, panel.0, SMALL), left, top - 7.0, SMALL, Anchor::Start, colour);
            if !low.is_finite() {
                canvas.text("no loss was finite", left, top + 20.0, TINY, Anchor::Start, GREY);
                continue;
            }
            let span = if high > low { high - low } else { 1.0 };
            let last = (history.len().max(2) - 1) as f64;
            let x = |epoch: usize| left + panel.0 * epoch as f64 / last;
            let y = |loss: f64| top + panel.1 * (high - loss) / span;
            canvas.line(&[(left, top), (left, top + panel.1), (left + panel.0, top + panel.1)], GREY, 1.0);
            for part in 0..=4 {
                let value = low + span * f64::from(part) / 4.0;
                canvas.text(&number::significant(value), left - 6.0, y(value) + 4.0, TINY, Anchor::End, GREY);
            }
            for epoch in [0, history.len() / 2, history.len() - 1] {
                canvas.text(&(epoch + 1).to_string(), x(epoch), top + panel.1 + 16.0, TINY, Anchor::Middle, GREY);
            }
            canvas.text("epoch", left + panel.0 / 2.0, top + panel.1 + 32.0, TINY, Anchor::Middle, GREY);
            let points = |loss: fn(&bench_core::record::Epoch) -> Option<f64>| -> Vec<Option<(f64, f64)>> {
                history.iter().enumerate().map(|(i, e)| Some((x(i), y(loss(e)?)))).collect()
            };
            for pair in points(|e| e.train_loss).windows(2) {
                if let [Some(from), Some(to)] = pair {
                    canvas.line(&[*from, *to], colour, 1.8);
                }
            }
            for pair in points(|e| e.validation_loss).windows(2) {
                if let [Some(from), Some(to)] = pair {
                    canvas.dashes(*from, *to, (4.0, 3.0), colour, 1.6);
                }
            }
            let used = training.best_epoch.map(|e| e as usize).filter(|&e| e < history.len());
            if let Some((epoch, loss)) =
                used.and_then(|e| Some((e, history[e].validation_loss.or(history[e].train_loss)?)))
            {
                canvas.marker(0, x(epoch), y(loss), 5.0, colour);
            }
        }
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    let alt = trainings
        .iter()
        .map(|t| {
            let end = t.history.last().and_then(|e| e.train_loss);
            let start = t.history.first().and_then(|e| e.train_loss);
            let shown = |v: Option<f64>| v.map_or_else(|| "missing".to_owned(), number::significant);
            format!("{}: training loss from {} to {} in {} epochs", t.model, shown(start), shown(end), t.history.len())
        })
        .collect::<Vec<_>>()
        .join("; ");
    Ok(vec![Figure {
        id: "training-loss".to_owned(),
        kind: Kind::Training,
        protocol: None,
        probe: None,
        split: None,
        title: title.to_owned(),
        caption,
        alt,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }])
}
