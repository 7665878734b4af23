//! Model and dataset cards: Markdown with the front matter that model hubs read.
//!
//! # What
//! One card per model with its scores as `model-index` (accuracy, balanced accuracy and G of the strict protocol, or of
//! the first one there is), and one card of the data that were scored.
//!
//! # What it cannot show
//! How the model is to be used and whom it concerns: its makers know. The cards hold what the run knows.
//!
//! # Reference
//! Hugging Face Hub, "Model Cards" and "Dataset Cards", metadata specifications `modelcard.md` and `datasetcard.md`;
//! Mitchell et al. 2019 (model cards); Gebru et al. 2021 (datasheets).

use std::fmt::Write;

use bench_core::RunRecord;
use bench_core::record::{ModelInfo, Summary};

use crate::table::{Table, g_scores, main_results, markdown_body};
use crate::text::{json, markdown, name, reason, slug};
use crate::view::{View, probe_title};
use crate::{Artifact, command, number, verdict};

/// What is known of the data beyond the record, from a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFacts {
    /// Id of the manifest.
    pub id: String,
    /// Title.
    pub title: String,
    /// Licence, in words.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// Where the images are.
    pub images: String,
    /// What to know before using them.
    pub caveats: Vec<String>,
}

/// Quantities of the front matter: id in the record, type and name on a hub.
const METRICS: [(&str, &str, &str); 3] = [
    ("accuracy", "accuracy", "Accuracy"),
    ("balanced-accuracy", "balanced_accuracy", "Balanced accuracy"),
    ("g", "g_score", "Share of the random-split accuracy that is kept (G)"),
];

/// Licences that hubs know by an id.
const LICENCES: [(&str, &str); 5] = [
    ("CC0-1.0", "cc0-1.0"),
    ("CC-BY-4.0", "cc-by-4.0"),
    ("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
    ("MIT", "mit"),
    ("BSD-3-Clause", "bsd-3-clause"),
];

/// The cards of a record: `model-NAME.md` per model and `dataset.md`.
pub fn model_cards(record: &RunRecord, facts: Option<&DataFacts>) -> Vec<Artifact> {
    let view = View::new(record);
    let mut cards: Vec<Artifact> = Vec::new();
    for model in view.models() {
        let mut path = format!("model-{}.md", slug(&model.name));
        let mut tries = 2;
        while cards.iter().any(|card| card.path == path) {
            path = format!("model-{}-{tries}.md", slug(&model.name));
            tries += 1;
        }
        cards.push(Artifact { path, bytes: model_card(&view, model, facts).into_bytes() });
    }
    cards.push(Artifact { path: "dataset.md".to_owned(), bytes: dataset_card(&view, facts).into_bytes() });
    cards
}

/// The protocol whose scores stand in the front matter.
fn protocol<'a>(view: &View<'a>) -> Option<&'a str> {
    let pairs = view.protocols_and_probes();
    let strict = pairs.iter().find(|(protocol, _)| *protocol == "strict");
    strict.or(pairs.first()).map(|(protocol, _)| *protocol)
}

fn dataset_name(view: &View<'_>, facts: Option<&DataFacts>) -> (String, String) {
    let suite = &view.record.suite;
    if suite.simulated {
        let title = if suite.title.is_empty() { &suite.id } else { &suite.title };
        return (format!("{}-simulated", suite.id), format!("{title} (simulated)"));
    }
    match facts {
        Some(facts) => (facts.id.clone(), facts.title.clone()),
        None => (suite.id.clone(), if suite.title.is_empty() { suite.id.clone() } else { suite.title.clone() }),
    }
}

fn model_card(view: &View<'_>, model: &ModelInfo, facts: Option<&DataFacts>) -> String {
    let record = view.record;
    let training = record.training.iter().find(|t| t.model == model.name);
    let mut out = "---\ntags:\n- cell-painting\n- batch-effects\n".to_owned();
    let protocol = protocol(view);
    let results: Vec<String> =
        protocol.into_iter().flat_map(|protocol| results(view, model, protocol, facts)).collect();
    if !results.is_empty() {
        let _ = write!(out, "model-index:\n- name: {}\n  results:\n{}", json(&model.name), results.concat());
    }
    let _ = writeln!(out, "---\n\n# {}\n", markdown(&name(&model.name)));
    if let Some(line) = view.simulated() {
        let _ = writeln!(out, "> **{}**\n", markdown(line));
    }
    let of_model = |sentence: &&String| sentence.contains(&model.name);
    if let Some(sentence) = verdict::stored_or_derived(record).iter().find(of_model) {
        let _ = writeln!(out, "{}\n", markdown(sentence));
    }
    let _ = writeln!(out, "## What it is\n");
    let mut facts_of_model = vec![
        ("features", number::count(model.dims)),
        ("labelled rows scored", number::count(model.rows)),
        ("digest of the embeddings", model.digest.clone()),
    ];
    if let Some(t) = training {
        facts_of_model.extend([
            ("method and loss", format!("{}, {}", t.method, t.loss)),
            ("parameters", number::count(t.parameters as usize)),
            ("trained on", format!("{} compounds, {} images", t.compounds, t.images)),
            (
                "epochs",
                match t.best_epoch {
                    Some(best) => format!("{}, weights of epoch {}", t.history.len(), best + 1),
                    None => format!("{}, no loss was finite", t.history.len()),
                },
            ),
            ("training seed", t.seed.to_string()),
            ("device", t.device.clone()),
            ("digest of the training", t.digest.clone()),
        ]);
    }
    for (what, value) in facts_of_model.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "- {what}: {}", markdown(&reason(value)));
    }
    let _ = writeln!(out, "\n## Scores\n");
    let mut any = false;
    for (protocol, probe) in view.protocols_and_probes() {
        for table in [main_results(view, protocol, probe), g_scores(view, protocol, probe)] {
            let table = only(table, &model.name);
            if !table.rows.is_empty() {
                any = true;
                let _ = writeln!(out, "### {}\n\n{}\n", markdown(&table.title), markdown(&table.note));
                let _ = writeln!(out, "{}", markdown_body(&table));
            }
        }
    }
    if !any {
        let _ = writeln!(out, "No score of this model is in the record.\n");
    }
    let _ = writeln!(out, "## How to misread it\n");
    let essay = if record.suite.essay.is_empty() { "The suite says nothing about it." } else { &record.suite.essay };
    for paragraph in essay.split("\n\n") {
        let _ = writeln!(out, "{}\n", markdown(&paragraph.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let _ = writeln!(out, "## Where the numbers come from\n");
    let (id, title) = dataset_name(view, facts);
    let _ = writeln!(out, "- data: {} (`{}`)", markdown(&reason(&title)), slug(&id));
    let _ = writeln!(out, "- {}", markdown(&view.stamp()));
    let _ = writeln!(out, "- digest of the scores: {}", markdown(&record.scores_digest));
    let _ = writeln!(out, "- command: {}", code(&command::shell(&record.command)));
    out
}

/// Results of the front matter: one per split and probe.
fn results(view: &View<'_>, model: &ModelInfo, protocol: &str, facts: Option<&DataFacts>) -> Vec<String> {
    let (id, title) = dataset_name(view, facts);
    let suite = &view.record.suite;
    let label = &view.record.data.label;
    let mut out = Vec::new();
    for (_, probe) in view.protocols_and_probes().into_iter().filter(|(p, _)| *p == protocol) {
        for split in view.splits(protocol) {
            let summary = |quantity: &str| view.summary(&model.name, protocol, split, probe, quantity);
            let found: Vec<(&Summary, &str, &str)> = METRICS
                .iter()
                .filter_map(|(quantity, kind, name)| Some((summary(quantity)?, *kind, *name)))
                .filter(|(summary, ..)| summary.value.is_some_and(f64::is_finite))
                .collect();
            if found.is_empty() {
                continue;
            }
            let task = format!("{label}, {protocol} protocol, {split}, {}", probe_title(probe));
            let mut text = format!(
                "  - task:\n      type: image-classification\n      name: {}\n    dataset:\n      type: {}\n      name: \
                 {}\n      config: {}\n      split: {}\n      revision: {}\n    metrics:\n",
                json(&task),
                json(&slug(&id)),
                json(&title),
                json(protocol),
                json(split),
                json(&format!("{}@{}", suite.id, suite.version)),
            );
            for (summary, kind, name) in found {
                let value = summary.value.unwrap_or_default();
                let _ = write!(
                    text,
                    "    - type: {kind}\n      value: {value:?}\n      name: {}\n",
                    json(&format!("{name}, {}", probe_title(probe)))
                );
            }
            out.push(text);
        }
    }
    out
}

/// Rows of one model, without the columns that say so.
fn only(mut table: Table, model: &str) -> Table {
    table.rows.retain(|row| matches!(row.first(), Some(crate::Cell::Text(name)) if name == model));
    table
}

/// An inline code span that its text cannot leave.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {} {fence}", crate::text::visible(text))
}

fn dataset_card(view: &View<'_>, facts: Option<&DataFacts>) -> String {
    let record = view.record;
    let data = &record.data;
    let (id, title) = dataset_name(view, facts);
    let facts = facts.filter(|_| !record.suite.simulated);
    let mut out = format!("---\npretty_name: {}\n", json(&title));
    if let Some(facts) = facts {
        let words = facts.licence.split([' ', ';', ',']).next().unwrap_or_default();
        match LICENCES.iter().find(|(known, _)| *known == words) {
            Some((_, hub)) => {
                let _ = writeln!(out, "license: {hub}");
            }
            None => {
                let _ = writeln!(out, "license: other\nlicense_name: {}", json(&facts.licence));
            }
        }
    }
    let size = match data.rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        _ => "10M<n<100M",
    };
    let _ = writeln!(
        out,
        "task_categories:\n- image-classification\nsize_categories:\n- {size}\ntags:\n- cell-painting\n- biology\n---\n\n# {}\n",
        markdown(&reason(&title))
    );
    if let Some(line) = view.simulated() {
        let _ = writeln!(out, "> **{}**\n", markdown(line));
    }
    let _ = writeln!(out, "What the suite {} scored, as the run saw it.\n", markdown(&record.suite.id));
    let _ = writeln!(out, "## Composition\n");
    let _ = writeln!(out, "- id: `{}`", slug(&id));
    let _ = writeln!(out, "- label: column {}", markdown(&name(&data.label)));
    let _ = writeln!(out, "- labelled rows: {}", number::count(data.rows));
    for (unit, levels) in &data.units {
        let _ = writeln!(out, "- {}: {}", markdown(&name(unit)), number::count(*levels));
    }
    let _ = writeln!(out, "- most frequent label: {} of the rows", number::percent(data.majority));
    out.push_str("\n| label | rows |\n| :-- | --: |\n");
    for (label, rows) in &data.labels {
        let _ = writeln!(out, "| {} | {} |", markdown(&name(label)), number::count(*rows));
    }
    if !data.sources.is_empty() {
        out.push_str("\n| source | rows |\n| :-- | --: |\n");
        for (source, rows) in &data.sources {
            let _ = writeln!(out, "| {} | {} |", markdown(&name(source)), number::count(*rows));
        }
    }
    let _ = writeln!(out, "\n## What is entangled in it\n");
    if record.confounding.notes.is_empty() {
        let _ = writeln!(out, "The run noted nothing; its confounding table has the numbers.");
    }
    for note in &record.confounding.notes {
        let _ = writeln!(out, "- {}", markdown(&reason(note)));
    }
    let dropped: Vec<&(String, usize)> = view.models().flat_map(|m| &m.dropped).collect();
    if !dropped.is_empty() {
        let _ = writeln!(out, "\n## What was left out\n");
        let mut seen = std::collections::BTreeSet::new();
        for (why, rows) in dropped.into_iter().filter(|d| seen.insert(*d)) {
            let _ = writeln!(out, "- {}: {}", number::plural(*rows, "row"), markdown(&reason(why)));
        }
    }
    let _ = writeln!(out, "\n## Origin, licence, citation\n");
    match facts {
        Some(facts) => {
            for (what, value) in [("images", &facts.images), ("licence", &facts.licence), ("cite", &facts.citation)] {
                let _ = writeln!(out, "- {what}: {}", markdown(value));
            }
            for caveat in &facts.caveats {
                let _ = writeln!(out, "- to know: {}", markdown(caveat));
            }
        }
        None if record.suite.simulated => {
            let _ = writeln!(out, "- made by the simulator of this program; no cell was imaged");
        }
        None => {
            let _ = writeln!(
                out,
                "- the suite names no manifest: origin and licence are those of the tables that were given"
            );
            let cite = &record.suite.citation;
            if !cite.is_empty() {
                let _ = writeln!(out, "- cite: {}", markdown(cite));
            }
        }
    }
    let _ = writeln!(out, "- {}", markdown(&view.stamp()));
    out
}
