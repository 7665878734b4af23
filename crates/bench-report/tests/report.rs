//! What a reader of a report relies on: every file is there, names cannot break out of any
//! notation, nothing depends on the number of threads, the verdict follows from the numbers.

#[path = "report/compared.rs"]
mod compared;
#[path = "report/fake/mod.rs"]
#[allow(dead_code)]
mod fake;
#[path = "report/files.rs"]
mod files;
#[path = "report/hostile.rs"]
mod hostile;
#[path = "report/parse.rs"]
mod parse;
#[path = "report/pictures.rs"]
mod pictures;
#[path = "report/print.rs"]
mod print;
#[path = "report/snapshots.rs"]
mod snapshots;
#[path = "report/verdicts.rs"]
mod verdicts;
