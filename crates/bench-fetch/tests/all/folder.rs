//! The folder that things are fetched into: places, locks, disks and verification.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bench_fetch::verify::Flaw;
use bench_fetch::{Cause, Error, ErrorKind, Object, Options, Verification, ledger, verify};

use crate::server::Fault::{Close, Flip, Stall};
use crate::server::{Server, Stored, content};
use crate::support::{assert_holds, fetch, fetch_with, objects};

fn verified(folder: &Path) -> Verification {
    verify(folder, &(), &AtomicBool::new(false)).unwrap()
}

#[test]
fn paths_that_leave_the_folder_are_refused_before_any_request() {
    let server = Server::with(&[("good", 10), ("a/../b", 10)]);
    let folder = tempfile::tempdir().unwrap();
    for path in ["../a", "/tmp/a", "a/../../b", "a//b", "", "a\\..\\b", "a.part", "fetched.jsonl", "a\0b"] {
        let wanted = [Object::new("good"), Object::new("bad").at(path)];
        let result = server.s3().fetch(&wanted, folder.path(), &Options::default(), &(), &AtomicBool::new(false));
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Destination { key, .. } if key == "bad"), "`{path}`: {error}");
    }
    assert_eq!(server.log().len(), 0);
    assert_holds(folder.path(), &server, &[]);
}

#[test]
fn one_process_fetches_into_a_folder() {
    let server = Server::with(&[("a", 100_000)]);
    server.fail("a", [Stall(50_000)]);
    let folder = tempfile::tempdir().unwrap();
    let (interrupted, started) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let hook = crate::support::Hook(|tally: &bench_fetch::Tally| {
                started.fetch_or(tally.bytes_received > 0, Ordering::SeqCst);
            });
            let remote = patient(&server);
            remote.fetch(&objects(&["a"]), folder.path(), &Options::default(), &hook, &interrupted).unwrap()
        });
        while !started.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let second = server.s3().fetch(&objects(&["a"]), folder.path(), &Options::default(), &(), &interrupted);
        assert!(matches!(second, Err(Error::Busy { .. })), "{second:?}");
        assert!(matches!(verify(folder.path(), &(), &AtomicBool::new(false)), Err(Error::Busy { .. })));
        interrupted.store(true, Ordering::SeqCst);
    });
    assert_eq!(fetch(&server.s3(), &objects(&["a"]), folder.path()).fetched, 1);
    assert_holds(folder.path(), &server, &["a"]);
}

fn patient(server: &Server) -> bench_fetch::Remote {
    let access = bench_fetch::Access { read_timeout: Duration::from_secs(60), ..server.access() };
    bench_fetch::Remote::open("s3://data", &access).unwrap()
}

#[test]
fn a_folder_that_cannot_be_made_stops_everything() {
    let server = Server::with(&[("a", 10)]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let below = folder.path().join("file/below");
    let result = server.s3().fetch(&objects(&["a"]), &below, &Options::default(), &(), &AtomicBool::new(false));
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if *path == below), "{error}");
    assert_eq!((error.kind(), server.log().len()), (ErrorKind::Output, 0));
}

#[test]
fn a_place_that_is_taken_fails_alone() {
    let server = Server::with(&[("a", 10), ("b", 10), ("c", 10)]);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("b/taken")).unwrap();
    fs::write(folder.path().join("d"), "").unwrap();
    let long = "x".repeat(300);
    let wanted = [Object::new("a"), Object::new("b"), Object::new("c").at("d/c"), Object::new("c").at(long)];
    let report = fetch(&server.s3(), &wanted, folder.path());
    assert_eq!(report.fetched, 1);
    assert_eq!(report.causes(), [(Cause::Disk, 3)].into());
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), server.bytes("a"));
}

/// The limit on the length of a file stands for a full disk: it fails in the middle of writing.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_stops_everything() {
    use std::process::Command;

    const NAME: &str = "folder::a_disk_that_is_full_stops_everything";
    let keys: Vec<String> = (0..40).map(|i| format!("large {i}")).collect();
    let wanted: Vec<Object> = keys.iter().map(Object::new).collect();
    if let (Ok(endpoint), Ok(folder)) = (std::env::var("FULL_ENDPOINT"), std::env::var("FULL_FOLDER")) {
        let access =
            bench_fetch::Access { endpoint: Some(endpoint), proxy: bench_fetch::Proxy::Direct, ..Default::default() };
        let remote = bench_fetch::Remote::open("s3://data", &access).unwrap();
        let options = Options { concurrency: 2, ..Options::default() };
        let result = remote.fetch(&wanted, folder.as_ref(), &options, &(), &AtomicBool::new(false));
        assert!(matches!(&result, Err(Error::Write { path, .. }) if path.extension().is_some()), "{result:?}");
        return;
    }
    let server = Server::start();
    for key in &keys {
        server.put(key, Stored::new(content(key, 300_000)));
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f 100; exec \"$0\" {NAME} --exact");
    let child = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env("FULL_ENDPOINT", server.endpoint())
        .env("FULL_FOLDER", folder.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!((1..8).contains(&server.log().len()), "{} requests", server.log().len());
    // With room again, all is well.
    let report = fetch(&server.s3(), &wanted, folder.path());
    assert_eq!(report.fetched, 40);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_holds(folder.path(), &server, &keys);
}

#[test]
fn verification_finds_what_is_wrong() {
    let names = ["same", "gone", "short", "altered", "sub/turned", "sub/fine"];
    let server = Server::with(&names.map(|name| (name, 1000)));
    server.put("broken", Stored::new(content("broken", 1000)));
    server.always("broken", Close(500));
    let folder = tempfile::tempdir().unwrap();
    fetch(&server.s3(), &objects(&names), folder.path());
    assert_eq!((verified(folder.path()).right, verified(folder.path()).is_right()), (6, true));

    server.fail("broken", (0..4).map(|_| Close(100)));
    fetch(&server.s3(), &objects(&["broken"]), folder.path());
    let path = |name: &str| folder.path().join(name);
    fs::remove_file(path("gone")).unwrap();
    fs::write(path("short"), "short").unwrap();
    let mut bytes = server.bytes("altered");
    bytes[999] ^= 1;
    fs::write(path("altered"), bytes).unwrap();
    fs::remove_file(path("sub/turned")).unwrap();
    fs::create_dir(path("sub/turned")).unwrap();
    fs::write(path("stranger"), "").unwrap();

    let found = verified(folder.path());
    let flaws: Vec<_> = found.flaws.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(flaws, ["altered", "gone", "short", "sub/turned"]);
    assert!(matches!(&found.flaws[0].1, Flaw::Digest { sha256, expected } if sha256 != expected));
    assert_eq!(found.flaws[1].1, Flaw::Missing);
    assert_eq!(found.flaws[2].1, Flaw::Length { bytes: 5, expected: 1000 });
    assert_eq!(found.leftovers, ["broken.part", "broken.part.json"]);
    assert_eq!(found.unlisted, ["stranger"]);
    assert_eq!((found.right, found.bytes, found.is_right(), found.interrupted), (2, 2000, false, false));
    let stopped = verify(folder.path(), &(), &AtomicBool::new(true)).unwrap();
    assert!(stopped.interrupted && !stopped.is_right());
}

#[test]
fn a_torn_ledger_costs_no_request_for_what_it_names() {
    let server = Server::with(&[("a", 1000), ("b", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    let (remote, wanted) = (server.s3(), objects(&["a", "b"]));
    fetch_with(&remote, &wanted, folder.path(), &Options { concurrency: 1, ..Options::default() });
    let path = folder.path().join("fetched.jsonl");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 10]).unwrap();
    let report = fetch(&remote, &wanted, folder.path());
    assert_eq!((report.present, report.fetched), (1, 1));
    let entries = ledger::read(folder.path()).unwrap();
    assert_eq!(entries.into_values().collect::<Vec<_>>(), report.files);
    fs::write(&path, "nonsense\n").unwrap();
    let result = remote.fetch(&wanted, folder.path(), &Options::default(), &(), &AtomicBool::new(false));
    assert!(matches!(result, Err(Error::Ledger { line: 1, .. })));
}

#[test]
fn concurrency_has_bounds() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    for concurrency in [0, 1025] {
        let options = Options { concurrency, ..Options::default() };
        let result = server.s3().fetch(&[], folder.path(), &options, &(), &AtomicBool::new(false));
        assert!(matches!(result, Err(Error::Setting { name: "concurrency", .. })));
    }
    server.always("a", Flip(0));
    assert!(fetch(&server.s3(), &[], folder.path()).is_complete());
}
