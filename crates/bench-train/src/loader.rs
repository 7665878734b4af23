//! Minibatches with their numbers, loaded ahead of the step in the planned order.
//!
//! A producer thread loads the items of one minibatch in parallel on a pool of its own (sharing
//! the pool of the step would let a waiting step pick up a slow decode) and hands minibatches
//! over through a bounded channel, so at most `prefetch + 2` of them exist at a time: one in
//! training, `prefetch` waiting, one being loaded. What is loaded depends on seeds alone.

use std::ops::{ControlFlow, Range};
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use crate::catalogue::ImageId;
use crate::sampler::{Lost, Plan, Sampler};
use crate::source::{ImageSource, View};
use crate::{Error, Result};

/// A loaded minibatch.
#[derive(Clone, Debug)]
pub struct Minibatch {
    /// Number of the epoch.
    pub epoch: u64,
    /// Number in the epoch.
    pub batch: usize,
    /// Compounds, one per item.
    pub compounds: Vec<u32>,
    /// Images, item by item, view by view.
    pub images: Vec<ImageId>,
    /// Views per item.
    pub views: usize,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
    /// Numbers of all images, in the order of `images`.
    pub pixels: Vec<f32>,
    /// Compounds that could not be loaded.
    pub lost: Vec<Lost>,
    /// Images that could not be loaded.
    pub unreadable: usize,
}

impl Minibatch {
    /// The items `range` alone (a chunk): their compounds and their pixels.
    pub fn part(&self, range: Range<usize>) -> (&[u32], &[f32]) {
        let item = self.views * self.shape.iter().product::<usize>();
        (&self.compounds[range.clone()], &self.pixels[range.start * item..range.end * item])
    }
}

/// Whether views are augmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Random crops and flips.
    Training,
    /// Centre crops.
    Evaluation,
}

/// Loads the items `part` of a planned minibatch in parallel.
pub fn load(
    sampler: &Sampler<'_>,
    source: &dyn ImageSource,
    plan: &Plan,
    part: Range<usize>,
    mode: Mode,
) -> Result<Minibatch> {
    let shape = source.shape();
    let expected: usize = shape.iter().product();
    let fetch = |image: ImageId, seed| {
        let view = if mode == Mode::Training { View::Training(seed) } else { View::Evaluation };
        let pixels = source.load(image, view).map_err(|error| error.to_string())?;
        // A wrong size is a fault of the source, not of one file, but it is as unusable.
        let wrong = || Error::ImageSize { image: image.0.to_string(), got: pixels.len(), expected }.to_string();
        if pixels.len() == expected { Ok(pixels) } else { Err(wrong()) }
    };
    let items: Vec<_> = part.into_par_iter().map(|place| sampler.item(plan, place, fetch)).collect();
    let views = sampler.views();
    let mut minibatch = Minibatch {
        epoch: plan.epoch,
        batch: plan.batch,
        compounds: Vec::with_capacity(items.len()),
        images: Vec::with_capacity(items.len() * views),
        views,
        shape,
        pixels: Vec::with_capacity(items.len() * views * expected),
        lost: vec![],
        unreadable: 0,
    };
    for (item, lost, unreadable) in items {
        minibatch.lost.extend(lost);
        minibatch.unreadable += unreadable;
        if let Some(item) = item {
            minibatch.compounds.push(item.compound);
            minibatch.images.extend(item.images);
            minibatch.pixels.extend(item.pixels);
        }
    }
    Ok(minibatch)
}

/// Calls `consume` with what `produce` makes of each plan, in order, while up to `prefetch`
/// further ones are made ahead on `threads` threads. `prefetch` of zero makes them in turn, on
/// the calling thread. `consume` may stop early.
pub fn pipeline<P: Sync, T: Send>(
    plans: &[P],
    prefetch: usize,
    threads: usize,
    produce: impl Fn(&P) -> T + Sync,
    mut consume: impl FnMut(T) -> ControlFlow<()>,
) -> Result<()> {
    if prefetch == 0 {
        for plan in plans {
            if consume(produce(plan)).is_break() {
                break;
            }
        }
        return Ok(());
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .thread_name(|i| format!("loader-{i}"))
        .build()
        .map_err(|error| Error::config("loader-threads", format!("`{threads}`: {error}")))?;
    std::thread::scope(|scope| {
        // A channel of capacity c holds c, and one more waits in `send`.
        let (sender, receiver) = sync_channel(prefetch);
        let (produce, pool) = (&produce, &pool);
        scope.spawn(move || {
            for plan in plans {
                let made = pool.install(|| produce(plan));
                // The receiver is gone when the consumer stopped early.
                if sender.send(made).is_err() {
                    break;
                }
            }
        });
        for made in receiver {
            if consume(made).is_break() {
                break;
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn plans(count: usize) -> Vec<Plan> {
        (0..count).map(|batch| Plan { epoch: 0, batch, compounds: vec![], first: 0 }).collect()
    }

    #[test]
    fn minibatches_arrive_in_order_and_few_are_held() {
        let (made, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for prefetch in [0, 1, 3] {
            made.store(0, Ordering::SeqCst);
            used.store(0, Ordering::SeqCst);
            let mut order = vec![];
            let produce = |plan: &Plan| {
                let ahead = made.fetch_add(1, Ordering::SeqCst) - used.load(Ordering::SeqCst);
                assert!(ahead <= prefetch + 2, "{ahead} ahead of the step");
                plan.batch
            };
            pipeline(&plans(20), prefetch, 2, produce, |batch| {
                order.push(batch);
                used.fetch_add(1, Ordering::SeqCst);
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(order, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn stopping_early_ends_the_producer() {
        let mut seen = 0;
        pipeline(
            &plans(1000),
            2,
            1,
            |plan| plan.batch,
            |_| {
                seen += 1;
                if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )
        .unwrap();
        assert_eq!(seen, 5);
    }
}
