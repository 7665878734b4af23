//! What a run tells while it runs; the command line draws it, tests ignore it.

/// Receives progress. Implementations must be cheap: `tick` is called often.
pub trait Progress: Sync {
    /// A step begins: its number, how many there are, and its name.
    fn step(&self, number: usize, total: usize, name: &str);
    /// The step of this number was found done by an earlier run.
    fn reused(&self, number: usize, total: usize, name: &str);
    /// `done` of `total` units of the current step are done.
    fn tick(&self, done: usize, total: usize);
    /// How it goes, beside the bar: a rate, a loss. Shown while it is fresh and not kept.
    fn detail(&self, _text: &str) {}
    /// A message for the reader.
    fn note(&self, message: &str);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: usize, _: usize, _: &str) {}
    fn reused(&self, _: usize, _: usize, _: &str) {}
    fn tick(&self, _: usize, _: usize) {}
    fn note(&self, _: &str) {}
}
