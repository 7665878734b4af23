//! Accuracy per split and what is left of it when groups are held out: G, G*, gap.
//!
//! # Formula
//! - accuracy: mean over repeats.
//! - `g` = Acc_split / Acc_random, the ratio of the two means (Watkinson et al. 2023).
//! - `g-star` = (Acc_split - a0) / (Acc_random - a0), with a0 the larger of 1/C and the share of the most
//!   frequent of the C labels: what guessing earns. 0 is guessing, 1 is no loss.
//! - `gap` = Acc_random - Acc_split.
//!
//! Each protocol is compared with a baseline of its own: its `random` split, or the fold column that
//! stands for it. Spread over repeats holds Acc_random at
//! its mean. Intervals take numerator and denominator from the same bootstrap draw.
//!
//! # Why both G
//! A constant embedding has G = 1: it loses nothing because it has nothing. G* is undefined
//! there, and says so: it needs an Acc_random clearly above a0, by its bootstrap interval.
//!
//! # What it cannot show
//! Half of the loss can be the label's, half the batch's: look at the confounding table. a0 is
//! taken as known, and is not resampled.

use bench_core::Factor;
use bench_core::number::{mean, sample_sd};
use bench_core::record::Summary;

use super::interval::{bca, percentile};
use super::{Clusters, Draws, Outcomes};

/// Mean, standard deviation (ddof 1), smallest and largest over repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation; absent for one repeat.
    pub sd: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Number of repeats.
    pub repeats: usize,
}

impl Spread {
    /// Spread of one value per repeat.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: mean(values),
            sd: sample_sd(values),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
            repeats: values.len(),
        }
    }
}

/// Accuracy that needs no features: the larger of 1/C and the share of the most frequent label.
pub fn chance_level(label: &Factor) -> f64 {
    let counts = label.counts();
    let (labels, largest) = (counts.iter().filter(|n| **n > 0).count(), counts.iter().max().copied().unwrap_or(0));
    if labels == 0 {
        return 0.0;
    }
    (1.0 / labels as f64).max(largest as f64 / label.len() as f64)
}

/// Summaries of every cell: its accuracy and, for every split but the baseline, `g`, `g-star` and `gap`
/// where the same model, protocol and probe has the baseline split. `draws` belongs to `outcomes`,
/// entry by entry; `chance` is [`chance_level`]; `baseline` names the split that stands for random in a
/// protocol, if there is one.
pub fn summarise(
    outcomes: &[Outcomes],
    draws: &[Draws],
    clusters: &Clusters,
    chance: f64,
    baseline: &dyn Fn(&str) -> Option<String>,
) -> Vec<Summary> {
    let mut summaries = Vec::new();
    for (cell, of_cell) in outcomes.iter().zip(draws) {
        let mut accuracy = summary(cell, "accuracy", &cell.accuracies(), of_cell, clusters);
        if accuracy.value.is_none() {
            accuracy.reason = Some("no fold could be scored".to_owned());
        }
        summaries.push(accuracy);
        let Some(baseline) = baseline(&cell.protocol).filter(|baseline| *baseline != cell.split) else { continue };
        let random = outcomes.iter().zip(draws).find(|(other, _)| {
            other.split == baseline
                && (&other.model, &other.protocol, &other.probe) == (&cell.model, &cell.protocol, &cell.probe)
        });
        if let Some((_, of_random)) = random {
            summaries.extend(against_random(cell, of_cell, of_random, clusters, chance));
        }
    }
    summaries
}

fn against_random(
    cell: &Outcomes,
    of_cell: &Draws,
    of_random: &Draws,
    clusters: &Clusters,
    chance: f64,
) -> [Summary; 3] {
    let (random, repeats) = (of_random.estimate, cell.accuracies());
    let quantity = |id: &str, f: &dyn Fn(f64, f64) -> f64, problem: Option<String>| {
        let per_repeat: Vec<f64> = repeats.iter().map(|accuracy| f(*accuracy, random)).collect();
        let unscored = || of_cell.estimate.is_nan().then(|| "no fold could be scored".to_owned());
        match unscored().or(problem) {
            Some(reason) => Summary { reason: Some(reason), repeats: repeats.len(), ..named(cell, id) },
            None => summary(cell, id, &per_repeat, &of_cell.combine(of_random, f), clusters),
        }
    };
    let unscored = random.is_nan().then(|| "no fold of the random split could be scored".to_owned());
    let zero = (random == 0.0).then(|| "accuracy of the random split is zero".to_owned());
    [
        quantity("g", &|split, random| split / random, unscored.clone().or(zero)),
        quantity(
            "g-star",
            &|split, random| (split - chance) / (random - chance),
            unscored.clone().or_else(|| near_chance(of_random, chance)),
        ),
        quantity("gap", &|split, random| random - split, unscored),
    ]
}

/// Why G* is undefined: the random split is not clearly above chance.
fn near_chance(of_random: &Draws, chance: f64) -> Option<String> {
    let accuracy = of_random.estimate;
    if accuracy <= chance {
        return Some(format!("accuracy of the random split, {accuracy:.3}, is not above chance, {chance:.3}"));
    }
    let interval = percentile(&of_random.draws).filter(|interval| interval.low <= chance)?;
    Some(format!(
        "accuracy of the random split, {accuracy:.3} ({:.3} to {:.3}), is not clearly above chance, {chance:.3}",
        interval.low, interval.high
    ))
}

fn named(cell: &Outcomes, quantity: &str) -> Summary {
    Summary {
        model: cell.model.clone(),
        protocol: cell.protocol.clone(),
        split: cell.split.clone(),
        probe: cell.probe.clone(),
        quantity: quantity.to_owned(),
        ..Summary::default()
    }
}

fn summary(cell: &Outcomes, quantity: &str, per_repeat: &[f64], draws: &Draws, clusters: &Clusters) -> Summary {
    let spread = Spread::of(per_repeat);
    let is_defined = draws.estimate.is_finite();
    // One cluster cannot be resampled: every draw would be the estimate itself.
    let has_interval = is_defined && clusters.count > 1;
    Summary {
        value: is_defined.then_some(draws.estimate),
        sd: spread.sd,
        min: spread.min,
        max: spread.max,
        repeats: spread.repeats,
        percentile: has_interval.then(|| percentile(&draws.draws)).flatten(),
        bca: has_interval.then(|| bca(draws.estimate, &draws.draws, &draws.jackknife)).flatten(),
        cluster: has_interval.then(|| (clusters.name.clone(), clusters.count)),
        ..named(cell, quantity)
    }
}

#[cfg(test)]
mod tests {
    use bench_core::{Layout, Seed};

    use super::super::{Tally, bootstrap};
    use super::*;

    /// Two repeats over 60 units of one row; accuracy of repeat r is about `share + r / 60`.
    fn outcomes(split: &str, share: usize) -> Outcomes {
        let repeats = (0..2)
            .map(|repeat| Tally {
                unit: (0..60).collect(),
                correct: (0..60).map(|unit| f64::from(u8::from(unit * 7 % 60 < share + repeat))).collect(),
                rows: vec![1; 60],
            })
            .collect();
        Outcomes { model: "m".to_owned(), split: split.to_owned(), repeats, ..Outcomes::default() }
    }

    fn all(cells: &[Outcomes], chance: f64) -> Vec<Summary> {
        let clusters = Clusters::of(&Layout { rows: 60, ..Layout::default() });
        let draws = bootstrap(&clusters, &cells.iter().collect::<Vec<_>>(), 400, Seed(1));
        summarise(cells, &draws, &clusters, chance, &|_| Some("random".to_owned()))
    }

    #[test]
    fn g_is_the_ratio_of_means_and_g_star_corrects_for_chance() {
        let summaries = all(&[outcomes("random", 40), outcomes("not-same-source", 20)], 0.25);
        let ids: Vec<&str> = summaries.iter().map(|s| s.quantity.as_str()).collect();
        assert_eq!(ids, ["accuracy", "accuracy", "g", "g-star", "gap"]);
        let (random, split) = (40.5 / 60.0, 20.5 / 60.0);
        let expected = [random, split, split / random, (split - 0.25) / (random - 0.25), random - split];
        for (summary, expected) in summaries.iter().zip(expected) {
            assert!((summary.value.unwrap() - expected).abs() < 1e-12, "{summary:?}");
            let interval = summary.percentile.unwrap();
            assert!(interval.low < expected && expected < interval.high);
            assert!(summary.bca.is_some() && summary.repeats == 2);
            assert!(summary.min.unwrap() < expected && expected < summary.max.unwrap());
        }
        assert_eq!(summaries[0].cluster, Some(("row".to_owned(), 60)));
    }

    #[test]
    fn g_star_of_a_model_at_chance_is_absent_with_a_reason() {
        let below = all(&[outcomes("random", 10), outcomes("not-same-source", 10)], 0.25);
        let near = all(&[outcomes("random", 17), outcomes("not-same-source", 10)], 0.25);
        for summaries in [below, near] {
            let g_star = &summaries[3];
            assert!(g_star.value.is_none() && g_star.percentile.is_none());
            assert!(g_star.reason.as_ref().unwrap().contains("above chance"), "{g_star:?}");
            assert!(summaries[2].value.is_some() && summaries[4].value.is_some());
        }
        let nothing = Outcomes { split: "not-same-source".to_owned(), model: "m".to_owned(), ..Outcomes::default() };
        let summaries = all(&[outcomes("random", 40), nothing], 0.25);
        assert!(summaries[1..].iter().all(|s| s.value.is_none() && s.reason.is_some()));
    }

    #[test]
    fn chance_is_the_majority_share_or_one_over_the_labels() {
        assert_eq!(chance_level(&Factor::first_seen(&["a", "a", "a", "b"])), 0.75);
        assert_eq!(chance_level(&Factor::first_seen(&["a", "b"])), 0.5);
        assert_eq!(chance_level(&Factor::default()), 0.0);
    }
}
