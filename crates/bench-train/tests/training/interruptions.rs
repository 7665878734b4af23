//! Interrupted, killed, and run on other thread counts: the checkpoints have the same bytes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench_core::Seed;
use bench_train::observer::StepReport;
use bench_train::{Ending, Observer, Pace};

use crate::data::{checkpoints, finish, plates, run, short};

const EPOCHS: usize = 3;

fn pace() -> Pace {
    Pace { checkpoint_steps: Some(1), ..Pace::default() }
}

fn uninterrupted(pace: &Pace) -> (Vec<u8>, Vec<u8>) {
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let folder = tempfile::tempdir().unwrap();
    finish((&catalogue, &source), &short(EPOCHS), pace, folder.path());
    checkpoints(folder.path())
}

#[test]
fn one_and_two_threads_write_the_same_bytes() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| uninterrupted(&Pace::default()))
    };
    assert!(with(1) == with(2));
}

/// Asks to stop after a number of steps.
struct Stop<'a> {
    after: usize,
    flag: &'a AtomicBool,
}

impl Observer for Stop<'_> {
    fn step(&mut self, _: &StepReport) {
        self.after = self.after.saturating_sub(1);
        if self.after == 0 {
            self.flag.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn an_interrupted_training_goes_on_where_it_stopped() {
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let folder = tempfile::tempdir().unwrap();
    let mut places = vec![];
    loop {
        let flag = AtomicBool::new(false);
        let mut stop = Stop { after: 1, flag: &flag };
        let pace = Pace::default();
        match run((&catalogue, &source), &short(EPOCHS), &pace, folder.path(), &mut stop, &flag).unwrap().1 {
            Ending::Interrupted { epoch, batch } => places.push((epoch, batch)),
            Ending::Finished(_) => break,
        }
    }
    assert_eq!(places, [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
    assert!(checkpoints(folder.path()) == uninterrupted(&Pace::default()));
}

const FOLDER: &str = "BENCH_TRAIN_TEST_FOLDER";

/// Says on the error stream when a step is done.
struct Ticks;

impl Observer for Ticks {
    fn step(&mut self, _: &StepReport) {
        eprintln!("step");
    }
}

/// Not a test of its own: the process that the next one kills.
#[test]
#[ignore = "run by `a_killed_training_ends_with_the_bytes_of_an_undisturbed_one`"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (catalogue, source) = plates(12, 3, 28, 0.5);
    let never = AtomicBool::new(false);
    let ending = run((&catalogue, &source), &short(EPOCHS), &pace(), Path::new(&folder), &mut Ticks, &never);
    assert!(matches!(ending, Ok((_, Ending::Finished(_)))));
}

/// Starts the child, kills it `delay` after its step number `steps`, and tells whether it had
/// finished before.
fn start_and_kill(folder: &Path, steps: usize, delay: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "interruptions::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.map_while(Result::ok).filter(|line| line == "step").take(steps).count();
    if seen < steps {
        assert!(child.wait().unwrap().success());
        return true;
    }
    std::thread::sleep(delay);
    // SIGKILL on Unix: no destructor runs.
    child.kill().unwrap();
    child.wait().unwrap().success()
}

#[test]
fn a_killed_training_ends_with_the_bytes_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Seed(8).stream();
    let mut kills = 0;
    // Delays up to that of a step with its checkpoint, so that some kills meet a write.
    while !start_and_kill(folder.path(), 1 + kills % 2, Duration::from_micros(stream.below(30_000) as u64)) {
        kills += 1;
        assert!(kills < 60, "training must get on between kills");
    }
    assert!(kills >= 3, "{kills} kills");
    assert!(checkpoints(folder.path()) == uninterrupted(&pace()));
}
