//! Completion scripts and the man page, from the same definitions as the arguments.

use std::io;

use clap::CommandFactory;

use bench_run::Error;

use crate::args::Cli;
use crate::exit;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<i32, Error> {
    clap_complete::generate(shell, &mut Cli::command(), "bench", &mut io::stdout());
    Ok(exit::DONE)
}

/// Prints the man page.
pub(crate) fn man() -> Result<i32, Error> {
    clap_mangen::Man::new(Cli::command())
        .render(&mut io::stdout())
        .map_err(|source| Error::Write { path: "stdout".into(), source })?;
    Ok(exit::DONE)
}
