//! The pace of a session: a source that waits until its next message is due, and lets orders of
//! operators in between.
//!
//! Only the source waits, on the cold side: times still come from the data, so a paced session
//! decides the same bytes as one that never waits. A wait ends early when the session is to end.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use engine::source::{Message, Progress, Source};
use model::time::Nanos;

use super::clock::Clock;
use super::level::Orders;
use super::watch::Signals;

/// How fast data is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speed {
    /// As fast as the engine takes it.
    Max,
    /// So many times as fast as it was recorded.
    Times(u32),
}

/// LIMIT: fastest pace that still waits; nobody could tell it from no waiting.
pub(super) const TIMES_MAX: u32 = 1_000_000;
/// LIMIT: longest sleep at once: how late a request to end is seen, and progress drawn.
const NAP: Duration = Duration::from_millis(20);

/// A text that is no pace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pace; write real, max, or a whole number from 1 to {TIMES_MAX}")]
pub(super) struct UnknownSpeed(String);

impl FromStr for Speed {
    type Err = UnknownSpeed;

    fn from_str(text: &str) -> Result<Self, UnknownSpeed> {
        let times = || text.strip_suffix('x').unwrap_or(text).parse().ok();
        match text {
            "max" => Ok(Self::Max),
            "real" => Ok(Self::Times(1)),
            _ => times()
                .filter(|times| (1..=TIMES_MAX).contains(times))
                .map(Self::Times)
                .ok_or_else(|| UnknownSpeed(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Max => out.write_str("max"),
            Self::Times(1) => out.write_str("real"),
            Self::Times(times) => write!(out, "{times}x"),
        }
    }
}

/// A source whose messages come at the pace at which they were received, and orders at once.
pub(super) struct Paced<'a> {
    inner: &'a mut dyn Source,
    speed: Speed,
    signals: Arc<Signals>,
    orders: Arc<Orders>,
    clock: Clock,
    /// Market time at the start of the clock: that of the first message.
    first: Option<Nanos>,
    /// The time at which an order was announced.
    announced: Option<Nanos>,
}

impl<'a> Paced<'a> {
    /// Returns a source that lets messages in at a pace.
    pub(super) fn new(
        inner: &'a mut dyn Source,
        speed: Speed,
        signals: Arc<Signals>,
        orders: Arc<Orders>,
    ) -> Self {
        Self { inner, speed, signals, orders, clock: Clock::start(), first: None, announced: None }
    }

    /// Returns the market time that is reached now.
    fn reached(&self, times: u32) -> Option<Nanos> {
        let passed = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let passed = passed.saturating_mul(u64::from(times));
        Some(self.first?.plus(i64::try_from(passed).unwrap_or(i64::MAX)))
    }

    /// Returns how long it still takes until a market time is reached.
    fn left(&self, times: u32, until: Nanos) -> Duration {
        let ahead = self.first.map_or(0, |first| until.since(first));
        let ahead = u64::try_from(ahead).unwrap_or(0);
        let due = Duration::from_nanos(ahead.checked_div(u64::from(times)).unwrap_or(0));
        due.saturating_sub(self.clock.elapsed())
    }
}

impl Source for Paced<'_> {
    fn peek(&mut self) -> Option<Nanos> {
        self.announced = None;
        let next = self.inner.peek();
        if let (None, Some(next)) = (self.first, next) {
            // The session begins with the market, whatever is ordered by then.
            self.first = Some(next);
            self.clock = Clock::start();
            return Some(next);
        }
        if !self.orders.is_pending() {
            return next;
        }
        // An order comes now: at the market time that is reached, or directly behind what was.
        self.announced = next.map(|next| match self.speed {
            Speed::Max => Nanos(0),
            Speed::Times(times) => self.reached(times).unwrap_or_default().min(next),
        });
        self.announced
    }

    fn take(&mut self, into: &mut Message) -> bool {
        let Some(at) = self.announced.take() else { return self.inner.take(into) };
        // What was announced is no message of the market, also where nothing comes of it.
        let Some(records) = self.orders.take() else { return false };
        into.updates.clear();
        into.updates.extend(records);
        (into.ts, into.source) = (at, 0);
        self.signals.look();
        true
    }

    fn wait(&mut self, until: Nanos) -> bool {
        let Speed::Times(times) = self.speed else { return false };
        loop {
            let left = self.left(times, until);
            if left.is_zero() || self.signals.is_asked() {
                return false;
            }
            if self.orders.is_pending() && self.announced.is_none() {
                return true;
            }
            std::thread::park_timeout(left.min(NAP));
            self.signals.look();
        }
    }

    fn intended(&self) -> Option<u64> {
        self.inner.intended()
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }

    fn horizon(&self) -> Option<Nanos> {
        self.inner.horizon()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_read_as_it_is_written() {
        for (text, speed) in [
            ("max", Speed::Max),
            ("real", Speed::Times(1)),
            ("10", Speed::Times(10)),
            ("250x", Speed::Times(250)),
        ] {
            assert_eq!(text.parse(), Ok(speed));
            assert_eq!(speed.to_string().parse(), Ok(speed));
        }
        for text in ["", "0", "-1", "1.5", "fast", "x", "1000001"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
