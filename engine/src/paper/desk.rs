//! The venue's desk: our orders there, what happens to them, and the reports of it.
//!
//! Models decide who trades at which price against how much; the desk carries it out. It guarantees
//! that an order never fills beyond its quantity, that all quantities are whole lots, and that each
//! order has one end, reported after its last fill.

use std::ops::Range;

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::{Body, Fill, Liquidate, OrderAck, OrderDone};
use model::id::{InstrumentId, OrderNo};
use model::num::{Price, Qty};
use model::order::{DoneReason, Liquidity, Side};
use model::reject::{Code, Reject};
use model::time::Nanos;

use super::agenda::{Agenda, Due};
use super::market::Market;
use super::order::{Order, Place, rank};
use crate::limits::OPEN_ORDERS_MAX;

/// Orders at the venue or on their way, and the agenda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Desk {
    /// Sorted by [`Order::key`].
    orders: Vec<Order>,
    agenda: Agenda,
    /// The venue's time: of its latest act.
    now: Nanos,
    response_ns: i64,
    /// Number of the last fill of the run.
    trade: u32,
    /// Orders whose end has not been reported.
    open: usize,
    /// True when an order ended and still stands in the table.
    untidy: bool,
}

impl Desk {
    pub(super) fn new(response_ns: i64) -> Self {
        Self {
            orders: Vec::with_capacity(OPEN_ORDERS_MAX),
            agenda: Agenda::new(),
            now: Nanos(i64::MIN),
            response_ns,
            trade: 0,
            open: 0,
            untidy: false,
        }
    }

    /// Moves the venue's time forward.
    pub(super) fn pass(&mut self, ts: Nanos) {
        self.now = self.now.max(ts);
    }

    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.agenda.next_due()
    }

    /// Takes the one earliest due thing and moves time to it.
    pub(super) fn pop(&mut self) -> Option<Due> {
        let (due, next) = self.agenda.pop()?;
        match next {
            // A report is no act of the venue, and an order that ended is open until we know it.
            Due::Report(_, body) => {
                let ended = usize::from(matches!(body, Body::OrderDone(_)));
                self.open = self.open.saturating_sub(ended);
            }
            Due::Order(_) | Due::Cancel(_) | Due::Expiry(_) => self.pass(due),
        }
        Some(next)
    }

    /// Returns how many more fills can be reported.
    pub(super) fn room_for_fills(&self) -> usize {
        self.agenda.room_for_fills()
    }

    /// Sends an order on its way.
    pub(super) fn send(&mut self, due: Nanos, order: Order) {
        assert!(self.open < OPEN_ORDERS_MAX, "more than {OPEN_ORDERS_MAX} open orders");
        let at = self.orders.partition_point(|other| other.key() < order.key());
        self.orders.insert(at, order);
        self.open = self.open.saturating_add(1);
        self.agenda.send(due, order.number, false);
    }

    /// Sends a cancel on its way; one for an order that has ended changes nothing.
    pub(super) fn send_cancel(&mut self, due: Nanos, number: OrderNo) {
        let found = self.orders.iter_mut().find(|order| order.number == number);
        if let Some(order) = found
            && !order.cancelling
        {
            order.cancelling = true;
            self.agenda.send(due, number, true);
        }
    }

    /// Returns where an order stands in the table.
    pub(super) fn find(&self, number: OrderNo) -> Option<usize> {
        self.orders.iter().position(|order| order.number == number)
    }

    pub(super) fn get(&self, at: usize) -> Option<&Order> {
        self.orders.get(at)
    }

    /// Returns an order if it works at the venue.
    pub(super) fn working(&mut self, at: usize) -> Option<&mut Order> {
        self.orders.get_mut(at).filter(|order| order.place == Place::Working)
    }

    /// Tells whether an instrument has orders.
    pub(super) fn has_orders(&self, instrument: InstrumentId) -> bool {
        let start = self.orders.partition_point(|order| order.instrument < instrument);
        self.orders.get(start).is_some_and(|order| order.instrument == instrument)
    }

    /// Returns the places of all orders of a side, first to trade first.
    pub(super) fn side(&self, instrument: InstrumentId, side: Side) -> Range<usize> {
        let start = self.orders.partition_point(|o| (o.instrument, o.side) < (instrument, side));
        let end = self.orders.partition_point(|o| (o.instrument, o.side) <= (instrument, side));
        start..end
    }

    /// Returns the places of the orders of a side whose limit is `price` or better.
    pub(super) fn reaching(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> Range<usize> {
        let start = self.orders.partition_point(|o| (o.instrument, o.side) < (instrument, side));
        let last = (instrument, side, rank(side, price));
        let end =
            self.orders.partition_point(|o| (o.instrument, o.side, rank(o.side, o.limit)) <= last);
        start..end
    }

    /// Lets an order work and reports it.
    pub(super) fn acknowledge(&mut self, at: usize) {
        if let Some(order) = self.orders.get_mut(at) {
            order.place = Place::Working;
            let (instrument, ack) = (order.instrument, OrderAck { order: order.number });
            self.report(instrument, Body::OrderAck(ack));
        }
    }

    /// Lets an order wait until a moment, when it ends.
    pub(super) fn wait(&mut self, at: usize, until: Nanos) {
        if let Some(order) = self.orders.get(at) {
            self.agenda.expire(until, order.number);
        }
    }

    /// Fills a working order with what is available, in whole lots; returns the quantity filled. An
    /// order that is full ends. A fee that no record can hold makes no fill: the order is rejected.
    pub(super) fn fill(
        &mut self,
        market: &Market,
        at: usize,
        price: Price,
        available: i64,
        liquidity: Liquidity,
    ) -> i64 {
        let Some(Order { number, instrument, side, left, .. }) = self.working(at).copied() else {
            return 0;
        };
        let qty = market.whole_lots(available).min(left.0);
        let Some(trade) = self.trade.checked_add(1) else { return 0 };
        if qty <= 0 || self.agenda.room_for_fills() == 0 {
            return 0;
        }
        let Some((fee, fee_asset)) = market.fee(side, price, qty, liquidity) else {
            self.end(at, DoneReason::Rejected, Reject::Overflow.into());
            return 0;
        };
        let left = left.0.saturating_sub(qty);
        if let Some(order) = self.working(at) {
            order.left = Qty(left);
        }
        self.trade = trade;
        let order = number;
        let fill = Fill { order, price, qty: Qty(qty), fee, trade, fee_asset, side, liquidity };
        self.report(instrument, Body::Fill(fill));
        if left == 0 {
            self.end(at, DoneReason::Filled, Code::NONE);
        }
        qty
    }

    /// Ends all orders of an instrument and closes a position at the venue's price.
    pub(super) fn liquidate(&mut self, market: &Market, order: OrderNo, liquidate: &Liquidate) {
        for side in [Side::Buy, Side::Sell] {
            for at in self.side(market.id, side) {
                self.end(at, DoneReason::Cancelled, Code::NONE);
            }
        }
        // What was filled and is not reported yet is part of the position at the venue.
        let held = liquidate.qty.0.saturating_add(self.agenda.unreported(market.id));
        let side = if held < 0 { Side::Buy } else { Side::Sell };
        let (price, qty) = (liquidate.price, held.saturating_abs());
        let liquidity = Liquidity::Liquidation;
        let Some((trade, (fee, fee_asset))) =
            self.trade.checked_add(1).zip(market.fee(side, price, qty, liquidity))
        else {
            return;
        };
        if qty > 0 && price.0 > 0 {
            self.trade = trade;
            let fill = Fill { order, price, qty: Qty(qty), fee, trade, fee_asset, side, liquidity };
            self.report(market.id, Body::Fill(fill));
        }
    }

    /// Ends an order that has not ended, and reports it.
    pub(super) fn end(&mut self, at: usize, reason: DoneReason, code: Code) {
        let live = self.orders.get_mut(at).filter(|order| order.place != Place::Ended);
        let Some(order) = live else { return };
        order.place = Place::Ended;
        let done = OrderDone { order: order.number, filled: order.filled(), code, reason };
        let instrument = order.instrument;
        self.untidy = true;
        self.agenda.forget(done.order);
        self.report(instrument, Body::OrderDone(done));
    }

    /// Takes ended orders off the table. Every act of the venue ends with it.
    pub(super) fn tidy(&mut self) {
        if self.untidy {
            self.orders.retain(|order| order.place != Place::Ended);
            self.untidy = false;
        }
    }

    fn report(&mut self, instrument: InstrumentId, body: Body) {
        self.agenda.report(self.now.plus(self.response_ns), instrument, body);
    }

    /// Returns the number of the last fill.
    #[cfg(test)]
    pub(super) fn last_trade(&self) -> u32 {
        self.trade
    }

    /// Returns the room taken, to be compared.
    #[cfg(test)]
    pub(super) fn rooms(&self) -> [usize; 4] {
        let [arrivals, expiries, reports] = self.agenda.rooms();
        [self.orders.capacity(), arrivals, expiries, reports]
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put(self.now);
        out.put(self.trade);
        out.put_len(self.open);
        out.put_len(self.orders.len());
        for order in &self.orders {
            order.save(out);
        }
        self.agenda.save(out);
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.now = from.take()?;
        self.trade = from.take()?;
        self.open = from.take_len(OPEN_ORDERS_MAX)?;
        self.untidy = false;
        self.orders.clear();
        for _ in 0..from.take_len(OPEN_ORDERS_MAX)? {
            let order = Order::load(from)?;
            let sorted = self.orders.last().is_none_or(|last| last.key() < order.key());
            if !sorted || order.left > order.qty {
                return Err(ImageError::Range);
            }
            self.orders.push(order);
        }
        self.agenda.load(from)?;
        // What the queues' limits rest on.
        let count = |is: fn(&Order) -> bool| self.orders.iter().filter(|order| is(order)).count();
        let travelling = count(|order| order.place == Place::Travelling);
        let arrivals = travelling.saturating_add(count(|order| order.cancelling));
        let open = self.orders.len().saturating_add(self.agenda.ends());
        if self.agenda.arrivals() == arrivals && self.open == open {
            Ok(())
        } else {
            Err(ImageError::Range)
        }
    }
}
