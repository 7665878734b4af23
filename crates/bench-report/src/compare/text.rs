//! A comparison as plain text, for a terminal or a log.

use std::fmt::Write;

use bench_core::compared::Compared;

use super::{in_order, words};
use crate::{number, text};

/// The whole comparison; every gate has a line.
pub fn compared_text(compared: &Compared) -> String {
    let mut out = words::compared_verdict(compared).join("\n");
    let _ = write!(
        out,
        "\n\nsuite  {} version {}{}\nbase   {}\nhead   {}\n",
        text::name(&compared.suite),
        compared.suite_version,
        if compared.simulated { " (simulated data)" } else { "" },
        words::baseline(compared),
        words::run(&compared.head)
    );
    if let Some(commits) = words::commits(compared) {
        let _ = writeln!(out, "range  {commits}");
    }
    let mut rows: Vec<[String; 8]> = vec![[
        "model".into(),
        "gate".into(),
        "base".into(),
        "head".into(),
        words::interval_title(compared),
        "p".into(),
        "limit".into(),
        "verdict".into(),
    ]];
    for gate in in_order(compared) {
        let [place, base, head, difference, p, limit, outcome] = words::cells(gate);
        rows.push([words::model(gate), place, base, head, difference, p, limit, outcome]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    out.push('\n');
    for row in &rows {
        let line: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(
                |(at, (cell, width))| {
                    if (2..4).contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
    for (why, n) in words::reasons(compared) {
        let _ = write!(out, "\nnot checked ({}): {why}\n", number::plural(n, "gate"));
    }
    for note in &compared.notes {
        let _ = write!(out, "\nnote: {}\n", text::shorten(note, 2000));
    }
    let _ = write!(out, "\n{}\n({})\n", words::method(compared), words::LEGEND);
    out
}
