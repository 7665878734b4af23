//! Tells the binary which commit it is built from and whether the tree had local changes.

use std::process::Command;

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn main() {
    for path in ["../../.git/HEAD", "../../.git/index", "../../crates", "../../benchmarks", "../../Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    // A copy without its repository has no commit; the record then says so.
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo:rustc-env=BENCH_COMMIT={commit}");
        if let Some(changes) = git(&["status", "--porcelain"]) {
            println!("cargo:rustc-env=BENCH_DIRTY={}", !changes.is_empty());
        }
    }
}
