//! `summary.md`: verdict first, then the headline tables, warnings and the exact command.

use std::fmt::Write;

use bench_core::RunRecord;

use crate::table::{self, markdown_body};
use crate::text::{markdown, name, reason};
use crate::view::View;
use crate::{command, number, verdict};

/// Warnings shown; the record has all.
const MOST_WARNINGS: usize = 20;

/// The summary as Markdown (GitHub's dialect).
pub fn summary(record: &RunRecord) -> String {
    let view = View::new(record);
    let mut out = String::new();
    let title = if record.suite.title.is_empty() { &record.suite.id } else { &record.suite.title };
    let _ = writeln!(out, "# {}\n", markdown(&reason(title)));
    if let Some(line) = view.simulated() {
        let _ = writeln!(out, "> **{}**\n", markdown(line));
    }
    let sentences = verdict::stored_or_derived(record);
    if let Some((first, rest)) = sentences.split_first() {
        let _ = writeln!(out, "**{}**\n", markdown(first));
        for sentence in rest {
            let _ = writeln!(out, "- {}", markdown(sentence));
        }
        if !rest.is_empty() {
            out.push('\n');
        }
    }
    let headline = view.headline();
    if let Some(headline) = &headline {
        let table = table::headline(&view, headline);
        if !table.rows.is_empty() {
            let _ = writeln!(out, "## {}\n\n{}\n", markdown(&table.title), markdown(&table::formula(&view, headline)));
            let _ = writeln!(out, "{}", markdown_body(&table));
        }
    }
    let _ = writeln!(out, "## Accuracy by split\n");
    let mut pairs = view.protocols_and_probes();
    if let Some(headline) = &headline {
        pairs.sort_by_key(|pair| *pair != (headline.protocol, headline.probe));
    }
    if pairs.is_empty() {
        let _ = writeln!(out, "Nothing was scored.\n");
    }
    for (at, (protocol, probe)) in pairs.into_iter().enumerate() {
        let table = table::main_results(&view, protocol, probe);
        if !table.rows.is_empty() {
            let _ = writeln!(out, "### {}\n", markdown(&table.title));
            if at == 0 {
                let _ = writeln!(out, "{}\n", markdown(&table.note));
            }
            let _ = writeln!(out, "{}", markdown_body(&table));
        }
    }
    let _ = writeln!(out, "## Controls, warnings, gaps\n");
    let held = record.controls.iter().filter(|c| c.holds == Some(true)).count();
    let _ = writeln!(out, "- Controls: {held} of {} hold.", number::plural(record.controls.len(), "rule"));
    for c in record.controls.iter().filter(|c| c.holds != Some(true)) {
        let state = if c.holds.is_none() {
            format!("not checked, {}", crate::view::why(c.reason.as_deref()))
        } else {
            format!("broken: expected {}, observed {}", reason(&c.expected), reason(&c.observed))
        };
        let _ =
            writeln!(out, "- {}: {} — {}", markdown(&name(&c.control)), markdown(&reason(&c.rule)), markdown(&state));
    }
    for (why, n) in view.missing() {
        let _ = writeln!(out, "- {} missing: {}", markdown(&number::plural(n, "score")), markdown(&why));
    }
    for note in &record.confounding.notes {
        let _ = writeln!(out, "- Confounding: {}", markdown(&reason(note)));
    }
    for warning in record.warnings.iter().take(MOST_WARNINGS) {
        let _ = writeln!(out, "- Warning: {}", markdown(&reason(warning)));
    }
    if record.warnings.len() > MOST_WARNINGS {
        let _ = writeln!(out, "- … and {} more warnings in the record.", record.warnings.len() - MOST_WARNINGS);
    }
    let command = command::shell(&record.command);
    let fence = fence_for(&command);
    let _ = writeln!(out, "\n## Command\n\n{fence}sh\n{command}\n{fence}\n");
    let _ = writeln!(
        out,
        "Run {}, suite {} version {}, seed {}, program {}; scores digest {}.",
        markdown(&name(&record.run_id)),
        markdown(&name(&record.suite.id)),
        record.suite.version,
        record.seed,
        markdown(&name(&record.software.version)),
        markdown(&reason(&record.scores_digest)),
    );
    out
}

/// A code fence longer than any run of back quotes in the text.
fn fence_for(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
