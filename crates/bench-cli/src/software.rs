//! Which program this is: version, commit, lock file.

use bench_core::digest;
use bench_core::record::Software;

/// Identity of this program.
pub(crate) fn identity() -> Software {
    Software {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("BENCH_COMMIT").map(str::to_owned),
        dirty: option_env!("BENCH_DIRTY").map(|d| d == "true"),
        lockfile: digest::of_bytes(include_bytes!("../../../Cargo.lock")),
    }
}
