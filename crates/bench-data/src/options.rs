//! What a suite or the command line says about a table.
//!
//! # What
//! [`ReadOptions`] with its defaults reads a table that follows the field's names
//! (`Metadata_Source`, `Metadata_Plate`, ...). Everything can be named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which column plays a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnRef {
    /// This column; it must exist.
    Named(String),
    /// The first of these that exists; none of them is no error unless the role is required.
    /// An empty list switches the role off.
    Guess(Vec<String>),
}

impl ColumnRef {
    /// Candidates in order.
    pub fn guess(names: &[&str]) -> Self {
        Self::Guess(names.iter().map(|&name| name.to_owned()).collect())
    }
}

/// Which rows are negative controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlRef {
    /// Rows whose `column` is `value`; the column must exist.
    Is {
        /// Column.
        column: String,
        /// Value.
        value: String,
    },
    /// Rows that are `negcon` in the first of these columns in which that value occurs.
    Guess(Vec<String>),
}

/// Value that marks negative controls where none is named.
pub const NEGATIVE_CONTROL: &str = "negcon";

/// Which column plays which role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Columns {
    /// What is to be predicted.
    pub label: ColumnRef,
    /// Compound or other perturbation.
    pub compound: ColumnRef,
    /// Laboratory, centre or microscope site.
    pub source: ColumnRef,
    /// Experimental batch.
    pub batch: ColumnRef,
    /// Plate.
    pub plate: ColumnRef,
    /// Well position on the plate.
    pub well: ColumnRef,
    /// Field of view within the well.
    pub site: ColumnRef,
    /// Negative controls.
    pub control: ControlRef,
    /// Further grouping columns: name of the group and its column, which must exist.
    pub groups: BTreeMap<String, String>,
}

impl Default for Columns {
    fn default() -> Self {
        let guess = ColumnRef::guess;
        Self {
            label: guess(&[
                "target",
                "Metadata_target",
                "Metadata_Target",
                "target_list",
                "Metadata_target_list",
                "label",
                "Metadata_label",
                "Metadata_Label",
                "moa",
                "Metadata_moa",
                "Metadata_MoA",
            ]),
            compound: guess(&[
                "Metadata_InChIKey",
                "Metadata_JCP2022",
                "Metadata_broad_sample",
                "Metadata_compound",
                "Metadata_Compound",
                "compound",
                "inchikey",
                "jcp2022",
            ]),
            source: guess(&["Metadata_Source", "Metadata_source", "source"]),
            batch: guess(&["Metadata_Batch", "Metadata_batch", "batch"]),
            plate: guess(&["Metadata_Plate", "Metadata_plate", "plate"]),
            well: guess(&["Metadata_Well", "Metadata_well", "well"]),
            site: guess(&["Metadata_Site", "Metadata_site", "site"]),
            control: ControlRef::Guess(
                [
                    "Metadata_control_type",
                    "Metadata_control",
                    "control_type",
                    "control",
                    "Metadata_pert_type",
                    "pert_type",
                ]
                .map(str::to_owned)
                .to_vec(),
            ),
            groups: BTreeMap::new(),
        }
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal),+ $(,)? } default $default:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$item_doc])* $item),+
        }

        impl $name {
            /// Every choice as it is written in files and flags.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The choice as it is written in files and flags.
            pub fn name(self) -> &'static str {
                match self { $(Self::$item => $text),+ }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$item),)+
                    other => Err(format!("`{other}` is none of {}", Self::NAMES.map_names())),
                }
            }
        }
    };
}

trait MapNames {
    fn map_names(&self) -> String;
}

impl MapNames for [&'static str] {
    fn map_names(&self) -> String {
        self.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

choice! {
    /// What happens to feature values that are missing or infinite.
    Missing {
        /// An error that counts them.
        Error = "error",
        /// Features with one are left out.
        DropFeatures = "drop-features",
        /// Rows with one are left out.
        DropRows = "drop-rows",
        /// The feature's median over all rows kept, labelled and controls.
        Median = "median",
    } default Error
}

choice! {
    /// What happens to rows with several labels in one cell (`A|B`).
    MultiLabel {
        /// An error.
        Error = "error",
        /// The first counts.
        First = "first",
        /// The row is left out.
        Drop = "drop",
        /// The text counts as a label of its own.
        Whole = "whole",
    } default Whole
}

choice! {
    /// What happens to labels with fewer rows than wanted.
    RareLabels {
        /// An error that names them.
        Error = "error",
        /// Their rows are left out.
        Drop = "drop",
    } default Error
}

choice! {
    /// What happens when a well (and field of view) occurs twice.
    Duplicates {
        /// An error that names both rows.
        Error = "error",
        /// Both rows are kept.
        Keep = "keep",
    } default Error
}

/// Which rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Column and values: rows with another value are left out. A filter on the control column
    /// applies to labelled rows only, so that `control=trt` does not remove the controls.
    pub filters: Vec<(String, Vec<String>)>,
    /// Only these labels; each must occur.
    pub labels: Option<Vec<String>>,
    /// Only the labels with the most rows, ties by name.
    pub top_labels: Option<usize>,
    /// Only labels that occur in every level of this unit (`source`, ..., or a group).
    pub in_every: Option<String>,
    /// Rows that a label needs.
    pub min_label_rows: usize,
    /// What happens to labels that have fewer.
    pub rare_labels: RareLabels,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            labels: None,
            top_labels: None,
            in_every: None,
            min_label_rows: 2,
            rare_labels: RareLabels::Error,
        }
    }
}

/// Everything that can be said about a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadOptions {
    /// Name of the model; the file's name without its endings if absent.
    pub name: Option<String>,
    /// Which column plays which role.
    pub columns: Columns,
    /// Roles that must be found: `source`, `batch`, `plate`, `well`, `site`, `compound`. The
    /// label is always required.
    pub required: Vec<String>,
    /// Only columns that match are features.
    pub features: Option<String>,
    /// Columns that match are not features.
    pub exclude_features: Option<String>,
    /// Missing feature values.
    pub missing: Missing,
    /// Rows with several labels.
    pub multi_label: MultiLabel,
    /// Wells that occur twice.
    pub duplicates: Duplicates,
    /// Which rows are wanted.
    pub selection: Selection,
    /// Metadata table of an NPY or NPZ file.
    pub metadata: Option<PathBuf>,
    /// Array of an NPZ file that holds the matrix.
    pub array: Option<String>,
    /// Column of fold ids; kept as the group of that name, empty where a row is unused.
    pub fold_column: Option<String>,
}
