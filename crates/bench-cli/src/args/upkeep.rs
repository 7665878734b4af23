//! Arguments of the verbs that look after the program: doctor, config, cache, new, man.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ScoringArgs, TableArgs, TrainArgs};

/// Options of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Folder that runs would be written to
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) out: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value that a run with these options would have
    #[command(before_long_help = "\
Examples:
  bench config show --suite target2
  bench config show --suite target2 --preset demo --repeats 3 --origin
  BENCH_PROBES__KNN__K=5 bench config show --suite smoke --origin --json")]
    Show(Box<ConfigShowArgs>),
}

/// Options of `config show`.
#[derive(Args, Debug)]
pub(crate) struct ConfigShowArgs {
    /// Suite: an id (see `bench list suites`) or a TOML file
    #[arg(long, value_name = "ID|FILE", default_value = "generic")]
    pub(crate) suite: String,
    /// Print where each value is from: default, suite, preset, user file, environment or flag
    #[arg(long)]
    pub(crate) origin: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How to read tables.
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// What to compute.
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
    /// How to make embeddings.
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

/// Verbs of `cache`.
#[cfg(feature = "train")]
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Print how much lies in the cache, by kind
    #[command(before_long_help = "\
Examples:
  bench cache size
  bench cache size --json
  bench cache size --cache /scratch/bench")]
    Size(CacheSizeArgs),
    /// Remove what was not written to for a while
    #[command(before_long_help = "\
Examples:
  bench cache prune --dry-run
  bench cache prune --older-than 7
  bench cache prune --older-than 0 --cache /scratch/bench")]
    Prune(CachePruneArgs),
    /// Say whether a step is taken from the cache, and which setting differs where it is not
    #[command(before_long_help = "\
Examples:
  bench cache why 'train emm'
  bench cache why 'embed plates with imm' --preset smoke
  bench cache why 'retrieval with clip' --preset paper --data jump --device cuda:0")]
    Why(Box<CacheWhyArgs>),
}

/// Options of `cache size`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct CacheSizeArgs {
    /// Folder of the cache [default: BENCH_CACHE, or the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Print as JSON, entry by entry
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `cache prune`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct CachePruneArgs {
    /// Folder of the cache [default: BENCH_CACHE, or the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Days without a write after which an entry goes
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) older_than: u32,
    /// Print what would go, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `cache why`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct CacheWhyArgs {
    /// Step, as `bench train --dry-run` and `bench run --dry-run` name it
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// Suite whose preset applies where none is given
    #[arg(long, value_name = "ID|FILE", default_value = "target2")]
    pub(crate) suite: String,
    /// How the step would be done.
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

/// Options of `new`.
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// What to start: metric, embedding-metric, split, control, correction, loss, suite or preset
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,
    /// Its id: lower-case letters, digits and hyphens
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Checkout of this program; for suites and presets, the folder to write to
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Write the lines that register it, too, instead of printing them
    #[arg(long)]
    pub(crate) register: bool,
}

/// Options of `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write a page for every verb into this folder, instead of printing the first page
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
