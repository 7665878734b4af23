//! 95 % intervals from bootstrap draws.
//!
//! # Formula
//! Percentile: the 2.5 % and 97.5 % quantiles of the draws (type 7).
//! BCa (Efron 1987): the quantiles at `Phi(z0 + (z0 + z) / (1 - a (z0 + z)))`, z = -1.96 and
//! 1.96, with the bias `z0 = Phi^-1` of the share of draws below the estimate (ties count half) and the
//! acceleration `a = sum u^3 / (6 (sum u^2)^1.5)`, u being the mean of the delete-one-cluster
//! estimates minus each.
//!
//! # What it cannot show
//! With few clusters (batches) both are too short: what was never drawn cannot be resampled.
//! BCa needs the cluster to be the unit of the jackknife, so with two or three clusters its
//! acceleration is hardly more than noise.
//!
//! # Reference
//! Efron and Tibshirani 1993, chapters 13 and 14; `scipy.stats.bootstrap` agrees (test below).

use bench_core::number::quantile_sorted;
use bench_core::record::Interval;

use super::normal;

/// Share of draws that must be defined. A draw is undefined when it contains no tested well.
const DEFINED: f64 = 0.9;

/// The draws that are numbers, sorted; `None` if there are fewer than nine in ten, or than two.
fn defined(draws: &[f64]) -> Option<Vec<f64>> {
    let mut sorted: Vec<f64> = draws.iter().copied().filter(|draw| draw.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    (sorted.len() >= 2 && sorted.len() as f64 >= DEFINED * draws.len() as f64).then_some(sorted)
}

/// 95 % percentile interval; draws that are not finite are left out.
pub fn percentile(draws: &[f64]) -> Option<Interval> {
    let sorted = defined(draws)?;
    Some(Interval { low: quantile_sorted(&sorted, 0.025), high: quantile_sorted(&sorted, 0.975) })
}

/// Percentile interval of any level; draws that are not finite are left out.
pub fn percentile_at(draws: &[f64], level: f64) -> Option<Interval> {
    let sorted = defined(draws)?;
    let tail = (1.0 - level) / 2.0;
    Some(Interval { low: quantile_sorted(&sorted, tail), high: quantile_sorted(&sorted, 1.0 - tail) })
}

/// Two-sided p that what was drawn is zero: `2 (1 + k) / (1 + n)`, at most one, with `k` the draws on the
/// rarer side of zero or at zero. It is the level at which the percentile interval begins to touch zero.
pub fn bootstrap_p(draws: &[f64]) -> Option<f64> {
    let sorted = defined(draws)?;
    let below = sorted.iter().filter(|draw| **draw <= 0.0).count();
    let above = sorted.iter().filter(|draw| **draw >= 0.0).count();
    Some((2.0 * (1 + below.min(above)) as f64 / (1 + sorted.len()) as f64).min(1.0))
}

/// 95 % BCa interval of `estimate`; `jackknife` are the delete-one-cluster estimates. Absent where
/// it is undefined: a jackknife value is missing, or all draws lie on one side of the estimate.
pub fn bca(estimate: f64, draws: &[f64], jackknife: &[f64]) -> Option<Interval> {
    let sorted = defined(draws)?;
    let share = (sorted.iter().filter(|&&draw| draw < estimate).count()
        + sorted.iter().filter(|&&draw| draw <= estimate).count()) as f64
        / (2 * sorted.len()) as f64;
    let bias = normal::quantile(share);
    let acceleration = acceleration(jackknife)?;
    let level = |z: f64| {
        let shifted = bias + z;
        let divisor = 1.0 - acceleration * shifted;
        (divisor > 0.0).then(|| normal::cdf(bias + shifted / divisor)).filter(|level| level.is_finite())
    };
    if !bias.is_finite() {
        return None;
    }
    let (low, high) = (level(normal::quantile(0.025))?, level(normal::quantile(0.975))?);
    Some(Interval { low: quantile_sorted(&sorted, low), high: quantile_sorted(&sorted, high) })
}

/// Acceleration of the BCa interval; zero if no deletion moves the estimate, absent if a
/// deletion leaves it undefined or there are fewer than two.
pub fn acceleration(jackknife: &[f64]) -> Option<f64> {
    if jackknife.len() < 2 || jackknife.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let (squares, cubes) = jackknife.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let u = mean - value;
        (squares + u * u, cubes + u * u * u)
    });
    // Below the rounding of the estimates themselves, differences carry no shape.
    let noise = (f64::EPSILON * mean.abs()).powi(2) * jackknife.len() as f64;
    Some(if squares <= noise { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) })
}

#[cfg(test)]
pub(super) mod golden {
    //! Golden numbers of the statistics, by `tests/goldens/generators/eval_statistics.py`.

    use serde_json::Value;

    pub(in super::super) fn golden() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/statistics.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    pub(in super::super) fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::golden::{golden, numbers};
    use super::*;

    #[test]
    fn bca_of_given_draws_is_scipys() {
        for case in golden()["bca_of_draws"].as_array().unwrap() {
            let (draws, jackknife) = (numbers(&case["draws"]), numbers(&case["jackknife"]));
            let a = acceleration(&jackknife).unwrap();
            assert!((a - case["acceleration"].as_f64().unwrap()).abs() < 1e-12);
            let interval = bca(case["estimate"].as_f64().unwrap(), &draws, &jackknife).unwrap();
            // Same formula in double precision on the same draws: rounding only.
            assert!((interval.low - case["low"].as_f64().unwrap()).abs() < 1e-10);
            assert!((interval.high - case["high"].as_f64().unwrap()).abs() < 1e-10);
        }
    }

    #[test]
    fn p_is_where_the_interval_begins_to_touch_zero() {
        // 999 draws, 30 of them not above zero: 2 * 31 / 1000.
        let draws: Vec<f64> = (0..999).map(|at| f64::from(at) - 29.0).collect();
        assert!((bootstrap_p(&draws).unwrap() - 0.062).abs() < 1e-12);
        assert!(percentile_at(&draws, 0.93).unwrap().low > 0.0 && percentile_at(&draws, 0.95).unwrap().low < 0.0);
        assert_eq!(percentile_at(&draws, 0.5), Some(Interval { low: 220.5, high: 719.5 }));
        assert_eq!(bootstrap_p(&[0.0; 50]), Some(1.0));
        assert_eq!(bootstrap_p(&[f64::NAN; 50]), None);
    }

    #[test]
    fn degenerate_draws_give_a_point_or_nothing() {
        let point = Some(Interval { low: 1.0, high: 1.0 });
        assert_eq!(percentile(&[1.0; 50]), point);
        assert_eq!(bca(1.0, &[1.0; 50], &[1.0; 4]), point);
        assert_eq!(bca(2.0, &[1.0; 50], &[1.0; 4]), None);
        assert_eq!(bca(1.0, &[1.0; 50], &[1.0, f64::NAN]), None);
        assert_eq!(percentile(&[1.0, f64::NAN, f64::NAN]), None);
    }
}
