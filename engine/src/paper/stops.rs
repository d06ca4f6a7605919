//! Protective stops that rest with the venue, one for a strategy and instrument.
//!
//! A stop travels behind the order whose fills it protects, and gives up what the strategy's own
//! fills hold when it is triggered: by a trade at its price or beyond, where the data has no trades
//! by the touch that it would trade at, else inside a bar. It then is an immediate order within the
//! `protect` band around the touch, or around what triggered it where no touch is known. Stop
//! and exits of a strategy are linked by what its fills hold: neither fills beyond it, and an exit
//! ends when nothing is left, so the position is never given up twice.
//!
//! A stop ends, reported as cancelled, once nothing is held and no order that could open the
//! position is there. What an immediate order left is the business of execution, which sends a new
//! stop for it.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::StopSent;
use model::id::{InstrumentId, OrderNo, StrategyId};
use model::num::{Price, Qty};
use model::order::{Side, TimeInForce};

use super::desk::Desk;
use super::market::Market;
use super::order::{Order, Place, allows};
use crate::limits::STOPS_MAX;

/// One stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) number: OrderNo,
    pub(super) instrument: InstrumentId,
    pub(super) strategy: StrategyId,
    /// Side of the order that it becomes.
    pub(super) side: Side,
    pub(super) trigger: Price,
    /// False while it is on its way.
    pub(super) placed: bool,
    /// True while a cancel is on its way.
    pub(super) cancelling: bool,
}

impl Stop {
    /// Returns the stop as it leaves.
    pub(super) fn new(instrument: InstrumentId, sent: &StopSent) -> Self {
        Self {
            number: sent.order,
            instrument,
            strategy: sent.strategy,
            side: sent.side,
            trigger: sent.trigger,
            placed: false,
            cancelling: false,
        }
    }
}

/// All of them, in the order they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stops {
    stops: Vec<Stop>,
}

impl Stops {
    pub(super) fn new() -> Self {
        Self { stops: Vec::with_capacity(STOPS_MAX) }
    }

    pub(super) fn len(&self) -> usize {
        self.stops.len()
    }

    /// Notes a stop on its way.
    pub(super) fn push(&mut self, stop: Stop) {
        assert!(self.stops.len() < STOPS_MAX, "more than {STOPS_MAX} stops");
        self.stops.push(stop);
    }

    pub(super) fn get_mut(&mut self, number: OrderNo) -> Option<&mut Stop> {
        self.stops.iter_mut().find(|stop| stop.number == number)
    }

    pub(super) fn remove(&mut self, number: OrderNo) -> Option<Stop> {
        let at = self.stops.iter().position(|stop| stop.number == number)?;
        Some(self.stops.remove(at))
    }

    /// Returns how many cancels of stops are on their way.
    pub(super) fn cancelling(&self) -> usize {
        self.stops.iter().filter(|stop| stop.cancelling).count()
    }

    /// Returns the first placed stop that `picked` is true of.
    pub(super) fn first(&self, picked: impl Fn(&Stop) -> bool) -> Option<Stop> {
        self.stops.iter().find(|stop| stop.placed && picked(stop)).copied()
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.stops.len());
        for stop in &self.stops {
            out.put(stop.number);
            out.put(stop.instrument.0);
            out.put(stop.strategy);
            out.put(stop.side);
            out.put(stop.trigger);
            out.put(stop.placed);
            out.put(stop.cancelling);
        }
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.stops.clear();
        for _ in 0..from.take_len(STOPS_MAX)? {
            self.stops.push(Stop {
                number: from.take()?,
                instrument: InstrumentId(from.take()?),
                strategy: from.take()?,
                side: from.take()?,
                trigger: from.take()?,
                placed: from.take()?,
                cancelling: from.take()?,
            });
        }
        Ok(())
    }
}

/// Takes the first stop that a price reaches off the table and returns the order that it becomes,
/// which works at the venue; its place in the desk's table. `price` is where such an order is
/// triggered, by side, `bound` what it then trades at best.
pub(super) fn trigger(
    market: &Market,
    desk: &mut Desk,
    price: impl Fn(Side) -> Option<Price>,
    bound: impl Fn(&Stop) -> Option<Price>,
) -> Option<(usize, Stop)> {
    let stop = desk.stops.first(|stop| {
        let reached =
            price(stop.side).is_some_and(|price| allows(stop.side.opposite(), stop.trigger, price));
        stop.instrument == market.id && reached && order(market, desk, stop, &bound).is_some()
    })?;
    let order = order(market, desk, &stop, &bound)?;
    desk.stops.remove(stop.number)?;
    Some((desk.become_order(order), stop))
}

/// Returns the order that a stop becomes; `None` while the venue would not take it.
fn order(
    market: &Market,
    desk: &Desk,
    stop: &Stop,
    bound: &impl Fn(&Stop) -> Option<Price>,
) -> Option<Order> {
    let held = desk.held(stop.instrument, stop.strategy);
    let qty = Qty(market.whole_lots(market.closable(held, stop.side)));
    let order = Order {
        number: stop.number,
        instrument: stop.instrument,
        strategy: stop.strategy,
        side: stop.side,
        tif: TimeInForce::Ioc,
        reduces: true,
        exit: true,
        post_only: false,
        limit: market.protected(bound(stop)?, stop.side)?,
        qty,
        left: qty,
        ahead: 0,
        shown: 0,
        traded: 0,
        place: Place::Working,
        cancelling: stop.cancelling,
    };
    market.refusal(&order).is_none().then_some(order)
}
