//! The knee of a convex decreasing curve, by the Kneedle rule.
//!
//! # What
//! The point at which a falling curve turns flat: the first local maximum of the distance from the diagonal that is
//! followed by a fall of more than the mean step.
//!
//! # Formula
//! With x and y scaled to [0, 1], `d_i = (1 - y_i) - x_i`; from a local maximum at m on, the knee is m as soon as
//! `d_i < d_m - S mean(step of x)`; a local minimum ends the search until the next maximum.
//!
//! # Reference
//! Satopää et al. 2011; kneed 0.9 `KneeLocator(S=1, curve="convex", direction="decreasing")`.

/// Index of the knee of `y` over equally spaced x, if there is one.
pub(crate) fn knee(y: &[f64], sensitivity: f64) -> Option<usize> {
    let n = y.len();
    let (low, high) = y.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if n < 2 || low >= high {
        return None;
    }
    let step = 1.0 / (n - 1) as f64;
    // Two subtractions, as kneed does them: the curve is scaled, then turned over.
    let difference: Vec<f64> =
        y.iter().enumerate().map(|(i, &v)| (1.0 - (v - low) / (high - low)) - i as f64 / (n - 1) as f64).collect();
    let (before, after) = (|i: usize| difference[i.saturating_sub(1)], |i: usize| difference[(i + 1).min(n - 1)]);
    let is_maximum = |i: usize| difference[i] >= before(i) && difference[i] >= after(i);
    let is_minimum = |i: usize| difference[i] <= before(i) && difference[i] <= after(i);
    let (mut threshold, mut at, mut active) = (0.0, None, true);
    for i in 0..n - 1 {
        if is_maximum(i) {
            (threshold, at, active) = (difference[i] - sensitivity * step, Some(i), true);
        }
        if at.is_none() {
            continue;
        }
        if is_minimum(i) {
            (threshold, active) = (0.0, false);
        }
        if active && difference[i + 1] < threshold {
            return at;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::knee;

    #[test]
    fn a_sharp_bend_is_found_and_a_line_has_none() {
        assert_eq!(knee(&[10.0, 1.0, 0.9, 0.8, 0.7], 1.0), Some(1));
        assert_eq!(knee(&[4.0, 3.0, 2.0, 1.0, 0.0], 1.0), None);
        assert_eq!(knee(&[1.0, 1.0, 1.0], 1.0), None);
        assert_eq!(knee(&[], 1.0), None);
    }
}
