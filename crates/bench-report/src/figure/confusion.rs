//! Confusion matrices, each row divided by its sum.
//!
//! # What it shows
//! Which labels are taken for which: a column that draws everything is a class the probe falls
//! back to on unseen sources.
//!
//! # What it cannot show
//! Rows of rare labels rest on few test rows; their number stands beside the name.

use bench_core::record::Confusion;

use super::axis::{self, HEAD};
use super::canvas::{About, draw};
use super::heatmap::Heatmap;
use super::{Figure, Kind, palette};
use crate::view::{View, probe_title};
use crate::{Error, number, text};

/// More classes than this are not drawn; the table has the counts.
const MOST_CLASSES: usize = 120;

/// Matrices of the first and the last step of each ladder, for every model and probe.
pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let mut figures = Vec::new();
    for (m, model) in view.models().enumerate() {
        for confusion in view.record.confusion.iter().filter(|c| c.model == model.name) {
            check(confusion)?;
            let ladder = view.ladder(&confusion.protocol);
            let ends = [ladder.first(), ladder.last()];
            let headline = ends.iter().flatten().any(|r| r.split.split == confusion.split);
            if headline && confusion.classes.len() <= MOST_CLASSES {
                figures.push(figure(view, m, confusion)?);
            }
        }
    }
    Ok(figures)
}

/// A confusion matrix has one count per pair of classes.
pub(crate) fn check(confusion: &Confusion) -> Result<(), Error> {
    let expected = confusion.classes.len() * confusion.classes.len();
    if confusion.counts.len() == expected {
        return Ok(());
    }
    Err(Error::Inconsistent {
        what: format!(
            "the confusion matrix of `{}` on `{}`",
            text::short(&confusion.model),
            text::short(&confusion.split)
        ),
        found: confusion.counts.len(),
        expected,
    })
}

fn figure(view: &View<'_>, index: usize, confusion: &Confusion) -> Result<Figure, Error> {
    let n = confusion.classes.len();
    let sums: Vec<f64> = confusion.counts.chunks(n.max(1)).map(|row| row.iter().sum()).collect();
    let values: Vec<Option<f64>> = confusion
        .counts
        .iter()
        .enumerate()
        .map(|(at, count)| (sums[at / n] > 0.0).then(|| count / sums[at / n]))
        .collect();
    let names: Vec<String> = confusion.classes.iter().map(|c| text::short(c)).collect();
    let scale = [(0.0, "0".to_owned()), (0.5, "0.5".to_owned()), (1.0, "1".to_owned())];
    let map = Heatmap {
        rows: &names,
        columns: &names,
        row_title: "true",
        column_title: "predicted",
        values: &values,
        blank: &[],
        colour: &palette::sequential,
        number: &number::coarse,
        scale: &scale,
        scale_title: "share of row",
    };
    let title = format!(
        "Confusion, {}, {} / {}, {}",
        text::name(&confusion.model),
        text::name(&confusion.protocol),
        text::name(&confusion.split),
        probe_title(&confusion.probe)
    );
    let total: f64 = sums.iter().sum();
    let right: f64 = (0..n).map(|i| confusion.counts[i * n + i]).sum();
    let mut caption = format!(
        "Each row divided by its sum: the share of a label's test rows that was taken for each label; n = {} test rows over all repeats.",
        number::count(total.round().max(0.0) as usize)
    );
    if sums.iter().any(|s| *s <= 0.0) {
        caption.push_str(" Hatched rows: the label has no test rows.");
    }
    let layout = map.layout(view.page);
    let (width, height) =
        ((layout.width + 36.0).max(view.page.room().unwrap_or(f64::INFINITY).min(520.0)), HEAD + layout.height + 34.0);
    let id = format!(
        "confusion-{}-{}-{}-{}-{}",
        index + 1,
        text::slug(&confusion.model),
        text::slug(&confusion.protocol),
        text::slug(&confusion.split),
        text::slug(&confusion.probe)
    );
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        map.paint(canvas, view.page, 18.0, HEAD + 4.0);
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    Ok(Figure {
        id,
        kind: Kind::Confusion,
        protocol: Some(confusion.protocol.clone()),
        probe: Some(confusion.probe.clone()),
        split: Some(confusion.split.clone()),
        alt: format!(
            "Confusion matrix of {}; {} of the test rows lie on the diagonal. Counts are in the confusion table.",
            number::plural(n, "label"),
            if total > 0.0 { number::fixed(right / total) } else { "none".to_owned() }
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}
