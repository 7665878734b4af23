//! Killed at any moment and started again, a run finishes with the same record digest.

use std::process::{Command, Stdio};
use std::time::Duration;

use bench_tests::{Csv, bench, binary, folder, record};

#[test]
fn a_run_killed_at_any_moment_finishes_with_the_same_record() {
    let folder = folder();
    let table = Csv::experiment(48, 4).write(folder.path(), "t.csv");
    let flags = ["--label", "target", "--bootstrap", "200", "--embeddings"];
    let whole = folder.path().join("whole");
    let start = std::time::Instant::now();
    bench().arg("score").args(flags).arg(&table).arg("--out").arg(&whole).assert().code(0);
    let took = start.elapsed();
    let expected = record(&whole);

    let run = folder.path().join("killed");
    let mut kills = 0;
    // Ever later moments, spread over the time that a whole run takes.
    for part in 1..12u32 {
        let mut child = Command::new(binary())
            .args(["--threads", "2", "--quiet", "score"])
            .args(flags)
            .arg(&table)
            .arg("--out")
            .arg(&run)
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(took * part / 12);
        if child.try_wait().expect("waited").is_none() {
            kills += 1;
        }
        // On Unix this is SIGKILL.
        let _ = child.kill();
        child.wait().expect("waited");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(kills >= 2, "the run was killed while it worked ({kills} times, whole run {took:?})");
    bench().arg("score").args(flags).arg(&table).arg("--out").arg(&run).assert().code(0);
    let resumed = record(&run);
    assert_eq!(resumed.record_digest, expected.record_digest);
    assert_eq!(resumed.scores, expected.scores);
}
