//! Upper tail of the chi-squared distribution for whole degrees of freedom.
//!
//! # Formula
//! `Q(1) = 2 (1 - Phi(sqrt x))`, `Q(2) = exp(-x / 2)`, `Q(v + 2) = Q(v) + (x / 2)^(v / 2) exp(-x / 2) / Gamma(v / 2 + 1)`:
//! all terms are positive, so nothing cancels.
//!
//! # Reference
//! Abramowitz and Stegun 26.4.4, 26.4.5 and 26.4.8.

use crate::aggregate::normal;

/// P(X > x) with `degrees` >= 1 degrees of freedom.
pub(super) fn upper_tail(x: f64, degrees: usize) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let half = x / 2.0;
    let (mut tail, mut v, mut term) = if degrees % 2 == 1 {
        // Gamma(3/2) = sqrt(pi) / 2.
        let first = half.sqrt() * (-half).exp() / (std::f64::consts::PI.sqrt() / 2.0);
        (2.0 * normal::cdf(-x.sqrt()), 1, first)
    } else {
        ((-half).exp(), 2, half * (-half).exp())
    };
    while v < degrees {
        tail += term;
        v += 2;
        term *= half / (v as f64 / 2.0);
    }
    tail.min(1.0)
}

/// The largest x, to the last bit but a few, with `P(X > x) >= level`.
pub(super) fn critical(level: f64, degrees: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(high, degrees) >= level {
        high *= 2.0;
    }
    // Sixty halvings leave the spacing of numbers.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if upper_tail(middle, degrees) >= level { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{critical, upper_tail};
    use crate::embedding::testing;

    #[test]
    fn tails_are_scipys() {
        for case in testing::golden()["chi_squared"].as_array().unwrap() {
            let [x, degrees, expected] = [0, 1, 2].map(|at| case[at].as_f64().unwrap());
            let got = upper_tail(x, degrees as usize);
            assert!((got - expected).abs() <= 1e-12 * expected.max(1e-3), "{x} {degrees}: {got} {expected}");
        }
    }

    #[test]
    fn the_critical_value_has_its_level() {
        for degrees in [1, 2, 5, 12, 140] {
            for level in [0.05, 0.5] {
                let x = critical(level, degrees);
                assert!((upper_tail(x, degrees) - level).abs() < 1e-12, "{degrees} {level}");
            }
        }
    }
}
