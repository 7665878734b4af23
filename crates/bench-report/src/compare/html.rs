//! A comparison as one small page: no network, no scripts, light and dark.

use bench_core::compared::{Compared, Gate, GateOutcome, Status};
use minijinja::{Value, context};

use super::{in_order, words};
use crate::small_page::{self, PAGES_STYLE};
use crate::{Error, number, text};

const TEMPLATE: &str = include_str!("../../assets/compared.html");

/// Half the width of the plot of a gate's interval.
const HALF: f64 = 90.0;

/// The page.
///
/// # Errors
/// If the template cannot be filled.
pub fn compared_html(compared: &Compared) -> Result<String, Error> {
    let scale = scale(compared);
    let gates: Vec<Value> = in_order(compared).into_iter().map(|gate| row(gate, scale)).collect();
    let verdict = words::compared_verdict(compared);
    small_page::fill(
        "compared.html",
        TEMPLATE,
        context! {
            policy => small_page::policy(),
            style => Value::from_safe_string(PAGES_STYLE.to_owned()),
            title => text::reason(if compared.title.is_empty() { &compared.suite } else { &compared.title }),
            suite => text::name(&compared.suite),
            version => compared.suite_version,
            simulated => compared.simulated,
            failed => compared.status == Status::Regression,
            verdict => verdict,
            base => words::baseline(compared),
            head => words::run(&compared.head),
            range => words::commits(compared),
            interval => words::interval_title(compared),
            gates => gates,
            scale => number::fixed(scale),
            reasons => words::reasons(compared).into_iter().map(|(why, n)| format!("{} not checked: {why}", number::plural(n, "gate"))).collect::<Vec<_>>(),
            notes => compared.notes.iter().map(|note| text::shorten(note, 2000)).collect::<Vec<_>>(),
            method => words::method(compared),
            legend => words::LEGEND,
        },
    )
}

/// The largest end of an interval, for all plots alike.
fn scale(compared: &Compared) -> f64 {
    let ends = compared.gates.iter().filter_map(|gate| gate.interval).flat_map(|i| [i.low.abs(), i.high.abs()]);
    let limits = compared.gates.iter().map(|gate| gate.min_effect);
    ends.chain(limits).filter(|end| end.is_finite()).fold(0.01, f64::max)
}

fn row(gate: &Gate, scale: f64) -> Value {
    let [place, base, head, difference, p, limit, outcome] = words::cells(gate);
    let class = match gate.outcome {
        GateOutcome::Regression => "bad",
        GateOutcome::Improvement => "good",
        GateOutcome::Unchecked => "open",
        _ => "quiet",
    };
    context! {
        model => words::model(gate),
        place, base, head, difference, p, limit, outcome, class,
        plot => Value::from_safe_string(plot(gate, scale)),
    }
}

/// Interval, estimate, zero and limit of a gate; numbers only, so nothing needs escaping.
fn plot(gate: &Gate, scale: f64) -> String {
    let (Some(interval), Some(difference)) = (gate.interval, gate.difference) else { return String::new() };
    let x = |value: f64| HALF + 4.0 + (value / scale).clamp(-1.0, 1.0) * HALF;
    let limit = if gate.quantity == "gap" { gate.min_effect } else { -gate.min_effect };
    let width = 2.0 * HALF + 8.0;
    let (low, high) = (x(interval.low), x(interval.high));
    format!(
        "<svg class=\"interval\" viewBox=\"0 0 {width} 16\" width=\"{width}\" height=\"16\" aria-hidden=\"true\">\
         <line class=\"zero\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"16\"/>\
         <line class=\"limit\" x1=\"{1:.1}\" x2=\"{1:.1}\" y1=\"2\" y2=\"14\"/>\
         <line class=\"span\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"8\" y2=\"8\"/>\
         <circle cx=\"{2:.1}\" cy=\"8\" r=\"3\"/></svg>",
        x(0.0),
        x(limit),
        x(difference)
    )
}
