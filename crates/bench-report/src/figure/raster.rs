//! PNG: figures from their SVG at 200 dpi, and the indexed layer that holds many points.

use std::sync::{Arc, OnceLock};

use plotters::style::RGBColor;
use resvg::tiny_skia::{Color, FilterQuality, Pixmap, PixmapPaint, Transform};
use resvg::usvg::{Group, ImageKind, Node, Options, Tree, fontdb, roxmltree};

use super::canvas::{FONT, SHAPES};
use crate::Error;

/// Dots per inch of the PNG figures; a CSS pixel is 1/96 inch.
pub const DPI: f64 = 200.0;

/// Draws an SVG with the embedded font at `dpi` dots per inch and encodes it as PNG, with what the SVG says of itself.
pub(crate) fn png_of_svg(id: &str, svg: &str, dpi: f64) -> Result<Vec<u8>, Error> {
    let options = Options { fontdb: Arc::clone(fonts()), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options)
        .map_err(|source| Error::Svg { figure: id.to_owned(), source: Box::new(source) })?;
    let scale = (dpi / 96.0) as f32;
    let (width, height) = ((tree.size().width() * scale).ceil() as u32, (tree.size().height() * scale).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or(Error::Size { figure: id.to_owned(), width, height })?;
    // The last row and column may be covered in part only.
    pixels.fill(Color::WHITE);
    let scale = Transform::from_scale(scale, scale);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    paint_layers(id, tree.root(), scale, &mut pixels)?;
    // The paper is opaque, so alpha carries nothing.
    let rgb: Vec<u8> = pixels.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    encode(id, (width, height), &rgb, &Kind::Figure { dpi, about: about(id, svg)? })
}

/// Title, caption and run of an SVG, under the keywords of PNG.
fn about(id: &str, svg: &str) -> Result<Vec<(&'static str, String)>, Error> {
    let document = roxmltree::Document::parse(svg)
        .map_err(|error| Error::Draw { figure: id.to_owned(), reason: error.to_string() })?;
    let keywords = [("title", "Title"), ("desc", "Description"), ("metadata", "Source")];
    let children = || document.root_element().children();
    let text = |element: &str| children().find(|n| n.has_tag_name(element)).and_then(|n| n.text());
    Ok(keywords.into_iter().filter_map(|(element, keyword)| Some((keyword, text(element)?.to_owned()))).collect())
}

/// Draws the raster layers, which this build of resvg leaves out (its decoders for other formats
/// are not needed here). They lie above everything else in the SVG too.
fn paint_layers(id: &str, group: &Group, scale: Transform, pixels: &mut Pixmap) -> Result<(), Error> {
    for node in group.children() {
        match node {
            Node::Group(inner) => paint_layers(id, inner, scale, pixels)?,
            Node::Image(image) => {
                let ImageKind::PNG(data) = image.kind() else { continue };
                let layer = Pixmap::decode_png(data).map_err(|e| Error::Draw {
                    figure: id.to_owned(),
                    reason: format!("the scatter layer cannot be read back: {e}"),
                })?;
                let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
                pixels.draw_pixmap(0, 0, layer.as_ref(), &paint, scale.pre_concat(image.abs_transform()), None);
            }
            Node::Path(_) | Node::Text(_) => {}
        }
    }
    Ok(())
}

/// Fonts of the PNG figures: the embedded one and no other, so that every machine draws alike.
fn fonts() -> &'static Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    })
}

/// One point of a scatter layer: position in pixels, level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) level: usize,
}

/// An indexed PNG of `side` x `side` pixels with one mark of `radius` pixels per dot, later dots
/// over earlier ones, transparent elsewhere. Levels beyond 255 share colours.
pub(crate) fn scatter(
    id: &str,
    side: usize,
    dots: &[Dot],
    radius: f64,
    colours: &[RGBColor],
    shapes: bool,
) -> Result<Vec<u8>, Error> {
    let mut pixels = vec![0u8; side * side];
    let colours = &colours[..colours.len().min(255)];
    let stamps: Vec<Vec<(i64, i64)>> = (0..SHAPES).map(|shape| stamp(if shapes { shape } else { 0 }, radius)).collect();
    for dot in dots {
        let (cx, cy) = (dot.x.round() as i64, dot.y.round() as i64);
        let index = (dot.level % colours.len().max(1)) as u8 + 1;
        for &(dx, dy) in &stamps[dot.level % SHAPES] {
            let (x, y) = (cx + dx, cy + dy);
            if (0..side as i64).contains(&x) && (0..side as i64).contains(&y) {
                pixels[y as usize * side + x as usize] = index;
            }
        }
    }
    let palette: Vec<u8> = [255u8, 255, 255].into_iter().chain(colours.iter().flat_map(|c| [c.0, c.1, c.2])).collect();
    encode(id, (side as u32, side as u32), &pixels, &Kind::Layer(palette))
}

/// Pixels covered by a mark, relative to its centre.
fn stamp(shape: usize, radius: f64) -> Vec<(i64, i64)> {
    let reach = (1.5 * radius).ceil() as i64;
    let inside = |x: f64, y: f64| match shape {
        0 => x.hypot(y) <= radius,
        1 => x.abs().max(y.abs()) <= 0.88 * radius,
        2 => y <= 0.8 * radius && x.abs() <= (y + 1.15 * radius) * 0.564,
        3 => x.abs() / 1.15 + y.abs() / 1.3 <= radius,
        4 => y >= -0.8 * radius && x.abs() <= (1.15 * radius - y) * 0.564,
        5 => x.abs().min(y.abs()) <= 0.4 * radius && x.abs().max(y.abs()) <= 1.3 * radius,
        _ => (x.abs() - y.abs()).abs() <= 0.5 * radius && x.abs().max(y.abs()) <= radius,
    };
    (-reach..=reach)
        .flat_map(|y| (-reach..=reach).map(move |x| (x, y)))
        .filter(|&(x, y)| inside(x as f64, y as f64))
        .collect()
}

/// What is encoded.
enum Kind {
    /// Indexed pixels with this palette, whose first colour is transparent.
    Layer(Vec<u8>),
    /// RGB pixels.
    Figure { dpi: f64, about: Vec<(&'static str, String)> },
}

/// Encodes pixels as PNG.
fn encode(what: &str, (width, height): (u32, u32), pixels: &[u8], kind: &Kind) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Png { what: what.to_owned(), source };
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    match kind {
        Kind::Layer(palette) => {
            encoder.set_compression(png::Compression::Balanced);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette.clone());
            encoder.set_trns(vec![0u8]);
            encoder.set_filter(png::Filter::NoFilter);
        }
        Kind::Figure { dpi, about } => {
            // Mostly paper: the fast coder is a quarter of a figure's time cheaper.
            encoder.set_compression(png::Compression::Fast);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_filter(png::Filter::Up);
            let per_metre = (dpi / 0.0254).round() as u32;
            encoder.set_pixel_dims(Some(png::PixelDimensions {
                xppu: per_metre,
                yppu: per_metre,
                unit: png::Unit::Meter,
            }));
            for (keyword, text) in about {
                // The plain chunk holds Latin-1; the international one is known to fewer readers.
                let added = if text.chars().all(|c| u32::from(c) < 256) {
                    encoder.add_text_chunk((*keyword).to_owned(), text.clone())
                } else {
                    encoder.add_itxt_chunk((*keyword).to_owned(), text.clone())
                };
                added.map_err(failed)?;
            }
        }
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
