//! From ranks to values with chance levels, spreads and intervals.
//!
//! # Formula
//! Within a draw the queries of a compound are averaged, and every compound counts the same; the median weights
//! queries so. A score is the mean of its draws. Galleries and draws give standard deviations.
//!
//! # Intervals
//! Compounds are resampled, with all their draws and, as a cluster, with their duplicates; galleries stay as they
//! are. So an interval covers which compounds were asked for, not which competitors they met: the spread over
//! galleries shows that part, and both shrink with more compounds.
//!
//! # What it cannot show
//! The spread of another training run. Compounds of one gallery compete with each other, which resampling
//! ignores.

use std::collections::BTreeMap;

use bench_core::Seed;
use bench_core::number::{mean, sample_sd};
use bench_core::record::Interval;
use rayon::prelude::*;

use super::query::pessimistic;
use super::series::Series;
use super::{Direction, Measure, Plan, Query, RANDOM, RetrievalScore, RetrievalSummary, Settings, Ties};
use crate::aggregate::interval::{bca, percentile};
use crate::aggregate::{Clusters, Outcomes, Tally, bootstrap, over_draws};

/// Queries per parallel block.
const BLOCK: usize = 1024;

/// Scores of one direction.
pub(super) struct Summarised {
    pub(super) scores: Vec<RetrievalScore>,
    pub(super) summaries: Vec<RetrievalSummary>,
    pub(super) baseline: Vec<RetrievalSummary>,
    pub(super) by_compound: Vec<Outcomes>,
}

/// The queries of one compound in one draw.
struct Entry {
    gallery: u32,
    unit: u32,
    queries: std::ops::Range<usize>,
}

/// Queries of one direction, by draw and compound.
struct Cells<'a> {
    queries: &'a [Query],
    /// For each draw its entries.
    draws: Vec<Vec<Entry>>,
}

/// Resampled units: the queried compounds in the order of the plan.
pub(super) fn clusters(plan: &Plan) -> (Vec<u32>, Clusters) {
    let mut queried: Vec<u32> =
        plan.galleries.iter().flat_map(|gallery| &gallery.compounds[..gallery.queried]).copied().collect();
    queried.sort_unstable();
    let group: Vec<u32> = queried.iter().map(|&compound| plan.group[compound as usize]).collect();
    (queried, of_groups(&group))
}

/// Clusters of units with these duplicate groups.
pub(super) fn of_groups(group: &[u32]) -> Clusters {
    let mut number = BTreeMap::new();
    let cluster_of_unit: Vec<u32> = group
        .iter()
        .map(|group| {
            let next = number.len() as u32;
            *number.entry(*group).or_insert(next)
        })
        .collect();
    let units = group.len();
    let count = number.len();
    Clusters { unit_of_row: (0..units as u32).collect(), units, cluster_of_unit, count, name: "compound".to_owned() }
}

/// Seed of the bootstrap: the same for all models, so that differences are paired.
pub(super) fn bootstrap_seed(seed: u64) -> Seed {
    Seed(seed).derive("retrieval/bootstrap", 0)
}

/// Scores every metric of one direction.
pub(super) fn summarise(
    model: &str,
    plan: &Plan,
    settings: &Settings,
    measures: &[Measure],
    direction: Direction,
    queries: &[Query],
) -> Summarised {
    let (queried, clusters) = clusters(plan);
    let cells = Cells::new(queries, &queried);
    let series = Series::new(queries.iter().map(|query| query.candidates).max().unwrap_or(0) as usize);
    let blank = |model: &str, measure: Measure| RetrievalSummary {
        model: model.to_owned(),
        protocol: plan.protocol,
        direction,
        gallery: plan.size,
        metric: measure.to_string(),
        value: None,
        chance: None,
        corrected: None,
        sd_galleries: None,
        sd_draws: None,
        percentile: None,
        bca: None,
        compounds: queried.len(),
        galleries: plan.galleries.len(),
        draws: plan.draws.len(),
        queries: queries.len(),
        reason: None,
    };
    let mut all =
        Summarised { scores: Vec::new(), summaries: Vec::new(), baseline: Vec::new(), by_compound: Vec::new() };
    let mut awaiting = Vec::new();
    for &measure in measures {
        let (mut summary, mut baseline) = (blank(model, measure), blank(RANDOM, measure));
        let reason = refusal(measure, queries);
        let values = reason.is_none().then(|| cells.values(measure, settings.ties, &series));
        let spread = values.as_ref().map(|values| cells.spread(measure, values));
        for draw in 0..plan.draws.len() {
            all.scores.push(RetrievalScore {
                model: model.to_owned(),
                protocol: plan.protocol,
                direction,
                gallery: plan.size,
                metric: measure.to_string(),
                draw: draw as u32,
                value: spread.as_ref().map(|spread| spread.by_draw[draw]),
                sd_galleries: spread.as_ref().and_then(|spread| spread.sd_galleries[draw]),
                galleries: plan.galleries.len(),
                queries: cells.draws[draw].iter().map(|entry| entry.queries.len()).sum(),
            });
        }
        if let (Some(values), Some(spread)) = (values, spread) {
            let (chance, perfect) = cells.brackets(measure, &series);
            let value = steady_mean(&spread.by_draw);
            summary.value = Some(value);
            summary.sd_draws = sample_sd(&spread.by_draw);
            let sds: Option<Vec<f64>> = spread.sd_galleries.iter().copied().collect();
            summary.sd_galleries = sds.and_then(|sds| mean(&sds));
            (summary.chance, baseline.chance, baseline.value) = (Some(chance), Some(chance), Some(chance));
            let range = perfect - chance;
            let is_defined = range != 0.0;
            summary.corrected = is_defined.then(|| (value - chance) / range);
            baseline.corrected = is_defined.then_some(0.0);
            if measure == Measure::MedianRank {
                summary.percentile = cells.median_interval(&values, &clusters, settings);
            } else {
                awaiting.push(all.summaries.len());
                all.by_compound.push(cells.outcomes(&summary, &values));
            }
        }
        (summary.reason, baseline.reason) = (reason.clone(), reason);
        all.summaries.push(summary);
        all.baseline.push(baseline);
    }
    if clusters.count > 1 {
        let references: Vec<&Outcomes> = all.by_compound.iter().collect();
        let draws = bootstrap(&clusters, &references, settings.bootstrap, bootstrap_seed(settings.seed));
        for (at, draws) in awaiting.into_iter().zip(draws) {
            all.summaries[at].percentile = percentile(&draws.draws);
            all.summaries[at].bca = bca(draws.estimate, &draws.draws, &draws.jackknife);
        }
    }
    all
}

/// Why a metric says nothing about these queries.
fn refusal(measure: Measure, queries: &[Query]) -> Option<String> {
    let Some(fewest) = queries.iter().map(|query| query.candidates).min() else {
        return Some("there are no queries: no gallery is full".to_owned());
    };
    if let Some(k) = measure.depth().filter(|k| *k >= fewest) {
        return Some(format!("k = {k} is not smaller than the {fewest} candidates of a query"));
    }
    let has_no_wrong_answer = |query: &Query| query.candidates == query.relevant();
    (matches!(measure, Measure::FallOut(_)) && queries.iter().any(has_no_wrong_answer))
        .then(|| "a query has no irrelevant candidate".to_owned())
}

/// Values per draw, and standard deviations over its galleries.
struct Spread {
    by_draw: Vec<f64>,
    sd_galleries: Vec<Option<f64>>,
}

impl<'a> Cells<'a> {
    fn new(queries: &'a [Query], queried: &[u32]) -> Self {
        let mut draws: Vec<Vec<Entry>> = Vec::new();
        let mut start = 0;
        for of_compound in queries.chunk_by(|a, b| (a.draw, a.gallery, a.compound) == (b.draw, b.gallery, b.compound)) {
            let Query { draw, gallery, compound, .. } = of_compound[0];
            if draws.len() <= draw as usize {
                draws.push(Vec::new());
            }
            let unit = queried.partition_point(|other| *other < compound) as u32;
            let end = start + of_compound.len();
            draws[draw as usize].push(Entry { gallery, unit, queries: start..end });
            start = end;
        }
        Self { queries, draws }
    }

    /// Value of each query.
    fn values(&self, measure: Measure, ties: Ties, series: &Series) -> Vec<f64> {
        let value = |query: &Query| match ties {
            Ties::Expected => measure.value(&query.levels, query.candidates, series),
            Ties::Pessimistic => measure.value(&pessimistic(&query.levels), query.candidates, series),
        };
        self.queries.par_iter().with_min_len(BLOCK).map(value).collect()
    }

    /// Values of a ranking without information and of a perfect one.
    fn brackets(&self, measure: Measure, series: &Series) -> (f64, f64) {
        let mut known: BTreeMap<(u32, u32), (f64, f64)> = BTreeMap::new();
        let both: Vec<(f64, f64)> = self
            .queries
            .iter()
            .map(|query| {
                let (candidates, relevant) = (query.candidates, query.relevant());
                *known.entry((candidates, relevant)).or_insert_with(|| {
                    let value = |levels: &[_]| measure.value(levels, candidates, series);
                    (value(&Query::chance(candidates, relevant)), value(&Query::perfect(relevant)))
                })
            })
            .collect();
        let total = |values: Vec<f64>| steady_mean(&self.spread(measure, &values).by_draw);
        let (chance, perfect): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
        (total(chance), total(perfect))
    }

    fn spread(&self, measure: Measure, values: &[f64]) -> Spread {
        let of = |entries: &[Entry]| {
            if measure == Measure::MedianRank {
                median(&self.weighted(entries, values), |_| 1.0)
            } else {
                steady_mean(
                    &entries.iter().map(|entry| steady_mean(&values[entry.queries.clone()])).collect::<Vec<_>>(),
                )
            }
        };
        let by_draw = self.draws.iter().map(|entries| of(entries)).collect();
        let galleries =
            |entries: &Vec<Entry>| -> Vec<f64> { entries.chunk_by(|a, b| a.gallery == b.gallery).map(of).collect() };
        Spread { by_draw, sd_galleries: self.draws.iter().map(|entries| sample_sd(&galleries(entries))).collect() }
    }

    /// Values with their units, ascending; the queries of a compound share a weight of one.
    fn weighted(&self, entries: &[Entry], values: &[f64]) -> Vec<Weighted> {
        let mut weighted: Vec<Weighted> = entries
            .iter()
            .flat_map(|entry| entry.queries.clone().map(move |query| (entry, query)))
            .map(|(entry, query)| Weighted {
                value: values[query],
                unit: entry.unit,
                weight: 1.0 / entry.queries.len() as f64,
            })
            .collect();
        weighted.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.unit.cmp(&b.unit)));
        weighted
    }

    /// Mean value of each compound over draws.
    fn outcomes(&self, summary: &RetrievalSummary, values: &[f64]) -> Outcomes {
        let mut by_unit: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for entry in self.draws.iter().flatten() {
            by_unit.entry(entry.unit).or_default().push(steady_mean(&values[entry.queries.clone()]));
        }
        let tally = Tally {
            unit: by_unit.keys().copied().collect(),
            correct: by_unit.values().map(|values| steady_mean(values)).collect(),
            rows: vec![1; by_unit.len()],
        };
        Outcomes {
            model: summary.model.clone(),
            protocol: summary.protocol.id().to_owned(),
            split: format!("{}/{}", summary.direction.id(), summary.gallery),
            probe: summary.metric.clone(),
            repeats: vec![tally],
        }
    }

    fn median_interval(&self, values: &[f64], clusters: &Clusters, settings: &Settings) -> Option<Interval> {
        if clusters.count < 2 {
            return None;
        }
        let by_draw: Vec<Vec<Weighted>> = self.draws.iter().map(|entries| self.weighted(entries, values)).collect();
        let of = |weights: &[u16]| {
            let median = |weighted: &Vec<Weighted>| median(weighted, |unit| f64::from(weights[unit as usize]));
            steady_mean(&by_draw.iter().map(median).collect::<Vec<_>>())
        };
        percentile(&over_draws(clusters, settings.bootstrap, bootstrap_seed(settings.seed), of))
    }
}

struct Weighted {
    value: f64,
    unit: u32,
    weight: f64,
}

/// Weighted median of ascending values: where half of the weight lies below and half above, the middle of the two
/// values there.
fn median(ascending: &[Weighted], times: impl Fn(u32) -> f64) -> f64 {
    let weight = |at: &Weighted| at.weight * times(at.unit);
    let half = ascending.iter().map(weight).sum::<f64>() / 2.0;
    let slack = 1e-9 * half;
    let mut below = 0.0;
    let mut lower = None;
    for at in ascending.iter().filter(|at| weight(at) > 0.0) {
        if let Some(lower) = lower {
            return f64::midpoint(lower, at.value);
        }
        below += weight(at);
        if below > half + slack {
            return at.value;
        }
        if below >= half - slack {
            lower = Some(at.value);
        }
    }
    lower.unwrap_or(f64::NAN)
}

/// Mean that leaves equal values as they are, so that a ranking without information scores exactly chance.
fn steady_mean(values: &[f64]) -> f64 {
    match values {
        [] => f64::NAN,
        [first, rest @ ..] if rest.iter().all(|value| value == first) => *first,
        _ => values.iter().sum::<f64>() / values.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weighted_median_is_that_of_repeated_values() {
        let of = |values: &[(f64, f64)]| {
            let weighted: Vec<Weighted> = values
                .iter()
                .enumerate()
                .map(|(at, &(value, weight))| Weighted { value, unit: at as u32, weight })
                .collect();
            median(&weighted, |_| 1.0)
        };
        assert_eq!(of(&[(1.0, 1.0), (2.0, 1.0), (7.0, 1.0)]), 2.0);
        assert_eq!(of(&[(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (7.0, 1.0)]), 3.0);
        assert_eq!(of(&[(1.0, 3.0), (2.0, 1.0), (7.0, 1.0)]), 1.0);
        assert_eq!(of(&[(1.0, 0.5), (2.0, 0.5), (7.0, 0.0), (9.0, 1.0)]), 5.5);
    }
}
