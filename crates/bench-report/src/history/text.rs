//! A history as a list.

use std::fmt::Write;

use super::{HistoryView, check_words};
use crate::text;

/// One line per run, oldest first; the pinned one has a star.
pub fn history_text(view: &HistoryView<'_>) -> String {
    if view.runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let mut rows = vec![["", "number", "date", "commit", "suite", "run", "pinned", "window"].map(str::to_owned)];
    for (at, run) in view.runs.iter().enumerate() {
        let star = if view.pinned == Some(at + 1) { "*" } else { "" };
        let date = run.date.as_ref().map_or_else(|| "–".to_owned(), |date| text::shorten(date, 20));
        let commit = run.commit.as_ref().map_or_else(|| "–".to_owned(), |commit| text::commit(commit));
        rows.push([
            star.to_owned(),
            (at + 1).to_string(),
            date,
            commit,
            format!("{} v{}", text::name(&run.suite.id), run.suite.version),
            text::name(&run.run_id),
            check_words(run, "pinned"),
            check_words(run, "window"),
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let line: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
    out
}
