//! The verdict: sentences that follow from the numbers of a record, the first of which answers
//! whether a model can be trusted on plates from a laboratory it has not seen.
//!
//! # Rules
//! - Controls out of order: nothing below may be trusted, and that is said first.
//! - Accuracy on random splits whose interval reaches chance: the model carries no label
//!   information, its G-scores mean nothing.
//! - An interval of G that contains 1: no loss is detectable. Otherwise the share that is kept.
//! - Two models whose difference lies inside the noise are not ranked in words.
//! - What is missing is named with its reason.
//!
//! # What it cannot say
//! Whether the loss matters for the reader's purpose; there is no threshold for "good".

use bench_core::RunRecord;
use bench_core::record::{Comparison, Summary};

use crate::view::{self, Headline, View, g_symbol, plural_of, probe_title, spread, why};
use crate::{number, text};

/// Models that get a sentence each; the tables have all.
const MOST_MODELS: usize = 8;

/// Levels of the resampled unit below which an interval deserves a word of caution.
const FEW_CLUSTERS: usize = 6;

/// The verdict of a record, one sentence per entry; never empty.
pub fn verdict(record: &RunRecord) -> Vec<String> {
    let view = View::new(record);
    let mut sentences = Vec::new();
    sentences.extend(broken_controls(record));
    let simulated = record.suite.simulated;
    match view.headline() {
        Some(headline) => sentences.extend(of_models(&view, &headline, simulated)),
        None if simulated => {
            sentences.push("On simulated data: no split was scored, so there is no verdict.".to_owned())
        }
        None => sentences.push("No split was scored, so there is no verdict.".to_owned()),
    }
    sentences.extend(unmade_splits(record));
    sentences.extend(missing_scores(&view));
    sentences.extend(unchecked_controls(record));
    sentences
}

/// The sentences stored in the record, or those that follow from it if none are stored.
pub(crate) fn stored_or_derived(record: &RunRecord) -> Vec<String> {
    if record.verdict.is_empty() { verdict(record) } else { record.verdict.clone() }
}

/// Whether accuracy on the random split cannot be told from chance: its interval reaches chance,
/// or, without an interval, the mean is within two standard deviations of it.
pub(crate) fn at_chance(view: &View<'_>, model: &str, protocol: &str, probe: &str) -> bool {
    view.ladder(protocol)
        .first()
        .and_then(|base| view.summary(model, protocol, &base.split.split, probe, "accuracy"))
        .is_some_and(|s| reaches(s, view.chance()))
}

fn reaches(summary: &Summary, chance: f64) -> bool {
    let Some(value) = summary.value else { return false };
    match spread(summary) {
        Some(s) => s.interval.low <= chance,
        None => value - 2.0 * summary.sd.unwrap_or(0.0) <= chance,
    }
}

fn broken_controls(record: &RunRecord) -> Option<String> {
    let broken: Vec<_> = record.controls.iter().filter(|c| c.holds == Some(false)).collect();
    if broken.is_empty() {
        return None;
    }
    let rules: Vec<String> = broken
        .iter()
        .take(3)
        .map(|c| {
            format!(
                "{}: {} (expected {}, observed {})",
                text::name(&c.control),
                text::reason(&c.rule),
                text::reason(&c.expected),
                text::reason(&c.observed)
            )
        })
        .collect();
    let more = if broken.len() > 3 { format!("; and {} more", broken.len() - 3) } else { String::new() };
    Some(format!(
        "This run cannot be trusted: {} of {} {} broken ({}{more}).",
        broken.len(),
        number::plural(record.controls.len(), "control rule"),
        if broken.len() == 1 { "is" } else { "are" },
        rules.join("; ")
    ))
}

fn of_models(view: &View<'_>, headline: &Headline<'_>, simulated: bool) -> Vec<String> {
    let accuracy = |model: &str| {
        view.summary(model, headline.protocol, &headline.hardest.split.split, headline.probe, "accuracy")
            .and_then(|s| s.value)
    };
    let mut models: Vec<&str> = view.models().map(|m| m.name.as_str()).collect();
    if models.is_empty() {
        return vec!["No model was scored, only controls, so there is no verdict.".to_owned()];
    }
    // Best first; the order of the record where values are equal or missing.
    models.sort_by(|a, b| {
        let value = |m: &str| accuracy(m).unwrap_or(f64::NEG_INFINITY);
        value(b).total_cmp(&value(a))
    });
    let mut sentences: Vec<String> = models
        .iter()
        .take(MOST_MODELS)
        .enumerate()
        .map(|(at, model)| {
            let sentence = of_model(view, headline, model);
            if at == 0 && simulated { format!("On simulated data, {sentence}") } else { capital(&sentence) }
        })
        .collect();
    if models.len() > MOST_MODELS {
        sentences.push(format!("{} are in the tables.", number::plural(models.len() - MOST_MODELS, "more model")));
    }
    sentences.extend(ranking(view, headline, &models));
    sentences.extend(few_clusters(view, headline, &models));
    sentences
}

/// What one model keeps, and how well the origin can be read from it.
fn of_model(view: &View<'_>, headline: &Headline<'_>, model: &str) -> String {
    let Headline { protocol, probe, base, hardest } = headline;
    let name = text::name(model);
    let find = |split: &str, quantity: &str| view.summary(model, protocol, split, probe, quantity);
    let chance = view.chance();
    let how = format!("{}, {}; chance {}", text::name(protocol), probe_title(probe), number::coarse(chance));
    let on_base = find(&base.split.split, "accuracy");
    let on_hardest = find(&hardest.split.split, "accuracy");
    let g = find(&hardest.split.split, "g");
    let symbol = g_symbol(&hardest.split.split);
    let origin = origin(view, headline, model);

    let Some(base_accuracy) = on_base.filter(|s| s.value.is_some()) else {
        let reason = on_base.and_then(|s| s.reason.as_deref()).or(base.split.reason.as_deref());
        return format!("there is no verdict on {name}: its accuracy on {} is missing ({}).", base.noun, why(reason));
    };
    if reaches(base_accuracy, chance) {
        return format!(
            "{name} carries no label information that this probe can read: accuracy {} on {} ({how}); its G-scores mean nothing{origin}.",
            with_interval(base_accuracy),
            base.noun
        );
    }
    if hardest.split.split == base.split.split {
        return format!(
            "{name} reaches an accuracy of {} on {} ({how}); no split holds out whole plates, batches or sources, so nothing can be said about new ones{origin}.",
            with_interval(base_accuracy),
            base.noun
        );
    }
    if g.is_none() && hardest.split.reason.is_none() {
        let tested = on_hardest.map_or_else(|| "missing".to_owned(), with_interval);
        return format!(
            "{name} reaches an accuracy of {tested} on {} ({how}); no G-score was computed for it{origin}.",
            hardest.phrase
        );
    }
    let Some((g, kept)) = g.and_then(|g| Some((g, g.value?))) else {
        let reason = g.and_then(|g| g.reason.as_deref()).or(hardest.split.reason.as_deref());
        return format!(
            "there is no verdict on {name} for {}: {symbol} is missing ({}){origin}.",
            hardest.phrase,
            why(reason)
        );
    };
    let number = format!("{symbol} {}, {how}", with_interval(g));
    let lost = on_hardest.filter(|s| s.value.is_some() && reaches(s, chance));
    if let Some(lost) = lost {
        return format!(
            "{name} falls to chance on {}: accuracy {} against {} on {} ({number}){origin}.",
            hardest.phrase,
            with_interval(lost),
            with_interval(base_accuracy),
            base.noun
        );
    }
    let sentence = match spread(g).map(|s| s.interval) {
        Some(i) if i.low < 1.0 && i.high >= 1.0 => format!(
            "no loss of {name} is detectable on {} ({number}), but one of up to {} is not excluded",
            hardest.phrase,
            number::percent(1.0 - i.low)
        ),
        Some(i) if i.low == 1.0 => {
            format!("no loss of {name} is detectable on {} ({number})", hardest.phrase)
        }
        Some(i) if i.low > 1.0 => format!(
            "{name} does better on {} than on {} ({number}), which points at easier held-out groups; see the table per group",
            hardest.phrase, base.noun
        ),
        Some(_) => format!("{name} keeps {} of its accuracy on {} ({number})", number::percent(kept), hardest.phrase),
        None => format!(
            "{name} keeps {} of its accuracy on {} ({number}; no interval, so the noise is unknown)",
            number::percent(kept),
            hardest.phrase
        ),
    };
    format!("{sentence}{origin}.")
}

/// `; source can be read from it almost perfectly (corrected accuracy 0.98)`.
fn origin(view: &View<'_>, headline: &Headline<'_>, model: &str) -> String {
    let unit = match headline.hardest.split.unit.as_str() {
        unit @ ("source" | "batch" | "plate") => unit,
        _ => "source",
    };
    let Some(value) = view.batch_probe(model, unit).and_then(|p| p.corrected) else { return String::new() };
    let how = match value {
        v if v >= 0.95 => "can be read from it almost perfectly",
        v if v >= 0.7 => "can be read from it well",
        v if v >= 0.3 => "can be read from it in part",
        v if v >= 0.05 => "can be read from it weakly",
        _ => "can hardly be read from it",
    };
    format!("; {unit} {how} (corrected accuracy {})", number::coarse(value))
}

/// Which model is best on the hardest split, and which cannot be told from it.
fn ranking(view: &View<'_>, headline: &Headline<'_>, models: &[&str]) -> Option<String> {
    let Headline { protocol, probe, hardest, .. } = headline;
    if models.len() < 2 {
        return None;
    }
    let best = models[0];
    view.summary(best, protocol, &hardest.split.split, probe, "accuracy")?.value?;
    let rank = |model: &str| {
        view.record.ranks.iter().find(|r| {
            r.model == model && r.protocol == *protocol && r.split == hardest.split.split && r.probe == *probe
        })
    };
    let range = rank(best).map_or(String::new(), |r| {
        format!(", rank {} [{}, {}]", short_rank(r.rank), short_rank(r.low), short_rank(r.high))
    });
    // A paired test decides where there is one, otherwise overlapping rank intervals do.
    let (mut tied, mut beaten) = (Vec::new(), Vec::new());
    for &other in &models[1..] {
        match comparison(view, headline, best, other) {
            Some((c, difference)) => {
                let inside = c.interval.is_none_or(|i| i.low <= 0.0 && i.high >= 0.0) || c.p_holm >= 0.05;
                let interval = c.interval.map_or(String::new(), |i| {
                    let i = if difference == c.difference {
                        i
                    } else {
                        bench_core::record::Interval { low: -i.high, high: -i.low }
                    };
                    format!(" {}", number::coarse_interval(i))
                });
                let words = format!(
                    "{} (difference {}{interval}, p {} after Holm)",
                    text::name(other),
                    number::coarse(difference),
                    number::probability(c.p_holm)
                );
                if inside { tied.push(words) } else { beaten.push(words) }
            }
            None => match (rank(best), rank(other)) {
                (Some(a), Some(b)) if a.high < b.low => beaten.push(text::name(other)),
                (Some(_), Some(_)) => tied.push(format!("{} (rank intervals overlap)", text::name(other))),
                _ => {}
            },
        }
    }
    tied.truncate(MOST_MODELS);
    beaten.truncate(MOST_MODELS);
    let name = text::name(best);
    let on = &hardest.phrase;
    Some(match (tied.is_empty(), beaten.is_empty()) {
        (true, true) => format!("{name} has the highest accuracy on {on}{range}; no test between the models was made."),
        (true, false) => format!("{name} is best on {on}{range}: ahead of {}.", text::list(&beaten)),
        (false, true) => {
            format!("{name} has the highest accuracy on {on}{range}, but inside the noise of {}.", text::list(&tied))
        }
        (false, false) => format!(
            "{name} has the highest accuracy on {on}{range}, ahead of {}, but inside the noise of {}.",
            text::list(&beaten),
            text::list(&tied)
        ),
    })
}

/// The test between two models on the hardest split, with the difference `a` minus `b`.
fn comparison<'a>(view: &View<'a>, headline: &Headline<'_>, a: &str, b: &str) -> Option<(&'a Comparison, f64)> {
    view.record
        .comparisons
        .iter()
        .filter(|c| c.protocol == headline.protocol && c.split == headline.hardest.split.split)
        .filter(|c| c.probe == headline.probe && c.metric == "accuracy")
        .find_map(|c| match (c.a.as_str(), c.b.as_str()) {
            (x, y) if x == a && y == b => Some((c, c.difference)),
            (x, y) if x == b && y == a => Some((c, -c.difference)),
            _ => None,
        })
}

fn few_clusters(view: &View<'_>, headline: &Headline<'_>, models: &[&str]) -> Option<String> {
    let (unit, n) = models.iter().find_map(|m| {
        view.summary(m, headline.protocol, &headline.hardest.split.split, headline.probe, "g")
            .filter(|s| spread(s).is_some())
            .and_then(|s| s.cluster.as_ref())
    })?;
    (*n < FEW_CLUSTERS).then(|| {
        let units = if *n == 1 { text::name(unit) } else { plural_of(unit) };
        format!("The intervals rest on {n} {units} only, so read them as rough.")
    })
}

fn unmade_splits(record: &RunRecord) -> Option<String> {
    let unmade: Vec<String> = record
        .splits
        .iter()
        .filter_map(|s| {
            Some(format!(
                "{} / {} ({})",
                text::name(&s.protocol),
                text::name(&s.split),
                text::reason(s.reason.as_deref()?)
            ))
        })
        .collect();
    (!unmade.is_empty()).then(|| format!("Splits that could not be made: {}.", unmade.join("; ")))
}

fn missing_scores(view: &View<'_>) -> Option<String> {
    let missing = view.missing_by_fault();
    let total: usize = missing.iter().map(|(_, n)| n).sum();
    let reasons: Vec<String> =
        missing.iter().take(3).map(|(reason, n)| format!("{reason} ({})", number::count(*n))).collect();
    let more = if missing.len() > 3 {
        format!("; and {}", number::plural(missing.len() - 3, "other reason"))
    } else {
        String::new()
    };
    (total > 0).then(|| {
        format!(
            "{} of {} {} missing: {}{more}.",
            number::count(total),
            number::plural(view.record.scores.len(), "score"),
            if total == 1 { "is" } else { "are" },
            reasons.join("; ")
        )
    })
}

fn unchecked_controls(record: &RunRecord) -> Option<String> {
    if record.controls.is_empty() {
        return Some("No control rule was checked in this run.".to_owned());
    }
    let unchecked: Vec<_> = record.controls.iter().filter(|c| c.holds.is_none()).collect();
    let first = unchecked.first()?;
    Some(format!(
        "{} could not be checked ({}: {}).",
        number::plural(unchecked.len(), "control rule"),
        text::name(&first.control),
        view::why(first.reason.as_deref())
    ))
}

fn with_interval(summary: &Summary) -> String {
    let value = summary.value.map_or("missing".to_owned(), number::coarse);
    match spread(summary) {
        Some(s) => format!("{value} {}", number::coarse_interval(s.interval)),
        None => value,
    }
}

/// `1` or `1.5`.
fn short_rank(rank: f64) -> String {
    if rank.fract() == 0.0 { format!("{rank:.0}") } else { format!("{rank:.1}") }
}

/// Sentence case, except for names: only a leading plain word of ours is changed.
fn capital(sentence: &str) -> String {
    for (from, to) in [("there is no", "There is no"), ("no loss of", "No loss of")] {
        if let Some(rest) = sentence.strip_prefix(from) {
            return format!("{to}{rest}");
        }
    }
    sentence.to_owned()
}
