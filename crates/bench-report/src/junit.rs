//! `junit.xml`: one test case per control rule and per missing score, for continuous integration.
//!
//! A broken rule is a failure; a rule that could not be checked and a missing score are skipped,
//! each with its reason. Times are left out: the same record gives the same bytes.

use std::fmt::Write;

use bench_core::RunRecord;

use crate::text::{self, xml};
use crate::view::why;

/// The record's rules and gaps as JUnit XML.
pub fn junit(record: &RunRecord) -> String {
    let missing: Vec<_> = record.scores.iter().filter(|s| s.value.is_none()).collect();
    let failed = record.controls.iter().filter(|c| c.holds == Some(false)).count();
    let unchecked = record.controls.iter().filter(|c| c.holds.is_none()).count();
    let suite = format!("bench.{}", text::shorten(&record.suite.id, 80));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{}\">",
        attribute(&suite),
        record.controls.len() + missing.len(),
        unchecked + missing.len()
    );
    let _ = writeln!(
        out,
        "  <testsuite name=\"controls\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{unchecked}\">",
        record.controls.len()
    );
    for c in &record.controls {
        let _ = write!(
            out,
            "    <testcase classname=\"{}.controls\" name=\"{}: {}\"",
            attribute(&suite),
            attribute(&c.control),
            attribute(&c.rule)
        );
        match c.holds {
            Some(true) => out.push_str("/>\n"),
            Some(false) => {
                let message = format!("expected {}, observed {}", c.expected, c.observed);
                let _ =
                    writeln!(out, "><failure type=\"control-order\" message=\"{}\"/></testcase>", attribute(&message));
            }
            None => {
                let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", attribute(&why(c.reason.as_deref())));
            }
        }
    }
    out.push_str("  </testsuite>\n");
    let _ = writeln!(
        out,
        "  <testsuite name=\"missing scores\" tests=\"{0}\" failures=\"0\" errors=\"0\" skipped=\"{0}\">",
        missing.len()
    );
    for s in missing {
        let place = [&s.model, &s.features, &s.correction, &s.protocol, &s.split, &s.probe, &s.metric]
            .map(|p| text::short(p))
            .join(" / ");
        let _ = writeln!(
            out,
            "    <testcase classname=\"{}.scores\" name=\"{} / repeat {}\"><skipped message=\"{}\"/></testcase>",
            attribute(&suite),
            xml(&place),
            s.repeat,
            attribute(&why(s.reason.as_deref()))
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// One readable line, escaped.
fn attribute(words: &str) -> String {
    xml(&text::reason(words))
}
