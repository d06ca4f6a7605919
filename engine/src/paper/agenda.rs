//! What is due, and when: arrivals at the venue, ends of waiting orders, reports on their way back.
//!
//! The venue's time never steps back and nothing overtakes on one connection, so each of the three
//! is a queue that is sorted by itself: what would come before the last of its queue comes with it.
//! What is due at the same moment runs in this order: arrivals, then ends, then reports; within one
//! of them by creation.

use std::collections::VecDeque;

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::{Body, Kind, PAYLOAD_BYTES};
use model::id::{InstrumentId, OrderNo};
use model::num::Price;
use model::time::Nanos;

use crate::limits::{OPEN_ORDERS_MAX, STOPS_MAX};

/// LIMIT: fills on their way back. At it nothing more is filled until a report has left: what is
/// available counts as not there.
pub(super) const FILLS_MAX: usize = 16_384;
/// LIMIT: an order, its stop and one cancel for each open order, a new stop and a cancel for each
/// stop; [`super::Paper::submit`] keeps to it.
const ARRIVALS_MAX: usize = 3 * OPEN_ORDERS_MAX + 2 * STOPS_MAX;
/// LIMIT: all that are open may wait, stops that were triggered too.
const EXPIRIES_MAX: usize = OPEN_ORDERS_MAX + STOPS_MAX;
/// LIMIT: besides its fills, each open order has one acknowledgement and one end to report; so has
/// each stop.
const REPORTS_MAX: usize = FILLS_MAX + 2 * (OPEN_ORDERS_MAX + STOPS_MAX);

/// Something about an order that happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Errand {
    due: Nanos,
    order: OrderNo,
    act: Act,
}

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// It reaches the venue.
    Order,
    /// Its cancel does.
    Cancel,
    /// A protective stop does, or a new trigger of it.
    Stop(Price),
    /// It has waited long enough.
    Expiry,
}

/// A report on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    due: Nanos,
    instrument: InstrumentId,
    body: Body,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// An order reaches the venue.
    Order(OrderNo),
    /// A cancel reaches the venue.
    Cancel(OrderNo),
    /// A protective stop reaches the venue, or a new trigger of it.
    Stop(OrderNo, Price),
    /// An order has waited long enough.
    Expiry(OrderNo),
    /// A report reaches us.
    Report(InstrumentId, Body),
}

impl Act {
    fn save(self, out: &mut ImageWriter) {
        let (code, trigger) = match self {
            Self::Order => (0_u8, Price(0)),
            Self::Cancel => (1, Price(0)),
            Self::Stop(trigger) => (2, trigger),
            Self::Expiry => (3, Price(0)),
        };
        out.put(code);
        out.put(trigger);
    }

    fn load(from: &mut ImageReader<'_>) -> Result<Self, ImageError> {
        let (code, trigger): (u8, Price) = (from.take()?, from.take()?);
        match code {
            0 => Ok(Self::Order),
            1 => Ok(Self::Cancel),
            2 => Ok(Self::Stop(trigger)),
            3 => Ok(Self::Expiry),
            _ => Err(ImageError::Range),
        }
    }
}

/// The three queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agenda {
    arrivals: VecDeque<Errand>,
    expiries: VecDeque<Errand>,
    reports: VecDeque<Report>,
    /// Fills among the reports.
    fills: usize,
}

impl Agenda {
    pub(super) fn new() -> Self {
        Self {
            arrivals: VecDeque::with_capacity(ARRIVALS_MAX),
            expiries: VecDeque::with_capacity(EXPIRIES_MAX),
            reports: VecDeque::with_capacity(REPORTS_MAX),
            fills: 0,
        }
    }

    /// Returns the earliest moment at which something is due.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        let [arrival, expiry, report] = self.fronts();
        let first = |one: Option<Nanos>, other: Option<Nanos>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        first(first(arrival, expiry), report)
    }

    /// Takes the one earliest thing.
    pub(super) fn pop(&mut self) -> Option<(Nanos, Due)> {
        let due = self.next_due()?;
        let [arrival, expiry, _] = self.fronts();
        let next = if arrival == Some(due) {
            let Errand { order, act, .. } = self.arrivals.pop_front()?;
            match act {
                Act::Order => Due::Order(order),
                Act::Cancel => Due::Cancel(order),
                Act::Stop(trigger) => Due::Stop(order, trigger),
                Act::Expiry => Due::Expiry(order),
            }
        } else if expiry == Some(due) {
            Due::Expiry(self.expiries.pop_front()?.order)
        } else {
            let Report { instrument, body, .. } = self.reports.pop_front()?;
            self.fills = self.fills.saturating_sub(usize::from(matches!(body, Body::Fill(_))));
            Due::Report(instrument, body)
        };
        Some((due, next))
    }

    /// Notes an order, a cancel or a stop on its way to the venue.
    pub(super) fn send(&mut self, due: Nanos, order: OrderNo, act: Act) {
        assert!(self.arrivals.len() < ARRIVALS_MAX, "more than {ARRIVALS_MAX} things on their way");
        let due = self.arrivals.back().map_or(due, |last| last.due.max(due));
        self.arrivals.push_back(Errand { due, order, act });
    }

    /// Notes the end of an order's waiting.
    pub(super) fn expire(&mut self, due: Nanos, order: OrderNo) {
        assert!(self.expiries.len() < EXPIRIES_MAX, "more than {EXPIRIES_MAX} orders wait");
        let due = self.expiries.back().map_or(due, |last| last.due.max(due));
        self.expiries.push_back(Errand { due, order, act: Act::Expiry });
    }

    /// Notes a report on its way back. Fills ask [`Agenda::room_for_fills`] before.
    pub(super) fn report(&mut self, due: Nanos, instrument: InstrumentId, body: Body) {
        assert!(self.reports.len() < REPORTS_MAX, "more than {REPORTS_MAX} reports on their way");
        self.fills = self.fills.saturating_add(usize::from(matches!(body, Body::Fill(_))));
        let due = self.reports.back().map_or(due, |last| last.due.max(due));
        self.reports.push_back(Report { due, instrument, body });
    }

    /// Returns how many more fills can be reported.
    pub(super) fn room_for_fills(&self) -> usize {
        FILLS_MAX.saturating_sub(self.fills)
    }

    /// Forgets what was to happen to an order that has ended: it would change nothing.
    pub(super) fn forget(&mut self, order: OrderNo) {
        for queue in [&mut self.arrivals, &mut self.expiries] {
            // An order that is liquidated on its way may have a cancel behind it.
            queue.retain(|errand| errand.order != order);
        }
    }

    /// Returns the signed quantity of an instrument's fills on their way back.
    pub(super) fn unreported(&self, instrument: InstrumentId) -> i64 {
        let own = self.reports.iter().filter(|report| report.instrument == instrument);
        own.fold(0, |sum, report| {
            let Body::Fill(fill) = report.body else { return sum };
            sum.saturating_add(fill.qty.0.saturating_mul(fill.side.sign()))
        })
    }

    /// Returns how many orders and cancels are on their way.
    pub(super) fn arrivals(&self) -> usize {
        self.arrivals.iter().filter(|errand| !matches!(errand.act, Act::Stop(_))).count()
    }

    /// Returns how many ends of orders are on their way back.
    pub(super) fn ends(&self) -> usize {
        self.reports.iter().filter(|report| matches!(report.body, Body::OrderDone(_))).count()
    }

    /// Returns the room taken, to be compared.
    #[cfg(test)]
    pub(super) fn rooms(&self) -> [usize; 3] {
        [self.arrivals.capacity(), self.expiries.capacity(), self.reports.capacity()]
    }

    fn fronts(&self) -> [Option<Nanos>; 3] {
        [
            self.arrivals.front().map(|errand| errand.due),
            self.expiries.front().map(|errand| errand.due),
            self.reports.front().map(|report| report.due),
        ]
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        for queue in [&self.arrivals, &self.expiries] {
            out.put_len(queue.len());
            for errand in queue {
                out.put(errand.due);
                out.put(errand.order);
                errand.act.save(out);
            }
        }
        out.put_len(self.reports.len());
        for report in &self.reports {
            out.put(report.due);
            out.put(report.instrument.0);
            out.put(body_kind(&report.body) as u16);
            for byte in report.body.pack() {
                out.put(byte);
            }
        }
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        for (queue, max) in [(&mut self.arrivals, ARRIVALS_MAX), (&mut self.expiries, EXPIRIES_MAX)]
        {
            queue.clear();
            for _ in 0..from.take_len(max)? {
                let (due, order, act) = (from.take()?, from.take()?, Act::load(from)?);
                queue.push_back(Errand { due, order, act });
            }
        }
        self.reports.clear();
        for _ in 0..from.take_len(REPORTS_MAX)? {
            let (due, instrument) = (from.take()?, InstrumentId(from.take()?));
            let body = load_body(from)?;
            self.reports.push_back(Report { due, instrument, body });
        }
        self.fills = self.reports.iter().filter(|r| matches!(r.body, Body::Fill(_))).count();
        if self.fills > FILLS_MAX { Err(ImageError::Range) } else { Ok(()) }
    }
}

/// Returns the kind of a report.
fn body_kind(body: &Body) -> Kind {
    if matches!(body, Body::Fill(_)) {
        Kind::Fill
    } else if matches!(body, Body::OrderDone(_)) {
        Kind::OrderDone
    } else {
        Kind::OrderAck
    }
}

fn load_body(from: &mut ImageReader<'_>) -> Result<Body, ImageError> {
    let kind = Kind::from_code(from.take()?)
        .filter(|kind| [Kind::OrderAck, Kind::Fill, Kind::OrderDone].contains(kind))
        .ok_or(ImageError::Range)?;
    let mut bytes = [0_u8; PAYLOAD_BYTES];
    for byte in &mut bytes {
        *byte = from.take()?;
    }
    let body = Body::unpack(kind, &bytes);
    if body.pack() == bytes { Ok(body) } else { Err(ImageError::Range) }
}
