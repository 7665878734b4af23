//! `bench data fetch` and `bench data table`.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bench_run::produce::fetch::{
    Access, FetchRequest, Fetched, Filter, Options, PrepareInto, Proxy, Retry, Shard, fetch, sample,
};
use bench_run::produce::prepare::PrepareOptions;
use bench_run::produce::{merge as tables, profiles_table};
use bench_run::{Error, Progress};

use crate::args::{DataTableArgs, FetchArgs, MergeArgs};
use crate::cmd::data::recipe;
use crate::cmd::produce;
use crate::exit;
use crate::progress::Terminal;

/// Most failures that are printed one by one.
const LISTED: usize = 50;

/// Fetches; exit code 5 when some objects failed.
pub(crate) fn run(args: FetchArgs, progress: &Terminal) -> Result<i32, Error> {
    let json = args.json;
    let request = request(args)?;
    // Ctrl-C ends the process at once; parts are taken up by the next run.
    let fetched = fetch(&request, progress, &AtomicBool::new(false))?;
    progress.finish();
    if json {
        println!("{}", as_json(&fetched));
    } else {
        tell(&request, &fetched, progress);
    }
    Ok(if fetched.failures.is_empty() { exit::DONE } else { exit::PARTLY })
}

fn request(args: FetchArgs) -> Result<FetchRequest, Error> {
    let proxy = match args.proxy.as_deref() {
        None => Proxy::Environment,
        Some("none") => Proxy::Direct,
        Some(address) => Proxy::At(address.to_owned()),
    };
    let retry = Retry { attempts: args.attempts, seed: args.seed, ..Retry::default() };
    let read_timeout = Duration::from_secs(args.timeout);
    Ok(FetchRequest {
        manifest: args.id,
        what: args.what,
        filter: Filter {
            sources: args.source,
            batches: args.batch,
            plates: args.plate,
            plate_types: args.plate_type,
            wells: args.well,
            sites: args.site,
        },
        sample: sample(&args.sites_per_well)?,
        shard: args.shard.as_deref().map(Shard::parse).transpose()?.unwrap_or_default(),
        keep_bad: args.keep_bad,
        bucket: args.bucket,
        tables: args.tables,
        access: Access { endpoint: args.endpoint, proxy, retry, read_timeout, ..Access::default() },
        options: Options { concurrency: args.concurrency as usize, recheck: args.recheck, ..Options::default() },
        out: args.out,
        dry_run: args.dry_run,
        seed: args.seed,
        prepare: match args.prepare {
            Some(out) => {
                let policy = produce::policy(args.skip_unreadable);
                let options = PrepareOptions { policy, ..PrepareOptions::default() };
                Some(PrepareInto { out, recipe: recipe(&args.recipe)?, options })
            }
            None => None,
        },
    })
}

fn tell(request: &FetchRequest, fetched: &Fetched, progress: &Terminal) {
    for (kind, counts) in &fetched.kinds {
        let unknown = match counts.unknown {
            0 => String::new(),
            n => format!(", {n} of unknown length"),
        };
        let planned = format!("{kind}: {} files, {:.1} MB{unknown}", counts.objects, counts.bytes as f64 / 1e6);
        if request.dry_run {
            progress.note(&planned);
        } else {
            progress.note(&format!("{planned}; {} fetched, {} there already", counts.fetched, counts.present));
        }
    }
    for failure in fetched.failures.iter().take(LISTED) {
        println!("{}\t{}\t{}\t{}", failure.key, failure.cause.word(), failure.attempts, failure.message);
    }
    let failed = fetched.failures.len();
    if failed > LISTED {
        println!("... and {} more; `--json` lists all", failed - LISTED);
    }
    if failed > 0 {
        progress.note(&format!("{failed} objects failed; run the same command again to try them again"));
    } else if !request.dry_run {
        println!("{}", request.out.display());
    }
}

fn as_json(fetched: &Fetched) -> serde_json::Value {
    let kinds: serde_json::Map<String, serde_json::Value> = fetched
        .kinds
        .iter()
        .map(|(kind, counts)| {
            let counts = serde_json::json!({
                "objects": counts.objects, "bytes": counts.bytes, "unknown_length": counts.unknown,
                "fetched": counts.fetched, "present": counts.present,
            });
            (kind.clone(), counts)
        })
        .collect();
    let failures: Vec<serde_json::Value> = fetched
        .failures
        .iter()
        .map(|f| {
            let cause = f.cause.word();
            serde_json::json!({"key": f.key, "path": f.path, "cause": cause, "attempts": f.attempts, "message": f.message})
        })
        .collect();
    serde_json::json!({
        "kinds": kinds, "failures": failures, "interrupted": fetched.interrupted,
        "bytes_received": fetched.bytes_received, "requests": fetched.requests,
    })
}

/// Joins profiles.
pub(crate) fn table(args: &DataTableArgs, progress: &Terminal) -> Result<i32, Error> {
    let joined = profiles_table::join(&args.input, &args.what, &args.out, progress)?;
    progress.finish();
    let left = match (joined.unknown, joined.uncommon) {
        (0, 0) => String::new(),
        (wells, features) => {
            format!("; left out: {wells} wells of unknown content, {features} features not on all plates")
        }
    };
    progress.note(&format!("{} plates, {} wells, {} features{left}", joined.plates, joined.rows, joined.features));
    println!("{}", args.out.display());
    Ok(exit::DONE)
}

/// Puts tables together.
pub(crate) fn merge(args: &MergeArgs, progress: &Terminal) -> Result<i32, Error> {
    let rows = tables::merge(&args.tables, &args.out)?;
    progress.finish();
    progress.note(&format!("{rows} rows of {} tables", args.tables.len()));
    println!("{}", args.out.display());
    Ok(exit::DONE)
}
