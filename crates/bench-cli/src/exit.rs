//! Exit codes. They are part of the interface: scripts and CI pipelines rely on them.

use bench_run::ErrorKind;

/// Done.
pub(crate) const DONE: i32 = 0;
/// Done, but a gate failed: the controls are out of order, or a run is worse than its baseline.
pub(crate) const GATE: i32 = 1;
/// Usage or configuration.
pub(crate) const USAGE: i32 = 2;
/// Data missing or corrupt, or output that cannot be written.
pub(crate) const DATA: i32 = 3;
/// Nothing selected.
pub(crate) const EMPTY: i32 = 4;
/// Partly done: some scores are missing, the others are saved.
pub(crate) const PARTLY: i32 = 5;
/// A bug.
pub(crate) const BUG: i32 = 70;
/// Interrupted; the same command goes on where it stopped.
pub(crate) const INTERRUPTED: i32 = 130;

/// Exit code of an error's class.
pub(crate) fn of(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::Data => DATA,
        ErrorKind::Empty => EMPTY,
    }
}

/// The codes in words, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes: 0 done · 1 a gate failed (controls out of order, or worse than the baseline) · 2 usage or
configuration · 3 data missing or corrupt · 4 nothing selected · 5 partly done, results saved ·
70 bug · 130 interrupted, run it again to go on";
