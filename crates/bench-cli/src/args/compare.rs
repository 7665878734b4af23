//! Arguments of `compare` and `history`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Options of `compare`.
#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Baseline: a run folder, a record.json, `pinned`, `history:window`, `history:last` or `history:ID`
    #[arg(value_name = "BASE")]
    pub(crate) base: String,
    /// Run under test: a run folder, a record.json, `history:last` or `history:ID`
    #[arg(value_name = "HEAD")]
    pub(crate) head: String,
    /// Exit with 1 if a gate fails, with 5 if none fails and some could not be checked
    #[arg(long)]
    pub(crate) gate: bool,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: CompareFormat,
    /// File to write to [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A model that changed its name; repeat for more
    #[arg(long, value_name = "OLD=NEW")]
    pub(crate) map: Vec<String>,
    /// History that `pinned` and `history:...` refer to
    #[arg(long, value_name = "FILE", default_value = bench_run::history::DEFAULT_FILE)]
    pub(crate) history: PathBuf,
    /// Runs of `history:window` [default: the suite's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) window: Option<u16>,
    /// Commit that HEAD measured
    #[arg(long, value_name = "SHA")]
    pub(crate) commit: Option<String>,
}

/// What a report is compared with.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BaselineArgs {
    /// Earlier run that the report says what changed since: a run folder, a record.json, `pinned`, `history:window` or `history:ID`
    #[arg(long = "baseline-run", value_name = "BASE", hide_short_help = true)]
    pub(crate) base: Option<String>,
    /// History that `pinned` and `history:...` refer to
    #[arg(long, value_name = "FILE", default_value = bench_run::history::DEFAULT_FILE, hide_short_help = true)]
    pub(crate) history: PathBuf,
}

/// Format of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// For a terminal.
    Text,
    /// One comment for a code host.
    Md,
    /// Everything, versioned.
    Json,
    /// One test case per gate.
    Junit,
    /// One small page.
    Html,
}

/// Verbs of `history`.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Append a run; a run that is there already is not added twice
    #[command(before_long_help = "\
Examples:
  bench history add reports/target2/new
  bench history add reports/target2/new --pin
  bench history add reports/target2/new --file ci/history.jsonl --commit 1a2b3c")]
    Add(HistoryAddArgs),
    /// Make an earlier run the baseline that `pinned` means
    #[command(before_long_help = "\
Examples:
  bench history pin 3
  bench history pin target2-1f2e3d4c
  bench history pin 3 --file ci/history.jsonl")]
    Pin(HistoryPinArgs),
    /// List the runs, or print one
    #[command(before_long_help = "\
Examples:
  bench history show
  bench history show 3
  bench history show --file ci/history.jsonl")]
    Show(HistoryShowArgs),
    /// Write a page of trends: one HTML file without scripts
    #[command(before_long_help = "\
Examples:
  bench history page
  bench history page --out trends.html
  bench history page --file ci/history.jsonl --out public/index.html")]
    Page(HistoryPageArgs),
}

/// Where the history is.
#[derive(Args, Debug)]
pub(crate) struct HistoryFile {
    /// The history
    #[arg(long, value_name = "FILE", default_value = bench_run::history::DEFAULT_FILE)]
    pub(crate) file: PathBuf,
}

/// Options of `history add`.
#[derive(Args, Debug)]
pub(crate) struct HistoryAddArgs {
    /// Run folder or record.json
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// The history.
    #[command(flatten)]
    pub(crate) history: HistoryFile,
    /// Make it the baseline that `pinned` means
    #[arg(long)]
    pub(crate) pin: bool,
    /// Commit that was measured
    #[arg(long, value_name = "SHA")]
    pub(crate) commit: Option<String>,
    /// Date, as the page shall show it
    #[arg(long, value_name = "TEXT")]
    pub(crate) date: Option<String>,
    /// Address of the commit
    #[arg(long, value_name = "URL")]
    pub(crate) commit_url: Option<String>,
    /// Address of the report
    #[arg(long, value_name = "URL")]
    pub(crate) report_url: Option<String>,
}

/// Options of `history pin`.
#[derive(Args, Debug)]
pub(crate) struct HistoryPinArgs {
    /// Number, or the beginning of a run id or commit
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The history.
    #[command(flatten)]
    pub(crate) history: HistoryFile,
}

/// Options of `history show`.
#[derive(Args, Debug)]
pub(crate) struct HistoryShowArgs {
    /// Number, or the beginning of a run id or commit [default: all runs in a list]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The history.
    #[command(flatten)]
    pub(crate) history: HistoryFile,
    /// Print as JSON, without outcomes by well
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `history page`.
#[derive(Args, Debug)]
pub(crate) struct HistoryPageArgs {
    /// The history.
    #[command(flatten)]
    pub(crate) history: HistoryFile,
    /// File to write to
    #[arg(long, value_name = "FILE", default_value = "bench-history.html")]
    pub(crate) out: PathBuf,
}
