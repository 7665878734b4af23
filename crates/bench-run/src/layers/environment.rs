//! Variables that start with `BENCH_`.

use bench_core::suggest::closest;

use super::OWN;
use super::overlay::Leaf;
use crate::Error;

/// How the variables start.
pub const PREFIX: &str = "BENCH_";

/// Variables of that form that are read elsewhere: by the build.
const OTHERS: [&str; 2] = ["BENCH_COMMIT", "BENCH_DIRTY"];

/// Groups of settings, without which a variable is not one of this program.
pub(super) const GROUPS: [&str; 16] = [
    "batch-probes",
    "columns",
    "controls",
    "corrections",
    "data",
    "embedding-metrics",
    "control-curve",
    "features",
    "gates",
    "metrics",
    "preset",
    "probes",
    "projection",
    "select",
    "splits",
    "uncertainty",
];

/// The variable of a key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

/// The settings among the variables, by name, so that their order does not matter.
pub(super) fn leaves(variables: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Leaf>, Error> {
    let mut found: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty() && !OTHERS.contains(&name.as_str()))
        .collect();
    found.sort();
    found.into_iter().map(|(name, value)| leaf(&name, &value)).collect()
}

fn leaf(name: &str, value: &str) -> Result<Leaf, Error> {
    let path: Vec<String> =
        name[PREFIX.len()..].split("__").map(|part| part.to_lowercase().replace('_', "-")).collect();
    let known = match &path[..] {
        [one] => OWN.contains(&one.as_str()) || GROUPS.contains(&one.as_str()),
        [group, ..] => GROUPS.contains(&group.as_str()),
        [] => false,
    };
    if known {
        return Ok(Leaf::from_variable(name, path, value));
    }
    let candidates: Vec<String> = GROUPS.into_iter().chain(OWN).map(variable).collect();
    let single = format!("{PREFIX}{}", path[0].to_uppercase().replace('-', "_"));
    let meant =
        closest(&single, candidates.iter().map(String::as_str)).map(|meant| format!("did you mean `{meant}`? "));
    Err(Error::Usage {
        message: format!("variable `{name}` is no setting of bench"),
        hint: Some(format!(
            "{}a key `a.b-c` is the variable `{}`; `bench config show` prints all keys",
            meant.unwrap_or_default(),
            variable("a.b-c")
        )),
    })
}
