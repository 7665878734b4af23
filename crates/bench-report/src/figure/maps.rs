//! The maps of several models side by side, coloured by one factor: figure 2 of Watkinson et al. 2023.
//!
//! # What it shows
//! Whether the islands of each model's map are laboratories. Levels have the same colour in every panel.
//!
//! # What it cannot show
//! How strong the effect is: distances between islands mean nothing, and a map is not a measurement. The numbers are in
//! the tables of batch probes and G-scores.

use bench_core::record::{Colouring, Projection};

use super::axis::{self, HEAD, Legend, SMALL};
use super::canvas::{About, Anchor, draw, fit};
use super::palette::{self, DISTINCT_LEVELS};
use super::umap::{LEGEND_LINES, Points, SHARP, check, interleaved, named_levels};
use super::{Figure, Kind};
use crate::view::View;
use crate::{Error, number, text};

/// Side of a panel where there is room.
const PANEL: f64 = 250.0;
/// Least side of a panel.
const LEAST: f64 = 150.0;
/// Space between panels, with the name above each.
const GAP: (f64, f64) = (16.0, 34.0);
/// Width and height of an entry of the legend.
const ENTRY: (f64, f64) = (120.0, 15.0);
/// Most panels in a row.
const COLUMNS: usize = 3;

/// Projections of these models coloured by `by`; none if no model has one.
pub(crate) fn figure(
    view: &View<'_>,
    (id, title): (&str, &str),
    models: &[&str],
    by: &str,
) -> Result<Option<Figure>, Error> {
    let of = |model: &&str| view.record.projections.iter().find(|p| p.model == **model);
    let found: Vec<&Projection> =
        models.iter().filter_map(of).filter(|p| p.colourings.iter().any(|c| c.by == by)).collect();
    for projection in &found {
        check(projection)?;
    }
    let Some(first) = found.first() else { return Ok(None) };
    let colourings = aligned(&found, by);
    let room = view.page.room().unwrap_or(18.0 + COLUMNS as f64 * (PANEL + GAP.0) + 2.0);
    let most = (((room - 20.0) / (LEAST + GAP.0)) as usize).clamp(1, COLUMNS);
    let columns = found.len().min(most);
    let rows = found.len().div_ceil(most);
    let side = ((room - 20.0) / most as f64 - GAP.0).min(PANEL);
    let width = (20.0 + columns as f64 * (side + GAP.0)).max(2.0 * ENTRY.0 + 36.0);
    let named = named_levels(&colourings[0], LEGEND_LINES);
    let levels = colourings[0].levels.len();
    let entries = named.len() + usize::from(levels > named.len());
    let per_line = (((width - 36.0) / ENTRY.0) as usize).max(1);
    let below = HEAD + rows as f64 * (side + GAP.1) + 8.0;
    let height = below + entries.div_ceil(per_line) as f64 * ENTRY.1 + 32.0;

    let shown = found.iter().map(|p| p.x.len()).min().unwrap_or(0);
    let points = if shown < first.points {
        format!("{} of {} points", number::count(shown), number::count(first.points))
    } else {
        format!("{} points", number::count(shown))
    };
    let title = title.to_owned();
    let caption = format!(
        "UMAP ({}) of the embeddings of {}, {points} each, coloured by {}. Points are drawn interleaved, so that none of \
         the groups lies on top. Axes have no unit; distances between islands mean nothing.",
        text::reason(&first.parameters),
        text::list(&found.iter().map(|p| text::name(&p.model)).collect::<Vec<_>>()),
        text::name(by),
    );
    let mut failure = None;
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &format!("{} · by {}", axis::basis(view), text::short(by)), width);
        for (at, (projection, colouring)) in found.iter().zip(&colourings).enumerate() {
            let left = 18.0 + (at % most) as f64 * (side + GAP.0);
            let top = HEAD + 14.0 + (at / most) as f64 * (side + GAP.1);
            canvas.label(&fit(&projection.model, side, SMALL), left, top - 9.0, SMALL, Anchor::Start);
            let order = interleaved(projection.x.len());
            let points = Points { id, projection, colouring, order: &order, sharpness: SHARP };
            if let Err(error) = points.scatter(canvas, (left, top), side) {
                failure.get_or_insert(error);
            }
        }
        let place = |at: usize| {
            let (column, line) = (at % per_line, at / per_line);
            Legend::new(18.0 + column as f64 * ENTRY.0, below + line as f64 * ENTRY.1, ENTRY.0 - 6.0)
        };
        for (at, &level) in named.iter().enumerate() {
            let shape = if levels <= DISTINCT_LEVELS { level } else { 0 };
            place(at).level(canvas, &colourings[0].levels[level], shape, palette::level(level, levels));
        }
        if levels > named.len() {
            place(named.len()).note(canvas, &format!("… and {} more", number::count(levels - named.len())));
        }
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    Ok(Some(Figure {
        id: id.to_owned(),
        kind: Kind::Projection,
        protocol: None,
        probe: None,
        split: None,
        alt: format!("Scatter plots of {}, coloured by {}.", number::plural(found.len(), "model"), text::name(by)),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    }))
}

/// The colourings of several maps over the levels of all of them, so that a level has one colour.
fn aligned(projections: &[&Projection], by: &str) -> Vec<Colouring> {
    let each: Vec<&Colouring> = projections.iter().filter_map(|p| p.colourings.iter().find(|c| c.by == by)).collect();
    let mut levels: Vec<String> = Vec::new();
    for level in each.iter().flat_map(|c| &c.levels) {
        if !levels.contains(level) {
            levels.push(level.clone());
        }
    }
    let code = |name: &String| levels.iter().position(|level| level == name).unwrap_or(0) as u32;
    each.iter()
        .map(|c| {
            let map: Vec<u32> = c.levels.iter().map(code).collect();
            let codes = c.codes.iter().map(|&old| map[old as usize]).collect();
            Colouring { by: by.to_owned(), levels: levels.clone(), codes }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_one_code_in_every_panel() {
        let map = |levels: [&str; 2]| Projection {
            colourings: vec![Colouring {
                by: "source".to_owned(),
                levels: levels.map(str::to_owned).to_vec(),
                codes: vec![0, 1, 1],
            }],
            ..Projection::default()
        };
        let (a, b) = (map(["s1", "s2"]), map(["s3", "s1"]));
        let colourings = aligned(&[&a, &b], "source");
        assert_eq!(colourings[0].codes, [0, 1, 1]);
        assert_eq!(colourings[1].codes, [2, 0, 0]);
        assert_eq!(colourings[1].levels, ["s1", "s2", "s3"]);
    }
}
