//! The bench command line: arguments, progress, exit codes.

mod args;
mod cmd;
mod errors;
mod exit;
mod overrides;
mod progress;
mod software;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() {
    report_bugs();
    leave_on_interrupt();
    let cli = Cli::parse();
    set_threads(cli.output.threads);
    let output = &cli.output;
    let result = match cli.command {
        Command::Run(args) => cmd::score::run(args, output),
        Command::Score(args) => cmd::score::score(args, output),
        #[cfg(feature = "train")]
        Command::Train(args) => cmd::images::train(args, output),
        #[cfg(feature = "train")]
        Command::Embed(args) => cmd::images::embed(args, output),
        Command::Retrieve(args) => cmd::retrieve::run(args),
        #[cfg(feature = "train")]
        Command::Data(command) => cmd::data::run(command, output),
        Command::Report(args) => cmd::report::run(&args),
        Command::Export(args) => cmd::export::run(&args),
        Command::Validate(args) => cmd::validate::run(&args),
        Command::List(args) => cmd::list::list(&args),
        Command::Show(args) => cmd::list::show(&args),
        Command::Completions { shell } => cmd::shell::completions(shell),
        Command::Man => cmd::shell::man(),
    };
    std::process::exit(match result {
        Ok(code) => code,
        Err(error) => errors::print(&error, cli.output.color),
    });
}

/// A panic is a bug of this program: says so, and exits with the code for it.
fn report_bugs() {
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        standard(info);
        eprintln!("error: this is a bug in bench {}", env!("CARGO_PKG_VERSION"));
        eprintln!("hint: report it with the command line and the lines above; finished steps are kept");
        std::process::exit(exit::BUG);
    }));
}

/// Ctrl-C leaves at once; finished steps are on disk and are taken up by the next run.
fn leave_on_interrupt() {
    let set = ctrlc::set_handler(|| {
        eprintln!("\ninterrupted; run the same command again to go on");
        std::process::exit(exit::INTERRUPTED);
    });
    if set.is_err() {
        eprintln!("warning: interrupts are not handled on this system");
    }
}

fn set_threads(threads: Option<u16>) {
    let Some(threads) = threads else { return };
    // SAFETY: the only other thread waits for signals and reads no environment.
    unsafe { std::env::set_var("POLARS_MAX_THREADS", threads.to_string()) };
    if rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().is_err() {
        eprintln!("warning: the number of threads could not be set");
    }
}
