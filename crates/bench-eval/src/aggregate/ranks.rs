//! Ranks of models with their uncertainty.
//!
//! Models are ranked by accuracy, 1 is best and ties share the mean rank: once by their
//! estimates and once in every bootstrap draw. The interval is from the 2.5 % to the 97.5 %
//! quantile over draws. Draws are shared, so two models that differ by little in every draw have
//! distinct ranks, and two that swap places have overlapping intervals.

use bench_core::number::quantile_sorted;
use bench_core::record::RankInterval;

use super::{Draws, Outcomes};

/// Ranks `models` in every protocol, split and probe, in the order of `outcomes`. `draws` belongs
/// to `outcomes`, entry by entry. Cells that tested nothing are not ranked.
pub fn rank(outcomes: &[Outcomes], draws: &[Draws], models: &[&str]) -> Vec<RankInterval> {
    let cell = |at: usize| (&outcomes[at].protocol, &outcomes[at].split, &outcomes[at].probe);
    let ranked: Vec<usize> = (0..outcomes.len())
        .filter(|&at| models.contains(&outcomes[at].model.as_str()) && draws[at].estimate.is_finite())
        .collect();
    ranked
        .iter()
        .map(|&at| {
            let rivals: Vec<usize> = ranked.iter().copied().filter(|&other| cell(other) == cell(at)).collect();
            let rank = mean_rank(draws[at].estimate, rivals.iter().map(|&rival| draws[rival].estimate));
            let mut over_draws: Vec<f64> = (0..draws[at].draws.len())
                .filter(|&draw| rivals.iter().all(|&rival| draws[rival].draws[draw].is_finite()))
                .map(|draw| mean_rank(draws[at].draws[draw], rivals.iter().map(|&rival| draws[rival].draws[draw])))
                .collect();
            over_draws.sort_unstable_by(f64::total_cmp);
            let end = |q| if over_draws.is_empty() { rank } else { quantile_sorted(&over_draws, q) };
            let outcome = &outcomes[at];
            RankInterval {
                model: outcome.model.clone(),
                protocol: outcome.protocol.clone(),
                split: outcome.split.clone(),
                probe: outcome.probe.clone(),
                rank,
                low: end(0.025),
                high: end(0.975),
            }
        })
        .collect()
}

/// Rank of `value` among `all` (itself included): 1 + better + half of the other equals.
fn mean_rank(value: f64, all: impl Iterator<Item = f64>) -> f64 {
    let (better, equal) = all
        .fold((0, 0), |(better, equal), other| (better + u32::from(other > value), equal + u32::from(other == value)));
    1.0 + f64::from(better) + 0.5 * (f64::from(equal) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(model: &str, estimate: f64, draws: &[f64]) -> (Outcomes, Draws) {
        let outcomes = Outcomes { model: model.to_owned(), ..Outcomes::default() };
        (outcomes, Draws { estimate, draws: draws.to_vec(), jackknife: Vec::new() })
    }

    #[test]
    fn ties_share_the_mean_rank_and_swaps_widen_the_interval() {
        let (outcomes, draws): (Vec<_>, Vec<_>) = [
            named("a", 0.9, &[0.9, 0.9, 0.9, 0.9]),
            named("b", 0.5, &[0.6, 0.4, 0.5, f64::NAN]),
            named("c", 0.5, &[0.5, 0.5, 0.5, 0.5]),
            named("control", 0.1, &[0.1; 4]),
        ]
        .into_iter()
        .unzip();
        let ranks = rank(&outcomes, &draws, &["a", "b", "c"]);
        assert_eq!(ranks.iter().map(|r| r.rank).collect::<Vec<_>>(), [1.0, 2.5, 2.5]);
        assert_eq!((ranks[0].low, ranks[0].high), (1.0, 1.0));
        // Over the three defined draws the ranks of b are 2, 3 and 2.5.
        assert!((ranks[1].low - 2.025).abs() < 1e-12 && (ranks[1].high - 2.975).abs() < 1e-12);
    }
}
