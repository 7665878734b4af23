//! From a rule to the average precision of profiles and the mean, p and q of groups.

use bench_core::Factor;
use serde::Serialize;

use super::super::support::columns::digest;
use super::super::support::profiles::Profiles;
use super::super::support::ranking::{Ranking, normalised, rank};
use super::fdr::benjamini_hochberg;
use super::null::{NullSettings, p_values};
use super::rule::{PairRule, Pairs};
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
    pub(crate) fn assemble(rows: Vec<RowScore>, members: &[(String, Vec<usize>)], null: NullSettings) -> Self {
        let members: Vec<&(String, Vec<usize>)> = members.iter().filter(|(_, rows)| !rows.is_empty()).collect();
        let configurations: Vec<Vec<(usize, usize)>> =
            members.iter().map(|(_, at)| at.iter().map(|&at| (rows[at].positives, rows[at].all)).collect()).collect();
        let mean = |at: &[usize], value: fn(&RowScore) -> f64| {
            at.iter().map(|&at| value(&rows[at])).sum::<f64>() / at.len() as f64
        };
        let averages: Vec<f64> = members.iter().map(|(_, at)| mean(at, |row| row.average_precision)).collect();
        let mut groups: Vec<GroupScore> = members
            .iter()
            .zip(p_values(&averages, &configurations, null))
            .zip(&averages)
            .map(|(((name, at), p), &average)| GroupScore {
                name: name.clone(),
                n: at.len(),
                mean_average_precision: average,
                normalised: mean(at, |row| row.normalised),
                p: p.p,
                standard_error: p.standard_error,
                exact: p.exact,
                q: 1.0,
            })
            .collect();
        let p: Vec<f64> = groups.iter().map(|group| group.p).collect();
        groups.iter_mut().zip(benjamini_hochberg(&p)).for_each(|(group, q)| group.q = q);
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
    let rows: Vec<RowScore> =
        ranked(space, roles, rule, usize::MAX)?.iter().map(|(row, ranking)| row_score(*row, ranking)).collect();
    let mut members: Vec<(String, Vec<usize>)> = group.levels.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (at, row) in rows.iter().enumerate() {
        members[group.code(row.row as usize)].1.push(at);
    }
    Ok(MapTable::assemble(rows, &members, null))
}

/// Rankings of the treated rows that have positives and negatives, with the ties of the `first` nearest positives.
///
/// # Errors
/// As [`mean_average_precision`].
pub(crate) fn ranked(
    space: &Space<'_>,
    roles: &Roles<'_>,
    rule: &PairRule<'_>,
    first: usize,
) -> Result<Vec<(u32, Ranking)>, String> {
    if rule.takes_controls() && roles.controls.rows == 0 {
        return Err("there are no negative controls".to_owned());
    }
    let pairs = Pairs::new(roles, rule)?;
    if pairs.queries.is_empty() {
        return Err(format!(
            "no profile has another that agrees in {} and differs in {}",
            list(rule.pos_sameby),
            list(rule.pos_diffby)
        ));
    }
    let profiles = if rule.takes_controls() { Profiles::with_controls(space) } else { Profiles::treated(space) };
    let rankings = rank(&profiles, &pairs.queries, &pairs.pools, &pairs.negatives(), first);
    let ranked: Vec<(u32, Ranking)> =
        pairs.queries.iter().map(|query| query.row).zip(rankings).filter(|(_, ranking)| ranking.counts()).collect();
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

/// What the rankings of a rule depend on beside the features, as a key for what spaces remember.
pub(crate) fn key(roles: &Roles<'_>, rule: &PairRule<'_>) -> Result<String, String> {
    let with_controls = rule.takes_controls();
    let names = [rule.pos_sameby, rule.pos_diffby, rule.neg_sameby, rule.neg_diffby].concat();
    let columns: Vec<Vec<u32>> = names
        .iter()
        .map(|name| super::super::support::columns::column(roles, name, with_controls))
        .collect::<Result<_, _>>()?;
    Ok(format!("{rule:?}/{:016x}", digest(columns.iter().map(Vec::as_slice))))
}
