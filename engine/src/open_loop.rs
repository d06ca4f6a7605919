//! Messages released on a schedule, whether or not the engine is ready for them, as a market does.
//!
//! A source that is read as fast as it goes hides every delay: who is late asks later for the next
//! message, and nobody has waited. Here message *n* is due at its moment of a schedule by the wall
//! clock, and its latency counts from then (`Source::intended`), whatever came before it. What
//! decides is the data alone, times included, so a run on a schedule decides the same as one
//! without.

use model::time::Nanos;

use crate::latency::Counter;
use crate::source::{Message, Progress, Source};

/// When messages are due.
mod arrivals;

pub use arrivals::Arrivals;
use arrivals::Due;

/// A source on a schedule.
#[derive(Debug)]
pub struct OpenLoop<S> {
    source: S,
    counter: Counter,
    /// Messages a second.
    rate: u64,
    moments: Due,
    /// Messages to release.
    count: u64,
    /// Messages that were released.
    released: u64,
    /// When the first was released; the schedule begins with it.
    start: u64,
    /// When the next is due; none before the first.
    due: Option<u64>,
    /// Nanoseconds behind the first at which the next, and the last that was released, were due.
    next_ns: u64,
    span_ns: u64,
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
    /// Thousandths of messages a second that were released and done, by how much longer the whole
    /// schedule took than was meant.
    pub rate_milli: u64,
    /// Whether that is 99.9 % of the target or more.
    pub met: bool,
}

/// Least share of the target that counts as achieved, in thousandths.
const ACHIEVED_MILLI: u128 = 999;

impl<S: Source> OpenLoop<S> {
    /// Returns a source that releases `count` messages at `rate` a second, fewer if there are no
    /// more. A rate of 0 counts as 1.
    pub fn new(source: S, counter: Counter, arrivals: Arrivals, (rate, count): (u64, u64)) -> Self {
        let rate = rate.max(1);
        let moments = Due::new(arrivals, rate);
        Self {
            source,
            counter,
            rate,
            moments,
            count,
            released: 0,
            start: 0,
            due: None,
            end: None,
            span_ns: 0,
            next_ns: 0,
        }
    }

    /// Returns what became of the schedule, once it has ended.
    #[must_use]
    pub fn achieved(&self) -> Option<Achieved> {
        let took = u128::from(self.counter.ns(self.start, self.end?));
        // Drawn gaps do not add up to the rate: what counts is how much longer it all took than
        // was meant.
        let rate_milli = u128::from(self.rate)
            .saturating_mul(1_000)
            .saturating_mul(u128::from(self.span_ns))
            .checked_div(took)
            .and_then(|rate| u64::try_from(rate).ok())
            .unwrap_or(u64::MAX);
        let least = u128::from(self.rate).saturating_mul(ACHIEVED_MILLI);
        let met = self.released == self.count && u128::from(rate_milli) >= least;
        Some(Achieved { target: self.rate, released: self.released, rate_milli, met })
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
        self.span_ns = self.next_ns;
        self.next_ns = self.moments.next();
        self.due = Some(self.start.saturating_add(self.counter.ticks(self.next_ns)));
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
