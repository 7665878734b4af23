//! How often to try, and how long to pause in between.
//!
//! # Formula
//! Before attempt `n + 1` (`n` = 1, 2, ...): `min(longest, first * 2^(n - 1)) * (0.5 + u / 2)`, `u`
//! uniform in `[0, 1)` from (seed, key, n). A longer time that the server asks for is kept, up to
//! `longest`.
//!
//! # Why
//! Sixteen connections that were refused together must not come back together.

use std::time::Duration;

use bench_core::Seed;

use crate::{Error, Result};

/// Attempts and pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts that may fail in a row before an object is given up, at least 1. An attempt that
    /// brought a mebibyte begins a new row; a file that must be begun anew never does.
    pub attempts: u32,
    /// First pause.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 8, first: Duration::from_millis(500), longest: Duration::from_secs(30), seed: 0 }
    }
}

impl Retry {
    pub(crate) fn check(&self) -> Result<()> {
        if self.attempts == 0 {
            return Err(Error::Setting { name: "attempts", reason: "must be at least 1, and is 0".into() });
        }
        Ok(())
    }

    /// The pause after `failed` attempts in a row.
    pub(crate) fn pause(&self, key: &str, failed: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1u32 << failed.saturating_sub(1).min(20)).min(self.longest);
        let jitter = Seed(self.seed).derive(key, u64::from(failed)).stream().uniform();
        let pause = doubled.mul_f64(0.5 + 0.5 * jitter);
        pause.max(asked.unwrap_or_default().min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_seeded_and_have_an_end() {
        let retry = Retry::default();
        for failed in 1..40 {
            let pause = retry.pause("a", failed, None);
            let whole = Duration::from_millis(500 << (failed - 1).min(6)).min(Duration::from_secs(30));
            assert!(pause >= whole / 2 && pause <= whole, "{failed}: {pause:?}");
            assert_eq!(pause, retry.pause("a", failed, None));
        }
        assert_ne!(retry.pause("a", 1, None), retry.pause("b", 1, None));
        assert_ne!(retry.pause("a", 1, None), Retry { seed: 1, ..retry }.pause("a", 1, None));
    }

    #[test]
    fn a_server_may_ask_for_more_patience_but_not_for_any() {
        let retry = Retry::default();
        assert_eq!(retry.pause("a", 1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(retry.pause("a", 1, Some(Duration::from_secs(7000))), Duration::from_secs(30));
    }
}
