//! `bench compare`: is a run worse than a baseline, and by more than noise?
//!
//! # What it computes
//! For every gate of the suite (a quantity of one model on one split with one probe) the difference
//! between head and baseline on identical splits, its interval, a p, and what follows.
//!
//! # Formula
//! Paired two-stage cluster bootstrap: each draw takes batches, and wells within them, with replacement,
//! and recomputes the quantity of *both* runs from the same wells; the interval holds the middle 95 %
//! (`[gates] level`) of the differences, and `p = 2 (1 + k) / (1 + n)`, `k` being the draws on the rarer side
//! of zero. Holm's correction runs over all gates. A gate fails if
//!
//! 1. the interval excludes zero, and Holm's p is at most 1 - level,
//! 2. the loss is larger than the gate's minimum effect, and
//! 3. against a window of five runs or more: the loss is larger than a new run may differ from the mean
//!    of the window by chance, `t(0.975, n - 1) sd sqrt(1 + 1/n)` of the runs in it.
//!
//! # Why
//! The previous run alone gives false alarms and misses a slow drift (`history:window` and `pinned`
//! answer to each); a difference that no reader would care about should stop nobody, however certain.
//!
//! # What it cannot show
//! The bootstrap asks how the difference would vary with other wells. That a model trained again with
//! another seed differs is no noise to it, only a window of runs knows it. Whether the *baseline* was good
//! is not asked at all.
//!
//! # Where it fits
//! [`source`] finds what is compared, [`side`] reduces a record to what is needed, [`refusal`] says why two
//! runs cannot be compared, [`pairs`] lays their wells side by side, [`gates`] decides.

pub mod gates;
pub mod pairs;
pub mod predictions;
pub mod refusal;
pub mod side;
pub mod source;

use bench_core::compared::{COMPARED_VERSION, Compared};

pub use side::Side;
pub use source::{Found, Source};

use crate::Error;

/// What decides a comparison, beside the runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Models that changed their name: old, new.
    pub renamed: Vec<(String, String)>,
}

/// Compares `head` with one run, or with the mean of several.
///
/// # Errors
/// Runs that cannot be compared, with the reason; names that no run has.
pub fn compare(base: &Found, head: &Side, options: &Options) -> Result<Compared, Error> {
    for run in &base.sides {
        if let Some((why, hint)) = refusal::refuse(run, head) {
            return Err(Error::Usage {
                message: format!("cannot compare `{}` with `{}`: {why}", run.name.place, head.name.place),
                hint: Some(hint),
            });
        }
    }
    let models = pairs::models(&base.sides, head, &options.renamed)?;
    let mut notes = base.notes.clone();
    notes.extend(base.sides.iter().chain([head]).flat_map(|side| side.notes.iter().cloned()));
    notes.extend(refusal::remarks(&base.sides, head));
    let decided = gates::decide(&base.sides, head, &models)?;
    notes.extend(decided.notes);
    notes.dedup();
    let only_in_base = base.sides.iter().flat_map(|side| side.run.models.iter().cloned());
    let mut only_in_base: Vec<String> =
        only_in_base.filter(|model| !models.iter().any(|(old, _)| old == model)).collect();
    only_in_base.sort();
    only_in_base.dedup();
    let only_in_head = head.run.models.iter().filter(|model| !models.iter().any(|(_, new)| new == *model));
    Ok(Compared {
        compared_version: COMPARED_VERSION,
        suite: head.run.suite.id.clone(),
        suite_version: head.run.suite.version,
        title: head.run.suite.title.clone(),
        simulated: head.run.suite.simulated,
        base: base.baseline(),
        head: head.name.clone(),
        status: Compared::status_of(&decided.gates),
        only_in_head: only_in_head.cloned().collect(),
        only_in_base,
        units: decided.units,
        cluster: decided.cluster,
        draws: decided.draws,
        gates: decided.gates,
        notes,
    })
}
