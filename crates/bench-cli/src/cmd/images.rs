//! `bench train` and `bench embed`: one step of the chain each.

use std::io::Write;
use std::path::{Path, PathBuf};

use bench_run::produce::fetch::Shard;
use bench_run::produce::{EmbedRequest, EvaluationCrops, Network, embed_plates, keep_freed_memory, train_models};
use bench_run::{Error, Layers, Progress};

use crate::args::{EmbedArgs, OutputArgs, TrainOnlyArgs};
use crate::cmd::produce;
use crate::exit;
use crate::progress::Terminal;

/// Preset of `bench train` where none is given.
const PRESET: &str = "demo";

/// `bench train`.
pub(crate) fn train(args: TrainOnlyArgs, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    keep_freed_memory();
    let id = args.train.preset.clone().unwrap_or_else(|| PRESET.to_owned());
    let production = produce::of_preset(&id, args.train, layers)?;
    let out = args.out.unwrap_or_else(|| Path::new("reports").join("models").join(&production.preset.id));
    if args.dry_run {
        println!("preset {}, weights to {}", production.preset.id, out.display());
        println!("cache {}", production.cache.display());
        let alone = |step: &&String| !step.starts_with("embed") && !step.starts_with("retrieval");
        for (number, step) in bench_run::produce::steps(&production).iter().filter(alone).enumerate() {
            println!("{:>4}  {step}", number + 1);
        }
        return Ok(exit::DONE);
    }
    let progress = Terminal::new(output.quiet, output.no_progress);
    let made = train_models(&production, &out, &progress);
    progress.finish();
    let made = made?;
    for weights in &made {
        match weights.epoch {
            Some(epoch) => progress.note(&format!("`{}`: weights of epoch {epoch}", weights.name)),
            None => progress.note(&format!("warning: `{}` never had a finite loss", weights.name)),
        }
    }
    say(made.iter().map(|weights| weights.path.clone()));
    Ok(exit::DONE)
}

/// `bench embed`.
pub(crate) fn embed(args: EmbedArgs, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    keep_freed_memory();
    let network = Network::parse(&args.model);
    let stem = Path::new(&args.model).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let request = EmbedRequest {
        network,
        name: args.name.unwrap_or(stem),
        data: args.data,
        plate_types: args.plate_types,
        shard: args.shard.as_deref().map(Shard::parse).transpose()?.unwrap_or_default(),
        crops: crops(&args.crops)?,
        batch: args.batch as usize,
        device: produce::device(args.device.as_deref(), layers)?,
        policy: produce::policy(args.skip_unreadable),
        out: args.out,
    };
    let progress = Terminal::new(output.quiet, output.no_progress);
    let made = embed_plates(&request, &progress);
    progress.finish();
    say(made?.into_iter());
    Ok(exit::DONE)
}

/// Paths, a line each, on stdout.
fn say(paths: impl Iterator<Item = PathBuf>) {
    let mut out = std::io::stdout().lock();
    for path in paths {
        // A closed pipe is the reader's choice.
        let _ = writeln!(out, "{}", path.display());
    }
}

fn crops(text: &str) -> Result<EvaluationCrops, Error> {
    let grid = |n: &str| n.parse().ok().filter(|n| (1..=16).contains(n)).map(EvaluationCrops::Grid);
    let found = match text {
        "centre" => Some(EvaluationCrops::Centre),
        "five" => Some(EvaluationCrops::Five),
        other => other.strip_prefix("grid:").and_then(grid),
    };
    found.ok_or_else(|| Error::Usage {
        message: format!("cannot read `--crops {text}`"),
        hint: Some("crops are centre, five (corners and centre) and grid:N with N from 1 to 16".into()),
    })
}
