//! One trend: a quantity over the runs of a history, a line and a ribbon per model, as SVG.
//!
//! A line breaks where a value is missing and where the suite's version or the splits change: what was
//! measured otherwise is not joined. The vertical axis does not start at zero, and the caption says so.

use std::fmt::Write;

use bench_core::history::{HistoryRun, HistoryValue};

use super::HistoryView;
use crate::{number, text};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// Colours and shapes of the style sheet.
pub(crate) const SERIES: usize = 6;

/// What a trend shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) suite: String,
    pub(crate) quantity: String,
    pub(crate) protocol: String,
    pub(crate) split: String,
    pub(crate) probe: String,
}

struct Scale {
    low: f64,
    high: f64,
    runs: usize,
}

impl Scale {
    fn x(&self, at: usize) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        if self.runs < 2 { LEFT + width / 2.0 } else { LEFT + width * at as f64 / (self.runs - 1) as f64 }
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)
    }
}

/// One run's value of a model.
pub(crate) fn value<'a>(run: &'a HistoryRun, key: &Key, model: &str) -> Option<&'a HistoryValue> {
    let mut values = run.values.iter();
    let found = values.find(|v| {
        v.model == model
            && v.quantity == key.quantity
            && v.protocol == key.protocol
            && v.split == key.split
            && v.probe == key.probe
    });
    found.filter(|_| run.suite.id == key.suite)
}

/// The SVG of a trend over the runs from `first` on; `None` if there is nothing to draw.
pub(crate) fn svg(view: &HistoryView<'_>, key: &Key, models: &[&str], first: usize) -> Option<String> {
    let runs = &view.runs[first..];
    let mut ends: Vec<f64> = Vec::new();
    for run in runs {
        for v in models.iter().filter_map(|model| value(run, key, model)) {
            ends.extend(v.value);
            ends.extend(v.interval.iter().flat_map(|i| [i.low, i.high]));
        }
    }
    ends.retain(|end| end.is_finite());
    let low = ends.iter().copied().reduce(f64::min)?;
    let high = ends.iter().copied().reduce(f64::max)?;
    let room = 0.06 * (high - low).max(0.02);
    let scale = Scale { low: low - room, high: high + room, runs: runs.len() };
    let mut out = format!(
        "<svg class=\"trend\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        text::xml(&format!(
            "{} of {} over {}",
            key.quantity,
            text::short(&key.split),
            number::plural(runs.len(), "run")
        ))
    );
    axes(&mut out, &scale, first);
    if let Some(at) = view.pinned.and_then(|number| (number - 1).checked_sub(first)) {
        let x = scale.x(at);
        let _ =
            write!(out, "<line class=\"pin\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>", HEIGHT - BOTTOM);
    }
    // Ribbons lie below all lines.
    for (at, model) in models.iter().enumerate() {
        ribbons(&mut out, &pieces(runs, key, model), &scale, &format!("s{}", at % SERIES));
    }
    for (at, model) in models.iter().enumerate() {
        let class = format!("s{}", at % SERIES);
        lines(&mut out, &pieces(runs, key, model), &scale, &class);
        let base = view.pinned.and_then(|number| value(view.runs.get(number - 1)?, key, model)?.value);
        if let Some(base) = base.filter(|base| (scale.low..=scale.high).contains(base)) {
            let y = scale.y(base);
            let _ = write!(
                out,
                "<line class=\"base {class}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            );
        }
    }
    for (at, model) in models.iter().enumerate() {
        points(&mut out, runs, key, model, &scale, at, first);
    }
    out.push_str("</svg>");
    Some(out)
}

fn axes(out: &mut String, scale: &Scale, first: usize) {
    for step in 0..=4 {
        let value = scale.low + (scale.high - scale.low) * f64::from(step) / 4.0;
        let y = scale.y(value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            number::fixed(value)
        );
    }
    let every = scale.runs.div_ceil(12).max(1);
    for at in (0..scale.runs).filter(|at| at % every == 0) {
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            scale.x(at),
            HEIGHT - 10.0,
            first + at + 1
        );
    }
}

/// Whether two runs measured the same.
fn same_measure(a: &HistoryRun, b: &HistoryRun) -> bool {
    (&a.suite.id, a.suite.version, &a.splits_digest) == (&b.suite.id, b.suite.version, &b.splits_digest)
}

/// Stretches of a line: runs in a row that measured the same and have a value.
fn pieces<'a>(runs: &'a [HistoryRun], key: &Key, model: &str) -> Vec<Vec<(usize, &'a HistoryValue)>> {
    let mut pieces: Vec<Vec<(usize, &HistoryValue)>> = Vec::new();
    let mut last: Option<&HistoryRun> = None;
    // Runs of other suites stand between those of this one without breaking its line.
    for (at, run) in runs.iter().enumerate().filter(|(_, run)| run.suite.id == key.suite) {
        let Some(value) = value(run, key, model).filter(|v| v.value.is_some_and(f64::is_finite)) else {
            last = None;
            continue;
        };
        let goes_on = last.is_some_and(|last| same_measure(last, run));
        last = Some(run);
        match pieces.last_mut().filter(|_| goes_on) {
            Some(piece) => piece.push((at, value)),
            None => pieces.push(vec![(at, value)]),
        }
    }
    pieces
}

fn ribbons(out: &mut String, pieces: &[Vec<(usize, &HistoryValue)>], scale: &Scale, class: &str) {
    for piece in pieces {
        let ends =
            piece.iter().filter_map(|(at, v)| v.interval.map(|i| (scale.x(*at), scale.y(i.low), scale.y(i.high))));
        let ends: Vec<(f64, f64, f64)> = ends.collect();
        if ends.len() > 1 {
            let upper = ends.iter().map(|(x, _, high)| format!("{x:.1},{high:.1}"));
            let lower = ends.iter().rev().map(|(x, low, _)| format!("{x:.1},{low:.1}"));
            let points: Vec<String> = upper.chain(lower).collect();
            let _ = write!(out, "<polygon class=\"ribbon {class}\" points=\"{}\"/>", points.join(" "));
        }
    }
}

fn lines(out: &mut String, pieces: &[Vec<(usize, &HistoryValue)>], scale: &Scale, class: &str) {
    for piece in pieces {
        let points =
            piece.iter().filter_map(|(at, v)| v.value.map(|y| format!("{:.1},{:.1}", scale.x(*at), scale.y(y))));
        let points: Vec<String> = points.collect();
        let _ = write!(out, "<polyline class=\"{class} line\" points=\"{}\"/>", points.join(" "));
    }
}

fn points(out: &mut String, runs: &[HistoryRun], key: &Key, model: &str, scale: &Scale, series: usize, first: usize) {
    for (at, run) in runs.iter().enumerate() {
        let Some(found) = value(run, key, model) else { continue };
        let Some(value) = found.value.filter(|v| v.is_finite()) else { continue };
        let (x, y) = (scale.x(at), scale.y(value));
        let link = run.report_url.as_ref().or(run.commit_url.as_ref());
        if let Some(link) = link {
            let _ = write!(out, "<a href=\"{}\">", text::xml(link));
        }
        let mut words = format!("run {}: {} {}", first + at + 1, text::short(model), number::fixed(value));
        words.extend(found.interval.map(|i| format!(" {}", number::interval(i))));
        words.extend(run.commit.as_ref().map(|commit| format!(", commit {}", text::commit(commit))));
        words.extend(run.date.as_ref().map(|date| format!(", {}", text::shorten(date, 30))));
        let failed = failed_gate(run, key, model);
        if failed {
            words.push_str(", REGRESSION");
        }
        let _ = write!(
            out,
            "<g class=\"s{}\"><title>{}</title>{}</g>",
            series % SERIES,
            text::xml(&words),
            shape(series, x, y)
        );
        if failed {
            let _ = write!(out, "<circle class=\"failed\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/>");
        }
        if link.is_some() {
            out.push_str("</a>");
        }
    }
}

fn failed_gate(run: &HistoryRun, key: &Key, model: &str) -> bool {
    run.checks.iter().flat_map(|check| &check.gates).any(|gate| {
        gate.outcome == bench_core::compared::GateOutcome::Regression
            && gate.model == model
            && gate.quantity == key.quantity
            && gate.protocol == key.protocol
            && gate.split == key.split
            && gate.probe == key.probe
    })
}

/// A shape per model, so that no colour carries meaning alone.
pub(crate) fn shape(series: usize, x: f64, y: f64) -> String {
    match series % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        1 => format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>", x - 3.5, y - 3.5),
        2 => format!("<path d=\"M{:.1} {:.1}l4.5 8h-9z\"/>", x, y - 5.0),
        _ => format!("<path d=\"M{:.1} {:.1}l5 5l-5 5l-5-5z\"/>", x, y - 5.0),
    }
}
