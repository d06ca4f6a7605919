//! Where market data comes from: recorded files, a generated market, a journal.
//!
//! A source yields messages in its own order, each with the moment it was received. It never blocks
//! on anything but its own bytes, and it never reads a clock: the feed stage decides what time it
//! is.

use model::event::Body;
use model::id::InstrumentId;
use model::time::Nanos;

/// One message of a source: what the feed stage turns into input records.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Receive time.
    pub ts: Nanos,
    /// Index of the source in the run's metadata: breaks ties of equal times.
    pub source: u16,
    /// What the message says, in order; a [`Body::BarExtra`] stands directly before its bar.
    /// Reused: filling it allocates only until it has grown to the largest message.
    pub updates: Vec<(InstrumentId, Body)>,
}

impl Message {
    /// Tells whether it is an order of an operator, and no message of the market.
    #[must_use]
    pub fn is_order(&self) -> bool {
        matches!(
            self.updates.first(),
            Some((_, Body::Note(_) | Body::Command(_) | Body::LatchCleared(_)))
        )
    }
}

/// A source of market data.
pub trait Source {
    /// Returns the receive time of the next message, `None` at the end; of a journal's first
    /// message, when the journaled session began with it. Cheap: called often.
    fn peek(&mut self) -> Option<Nanos>;

    /// Moves the next message into `into`, whose `updates` are cleared first. Returns false at the
    /// end. What cannot be used is in the message as a `BadInput`, never skipped silently.
    fn take(&mut self, into: &mut Message) -> bool;

    /// Returns the counter's value at which a schedule meant the next message to be released, or
    /// `None` where there is no schedule. For what is measured only.
    fn intended(&self) -> Option<u64> {
        None
    }
    /// Waits until what comes next is due: a message, or what the simulated venue or a timer does
    /// at that time. A source that goes as fast as it can does not wait. Returns true when
    /// something else has come meanwhile, and `peek` is to be asked again.
    fn wait(&mut self, _until: Nanos) -> bool {
        false
    }

    /// Returns what has been read so far.
    fn progress(&self) -> Progress;

    /// Returns, at the end, up to when timers and reports of the simulated venue came without a
    /// message behind them: a journal knows. `None` where the session ends with the last message.
    fn horizon(&self) -> Option<Nanos> {
        None
    }
}

/// How far a source is, for people and for the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lines with a payload that were read, snapshots included.
    pub messages: u64,
    /// Messages that were not used.
    pub bad: u64,
    /// Bytes of the files that were consumed (compressed, where they are).
    pub bytes: u64,
    /// Bytes of the files in all; 0 when unknown.
    pub bytes_total: u64,
    /// True when a source ended before its data did: truncated or unreadable from here on.
    pub failed: bool,
}
