//! Parameters of a correction: given as text, checked once, written back in canonical form.

use bench_core::suggest;
use serde::Serialize;

use crate::Error;
use crate::correction::Parameter;

/// A parameter with its value, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Name.
    pub name: &'static str,
    /// Value.
    pub value: String,
    /// Whether it is the default.
    pub is_default: bool,
}

/// Reads the parameters of one correction.
pub(crate) struct Reader {
    step: &'static str,
    parameters: &'static [Parameter],
    given: Vec<(String, String)>,
    settings: Vec<Setting>,
}

impl Reader {
    /// Checks that every parameter given exists and is given once.
    pub(crate) fn new(
        step: &'static str,
        parameters: &'static [Parameter],
        given: Vec<(String, String)>,
    ) -> Result<Self, Error> {
        for (at, (name, value)) in given.iter().enumerate() {
            if !parameters.iter().any(|parameter| parameter.name == name) {
                let names: Vec<String> = parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
                return Err(Error::UnknownParameter {
                    step: step.to_owned(),
                    parameter: name.clone(),
                    suggestion: suggest::closest(name, parameters.iter().map(|p| p.name)).map(str::to_owned),
                    known: if names.is_empty() { "none".to_owned() } else { names.join(", ") },
                });
            }
            if given[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::Setting {
                    step: step.to_owned(),
                    key: name.clone(),
                    value: value.clone(),
                    why: "it is given twice".to_owned(),
                });
            }
        }
        Ok(Self { step, parameters, given, settings: Vec::new() })
    }

    /// All settings, in the order of the card.
    pub(crate) fn finish(self) -> Vec<Setting> {
        let at = |name: &str| self.parameters.iter().position(|parameter| parameter.name == name);
        let mut settings = self.settings;
        settings.sort_by_key(|setting| at(setting.name));
        debug_assert_eq!(settings.len(), self.parameters.len(), "every parameter of `{}` is read", self.step);
        settings
    }

    fn text(&self, name: &'static str) -> String {
        match self.given.iter().find(|(given, _)| given == name) {
            Some((_, value)) => value.clone(),
            None => self.default(name).to_owned(),
        }
    }

    fn default(&self, name: &'static str) -> &'static str {
        self.parameters.iter().find(|parameter| parameter.name == name).map_or("", |parameter| parameter.default)
    }

    fn store(&mut self, name: &'static str, value: String, canonical_default: &str) {
        self.settings.push(Setting { name, is_default: value == canonical_default, value });
    }

    fn refuse<T>(&self, name: &str, value: String, why: String) -> Result<T, Error> {
        Err(Error::Setting { step: self.step.to_owned(), key: name.to_owned(), value, why })
    }

    /// A number for which `accept` holds; `why` says what it must be.
    pub(crate) fn number(&mut self, name: &'static str, accept: impl Fn(f64) -> bool, why: &str) -> Result<f64, Error> {
        let text = self.text(name);
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && accept(value) => {
                let default = self.default(name).parse().map(canonical).unwrap_or_default();
                self.store(name, canonical(value), &default);
                Ok(value)
            }
            _ => self.refuse(name, text, why.to_owned()),
        }
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&mut self, name: &'static str, least: usize) -> Result<usize, Error> {
        let text = self.text(name);
        match text.parse::<usize>() {
            Ok(value) if value >= least => {
                let default = self.default(name).to_owned();
                self.store(name, value.to_string(), &default);
                Ok(value)
            }
            _ => self.refuse(name, text, format!("a whole number of at least {least}")),
        }
    }

    /// A whole number of at least `least`, or `auto`.
    pub(crate) fn whole_or_auto(&mut self, name: &'static str, least: usize) -> Result<Option<usize>, Error> {
        if self.text(name) == "auto" {
            let default = self.default(name).to_owned();
            self.store(name, "auto".to_owned(), &default);
            return Ok(None);
        }
        self.whole(name, least).map(Some)
    }

    /// A number for which `accept` holds, or `auto`.
    pub(crate) fn number_or_auto(
        &mut self,
        name: &'static str,
        accept: impl Fn(f64) -> bool,
        why: &str,
    ) -> Result<Option<f64>, Error> {
        if self.text(name) == "auto" {
            let default = self.default(name).to_owned();
            self.store(name, "auto".to_owned(), &default);
            return Ok(None);
        }
        self.number(name, accept, why).map(Some)
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> Result<T, Error> {
        let text = self.text(name);
        match words.iter().find(|(word, _)| *word == text) {
            Some((word, value)) => {
                let default = self.default(name).to_owned();
                self.store(name, (*word).to_owned(), &default);
                Ok(*value)
            }
            None => self.refuse(name, text, one_of(words)),
        }
    }

    /// Several words joined by `+`, each once, in the order given.
    pub(crate) fn list<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> Result<Vec<T>, Error> {
        let text = self.text(name);
        let mut values = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for part in text.split('+').map(str::trim) {
            match words.iter().find(|(word, _)| *word == part) {
                Some((word, _)) if seen.contains(word) => {
                    return self.refuse(name, text.clone(), format!("`{word}` is named twice"));
                }
                Some((word, value)) => {
                    seen.push(word);
                    values.push(*value);
                }
                None => return self.refuse(name, part.to_owned(), one_of(words)),
            }
        }
        let default = self.default(name).to_owned();
        self.store(name, seen.join("+"), &default);
        Ok(values)
    }
}

fn one_of<T>(words: &[(&'static str, T)]) -> String {
    let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    format!("one of {}", words.join(", "))
}

/// A number in its shortest form that reads back as the same number.
fn canonical(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
