//! PDF: a figure from its SVG, with text that can be selected and searched.
//!
//! # What
//! One page of the figure's size. Shapes are shapes, text is text in the embedded font cut down to the characters that
//! are used, the points of a large map are an image as in the SVG. Title, caption, run and suite are in the document's
//! information.
//!
//! # What it cannot do
//! Scripts whose letters change their shape beside each other are not shaped; they keep their text for selection.
//!
//! # Why not a crate
//! The drawing has six kinds of elements; this is shorter than the shortest converter's list of dependencies, and holds
//! no date and no random name, so that the same drawing gives the same bytes.
//!
//! # Reference
//! ISO 32000-1: 7.5 (file), 8.5 (paths), 9.7.4 (CID fonts), 9.10.3 (`ToUnicode`), 14.3.3 (information).

use std::fmt::Write;

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::canvas::FONT;
use crate::Error;

mod content;
mod font;

use content::{Content, Image, shown, utf16};
use font::Font;

/// Compression of streams. The coder is one of its own, so that no feature of another crate changes the bytes.
const LEVEL: u8 = 9;

/// First object of the images; those before are fixed.
const IMAGES: usize = 11;

/// A figure of `width` x `height` CSS pixels as PDF.
pub(crate) fn pdf_of_svg(id: &str, svg: &str, (width, height): (f64, f64)) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::Draw { figure: id.to_owned(), reason };
    let font = Font::read(FONT).ok_or_else(|| failed("the embedded font cannot be read".to_owned()))?;
    let content = content::read(svg, &font).map_err(failed)?;
    let (ascent, descent, corners) =
        font.extents().ok_or_else(|| failed("the embedded font has no extents".to_owned()))?;
    // A CSS pixel is three quarters of a point.
    let (wide, tall) = (0.75 * width, 0.75 * height);
    let scale = wide / content.width;
    let page = format!("q {0:.6} 0 0 {1:.6} 0 {2} cm\n{3}Q\n", scale, -scale, shown(tall), content.operators);
    let name = format!("{}+DejaVuSans", tag(&content));
    let em = |units: f64| shown(1000.0 * units / font.em);
    let mut images = String::new();
    for i in 0..content.images.len() {
        let _ = write!(images, "/Im{i} {} 0 R ", IMAGES + i);
    }
    let widths: String =
        content.used().iter().map(|glyph| format!("{glyph} [{}] ", em(font.advance(*glyph)))).collect();
    let [x0, y0, x1, y1] = corners.map(em);
    let [title, caption, stamp] = &content.about;
    let mut objects = vec![
        b"<</Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences <</DisplayDocTitle true>>>>".to_vec(),
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>".to_vec(),
        format!(
            "<</Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents 4 0 R /Resources <</Font <</F0 5 0 R>> \
             /XObject <<{images}>>>>>>",
            shown(wide),
            shown(tall)
        )
        .into_bytes(),
        stream("", page.as_bytes()),
        format!(
            "<</Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H /DescendantFonts [6 0 R] \
             /ToUnicode 9 0 R>>"
        )
        .into_bytes(),
        format!(
            "<</Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDSystemInfo <</Registry (Adobe) /Ordering \
             (Identity) /Supplement 0>> /FontDescriptor 7 0 R /CIDToGIDMap /Identity /DW {} /W [{widths}]>>",
            em(font.advance(0))
        )
        .into_bytes(),
        format!(
            "<</Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{x0} {y0} {x1} {y1}] /ItalicAngle 0 /Ascent \
             {} /Descent {} /CapHeight {} /StemV 80 /FontFile2 8 0 R>>",
            em(ascent),
            em(descent),
            em(ascent)
        )
        .into_bytes(),
        {
            let file = font.subset(&content.used());
            stream(&format!("/Length1 {} ", file.len()), &file)
        },
        stream("", unicode(&content).as_bytes()),
        format!(
            "<</Title <{}> /Subject <{}> /Keywords <{}> /Creator <{}>>>",
            utf16(title),
            utf16(caption),
            utf16(stamp),
            utf16(concat!("bench ", env!("CARGO_PKG_VERSION")))
        )
        .into_bytes(),
    ];
    objects.extend(content.images.iter().map(image));
    Ok(file(&objects))
}

/// Six letters that name a subset: the same for the same characters.
fn tag(content: &Content) -> String {
    let characters: String = content.glyphs.values().collect();
    bench_core::digest::of_bytes(characters.as_bytes())
        .bytes()
        .take(6)
        .map(|digit| char::from(b'A' + (digit as char).to_digit(16).unwrap_or(0) as u8))
        .collect()
}

/// A compressed stream.
fn stream(entries: &str, bytes: &[u8]) -> Vec<u8> {
    raw(&format!("{entries}/Filter /FlateDecode "), &compress_to_vec_zlib(bytes, LEVEL))
}

fn raw(entries: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("<<{entries}/Length {}>>\nstream\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\nendstream");
    out
}

/// Which character each glyph stands for.
fn unicode(content: &Content) -> String {
    let mut out = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n/CIDSystemInfo <</Registry (Adobe) \
                   /Ordering (UCS) /Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n1 \
                   begincodespacerange <0000> <FFFF> endcodespacerange\n"
        .to_owned();
    let pairs: Vec<(u16, char)> = content.glyphs.iter().map(|(glyph, c)| (*glyph, *c)).collect();
    for part in pairs.chunks(100) {
        let _ = writeln!(out, "{} beginbfchar", part.len());
        for (glyph, c) in part {
            let mut units = [0; 2];
            let code: String = c.encode_utf16(&mut units).iter().map(|unit| format!("{unit:04X}")).collect();
            let _ = writeln!(out, "<{glyph:04X}> <{code}>");
        }
        out.push_str("endbfchar\n");
    }
    out + "endcmap CMapName currentdict /CMap defineresource pop end end\n"
}

/// A raster layer; its first colour is transparent.
fn image(image: &Image) -> Vec<u8> {
    let palette: String = image.palette.iter().map(|byte| format!("{byte:02X}")).collect();
    let last = (image.palette.len() / 3).saturating_sub(1);
    let (width, height) = (image.width, image.height);
    raw(
        &format!(
            "/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8 /ColorSpace [/Indexed \
             /DeviceRGB {last} <{palette}>] /Mask [0 0] /Filter /FlateDecode /DecodeParms <</Predictor 15 /Colors 1 \
             /BitsPerComponent 8 /Columns {width}>> "
        ),
        &image.rows,
    )
}

/// The file of these objects, the last fixed one being the information.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut starts = Vec::with_capacity(objects.len());
    for (i, object) in objects.iter().enumerate() {
        starts.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", i + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let table = out.len();
    let mut tail = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for start in starts {
        let _ = writeln!(tail, "{start:010} 00000 n ");
    }
    let _ = write!(
        tail,
        "trailer\n<</Size {} /Root 1 0 R /Info {} 0 R>>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1,
        IMAGES - 1
    );
    out.extend_from_slice(tail.as_bytes());
    out
}
