//! Votes of many rows in little memory.
//!
//! There are few different votes (220 ways in which three neighbours fall on ten classes), so
//! each is counted out once, and a row keeps its number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bench_geometry::neighbours::Swept;
use rayon::prelude::*;

use super::vote::{Electorate, Outcome};
use super::{Diagnostics, Fitted, ProbeInput, Sink, VoteTies};
use crate::{Fold, Predictions, Role};

/// Gives every different vote a number. The numbers depend on the order in which votes come in,
/// the outcomes do not.
pub(in crate::probe) struct Tally<'a> {
    input: ProbeInput<'a>,
    ties: VoteTies,
    seen: Mutex<HashMap<Vote, u32>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Vote {
    electorate: Electorate,
    /// Whether the list of neighbours was cut through equal distances.
    is_cut: bool,
}

impl<'a> Tally<'a> {
    pub(in crate::probe) fn new(input: ProbeInput<'a>, ties: VoteTies) -> Self {
        Self { input, ties, seen: Mutex::default() }
    }

    /// Number of the vote of the training rows `rows`, by (distance, row), of which the first
    /// `certain` do not depend on a tie rule and the others come from `tied` (class, rows);
    /// `tied` is empty if nothing is cut off.
    pub(in crate::probe) fn count(&self, rows: &[u32], certain: usize, tied: &[(u32, u32)]) -> u32 {
        let voting = match self.ties {
            VoteTies::Expected => &rows[..certain],
            VoteTies::LowestClass => rows,
        };
        let mut votes: Vec<(u32, u32)> = Vec::with_capacity(voting.len());
        for &row in voting {
            let class = self.input.class[row as usize];
            match votes.binary_search_by_key(&class, |entry| entry.0) {
                Ok(at) => votes[at].1 += 1,
                Err(at) => votes.insert(at, (class, 1)),
            }
        }
        let drawn = (rows.len() - voting.len()) as u32;
        let tied_votes = if drawn == 0 { Vec::new() } else { tied.to_vec() };
        let electorate = Electorate { certain: votes, tied: tied_votes, drawn };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let next = seen.len() as u32;
        *seen.entry(Vote { electorate, is_cut: !tied.is_empty() }).or_insert(next)
    }

    /// Counts all votes out.
    pub(in crate::probe) fn close(self) -> Outcomes {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut votes: Vec<(u32, Vote)> = seen.into_iter().map(|(vote, number)| (number, vote)).collect();
        votes.sort_unstable_by_key(|entry| entry.0);
        let counted = votes
            .into_par_iter()
            .map(|(_, Vote { electorate, is_cut })| Counted {
                outcome: electorate.outcome(self.ties, self.input.name_rank),
                is_tied: electorate.is_tied(),
                is_cut,
            })
            .collect();
        Outcomes { classes: self.input.classes, counted }
    }
}

struct Counted {
    outcome: Outcome,
    is_tied: bool,
    is_cut: bool,
}

/// Outcomes by the number of their vote.
pub(in crate::probe) struct Outcomes {
    classes: usize,
    counted: Vec<Counted>,
}

impl Outcomes {
    /// Hands the predictions of a fold to the sink.
    pub(in crate::probe) fn hand_over(&self, number: usize, fold: &Fold, swept: &Swept, sink: &mut Sink<'_>) {
        if swept.train_rows == 0 {
            sink(number, Err("no training rows".to_owned()));
            return;
        }
        let mut predictions = Predictions::with_classes(self.classes);
        let mut diagnostics = Diagnostics::default();
        let mut probability = vec![0.0; self.classes];
        for (row, &vote) in fold.rows(Role::Test).into_iter().zip(&swept.kept) {
            let Counted { outcome, is_tied, is_cut } = &self.counted[vote as usize];
            probability.fill(0.0);
            for &(class, share) in &outcome.share {
                probability[class as usize] = share;
            }
            predictions.push(row, &probability, outcome.decision.iter().copied());
            diagnostics.tied_votes += usize::from(*is_tied);
            diagnostics.tied_neighbours += usize::from(*is_cut);
        }
        sink(number, Ok(Fitted { predictions, diagnostics }));
    }
}
