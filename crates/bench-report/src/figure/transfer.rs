//! Transfer between sources: trained on one, tested on another.
//!
//! # What it shows
//! Which laboratories understand each other, and which one stands apart.
//!
//! # What it cannot show
//! Training sets differ in size from row to row; the diagonal is by folds over wells within the
//! source and has fewer training rows than its neighbours.

use super::axis::{self, HEAD};
use super::canvas::{About, draw};
use super::heatmap::Heatmap;
use super::{Figure, Kind, palette};
use crate::view::{View, distinct, probe_title};
use crate::{Error, number, text};

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let pairs = distinct(view.record.transfer.iter().map(|t| (t.model.as_str(), t.probe.as_str())));
    let models: Vec<_> = view.models().collect();
    let mut figures = Vec::new();
    for (m, model) in models.iter().enumerate() {
        for (_, probe) in pairs.iter().filter(|(name, _)| *name == model.name) {
            figures.push(figure(view, m, &model.name, probe)?);
        }
    }
    Ok(figures)
}

fn figure(view: &View<'_>, index: usize, model: &str, probe: &str) -> Result<Figure, Error> {
    let cells: Vec<_> = view.record.transfer.iter().filter(|t| t.model == model && t.probe == probe).collect();
    // The order of the data section; sources that it lacks follow.
    let known = view.record.data.sources.iter().map(|(name, _)| name.as_str());
    let used: Vec<&str> = cells.iter().flat_map(|t| [t.train.as_str(), t.test.as_str()]).collect();
    let sources: Vec<String> = distinct(known.filter(|s| used.contains(s)).chain(used.iter().copied()))
        .into_iter()
        .map(str::to_owned)
        .collect();
    let found = |train: &str, test: &str| cells.iter().find(|t| t.train == train && t.test == test);
    let values: Vec<Option<f64>> = sources
        .iter()
        .flat_map(|train| sources.iter().map(move |test| (train, test)))
        .map(|(train, test)| found(train, test).and_then(|t| t.accuracy))
        .collect();
    let chance = view.chance();
    let scale = [(0.0, "0".to_owned()), (chance, format!("chance {}", number::coarse(chance))), (1.0, "1".to_owned())];
    let map = Heatmap {
        rows: &sources,
        columns: &sources,
        row_title: "trained on",
        column_title: "tested on",
        values: &values,
        blank: &[],
        colour: &|v| palette::diverging(v, chance),
        number: &number::coarse,
        scale: &scale,
        scale_title: "accuracy",
    };
    let gaps = distinct(
        cells.iter().filter(|t| t.accuracy.is_none()).map(|t| t.reason.as_deref().unwrap_or("no reason recorded")),
    );
    let absent = values.iter().filter(|v| v.is_none()).count();
    let title = format!("Transfer between sources, {}, {}", text::name(model), probe_title(probe));
    let mut caption = format!(
        "Accuracy of {} trained on the row's source and tested on the column's; blue is above chance ({}), orange below; on the diagonal, five folds over wells within the source. Training sets: {} rows.",
        probe_title(probe),
        number::fixed(chance),
        number::span((
            cells.iter().map(|t| t.n_train).min().unwrap_or(0),
            cells.iter().map(|t| t.n_train).max().unwrap_or(0)
        ))
    );
    if absent > 0 {
        let reasons: Vec<String> = gaps.iter().take(4).map(|r| text::reason(r)).collect();
        let because = if reasons.is_empty() { "not in the record".to_owned() } else { reasons.join("; ") };
        caption.push_str(&format!(" Hatched: {} missing ({because}).", number::plural(absent, "cell")));
    }
    let layout = map.layout(view.page);
    let (width, height) =
        ((layout.width + 36.0).max(view.page.room().unwrap_or(f64::INFINITY).min(520.0)), HEAD + layout.height + 34.0);
    let id = format!("transfer-{}-{}-{}", index + 1, text::slug(model), text::slug(probe));
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        map.paint(canvas, view.page, 18.0, HEAD + 4.0);
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    let off: Vec<f64> = cells.iter().filter(|t| t.train != t.test).filter_map(|t| t.accuracy).collect();
    let range = off.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let between = if off.is_empty() {
        "none".to_owned()
    } else {
        format!("{} to {}", number::fixed(range.0), number::fixed(range.1))
    };
    Ok(Figure {
        id,
        kind: Kind::Transfer,
        protocol: None,
        probe: Some(probe.to_owned()),
        split: None,
        alt: format!(
            "Heat map of accuracy between {}; off the diagonal {between}. All values are in the transfer table.",
            number::plural(sources.len(), "source")
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}
