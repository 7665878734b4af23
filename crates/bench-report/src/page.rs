//! What figures are drawn for: a screen, or a column of a printed page.
//!
//! # What
//! On a screen every figure has the width that it needs. On paper the width is given, and no text
//! may be smaller than [`LEAST_POINTS`]: a drawing is scaled to the width where that leaves its
//! text large enough, and laid out again in less room where it does not.
//!
//! # Where it fits
//! [`crate::view::View`] carries the page; figures ask it for the room they have.

/// Smallest text on paper, in points: what most journals ask for.
pub const LEAST_POINTS: f64 = 6.0;

/// Size of the smallest text of a figure before it is scaled, in CSS pixels.
pub(crate) const LEAST_TEXT: f64 = 9.5;

/// CSS pixels of a millimetre.
const PX_PER_MM: f64 = 96.0 / 25.4;

/// CSS pixels of a point.
const PX_PER_POINT: f64 = 96.0 / 72.0;

/// What figures are drawn for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Page {
    /// As wide as a figure needs.
    Screen,
    /// So many millimetres wide.
    Print(f64),
}

/// Outer size of a finished drawing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Size {
    /// In CSS pixels.
    pub(crate) width: f64,
    /// In CSS pixels.
    pub(crate) height: f64,
    /// As attributes of an SVG.
    pub(crate) attributes: String,
}

impl Page {
    /// Width that a layout may take before it is scaled, in CSS pixels; none if there is no limit.
    pub(crate) fn room(self) -> Option<f64> {
        match self {
            Page::Screen => None,
            Page::Print(mm) => Some(mm * PX_PER_MM * LEAST_TEXT / (LEAST_POINTS * PX_PER_POINT)),
        }
    }

    /// The room, if a layout of this width does not fit into it.
    pub(crate) fn too_narrow_for(self, width: f64) -> Option<f64> {
        self.room().filter(|room| width > *room)
    }

    /// Outer size of a layout.
    pub(crate) fn size(self, width: f64, height: f64) -> Size {
        match self {
            Page::Screen => Size { width, height, attributes: format!("width=\"{width}\" height=\"{height}\"") },
            Page::Print(mm) => {
                // To a hundredth, so that rounding elsewhere never reaches the file.
                let tall = (100.0 * mm * height / width).round() / 100.0;
                let attributes = format!("width=\"{mm}mm\" height=\"{tall}mm\"");
                Size { width: mm * PX_PER_MM, height: tall * PX_PER_MM, attributes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_as_wide_as_its_room_has_the_smallest_text_allowed() {
        for mm in [80.0, 85.0, 174.0, 400.0] {
            let page = Page::Print(mm);
            let room = page.room().expect("paper is finite");
            let size = page.size(room, room / 2.0);
            let points = LEAST_TEXT * size.width / room / PX_PER_POINT;
            assert!((points - LEAST_POINTS).abs() < 1e-9, "{mm}: {points}");
            assert_eq!(page.too_narrow_for(room + 1.0), Some(room));
            assert_eq!(page.too_narrow_for(room), None);
        }
        assert_eq!(Page::Screen.size(780.0, 460.0).attributes, "width=\"780\" height=\"460\"");
        assert_eq!(Page::Print(85.0).size(380.0, 190.0).attributes, "width=\"85mm\" height=\"42.5mm\"");
    }
}
