//! Retrieval metrics of one query, exact over all orders of ties.
//!
//! # What they compute
//! A query has n candidates of which P are relevant. Relevant candidates sit in levels: r candidates above,
//! t of the same similarity, p of those relevant (R relevant above). All orders within a level are equally
//! likely, and each formula below is the mean over them; without ties it is the usual definition.
//!
//! # Formulas
//! With X the place of the first relevant candidate in the first level, `P(X > j) = C(t-j, p) / C(t, p)`:
//! - hit-rate@k: is any relevant among the first k; `P(r + X <= k)`.
//! - mrr: `E[1 / (r + X)]`. mean-rank and median-rank: `E[r + X] = r + (t+1)/(p+1)`, averaged, or its median.
//! - map: `1/P sum_levels sum_{j=1..t} p/t (R + 1 + (j-1)(p-1)/(t-1)) / (r+j)`; equal to mrr if P = 1.
//! - With `m_k = sum_levels p/t min(t, max(0, k-r))` relevant among the first k: precision@k `m_k/k`, recall@k
//!   `m_k/P`, fall-out@k `(k - m_k)/(n - P)`.
//! - ndcg, ndcg@k: `sum_levels p/t sum_{j=1..min(t, k-r)} 1/log2(r+j+1)`, divided by that of the best order.
//!
//! # Chance and perfection
//! Without information everything ties: one level r = 0, t = n, p = P. The formulas then give the closed forms, for
//! P = 1: hit-rate@k = k/n, mrr = H_n/n. A perfect ranking is one level r = 0, t = p = P.
//!
//! # What they cannot show
//! The median of expected ranks is not the expected median. With one relevant candidate, recall@k is
//! hit-rate@k and map is mrr.
//!
//! # Reference
//! Watkinson et al. 2023, tables 1 and 2; scikit-learn `ndcg_score` (which averages over ties as well) and, without
//! ties, `average_precision_score`; torchmetrics `RetrievalFallOut`.

use std::fmt;
use std::str::FromStr;

use bench_core::{Card, suggest};

use super::series::Series;
use super::{Level, cards};
use crate::Error;

/// A retrieval metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Whether a relevant candidate is among the first k.
    HitRate(u32),
    /// Share of the first k that is relevant.
    Precision(u32),
    /// Share of the relevant that is among the first k.
    Recall(u32),
    /// Share of the irrelevant that is among the first k.
    FallOut(u32),
    /// Discounted gain, of the first k or of all.
    Ndcg(Option<u32>),
    /// Reciprocal rank of the first relevant candidate.
    Mrr,
    /// Average precision.
    Map,
    /// Rank of the first relevant candidate, averaged.
    MeanRank,
    /// Rank of the first relevant candidate, its median.
    MedianRank,
}

impl Measure {
    /// Its card.
    pub fn card(self) -> &'static Card {
        match self {
            Self::HitRate(_) => &cards::HIT_RATE,
            Self::Precision(_) => &cards::PRECISION,
            Self::Recall(_) => &cards::RECALL,
            Self::FallOut(_) => &cards::FALL_OUT,
            Self::Ndcg(_) => &cards::NDCG,
            Self::Mrr => &cards::MRR,
            Self::Map => &cards::MAP,
            Self::MeanRank => &cards::MEAN_RANK,
            Self::MedianRank => &cards::MEDIAN_RANK,
        }
    }

    /// The k of a metric at k.
    pub fn depth(self) -> Option<u32> {
        match self {
            Self::HitRate(k) | Self::Precision(k) | Self::Recall(k) | Self::FallOut(k) => Some(k),
            Self::Ndcg(k) => k,
            Self::Mrr | Self::Map | Self::MeanRank | Self::MedianRank => None,
        }
    }

    /// Value for one query with `candidates` candidates.
    pub(super) fn value(self, levels: &[Level], candidates: u32, series: &Series) -> f64 {
        let relevant: u32 = levels.iter().map(|level| level.relevant).sum();
        let Some(first) = levels.first() else { return f64::NAN };
        match self {
            Self::HitRate(k) => hit(first, k),
            Self::Precision(k) => retrieved(levels, k) / f64::from(k),
            Self::Recall(k) => retrieved(levels, k) / f64::from(relevant),
            Self::FallOut(k) => {
                (f64::from(k.min(candidates)) - retrieved(levels, k)) / f64::from(candidates - relevant)
            }
            Self::Ndcg(k) => {
                let k = k.unwrap_or(candidates);
                gain(levels, k, series) / series.discount(0, relevant.min(k))
            }
            Self::Mrr => reciprocal(first, series),
            Self::Map => average_precision(levels, relevant, series),
            Self::MeanRank | Self::MedianRank => {
                f64::from(first.above) + f64::from(first.size + 1) / f64::from(first.relevant + 1)
            }
        }
    }
}

/// Probability that a relevant candidate of the first level is among the first k.
fn hit(level: &Level, k: u32) -> f64 {
    let places = k.saturating_sub(level.above).min(level.size);
    if level.relevant == 1 {
        return f64::from(places) / f64::from(level.size);
    }
    if places > level.size - level.relevant {
        return 1.0;
    }
    let missed = (0..level.relevant).map(|i| f64::from(level.size - places - i) / f64::from(level.size - i));
    1.0 - missed.product::<f64>()
}

/// Mean of 1 / rank of the first relevant candidate.
fn reciprocal(level: &Level, series: &Series) -> f64 {
    let &Level { above, size, relevant } = level;
    if relevant == 1 {
        return series.harmonic(above, size) / f64::from(size);
    }
    // Probability that the first relevant one is in place j, from one j to the next.
    let mut probability = f64::from(relevant) / f64::from(size);
    let mut sum = 0.0;
    for j in 1..=size - relevant + 1 {
        sum += probability / f64::from(above + j);
        if j < size {
            probability *= (f64::from(size - j) - f64::from(relevant) + 1.0) / f64::from(size - j);
        }
    }
    sum
}

/// Mean number of relevant candidates among the first k.
fn retrieved(levels: &[Level], k: u32) -> f64 {
    let of = |level: &Level| {
        let places = k.saturating_sub(level.above).min(level.size);
        f64::from(level.relevant) * f64::from(places) / f64::from(level.size)
    };
    levels.iter().map(of).sum()
}

fn gain(levels: &[Level], k: u32, series: &Series) -> f64 {
    let of = |level: &Level| {
        let places = k.saturating_sub(level.above).min(level.size);
        if places == 0 {
            return 0.0;
        }
        f64::from(level.relevant) / f64::from(level.size) * series.discount(level.above, places)
    };
    levels.iter().map(of).sum()
}

fn average_precision(levels: &[Level], relevant: u32, series: &Series) -> f64 {
    let (mut sum, mut before) = (0.0, 0u32);
    for &Level { above, size, relevant: p } in levels {
        // Relevant ones expected before a relevant one in place j grow by this much per place.
        let slope = if size > 1 { f64::from(p - 1) / f64::from(size - 1) } else { 0.0 };
        let start = f64::from(before + 1) - slope * f64::from(above + 1);
        sum += f64::from(p) * (slope * f64::from(size) + start * series.harmonic(above, size)) / f64::from(size);
        before += p;
    }
    sum / f64::from(relevant)
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.card().id)?;
        match self.depth() {
            Some(k) => write!(f, "@{k}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Measure {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownId {
            kind: "retrieval metric",
            id: id.to_owned(),
            suggestion: suggest::closest(id, super::DEFAULT_METRICS).map(str::to_owned),
        };
        let Some((family, depth)) = id.split_once('@') else {
            return match id {
                "ndcg" => Ok(Self::Ndcg(None)),
                "mrr" => Ok(Self::Mrr),
                "map" => Ok(Self::Map),
                "mean-rank" => Ok(Self::MeanRank),
                "median-rank" => Ok(Self::MedianRank),
                _ => Err(unknown()),
            };
        };
        let at: fn(u32) -> Self = match family {
            "hit-rate" => Self::HitRate,
            "precision" => Self::Precision,
            "recall" => Self::Recall,
            "fall-out" => Self::FallOut,
            "ndcg" => |k| Self::Ndcg(Some(k)),
            _ => return Err(unknown()),
        };
        match depth.parse() {
            Ok(k) if k > 0 => Ok(at(k)),
            _ => Err(super::settings::invalid("metrics", id, "the number after `@` must be at least one")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_and_default_is_a_metric() {
        for id in super::super::DEFAULT_METRICS {
            assert_eq!(id.parse::<Measure>().unwrap().to_string(), id);
        }
        for card in super::super::CARDS {
            let is_found = [card.id.to_owned(), format!("{}@7", card.id)]
                .iter()
                .filter_map(|id| id.parse::<Measure>().ok())
                .any(|measure| measure.card() == card);
            assert!(is_found && ["higher", "lower"].contains(&card.better), "{}", card.id);
        }
        assert!("mrr@5".parse::<Measure>().is_err() && "hit-rate".parse::<Measure>().is_err());
    }

    #[test]
    fn without_information_the_closed_forms_are_met() {
        let series = Series::new(1000);
        let harmonic = |n: u32| (1..=n).rev().map(|i| 1.0 / f64::from(i)).sum::<f64>();
        for n in [2, 100, 1000] {
            let levels = super::super::Query::chance(n, 1);
            let value = |measure: Measure| measure.value(&levels, n, &series);
            assert_eq!(value(Measure::HitRate(1)), 1.0 / f64::from(n));
            assert!((value(Measure::Mrr) - harmonic(n) / f64::from(n)).abs() < 1e-15);
            assert_eq!(value(Measure::Mrr), value(Measure::Map));
            assert_eq!(value(Measure::MeanRank), f64::from(n + 1) / 2.0);
        }
        // The figures of the paper and of the method's specification.
        let at = |n, measure: Measure| measure.value(&super::super::Query::chance(n, 1), n, &series);
        assert!((at(100, Measure::Mrr) - 0.051874).abs() < 5e-7);
        assert!((at(1000, Measure::Mrr) - 0.0074855).abs() < 5e-8);
        assert_eq!(at(100, Measure::HitRate(10)), 0.1);
    }
}
