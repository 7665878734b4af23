//! Scores of single classes: precision, recall, F1, support.
//!
//! # What
//! The per-class ratios of a confusion matrix, which may be summed over repeats. The one-vs-rest
//! areas are in [`super::Evaluated::areas`], per fold, because probabilities of different fits
//! are averaged, not pooled.
//!
//! # Why
//! A macro average hides which compound or target fails.
//!
//! # What it cannot show
//! A precision of 0 means that no decision for the class was right; it may never have been
//! decided at all.

use super::Confusion;

/// Scores of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassPieces {
    /// Test rows of the class.
    pub support: u64,
    /// Share of decisions for the class that are right, 0 if there are none; absent if the class
    /// neither has test rows nor is decided.
    pub precision: Option<f64>,
    /// Share of the rows of the class that are found; absent if it has none.
    pub recall: Option<f64>,
    /// Harmonic mean; absent if the class neither has test rows nor is decided.
    pub f1: Option<f64>,
}

/// Scores of every class, in class order.
pub fn per_class(confusion: &Confusion) -> Vec<ClassPieces> {
    (0..confusion.classes())
        .map(|class| {
            let occurs = confusion.occurs(class);
            ClassPieces {
                support: confusion.support(class),
                precision: occurs.then(|| confusion.precision(class)),
                recall: (confusion.support(class) > 0).then(|| confusion.recall(class)),
                f1: occurs.then(|| confusion.f1(class)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    #[test]
    fn a_class_that_does_not_occur_has_no_scores() {
        let mut predictions = Predictions::with_classes(3);
        predictions.push(0, &[0.0; 3], [(1, 1.0)]);
        let pieces = per_class(&Confusion::of(&predictions, &[0], 3));
        assert_eq!(pieces[0], ClassPieces { support: 1, precision: Some(0.0), recall: Some(0.0), f1: Some(0.0) });
        assert_eq!(pieces[1], ClassPieces { support: 0, precision: Some(0.0), recall: None, f1: Some(0.0) });
        assert_eq!(pieces[2], ClassPieces::default());
    }
}
