//! The page of a history: trends with intervals, what the gates said, links to commits and reports.
//!
//! One file, no network, no scripts. The newest runs are drawn, and the first trends stand open; what is
//! left out or folded is said.

use std::collections::BTreeSet;

use bench_core::history::HistoryRun;
use minijinja::{Value, context};

use super::trend::{self, Key, SERIES};
use super::{HistoryView, check_words};
use crate::small_page::{self, PAGES_STYLE};
use crate::view::{g_symbol, probe_title};
use crate::{Error, number, text};

const TEMPLATE: &str = include_str!("../../assets/history.html");

/// Most runs on a trend.
const DRAWN: usize = 300;

/// Trends that stand open.
const OPEN: usize = 6;

/// Most trends of a page.
const TRENDS: usize = 60;

/// Most models of a trend.
const MODELS: usize = 12;

/// The page.
///
/// # Errors
/// If the template cannot be filled.
pub fn history_html(view: &HistoryView<'_>) -> Result<String, Error> {
    let first = view.runs.len().saturating_sub(DRAWN);
    let keys = keys(&view.runs[first..]);
    let trends: Vec<Value> = keys.iter().take(TRENDS).filter_map(|key| figure(view, key, first)).collect();
    let (open, folded) = trends.split_at(trends.len().min(OPEN));
    small_page::fill(
        "history.html",
        TEMPLATE,
        context! {
            policy => small_page::policy(),
            style => Value::from_safe_string(PAGES_STYLE.to_owned()),
            lead => lead(view),
            simulated => view.runs.iter().any(|run| run.suite.simulated),
            left_runs => (first > 0).then(|| format!("The trends show the last {DRAWN} of {}.", number::plural(view.runs.len(), "run"))),
            left_trends => (keys.len() > TRENDS).then(|| format!("{} are not drawn; the file has their values.", number::plural(keys.len() - TRENDS, "more trend"))),
            open, folded,
            runs => (0..view.runs.len()).rev().map(|at| row(view, at)).collect::<Vec<_>>(),
        },
    )
}

/// The first sentence: how the newest run stands.
fn lead(view: &HistoryView<'_>) -> String {
    let Some(last) = view.runs.last() else { return "No run was added yet.".to_owned() };
    let (pinned, window) = (check_words(last, "pinned"), check_words(last, "window"));
    let told = match (pinned.as_str(), window.as_str()) {
        ("–", "–") => "it is the first one".to_owned(),
        ("–", window) => format!("against the runs before it: {window}"),
        (pinned, "–") => format!("against the pinned run: {pinned}"),
        (pinned, window) => format!("against the pinned run: {pinned}; against the runs before it: {window}"),
    };
    format!("Run {} of suite {} is the newest; {told}.", view.runs.len(), text::name(&last.suite.id))
}

/// Trends in the order of the newest run's gates, then those of older runs.
fn keys(runs: &[HistoryRun]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut seen = BTreeSet::new();
    for run in runs.iter().rev() {
        for rule in &run.gates.rules {
            let key = Key {
                suite: run.suite.id.clone(),
                quantity: rule.quantity.clone(),
                protocol: rule.protocol.clone(),
                split: rule.split.clone(),
                probe: rule.probe.clone(),
            };
            if seen.insert(key.clone()) {
                keys.push(key);
            }
        }
    }
    keys
}

fn figure(view: &HistoryView<'_>, key: &Key, first: usize) -> Option<Value> {
    let runs = &view.runs[first..];
    let mut models: Vec<&str> = Vec::new();
    for model in runs.iter().rev().filter(|run| run.suite.id == key.suite).flat_map(|run| &run.models) {
        if !models.contains(&model.as_str()) {
            models.push(model);
        }
    }
    let left = models.len().saturating_sub(MODELS);
    models.truncate(MODELS);
    let svg = trend::svg(view, key, &models, first)?;
    let quantity = match key.quantity.as_str() {
        "g" => g_symbol(&key.split),
        other => text::name(other),
    };
    let title = format!(
        "{quantity}, {}, {} ({}, suite {})",
        text::name(&key.split),
        probe_title(&key.probe),
        text::name(&key.protocol),
        text::name(&key.suite)
    );
    let legend: Vec<Value> = models
        .iter()
        .enumerate()
        .map(|(at, model)| {
            let mark = format!(
                "<svg width=\"14\" height=\"14\" aria-hidden=\"true\"><g class=\"s{}\">{}</g></svg>",
                at % SERIES,
                trend::shape(at, 7.0, 7.0)
            );
            context! { mark => Value::from_safe_string(mark), name => text::name(model) }
        })
        .collect();
    let left = (left > 0).then(|| format!(" {} not drawn.", number::plural(left, "more model")));
    Some(context! { title, legend, left, svg => Value::from_safe_string(svg) })
}

fn row(view: &HistoryView<'_>, at: usize) -> Value {
    let run = &view.runs[at];
    let reasons: Vec<String> = run
        .checks
        .iter()
        .filter_map(|check| Some(format!("{}: {}", check.against, text::reason(check.reason.as_deref()?))))
        .collect();
    context! {
        number => at + 1,
        pinned => view.pinned == Some(at + 1),
        failed => run.has_failed(),
        date => run.date.as_ref().map(|date| text::shorten(date, 30)),
        commit => run.commit.as_ref().map(|commit| text::commit(commit)),
        commit_url => &run.commit_url,
        report_url => &run.report_url,
        run => text::name(&run.run_id),
        suite => format!("{} v{}", text::name(&run.suite.id), run.suite.version),
        against_pinned => check_words(run, "pinned"),
        against_window => check_words(run, "window"),
        reasons,
        digest => text::shorten(&run.scores_digest, 13),
    }
}
