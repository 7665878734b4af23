//! Well positions: row and column from a name, and the edge of the plate.
//!
//! # What
//! `A01`, `af48` (letters count A..Z, AA..AF) and `r04c08` are read as (row, column), counted
//! from one. The plate format is the smallest of 96, 384 and 1536 wells that holds the greatest
//! row and column seen in a source; a well is at the edge if it is in the outermost row or column
//! of that format.
//!
//! # Why
//! Evaporation and temperature mark the rim of a plate, so position is a batch effect of its own.
//! The format is that of a source, not of a plate, because a laboratory keeps one format and a
//! single plate may show few wells.
//!
//! # What it cannot show
//! A source whose rows all lie in the first 8 rows and 12 columns of a larger plate is taken for
//! one with 96-well plates.

use bench_core::{Factor, Layout};

/// Rows and columns of the formats, smallest first.
const FORMATS: [(u32, u32); 3] = [(8, 12), (16, 24), (32, 48)];

/// Row and column, from one, of a position name.
pub fn parse(name: &str) -> Option<(u32, u32)> {
    let name = name.trim().to_ascii_uppercase();
    let (row, column) = match name.strip_prefix('R').and_then(|rest| rest.split_once('C')) {
        Some((row, column)) if is_number(row) && is_number(column) => (row.parse().ok()?, column.parse().ok()?),
        _ => {
            let letters = name.bytes().take_while(u8::is_ascii_uppercase).count();
            let (letters, column) = name.split_at(letters);
            if letters.is_empty() || letters.len() > 2 || !is_number(column) {
                return None;
            }
            let row = letters.bytes().fold(0, |row, letter| row * 26 + u32::from(letter - b'A') + 1);
            (row, column.parse().ok()?)
        }
    };
    (row > 0 && column > 0).then_some((row, column))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Row and column of every row of a layout.
///
/// # Errors
/// There are no positions, or some cannot be read.
pub(super) fn of_rows(layout: &Layout) -> Result<Vec<(u32, u32)>, String> {
    let position = layout.position.as_ref().ok_or("the table has no well column")?;
    let parsed: Vec<Option<(u32, u32)>> = position.levels.iter().map(|name| parse(name)).collect();
    if let Some(bad) = parsed.iter().position(Option::is_none) {
        let count = parsed.iter().filter(|place| place.is_none()).count();
        return Err(format!(
            "{count} of {} well positions are not of the form A01 or r01c01, such as `{}`",
            parsed.len(),
            position.levels[bad]
        ));
    }
    Ok(position.codes.iter().filter_map(|&code| parsed[code as usize]).collect())
}

/// Whether each row is at the edge of its plate: code 0 inside, 1 at the edge.
///
/// # Errors
/// As for positions; a position that no format holds.
pub(super) fn edge(layout: &Layout) -> Result<Factor, String> {
    let places = of_rows(layout)?;
    let sources = layout.source.as_ref().map_or(1, Factor::level_count);
    let source_of = |row: usize| layout.source.as_ref().map_or(0, |source| source.code(row));
    let mut greatest = vec![(0, 0); sources];
    for (row, &(r, c)) in places.iter().enumerate() {
        let seen: &mut (u32, u32) = &mut greatest[source_of(row)];
        *seen = (seen.0.max(r), seen.1.max(c));
    }
    let mut formats = Vec::with_capacity(sources);
    for (rows, columns) in greatest {
        let format = FORMATS.into_iter().find(|&(r, c)| rows <= r && columns <= c);
        formats.push(format.ok_or(format!("row {rows} and column {columns} are not on a plate of up to 1536 wells"))?);
    }
    let at_edge = |(row, &(r, c)): (usize, &(u32, u32))| {
        let (rows, columns) = formats[source_of(row)];
        u32::from(r == 1 || c == 1 || r == rows || c == columns)
    };
    Ok(Factor {
        levels: vec!["inside".to_owned(), "edge".to_owned()],
        codes: places.iter().enumerate().map(at_edge).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_format_are_read() {
        let named = [("A01", (1, 1)), ("h12", (8, 12)), ("P24", (16, 24)), ("AA1", (27, 1)), ("AF48", (32, 48))];
        let others = [("r04c08", (4, 8)), ("R16C24", (16, 24)), ("C3", (3, 3)), ("R12", (18, 12)), (" B2 ", (2, 2))];
        for (name, place) in named.into_iter().chain(others) {
            assert_eq!(parse(name), Some(place), "{name}");
        }
        for name in ["", "A", "12", "A0", "ABC1", "r0c1", "A-1", "A1b", "r1c", "é1", "A99999"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    fn layout(source: &[&str], position: &[&str]) -> Layout {
        Layout {
            rows: position.len(),
            source: Some(Factor::sorted(source)),
            position: Some(Factor::sorted(position)),
            ..Layout::default()
        }
    }

    #[test]
    fn the_edge_is_that_of_the_format_of_the_source() {
        let layout = layout(&["a", "a", "a", "b", "b", "b"], &["H12", "B02", "A05", "H12", "P20", "C24"]);
        assert_eq!(edge(&layout).unwrap().codes, [1, 0, 1, 0, 1, 1]);
    }

    #[test]
    fn positions_that_cannot_be_read_are_a_reason() {
        let reason = edge(&layout(&["a", "a"], &["A01", "field 3"])).unwrap_err();
        assert_eq!(reason, "1 of 2 well positions are not of the form A01 or r01c01, such as `field 3`");
        assert!(edge(&layout(&["a"], &["AG01"])).unwrap_err().contains("row 33"));
        assert!(edge(&Layout::default()).is_err());
    }
}
