//! A comparison of two runs for people and programs: text, Markdown comment, HTML page, JUnit cases.
//!
//! Pure functions of a [`Compared`]; the JSON output is that value itself. Gates that need attention come
//! first, and a difference inside the noise is called that.

mod changes;
mod html;
mod markdown;
mod text;
mod words;

pub use changes::{changes, no_changes};
pub use html::compared_html;
pub use markdown::{COMMENT_BYTES, compared_markdown, marker};
pub use text::compared_text;
pub use words::compared_verdict;

use bench_core::compared::{Compared, Gate, GateOutcome};

/// Gates in the order in which people want them: failures, open questions, gains, the rest; within each as
/// the suite has them.
pub(crate) fn in_order(compared: &Compared) -> Vec<&Gate> {
    let mut gates: Vec<&Gate> = compared.gates.iter().collect();
    gates.sort_by_key(|gate| rank(gate.outcome));
    gates
}

fn rank(outcome: GateOutcome) -> usize {
    match outcome {
        GateOutcome::Regression => 0,
        GateOutcome::Unchecked => 1,
        GateOutcome::Improvement => 2,
        GateOutcome::Tolerated => 3,
        GateOutcome::Noise => 4,
        GateOutcome::Absent => 5,
    }
}
