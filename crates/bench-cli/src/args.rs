//! The command line, declared once: help, completions and man page derive from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit;

mod compare;
#[cfg(feature = "train")]
mod fetch;
mod figures;
mod images;
mod upkeep;

pub(crate) use compare::{
    BaselineArgs, CompareArgs, CompareFormat, HistoryAddArgs, HistoryCommand, HistoryPageArgs, HistoryPinArgs,
    HistoryShowArgs,
};
#[cfg(feature = "train")]
pub(crate) use fetch::{DataTableArgs, FetchArgs, MergeArgs};
pub(crate) use figures::{CardArgs, FiguresArgs};
pub(crate) use images::RetrieveArgs;
#[cfg(feature = "train")]
pub(crate) use images::{
    DataCommand, DataListArgs, DataShowArgs, EmbedArgs, PrepareArgs, SimulateArgs, TrainOnlyArgs, VerifyArgs,
};

#[cfg(feature = "train")]
pub(crate) use upkeep::{CacheCommand, CachePruneArgs, CacheSizeArgs, CacheWhyArgs};
pub(crate) use upkeep::{ConfigCommand, ConfigShowArgs, DoctorArgs, ManArgs, NewArgs};

/// Measures batch effects in image representations of cells.
#[derive(Debug, Parser)]
#[command(name = "bench", version, about, after_help = exit::HELP, propagate_version = true)]
#[command(before_long_help = "\
Examples:
  bench run --suite smoke
  bench score --embeddings profiles.parquet --label Metadata_moa
  bench figures --from reports/smoke/RUN --width column")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Output options.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of every command.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Worker threads; results do not depend on it [default: all cores]
    #[arg(long, global = true, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Say nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// No progress bars
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_progress: bool,
    /// Colour of messages
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(crate) color: Color,
    /// File of settings over those of suite and preset [default: bench.toml, where it is]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// When to colour messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a suite: train its models, embed its plates (or take --embeddings), score, write the report
    #[command(before_long_help = "\
Examples:
  bench run --suite target2
  bench run --suite target2 --data jump --preset paper --device cuda:0
  bench run --suite smoke
  bench run --suite jump-moa --embeddings all3.parquet
  bench run --suite target2 --embeddings cnn=a.parquet --embeddings vit=b.parquet --out reports/mine")]
    Run(RunArgs),
    /// Score embedding tables: splits, probes, G-scores, controls, report
    #[command(before_long_help = "\
Examples:
  bench score --embeddings profiles.parquet --label Metadata_moa
  bench score --embeddings profiles.parquet --metric-preset scib-metrics
  bench score --suite jump-moa --embeddings all3.parquet --folds folds.csv --standardise
  bench score --embeddings emb.npz --metadata wells.csv --label target --source lab --where control=trt")]
    Score(ScoreArgs),
    /// Train the models of a preset and write their weights
    #[cfg(feature = "train")]
    #[command(before_long_help = "\
Examples:
  bench train --preset smoke --out models
  bench train --preset demo --dry-run
  bench train --preset paper --data jump --models emm --device cuda:0")]
    Train(TrainOnlyArgs),
    /// Embed plates with trained weights, or with simple image statistics
    #[cfg(feature = "train")]
    #[command(before_long_help = "\
Examples:
  bench embed --model models/emm.safetensors --data plates --plate-types TARGET2 --out embeddings
  bench embed --model models/emm.safetensors --data plates --crops five --shard 1/8 --out part1
  bench embed --model simple-features --data plates --out embeddings")]
    Embed(EmbedArgs),
    /// Score retrieval between image and molecule embeddings, of any model
    #[command(before_long_help = "\
Examples:
  bench retrieve --images emm.parquet --molecules emm-molecules.parquet
  bench retrieve --images mine=a.parquet --molecules b.parquet --compound Metadata_JCP2022 --json
  bench retrieve --images emm.parquet --molecules emm-molecules.parquet \\
      --compounds models/compounds.csv --role retrieval --gallery 100,1000 --protocols strict,paper --out retrieval")]
    Retrieve(RetrieveArgs),
    /// Simulate, pack and check plates
    #[cfg(feature = "train")]
    #[command(subcommand)]
    Data(DataCommand),
    /// Write figures, tables and pages again from a record
    #[command(before_long_help = "\
Examples:
  bench report reports/smoke/RUN
  bench report reports/smoke/RUN --baseline reports/smoke/EARLIER
  bench report old/record.json --out again")]
    Report(ReportArgs),
    /// Draw figures and a paper's tables for print, from a record
    #[command(before_long_help = "\
Examples:
  bench figures --from reports/target2/RUN
  bench figures --from reports/target2/RUN --paper watkinson2023 --width column
  bench figures --from record.json --format pdf,png --width 120 --out paper/figures

Exit code 5: the run lacks a part, which is named.")]
    Figures(FiguresArgs),
    /// Write model and dataset cards from a record
    #[command(before_long_help = "\
Examples:
  bench card reports/target2/RUN
  bench card reports/target2/RUN --out cards
  bench card record.json --out hub")]
    Card(CardArgs),
    /// Compare a run with a baseline on identical splits: gates, intervals, exit code 1 on a regression
    #[command(before_long_help = "\
Examples:
  bench compare reports/target2/old reports/target2/new --gate
  bench compare history:window reports/target2/new --gate --format md --out comment.md
  bench compare pinned reports/target2/new --map emm=emm-v2 --format html --out compared.html")]
    Compare(CompareArgs),
    /// Keep runs in an append-only file: add, pin, show, page of trends
    #[command(
        subcommand,
        before_long_help = "\
Examples:
  bench history add reports/target2/new --commit 1a2b3c --pin
  bench history show
  bench history page --out trends.html"
    )]
    History(HistoryCommand),
    /// Write a run's embeddings, its scores, or any table as AnnData, Parquet, CSV or NPZ
    #[command(before_long_help = "\
Examples:
  bench export reports/target2/0123456789ab --model emm --out emm.h5ad
  bench export profiles.parquet --out profiles.zarr
  bench export run --what scores --out scores.parquet")]
    Export(ExportArgs),
    /// Explain how a table is understood, and every breach with row and column
    #[command(before_long_help = "\
Examples:
  bench validate profiles.parquet
  bench validate profiles.parquet --suite target2 --json
  bench validate matrix.npy --metadata wells.csv --label target")]
    Validate(ValidateArgs),
    /// List everything that has an id
    #[command(before_long_help = "\
Examples:
  bench list
  bench list metrics
  bench list encoders --json")]
    List(ListArgs),
    /// Print the card of an id: formula, range, citation, defaults; or a suite, preset or manifest
    #[command(before_long_help = "\
Examples:
  bench show not-same-source
  bench show knn
  bench show emm-code --json")]
    Show(ShowArgs),
    /// Print settings and where they are from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look into the cache of plates, trainings and embeddings
    #[cfg(feature = "train")]
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Look at device, memory, disks, settings and everything else that a run needs
    #[command(before_long_help = "\
Examples:
  bench doctor
  bench doctor --json
  bench doctor --out /scratch/reports

Exit code 1: something will not work.")]
    Doctor(DoctorArgs),
    /// Start a metric, split, control, correction, loss, suite or preset
    #[command(before_long_help = "\
Examples:
  bench new suite my-plates
  bench new preset my-training --dir configs
  bench new metric my-metric --dir checkout --register")]
    New(NewArgs),
    /// Print a completion script for a shell
    #[command(before_long_help = "\
Examples:
  bench completions bash > ~/.local/share/bash-completion/completions/bench
  bench completions zsh > ~/.zfunc/_bench
  bench completions fish > ~/.config/fish/completions/bench.fish")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one for every verb
    #[command(before_long_help = "\
Examples:
  bench man | man -l -
  bench man --dir man
  bench man --dir ~/.local/share/man/man1")]
    Man(ManArgs),
}

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// What to score, and where to put it.
    #[command(flatten)]
    pub(crate) score: ScoreArgs,
    /// How to make embeddings.
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

/// How to make embeddings where none are given.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Training (without --embeddings)")]
pub(crate) struct TrainArgs {
    /// How to train: smoke, demo, paper, sept2023 or a TOML file [default: the suite's]
    #[arg(long, value_name = "ID|FILE")]
    pub(crate) preset: Option<String>,
    /// Folder of plates; they are simulated if it is not given
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Models of the preset to train [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Train each model with this many seeds [default: the preset's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100), hide_short_help = true)]
    pub(crate) train_seeds: Option<u16>,
    /// Where to compute: auto, cpu or cuda:N [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Folder of plates, checkpoints and embeddings [default: BENCH_CACHE, or the user's cache folder]
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(crate) cache: Option<PathBuf>,
    /// Leave out images that cannot be read, and list them, instead of stopping at the first
    #[arg(long, hide_short_help = true)]
    pub(crate) skip_unreadable: bool,
}

/// Options of `run` and `score`.
#[derive(Args, Debug)]
pub(crate) struct ScoreArgs {
    /// Suite: an id (see `bench list suites`) or a TOML file
    #[arg(long, value_name = "ID|FILE")]
    pub(crate) suite: Option<String>,
    /// Embedding table, named after its file unless NAME= says otherwise; repeat for more models
    #[arg(long, value_name = "[NAME=]FILE", num_args = 1..)]
    pub(crate) embeddings: Vec<String>,
    /// How to read the tables.
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// What to compute.
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
    /// What the report is compared with.
    #[command(flatten)]
    pub(crate) baseline: BaselineArgs,
    /// Folder of this run [default: reports/SUITE/RUN-ID]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the record's headline as JSON on stdout instead of the report's path
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to read the tables.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Reading tables")]
pub(crate) struct TableArgs {
    /// Metadata table of an NPY or NPZ matrix
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) metadata: Option<PathBuf>,
    /// Matrix of an NPZ or AnnData file, e.g. `obsm/X_pca`
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) array: Option<String>,
    /// Label column
    #[arg(long, value_name = "COL")]
    pub(crate) label: Option<String>,
    /// Compound column
    #[arg(long, value_name = "COL", hide_short_help = true)]
    pub(crate) compound: Option<String>,
    /// Source column (laboratory)
    #[arg(long, value_name = "COL")]
    pub(crate) source: Option<String>,
    /// Batch column
    #[arg(long, value_name = "COL")]
    pub(crate) batch: Option<String>,
    /// Plate column
    #[arg(long, value_name = "COL")]
    pub(crate) plate: Option<String>,
    /// Well column
    #[arg(long, value_name = "COL", hide_short_help = true)]
    pub(crate) well: Option<String>,
    /// Field-of-view column
    #[arg(long, value_name = "COL", hide_short_help = true)]
    pub(crate) site: Option<String>,
    /// Further grouping column, gives a split `not-same-NAME`
    #[arg(long, value_name = "NAME=COL", hide_short_help = true)]
    pub(crate) group: Vec<String>,
    /// Negative controls: rows where COL is VALUE
    #[arg(long, value_name = "COL=VALUE")]
    pub(crate) control: Option<String>,
    /// Only columns that match are features
    #[arg(long, value_name = "REGEX", hide_short_help = true)]
    pub(crate) features: Option<String>,
    /// Columns that match are no features
    #[arg(long, value_name = "REGEX", hide_short_help = true)]
    pub(crate) exclude_features: Option<String>,
    /// Only rows where COL is one of the values; repeat to combine
    #[arg(long = "where", value_name = "COL=A,B")]
    pub(crate) conditions: Vec<String>,
    /// Only these labels
    #[arg(long, value_name = "A,B", value_delimiter = ',', hide_short_help = true)]
    pub(crate) labels: Vec<String>,
    /// Only the N labels with the most rows, ties by name
    #[arg(long, value_name = "N")]
    pub(crate) top_labels: Option<usize>,
    /// Only labels that occur in every level of this unit
    #[arg(long, value_name = "UNIT", hide_short_help = true)]
    pub(crate) in_every: Option<String>,
    /// Labels with fewer rows are rare
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) min_label_rows: Option<usize>,
    /// Rare labels: `error` or `drop`
    #[arg(long, value_name = "POLICY", hide_short_help = true)]
    pub(crate) rare_labels: Option<String>,
    /// Labels such as `A|B`: `error`, `first`, `whole` or `drop`
    #[arg(long, value_name = "POLICY", hide_short_help = true)]
    pub(crate) multi_label: Option<String>,
    /// Missing values: `error`, `drop-features`, `drop-rows` or `median`
    #[arg(long, value_name = "POLICY")]
    pub(crate) missing: Option<String>,
    /// Repeated wells: `error` or `keep`
    #[arg(long, value_name = "POLICY", hide_short_help = true)]
    pub(crate) duplicates: Option<String>,
    /// With several tables: score the rows that all of them have
    #[arg(long, hide_short_help = true)]
    pub(crate) common_rows: bool,
}

/// What to compute.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Scoring")]
pub(crate) struct ScoringArgs {
    /// Fixed folds: a table with `row` and one column per split, held-out fold ids as values
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub(crate) folds: Option<PathBuf>,
    /// Fixed folds: a column of the table with fold ids
    #[arg(long, value_name = "COL", hide_short_help = true)]
    pub(crate) fold_column: Option<String>,
    /// Fixed folds: the split that stands for `random` in G
    #[arg(long, value_name = "SPLIT", hide_short_help = true)]
    pub(crate) baseline: Option<String>,
    /// Protocols to run
    #[arg(long, value_name = "A,B", value_delimiter = ',', hide_short_help = true)]
    pub(crate) protocols: Vec<String>,
    /// Splits to run, in every protocol
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) splits: Vec<String>,
    /// Probes to fit: logreg, knn
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) probes: Vec<String>,
    /// Metrics to compute
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) metrics: Vec<String>,
    /// Metrics of the embeddings themselves (batch mixing, biology, guards): ids, or all
    #[arg(long, hide_short_help = true, value_name = "A,B|all", value_delimiter = ',')]
    pub(crate) embedding_metrics: Vec<String>,
    /// What a package or paper measures, in its dialects and after its corrections: scib, scib-metrics, copairs, arevalo2024,
    /// pathorob, jump-models (jump-models:defects with its defects), pycytominer
    #[arg(long, hide_short_help = true, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) metric_preset: Vec<String>,
    /// Pairs of compounds that are known to be related, a table of two columns: measures how many are recalled
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub(crate) relationships: Option<PathBuf>,
    /// Corrections, each a chain such as "mad-plate > sphere"; none is the embedding as it is [default: those of the suite]
    #[arg(long, hide_short_help = true, value_name = "A,B")]
    pub(crate) corrections: Vec<String>,
    /// Accuracy of corrections on unseen sources that are aligned by N of their control wells [default: 1,2,4,8,16,32]
    #[arg(long, hide_short_help = true, value_name = "N,N", value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_values = ["1", "2", "4", "8", "16", "32"])]
    pub(crate) control_curve: Vec<usize>,
    /// Back end of the probes: `gemm` or `linfa`
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) backend: Option<String>,
    /// Standardise features inside the training fold for these probes in every protocol: logreg,
    /// knn, all or none; without a value, logreg
    #[arg(long, value_name = "PROBES", num_args = 0..=1, require_equals = true, default_missing_value = "logreg", hide_short_help = true)]
    pub(crate) standardise: Option<String>,
    /// Inverse strength of the L2 penalty of logistic regression
    #[arg(long = "c", value_name = "C", hide_short_help = true)]
    pub(crate) c: Option<f64>,
    /// Most iterations of logistic regression
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) max_iterations: Option<usize>,
    /// Neighbours of kNN
    #[arg(long = "k", value_name = "K", hide_short_help = true)]
    pub(crate) k: Option<usize>,
    /// Distance of kNN and of the map: cosine or euclidean
    #[arg(long, value_name = "METRIC", hide_short_help = true)]
    pub(crate) metric: Option<String>,
    /// Tied kNN votes: `expected`, or `lowest-class` as scikit-learn does
    #[arg(long, value_name = "RULE", hide_short_help = true)]
    pub(crate) ties: Option<String>,
    /// Repeats of every random split
    #[arg(long, value_name = "N")]
    pub(crate) repeats: Option<usize>,
    /// Most rows that may be tested [default: 100000]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) max_test_rows: Option<usize>,
    /// Bootstrap draws
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) bootstrap: Option<usize>,
    /// Run seed [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// No two-dimensional map
    #[arg(long, hide_short_help = true)]
    pub(crate) no_projection: bool,
    /// No control embeddings (the report says that nothing vouches for the scores)
    #[arg(long, hide_short_help = true)]
    pub(crate) no_controls: bool,
    /// No source, batch, plate and position probes
    #[arg(long, hide_short_help = true)]
    pub(crate) no_batch_probes: bool,
}

/// Options of `report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Run folder or record.json
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Folder to write to [default: the run's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Earlier run that the page says what changed since: a run folder, a record.json, `pinned`, `history:window` or `history:ID`
    #[arg(long, alias = "baseline-run", value_name = "BASE")]
    pub(crate) baseline: Option<String>,
    /// History that `pinned` and `history:...` refer to
    #[arg(long, value_name = "FILE", default_value = bench_run::history::DEFAULT_FILE)]
    pub(crate) history: PathBuf,
}

/// Options of `export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// Run folder, or a table
    #[arg(value_name = "RUN|TABLE")]
    pub(crate) source: PathBuf,
    /// File to write; a folder for zarr
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// h5ad, zarr, parquet, csv or npz [default: the ending of --out]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// What of a run
    #[arg(long, value_name = "WHAT", default_value = "embeddings")]
    pub(crate) what: ExportWhat,
    /// Model of a run [default: its only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Matrix of an NPZ or AnnData file, e.g. `obsm/X_pca`
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// Metadata table of an NPY or NPZ matrix
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata: Option<PathBuf>,
    /// Only columns that match are features
    #[arg(long, value_name = "REGEX")]
    pub(crate) features: Option<String>,
    /// Columns that match are no features
    #[arg(long, value_name = "REGEX")]
    pub(crate) exclude_features: Option<String>,
}

/// What of a run is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportWhat {
    /// Embeddings of a model, with its map.
    Embeddings,
    /// Every raw score (Parquet).
    Scores,
}

/// Options of `validate`.
#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Table to explain
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Suite whose columns and selection apply
    #[arg(long, value_name = "ID|FILE")]
    pub(crate) suite: Option<String>,
    /// How to read the table.
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// suites, presets, metric-presets, manifests, splits, probes, metrics, embedding-metrics, corrections, chains, retrieval, controls, losses or encoders [default: all]
    pub(crate) kind: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Id, see `bench list`
    pub(crate) id: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
