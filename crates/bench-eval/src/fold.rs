//! Folds: which rows train, which are tested.

use serde::{Deserialize, Serialize};

/// What a row does in a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Role {
    /// Neither.
    Unused,
    /// Fitted on.
    Train,
    /// Predicted and scored.
    Test,
}

/// One division of the labelled rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Repeat, counted from zero (the fold's number, where folds are pooled).
    pub repeat: u32,
    /// Seed of the random choice behind it; zero if there was none.
    pub seed: u64,
    /// Names of the held-out groups, sorted; empty where rows or wells are drawn.
    pub held_out: Vec<String>,
    /// One role per labelled row, in canonical order.
    pub roles: Vec<Role>,
}

impl Fold {
    /// Rows of a role, ascending.
    pub fn rows(&self, role: Role) -> Vec<u32> {
        self.roles.iter().enumerate().filter(|(_, r)| **r == role).map(|(row, _)| row as u32).collect()
    }

    /// Number of rows of a role.
    pub fn count(&self, role: Role) -> usize {
        self.roles.iter().filter(|r| **r == role).count()
    }
}

/// All folds of one split of one protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSet {
    /// `paper`, `strict` or `fixed`.
    pub protocol: String,
    /// Split id.
    pub split: String,
    /// Unit that is held out.
    pub unit: String,
    /// Pooled splits (leave-one-group-out, fixed folds) score the predictions of all folds
    /// together; the others score every fold as a repeat of its own.
    pub pooled: bool,
    /// The folds; empty if `reason` says why there are none.
    pub folds: Vec<Fold>,
    /// Why the split could not be made.
    pub reason: Option<String>,
}
