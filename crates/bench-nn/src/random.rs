//! Random masks that depend only on (seed, position).
//!
//! What: element `i` of a mask is decided by 32-bit word `i % 4` of the Philox4x32-10 block of
//! counter `i / 4` (as a 128-bit little-endian counter) under the key `(low, high)` halves of the
//! 64-bit seed, that is by the `i`-th word of `seed.stream()`. It is kept if
//! `word >= round(p 2^32)`, compared as unsigned integers, and multiplied by `1 / (1 - p)`
//! computed in double precision and rounded to the type of the activations.
//! Why: masks are made again in the backward pass instead of being stored, blocks are made in
//! parallel, and a device kernel that follows the same rule makes the same mask.

use bench_core::seed::Seed;

use crate::{Error, Result};

/// Which elements dropout keeps, and their factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    seed: Seed,
    probability: f64,
}

impl Keep {
    /// Drops each element with `probability` in `[0, 1]`.
    pub fn new(seed: Seed, probability: f64) -> Result<Keep> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::shape("dropout", "a probability from 0 to 1", probability));
        }
        Ok(Keep { seed, probability })
    }

    /// Key of the generator.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Smallest random word that is kept; none if everything is dropped.
    pub fn threshold(&self) -> Option<u32> {
        u32::try_from((self.probability * 4_294_967_296.0).round() as u64).ok()
    }

    /// What kept elements are multiplied by.
    pub fn factor(&self) -> f64 {
        if self.threshold().is_none() { 0.0 } else { 1.0 / (1.0 - self.probability) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_cover_both_ends() {
        let keep = |p| Keep::new(Seed(1), p);
        assert_eq!(keep(0.0).unwrap().threshold(), Some(0));
        assert_eq!(keep(0.5).unwrap().threshold(), Some(1 << 31));
        assert_eq!(keep(1.0).unwrap().threshold(), None);
        assert_eq!(
            (keep(0.0).unwrap().factor(), keep(0.75).unwrap().factor(), keep(1.0).unwrap().factor()),
            (1.0, 4.0, 0.0)
        );
        assert!(keep(1.5).is_err() && keep(f64::NAN).is_err() && keep(-0.1).is_err());
    }

    #[test]
    fn blocks_are_the_words_of_the_stream() {
        let mut stream = Seed(0x1234_5678_9abc_def0).stream();
        for counter in 0..5 {
            for word in Seed(0x1234_5678_9abc_def0).block(counter) {
                assert_eq!(word, stream.next_u32());
            }
        }
    }
}
