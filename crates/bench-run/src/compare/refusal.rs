//! Why two runs cannot be compared, and what should be known where they can.
//!
//! Scores of another suite, or of another version of it, mean something else; runs with other splits were
//! tested on other wells, and their difference would be that of the wells. Both are refused.

use std::collections::BTreeSet;

use bench_core::record::{GateRule, TestedSplit};

use super::Side;

/// Why `base` and `head` cannot be compared, and a hint; nothing if they can.
pub fn refuse(base: &Side, head: &Side) -> Option<(String, String)> {
    let (a, b) = (&base.run, &head.run);
    if a.suite.id != b.suite.id {
        return Some((
            format!("they ran other suites, `{}` and `{}`", a.suite.id, b.suite.id),
            "give two runs of one suite".into(),
        ));
    }
    if a.suite.version != b.suite.version {
        return Some((
            format!(
                "they ran versions {} and {} of `{}`, whose scores differ in meaning",
                a.suite.version, b.suite.version, a.suite.id
            ),
            "run the baseline again with the version of the head".into(),
        ));
    }
    if a.seed != b.seed {
        return Some((
            format!("their splits were drawn with other seeds, {} and {}", a.seed, b.seed),
            format!("run both with `--seed {}`", a.seed),
        ));
    }
    if a.splits_digest == b.splits_digest && !a.splits_digest.is_empty() {
        return None;
    }
    // Runs with more or fewer splits share those that are the same to the last row.
    let why = gated(&b.gates.rules).into_iter().find_map(|(protocol, split)| {
        let (old, new) = (test(base, protocol, split)?, test(head, protocol, split)?);
        differ(base, old, head, new)
    })?;
    Some((
        format!("their splits differ: {why}"),
        "both runs need the same rows, labels, splits and `--seed`; another data set or row filter is another benchmark".into(),
    ))
}

/// Splits that the gates need, each once.
fn gated(rules: &[GateRule]) -> BTreeSet<(&str, &str)> {
    let both = rules.iter().flat_map(|rule| [(&rule.protocol, &rule.split), (&rule.protocol, &rule.baseline)]);
    both.filter(|(_, split)| !split.is_empty()).map(|(protocol, split)| (protocol.as_str(), split.as_str())).collect()
}

fn test<'a>(side: &'a Side, protocol: &str, split: &str) -> Option<&'a TestedSplit> {
    side.run.outcomes.tests.iter().find(|test| test.protocol == protocol && test.split == split)
}

/// How two splits of one name differ, if they do.
fn differ(base: &Side, old: &TestedSplit, head: &Side, new: &TestedSplit) -> Option<String> {
    let place = format!("`{}` ({})", new.split, new.protocol);
    if old.repeats.len() != new.repeats.len() {
        return Some(format!(
            "{place} has {} repeats in one and {} in the other",
            old.repeats.len(),
            new.repeats.len()
        ));
    }
    let wells = |side: &Side, test: &TestedSplit| -> BTreeSet<String> {
        let units = test.repeats.iter().flat_map(|repeat| &repeat.unit);
        units.map(|unit| side.run.outcomes.units[*unit as usize].clone()).collect()
    };
    let (a, b) = (wells(base, old), wells(head, new));
    if let Some(first) = a.symmetric_difference(&b).next() {
        let n = a.symmetric_difference(&b).count();
        return Some(format!("{n} of the units that {place} tests are in one run only, such as `{first}`"));
    }
    if !old.digest.is_empty() && !new.digest.is_empty() {
        return (old.digest != new.digest).then(|| {
            format!("{place} tests the same units, but rows, labels, training rows or repeats are not the same")
        });
    }
    let named = |side: &Side, test: &TestedSplit| -> Vec<(Vec<String>, Vec<u32>)> {
        let name = |unit: &u32| side.run.outcomes.units[*unit as usize].clone();
        test.repeats.iter().map(|repeat| (repeat.unit.iter().map(name).collect(), repeat.rows.clone())).collect()
    };
    let (a, b) = (named(base, old), named(head, new));
    let repeat = a.iter().zip(&b).position(|(a, b)| a != b)?;
    Some(format!("{place} tests other units in repeat {}", repeat + 1))
}

/// What differs without making a comparison impossible.
pub fn remarks(base: &[Side], head: &Side) -> Vec<String> {
    let mut remarks = Vec::new();
    for side in base {
        let (a, b) = (&side.run, &head.run);
        let (old, new) = (&side.name.place, &head.name.place);
        if a.suite.digest != b.suite.digest {
            remarks.push(format!(
                "the text of suite `{}` changed between `{old}` and `{new}`, its version did not",
                a.suite.id
            ));
        }
        if a.gates != b.gates {
            remarks.push(format!("the gates changed between `{old}` and `{new}`; those of `{new}` are used"));
        }
        if a.splits_digest.is_empty() || b.splits_digest.is_empty() {
            remarks.push(format!(
                "`{}` has no digest of its splits; that the same units were tested is known, that the same rows trained is not",
                if a.splits_digest.is_empty() { old } else { new }
            ));
        } else if a.splits_digest != b.splits_digest {
            remarks.push(format!(
                "`{old}` and `{new}` did not score the same list of splits; the gated ones that both have are identical"
            ));
        }
    }
    remarks
}
