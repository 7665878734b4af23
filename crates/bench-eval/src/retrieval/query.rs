//! Where the relevant candidates of one query came.

use serde::{Deserialize, Serialize};

use super::Direction;

/// Relevant candidates of one similarity, with all that tie with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Candidates that are more similar to the query, relevant ones included.
    pub above: u32,
    /// Candidates of this similarity, relevant ones included.
    pub size: u32,
    /// Relevant candidates of this similarity; at least one.
    pub relevant: u32,
}

/// One query and its answer, enough to compute every metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Direction.
    pub direction: Direction,
    /// Draw of images, counted from zero.
    pub draw: u32,
    /// Gallery, a position in [`super::Plan::galleries`].
    pub gallery: u32,
    /// Compound of the query, a position in [`super::Plan::compounds`].
    pub compound: u32,
    /// Image that asks, a position in [`super::Plan::images`]; absent where a molecule asks.
    pub image: Option<u32>,
    /// Candidates that were ranked: the gallery's, without those masked.
    pub candidates: u32,
    /// Candidates of duplicates of the compound, left out.
    pub masked: u32,
    /// Relevant candidates by falling similarity.
    pub levels: Vec<Level>,
}

impl Query {
    /// Relevant candidates.
    pub fn relevant(&self) -> u32 {
        self.levels.iter().map(|level| level.relevant).sum()
    }

    /// Rank of the first relevant candidate if ties favour it, counted from one.
    pub fn best_rank(&self) -> u32 {
        self.levels.first().map_or(0, |level| level.above + 1)
    }

    /// Rank of the first relevant candidate if ties are against it.
    pub fn worst_rank(&self) -> u32 {
        self.levels.first().map_or(0, |level| level.above + level.size - level.relevant + 1)
    }

    /// Mean rank of the first relevant candidate over all orders of ties.
    pub fn expected_rank(&self) -> f64 {
        self.levels.first().map_or(f64::NAN, |level| {
            f64::from(level.above) + f64::from(level.size + 1) / f64::from(level.relevant + 1)
        })
    }

    /// The levels of a ranking without information: everything tied.
    pub(super) fn chance(candidates: u32, relevant: u32) -> [Level; 1] {
        [Level { above: 0, size: candidates, relevant }]
    }

    /// The levels of a ranking with the relevant candidates first.
    pub(super) fn perfect(relevant: u32) -> [Level; 1] {
        [Level { above: 0, size: relevant, relevant }]
    }
}

/// Puts the relevant candidates behind those that tie with them.
pub(super) fn pessimistic(levels: &[Level]) -> Vec<Level> {
    levels
        .iter()
        .map(|level| Level { above: level.above + level.size - level.relevant, size: level.relevant, ..*level })
        .collect()
}
