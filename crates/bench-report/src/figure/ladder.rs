//! The split ladder: accuracy from random splits to unseen sources, one line per model.
//!
//! # What it shows
//! How much of the accuracy survives as the test rows come from farther away: random, unseen
//! wells, plates, batches, sources. A representation without batch effects draws a level line.
//!
//! # What it cannot show
//! Why accuracy is lost: fewer training rows and harder groups lower the line too, so compare
//! lines of the protocol with equal training sizes, and look at the table per group.

use super::axis::{self, Frame, HEAD, LEGEND_LINE, Legend, SMALL, TINY};
use super::canvas::{About, Anchor, draw, fit};
use super::palette::{self, BAND, GREY};
use super::{Figure, Kind};
use crate::view::{self, Rung, View, probe_title};
use crate::{Error, number, text};

/// Models named in the legend; more are drawn, and counted there.
const LEGEND_MODELS: usize = 24;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    view.protocols_and_probes()
        .into_iter()
        .filter(|(protocol, probe)| {
            let rungs = view.ladder(protocol);
            view.models().any(|m| {
                rungs.iter().any(|r| view.summary(&m.name, protocol, &r.split.split, probe, "accuracy").is_some())
            })
        })
        .map(|(protocol, probe)| figure(view, protocol, probe))
        .collect()
}

fn figure(view: &View<'_>, protocol: &str, probe: &str) -> Result<Figure, Error> {
    let rungs = view.ladder(protocol);
    let models: Vec<_> = view.models().collect();
    let data = &view.record.data;
    let listed = models.len().min(LEGEND_MODELS);
    let legend_height = (listed + 5) as f64 * LEGEND_LINE + 24.0;
    let legend_width = axis::legend_width(models.iter().take(listed).map(|m| m.name.as_str()));
    let placed = axis::place(view, 510.0, (legend_width, legend_height), 92.0, 460.0);
    let (width, height) = (placed.width, placed.height);
    let frame = Frame { left: 64.0, top: HEAD, width: placed.plot, height: placed.tall, low: 0.0, high: 1.0 };

    let spreads: Vec<_> = models
        .iter()
        .flat_map(|m| rungs.iter().filter_map(|r| view.summary(&m.name, protocol, &r.split.split, probe, "accuracy")))
        .filter_map(view::spread)
        .collect();
    let band = rungs.iter().any(|r| view.control_band(protocol, &r.split.split, probe).is_some());
    let title = format!("Split ladder, {} protocol, {}", text::short(protocol), probe_title(probe));
    let caption = caption(view, protocol, probe, &rungs, spreads.iter().copied(), band);
    let about = About { title: &title, caption: &caption, view };
    let id = format!("ladder-{}-{}", text::slug(protocol), text::slug(probe));

    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        let columns = rungs.len();
        // The band lies below the grid, the chance lines above it.
        let edges: Vec<Option<(f64, f64)>> =
            rungs.iter().map(|r| view.control_band(protocol, &r.split.split, probe)).collect();
        paint_band(canvas, &frame, &edges);
        frame.axis(canvas, "accuracy");
        for (value, dash) in [(data.uniform, (2.0, 3.0)), (data.majority, (7.0, 4.0))] {
            canvas.dashes((frame.left, frame.y(value)), (frame.right(), frame.y(value)), dash, GREY, 1.2);
        }
        for (i, rung) in rungs.iter().enumerate() {
            let x = frame.column(i, columns);
            if placed.stacked {
                narrow_rung(canvas, &frame, rung, x, frame.width / columns as f64 - 6.0);
                continue;
            }
            canvas.label(
                &fit(&rung.title, frame.width / columns as f64 - 6.0, SMALL),
                x,
                frame.bottom() + 16.0,
                SMALL,
                Anchor::Middle,
            );
            // `random` twice would say nothing; the unit that is divided does.
            let detail = if rung.split.split == rung.title || rung.noun.starts_with("the split") {
                format!("by {}", rung.split.unit)
            } else {
                rung.split.split.clone()
            };
            let id = fit(&detail, frame.width / columns as f64 - 6.0, TINY);
            canvas.text(&id, x, frame.bottom() + 31.0, TINY, Anchor::Middle, GREY);
            let sizes = format!("n {} / {}", number::count(rung.split.n_train.1), number::count(rung.split.n_test.1));
            canvas.text(&sizes, x, frame.bottom() + 45.0, TINY, Anchor::Middle, GREY);
        }
        let offset = (40.0 / models.len() as f64).min(11.0);
        for (m, model) in models.iter().enumerate() {
            let colour = palette::series(m);
            let x = |i: usize| frame.column(i, columns) + offset * (m as f64 - (models.len() - 1) as f64 / 2.0);
            let found: Vec<_> =
                rungs.iter().map(|r| view.summary(&model.name, protocol, &r.split.split, probe, "accuracy")).collect();
            let points: Vec<Option<(f64, f64)>> =
                found.iter().enumerate().map(|(i, s)| Some((x(i), frame.y((*s)?.value?)))).collect();
            // A missing rung breaks the line.
            for pair in points.windows(2) {
                if let [Some(from), Some(to)] = pair {
                    canvas.line(&[*from, *to], colour, 1.8);
                }
            }
            for (i, point) in points.iter().enumerate() {
                if let Some(spread) = found[i].and_then(view::spread) {
                    axis::whisker(
                        canvas,
                        x(i),
                        (frame.y(spread.interval.low), frame.y(spread.interval.high)),
                        (0.45 * offset).min(axis::CAP),
                        colour,
                    );
                }
                match point {
                    Some((x, y)) => canvas.marker(m, *x, *y, 4.4, colour),
                    None => axis::missing_mark(canvas, x(i), frame.bottom() - 7.0, colour),
                }
            }
        }
        let mut legend = Legend::new(placed.legend.0, placed.legend.1, placed.legend_width);
        for (m, model) in models.iter().take(listed).enumerate() {
            legend.series(canvas, &model.name, m, palette::series(m));
        }
        if models.len() > listed {
            legend.note(canvas, &format!("… and {} more", models.len() - listed));
        }
        legend.gap(8.0);
        legend.dashed(canvas, &format!("majority {}", number::fixed(data.majority)), (7.0, 4.0), GREY);
        legend.dashed(canvas, &format!("uniform {}", number::fixed(data.uniform)), (2.0, 3.0), GREY);
        if band {
            legend.band(canvas, "control band");
        }
        legend.gap(4.0);
        legend.note(canvas, "n: training / test rows");
        if !spreads.is_empty() {
            let methods = view::interval_methods(spreads.iter().copied());
            legend.note(canvas, &format!("whiskers: 95 % {methods}"));
        }
        let run = format!("run {} · accuracy axis from zero", text::short(&view.record.run_id));
        axis::foot(canvas, &run, width, height);
    })?;
    Ok(Figure {
        alt: alt(view, protocol, probe, &rungs),
        id,
        kind: Kind::Ladder,
        protocol: Some(protocol.to_owned()),
        probe: Some(probe.to_owned()),
        split: None,
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}

/// Title and sizes of a rung where there is little room: two lines each; the split's id is in the table.
fn narrow_rung(canvas: &mut super::canvas::Canvas<'_>, frame: &Frame, rung: &Rung<'_>, x: f64, width: f64) {
    let mut y = frame.bottom() + 14.0;
    for line in axis::two_lines(&rung.title, width, SMALL) {
        canvas.label(&line, x, y, SMALL, Anchor::Middle);
        y += 13.0;
    }
    let (train, test) = (number::count(rung.split.n_train.1), number::count(rung.split.n_test.1));
    for line in [format!("n {train}"), format!("/ {test}")] {
        canvas.text(&fit(&line, width, TINY), x, y, TINY, Anchor::Middle, GREY);
        y += 11.0;
    }
}

/// The range of the controls, from rung to rung; a rung without neighbours gets a short piece.
fn paint_band(canvas: &mut super::canvas::Canvas<'_>, frame: &Frame, edges: &[Option<(f64, f64)>]) {
    let columns = edges.len();
    let y = |(low, high): (f64, f64)| {
        let (top, bottom) = (frame.y(high), frame.y(low));
        // Controls that agree still leave a visible band.
        let thin = (1.5 - (bottom - top)).max(0.0) / 2.0;
        (top - thin, bottom + thin)
    };
    for (i, edge) in edges.iter().enumerate() {
        let Some(edge) = edge else { continue };
        let ((top, bottom), half) = (y(*edge), frame.width / columns as f64 / 2.0);
        let x = frame.column(i, columns);
        let (before, after) = (i.checked_sub(1).and_then(|b| edges[b]), edges.get(i + 1).copied().flatten());
        if before.is_none() {
            let reach = if i == 0 { half } else { half.min(16.0) };
            canvas.rectangle(x - reach, top, reach, bottom - top, BAND);
        }
        match after {
            Some(next) => {
                let (next_top, next_bottom) = y(next);
                let next_x = frame.column(i + 1, columns);
                canvas.polygon(&[(x, top), (next_x, next_top), (next_x, next_bottom), (x, bottom)], BAND);
            }
            None => {
                let reach = if i + 1 == columns { half } else { half.min(16.0) };
                canvas.rectangle(x, top, reach, bottom - top, BAND);
            }
        }
    }
}

fn caption(
    view: &View<'_>,
    protocol: &str,
    probe: &str,
    rungs: &[Rung<'_>],
    spreads: impl Iterator<Item = view::Spread>,
    band: bool,
) -> String {
    let methods = view::interval_methods(spreads);
    let mut parts = vec![format!(
        "Accuracy of {} on test rows that come from ever farther away; points are means over repeats.",
        probe_title(probe)
    )];
    parts.push(if methods.is_empty() {
        "No interval was computed.".to_owned()
    } else {
        let clusters = view::distinct(
            view.record
                .summaries
                .iter()
                .filter(|s| s.protocol == protocol && s.probe == probe && s.quantity == "accuracy")
                .filter_map(|s| s.cluster.as_ref())
                .map(|(unit, n)| (unit.as_str(), *n)),
        );
        let over: Vec<String> = clusters
            .iter()
            .map(|(unit, n)| {
                format!("{} {}", number::count(*n), if *n == 1 { text::name(unit) } else { view::plural_of(unit) })
            })
            .collect();
        let over = if over.is_empty() { String::new() } else { format!(" over {}", text::list(&over)) };
        format!("Whiskers are 95 % {methods} intervals of the cluster bootstrap{over}.")
    });
    parts.push(format!(
        "Dashed lines: always guessing the most frequent label ({}), guessing fairly ({}).",
        number::fixed(view.record.data.majority),
        number::fixed(view.record.data.uniform)
    ));
    let blind: Vec<String> = view.blind_controls().map(|m| text::name(&m.name)).collect();
    parts.push(if band {
        format!("Grey band: range of the controls that know nothing of the label ({}).", text::list(&blind))
    } else {
        "There is no control band, because no such control was scored.".to_owned()
    });
    parts.push("n: largest training and test set. The axis starts at zero.".to_owned());
    let few: Vec<String> = rungs
        .iter()
        .filter(|r| !r.split.pooled && r.split.folds > 1 && r.split.distinct_test_sets < r.split.folds)
        .map(|r| {
            format!(
                "{} has {} for {} repeats",
                text::name(&r.split.split),
                number::plural(r.split.distinct_test_sets, "distinct test set"),
                r.split.folds
            )
        })
        .collect();
    if !few.is_empty() {
        parts.push(format!("{}.", text::list(&few)));
    }
    let mut gaps = Vec::new();
    for model in view.models() {
        for rung in rungs {
            let found = view.summary(&model.name, protocol, &rung.split.split, probe, "accuracy");
            if found.and_then(|s| s.value).is_none() {
                let reason = found.and_then(|s| s.reason.as_deref()).or(rung.split.reason.as_deref());
                gaps.push(format!(
                    "{} on {} ({})",
                    text::name(&model.name),
                    text::name(&rung.split.split),
                    view::why(reason)
                ));
            }
        }
    }
    if !gaps.is_empty() {
        let more = gaps.len().saturating_sub(6);
        gaps.truncate(6);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        parts.push(format!("Missing, marked by a cross: {}{more}.", gaps.join("; ")));
    }
    parts.join(" ")
}

fn alt(view: &View<'_>, protocol: &str, probe: &str, rungs: &[Rung<'_>]) -> String {
    let lines: Vec<String> = view
        .models()
        .take(8)
        .map(|m| {
            let values: Vec<String> = rungs
                .iter()
                .map(|r| {
                    let value =
                        view.summary(&m.name, protocol, &r.split.split, probe, "accuracy").and_then(|s| s.value);
                    format!("{} {}", r.title, value.map_or("missing".to_owned(), number::fixed))
                })
                .collect();
            format!("{}: {}", text::name(&m.name), values.join(", "))
        })
        .collect();
    format!("Line plot of accuracy by split. {}. All values are in the results table.", lines.join(". "))
}
