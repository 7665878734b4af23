//! Stopped in the middle, and taken up again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bench_fetch::{Access, Options, Proxy, Remote, Report, Tally};

use crate::server::Fault::{Close, Stall, Status};
use crate::server::{Server, Stored, content};
use crate::support::{Hook, assert_holds, fetch, files, objects};

const N: usize = 400_000;

/// Fetches with a long patience, and sets the flag once as many bytes came and objects are done.
fn interrupted_after(server: &Server, keys: &[&str], folder: &Path, bytes: u64, done: u64) -> (Report, Duration) {
    let access = Access { read_timeout: Duration::from_secs(60), ..server.access() };
    let remote = Remote::open("s3://data", &access).unwrap();
    let (flag, clock) = (AtomicBool::new(false), std::cell::Cell::new(Instant::now()));
    let hook = Hook(|tally: &Tally| {
        if tally.bytes_received >= bytes && tally.objects_done >= done && !flag.swap(true, Ordering::SeqCst) {
            clock.set(Instant::now());
        }
    });
    let report = remote.fetch(&objects(keys), folder, &Options::default(), &hook, &flag).unwrap();
    (report, clock.get().elapsed())
}

#[test]
fn an_interrupted_fetch_ends_at_once_and_goes_on_at_its_bytes() {
    let server = Server::with(&[("a", N), ("b", N), ("c", N)]);
    server.fail("a", [Stall(100_000)]);
    server.fail("b", [Stall(200_000)]);
    let folder = tempfile::tempdir().unwrap();
    let (report, time) = interrupted_after(&server, &["a", "b", "c"], folder.path(), (300_000 + N) as u64, 1);
    assert!(time < Duration::from_secs(1), "{time:?}");
    assert!(report.interrupted && !report.is_complete());
    assert_eq!((report.fetched, report.failures.len()), (1, 0));
    assert_eq!(files(folder.path())["b.part"].len(), 200_000);

    let again = fetch(&server.s3(), &objects(&["a", "b", "c"]), folder.path());
    assert_eq!((again.bytes_resumed, again.bytes_received), (300_000, (2 * N - 300_000) as u64));
    assert_eq!((again.present, again.fetched, again.interrupted), (1, 2, false));
    assert_eq!(report.bytes_received + again.bytes_received, server.total());
    assert_holds(folder.path(), &server, &["a", "b", "c"]);
}

#[test]
fn an_interrupt_ends_a_pause() {
    let server = Server::with(&[("a", N)]);
    server.always("a", Status(503));
    let mut access = server.access();
    access.retry.first = Duration::from_secs(60);
    access.retry.longest = Duration::from_secs(60);
    let remote = Remote::open("s3://data", &access).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flag = AtomicBool::new(false);
    let start = Instant::now();
    let report = thread::scope(|scope| {
        let run =
            scope.spawn(|| remote.fetch(&objects(&["a"]), folder.path(), &Options::default(), &(), &flag).unwrap());
        thread::sleep(Duration::from_millis(200));
        flag.store(true, Ordering::SeqCst);
        run.join().unwrap()
    });
    assert!(report.interrupted && start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_part_of_another_version_is_dropped() {
    let server = Server::with(&[("a", N)]);
    server.fail("a", [Stall(100_000)]);
    let folder = tempfile::tempdir().unwrap();
    interrupted_after(&server, &["a"], folder.path(), 100_000, 0);
    server.put("a", Stored::new(content("new", N)));
    let report = fetch(&server.s3(), &objects(&["a"]), folder.path());
    assert_eq!(report.bytes_received, N as u64);
    assert_holds(folder.path(), &server, &["a"]);
}

#[test]
fn a_part_that_was_damaged_on_disk_is_found_out() {
    let server = Server::with(&[("a", N), ("b", N), ("c", N)]);
    for key in ["a", "b", "c"] {
        server.fail(key, [Stall(100_000)]);
    }
    let folder = tempfile::tempdir().unwrap();
    interrupted_after(&server, &["a", "b", "c"], folder.path(), 300_000, 0);
    let path = |name: &str| folder.path().join(name);
    let mut part = fs::read(path("a.part")).unwrap();
    part[50] ^= 1;
    fs::write(path("a.part"), part).unwrap();
    fs::write(path("b.part.json"), "{\"remote\":").unwrap();
    fs::write(path("c.part"), vec![0; N + 1]).unwrap();
    let report = fetch(&server.s3(), &objects(&["a", "b", "c"]), folder.path());
    assert_eq!(report.failures, []);
    assert_eq!(report.bytes_received, (N - 100_000 + 3 * N) as u64);
    assert_holds(folder.path(), &server, &["a", "b", "c"]);
}

#[test]
fn a_part_that_no_digest_will_check_is_synced_when_it_is_left() {
    let server = Server::with(&[("a", N)]);
    server.fail("a", (0..4).map(|_| Close(50_000)));
    let folder = tempfile::tempdir().unwrap();
    // A web server: its tags are no digests.
    assert_eq!(fetch(&server.web(), &objects(&["a"]), folder.path()).failures.len(), 1);
    let report = fetch(&server.web(), &objects(&["a"]), folder.path());
    assert_eq!((report.bytes_resumed, report.bytes_received), (200_000, (N - 200_000) as u64));
    assert_holds(folder.path(), &server, &["a"]);

    // What was not synced may be anything after the power failed.
    server.put("b", Stored::new(content("b", N)));
    server.fail("b", (0..4).map(|_| Close(50_000)));
    fetch(&server.web(), &objects(&["b"]), folder.path());
    let note = folder.path().join("b.part.json");
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace("\"synced\":200000", "\"synced\":60000")).unwrap();
    let report = fetch(&server.web(), &objects(&["b"]), folder.path());
    assert_eq!((report.bytes_resumed, report.bytes_received), (60_000, (N - 60_000) as u64));
    assert_holds(folder.path(), &server, &["a", "b"]);
}

#[test]
fn a_process_killed_before_the_ledger_knew_fetches_nothing_again() {
    let server = Server::with(&[("a", N), ("empty", 0)]);
    let folder = tempfile::tempdir().unwrap();
    let (note, kept) = (folder.path().join("a.part.json"), folder.path().join("kept"));
    let hook = Hook(|_: &Tally| {
        // Gone again, at the end.
        let _ = fs::copy(&note, &kept);
    });
    let remote = server.s3();
    let wanted = objects(&["a", "empty"]);
    remote.fetch(&wanted, folder.path(), &Options::default(), &hook, &AtomicBool::new(false)).unwrap();
    let ledger = folder.path().join("fetched.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();

    // After the file had its name and before the ledger had its line.
    let lines: String = text.lines().filter(|line| !line.contains("\"a\"")).map(|line| format!("{line}\n")).collect();
    fs::write(&ledger, lines).unwrap();
    fs::copy(&kept, &note).unwrap();
    let report = fetch(&remote, &wanted, folder.path());
    assert_eq!((report.requests, report.fetched, report.present, report.bytes_resumed), (0, 1, 1, N as u64));

    // After the ledger had its line and before the note was gone.
    fs::copy(&kept, &note).unwrap();
    assert_eq!(fetch(&remote, &wanted, folder.path()).present, 2);
    fs::remove_file(kept).unwrap();
    assert_holds(folder.path(), &server, &["a", "empty"]);
}

#[test]
fn a_killed_process_loses_nothing_of_what_it_wrote() {
    const NAME: &str = "resume::a_killed_process_loses_nothing_of_what_it_wrote";
    let keys: Vec<String> = (0..12).map(|i| format!("{}/object {i}", i % 3)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let options = Options { concurrency: 4, ..Options::default() };
    if let (Ok(endpoint), Ok(folder)) = (std::env::var("KILLED_ENDPOINT"), std::env::var("KILLED_FOLDER")) {
        let access = Access { endpoint: Some(endpoint), proxy: Proxy::Direct, ..Access::default() };
        let remote = Remote::open("s3://data", &access).unwrap();
        remote.fetch(&objects(&keys), folder.as_ref(), &options, &(), &AtomicBool::new(false)).unwrap();
        return;
    }
    let server = Server::start();
    for key in &keys {
        server.put(key, Stored::new(content(key, N)));
    }
    server.pace(Duration::from_millis(4));
    let folder = tempfile::tempdir().unwrap();
    let mut kept = 0;
    // Killed again and again, each time a little later.
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--exact"])
            .env("KILLED_ENDPOINT", server.endpoint())
            .env("KILLED_FOLDER", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(1);
        while bytes_on_disk(folder.path(), "") < kept + 600_000 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(child.try_wait().unwrap().is_none(), "the child was quicker than the test");
        child.kill().unwrap();
        child.wait().unwrap();
        let now = bytes_on_disk(folder.path(), "");
        assert!(now > kept, "round {round} brought nothing");
        kept = now;
        for (name, bytes) in files(folder.path()).iter().filter(|(name, _)| !name.contains(".part")) {
            assert!(*bytes == server.bytes(name), "`{name}` is wrong");
        }
    }
    server.pace(Duration::ZERO);
    let unfinished = bytes_on_disk(folder.path(), ".part");
    assert!(unfinished > 0 && kept > unfinished, "nothing was killed in the middle, or nothing was done");
    let report = fetch(&server.s3(), &objects(&keys), folder.path());
    assert_eq!(report.failures, []);
    // More where a file had its name already, and the ledger no line.
    assert!(report.bytes_resumed >= unfinished as u64);
    assert_eq!(kept as u64 + report.bytes_received, server.total());
    assert_holds(folder.path(), &server, &keys);
    assert_eq!(fetch(&server.s3(), &objects(&keys), folder.path()).requests, 0);
}

/// Bytes of objects whose files' names end so, notes left out.
fn bytes_on_disk(folder: &Path, ending: &str) -> usize {
    let mut bytes = 0;
    // Whatever is renamed meanwhile is counted the next time.
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += bytes_on_disk(&entry.path(), ending),
            Ok(metadata) if name.contains("object") && name.ends_with(ending) && !name.ends_with(".json") => {
                bytes += usize::try_from(metadata.len()).unwrap();
            }
            _ => {}
        }
    }
    bytes
}
