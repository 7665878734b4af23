//! Holm's correction for testing many pairs of models.
//!
//! Sorted p-values are multiplied by the number of hypotheses not yet rejected, and never fall
//! below a smaller p's result. The chance of a single false rejection stays below the level,
//! whatever the dependence between tests.
//!
//! Reference: Holm 1979; `statsmodels.stats.multitest.multipletests(method="holm")` agrees.

/// Corrected p-values, in the order given; at most one.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut floor: f64 = 0.0;
    for (rejected, at) in order.into_iter().enumerate() {
        floor = floor.max((p.len() - rejected) as f64 * p[at]).min(1.0);
        corrected[at] = floor;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::super::interval::golden::{golden, numbers};

    #[test]
    fn corrected_p_is_that_of_statsmodels() {
        for case in golden()["holm"].as_array().unwrap() {
            let got = super::holm(&numbers(&case["p"]));
            for (got, expected) in got.iter().zip(numbers(&case["corrected"])) {
                assert!((got - expected).abs() < 1e-14, "{got} {expected}");
            }
        }
        assert!(super::holm(&[]).is_empty());
    }
}
