//! Arguments of `bench figures` and `bench card`.

use std::path::PathBuf;

use clap::Args;

/// Options of `figures`.
#[derive(Args, Debug)]
pub(crate) struct FiguresArgs {
    /// Run folder or record.json
    #[arg(long, value_name = "RUN")]
    pub(crate) from: PathBuf,
    /// Tables and figures of a paper instead of all figures: watkinson2023
    #[arg(long, value_name = "ID")]
    pub(crate) paper: Option<String>,
    /// Formats of figures: svg, pdf, png (300 dpi)
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "svg,pdf")]
    pub(crate) format: Vec<String>,
    /// Width: column (85 mm), double (174 mm) or millimetres; no text is below 6 pt
    #[arg(long, value_name = "NAME|MM", default_value = "double")]
    pub(crate) width: String,
    /// Folder to write to [default: `print` in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `card`.
#[derive(Args, Debug)]
pub(crate) struct CardArgs {
    /// Run folder or record.json
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Folder to write to [default: `cards` in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
