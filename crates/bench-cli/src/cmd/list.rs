//! `bench list` and `bench show`: everything that has an id, from its card.

use bench_core::{Card, suggest};
use bench_eval::embedding::frame::preset;
use bench_run::suite::{Suite, embedded};
use bench_run::{Error, manifest};

use crate::args::{ListArgs, ShowArgs};
use crate::cmd::produce;
use crate::exit;

/// Kinds that are listed.
const KINDS: [&str; 14] = [
    "suites",
    "presets",
    "metric-presets",
    "manifests",
    "splits",
    "probes",
    "metrics",
    "embedding-metrics",
    "corrections",
    "chains",
    "retrieval",
    "controls",
    "losses",
    "encoders",
];

fn cards(kind: &str) -> Vec<&'static Card> {
    match kind {
        "splits" => {
            let mut cards: Vec<&'static Card> = bench_eval::split::RULES.iter().map(|rule| rule.card()).collect();
            cards.push(&bench_eval::split::fixed::CARD);
            cards
        }
        "probes" => vec![&bench_eval::probe::logistic::CARD, &bench_eval::probe::knn::CARD],
        "metrics" => bench_eval::metric::CARDS.to_vec(),
        "embedding-metrics" => bench_eval::embedding::every().map(|metric| &metric.card().card).collect(),
        "corrections" => bench_correct::registry::cards().map(|card| &card.card).collect(),
        "retrieval" => bench_eval::retrieval::CARDS.to_vec(),
        "controls" => bench_eval::control::CONTROLS.iter().map(|control| control.card()).collect(),
        "losses" => produce::losses(),
        "encoders" => produce::encoders(),
        _ => Vec::new(),
    }
}

/// Every card there is.
pub(super) fn all() -> Vec<&'static Card> {
    KINDS.iter().flat_map(|kind| cards(kind)).collect()
}

/// Lists ids with their titles.
pub(crate) fn list(args: &ListArgs) -> Result<i32, Error> {
    let kinds: Vec<&str> = match &args.kind {
        None => KINDS.to_vec(),
        Some(kind) => {
            let kind = kind.as_str();
            let named =
                |k: &&&str| **k == kind || k.strip_suffix('s') == Some(kind) || k.strip_suffix("es") == Some(kind);
            let known = KINDS.iter().find(named).ok_or_else(|| Error::Usage {
                message: format!("unknown kind `{kind}`"),
                hint: Some(match suggest::closest(kind, KINDS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("kinds are {}", KINDS.join(", ")),
                }),
            })?;
            vec![known]
        }
    };
    let mut all = serde_json::Map::new();
    for kind in &kinds {
        let rows: Vec<(String, String)> = match *kind {
            "suites" => {
                embedded::ids().map(|id| Ok((id.to_owned(), Suite::load(id)?.0.title))).collect::<Result<_, Error>>()?
            }
            "presets" => produce::presets()?,
            "metric-presets" => preset::PRESETS.iter().map(|p| (p.id.to_owned(), p.title.to_owned())).collect(),
            "manifests" => manifest::embedded().iter().map(|m| (m.id.clone(), m.title.clone())).collect(),
            "chains" => {
                bench_correct::presets::PRESETS.iter().map(|p| (p.name.to_owned(), p.what.to_owned())).collect()
            }
            kind => cards(kind).iter().map(|card| (card.id.to_owned(), card.title.to_owned())).collect(),
        };
        if args.json {
            let rows = rows.iter().map(|(id, title)| serde_json::json!({"id": id, "title": title})).collect();
            all.insert((*kind).to_owned(), serde_json::Value::Array(rows));
            continue;
        }
        println!("{kind}");
        let width = rows.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(0).max(26);
        for (id, title) in rows {
            println!("  {id:<width$} {title}");
        }
    }
    if args.json {
        println!("{}", serde_json::Value::Object(all));
    }
    Ok(exit::DONE)
}

/// Prints one card, or the text of a suite, preset or manifest.
pub(crate) fn show(args: &ShowArgs) -> Result<i32, Error> {
    if let Some(text) =
        embedded::text(&args.id).or_else(|| produce::preset_text(&args.id)).or_else(|| manifest::text(&args.id))
    {
        print!("{text}");
        return Ok(exit::DONE);
    }
    if let Ok(found) = preset::lookup(&args.id) {
        if args.json {
            println!("{}", preset_json(found));
        } else {
            print!("{}", preset_text(found));
        }
        return Ok(exit::DONE);
    }
    if let Some(preset) = bench_correct::presets::lookup(&args.id) {
        println!("{}\n\n{}\n\nchain        {}", preset.name, preset.what, preset.chain);
        return Ok(exit::DONE);
    }
    let known = all();
    let by_alias = bench_eval::split::find(&args.id, &[]).ok().map(|split| split.rule.card());
    let by_family = bench_eval::metric::card(&args.id).ok();
    let Some(card) = known.iter().copied().find(|c| c.id == args.id).or(by_alias).or(by_family) else {
        let presets = preset::PRESETS.iter().map(|preset| preset.id);
        let ids = known.iter().map(|c| c.id).chain(embedded::ids()).chain(manifest::ids()).chain(presets);
        return Err(Error::Usage {
            message: format!("nothing has the id `{}`", args.id),
            hint: Some(match suggest::closest(&args.id, ids) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`bench list` shows every id".into(),
            }),
        });
    };
    let defaults = defaults(card.id);
    if args.json {
        let mut value = serde_json::json!(card);
        value["defaults"] = serde_json::json!(defaults);
        println!("{value}");
        return Ok(exit::DONE);
    }
    println!("{} ({})\n\n{}\n", card.title, card.id, card.what);
    for (heading, text) in [
        ("formula", card.formula),
        ("better", card.better),
        ("range", card.range),
        ("cannot show", card.limits),
        ("reference", card.reference),
    ] {
        if !text.is_empty() && text != "none" {
            println!("{heading:<12} {text}");
        }
    }
    for (heading, text) in facts(card.id) {
        println!("{heading:<12} {text}");
    }
    let mut heading = "defaults";
    for (key, value) in defaults {
        println!("{heading:<12} {key} = {value}");
        heading = "";
    }
    Ok(exit::DONE)
}

/// Facts of a preset of metrics: heading and text, in order.
fn preset_facts(preset: &preset::Preset) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for (heading, ids) in [("batch", preset.batch), ("biology", preset.biology)] {
        let dialect = |id: &&str| bench_eval::embedding::lookup(id).map_or("", |metric| metric.card().dialect);
        facts.extend(ids.iter().map(|id| (heading, format!("{id:<36} {}", dialect(id)))));
    }
    if let Some((batch, biology)) = preset.weights {
        facts
            .push(("total", format!("{batch} mean(batch) + {biology} mean(biology), where lower is better 1 - value")));
    }
    if preset.classifiers {
        let what = "logistic regression and kNN(3, cosine) as they are, splits by image, well, plate, batch and source";
        facts.push(("classifiers", what.to_owned()));
    }
    for (heading, name) in [("corrections", preset.chain), ("defects", preset.defects)] {
        if let Some(name) = name {
            let chain = bench_correct::presets::lookup(name).map_or(name, |chain| chain.chain);
            facts.push((heading, format!("{name}: {chain}")));
        }
    }
    facts.extend(preset.absent.iter().map(|sentence| ("differs", (*sentence).to_owned())));
    facts
}

fn preset_text(preset: &preset::Preset) -> String {
    let mut text = format!(
        "{} ({})\n\nWhat it measures, as one setting: --metric-preset {}\n\n",
        preset.title, preset.id, preset.id
    );
    let mut last = "";
    for (heading, fact) in preset_facts(preset) {
        let shown = if heading == last && heading != "differs" { "" } else { heading };
        text.push_str(&format!("{shown:<12} {fact}\n"));
        last = heading;
    }
    text
}

fn preset_json(preset: &preset::Preset) -> serde_json::Value {
    serde_json::json!({
        "id": preset.id,
        "title": preset.title,
        "batch": preset.batch,
        "biology": preset.biology,
        "weights": preset.weights.map(|(batch, biology)| [batch, biology]),
        "corrections": preset.chain,
        "defects": preset.defects,
        "classifiers": preset.classifiers,
        "differs": preset.absent,
    })
}

/// What cards of embedding metrics and corrections have beside the common headings.
fn facts(id: &str) -> Vec<(&'static str, String)> {
    if let Some(metric) = bench_eval::embedding::every().find(|metric| metric.card().card.id == id) {
        let card = metric.card();
        let anchors = [("best", card.best), ("worst", card.worst)];
        let anchors =
            anchors.into_iter().filter(|(_, name)| !name.is_empty()).map(|(key, name)| (key, name.to_owned()));
        return [("side", card.side.word().to_owned()), ("dialect", card.dialect.to_owned())]
            .into_iter()
            .chain(anchors)
            .collect();
    }
    let Ok(kind) = bench_correct::registry::lookup(id) else { return Vec::new() };
    let card = kind.card;
    let scope = match card.scope {
        bench_correct::Scope::All => "all rows of the fit",
        bench_correct::Scope::Controls => "negative controls",
        bench_correct::Scope::Chosen => "negative controls or all rows, by the parameter `on`",
    };
    let unseen = if card.transductive { "no: transductive" } else { "yes" };
    let mut facts =
        vec![("fitted on", scope.to_owned()), ("unseen rows", unseen.to_owned()), ("dialect", card.dialect.to_owned())];
    for parameter in card.parameters {
        facts.push((
            "parameter",
            format!("{}={}: {}; {}", parameter.name, parameter.default, parameter.values, parameter.what),
        ));
    }
    facts
}

/// Settings of an id and their defaults, in order; none for what has nothing to set.
fn defaults(id: &str) -> Vec<(String, String)> {
    let splits = bench_run::suite::Splits::default();
    let value = match id {
        "logreg" => serde_json::to_value(bench_eval::probe::logistic::LogisticSettings::default()).ok(),
        "knn" => serde_json::to_value(bench_eval::probe::knn::KnnSettings::default()).ok(),
        id if cards("retrieval").iter().any(|card| card.id == id) => {
            serde_json::to_value(bench_eval::retrieval::Settings::default()).ok()
        }
        id if bench_eval::split::RULES.iter().any(|rule| rule.card().id == id) => {
            let (repeats, share) = (splits.repeats, splits.test_fraction);
            Some(serde_json::json!({ "repeats": repeats, "test-fraction": share }))
        }
        id => produce::defaults(id),
    };
    let mut found = Vec::new();
    flatten("", &value.unwrap_or_default(), &mut found);
    found
}

/// Dotted keys and values.
fn flatten(prefix: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, found);
            }
        }
        serde_json::Value::Null => {}
        other => found.push((prefix.to_owned(), other.to_string())),
    }
}
