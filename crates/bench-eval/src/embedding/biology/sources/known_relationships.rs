//! Recall of known relationships.
//!
//! # What
//! Of the pairs of compounds (or genes) that a list says are related, the share whose mean profiles are among the most
//! similar or the most opposite of all pairs.
//!
//! # Formula
//! `recall = share of listed pairs above the 1 - a or below the a quantile of the cosines of all pairs`, `a` = 0.05,
//! so that chance is 0.1. Pairs exactly at a quantile count in part: a constant embedding has 0.1.
//!
//! # Where the pairs come from
//! A user's file (CORUM, HuMAP, Reactome, SIGNOR, StringDB, or own); names that are not in the table, pairs of one
//! name and repeated pairs are left out, and the parts count what was.
//!
//! # What it cannot show
//! Whether a relation is expected to look similar or opposite, and nothing about pairs that no list has.
//!
//! # Reference
//! Celik et al., PLOS Computational Biology 20:e1012463 (2024); EFAAR_benchmarking `known_relationship_benchmark`.

use std::collections::{BTreeSet, HashMap};

use bench_core::{Factor, Matrix};

use super::super::support::columns::{compound, mean_profiles};
use super::super::support::pairs::{similarity_of, split};
use super::super::support::profiles::Profiles;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Space};

/// Share of all pairs in each tail.
pub const TAIL: f64 = 0.05;

static CARD: EmbeddingCard = card! {
    id: "known-relationships", title: "Known relationship recall",
    what: "Share of listed pairs of compounds among the 5 % most similar or 5 % most opposite pairs.",
    formula: "listed pairs with cosine above the 95 % or below the 5 % quantile of all pairs / listed pairs; chance 0.1",
    better: "higher", range: "0 to 1",
    limits: "Not whether similar or opposite was expected; nothing about pairs that are in no list. \
             Constant embedding: 0.1.",
    reference: "Celik et al., PLOS Computational Biology 20:e1012463 (2024)", side: Biology,
    dialect: "EFAAR_benchmarking, quantiles of all pairs, ties in part", best: "none: the pairs are the user's", worst: "noise",
};

/// The metric, with its pairs.
#[derive(Clone, Debug, Default)]
pub struct KnownRelationships {
    /// Pairs of names as they are in the compound column.
    pub pairs: Vec<(String, String)>,
}

/// Recall of pairs of levels of a factor of the treated rows.
///
/// # Errors
/// Fewer than three levels, or none of the pairs among them.
pub fn known_relationships(
    space: &Space<'_>,
    factor: &Factor,
    pairs: &[(String, String)],
    tail: f64,
) -> Result<Measured, String> {
    let members: Vec<(usize, Vec<u32>)> =
        factor.members().into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()).collect();
    if members.len() < 3 {
        return Err("there are fewer than three compounds".to_owned());
    }
    let place: HashMap<&str, u32> =
        members.iter().enumerate().map(|(at, (code, _))| (factor.levels[*code].as_str(), at as u32)).collect();
    let found: BTreeSet<(u32, u32)> = pairs
        .iter()
        .filter_map(|(a, b)| Some((*place.get(a.as_str())?, *place.get(b.as_str())?)))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a.min(b), a.max(b)))
        .collect();
    if found.is_empty() {
        return Err(format!("none of the {} listed pairs is in the table", pairs.len()));
    }
    let groups: Vec<Vec<u32>> = members.into_iter().map(|(_, rows)| rows).collect();
    let means = mean_profiles(space.treated, &groups);
    let none = Matrix::zeros(0, means.cols());
    let means = Space::new(&means, &none);
    let profiles = Profiles::treated(&means);
    let listed: Vec<(u32, u32)> = found.into_iter().collect();
    let similarity = similarity_of(&profiles, &listed);
    let share = |lowest: bool| -> Result<f64, String> {
        let threshold = split(&profiles, tail, lowest, 1, &|_, _| Some(0))?.threshold;
        let sign = if lowest { -1.0 } else { 1.0 };
        Ok(similarity.iter().map(|&value| threshold.above(sign * value)).sum::<f64>() / listed.len() as f64)
    };
    let (similar, opposite) = (share(false)?, share(true)?);
    let part = |name: &str, n: usize, value: f64| Part { unit: "pairs", name: name.to_owned(), n, value, p: None };
    Ok(Measured {
        value: similar + opposite,
        n: listed.len(),
        parts: vec![
            part("similar", listed.len(), similar),
            part("opposite", listed.len(), opposite),
            part("listed pairs used", listed.len(), listed.len() as f64 / pairs.len() as f64),
        ],
        ..Measured::default()
    })
}

/// The metric before a file is given.
pub static UNGIVEN: KnownRelationships = KnownRelationships { pairs: Vec::new() };

impl EmbeddingMetric for KnownRelationships {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Small
    }

    fn about_compounds(&self) -> bool {
        true
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        if self.pairs.is_empty() {
            return Err("no pairs are given; name their file with `--relationships`".to_owned());
        }
        known_relationships(space, compound(roles)?, &self.pairs, TAIL)
    }
}
