//! The map of an embedding, coloured by label, source, batch and plate.
//!
//! # What it shows
//! Whether the islands of the map are labels or laboratories.
//!
//! # What it cannot show
//! Distances between islands, their sizes and densities mean nothing; the numbers are elsewhere.
//!
//! # Drawing order
//! Points come sorted by source, batch and plate. They are drawn with a stride near the golden
//! section of their number, which spreads every run of neighbours evenly over the order, so no
//! batch paints over the others and no random number is needed.

use bench_core::record::{Colouring, Projection};

use super::axis::{self, HEAD, Legend, SMALL};
use super::canvas::{About, Anchor, Canvas, draw};
use super::palette::{self, DISTINCT_LEVELS, GREY};
use super::raster::{self, Dot};
use super::{Figure, Kind};
use crate::view::View;
use crate::{Error, number, text};

/// Up to this many points are drawn as shapes, more as an image.
const VECTOR_POINTS: usize = 2000;

/// Lines of a legend beside its panel; one of them may have to say how many levels are left.
pub(super) const LEGEND_LINES: usize = 17;

/// Image pixels per CSS pixel of the scatter layer in the files.
pub(crate) const SHARP: f64 = 3.0;

const PANEL: f64 = 262.0;
/// Least side of two panels that stand side by side.
const LEAST_PANEL: f64 = 180.0;
const LEGEND: f64 = 132.0;

pub(crate) fn figures(view: &View<'_>) -> Result<Vec<Figure>, Error> {
    view.record.projections.iter().enumerate().map(|(at, p)| figure(view, at, p, SHARP)).collect()
}

/// The figure of one projection; `sharpness` is the scatter layer's resolution in pixels per CSS
/// pixel.
pub(crate) fn figure(view: &View<'_>, index: usize, projection: &Projection, sharpness: f64) -> Result<Figure, Error> {
    check(projection)?;
    let shown = projection.x.len();
    let panels = projection.colourings.len().max(1);
    let room = view.page.room().unwrap_or(f64::INFINITY);
    let most = if room < 18.0 + 2.0 * (LEAST_PANEL + LEGEND + 22.0) { 1 } else { 2 };
    let columns = panels.min(most);
    let side = ((room - 18.0) / columns as f64 - LEGEND - 22.0).min(PANEL);
    let width = 18.0 + columns as f64 * (side + LEGEND + 22.0);
    let height = HEAD + panels.div_ceil(most) as f64 * (side + 40.0) + 30.0;
    let method = if projection.method == "umap" { "UMAP".to_owned() } else { text::short(&projection.method) };
    let title = format!("{method} of {}", text::name(&projection.model));
    let points = if shown < projection.points {
        format!(
            "{} of {} points shown, drawn by the run's seed",
            number::count(shown),
            number::count(projection.points)
        )
    } else {
        format!("all {} points shown", number::count(shown))
    };
    let trust = projection
        .trustworthiness
        .map_or(String::new(), |t| format!(" Trustworthiness at 15 neighbours: {}.", number::fixed(t)));
    let cut: Vec<String> = projection
        .colourings
        .iter()
        .filter(|c| c.levels.len() > legend_lines(side))
        .map(|c| {
            format!(
                "{} has {} levels, so the legend names the largest and neighbouring levels look alike",
                text::name(&c.by),
                number::count(c.levels.len())
            )
        })
        .collect();
    let cut = if cut.is_empty() { String::new() } else { format!(" {}.", cut.join("; ")) };
    let caption = format!(
        "{method} map ({}); {points}. Points are drawn interleaved, so that none of the groups lies on top.{trust}{cut} Axes have no unit; distances between islands mean nothing.",
        text::reason(&projection.parameters)
    );
    let id = format!("{}-{}-{}", text::slug(&projection.method), index + 1, text::slug(&projection.model));
    let order = interleaved(shown);
    let mut failure = None;
    let about = About { title: &title, caption: &caption, view };
    let drawing = draw(&id, &about, width, height, |canvas| {
        axis::head(canvas, view, &title, &format!("{} · {points}", axis::basis(view)), width);
        for (at, colouring) in projection.colourings.iter().enumerate() {
            let left = 18.0 + (at % most) as f64 * (side + LEGEND + 22.0);
            let top = HEAD + 16.0 + (at / most) as f64 * (side + 40.0);
            canvas.label(&format!("by {}", text::short(&colouring.by)), left, top - 10.0, SMALL, Anchor::Start);
            let points = Points { id: &id, projection, colouring, order: &order, sharpness };
            if let Err(e) = points.paint(canvas, (left, top), side) {
                failure.get_or_insert(e);
            }
        }
        axis::foot(canvas, &format!("run {}", text::short(&view.record.run_id)), width, height);
    })?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    Ok(Figure {
        id,
        kind: Kind::Projection,
        protocol: None,
        probe: None,
        split: None,
        alt: format!(
            "Scatter plots of {points}, coloured by {}. The maps are illustrations; what they suggest is measured in the tables.",
            text::list(&projection.colourings.iter().map(|c| text::name(&c.by)).collect::<Vec<_>>())
        ),
        title,
        caption,
        svg: drawing.svg,
        width: drawing.width,
        height: drawing.height,
    })
}

/// The points of a map, coloured in one way.
pub(super) struct Points<'a> {
    pub(super) id: &'a str,
    pub(super) projection: &'a Projection,
    pub(super) colouring: &'a Colouring,
    pub(super) order: &'a [usize],
    pub(super) sharpness: f64,
}

impl Points<'_> {
    /// Draws a square of points with its legend beside it.
    fn paint(&self, canvas: &mut Canvas<'_>, (left, top): (f64, f64), side: f64) -> Result<(), Error> {
        self.scatter(canvas, (left, top), side)?;
        let legend = Legend::new(left + side + 10.0, top + 8.0, LEGEND - 8.0);
        self.legend(canvas, legend, legend_lines(side));
        Ok(())
    }

    /// Whether levels have marks of their own.
    fn shapes(&self) -> bool {
        self.colouring.levels.len() <= DISTINCT_LEVELS
    }

    /// Draws the points in a square of `panel` px.
    pub(super) fn scatter(&self, canvas: &mut Canvas<'_>, (left, top): (f64, f64), panel: f64) -> Result<(), Error> {
        let Points { id, projection, colouring, order, sharpness } = *self;
        let (levels, shapes) = (colouring.levels.len(), self.shapes());
        let place = |i: usize, side: f64| {
            // A margin keeps marks inside the frame; the map's second axis points upwards.
            let at = |v: u16| 0.03 + 0.94 * f64::from(v) / 65535.0;
            (side * at(projection.x[i]), side * (1.0 - at(projection.y[i])))
        };
        let colours: Vec<_> = (0..levels).map(|l| palette::level(l, levels)).collect();
        if order.len() <= VECTOR_POINTS {
            for &i in order {
                let level = colouring.codes[i] as usize;
                let (x, y) = place(i, panel);
                canvas.dot(if shapes { level } else { 0 }, left + x, top + y, 2.0, colours[level]);
            }
        } else {
            let side = panel * sharpness;
            let radius = sharpness * (150.0 / (order.len() as f64).sqrt()).clamp(0.7, 1.6);
            let dots: Vec<Dot> = order
                .iter()
                .map(|&i| {
                    let (x, y) = place(i, side);
                    Dot { x, y, level: colouring.codes[i] as usize }
                })
                .collect();
            let png = raster::scatter(id, side.round() as usize, &dots, radius, &colours, shapes)?;
            canvas.image(left, top, panel, panel, png);
        }
        canvas.outline(left, top, panel, panel, GREY, 0.7);
        Ok(())
    }

    /// Names the levels, the largest of many.
    fn legend(&self, canvas: &mut Canvas<'_>, mut legend: Legend, lines: usize) {
        let colouring = self.colouring;
        let (levels, shapes) = (colouring.levels.len(), self.shapes());
        let named = named_levels(colouring, lines);
        for &l in &named {
            legend.level(canvas, &colouring.levels[l], if shapes { l } else { 0 }, palette::level(l, levels));
        }
        if levels > named.len() {
            legend.note(canvas, &format!("… and {} more", number::count(levels - named.len())));
        }
    }
}

/// Lines of a legend beside a panel of this side.
fn legend_lines(side: f64) -> usize {
    LEGEND_LINES.min(((side + 20.0) / 15.0) as usize)
}

/// The levels that a legend names: all, or the largest of many, so that they and their number fill its lines.
pub(super) fn named_levels(colouring: &Colouring, lines: usize) -> Vec<usize> {
    let levels = colouring.levels.len();
    let mut counts = vec![0usize; levels];
    for &code in &colouring.codes {
        counts[code as usize] += 1;
    }
    let mut named: Vec<usize> = (0..levels).collect();
    if levels > lines {
        // Equal counts are common (plates); their ties are spread over the colours.
        let mut place = vec![0; levels];
        for (at, l) in interleaved(levels).into_iter().enumerate() {
            place[l] = at;
        }
        named.sort_by_key(|&l| (std::cmp::Reverse(counts[l]), place[l]));
        named.truncate(lines - 1);
        // In the order of the levels, so that neighbours in the legend are neighbours in colour.
        named.sort_unstable();
    }
    named
}

/// An order that spreads neighbours evenly: multiples of a stride that is coprime to `n` and
/// near `n` times the golden section.
pub(crate) fn interleaved(n: usize) -> Vec<usize> {
    if n < 3 {
        return (0..n).collect();
    }
    let mut stride = ((n as f64 * 0.618_033_988_749_895) as usize).max(1);
    while gcd(stride, n) != 1 {
        stride += 1;
    }
    (0..n).map(|i| (i as u128 * stride as u128 % n as u128) as usize).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Coordinates and codes have one entry per shown row, and every code has a level.
pub(super) fn check(projection: &Projection) -> Result<(), Error> {
    let expected = projection.row.len();
    let of = |what: &str| format!("{what} of the projection of `{}`", text::short(&projection.model));
    for (what, found) in [("x", projection.x.len()), ("y", projection.y.len())] {
        if found != expected {
            return Err(Error::Inconsistent { what: of(what), found, expected });
        }
    }
    for colouring in &projection.colourings {
        if colouring.codes.len() != expected {
            let what = of(&format!("colouring `{}`", text::short(&colouring.by)));
            return Err(Error::Inconsistent { what, found: colouring.codes.len(), expected });
        }
        let largest = colouring.codes.iter().max().map_or(0, |c| *c as usize + 1);
        if largest > colouring.levels.len() {
            let what = of(&format!("levels of `{}`", text::short(&colouring.by)));
            return Err(Error::Inconsistent { what, found: colouring.levels.len(), expected: largest });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::interleaved;

    #[test]
    fn every_point_is_drawn_once_and_no_batch_last() {
        for n in [0, 1, 2, 3, 10, 2001, 20_000] {
            let mut order = interleaved(n);
            if n == 20_000 {
                // Ten equal batches in canonical order: the last tenth drawn holds all of them.
                let mut last = [0usize; 10];
                for i in &order[18_000..] {
                    last[i / 2000] += 1;
                }
                assert!(last.iter().all(|c| (195..=205).contains(c)), "{last:?}");
            }
            order.sort_unstable();
            assert!(order.iter().enumerate().all(|(i, o)| i == *o));
        }
    }
}
