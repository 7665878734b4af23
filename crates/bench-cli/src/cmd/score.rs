//! `bench run` and `bench score`: from a request to a report and an exit code.

use std::io::Write;
use std::path::Path;

use bench_core::RunRecord;
use bench_core::record::ModelKind;
use bench_run::{Done, Embedding, Error, Layers, Progress, Request, key, plan};

use crate::args::{OutputArgs, RunArgs, ScoreArgs, TrainArgs};
use crate::cmd::produce;
use crate::cmd::report::{self, Baseline};
use crate::progress::Terminal;
use crate::{exit, overrides, software};

/// `bench run`: a suite with models that it trains, with its own data, or with tables that are given.
pub(crate) fn run(args: RunArgs, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    if args.score.suite.is_none() {
        return Err(Error::Usage {
            message: "`bench run` needs a suite".into(),
            hint: Some("try `bench run --suite smoke`; `bench list suites` shows all".into()),
        });
    }
    let train = &args.train;
    let asked = [
        ("--preset", train.preset.is_some()),
        ("--data", train.data.is_some()),
        ("--models", !train.models.is_empty()),
        ("--train-seeds", train.train_seeds.is_some()),
    ];
    if let Some((flag, _)) = asked.iter().find(|(_, given)| *given && !args.score.embeddings.is_empty()) {
        return Err(Error::Usage {
            message: format!("`{flag}` and `--embeddings` cannot be used together"),
            hint: Some("tables that are given are scored as they are; nothing is trained".into()),
        });
    }
    execute(args.score, Some(args.train), layers, output)
}

/// `bench score`: tables that are given; the suite is `generic` unless named.
pub(crate) fn score(args: ScoreArgs, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    if args.embeddings.is_empty() {
        return Err(Error::Usage {
            message: "`bench score` needs a table".into(),
            hint: Some("give `--embeddings FILE`; `bench run --suite smoke` needs none".into()),
        });
    }
    execute(args, None, layers, output)
}

fn execute(args: ScoreArgs, train: Option<TrainArgs>, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    let progress = Terminal::new(output.quiet, output.no_progress);
    let (dry_run, json) = (args.dry_run, args.json);
    let baseline = Baseline::named(args.baseline.base.as_ref(), &args.baseline.history)?;
    let mut request = request(args, layers)?;
    let production = match train {
        Some(train) if request.embeddings.is_empty() => produce::production(&request, train, layers)?,
        _ => None,
    };
    if let Some(production) = &production {
        if dry_run {
            return produce::dry(&request, production);
        }
        if let Some(out) = &request.out {
            bench_run::outputs::writable(out)?;
        }
        produce::make(&mut request, production, &progress)?;
    }
    if dry_run {
        return dry(&request);
    }
    // The record holds what a comparison needs; no folder has to be looked into.
    let changed = |record: &RunRecord| baseline.as_ref().map(|b| b.changes_or_reason(record, Path::new(".")));
    let outcome = bench_run::run(&request, &progress, &|record| {
        let changes = changed(record);
        report::render(record, changes.as_ref())
    });
    progress.finish();
    let mut outcome = outcome?;
    if outcome.done != Done::Scored && baseline.is_some() {
        // The page of a finished run may know another baseline, or none.
        let changes = changed(&outcome.record);
        report::write(&mut outcome.record, &outcome.folder, changes.as_ref())?;
    }
    let record = &outcome.record;
    match outcome.done {
        Done::Nothing => progress.note("nothing to do: this run is finished"),
        Done::Drawn => progress.note("this run is finished; missing files were drawn again"),
        Done::Scored => {}
    }
    for line in record.verdict.iter().take(3) {
        progress.note(line);
    }
    let code = verdict_code(record, &progress);
    let page = outcome.folder.join("report.html").display().to_string();
    let mut stdout = std::io::stdout().lock();
    let line = if json { headline(record, &page) } else { page };
    // A closed pipe is the reader's choice.
    let _ = writeln!(stdout, "{line}");
    Ok(code)
}

/// What these options ask for, over the user's settings.
pub(crate) fn request(args: ScoreArgs, layers: &Layers) -> Result<Request, Error> {
    let (mut suite, suite_text, mut given) = layers.suite(args.suite.as_deref().unwrap_or("generic"))?;
    let mut flags = overrides::table(&mut suite, &args.table)?;
    flags.extend(overrides::scoring(&mut suite, &args.scoring)?);
    let mut seed = 0;
    if let Some((value, from)) = layers.number("seed", 0..=u64::MAX)? {
        seed = value;
        given.push(from);
    }
    if let Some(value) = args.scoring.seed {
        seed = value;
        flags.push("seed".into());
    }
    let embeddings = args.embeddings.iter().map(|text| Embedding::parse(text)).collect::<Result<_, _>>()?;
    let request = Request {
        suite,
        suite_text,
        flags,
        given,
        embeddings,
        origin: bench_run::Origin::default(),
        metadata: args.table.metadata,
        array: args.table.array,
        common_rows: args.table.common_rows,
        folds: args.scoring.folds,
        seed,
        out: args.out,
        // Where the program lies on this machine is nobody's business.
        command: std::iter::once("bench".to_owned()).chain(std::env::args().skip(1)).collect(),
        software: software::identity(),
    };
    request.check()?;
    Ok(request)
}

fn dry(request: &Request) -> Result<i32, Error> {
    let key = key::key(request)?;
    let folder = key::folder(request, &key);
    let finished = bench_run::outputs::read_record(&folder.join("record.json")).is_ok_and(|r| r.run_key == key.digest);
    println!("suite {} version {}, run {}", request.suite.id, request.suite.version, key.id);
    println!("folder {}{}", folder.display(), if finished { " (finished: nothing to do)" } else { "" });
    for (number, step) in plan::steps(request, &plan::models(request)).iter().enumerate() {
        println!("{:>4}  {}", number + 1, step.name());
    }
    Ok(exit::DONE)
}

/// 1 if the controls are out of order, 5 if an accuracy of a model is missing, else 0.
fn verdict_code(record: &RunRecord, progress: &Terminal) -> i32 {
    let broken: Vec<_> = record.controls.iter().filter(|c| c.holds == Some(false)).collect();
    for check in &broken {
        eprintln!(
            "error: control `{}` is out of order: {}; expected {}, saw {}",
            check.control, check.rule, check.expected, check.observed
        );
    }
    if !broken.is_empty() {
        return exit::GATE;
    }
    let model = |name: &str| record.models.iter().any(|m| m.kind == ModelKind::Model && m.name == name);
    let mut missing: Vec<(String, String)> = Vec::new();
    for score in record.scores.iter().filter(|s| s.metric == "accuracy" && s.value.is_none() && model(&s.model)) {
        let line = (
            format!("{} of protocol {}", score.split, score.protocol),
            score.reason.clone().unwrap_or_else(|| "no reason given".into()),
        );
        if !missing.contains(&line) {
            missing.push(line);
        }
    }
    if missing.is_empty() {
        return exit::DONE;
    }
    for (split, reason) in &missing {
        eprintln!("warning: no scores for split {split}: {reason}");
    }
    progress.note("hint: leave splits out with `--splits A,B`; everything else was scored and saved");
    exit::PARTLY
}

fn headline(record: &RunRecord, report: &str) -> String {
    let value = serde_json::json!({
        "run_id": record.run_id,
        "report": report,
        "verdict": record.verdict,
        "scores_digest": record.scores_digest,
        "record_digest": record.record_digest,
        "summaries": record.summaries.iter().filter(|s| ["accuracy", "g", "g-star", "gap"].contains(&s.quantity.as_str())).collect::<Vec<_>>(),
        "controls": record.controls,
        "warnings": record.warnings,
    });
    value.to_string()
}
