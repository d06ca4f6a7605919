//! Handing an event to another processor: a lane there and a lane back, beside the bare cost of one
//! cache line that two processors exchange.
//!
//! A hop is half of a round trip of one event through two lanes, both ends spinning. The bare round
//! trip is one counter on a line of its own: written here, awaited and written there, awaited here.
//! Nothing can hand over anything in less than half of that; the goal allows all of it.
//!
//! Messages come when they come, so both ends do something for a changing time before they send
//! (`Rhythm::Irregular`), and that time is taken off again. Two processors that do nothing but
//! answer each other (`Rhythm::Tight`) fall into step instead: they learn after how many looks
//! the answer comes and read on before it is there, or just too late, and stay so for minutes. The
//! same program was then seen to hop in 58, 72 and 86 ns within the hour.
//!
//! Where a line has its home in the machine changes what it costs: between processors that share no
//! cache, one line in eight took 200 ns, most 225 and some 320, again and again. A lane has a line
//! for each slot, so the bare counter moves over as many, and the median of each is that of a
//! common line; one line alone is a draw by lot for the whole run.
//!
//! Medians are of groups of round trips between two readings of the clock, less a group that only
//! passes the time; the 99th percentile is of single ones.
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
use crate::random::Random;

/// Round trips between two readings of the clock.
pub const GROUP: usize = 32;

/// Pauses before an event is sent are fewer than this: each takes 10 to 40 ns, so that the time is
/// one that a stage needs for a message.
const PAUSES: u64 = 24;

/// When each end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// After a changing time.
    Irregular,
    /// At once.
    Tight,
}

/// What was measured, in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hop {
    /// One way through a lane (ours) beside one bare round trip (base), medians of groups.
    pub compared: Compared,
    /// The same in a tight loop.
    pub tight: Compared,
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

/// How many round trips, and how they follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Trips {
    /// Processors of the two ends.
    pub cores: [usize; 2],
    /// Groups of round trips.
    pub groups: usize,
    /// Round trips of one group.
    pub size: usize,
    /// When each end sends.
    pub rhythm: Rhythm,
}

impl Trips {
    /// The pauses of both ends before each round trip.
    fn pauses(&self) -> Vec<[u64; 2]> {
        let mut random = Random::new(1);
        let mut pauses = || match self.rhythm {
            Rhythm::Irregular => random.below(PAUSES),
            Rhythm::Tight => 0,
        };
        (0..self.groups * self.size).map(|_| [pauses(), pauses()]).collect()
    }

    /// Answers at one end and times groups at the other; the nanoseconds of each group without the
    /// pauses. `answer` takes what comes, pauses as long as it is told and sends it back, `ask`
    /// sends by number and takes the answer; both tell whether it came.
    fn time(
        &self,
        mut answer: impl FnMut(usize, u64) -> bool + Send,
        mut ask: impl FnMut(usize) -> bool + Send,
    ) -> anyhow::Result<Vec<u64>> {
        let pauses = self.pauses();
        let (pauses, cores, size) = (&pauses, self.cores, self.size);
        thread::scope(|scope| {
            scope.spawn(move || {
                let _pinned = host::pin(&cores[1..]);
                let mut pauses = pauses.iter().enumerate();
                while pauses.next().is_some_and(|(number, [_, far])| answer(number, *far)) {}
            });
            // The scope waits for the other end, which finds this one gone when `ask` is dropped.
            let run = scope.spawn(move || {
                let _pinned = host::pin(&cores[..1]);
                let mut took = Vec::with_capacity(pauses.len() / size);
                let mut number = 0;
                for group in pauses.chunks(size) {
                    let clock = Clock::start();
                    for [near, far] in group {
                        pause(*near);
                        pause(*far);
                    }
                    let idle = clock.elapsed_ns();
                    let clock = Clock::start();
                    for [near, _] in group {
                        pause(*near);
                        ensure!(ask(number), "round trip {number} did not come back");
                        number += 1;
                    }
                    took.push(clock.elapsed_ns().saturating_sub(idle));
                }
                Ok(took)
            });
            run.join().map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
        })
    }

    /// Times round trips through two lanes of `slots`; the nanoseconds of each group.
    ///
    /// # Errors
    /// An event did not come back as it was sent.
    pub fn lanes(&self, slots: usize) -> anyhow::Result<Vec<u64>> {
        let (mut there, mut from_here) = lane(slots, Wait::Spin);
        let (mut back, mut from_there) = lane(slots, Wait::Spin);
        let events = self.events();
        self.time(
            move |_, pauses| {
                let Some(event) = from_here.pop() else { return false };
                pause(pauses);
                back.push(event).is_ok()
            },
            move |number| {
                let event = &events[number % events.len()];
                there.push(*event).is_ok()
                    && from_there.pop().is_some_and(|came| came.seq == event.seq)
            },
        )
    }

    /// As [`lanes`](Self::lanes), through two rings of the crate rtrb with nothing around them:
    /// what a lane adds to its ring is the difference.
    ///
    /// # Errors
    /// An event did not come back as it was sent.
    pub fn rings(&self) -> anyhow::Result<Vec<u64>> {
        let (mut there, mut from_here) = touched();
        let (mut back, mut from_there) = touched();
        let events = self.events();
        self.time(
            move |_, pauses| {
                let Some(event) = await_event(&mut from_here) else { return false };
                pause(pauses);
                back.push(event).is_ok()
            },
            move |number| {
                let event = &events[number % events.len()];
                there.push(*event).is_ok()
                    && await_event(&mut from_there).is_some_and(|came| came.seq == event.seq)
            },
        )
    }

    /// Times bare round trips of one cache line, each group on one of `lines` lines and each line
    /// for one stretch of groups, since the first round trip on a line takes longer.
    ///
    /// # Errors
    /// The measuring thread panicked.
    pub fn bare(&self, lines: usize) -> anyhow::Result<Vec<u64>> {
        let lines: Vec<_> = (0..lines).map(|_| CachePadded::new(AtomicU64::new(0))).collect();
        let stretch = (self.groups * self.size).div_ceil(lines.len()).next_multiple_of(self.size);
        let line_of = |number: usize| &lines[number / stretch];
        // ORDERING: the counter is all that is exchanged, yet a hand-over needs release and
        // acquire.
        let await_number = |line: &AtomicU64, number: usize| {
            while line.load(Ordering::Acquire) != number as u64 {
                spin_loop();
            }
        };
        let (line_of, await_number) = (&line_of, &await_number);
        self.time(
            move |number, pauses| {
                let line = line_of(number);
                await_number(line, 2 * number + 1);
                pause(pauses);
                line.store(2 * number as u64 + 2, Ordering::Release);
                true
            },
            move |number| {
                let line = line_of(number);
                line.store(2 * number as u64 + 1, Ordering::Release);
                await_number(line, 2 * number + 2);
                true
            },
        )
    }

    /// Events whose numbers can be told again when they come back. They are made before, and what
    /// comes is not moved on: the header of `engine::lane` says why.
    fn events(&self) -> Vec<Event> {
        (0..self.size as u64).map(event).collect()
    }
}

/// An event of a number.
fn event(number: u64) -> Event {
    let settled = Settled { message: number };
    Event::new(Seq(number), Nanos(0), NO_INSTRUMENT, &settled)
}

/// Passes the time.
fn pause(pauses: u64) {
    for _ in 0..pauses {
        spin_loop();
    }
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

/// Measures all in turns.
///
/// # Errors
/// Fewer than two processors, or an event was lost.
pub fn measure(rounds: usize, groups: usize) -> anyhow::Result<Hop> {
    let cores = host::cores();
    let [one, two, ..] = cores[..] else {
        anyhow::bail!("a hop needs two processors, this process may use {}", cores.len());
    };
    let irregular = Trips { cores: [one, two], groups, size: GROUP, rhythm: Rhythm::Irregular };
    let tight = Trips { rhythm: Rhythm::Tight, ..irregular };
    let single = Trips { groups: groups * GROUP, size: 1, ..irregular };
    let picos = |trips: &Trips, took: &[u64], share, ways: u64| {
        percentile(took, share) * 1_000 / (trips.size as u64 * ways)
    };
    let compare = |trips: &Trips| {
        in_turns(
            rounds,
            || anyhow::Ok(picos(trips, &trips.lanes(RING_EVENTS)?, 50, 2)),
            || Ok(picos(trips, &trips.bare(RING_EVENTS)?, 50, 1)),
        )
    };
    let (compared, in_step) = (compare(&irregular)?, compare(&tight)?);
    let (mut hops, mut bares) = (Vec::new(), Vec::new());
    let (mut of_rings, mut of_large) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        of_rings.push(picos(&irregular, &irregular.rings()?, 50, 2));
        of_large.push(picos(&irregular, &irregular.lanes(BURST_RING_EVENTS)?, 50, 2));
        bares.push(picos(&single, &single.bare(RING_EVENTS)?, 99, 1));
        hops.push(picos(&single, &single.lanes(RING_EVENTS)?, 99, 2));
    }
    Ok(Hop {
        compared,
        tight: in_step,
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
            for rhythm in [Rhythm::Irregular, Rhythm::Tight] {
                let trips = Trips { cores: pair, groups: 3, size: 5, rhythm };
                assert_eq!(trips.lanes(16).unwrap().len(), 3);
                assert_eq!(trips.rings().unwrap().len(), 3);
                assert_eq!(trips.bare(2).unwrap().len(), 3);
            }
        }
        let (mut sender, mut receiver) = lane(64, Wait::Spin);
        assert_eq!(through(&mut sender, &mut receiver, 1_000, 48), 499_500);
    }
}
