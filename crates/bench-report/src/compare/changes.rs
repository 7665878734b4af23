//! A comparison as a section of the report of its head: sentences and one table.

use bench_core::compared::Compared;

use super::{in_order, words};
use crate::html::Changes;
use crate::table::{Cell, Shape, Table};
use crate::{number, text};

/// What the report of the head says of its baseline.
pub fn changes(compared: &Compared) -> Changes {
    let mut sentences = words::compared_verdict(compared);
    if compared.checked() > 0 {
        sentences.push(words::method(compared));
    }
    let reasons = words::reasons(compared).into_iter();
    sentences.extend(reasons.map(|(why, n)| format!("{} not checked: {why}.", number::plural(n, "gate"))));
    sentences.extend(compared.notes.iter().map(|note| text::shorten(note, 1000)));
    Changes { baseline: words::baseline(compared), sentences, tables: vec![gates(compared)] }
}

/// A section that says why two runs cannot be compared.
pub fn no_changes(baseline: &str, why: &str) -> Changes {
    Changes {
        baseline: text::reason(baseline),
        sentences: vec![format!("Nothing was compared: {}.", text::shorten(why, 1000).trim_end_matches('.'))],
        tables: Vec::new(),
    }
}

fn gates(compared: &Compared) -> Table {
    let mut table = Table::new(
        "changes",
        "Gates against the baseline",
        &format!(
            "Difference: this run minus the baseline, with its interval. What needs attention comes first; {}.",
            words::LEGEND
        ),
        &[
            ("outcome", Shape::Text),
            ("model", Shape::Text),
            ("quantity", Shape::Text),
            ("split", Shape::Text),
            ("probe", Shape::Text),
            ("protocol", Shape::Text),
            ("baseline", Shape::Number),
            ("this run", Shape::Number),
            ("difference", Shape::Estimate),
            ("p Holm", Shape::Number),
            ("tolerated", Shape::Number),
        ],
    );
    for gate in in_order(compared) {
        let why = || Cell::Missing(crate::view::why(gate.reason.as_deref()));
        let value = |value: Option<f64>| value.map_or_else(why, Cell::Number);
        let model = match &gate.base_model {
            Some(old) => format!("{} (was {old})", gate.model),
            None => gate.model.clone(),
        };
        table.rows.push(vec![
            Cell::Text(words::outcome(gate.outcome).to_owned()),
            Cell::Text(model),
            Cell::Text(words::quantity(&gate.quantity)),
            Cell::Text(gate.split.clone()),
            Cell::Text(gate.probe.clone()),
            Cell::Text(gate.protocol.clone()),
            value(gate.base),
            value(gate.head),
            gate.difference.map_or_else(why, |d| Cell::Estimate(d, gate.interval)),
            gate.p_holm.map_or(Cell::Blank, Cell::Probability),
            Cell::Number(gate.min_effect),
        ]);
    }
    table
}
