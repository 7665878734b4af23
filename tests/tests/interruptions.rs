//! Kills, a full disk and folders that cannot be written: nothing is lost, and the same command goes on to the
//! same digests.
#![cfg(unix)]

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bench_core::record::CacheState;
use bench_core::{RunRecord, Seed};
use bench_tests::{binary, folder, record};
use tempfile::TempDir;

/// Plates, a training of three epochs, embeddings, retrieval, scores and a report in two seconds.
const FLAGS: &[&str] = &[
    "--threads",
    "2",
    "run",
    "--suite",
    "target2",
    "--models",
    "emm",
    "--protocols",
    "strict",
    "--splits",
    "random,not-same-source",
    "--probes",
    "logreg",
    "--no-projection",
    "--no-batch-probes",
    "--no-controls",
    "--bootstrap",
    "100",
];

/// Attempts to hit a stage before a test gives up.
const ATTEMPTS: usize = 10;

/// A preset, a cache and the folder of a run.
#[derive(Clone, Debug)]
struct Place {
    preset: PathBuf,
    cache: PathBuf,
    out: PathBuf,
}

impl Place {
    /// Folders of this name that are not there yet. The preset is `smoke` without baselines.
    fn new(folder: &Path, name: &str) -> Place {
        let preset = folder.join("smoke.toml");
        let text = include_str!("../../configs/smoke.toml").lines().filter(|line| !line.starts_with("baselines"));
        std::fs::write(&preset, text.collect::<Vec<_>>().join("\n")).expect("written");
        Place { preset, cache: folder.join(format!("{name}-cache")), out: folder.join(format!("{name}-out")) }
    }

    /// The run, started by `program` with these arguments before it.
    fn command(&self, program: &Path, before: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE").args(before).args(FLAGS);
        command.arg("--preset").arg(&self.preset).arg("--cache").arg(&self.cache).arg("--out").arg(&self.out);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end: exit code and messages.
    fn run(&self) -> (Option<i32>, String) {
        finish(self.command(binary(), &[]))
    }

    /// The same where no file can grow beyond a number of blocks of 512 bytes: writing on gives an error, as on a full disk.
    fn run_limited(&self, blocks: u32) -> (Option<i32>, String) {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let program = binary().display().to_string();
        finish(self.command(Path::new("sh"), &["-c", &script, &program]))
    }

    /// Starts the run and kills it as soon as `is_time` says so; the messages up to then, or nothing if it ended before.
    fn kill(&self, is_time: impl Fn(&str) -> bool) -> Option<String> {
        let mut child = self.command(binary(), &[]).spawn().expect("started");
        let told = Arc::new(Mutex::new(String::new()));
        let (stderr, heard) = (child.stderr.take().expect("piped"), Arc::clone(&told));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut heard = heard.lock().expect("no panic");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let is_killed = loop {
            if let Some(status) = child.try_wait().expect("waited") {
                assert!(status.success(), "{status}: {}", told.lock().expect("no panic"));
                break false;
            }
            if is_time(&told.lock().expect("no panic")) {
                // On Unix this is SIGKILL.
                child.kill().expect("killed");
                break child.wait().expect("waited").signal() == Some(9);
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        reader.join().expect("no panic");
        let told = told.lock().expect("no panic").clone();
        is_killed.then_some(told)
    }

    /// Runs to the end and checks that what comes out is what an uninterrupted run gives.
    fn resume(&self, expected: &RunRecord) -> (RunRecord, String) {
        let (code, told) = self.run();
        assert_eq!(code, Some(0), "{told}");
        let record = record(&self.out);
        assert_eq!(record.record_digest, expected.record_digest, "{told}");
        assert_eq!(record.scores_digest, expected.scores_digest);
        assert_eq!(record.training, expected.training);
        assert_eq!(record.retrieval, expected.retrieval);
        for file in &record.outputs {
            let there = std::fs::metadata(self.out.join(&file.path)).map(|metadata| metadata.len());
            assert_eq!(there.ok(), Some(file.bytes), "`{}` is whole", file.path);
        }
        assert_eq!(temporary(&self.out), Vec::<PathBuf>::new(), "what a kill left is gone");
        assert!(!self.out.join(".steps").exists());
        (record, told)
    }
}

fn finish(mut command: Command) -> (Option<i32>, String) {
    let done = command.output().expect("the program runs");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Name of the step that was begun last.
fn step(told: &str) -> &str {
    let line = told.lines().rev().find(|line| line.starts_with('[')).unwrap_or_default();
    line.split_once("] ").map_or("", |(_, name)| name)
}

/// Number of that step, from one.
fn number(told: &str) -> usize {
    let line = told.lines().rev().find(|line| line.starts_with('[')).unwrap_or_default();
    line.trim_start_matches('[').split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn named(folder: &Path, ending: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

fn temporary(folder: &Path) -> Vec<PathBuf> {
    named(folder, ".tmp")
}

/// Copies some folders of a cache.
fn copy(from: &Path, to: &Path, parts: &[&str]) {
    for path in files(from) {
        let part = path.strip_prefix(from).expect("below");
        if parts.iter().any(|name| part.starts_with(name)) {
            let target = to.join(part);
            std::fs::create_dir_all(target.parent().expect("a file has a folder")).expect("made");
            std::fs::copy(&path, target).expect("copied");
        }
    }
}

/// An uninterrupted run, shared by the tests that run at the same time.
struct Reference {
    record: RunRecord,
    place: Place,
    _folder: TempDir,
}

fn reference() -> Arc<Reference> {
    static SHARED: Mutex<Weak<Reference>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(reference) = shared.upgrade() {
        return reference;
    }
    let folder = folder();
    let place = Place::new(folder.path(), "whole");
    binary();
    let (code, told) = place.run();
    assert_eq!(code, Some(0), "{told}");
    let reference = Arc::new(Reference { record: record(&place.out), place, _folder: folder });
    *shared = Arc::downgrade(&reference);
    reference
}

#[test]
fn a_run_killed_in_any_stage_goes_on_to_the_same_digests() {
    let reference = reference();
    let all = ["plates", "models", "embeddings", "retrieval"];
    // What lies in the cache before, the step that is killed, and the sign in the cache or the run's folder that
    // it is under way.
    type Sign = fn(&Place) -> bool;
    let begun: Sign = |_| true;
    let stages: [(&[&str], &str, Sign); 6] = [
        (&[], "simulate plates", |place| named(&place.cache, ".bplate").len() > 2),
        (&all[..1], "train emm", |place| !named(&place.cache, "last.safetensors").is_empty()),
        (&all[..2], "embed plates with emm", begun),
        (&all[..3], "retrieval with emm", begun),
        (&all, "score emm-backbone with logreg", begun),
        (&all, "write record and report", |place| place.out.join("figures").exists()),
    ];
    for (cached, stage, sign) in stages {
        let folder = folder();
        let place = (0..ATTEMPTS)
            .map(|attempt| Place::new(folder.path(), &attempt.to_string()))
            .find(|place| {
                copy(&reference.place.cache, &place.cache, cached);
                let told = place.kill(|told| step(told) == stage && sign(place));
                told.is_some_and(|told| step(&told) == stage)
            })
            .unwrap_or_else(|| panic!("`{stage}` was never hit in {ATTEMPTS} attempts"));
        assert!(!place.out.join("record.json").exists(), "{stage}: a record comes last");
        // A kill between writing and renaming leaves the first two (where it hits is chance), and a run of another
        // model that was killed in the same folder the third.
        let stranger = "predictions/other-logreg.parquet";
        for left in ["report.html.4194304.tmp", "figures/ladder.svg.4194304.tmp", stranger] {
            let path = place.out.join(left);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "half").expect("written");
        }
        let (record, told) = place.resume(&reference.record);
        let listed = |record: &RunRecord| record.outputs.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(listed(&record), listed(&reference.record), "{stage}: the files of this run, and no others");
        let reused = |name: &str| {
            let found = record.steps.iter().find(|step| step.name == name);
            found.unwrap_or_else(|| panic!("no step `{name}`")).cache == CacheState::Reused
        };
        // The step of the first finished part of the cache, and every part after it.
        let made = [("plates", "simulate plates"), ("models", "train emm"), ("retrieval", "retrieval with emm")];
        for (part, name) in made {
            assert_eq!(reused(name), cached.contains(&part), "{stage}, {name}: {told}");
        }
        let is_scored = ["score emm-backbone with logreg", "write record and report"].contains(&stage);
        assert_eq!(reused("score emm with logreg"), is_scored, "{stage}: {told}");
        assert_eq!(reused("intervals, tests and controls"), stage == "write record and report", "{stage}: {told}");
        assert_eq!(temporary(&place.cache), Vec::<PathBuf>::new(), "{stage}: nothing is left in the cache");
    }
}

#[test]
fn a_run_killed_again_and_again_goes_on_to_the_same_digests() {
    let reference = reference();
    let folder = folder();
    let place = Place::new(folder.path(), "often");
    let mut moments = Seed(23).stream();
    let mut kills = vec![];
    // In ever later steps of eleven, a random moment after the step began or was found done.
    for part in 0..6 {
        let first = 1 + 2 * part + moments.below(2);
        let wait = Duration::from_secs_f64(moments.uniform() * 0.05);
        let since = Cell::new(None::<Instant>);
        let told = place.kill(|told| {
            if number(told) >= first && since.get().is_none() {
                since.set(Some(Instant::now()));
            }
            since.get().is_some_and(|since| since.elapsed() >= wait)
        });
        kills.extend(told.map(|told| step(&told).to_owned()));
    }
    let mut places = kills.clone();
    places.sort();
    places.dedup();
    assert!(kills.len() >= 4 && places.len() >= 3, "killed while it worked, in different steps: {kills:?}");
    place.resume(&reference.record);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let reference = reference();
    let folder = folder();
    let place = Place::new(folder.path(), "full");
    let full = |place: &Place, blocks: u32, inside: &Path, hint: &str| {
        let (code, told) = place.run_limited(blocks);
        assert!([Some(3), Some(5)].contains(&code), "{code:?}: {told}");
        let error = told.lines().find(|line| line.starts_with("error:")).unwrap_or_else(|| panic!("no error: {told}"));
        assert!(error.contains(&format!("`{}", inside.display())), "{error}");
        assert!(error.contains("File too large"), "the cause is told: {error}");
        assert!(told.contains("hint:") && told.contains(hint), "{told}");
        assert!(!place.out.join("record.json").exists());
        assert_eq!(temporary(&place.cache), Vec::<PathBuf>::new());
        assert_eq!(temporary(&place.out), Vec::<PathBuf>::new());
    };
    // A plate takes about 150 kB, a checkpoint 4 MB, the report 300 kB.
    full(&place, 200, &place.cache.join("plates"), "--cache");
    full(&place, 2000, &place.cache.join("models"), "--cache");
    let (record, _) = place.resume(&reference.record);
    assert_eq!(record.steps[0].cache, CacheState::Reused, "the plates were whole");

    let place = Place { out: folder.path().join("full-out-2"), ..place };
    full(&place, 8, &place.out, "--out");
    full(&place, 400, &place.out, "--out");
    let (record, told) = place.resume(&reference.record);
    let computed: Vec<&str> =
        record.steps.iter().filter(|step| step.cache == CacheState::Computed).map(|step| step.name.as_str()).collect();
    assert_eq!(computed, ["read tables and make splits", "write record and report"], "{told}");
}

#[test]
fn folders_that_cannot_be_written_are_told_before_any_work() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let open = Place::new(folder.path(), "open");
    std::fs::write(path("file"), "no folder").expect("written");
    let mut closed = vec![path("file"), path("file/below")];
    if cfg!(target_os = "linux") {
        closed.push("/proc/bench".into());
    }
    // Modes do not bind the superuser.
    let read_only = path("read-only");
    std::fs::create_dir(&read_only).expect("made");
    let mode = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&read_only, std::fs::Permissions::from_mode(mode)).expect("set");
    };
    mode(0o555);
    if std::fs::write(read_only.join("probe"), "").is_err() {
        closed.extend([read_only.clone(), read_only.join("below")]);
    } else {
        println!("skipped: this user may write to read-only folders");
    }
    for closed in closed {
        for (flag, place) in [
            ("--out", Place { out: closed.clone(), ..open.clone() }),
            ("--cache", Place { cache: closed.clone(), ..open.clone() }),
        ] {
            let (code, told) = place.run();
            assert!([Some(3), Some(5)].contains(&code), "{flag} {}: {code:?}: {told}", closed.display());
            assert!(told.contains(&format!("`{}", closed.display())), "{told}");
            assert!(told.contains("hint:") && told.contains(flag), "{told}");
            assert!(!told.contains("train emm"), "{told}");
            assert_eq!(files(&open.cache), Vec::<PathBuf>::new(), "{flag}: nothing was made in vain");
        }
    }
    mode(0o755);
}
