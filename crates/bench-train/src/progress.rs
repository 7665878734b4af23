//! Where a training stands: what, beside the tensors, makes a checkpoint resumable.
//!
//! Every random choice is seeded by (run seed, purpose, epoch or step), so three counters are the
//! whole position of the random stream. Sums of an unfinished epoch are kept as they are, because
//! adding in another order would change last digits.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::observer::EpochRecord;
use crate::{Error, Result};

/// Version of the layout of a checkpoint.
pub(crate) const FORMAT: u32 = 1;

/// The epoch with the least loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from zero.
    pub epoch: usize,
    /// Its validation loss, or its training loss where nothing is held out.
    pub loss: f64,
}

/// Position and history of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Epoch that is under way, or comes next.
    pub epoch: usize,
    /// Its next minibatch.
    pub batch: usize,
    /// Steps since the beginning, skipped ones too.
    pub step: u64,
    /// Sum of the losses of the epoch that is under way.
    pub loss_sum: f64,
    /// What is known of that epoch.
    pub current: EpochRecord,
    /// Epochs that are done.
    pub history: Vec<EpochRecord>,
    /// The best of them.
    pub best: Option<Best>,
    /// Whether patience ran out.
    pub stopped_early: bool,
}

/// What a checkpoint holds beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// [`FORMAT`].
    pub format: u32,
    /// Configuration and digests: what must be equal for a training to be resumed.
    pub identity: Value,
    /// Where it stands.
    pub progress: Progress,
}

impl State {
    /// From the JSON of a checkpoint.
    pub(crate) fn parse(state: &Value, path: &Path) -> Result<State> {
        let damaged = |problem: String| Error::CheckpointDamaged { path: path.to_owned(), problem };
        let format = state.get("format").and_then(Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            let found = format.map_or("none".to_owned(), |format| format.to_string());
            return Err(damaged(format!("its format is `{found}`, this version reads `{FORMAT}`")));
        }
        State::deserialize(state).map_err(|error| damaged(error.to_string()))
    }

    /// Refuses a checkpoint of another configuration, model or data set.
    pub(crate) fn expect(&self, identity: &Value, path: &Path) -> Result<()> {
        let mut differences = vec![];
        compare("", &self.identity, identity, &mut differences);
        if differences.is_empty() {
            return Ok(());
        }
        let more = differences.len().saturating_sub(SHOWN);
        differences.truncate(SHOWN);
        let mut difference = differences.join(", ");
        if more > 0 {
            difference += &format!(", and {more} more");
        }
        Err(Error::CheckpointMismatch { path: path.to_owned(), difference })
    }
}

/// Differences that a message lists.
const SHOWN: usize = 4;

/// Collects the paths at which two JSON values differ, in order.
fn compare(path: &str, saved: &Value, given: &Value, differences: &mut Vec<String>) {
    if saved == given {
        return;
    }
    match (saved, given) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&path, &side(a), &side(b), differences);
            }
        }
        _ => differences.push(format!("`{path}` is `{saved}` there and `{given}` here")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_with_both_values() {
        let state = State {
            format: FORMAT,
            identity: json!({"config": {"seed": 1, "optimiser": {"lr": 0.001}}, "data": "ab"}),
            progress: Progress::default(),
        };
        let path = Path::new("last.safetensors");
        state.expect(&json!({"data": "ab", "config": {"optimiser": {"lr": 0.001}, "seed": 1}}), path).unwrap();
        let other = json!({"config": {"seed": 1, "optimiser": {"lr": 0.0003}, "chunk": 4}, "data": "ab"});
        let message = state.expect(&other, path).unwrap_err().to_string();
        assert!(message.contains("`config.optimiser.lr` is `0.001` there and `0.0003` here"), "{message}");
        assert!(message.contains("`config.chunk` is `null` there and `4` here"), "{message}");
    }

    #[test]
    fn another_format_is_refused_by_number() {
        let message = State::parse(&json!({"format": 9}), Path::new("x")).unwrap_err().to_string();
        assert!(message.contains("its format is `9`, this version reads `1`"), "{message}");
    }
}
