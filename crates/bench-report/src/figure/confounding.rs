//! Confounding: association of label, source, batch, plate and position before any embedding.
//!
//! # What it shows
//! Bias-corrected Cramér's V between pairs of factors: where label and origin are entangled, a
//! probe can use one for the other and no split of these rows can tell.

use super::axis::{self, HEAD};
use super::canvas::{About, draw};
use super::heatmap::Heatmap;
use super::{Figure, Kind, palette};
use crate::view::{View, distinct};
use crate::{Error, number, text};

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    let pairs = &view.record.confounding.pairs;
    let rows: Vec<String> = distinct(pairs.iter().map(|p| p.a.as_str())).into_iter().map(str::to_owned).collect();
    let columns: Vec<String> = distinct(pairs.iter().map(|p| p.b.as_str())).into_iter().map(str::to_owned).collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let find = |a: &str, b: &str| pairs.iter().find(|p| p.a == a && p.b == b);
    let cells: Vec<_> = rows.iter().flat_map(|a| columns.iter().map(move |b| find(a, b))).collect();
    let values: Vec<Option<f64>> =
        cells.iter().map(|c| c.and_then(|p| p.cramers_v_corrected.or(p.cramers_v))).collect();
    let blank: Vec<bool> = cells.iter().map(Option::is_none).collect();
    let scale = [(0.0, "0".to_owned()), (0.5, "0.5".to_owned()), (1.0, "1".to_owned())];
    let map = Heatmap {
        rows: &rows,
        columns: &columns,
        row_title: "",
        column_title: "",
        values: &values,
        blank: &blank,
        colour: &palette::sequential,
        number: &number::coarse,
        scale: &scale,
        scale_title: "Cramér's V",
    };
    let title = "Confounding of label and origin".to_owned();
    let mut caption = "Bias-corrected Cramér's V between factors, before any embedding is looked at: 0 is independent, 1 fully determined.".to_owned();
    if values.iter().zip(&blank).any(|(value, blank)| value.is_none() && !blank) {
        caption.push_str(" Hatched: one of the two factors has a single level.");
    }
    if blank.contains(&true) {
        caption.push_str(" Empty: the pair was not asked for, or stands on the other side.");
    }
    let layout = map.layout(view.page);
    let (width, height) = (
        (layout.width + 36.0).max(view.page.room().unwrap_or(f64::INFINITY).min(440.0)),
        HEAD + layout.height.max(170.0) + 44.0,
    );
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw("confounding", &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &axis::basis(view), width);
        map.paint(canvas, view.page, 18.0, HEAD + 4.0);
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    let worst = pairs
        .iter()
        .filter_map(|p| Some((p, p.cramers_v_corrected.or(p.cramers_v)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(String::new(), |(p, v)| {
            format!(" The strongest is {} with {}: {}.", text::name(&p.a), text::name(&p.b), number::fixed(v))
        });
    Ok(vec![Figure {
        id: "confounding".to_owned(),
        kind: Kind::Confounding,
        protocol: None,
        probe: None,
        split: None,
        alt: format!("Heat map of Cramér's V between factors.{worst} All values are in the confounding table."),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }])
}
