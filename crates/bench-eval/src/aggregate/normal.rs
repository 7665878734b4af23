//! The normal distribution, which corrections need too: [`bench_core::normal`].

pub use bench_core::normal::{cdf, quantile};

#[cfg(test)]
mod tests {
    use super::super::interval::golden::golden;

    #[test]
    fn cdf_and_quantiles_are_scipys() {
        let golden = golden();
        for pair in golden["normal"]["cdf"].as_array().unwrap() {
            let (x, expected) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
            let got = super::cdf(x);
            assert!((got - expected).abs() <= 1e-15 + 1e-12 * expected, "cdf({x}) = {got}, not {expected}");
        }
        for pair in golden["normal"]["quantile"].as_array().unwrap() {
            let (p, expected) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
            let got = super::quantile(p);
            assert!((got - expected).abs() <= 1e-13 * (1.0 + expected.abs()), "quantile({p}) = {got}, not {expected}");
        }
        assert_eq!(super::quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(super::quantile(1.0), f64::INFINITY);
        assert!(super::quantile(1.1).is_nan() && super::cdf(f64::NAN).is_nan());
        assert_eq!((super::cdf(f64::NEG_INFINITY), super::cdf(f64::INFINITY)), (0.0, 1.0));
    }
}
