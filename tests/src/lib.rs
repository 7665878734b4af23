//! What the end-to-end stories in `tests/tests/` share: the binary, small tables, records.
//!
//! Golden values and their generators are in `tests/goldens/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

use bench_core::{RunRecord, Seed};
use tempfile::TempDir;

/// The `bench` binary, built with the same profile as the tests.
///
/// A test of another package does not get the binary built for it, so the first call builds it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Process::new(cargo);
        // All targets of the workspace: then features unify as they do for `cargo test --workspace`,
        // nothing is compiled a second time, and only the binary is linked.
        build.args(["build", "--quiet", "--locked", "--workspace", "--all-targets"]);
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the binary builds");
        let mut path = std::env::current_exe().expect("a test has a path");
        path.pop();
        if path.ends_with("deps") {
            path.pop();
        }
        path.join(format!("bench{}", std::env::consts::EXE_SUFFIX))
    })
}

/// A command that runs `bench` with two threads and no colour.
pub fn bench() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(binary());
    command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE").args(["--threads", "2"]);
    command
}

/// A temporary folder.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Reads the record of a run folder.
pub fn record(run: &Path) -> RunRecord {
    let text = std::fs::read(run.join("record.json")).expect("a record");
    serde_json::from_slice(&text).expect("a record parses")
}

/// A folder of the shared data sets, or `None` with a notice where they are absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: the shared data `{path}` are not beside the repository");
    None
}

/// A small table as text, to be written as CSV.
#[derive(Clone, Debug)]
pub struct Csv {
    /// Column names.
    pub header: Vec<String>,
    /// Cells, row after row.
    pub rows: Vec<Vec<String>>,
}

impl Csv {
    /// A balanced experiment: 3 sources x 2 batches x 2 plates x `wells` wells, `labels` labels
    /// with two compounds each and equally many wells, DMSO in the last wells, 6 features that carry label and source.
    pub fn experiment(wells: usize, labels: usize) -> Self {
        let mut header: Vec<String> =
            ["source", "batch", "plate", "well", "compound", "target", "control"].map(String::from).to_vec();
        header.extend((0..6).map(|i| format!("emb_{i}")));
        let mut noise = Seed(11).stream();
        let mut rows = Vec::new();
        for source in 0..3 {
            for batch in 0..2 {
                for plate in 0..2 {
                    for well in 0..wells {
                        let treated = well < wells * 5 / 6 / labels * labels;
                        let label = well % labels;
                        let name = format!("{}{:02}", (b'A' + (well / 24) as u8) as char, well % 24 + 1);
                        let mut row = vec![
                            format!("s{source}"),
                            format!("b{batch}"),
                            format!("p{plate}"),
                            name,
                            if treated { format!("c{label}{}", well / labels % 2) } else { "dmso".into() },
                            if treated { format!("t{label}") } else { String::new() },
                            if treated { "trt".into() } else { "negcon".into() },
                        ];
                        for feature in 0..6 {
                            let signal = if treated && feature == label % 6 { 1.5 } else { 0.0 };
                            let shift = if feature == source { 1.0 } else { 0.0 };
                            row.push(format!("{:.6}", noise.normal() + signal + shift));
                        }
                        rows.push(row);
                    }
                }
            }
        }
        Self { header, rows }
    }

    /// Index of a column.
    pub fn column(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).expect("the column exists")
    }

    /// Sets every cell of a column.
    pub fn map(&mut self, name: &str, change: impl Fn(&str) -> String) {
        let column = self.column(name);
        for row in &mut self.rows {
            row[column] = change(&row[column]);
        }
    }

    /// Removes a column.
    pub fn drop(&mut self, name: &str) {
        let column = self.column(name);
        self.header.remove(column);
        for row in &mut self.rows {
            row.remove(column);
        }
    }

    /// The table as CSV text, quoted where needed (RFC 4180).
    pub fn text(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                if cell.contains(['"', ',', '\n', '\r']) {
                    let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
                } else {
                    text.push_str(cell);
                }
            }
            text.push('\n');
        }
        text
    }

    /// Writes the table to `name` in `folder`.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.text()).expect("a table is written");
        path
    }
}
