//! `bench data`: plates without networks.

use std::path::Path;

use bench_run::produce::Preset;
use bench_run::produce::data::{dials, set_dial, set_dials, set_format, simulate};
use bench_run::produce::fetch::{Shard, sample};
use bench_run::produce::prepare::{
    Illumination, Output, PrepareOptions, PrepareRequest, QcFilter, Recipe, prepare, verify,
};
use bench_run::{Error, Progress};

use crate::args::{DataCommand, OutputArgs, PrepareArgs, SimulateArgs, VerifyArgs};
use crate::cmd::{fetch, manifests, produce};
use crate::exit;
use crate::progress::Terminal;

/// Does one of the verbs.
pub(crate) fn run(command: DataCommand, output: &OutputArgs) -> Result<i32, Error> {
    let progress = Terminal::new(output.quiet, output.no_progress);
    let done = match command {
        DataCommand::List(args) => manifests::list(&args),
        DataCommand::Show(args) => manifests::show(&args),
        DataCommand::Fetch(args) => fetch::run(*args, &progress),
        DataCommand::Merge(args) => fetch::merge(&args, &progress),
        DataCommand::Table(args) => fetch::table(&args, &progress),
        DataCommand::Simulate(args) => simulated(args, &progress),
        DataCommand::Prepare(args) => prepared(&args, &progress),
        DataCommand::Verify(args) => verified(&args, &progress),
    };
    progress.finish();
    done
}

fn simulated(args: SimulateArgs, progress: &Terminal) -> Result<i32, Error> {
    let mut config = Preset::load(&args.preset)?.simulation;
    if let Some(strength) = args.dials {
        if !(0.0..=5.0).contains(&strength) {
            return Err(Error::Usage {
                message: format!("`--dials {strength}` is out of range"),
                hint: Some("0 is none, 1 is strong, 5 is the most".into()),
            });
        }
        set_dials(&mut config, strength);
    }
    for dial in &args.dial {
        set_dial(&mut config, dial)?;
    }
    if let Some(effect) = args.effect_size {
        config.effect_size = effect;
    }
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    if let Some(format) = &args.format {
        set_format(&mut config, format)?;
    }
    if args.list_dials {
        for (name, strength) in dials(&config) {
            println!("{name:<14} {strength}");
        }
        return Ok(exit::DONE);
    }
    let out = args.out.as_deref().unwrap_or(Path::new("."));
    let report = simulate(&config, out, progress)?;
    progress.finish();
    let kept = if report.kept > 0 { format!(", {} of them there already", report.kept) } else { String::new() };
    progress.note(&format!("{} simulated plates{kept}, {} fields of view", report.plates, report.fields));
    println!("{}", out.display());
    Ok(exit::DONE)
}

fn prepared(args: &PrepareArgs, progress: &Terminal) -> Result<i32, Error> {
    let report = prepare(&request(args)?, progress)?;
    progress.finish();
    for problem in &report.problems {
        progress.note(&format!("left out {} ({}): {}", problem.name, problem.reason, problem.message));
    }
    let (megabytes, raw) = (report.bytes as f64 / 1e6, report.bytes_in as f64 / 1e6);
    progress.note(&format!(
        "{} plates, {} fields of view ({} there already), {raw:.1} MB became {megabytes:.1} MB",
        report.plates, report.fields, report.kept
    ));
    println!("{}", args.out.display());
    // What a filter leaves out was asked for.
    let unusable = report.problems.iter().any(|problem| problem.reason != "quality");
    Ok(if unusable { exit::PARTLY } else { exit::DONE })
}

fn request(args: &PrepareArgs) -> Result<PrepareRequest, Error> {
    let refuse = |what: String, hint: String| Error::Usage { message: what, hint: Some(hint) };
    let mut recipe = recipe(&args.recipe)?;
    match args.crop.as_deref() {
        None => {}
        Some("none") => recipe.crop = None,
        Some(side) => {
            let wrong = || refuse(format!("cannot crop to `{side}`"), "give a length in pixels, or none".into());
            recipe.crop = Some(side.parse().map_err(|_| wrong())?);
        }
    }
    recipe.resize = args.resize;
    recipe.illumination = args.illumination.as_deref().map(|text| match text {
        "table" => Illumination::Table,
        template => Illumination::Template(template.to_owned()),
    });
    let output = match args.format.as_str() {
        "packed" => Output::Packed,
        "png" => Output::Png,
        other => {
            let hint = "formats are packed and png".to_owned();
            return Err(refuse(format!("images cannot be written as `{other}`"), hint));
        }
    };
    let (max_saturated, min_focus, drop_empty) = (args.max_saturated, args.min_focus, args.drop_empty);
    let filter = QcFilter { max_saturated, min_focus, drop_empty };
    let policy = produce::policy(args.skip_unreadable);
    Ok(PrepareRequest {
        input: args.input.clone(),
        out: args.out.clone(),
        recipe,
        options: PrepareOptions { output, filter, policy, ..PrepareOptions::default() },
        sample: sample(&args.sites_per_well)?,
        shard: args.shard.as_deref().map(Shard::parse).transpose()?.unwrap_or_default(),
        only: None,
        seed: args.seed,
    })
}

/// A recipe by its name.
pub(crate) fn recipe(name: &str) -> Result<Recipe, Error> {
    Recipe::named(name).ok_or_else(|| Error::Usage {
        message: format!("no recipe is called `{name}`"),
        hint: Some(format!("recipes are {}", Recipe::NAMES.join(", "))),
    })
}

fn verified(args: &VerifyArgs, progress: &Terminal) -> Result<i32, Error> {
    let found = verify(&args.input)?;
    progress.finish();
    for problem in &found.problems {
        println!("{}\t{}\t{}", problem.name, problem.reason, problem.message);
    }
    if let Some(files) = found.fetched {
        progress.note(&format!("{files} fetched files are as they were"));
    }
    if let Some(images) = found.prepared {
        progress.note(&format!("{images} prepared images were compared with their digests"));
    }
    progress.note(&format!("{} fields of view, {} problems", found.fields, found.problems.len()));
    if let Some(digest) = &found.digest {
        progress.note(&format!("digest {digest}"));
    }
    Ok(if found.problems.is_empty() { exit::DONE } else { exit::DATA })
}
