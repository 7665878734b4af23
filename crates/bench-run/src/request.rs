//! What a run is asked to do.

use std::path::{Path, PathBuf};

use bench_core::record::{RetrievalRow, Software, Step, TrainingInfo};
use bench_core::suggest::closest;

use crate::Error;
use crate::layers::Given;
use crate::suite::Suite;

/// One embedding table and the name of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Model.
    pub name: String,
    /// Table.
    pub path: PathBuf,
}

impl Embedding {
    /// Reads `[NAME=]FILE`; without a name the file's name up to its first dot is used.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, path) = match text.split_once('=') {
            // A path may hold `=` itself; a name holds no path separator.
            Some((name, path)) if !name.is_empty() && !name.contains(['/', '\\']) && !Path::new(text).exists() => {
                (name.to_owned(), path)
            }
            _ => {
                let file = Path::new(text).file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
                (file.split('.').next().unwrap_or_default().to_owned(), text)
            }
        };
        if name.is_empty() || path.is_empty() {
            return Err(Error::Usage {
                message: format!("cannot read `--embeddings {text}`: expected [NAME=]FILE"),
                hint: None,
            });
        }
        Ok(Self { name, path: path.into() })
    }
}

/// Where the embeddings of a run come from, if it made them itself.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// How the models were trained.
    pub training: Vec<TrainingInfo>,
    /// How well they retrieve.
    pub retrieval: Vec<RetrievalRow>,
    /// Whether the images are simulated.
    pub simulated: bool,
    /// Digest of everything that decided the above; empty where nothing was made.
    pub digest: String,
    /// Things the reader should know.
    pub warnings: Vec<String>,
    /// Steps that made them, with their times.
    pub steps: Vec<Step>,
    /// Where they were trained.
    pub device: String,
    /// Further files of the run: path within its folder, and where the bytes are.
    pub files: Vec<(String, PathBuf)>,
}

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// Suite with flags applied.
    pub suite: Suite,
    /// Text of the suite as it was read, for the origin of each value.
    pub suite_text: String,
    /// Dotted keys that flags set.
    pub flags: Vec<String>,
    /// Keys that a user's file or variables set.
    pub given: Vec<Given>,
    /// Tables; none to use the suite's simulated data.
    pub embeddings: Vec<Embedding>,
    /// Models that this run trained: their retrieval scores and histories, and what names them.
    pub origin: Origin,
    /// Metadata of NPY or NPZ matrices.
    pub metadata: Option<PathBuf>,
    /// Array of an NPZ file.
    pub array: Option<String>,
    /// Score the rows that all tables have.
    pub common_rows: bool,
    /// Fixed folds.
    pub folds: Option<PathBuf>,
    /// Run seed.
    pub seed: u64,
    /// Folder of the run; `reports/<suite>/<run id>` if absent.
    pub out: Option<PathBuf>,
    /// Command line.
    pub command: Vec<String>,
    /// Program.
    pub software: Software,
}

impl Request {
    /// Whether the user set this key: by a flag, a variable or a file.
    pub fn is_given(&self, key: &str) -> bool {
        self.flags.iter().any(|f| f == key) || self.given.iter().any(|given| given.key == key)
    }

    /// Checks what flags may have broken.
    ///
    /// # Errors
    /// Values out of range, unknown ids, two models of one name.
    pub fn check(&self) -> Result<(), Error> {
        crate::suite::check(&self.suite).map_err(|(key, why)| Error::SuiteValue {
            place: format!("suite `{}` with the flags given", self.suite.id),
            key: key.to_owned(),
            why,
        })?;
        let groups: Vec<&str> = self.suite.columns.groups.keys().map(String::as_str).collect();
        for id in self.suite.splits.paper.iter().chain(&self.suite.splits.strict) {
            bench_eval::split::find(id, &groups)?;
        }
        // Folds of the user's have names of their own.
        let rules = self.suite.gates.rules.iter().filter(|rule| !rule.protocols.iter().any(|p| p == "fixed"));
        for id in rules.flat_map(|rule| &rule.splits) {
            bench_eval::split::find(id, &groups)?;
        }
        bench_eval::metric::lookup_all(&self.suite.metrics)?;
        crate::embedding::chosen(&self.suite.embedding_metrics)?;
        crate::embedding::relationships(&self.suite.embedding_metrics)?;
        crate::corrections::parse(&self.suite.corrections)?;
        if self.suite.control_curve.enabled
            && self.suite.corrections.iter().all(|chain| chain.trim() == crate::corrections::NONE)
        {
            return Err(Error::Usage {
                message: "a curve over control wells needs a correction, and none is named".into(),
                hint: Some("name one, e.g. `--corrections none,standardise-plate`".into()),
            });
        }
        if self.suite.splits.paper.is_empty()
            && self.suite.splits.strict.is_empty()
            && self.folds.is_none()
            && self.suite.splits.fold_column.is_none()
        {
            return Err(Error::Usage {
                message: "no split is left to score".into(),
                hint: Some("see `--protocols` and `--splits`".into()),
            });
        }
        let mut names: Vec<&str> = self.embeddings.iter().map(|e| e.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Usage {
                message: format!("two embeddings are named `{}`", pair[0]),
                hint: Some("name them: `--embeddings NAME=FILE`".into()),
            });
        }
        if let Some(name) = names.iter().find(|name| bench_eval::control::lookup(name).is_ok()) {
            return Err(Error::Usage {
                message: format!("an embedding cannot be named `{name}`: a control has that name"),
                hint: Some("name it: `--embeddings NAME=FILE`".into()),
            });
        }
        if let Some(unit) = &self.suite.select.in_every {
            let units: Vec<&str> = ["source", "batch", "plate", "well", "compound"].into_iter().chain(groups).collect();
            if !units.contains(&unit.as_str()) {
                return Err(Error::Usage {
                    message: format!("unknown unit `{unit}` for `in-every`"),
                    hint: closest(unit, units.iter().copied()).map(|meant| format!("did you mean `{meant}`?")),
                });
            }
        }
        Ok(())
    }
}
