//! Listing, and questions about one object.

use std::fs;
use std::ops::ControlFlow;

use bench_fetch::{Access, Cause, Error, ErrorKind, Listed, Remote};

use crate::server::Fault::{Silence, SlowDown, Status};
use crate::server::{Server, Stored, content};

const KEYS: [(&str, usize); 9] = [
    ("a", 1),
    ("b/1 x", 2),
    ("b/2+y", 3),
    ("b/c/ü&<>.csv", 4),
    ("b/c/4", 5),
    ("b/d//double", 6),
    ("bc", 7),
    ("d/e/f", 8),
    ("d/g", 0),
];

fn keys(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn a_listing_goes_over_all_pages() {
    let server = Server::with(&KEYS);
    let remote = server.s3();
    let all = remote.list("").unwrap();
    let mut expected: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
    expected.sort_unstable();
    assert_eq!(keys(&all), expected);
    assert_eq!(server.log().len(), 3);
    let one = all.iter().find(|object| object.key == "b/2+y").unwrap();
    let etag = Stored::new(content("b/2+y", 3)).etag.trim_matches('"').to_owned();
    assert_eq!((one.bytes, one.etag.clone()), (Some(3), Some(etag)));
    assert_eq!(keys(&remote.list("b/c").unwrap()), ["b/c/4", "b/c/ü&<>.csv"]);
    assert_eq!(keys(&remote.list("b").unwrap()).len(), 6);
    assert_eq!(remote.list("nothing").unwrap(), []);
}

#[test]
fn what_stands_for_a_folder_is_no_object() {
    let server = Server::with(&[("d/", 0), ("d/a", 1), ("d/b/", 0), ("odd/", 5)]);
    let remote = server.s3();
    assert_eq!(keys(&remote.list("").unwrap()), ["d/a", "odd/"]);
    let folder = remote.list_folder("d/").unwrap();
    assert_eq!((keys(&folder.objects), folder.folders), (vec!["d/a"], vec!["d/b/".to_owned()]));
}

#[test]
fn a_folder_of_a_bucket_has_objects_and_folders() {
    let server = Server::with(&KEYS);
    let remote = server.s3();
    let root = remote.list_folder("").unwrap();
    assert_eq!((keys(&root.objects), root.folders), (vec!["a", "bc"], vec!["b/".to_owned(), "d/".to_owned()]));
    let b = remote.list_folder("b/").unwrap();
    assert_eq!((keys(&b.objects), b.folders), (vec!["b/1 x", "b/2+y"], vec!["b/c/".to_owned(), "b/d/".to_owned()]));
    let below = Remote::open("s3://data/b", &server.access()).unwrap();
    let page = below.list_folder("").unwrap();
    assert_eq!((keys(&page.objects), page.folders), (vec!["1 x", "2+y"], vec!["c/".to_owned(), "d/".to_owned()]));
}

#[test]
fn a_listing_can_be_left() {
    let server = Server::with(&KEYS);
    let mut seen = 0;
    let each = &mut |page: bench_fetch::Page| {
        seen += page.objects.len();
        ControlFlow::Break(())
    };
    server.s3().pages("", false, each).unwrap();
    assert_eq!((seen, server.log().len()), (3, 1));
}

#[test]
fn a_listing_is_asked_for_again() {
    let server = Server::with(&KEYS);
    server.fail("?", [SlowDown, Silence, Status(500)]);
    assert_eq!(server.hasty().list("").unwrap().len(), KEYS.len());
    server.always("?", Status(403));
    let asked = server.log().len();
    let error = server.s3().list("").unwrap_err();
    assert!(matches!(&error, Error::Remote { cause: Cause::Forbidden, .. }), "{error}");
    assert_eq!(server.log().len(), asked + 1);
    server.always("?", Status(503));
    assert!(matches!(server.s3().list(""), Err(Error::Remote { cause: Cause::Server, .. })));
    assert_eq!(server.log().len(), asked + 5);
}

#[test]
fn one_object_can_be_asked_about() {
    let server = Server::with(&KEYS);
    server.fail("b/c/4", [Status(503)]);
    let listed = server.s3().list("b/c/4").unwrap().remove(0);
    let head = server.s3().head("b/c/4").unwrap();
    assert_eq!((head.bytes, head.etag), (listed.bytes, listed.etag));
    assert_eq!(server.web().head("b/c/4").unwrap().bytes, Some(5));
    assert!(matches!(server.s3().head("no"), Err(Error::Remote { cause: Cause::Missing, .. })));
    assert!(matches!(server.s3().head("a/../a"), Err(Error::Remote { cause: Cause::Refused, .. })));
    assert_eq!(server.sent(), 0);
}

#[test]
fn a_web_server_is_not_listed() {
    let server = Server::start();
    assert!(matches!(server.web().list(""), Err(Error::Unlistable { .. })));
    assert_eq!(server.log().len(), 0);
}

#[test]
fn a_local_folder_is_listed_like_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    for (key, length) in KEYS.iter().filter(|(key, _)| !key.contains("//")) {
        fs::create_dir_all(folder.path().join(key).parent().unwrap()).unwrap();
        fs::write(folder.path().join(key), content(key, *length)).unwrap();
        server.put(key, Stored::new(content(key, *length)));
    }
    let (local, bucket) = (Remote::open(folder.path().to_str().unwrap(), &Access::default()).unwrap(), server.s3());
    for prefix in ["", "a", "b", "b/", "b/c", "b/c/", "d/e/", "x", "x/", "../"] {
        let sizes = |listed: Vec<Listed>| listed.into_iter().map(|o| (o.key, o.bytes)).collect::<Vec<_>>();
        assert_eq!(sizes(local.list(prefix).unwrap()), sizes(bucket.list(prefix).unwrap()), "`{prefix}`");
        let (here, there) = (local.list_folder(prefix).unwrap(), bucket.list_folder(prefix).unwrap());
        assert_eq!((sizes(here.objects), here.folders), (sizes(there.objects), there.folders), "`{prefix}`");
    }
    assert_eq!(local.head("b/c/4").unwrap().bytes, Some(5));
    assert!(matches!(local.head("../a"), Err(Error::Remote { cause: Cause::Refused, .. })));
}

#[test]
fn addresses_and_settings_are_checked() {
    let plain = Access::default();
    for address in ["", "ftp://host/a", "s3://", "https://", "http://user:secret@host/", "https://host/a?b=c"] {
        let error = Remote::open(address, &plain).unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "`{address}`: {error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    let mut access = Access { region: "eu west".into(), ..plain.clone() };
    assert!(matches!(Remote::open("s3://data", &access), Err(Error::Setting { name: "region", .. })));
    access = plain.clone();
    access.retry.attempts = 0;
    assert!(matches!(Remote::open("s3://data", &access), Err(Error::Setting { name: "attempts", .. })));
    access = Access { endpoint: Some("localhost:9000".into()), ..plain };
    assert!(matches!(Remote::open("s3://data", &access), Err(Error::Address { .. })));
}
