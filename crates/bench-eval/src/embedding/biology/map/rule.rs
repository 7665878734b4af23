//! Which pairs of profiles are positive and which negative, by their metadata.
//!
//! # Columns
//! `compound`, `label`, `source`, `batch`, `plate`, `well`, `position`, `site`, any group of the layout, and `kind`:
//! treated or negative control. Control rows take part only where a rule names `kind`; treated rows alone ask. Without
//! a well column, every row is a well of its own.
//!
//! # Reference
//! The four lists have the names and the meaning of copairs' `pos_sameby`, `pos_diffby`, `neg_sameby`, `neg_diffby`.

use std::collections::BTreeMap;

use super::super::support::columns::{column, join, members};
use super::super::support::ranking::{Negatives, Query, Questions};
use crate::embedding::Roles;

/// Four lists of columns.
///
/// # Examples
/// ```
/// use bench_eval::embedding::biology::map::PairRule;
///
/// // Replicates on other plates, against other compounds of the same plate.
/// let rule = PairRule {
///     pos_sameby: &["compound"],
///     pos_diffby: &["plate"],
///     neg_sameby: &["plate"],
///     neg_diffby: &["compound"],
/// };
/// assert!(!rule.takes_controls());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairRule<'a> {
    /// Columns in which positives agree; at least one.
    pub pos_sameby: &'a [&'a str],
    /// Columns in which positives differ.
    pub pos_diffby: &'a [&'a str],
    /// Columns in which negatives agree.
    pub neg_sameby: &'a [&'a str],
    /// Columns in which negatives differ; at least one.
    pub neg_diffby: &'a [&'a str],
}

impl PairRule<'_> {
    /// Whether control rows are among the candidates.
    pub fn takes_controls(&self) -> bool {
        [self.pos_sameby, self.pos_diffby, self.neg_sameby, self.neg_diffby].iter().any(|list| list.contains(&"kind"))
    }
}

/// A rule applied to rows.
pub(crate) struct Pairs {
    /// One query per treated row that has a positive.
    queries: Vec<Query>,
    groups: Vec<Vec<u32>>,
    apart: Vec<Vec<u32>>,
    pools: Vec<Vec<u32>>,
    differ: Vec<Vec<u32>>,
}

impl Pairs {
    /// One query per treated row that has a positive.
    pub(crate) fn questions(&self) -> Questions<'_> {
        let negatives = Negatives { differ: self.differ.iter().map(Vec::as_slice).collect(), disjoint: None };
        Questions { queries: &self.queries, groups: &self.groups, apart: &self.apart, pools: &self.pools, negatives }
    }

    /// Applies a rule.
    ///
    /// # Errors
    /// An empty list that must not be, or a column that is not there.
    pub(crate) fn new(roles: &Roles<'_>, rule: &PairRule<'_>) -> Result<Self, String> {
        if rule.pos_sameby.is_empty() || rule.neg_diffby.is_empty() {
            return Err("a pair rule needs columns in `pos_sameby` and in `neg_diffby`".to_owned());
        }
        let with_controls = rule.takes_controls();
        let treated = roles.layout.rows;
        let rows = treated + if with_controls { roles.controls.rows } else { 0 };
        let columns = |names: &[&str]| -> Result<Vec<Vec<u32>>, String> {
            names.iter().map(|name| column(roles, name, with_controls)).collect()
        };
        let (same, groups) = join(&columns(rule.pos_sameby)?, rows);
        let apart = columns(rule.pos_diffby)?;
        let (near, pools) = join(&columns(rule.neg_sameby)?, rows);
        let differ = columns(rule.neg_diffby)?;
        let groups = members(&same, groups);
        let mut found = Self { queries: Vec::new(), groups, apart, pools: Vec::new(), differ };
        let ask = |row: usize| Query { row: row as u32, group: same[row], pool: near[row] };
        let questions = found.questions();
        found.queries = (0..treated).map(ask).filter(|&query| questions.positives(query).next().is_some()).collect();
        found.pools = thin(members(&near, pools), &found.queries, &found.differ);
        Ok(found)
    }
}

/// Drops candidates that are no negative of any query of their pool: where all queries share a code of a column in
/// which negatives differ, the rows of that code.
fn thin(mut pools: Vec<Vec<u32>>, queries: &[Query], differ: &[Vec<u32>]) -> Vec<Vec<u32>> {
    for column in differ {
        let mut shared: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for query in queries {
            let code = column[query.row as usize];
            let known = shared.entry(query.pool).or_insert(Some(code));
            if *known != Some(code) {
                *known = None;
            }
        }
        for (pool, code) in shared {
            if let Some(code) = code {
                pools[pool as usize].retain(|&row| column[row as usize] != code);
            }
        }
    }
    pools
}
