//! Presets of metrics over a suite: what a package or paper measures, in its dialects, as one setting.
//!
//! # What
//! [`apply`] turns `scib`, `arevalo2024` or `jump-models:defects` into the keys of a suite: the metrics of the preset,
//! its totals, the corrections that come before it, and for `jump-models` its splits and classifiers.
//!
//! # Formula
//! `ID` or `ID:defects`, several joined by commas: their metrics and corrections are joined. A preset without corrections
//! beside one with some asks for the embedding as it is, too.
//!
//! # What it cannot show
//! What a peer computes from other things than embeddings; `bench show ID` says what that is.
//!
//! # Where it fits
//! The command line applies it before its other flags, which therefore win.

use bench_eval::embedding::frame::preset::{self, Preset};

use crate::Error;
use crate::corrections::NONE;
use crate::suite::Suite;

/// Suffix that asks for a peer's named defects.
const DEFECTS: &str = "defects";

/// Applies presets to a suite; returns the keys that were set.
///
/// # Errors
/// An unknown preset or suffix, or defects of a preset that has none.
pub fn apply(suite: &mut Suite, texts: &[String]) -> Result<Vec<String>, Error> {
    let chosen: Vec<(&Preset, bool)> = texts.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
    let mut set = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    let mut chains: Vec<String> = Vec::new();
    for (preset, with_defects) in &chosen {
        let chain = if *with_defects { preset.defects } else { preset.chain };
        // The reference code scores raw and corrected embeddings side by side.
        let raw = (preset.classifiers || chain.is_none()).then_some(NONE);
        for chain in raw.into_iter().chain(chain) {
            if !chains.iter().any(|known| known == chain) {
                chains.push(chain.to_owned());
            }
        }
        for id in preset.metrics() {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        if preset.classifiers {
            classifiers(suite);
            let keys = ["splits.paper", "splits.strict", "splits.missing-columns", "probes", "metrics"];
            set.extend(keys.map(str::to_owned));
        }
    }
    suite.corrections = chains;
    set.push("corrections".to_owned());
    if !ids.is_empty() {
        suite.embedding_metrics.enabled = true;
        suite.embedding_metrics.ids = ids;
        suite.embedding_metrics.presets = chosen.iter().map(|(preset, _)| preset.id.to_owned()).collect();
        set.push("embedding-metrics".to_owned());
    }
    Ok(set)
}

/// Splits, classifiers and metrics of the reference code of the paper.
fn classifiers(suite: &mut Suite) {
    let paper = ["random", "not-same-well", "not-same-plate", "not-same-batch", "not-same-source"];
    suite.splits.paper = paper.map(str::to_owned).to_vec();
    suite.splits.strict.clear();
    suite.splits.repeats = 5;
    suite.splits.test_fraction = 0.2;
    // Its code prints the error of a split that cannot be made and goes on; here the report says so.
    suite.splits.missing_columns = "skip".into();
    suite.probes = crate::suite::Probes::default();
    suite.metrics = bench_eval::metric::DEFAULT_IDS.map(String::from).to_vec();
}

/// The preset of a text, and whether its defects are asked for.
fn read(text: &str) -> Result<(&'static Preset, bool), Error> {
    let (id, suffix) = text.split_once(':').map_or((text, None), |(id, suffix)| (id, Some(suffix)));
    let preset = preset::lookup(id.trim())?;
    match suffix.map(str::trim) {
        None => Ok((preset, false)),
        Some(DEFECTS) if preset.defects.is_some() => Ok((preset, true)),
        Some(DEFECTS) => Err(Error::Usage {
            message: format!("the preset `{id}` has no defects to reproduce"),
            hint: Some("only jump-models has: `jump-models:defects`".into()),
        }),
        Some(other) => Err(Error::Usage {
            message: format!("cannot read the preset `{text}`: `{other}` is no suffix"),
            hint: Some("write `ID`, or `jump-models:defects`".into()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(presets: &[&str]) -> Result<Suite, Error> {
        let mut suite = Suite::load("generic")?.0;
        apply(&mut suite, &presets.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())?;
        crate::suite::check(&suite).expect("a preset leaves a suite valid");
        Ok(suite)
    }

    #[test]
    fn every_preset_makes_a_suite_whose_metrics_and_chains_exist() {
        for preset in &preset::PRESETS {
            let suite = suite(&[preset.id]).unwrap();
            assert!(!crate::corrections::parse(&suite.corrections).unwrap().is_empty());
            let measured = crate::embedding::chosen(&suite.embedding_metrics).unwrap();
            assert_eq!(suite.embedding_metrics.enabled, preset.metrics().next().is_some(), "{}", preset.id);
            assert!(preset.metrics().all(|id| measured.iter().any(|metric| metric.card().card.id == id)));
        }
    }

    #[test]
    fn presets_are_joined_and_defects_are_asked_for_by_name() {
        let joined = suite(&["scib", "arevalo2024"]).unwrap();
        assert_eq!(joined.corrections, ["none", "arevalo2024"]);
        assert!(joined.embedding_metrics.ids.iter().any(|id| id == "arevalo-ilisi-graph"));
        assert_eq!(suite(&["arevalo2024"]).unwrap().corrections, ["arevalo2024"]);
        assert_eq!(suite(&["jump-models"]).unwrap().corrections, ["none", "jump-models"]);
        let defective = suite(&["jump-models:defects"]).unwrap();
        assert_eq!(defective.corrections, ["none", "jump-models-as-run"]);
        assert!(defective.splits.strict.is_empty() && !defective.splits.paper.is_empty());
        assert!(!defective.probes.logreg_standardise.iter().any(|protocol| protocol == "paper"));
        let message = |id: &str| suite(&[id]).unwrap_err().to_string();
        assert!(message("scib:defects").contains("no defects"));
        assert!(message("scib:bugs").contains("`bugs` is no suffix"));
        assert!(message("copair").contains("copair"));
    }
}
