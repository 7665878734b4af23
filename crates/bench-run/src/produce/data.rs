//! Simulated plates.

use std::path::Path;

use super::{failed, make_folder};
use crate::{Error, Progress};
use bench_images::simulate::{Dials, Format, SimulationConfig, SimulationReport, Simulator, write};

/// What stands behind one word: the dials of everything that a source, batch, plate or well does.
const GROUPS: [(&str, &[&str]); 4] = [
    ("source", &["blur", "gain", "offset", "noise", "illumination", "bleed-through", "bit-depth", "confluency"]),
    ("batch", &["staining"]),
    ("plate", &["focus", "edge"]),
    ("well", &["position"]),
];

/// Every dial and its strength, in order.
pub fn dials(config: &SimulationConfig) -> Vec<(String, f64)> {
    let value = serde_json::to_value(&config.dials).unwrap_or_default();
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, strength)| (name.clone(), strength.as_f64().unwrap_or_default())).collect()
}

/// Sets a dial, or all dials of `source`, `batch`, `plate` or `well`.
///
/// # Errors
/// No such dial, or not a strength.
pub fn set_dial(config: &mut SimulationConfig, text: &str) -> Result<(), Error> {
    let mut all: serde_json::Map<String, serde_json::Value> =
        dials(config).into_iter().map(|(name, strength)| (name, strength.into())).collect();
    let refuse = |message: String, hint: String| Error::Usage { message, hint: Some(hint) };
    let strength = |text: &str| text.parse::<f64>().ok().filter(|x| (0.0..=5.0).contains(x));
    let Some((name, Some(strength))) = text.split_once('=').map(|(name, value)| (name, strength(value))) else {
        return Err(refuse(format!("cannot read `--dial {text}`"), "write NAME=X with X from 0 to 5".into()));
    };
    // Dials may be named with the group that they belong to: `source.gain`.
    let group = name.split_once('.').map_or(name, |(group, _)| group);
    let members = GROUPS.iter().find(|(known, _)| *known == group).map(|(_, members)| *members);
    let plain = name.split_once('.').map_or(name, |(_, dial)| dial);
    let chosen: Vec<&str> = match members {
        Some(members) if group == name => members.to_vec(),
        Some(members) => members.iter().copied().filter(|member| *member == plain).collect(),
        None => all.contains_key(name).then_some(name).into_iter().collect(),
    };
    if chosen.is_empty() {
        let known: Vec<&str> =
            GROUPS.iter().flat_map(|(group, members)| [*group].into_iter().chain(members.iter().copied())).collect();
        let meant = bench_core::suggest::closest(plain, known.iter().copied());
        let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        return Err(refuse(format!("no dial is called `{name}`"), format!("{meant}dials are {}", known.join(", "))));
    }
    for name in chosen {
        all.insert(name.to_owned(), strength.into());
    }
    config.dials = serde_json::from_value(all.into()).map_err(failed("set a dial"))?;
    Ok(())
}

/// Sets every dial to one strength.
pub fn set_dials(config: &mut SimulationConfig, strength: f64) {
    config.dials = Dials::all(strength);
}

/// Chooses how plates are written: `packed` or `folder`.
///
/// # Errors
/// Another word.
pub fn set_format(config: &mut SimulationConfig, text: &str) -> Result<(), Error> {
    config.format = match text {
        "packed" => Format::Packed,
        "folder" => Format::Folder,
        other => {
            return Err(Error::Usage {
                message: format!("plates cannot be written as `{other}`"),
                hint: Some("formats are packed and folder".into()),
            });
        }
    };
    Ok(())
}

/// Simulates plates into a folder; whole plates that are there are kept.
///
/// # Errors
/// Settings out of range, a folder of something else, output errors.
pub fn simulate(config: &SimulationConfig, out: &Path, progress: &dyn Progress) -> Result<SimulationReport, Error> {
    let simulator = Simulator::new(config.clone()).map_err(failed("plan the plates"))?;
    make_folder(out)?;
    progress.step(1, 1, "simulate plates");
    write(&simulator, out, &|done, total| progress.tick(done, total)).map_err(failed("simulate plates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_are_set_by_name_and_by_group() {
        let mut config = SimulationConfig::tiny();
        set_dials(&mut config, 0.0);
        assert!(dials(&config).iter().all(|(_, strength)| *strength == 0.0));
        for text in ["gain=1", "plate=0.25", "source.bleed-through=2"] {
            set_dial(&mut config, text).expect("a dial");
        }
        let of = |name: &str| dials(&config).into_iter().find(|(known, _)| known == name).map(|(_, strength)| strength);
        assert_eq!([of("gain"), of("focus"), of("edge"), of("bleed-through")], [1.0, 0.25, 0.25, 2.0].map(Some));
        assert_eq!(of("staining"), Some(0.0));
        for (text, word) in
            [("gian=1", "gain"), ("gain", "NAME=X"), ("gain=9", "0 to 5"), ("batch.gain=1", "dials are")]
        {
            let error = set_dial(&mut config, text).expect_err(text);
            assert!(error.hint().is_some_and(|hint| hint.contains(word)), "{text}: {:?}", error.hint());
        }
        let grouped: usize = GROUPS.iter().map(|(_, members)| members.len()).sum();
        assert_eq!(grouped, dials(&config).len(), "every dial has a group");
    }
}
