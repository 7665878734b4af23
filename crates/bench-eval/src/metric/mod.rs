//! Metrics: one number, or the reason for its absence, from predictions and answers.
//!
//! # What
//! A [`Metric`] has a card and a value. [`evaluate_all`] computes a list of them for one fold
//! (or for the pooled folds of a split); what several metrics need, such as the expected
//! confusion matrix, is computed once and shared through [`Evaluated`].
//!
//! # Ties
//! A tied decision counts by expectation: each of its classes by its weight. Accuracy, recall
//! and balanced accuracy are linear in the decisions, so they are the exact expectation over
//! random tie-breaking. Precision, F1 and MCC are ratios; they are those of the expected
//! confusion matrix.
//!
//! # Where it fits
//! After a [`crate::probe`], before [`crate::aggregate`]. A new metric is one file with a card
//! and two lines here.

use bench_core::{Card, suggest};

use crate::Error;

pub mod accuracy;
pub mod balanced_accuracy;
pub mod brier;
pub mod class;
pub mod confusion;
pub mod evaluated;
pub mod f1_macro;
pub mod f1_weighted;
pub mod group;
pub mod log_loss;
pub mod mcc;
pub mod precision_macro;
pub mod precision_weighted;
pub mod recall_macro;
pub mod recall_weighted;
pub mod roc_auc;
pub mod top_n;

pub use confusion::Confusion;
pub use evaluated::Evaluated;

/// A score of predictions.
pub trait Metric: Send + Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// Id under which scores are stored; the card's, unless the metric has a parameter.
    fn id(&self) -> String {
        self.card().id.to_owned()
    }

    /// The value.
    ///
    /// # Errors
    /// The reason why it is not defined for these rows.
    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String>;
}

/// Cards of all metrics, in order of report.
pub static CARDS: [&Card; 13] = [
    &accuracy::CARD,
    &balanced_accuracy::CARD,
    &precision_macro::CARD,
    &recall_macro::CARD,
    &f1_macro::CARD,
    &precision_weighted::CARD,
    &recall_weighted::CARD,
    &f1_weighted::CARD,
    &roc_auc::CARD,
    &top_n::CARD,
    &log_loss::CARD,
    &brier::CARD,
    &mcc::CARD,
];

/// Ids reported by default, in order of report.
pub static DEFAULT_IDS: [&str; 15] = [
    "accuracy",
    "balanced-accuracy",
    "precision-macro",
    "recall-macro",
    "f1-macro",
    "precision-weighted",
    "recall-weighted",
    "f1-weighted",
    "roc-auc",
    "top-3",
    "top-5",
    "top-10",
    "log-loss",
    "brier",
    "mcc",
];

/// The metric of an id; `top-N` takes any positive number.
///
/// # Errors
/// An unknown id, with the closest valid one; `top-0`.
pub fn lookup(id: &str) -> Result<Box<dyn Metric>, Error> {
    Ok(match id {
        "accuracy" => Box::new(accuracy::Accuracy),
        "balanced-accuracy" => Box::new(balanced_accuracy::BalancedAccuracy),
        "precision-macro" => Box::new(precision_macro::PrecisionMacro),
        "recall-macro" => Box::new(recall_macro::RecallMacro),
        "f1-macro" => Box::new(f1_macro::F1Macro),
        "precision-weighted" => Box::new(precision_weighted::PrecisionWeighted),
        "recall-weighted" => Box::new(recall_weighted::RecallWeighted),
        "f1-weighted" => Box::new(f1_weighted::F1Weighted),
        "roc-auc" => Box::new(roc_auc::RocAuc),
        "log-loss" => Box::new(log_loss::LogLoss),
        "brier" => Box::new(brier::Brier),
        "mcc" => Box::new(mcc::Mcc),
        other => match top_n::parse(other) {
            Some(metric) => Box::new(metric?),
            None => {
                let suggestion = suggest::closest(other, DEFAULT_IDS).map(str::to_owned);
                return Err(Error::UnknownId { kind: "metric", id: other.to_owned(), suggestion });
            }
        },
    })
}

/// The card of an id.
///
/// # Errors
/// As [`lookup`]; the family id `top-n` is known here too.
pub fn card(id: &str) -> Result<&'static Card, Error> {
    match CARDS.iter().find(|card| card.id == id) {
        Some(card) => Ok(card),
        None => lookup(id).map(|metric| metric.card()),
    }
}

/// Looks up several ids, in order.
///
/// # Errors
/// As [`lookup`], for the first id that fails.
pub fn lookup_all<S: AsRef<str>>(ids: &[S]) -> Result<Vec<Box<dyn Metric>>, Error> {
    ids.iter().map(|id| lookup(id.as_ref())).collect()
}

/// Computes several metrics of the same rows, in order; shared pieces are computed once.
pub fn evaluate_all(evaluated: &Evaluated<'_>, metrics: &[Box<dyn Metric>]) -> Vec<(String, Result<f64, String>)> {
    // Not in parallel over metrics: the shared pieces are, over rows and classes.
    metrics.iter().map(|metric| (metric.id(), metric.value(evaluated))).collect()
}

#[cfg(test)]
mod golden_tests;

/// What `bench new` writes; its test is to fail until it is filled in.
#[cfg(test)]
#[path = "../../../bench-run/src/scaffold/templates/metric.rs"]
pub mod template_metric;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_id_and_every_card_is_found() {
        for id in DEFAULT_IDS {
            assert_eq!(lookup(id).unwrap().id(), id);
            assert!(["higher", "lower", "none"].contains(&card(id).unwrap().better), "{id}");
        }
        for listed in CARDS {
            assert_eq!(card(listed.id).unwrap(), listed);
        }
        assert_eq!(lookup("top-7").unwrap().id(), "top-7");
        assert_eq!(card("top-7").unwrap().id, "top-n");
    }

    #[test]
    fn a_mistyped_metric_is_answered_with_the_closest_one() {
        let suggestion = |id: &str| match lookup(id) {
            Err(Error::UnknownId { suggestion, .. }) => suggestion,
            _ => panic!("`{id}` is not a metric"),
        };
        assert_eq!(suggestion("acuracy").as_deref(), Some("accuracy"));
        assert_eq!(suggestion("top_5").as_deref(), Some("top-5"));
        assert_eq!(suggestion("f1"), None);
        assert!(matches!(lookup("top-0"), Err(Error::Setting { .. })));
    }
}
