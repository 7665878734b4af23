//! The order to stop, for futures and for threads.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Set once, by the caller's wish or by an error that stops everything.
#[derive(Debug)]
pub(super) struct Halt {
    flag: Arc<AtomicBool>,
    sender: watch::Sender<bool>,
}

/// It was set before something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halted;

impl Halt {
    pub(super) fn new() -> Self {
        Self { flag: Arc::default(), sender: watch::Sender::new(false) }
    }

    pub(super) fn set(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.sender.send_replace(true);
    }

    pub(super) fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// For a thread that reads a long file.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// What a future gives, unless this is set before.
    pub(super) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, Halted> {
        let mut receiver = self.sender.subscribe();
        tokio::select! {
            biased;
            _ = receiver.wait_for(|set| *set) => Err(Halted),
            value = future => Ok(value),
        }
    }
}
