//! What a comparison says, in sentences.

use bench_core::compared::{Compared, Gate, GateOutcome, RunName, Status};

use crate::view::probe_title;
use crate::{number, text};

/// The verdict, one sentence per entry; the first answers whether the head is worse.
pub fn compared_verdict(compared: &Compared) -> Vec<String> {
    let checked = compared.checked();
    let count = |outcome| compared.of(outcome).count();
    let failed = count(GateOutcome::Regression);
    let mut sentences = vec![match compared.status {
        Status::Regression => format!(
            "Worse than {}: {} of {} {}.",
            text::reason(&compared.base.what),
            number::count(failed),
            number::plural(checked, "checked gate"),
            if failed == 1 { "fails" } else { "fail" },
        ),
        Status::Unchecked if checked == 0 => "No gate could be checked.".to_owned(),
        Status::Unchecked => format!(
            "No checked gate fails, but {} of {} could not be checked.",
            number::count(count(GateOutcome::Unchecked)),
            number::plural(compared.gates.len(), "gate")
        ),
        Status::Improvement => format!(
            "Better than {} on {} of {}, worse on none.",
            text::reason(&compared.base.what),
            number::count(count(GateOutcome::Improvement)),
            number::plural(checked, "checked gate")
        ),
        Status::Unchanged => format!(
            "No change that matters: {} from {} by more than noise and the tolerated loss.",
            match checked {
                0 => "nothing is there to differ".to_owned(),
                1 => "the one checked gate does not differ".to_owned(),
                n => format!("none of {} checked gates differs", number::count(n)),
            },
            text::reason(&compared.base.what)
        ),
    }];
    let mut worst: Vec<&Gate> = compared.of(GateOutcome::Regression).collect();
    worst.sort_by(|a, b| size(b).total_cmp(&size(a)));
    sentences.extend(worst.first().map(|gate| {
        let word = if failed == 1 { "It is" } else { "The largest loss is" };
        format!("{word} {}.", change(gate))
    }));
    if matches!(compared.status, Status::Regression) && count(GateOutcome::Unchecked) > 0 {
        sentences.push(format!("{} could not be checked.", number::plural(count(GateOutcome::Unchecked), "gate")));
    }
    let noise = count(GateOutcome::Noise);
    if noise > 0 && compared.status != Status::Unchanged {
        let plural = noise != 1;
        sentences.push(format!(
            "{} {} inside the noise: other wells could have given {} as well.",
            number::plural(noise, "difference"),
            if plural { "are" } else { "is" },
            if plural { "them" } else { "it" }
        ));
    }
    for (models, whose) in [(&compared.only_in_base, "baseline"), (&compared.only_in_head, "head")] {
        if !models.is_empty() {
            let names: Vec<String> = models.iter().take(8).map(|model| text::name(model)).collect();
            let more = if models.len() > 8 { format!(" and {} more", models.len() - 8) } else { String::new() };
            sentences.push(format!("Only the {whose} has {}{more}; nothing was compared there.", text::list(&names)));
        }
    }
    sentences
}

fn size(gate: &Gate) -> f64 {
    gate.difference.unwrap_or(0.0).abs()
}

/// `accuracy of m on not-same-source with logistic regression, 0.81 to 0.70 (−0.11 [−0.14, −0.08])`.
fn change(gate: &Gate) -> String {
    let value = |v: Option<f64>| v.map_or_else(|| "missing".to_owned(), number::coarse);
    let interval = gate.interval.map(|i| format!(" {}", number::coarse_interval(i))).unwrap_or_default();
    format!(
        "{} of {} on {} with {} ({}), from {} to {} ({}{interval})",
        quantity(&gate.quantity),
        text::name(&gate.model),
        text::name(&gate.split),
        probe_title(&gate.probe),
        text::name(&gate.protocol),
        value(gate.base),
        value(gate.head),
        gate.difference.map_or_else(|| "unknown".to_owned(), number::coarse)
    )
}

/// `accuracy`, `G`, `gap`.
pub(crate) fn quantity(id: &str) -> String {
    if id == "g" { "G".to_owned() } else { text::name(id) }
}

/// One word for an outcome.
pub(crate) fn outcome(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Regression => "REGRESSION",
        GateOutcome::Unchecked => "not checked",
        GateOutcome::Improvement => "better",
        GateOutcome::Tolerated => "tolerated",
        GateOutcome::Noise => "noise",
        GateOutcome::Absent => "absent in both",
    }
}

/// What the words of a table mean.
pub(crate) const LEGEND: &str = "regression: the interval of the loss excludes zero, Holm's p agrees, and the loss is \
     larger than the limit; tolerated: certain, but within the limit; noise: other wells could have given it as well";

/// A run in a line: place, run id, commit.
pub(crate) fn run(run: &RunName) -> String {
    let commit = run.commit.as_ref().map(|commit| format!(", commit {}", text::commit(commit)));
    format!("{} (run {}{})", text::reason(&run.place), text::name(&run.run_id), commit.unwrap_or_default())
}

/// The runs of a baseline in a line.
pub(crate) fn baseline(compared: &Compared) -> String {
    let what = text::reason(&compared.base.what);
    match &compared.base.runs[..] {
        [one] => format!("{what}, {}", run(one)),
        [first, .., last] => format!("{what}, {} to {}", run(first), run(last)),
        [] => what,
    }
}

/// `commits abc to def`, if both are known.
pub(crate) fn commits(compared: &Compared) -> Option<String> {
    let base = compared.base.runs.last()?.commit.as_ref()?;
    let head = compared.head.commit.as_ref()?;
    Some(format!("{}..{}", text::commit(base), text::commit(head)))
}

/// How the intervals were made.
pub(crate) fn method(compared: &Compared) -> String {
    let cluster = compared.cluster.as_ref().map_or_else(
        || "units".to_owned(),
        |(name, n)| {
            let plural = crate::view::plural_of(name);
            if plural == "wells" || plural == "rows" { plural } else { format!("{n} {plural} and the wells in them") }
        },
    );
    format!(
        "Paired bootstrap on identical splits: {cluster} ({} in all) drawn {} times, the same for both runs; p after \
         Holm's correction over {}.",
        number::plural(compared.units, "unit"),
        number::count(compared.draws),
        number::plural(compared.checked(), "gate")
    )
}

/// Cells of a gate: place, base, head, difference with interval, p, limit, outcome.
pub(crate) fn cells(gate: &Gate) -> [String; 7] {
    let value = |v: Option<f64>| v.map_or_else(|| "missing".to_owned(), number::fixed);
    let interval = gate.interval.map(|i| format!(" {}", number::interval(i))).unwrap_or_default();
    let difference = gate.difference.map_or_else(|| "missing".to_owned(), |d| number::fixed(d) + &interval);
    let spread = gate.window_spread.map(|s| format!(", runs ±{}", number::fixed(s))).unwrap_or_default();
    [
        format!(
            "{}, {}, {}, {}",
            quantity(&gate.quantity),
            text::name(&gate.split),
            text::name(&gate.probe),
            text::name(&gate.protocol)
        ),
        value(gate.base),
        value(gate.head),
        difference,
        gate.p_holm.map_or_else(String::new, number::probability),
        number::fixed(gate.min_effect) + &spread,
        outcome(gate.outcome).to_owned(),
    ]
}

/// Name of a gate's model, with its former name.
pub(crate) fn model(gate: &Gate) -> String {
    match &gate.base_model {
        Some(old) => format!("{} (was {})", text::name(&gate.model), text::name(old)),
        None => text::name(&gate.model),
    }
}

/// Head of the interval column: the level, if all gates share it.
pub(crate) fn interval_title(compared: &Compared) -> String {
    let mut levels: Vec<f64> = compared.gates.iter().map(|gate| gate.level).collect();
    levels.dedup();
    match levels[..] {
        [level] => format!("difference [{} % interval]", (1000.0 * level).round() / 10.0),
        _ => "difference [interval]".to_owned(),
    }
}

/// Why gates could not be checked: reason and number of gates, in order of first occurrence.
pub(crate) fn reasons(compared: &Compared) -> Vec<(String, usize)> {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for gate in compared.of(GateOutcome::Unchecked) {
        let why = crate::view::why(gate.reason.as_deref());
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, n)) => *n += 1,
            None => reasons.push((why, 1)),
        }
    }
    reasons
}
