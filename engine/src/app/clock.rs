//! The one place that reads the clock: for how long a command took, never for a decision.

use std::time::{Duration, Instant};

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the program")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since its start.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns a duration in seconds with milliseconds, for results.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
