//! Batch probes: how well source, batch, plate and well position can be read from an embedding.
//!
//! # Formula
//! (A - 1/B) / (1 - 1/B) with balanced accuracy A over B levels: 0 is chance, 1 is perfect.
//!
//! # What it cannot show
//! Whether the origin hurts: a model may know the source and still carry the label across. Read
//! it beside the G-scores.

use super::axis::{self, Frame, HEAD, LEGEND_LINE, Legend, SMALL};
use super::bars::{self, Bar};
use super::canvas::{About, Anchor, draw};
use super::palette;
use super::{Figure, Kind};
use crate::view::{self, View, distinct, probe_title};
use crate::{Error, number, text};

const MOST_MODELS: usize = 16;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    distinct(view.record.batch_probes.iter().map(|p| p.probe.as_str()))
        .into_iter()
        .filter_map(|probe| figure(view, probe).transpose())
        .collect()
}

fn figure(view: &View<'_>, probe: &str) -> Result<Option<Figure>, Error> {
    let models: Vec<_> = view.models().take(MOST_MODELS).collect();
    let left_out = view.models().count() - models.len();
    let of_probe: Vec<_> = view
        .record
        .batch_probes
        .iter()
        .filter(|p| p.probe == probe && models.iter().any(|m| m.name == p.model))
        .collect();
    if of_probe.is_empty() {
        return Ok(None);
    }
    let panels = distinct(of_probe.iter().map(|p| p.rows.as_str()));
    let targets = distinct(of_probe.iter().map(|p| p.target.as_str()));
    let lowest = of_probe.iter().filter_map(|p| p.corrected).fold(0.0, f64::min);
    let low = ((lowest * 10.0).floor() / 10.0).max(-1.0);

    let (panel, gap, bottom) = (200.0, 78.0, 30.0);
    let plots = panels.len() as f64 * (panel + gap);
    let legend_width = axis::legend_width(models.iter().map(|m| m.name.as_str()));
    let legend_height = (models.len() + 3) as f64 * LEGEND_LINE;
    let narrow = view.page.too_narrow_for(628.0 + legend_width);
    let width = narrow.unwrap_or(628.0 + legend_width);
    let (plot, height) = match narrow {
        Some(room) => (room - 78.0, HEAD + plots + legend_height + bottom),
        None => (530.0, HEAD + plots.max(legend_height) + bottom),
    };
    let title = format!("What can be read besides the label, {}", probe_title(probe));
    let mut caption = vec![format!(
        "Accuracy of {} in telling source, batch, plate and well position from the embedding, corrected for chance: 0 is chance, 1 is perfect; five folds that never divide a well. Panels: {}.",
        probe_title(probe),
        text::list(&panels.iter().map(|p| rows_title(p)).collect::<Vec<_>>())
    )];
    caption.push(if low < 0.0 {
        "The axis reaches below zero, because some values are under chance.".to_owned()
    } else {
        "The axis starts at zero.".to_owned()
    });
    let gaps: Vec<String> = of_probe
        .iter()
        .filter(|p| p.corrected.is_none())
        .take(6)
        .map(|p| {
            format!(
                "{} from {} ({}: {})",
                text::name(&p.target),
                text::name(&p.model),
                rows_title(&p.rows),
                view::why(p.reason.as_deref())
            )
        })
        .collect();
    if !gaps.is_empty() {
        caption.push(format!("Missing, marked by a cross: {}.", gaps.join("; ")));
    }
    if left_out > 0 {
        caption.push(format!("{} are in the table.", number::plural(left_out, "more model")));
    }
    let caption = caption.join(" ");
    let id = format!("batch-probes-{}", text::slug(probe));
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        for (at, rows) in panels.iter().enumerate() {
            let top = HEAD + 16.0 + at as f64 * (panel + gap);
            let frame = Frame { left: 64.0, top, width: plot, height: panel, low, high: 1.0 };
            let sizes = of_probe.iter().filter(|p| p.rows == *rows).map(|p| p.n);
            let n = number::span((sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0)));
            canvas.label(&format!("{}, n = {n}", rows_title(rows)), frame.left, top - 12.0, SMALL, Anchor::Start);
            frame.axis(canvas, "corrected accuracy");
            let groups: Vec<_> = targets
                .iter()
                .map(|target| {
                    let here: Vec<_> = of_probe.iter().filter(|p| p.rows == *rows && p.target == *target).collect();
                    let bars = models
                        .iter()
                        .enumerate()
                        .filter_map(|(m, model)| {
                            let found = here.iter().find(|p| p.model == model.name)?;
                            Some(Bar {
                                value: found.corrected,
                                interval: None,
                                hollow: false,
                                series: m,
                                colour: palette::series(m),
                            })
                        })
                        .collect();
                    let note = here.first().map_or("not asked".to_owned(), |p| number::plural(p.levels, "level"));
                    ((*target).to_owned(), note, bars)
                })
                .collect();
            bars::paint(canvas, &frame, &groups);
        }
        let mut legend = match narrow {
            Some(room) => Legend::new(18.0, HEAD + plots + 4.0, room - 36.0),
            None => Legend::new(618.0, HEAD + 24.0, legend_width),
        };
        for (m, model) in models.iter().enumerate() {
            legend.series(canvas, &model.name, m, palette::series(m));
        }
        legend.gap(6.0);
        legend.note(canvas, "0: chance, 1: perfect");
        legend.note(canvas, "lower is better");
        axis::foot(canvas, &format!("run {} · n: rows used", text::short(&view.record.run_id)), width, height);
    })?;
    Ok(Some(Figure {
        id,
        kind: Kind::BatchProbes,
        protocol: None,
        probe: Some(probe.to_owned()),
        split: None,
        alt: format!(
            "Bar chart of corrected accuracy for {} of {}. All values are in the batch-probe table.",
            text::list(&targets.iter().map(|t| text::name(t)).collect::<Vec<_>>()),
            number::plural(models.len(), "model")
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }))
}

/// `treated rows`, `control rows`.
fn rows_title(rows: &str) -> String {
    match rows {
        "controls" => "control rows".to_owned(),
        other => format!("{} rows", text::name(other)),
    }
}
