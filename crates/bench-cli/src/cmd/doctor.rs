//! `bench doctor`: what this machine and this program are like.

use std::io::IsTerminal;

use bench_run::Error;
use bench_run::doctor::{Environment, Patient, Status, examine};

use crate::args::{Color, DoctorArgs, OutputArgs};
use crate::{exit, software};

/// The environment of this process.
#[derive(Debug)]
struct Process;

impl Environment for Process {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// Prints a line per check; exit code 1 if one of them fails.
pub(crate) fn run(args: &DoctorArgs, output: &OutputArgs) -> Result<i32, Error> {
    let layers = super::layers(output);
    let software = software::identity();
    let commit = match (&software.commit, software.dirty) {
        (Some(commit), Some(true)) => format!("commit {commit} with local changes"),
        (Some(commit), _) => format!("commit {commit}"),
        (None, _) => "commit not known".to_owned(),
    };
    let patient = Patient {
        program: format!("bench {}, {commit}, lock file {}", software.version, &software.lockfile[..12]),
        layers: layers.as_ref().map_err(ToString::to_string),
        out: &args.out,
        environment: &Process,
    };
    let checks = examine(&patient);
    let worst = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    if args.json {
        println!("{}", serde_json::json!({ "status": worst, "checks": checks }));
    } else {
        let coloured = match output.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        for check in &checks {
            let (word, code) = match check.status {
                Status::Ok => ("ok", "32"),
                Status::Warn => ("warn", "33"),
                Status::Fail => ("fail", "31;1"),
            };
            let word = format!("{word:<4}");
            let word = if coloured { format!("\x1b[{code}m{word}\x1b[0m") } else { word };
            println!("{word}  {:<13} {}", check.name, check.found);
            if let Some(hint) = &check.hint {
                println!("{:<20}hint: {hint}", "");
            }
        }
    }
    Ok(if worst == Status::Fail { exit::GATE } else { exit::DONE })
}
