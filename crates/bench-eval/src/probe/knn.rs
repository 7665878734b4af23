//! k-nearest-neighbour classification, all folds in one pass over pairs.
//!
//! # What it computes
//! The class of a test row is the majority among its k nearest training rows; its probability
//! of a class is the share of the votes.
//!
//! # Formula
//! p(c) = votes for c / k, decision = the class with most votes. Where the k-th distance is
//! shared by further rows, the missing neighbours are drawn from all of these without
//! replacement, and where classes share the most votes each gets an equal part: the decision
//! and the share are expectations over both ([`VoteTies::Expected`]).
//!
//! # Why
//! It asks whether fields of one class are neighbours, without fitting anything; the paper uses
//! k = 3 and the cosine. Ties must not be broken by row order: rows are sorted by plate and
//! source, so an embedding without any content would otherwise score above or below chance.
//!
//! # What it cannot show
//! With k = 3 a probability takes few values, so that log loss and calibration mean little.
//! Distances weigh all features alike: a few large nuisance directions hide what a linear probe
//! would find.
//!
//! # Reference
//! Cover and Hart, "Nearest neighbor pattern classification", IEEE Transactions on Information
//! Theory 13, 1967; scikit-learn `KNeighborsClassifier`, whose tie rule is
//! [`VoteTies::LowestClass`].

use bench_core::{Card, Matrix};
use bench_geometry::neighbours::{Metric, Part, Question, Swept, sweep};
use serde::{Deserialize, Serialize};

use self::tally::Tally;
use super::{Diagnostics, Fitted, Probe, ProbeInput, Sink};
use crate::{Error, Fold, Role};

pub(super) mod standardise;
pub(super) mod tally;
pub mod vote;

/// What this probe is.
pub static CARD: Card = Card {
    id: "knn",
    title: "k nearest neighbours",
    what: "majority vote among the k nearest training rows, exact, ties resolved by expectation",
    formula: "p(c) = votes for c / k; decision = class with most votes",
    better: "higher",
    range: "0 to 1",
    limits: "few distinct probabilities for small k; weighs all features alike, so large nuisance directions hide small signal",
    reference: "Cover and Hart 1967; scikit-learn KNeighborsClassifier (ties = lowest-class)",
};

/// Most neighbours for which expectations over ties are computed.
const MOST_EXPECTED: usize = 100;

/// What happens if neighbours are equally far or classes have equally many votes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteTies {
    /// Expectation over random resolutions.
    #[default]
    Expected,
    /// scikit-learn's dialect: neighbours by (distance, row), then the class whose name sorts
    /// first.
    ///
    /// `Parity:` scikit-learn counts training rows in the order of the file; here they are in
    /// canonical order, which differs if the file is not sorted and distances are equal.
    LowestClass,
}

/// Settings of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct KnnSettings {
    /// Neighbours that vote. A fold with fewer training rows uses all of them.
    pub k: usize,
    /// Distance.
    pub metric: Metric,
    /// Tie rule.
    pub ties: VoteTies,
    /// Whether features are z-scored on the training rows of each fold. Every fold is then
    /// a table of its own and needs a pass of its own.
    pub standardise: bool,
}

impl Default for KnnSettings {
    fn default() -> Self {
        Self { k: 3, metric: Metric::Cosine, ties: VoteTies::Expected, standardise: false }
    }
}

impl KnnSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// If `k` is zero, or too large for expectations over ties.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::Setting { key: "k".to_owned(), value: self.k.to_string(), why });
        match (self.k, self.ties) {
            (0, _) => refuse("at least one neighbour".to_owned()),
            (k, VoteTies::Expected) if k > MOST_EXPECTED => {
                refuse(format!("expected votes are computed for at most {MOST_EXPECTED} neighbours"))
            }
            _ => Ok(()),
        }
    }
}

/// The probe, with checked settings.
///
/// # Examples
/// ```
/// use bench_core::Matrix;
/// use bench_eval::probe::{Probe, ProbeInput, knn::{Knn, KnnSettings}};
/// use bench_eval::{Fold, Role};
///
/// let matrix = Matrix::new(4, 2, vec![1.0, 0.1, 1.0, 0.0, 0.0, 1.0, 0.1, 1.0]);
/// let input = ProbeInput { matrix: &matrix, class: &[0, 0, 1, 1], classes: 2, name_rank: &[0, 1] };
/// let roles = vec![Role::Test, Role::Train, Role::Train, Role::Test];
/// let fold = Fold { repeat: 0, seed: 0, held_out: Vec::new(), roles };
/// let probe = Knn::new(KnnSettings { k: 1, ..KnnSettings::default() })?;
/// probe.run(input, &[&fold], &|_, _| (), &mut |_, fitted| {
///     let predictions = fitted.expect("the fold has training rows").predictions;
///     assert_eq!(predictions.decision(0), [(0, 1.0)]);
///     assert_eq!(predictions.decision(1), [(1, 1.0)]);
/// })?;
/// # Ok::<(), bench_eval::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Knn {
    settings: KnnSettings,
}

impl Knn {
    /// Checks the settings.
    ///
    /// # Errors
    /// See [`KnnSettings::check`].
    pub fn new(settings: KnnSettings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// One pass for `folds`; `tally` collects the votes.
    fn sweep(
        &self,
        matrix: &Matrix,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tally: &Tally<'_>,
        tick: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Vec<Swept>, Error> {
        let part = |fold: usize, row: usize| match folds[fold].roles[row] {
            Role::Unused => Part::Unused,
            Role::Train => Part::Train,
            Role::Test => Part::Test,
        };
        let Self { settings: KnnSettings { k, metric, .. } } = *self;
        let question = Question { matrix, class: input.class, folds: folds.len(), part, k, metric };
        sweep(&question, &|ballot| tally.count(ballot.rows, ballot.certain, ballot.tied), tick)
            .map_err(|source| Error::Probe { probe: CARD.id.to_owned(), why: source.to_string() })
    }
}

impl Probe for Knn {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn backend(&self) -> &'static str {
        "gemm"
    }

    fn run(
        &self,
        input: ProbeInput<'_>,
        folds: &[&Fold],
        tick: &(dyn Fn(usize, usize) + Sync),
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        check_input(input, folds)?;
        if self.settings.standardise {
            for (number, fold) in folds.iter().enumerate() {
                let tally = Tally::new(input, self.settings.ties);
                let scaled = standardise::z_scores(input.matrix, &fold.rows(Role::Train));
                let swept = self.sweep(&scaled, input, &[fold], &tally, &|_, _| ())?;
                tally.close().hand_over(number, fold, &swept[0], sink);
                tick(number + 1, folds.len());
            }
            return Ok(());
        }
        let ordered = tested_first(folds, input.matrix.rows()).filter(|_| self.settings.ties == VoteTies::Expected);
        let (swept, outcomes) = if let Some(order) = ordered {
            // Same neighbours, fewer tiles: blocks without a tested row never meet each other.
            let matrix = input.matrix.take(&order);
            let class: Vec<u32> = order.iter().map(|&row| input.class[row as usize]).collect();
            let moved: Vec<Fold> = folds
                .iter()
                .map(|fold| {
                    let roles = order.iter().map(|&row| fold.roles[row as usize]).collect();
                    Fold { roles, repeat: fold.repeat, seed: fold.seed, held_out: Vec::new() }
                })
                .collect();
            let moved: Vec<&Fold> = moved.iter().collect();
            let input = ProbeInput { matrix: &matrix, class: &class, ..input };
            let tally = Tally::new(input, self.settings.ties);
            (self.sweep(&matrix, input, &moved, &tally, tick)?, tally.close())
        } else {
            let tally = Tally::new(input, self.settings.ties);
            (self.sweep(input.matrix, input, folds, &tally, tick)?, tally.close())
        };
        for (number, (fold, swept)) in folds.iter().zip(&swept).enumerate() {
            outcomes.hand_over(number, fold, swept, sink);
        }
        Ok(())
    }
}

/// Rows in an order in which all rows that any fold tests come first, each part ascending; `None`
/// where that would not save much. Tested rows keep their order among each other, so results
/// come back in the order of the folds' test rows.
fn tested_first(folds: &[&Fold], rows: usize) -> Option<Vec<u32>> {
    let mut tested = vec![false; rows];
    for fold in folds {
        for (tested, role) in tested.iter_mut().zip(&fold.roles) {
            *tested |= *role == Role::Test;
        }
    }
    let count = tested.iter().filter(|tested| **tested).count();
    if count == 0 || count * 3 > rows {
        return None;
    }
    let (first, last): (Vec<u32>, Vec<u32>) = (0..rows as u32).partition(|&row| tested[row as usize]);
    Some([first, last].concat())
}

/// Refuses inputs whose lengths do not belong together.
pub(super) fn check_input(input: ProbeInput<'_>, folds: &[&Fold]) -> Result<(), Error> {
    let rows = input.matrix.rows();
    let refuse = |why: String| Err(Error::Probe { probe: CARD.id.to_owned(), why });
    if input.class.len() != rows {
        return refuse(format!("`{rows}` rows have `{}` classes", input.class.len()));
    }
    if input.name_rank.len() != input.classes || input.class.iter().any(|&class| class as usize >= input.classes) {
        return refuse(format!("a class is not below `{}`", input.classes));
    }
    match folds.iter().find(|fold| fold.roles.len() != rows) {
        Some(fold) => refuse(format!("`{rows}` rows have `{}` roles", fold.roles.len())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
