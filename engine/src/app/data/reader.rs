//! One file as messages: what every format shares.
//!
//! ```text
//! Cursor --line--> Format reader --updates, faults--> Message
//! ```
//!
//! Nothing is passed over silently: what cannot be used is a `BadInput` in a message of its own
//! or before what the line led to, and is counted, once a message. A line that cannot be read does
//! not move time; one whose time steps back is used and reported, except for bars. Empty lines and
//! repeated header lines hold no message.

use engine::setup::Setup;
use engine::source::{Message, Progress};
use model::event::Body;

use super::cursor::Cursor;
use super::klines::Klines;
use super::levels::LevelRows;
use super::payments::Payments;
use super::raw::Raw;
use super::trades::TradeRows;

/// A file as messages.
#[derive(Debug)]
pub(super) struct Reader {
    cursor: Cursor,
    rows: Rows,
    /// A message said something else than what is wrong with it.
    is_used: bool,
}

/// The rows of a file, by format.
#[derive(Debug)]
pub(super) enum Rows {
    /// Venue messages.
    Raw(Box<Raw>),
    /// Levels of a book.
    Levels(Box<LevelRows>),
    /// Trades.
    Trades(Box<TradeRows>),
    /// Bars.
    Klines(Box<Klines>),
    /// Marks, fundings, or cash flows.
    Payments(Box<Payments>),
}

impl Reader {
    /// Returns the messages of a file.
    pub(super) fn new(cursor: Cursor, rows: Rows) -> Self {
        Self { cursor, rows, is_used: false }
    }

    /// Moves the next message that says anything into `into`; false at the end.
    pub(super) fn read(&mut self, into: &mut Message) -> bool {
        into.updates.clear();
        into.source = self.cursor.source();
        loop {
            let more = match &mut self.rows {
                Rows::Raw(rows) => rows.read(&mut self.cursor, into),
                Rows::Levels(rows) => rows.read(&mut self.cursor, into),
                Rows::Trades(rows) => rows.read(&mut self.cursor, into),
                Rows::Klines(rows) => rows.read(&mut self.cursor, into),
                Rows::Payments(rows) => rows.read(&mut self.cursor, into),
            };
            if !into.updates.is_empty() {
                let is_used = |body: &Body| !matches!(body, Body::BadInput(_));
                self.is_used = self.is_used || into.updates.iter().any(|(_, body)| is_used(body));
                return true;
            }
            if !more {
                return false;
            }
        }
    }

    /// Names the accounts and assets of the session, where rows name them.
    pub(super) fn of_session(&mut self, setup: &Setup) {
        if let Rows::Payments(rows) = &mut self.rows {
            rows.of_session(setup);
        }
    }

    /// Returns what has been read so far.
    pub(super) fn progress(&self) -> Progress {
        self.cursor.progress()
    }

    /// Tells whether the file had messages, and every one of them was bad.
    pub(super) fn is_unusable(&self) -> bool {
        let Progress { messages, bad, .. } = self.progress();
        !self.is_used && messages > 0 && bad >= messages
    }
}
