//! The venue's desk: our orders there, what happens to them, and the reports of it.
//!
//! Models decide who trades at which price against how much; the desk carries it out. It guarantees
//! that an order never fills beyond its quantity, that all quantities are whole lots, and that each
//! order has one end, reported after its last fill.

use std::ops::Range;

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Body, Fill, Liquidate, OrderAck, OrderDone};
use model::id::{AssetId, InstrumentId, OrderNo, StrategyId};
use model::num::{Price, Qty};
use model::order::{DoneReason, Liquidity, Side};
use model::reject::{Code, Reject};
use model::time::Nanos;

use super::agenda::{Act, Agenda, Due};
use super::holdings::Holdings;
use super::latency::{Latency, Way};
use super::market::Market;
use super::order::{Order, Place, rank};
use super::stops::{Stop, Stops};
use super::till::Till;
use crate::limits::{OPEN_ORDERS_MAX, STOPS_MAX};

/// Orders at the venue or on their way, and the agenda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Desk {
    /// Sorted by [`Order::key`].
    orders: Vec<Order>,
    pub(super) stops: Stops,
    holdings: Holdings,
    pub(super) till: Till,
    agenda: Agenda,
    /// The venue's time: of its latest act.
    now: Nanos,
    response: Latency,
    /// Number of the last fill of the run.
    trade: u32,
    /// Orders whose end has not been reported.
    open: usize,
    /// True when an order ended and still stands in the table, or a stop may have lost its purpose.
    untidy: bool,
}

impl Desk {
    pub(super) fn new(response: Latency) -> Self {
        Self {
            orders: Vec::with_capacity(OPEN_ORDERS_MAX.saturating_add(STOPS_MAX)),
            stops: Stops::new(),
            holdings: Holdings::new(),
            till: Till::default(),
            agenda: Agenda::new(),
            now: Nanos(i64::MIN),
            response,
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
            Due::Order(_) | Due::Cancel(_) | Due::Stop(..) | Due::Expiry(_) => self.pass(due),
        }
        Some(next)
    }

    /// Returns how many more fills can be reported.
    pub(super) fn room_for_fills(&self) -> usize {
        self.agenda.room_for_fills()
    }

    /// Sends an order on its way.
    pub(super) fn send(&mut self, due: Nanos, order: Order) {
        let limit = OPEN_ORDERS_MAX.saturating_add(self.stops.len());
        assert!(self.open < limit, "more than {OPEN_ORDERS_MAX} open orders");
        let at = self.orders.partition_point(|other| other.key() < order.key());
        self.orders.insert(at, order);
        self.open = self.open.saturating_add(1);
        self.agenda.send(due, order.number, Act::Order);
    }

    /// Sends a cancel on its way; one for an order that has ended changes nothing.
    pub(super) fn send_cancel(&mut self, due: Nanos, number: OrderNo) {
        let order = self.orders.iter_mut().find(|order| order.number == number);
        let cancelling = match (order, self.stops.get_mut(number)) {
            (Some(order), _) => &mut order.cancelling,
            (None, Some(stop)) => &mut stop.cancelling,
            (None, None) => return,
        };
        if !*cancelling {
            *cancelling = true;
            self.agenda.send(due, number, Act::Cancel);
        }
    }

    /// Sends a protective stop on its way, or a new trigger for one.
    pub(super) fn send_stop(&mut self, due: Nanos, stop: Stop, moves: bool) {
        if !moves {
            self.stops.push(stop);
            self.open = self.open.saturating_add(1);
        } else if self.stops.get_mut(stop.number).is_none() {
            return;
        }
        self.agenda.send(due, stop.number, Act::Stop(stop.trigger));
    }

    /// Places a stop that has arrived, or gives it its new trigger. One that was triggered or has
    /// ended before stays as it is.
    pub(super) fn place_stop(&mut self, number: OrderNo, trigger: Price) {
        let Some(stop) = self.stops.get_mut(number) else { return };
        stop.trigger = trigger;
        if !stop.placed {
            stop.placed = true;
            let (instrument, strategy) = (stop.instrument, stop.strategy);
            self.untidy = true;
            let ack = OrderAck { order: number, strategy, stop: true };
            self.report(instrument, number, Body::OrderAck(ack));
        }
    }

    /// Ends a stop that was not triggered, and reports it.
    pub(super) fn end_stop(&mut self, number: OrderNo) {
        let Some(stop) = self.stops.remove(number) else { return };
        let (order, reason) = (number, DoneReason::Cancelled);
        self.agenda.forget(number);
        let done = OrderDone { order, filled: Qty(0), code: Code::NONE, reason };
        self.report(stop.instrument, number, Body::OrderDone(done));
    }

    /// Takes the order that a stop has become into the table; returns its place there.
    pub(super) fn become_order(&mut self, order: Order) -> usize {
        let at = self.orders.partition_point(|other| other.key() < order.key());
        self.orders.insert(at, order);
        at
    }

    /// Returns what a strategy's own fills hold of an instrument, in units of 1e-9.
    pub(super) fn held(&self, instrument: InstrumentId, strategy: StrategyId) -> i128 {
        self.holdings.of(instrument, strategy)
    }

    /// Returns what all fills hold of an instrument, in units of 1e-9.
    pub(super) fn net(&self, instrument: InstrumentId) -> i128 {
        self.holdings.net(instrument)
    }

    /// Returns how much an order may close; `None` when it may do more than that.
    pub(super) fn most(&self, market: &Market, order: &Order) -> Option<i64> {
        let own = || market.closable(self.held(order.instrument, order.strategy), order.side);
        let net = || market.closable(self.net(order.instrument), order.side);
        match (order.exit, order.reduces && market.is_linear()) {
            (true, true) => Some(own().min(net())),
            (true, false) => Some(own()),
            (false, true) => Some(net()),
            (false, false) => None,
        }
    }

    /// Returns the place of a resting order that has nothing left to close.
    fn idle_order(&self, markets: &[Market]) -> Option<usize> {
        self.orders.iter().position(|order| {
            let market = usize::try_from(order.instrument.0).ok().and_then(|id| markets.get(id));
            let most = market.and_then(|market| Some(market.whole_lots(self.most(market, order)?)));
            order.place == Place::Working && most.is_some_and(|most| most <= 0)
        })
    }

    /// Returns a stop that protects nothing any more: less than a lot is held, and no order is
    /// there that could open the position.
    fn idle_stop(&self, markets: &[Market]) -> Option<OrderNo> {
        let stop = self.stops.first(|stop| {
            let market = usize::try_from(stop.instrument.0).ok().and_then(|id| markets.get(id));
            let held = self.held(stop.instrument, stop.strategy);
            let lots = market.map_or(0, |m| m.whole_lots(m.closable(held, stop.side)));
            let opens = |order: &Order| {
                order.place != Place::Ended
                    && order.strategy == stop.strategy
                    && order.instrument == stop.instrument
                    && order.side != stop.side
            };
            lots <= 0 && !self.orders.iter().any(opens)
        })?;
        Some(stop.number)
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
            let (instrument, number, strategy) = (order.instrument, order.number, order.strategy);
            let ack = OrderAck { order: number, strategy, stop: false };
            self.report(instrument, number, Body::OrderAck(ack));
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
        let Some(order) = self.working(at).copied() else { return 0 };
        let Order { number, instrument, side, left, .. } = order;
        let mut qty = market.whole_lots(available).min(left.0);
        if let Some(most) = self.most(market, &order) {
            // What may only reduce takes no more than is there by now.
            qty = qty.min(market.whole_lots(most));
        }
        let Some(trade) = self.trade.checked_add(1) else { return 0 };
        if qty <= 0 || self.agenda.room_for_fills() == 0 {
            return 0;
        }
        let Some((fee, fee_asset)) = self.fee(market, (side, price, qty), liquidity) else {
            self.end(at, DoneReason::Rejected, Reject::Overflow.into());
            return 0;
        };
        let left = left.0.saturating_sub(qty);
        if let Some(order) = self.working(at) {
            order.left = Qty(left);
        }
        self.trade = trade;
        self.untidy = true;
        let moved = market.moved(side, qty, fee, fee_asset);
        self.holdings.add(instrument, order.strategy, moved);
        let order = number;
        let fill = Fill { order, price, qty: Qty(qty), fee, trade, fee_asset, side, liquidity };
        self.till.filled(instrument, &fill, self.now);
        self.report(instrument, number, Body::Fill(fill));
        if left == 0 {
            self.end(at, DoneReason::Filled, Code::NONE);
        }
        qty
    }

    fn fee(
        &self,
        market: &Market,
        (side, price, qty): (Side, Price, i64),
        liquidity: Liquidity,
    ) -> Option<(i64, AssetId)> {
        self.till.fee(market, (side, price.0, qty), liquidity, self.now, &self.orders)
    }

    /// Tells whether the account pays for an order that arrives.
    pub(super) fn pays_for(&self, order: &Order) -> bool {
        self.till.pays_for(order, &self.orders)
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
            self.trade.checked_add(1).zip(self.fee(market, (side, price, qty), liquidity))
        else {
            return;
        };
        if qty > 0 && price.0 > 0 {
            self.trade = trade;
            let fill = Fill { order, price, qty: Qty(qty), fee, trade, fee_asset, side, liquidity };
            self.holdings.clear(market.id);
            self.till.filled(market.id, &fill, self.now);
            self.untidy = true;
            self.report(market.id, order, Body::Fill(fill));
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
        self.report(instrument, done.order, Body::OrderDone(done));
    }

    /// Takes ended orders off the table, and ends what has nothing left to close. Every act of the
    /// venue ends with it.
    #[inline]
    pub(super) fn tidy(&mut self, markets: &[Market]) {
        if self.untidy {
            self.clear_up(markets);
        }
    }

    /// Apart, so that the many acts that end nothing pay for a look only.
    #[inline(never)]
    fn clear_up(&mut self, markets: &[Market]) {
        while let Some(at) = self.idle_order(markets) {
            self.end(at, DoneReason::Cancelled, Reject::ReduceOnly.into());
        }
        self.orders.retain(|order| order.place != Place::Ended);
        while let Some(stop) = self.idle_stop(markets) {
            self.end_stop(stop);
        }
        self.untidy = false;
    }

    fn report(&mut self, instrument: InstrumentId, order: OrderNo, body: Body) {
        let latency = self.response.of(order, Way::Report);
        self.agenda.report(self.now.plus(latency), instrument, body);
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
        self.stops.save(out);
        self.holdings.save(out);
        self.till.save(out);
        self.agenda.save(out);
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.now = from.take()?;
        self.trade = from.take()?;
        let most = OPEN_ORDERS_MAX.saturating_add(STOPS_MAX);
        self.open = from.take_len(most)?;
        self.untidy = false;
        self.orders.clear();
        for _ in 0..from.take_len(most)? {
            let order = Order::load(from)?;
            let sorted = self.orders.last().is_none_or(|last| last.key() < order.key());
            if !sorted || order.left > order.qty {
                return Err(ImageError::Range);
            }
            self.orders.push(order);
        }
        self.stops.load(from)?;
        self.holdings.load(from)?;
        self.till.load(from)?;
        self.agenda.load(from)?;
        // What the queues' limits rest on.
        let count = |is: fn(&Order) -> bool| self.orders.iter().filter(|order| is(order)).count();
        let travelling = count(|order| order.place == Place::Travelling);
        let cancels = count(|order| order.cancelling).saturating_add(self.stops.cancelling());
        let arrivals = travelling.saturating_add(cancels);
        let open = self.orders.len().saturating_add(self.stops.len());
        let open = open.saturating_add(self.agenda.ends());
        if self.agenda.arrivals() == arrivals && self.open == open {
            Ok(())
        } else {
            Err(ImageError::Range)
        }
    }
}
