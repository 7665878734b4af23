//! Accuracy on unseen sources by the number of control wells that aligned them.
//!
//! # What it shows
//! How many control wells a new laboratory has to image before a correction pays: where a line levels off, more of them
//! buy nothing; one that stays at its left end needs none.
//!
//! # What it cannot show
//! What other controls would do: draws are from the wells that the table has, and the right end is all of them.

use bench_core::record::ControlPoint;

use super::axis::{self, Frame, HEAD, LEGEND_LINE, Legend, SMALL};
use super::canvas::{About, Anchor, draw, fit};
use super::palette::{self, GREY};
use super::{Figure, Kind};
use crate::view::{View, distinct, probe_title};
use crate::{Error, number, text};

/// Lines named in the legend; more are drawn, and counted there.
const LEGEND_LINES: usize = 24;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let probes = distinct(view.record.control_curve.iter().map(|point| point.probe.as_str()));
    probes
        .into_iter()
        .filter(|probe| points_of(view, probe).any(|point| point.accuracy.is_some()))
        .map(|probe| figure(view, probe))
        .collect()
}

fn points_of<'a>(view: &View<'a>, probe: &str) -> impl Iterator<Item = &'a ControlPoint> {
    view.record.control_curve.iter().filter(move |point| point.probe == probe)
}

/// One line: an embedding and a correction, with its points by number of wells.
struct Line<'a> {
    name: String,
    points: Vec<&'a ControlPoint>,
}

impl<'a> Line<'a> {
    /// The point of a number of wells, if it was measured.
    fn at(&self, controls: Option<usize>) -> Option<&'a ControlPoint> {
        self.points.iter().copied().find(|point| point.controls == controls && point.accuracy.is_some())
    }
}

fn lines<'a>(view: &View<'a>, probe: &str) -> Vec<Line<'a>> {
    let one_model = distinct(points_of(view, probe).map(|point| point.model.as_str())).len() == 1;
    let one_unit = distinct(points_of(view, probe).map(|point| point.unit.as_str())).len() == 1;
    let mut lines: Vec<Line<'a>> = Vec::new();
    for point in points_of(view, probe) {
        let same =
            |line: &&mut Line<'a>| line.points[0].model == point.model && line.points[0].correction == point.correction;
        match lines.iter_mut().find(same) {
            Some(line) => line.points.push(point),
            None => {
                let mut name = point.correction.clone();
                if !one_model {
                    name = format!("{}, {name}", point.model);
                }
                if !one_unit {
                    name = format!("{name} (per {})", point.unit);
                }
                lines.push(Line { name, points: vec![point] });
            }
        }
    }
    lines
}

/// Numbers of wells in order, all of them last.
fn numbers(lines: &[Line<'_>]) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = lines.iter().flat_map(|l| l.points.iter().map(|p| p.controls)).collect();
    found.sort_by_key(|controls| controls.unwrap_or(usize::MAX));
    found.dedup();
    found
}

fn word(controls: Option<usize>) -> String {
    controls.map_or("all".to_owned(), |n| n.to_string())
}

fn figure(view: &View<'_>, probe: &str) -> Result<Figure, Error> {
    let lines = lines(view, probe);
    let columns = numbers(&lines);
    let data = &view.record.data;
    let listed = lines.len().min(LEGEND_LINES);
    let legend_width = axis::legend_width(lines.iter().take(listed).map(|line| line.name.as_str()));
    let placed = axis::place(view, 470.0, (legend_width, (listed + 2) as f64 * LEGEND_LINE + 30.0), 66.0, 400.0);
    let ends = points_of(view, probe).filter_map(|point| point.high.or(point.accuracy));
    let most = ends.fold(data.majority.max(data.uniform), f64::max);
    let high = ((most * 10.0 + 0.2).ceil() / 10.0).min(1.0);
    let frame = Frame { left: 64.0, top: HEAD, width: placed.plot, height: placed.tall, low: 0.0, high };
    let units = distinct(points_of(view, probe).map(|point| point.unit.as_str()));
    let per = if let [unit] = units.as_slice() { text::name(unit) } else { "group that is aligned".to_owned() };

    let title = format!("Control wells that an unseen source needs, {}", probe_title(probe));
    let caption = caption(view, probe, &lines, &per);
    let about = About { title: &title, caption: &caption, view };
    let id = format!("control-curve-{}", text::slug(probe));
    let drawing = draw(&id, &about, placed.width, placed.height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), placed.width);
        frame.axis(canvas, "accuracy on unseen sources");
        for (value, dash) in [(data.uniform, (2.0, 3.0)), (data.majority, (7.0, 4.0))] {
            canvas.dashes((frame.left, frame.y(value)), (frame.right(), frame.y(value)), dash, GREY, 1.2);
        }
        for (at, &controls) in columns.iter().enumerate() {
            let x = frame.column(at, columns.len());
            canvas.label(&word(controls), x, frame.bottom() + 14.0, SMALL, Anchor::Middle);
        }
        let middle = frame.left + frame.width / 2.0;
        let below = fit(&format!("control wells per {per}"), frame.width, SMALL);
        canvas.label(&below, middle, frame.bottom() + 31.0, SMALL, Anchor::Middle);
        let offset = (0.6 * frame.width / columns.len() as f64 / lines.len() as f64).min(9.0);
        for (m, line) in lines.iter().enumerate() {
            let colour = palette::series(m);
            let shift = offset * (m as f64 - (lines.len() - 1) as f64 / 2.0);
            let found: Vec<Option<&ControlPoint>> = columns.iter().map(|&controls| line.at(controls)).collect();
            let place = |at: usize| {
                let value = found[at]?.accuracy?;
                Some((frame.column(at, columns.len()) + shift, frame.y(value)))
            };
            // A missing point breaks the line.
            for at in 1..columns.len() {
                if let (Some(from), Some(to)) = (place(at - 1), place(at)) {
                    canvas.line(&[from, to], colour, 1.8);
                }
            }
            for (at, point) in found.iter().enumerate() {
                let Some((x, y)) = place(at) else {
                    axis::missing_mark(canvas, frame.column(at, columns.len()) + shift, frame.bottom() - 7.0, colour);
                    continue;
                };
                if let Some((low, high)) = point.and_then(|point| point.low.zip(point.high)) {
                    let cap = (0.45 * offset).min(axis::CAP);
                    axis::whisker(canvas, x, (frame.y(low), frame.y(high)), cap, colour);
                }
                canvas.marker(m, x, y, 4.4, colour);
            }
        }
        let mut legend = Legend::new(placed.legend.0, placed.legend.1, placed.legend_width);
        for (m, line) in lines.iter().take(listed).enumerate() {
            legend.series(canvas, &line.name, m, palette::series(m));
        }
        if lines.len() > listed {
            legend.note(canvas, &format!("… and {} more", lines.len() - listed));
        }
        legend.gap(8.0);
        legend.dashed(canvas, &format!("majority {}", number::fixed(data.majority)), (7.0, 4.0), GREY);
        legend.dashed(canvas, &format!("uniform {}", number::fixed(data.uniform)), (2.0, 3.0), GREY);
        if lines.iter().any(|line| line.points.iter().any(|point| point.low.is_some())) {
            legend.note(canvas, "whiskers: 95 % over wells");
        }
        let run = format!("run {} · accuracy axis from zero", text::short(&view.record.run_id));
        axis::foot(canvas, &run, placed.width, placed.height);
    })?;
    Ok(Figure {
        id,
        kind: Kind::ControlCurve,
        protocol: None,
        probe: Some(probe.to_owned()),
        split: None,
        alt: alt(&lines, &columns),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}

fn caption(view: &View<'_>, probe: &str, lines: &[Line<'_>], per: &str) -> String {
    let mut parts = vec![format!(
        "Accuracy of {} on sources that neither correction nor classifier saw, each aligned by so many of its control wells per {per}.",
        probe_title(probe)
    )];
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let draws = points().map(|point| point.draws).max().unwrap_or(0);
    if draws > 1 {
        parts.push(format!("Points are means over {} of wells.", number::plural(draws, "draw")));
    }
    if points().any(|point| point.low.is_some()) {
        parts.push("Whiskers are 95 % intervals over wells within batches.".to_owned());
    }
    parts.push(format!(
        "Dashed lines: always guessing the most frequent label ({}), guessing fairly ({}). The accuracy axis starts at zero.",
        number::fixed(view.record.data.majority),
        number::fixed(view.record.data.uniform)
    ));
    let gaps: Vec<String> = lines
        .iter()
        .flat_map(|line| line.points.iter().filter(|p| p.accuracy.is_none()).map(move |point| (line, point)))
        .map(|(line, point)| {
            let why = point.reason.as_deref().unwrap_or("not measured");
            format!("{} with {} ({})", text::name(&line.name), word(point.controls), text::reason(why))
        })
        .collect();
    if !gaps.is_empty() {
        parts.push(format!("Missing, marked by a cross: {}.", gaps[..gaps.len().min(6)].join("; ")));
    }
    parts.join(" ")
}

fn alt(lines: &[Line<'_>], columns: &[Option<usize>]) -> String {
    let told: Vec<String> = lines
        .iter()
        .take(8)
        .map(|line| {
            let values: Vec<String> = columns
                .iter()
                .map(|&controls| {
                    let value = line.at(controls).and_then(|point| point.accuracy);
                    format!("{} {}", word(controls), value.map_or("missing".to_owned(), number::fixed))
                })
                .collect();
            format!("{}: {}", text::name(&line.name), values.join(", "))
        })
        .collect();
    format!(
        "Line plot of accuracy on unseen sources by control wells. {}. All values are in the table.",
        told.join(". ")
    )
}
