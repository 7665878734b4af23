//! When all goes well.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use bench_fetch::{Access, Cause, Object, Options, Proxy, Remote, Report};

use crate::server::{Server, Stored, content};
use crate::support::{Kept, assert_holds, fetch, fetch_with, objects};

const ODD: [&str; 8] = [
    "plain.tif",
    "with space/and+plus.tif",
    "percent%20/100%.csv",
    "ünï/細胞.png",
    "quote'\"&<>#?;=@[].txt",
    "..dots/...",
    "deep/er/and/deeper/still",
    "~tilde*(1)!$,:|.txt",
];

#[test]
fn files_arrive_and_a_second_run_asks_for_nothing() {
    let server = Server::with(&[("empty", 0), ("one", 1), ("large", 3_000_000)]);
    for key in ODD {
        server.put(key, Stored::new(content(key, 50_000)));
    }
    server.put("parts", Stored::in_parts(content("parts", 12_000_000), 5 << 20));
    let mut keys = ODD.to_vec();
    keys.extend(["empty", "one", "large", "parts"]);
    let folder = tempfile::tempdir().unwrap();
    let remote = server.s3();

    let report = fetch(&remote, &objects(&keys), folder.path());
    assert_eq!(report.failures, []);
    assert!(report.is_complete() && !report.interrupted);
    assert_eq!((report.objects, report.fetched, report.present), (12, 12, 0));
    assert_eq!((report.bytes_received, report.bytes_resumed, report.requests), (server.total(), 0, 12));
    assert_holds(folder.path(), &server, &keys);
    let checked = |key: &str| report.files.iter().find(|file| file.key == key).unwrap().checked.as_str();
    assert_eq!((checked("one"), checked("parts")), ("md5", "multipart 5242880"));
    assert!(report.files.is_sorted_by_key(|file| &file.key));

    let asked = server.log().len();
    let again = fetch(&remote, &objects(&keys), folder.path());
    assert_eq!(server.log().len(), asked);
    assert_eq!((again.present, again.fetched, again.requests, again.bytes_received), (12, 0, 0, 0));
    assert_eq!(again.files, report.files);
    // A listing with lengths and tags says the same.
    let listed: Vec<Object> = remote.list("").unwrap().iter().map(Object::from).collect();
    let asked = server.log().len();
    assert_eq!(fetch(&remote, &listed, folder.path()).present, 12);
    assert_eq!(server.log().len(), asked);
}

#[test]
fn a_report_does_not_depend_on_the_number_of_connections() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let server = Server::with(&keys.map(|key| (key, 100_000)));
    let wanted = objects(&["f", "b", "missing", "a", "e", "also missing", "d", "c"]);
    let reports = [1, 3, 16].map(|concurrency| {
        let folder = tempfile::tempdir().unwrap();
        let mut report =
            fetch_with(&server.s3(), &wanted, folder.path(), &Options { concurrency, ..Options::default() });
        report.files.iter_mut().for_each(|file| file.mtime_ns = 0);
        report
    });
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
    assert_eq!(reports[0].failures.iter().map(|f| f.key.as_str()).collect::<Vec<_>>(), ["also missing", "missing"]);
}

#[test]
fn objects_may_go_elsewhere_and_twice() {
    let server = Server::with(&[("deep/a", 10)]);
    let folder = tempfile::tempdir().unwrap();
    let wanted = [Object::new("deep/a").at("x/b"), Object::new("deep/a").at("c"), Object::new("deep/a").at("c")];
    let report = fetch(&server.s3(), &wanted, folder.path());
    assert_eq!((report.objects, report.fetched), (2, 2));
    assert_eq!(fs::read(folder.path().join("x/b")).unwrap(), server.bytes("deep/a"));
    assert_eq!(fs::read(folder.path().join("c")).unwrap(), server.bytes("deep/a"));
}

#[test]
fn a_prefix_of_the_address_is_part_of_every_key() {
    let server = Server::with(&[("deep/er/a", 10), ("deep/b", 10)]);
    let folder = tempfile::tempdir().unwrap();
    let remote = Remote::open("s3://data/deep/", &server.access()).unwrap();
    let report = fetch(&remote, &objects(&["er/a", "b"]), folder.path());
    assert_eq!(report.fetched, 2);
    assert_eq!(fs::read(folder.path().join("er/a")).unwrap(), server.bytes("deep/er/a"));
    assert_eq!(report.files[0].remote, "s3://data/deep");
}

#[test]
fn requests_go_through_the_proxy_that_is_named() {
    let server = Server::with(&[("a", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Some("http://nowhere.invalid".to_owned());
    let mut access = Access { endpoint: nowhere, proxy: Proxy::At(server.endpoint()), ..server.access() };
    let through = |access: &Access| fetch(&Remote::open("s3://data", access).unwrap(), &objects(&["a"]), folder.path());
    assert_eq!(through(&access).fetched, 1);
    assert_holds(folder.path(), &server, &["a"]);
    std::fs::remove_file(folder.path().join("a")).unwrap();
    access.proxy = Proxy::Direct;
    assert_eq!(through(&access).causes(), [(Cause::Network, 1)].into());
}

#[test]
fn a_digest_is_checked_and_a_wrong_one_is_no_file() {
    let server = Server::with(&[("a", 1000), ("b", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    let sha256 = |bytes: &[u8]| Some(bench_core::digest::of_bytes(bytes));
    let wanted = [
        Object { sha256: sha256(&server.bytes("a")), ..Object::new("a") },
        Object { sha256: sha256(b"something else"), ..Object::new("b") },
    ];
    let report = fetch(&server.s3(), &wanted, folder.path());
    assert_eq!(report.files[0].checked, "sha256");
    assert_eq!((report.failures[0].cause, report.failures[0].attempts), (Cause::Damaged, 4));
    assert_holds(folder.path(), &server, &["a"]);
}

#[test]
fn a_web_server_has_tags_that_are_no_digests() {
    let server = Server::start();
    let wrong = "\"00000000000000000000000000000000\"".to_owned();
    server.put("a b.csv", Stored { etag: wrong, ..Stored::new(content("a", 70_000)) });
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.web(), &objects(&["a b.csv", "gone.csv"]), folder.path());
    assert_eq!(report.files[0].checked, "length");
    assert_eq!(report.causes(), [(Cause::Missing, 1)].into());
    assert_holds(folder.path(), &server, &["a b.csv"]);
}

#[test]
fn tags_of_encrypted_objects_are_no_digests() {
    let server = Server::start();
    let headers = vec![("x-amz-server-side-encryption", "aws:kms".to_owned())];
    let wrong = "\"00000000000000000000000000000000\"".to_owned();
    server.put("kms", Stored { etag: wrong, headers, ..Stored::new(content("kms", 5000)) });
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&server.s3(), &objects(&["kms"]), folder.path()).files[0].checked, "length");
    assert_holds(folder.path(), &server, &["kms"]);
}

#[test]
fn parts_of_an_unusual_size_are_kept_only_if_they_come_twice_alike() {
    let server = Server::start();
    server.put("odd", Stored::in_parts(content("odd", 12_000_000), 6_300_001));
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["odd"]), folder.path());
    assert_eq!(report.causes(), [(Cause::Damaged, 1)].into());
    assert_holds(folder.path(), &server, &[]);
    let options = Options { keep_repeated: true, ..Options::default() };
    let report = fetch_with(&server.s3(), &objects(&["odd"]), folder.path(), &options);
    assert_eq!((report.files[0].checked.as_str(), report.requests), ("twice", 2));
    assert_holds(folder.path(), &server, &["odd"]);
}

#[test]
fn a_file_that_was_touched_is_read_and_one_that_was_altered_is_fetched_again() {
    let server = Server::with(&[("a", 1000), ("b", 1000), ("c", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    let (remote, wanted) = (server.s3(), objects(&["a", "b", "c"]));
    let first = fetch(&remote, &wanted, folder.path());
    let path = |name: &str| folder.path().join(name);
    let time = |name: &str| fs::metadata(path(name)).unwrap().modified().unwrap();
    let set = |name: &str, time: SystemTime| {
        fs::File::options().append(true).open(path(name)).unwrap().set_modified(time).unwrap()
    };

    set("a", time("a") + Duration::from_secs(100));
    let (mut bytes, old) = (server.bytes("b"), time("b"));
    bytes[500] ^= 1;
    fs::write(path("b"), bytes).unwrap();
    set("b", old + Duration::from_secs(100));
    fs::write(path("c"), "shorter").unwrap();
    let report = fetch(&remote, &wanted, folder.path());
    assert_eq!((report.present, report.fetched, report.requests), (1, 2, 2));
    assert_holds(folder.path(), &server, &["a", "b", "c"]);
    assert_ne!(report.files[0].mtime_ns, first.files[0].mtime_ns);

    // The same length and time: only reading shows it.
    let (mut bytes, old) = (server.bytes("b"), time("b"));
    bytes[500] ^= 1;
    fs::write(path("b"), bytes).unwrap();
    set("b", old);
    assert_eq!(fetch(&remote, &wanted, folder.path()).requests, 0);
    let report = fetch_with(&remote, &wanted, folder.path(), &Options { recheck: true, ..Options::default() });
    assert_eq!((report.present, report.fetched, report.requests), (2, 1, 1));
    assert_holds(folder.path(), &server, &["a", "b", "c"]);
}

#[test]
fn the_server_is_asked_for_changes_on_demand() {
    let server = Server::with(&[("a", 1000), ("b", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    let (remote, wanted) = (server.s3(), objects(&["a", "b"]));
    fetch(&remote, &wanted, folder.path());
    server.put("b", Stored::new(content("new b", 2000)));
    assert_eq!(fetch(&remote, &wanted, folder.path()).requests, 0);
    let options = Options { refresh: true, ..Options::default() };
    let report = fetch_with(&remote, &wanted, folder.path(), &options);
    assert_eq!((report.present, report.fetched, report.bytes_received), (1, 1, 2000));
    assert_eq!(server.requests("a").last().unwrap().status, 304);
    assert_holds(folder.path(), &server, &["a", "b"]);
    // A new listing knows of changes without another request.
    server.put("a", Stored::new(content("new a", 1000)));
    let listed: Vec<Object> = remote.list("").unwrap().iter().map(Object::from).collect();
    let report = fetch(&remote, &listed, folder.path());
    assert_eq!((report.present, report.fetched, report.requests), (1, 1, 1));
    assert_holds(folder.path(), &server, &["a", "b"]);
}

#[test]
fn files_from_elsewhere_are_taken_if_a_digest_says_so() {
    let server = Server::with(&[("a", 1000), ("b", 1000)]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), server.bytes("a")).unwrap();
    fs::write(folder.path().join("b"), content("other", 1000)).unwrap();
    let remote = server.s3();
    let listed: Vec<Object> = remote.list("").unwrap().iter().map(Object::from).collect();
    let report = fetch(&remote, &listed, folder.path());
    assert_eq!((report.present, report.fetched), (1, 1));
    assert_eq!((server.requests("a").len(), server.requests("b").len()), (0, 1));
    assert_holds(folder.path(), &server, &["a", "b"]);
}

#[test]
fn a_folder_is_a_remote_like_any_other() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(from.path().join("sub")).unwrap();
    for (name, length) in [("a", 600_000), ("sub/b c", 10), ("sub/empty", 0)] {
        fs::write(from.path().join(name), content(name, length)).unwrap();
    }
    for address in [from.path().to_str().unwrap().to_owned(), format!("file://{}", from.path().display())] {
        let remote = Remote::open(&address, &Default::default()).unwrap();
        let listed: Vec<Object> = remote.list("").unwrap().iter().map(Object::from).collect();
        let report: Report = fetch(&remote, &listed, to.path());
        assert_eq!((report.fetched, report.bytes_received), (3, 600_010), "{address}");
        assert_eq!(crate::support::files(to.path()), crate::support::files(from.path()));
        assert_eq!(fetch(&remote, &listed, to.path()).requests, 0);
        let missing = fetch(&remote, &objects(&["nothing", "sub"]), to.path());
        assert_eq!(missing.causes(), [(Cause::Missing, 2)].into());
    }
}

#[test]
fn progress_ends_with_what_is_in_place() {
    let server = Server::with(&[("a", 100_000), ("b", 50_000), ("c", 10)]);
    server.fail("a", [crate::server::Fault::Reset(60_000), crate::server::Fault::Status(500)]);
    server.fail("b", [crate::server::Fault::Flip(7)]);
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::default();
    let wanted = objects(&["a", "b", "c", "gone"]);
    server.s3().fetch(&wanted, folder.path(), &Options::default(), &kept, &AtomicBool::new(false)).unwrap();
    let last = *kept.tallies.borrow().last().unwrap();
    assert_eq!((last.objects, last.objects_done, last.objects_failed), (4, 3, 1));
    assert_eq!((last.bytes, last.bytes_done, last.bytes_received), (150_010, 150_010, 200_010));
    assert_eq!(kept.failures.borrow().len(), 1);
    let mut again = kept.again.borrow().clone();
    again.sort();
    assert_eq!(again, ["a", "a", "b"]);
    assert!(kept.tallies.borrow().iter().all(|tally| tally.bytes_done <= 150_010));
}
