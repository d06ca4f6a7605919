//! What is drawn: the same numbers for the same seed, everywhere.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of drawn numbers.
#[derive(Clone, Debug)]
pub(crate) struct Draw(ChaCha8Rng);

/// What [`Draw::normal`] counts one standard deviation as.
pub(crate) const DEVIATION: i64 = 1 << 16;

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Returns a number from 0 to less than `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder over 64 bits is far below what a generated market could show.
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// Returns a number that is normal enough, with mean 0 and deviation [`DEVIATION`]: the sum of
    /// twelve even ones, whose variance is that of one times twelve.
    pub(crate) fn normal(&mut self) -> i64 {
        let mut sum = 0_i64;
        for _ in 0..3 {
            let mut bits = self.0.next_u64();
            for _ in 0..4 {
                sum = sum.saturating_add(i64::try_from(bits & 0xFFFF).unwrap_or(0));
                bits >>= 16;
            }
        }
        sum.saturating_sub(6 * DEVIATION)
    }
}
