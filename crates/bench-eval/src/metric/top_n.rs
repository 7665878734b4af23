//! Top-N accuracy: whether the true class is among the N most probable ones.
//!
//! # What
//! The expected share of test rows whose true class is among the N most probable classes, where
//! equal probabilities are ordered at random. Classes not seen in training take no part, and
//! their test rows are never hits.
//!
//! # Formula
//! With `a` classes above the true one and `t` tied with it (itself included) a row counts
//! `min(1, max(0, (N - a) / t))`.
//!
//! # Why
//! A probe may rank the right class second where two classes look alike.
//!
//! # What it cannot show
//! Much, with few neighbours: with k = 3 at most three classes have votes and the rest is a tie,
//! resolved here by expectation (row or class order would make it luck). With N at or above the
//! number of classes every row is a hit, so a reason is given instead.
//!
//! # Reference
//! scikit-learn `top_k_accuracy_score` where nothing is tied (it breaks ties by class order);
//! the expectation is that over all orders of the classes.

use bench_core::Card;

use super::{Evaluated, Metric};
use crate::Error;

/// Card of the family `top-1`, `top-2`, ...
pub static CARD: Card = Card {
    id: "top-n",
    title: "Top-N accuracy",
    what: "Expected share of test rows whose true class is among the N most probable; ties are ordered at random. Written top-3, top-5, top-10.",
    formula: "mean_i min(1, max(0, (N - above_i) / tied_i))",
    better: "higher",
    range: "0 to 1; N / C is chance",
    limits: "With few neighbours most classes tie without a vote; refused where N is at least the number of classes.",
    reference: "scikit-learn top_k_accuracy_score, ties by expectation",
};

/// Top-N accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopN {
    n: u32,
}

/// The metric that `top-N` names, if the id has that form.
pub(super) fn parse(id: &str) -> Option<Result<TopN, Error>> {
    let digits = id.strip_prefix("top-")?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match digits.parse() {
        Ok(n) if n > 0 => Ok(TopN { n }),
        _ => Err(Error::Setting {
            key: "metric".to_owned(),
            value: id.to_owned(),
            why: format!("the number must be between 1 and {}", u32::MAX),
        }),
    })
}

impl Metric for TopN {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn id(&self) -> String {
        format!("top-{}", self.n)
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        let classes = evaluated.classes();
        if self.n as usize >= classes {
            return Err(format!("top-{} of {classes} classes is always 1", self.n));
        }
        let placed = evaluated.placed()?;
        let hits: f64 = placed
            .iter()
            .map(|row| match row.tied {
                0 => 0.0,
                tied => f64::from(self.n.saturating_sub(row.above).min(tied)) / f64::from(tied),
            })
            .sum();
        Ok(hits / placed.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    #[test]
    fn a_class_unseen_in_training_is_never_a_hit() {
        let mut predictions = Predictions::with_classes(4);
        predictions.push(0, &[1.0, 0.0, 0.0, 0.0], [(0, 1.0)]);
        let top_2 =
            |truth: u32, seen: &[bool]| TopN { n: 2 }.value(&Evaluated::new(&predictions, &[truth], 4, seen)).unwrap();
        assert_eq!(top_2(3, &[true; 4]), 1.0 / 3.0);
        assert_eq!(top_2(3, &[true, true, true, false]), 0.0);
        assert_eq!(top_2(2, &[true, true, true, false]), 0.5);
    }

    #[test]
    fn as_many_guesses_as_classes_are_refused() {
        let mut predictions = Predictions::with_classes(3);
        predictions.push(0, &[0.2, 0.3, 0.5], [(2, 1.0)]);
        let evaluated = Evaluated::new(&predictions, &[2], 3, &[true; 3]);
        assert_eq!(TopN { n: 3 }.value(&evaluated), Err("top-3 of 3 classes is always 1".to_owned()));
    }
}
