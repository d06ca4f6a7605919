//! The market data of a journal, as a source of messages.

use std::path::Path;

use journal::ReadError;
use model::event::{Body, Event, FLAG_DERIVED, FLAG_LAST, Kind, Lane};
use model::time::Nanos;

use crate::source::{Message, Progress, Source};
use crate::tape::{JournaledEvents, TapeError};

/// The market data of a journal, message by message as the session saw it: what replay computes the
/// rest from, and recorded data of another session.
#[derive(Debug)]
pub struct JournalSource {
    events: JournaledEvents,
    next: Option<Event>,
    /// When the session began, until its first message is taken: that message was stamped behind
    /// the records of the start, and came with it.
    start: Option<Nanos>,
    first: Option<Nanos>,
    /// Time of the last input before the session's end.
    last: Nanos,
    /// The session's end was read: what follows belongs to it.
    is_over: bool,
    progress: Progress,
    /// A message said something else than what was wrong with it.
    is_used: bool,
    /// A fault met while reading: the source ends there.
    pub fault: Option<TapeError>,
    pending: Message,
}

impl JournalSource {
    /// Opens the market data of a journal.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let mut source = Self {
            events: JournaledEvents::open(dir, Lane::Input)?,
            next: None,
            start: None,
            first: None,
            last: Nanos(0),
            is_over: false,
            progress: Progress::default(),
            is_used: false,
            fault: None,
            pending: Message::default(),
        };
        source.fetch();
        source.gather();
        Ok(source)
    }

    /// Says how many bytes there are to read, for those who watch; see [`super::Origin::bytes`].
    pub fn promise(&mut self, bytes: u64) {
        self.progress.bytes_total = bytes;
    }

    /// Tells whether there were messages, and every one of them was bad.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        !self.is_used && self.progress.messages > 0
    }

    fn fetch(&mut self) {
        self.next = match self.events.advance() {
            Ok(event) => event,
            Err(fault) => {
                self.fault = Some(fault);
                self.progress.failed = true;
                None
            }
        };
    }

    /// Collects the next message with something in it that feed did not derive.
    fn gather(&mut self) {
        self.pending.updates.clear();
        self.first = None;
        while let Some(event) = self.next {
            if event.kind() == Kind::SessionStart {
                self.start = Some(event.ts);
            }
            self.is_over |= event.kind() == Kind::SessionEnd;
            if !self.is_over {
                self.last = event.ts;
            }
            if event.flags & FLAG_DERIVED == 0 {
                if self.pending.updates.is_empty() {
                    self.pending.ts = event.ts;
                    self.first = Some(event.ts);
                }
                self.pending.updates.push((event.instrument, event.body()));
            }
            self.fetch();
            if event.flags & FLAG_LAST != 0 && !self.pending.updates.is_empty() {
                return;
            }
        }
    }
}

impl Source for JournalSource {
    fn peek(&mut self) -> Option<Nanos> {
        self.first.map(|first| self.start.unwrap_or(first))
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.first.is_none() {
            return false;
        }
        self.start = None;
        std::mem::swap(into, &mut self.pending);
        let mut bad = 0_u64;
        for (_, body) in &into.updates {
            if let Body::BadInput(input) = body {
                bad = bad.saturating_add(input.count);
            } else {
                self.is_used = true;
            }
        }
        // A record of bad input stands for several messages that left nothing else.
        self.progress.messages = self.progress.messages.saturating_add(bad.max(1));
        self.progress.bad = self.progress.bad.saturating_add(bad);
        self.progress.bytes = self.events.position();
        self.gather();
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    fn horizon(&self) -> Option<Nanos> {
        Some(self.last)
    }
}
