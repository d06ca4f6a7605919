//! Lanes: one-to-one rings of events between threads.
//!
//! rtrb's wait-free ring, and what it leaves out: waiting at both ends by a stated strategy, the
//! death of the other end, a high-water mark, a count of stalls. Every slot is written and read
//! once when a lane is made, so no stage meets a page fault.
//!
//! What a hop costs, and what is done about it:
//! - A slot's cache line lies with the receiver, which read it a round ago, and to write it the
//!   sender must have it back. It takes the next slot's line over after a push instead of at the
//!   next one: while the receiver works, and not while it waits.
//! - Bytes that are written in other pieces than they are read in wait until everything that was
//!   stored before them has left for the cache, what goes to the other processor too. So an event
//!   passes whole: as a slice and not by the ring's `push` and `pop`, whose results keep its kind
//!   apart from the rest, and inlined, since a call would copy it once more.
//!
//! Guarantees: order, nothing lost, nothing doubled. *A full lane never drops*: the sender waits
//! and counts. No end waits for a thread that has ended: what was pushed is still received, then
//! comes `None`; a push to nobody is `Closed`. Nothing allocates after the start.
//!
//! Called by the topology, the recorder and whoever feeds the feed stage.

use std::hint::black_box;
use std::slice;

use model::event::{Event, Settled};
use model::id::{NO_INSTRUMENT, Seq};
use model::time::Nanos;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::idle::{Doorbell, Idler, Wait};

/// The pushing end.
#[derive(Debug)]
pub struct Sender {
    // INVARIANT: declared before the bell, so dropped before it: the receiver that the last ring
    // wakes finds the ring abandoned.
    producer: Producer<Event>,
    receiver: LastRing,
    idler: Idler,
    stalls: u64,
    /// Events pushed since the receiver was last rung for, and how many may be.
    unrung: usize,
    unrung_max: usize,
}

/// The popping end of a thread that waits for this lane only.
#[derive(Debug)]
pub struct Receiver {
    inlet: Inlet,
    idler: Idler,
}

/// The popping end of a thread that has several lanes and one [`Idler`] for all.
#[derive(Debug)]
pub struct Inlet {
    // INVARIANT: declared before the bell, as in `Sender`.
    consumer: Consumer<Event>,
    sender: LastRing,
    high_water: usize,
}

/// The other end of the lane is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot push into a lane whose receiver has ended; stop the session")]
pub struct Closed;

/// A bell that rings a last time when its owner goes, however it goes.
#[derive(Debug)]
struct LastRing(Doorbell);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Makes a lane of `capacity` events; both ends wait by `wait`.
///
/// # Panics
/// When `capacity` is zero.
#[must_use]
pub fn lane(capacity: usize, wait: Wait) -> (Sender, Receiver) {
    let (idler, bell) = Idler::new(wait);
    let (sender, inlet) = lane_into(capacity, wait, &bell);
    (sender, Receiver { inlet, idler })
}

/// Makes a lane of `capacity` events into a thread with several lanes, which `receiver` wakes; the
/// sender waits by `wait`.
///
/// # Panics
/// When `capacity` is zero.
#[must_use]
pub fn lane_into(capacity: usize, wait: Wait, receiver: &Doorbell) -> (Sender, Inlet) {
    assert!(capacity > 0, "a lane needs room for one event");
    let (mut producer, mut consumer) = RingBuffer::new(capacity);
    touch(&mut producer, &mut consumer);
    let (idler, bell) = Idler::new(wait);
    let receiver = LastRing(receiver.clone());
    let inlet = Inlet { consumer, sender: LastRing(bell), high_water: 0 };
    let sender = Sender { producer, receiver, idler, stalls: 0, unrung: 0, unrung_max: 0 };
    (sender, inlet)
}

/// Fills and drains a new ring, so that the system has given every page of it.
fn touch(producer: &mut Producer<Event>, consumer: &mut Consumer<Event>) {
    let event = Event::new(Seq(0), Nanos(0), NO_INSTRUMENT, &Settled::default());
    while producer.push(event).is_ok() {}
    while consumer.pop().is_ok() {}
}

impl Sender {
    /// Lets so many events be pushed before the receiver is rung for: for one that naps
    /// ([`Idler::napping`]). A full lane and the end of the sender ring in any case.
    #[must_use]
    pub fn ringing_after(self, events: usize) -> Self {
        Self { unrung_max: events, ..self }
    }

    /// Pushes one event; waits while the lane is full.
    ///
    /// # Errors
    /// [`Closed`] when nobody will receive it.
    #[inline(always)]
    pub fn push(&mut self, event: Event) -> Result<(), Closed> {
        if self.producer.is_abandoned() {
            return Err(Closed);
        }
        let (pushed, _) = self.producer.push_partial_slice(slice::from_ref(&event));
        if pushed.is_empty() {
            return self.push_all(slice::from_ref(&event));
        }
        self.published(1);
        self.claim_next(event);
        Ok(())
    }

    /// Pushes events in order, as many at once as there is room for; waits while the lane is full.
    ///
    /// # Errors
    /// [`Closed`] when nobody will receive the rest.
    #[inline]
    pub fn push_all(&mut self, events: &[Event]) -> Result<(), Closed> {
        let mut rest = events;
        while !rest.is_empty() {
            if self.producer.is_abandoned() {
                return Err(Closed);
            }
            let (pushed, left) = self.producer.push_partial_slice(rest);
            if pushed.is_empty() {
                self.wait_for_room();
            } else {
                self.published(pushed.len());
            }
            rest = left;
        }
        if let Some(last) = events.last() {
            self.claim_next(*last);
        }
        Ok(())
    }

    /// Rings for what was pushed, unless it may wait.
    #[inline(always)]
    fn published(&mut self, count: usize) {
        self.unrung = self.unrung.saturating_add(count);
        if self.unrung > self.unrung_max {
            self.unrung = 0;
            self.receiver.0.ring();
        }
    }

    /// Writes the next slot without publishing it, if there is one: what is written does not
    /// matter, its cache line does.
    #[inline(always)]
    fn claim_next(&mut self, event: Event) {
        if let Ok(mut chunk) = self.producer.write_chunk_uninit(1)
            && let Some(slot) = chunk.as_mut_slices().0.first_mut()
        {
            // The next push overwrites it, so the optimiser must not see that nobody reads it.
            black_box(slot.write(event));
        }
    }

    /// Returns how often a push found the lane full.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.stalls
    }

    /// Returns when there is room, or nobody to make any.
    #[cold]
    fn wait_for_room(&mut self) {
        self.stalls = self.stalls.saturating_add(1);
        self.unrung = 0;
        self.receiver.0.ring();
        let Self { producer, idler, .. } = self;
        let ready = || !producer.is_full() || producer.is_abandoned();
        while !ready() {
            idler.idle(ready);
        }
        idler.busy();
    }
}

impl Receiver {
    /// Pops one event; waits while there is none. `None` when there will be no more.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<Event> {
        let Self { inlet, idler } = self;
        loop {
            // The same look ends the wait and takes the event: whatever stands between the two is
            // part of every hop.
            if let Some(event) = inlet.try_pop() {
                idler.busy();
                return Some(event);
            }
            if inlet.is_finished() {
                return None;
            }
            idler.idle(|| inlet.has_events() || inlet.is_abandoned());
        }
    }

    /// Pops the events that are there, at most `max`, to the end of `out`, and returns how many;
    /// waits while there is none. 0 when there will be no more, or `max` is 0.
    #[inline]
    pub fn pop_batch(&mut self, out: &mut Vec<Event>, max: usize) -> usize {
        loop {
            let count = self.inlet.try_pop_batch(out, max);
            if count > 0 || max == 0 || !self.wait() {
                return count;
            }
        }
    }

    /// Returns the most events that were found waiting.
    #[must_use]
    pub fn high_water(&self) -> usize {
        self.inlet.high_water
    }

    /// Returns when there is an event, or false when there will be none.
    fn wait(&mut self) -> bool {
        let Self { inlet, idler } = self;
        while !inlet.has_events() {
            if inlet.is_finished() {
                return false;
            }
            idler.idle(|| inlet.has_events() || inlet.is_abandoned());
        }
        idler.busy();
        true
    }
}

impl Inlet {
    /// Pops one event if there is one.
    #[inline(always)]
    pub fn try_pop(&mut self) -> Option<Event> {
        let chunk = self.consumer.read_chunk(1).ok()?;
        let event = chunk.as_slices().0.first().copied();
        chunk.commit_all();
        // What the last look at the sender's index found, of which this was the first or a later.
        self.high_water = self.high_water.max(self.consumer.cached_slots().saturating_add(1));
        self.sender.0.ring();
        event
    }

    /// Pops the events that are there, at most `max`, to the end of `out`, and returns how many.
    /// Allocates when `out` has no room for `max` more.
    #[inline]
    pub fn try_pop_batch(&mut self, out: &mut Vec<Event>, max: usize) -> usize {
        let waiting = self.consumer.slots();
        self.high_water = self.high_water.max(waiting);
        let count = waiting.min(max);
        if count == 0 {
            return 0;
        }
        let Ok(chunk) = self.consumer.read_chunk(count) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        chunk.commit_all();
        self.sender.0.ring();
        count
    }

    /// Returns true when an event waits.
    #[inline]
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.consumer.is_empty()
    }

    /// Returns true when the sender is gone; events may still wait.
    #[inline]
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }

    /// Returns true when the sender is gone and nothing waits.
    #[inline]
    #[must_use]
    pub fn is_finished(&self) -> bool {
        // In this order: what the sender pushed before it went is seen by the second look.
        self.is_abandoned() && !self.has_events()
    }

    /// Returns the most events that were found waiting.
    #[must_use]
    pub fn high_water(&self) -> usize {
        self.high_water
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
