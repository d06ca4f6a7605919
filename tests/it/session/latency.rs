//! Latencies of sessions: they decide nothing, they are attributed on one thread and on four, and a
//! stall cannot hide from a schedule.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::latency::meter::Basis;
use engine::latency::{Counter, Interval, Latencies, Measure};
use engine::open_loop::{Arrivals, OpenLoop};
use engine::session::journaled::Ran;
use engine::session::{Summary, ToTheEnd};
use engine::source::{Message, Progress, Source};
use engine::topology::Placement;
use journal::SinkKind;
use model::time::Nanos;
use rustix::time::{ClockId, clock_gettime};

use super::lab::{Evidence, assert_replays, defaults, fused, generated, journaled, split};

/// Market seconds of the sessions that are compared.
const SECONDS: u64 = 400;

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// Time as this file makes it: each look takes six microseconds, a slow engine.
static MADE: AtomicU64 = AtomicU64::new(1);
const LOOK_NS: u64 = 6_000;

fn made() -> u64 {
    MADE.fetch_add(LOOK_NS, Ordering::Relaxed) + LOOK_NS
}

fn latencies(ran: &mut Ran, every: u64) -> Latencies {
    let sets = ran.finished.stations.take_latencies();
    Latencies::of(sets, Basis::Service, every)
}

fn count(latencies: &Latencies, interval: Interval) -> u64 {
    latencies.set.get(interval).map_or(0, |histogram| histogram.len())
}

#[test]
fn what_is_measured_decides_nothing_and_every_order_is_attributed_fused_and_split() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |name: &str, placement: &Placement, every: Option<u64>| {
        let (mut session, mut market) = generated(3, SECONDS, defaults());
        let counter = Counter::nanoseconds(monotonic);
        session.measure =
            every.map(|every| Measure { counter, basis: Basis::Service, every, collector: None });
        let dir = scratch.path().join(name);
        let mut ran = journaled(&session, &mut market, &dir, SinkKind::Pwrite, placement);
        let latencies = latencies(&mut ran, every.unwrap_or(1));
        (ran.summary, latencies)
    };
    let (plain, nothing) = run("plain", &fused(), None);
    Evidence::from(&plain).assert_not_empty("measured session");
    assert_eq!(nothing.rows(), [], "nothing was measured");
    for (name, placement, every) in
        [("fused", fused(), 1), ("split", split(), 1), ("sampled", fused(), 16)]
    {
        let (summary, latencies) = run(name, &placement, Some(every));
        assert_eq!(summary, plain, "{name}");
        assert_replays(&scratch.path().join(name), &placement, &plain.decisions_hash);
        for line in latencies.rows() {
            println!("{name} {line:?}");
        }
        assert_attributed(&latencies, &summary, every);
    }
}

/// Asserts that every verdict and order has its latency, and that ticks that led to none are apart.
#[track_caller]
fn assert_attributed(latencies: &Latencies, summary: &Summary, every: u64) {
    let of = |interval| count(latencies, interval);
    assert_eq!((latencies.set.lost, latencies.set.backwards), (0, 0));
    assert_eq!(of(Interval::TickToDecision), summary.decisions);
    assert_eq!(of(Interval::RiskStage), summary.decisions);
    assert_eq!(of(Interval::TickToSignal), summary.decisions);
    for interval in [
        Interval::TickToIntent,
        Interval::TickToWire,
        Interval::GateWait,
        Interval::SignalToOrder,
        Interval::EgressStage,
    ] {
        assert_eq!(of(interval), summary.orders, "{interval:?}");
    }
    let messages = summary.progress.messages;
    let (seen, quiet) = (of(Interval::WireToFeed), of(Interval::TickQuiet));
    assert!(seen >= messages / every && seen <= messages / every + messages / 8, "{seen}");
    assert!(quiet > 0 && quiet <= seen, "{quiet} quiet of {seen}");
    if every == 1 {
        assert!(quiet < seen, "ticks that led to an order are not among the quiet ones");
    }
    // The parts of a way are no longer than the whole.
    let longest = |interval| latencies.set.get(interval).map_or(0, |histogram| histogram.max());
    assert!(longest(Interval::GateWait) <= longest(Interval::TickToWire));
    assert!(longest(Interval::SignalToOrder) <= longest(Interval::TickToWire));
}

/// A source that stands still now and then, before it has the next message at hand.
struct Stalling<S> {
    source: S,
    every: u64,
    taken: u64,
    stalls: u64,
    stall: fn(),
}

impl<S: Source> Source for Stalling<S> {
    fn peek(&mut self) -> Option<Nanos> {
        if self.taken / self.every > self.stalls {
            self.stalls += 1;
            (self.stall)();
        }
        self.source.peek()
    }

    fn take(&mut self, into: &mut Message) -> bool {
        self.taken += 1;
        self.source.take(into)
    }

    fn progress(&self) -> Progress {
        self.source.progress()
    }
}

/// A schedule that is not told to who measures.
struct Untold<S>(OpenLoop<S>);

impl<S: Source> Source for Untold<S> {
    fn peek(&mut self) -> Option<Nanos> {
        self.0.peek()
    }

    fn take(&mut self, into: &mut Message) -> bool {
        self.0.take(into)
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }
}

/// Messages a second, and how many: a second of schedule.
const RATE: u64 = 10_000;
const MESSAGES: u64 = 10_000;
/// A stall of a millisecond each 100 ms: ten of them.
const STALL_NS: u64 = 1_000_000;
const STALL_EVERY: u64 = RATE / 10;
/// The last one would come after the last message.
const PLANTED: u64 = MESSAGES / STALL_EVERY - 1;

/// Runs a second of schedule with the planted stalls.
fn scheduled(counter: Counter, basis: Basis, stall: fn()) -> Latencies {
    let (mut session, market) = generated(3, 3_600, defaults());
    session.measure = Some(Measure { counter, basis, every: 1, collector: None });
    let stalling = Stalling { source: market, every: STALL_EVERY, taken: 0, stalls: 0, stall };
    let mut source = OpenLoop::new(stalling, counter, Arrivals::Even, (RATE, MESSAGES));
    let run = |source: &mut dyn Source| {
        engine::session::journaled::run(&session, source, None, &fused(), &mut ToTheEnd).unwrap()
    };
    let mut ran = match basis {
        Basis::Intended => {
            let ran = run(&mut source);
            println!("{:?}", source.achieved());
            ran
        }
        Basis::Service => run(&mut Untold(source)),
    };
    assert_eq!(ran.summary.progress.messages, MESSAGES);
    latencies(&mut ran, 1)
}

/// How many ticks were late by a stall. It begins when the message before is done with, so up to a
/// step of the schedule of it has passed when the next is due.
fn late(latencies: &Latencies) -> u64 {
    let seen = latencies.set.get(Interval::WireToFeed).expect("ticks");
    assert!(seen.len() >= MESSAGES);
    seen.count_between(STALL_NS - 2_000_000_000 / RATE, u64::MAX)
}

#[test]
fn a_planted_stall_shows_from_the_intended_time_and_is_hidden_by_service_time() {
    let counter = Counter::nanoseconds(made);
    let stall = || {
        MADE.fetch_add(STALL_NS, Ordering::Relaxed);
    };
    let intended = scheduled(counter, Basis::Intended, stall);
    let service = scheduled(counter, Basis::Service, stall);
    let p99 = |of: &Latencies| {
        let row = of.rows().into_iter().find(|row| row.interval == Interval::WireToFeed).unwrap();
        println!("{row:?}");
        row.p99
    };
    // By time that is made here, so exact: no host can disturb it.
    assert!(late(&intended) >= PLANTED, "{} late", late(&intended));
    assert_eq!(late(&service), 0, "service time sees no stall");
    let (of_intended, of_service) = (p99(&intended), p99(&service));
    assert!(of_service < 100_000, "{of_service}");
    assert!(of_intended > 5 * of_service, "{of_intended} and {of_service}");
}

#[test]
fn a_planted_stall_shows_on_this_host_too() {
    let counter = Counter::nanoseconds(monotonic);
    let stall = || {
        let until = monotonic() + STALL_NS;
        while monotonic() < until {}
    };
    // Only what a busy host cannot undo: it can make more messages late, never fewer.
    let intended = scheduled(counter, Basis::Intended, stall);
    assert!(late(&intended) >= PLANTED, "{} late", late(&intended));
}
