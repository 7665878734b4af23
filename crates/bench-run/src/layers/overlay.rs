//! One value of a layer: where it goes, and what is said when it does not fit.

use std::path::Path;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{Given, IDENTITY, Layer, OWN, meant};
use crate::Error;
use crate::suite::explain;

/// A value and its dotted key.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Parts of the key.
    path: Vec<String>,
    value: Held,
    layer: Layer,
}

/// What a layer holds.
#[derive(Clone, Debug)]
enum Held {
    /// A value with a type.
    Typed(Value),
    /// Words whose type is that of the setting.
    Words(String),
}

/// Every leaf of a file, in its order.
pub(super) fn leaves(table: &Table, text: &str, file: &Path) -> Vec<Leaf> {
    fn walk(prefix: &[String], table: &Table, text: &str, file: &Path, out: &mut Vec<Leaf>) {
        for (key, value) in table {
            let path: Vec<String> = prefix.iter().cloned().chain([key.clone()]).collect();
            match value {
                Value::Table(inner) => walk(&path, inner, text, file, out),
                value => {
                    let layer = Layer::File(file.to_owned(), line_of(text, &path));
                    out.push(Leaf { path, value: Held::Typed(value.clone()), layer });
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(&[], table, text, file, &mut out);
    out
}

/// The line of a key: the first that sets its last part, below the header of its table where there is one.
fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let (last, tables) = path.split_last()?;
    let sets = |line: &str, key: &str| {
        let line = line.trim_start();
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let lines = || text.lines().enumerate();
    // `[a.b]` above `c =`, then `[a]` above `b.c =`, then `a.b.c =` at the top.
    (0..=tables.len()).rev().find_map(|depth| {
        let header = format!("[{}]", tables[..depth].join("."));
        let key = tables[depth..].iter().chain([last]).cloned().collect::<Vec<_>>().join(".");
        let start = match depth {
            0 => 0,
            _ => lines().find(|(_, line)| line.trim() == header)?.0 + 1,
        };
        let mut below = lines().skip(start).take_while(|(at, line)| *at < start || !line.trim_start().starts_with('['));
        below.find(|(_, line)| sets(line, &key)).map(|(at, _)| at + 1)
    })
}

impl Leaf {
    pub(super) fn from_variable(name: &str, path: Vec<String>, words: &str) -> Self {
        Leaf { path, value: Held::Words(words.to_owned()), layer: Layer::Environment(name.to_owned()) }
    }

    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    pub(super) fn is_preset(&self) -> bool {
        self.path[0] == "preset"
    }

    pub(super) fn is_own(&self) -> bool {
        self.path.len() == 1 && OWN.contains(&self.path[0].as_str())
    }

    pub(super) fn given(&self) -> Given {
        Given { key: self.key(), layer: self.layer.clone() }
    }

    /// The value in words.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Held::Words(words) | Held::Typed(Value::String(words)) => words.clone(),
            Held::Typed(value) => value.to_string(),
        }
    }

    /// Refuses keys that no layer may set.
    pub(super) fn check(&self) -> Result<(), Error> {
        // A suite's id and a preset's are what they are.
        let at = usize::from(self.is_preset());
        match self.path.get(at) {
            None => Err(self.wrong("name a key of the preset, such as `preset.embedding-batch`")),
            Some(key) if self.path.len() == at + 1 && IDENTITY.contains(&key.as_str()) => {
                let whose = if at == 1 { "preset" } else { "suite" };
                Err(self.wrong(&format!("`{key}` says what the {whose} is and cannot be set from outside")))
            }
            Some(_) => Ok(()),
        }
    }

    /// Sets the value in a table; `current` is what the table stands for, with all defaults.
    pub(super) fn put(&self, table: &mut Table, current: &Json) -> Result<(), Error> {
        let path = &self.path[usize::from(self.is_preset())..];
        let Some((last, outer)) = path.split_last() else { return Ok(()) };
        let (mut at, mut known) = (table, Some(current));
        for part in outer {
            known = known.and_then(|known| known.get(part));
            let entry = at.entry(part.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            at = entry.as_table_mut().ok_or_else(|| self.wrong("it is no table"))?;
        }
        let known = known.and_then(|known| known.get(last));
        let value = match &self.value {
            Held::Typed(value) => value.clone(),
            Held::Words(words) => self.typed(words, known)?,
        };
        at.insert(last.clone(), value);
        Ok(())
    }

    /// Words as the type of the setting that they are for.
    fn typed(&self, words: &str, known: Option<&Json>) -> Result<Value, Error> {
        let parsed = || toml::from_str::<Table>(&format!("x = {words}")).ok().and_then(|mut table| table.remove("x"));
        match known {
            Some(Json::String(_)) => Ok(Value::String(words.to_owned())),
            Some(Json::Array(_)) if words.trim_start().starts_with('[') => {
                parsed().ok_or_else(|| self.wrong(&format!("`{words}` is no list")))
            }
            Some(Json::Array(items)) => {
                let numbers = items.first().is_some_and(Json::is_number);
                let item = |word: &str| {
                    let number = word.parse::<i64>().map(Value::Integer).or(word.parse::<f64>().map(Value::Float));
                    match number {
                        Ok(number) if numbers => number,
                        _ => Value::String(word.to_owned()),
                    }
                };
                Ok(Value::Array(words.split(',').map(|word| item(word.trim())).collect()))
            }
            Some(Json::Bool(_)) => match words {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => Err(self.wrong(&format!("`{words}` is neither true nor false"))),
            },
            Some(Json::Number(_)) => parsed()
                .filter(|value| value.is_integer() || value.is_float())
                .ok_or_else(|| self.wrong(&format!("`{words}` is no number"))),
            _ => Ok(parsed().unwrap_or_else(|| Value::String(words.to_owned()))),
        }
    }

    /// What is wrong with it.
    pub(super) fn wrong(&self, why: &str) -> Error {
        let (place, line) = match &self.layer {
            Layer::File(path, line) => (path.display().to_string(), *line),
            Layer::Environment(name) => (format!("variable `{name}`"), None),
        };
        Error::SuiteText { place, line, message: format!("{}: {why}", self.key()), suggestion: None }
    }

    /// Why it could not be read as what it is for.
    pub(super) fn refused(&self, error: &toml::de::Error) -> Error {
        let top = &self.path[0];
        match explain("", "", error) {
            Error::SuiteText { message, suggestion, .. } => {
                let suggestion = match message.contains(&format!("unknown key `{top}`")) {
                    true => meant(top).or(suggestion),
                    false => suggestion,
                };
                match self.wrong(&message) {
                    Error::SuiteText { place, line, message, .. } => {
                        Error::SuiteText { place, line, message, suggestion }
                    }
                    other => other,
                }
            }
            other => other,
        }
    }
}
