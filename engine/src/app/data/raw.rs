//! Raw captures: messages of a venue as they were received, each behind its local time.

use engine::source::Message;
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::order::InputFault;
use venues::binance::{Frame, Parser, SnapshotFrame, Stream, UPDATES_MAX, Updates};

use super::cursor::{Cursor, Next};
use super::fields;
use super::trace::Trace;

/// The rows of a raw capture.
#[derive(Debug)]
pub(super) struct Raw {
    labelled: bool,
    routes: Vec<Route>,
    /// Instruments in the capture that are not read.
    strangers: Vec<Trace>,
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
    /// What its snapshots are told by.
    pub(super) trace: Trace,
}

impl Raw {
    /// Returns the rows of a capture with these feeds, and with `strangers` that are not read.
    pub(super) fn new(labelled: bool, routes: Vec<Route>, strangers: Vec<Trace>) -> Self {
        Self { labelled, routes, strangers, last: 0, parser: Parser::new() }
    }

    /// Reads one line; false at the end.
    pub(super) fn read(&mut self, cursor: &mut Cursor, into: &mut Message) -> bool {
        match cursor.next(into) {
            Next::Line => {}
            Next::TooLong | Next::Failed => return true,
            Next::End => {
                let mark = into.updates.len();
                for Route { stream, .. } in &mut self.routes {
                    cursor.unused(mark, into, (stream.instrument(), stream.end()));
                }
                return false;
            }
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
            // Messages that waited for a snapshot are given up with a fault only.
            if let Some(Route { stream, .. }) = self.routes.get_mut(self.last) {
                cursor.unused(mark, into, (stream.instrument(), stream.take_unused()));
            }
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
            // Names no symbol: the label says whose it is, or its update id.
            Frame::Snapshot(_) | Frame::Other => b"",
        };
        let found = match &frame {
            Frame::Snapshot(frame) if label.is_empty() => {
                owner(&self.routes, &self.strangers, frame)
            }
            _ => route(&self.routes, self.last, label, symbol),
        };
        let Some(at) = found else {
            return Err(refuse(Some(time_ns), Some(NO_INSTRUMENT), InputFault::UnknownSymbol));
        };
        self.last = at;
        let Some(route) = self.routes.get_mut(at) else {
            return Err(refuse(Some(time_ns), Some(NO_INSTRUMENT), InputFault::UnknownSymbol));
        };
        let instrument = Some(route.stream.instrument());
        if let Err(fault) = route.stream.apply(&frame, out) {
            return Err(refuse(Some(time_ns), instrument, fault));
        }
        if let Frame::Depth(frame) = &frame {
            route.trace.see_ids(frame.first, frame.last);
        }
        Ok((time_ns, instrument))
    }
}

/// A line that was not used.
struct Refused {
    time_ns: Option<i64>,
    instrument: Option<InstrumentId>,
    fault: InputFault,
}

/// Finds the feed of a snapshot without a label. A capture of one instrument has only its own;
/// where there are several, it belongs to the one book that it fits. Where it fits two, or none,
/// nobody can tell: a wrong book is worse than none.
fn owner(routes: &[Route], strangers: &[Trace], frame: &SnapshotFrame<'_>) -> Option<usize> {
    if routes.len() == 1 && strangers.is_empty() {
        return Some(0);
    }
    let (_, bid, _) = frame.levels.iter().next()?;
    let fits = |trace: &Trace| trace.fits(frame.last, bid);
    if strangers.iter().any(fits) {
        return None;
    }
    let mut fitting =
        (0..routes.len()).filter(|at| routes.get(*at).is_some_and(|one| fits(&one.trace)));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
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
