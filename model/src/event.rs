//! The event: 64 bytes, one cache line, `Copy`, the only thing that travels between stages.
//!
//! ```text
//! offset  size  field
//!      0     8  seq          of the input record that this event is or was caused by
//!      8     8  ts           engine time, nanoseconds, strictly monotone over seq
//!     16     4  instrument   index in the session's table, 0xFFFF_FFFF for none
//!     20     2  kind         see [`Kind`]
//!     22     2  flags        see `FLAG_*`
//!     24    40  payload      fields of the kind, little endian, in order, the rest zero
//! ```
//!
//! Payloads are written and read field by field at offsets that are known when compiling, so there
//! is no padding to leak and no unsafe code. A kind that needs more than 40 bytes is two events of
//! one seq, the extra one first (`FLAG_MORE`); what is longer still (rule text) goes to the journal
//! by itself and never through a ring.

use crate::id::{InstrumentId, Seq};
use crate::time::Nanos;

mod field;
mod payload;

pub use field::Field;
pub use payload::*;

/// Bytes of an event.
pub const EVENT_BYTES: usize = 64;
/// Bytes of an event's payload.
pub const PAYLOAD_BYTES: usize = 40;

/// The last event of one message: replay releases messages as the session did.
pub const FLAG_LAST: u16 = 1;
/// Another event of the same seq follows directly: the two are one record.
pub const FLAG_MORE: u16 = 1 << 1;
/// Derived by the feed stage from earlier records (bars of trades, the touch of a book, timers, day
/// rolls, simulated outcomes): replay computes it again and compares.
pub const FLAG_DERIVED: u16 = 1 << 2;

/// One event. Built from a payload, so its bytes are always canonical.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Event {
    /// Seq of the input record that this event is or was caused by.
    pub seq: Seq,
    /// Engine time of that record.
    pub ts: Nanos,
    /// Instrument concerned, or [`crate::id::NO_INSTRUMENT`].
    pub instrument: InstrumentId,
    kind: Kind,
    /// Any of the `FLAG_*` bits.
    pub flags: u16,
    payload: [u8; PAYLOAD_BYTES],
}

const _: () = assert!(size_of::<Event>() == EVENT_BYTES && align_of::<Event>() == EVENT_BYTES);

/// The lane of a record: which stage wrote it. Lane 0 is the input, the others are decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Everything that is not a pure function of earlier records, and what feed derives.
    Input = 0,
    /// Signals.
    Strategy = 1,
    /// Verdicts, latches, balances, positions.
    Risk = 2,
    /// Order and cancel intents.
    Execution = 3,
    /// What left through the gate.
    Egress = 4,
    /// Between stages only: never journaled.
    Internal = 255,
}

impl Event {
    /// Returns an event with this payload and no flags.
    #[inline]
    #[must_use]
    pub fn new<P: Payload>(seq: Seq, ts: Nanos, instrument: InstrumentId, payload: &P) -> Self {
        Self { seq, ts, instrument, kind: P::KIND, flags: 0, payload: payload.pack() }
    }

    /// Returns the event as one of another instrument.
    #[must_use]
    pub fn with_instrument(mut self, instrument: InstrumentId) -> Self {
        self.instrument = instrument;
        self
    }

    /// Returns the event with `flags` added.
    #[inline]
    #[must_use]
    pub fn with_flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// Returns the kind.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the payload as typed fields.
    #[inline]
    #[must_use]
    pub fn body(&self) -> Body {
        Body::unpack(self.kind, &self.payload)
    }

    /// Returns the payload's bytes.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &[u8; PAYLOAD_BYTES] {
        &self.payload
    }

    /// Rebuilds an event from stored parts; `None` when the payload is not what its fields pack to
    /// (an enum out of range, a byte set behind the last field).
    pub(crate) fn from_parts(
        seq: Seq,
        ts: Nanos,
        instrument: InstrumentId,
        kind: Kind,
        flags: u16,
        payload: [u8; PAYLOAD_BYTES],
    ) -> Option<Self> {
        let canonical = Body::unpack(kind, &payload).pack() == payload;
        canonical.then_some(Self { seq, ts, instrument, kind, flags, payload })
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seq, ts, instrument, flags, .. } = self;
        write!(out, "#{} ts {} i{} f{flags} {:?}", seq.0, ts.0, instrument.0, self.body())
    }
}

#[cfg(test)]
mod tests;
