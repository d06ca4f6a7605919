//! Handing an event to another processor: a lane there and a lane back, beside the bare cost of one
//! cache line that two processors exchange.
//!
//! A hop is half of a round trip of one event through two lanes, both ends spinning. The bare round
//! trip is one counter on a line of its own: written here, awaited and written there, awaited here.
//! Nothing can hand over anything in less than half of that; the goal allows all of it. Medians are
//! of groups of round trips between two readings of the clock, so the clock costs them nothing; the
//! 99th percentile is of single ones and contains it.
//!
//! Where a line has its home in the machine changes what it costs: between processors that share no
//! cache, one line in eight took 200 ns, most 225 and some 320, again and again. A lane has a line
//! for each slot, so the bare counter moves over as many, and the median of each is that of a
//! common line; one line alone is a draw by lot for the whole run.
//!
//! Meaningful on two processors that nobody else uses; elsewhere compare the ratio only.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::ensure;
use crossbeam_utils::CachePadded;

use engine::idle::Wait;
use engine::lane::{Receiver, Sender, lane};
use engine::limits::{BURST_RING_EVENTS, RING_EVENTS};
use model::event::{Event, Settled};
use model::id::{NO_INSTRUMENT, Seq};
use model::time::Nanos;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::clock::Clock;
use crate::compare::{Compared, Spread, in_turns, percentile};
use crate::host;

/// Round trips between two readings of the clock.
pub const GROUP: u64 = 32;

/// What was measured, in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hop {
    /// One way through a lane (ours) beside one bare round trip (base), medians of groups.
    pub compared: Compared,
    /// One way through a ring without a lane around it, medians of groups.
    pub ring: Spread,
    /// One way through a lane as large as the one back to feed, which no first-level cache holds,
    /// medians of groups.
    pub large: Spread,
    /// 99th percentile of half a lane's round trip, single round trips.
    pub hop_p99: Spread,
    /// 99th percentile of bare round trips.
    pub bare_p99: Spread,
}

/// An event whose number can be told again on the other side.
fn event(number: u64) -> Event {
    let settled = Settled { message: number };
    Event::new(Seq(number), Nanos(0), NO_INSTRUMENT, &settled)
}

/// Times `groups` groups of `size` round trips, each of which tells the number of the event that
/// came back. The events are made before, and what comes is not moved on: the header of
/// `engine::lane` says why.
fn time_groups(
    groups: usize,
    size: u64,
    mut trip: impl FnMut(&Event) -> Option<Seq>,
) -> anyhow::Result<Vec<u64>> {
    let events: Vec<Event> = (0..size).map(event).collect();
    let mut took = Vec::with_capacity(groups);
    for _ in 0..groups {
        let clock = Clock::start();
        for event in &events {
            let came = trip(event);
            ensure!(came == Some(event.seq), "{event:?} came back as {came:?}");
        }
        took.push(clock.elapsed_ns());
    }
    Ok(took)
}

/// Sends back whatever comes, until the other end is gone.
fn echo(mut from: Receiver, mut to: Sender) {
    while let Some(event) = from.pop() {
        if to.push(event).is_err() {
            return;
        }
    }
}

/// Runs `groups` groups of `size` round trips through two lanes of `slots` between two processors;
/// the nanoseconds of each group.
///
/// # Errors
/// An event did not come back as it was sent.
pub fn lanes(
    cores: [usize; 2],
    slots: usize,
    groups: usize,
    size: u64,
) -> anyhow::Result<Vec<u64>> {
    let (mut there, from_here) = lane(slots, Wait::Spin);
    let (back, mut from_there) = lane(slots, Wait::Spin);
    thread::scope(|scope| {
        scope.spawn(move || {
            let _pinned = host::pin(&cores[1..]);
            echo(from_here, back);
        });
        // The scope waits for the echo, which ends when this end of the lane is dropped.
        let run = scope.spawn(move || {
            let _pinned = host::pin(&cores[..1]);
            time_groups(groups, size, |event| {
                there.push(*event).ok()?;
                from_there.pop().map(|event| event.seq)
            })
        });
        run.join().map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
    })
}

/// As [`lanes`], through two rings of the crate rtrb with nothing around them: what a lane adds to
/// its ring is the difference.
///
/// # Errors
/// An event did not come back as it was sent.
pub fn rings(cores: [usize; 2], groups: usize, size: u64) -> anyhow::Result<Vec<u64>> {
    let (mut there, mut from_here) = touched();
    let (mut back, mut from_there) = touched();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _pinned = host::pin(&cores[1..]);
            while let Some(event) = await_event(&mut from_here) {
                if back.push(event).is_err() {
                    return;
                }
            }
        });
        let run = scope.spawn(move || {
            let _pinned = host::pin(&cores[..1]);
            time_groups(groups, size, |event| {
                there.push(*event).ok()?;
                await_event(&mut from_there).map(|event| event.seq)
            })
        });
        run.join().map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
    })
}

/// Returns a ring whose pages have all been given.
fn touched() -> (Producer<Event>, Consumer<Event>) {
    let (mut producer, mut consumer) = RingBuffer::new(RING_EVENTS);
    while producer.push(event(0)).is_ok() {}
    while consumer.pop().is_ok() {}
    (producer, consumer)
}

fn await_event(from: &mut Consumer<Event>) -> Option<Event> {
    loop {
        if let Ok(event) = from.pop() {
            return Some(event);
        }
        if from.is_abandoned() && from.is_empty() {
            return None;
        }
        spin_loop();
    }
}

/// Runs `groups` groups of `size` bare round trips of one cache line, each group on one of `lines`
/// lines and each line for one stretch of groups; the nanoseconds of each group.
///
/// # Errors
/// The measuring thread panicked.
pub fn bare(cores: [usize; 2], lines: usize, groups: usize, size: u64) -> anyhow::Result<Vec<u64>> {
    let lines: Vec<_> = (0..lines).map(|_| CachePadded::new(AtomicU64::new(0))).collect();
    // The first round trip on a line takes longer, so a line is kept as long as there are groups.
    let stretch = groups.div_ceil(lines.len()).max(1);
    let line_of = |group: usize| &lines[group / stretch];
    // ORDERING: the counter is all that is exchanged, yet a hand-over needs release and acquire.
    let await_number = |line: &AtomicU64, number: u64| {
        while line.load(Ordering::Acquire) != number {
            spin_loop();
        }
    };
    let (line_of, await_number) = (&line_of, &await_number);
    thread::scope(|scope| {
        scope.spawn(move || {
            let _pinned = host::pin(&cores[1..]);
            let mut trip = 0;
            for group in 0..groups {
                let line = line_of(group);
                for _ in 0..size {
                    await_number(line, 2 * trip + 1);
                    line.store(2 * trip + 2, Ordering::Release);
                    trip += 1;
                }
            }
        });
        let run = scope.spawn(move || {
            let _pinned = host::pin(&cores[..1]);
            let mut took = Vec::with_capacity(groups);
            let mut trip = 0;
            for group in 0..groups {
                let line = line_of(group);
                let clock = Clock::start();
                for _ in 0..size {
                    line.store(2 * trip + 1, Ordering::Release);
                    await_number(line, 2 * trip + 2);
                    trip += 1;
                }
                took.push(clock.elapsed_ns());
            }
            took
        });
        run.join().map_err(|_| anyhow::anyhow!("the measuring thread panicked"))
    })
}

/// Measures both in turns.
///
/// # Errors
/// Fewer than two processors, or an event was lost.
pub fn measure(rounds: usize, groups: usize) -> anyhow::Result<Hop> {
    let cores = host::cores();
    let [one, two, ..] = cores[..] else {
        anyhow::bail!("a hop needs two processors, this process may use {}", cores.len());
    };
    let pair = [one, two];
    let picos = |ns: u64, parts: u64| ns * 1_000 / parts;
    let compared = in_turns(
        rounds,
        || anyhow::Ok(picos(percentile(&lanes(pair, RING_EVENTS, groups, GROUP)?, 50), GROUP * 2)),
        || Ok(picos(percentile(&bare(pair, RING_EVENTS, groups, GROUP)?, 50), GROUP)),
    )?;
    let (mut hops, mut bares) = (Vec::new(), Vec::new());
    let (mut of_rings, mut of_large) = (Vec::new(), Vec::new());
    let singles = groups * usize::try_from(GROUP)?;
    for _ in 0..rounds {
        of_rings.push(picos(percentile(&rings(pair, groups, GROUP)?, 50), GROUP * 2));
        of_large.push(picos(
            percentile(&lanes(pair, BURST_RING_EVENTS, groups, GROUP)?, 50),
            GROUP * 2,
        ));
        bares.push(picos(percentile(&bare(pair, RING_EVENTS, singles, 1)?, 99), 1));
        hops.push(picos(percentile(&lanes(pair, RING_EVENTS, singles, 1)?, 99), 2));
    }
    Ok(Hop {
        compared,
        ring: Spread::of(&of_rings),
        large: Spread::of(&of_large),
        hop_p99: Spread::of(&hops),
        bare_p99: Spread::of(&bares),
    })
}

/// Passes `events` events through one lane within this thread, in bursts of `burst`; the sum of
/// their numbers, which proves that all came.
///
/// # Panics
/// When the lane closes, which it cannot.
#[must_use]
pub fn through(sender: &mut Sender, receiver: &mut Receiver, events: u64, burst: u64) -> u64 {
    let mut sum = 0_u64;
    let mut number = 0;
    while number < events {
        let end = events.min(number + burst);
        for one in number..end {
            assert!(sender.push(event(one)).is_ok(), "the receiver is here");
        }
        for _ in number..end {
            sum = sum.wrapping_add(receiver.pop().map_or(0, |event| event.seq.0));
        }
        number = end;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back() {
        let cores = host::cores();
        let pair = [cores[0], *cores.last().unwrap()];
        // On one processor both ends would spin against each other.
        if pair[0] != pair[1] {
            assert_eq!(lanes(pair, 16, 3, 5).unwrap().len(), 3);
            assert_eq!(rings(pair, 3, 5).unwrap().len(), 3);
            assert_eq!(bare(pair, 2, 3, 5).unwrap().len(), 3);
        }
        let (mut sender, mut receiver) = lane(64, Wait::Spin);
        assert_eq!(through(&mut sender, &mut receiver, 1_000, 48), 499_500);
    }
}
