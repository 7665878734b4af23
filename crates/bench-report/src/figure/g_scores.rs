//! G-scores: the share of the random-split accuracy that is kept on unseen plates, batches and
//! sources, with intervals.
//!
//! # Formula
//! G = accuracy of the split / accuracy of the random split; 1 means that nothing is lost.
//!
//! # What it cannot show
//! A model at chance everywhere has G near 1; its bars are drawn hollow.

use super::axis::{self, Frame, HEAD, LEGEND_LINE, Legend};
use super::bars::{self, Bar};
use super::canvas::{About, draw};
use super::palette::{self, INK};
use super::{Figure, Kind};
use crate::verdict::at_chance;
use crate::view::{self, View, g_symbol, probe_title};
use crate::{Error, number, text};

/// Models with a bar of their own; the table has all.
const MOST_MODELS: usize = 24;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    view.protocols_and_probes()
        .into_iter()
        .filter_map(|(protocol, probe)| figure(view, protocol, probe).transpose())
        .collect()
}

fn figure(view: &View<'_>, protocol: &str, probe: &str) -> Result<Option<Figure>, Error> {
    let models: Vec<_> = view.models().take(MOST_MODELS).collect();
    let left_out = view.models().count() - models.len();
    let ladder = view.ladder(protocol);
    let splits: Vec<&str> = ladder
        .iter()
        .skip(1)
        .map(|rung| rung.split.split.as_str())
        .filter(|split| models.iter().any(|m| view.summary(&m.name, protocol, split, probe, "g").is_some()))
        .collect();
    if splits.is_empty() {
        return Ok(None);
    }
    let found = |model: &str, split: &str| view.summary(model, protocol, split, probe, "g");
    let mut spreads = Vec::new();
    let mut top = 1.1_f64;
    let (mut gaps, mut hollow) = (Vec::new(), Vec::new());
    for model in &models {
        if at_chance(view, &model.name, protocol, probe) {
            hollow.push(text::name(&model.name));
        }
        for split in &splits {
            let summary = found(&model.name, split);
            let spread = summary.and_then(view::spread);
            spreads.extend(spread);
            let value = summary.and_then(|s| s.value);
            top = top.max(value.unwrap_or(0.0)).max(spread.map_or(0.0, |s| s.interval.high));
            if value.is_none() {
                gaps.push(format!(
                    "{} of {} ({})",
                    g_symbol(split),
                    text::name(&model.name),
                    view::why(summary.and_then(|s| s.reason.as_deref()))
                ));
            }
        }
    }
    // A wild interval of a model at chance must not press all others to the floor.
    let clipped = top > 2.0;
    let top = if clipped { 2.0 } else { (top * 10.0).ceil() / 10.0 };

    let legend_height = (models.len() + 3) as f64 * LEGEND_LINE;
    let legend_width = axis::legend_width(models.iter().map(|m| m.name.as_str()));
    let placed = axis::place(view, 510.0, (legend_width, legend_height), 68.0, 400.0);
    let (width, height) = (placed.width, placed.height);
    let frame = Frame { left: 64.0, top: HEAD, width: placed.plot, height: placed.tall, low: 0.0, high: top };
    let title = format!("G-scores, {} protocol, {}", text::short(protocol), probe_title(probe));
    let methods = view::interval_methods(spreads.iter().copied());
    let mut caption = vec![
        "Share of the random-split accuracy that is kept on the steps of the split ladder (NSP, NSB, NSS: plates, batches, sources not seen in training); 1 means that nothing is lost.".to_owned(),
        if methods.is_empty() { "No interval was computed.".to_owned() } else { format!("Whiskers: 95 % {methods} intervals of the cluster bootstrap.") },
        "The axis starts at zero.".to_owned(),
    ];
    if clipped {
        caption.push("Values and intervals above 2 are cut; the table has them in full.".to_owned());
    }
    if !hollow.is_empty() {
        caption.push(format!(
            "Hollow bars: accuracy at chance on random splits, so the ratio means nothing ({}).",
            text::list(&hollow)
        ));
    }
    if !gaps.is_empty() {
        caption.push(format!("Missing, marked by a cross: {}.", gaps.join("; ")));
    }
    if left_out > 0 {
        caption.push(format!("{} are in the table.", number::plural(left_out, "more model")));
    }
    let caption = caption.join(" ");
    let id = format!("g-scores-{}-{}", text::slug(protocol), text::slug(probe));
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        frame.axis(canvas, "accuracy kept, G");
        canvas.dashes((frame.left, frame.y(1.0)), (frame.right(), frame.y(1.0)), (7.0, 4.0), INK, 1.1);
        let groups: Vec<_> = splits
            .iter()
            .map(|split| {
                let bars = models
                    .iter()
                    .enumerate()
                    .map(|(m, model)| {
                        let summary = found(&model.name, split);
                        Bar {
                            value: summary.and_then(|s| s.value),
                            interval: summary.and_then(view::spread).map(|s| (s.interval.low, s.interval.high)),
                            hollow: hollow.contains(&text::name(&model.name)),
                            series: m,
                            colour: palette::series(m),
                        }
                    })
                    .collect();
                let n = view.split(protocol, split).map_or(String::new(), |s| {
                    format!("n {} / {}", number::count(s.n_train.1), number::count(s.n_test.1))
                });
                (g_symbol(split), n, bars)
            })
            .collect();
        bars::paint(canvas, &frame, &groups);
        let mut legend = Legend::new(placed.legend.0, placed.legend.1, placed.legend_width);
        for (m, model) in models.iter().enumerate() {
            legend.series(canvas, &model.name, m, palette::series(m));
        }
        legend.gap(6.0);
        legend.dashed(canvas, "nothing lost (1)", (7.0, 4.0), INK);
        if !methods.is_empty() {
            legend.note(canvas, &format!("whiskers: 95 % {methods}"));
        }
        if !hollow.is_empty() {
            legend.note(canvas, "hollow: at chance");
        }
        axis::foot(
            canvas,
            &format!("run {} · axis from zero · n: training / test rows", text::short(&view.record.run_id)),
            width,
            height,
        );
    })?;
    let alt = format!(
        "Bar chart of G-scores. {}. All values are in the G-score table.",
        models
            .iter()
            .take(8)
            .map(|m| {
                let values: Vec<String> = splits
                    .iter()
                    .map(|s| {
                        format!(
                            "{} {}",
                            g_symbol(s),
                            found(&m.name, s).and_then(|x| x.value).map_or("missing".to_owned(), number::fixed)
                        )
                    })
                    .collect();
                format!("{}: {}", text::name(&m.name), values.join(", "))
            })
            .collect::<Vec<_>>()
            .join(". ")
    );
    Ok(Some(Figure {
        id,
        kind: Kind::GScores,
        protocol: Some(protocol.to_owned()),
        probe: Some(probe.to_owned()),
        split: None,
        title,
        caption,
        alt,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }))
}
