//! False discovery rates: Benjamini-Hochberg, and its two-stage form for groups of hypotheses.
//!
//! # Formula
//! Benjamini-Hochberg: `q_(i) = min_{j >= i} m p_(j) / j`, at most one. Hierarchical: the smallest p of every group,
//! corrected for the group's size (Bonferroni), is tested by Benjamini-Hochberg over the groups; within the groups that
//! pass, Benjamini-Hochberg again, at the level times the share of groups that passed.
//!
//! # Why
//! Hundreds of compounds each have a p value. Where every compound has several (one per plate or replicate), the question
//! is first which compounds are active, then where. Holm's correction is in [`crate::aggregate::holm`].
//!
//! # What it cannot show
//! Benjamini-Hochberg holds for independent or positively dependent tests.
//!
//! # Reference
//! Benjamini and Hochberg 1995; Benjamini and Bogomolov 2014 (selective inference on families); statsmodels agrees with
//! the first.

/// Corrected p-values (q values), in the order given.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut corrected = vec![0.0; p.len()];
    let mut ceiling: f64 = 1.0;
    for (from_end, at) in order.into_iter().enumerate() {
        let rank = p.len() - from_end;
        ceiling = ceiling.min(p.len() as f64 * p[at] / rank as f64);
        corrected[at] = ceiling;
    }
    corrected
}

/// What a hierarchical test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hierarchical {
    /// Corrected p of every group.
    pub group: Vec<f64>,
    /// Whether a group passed.
    pub passed: Vec<bool>,
    /// Whether a hypothesis is rejected; never in a group that did not pass.
    pub rejected: Vec<bool>,
}

/// Tests hypotheses in groups; `group[i]` is the group of the `i`-th of `groups` groups.
pub fn hierarchical(p: &[f64], group: &[u32], groups: usize, level: f64) -> Hierarchical {
    assert_eq!(p.len(), group.len(), "one group per hypothesis");
    let mut members = vec![Vec::new(); groups];
    for (at, &group) in group.iter().enumerate() {
        members[group as usize].push(at);
    }
    // Groups without hypotheses take no part.
    let tested: Vec<usize> = (0..groups).filter(|&group| !members[group].is_empty()).collect();
    let smallest = |group: usize| members[group].iter().map(|&at| p[at]).fold(f64::INFINITY, f64::min);
    let first: Vec<f64> =
        tested.iter().map(|&group| (smallest(group) * members[group].len() as f64).min(1.0)).collect();
    let mut found =
        Hierarchical { group: vec![1.0; groups], passed: vec![false; groups], rejected: vec![false; p.len()] };
    for (&group, q) in tested.iter().zip(benjamini_hochberg(&first)) {
        (found.group[group], found.passed[group]) = (q, q <= level);
    }
    let share = found.passed.iter().filter(|&&passed| passed).count() as f64 / tested.len().max(1) as f64;
    for members in members.iter().zip(&found.passed).filter(|(_, passed)| **passed).map(|(members, _)| members) {
        let within: Vec<f64> = members.iter().map(|&at| p[at]).collect();
        for (&at, q) in members.iter().zip(benjamini_hochberg(&within)) {
            found.rejected[at] = q <= level * share;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::testing;

    #[test]
    fn corrected_p_is_that_of_statsmodels() {
        for case in testing::golden()["benjamini_hochberg"].as_array().unwrap() {
            let numbers =
                |key: &str| -> Vec<f64> { case[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
            for (got, expected) in benjamini_hochberg(&numbers("p")).iter().zip(numbers("corrected")) {
                assert!((got - expected).abs() < 1e-14, "{got} {expected}");
            }
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    #[test]
    fn groups_that_do_not_pass_reject_nothing() {
        let p = [0.001, 0.9, 0.004, 0.3, 0.6, 0.02, 0.8, 0.9];
        let group = [0, 0, 1, 1, 1, 2, 2, 2];
        let found = hierarchical(&p, &group, 4, 0.05);
        // Bonferroni: 0.002, 0.012, 0.06; by Benjamini-Hochberg 0.006, 0.018, 0.06.
        let expected = [0.006, 0.018, 0.06, 1.0];
        assert!(found.group.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-12));
        assert_eq!(found.passed, [true, true, false, false]);
        // Level within groups: 0.05 * 2 / 3; q of the first two are 0.002 and 0.012.
        assert_eq!(found.rejected, [true, false, true, false, false, false, false, false]);
    }
}
