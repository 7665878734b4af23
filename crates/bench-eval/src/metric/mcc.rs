//! Matthews correlation, multiclass.
//!
//! # What
//! Correlation between truth and decision as indicator vectors, from the expected confusion matrix.
//!
//! # Formula
//! `(n trace - sum_c t_c d_c) / sqrt((n^2 - sum_c d_c^2) (n^2 - sum_c t_c^2)), t = test rows
//! and d = decisions per class`
//!
//! # Why
//! It is 0 for every predictor that ignores its input, whatever the class shares.
//!
//! # What it cannot show
//! 0 where a single class is true or decided. Under ties it is the coefficient of the expected
//! matrix.
//!
//! # Reference
//! Gorodkin 2004, R_K; scikit-learn matthews_corrcoef

use bench_core::Card;

use super::{Evaluated, Metric};

/// Its card.
pub static CARD: Card = Card {
    id: "mcc",
    title: "Matthews correlation, multiclass",
    what: "Correlation between truth and decision as indicator vectors, from the expected confusion matrix.",
    formula: "(n trace - sum_c t_c d_c) / sqrt((n^2 - sum_c d_c^2) (n^2 - sum_c t_c^2)), t = test rows and d = decisions per class",
    better: "higher",
    range: "-1 to 1; 0 is chance",
    limits: "0 where a single class is true or decided. Under ties it is the coefficient of the expected matrix.",
    reference: "Gorodkin 2004, R_K; scikit-learn matthews_corrcoef",
};

/// Matthews correlation, multiclass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mcc;

impl Metric for Mcc {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn value(&self, evaluated: &Evaluated<'_>) -> Result<f64, String> {
        let confusion = evaluated.confusion()?;
        let n = confusion.rows() as f64;
        let (mut hits, mut both, mut decided_squares, mut true_squares) = (0.0, 0.0, 0.0, 0.0);
        for class in 0..confusion.classes() {
            let (truth, decided) = (confusion.support(class) as f64, confusion.decided(class));
            hits += confusion.hits(class);
            both += truth * decided;
            decided_squares += decided * decided;
            true_squares += truth * truth;
        }
        let spread = (n * n - decided_squares) * (n * n - true_squares);
        Ok(if spread > 0.0 { (n * hits - both) / spread.sqrt() } else { 0.0 })
    }
}
