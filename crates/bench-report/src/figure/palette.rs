//! Colours and shapes: Okabe-Ito by position, viridis for many levels, scales for heat maps.
//!
//! A colour never carries meaning alone: every series also has a shape, every cell its number.
//!
//! Reference: Okabe & Ito, "Color universal design", 2008; viridis, Smith & van der Walt 2015.

use plotters::style::RGBColor;

/// Ink of text and axes.
pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
/// Secondary text.
pub(crate) const GREY: RGBColor = RGBColor(102, 102, 102);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(228, 228, 228);
/// The control band.
pub(crate) const BAND: RGBColor = RGBColor(205, 205, 205);
/// Background.
pub(crate) const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Cells without a value.
pub(crate) const NOTHING: RGBColor = RGBColor(238, 238, 238);

/// Okabe-Ito, the two that are weak on white last.
const SERIES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(240, 228, 66),
];

/// Four more (from Tol's muted scheme) for up to twelve levels of a map.
const MORE: [RGBColor; 4] =
    [RGBColor(51, 34, 136), RGBColor(136, 34, 85), RGBColor(153, 153, 51), RGBColor(170, 68, 153)];

const VIRIDIS: [RGBColor; 9] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x47, 0x2d, 0x7b),
    RGBColor(0x3b, 0x52, 0x8b),
    RGBColor(0x2c, 0x72, 0x8e),
    RGBColor(0x21, 0x91, 0x8c),
    RGBColor(0x28, 0xae, 0x80),
    RGBColor(0x5e, 0xc9, 0x62),
    RGBColor(0xad, 0xdc, 0x30),
    RGBColor(0xfd, 0xe7, 0x25),
];

/// Most levels that get a colour of their own.
pub(crate) const DISTINCT_LEVELS: usize = 12;

/// Colour of the `index`-th model; after eight they repeat with other shapes.
pub(crate) fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// Colour of a level out of `levels`: distinct up to twelve, viridis beyond.
pub(crate) fn level(index: usize, levels: usize) -> RGBColor {
    if levels <= DISTINCT_LEVELS {
        SERIES.iter().chain(&MORE).nth(index).copied().unwrap_or(INK)
    } else {
        viridis(index as f64 / (levels - 1) as f64)
    }
}

/// Viridis at `t` in 0 to 1.
pub(crate) fn viridis(t: f64) -> RGBColor {
    let position = t.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let low = (position.floor() as usize).min(VIRIDIS.len() - 2);
    mix(VIRIDIS[low], VIRIDIS[low + 1], position - low as f64)
}

/// White to dark blue at `t` in 0 to 1.
pub(crate) fn sequential(t: f64) -> RGBColor {
    let t = t.clamp(0.0, 1.0);
    let (middle, dark) = (RGBColor(86, 160, 211), RGBColor(8, 48, 107));
    if t < 0.5 { mix(PAPER, middle, 2.0 * t) } else { mix(middle, dark, 2.0 * t - 1.0) }
}

/// Orange below `centre`, white at it, blue above; the ends are 0 and 1.
pub(crate) fn diverging(value: f64, centre: f64) -> RGBColor {
    if value >= centre {
        let t = if centre < 1.0 { (value - centre) / (1.0 - centre) } else { 0.0 };
        sequential(t)
    } else {
        mix(PAPER, RGBColor(179, 72, 0), ((centre - value) / centre.max(1e-9)).clamp(0.0, 1.0))
    }
}

/// Ink that can be read on a colour.
pub(crate) fn ink_on(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    // Above this the contrast of WCAG 2 is larger with black.
    if luminance > 0.179 { INK } else { PAPER }
}

fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

fn mix(RGBColor(r0, g0, b0): RGBColor, RGBColor(r1, g1, b1): RGBColor, t: f64) -> RGBColor {
    let part = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    RGBColor(part(r0, r1), part(g0, g1), part(b0, b1))
}
