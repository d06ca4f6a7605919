//! The one place of the benches that reads the clock.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts it.
    #[must_use]
    #[inline]
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench measures time and decides nothing by it"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the nanoseconds since its start.
    #[must_use]
    #[inline]
    pub fn elapsed_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Returns the nanoseconds of the system's monotonic clock.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}
