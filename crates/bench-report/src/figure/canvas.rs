//! A drawing surface in CSS pixels over the SVG back end of plotters.
//!
//! plotters has integer coordinates, so everything is drawn on a canvas ten times as large and
//! the outer width and height are set to a tenth afterwards: positions are then exact to 0.1
//! px. Text keeps its characters (no outlines), so that it can be selected and searched.

use std::sync::OnceLock;

use base64::Engine;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle, register_font,
};

use super::palette::{INK, PAPER};
use crate::page::Size;
use crate::view::View;
use crate::{Error, text};

/// The embedded font, DejaVu Sans 2.37.
pub(crate) const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Its name, with what to use where it is not installed (Verdana has nearly the same widths).
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Drawing units per CSS pixel.
const SCALE: f64 = 10.0;

/// Where text is anchored horizontally.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A raster layer that is put into the finished SVG.
struct Layer {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    png: Vec<u8>,
}

/// A finished drawing.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) svg: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Surface of one figure, in CSS pixels from the upper left corner.
pub(crate) struct Canvas<'b> {
    area: DrawingArea<SVGBackend<'b>, Shift>,
    layers: Vec<Layer>,
    failure: Option<String>,
}

/// Draws a figure of `width` x `height` CSS pixels.
pub(crate) fn draw(
    id: &str,
    about: &About<'_>,
    width: f64,
    height: f64,
    paint: impl FnOnce(&mut Canvas<'_>),
) -> Result<Drawing, Error> {
    register()?;
    let mut buffer = String::new();
    let (failure, layers) = {
        let backend = SVGBackend::with_string(&mut buffer, (units(width) as u32, units(height) as u32));
        let mut canvas = Canvas { area: backend.into_drawing_area(), layers: Vec::new(), failure: None };
        canvas.rectangle(0.0, 0.0, width, height, PAPER);
        paint(&mut canvas);
        if let Err(e) = canvas.area.present() {
            canvas.failure.get_or_insert_with(|| e.to_string());
        }
        (canvas.failure, canvas.layers)
    };
    if let Some(reason) = failure {
        return Err(Error::Draw { figure: id.to_owned(), reason });
    }
    let size = about.view.page.size(width, height);
    let svg = finish(&buffer, about, (width, height), &size, &layers);
    Ok(Drawing { svg, width: size.width, height: size.height })
}

/// What a figure is, written into the SVG for screen readers and archives.
pub(crate) struct About<'a> {
    pub(crate) title: &'a str,
    pub(crate) caption: &'a str,
    pub(crate) view: &'a View<'a>,
}

impl Canvas<'_> {
    fn put<E>(&mut self, element: &E)
    where
        for<'e> &'e E: PointCollection<'e, (i32, i32)>,
        for<'b> E: Drawable<SVGBackend<'b>>,
    {
        if let Err(e) = self.area.draw(element) {
            self.failure.get_or_insert_with(|| e.to_string());
        }
    }

    /// A filled rectangle.
    pub(crate) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, fill: RGBColor) {
        self.put(&Rectangle::new([point(x, y), point(x + width, y + height)], fill.filled()));
    }

    /// The outline of a rectangle.
    pub(crate) fn outline(&mut self, x: f64, y: f64, width: f64, height: f64, colour: RGBColor, stroke: f64) {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y), (x + 0.1, y)];
        self.line(&corners, colour, stroke);
    }

    /// A line through points.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], colour: RGBColor, stroke: f64) {
        self.put(&PathElement::new(
            points.iter().map(|&(x, y)| point(x, y)).collect::<Vec<_>>(),
            ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: units(stroke) as u32 },
        ));
    }

    /// A straight line in dashes of `on` with gaps of `off` (the back end has none of its own).
    pub(crate) fn dashes(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        (on, off): (f64, f64),
        colour: RGBColor,
        stroke: f64,
    ) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let at = |d: f64| (from.0 + dx * d / length, from.1 + dy * d / length);
        let mut start = 0.0;
        while start < length {
            self.line(&[at(start), at((start + on).min(length))], colour, stroke);
            start += on + off;
        }
    }

    /// A filled polygon.
    pub(crate) fn polygon(&mut self, corners: &[(f64, f64)], fill: RGBColor) {
        self.put(&Polygon::new(corners.iter().map(|&(x, y)| point(x, y)).collect::<Vec<_>>(), fill.filled()));
    }

    /// A filled circle.
    pub(crate) fn circle(&mut self, x: f64, y: f64, radius: f64, fill: RGBColor) {
        self.put(&Circle::new(point(x, y), units(radius), fill.filled()));
    }

    /// The mark of the `shape`-th series, `radius` px from its centre to its rim, with a thin
    /// light rim so that neighbours stay apart.
    pub(crate) fn marker(&mut self, shape: usize, x: f64, y: f64, radius: f64, fill: RGBColor) {
        self.mark(shape, x, y, radius + 1.0, PAPER);
        self.mark(shape, x, y, radius, fill);
    }

    /// A mark without rim, for the points of a map.
    pub(crate) fn dot(&mut self, shape: usize, x: f64, y: f64, radius: f64, fill: RGBColor) {
        self.mark(shape, x, y, radius, fill);
    }

    fn mark(&mut self, shape: usize, x: f64, y: f64, r: f64, fill: RGBColor) {
        let corners: Vec<(f64, f64)> = match shape % SHAPES {
            0 => return self.circle(x, y, r, fill),
            1 => vec![(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
            2 => vec![(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)],
            3 => vec![(0.0, -1.3), (1.15, 0.0), (0.0, 1.3), (-1.15, 0.0)],
            4 => vec![(0.0, 1.15), (1.1, -0.8), (-1.1, -0.8)],
            5 => (0..12).map(|i| cross(i, 1.3, 0.45)).collect(),
            _ => (0..10).map(star).collect(),
        };
        let corners: Vec<(f64, f64)> = corners.iter().map(|&(dx, dy)| (x + r * dx, y + r * dy)).collect();
        self.polygon(&corners, fill);
    }

    /// A line of text of `size` px; `y` is its vertical middle.
    pub(crate) fn text(&mut self, content: &str, x: f64, y: f64, size: f64, anchor: Anchor, colour: RGBColor) {
        self.write(content, x, y, size, anchor, colour, FontTransform::None);
    }

    /// Text that reads upwards; `x` is the middle of its line, the anchor lies at `y`.
    pub(crate) fn text_upwards(&mut self, content: &str, x: f64, y: f64, size: f64, anchor: Anchor, colour: RGBColor) {
        self.write(content, x, y, size, anchor, colour, FontTransform::Rotate270);
    }

    #[allow(clippy::too_many_arguments)] // one place, the parts of a text element
    fn write(
        &mut self,
        content: &str,
        x: f64,
        y: f64,
        size: f64,
        anchor: Anchor,
        colour: RGBColor,
        turn: FontTransform,
    ) {
        let h_pos = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // The SVG back end divides font sizes by 1.24 on output.
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * SCALE * 1.24, FontStyle::Normal).transform(turn);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h_pos, VPos::Center));
        self.put(&Text::new(text::visible(content), point(x, y), style));
    }

    /// Text in ink.
    pub(crate) fn label(&mut self, content: &str, x: f64, y: f64, size: f64, anchor: Anchor) {
        self.text(content, x, y, size, anchor, INK);
    }

    /// Puts a PNG image over `x`, `y`, `width`, `height`.
    pub(crate) fn image(&mut self, x: f64, y: f64, width: f64, height: f64, png: Vec<u8>) {
        self.layers.push(Layer { x, y, width, height, png });
    }
}

/// Number of marker shapes.
pub(crate) const SHAPES: usize = 7;

/// Width of a text of `size` px in the embedded font, in px; a little generous.
pub(crate) fn width_of(content: &str, size: f64) -> f64 {
    if register().is_err() {
        return 0.6 * size * content.chars().count() as f64;
    }
    let font = FontDesc::new(FontFamily::Name(FAMILY), size * SCALE * 1.24, FontStyle::Normal);
    // Characters that the font lacks are counted with an average width.
    font.box_size(content).map_or(0.6 * size * content.chars().count() as f64, |(w, _)| f64::from(w) / SCALE)
}

/// A name cut in its middle so that it is at most `width` px wide at `size` px: names of plates
/// and batches often differ at their ends only.
pub(crate) fn fit(name: &str, width: f64, size: f64) -> String {
    let whole = text::short_ends(name);
    if width_of(&whole, size) <= width {
        return whole;
    }
    let all: Vec<char> = whole.chars().filter(|c| *c != '…').collect();
    for keep in (2..all.len()).rev() {
        let (head, tail) = (keep - keep / 2, keep / 2);
        let shorter: String = all[..head].iter().chain(['…'].iter()).chain(&all[all.len() - tail..]).collect();
        if width_of(&shorter, size) <= width {
            return shorter;
        }
    }
    "…".to_owned()
}

/// A line of text cut to a width; unlike a name it may be longer than forty characters.
pub(crate) fn cut(line: &str, width: f64, size: f64) -> String {
    let whole = text::visible(line);
    if width_of(&whole, size) <= width {
        return whole;
    }
    let body: Vec<char> = whole.trim_end_matches('…').chars().collect();
    for keep in (1..body.len()).rev() {
        let head: String = body[..keep].iter().collect();
        let shorter = format!("{}…", head.trim_end());
        if width_of(&shorter, size) <= width {
            return shorter;
        }
    }
    "…".to_owned()
}

fn register() -> Result<(), Error> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = *DONE.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    if done {
        Ok(())
    } else {
        Err(Error::Draw { figure: "all".to_owned(), reason: "the embedded font cannot be read".to_owned() })
    }
}

/// Outer size to that of the page, title, description and run id in, raster layers on top.
fn finish(svg: &str, about: &About<'_>, (width, height): (f64, f64), size: &Size, layers: &[Layer]) -> String {
    let end_of_tag = svg.find('>').map_or(svg.len(), |at| at + 1);
    let body = svg[end_of_tag..].trim_start_matches('\n');
    let body = body.strip_suffix("</svg>\n").unwrap_or(body);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" {} viewBox=\"0 0 {} {}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<metadata>{}</metadata>\n{body}",
        size.attributes,
        units(width),
        units(height),
        text::xml(about.title),
        text::xml(about.caption),
        text::xml(&about.view.stamp()),
    );
    for layer in layers {
        let data = base64::engine::general_purpose::STANDARD.encode(&layer.png);
        out.push_str(&format!(
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" xlink:href=\"data:image/png;base64,{data}\"/>\n",
            units(layer.x),
            units(layer.y),
            units(layer.width),
            units(layer.height),
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn units(px: f64) -> i32 {
    (px * SCALE).round() as i32
}

fn point(x: f64, y: f64) -> (i32, i32) {
    (units(x), units(y))
}

/// Corner `i` of twelve of an upright cross.
fn cross(i: usize, arm: f64, half: f64) -> (f64, f64) {
    [
        (-half, -arm),
        (half, -arm),
        (half, -half),
        (arm, -half),
        (arm, half),
        (half, half),
        (half, arm),
        (-half, arm),
        (-half, half),
        (-arm, half),
        (-arm, -half),
        (-half, -half),
    ][i]
}

/// Corner `i` of ten of a five-pointed star.
fn star(i: usize) -> (f64, f64) {
    let radius = if i.is_multiple_of(2) { 1.4 } else { 0.6 };
    let angle = std::f64::consts::PI * (i as f64 / 5.0 - 0.5);
    (radius * angle.cos(), radius * angle.sin())
}
