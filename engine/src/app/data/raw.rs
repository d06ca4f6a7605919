//! Raw captures: messages of a venue as they were received, each behind its local time.

use engine::source::Message;
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::order::InputFault;
use venues::binance::{Frame, Parser, Stream, UPDATES_MAX, Updates};

use super::cursor::{Cursor, Next};
use super::fields;

/// The rows of a raw capture.
#[derive(Debug)]
pub(super) struct Raw {
    labelled: bool,
    routes: Vec<Route>,
    /// Route of the line before: lines of one feed come in runs.
    last: usize,
    parser: Parser,
}

/// Where the messages of one feed go.
#[derive(Debug)]
pub(super) struct Route {
    /// Label of the feed; empty where lines have none.
    pub(super) label: Vec<u8>,
    /// The venue's symbol.
    pub(super) venue_symbol: String,
    /// The instrument's stream.
    pub(super) stream: Stream,
}

impl Raw {
    /// Returns the rows of a capture with these feeds.
    pub(super) fn new(labelled: bool, routes: Vec<Route>) -> Self {
        Self { labelled, routes, last: 0, parser: Parser::new() }
    }

    /// Reads one line; false at the end.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        match cursor.next(into) {
            Next::Line => {}
            Next::TooLong | Next::Failed => return true,
            Next::End => return false,
        }
        // Taken once a vector: room for the longest message.
        into.updates.reserve(UPDATES_MAX);
        let mark = into.updates.len();
        let outcome = self.apply(cursor.line(), &mut into.updates);
        let (time_ns, instrument, fault) = match outcome {
            Ok((time_ns, instrument)) => (Some(time_ns), instrument, None),
            Err(Refused { time_ns, instrument, fault }) => (time_ns, instrument, Some(fault)),
        };
        let instrument = instrument.unwrap_or(cursor.instrument());
        let steps_back = time_ns.is_some_and(|time_ns| cursor.tick(into, time_ns));
        if let Some(fault) = fault.or(steps_back.then_some(InputFault::ClockBack)) {
            cursor.fault_before(mark, into, instrument, fault);
        }
        true
    }

    fn apply(
        &mut self,
        line: &[u8],
        out: &mut Updates,
    ) -> Result<(i64, Option<InstrumentId>), Refused> {
        let refuse = |time_ns, instrument, fault| Refused { time_ns, instrument, fault };
        let Some((time_ns, label, json)) = fields::raw_payload(line, self.labelled) else {
            return Err(refuse(None, None, InputFault::Malformed));
        };
        if !fields::is_time(time_ns) {
            return Err(refuse(None, None, InputFault::TooLarge));
        }
        let frame = match self.parser.parse(json) {
            Ok(frame) => frame,
            // A line that cannot be read is not trusted with the time either.
            Err(fault) => {
                let route = route(&self.routes, self.last, label, b"");
                let known = route.and_then(|at| self.routes.get(at));
                let instrument = known.map(|route| route.stream.instrument());
                return Err(refuse(None, instrument, fault));
            }
        };
        if frame == Frame::Other {
            let at = route(&self.routes, self.last, label, b"");
            let instrument = at.and_then(|at| self.routes.get(at)).map(|at| at.stream.instrument());
            return Err(refuse(Some(time_ns), instrument, InputFault::UnknownKind));
        }
        let symbol = match &frame {
            Frame::Trade(frame) => frame.symbol,
            Frame::BookTicker(frame) => frame.symbol,
            Frame::Depth(frame) => frame.symbol,
            // Names no symbol: only the label, or the capture of one instrument, says whose it is.
            Frame::Snapshot(_) | Frame::Other => b"",
        };
        let Some(at) = route(&self.routes, self.last, label, symbol) else {
            return Err(refuse(Some(time_ns), Some(NO_INSTRUMENT), InputFault::UnknownSymbol));
        };
        self.last = at;
        let Some(route) = self.routes.get_mut(at) else {
            return Err(refuse(Some(time_ns), Some(NO_INSTRUMENT), InputFault::UnknownSymbol));
        };
        let instrument = Some(route.stream.instrument());
        match route.stream.apply(&frame, out) {
            Ok(()) => Ok((time_ns, instrument)),
            Err(fault) => Err(refuse(Some(time_ns), instrument, fault)),
        }
    }
}

/// A line that was not used.
struct Refused {
    time_ns: Option<i64>,
    instrument: Option<InstrumentId>,
    fault: InputFault,
}

/// Finds the feed of a message. Without a symbol the label must say it, or there is only one feed.
fn route(routes: &[Route], last: usize, label: &[u8], symbol: &[u8]) -> Option<usize> {
    if label.is_empty() && symbol.is_empty() {
        return (routes.len() == 1).then_some(0);
    }
    let fits = |route: &Route| {
        route.label == label && (symbol.is_empty() || route.venue_symbol.as_bytes() == symbol)
    };
    if routes.get(last).is_some_and(fits) {
        return Some(last);
    }
    routes.iter().position(fits)
}
