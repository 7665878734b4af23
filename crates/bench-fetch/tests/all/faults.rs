//! When servers, connections and objects fail.

use std::time::{Duration, Instant};

use bench_fetch::{Cause, Object, Remote};

use crate::server::Fault::{
    Close, Flip, NoRange, Reset, Short, Silence, SlowDown, Stall, Status, Swap, Unmarked, Wait,
};
use crate::server::{Fault, Server, Stored, content};
use crate::support::{assert_holds, fetch, objects};

/// Length of an object.
const N: usize = 400_000;

#[test]
fn every_fault_that_passes_ends_with_the_right_file() {
    // Faults in order, bytes received in all, requests.
    let cases: [(&str, Vec<Fault>, usize, usize); 14] = [
        ("reset", vec![Reset(100_000)], N, 2),
        ("reset at once", vec![Reset(0)], N, 2),
        ("closed", vec![Close(123_456)], N, 2),
        ("closed thrice", vec![Close(100_000), Close(100_000), Close(100_000)], N, 4),
        ("408", vec![Status(408)], N, 2),
        ("429", vec![Status(429)], N, 2),
        ("500", vec![Status(500), Status(500), Status(500)], N, 4),
        ("502", vec![Status(502)], N, 2),
        ("503", vec![SlowDown], N, 2),
        ("504 later", vec![Close(300_000), Status(504)], N, 3),
        ("shortened", vec![Short(1000)], 1000 + N, 2),
        ("corrupted", vec![Flip(399_999)], 2 * N, 2),
        ("corrupted rest", vec![Close(100_000), Flip(5)], 2 * N, 3),
        ("no ranges", vec![Close(100_000), NoRange], 100_000 + N, 2),
    ];
    let server = Server::start();
    for (key, faults, ..) in &cases {
        server.put(key, Stored::new(content(key, N)));
        server.fail(key, faults.clone());
    }
    let keys: Vec<&str> = cases.iter().map(|case| case.0).collect();
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&keys), folder.path());
    assert_eq!(report.failures, []);
    assert_holds(folder.path(), &server, &keys);
    for (key, _, _, requests) in &cases {
        assert_eq!(server.requests(key).len(), *requests, "{key}");
    }
    let received: usize = cases.iter().map(|case| case.2).sum();
    assert_eq!(report.bytes_received, received as u64);
    assert_eq!(report.requests, cases.iter().map(|case| case.3 as u64).sum::<u64>());
}

#[test]
fn a_broken_body_goes_on_at_its_byte_and_for_its_tag() {
    let server = Server::with(&[("a", N)]);
    server.fail("a", [Close(100_000), Reset(50_000)]);
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["a"]), folder.path());
    let log = server.requests("a");
    assert_eq!(log.iter().map(|request| request.from).collect::<Vec<_>>(), [None, Some(100_000), Some(150_000)]);
    assert!(log[1..].iter().all(|request| request.if_match.is_some() && request.status == 206));
    assert_eq!((report.bytes_received, server.sent()), (N as u64, N as u64));
}

#[test]
fn an_object_that_changes_under_way_is_begun_anew() {
    let server = Server::with(&[("a", N)]);
    server.fail("a", [Close(100_000), Swap(content("new", N + 1))]);
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["a"]), folder.path());
    assert_eq!(server.requests("a").iter().map(|request| request.status).collect::<Vec<_>>(), [200, 412, 200]);
    assert_eq!(report.bytes_received, (100_000 + N + 1) as u64);
    assert_holds(folder.path(), &server, &["a"]);
    assert_eq!(server.bytes("a").len(), N + 1);
}

#[test]
fn an_object_that_never_stays_the_same_is_given_up() {
    let server = Server::with(&[("a", 3 << 20)]);
    let swaps = (0..10).flat_map(|i| [Close(2 << 20), Swap(content(&i.to_string(), 3 << 20))]);
    server.fail("a", swaps);
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["a"]), folder.path());
    assert_eq!(report.failures[0].cause, Cause::Changed);
    assert_holds(folder.path(), &server, &[]);
}

#[test]
fn what_is_never_right_is_listed_and_leaves_no_file() {
    let server = Server::with(&[("good", 1000), ("bad", 1000), ("short", 1000), ("down", 1000), ("dead", 1000)]);
    server.put("bad parts", Stored::in_parts(content("bad parts", 6 << 20), 5 << 20));
    server.always("bad", Flip(3));
    server.always("bad parts", Flip(6_000_000));
    server.always("short", Short(999));
    server.always("down", Status(503));
    server.always("dead", Reset(0));
    let folder = tempfile::tempdir().unwrap();
    let keys = ["good", "bad", "bad parts", "short", "down", "dead"];
    let report = fetch(&server.s3(), &objects(&keys), folder.path());
    let failures: Vec<_> = report.failures.iter().map(|f| (f.key.as_str(), f.cause, f.attempts)).collect();
    let expected = [
        ("bad", Cause::Damaged, 4),
        ("bad parts", Cause::Damaged, 4),
        ("dead", Cause::Network, 4),
        ("down", Cause::Server, 4),
        ("short", Cause::Damaged, 4),
    ];
    assert_eq!(failures, expected);
    assert!(report.failures[3].message.contains("Ordered (ordered)"), "{}", report.failures[3].message);
    assert_eq!((report.fetched, report.is_complete()), (1, false));
    assert_holds(folder.path(), &server, &["good"]);
}

#[test]
fn a_connection_that_stalls_is_given_up_and_made_again() {
    let server = Server::with(&[("stalled", N), ("silent", N), ("dead", N)]);
    server.fail("stalled", [Stall(200_000)]);
    server.fail("silent", [Silence]);
    server.always("dead", Stall(0));
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.hasty(), &objects(&["stalled", "silent", "dead"]), folder.path());
    assert_eq!((report.failures[0].cause, report.failures[0].attempts), (Cause::TimedOut, 4));
    assert_eq!((report.failures.len(), report.bytes_received), (1, (2 * N) as u64));
    assert_eq!(server.requests("stalled")[1].from, Some(200_000));
    assert_holds(folder.path(), &server, &["silent", "stalled"]);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let server = Server::with(&[("a", N)]);
    server.fail("a", [Wait(60)]);
    let mut access = server.access();
    access.retry.longest = Duration::from_millis(400);
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let report = fetch(&Remote::open("s3://data", &access).unwrap(), &objects(&["a"]), folder.path());
    assert_eq!((report.fetched, report.requests), (1, 2));
    assert!(start.elapsed() >= Duration::from_millis(400));
}

#[test]
fn what_will_not_change_is_asked_for_once() {
    let server = Server::with(&[("secret", 10), ("gone", 10), ("odd", 10), ("a", 10)]);
    server.always("secret", Status(403));
    server.always("gone", Status(410));
    server.always("odd", Status(400));
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = objects(&["secret", "gone", "odd", "missing"]);
    wanted.push(Object::new("a/../b").at("b"));
    wanted.push(Object { etag: Some("old".into()), ..Object::new("a") });
    let report = fetch(&server.s3(), &wanted, folder.path());
    let failures: Vec<_> = report.failures.iter().map(|f| (f.key.as_str(), f.cause, f.attempts)).collect();
    let expected = [
        ("a", Cause::Changed, 1),
        ("a/../b", Cause::Refused, 1),
        ("gone", Cause::Missing, 1),
        ("missing", Cause::Missing, 1),
        ("odd", Cause::Refused, 1),
        ("secret", Cause::Forbidden, 1),
    ];
    assert_eq!(failures, expected);
    assert_eq!(server.log().len(), 5);
    assert_holds(folder.path(), &server, &[]);
}

#[test]
fn a_long_object_may_break_more_often_than_attempts_are_allowed() {
    let server = Server::with(&[("a", 12 << 20)]);
    server.fail("a", (0..10).map(|_| Close((1 << 20) + 5000)));
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["a"]), folder.path());
    assert_eq!((report.failures.len(), report.requests, report.bytes_received), (0, 11, 12 << 20));
    assert_holds(folder.path(), &server, &["a"]);
}

#[test]
fn a_body_without_length_or_digest_is_no_file() {
    let server = Server::start();
    server.put("unknown", Stored { etag: "\"v1\"".into(), ..Stored::new(content("unknown", 5000)) });
    server.put("md5", Stored::new(content("md5", 5000)));
    server.always("unknown", Unmarked(5000));
    server.always("md5", Unmarked(5000));
    let folder = tempfile::tempdir().unwrap();
    let report = fetch(&server.s3(), &objects(&["unknown", "md5"]), folder.path());
    assert_eq!((report.fetched, report.failures[0].cause), (1, Cause::Damaged));
    assert_holds(folder.path(), &server, &["md5"]);
}

#[test]
fn nobody_there_is_a_failure_of_each_object() {
    let server = Server::start();
    let access = server.access();
    drop(server);
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let remote = Remote::open("s3://data", &access).unwrap();
    let report = fetch(&remote, &objects(&["a", "b"]), folder.path());
    assert_eq!(report.failures.iter().map(|f| (f.cause, f.attempts)).collect::<Vec<_>>(), [(Cause::Network, 4); 2]);
    assert!(start.elapsed() < Duration::from_secs(2));
}
