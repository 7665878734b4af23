//! Alignment: how near rows of a label lie on the sphere.
//!
//! # What
//! The mean squared distance between unit rows of the same label, and (as a part) between all rows.
//!
//! # Formula
//! `E |u_i - u_j|^2` over pairs of a label, in closed form `2 (1 - (|S|^2 - sum |u|^2) / (n (n - 1)))` with `S` the sum
//! of the label's unit rows; labels weigh by their pairs.
//!
//! # Why
//! Alignment without uniformity is collapse; read the two together.
//!
//! # What it cannot show
//! Whether a small value comes from good biology or from collapse: the part `all rows` tells.
//!
//! # Threshold
//! It fires if rows of a label lie no nearer to each other than 0.999 of the distance between any rows: the label is then
//! invisible to cosine distances.
//!
//! # Reference
//! Wang and Isola 2020.

use bench_core::Card;

use crate::embedding::batch::shared::level_sums;
use crate::embedding::{EmbeddingCard, EmbeddingMetric, Measured, NullCost, Part, Roles, Side, Space};

/// Share of the distance between any rows at which it fires.
const SHARE: f64 = 0.999;

/// Its card.
pub static CARD: EmbeddingCard = EmbeddingCard {
    card: Card {
        id: "alignment",
        title: "Alignment",
        what: "The mean squared distance between unit rows of a label. Fires if it is no smaller than 0.999 of that between any rows. Constant embedding: 0, and it fires.",
        formula: "E |u_i - u_j|^2 over pairs of rows of a label",
        better: "lower",
        range: "0 to 4",
        limits: "Small for good biology and for collapse alike; read it beside uniformity.",
        reference: "Wang and Isola 2020",
    },
    side: Side::Guard,
    dialect: "alpha = 2",
    best: "one-hot-label",
    worst: "noise",
};

/// Alignment.
#[derive(Clone, Copy, Debug)]
pub struct Alignment;

impl EmbeddingMetric for Alignment {
    fn card(&self) -> &'static EmbeddingCard {
        &CARD
    }

    fn null_cost(&self) -> NullCost {
        NullCost::Pass
    }

    fn measure(&self, space: &Space<'_>, roles: &Roles<'_>) -> Result<Measured, String> {
        let (unit, codes) = (space.unit_rows(), &roles.label.codes);
        let (n, d, labels) = (unit.rows(), unit.cols(), roles.label.level_count());
        let square: Vec<f64> =
            (0..n).map(|row| unit.row(row).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>()).collect();
        let sums = level_sums(unit, codes, labels);
        let mut squares = vec![0.0; labels];
        codes.iter().zip(&square).for_each(|(&code, square)| squares[code as usize] += square);
        // Sum of squared distances over ordered pairs of n rows: 2 (n sum |u|^2 - |S|^2).
        let spread = |n: usize, squares: f64, sum: &[f64]| {
            (2.0 * (n as f64 * squares - sum.iter().map(|x| x * x).sum::<f64>())).max(0.0)
        };
        let (mut total, mut pairs) = (0.0, 0.0);
        for (label, &count) in roles.label.counts().iter().enumerate().filter(|(_, count)| **count > 1) {
            total += spread(count, squares[label], &sums[label * d..(label + 1) * d]);
            pairs += (count * (count - 1)) as f64;
        }
        if pairs == 0.0 {
            return Err("no label has two rows".to_owned());
        }
        let mut whole = vec![0.0; d];
        sums.chunks_exact(d).for_each(|sum| whole.iter_mut().zip(sum).for_each(|(all, x)| *all += x));
        let all = spread(n, square.iter().sum(), &whole) / (n * (n - 1)) as f64;
        let parts = vec![Part { unit: "table", name: "all rows".to_owned(), n, value: rounded(all), p: None }];
        Ok(Measured { value: rounded(total / pairs), n, parts, ..Measured::default() })
    }

    fn fires(&self, measured: &Measured) -> Option<String> {
        let all = measured.parts.first()?.value;
        (measured.value >= SHARE * all).then(|| {
            format!(
                "rows of a label are as far apart ({:.4}) as any rows ({all:.4}): labels are invisible",
                measured.value
            )
        })
    }
}

/// Unit rows are `f32`: what is below their rounding is zero.
fn rounded(square: f64) -> f64 {
    if square < 1e-12 { 0.0 } else { square }
}
