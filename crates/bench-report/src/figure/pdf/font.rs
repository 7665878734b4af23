//! The embedded font, cut down to the characters that a drawing uses.
//!
//! # What
//! Glyph numbers, advance widths and a TrueType file that holds the outlines of some glyphs only. Glyphs keep their
//! numbers: the outlines of the others are empty, which costs nothing once compressed.
//!
//! # Why
//! Whole, the font has 750 kB, and a drawing uses fifty of its six thousand glyphs.
//!
//! # Reference
//! OpenType specification 1.9: `cmap` formats 4 and 12, `glyf`, `loca`, `hmtx`, `head`.

use std::collections::{BTreeMap, BTreeSet};

/// Tables that a glyph needs beside its outline, in the order of a font file.
const KEPT: [&[u8; 4]; 7] = [b"cvt ", b"fpgm", b"head", b"hhea", b"hmtx", b"maxp", b"prep"];

/// A TrueType font that is read where it lies.
pub(super) struct Font<'a> {
    data: &'a [u8],
    tables: BTreeMap<[u8; 4], &'a [u8]>,
    glyphs: u16,
    metrics: u16,
    long: bool,
    /// Units of an em.
    pub(super) em: f64,
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

fn i16_at(data: &[u8], at: usize) -> Option<i16> {
    u16_at(data, at).map(u16::cast_signed)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

impl<'a> Font<'a> {
    /// Reads the tables of a font; nothing if one that is needed is not there.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let mut tables = BTreeMap::new();
        for i in 0..usize::from(u16_at(data, 4)?) {
            let entry = 12 + 16 * i;
            let tag: [u8; 4] = data.get(entry..entry + 4)?.try_into().ok()?;
            let (start, length) = (u32_at(data, entry + 8)? as usize, u32_at(data, entry + 12)? as usize);
            tables.insert(tag, data.get(start..start.checked_add(length)?)?);
        }
        let table = |tag: &[u8; 4]| tables.get(tag).copied();
        let em = f64::from(u16_at(table(b"head")?, 18)?);
        let long = u16_at(table(b"head")?, 50)? == 1;
        let glyphs = u16_at(table(b"maxp")?, 4)?;
        let metrics = u16_at(table(b"hhea")?, 34)?;
        for tag in [b"glyf", b"loca", b"hmtx", b"cmap"] {
            table(tag)?;
        }
        Some(Self { data, tables, glyphs, metrics, long, em })
    }

    /// Glyph of a character; nothing if the font lacks it.
    pub(super) fn glyph(&self, c: char) -> Option<u16> {
        let (cmap, code) = (self.tables[b"cmap"], u32::from(c));
        let subtables = usize::from(u16_at(cmap, 2)?);
        let starts = (0..subtables).filter_map(|i| Some(u32_at(cmap, 8 + 8 * i)? as usize));
        starts
            .filter_map(|start| cmap.get(start..))
            .find_map(|table| match u16_at(table, 0)? {
                4 => segment(table, code),
                12 => group(table, code),
                _ => None,
            })
            .filter(|glyph| *glyph != 0)
    }

    /// Advance width of a glyph, in font units.
    pub(super) fn advance(&self, glyph: u16) -> f64 {
        let at = usize::from(glyph.min(self.metrics.saturating_sub(1)));
        u16_at(self.tables[b"hmtx"], 4 * at).map_or(0.0, f64::from)
    }

    /// Ascent, descent and the box around all glyphs, in font units.
    pub(super) fn extents(&self) -> Option<(f64, f64, [f64; 4])> {
        let (hhea, head) = (self.tables[b"hhea"], self.tables[b"head"]);
        let side = |at: usize| i16_at(head, at).map(f64::from);
        let corners = [side(36)?, side(38)?, side(40)?, side(42)?];
        Some((f64::from(i16_at(hhea, 4)?), f64::from(i16_at(hhea, 6)?), corners))
    }

    /// Height of a lower-case x, in font units.
    pub(super) fn x_height(&self) -> f64 {
        let os2 = self.tables.get(b"OS/2").copied().unwrap_or_default();
        i16_at(os2, 86).map_or(self.em / 2.0, f64::from)
    }

    fn outline(&self, glyph: u16) -> &'a [u8] {
        let loca = self.tables[b"loca"];
        let at = |i: usize| -> Option<usize> {
            if self.long {
                u32_at(loca, 4 * i).map(|v| v as usize)
            } else {
                u16_at(loca, 2 * i).map(|v| 2 * usize::from(v))
            }
        };
        let i = usize::from(glyph);
        let range = at(i).zip(at(i + 1));
        range.and_then(|(start, end)| self.tables[b"glyf"].get(start..end)).unwrap_or_default()
    }

    /// The glyphs with all that they are composed of.
    fn closure(&self, glyphs: &BTreeSet<u16>) -> BTreeSet<u16> {
        let mut all = BTreeSet::from([0]);
        let mut open: Vec<u16> = glyphs.iter().copied().collect();
        while let Some(glyph) = open.pop() {
            if glyph < self.glyphs && all.insert(glyph) {
                open.extend(components(self.outline(glyph)));
            }
        }
        all
    }

    /// A font file with the outlines of these glyphs alone.
    pub(super) fn subset(&self, glyphs: &BTreeSet<u16>) -> Vec<u8> {
        let kept = self.closure(glyphs);
        let (mut glyf, mut loca) = (Vec::new(), Vec::new());
        for glyph in 0..self.glyphs {
            loca.extend((glyf.len() as u32).to_be_bytes());
            if kept.contains(&glyph) {
                glyf.extend_from_slice(self.outline(glyph));
                glyf.resize(glyf.len().next_multiple_of(4), 0);
            }
        }
        loca.extend((glyf.len() as u32).to_be_bytes());
        let mut tables: BTreeMap<[u8; 4], Vec<u8>> = KEPT
            .iter()
            .filter_map(|tag| Some((**tag, self.tables.get(*tag)?.to_vec())))
            .chain([(*b"glyf", glyf), (*b"loca", loca)])
            .collect();
        if let Some(head) = tables.get_mut(b"head") {
            head[8..12].fill(0);
            head[50..52].copy_from_slice(&1u16.to_be_bytes());
        }
        if let Some(hmtx) = tables.get_mut(b"hmtx") {
            for glyph in (0..self.metrics).filter(|glyph| !kept.contains(glyph)) {
                let at = 4 * usize::from(glyph);
                hmtx[at..at + 4].fill(0);
            }
        }
        assemble(&self.data[..4], &tables)
    }
}

/// Glyph of a code in a `cmap` of format 4.
fn segment(table: &[u8], code: u32) -> Option<u16> {
    let code = u16::try_from(code).ok()?;
    let segments = usize::from(u16_at(table, 6)?) / 2;
    let at = (0..segments).find(|&i| u16_at(table, 14 + 2 * i).is_some_and(|end| end >= code))?;
    let start = u16_at(table, 16 + 2 * segments + 2 * at)?;
    if start > code {
        return None;
    }
    let delta = u16_at(table, 16 + 4 * segments + 2 * at)?;
    let offset_at = 16 + 6 * segments + 2 * at;
    match u16_at(table, offset_at)? {
        0 => Some(code.wrapping_add(delta)),
        offset => match u16_at(table, offset_at + usize::from(offset) + 2 * usize::from(code - start))? {
            0 => None,
            glyph => Some(glyph.wrapping_add(delta)),
        },
    }
}

/// Glyph of a code in a `cmap` of format 12.
fn group(table: &[u8], code: u32) -> Option<u16> {
    (0..u32_at(table, 12)? as usize).find_map(|i| {
        let (start, end) = (u32_at(table, 16 + 12 * i)?, u32_at(table, 20 + 12 * i)?);
        let first = u32_at(table, 24 + 12 * i)?;
        (start..=end).contains(&code).then(|| u16::try_from(first + code - start).ok())?
    })
}

/// Glyphs that an outline is composed of.
fn components(outline: &[u8]) -> Vec<u16> {
    const WORDS: u16 = 0x0001;
    const SCALE: u16 = 0x0008;
    const MORE: u16 = 0x0020;
    const TWO_SCALES: u16 = 0x0040;
    const MATRIX: u16 = 0x0080;
    let mut found = Vec::new();
    if i16_at(outline, 0).is_none_or(|contours| contours >= 0) {
        return found;
    }
    let mut at = 10;
    while let (Some(flags), Some(glyph)) = (u16_at(outline, at), u16_at(outline, at + 2)) {
        found.push(glyph);
        at += 4 + if flags & WORDS > 0 { 4 } else { 2 };
        at += [(SCALE, 2), (TWO_SCALES, 4), (MATRIX, 8)].iter().find(|(bit, _)| flags & bit > 0).map_or(0, |(_, n)| *n);
        if flags & MORE == 0 {
            break;
        }
    }
    found
}

/// A font file from its tables.
fn assemble(version: &[u8], tables: &BTreeMap<[u8; 4], Vec<u8>>) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        bytes.chunks(4).fold(0u32, |sum, word| {
            let mut four = [0; 4];
            four[..word.len()].copy_from_slice(word);
            sum.wrapping_add(u32::from_be_bytes(four))
        })
    };
    let n = tables.len() as u16;
    let power = 15 - n.leading_zeros() as u16;
    let mut out = version.to_vec();
    for value in [n, 16 << power, power, 16 * n - (16 << power)] {
        out.extend(value.to_be_bytes());
    }
    let mut start = 12 + 16 * tables.len();
    let mut head = 0;
    for (tag, bytes) in tables {
        if tag == b"head" {
            head = start;
        }
        out.extend_from_slice(tag);
        for value in [sum(bytes), start as u32, bytes.len() as u32] {
            out.extend(value.to_be_bytes());
        }
        start += bytes.len().next_multiple_of(4);
    }
    for bytes in tables.values() {
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    let adjustment = 0xB1B0_AFBA_u32.wrapping_sub(sum(&out));
    out[head + 8..head + 12].copy_from_slice(&adjustment.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::canvas::FONT;

    #[test]
    fn a_subset_is_a_font_with_the_same_glyphs_and_few_bytes() {
        let font = Font::read(FONT).unwrap();
        // A composed letter, a sign beyond Latin, a character of the supplementary planes.
        let used: BTreeSet<u16> = "é−x𝔸".chars().filter_map(|c| font.glyph(c)).collect();
        assert_eq!(used.len(), 4);
        let bytes = font.subset(&used);
        let small = Font::read(&[&bytes[..], FONT].concat()).map(|f| f.glyphs);
        assert_eq!(small, None, "there is no cmap in it, so it cannot stand for itself");
        assert!(bytes.len() < FONT.len() / 6, "{}", bytes.len());
        // Its glyphs lie where its loca says, composed ones with their parts.
        let table = |tag: &[u8; 4]| {
            let entry = (0..9).map(|i| 12 + 16 * i).find(|&at| &bytes[at..at + 4] == tag).unwrap();
            let (start, length) = (u32_at(&bytes, entry + 8).unwrap(), u32_at(&bytes, entry + 12).unwrap());
            &bytes[start as usize..(start + length) as usize]
        };
        let (glyf, loca) = (table(b"glyf"), table(b"loca"));
        for glyph in font.closure(&used) {
            let at = |i: u16| u32_at(loca, 4 * usize::from(i)).unwrap() as usize;
            let outline = font.outline(glyph);
            assert_eq!(&glyf[at(glyph)..at(glyph) + outline.len()], outline);
        }
        assert!(font.closure(&used).len() > used.len() + 1, "é is composed");
        assert_eq!(font.glyph('\u{10FFFF}'), None);
    }
}
