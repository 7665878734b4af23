//! What is asked: queries, their right answers and their wrong ones.
//!
//! Right answers are read from groups when they are needed: a list for every query would grow with the square of the
//! number of replicates.

use std::collections::HashMap;

/// One question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Query {
    /// The profile that asks.
    pub(crate) row: u32,
    /// The group that its right answers are from.
    pub(crate) group: u32,
    /// The pool that its wrong answers are from.
    pub(crate) pool: u32,
}

/// Queries with all that says what is right and what is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Questions<'a> {
    /// In the order in which rankings come.
    pub(crate) queries: &'a [Query],
    /// Profiles that belong together, ascending: right answers to each other.
    pub(crate) groups: &'a [Vec<u32>],
    /// Columns in which right answers differ from the query: a code per profile.
    pub(crate) apart: &'a [Vec<u32>],
    /// Candidates for wrong answers, ascending.
    pub(crate) pools: &'a [Vec<u32>],
    /// Which of them are wrong.
    pub(crate) negatives: Negatives<'a>,
}

impl Questions<'_> {
    /// Right answers to a query, ascending.
    pub(crate) fn positives(&self, query: Query) -> impl Iterator<Item = u32> {
        self.groups[query.group as usize].iter().copied().filter(move |&other| self.may_be_positive(query, other))
    }

    /// Whether a profile is a right answer to a query.
    pub(super) fn is_positive(&self, query: Query, other: u32) -> bool {
        self.may_be_positive(query, other) && self.groups[query.group as usize].binary_search(&other).is_ok()
    }

    /// Whether a profile is a right answer to a query if it is of its group.
    fn may_be_positive(&self, query: Query, other: u32) -> bool {
        other != query.row && self.apart.iter().all(|column| column[other as usize] != column[query.row as usize])
    }
}

/// Which members of a pool are wrong answers to a query: those that differ from it in every column and share no
/// member of `sets`; never the query itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Negatives<'a> {
    /// A code per profile.
    pub(crate) differ: Vec<&'a [u32]>,
    /// Ascending codes per profile.
    pub(crate) disjoint: Option<&'a [Vec<u32>]>,
}

impl Negatives<'_> {
    /// The column that alone says which members are wrong answers, if one does.
    pub(super) fn only_column(&self) -> Option<&[u32]> {
        if let ([column], None) = (self.differ.as_slice(), self.disjoint) { Some(column) } else { None }
    }

    /// Whether a member of the pool is a wrong answer.
    pub(super) fn includes(&self, query: usize, candidate: usize) -> bool {
        query != candidate
            && self.differ.iter().all(|column| column[query] != column[candidate])
            && self.disjoint.is_none_or(|sets| share_none(&sets[query], &sets[candidate]))
    }

    /// Wrong answers in a pool, for each of some queries.
    pub(super) fn counts(&self, queries: &[Query], pool: &[u32]) -> Vec<usize> {
        if let Some(column) = self.only_column() {
            // Members of the query's own code, it among them, are none.
            let mut with: HashMap<u32, usize> = HashMap::new();
            pool.iter().for_each(|&row| *with.entry(column[row as usize]).or_default() += 1);
            let own = |query: &Query| with.get(&column[query.row as usize]).copied().unwrap_or(0);
            return queries.iter().map(|query| pool.len() - own(query)).collect();
        }
        let count = |query: &Query| pool.iter().filter(|&&row| self.includes(query.row as usize, row as usize)).count();
        queries.iter().map(count).collect()
    }
}

fn share_none(a: &[u32], b: &[u32]) -> bool {
    a.iter().all(|code| b.binary_search(code).is_err())
}
