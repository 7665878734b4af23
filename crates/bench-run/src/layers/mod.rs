//! Settings of a user, over those of a suite and a preset.
//!
//! # What
//! A value comes from the last of these that has it: default, suite, preset, user file (`bench.toml` in the current
//! folder, or `--config FILE`), variable `BENCH_*`, flag. Keys are the dotted ones that `bench config show` prints:
//! those of a suite (`splits.repeats`), those of a preset behind `preset.` (`preset.embedding-batch`), and `seed`,
//! `threads`, `device`, `cache`. As a variable, `.` is `__` and `-` is `_`: `BENCH_SPLITS__REPEATS=3`.
//!
//! # Why
//! A machine's device, cache and threads belong to the machine, not to every command; and where a value came from must
//! be seen before a run, not guessed after it.
//!
//! # What it cannot do
//! Change what a suite is: `id`, `version`, `title`, `essay` and `citation` are the suite's own.
//!
//! # Where it fits
//! The command line reads [`Layers`] once, lays them over suite and preset, then applies its flags.

use std::path::{Path, PathBuf};

use bench_core::suggest::closest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::suite::Suite;

mod environment;
mod overlay;

pub use environment::{PREFIX, variable};
use overlay::{Leaf, leaves};

/// The file that is read where it lies in the current folder.
pub const FILE: &str = "bench.toml";

/// Keys beside those of suites and presets.
pub const OWN: [&str; 4] = ["seed", "threads", "device", "cache"];

/// Keys of a suite that say what it is.
const IDENTITY: [&str; 5] = ["id", "version", "title", "essay", "citation"];

/// Which layer a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A file, and the line in it where that is known.
    File(PathBuf, Option<usize>),
    /// A variable.
    Environment(String),
}

impl Layer {
    /// The word that records have.
    pub fn word(&self) -> &'static str {
        match self {
            Layer::File(..) => "user file",
            Layer::Environment(_) => "environment",
        }
    }

    /// Where exactly.
    pub fn place(&self) -> String {
        match self {
            Layer::File(path, Some(line)) => format!("{}:{line}", path.display()),
            Layer::File(path, None) => path.display().to_string(),
            Layer::Environment(name) => name.clone(),
        }
    }
}

/// A key that a layer set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Dotted key.
    pub key: String,
    /// The layer.
    pub layer: Layer,
}

/// A user's file and variables.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// In order: a later one wins.
    leaves: Vec<Leaf>,
    file: Option<PathBuf>,
}

impl Layers {
    /// Reads the file (`bench.toml` in `folder` if none is given, and if it is there) and the variables.
    ///
    /// # Errors
    /// A file that cannot be read or is no TOML, a key or variable that nothing has.
    pub fn read(
        config: Option<&Path>,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let path = match config {
            Some(path) => Some(path.to_owned()),
            // Named as it is found, so that messages and records hold no folder of this machine.
            None => folder.join(FILE).is_file().then(|| PathBuf::from(FILE)),
        };
        let mut all = Vec::new();
        if let Some(path) = &path {
            let whole = if config.is_some() { path.clone() } else { folder.join(path) };
            let text = std::fs::read_to_string(&whole).map_err(|source| Error::Input { path: path.clone(), source })?;
            let place = path.display().to_string();
            let table: toml::Table =
                toml::from_str(&text).map_err(|error| crate::suite::explain(&place, &text, &error))?;
            all.extend(leaves(&table, &text, path));
        }
        all.extend(environment::leaves(variables)?);
        for leaf in &all {
            leaf.check()?;
        }
        Ok(Self { leaves: all, file: path })
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every key that is set, with its layer, in order.
    pub fn given(&self) -> Vec<Given> {
        self.leaves.iter().map(Leaf::given).collect()
    }

    /// Loads a suite, with these layers over it.
    ///
    /// # Errors
    /// As [`Suite::load`]; a value that does not fit, with the file or variable that holds it.
    pub fn suite(&self, id_or_file: &str) -> Result<(Suite, String, Vec<Given>), Error> {
        let (suite, text) = Suite::load(id_or_file)?;
        let mine = |leaf: &&Leaf| !leaf.is_preset() && !leaf.is_own();
        let (suite, given) = over(suite, &text, self.leaves.iter().filter(mine), |suite| {
            crate::suite::check(suite).map_err(|(key, why)| (key.to_owned(), why))
        })?;
        Ok((suite, text, given))
    }

    /// Lays the keys behind `preset.` over a preset.
    ///
    /// # Errors
    /// A value that does not fit.
    pub(crate) fn preset<T: Serialize + DeserializeOwned>(
        &self,
        base: T,
        text: &str,
        check: impl Fn(&T) -> Result<(), (String, String)>,
    ) -> Result<(T, Vec<Given>), Error> {
        over(base, text, self.leaves.iter().filter(|leaf| leaf.is_preset()), check)
    }

    /// The value of one of the [`OWN`] keys, and where it is from.
    fn own(&self, key: &str) -> Option<&Leaf> {
        self.leaves.iter().rev().find(|leaf| leaf.key() == key)
    }

    /// The value of one of the [`OWN`] keys as text, and where it is from.
    pub fn text(&self, key: &str) -> Option<(String, Given)> {
        self.own(key).map(|leaf| (leaf.text(), leaf.given()))
    }

    /// The value of one of the [`OWN`] keys as a number.
    ///
    /// # Errors
    /// It is no whole number, or none of this range.
    pub fn number(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<(u64, Given)>, Error> {
        let Some(leaf) = self.own(key) else { return Ok(None) };
        match leaf.text().parse::<u64>() {
            Ok(value) if range.contains(&value) => Ok(Some((value, leaf.given()))),
            _ => {
                let (from, to) = (range.start(), range.end());
                let expected =
                    if *to == u64::MAX { "a whole number".to_owned() } else { format!("a number from {from} to {to}") };
                Err(leaf.wrong(&format!("`{}` is not {expected}", leaf.text())))
            }
        }
    }
}

/// Lays leaves over a value one after the other, so that an error names the one that it is in.
fn over<'a, T: Serialize + DeserializeOwned>(
    base: T,
    text: &str,
    leaves: impl Iterator<Item = &'a Leaf>,
    check: impl Fn(&T) -> Result<(), (String, String)>,
) -> Result<(T, Vec<Given>), Error> {
    let (mut value, mut given) = (base, Vec::new());
    let mut table: Option<toml::Table> = None;
    for leaf in leaves {
        // The text was parsed before, so it is a table.
        let table = table.get_or_insert_with(|| toml::from_str(text).unwrap_or_default());
        leaf.put(table, &serde_json::to_value(&value).unwrap_or_default())?;
        value = toml::Value::Table(table.clone()).try_into().map_err(|error: toml::de::Error| leaf.refused(&error))?;
        check(&value).map_err(|(key, why)| leaf.wrong(&format!("`{key}`: {why}")))?;
        given.push(leaf.given());
    }
    Ok((value, given))
}

/// The closest key to one that nothing has.
fn meant(key: &str) -> Option<String> {
    closest(key, environment::GROUPS.into_iter().chain(OWN)).map(|meant| format!("did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests;
