//! Arguments of the verbs that work with images, networks and molecules.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Options of `train`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct TrainOnlyArgs {
    /// How to train.
    #[command(flatten)]
    pub(crate) train: super::TrainArgs,
    /// Folder for the weights [default: reports/models/PRESET]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `embed`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct EmbedArgs {
    /// Weights that `bench train` wrote, or `simple-features` for statistics of the images
    #[arg(long, value_name = "FILE|simple-features")]
    pub(crate) model: String,
    /// Folder of plates
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Only plates of these types, e.g. TARGET2 [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) plate_types: Vec<String>,
    /// Part I of N of the plates; `bench data merge` joins the tables
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Fixed crops whose embeddings are averaged: centre, five, or grid:N for N x N
    #[arg(long, value_name = "CROPS", default_value = "centre")]
    pub(crate) crops: String,
    /// Crops per minibatch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Name in file names and tables [default: that of the weights]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to compute: auto, cpu or cuda:N [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Leave out images that cannot be read, and list them, instead of stopping at the first
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
    /// Folder for the tables
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Options of `retrieve`.
#[derive(Args, Debug)]
pub(crate) struct RetrieveArgs {
    /// Table of image embeddings
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(crate) images: String,
    /// Table of molecule embeddings
    #[arg(long, value_name = "FILE")]
    pub(crate) molecules: PathBuf,
    /// Compound column of both [default: Metadata_InChIKey, Metadata_JCP2022, ...]
    #[arg(long, value_name = "COL")]
    pub(crate) compound: Option<String>,
    /// Column that names an image [default: Metadata_Image, or source, batch, plate, well and site]
    #[arg(long, value_name = "COL")]
    pub(crate) image_id: Option<String>,
    /// Table that lists the compounds that take part, in the order of galleries of `paper`
    #[arg(long, value_name = "FILE")]
    pub(crate) compounds: Option<PathBuf>,
    /// Only compounds of these roles (column `role` of --compounds)
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "compounds")]
    pub(crate) role: Vec<String>,
    /// Compounds per gallery: numbers, or `all`; one task each
    #[arg(long, value_name = "N,M", value_delimiter = ',', default_value = "100")]
    pub(crate) gallery: Vec<String>,
    /// How galleries are cut: strict, or paper for the reference's
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "strict")]
    pub(crate) protocols: Vec<String>,
    /// Images drawn per compound in a gallery: a number, or `all`
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) images_per_compound: String,
    /// Repeated draws of images
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) draws: usize,
    /// Metrics, see `bench list retrieval` [default: hit rates, mrr, map, ...]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) metrics: Vec<String>,
    /// Bootstrap draws
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) bootstrap: usize,
    /// Seed of galleries, draws and bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Folder for retrieval.csv and every query [default: nothing is written]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the rows as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Verbs of `data`.
#[cfg(feature = "train")]
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List public data sets that the program knows
    #[command(before_long_help = "\
Examples:
  bench data list
  bench data list --json
  bench data list | grep TARGET2")]
    List(DataListArgs),
    /// Print licence, citation, plates, layout and bad plates of a data set
    #[command(before_long_help = "\
Examples:
  bench data show cpg0016-target2
  bench data show cpg0016-jump --json
  bench data show rxrx1")]
    Show(DataShowArgs),
    /// Fetch tables, profiles or images of a public data set; goes on where it stopped
    #[command(before_long_help = "\
Examples:
  bench data fetch cpg0016-target2 --out jump
  bench data fetch cpg0016-target2 --what images --sites-per-well paper --dry-run --out jump
  bench data fetch cpg0016-jump --plate-type COMPOUND --source source_2 --what metadata,images --shard 1/8 --out jump

Exit code 5: some objects failed, and are listed.")]
    Fetch(Box<super::FetchArgs>),
    /// Put tables of embeddings of several parts together
    #[command(before_long_help = "\
Examples:
  bench data merge part1/emm.parquet part2/emm.parquet --out emm.parquet
  bench data merge part*/emm.parquet --out emm.parquet
  bench data merge part*/emm-backbone.parquet --out emm-backbone.parquet")]
    Merge(super::MergeArgs),
    /// Join fetched profiles with what is in the wells, as one table for `bench score`
    #[command(before_long_help = "\
Examples:
  bench data table jump --out profiles.parquet
  bench data table jump --what profiles --out profiles.parquet
  bench data table jump --what embeddings/NAME --out embeddings.parquet")]
    Table(super::DataTableArgs),
    /// Simulate Cell Painting plates; every output says that it is simulated
    #[command(before_long_help = "\
Examples:
  bench data simulate --out plates
  bench data simulate --preset smoke --dials 0 --out none
  bench data simulate --dials 0 --dial source.gain=1 --dial batch.staining=0.5 --out gain")]
    Simulate(SimulateArgs),
    /// Convert raw images to those of a benchmark: crop, scale to 8 bits, measure, pack
    #[command(before_long_help = "\
Examples:
  bench data prepare raw --out plates
  bench data prepare raw --sites-per-well paper --shard 1/8 --out plates
  bench data prepare files.csv --recipe bray --format png --skip-unreadable --out plates")]
    Prepare(PrepareArgs),
    /// Compare files with their digests, decode every image, and list what cannot be used
    #[command(before_long_help = "\
Examples:
  bench data verify plates
  bench data verify jump
  bench data verify plates > problems.tsv")]
    Verify(VerifyArgs),
}

/// Options of `data list`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct DataListArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `data show`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct DataShowArgs {
    /// Id, see `bench data list`
    pub(crate) id: String,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `data simulate`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct SimulateArgs {
    /// Preset whose `[simulation]` is used, or a TOML file of a preset
    #[arg(long, value_name = "ID|FILE", default_value = "demo")]
    pub(crate) preset: String,
    /// All dials at this strength: 0 is none, 1 is strong
    #[arg(long, value_name = "X")]
    pub(crate) dials: Option<f64>,
    /// One dial; see `bench data simulate --list-dials`
    #[arg(long = "dial", value_name = "NAME=X")]
    pub(crate) dial: Vec<String>,
    /// Print the dials and their strengths, and write nothing
    #[arg(long)]
    pub(crate) list_dials: bool,
    /// Strength of the phenotypes: 0 makes every compound a blank
    #[arg(long, value_name = "X")]
    pub(crate) effect_size: Option<f64>,
    /// Seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How plates are written: packed, or folder for PNGs in the JUMP layout
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Folder for the plates
    #[arg(long, value_name = "DIR", required_unless_present = "list_dials")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `data prepare`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct PrepareArgs {
    /// Raw images in the JUMP layout, or a CSV table of files
    pub(crate) input: PathBuf,
    /// Folder for the prepared images
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// What is done to an image: jump (centre 768 px, percentiles 1 and 99, 8 bits) or bray
    #[arg(long, value_name = "RECIPE", default_value = "jump")]
    pub(crate) recipe: String,
    /// Side of the centre crop in pixels, or none [default: that of the recipe]
    #[arg(long, value_name = "PX|none")]
    pub(crate) crop: Option<String>,
    /// Length that the shorter side becomes, in pixels
    #[arg(long, value_name = "PX")]
    pub(crate) resize: Option<usize>,
    /// Divide by illumination functions (.npy): `table` for columns FileName_Illum*, or a path with
    /// {source}, {batch}, {plate} and {channel} in it
    #[arg(long, value_name = "table|PATH")]
    pub(crate) illumination: Option<String>,
    /// What is written: packed (a file per plate, quick to crop) or png (a file per channel)
    #[arg(long, value_name = "FORMAT", default_value = "packed")]
    pub(crate) format: String,
    /// Sites per well, drawn by seed: all, a number, paper (6 treated, 3 control) or code (the reference's)
    #[arg(long, value_name = "RULE", default_value = "all")]
    pub(crate) sites_per_well: String,
    /// Part I of N of the plates
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Leave out fields with a larger share of saturated pixels in any channel
    #[arg(long, value_name = "X")]
    pub(crate) max_saturated: Option<f64>,
    /// Leave out fields that are less in focus in any channel (see qc.csv)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) min_focus: Option<f64>,
    /// Leave out fields with an empty channel
    #[arg(long)]
    pub(crate) drop_empty: bool,
    /// Seed of sites
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Leave out fields that cannot be used, and list them, instead of stopping at the first
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
}

/// Options of `data verify`.
#[cfg(feature = "train")]
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Folder of plates
    pub(crate) input: PathBuf,
}
