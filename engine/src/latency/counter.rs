//! A counter that ticks with time, read by argument: the library names no clock.

/// A cheap counter of time.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    read: fn() -> u64,
    /// Nanoseconds of a tick, in units of 2^-32.
    scale: u64,
}

/// One nanosecond in units of 2^-32.
const ONE: u64 = 1 << 32;

impl Counter {
    /// Returns a counter of nanoseconds.
    #[must_use]
    pub fn nanoseconds(read: fn() -> u64) -> Self {
        Self { read, scale: ONE }
    }

    /// Returns a counter of which `ticks` take `ns` nanoseconds; `None` when the two name no rate
    /// between a tick in 2^32 ns and 2^31 ticks in one.
    #[must_use]
    pub fn scaled(read: fn() -> u64, ticks: u64, ns: u64) -> Option<Self> {
        let scale = u128::from(ns).checked_mul(u128::from(ONE))?.checked_div(u128::from(ticks))?;
        let scale = u64::try_from(scale).ok().filter(|scale| *scale > 1)?;
        Some(Self { read, scale })
    }

    /// Returns the counter's value now.
    #[inline]
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.read)()
    }

    /// Returns the nanoseconds from one value to a later one; 0 when it is not later.
    #[inline]
    #[must_use]
    pub fn ns(&self, from: u64, to: u64) -> u64 {
        let wide = u128::from(to.saturating_sub(from)).saturating_mul(u128::from(self.scale));
        u64::try_from(wide >> 32).unwrap_or(u64::MAX)
    }

    /// Returns how many ticks pass in so many nanoseconds.
    #[must_use]
    pub fn ticks(&self, ns: u64) -> u64 {
        let wide = u128::from(ns).saturating_mul(u128::from(ONE));
        let ticks = wide.checked_div(u128::from(self.scale)).unwrap_or(0);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}
