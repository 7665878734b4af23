//! Errors as people read them: what failed, and one hint on its own line.

use std::io::IsTerminal;

use bench_run::Error;

use crate::args::Color;
use crate::exit;

/// Whether messages are coloured.
pub(crate) fn coloured(choice: Color) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// Prints an error and returns its exit code.
pub(crate) fn print(error: &Error, color: Color) -> i32 {
    let (red, bold, plain) = if coloured(color) { ("\x1b[31;1m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    eprintln!("{red}error:{plain} {error}");
    if let Some(hint) = error.hint() {
        eprintln!("{bold}hint:{plain} {hint}");
    }
    exit::of(error.kind())
}
