//! Resolved configuration as dotted keys, each with the origin of its value.

use bench_core::record::Setting;
use serde_json::Value;

use crate::Request;

/// Every resolved value: `default`, `suite` or `flag`.
pub fn resolve(request: &Request) -> Vec<Setting> {
    let mut settings = Vec::new();
    let resolved = serde_json::to_value(&request.suite).unwrap_or(Value::Null);
    let written = toml::from_str::<toml::Value>(&request.suite_text)
        .ok()
        .and_then(|v| serde_json::to_value(v).ok())
        .unwrap_or(Value::Null);
    walk("", &resolved, Some(&written), request, &mut settings);
    let flag = |key: &str, value: String| Setting { key: key.into(), value, origin: "flag".into() };
    settings.push(Setting {
        key: "seed".into(),
        value: request.seed.to_string(),
        origin: if request.seed == 0 { "default" } else { "flag" }.into(),
    });
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

fn walk(prefix: &str, value: &Value, written: Option<&Value>, request: &Request, settings: &mut Vec<Setting>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                // Prose has its own place in the record.
                if prefix.is_empty() && ["essay", "citation", "title"].contains(&key.as_str()) {
                    continue;
                }
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                walk(&path, value, written.and_then(|w| w.get(key)), request, settings);
            }
        }
        Value::Null => {}
        other => {
            let by_flag = request.flags.iter().any(|f| prefix == f || prefix.starts_with(&format!("{f}.")));
            let origin = match (by_flag, written) {
                (true, _) => "flag",
                (false, Some(_)) => "suite",
                (false, None) => "default",
            };
            let value = match other {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            settings.push(Setting { key: prefix.to_owned(), value, origin: origin.to_owned() });
        }
    }
}
