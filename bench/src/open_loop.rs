//! The generated market on a schedule: messages are released at even distances or as a Poisson
//! process, whether or not the engine is ready, and latency counts from when each was due.
//!
//! A message is generated while its predecessor's successor waits for its turn, so what is timed is
//! feed, the stages, the gate and the journal, and not the generator. A rate that is not achieved
//! to 99.9 % has failed: its latencies are those of a queue that grows.

use std::path::Path;

use anyhow::{Context, ensure};

use engine::latency::meter::Basis;
use engine::latency::{Counter, Interval, Latencies, Measure, Row};
use engine::open_loop::{Achieved, Arrivals, OpenLoop};
use engine::session::ToTheEnd;
use engine::session::journaled::{JournalSpec, SEGMENT_BYTES, run as run_session};
use engine::source::{Message, Progress, Source};
use engine::topology::{Topology, available_cores, place};
use journal::SinkKind;
use model::time::Nanos;

use crate::clock;
use crate::session;

/// Messages a second that are tried.
pub const RATES: [u64; 3] = [1_000, 10_000, 50_000];

/// What one run on a schedule found.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What became of the schedule.
    pub achieved: Achieved,
    /// From when a message was due to its journaled intent.
    pub tick_to_intent: Row,
    /// The whole of messages of which nothing followed.
    pub tick_quiet: Row,
}

/// A source of which the next message is always at hand.
#[derive(Debug)]
struct Ahead<S> {
    source: S,
    next: Message,
    is_full: bool,
}

impl<S: Source> Source for Ahead<S> {
    fn peek(&mut self) -> Option<Nanos> {
        if !self.is_full {
            self.is_full = self.source.take(&mut self.next);
        }
        self.is_full.then_some(self.next.ts)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if !std::mem::take(&mut self.is_full) {
            return false;
        }
        std::mem::swap(&mut self.next, into);
        true
    }

    fn progress(&self) -> Progress {
        self.source.progress()
    }
}

/// Runs a schedule, journaled below `journal` if that is given.
///
/// # Errors
/// The session fails, or does too little to be measured.
pub fn run(
    (rate, seconds): (u64, u64),
    arrivals: Arrivals,
    journal: Option<&Path>,
) -> anyhow::Result<Outcome> {
    let count = rate.checked_mul(seconds).context("a number of messages")?;
    let (mut session, market) = session::generated(count)?;
    let counter = Counter::nanoseconds(clock::monotonic_ns);
    session.measure = Some(Measure { counter, basis: Basis::Intended, every: 1, collector: None });
    let ahead = Ahead { source: market, next: Message::default(), is_full: false };
    let mut source = OpenLoop::new(ahead, counter, arrivals, (rate, count));
    let spec = journal.map(|dir| JournalSpec {
        dir: dir.to_owned(),
        segment_bytes: SEGMENT_BYTES,
        sink: SinkKind::Mmap,
        sync: false,
        build_hash: [0; 32],
    });
    let placement = place(Topology::Auto, None, &available_cores())?;
    let mut ran = run_session(&session, &mut source, spec.as_ref(), &placement, &mut ToTheEnd)?;
    let achieved = source.achieved().context("the schedule has an end")?;
    ensure!(ran.summary.orders > 0, "no order in {count} messages: nothing to measure");
    let sets = ran.finished.stations.take_latencies();
    let latencies = Latencies::of(sets, Basis::Intended, 1);
    let row = |interval: Interval| {
        let found = latencies.rows().into_iter().find(|row| row.interval == interval);
        found.with_context(|| format!("no {} was measured", interval.name()))
    };
    Ok(Outcome {
        achieved,
        tick_to_intent: row(Interval::TickToIntent)?,
        tick_quiet: row(Interval::TickQuiet)?,
    })
}

/// Returns the longest gap that a thread which only looks at the clock sees in so many
/// milliseconds: no figure of this host is better than that.
#[must_use]
pub fn hiccup_ns(millis: u64) -> u64 {
    let begin = clock::monotonic_ns();
    let (mut last, mut longest) = (begin, 0);
    while last.saturating_sub(begin) < millis.saturating_mul(1_000_000) {
        let now = clock::monotonic_ns();
        longest = longest.max(now.saturating_sub(last));
        last = now;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_measured_with_and_without_a_journal() {
        let scratch = tempfile::tempdir().unwrap();
        for journal in [None, Some(scratch.path().join("journal"))] {
            // No rate is asserted: a busy host may not keep it.
            let arrivals = Arrivals::Poisson { seed: 1 };
            let outcome = run((20_000, 1), arrivals, journal.as_deref()).unwrap();
            assert_eq!(outcome.achieved.released, 20_000);
            assert!(outcome.tick_to_intent.count > 0 && outcome.tick_quiet.count > 15_000);
            assert!(outcome.tick_to_intent.max >= outcome.tick_to_intent.p50);
        }
        assert!(hiccup_ns(2) > 0);
    }
}
