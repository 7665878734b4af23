//! `bench retrieve`: image and molecule embeddings of any model against each other.

use std::io::Write;

use bench_core::record::RetrievalRow;
use bench_eval::retrieval::{Amount, Protocol, Settings};
use bench_run::retrieve::{RetrieveRequest, retrieve};
use bench_run::{Embedding, Error};

use crate::args::RetrieveArgs;
use crate::exit;

/// Scores, prints, and writes where asked to.
pub(crate) fn run(args: RetrieveArgs) -> Result<i32, Error> {
    let images = Embedding::parse(&args.images)?;
    let mut tasks = vec![];
    for protocol in &args.protocols {
        let protocol = match protocol.as_str() {
            "strict" => Protocol::Strict,
            "paper" => Protocol::Paper,
            other => {
                return Err(Error::Usage {
                    message: format!("no protocol of retrieval is called `{other}`"),
                    hint: Some("protocols are strict and paper".into()),
                });
            }
        };
        for gallery in &args.gallery {
            let mut settings = Settings {
                protocol,
                gallery: gallery.parse::<Amount>()?,
                draws: args.draws,
                images_per_compound: args.images_per_compound.parse()?,
                bootstrap: args.bootstrap,
                seed: args.seed,
                ..Settings::default()
            };
            if !args.metrics.is_empty() {
                settings.metrics.clone_from(&args.metrics);
            }
            settings.check()?;
            tasks.push(settings);
        }
    }
    let rows = retrieve(&RetrieveRequest {
        name: images.name,
        images: images.path,
        molecules: args.molecules,
        compound: args.compound,
        image_id: args.image_id,
        compounds: args.compounds.map(|path| (path, args.role)),
        tasks,
        out: args.out,
    })?;
    let text = if args.json { serde_json::json!(rows).to_string() + "\n" } else { table(&rows) };
    // A closed pipe is the reader's choice.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(exit::DONE)
}

/// A line per task and metric.
fn table(rows: &[RetrievalRow]) -> String {
    let mut text = format!(
        "{:<20} {:<8} {:<18} {:>7}  {:<16} {:>8}  {:<18} {:>8}\n",
        "model", "protocol", "direction", "gallery", "metric", "value", "95 % interval", "chance"
    );
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    for row in rows {
        let interval = row.interval.map_or_else(|| "-".to_owned(), |i| format!("{:.4} to {:.4}", i.low, i.high));
        text.push_str(&format!(
            "{:<20} {:<8} {:<18} {:>7}  {:<16} {:>8}  {interval:<18} {:>8}\n",
            row.model,
            row.protocol,
            row.direction,
            row.gallery,
            row.metric,
            number(row.value),
            number(row.chance),
        ));
    }
    text
}
