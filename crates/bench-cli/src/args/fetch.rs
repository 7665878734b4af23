//! Arguments of `bench data fetch` and `bench data table`.

use std::path::PathBuf;

use clap::Args;

/// Options of `data fetch`.
#[derive(Args, Debug)]
pub(crate) struct FetchArgs {
    /// Data set, see `bench data list`
    pub(crate) id: String,
    /// Kinds to fetch: metadata, load-data, profiles, embeddings, illumination, images
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "metadata,profiles")]
    pub(crate) what: Vec<String>,
    /// Only these sources
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) source: Vec<String>,
    /// Only these batches
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) batch: Vec<String>,
    /// Only these plates
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) plate: Vec<String>,
    /// Only plates of these types, e.g. COMPOUND
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) plate_type: Vec<String>,
    /// Only images of these wells
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) well: Vec<String>,
    /// Only images of these sites
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) site: Vec<String>,
    /// Sites per well, drawn by seed: all, a number, paper (6 treated, 3 control) or code (the reference's)
    #[arg(long, value_name = "RULE", default_value = "all")]
    pub(crate) sites_per_well: String,
    /// Part I of N of the plates
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Fetch plates that the manifest advises to leave out, too
    #[arg(long, hide_short_help = true)]
    pub(crate) keep_bad: bool,
    /// Say what would be fetched, how many files and bytes, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Another bucket: s3://NAME, https://HOST/PATH or a folder [default: that of the manifest]
    #[arg(long, value_name = "ADDRESS", hide_short_help = true)]
    pub(crate) bucket: Option<String>,
    /// Another server of S3's kind, http://HOST:PORT
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(crate) endpoint: Option<String>,
    /// Another site or folder for the metadata tables [default: where they are published]
    #[arg(long, value_name = "ADDRESS", hide_short_help = true)]
    pub(crate) tables: Option<String>,
    /// Proxy [default: HTTPS_PROXY and NO_PROXY]; `none` for none
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub(crate) proxy: Option<String>,
    /// Objects at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024), hide_short_help = true)]
    pub(crate) concurrency: u32,
    /// Attempts per object
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100), hide_short_help = true)]
    pub(crate) attempts: u32,
    /// Seconds without a byte after which a connection is given up
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..), hide_short_help = true)]
    pub(crate) timeout: u64,
    /// Read every file that is there and fetch again what is damaged
    #[arg(long, hide_short_help = true)]
    pub(crate) recheck: bool,
    /// Prepare each plate as soon as its images are here, pack it into this folder, and remove the raw images
    #[arg(long, value_name = "DIR")]
    pub(crate) prepare: Option<PathBuf>,
    /// What is done to an image then: jump or bray
    #[arg(long, value_name = "RECIPE", default_value = "jump", requires = "prepare", hide_short_help = true)]
    pub(crate) recipe: String,
    /// Leave out fields that cannot be used, and list them
    #[arg(long, requires = "prepare", hide_short_help = true)]
    pub(crate) skip_unreadable: bool,
    /// Seed of sites
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    pub(crate) seed: u64,
    /// Folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Print what came of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `data table`.
#[derive(Args, Debug)]
pub(crate) struct DataTableArgs {
    /// Folder that `bench data fetch` filled
    pub(crate) input: PathBuf,
    /// Folder of the profiles in it: profiles, or embeddings/NAME
    #[arg(long, value_name = "FOLDER", default_value = "profiles")]
    pub(crate) what: String,
    /// Table to write, Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Options of `data merge`.
#[derive(Args, Debug)]
pub(crate) struct MergeArgs {
    /// Tables with the same features
    #[arg(required = true)]
    pub(crate) tables: Vec<PathBuf>,
    /// Table to write, Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
