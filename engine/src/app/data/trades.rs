//! Trades files: one trade a line, in the venue's own numbers.

use engine::source::Message;
use model::order::InputFault;
use venues::binance::{Frame, Stream, TradeFrame};

use super::cursor::{Cursor, Next};
use super::fields::{self, Columns};

/// Columns that are read.
pub(super) const COLUMNS: [&str; 6] =
    ["local_ts", "trade_ms", "trade_id", "price", "qty", "buyer_is_maker"];

/// The rows of a trades file.
#[derive(Debug)]
pub(super) struct TradeRows {
    columns: Columns,
    header: String,
    stream: Stream,
}

impl TradeRows {
    /// Returns the rows of a file with this header line.
    pub(super) fn new(columns: Columns, header: String, stream: Stream) -> Self {
        Self { columns, header, stream }
    }

    /// Reads one line; false at the end.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        match cursor.next(into) {
            Next::Line => {}
            Next::TooLong | Next::Failed => return true,
            Next::End => return false,
        }
        let instrument = cursor.instrument();
        let line = cursor.line();
        if line == self.header.as_bytes() {
            cursor.uncount();
            return true;
        }
        let (time_ns, frame) = match frame(&self.columns, line) {
            Some((time_ns, frame)) if fields::is_time(time_ns) => (time_ns, frame),
            read => {
                let too_late = read.map(|_| InputFault::TooLarge);
                cursor.fault(into, instrument, too_late.unwrap_or(InputFault::Malformed));
                return true;
            }
        };
        let mark = into.updates.len();
        let fault = self.stream.apply(&Frame::Trade(frame), &mut into.updates).err();
        let steps_back = cursor.tick(into, time_ns);
        if let Some(fault) = fault.or(steps_back.then_some(InputFault::ClockBack)) {
            cursor.fault_before(mark, into, instrument, fault);
        }
        true
    }
}

/// Reads a row as the venue's own message.
fn frame<'a>(columns: &'a Columns, line: &'a [u8]) -> Option<(i64, TradeFrame<'a>)> {
    let row = columns.cut(line);
    if !row.is_whole {
        return None;
    }
    let time_ns = i64::try_from(fields::integer(row.at(0))?).ok()?;
    let buyer_is_maker = match row.at(5) {
        b"0" => false,
        b"1" => true,
        _ => return None,
    };
    let frame = TradeFrame {
        symbol: b"",
        trade_id: fields::integer(row.at(2))?,
        time: fields::integer(row.at(1))?,
        price: row.at(3),
        qty: row.at(4),
        buyer_is_maker,
    };
    Some((time_ns, frame))
}
