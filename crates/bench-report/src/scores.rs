//! `scores.csv`: every raw score, one line each.
//!
//! Columns are fixed; numbers carry the digits needed to read the same bits back; an absent value
//! is an empty field with its reason beside it.

use bench_core::RunRecord;

use crate::table::push_record;
use crate::text::csv;

/// Columns of `scores.csv`.
pub const COLUMNS: [&str; 16] = [
    "model",
    "features",
    "correction",
    "task",
    "protocol",
    "split",
    "probe",
    "metric",
    "repeat",
    "seed",
    "n_train",
    "n_test",
    "classes_train",
    "classes_test",
    "value",
    "reason",
];

/// The raw scores as CSV (RFC 4180).
pub fn scores_csv(record: &RunRecord) -> String {
    let mut out = String::new();
    push_record(&mut out, &COLUMNS.map(str::to_owned));
    for s in &record.scores {
        push_record(
            &mut out,
            &[
                csv(&s.model),
                csv(&s.features),
                csv(&s.correction),
                csv(&s.task),
                csv(&s.protocol),
                csv(&s.split),
                csv(&s.probe),
                csv(&s.metric),
                s.repeat.to_string(),
                s.seed.to_string(),
                s.n_train.to_string(),
                s.n_test.to_string(),
                s.classes_train.to_string(),
                s.classes_test.to_string(),
                s.value.map_or(String::new(), |v| v.to_string()),
                s.reason.as_deref().map_or(String::new(), csv),
            ],
        );
    }
    out
}
