//! Killed at any step and started again, a run finishes with the same record digest.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use bench_tests::{Csv, bench, binary, folder, record};

/// Number and total of a line `[3/40] ...`.
fn step(line: &str) -> Option<(usize, usize)> {
    let (number, total) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    Some((number.parse().ok()?, total.parse().ok()?))
}

#[test]
fn a_run_killed_at_any_step_finishes_with_the_same_record() {
    let folder = folder();
    let table = Csv::experiment(48, 4).write(folder.path(), "t.csv");
    let flags = ["score", "--label", "target", "--bootstrap", "200", "--embeddings"];
    let whole = folder.path().join("whole");
    let done = bench().args(flags).arg(&table).arg("--out").arg(&whole).assert().code(0);
    let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    let total = told.lines().find_map(step).expect("steps are told").1;
    let expected = record(&whole);

    let run = folder.path().join("killed");
    let mut killed_at = vec![];
    // Ever later steps, as soon as they begin. Finished ones are not done again.
    for part in 1..8 {
        let wanted = total * part / 8;
        let mut child = Command::new(binary())
            .args(["--threads", "2"])
            .args(flags)
            .arg(&table)
            .arg("--out")
            .arg(&run)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let told = BufReader::new(child.stderr.take().expect("piped"));
        let mut numbers = told.lines().map_while(Result::ok).filter_map(|line| step(&line)).map(|(number, _)| number);
        killed_at.extend(numbers.find(|number| *number >= wanted));
        // On Unix this is SIGKILL.
        child.kill().expect("killed");
        assert!(!child.wait().expect("waited").success(), "it was not done at step {wanted} of {total}");
    }
    assert_eq!(killed_at.len(), 7, "{killed_at:?} of {total}");
    bench().args(flags).arg(&table).arg("--out").arg(&run).assert().code(0);
    let resumed = record(&run);
    assert_eq!(resumed.record_digest, expected.record_digest);
    assert_eq!(resumed.scores, expected.scores);
}
