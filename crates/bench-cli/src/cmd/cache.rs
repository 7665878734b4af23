//! `bench cache`: what is kept of simulations, trainings and embeddings, and why a step is done again.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bench_run::doctor::bytes;
use bench_run::produce::cache::{Entry, KINDS, State, entries, prune, why};
use bench_run::{Error, Layers, Silent};

use super::produce;
use crate::args::{CacheCommand, CachePruneArgs, CacheSizeArgs, CacheWhyArgs};
use crate::exit;

/// Most differing settings that are printed.
const LISTED: usize = 20;

/// Does one of the verbs.
pub(crate) fn run(command: CacheCommand, layers: &Layers) -> Result<i32, Error> {
    match command {
        CacheCommand::Size(args) => size(args, layers),
        CacheCommand::Prune(args) => pruned(args, layers),
        CacheCommand::Why(args) => explained(*args, layers),
    }
}

fn folder(flag: Option<PathBuf>, layers: &Layers) -> Result<PathBuf, Error> {
    produce::cache(flag, layers)
}

fn size(args: CacheSizeArgs, layers: &Layers) -> Result<i32, Error> {
    let folder = folder(args.cache, layers)?;
    let found = entries(&folder)?;
    if args.json {
        let rows: Vec<serde_json::Value> = found
            .iter()
            .map(|e| {
                let days = age(e, SystemTime::now()).as_secs() / 86_400;
                serde_json::json!({"kind": e.kind, "name": e.name, "files": e.files, "bytes": e.bytes, "days": days})
            })
            .collect();
        println!("{}", serde_json::json!({ "folder": folder, "entries": rows }));
        return Ok(exit::DONE);
    }
    println!("{}", folder.display());
    let now = SystemTime::now();
    for kind in KINDS {
        let of: Vec<&Entry> = found.iter().filter(|entry| entry.kind == kind).collect();
        let total = bytes(of.iter().map(|entry| entry.bytes).sum());
        let oldest = of.iter().map(|entry| age(entry, now)).max();
        let oldest = oldest.map(|age| format!(", the oldest {}", days(age))).unwrap_or_default();
        println!("{kind:<11} {total:>8}  {}{oldest}", plural(of.len()));
    }
    println!("{:<11} {:>8}  {}", "all", bytes(found.iter().map(|entry| entry.bytes).sum()), plural(found.len()));
    Ok(exit::DONE)
}

fn age(entry: &Entry, now: SystemTime) -> Duration {
    now.duration_since(entry.written).unwrap_or_default()
}

fn plural(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

fn days(age: Duration) -> String {
    match age.as_secs() / 86_400 {
        0 => "of today".to_owned(),
        1 => "a day old".to_owned(),
        n => format!("{n} days old"),
    }
}

fn pruned(args: CachePruneArgs, layers: &Layers) -> Result<i32, Error> {
    let folder = folder(args.cache, layers)?;
    let limit = Duration::from_secs(86_400 * u64::from(args.older_than));
    let now = SystemTime::now();
    let gone = prune(&folder, limit, now, args.dry_run)?;
    for entry in &gone {
        println!("{:<11} {:>8}  {}  {}", entry.kind, bytes(entry.bytes), entry.name, days(age(entry, now)));
    }
    let total = bytes(gone.iter().map(|entry| entry.bytes).sum());
    let verb = if args.dry_run { "would be removed" } else { "removed" };
    println!("{} of {}, {total}, {verb}", plural(gone.len()), folder.display());
    Ok(exit::DONE)
}

fn explained(args: CacheWhyArgs, layers: &Layers) -> Result<i32, Error> {
    let production = match args.train.preset.clone() {
        Some(id) => produce::of_preset(&id, args.train, layers)?,
        None => {
            let (suite, _, _) = layers.suite(&args.suite)?;
            let id = suite.data.preset.ok_or_else(|| Error::Usage {
                message: format!("suite `{}` trains nothing", suite.id),
                hint: Some("give `--preset ID`".into()),
            })?;
            produce::of_preset(&id, args.train, layers)?
        }
    };
    let why = why(&production, &args.step, &Silent)?;
    println!(
        "{}: {}",
        args.step,
        match &why.state {
            State::There => "taken from the cache".to_owned(),
            State::Begun(where_from) => format!("begun, {where_from}; goes on from there"),
            State::Missing => "done again, the cache has nothing with these settings".to_owned(),
            State::Waits(step) => format!("cannot be said before `{step}` is done"),
            State::Always => "done in every run".to_owned(),
        }
    );
    if let Some(folder) = &why.folder {
        println!("folder {}", folder.display());
    }
    match &why.nearest {
        Some((name, differing)) if why.state != State::There => {
            println!("closest entry {name} differs in {}", if differing.is_empty() { "program revision" } else { "" });
            for (key, here, there) in differing.iter().take(LISTED) {
                println!("  {key}: {} here, {} there", short(here), short(there));
            }
            if differing.len() > LISTED {
                println!("  and {} more", differing.len() - LISTED);
            }
        }
        _ => {}
    }
    if !why.decided.is_empty() {
        println!("decided by");
        for (key, value) in &why.decided {
            println!("  {key} = {}", short(value));
        }
    }
    Ok(exit::DONE)
}

/// A value on one line, at most eighty characters of it.
fn short(value: &str) -> String {
    let line = value.replace('\n', "⏎");
    if line.chars().count() <= 80 { line } else { line.chars().take(79).chain(['…']).collect() }
}
