//! From a rule to the average precision of profiles and the mean, p and q of groups.

use std::collections::HashSet;
use std::sync::Arc;

use bench_core::Factor;
use bench_geometry::neighbours::Metric;
use serde::Serialize;

use super::super::support::columns::{column, compound, digest};
use super::super::support::profiles::Profiles;
use super::super::support::ranking::{Query, Ranking, normalised, rank, rank_first};
use super::fdr::benjamini_hochberg;
use super::null::{NullSettings, PValue, p_values};
use super::rule::{PairRule, Pairs};
use crate::embedding::space::NEIGHBOURS;
use crate::embedding::{Roles, Space};

/// Average precision of one profile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RowScore {
    /// The treated row.
    pub row: u32,
    /// Average precision.
    pub average_precision: f64,
    /// Between chance (0) and perfect (1).
    pub normalised: f64,
    /// Positives.
    pub positives: usize,
    /// Positives and negatives.
    pub all: usize,
}

/// Mean average precision of one group of profiles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupScore {
    /// Compound or label.
    pub name: String,
    /// Profiles that count.
    pub n: usize,
    /// Mean average precision.
    pub mean_average_precision: f64,
    /// Mean of the normalised ones.
    pub normalised: f64,
    /// Probability under random ranks.
    pub p: f64,
    /// Standard error of a drawn p, zero for an exact one.
    pub standard_error: f64,
    /// Whether the null was enumerated.
    pub exact: bool,
    /// Benjamini-Hochberg over the groups.
    pub q: f64,
}

/// All profiles and groups of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MapTable {
    /// Profiles that have positives and negatives, by row.
    pub rows: Vec<RowScore>,
    /// Groups that have such a profile, in the order of the factor.
    pub groups: Vec<GroupScore>,
}

impl MapTable {
    /// Share of the groups with q below a threshold.
    pub fn retrieved(&self, threshold: f64) -> f64 {
        self.groups.iter().filter(|group| group.q < threshold).count() as f64 / self.groups.len() as f64
    }

    /// Groups scored rows; a row may be in several groups. `members` are positions in `rows`.
    ///
    /// Without a null, p and q are `NaN`: they take most of the time, and a mean does not need them.
    pub(crate) fn assemble(rows: Vec<RowScore>, members: &[(String, Vec<usize>)], null: Option<NullSettings>) -> Self {
        let members: Vec<&(String, Vec<usize>)> = members.iter().filter(|(_, rows)| !rows.is_empty()).collect();
        let mean = |at: &[usize], value: fn(&RowScore) -> f64| {
            at.iter().map(|&at| value(&rows[at])).sum::<f64>() / at.len() as f64
        };
        let averages: Vec<f64> = members.iter().map(|(_, at)| mean(at, |row| row.average_precision)).collect();
        let p_values = match null {
            Some(null) => {
                let configuration = |&at: &usize| (rows[at].positives, rows[at].all);
                let configurations: Vec<Vec<(usize, usize)>> =
                    members.iter().map(|(_, at)| at.iter().map(configuration).collect()).collect();
                p_values(&averages, &configurations, null)
            }
            None => vec![PValue { p: f64::NAN, standard_error: f64::NAN, exact: false }; averages.len()],
        };
        let mut groups: Vec<GroupScore> = members
            .iter()
            .zip(p_values)
            .zip(&averages)
            .map(|(((name, at), p), &average)| GroupScore {
                name: name.clone(),
                n: at.len(),
                mean_average_precision: average,
                normalised: mean(at, |row| row.normalised),
                p: p.p,
                standard_error: p.standard_error,
                exact: p.exact,
                q: f64::NAN,
            })
            .collect();
        if null.is_some() {
            let p: Vec<f64> = groups.iter().map(|group| group.p).collect();
            groups.iter_mut().zip(benjamini_hochberg(&p)).for_each(|(group, q)| group.q = q);
        }
        Self { rows, groups }
    }
}

/// Score of a ranked profile.
pub(crate) fn row_score(row: u32, ranking: &Ranking) -> RowScore {
    let average_precision = ranking.average_precision();
    RowScore {
        row,
        average_precision,
        normalised: normalised(average_precision, ranking.positives, ranking.negatives),
        positives: ranking.positives,
        all: ranking.positives + ranking.negatives,
    }
}

/// Scores every treated profile under a rule and the levels of `group`.
///
/// # Errors
/// A column that is not there, or no profile with both positives and negatives.
pub fn mean_average_precision(
    space: &Space<'_>,
    roles: &Roles<'_>,
    rule: &PairRule<'_>,
    group: &Factor,
    null: NullSettings,
) -> Result<MapTable, String> {
    scored(space, roles, rule, group, Some(null))
}

/// The same, with or without p.
fn scored(
    space: &Space<'_>,
    roles: &Roles<'_>,
    rule: &PairRule<'_>,
    group: &Factor,
    null: Option<NullSettings>,
) -> Result<MapTable, String> {
    let score = || ranked(space, roles, rule, usize::MAX, &|row, ranking| row_score(row, &ranking));
    // Nulls of several definitions have the ranks in common.
    let remembered = space.remember(&format!("map-rows/{}", key(roles, rule)?), score);
    let rows = match remembered.as_ref() {
        Ok(rows) => rows.clone(),
        // The reason names the columns of the rule that was asked first.
        Err(_) => score()?,
    };
    let mut members: Vec<(String, Vec<usize>)> = group.levels.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (at, row) in rows.iter().enumerate() {
        members[group.code(row.row as usize)].1.push(at);
    }
    Ok(MapTable::assemble(rows, &members, null))
}

/// [`mean_average_precision`] of compounds, made once for rules and nulls that mean the same; without p where there is
/// no null.
///
/// # Errors
/// As [`mean_average_precision`].
pub(crate) fn table(
    space: &Space<'_>,
    roles: &Roles<'_>,
    rule: &PairRule<'_>,
    null: Option<NullSettings>,
) -> Result<Arc<Result<MapTable, String>>, String> {
    let compound = compound(roles)?;
    let make = || scored(space, roles, rule, compound, null);
    let found = space.remember(&format!("map/{}/{null:?}", key(roles, rule)?), make);
    Ok(if found.is_ok() { found } else { Arc::new(make()) })
}

/// Reads the rankings of the treated rows that have positives and negatives, with the ties of the `first` nearest
/// positives, or at least those of the `first` ranks and of the nearest positive.
///
/// # Errors
/// As [`mean_average_precision`].
pub(crate) fn ranked<T: Send>(
    space: &Space<'_>,
    roles: &Roles<'_>,
    rule: &PairRule<'_>,
    first: usize,
    read: &(impl Fn(u32, Ranking) -> T + Sync),
) -> Result<Vec<T>, String> {
    if rule.takes_controls() && roles.controls.rows == 0 {
        return Err("there are no negative controls".to_owned());
    }
    let pairs = Pairs::new(roles, rule)?;
    let questions = pairs.questions();
    if questions.queries.is_empty() {
        return Err(format!(
            "no profile has another that agrees in {} and differs in {}",
            list(rule.pos_sameby),
            list(rule.pos_diffby)
        ));
    }
    let profiles = if rule.takes_controls() { Profiles::with_controls(space) } else { Profiles::treated(space) };
    let counting = |query: Query, ranking: Ranking| ranking.counts().then(|| read(query.row, ranking));
    // Of a few ranks among all treated rows, the neighbour graph knows many.
    let found = if first < NEIGHBOURS
        && !rule.takes_controls()
        && questions.pools.len() == 1
        && let Ok(graph) = space.graph(Metric::Cosine)
    {
        let rankings = rank_first(&profiles, graph, &questions, first);
        questions.queries.iter().zip(rankings).map(|(&query, ranking)| counting(query, ranking)).collect()
    } else {
        rank(&profiles, &questions, first, &counting)
    };
    let ranked: Vec<T> = found.into_iter().flatten().collect();
    if ranked.is_empty() {
        return Err(format!(
            "no profile has a negative that agrees in {} and differs in {}",
            list(rule.neg_sameby),
            list(rule.neg_diffby)
        ));
    }
    Ok(ranked)
}

fn list(columns: &[&str]) -> String {
    if columns.is_empty() { "nothing".to_owned() } else { format!("`{}`", columns.join("`, `")) }
}

/// What the rankings of a rule depend on beside the features, as a key for what spaces remember. Columns in which any
/// two rows differ tell no positives apart and are left out: where every row is a well of its own, replicates in other
/// wells are all replicates.
pub(crate) fn key(roles: &Roles<'_>, rule: &PairRule<'_>) -> Result<String, String> {
    let with_controls = rule.takes_controls();
    let mut columns: Vec<Vec<u32>> = Vec::new();
    let mut key = String::new();
    for (at, names) in [rule.pos_sameby, rule.pos_diffby, rule.neg_sameby, rule.neg_diffby].into_iter().enumerate() {
        for name in names {
            let codes = column(roles, name, with_controls)?;
            let mut seen = HashSet::with_capacity(codes.len());
            if at == 1 && codes.iter().all(|&code| seen.insert(code)) {
                continue;
            }
            key.push_str(name);
            key.push(' ');
            columns.push(codes);
        }
        key.push('/');
    }
    Ok(format!("{with_controls}/{key}{:016x}", digest(columns.iter().map(Vec::as_slice))))
}
