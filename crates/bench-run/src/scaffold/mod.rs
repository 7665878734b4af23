//! The first lines of a new metric, split, control, correction, loss, suite or preset.
//!
//! # What
//! A file with its card, an implementation that says that it is not written, and a test that fails until it is; and
//! the lines that register it. Templates are compiled and tested with the crate that they are for, where their test is
//! expected to fail: a template that no longer fits its trait breaks the build.
//!
//! # Where it fits
//! `bench new`.

use std::path::{Path, PathBuf};

use bench_core::atomic;

use crate::Error;

mod edit;

use edit::Edit;

/// What can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A metric of predictions.
    Metric,
    /// A metric of the embeddings themselves.
    EmbeddingMetric,
    /// A split rule.
    Split,
    /// A control embedding.
    Control,
    /// A correction.
    Correction,
    /// A loss.
    Loss,
    /// A suite.
    Suite,
    /// A preset.
    Preset,
}

/// All kinds by name.
pub const KINDS: [(&str, Kind); 8] = [
    ("metric", Kind::Metric),
    ("embedding-metric", Kind::EmbeddingMetric),
    ("split", Kind::Split),
    ("control", Kind::Control),
    ("correction", Kind::Correction),
    ("loss", Kind::Loss),
    ("suite", Kind::Suite),
    ("preset", Kind::Preset),
];

/// What was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The new file.
    pub file: PathBuf,
    /// Lines that register it: file, place in words, line.
    pub lines: Vec<(PathBuf, String, String)>,
    /// Whether these lines were written.
    pub registered: bool,
    /// What to do next.
    pub next: String,
}

/// Words that are no names of modules.
const KEYWORDS: [&str; 20] = [
    "as", "box", "break", "const", "crate", "do", "else", "enum", "fn", "for", "if", "impl", "in", "loop", "match",
    "mod", "move", "type", "use", "while",
];

struct Names<'a> {
    id: &'a str,
    module: String,
    name: String,
    title: String,
}

impl<'a> Names<'a> {
    fn of(id: &'a str) -> Result<Self, Error> {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let module = id.replace('-', "_");
        let plain = id.split('-').all(part) && id.starts_with(|c: char| c.is_ascii_lowercase()) && id.len() <= 60;
        if !plain || KEYWORDS.contains(&module.as_str()) {
            return Err(Error::Usage {
                message: format!("`{id}` is no id"),
                hint: Some("an id has lower-case letters and digits, joined by hyphens, e.g. `my-metric`".into()),
            });
        }
        let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
        let name = id.split('-').map(capital).collect();
        let title = capital(&id.replace('-', " "));
        Ok(Names { id, module, name, title })
    }

    /// A template with the names put in, without the marks that make it pass where it is compiled.
    fn fill(&self, template: &str) -> String {
        let lines = template.lines().filter(|line| !line.trim_end().ends_with("// scaffold"));
        lines
            .map(|line| {
                line.replace("template-id", self.id)
                    .replace("TemplateId", &self.name)
                    .replace("Template title", &self.title)
                    .replace("template_id", &self.module)
                    + "\n"
            })
            .collect()
    }
}

/// Starts something: writes its file and, if asked to, registers it.
///
/// # Errors
/// An id that is none or is taken, a folder that is no checkout, a file that is there already.
pub fn start(kind: Kind, id: &str, folder: &Path, register: bool) -> Result<Started, Error> {
    let names = Names::of(id)?;
    if taken(kind, id) {
        let (word, _) = KINDS.into_iter().find(|(_, known)| *known == kind).unwrap_or(("kind", kind));
        return Err(Error::Usage {
            message: format!("there is a {word} `{id}` already"),
            hint: Some(format!("`bench show {id}` prints it; choose another id")),
        });
    }
    let (file, text, edits, next) = plan(kind, &names);
    let file = folder.join(file);
    if matches!(kind, Kind::Suite | Kind::Preset) {
        write_new(&file, &text)?;
        return Ok(Started { file, lines: vec![], registered: false, next });
    }
    let mut done = Vec::new();
    for edit in &edits {
        let path = folder.join(edit.file);
        let old = std::fs::read_to_string(&path).map_err(|_| Error::Usage {
            message: format!("`{}` is not there, so nothing can be registered", path.display()),
            hint: Some("run it in a checkout of the program, or name one with `--dir`".into()),
        })?;
        // Several edits of a file build on each other.
        let old =
            done.iter().rev().find(|(p, _): &&(PathBuf, String)| *p == path).map_or(old, |(_, text)| text.clone());
        let new = edit.apply(&old).ok_or_else(|| Error::Usage {
            message: format!("`{}` has no place {}", path.display(), edit.place()),
            hint: Some("the checkout is of another version than this program".into()),
        })?;
        done.push((path, new));
    }
    write_new(&file, &text)?;
    if register {
        for (path, text) in &done {
            atomic::write(path, text.as_bytes()).map_err(|source| Error::Write { path: path.clone(), source })?;
        }
    }
    let lines = edits.iter().map(|edit| (PathBuf::from(edit.file), edit.place(), edit.line.clone())).collect();
    Ok(Started { file, lines, registered: register, next })
}

fn write_new(file: &Path, text: &str) -> Result<(), Error> {
    if file.exists() {
        return Err(Error::Usage {
            message: format!("`{}` is there already", file.display()),
            hint: Some("choose another id, or remove the file".into()),
        });
    }
    atomic::write(file, text.as_bytes()).map_err(|source| Error::Write { path: file.to_owned(), source })
}

/// Whether something of this kind has the id.
fn taken(kind: Kind, id: &str) -> bool {
    match kind {
        Kind::Metric => bench_eval::metric::card(id).is_ok(),
        Kind::Split => bench_eval::split::find(id, &[]).is_ok(),
        Kind::Control => bench_eval::control::lookup(id).is_ok(),
        Kind::Suite => crate::suite::embedded::text(id).is_some(),
        Kind::EmbeddingMetric => bench_eval::embedding::lookup(id).is_ok(),
        Kind::Correction => bench_correct::registry::lookup(id).is_ok(),
        #[cfg(feature = "train")]
        Kind::Loss => bench_models::losses::lookup(id).is_ok(),
        #[cfg(feature = "train")]
        Kind::Preset => crate::produce::EMBEDDED.iter().any(|(known, _)| *known == id),
        #[cfg(not(feature = "train"))]
        Kind::Loss | Kind::Preset => false,
    }
}

/// File, text, registrations, and what to do next.
fn plan(kind: Kind, names: &Names<'_>) -> (String, String, Vec<Edit>, String) {
    let Names { id, module, name, .. } = names;
    let test = |krate: &str| format!("cargo test -p {krate} {module}  # fails until it is written");
    match kind {
        Kind::Metric => {
            let file = "crates/bench-eval/src/metric/mod.rs";
            let arm = format!("        \"{id}\" => Box::new({module}::{name}),");
            let edits = vec![
                Edit::module(file, module),
                Edit::item(file, "pub static CARDS", format!("    &{module}::CARD,")),
                Edit::before(file, "        other => match top_n::parse(other) {", arm),
            ];
            let path = format!("crates/bench-eval/src/metric/{module}.rs");
            (path, names.fill(include_str!("templates/metric.rs")), edits, test("bench-eval"))
        }
        Kind::EmbeddingMetric => {
            let file = "crates/bench-eval/src/embedding/batch/mod.rs";
            let item = Edit::item(file, "pub static METRICS", format!("    &{module}::{name},"));
            let path = format!("crates/bench-eval/src/embedding/batch/{module}.rs");
            let text = names.fill(include_str!("templates/embedding_metric.rs"));
            (path, text, vec![Edit::module(file, module), item], test("bench-eval"))
        }
        Kind::Split => {
            let file = "crates/bench-eval/src/split/mod.rs";
            let item = Edit::item(file, "pub static RULES", format!("    &{module}::{name},"));
            let path = format!("crates/bench-eval/src/split/{module}.rs");
            let text = names.fill(include_str!("templates/split.rs"));
            (path, text, vec![Edit::module(file, module), item], test("bench-eval"))
        }
        Kind::Control => {
            let file = "crates/bench-eval/src/control/mod.rs";
            let item = Edit::item(file, "pub static CONTROLS", format!("    &{module}::{name},"));
            let path = format!("crates/bench-eval/src/control/{module}.rs");
            let text = names.fill(include_str!("templates/control.rs"));
            (path, text, vec![Edit::module(file, module), item], test("bench-eval"))
        }
        Kind::Correction => {
            let edits = vec![
                Edit::private_module("crates/bench-correct/src/lib.rs", module),
                Edit::item("crates/bench-correct/src/registry.rs", "pub static KINDS", format!("    {module},")),
            ];
            let path = format!("crates/bench-correct/src/{module}.rs");
            (path, names.fill(include_str!("templates/correction.rs")), edits, test("bench-correct"))
        }
        Kind::Loss => {
            let file = "crates/bench-models/src/losses/mod.rs";
            let entry = format!("    Entry {{ card: &{module}::CARD, build: {module}::build }},");
            let edits = vec![Edit::module(file, module), Edit::item(file, "pub static LOSSES", entry)];
            let path = format!("crates/bench-models/src/losses/{module}.rs");
            (path, names.fill(include_str!("templates/loss.rs")), edits, test("bench-models"))
        }
        Kind::Suite => {
            let text = names.fill(include_str!("templates/suite.toml"));
            let next = format!("bench score --suite {id}.toml --embeddings TABLE");
            (format!("{id}.toml"), text, vec![], next)
        }
        Kind::Preset => {
            let text = names.fill(include_str!("templates/preset.toml"));
            let next = format!("bench run --suite target2 --preset {id}.toml");
            (format!("{id}.toml"), text, vec![], next)
        }
    }
}

#[cfg(test)]
mod tests;
