//! Phenotypic consistency: whether compounds with a common label look alike.
//!
//! # What
//! Wells are reduced to one median profile per compound. For every label, each of its compounds ranks the label's
//! other compounds among those that share none of its labels; their AP is averaged by label. A compound with several
//! labels (`A|B`) asks once for each, as in copairs' multi-label mAP.
//!
//! # Active only
//! A compound that does nothing looks like every other that does nothing, so only compounds that are retrieved against
//! controls (q below 0.05) take part; without controls, ask for all.
//!
//! # What it cannot show
//! A label with compounds in a few well positions can be told by the position.
//!
//! # Reference
//! Arevalo et al., Nature Communications 15:6516 (2024), "consistency"; copairs 0.5.5 `map.multilabel`.

use bench_core::Matrix;

use super::super::support::columns::{LabelSets, compound, compound_medians};
use super::super::support::profiles::Profiles;
use super::super::support::ranking::{Negatives, Query, Questions, rank};
use super::null::NullSettings;
use super::presets::ACTIVITY;
use super::run::{MapTable, row_score, table};
use crate::embedding::{Roles, Space};

/// q below which a compound is active.
pub const ACTIVE: f64 = 0.05;

/// Scores every label; rows of the table are compounds, in the order of the compound factor.
///
/// # Errors
/// No compounds, no two (active) compounds of a label, or nothing to confuse them with.
pub fn consistency(
    space: &Space<'_>,
    roles: &Roles<'_>,
    active_only: bool,
    null: NullSettings,
) -> Result<MapTable, String> {
    scored(space, roles, active_only, null, true)
}

/// The same, with or without p of the labels.
pub(super) fn scored(
    space: &Space<'_>,
    roles: &Roles<'_>,
    active_only: bool,
    null: NullSettings,
    with_p: bool,
) -> Result<MapTable, String> {
    let factor = compound(roles)?;
    let mut kept: Vec<bool> = factor.counts().iter().map(|&count| count > 0).collect();
    if active_only {
        // Labels take no part in it, so it is kept while they are permuted.
        let activity = table(space, roles, &ACTIVITY, Some(null))?;
        let activity =
            activity.as_ref().as_ref().map_err(|why| format!("which compounds are active is not known: {why}"))?;
        let mut groups = activity.groups.iter();
        for (keep, name) in kept.iter_mut().zip(&factor.levels) {
            // Groups come in the order of the factor, without those that have no score.
            let active = match groups.as_slice().first() {
                Some(group) if group.name == *name => groups.next().is_some_and(|group| group.q < ACTIVE),
                _ => false,
            };
            *keep &= active;
        }
    }
    let rows = factor.members();
    let codes: Vec<usize> = (0..rows.len()).filter(|&code| kept[code]).collect();
    let groups: Vec<Vec<u32>> = codes.iter().map(|&code| rows[code].clone()).collect();
    let sets = LabelSets::new(roles.label);
    let labels: Vec<Vec<u32>> = groups
        .iter()
        .map(|rows| {
            let mut labels: Vec<u32> =
                rows.iter().flat_map(|&row| &sets.of_level[roles.label.code(row as usize)]).copied().collect();
            labels.sort_unstable();
            labels.dedup();
            labels
        })
        .collect();
    let of_label = |label: u32| -> Vec<u32> {
        (0..groups.len() as u32).filter(|&at| labels[at as usize].binary_search(&label).is_ok()).collect()
    };
    let members: Vec<Vec<u32>> = (0..sets.names.len() as u32).map(of_label).collect();
    let several = members.iter().enumerate().filter(|(_, members)| members.len() > 1);
    let queries: Vec<Query> = several
        .flat_map(|(label, members)| members.iter().map(move |&row| Query { row, group: label as u32, pool: 0 }))
        .collect();
    if queries.is_empty() {
        let which = if active_only { "active " } else { "" };
        return Err(format!("no label has two {which}compounds"));
    }
    let medians = compound_medians(space, factor);
    let present = (0..rows.len()).filter(|&code| !rows[code].is_empty());
    let places = present.enumerate().filter(|&(_, code)| kept[code]).map(|(place, _)| place as u32);
    let consensus = medians.take(&places.collect::<Vec<u32>>());
    let none = Matrix::zeros(0, consensus.cols());
    let consensus = Space::new(&consensus, &none);
    let profiles = Profiles::treated(&consensus);
    let pool: Vec<u32> = (0..groups.len() as u32).collect();
    let negatives = Negatives { differ: Vec::new(), disjoint: Some(&labels) };
    let questions = Questions { queries: &queries, groups: &members, apart: &[], pools: &[pool], negatives };
    let rankings = rank(&profiles, &questions, usize::MAX, &|_, ranking| ranking);
    let mut scores = Vec::new();
    let mut members: Vec<(String, Vec<usize>)> = sets.names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (query, ranking) in queries.iter().zip(&rankings) {
        if ranking.counts() {
            members[query.group as usize].1.push(scores.len());
            scores.push(row_score(codes[query.row as usize] as u32, ranking));
        }
    }
    if scores.is_empty() {
        return Err("no compound has another without a common label".to_owned());
    }
    Ok(MapTable::assemble(scores, &members, with_p.then_some(null)))
}
