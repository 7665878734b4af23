//! `bench data`: plates without networks.

use std::path::Path;

use bench_run::produce::Preset;
use bench_run::produce::data::{dials, pack, set_dial, set_dials, set_format, simulate, verify};
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
    let report = pack(&args.input, &args.out, produce::policy(args.skip_unreadable), progress)?;
    progress.finish();
    for problem in &report.problems {
        progress.note(&format!("left out {} ({}): {}", problem.name, problem.reason, problem.message));
    }
    let (files, fields) = (report.files.len(), report.fields);
    let megabytes = report.bytes as f64 / 1e6;
    progress
        .note(&format!("{files} plates ({} there already), {fields} fields of view, {megabytes:.1} MB", report.kept));
    println!("{}", args.out.display());
    Ok(if report.problems.is_empty() { exit::DONE } else { exit::PARTLY })
}

fn verified(args: &VerifyArgs, progress: &Terminal) -> Result<i32, Error> {
    let found = verify(&args.input)?;
    progress.finish();
    for problem in &found.problems {
        println!("{}\t{}\t{}", problem.name, problem.reason, problem.message);
    }
    progress.note(&format!("{} fields of view, {} cannot be used", found.fields, found.problems.len()));
    progress.note(&format!("digest {}", found.digest));
    Ok(if found.problems.is_empty() { exit::DONE } else { exit::DATA })
}
