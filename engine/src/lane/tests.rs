//! Lanes under two threads and against a deque.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use model::event::{Body, Event, Trade};
use model::id::{InstrumentId, Seq};
use model::num::{Price, Qty};
use model::order::Side;
use model::time::Nanos;
use proptest::prelude::*;

use super::{Closed, Inlet, lane, lane_into};
use crate::idle::{Idler, Wait};

const WAITS: [Wait; 4] = [Wait::Spin, Wait::SpinYield, Wait::SpinPark, Wait::SleepMicros(1)];

/// Event number `n`: every field follows from it, so a torn or stale slot cannot pass.
fn event(n: u64) -> Event {
    let mix = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let trade = Trade {
        price: Price(mix.cast_signed()),
        qty: Qty((mix ^ n).cast_signed()),
        trade_id: !mix,
        venue_ts: Nanos((mix >> 7).cast_signed()),
        taker: if n.is_multiple_of(2) { Side::Buy } else { Side::Sell },
    };
    Event::new(Seq(n), Nanos(n.cast_signed()), InstrumentId(7), &trade)
}

/// Sends `count` events through a lane, in pushes and pops of changing sizes.
#[track_caller]
fn check_stress(capacity: usize, wait: Wait, count: u64) {
    let (mut sender, mut receiver) = lane(capacity, wait);
    let stalls = thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let events: Vec<Event> = (0..count).map(event).collect();
            let mut rest = &events[..];
            let mut size = 1;
            while !rest.is_empty() {
                let (batch, left) = rest.split_at(size.min(rest.len()));
                match batch {
                    [single] => sender.push(*single).unwrap(),
                    _ => sender.push_all(batch).unwrap(),
                }
                rest = left;
                size = size % 7 + 1;
            }
            sender.stalls()
        });
        let mut got = Vec::with_capacity(5);
        let mut next = 0;
        loop {
            got.clear();
            if next % 3 == 0 {
                got.extend(receiver.pop());
            } else {
                receiver.pop_batch(&mut got, 5);
            }
            if got.is_empty() {
                break;
            }
            for event_got in &got {
                assert_eq!(*event_got, event(next), "{wait} with {capacity} slots");
                next += 1;
            }
        }
        assert_eq!(next, count, "{wait} with {capacity} slots");
        assert_eq!(receiver.pop(), None);
        assert!((1..=capacity).contains(&receiver.high_water()));
        sending.join().unwrap()
    });
    assert!(stalls <= count);
}

#[test]
fn two_threads_lose_double_and_reorder_nothing() {
    for wait in WAITS {
        // Those that hold a core or sleep on a timer are slow on lanes this short.
        let count = match wait {
            Wait::Spin => 300,
            Wait::SleepMicros(_) => 1_000,
            Wait::SpinYield | Wait::SpinPark => 20_000,
        };
        for capacity in [1, 2, 3, 64] {
            check_stress(capacity, wait, count);
        }
    }
}

#[test]
fn a_large_ring_carries_a_million_events_between_parking_threads() {
    check_stress(4_096, Wait::SpinPark, 1_000_000);
}

#[test]
fn what_was_pushed_is_received_after_the_sender_has_gone() {
    for wait in WAITS {
        let (mut sender, mut receiver) = lane(8, wait);
        sender.push_all(&[event(1), event(2)]).unwrap();
        drop(sender);
        assert_eq!(receiver.pop(), Some(event(1)));
        assert_eq!(receiver.pop(), Some(event(2)));
        assert_eq!(receiver.pop(), None);
        assert_eq!(receiver.pop_batch(&mut Vec::new(), 4), 0);
    }
}

#[test]
fn a_push_to_nobody_is_refused_though_there_is_room() {
    let (mut sender, receiver) = lane(8, Wait::SpinPark);
    drop(receiver);
    assert_eq!(sender.push(event(1)), Err(Closed));
    assert_eq!(sender.push_all(&[event(1)]), Err(Closed));
    assert_eq!(sender.push_all(&[]), Ok(()));
    assert_eq!(sender.stalls(), 0);
}

#[test]
fn a_sender_that_waits_for_room_is_woken_by_the_death_of_its_receiver() {
    for wait in WAITS {
        let (mut sender, receiver) = lane(1, wait);
        sender.push(event(1)).unwrap();
        thread::scope(|scope| {
            let blocked = scope.spawn(move || (sender.push(event(2)), sender.stalls()));
            // Long enough, as a rule, for the sender to park; right in any case.
            (0..1_000).for_each(|_| thread::yield_now());
            drop(receiver);
            let (outcome, stalls) = blocked.join().unwrap();
            assert_eq!(outcome, Err(Closed));
            assert!(stalls <= 1);
        });
    }
}

#[test]
fn a_receiver_that_waits_is_woken_by_the_panic_of_its_sender() {
    for wait in WAITS {
        let (sender, mut receiver) = lane(1, wait);
        thread::scope(|scope| {
            let waiting = scope.spawn(move || receiver.pop());
            (0..1_000).for_each(|_| thread::yield_now());
            let dying = scope.spawn(move || {
                let _held = sender;
                std::panic::resume_unwind(Box::new("the stage died"));
            });
            assert!(dying.join().is_err());
            assert_eq!(waiting.join().unwrap(), None);
        });
    }
}

#[test]
fn stalls_and_high_water_are_counted() {
    let (mut sender, mut receiver) = lane(4, Wait::SpinPark);
    sender.push_all(&[event(0), event(1), event(2)]).unwrap();
    assert_eq!((sender.stalls(), receiver.high_water()), (0, 0));
    assert_eq!(receiver.pop(), Some(event(0)));
    assert_eq!(receiver.high_water(), 3);
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            sender.push_all(&[event(3), event(4), event(5)]).unwrap();
            sender.stalls()
        });
        while receiver.inlet.consumer.slots() < 4 {
            thread::yield_now();
        }
        let mut got = Vec::new();
        while got.len() < 5 {
            receiver.pop_batch(&mut got, 8);
        }
        assert_eq!(got, (1..6).map(event).collect::<Vec<_>>());
        assert!(sending.join().unwrap() <= 1);
    });
    assert_eq!(receiver.high_water(), 4);
}

#[test]
fn one_thread_serves_several_lanes_and_sleeps_between() {
    let (mut idler, bell) = Idler::new(Wait::SpinPark);
    let lanes = [1, 2, 3].map(|capacity| lane_into(capacity, Wait::SpinPark, &bell));
    thread::scope(|scope| {
        let mut inlets = Vec::new();
        for (mut sender, inlet) in lanes {
            inlets.push((inlet, 0));
            scope.spawn(move || {
                (0..20_000).for_each(|n| sender.push(event(n)).unwrap());
            });
        }
        while !inlets.iter().all(|(inlet, _)| inlet.is_finished()) {
            let mut found = false;
            for (inlet, next) in &mut inlets {
                while let Some(got) = inlet.try_pop() {
                    assert_eq!(got, event(*next));
                    *next += 1;
                    found = true;
                }
            }
            if found {
                idler.busy();
            } else {
                idler.idle(|| {
                    inlets.iter().any(|(inlet, _)| inlet.has_events())
                        || inlets.iter().all(|(inlet, _)| inlet.is_abandoned())
                });
            }
        }
        assert!(inlets.iter().all(|(_, next)| *next == 20_000));
    });
}

/// Receives `count` events in order; sleeps where there is none.
fn receive(inlet: &mut Inlet, idler: &mut Idler, count: u64) {
    for n in 0..count {
        let got = loop {
            match inlet.try_pop() {
                Some(got) => break got,
                None => idler.idle(|| inlet.has_events() || inlet.is_abandoned()),
            }
        };
        idler.busy();
        assert_eq!(got, event(n));
    }
}

#[test]
fn a_sender_that_seldom_rings_wakes_its_receiver_in_time() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const BLINK: Duration = Duration::from_millis(1);
    // Slots, events without a ring, how many are pushed, whether the sender stays until all are
    // received (its end would ring), and the nap: one of an hour must not be needed.
    for (capacity, unrung, count, stays, nap) in [
        (64, 2, 3, true, HOUR),
        (64, 0, 1, true, HOUR),
        (64, 63, 40, true, BLINK),
        (4, 1_000_000, 1_001, false, HOUR),
    ] {
        let (mut idler, bell) = Idler::napping(Wait::SpinPark, nap);
        let (sender, mut inlet) = lane_into(capacity, Wait::SpinPark, &bell);
        let mut sender = sender.ringing_after(unrung);
        let (got_all, all_got) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let events: Vec<Event> = (0..count).map(event).collect();
                for some in events.chunks(2) {
                    sender.push_all(some).unwrap();
                }
                if stays {
                    all_got.recv().unwrap();
                }
                drop(sender);
            });
            receive(&mut inlet, &mut idler, count);
            got_all.send(()).ok();
            sending.join().unwrap();
        });
        assert!(inlet.is_finished());
    }
}

#[test]
#[should_panic(expected = "a lane needs room for one event")]
fn a_lane_without_room_is_refused() {
    let _ends = lane(0, Wait::Spin);
}

#[test]
fn the_events_that_touch_the_pages_are_never_seen() {
    let (mut sender, mut receiver) = lane(3, Wait::Spin);
    assert!(!receiver.inlet.has_events());
    sender.push(event(9)).unwrap();
    let got = receiver.pop().unwrap();
    assert!(matches!(got.body(), Body::Trade(_)));
}

proptest! {
    /// One thread pushes what fits and pops; a deque does the same.
    #[test]
    fn a_lane_is_a_queue(
        capacity in 1..9_usize,
        steps in prop::collection::vec((0..9_usize, 0..9_usize), 0..64),
    ) {
        let (mut sender, mut receiver) = lane(capacity, Wait::SpinPark);
        let mut oracle = VecDeque::new();
        let (mut number, mut most) = (0, 0);
        for (push, pop) in steps {
            let room = capacity - oracle.len();
            let events: Vec<Event> = (number..).take(push.min(room)).map(event).collect();
            number += events.len() as u64;
            sender.push_all(&events).unwrap();
            oracle.extend(events);
            most = most.max(oracle.len());
            let mut got = Vec::new();
            receiver.inlet.try_pop_batch(&mut got, pop);
            let wanted: Vec<Event> = oracle.drain(..pop.min(oracle.len())).collect();
            prop_assert_eq!(got, wanted);
            prop_assert_eq!(receiver.high_water(), most);
        }
        prop_assert_eq!(sender.stalls(), 0);
    }
}
