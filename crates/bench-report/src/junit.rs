//! `junit.xml`: one test case per control rule and per missing score, or per gate of a comparison, for
//! continuous integration.
//!
//! A broken rule or gate is a failure; what could not be checked and a missing score are skipped, each
//! with its reason. Times are left out: the same record gives the same bytes.

use std::fmt::Write;

use bench_core::RunRecord;
use bench_core::compared::{Compared, GateOutcome};

use crate::text::{self, xml};
use crate::view::why;

/// One test case; its texts are escaped already.
struct Case {
    class: String,
    name: String,
    result: CaseResult,
}

enum CaseResult {
    Passed,
    Failed { kind: &'static str, message: String },
    Skipped(String),
}

/// The record's rules and gaps as JUnit XML.
pub fn junit(record: &RunRecord) -> String {
    let suite = format!("bench.{}", text::shorten(&record.suite.id, 80));
    let controls = record.controls.iter().map(|c| Case {
        class: format!("{}.controls", attribute(&suite)),
        name: format!("{}: {}", attribute(&c.control), attribute(&c.rule)),
        result: match c.holds {
            Some(true) => CaseResult::Passed,
            Some(false) => CaseResult::Failed {
                kind: "control-order",
                message: attribute(&format!("expected {}, observed {}", c.expected, c.observed)),
            },
            None => CaseResult::Skipped(attribute(&why(c.reason.as_deref()))),
        },
    });
    let missing = record.scores.iter().filter(|s| s.value.is_none()).map(|s| {
        let place = [&s.model, &s.features, &s.correction, &s.protocol, &s.split, &s.probe, &s.metric]
            .map(|p| text::short(p))
            .join(" / ");
        Case {
            class: format!("{}.scores", attribute(&suite)),
            name: format!("{} / repeat {}", xml(&place), s.repeat),
            result: CaseResult::Skipped(attribute(&why(s.reason.as_deref()))),
        }
    });
    document(&suite, &[("controls", controls.collect()), ("missing scores", missing.collect())])
}

/// The gates of a comparison as JUnit XML; a gate that could not be checked is skipped.
pub fn compared_junit(compared: &Compared) -> String {
    let suite = format!("bench.{}", text::shorten(&compared.suite, 80));
    let gates = compared.gates.iter().map(|gate| {
        let place = [&gate.model, &gate.quantity, &gate.protocol, &gate.split, &gate.probe];
        let value = |v: Option<f64>| v.map_or_else(|| "missing".to_owned(), crate::number::fixed);
        let interval = gate.interval.map(|i| format!(" {}", crate::number::interval(i))).unwrap_or_default();
        let told = format!(
            "{} instead of {}: {}{interval}, limit {}",
            value(gate.head),
            value(gate.base),
            value(gate.difference),
            crate::number::fixed(gate.min_effect)
        );
        Case {
            class: format!("{}.gates", attribute(&suite)),
            name: xml(&place.map(|p| text::short(p)).join(" / ")),
            result: match gate.outcome {
                GateOutcome::Regression => CaseResult::Failed { kind: "regression", message: attribute(&told) },
                GateOutcome::Unchecked | GateOutcome::Absent => {
                    CaseResult::Skipped(attribute(&why(gate.reason.as_deref())))
                }
                GateOutcome::Improvement | GateOutcome::Tolerated | GateOutcome::Noise => CaseResult::Passed,
            },
        }
    });
    document(&suite, &[("gates", gates.collect())])
}

fn document(suite: &str, groups: &[(&str, Vec<Case>)]) -> String {
    let counts = |cases: &[Case]| {
        let failed = cases.iter().filter(|case| matches!(case.result, CaseResult::Failed { .. })).count();
        let skipped = cases.iter().filter(|case| matches!(case.result, CaseResult::Skipped(_))).count();
        format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\"", cases.len())
    };
    let total = groups.iter().fold([0; 3], |[all, failed, skipped], (_, cases)| {
        let count = |is: fn(&CaseResult) -> bool| cases.iter().filter(|case| is(&case.result)).count();
        [
            all + cases.len(),
            failed + count(|result| matches!(result, CaseResult::Failed { .. })),
            skipped + count(|result| matches!(result, CaseResult::Skipped(_))),
        ]
    });
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
        attribute(suite),
        total[0],
        total[1],
        total[2]
    );
    for (name, cases) in groups {
        let _ = writeln!(out, "  <testsuite name=\"{name}\" {}>", counts(cases));
        for Case { class, name, result } in cases {
            let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{name}\"");
            let _ = match result {
                CaseResult::Passed => writeln!(out, "/>"),
                CaseResult::Failed { kind, message } => {
                    writeln!(out, "><failure type=\"{kind}\" message=\"{message}\"/></testcase>")
                }
                CaseResult::Skipped(why) => writeln!(out, "><skipped message=\"{why}\"/></testcase>"),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// One readable line, escaped.
fn attribute(words: &str) -> String {
    xml(&text::reason(words))
}
