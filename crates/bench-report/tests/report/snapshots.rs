//! What a person reads, kept as files.

use bench_report::{summary, tables};

use crate::fake;

/// Compares with a file in `tests/snapshots`.
fn check(name: &str, text: String) {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_summary_reads_as_kept() {
    check("summary", summary(&fake::record(0)));
}

#[test]
fn the_results_table_reads_as_kept_in_every_notation() {
    let all = tables(&fake::record(0));
    let table = all.iter().find(|t| t.id == "results-strict-logreg").expect("the table");
    check("results-markdown", table.markdown());
    check("results-csv", table.csv());
    check("results-latex", table.latex());
}
