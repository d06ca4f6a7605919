//! L2 files: rows of one snapshot or one delta stand together and are one message.
//!
//! The rows of a message are written out as the venue's own JSON and go through the venue's reader,
//! so that one place judges sequence numbers and grids, whatever the book was recorded as. A
//! message with a row that cannot be read is not used at all: half of it would leave a wrong book.

use std::io::Write;

use engine::source::Message;
use model::order::InputFault;
use venues::binance::{FRAME_BYTES_MAX, Parser, Stream, UPDATES_MAX};

use super::cursor::{Cursor, Next};
use super::fields::{self, Columns};

/// Columns that are read.
pub(super) const COLUMNS: [&str; 9] =
    ["local_ts", "event_ms", "kind", "first_u", "last_u", "prev_u", "side", "price", "qty"];

/// The rows of an L2 file.
#[derive(Debug)]
pub(super) struct LevelRows {
    columns: Columns,
    header: String,
    stream: Stream,
    parser: Parser,
    /// The message that is being gathered.
    open: Option<Key>,
    /// First line of it.
    first_line: u64,
    /// What is wrong with one of its rows, and where.
    broken: Option<(u64, InputFault)>,
    /// The message before was a snapshot: the deltas behind it were received earlier.
    after_snapshot: bool,
    bids: Vec<u8>,
    asks: Vec<u8>,
    text: Vec<u8>,
}

/// What the rows of one message share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    time_ns: i64,
    event_ms: u64,
    snapshot: bool,
    first: u64,
    last: u64,
    previous: Option<u64>,
}

impl LevelRows {
    /// Returns the rows of a file with this header line.
    pub(super) fn new(columns: Columns, header: String, stream: Stream) -> Self {
        Self {
            columns,
            header,
            stream,
            parser: Parser::new(),
            open: None,
            first_line: 0,
            broken: None,
            after_snapshot: false,
            bids: Vec::with_capacity(FRAME_BYTES_MAX / 8),
            asks: Vec::with_capacity(FRAME_BYTES_MAX / 8),
            text: Vec::with_capacity(FRAME_BYTES_MAX / 4),
        }
    }

    /// Reads rows up to the end of one message; false at the end of the file.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        loop {
            match cursor.next(into) {
                Next::Line => {}
                Next::End => {
                    self.close(cursor, into);
                    return false;
                }
                // A row is missing from the message, whichever it was.
                Next::TooLong => {
                    self.broken.get_or_insert((cursor.number(), InputFault::TooLarge));
                    return true;
                }
                Next::Failed => {
                    self.forget();
                    return true;
                }
            }
            let line = cursor.line();
            if line == self.header.as_bytes() {
                cursor.uncount();
                continue;
            }
            let row = self.columns.cut(line);
            let key = match if row.is_whole { Key::of(&row) } else { None } {
                Some(key) if fields::is_time(key.time_ns) => key,
                // Whose row it was cannot be told: the message it stands in is not used.
                read => {
                    let too_late = read.map(|_| InputFault::TooLarge);
                    let fault = too_late.unwrap_or(InputFault::Malformed);
                    self.broken.get_or_insert((cursor.number(), fault));
                    if self.open.is_none() {
                        self.close(cursor, into);
                        return true;
                    }
                    continue;
                }
            };
            let begins = self.open != Some(key);
            let closed = begins && self.open.is_some();
            if closed {
                self.close(cursor, into);
            }
            if begins {
                self.open = Some(key);
                self.first_line = cursor.number();
            }
            self.push(cursor);
            if closed {
                return true;
            }
        }
    }

    /// Adds the level of the current row to the message.
    fn push(&mut self, cursor: &Cursor) {
        let row = self.columns.cut(cursor.line());
        let room = FRAME_BYTES_MAX.saturating_sub(self.bids.len().saturating_add(self.asks.len()));
        let (price, qty) = (row.at(7), row.at(8));
        let text = match row.at(6) {
            b"b" => &mut self.bids,
            b"a" => &mut self.asks,
            _ => {
                self.broken.get_or_insert((cursor.number(), InputFault::Malformed));
                return;
            }
        };
        if !is_number(price) || !is_number(qty) {
            self.broken.get_or_insert((cursor.number(), InputFault::Malformed));
            return;
        }
        if room < cursor.line().len() {
            self.broken.get_or_insert((cursor.number(), InputFault::TooLarge));
            return;
        }
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(b"[\"");
        text.extend_from_slice(price);
        text.extend_from_slice(b"\",\"");
        text.extend_from_slice(qty);
        text.extend_from_slice(b"\"]");
    }

    /// Hands the gathered message to the venue's reader.
    fn close(&mut self, cursor: &mut Cursor, into: &mut Message) {
        let instrument = cursor.instrument();
        let broken = self.broken.take();
        let Some(key) = self.open.take() else {
            if let Some((line, fault)) = broken {
                cursor.fault_at(into.updates.len(), into, instrument, (fault, line));
            }
            return;
        };
        self.write(&key);
        self.bids.clear();
        self.asks.clear();
        // Taken once a vector: room for the longest message.
        into.updates.reserve(UPDATES_MAX);
        let mark = into.updates.len();
        let (line, fault) = match broken {
            Some((line, fault)) => (line, Some(fault)),
            None => {
                let frame = self.parser.parse(&self.text);
                let applied = frame.and_then(|frame| self.stream.apply(&frame, &mut into.updates));
                (self.first_line, applied.err())
            }
        };
        let is_normal = self.after_snapshot && !key.snapshot;
        self.after_snapshot = key.snapshot;
        let steps_back = cursor.tick(into, key.time_ns) && !is_normal;
        if let Some(fault) = fault.or(steps_back.then_some(InputFault::ClockBack)) {
            cursor.fault_at(mark, into, instrument, (fault, line));
        }
    }

    /// Drops the gathered message, whose end is missing and was reported.
    fn forget(&mut self) {
        self.open = None;
        self.broken = None;
        self.bids.clear();
        self.asks.clear();
    }

    /// Writes the message as the venue does, in the venue's order of fields.
    fn write(&mut self, key: &Key) {
        let Self { text, bids, asks, .. } = self;
        let Key { event_ms, first, last, previous, .. } = *key;
        text.clear();
        let previous = previous.unwrap_or(0);
        // Writing to a vector cannot fail.
        drop(match (key.snapshot, key.previous.is_some()) {
            (true, _) => write!(text, "{{\"lastUpdateId\":{last},\"bids\":["),
            (false, true) => write!(
                text,
                "{{\"e\":\"depthUpdate\",\"E\":{event_ms},\"T\":{event_ms},\"s\":\"\",\
                 \"U\":{first},\"u\":{last},\"pu\":{previous},\"b\":["
            ),
            (false, false) => write!(
                text,
                "{{\"e\":\"depthUpdate\",\"E\":{event_ms},\"s\":\"\",\"U\":{first},\"u\":{last},\
                 \"b\":["
            ),
        });
        text.extend_from_slice(bids);
        text.extend_from_slice(if key.snapshot { b"],\"asks\":[" } else { b"],\"a\":[" });
        text.extend_from_slice(asks);
        text.extend_from_slice(b"]}");
    }
}

impl Key {
    fn of(row: &fields::Row<'_>) -> Option<Self> {
        let snapshot = match row.at(2) {
            b"S" => true,
            b"D" => false,
            _ => return None,
        };
        let optional = |text: &[u8]| {
            if text.is_empty() { Some(None) } else { fields::integer(text).map(Some) }
        };
        let first = optional(row.at(3))?;
        Some(Self {
            time_ns: i64::try_from(fields::integer(row.at(0))?).ok()?,
            event_ms: optional(row.at(1))?.unwrap_or(0),
            snapshot,
            first: if snapshot { 0 } else { first? },
            last: fields::integer(row.at(4))?,
            previous: optional(row.at(5))?,
        })
    }
}

/// Tells whether a text can stand in JSON as a number in quotes. Its value is judged later.
fn is_number(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'))
}
