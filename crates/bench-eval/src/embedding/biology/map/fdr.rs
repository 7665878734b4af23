//! False discovery rates: Benjamini-Hochberg, and in two stages for groups of tests.
//!
//! # Formula
//! `q_(i) = min over j >= i of p_(j) m / j`, at most 1, p ascending. In two stages: the smallest p of each group, then
//! `q` over groups; inside groups that pass, `q` of their own tests; in the others 1.
//!
//! # Reference
//! Benjamini and Hochberg 1995; `statsmodels.stats.multitest.multipletests(method="fdr_bh")` agrees. The two stages
//! are copairs 0.5.5's `mean_average_precision_hierarchical`, made for doses of a compound.

/// Corrected p-values, in the order given.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut corrected = vec![0.0; p.len()];
    let mut ceiling: f64 = 1.0;
    for (above, at) in order.into_iter().enumerate() {
        let rank = p.len() - above;
        ceiling = ceiling.min(p[at] * p.len() as f64 / rank as f64);
        corrected[at] = ceiling;
    }
    corrected
}

/// Corrected p-values in two stages; `group` gives the group of each test, a group passes at `level`.
pub fn hierarchical(p: &[f64], group: &[usize], level: f64) -> Vec<f64> {
    let groups = group.iter().max().map_or(0, |&last| last + 1);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups];
    for (at, &group) in group.iter().enumerate() {
        members[group].push(at);
    }
    members.retain(|members| !members.is_empty());
    let smallest: Vec<f64> =
        members.iter().map(|members| members.iter().map(|&at| p[at]).fold(f64::INFINITY, f64::min)).collect();
    let mut corrected = vec![1.0; p.len()];
    for (members, q) in members.iter().zip(benjamini_hochberg(&smallest)) {
        if q <= level {
            let inside: Vec<f64> = members.iter().map(|&at| p[at]).collect();
            for (&at, q) in members.iter().zip(benjamini_hochberg(&inside)) {
                corrected[at] = q;
            }
        }
    }
    corrected
}
