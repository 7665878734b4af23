//! Resolved configuration as dotted keys, each with the origin of its value.

use bench_core::record::Setting;
use serde_json::Value;

use crate::Request;
use crate::layers::Given;

/// One resolved value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Dotted key.
    pub key: String,
    /// Value as text.
    pub value: String,
    /// `default`, `suite`, `preset`, `user file`, `environment` or `flag`.
    pub origin: &'static str,
    /// File and line, or variable.
    pub place: Option<String>,
}

/// Every resolved value for the record.
pub fn resolve(request: &Request) -> Vec<Setting> {
    let mut settings: Vec<Setting> = explain(request)
        .into_iter()
        .map(|r| Setting { key: r.key, value: r.value, origin: r.origin.to_owned() })
        .collect();
    let flag = |key: &str, value: String| Setting { key: key.into(), value, origin: "flag".into() };
    for embedding in &request.embeddings {
        settings.push(flag(&format!("embeddings.{}", embedding.name), embedding.path.display().to_string()));
    }
    for (key, path) in [("metadata", &request.metadata), ("folds", &request.folds)] {
        if let Some(path) = path {
            settings.push(flag(key, path.display().to_string()));
        }
    }
    settings
}

/// Every value of the suite and the seed, with the origin of each.
pub fn explain(request: &Request) -> Vec<Resolved> {
    let origins = Origins { flags: &request.flags, given: &request.given, text: "suite" };
    let resolved = serde_json::to_value(&request.suite).unwrap_or(Value::Null);
    let mut found = origins.of("", &resolved, &request.suite_text);
    // Prose has its own place in the record.
    found.retain(|r| !["essay", "citation", "title"].contains(&r.key.as_str()));
    found.push(origins.one("seed", request.seed.to_string(), false));
    found
}

/// Who may have set a value.
#[derive(Clone, Copy, Debug)]
pub struct Origins<'a> {
    /// Keys that flags set.
    pub flags: &'a [String],
    /// Keys that a user's file or variables set.
    pub given: &'a [Given],
    /// What the text is: `suite` or `preset`.
    pub text: &'static str,
}

impl Origins<'_> {
    /// Every leaf of a value, its keys behind `prefix`; `text` is the TOML that it was read from.
    pub fn of(&self, prefix: &str, value: &Value, text: &str) -> Vec<Resolved> {
        let written = toml::from_str::<toml::Value>(text).ok().and_then(|v| serde_json::to_value(v).ok());
        let mut found = Vec::new();
        self.walk(prefix, value, written.as_ref(), &mut found);
        found
    }

    /// One value; `written` says whether the text has it.
    pub fn one(&self, key: &str, value: String, written: bool) -> Resolved {
        let covers = |set: &str| key == set || key.strip_prefix(set).is_some_and(|rest| rest.starts_with('.'));
        if self.flags.iter().any(|flag| covers(flag)) {
            return Resolved { key: key.to_owned(), value, origin: "flag", place: None };
        }
        if let Some(given) = self.given.iter().rev().find(|given| covers(&given.key)) {
            let (origin, place) = (given.layer.word(), Some(given.layer.place()));
            return Resolved { key: key.to_owned(), value, origin, place };
        }
        Resolved { key: key.to_owned(), value, origin: if written { self.text } else { "default" }, place: None }
    }

    fn walk(&self, prefix: &str, value: &Value, written: Option<&Value>, found: &mut Vec<Resolved>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    self.walk(&path, value, written.and_then(|w| w.get(key)), found);
                }
            }
            Value::Null => {}
            other => {
                let text = match other {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                found.push(self.one(prefix, text, written.is_some()));
            }
        }
    }
}
