//! Messages released on a schedule, whether or not the engine is ready for them, as a market does.
//!
//! A source that is read as fast as it goes hides every delay: who is late asks later for the next
//! message, and nobody has waited. Here message *n* is due at `start + n / rate` by the wall clock,
//! and its latency counts from then (`Source::intended`), whatever came before it. What decides
//! is the data alone, times included, so a run on a schedule decides the same as one without.

use model::time::Nanos;

use crate::latency::Counter;
use crate::source::{Message, Progress, Source};

/// A source on a schedule of constant rate.
#[derive(Debug)]
pub struct OpenLoop<S> {
    source: S,
    counter: Counter,
    /// Messages a second.
    rate: u64,
    /// Messages to release.
    count: u64,
    /// Messages that were released.
    released: u64,
    /// When the first was released; the schedule begins with it.
    start: u64,
    /// When the next is due; none before the first.
    due: Option<u64>,
    /// When the last one had passed.
    end: Option<u64>,
}

/// What became of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Achieved {
    /// Messages a second that were asked for.
    pub target: u64,
    /// Messages that were released.
    pub released: u64,
    /// Thousandths of messages a second that were released and done.
    pub rate_milli: u64,
    /// Whether that is 99.9 % of the target or more.
    pub met: bool,
}

/// Least share of the target that counts as achieved, in thousandths.
const ACHIEVED_MILLI: u128 = 999;

impl<S: Source> OpenLoop<S> {
    /// Returns a source that releases `count` messages at `rate` a second, fewer if there are no
    /// more. A rate of 0 counts as 1.
    pub fn new(source: S, counter: Counter, rate: u64, count: u64) -> Self {
        let rate = rate.max(1);
        Self { source, counter, rate, count, released: 0, start: 0, due: None, end: None }
    }

    /// Returns what became of the schedule, once it has ended.
    #[must_use]
    pub fn achieved(&self) -> Option<Achieved> {
        let took = self.counter.ns(self.start, self.end?);
        // The last of n messages is due after n - 1 steps.
        let steps = u128::from(self.released.saturating_sub(1));
        let rate_milli = steps
            .saturating_mul(1_000_000_000_000)
            .checked_div(u128::from(took))
            .and_then(|rate| u64::try_from(rate).ok())
            .unwrap_or(u64::MAX);
        let least = u128::from(self.rate).saturating_mul(ACHIEVED_MILLI);
        let met = self.released == self.count && u128::from(rate_milli) >= least;
        Some(Achieved { target: self.rate, released: self.released, rate_milli, met })
    }

    /// Returns when message `nth` is due.
    fn due(&self, nth: u64) -> u64 {
        let ns = u128::from(nth).saturating_mul(1_000_000_000);
        let ns = ns.checked_div(u128::from(self.rate)).unwrap_or(0);
        let ticks = self.counter.ticks(u64::try_from(ns).unwrap_or(u64::MAX));
        self.start.saturating_add(ticks)
    }
}

impl<S: Source> Source for OpenLoop<S> {
    fn peek(&mut self) -> Option<Nanos> {
        let next = if self.released < self.count { self.source.peek() } else { None };
        if next.is_none() {
            self.end.get_or_insert_with(|| self.counter.now());
            return None;
        }
        if let Some(due) = self.due {
            // Not asleep: what wakes a thread late would count as the engine's latency.
            while self.counter.now() < due {
                std::hint::spin_loop();
            }
        }
        next
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.due.is_none() {
            self.start = self.counter.now();
        }
        let taken = self.source.take(into);
        self.released = self.released.saturating_add(u64::from(taken));
        self.due = Some(self.due(self.released));
        taken
    }

    fn progress(&self) -> Progress {
        self.source.progress()
    }

    fn intended(&self) -> Option<u64> {
        self.due
    }
}

#[cfg(test)]
mod tests;
