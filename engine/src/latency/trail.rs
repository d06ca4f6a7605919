//! Stamps on their way beside the events: a table that the stages of a session share.
//!
//! Each field has one writer, an earlier stage, and is read by later ones. A stage writes before it
//! hands the event on that the reader steps, so the ring between them (its Release and Acquire)
//! orders the two, and the fields themselves need no order of their own.

use crossbeam_utils::CachePadded;

use crate::stage::OUT_MAX;
use crate::sync::{AtomicU64, Ordering};

/// LIMIT: messages in flight of which the stamps are kept. Lock step has one; a table of many would
/// take from every message a cache line that books and rules need.
pub const MESSAGES: usize = 4;
/// LIMIT: signals and verdicts of which the stamps are kept: more than one step can put out, so
/// that none is overwritten before it is read.
pub const ORDERS: usize = 4_096;

const _: () = assert!(MESSAGES.is_power_of_two() && ORDERS.is_power_of_two());
const _: () = assert!(ORDERS > OUT_MAX);

/// The table.
#[derive(Debug)]
pub struct Trail {
    messages: Box<[CachePadded<Stamped>]>,
    signals: Box<[Mark]>,
    verdicts: Box<[Mark]>,
}

/// What is known of a message. The counter's values; 0 for a point that was not stamped.
#[derive(Debug, Default)]
struct Stamped {
    message: AtomicU64,
    received: AtomicU64,
    sequenced: AtomicU64,
}

/// When an order passed a point.
#[derive(Debug, Default)]
struct Mark {
    order: AtomicU64,
    message: AtomicU64,
    at: AtomicU64,
}

/// When a message was received and when it had its seq; 0 where that is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// t2.
    pub received: u64,
    /// t4.
    pub sequenced: u64,
}

/// Which of the two marks of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// t5.
    Signal,
    /// t6.
    Verdict,
}

// ORDERING: Relaxed throughout: see the head of this file.
fn read(field: &AtomicU64) -> u64 {
    field.load(Ordering::Relaxed)
}

fn write(field: &AtomicU64, value: u64) {
    field.store(value, Ordering::Relaxed);
}

impl Default for Trail {
    fn default() -> Self {
        Self::new()
    }
}

impl Trail {
    /// Returns an empty table, its room taken.
    #[must_use]
    pub fn new() -> Self {
        let marks = || (0..ORDERS).map(|_| Mark::default()).collect();
        let messages = (0..MESSAGES).map(|_| CachePadded::new(Stamped::default())).collect();
        Self { messages, signals: marks(), verdicts: marks() }
    }

    fn slot(&self, message: u64) -> Option<&Stamped> {
        let index = usize::try_from(message & (MESSAGES as u64).wrapping_sub(1)).ok()?;
        self.messages.get(index).map(|padded| &**padded)
    }

    fn mark(&self, which: Which, order: u64) -> Option<&Mark> {
        let marks = match which {
            Which::Signal => &self.signals,
            Which::Verdict => &self.verdicts,
        };
        // Orders of one message differ in ordinal or, by a few, in seq: both in the low bits.
        let mixed = order ^ (order >> 16);
        marks.get(usize::try_from(mixed & (ORDERS as u64).wrapping_sub(1)).ok()?)
    }

    /// Notes when a message came.
    #[inline]
    pub fn note(&self, message: u64, times: Times) {
        if let Some(slot) = self.slot(message) {
            write(&slot.message, message);
            write(&slot.received, times.received);
            write(&slot.sequenced, times.sequenced);
        }
    }

    /// Returns when a message came, unless its place was given to another.
    #[must_use]
    pub fn times(&self, message: u64) -> Option<Times> {
        let slot = self.slot(message).filter(|slot| read(&slot.message) == message)?;
        Some(Times { received: read(&slot.received), sequenced: read(&slot.sequenced) })
    }

    /// Notes when an order, caused by a message, passed a point.
    pub fn note_order(&self, which: Which, order: u64, message: u64, at: u64) {
        if let Some(mark) = self.mark(which, order) {
            write(&mark.order, order);
            write(&mark.message, message);
            write(&mark.at, at);
        }
    }

    /// Returns when an order, caused by this very message, passed a point.
    #[must_use]
    pub fn order(&self, which: Which, order: u64, message: u64) -> Option<u64> {
        let mark = self.mark(which, order)?;
        (read(&mark.order) == order && read(&mark.message) == message).then(|| read(&mark.at))
    }
}
