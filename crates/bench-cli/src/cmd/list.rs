//! `bench list` and `bench show`: everything that has an id, from its card.

use bench_core::{Card, suggest};
use bench_run::suite::{Suite, embedded};
use bench_run::{Error, manifest};

use crate::args::{ListArgs, ShowArgs};
use crate::cmd::produce;
use crate::exit;

/// Kinds that are listed.
const KINDS: [&str; 8] = ["suites", "presets", "manifests", "splits", "probes", "metrics", "retrieval", "controls"];

fn cards(kind: &str) -> Vec<&'static Card> {
    match kind {
        "splits" => {
            let mut cards: Vec<&'static Card> = bench_eval::split::RULES.iter().map(|rule| rule.card()).collect();
            cards.push(&bench_eval::split::fixed::CARD);
            cards
        }
        "probes" => vec![&bench_eval::probe::logistic::CARD, &bench_eval::probe::knn::CARD],
        "metrics" => bench_eval::metric::CARDS.to_vec(),
        "retrieval" => bench_eval::retrieval::CARDS.to_vec(),
        "controls" => bench_eval::control::CONTROLS.iter().map(|control| control.card()).collect(),
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
            let plural = if kind.ends_with('s') { kind.clone() } else { format!("{kind}s") };
            let known = KINDS.iter().find(|k| **k == plural).ok_or_else(|| Error::Usage {
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
            "manifests" => manifest::embedded().iter().map(|m| (m.id.clone(), m.title.clone())).collect(),
            kind => cards(kind).iter().map(|card| (card.id.to_owned(), card.title.to_owned())).collect(),
        };
        if args.json {
            let rows = rows.iter().map(|(id, title)| serde_json::json!({"id": id, "title": title})).collect();
            all.insert((*kind).to_owned(), serde_json::Value::Array(rows));
            continue;
        }
        println!("{kind}");
        for (id, title) in rows {
            println!("  {id:<26} {title}");
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
    let known = all();
    let by_alias = bench_eval::split::find(&args.id, &[]).ok().map(|split| split.rule.card());
    let by_family = bench_eval::metric::card(&args.id).ok();
    let Some(card) = known.iter().copied().find(|c| c.id == args.id).or(by_alias).or(by_family) else {
        let ids = known.iter().map(|c| c.id).chain(embedded::ids()).chain(manifest::ids());
        return Err(Error::Usage {
            message: format!("nothing has the id `{}`", args.id),
            hint: Some(match suggest::closest(&args.id, ids) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`bench list` shows every id".into(),
            }),
        });
    };
    if args.json {
        println!("{}", serde_json::json!(card));
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
        println!("{heading:<12} {text}");
    }
    Ok(exit::DONE)
}
