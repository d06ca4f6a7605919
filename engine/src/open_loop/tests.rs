//! The schedule, by a counter that the test moves.

use std::cell::Cell;

use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Each look takes 10 ns.
fn look() -> u64 {
    NOW.with(|now| {
        now.set(now.get() + 10);
        now.get()
    })
}

fn pass(ns: u64) {
    NOW.with(|now| now.set(now.get() + ns));
}

/// Messages without an end.
struct Endless;

impl Source for Endless {
    fn peek(&mut self) -> Option<Nanos> {
        Some(Nanos(7))
    }

    fn take(&mut self, _: &mut Message) -> bool {
        true
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }
}

/// A schedule of 1,000 messages a second.
fn even(count: u64) -> OpenLoop<Endless> {
    OpenLoop::new(Endless, Counter::nanoseconds(look), Arrivals::Even, (1_000, count))
}

/// Runs a schedule of 1,000 messages a second; the message at `slow` takes 5 ms.
fn run(count: u64, slow: u64) -> (Vec<u64>, Achieved) {
    NOW.with(|now| now.set(1_000));
    let mut source = even(count);
    let mut message = Message::default();
    let mut late = Vec::new();
    while source.peek().is_some() {
        let intended = source.intended().unwrap_or_else(look);
        assert!(source.take(&mut message));
        pass(if late.len() as u64 == slow { 5_000_000 } else { 100_000 });
        late.push(look() - intended);
    }
    (late, source.achieved().unwrap())
}

#[test]
fn what_waits_behind_a_slow_message_counts_from_when_it_was_due() {
    let (late, achieved) = run(1_000, 500);
    assert_eq!(late.len(), 1_000);
    let millis: Vec<u64> = late.iter().map(|ns| ns / 1_000_000).collect();
    assert_eq!(millis.iter().filter(|late| **late >= 1).count(), 5, "the slow one and four behind");
    assert_eq!(&millis[499..=506], [0, 5, 4, 3, 2, 1, 0, 0]);
    assert!(achieved.met, "{achieved:?}");
    assert_eq!((achieved.target, achieved.released), (1_000, 1_000));
}

#[test]
fn a_schedule_that_was_not_kept_has_failed() {
    let (_, achieved) = run(100, 99);
    assert!(!achieved.met, "5 of 104 ms too late: {achieved:?}");
    let mut short = even(5);
    assert_eq!(short.achieved(), None, "it has not ended");
    let mut message = Message::default();
    while short.peek().is_some() {
        short.take(&mut message);
    }
    assert!(short.achieved().unwrap().met);
}
