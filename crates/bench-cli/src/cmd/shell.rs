//! Completion scripts and the man page, from the same definitions as the arguments.

use std::io;

use clap::CommandFactory;

use bench_run::Error;

use crate::args::{Cli, ManArgs};
use crate::exit;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<i32, Error> {
    clap_complete::generate(shell, &mut Cli::command(), "bench", &mut io::stdout());
    Ok(exit::DONE)
}

/// Prints the man page, or writes one per verb.
pub(crate) fn man(args: &ManArgs) -> Result<i32, Error> {
    if let Some(folder) = &args.dir {
        let failed = |source| Error::Write { path: folder.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
        println!("{}", folder.display());
        return Ok(exit::DONE);
    }
    clap_mangen::Man::new(Cli::command())
        .render(&mut io::stdout())
        .map_err(|source| Error::Write { path: "stdout".into(), source })?;
    Ok(exit::DONE)
}
