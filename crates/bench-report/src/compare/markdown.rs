//! A comparison as one Markdown comment.
//!
//! Code hosts take 65,536 characters. Gates that need attention come first; where not all fit, the last of
//! them are left out, first those inside the noise, and the comment says how many of which.

use std::fmt::Write;

use bench_core::compared::{Compared, Gate, GateOutcome, Status};

use super::{in_order, words};
use crate::{number, text};

/// Most bytes of a comment; code hosts count characters, of which there are no more.
pub const COMMENT_BYTES: usize = 65_535;

/// Room for what comes after the table.
const NOTES: usize = 10;

/// The first line of a comment: invisible, and the same for every comparison of a suite, so that a script
/// finds its comment and edits it in place.
pub fn marker(suite: &str) -> String {
    let plain: String = suite
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' })
        .take(80)
        .collect();
    format!("<!-- bench-compare:{plain} -->")
}

/// The comment.
pub fn compared_markdown(compared: &Compared) -> String {
    let gates = in_order(compared);
    // From all rows to none: the first that fits.
    let mut shown = gates.len();
    loop {
        let comment = comment(compared, &gates, shown);
        if comment.len() <= COMMENT_BYTES || shown == 0 {
            return comment;
        }
        shown = (shown * 4 / 5).min(shown - 1);
    }
}

fn comment(compared: &Compared, gates: &[&Gate], shown: usize) -> String {
    let mark = match compared.status {
        Status::Regression => "❌",
        Status::Unchecked => "⚠️",
        Status::Improvement => "✅",
        Status::Unchanged => "✅",
    };
    let verdict = words::compared_verdict(compared);
    let mut out = format!("{}\n### {mark} {}\n\n", marker(&compared.suite), text::markdown(&verdict[0]));
    for sentence in &verdict[1..] {
        let _ = writeln!(out, "{}\n", text::markdown(sentence));
    }
    if compared.simulated {
        out.push_str(
            "Simulated data: the numbers describe the simulation and the program, not a biological experiment.\n\n",
        );
    }
    let quiet = |gate: &Gate| matches!(gate.outcome, GateOutcome::Noise | GateOutcome::Tolerated | GateOutcome::Absent);
    let (loud, rest): (Vec<&Gate>, Vec<&Gate>) = gates[..shown].iter().partition(|gate| !quiet(gate));
    if !loud.is_empty() {
        table(&mut out, compared, &loud);
    }
    if !rest.is_empty() {
        let summary = format!("{} without a change that matters", number::plural(rest.len(), "gate"));
        let _ = write!(out, "<details><summary>{summary}</summary>\n\n");
        table(&mut out, compared, &rest);
        out.push_str("</details>\n\n");
    }
    if shown < gates.len() {
        let left = &gates[shown..];
        let counts: Vec<String> = [
            GateOutcome::Regression,
            GateOutcome::Unchecked,
            GateOutcome::Improvement,
            GateOutcome::Tolerated,
            GateOutcome::Noise,
            GateOutcome::Absent,
        ]
        .into_iter()
        .filter_map(|outcome| {
            let n = left.iter().filter(|gate| gate.outcome == outcome).count();
            (n > 0).then(|| format!("{} {}", number::count(n), words::outcome(outcome)))
        })
        .collect();
        let _ = write!(
            out,
            "{} did not fit into one comment and {} left out, from the end of the order above ({}); `--format json` has \
             all.\n\n",
            number::plural(left.len(), "gate"),
            if left.len() == 1 { "is" } else { "are" },
            text::list(&counts)
        );
    }
    for (why, n) in words::reasons(compared).into_iter().take(NOTES) {
        let _ = writeln!(out, "- not checked ({}): {}", number::plural(n, "gate"), text::markdown(&why));
    }
    for note in compared.notes.iter().take(NOTES) {
        let _ = writeln!(out, "- {}", text::markdown(&text::reason(note)));
    }
    if compared.notes.len() > NOTES {
        let _ = writeln!(out, "- {} in the JSON", number::plural(compared.notes.len() - NOTES, "more note"));
    }
    let _ = write!(
        out,
        "\n<sub>Suite {} version {}. Base: {}. Head: {}.{} {} {}.</sub>\n",
        text::markdown(&text::name(&compared.suite)),
        compared.suite_version,
        text::markdown(&words::baseline(compared)),
        text::markdown(&words::run(&compared.head)),
        words::commits(compared).map(|range| format!(" Commits {}.", text::markdown(&range))).unwrap_or_default(),
        text::markdown(&words::method(compared)),
        text::markdown(&capital(words::LEGEND))
    );
    out
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn table(out: &mut String, compared: &Compared, gates: &[&Gate]) {
    let _ = write!(
        out,
        "| | model | gate | base | head | {} | p | limit |\n|---|---|---|--:|--:|--:|--:|--:|\n",
        words::interval_title(compared).replace('[', "\\[")
    );
    for gate in gates {
        let [place, base, head, difference, p, limit, outcome] = words::cells(gate);
        let outcome = if gate.outcome == GateOutcome::Regression { format!("**{outcome}**") } else { outcome };
        let _ = writeln!(
            out,
            "| {outcome} | {} | {} | {base} | {head} | {difference} | {} | {limit} |",
            text::markdown(&words::model(gate)),
            text::markdown(&place),
            text::markdown(&p)
        );
    }
    out.push('\n');
}
