//! Progress on stderr: a bar per long step on a terminal, a plain line per step elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Instant;

use bench_run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws progress, unless told to be quiet.
pub(crate) struct Terminal {
    quiet: bool,
    bars: bool,
    bar: Mutex<Option<ProgressBar>>,
    /// When a detail was last printed where there is no bar to show it.
    told: Mutex<Instant>,
}

/// Seconds between two such lines.
const PAUSE: u64 = 30;

impl Terminal {
    pub(crate) fn new(quiet: bool, no_progress: bool) -> Self {
        Self {
            quiet,
            bars: !no_progress && std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
            told: Mutex::new(Instant::now()),
        }
    }

    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        match self.bar.lock() {
            Ok(guard) if guard.is_some() => {
                if let Some(bar) = guard.as_ref() {
                    bar.println(line);
                }
            }
            _ => eprintln!("{line}"),
        }
    }

    /// Removes a bar that is still shown.
    pub(crate) fn finish(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Terminal {
    fn step(&self, number: usize, total: usize, name: &str) {
        self.finish();
        self.say(&format!("[{number}/{total}] {name}"));
        if self.bars && !self.quiet {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("      {bar:32} {percent:>3} % · {elapsed} · {eta} left · {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("━╸ "));
            if let Ok(mut slot) = self.bar.lock() {
                *slot = Some(bar);
            }
        }
    }

    fn reused(&self, number: usize, total: usize, name: &str) {
        self.finish();
        self.say(&format!("[{number}/{total}] {name}: done by an earlier run"));
    }

    fn tick(&self, done: usize, total: usize) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    }

    fn detail(&self, text: &str) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.set_message(text.to_owned());
            return;
        }
        if let Ok(mut told) = self.told.lock()
            && told.elapsed().as_secs() >= PAUSE
        {
            *told = Instant::now();
            self.say(&format!("      {text}"));
        }
    }

    fn note(&self, message: &str) {
        self.say(message);
    }
}
