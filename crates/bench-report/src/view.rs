//! A record looked up by what is asked of it: which protocols, probes and splits there are, in
//! which order, and one number by its place.
//!
//! Order is that of the record throughout (first occurrence), so a model keeps its colour and a
//! table its rows from run to run. Nothing is computed here beyond finding and ordering.

use std::collections::{BTreeMap, BTreeSet};

use bench_core::RunRecord;
use bench_core::Score;
use bench_core::record::{BatchProbe, Interval, ModelInfo, ModelKind, SplitInfo, Summary};

use crate::page::Page;
use crate::text;

/// Control embeddings that know nothing of the label: their range is the control band.
const BLIND_CONTROLS: [&str; 3] = ["constant", "noise", "shuffled-labels"];

/// How the record names an embedding that was not corrected.
pub(crate) const UNCORRECTED: &str = "none";

type SummaryKey<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// One step of the split ladder.
#[derive(Clone, Debug)]
pub(crate) struct Rung<'a> {
    /// The split.
    pub(crate) split: &'a SplitInfo,
    /// Words for the axis: `random`, `unseen plates`, ...
    pub(crate) title: String,
    /// Words for what is tested on: `random splits`, `unseen plates`, ...
    pub(crate) noun: String,
    /// The same said of a model: `plates it has not seen`.
    pub(crate) phrase: String,
}

impl<'a> Rung<'a> {
    fn new(split: &'a SplitInfo) -> Self {
        let (title, noun, phrase) = match split.split.replace('_', "-").as_str() {
            "random" => ("random", "random splits", "random splits"),
            "not-same-well" => ("unseen wells", "unseen wells", "wells it has not seen"),
            "not-same-plate" => ("unseen plates", "unseen plates", "plates it has not seen"),
            "not-same-batch" => ("unseen batches", "unseen batches", "batches it has not seen"),
            "not-same-source" | "leave-one-source-out" => {
                ("unseen sources", "unseen sources", "sources it has not seen")
            }
            _ => {
                let name = text::name(&split.split);
                let noun = format!("the split `{name}`");
                return Rung { split, title: name, noun: noun.clone(), phrase: noun };
            }
        };
        Rung { split, title: title.to_owned(), noun: noun.to_owned(), phrase: phrase.to_owned() }
    }
}

/// An interval and how it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The ends.
    pub(crate) interval: Interval,
    /// `BCa` or `percentile`.
    pub(crate) method: &'static str,
}

/// The question that the report answers first.
#[derive(Clone, Debug)]
pub(crate) struct Headline<'a> {
    /// Protocol.
    pub(crate) protocol: &'a str,
    /// Probe.
    pub(crate) probe: &'a str,
    /// Where accuracy is compared to: the random split.
    pub(crate) base: Rung<'a>,
    /// The hardest split that has G-scores.
    pub(crate) hardest: Rung<'a>,
}

/// A record with its index.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The record.
    pub(crate) record: &'a RunRecord,
    /// What figures are drawn for.
    pub(crate) page: Page,
    summaries: BTreeMap<SummaryKey<'a>, &'a Summary>,
}

impl<'a> View<'a> {
    /// Indexes a record, for the screen.
    pub(crate) fn new(record: &'a RunRecord) -> Self {
        Self::on(record, Page::Screen)
    }

    /// Indexes a record whose figures are drawn for this page.
    pub(crate) fn on(record: &'a RunRecord, page: Page) -> Self {
        let mut summaries = BTreeMap::new();
        for s in &record.summaries {
            let key = (s.model.as_str(), s.protocol.as_str(), s.split.as_str(), s.probe.as_str(), s.quantity.as_str());
            summaries.entry(key).or_insert(s);
        }
        View { record, page, summaries }
    }

    /// Which run this is, as files say it of themselves: `run ID, suite ID@VERSION`.
    pub(crate) fn stamp(&self) -> String {
        let suite = &self.record.suite;
        format!("run {}, suite {}@{}", text::visible(&self.record.run_id), text::visible(&suite.id), suite.version)
    }

    /// Embeddings under test, in the order of the record, which fixes their colours.
    pub(crate) fn models(&self) -> impl Iterator<Item = &'a ModelInfo> {
        self.record.models.iter().filter(|m| m.kind == ModelKind::Model)
    }

    /// Embeddings under test, then controls.
    pub(crate) fn models_and_controls(&self) -> impl Iterator<Item = &'a ModelInfo> {
        self.models().chain(self.record.models.iter().filter(|m| m.kind == ModelKind::Control))
    }

    /// Whether a name is that of a control embedding.
    pub(crate) fn is_control(&self, model: &str) -> bool {
        self.record.models.iter().any(|m| m.kind == ModelKind::Control && m.name == model)
    }

    /// The model that an embedding metric names by embedding and correction; none for control embeddings.
    pub(crate) fn embedded(&self, model: &str, correction: &str) -> Option<&'a ModelInfo> {
        self.models().find(|m| match &m.correction {
            Some(info) => info.model == model && info.chain == correction,
            None => m.name == model && correction == UNCORRECTED,
        })
    }

    /// Pairs of protocol and probe that have summaries, in order of first occurrence.
    pub(crate) fn protocols_and_probes(&self) -> Vec<(&'a str, &'a str)> {
        distinct(self.record.summaries.iter().map(|s| (s.protocol.as_str(), s.probe.as_str())))
    }

    /// Splits of a protocol, ladder first, then the others in order of first occurrence.
    pub(crate) fn splits(&self, protocol: &str) -> Vec<&'a str> {
        let ladder = self.ladder(protocol);
        let rest = self.record.splits.iter().filter(|s| s.protocol == protocol).map(|s| s.split.as_str());
        let scored = self.record.summaries.iter().filter(|s| s.protocol == protocol).map(|s| s.split.as_str());
        distinct(ladder.iter().map(|r| r.split.split.as_str()).chain(rest).chain(scored))
    }

    /// The steps random, well, plate, batch, source, as far as the protocol has them. Where
    /// several splits hold out the same unit, the one named after it comes first, then those
    /// that are not pooled. A protocol of fixed folds has no such order: its baseline (the split
    /// that the others' G-scores refer to) comes first, then the others as given.
    pub(crate) fn ladder(&self, protocol: &str) -> Vec<Rung<'a>> {
        let all: Vec<&'a SplitInfo> = self.record.splits.iter().filter(|s| s.protocol == protocol).collect();
        let random = all.iter().find(|s| s.split == "random").or_else(|| all.iter().find(|s| s.unit == "row"));
        let Some(random) = random else { return self.fixed_ladder(protocol, all) };
        let mut rungs = vec![Rung::new(random)];
        for unit in ["well", "plate", "batch", "source"] {
            let best = all
                .iter()
                .filter(|s| s.unit == unit && s.split != random.split)
                .min_by_key(|s| (s.split != format!("not-same-{unit}"), s.pooled));
            rungs.extend(best.map(|split| Rung::new(split)));
        }
        rungs
    }

    fn fixed_ladder(&self, protocol: &str, mut all: Vec<&'a SplitInfo>) -> Vec<Rung<'a>> {
        let has_g = |s: &SplitInfo| {
            self.record.summaries.iter().any(|x| x.protocol == protocol && x.split == s.split && x.quantity == "g")
        };
        if all.iter().any(|s| has_g(s)) {
            all.sort_by_key(|s| has_g(s));
        }
        all.into_iter().map(Rung::new).collect()
    }

    /// A split's description.
    pub(crate) fn split(&self, protocol: &str, split: &str) -> Option<&'a SplitInfo> {
        self.record.splits.iter().find(|s| s.protocol == protocol && s.split == split)
    }

    /// One aggregate.
    pub(crate) fn summary(
        &self,
        model: &str,
        protocol: &str,
        split: &str,
        probe: &str,
        quantity: &str,
    ) -> Option<&'a Summary> {
        self.summaries.get(&(model, protocol, split, probe, quantity)).copied()
    }

    /// Names of the metrics that have summaries for a protocol and probe; `accuracy` first, G
    /// and its relatives left out.
    pub(crate) fn metrics(&self, protocol: &str, probe: &str) -> Vec<&'a str> {
        let mut found = distinct(
            self.record
                .summaries
                .iter()
                .filter(|s| s.protocol == protocol && s.probe == probe)
                .map(|s| s.quantity.as_str())
                .filter(|q| !matches!(*q, "g" | "g-star" | "gap")),
        );
        found.sort_by_key(|q| *q != "accuracy");
        found
    }

    /// Accuracy that needs no embedding: always the most frequent label, or a fair guess,
    /// whichever is better.
    pub(crate) fn chance(&self) -> f64 {
        self.record.data.majority.max(self.record.data.uniform)
    }

    /// Smallest and largest accuracy of the controls that know nothing of the label.
    pub(crate) fn control_band(&self, protocol: &str, split: &str, probe: &str) -> Option<(f64, f64)> {
        self.blind_controls().filter_map(|m| self.summary(&m.name, protocol, split, probe, "accuracy")?.value).fold(
            None,
            |band, v| match band {
                None => Some((v, v)),
                Some((low, high)) => Some((v.min(low), v.max(high))),
            },
        )
    }

    /// Controls that know nothing of the label.
    pub(crate) fn blind_controls(&self) -> impl Iterator<Item = &'a ModelInfo> {
        self.record.models.iter().filter(|m| m.kind == ModelKind::Control && BLIND_CONTROLS.contains(&m.name.as_str()))
    }

    /// How well a factor can be read from a model by the probe that reads it best; treated rows
    /// before control rows.
    pub(crate) fn batch_probe(&self, model: &str, target: &str) -> Option<&'a BatchProbe> {
        let of = |rows: Option<&str>| {
            let mine = self.record.batch_probes.iter();
            let mine = mine.filter(|p| p.model == model && p.target == target && rows.is_none_or(|r| p.rows == r));
            // The first of equals, so that the order of the record decides.
            mine.reduce(|best, p| if p.corrected > best.corrected { p } else { best })
        };
        of(Some("treated")).or_else(|| of(None))
    }

    /// The headline: protocol `strict` and logistic regression if there are any, and the last
    /// step of the ladder with a G-score.
    pub(crate) fn headline(&self) -> Option<Headline<'a>> {
        let pairs = self.protocols_and_probes();
        let (protocol, probe) =
            *pairs.iter().min_by_key(|(protocol, probe)| (*protocol != "strict", !is_logistic(probe)))?;
        let ladder = self.ladder(protocol);
        let base = ladder.first()?;
        let has = |rung: &&Rung<'a>, quantity: &str| {
            self.models().any(|m| self.summary(&m.name, protocol, &rung.split.split, probe, quantity).is_some())
        };
        let hardest = ladder[1..].iter().rev().find(|r| has(r, "g")).or(ladder[1..].last()).unwrap_or(base);
        Some(Headline { protocol, probe, base: base.clone(), hardest: hardest.clone() })
    }

    /// Reasons for missing scores with their number, most frequent first, then by text.
    pub(crate) fn missing(&self) -> Vec<(String, usize)> {
        self.missing_where(|_| true)
    }

    /// The same for scores that should exist.
    pub(crate) fn missing_by_fault(&self) -> Vec<(String, usize)> {
        self.missing_where(|score| is_fault(&score.metric))
    }

    fn missing_where(&self, wanted: impl Fn(&Score) -> bool) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for score in self.record.scores.iter().filter(|s| s.value.is_none() && wanted(s)) {
            *counts.entry(why(score.reason.as_deref())).or_default() += 1;
        }
        let mut sorted: Vec<(String, usize)> = counts.into_iter().collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sorted
    }

    /// The line that says that the data are simulated, if they are.
    pub(crate) fn simulated(&self) -> Option<&'static str> {
        self.record
            .suite
            .simulated
            .then_some("Simulated data: no plate was imaged; the numbers describe the simulation and this program, not a biological experiment.")
    }
}

/// The interval of a summary: BCa where it exists, otherwise percentile.
pub(crate) fn spread(summary: &Summary) -> Option<Spread> {
    summary
        .bca
        .map(|interval| Spread { interval, method: "BCa" })
        .or(summary.percentile.map(|interval| Spread { interval, method: "percentile" }))
}

/// Whether the absence of a metric's value is a fault: the area under the curve needs every class
/// among the test rows, and top-N fewer classes than the task has; neither absence is one.
pub(crate) fn is_fault(metric: &str) -> bool {
    metric != "roc-auc" && !metric.starts_with("top-")
}

/// The reason for a missing value, in words; says so if none was recorded.
pub(crate) fn why(reason: Option<&str>) -> String {
    reason.map_or_else(|| "no reason recorded".to_owned(), text::reason)
}

/// A probe's name for people.
pub(crate) fn probe_title(probe: &str) -> String {
    match probe {
        "logreg" => "logistic regression".to_owned(),
        "knn" => "nearest neighbours".to_owned(),
        other => text::name(other),
    }
}

/// The symbol of a split's G-score: `G_NSS` for `not-same-source`.
pub(crate) fn g_symbol(split: &str) -> String {
    match split.replace('_', "-").as_str() {
        "not-same-plate" => "G_NSP".to_owned(),
        "not-same-batch" => "G_NSB".to_owned(),
        "not-same-source" => "G_NSS".to_owned(),
        _ => format!("G({})", text::name(split)),
    }
}

/// A unit in the plural.
pub(crate) fn plural_of(unit: &str) -> String {
    match unit {
        "batch" => "batches".to_owned(),
        other => format!("{}s", text::name(other)),
    }
}

/// Items without repeats, in order of first occurrence.
pub(crate) fn distinct<T: Ord + Copy>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

/// Methods of the intervals in use, for captions: `BCa`, `percentile` or both.
pub(crate) fn interval_methods(spreads: impl Iterator<Item = Spread>) -> String {
    let mut methods: Vec<String> = Vec::new();
    for spread in spreads {
        if !methods.iter().any(|m| m == spread.method) {
            methods.push(spread.method.to_owned());
        }
    }
    methods.sort();
    text::list(&methods)
}

fn is_logistic(probe: &str) -> bool {
    probe == "logreg" || probe.starts_with("logreg-")
}
