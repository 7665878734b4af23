//! `bench config show`: every value that a run would have, and where it is from.

use bench_run::settings::Resolved;
use bench_run::{Error, Layers};

use super::{produce, score};
use crate::args::{BaselineArgs, ConfigCommand, ConfigShowArgs, OutputArgs, ScoreArgs};
use crate::exit;

/// Does one of the verbs.
pub(crate) fn run(command: ConfigCommand, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    let ConfigCommand::Show(args) = command;
    show(*args, layers, output)
}

fn show(args: ConfigShowArgs, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    let (origin, json) = (args.origin, args.json);
    let score = ScoreArgs {
        suite: Some(args.suite),
        embeddings: Vec::new(),
        table: args.table,
        scoring: args.scoring,
        baseline: BaselineArgs::default(),
        out: None,
        dry_run: true,
        json: false,
    };
    let request = score::request(score, layers)?;
    let mut values = bench_run::settings::explain(&request);
    values.extend(machine(layers, output)?);
    values.extend(produce::explain(&request, args.train, layers)?);
    if json {
        let rows: Vec<serde_json::Value> = values.iter().map(as_json).collect();
        println!("{}", serde_json::json!({ "suite": request.suite.id, "settings": rows }));
        return Ok(exit::DONE);
    }
    let widest = values.iter().map(|r| r.key.chars().count()).max().unwrap_or(0);
    let width = values.iter().map(|r| r.value.chars().count()).filter(|n| *n <= 60).max().unwrap_or(0);
    for r in &values {
        // A value of several lines would break the columns.
        let value = r.value.replace('\n', "⏎");
        if !origin {
            println!("{:<widest$}  {value}", r.key);
            continue;
        }
        let place = r.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        println!("{:<widest$}  {value:<width$}  {}{place}", r.key, r.origin);
    }
    Ok(exit::DONE)
}

fn as_json(r: &Resolved) -> serde_json::Value {
    serde_json::json!({ "key": r.key, "value": r.value, "origin": r.origin, "place": r.place })
}

/// The number of workers.
fn machine(layers: &Layers, output: &OutputArgs) -> Result<Vec<Resolved>, Error> {
    let given = layers.number("threads", 1..=1024)?.map(|(_, given)| given);
    let flags: Vec<String> = output.threads.iter().map(|_| "threads".to_owned()).collect();
    let given: Vec<_> = given.into_iter().collect();
    let origins = bench_run::settings::Origins { flags: &flags, given: &given, text: "suite" };
    let workers = super::threads(output, layers)?.map_or_else(|| "all cores".to_owned(), |n| n.to_string());
    Ok(vec![origins.one("threads", workers, false)])
}
