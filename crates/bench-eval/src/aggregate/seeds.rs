//! Mean over independent trainings, with the interval of Student's t.
//!
//! # Formula
//! mean +/- t(0.975, n - 1) * sd / sqrt(n), sd with ddof 1; a single value has no interval.
//!
//! # Why
//! The bootstrap over wells says how a score would vary with other wells, and nothing of how it
//! varies when the same network is trained again. With three seeds the factor is 4.30: what few
//! trainings cannot tell should look like it.

use bench_core::record::Interval;

/// t(0.975, df) for df 1 to 30: `scipy.stats.t.ppf(0.975, range(1, 31))`.
const T: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
];

/// Mean, standard deviation (ddof 1) and 95 % interval of the mean; `None` for what too few values
/// do not give.
pub fn over_seeds(values: &[f64]) -> (Option<f64>, Option<f64>, Option<Interval>) {
    if values.is_empty() {
        return (None, None, None);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() == 1 {
        return (Some(mean), None, None);
    }
    let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let half = quantile(values.len() - 1) * sd / n.sqrt();
    (Some(mean), Some(sd), Some(Interval { low: mean - half, high: mean + half }))
}

/// t(0.975, df); beyond the table the expansion of Cornish and Fisher, right to four decimals.
pub(crate) fn quantile(df: usize) -> f64 {
    let d = df as f64;
    T.get(df - 1).copied().unwrap_or(1.959_964 + 2.372_271 / d + 2.8225 / (d * d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_trainings_have_the_interval_of_scipy() {
        // scipy.stats.t.interval(0.95, 2, loc=mean, scale=scipy.stats.sem([0.61, 0.66, 0.70]))
        let (mean, sd, interval) = over_seeds(&[0.61, 0.66, 0.70]);
        let interval = interval.expect("three values");
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b}");
        close(mean.expect("a mean"), 0.656_666_7);
        close(sd.expect("a spread"), 0.045_092_5);
        close(interval.low, 0.544_650_1);
        close(interval.high, 0.768_683_2);
        assert_eq!(over_seeds(&[0.5]), (Some(0.5), None, None));
        assert_eq!(over_seeds(&[]), (None, None, None));
    }

    #[test]
    fn the_table_meets_its_continuation() {
        // scipy.stats.t.ppf(0.975, [31, 99]) = 2.039513, 1.984217
        assert!((quantile(31) - 2.039_513).abs() < 1e-4 && (quantile(99) - 1.984_217).abs() < 1e-4);
    }
}
