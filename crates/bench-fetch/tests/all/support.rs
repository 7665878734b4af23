//! What the tests share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bench_fetch::{Failure, Object, Options, Progress, Remote, Report, Tally};

use crate::server::Server;

pub(crate) fn objects(keys: &[&str]) -> Vec<Object> {
    keys.iter().map(|key| Object::new(*key)).collect()
}

/// Fetches with default options.
pub(crate) fn fetch(remote: &Remote, objects: &[Object], folder: &Path) -> Report {
    fetch_with(remote, objects, folder, &Options::default())
}

pub(crate) fn fetch_with(remote: &Remote, objects: &[Object], folder: &Path, options: &Options) -> Report {
    remote.fetch(objects, folder, options, &(), &AtomicBool::new(false)).unwrap()
}

/// All files below a folder but ledger and lock, by name.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            if name != "fetched.jsonl" && name != "fetched.lock" {
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Asserts that the folder holds these objects of the server, under their keys, and nothing else.
pub(crate) fn assert_holds(folder: &Path, server: &Server, keys: &[&str]) {
    let files = files(folder);
    let mut expected: Vec<&str> = keys.to_vec();
    expected.sort_unstable();
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for key in keys {
        assert!(files[*key] == server.bytes(key), "`{key}` differs");
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) tallies: RefCell<Vec<Tally>>,
    pub(crate) failures: RefCell<Vec<Failure>>,
    pub(crate) again: RefCell<Vec<String>>,
}

impl Progress for Kept {
    fn update(&self, tally: &Tally) {
        self.tallies.borrow_mut().push(*tally);
    }
    fn again(&self, key: &str, _message: &str, _pause: std::time::Duration) {
        self.again.borrow_mut().push(key.to_owned());
    }
    fn failed(&self, failure: &Failure) {
        self.failures.borrow_mut().push(failure.clone());
    }
}

/// Calls a function at every update.
pub(crate) struct Hook<F>(pub(crate) F);

impl<F: Fn(&Tally)> Progress for Hook<F> {
    fn update(&self, tally: &Tally) {
        (self.0)(tally);
    }
}
