//! Models and wells of two runs, side by side.

use std::collections::HashMap;

use bench_core::suggest::closest;
use bench_eval::aggregate::{Clusters, Outcomes, Tally};

use super::Side;
use crate::Error;

/// Pairs of models, by name: (in the baseline, in the head), in the order of the head.
///
/// # Errors
/// A name that neither run has; no pair at all.
pub fn models(base: &[Side], head: &Side, renamed: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let old: Vec<&str> = base.iter().flat_map(|side| side.run.models.iter().map(String::as_str)).collect();
    let new: Vec<&str> = head.run.models.iter().map(String::as_str).collect();
    for (a, b) in renamed {
        for (name, known, whose) in [(a, &old, "baseline"), (b, &new, "head")] {
            if !known.contains(&name.as_str()) {
                return Err(Error::Usage {
                    message: format!("`--map {a}={b}`: the {whose} has no model `{name}`"),
                    hint: Some(match closest(name, known.iter().copied()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("its models are {}", known.join(", ")),
                    }),
                });
            }
        }
    }
    let before = |name: &str| match renamed.iter().find(|(_, new)| new == name) {
        Some((old, _)) => Some(old.clone()),
        None => (old.contains(&name) && !renamed.iter().any(|(old, _)| old == name)).then(|| name.to_owned()),
    };
    let pairs: Vec<(String, String)> =
        new.iter().filter_map(|name| Some((before(name)?, (*name).to_owned()))).collect();
    if pairs.is_empty() {
        return Err(Error::Usage {
            message: format!("no model of the head ({}) is in the baseline ({})", new.join(", "), old.join(", ")),
            hint: Some("match names with `--map OLD=NEW`".into()),
        });
    }
    Ok(pairs)
}

/// The units of a run as the bootstrap wants them.
pub fn clusters(side: &Side) -> Clusters {
    let outcomes = &side.run.outcomes;
    Clusters {
        unit_of_row: Vec::new(),
        units: outcomes.units.len(),
        cluster_of_unit: outcomes.cluster_of_unit.clone(),
        count: outcomes.cluster_of_unit.iter().max().map_or(0, |last| *last as usize + 1),
        name: outcomes.cluster.clone(),
    }
}

/// Position of every unit of `side` among those of `head`; absent where the head has no such unit.
pub fn positions(side: &Side, head: &Side) -> Vec<Option<u32>> {
    let of_head = head.run.outcomes.units.iter().enumerate();
    let of_head: HashMap<&str, u32> = of_head.map(|(at, name)| (name.as_str(), at as u32)).collect();
    side.run.outcomes.units.iter().map(|name| of_head.get(name.as_str()).copied()).collect()
}

/// One model's outcomes on one split with one probe, its units numbered by `position`. Absent if the run
/// does not have the cell, or tests a unit without a position.
pub fn cell(side: &Side, position: &[Option<u32>], key: (&str, &str, &str, &str)) -> Option<Outcomes> {
    let (model, protocol, split, probe) = key;
    let outcomes = &side.run.outcomes;
    let (cell, test) = outcomes.cells.iter().find_map(|cell| {
        let test = outcomes.tests.get(cell.test)?;
        let found = cell.model == model && cell.probe == probe && test.protocol == protocol && test.split == split;
        found.then_some((cell, test))
    })?;
    let tally = |(tested, correct): (&bench_core::record::TestedUnits, &Vec<f64>)| {
        let rows = |at: usize| if tested.rows.len() == 1 { tested.rows[0] } else { tested.rows[at] };
        let mut entries: Vec<(u32, f64, u32)> = tested
            .unit
            .iter()
            .enumerate()
            .map(|(at, unit)| Some((position[*unit as usize]?, correct[at], rows(at))))
            .collect::<Option<_>>()?;
        // Units come in canonical order in every run; one with other splits may number them differently.
        entries.sort_unstable_by_key(|entry| entry.0);
        Some(Tally {
            unit: entries.iter().map(|entry| entry.0).collect(),
            correct: entries.iter().map(|entry| entry.1).collect(),
            rows: entries.iter().map(|entry| entry.2).collect(),
        })
    };
    Some(Outcomes {
        model: model.to_owned(),
        protocol: protocol.to_owned(),
        split: split.to_owned(),
        probe: probe.to_owned(),
        repeats: test.repeats.iter().zip(&cell.correct).map(tally).collect::<Option<_>>()?,
    })
}

/// The mean of several runs' outcomes: correct predictions of every unit, averaged.
pub fn mean(cells: &[Outcomes]) -> Option<Outcomes> {
    let (first, rest) = cells.split_first()?;
    let mut mean = first.clone();
    for cell in rest {
        if !cell.is_paired_with(first) {
            return None;
        }
        for (sum, tally) in mean.repeats.iter_mut().zip(&cell.repeats) {
            sum.correct.iter_mut().zip(&tally.correct).for_each(|(sum, correct)| *sum += correct);
        }
    }
    for tally in &mut mean.repeats {
        tally.correct.iter_mut().for_each(|correct| *correct /= cells.len() as f64);
    }
    Some(mean)
}
