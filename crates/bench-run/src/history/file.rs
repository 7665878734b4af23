//! The file of a history: lines that name each other.
//!
//! A line is `{"digest":"D","previous":"P","event":{...}}`. D is the SHA-256 of all that follows it, from the
//! comma on; P is the D of the line before, or nothing in the first. Digests are over bytes as they are in
//! the file, so no rule about writing numbers is needed to check them.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use bench_core::history::{Event, HISTORY_VERSION};
use bench_core::{atomic, digest};
use serde::Deserialize;

use crate::Error;

const HEAD: &str = "{\"digest\":\"";
const DIGITS: usize = 64;

#[derive(Deserialize)]
struct Body {
    previous: String,
    event: Event,
}

/// Events of a file, and the digest of its last line.
///
/// # Errors
/// The first line that is damaged, by number.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Event>, String), Error> {
    let damaged = |line: usize, why: String| Error::History { path: path.to_owned(), line, why };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        damaged(line, "it is not text".into())
    })?;
    let (mut events, mut last, mut runs) = (Vec::new(), String::new(), 0);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let damaged = |why: &str| damaged(at + 1, why.to_owned());
        let Some(line) = line.strip_suffix('\n') else {
            return Err(damaged("it breaks off: its last part was never written"));
        };
        let parts = line.strip_prefix(HEAD).and_then(|rest| Some((rest.get(..DIGITS)?, rest.get(DIGITS..)?)));
        let Some((given, rest)) = parts.filter(|(_, rest)| rest.starts_with("\",")) else {
            return Err(damaged("it does not begin with a digest"));
        };
        if digest::of_bytes(rest.as_bytes()) != given {
            return Err(damaged("it was changed after it was written: its digest is wrong"));
        }
        let body: Body = serde_json::from_str(line).map_err(|error| damaged(&format!("it cannot be read: {error}")))?;
        if body.previous != last {
            return Err(damaged("it does not follow the line before it: a line was removed, inserted or moved"));
        }
        match &body.event {
            Event::Run(run) => {
                if run.history_version > HISTORY_VERSION {
                    let version = run.history_version;
                    return Err(damaged(&format!(
                        "its layout is version {version}, this program reads up to {HISTORY_VERSION}"
                    )));
                }
                if let Some(problem) = run.outcomes.problem() {
                    return Err(damaged(&format!("its outcomes by well contradict each other: {problem}")));
                }
                runs += 1;
            }
            Event::Pin { number } if *number == 0 || *number > runs => {
                return Err(damaged(&format!("it pins run {number}, which does not exist")));
            }
            Event::Pin { .. } => {}
        }
        events.push(body.event);
        last = given.to_owned();
    }
    Ok((events, last))
}

/// The line of an event.
///
/// # Errors
/// The event cannot be written as JSON.
pub fn line(path: &Path, event: &Event, previous: &str) -> Result<String, Error> {
    let event = serde_json::to_string(event)
        .map_err(|error| Error::Write { path: path.to_owned(), source: std::io::Error::other(error) })?;
    let rest = format!("\",\"previous\":\"{previous}\",\"event\":{event}}}");
    Ok(format!("{HEAD}{}{rest}\n", digest::of_bytes(rest.as_bytes())))
}

/// Reads a history, lets `decide` say what to append, and replaces the file by a longer one in one step.
/// Other processes wait; a file that is damaged is left as it is.
///
/// # Errors
/// Damaged, unreadable, locked for long, or not writable.
pub fn append<T>(
    path: &Path,
    decide: impl FnOnce(Vec<Event>) -> Result<(Option<Event>, T), Error>,
) -> Result<T, Error> {
    let write = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(write)?;
    }
    let _lock = Lock::take(path)?;
    let mut bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(Error::Input { path: path.to_owned(), source }),
    };
    let (events, last) = parse(path, &bytes)?;
    let (event, result) = decide(events)?;
    if let Some(event) = event {
        bytes.extend_from_slice(line(path, &event, &last)?.as_bytes());
        atomic::write(path, &bytes).map_err(write)?;
    }
    Ok(result)
}

/// One writer at a time. The lock ends with this value or with the process; its file stays, as removing it
/// would let two processes lock two files of one name.
struct Lock {
    file: File,
}

impl Lock {
    fn take(path: &Path) -> Result<Self, Error> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let place: PathBuf = path.with_file_name(name);
        let failed = |source| Error::Write { path: place.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&place).map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => file.lock().map_err(failed)?,
            // Some file systems cannot lock; the file is still replaced in one step.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use bench_core::history::HistoryRun;

    use super::*;

    fn run(id: &str) -> Event {
        let run = HistoryRun { history_version: HISTORY_VERSION, run_id: id.into(), ..HistoryRun::default() };
        Event::Run(Box::new(run))
    }

    fn three(path: &Path) -> Vec<u8> {
        for event in [run("a"), run("b"), Event::Pin { number: 1 }] {
            append(path, |_| Ok((Some(event), ()))).unwrap();
        }
        std::fs::read(path).unwrap()
    }

    #[test]
    fn lines_are_appended_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/h.jsonl");
        let bytes = three(&path);
        let (events, last) = parse(&path, &bytes).unwrap();
        assert_eq!(events, [run("a"), run("b"), Event::Pin { number: 1 }]);
        assert_eq!(last.len(), 64);
        append(&path, |events| Ok((None, assert_eq!(events.len(), 3)))).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing to append writes nothing");
    }

    #[test]
    fn every_damage_is_named_by_its_line_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.jsonl");
        let whole = three(&path);
        let text = String::from_utf8(whole.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| format!("{}\n", lines.join("\n")).into_bytes();
        let changed = text.replacen("\"run_id\":\"b\"", "\"run_id\":\"c\"", 1).into_bytes();
        let cases: [(Vec<u8>, usize, &str); 6] = [
            (changed, 2, "digest is wrong"),
            (whole[..whole.len() - 9].to_vec(), 3, "breaks off"),
            (joined(&lines[1..]), 1, "does not follow"),
            (joined(&[lines[0], lines[2]]), 2, "does not follow"),
            (joined(&[lines[0], "hello"]), 2, "does not begin"),
            ([&whole[..], b"\xff\n"].concat(), 4, "not text"),
        ];
        for (bytes, line, why) in cases {
            std::fs::write(&path, &bytes).unwrap();
            let error = append(&path, |_| Ok((Some(run("d")), ()))).unwrap_err();
            let told = error.to_string();
            assert!(told.contains(&format!("line {line}")) && told.contains(why), "{told}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "a damaged file is left as it is");
        }
        std::fs::write(&path, text.as_bytes()).unwrap();
        append(&path, |_| Ok((Some(Event::Pin { number: 9 }), ()))).unwrap();
        assert!(parse(&path, &std::fs::read(&path).unwrap()).unwrap_err().to_string().contains("does not exist"));
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || append(path, |_| Ok((Some(run(&format!("w{writer}"))), ()))).unwrap());
            }
        });
        assert_eq!(parse(&path, &std::fs::read(&path).unwrap()).unwrap().0.len(), 8);
    }
}
