//! A drawing as PDF operators.
//!
//! Reads back the SVG that [`super::super::canvas`] wrote: rectangles, polygons, lines, circles, text and images, all
//! opaque. Anything else is an error, not a gap in the picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use base64::Engine;
use resvg::usvg::roxmltree::{Document, Node};

use super::font::Font;

/// Share of a radius at which the handles of a quarter circle lie.
const HANDLE: f64 = 0.552_284_75;

/// What a page shows.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Operators, in the units of the drawing with y downwards.
    pub(super) operators: String,
    /// Width of the drawing in its units.
    pub(super) width: f64,
    /// Glyphs and the character that each stands for.
    pub(super) glyphs: BTreeMap<u16, char>,
    /// Raster layers, `Im0`, `Im1`, ...
    pub(super) images: Vec<Image>,
    /// Title, caption and stamp of the drawing.
    pub(super) about: [String; 3],
}

/// An indexed PNG taken apart.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) palette: Vec<u8>,
    /// Compressed rows, each with its filter in front, as PNG and PDF both have them.
    pub(super) rows: Vec<u8>,
}

/// Reads a drawing.
pub(super) fn read(svg: &str, font: &Font<'_>) -> Result<Content, String> {
    let document = Document::parse(svg).map_err(|e| e.to_string())?;
    let root = document.root_element();
    let view: Vec<f64> = attribute(root, "viewBox")?.split(' ').filter_map(|part| part.parse().ok()).collect();
    let [_, _, width, _] = view[..] else { return Err("the drawing has no size".to_owned()) };
    let mut content = Content { width, ..Content::default() };
    // Joins of SVG are cut off earlier than those of PDF.
    content.operators.push_str("4 M\n");
    for node in root.children().filter(Node::is_element) {
        content.element(node, font)?;
    }
    Ok(content)
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, String> {
    node.attribute(name).ok_or_else(|| format!("`{}` has no `{name}`", node.tag_name().name()))
}

fn number(node: Node<'_, '_>, name: &str) -> Result<f64, String> {
    let text = attribute(node, name)?;
    text.parse().map_err(|_| format!("`{name}=\"{text}\"` is no number"))
}

/// At most four decimals, none of them a trailing zero.
pub(super) fn shown(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `r g b` of `#RRGGBB`; nothing for `none`.
fn colour(node: Node<'_, '_>, name: &str) -> Result<Option<String>, String> {
    let text = match node.attribute(name) {
        None | Some("none") => return Ok(None),
        Some(text) => text,
    };
    let part = |at: usize| text.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    match (text.len(), part(1), part(3), part(5)) {
        (7, Some(r), Some(g), Some(b)) => Ok(Some([r, g, b].map(|c| shown(f64::from(c) / 255.0)).join(" "))),
        _ => Err(format!("`{text}` is no colour")),
    }
}

impl Content {
    fn element(&mut self, node: Node<'_, '_>, font: &Font<'_>) -> Result<(), String> {
        if node.attribute("opacity").is_some_and(|opacity| opacity != "1") {
            return Err("a shape is translucent".to_owned());
        }
        let text = || node.text().unwrap_or_default().to_owned();
        match node.tag_name().name() {
            "title" => self.about[0] = text(),
            "desc" => self.about[1] = text(),
            "metadata" => self.about[2] = text(),
            "rect" => {
                let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| number(node, name));
                let path = format!("{} {} {} {} re", shown(x?), shown(y?), shown(w?), shown(h?));
                self.shape(node, &path)?;
            }
            "polygon" => self.shape(node, &format!("{} h", points(node)?))?,
            "polyline" => self.shape(node, &points(node)?)?,
            "circle" => {
                let (x, y, r) = (number(node, "cx")?, number(node, "cy")?, number(node, "r")?);
                self.shape(node, &circle(x, y, r))?;
            }
            "text" => self.text(node, font)?,
            "image" => self.image(node)?,
            other => return Err(format!("`{other}` has no place in a PDF here")),
        }
        Ok(())
    }

    fn shape(&mut self, node: Node<'_, '_>, path: &str) -> Result<(), String> {
        let (fill, stroke) = (colour(node, "fill")?, colour(node, "stroke")?);
        if let Some(fill) = &fill {
            let _ = writeln!(self.operators, "{fill} rg {path} f");
        }
        if let Some(stroke) = &stroke {
            let width = node.attribute("stroke-width").map_or(Ok(1.0), |_| number(node, "stroke-width"))?;
            let _ = writeln!(self.operators, "{stroke} RG {} w {path} S", shown(width));
        }
        Ok(())
    }

    fn text(&mut self, node: Node<'_, '_>, font: &Font<'_>) -> Result<(), String> {
        let (x, y, size) = (number(node, "x")?, number(node, "y")?, number(node, "font-size")?);
        let words = node.text().unwrap_or_default().trim();
        let glyphs: Vec<u16> = words.chars().map(|c| font.glyph(c).unwrap_or(0)).collect();
        for (glyph, c) in glyphs.iter().zip(words.chars()).filter(|(glyph, _)| **glyph != 0) {
            self.glyphs.entry(*glyph).or_insert(c);
        }
        let width = glyphs.iter().map(|glyph| font.advance(*glyph)).sum::<f64>() * size / font.em;
        // Along the line and across it, before it is turned.
        let along = match node.attribute("text-anchor") {
            Some("middle") => -width / 2.0,
            Some("end") => -width,
            _ => 0.0,
        };
        let across = match node.attribute("dy") {
            None => 0.0,
            Some("0.5ex") => 0.5 * size * font.x_height() / font.em,
            Some(other) => return Err(format!("`dy=\"{other}\"` is not understood")),
        };
        let (matrix, at) = match node.attribute("transform") {
            None => ("1 0 0 -1", (x + along, y + across)),
            Some(turn) if turn.starts_with("rotate(270") => ("0 -1 -1 0", (x + across, y - along)),
            Some(other) => return Err(format!("`transform=\"{other}\"` is not understood")),
        };
        let fill = colour(node, "fill")?.unwrap_or_else(|| "0 0 0".to_owned());
        let hex: String = glyphs.iter().map(|glyph| format!("{glyph:04X}")).collect();
        // What the font lacks, or what is read from right to left, is said apart for those who select it.
        let spelt = glyphs.contains(&0) || words.chars().any(|c| u32::from(c) >= 0x590 && u32::from(c) < 0x900);
        if spelt {
            let _ = write!(self.operators, "/Span <</ActualText <{}>>> BDC ", utf16(words));
        }
        let _ = write!(
            self.operators,
            "BT {fill} rg /F0 {} Tf {matrix} {} {} Tm <{hex}> Tj ET",
            shown(size),
            shown(at.0),
            shown(at.1)
        );
        self.operators.push_str(if spelt { " EMC\n" } else { "\n" });
        Ok(())
    }

    fn image(&mut self, node: Node<'_, '_>) -> Result<(), String> {
        let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| number(node, name));
        let (x, y, w, h) = (x?, y?, w?, h?);
        let address = node
            .attributes()
            .find(|a| a.name() == "href")
            .and_then(|a| a.value().strip_prefix("data:image/png;base64,"))
            .ok_or("an image is not inside the drawing")?;
        let png = base64::engine::general_purpose::STANDARD.decode(address).map_err(|e| e.to_string())?;
        let _ = writeln!(
            self.operators,
            "q {} 0 0 {} {} {} cm /Im{} Do Q",
            shown(w),
            shown(-h),
            shown(x),
            shown(y + h),
            self.images.len()
        );
        self.images.push(indexed(&png).ok_or("an image is no indexed PNG")?);
        Ok(())
    }

    /// Glyphs, for the font.
    pub(super) fn used(&self) -> BTreeSet<u16> {
        self.glyphs.keys().copied().collect()
    }
}

/// `x y m x y l ...` of the attribute `points`.
fn points(node: Node<'_, '_>) -> Result<String, String> {
    let mut path = String::new();
    for (i, pair) in attribute(node, "points")?.split_ascii_whitespace().enumerate() {
        let (x, y) = pair.split_once(',').ok_or_else(|| format!("`{pair}` is no point"))?;
        let [x, y] = [x, y].map(|v| v.parse::<f64>().map_err(|_| format!("`{pair}` is no point")));
        let step = if i == 0 { "m" } else { "l" };
        let _ = write!(path, "{}{} {} {step}", if i == 0 { "" } else { " " }, shown(x?), shown(y?));
    }
    if path.is_empty() { Err("a line has no points".to_owned()) } else { Ok(path) }
}

/// Four quarters.
fn circle(x: f64, y: f64, r: f64) -> String {
    let k = HANDLE * r;
    let mut path = format!("{} {} m", shown(x + r), shown(y));
    for ((ax, ay), (bx, by), (cx, cy)) in [
        ((r, k), (k, r), (0.0, r)),
        ((-k, r), (-r, k), (-r, 0.0)),
        ((-r, -k), (-k, -r), (0.0, -r)),
        ((k, -r), (r, -k), (r, 0.0)),
    ] {
        for value in [x + ax, y + ay, x + bx, y + by, x + cx, y + cy] {
            let _ = write!(path, " {}", shown(value));
        }
        path.push_str(" c");
    }
    path + " h"
}

/// UTF-16 with its mark, as hexadecimal digits.
pub(super) fn utf16(text: &str) -> String {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).map(|unit| format!("{unit:04X}")).collect()
}

/// Size, palette and rows of an indexed PNG of eight bits.
fn indexed(png: &[u8]) -> Option<Image> {
    let mut rest = png.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let (mut size, mut palette, mut rows) = (None, Vec::new(), Vec::new());
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().ok()?) as usize;
        let (kind, data) = (&rest[4..8], rest.get(8..8 + length)?);
        match kind {
            b"IHDR" => {
                let side = |at: usize| Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?));
                // Eight bits, indexed, not interlaced.
                if data.get(8..13)? != [8, 3, 0, 0, 0] {
                    return None;
                }
                size = Some((side(0)?, side(4)?));
            }
            b"PLTE" => palette = data.to_vec(),
            b"IDAT" => rows.extend_from_slice(data),
            _ => {}
        }
        rest = rest.get(12 + length..)?;
    }
    let (width, height) = size?;
    Some(Image { width, height, palette, rows })
}
