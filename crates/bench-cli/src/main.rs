//! The bench command line: arguments, progress, exit codes.

mod args;
mod cmd;
mod errors;
mod exit;
mod overrides;
mod progress;
mod software;

use bench_run::{Error, Layers};
use clap::Parser;

use crate::args::{Cli, Command, OutputArgs};

fn main() {
    report_bugs();
    leave_on_interrupt();
    let cli = Cli::parse();
    let output = &cli.output;
    let settings = if uses_settings(&cli.command) { cmd::layers(output) } else { Ok(Layers::default()) };
    let result = settings.and_then(|layers| {
        set_threads(cmd::threads(output, &layers)?);
        dispatch(cli.command, &layers, output)
    });
    std::process::exit(match result {
        Ok(code) => code,
        Err(error) => errors::print(&error, cli.output.color),
    });
}

/// Whether broken settings stop a verb. The doctor reads them itself: for it they are a finding.
fn uses_settings(command: &Command) -> bool {
    !matches!(
        command,
        Command::Doctor(_)
            | Command::List(_)
            | Command::Show(_)
            | Command::New(_)
            | Command::Completions { .. }
            | Command::Man(_)
    )
}

fn dispatch(command: Command, layers: &Layers, output: &OutputArgs) -> Result<i32, Error> {
    match command {
        Command::Run(args) => cmd::score::run(args, layers, output),
        Command::Score(args) => cmd::score::score(args, layers, output),
        #[cfg(feature = "train")]
        Command::Train(args) => cmd::images::train(args, layers, output),
        #[cfg(feature = "train")]
        Command::Embed(args) => cmd::images::embed(args, layers, output),
        Command::Retrieve(args) => cmd::retrieve::run(args),
        #[cfg(feature = "train")]
        Command::Data(command) => cmd::data::run(command, output),
        Command::Report(args) => cmd::report::run(&args),
        Command::Figures(args) => cmd::figures::run(&args, output),
        Command::Card(args) => cmd::card::run(&args),
        Command::Export(args) => cmd::export::run(&args),
        Command::Compare(args) => cmd::compare::run(&args, output),
        Command::History(command) => cmd::history::run(command, output),
        Command::Validate(args) => cmd::validate::run(&args, layers),
        Command::List(args) => cmd::list::list(&args),
        Command::Show(args) => cmd::list::show(&args),
        Command::Config(command) => cmd::config::run(command, layers, output),
        #[cfg(feature = "train")]
        Command::Cache(command) => cmd::cache::run(command, layers),
        Command::Doctor(args) => cmd::doctor::run(&args, output),
        Command::New(args) => cmd::new::run(&args),
        Command::Completions { shell } => cmd::shell::completions(shell),
        Command::Man(args) => cmd::shell::man(&args),
    }
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
