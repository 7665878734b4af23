//! Seeded random numbers: Philox4x32-10, a counter-based generator.
//!
//! Every random choice takes a seed derived from (run seed, purpose, index). There is no
//! global generator, and no draw depends on how many draws some other part made.
//!
//! Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the known
//! answers below are those of its Random123 distribution.

use sha2::{Digest, Sha256};

/// A run's seed, from which the seed of every choice is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// Seed of the `index`-th choice made for `purpose`.
    pub fn derive(self, purpose: &str, index: u64) -> Seed {
        let mut hash = Sha256::new();
        hash.update(self.0.to_le_bytes());
        hash.update((purpose.len() as u64).to_le_bytes());
        hash.update(purpose.as_bytes());
        hash.update(index.to_le_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&bytes[..8]);
        Seed(u64::from_le_bytes(first))
    }

    /// Words `4 counter` to `4 counter + 3` of the stream of this seed, without the ones before.
    #[inline(always)]
    pub fn block(self, counter: u64) -> [u32; 4] {
        philox([counter as u32, (counter >> 32) as u32, 0, 0], [self.0 as u32, (self.0 >> 32) as u32])
    }

    /// The stream of random numbers of this seed.
    pub fn stream(self) -> Stream {
        Stream { key: [self.0 as u32, (self.0 >> 32) as u32], counter: 0, block: [0; 4], used: 4, spare: None }
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: u128,
    block: [u32; 4],
    used: usize,
    spare: Option<f64>,
}

impl Stream {
    /// Next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            let c = self.counter;
            self.block = philox([c as u32, (c >> 32) as u32, (c >> 64) as u32, (c >> 96) as u32], self.key);
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal deviate (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Uniform in `0..bound` without bias (Lemire's method). `bound` must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "a bound is at least one");
        let bound = bound as u64;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as usize;
            }
        }
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// `count` different numbers of `0..n` in random order, the first of which do not depend on `count`.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<u32> {
        assert!(count <= n, "no more can be drawn than there are");
        // Fisher-Yates from the front, with only the moved entries of the order kept; looked up, never iterated.
        let mut moved = std::collections::HashMap::new();
        (0..count)
            .map(|next| {
                let at = next + self.below(n - next);
                let here = moved.get(&next).copied().unwrap_or(next as u32);
                moved.insert(at, here).unwrap_or(at as u32)
            })
            .collect()
    }

    /// A random permutation of `0..n`.
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut items: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut items);
        items
    }
}

#[inline(always)]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_sample_is_the_head_of_a_random_order() {
        let mut counts = [0_usize; 5];
        for seed in 0..5000 {
            let all = Seed(seed).stream().sample(5, 5);
            assert_eq!(Seed(seed).stream().sample(5, 3), all[..3]);
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
            counts[all[2] as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }

    #[test]
    fn draws_are_uniform_and_derived_seeds_differ() {
        let mut stream = Seed(7).stream();
        let mut counts = [0usize; 6];
        for _ in 0..60_000 {
            counts[stream.below(6)] += 1;
        }
        assert!(counts.iter().all(|&c| (9_600..10_400).contains(&c)), "{counts:?}");
        let mean: f64 = (0..50_000).map(|_| stream.normal()).sum::<f64>() / 50_000.0;
        assert!(mean.abs() < 0.02, "{mean}");
        assert_ne!(Seed(7).derive("split", 0), Seed(7).derive("split", 1));
        assert_ne!(Seed(7).derive("split", 0), Seed(8).derive("split", 0));
        let mut permutation = Seed(1).stream().permutation(100);
        permutation.sort_unstable();
        assert!(permutation.iter().enumerate().all(|(i, &p)| i as u32 == p));
    }
}
