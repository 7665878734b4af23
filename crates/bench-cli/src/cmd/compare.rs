//! `bench compare`: a run against a baseline, gate by gate.

use std::io::Write;
use std::path::Path;

use bench_core::atomic;
use bench_core::compared::{Compared, Status};
use bench_run::Error;
use bench_run::compare::{Options, Source, compare};

use crate::args::{CompareArgs, CompareFormat, OutputArgs};
use crate::exit;

/// Compares, writes, and says by the exit code whether a gate failed.
pub(crate) fn run(args: &CompareArgs, output: &OutputArgs) -> Result<i32, Error> {
    let options = Options { renamed: args.map.iter().map(|pair| renamed(pair)).collect::<Result<_, _>>()? };
    let (mut head, number) = Source::parse(&args.head).one(&args.history)?;
    if args.commit.is_some() {
        head.name.commit.clone_from(&args.commit);
    }
    let window = args.window.map(usize::from);
    let base = Source::parse(&args.base).baseline(&args.history, &head, number, window)?;
    let compared = compare(&base, &head, &options)?;
    let content = render(&compared, args.format)?;
    match &args.out {
        Some(path) => {
            written(path, content.as_bytes())?;
            if !output.quiet {
                for sentence in bench_report::compared_verdict(&compared) {
                    eprintln!("{sentence}");
                }
            }
        }
        // A closed pipe is the reader's choice.
        None => drop(std::io::stdout().lock().write_all(content.as_bytes())),
    }
    Ok(match compared.status {
        Status::Regression if args.gate => exit::GATE,
        Status::Unchecked if args.gate => exit::PARTLY,
        _ => exit::DONE,
    })
}

fn render(compared: &Compared, format: CompareFormat) -> Result<String, Error> {
    let failed =
        |error: String| Error::Usage { message: format!("failed to render the comparison: {error}"), hint: None };
    Ok(match format {
        CompareFormat::Text => bench_report::compared_text(compared),
        CompareFormat::Md => bench_report::compared_markdown(compared),
        CompareFormat::Junit => bench_report::compared_junit(compared),
        CompareFormat::Html => bench_report::compared_html(compared).map_err(|error| failed(error.to_string()))?,
        CompareFormat::Json => {
            serde_json::to_string_pretty(compared).map_err(|error| failed(error.to_string()))? + "\n"
        }
    })
}

fn renamed(pair: &str) -> Result<(String, String), Error> {
    match pair.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err(Error::Usage {
            message: format!("cannot read `--map {pair}`: expected OLD=NEW"),
            hint: Some("OLD is the baseline's name of the model, NEW the head's".into()),
        }),
    }
}

/// Writes a file whole or not at all.
pub(crate) fn written(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic::write(path, bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}
