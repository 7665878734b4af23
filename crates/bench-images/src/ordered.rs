//! Work that is done in parallel and taken in order, with little of it in memory.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Results that wait, per thread: as many again may be in the making.
const WAITING: usize = 1;

struct State<T> {
    /// The next item that nobody makes yet.
    next: usize,
    /// Items taken so far.
    taken: usize,
    ready: BTreeMap<usize, T>,
    /// Set when the consumer fails or a maker panics.
    stop: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes everybody when a maker ends, and stops all if it ends in a panic.
struct Ending<'a, T>(&'a Shared<T>);

impl<T> Drop for Ending<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().stop = true;
        }
        self.0.changed.notify_all();
    }
}

/// Calls `make` for `0..n` on as many threads as the pool of the caller has, and `take` with the
/// results in order on this thread. Never more than two items per thread are made and not taken.
pub(crate) fn in_order<T: Send, E>(
    n: usize,
    make: &(dyn Fn(usize) -> T + Sync),
    take: &mut dyn FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = rayon::current_num_threads().clamp(1, n.max(1));
    if threads == 1 {
        return (0..n).try_for_each(|i| take(i, make(i)));
    }
    let window = threads * (1 + WAITING);
    let state = State { next: 0, taken: 0, ready: BTreeMap::new(), stop: false };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    let work = || {
        let _ending = Ending(&shared);
        loop {
            let mut state = shared.lock();
            while !state.stop && state.next < n && state.next >= state.taken + window {
                state = shared.wait(state);
            }
            if state.stop || state.next == n {
                return;
            }
            let i = state.next;
            state.next += 1;
            drop(state);
            let made = make(i);
            shared.lock().ready.insert(i, made);
            shared.changed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        // Ends the makers too, when `take` fails or panics.
        let _stop = Stop(&shared);
        for i in 0..n {
            let mut state = shared.lock();
            let made = loop {
                if let Some(made) = state.ready.remove(&i) {
                    break made;
                }
                if state.stop {
                    // A maker panicked: the scope passes that on.
                    return Ok(());
                }
                state = shared.wait(state);
            };
            drop(state);
            take(i, made)?;
            shared.lock().taken = i + 1;
            shared.changed.notify_all();
        }
        Ok(())
    })
}

struct Stop<'a, T>(&'a Shared<T>);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn results_come_in_order_and_few_wait() {
        for threads in [1, 2, 5] {
            let (made, taken, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            let make = |i: usize| {
                let begun = made.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(begun.saturating_sub(taken.load(Ordering::SeqCst)), Ordering::SeqCst);
                // The first of each five is slow, and the others overtake it.
                std::thread::sleep(Duration::from_micros(if i.is_multiple_of(5) { 300 } else { 10 }));
                i * i
            };
            let mut seen = Vec::new();
            let mut take = |i: usize, square: usize| {
                seen.push((i, square));
                taken.fetch_add(1, Ordering::SeqCst);
                Ok::<(), ()>(())
            };
            pool(threads).install(|| in_order(200, &make, &mut take)).unwrap();
            assert!(seen.iter().enumerate().all(|(i, &pair)| pair == (i, i * i)), "{threads}");
            assert!(most.load(Ordering::SeqCst) <= 2 * threads, "{threads}");
        }
    }

    #[test]
    fn the_first_failure_ends_the_work_and_a_panic_is_passed_on() {
        let made = AtomicUsize::new(0);
        let make = |i: usize| {
            made.fetch_add(1, Ordering::SeqCst);
            i
        };
        let mut take = |i: usize, _: usize| if i == 7 { Err("seven") } else { Ok(()) };
        assert_eq!(pool(3).install(|| in_order(1000, &make, &mut take)), Err("seven"));
        assert!(made.load(Ordering::SeqCst) <= 7 + 1 + 6);
        assert_eq!(in_order(0, &make, &mut take), Ok(()));
        let panics = |i: usize| if i == 20 { panic!("on purpose") } else { i };
        let caught =
            std::panic::catch_unwind(|| pool(3).install(|| in_order(1000, &panics, &mut |_, _| Ok::<(), ()>(()))));
        assert!(caught.is_err());
    }
}
