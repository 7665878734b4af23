//! Maps: still figures for print and for readers without scripts, and the points themselves for
//! the script, two 16-bit coordinates each.
//!
//! # Layout of the points
//! Maps whose rows and colourings are the same share a group: rows as differences of ascending
//! numbers and codes of levels, both in as few bytes as hold the largest, little-endian, in
//! base64. A map of 50,000 points costs 267 kB, the group 400 to 600 kB once.
//!
//! # Thinning
//! Where the page would grow beyond its limit, fewer points are kept: a stride near the golden
//! section of their number spreads the kept ones evenly over sources, batches and plates. The
//! page says how many of how many are shown.

use base64::Engine;
use bench_core::record::{Colouring, Projection};
use minijinja::{Value, context};

use super::{Budget, MAX_BYTES, figures};
use crate::figure::{self, Figure, colour_of};
use crate::view::View;
use crate::{Error, number, text};

/// Longest name of a level in the page; the files have all of it.
const LEVEL_CHARS: usize = 200;

/// The still maps, and what the page says of those left out.
pub(super) fn stills(view: &View<'_>, budget: Budget) -> Result<Value, Error> {
    let projections = &view.record.projections;
    let drawn: Vec<Figure> = projections
        .iter()
        .enumerate()
        .take(budget.maps)
        .map(|(at, p)| figure::umap_figure(view, at, p, budget.sharpness))
        .collect::<Result<_, _>>()?;
    let left = projections.len() - drawn.len();
    Ok(context! {
        figures => drawn.iter().map(figures::figure).collect::<Vec<_>>(),
        left => (left > 0).then(|| format!("{} not shown here to keep the page under {} MB; all are in the folder figures/.", number::plural(left, "more map"), MAX_BYTES / 1_000_000)),
        none => projections.is_empty(),
        live => !projections.is_empty() && budget.points > 0,
    })
}

/// The points for the script.
pub(super) fn points(view: &View<'_>, budget: Budget) -> serde_json::Value {
    let projections = &view.record.projections;
    let mut groups: Vec<(&Projection, serde_json::Value)> = Vec::new();
    let mut list = Vec::new();
    for (at, map) in projections.iter().enumerate().take(if budget.points > 0 { budget.live } else { 0 }) {
        let kept = thin(map.row.len(), budget.points);
        let same = |other: &Projection| other.row == map.row && other.colourings == map.colourings;
        let group = groups.iter().position(|(other, _)| same(other)).unwrap_or_else(|| {
            groups.push((map, group_of(map, &kept)));
            groups.len() - 1
        });
        let coordinates = |values: &[u16]| {
            let bytes: Vec<u8> = kept.iter().flat_map(|&i| values[i].to_le_bytes()).collect();
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        list.push(serde_json::json!({
            "id": format!("{}-{}-{}", text::slug(&map.method), at + 1, text::slug(&map.model)),
            "model": text::shorten(&map.model, LEVEL_CHARS),
            "method": if map.method == "umap" { "UMAP".to_owned() } else { text::short(&map.method) },
            "group": group,
            "x": coordinates(&map.x),
            "y": coordinates(&map.y),
            "note": note(map, kept.len()),
            "trust": map.trustworthiness.map(number::fixed),
        }));
    }
    serde_json::json!({
        "groups": groups.into_iter().map(|(_, g)| g).collect::<Vec<_>>(),
        "list": list,
    })
}

/// How many points are shown, of how many, and who left the others out.
fn note(map: &Projection, kept: usize) -> String {
    let run = match map.row.len() < map.points {
        true => format!("the run drew {} of {} by its seed", number::count(map.row.len()), number::count(map.points)),
        false => format!("the run mapped {}", number::count(map.points)),
    };
    if kept < map.row.len() {
        return format!(
            "{} points shown to keep the page under {} MB; {run}",
            number::count(kept),
            MAX_BYTES / 1_000_000
        );
    }
    if map.row.len() < map.points {
        format!("{} of {} points shown, drawn by the run's seed", number::count(kept), number::count(map.points))
    } else {
        format!("all {} points shown", number::count(kept))
    }
}

/// At most `most` of `n` places, ascending, spread evenly.
fn thin(n: usize, most: usize) -> Vec<usize> {
    let mut order = figure::interleaved(n);
    order.truncate(most);
    order.sort_unstable();
    order
}

fn group_of(map: &Projection, kept: &[usize]) -> serde_json::Value {
    let mut last = 0;
    let steps: Vec<u32> = kept
        .iter()
        .map(|&i| {
            // Rows ascend; a list that does not would wrap, and wraps back when it is summed.
            let step = map.row[i].wrapping_sub(last);
            last = map.row[i];
            step
        })
        .collect();
    serde_json::json!({
        "n": kept.len(),
        "rows": packed(&steps),
        "by": map.colourings.iter().map(|c| colouring(c, kept)).collect::<Vec<_>>(),
    })
}

fn colouring(colouring: &Colouring, kept: &[usize]) -> serde_json::Value {
    let levels = colouring.levels.len();
    let codes: Vec<u32> = kept.iter().map(|&i| colouring.codes[i]).collect();
    serde_json::json!({
        "name": text::shorten(&colouring.by, LEVEL_CHARS),
        "levels": colouring.levels.iter().map(|l| text::shorten(l, LEVEL_CHARS)).collect::<Vec<_>>(),
        "colours": (0..levels).map(|l| colour_of(l, levels)).collect::<Vec<_>>(),
        "codes": packed(&codes),
    })
}

/// Width in bytes and values in base64.
pub(super) fn packed(values: &[u32]) -> serde_json::Value {
    let width = match values.iter().max().copied().unwrap_or(0) {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 4,
    };
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(width)).collect();
    serde_json::json!({ "width": width, "data": base64::engine::general_purpose::STANDARD.encode(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_points_are_kept_evenly() {
        assert_eq!(thin(5, 10), [0, 1, 2, 3, 4]);
        let kept = thin(10_000, 1000);
        assert_eq!(kept.len(), 1000);
        for tenth in 0..10 {
            let here = kept.iter().filter(|i| **i / 1000 == tenth).count();
            assert!((95..=105).contains(&here), "{here}");
        }
    }

    #[test]
    fn numbers_take_as_few_bytes_as_the_largest_needs() {
        let width = |values: &[u32]| packed(values)["width"].as_u64();
        assert_eq!(width(&[]), Some(1));
        assert_eq!(width(&[255]), Some(1));
        assert_eq!(width(&[0, 256]), Some(2));
        assert_eq!(width(&[65_536]), Some(4));
        // 1, 258 as little-endian pairs: 01 00 02 01.
        assert_eq!(packed(&[1, 258])["data"], "AQACAQ==");
    }

    #[test]
    fn the_note_says_who_left_points_out() {
        let map = |shown: u32, points| Projection { points, row: (0..shown).collect(), ..Projection::default() };
        assert_eq!(note(&map(10, 10), 10), "all 10 points shown");
        assert_eq!(note(&map(10, 20), 10), "10 of 20 points shown, drawn by the run's seed");
        assert_eq!(
            note(&map(10, 20), 5),
            "5 points shown to keep the page under 5 MB; the run drew 10 of 20 by its seed"
        );
        assert_eq!(note(&map(10, 10), 5), "5 points shown to keep the page under 5 MB; the run mapped 10");
    }
}
