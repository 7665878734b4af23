//! Plates and compounds: heat maps over all plates, and each plate by itself.
//!
//! Without scripts the section has the heat maps, the table of edges and a table with a row per plate; the script adds
//! one plate at a time, well by well.
//!
//! # Layout of the wells
//! Place, plate, label and compound of every well once, as codes; for each model and split the percentage of correct
//! rows (255 where none was tested) and the number of tested rows, all as [`super::maps::packed`] numbers.

use bench_core::Factor;
use minijinja::{Value, context};

use super::{BREAKDOWN_MODELS, Budget, figures, grid};
use crate::figure::{Figure, Kind};
use crate::plates;
use crate::table;
use crate::text;
use crate::view::View;

/// What stands for a well without tested rows.
const UNTESTED: u32 = 255;
/// Longest name of a plate, label or compound in the page; the files have all of it.
const NAME_CHARS: usize = 120;

/// The section; none where the record has neither plates nor compounds.
pub(super) fn section(view: &View<'_>, drawn: &[Figure], budget: Budget) -> Option<Value> {
    let maps = drawn.iter().filter(|f| f.kind == Kind::Plates).count();
    let compounds = table::compounds(view, BREAKDOWN_MODELS);
    if maps == 0 && compounds.rows.is_empty() {
        return None;
    }
    let each = table::by_plate(view, BREAKDOWN_MODELS);
    Some(context! {
        figures => figures::of_kind(drawn, Kind::Plates, None, 1),
        why => plates::plates(view).err(),
        edges => grid::tables(&[table::by_edge(view)], budget.rows),
        each => grid::tables(&[each], budget.rows),
        compounds => grid::tables(&[compounds], budget.rows),
        live => maps > 0 && budget.wells > 0 && view.record.outcomes.units.len() <= budget.wells,
    })
}

/// The wells for the script; nothing where there are more than the page has room for.
pub(super) fn wells(view: &View<'_>, budget: Budget) -> serde_json::Value {
    let outcomes = &view.record.outcomes;
    let (Ok(places), true) = (plates::plates(view), outcomes.units.len() <= budget.wells) else {
        return serde_json::Value::Null;
    };
    let of: Vec<serde_json::Value> = plates::outcomes(view)
        .iter()
        .map(|outcome| {
            let share = |tally: &plates::Tally| tally.share().map_or(UNTESTED, |share| (100.0 * share).round() as u32);
            let shares: Vec<u32> = outcome.of_unit.iter().map(share).collect();
            let tested: Vec<u32> = outcome.of_unit.iter().map(|tally| tally.tested as u32).collect();
            serde_json::json!({
                "model": text::shorten(outcome.model, NAME_CHARS),
                "split": outcome.split,
                "share": super::maps::packed(&shares),
                "tested": super::maps::packed(&tested),
            })
        })
        .collect();
    let codes: Vec<u32> = places.place.iter().map(|place| (place.row * places.columns + place.column) as u32).collect();
    let named = |factor: &Factor| {
        serde_json::json!({
            "names": factor.levels.iter().map(|name| text::shorten(name, NAME_CHARS)).collect::<Vec<_>>(),
            "codes": super::maps::packed(&factor.codes),
        })
    };
    serde_json::json!({
        "rows": places.rows,
        "columns": places.columns,
        "chance": view.chance(),
        "place": super::maps::packed(&codes),
        "plate": named(&places.plate),
        "label": outcomes.factors.get("label").map(named),
        "compound": outcomes.factors.get("compound").map(named),
        "of": of,
    })
}
