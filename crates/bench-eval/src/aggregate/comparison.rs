//! Which of two models is better, pair by pair on the same splits.
//!
//! The difference is that of mean accuracies. Its interval comes from the shared bootstrap draws, its
//! p from the [sign-flip test](super::permutation) on the wells' contributions
//! `d_u = 1/R sum_r (c_ru - c'_ru) / n_r` (R repeats, c rows predicted correctly, n rows
//! tested), whose sum is the difference. Holm's correction runs over all comparisons returned.
//!
//! The least p of `n` draws is 1 / (1 + n), and Holm multiplies it by the number of comparisons: with
//! 10,000 draws and 560 comparisons no difference, however large, could come below 0.056. So there
//! are at least 100 draws per comparison.

use bench_core::Seed;
use bench_core::record::Comparison;

use super::interval::percentile;
use super::{Draws, Outcomes, holm, sign_flip};
use crate::Error;

/// Sign assignments for every comparison of a run.
const DRAWS_PER_COMPARISON: usize = 100;

/// Most sign assignments; enough for 50,000 comparisons.
const MOST_DRAWS: usize = 1_000_000;

/// Compares every pair of `models` in every protocol, split and probe that both were scored on.
/// `draws` belongs to `outcomes`, entry by entry; at least `permutations` sign assignments are drawn
/// where they are too many to enumerate.
///
/// # Errors
/// [`Error::Split`] if two models were tested on different rows of a split.
pub fn compare(
    outcomes: &[Outcomes],
    draws: &[Draws],
    models: &[&str],
    permutations: usize,
    seed: Seed,
) -> Result<Vec<Comparison>, Error> {
    let mut comparisons = Vec::new();
    let is_pair = |a: &Outcomes, b: &Outcomes| {
        models.contains(&a.model.as_str())
            && models.contains(&b.model.as_str())
            && (&a.protocol, &a.split, &a.probe) == (&b.protocol, &b.split, &b.probe)
    };
    let pairs = outcomes.iter().enumerate().flat_map(|(at, a)| outcomes[at + 1..].iter().map(move |b| (a, b)));
    let planned = pairs.filter(|(a, b)| is_pair(a, b)).count();
    let permutations = permutations.max((planned * DRAWS_PER_COMPARISON).min(MOST_DRAWS));
    for (first, a) in outcomes.iter().enumerate() {
        for (second, b) in outcomes.iter().enumerate().skip(first + 1) {
            let (Some(of_a), Some(of_b)) = (a.accuracy(), b.accuracy()) else { continue };
            if !is_pair(a, b) {
                continue;
            }
            if !a.is_paired_with(b) {
                let why = format!("models `{}` and `{}` were tested on different rows", a.model, b.model);
                return Err(Error::Split { split: a.split.clone(), why });
            }
            let purpose = format!("permutation/{}/{}/{}", a.protocol, a.split, a.probe);
            let test = sign_flip(&contributions(a, b), permutations, seed.derive(&purpose, 0));
            let difference = draws[first].combine(&draws[second], |a, b| a - b);
            comparisons.push(Comparison {
                a: a.model.clone(),
                b: b.model.clone(),
                protocol: a.protocol.clone(),
                split: a.split.clone(),
                probe: a.probe.clone(),
                metric: "accuracy".to_owned(),
                difference: of_a - of_b,
                interval: percentile(&difference.draws),
                p: test.p,
                p_holm: test.p,
                units: test.units,
                permutations: test.permutations,
            });
        }
    }
    let p: Vec<f64> = comparisons.iter().map(|comparison| comparison.p).collect();
    for (comparison, p) in comparisons.iter_mut().zip(holm(&p)) {
        comparison.p_holm = p;
    }
    Ok(comparisons)
}

/// Contribution of every unit to the difference of two mean accuracies.
fn contributions(a: &Outcomes, b: &Outcomes) -> Vec<f64> {
    let repeats = a.repeats.iter().filter(|tally| tally.tested() > 0).count().max(1) as f64;
    let units = a.repeats.iter().filter_map(|tally| tally.unit.last()).max().map_or(0, |last| *last as usize + 1);
    let mut contributions = vec![0.0; units];
    for (a, b) in a.repeats.iter().zip(&b.repeats) {
        let scale = repeats * a.tested() as f64;
        for ((&unit, x), y) in a.unit.iter().zip(&a.correct).zip(&b.correct) {
            contributions[unit as usize] += (x - y) / scale;
        }
    }
    contributions
}

#[cfg(test)]
mod tests {
    use super::super::{Clusters, Tally, bootstrap};
    use super::*;

    fn outcomes(model: &str, correct: impl Fn(u32) -> f64) -> Outcomes {
        let units: Vec<u32> = (0..40).collect();
        let tally = Tally { correct: units.iter().map(|&u| correct(u)).collect(), rows: vec![4; 40], unit: units };
        Outcomes { model: model.to_owned(), split: "random".to_owned(), repeats: vec![tally], ..Outcomes::default() }
    }

    #[test]
    fn a_better_model_is_told_from_a_worse_one_and_not_from_its_equal() {
        let cells = [
            outcomes("good", |_| 3.0),
            outcomes("same", |_| 3.0),
            outcomes("bad", |unit| f64::from(unit % 3)),
            outcomes("control", |_| 0.0),
        ];
        let clusters = Clusters::of(&bench_core::Layout { rows: 40, ..Default::default() });
        let draws = bootstrap(&clusters, &cells.each_ref(), 200, Seed(1));
        let models = ["good", "same", "bad"];
        let all = compare(&cells, &draws, &models, 10_000, Seed(1)).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].difference, all[0].p, all[0].units), (0.0, 1.0, 0));
        assert!(all[1].p < 1e-3 && all[1].p_holm > all[1].p && all[1].permutations == 10_000);
        let interval = all[1].interval.unwrap();
        assert!(interval.low > 0.0 && interval.low < all[1].difference && all[1].difference < interval.high);
        let sum: f64 = contributions(&cells[0], &cells[2]).iter().sum();
        assert!((sum - all[1].difference).abs() < 1e-12);
    }

    #[test]
    fn a_plain_difference_survives_the_correction_however_many_comparisons_there_are() {
        let split = |name: usize, model: &str, good: bool| Outcomes {
            split: format!("split-{name}"),
            ..outcomes(model, |unit| if good { 3.0 } else { f64::from(unit % 3) })
        };
        let cells: Vec<Outcomes> = (0..600).flat_map(|n| [split(n, "good", true), split(n, "bad", false)]).collect();
        let clusters = Clusters::of(&bench_core::Layout { rows: 40, ..Default::default() });
        let refs: Vec<&Outcomes> = cells.iter().collect();
        let draws = bootstrap(&clusters, &refs, 20, Seed(1));
        let all = compare(&cells, &draws, &["good", "bad"], 1000, Seed(1)).unwrap();
        assert_eq!((all.len(), all[0].permutations), (600, 60_000));
        assert!(all.iter().all(|comparison| comparison.p_holm < 0.05));
    }

    #[test]
    fn models_tested_on_different_rows_cannot_be_compared() {
        let mut cells = [outcomes("a", |_| 3.0), outcomes("b", |_| 3.0)];
        cells[1].repeats[0].rows[3] = 1;
        let clusters = Clusters::of(&bench_core::Layout { rows: 40, ..Default::default() });
        let draws = bootstrap(&clusters, &cells.each_ref(), 20, Seed(1));
        assert!(compare(&cells, &draws, &["a", "b"], 100, Seed(1)).is_err());
    }
}
