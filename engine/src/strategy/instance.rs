//! One strategy on one instrument: its code, its series, its ledger and its orders.

use dsl::compile::StrategyCode;
use dsl::evaluate::Registers;
use dsl::indicator::SeriesState;
use dsl::typed::Trigger;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Bar, OrderDone};
use model::id::{InstrumentId, OrderNo, StrategyId};
use model::instrument::{Instrument, Kind};
use model::num::{Money, Price, Qty, Rounding};
use model::order::{DoneReason, Side, TimeInForce};
use model::time::Nanos;

use super::ledger::Assets;
use super::quotes::Leg;
use crate::market::{ClosedBar, Market};
use crate::portfolio::as_qty;
use crate::portfolio::position::Position;
use crate::program::BoundStrategy;

/// The instance.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) strategy: StrategyId,
    pub(super) instrument: InstrumentId,
    pub(super) rule_base: u16,
    pub(super) trigger: Trigger,
    pub(super) code: StrategyCode,
    pub(super) series: SeriesState,
    pub(super) registers: Registers,
    /// Last closed bar of the trigger's length.
    pub(super) bar: Option<ClosedBar>,
    /// Own fills only.
    pub(super) ledger: Position,
    /// Working entry.
    pub(super) enter: Option<Entry>,
    /// Target of flat and the order that works for it.
    pub(super) exit: Option<ExitTarget>,
    /// Orders of the legs of its quotes: bid and offer of each.
    pub(super) legs: Vec<Leg>,
    /// Realised since the ledger left flat, net of fees; none when a fee is not known.
    pub(super) trip: Option<Money>,
    pub(super) assets: Assets,
    /// Protective stops at the venue: one, or two while the position turns.
    stops: [Option<OrderNo>; 2],
    /// The engine's own exit of this position.
    flattens: Option<OrderNo>,
    /// When a book trigger last ran; of a timer, when it is due next. Zero before the first.
    ran: Nanos,
}

/// A working entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) order: OrderNo,
    pub(super) side: Side,
    /// An exit has asked for its cancel.
    pub(super) withdrawn: bool,
}

/// A target of flat (or of that much less) until it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExitTarget {
    /// Rule that set it, counted within the strategy.
    pub(super) rule: u16,
    /// Limit; none for `at_market`.
    pub(super) price: Option<Price>,
    /// Band of `at_market` at 1e-9; none for the instrument's.
    pub(super) protect: Option<i128>,
    /// Time to live of its orders, 0 for none.
    pub(super) ttl_ns: i64,
    /// How long its orders work.
    pub(super) tif: TimeInForce,
    /// What it closes: a long or a short position, or none for whichever is held.
    pub(super) closes: Option<Side>,
    /// Quantity still to be closed; none for the whole position, whatever that is by then: an entry
    /// that is being cancelled may still fill.
    pub(super) left: Option<Qty>,
    /// The one working order.
    pub(super) order: Option<OrderNo>,
    /// The trigger has come since that order was sent.
    pub(super) due: bool,
}

impl ExitTarget {
    /// Tells whether nothing is left to be asked for: an order may still work for it.
    pub(super) fn is_done(&self) -> bool {
        self.left.is_some_and(|left| left.0 <= 0)
    }

    /// Returns a target of flat at the market for a position of that side.
    pub(super) fn at_market(rule: usize, held: Side) -> Self {
        Self {
            rule: u16::try_from(rule).unwrap_or(u16::MAX),
            price: None,
            protect: None,
            ttl_ns: 0,
            tif: TimeInForce::Ioc,
            closes: Some(held),
            left: None,
            order: None,
            due: false,
        }
    }
}

impl Instance {
    pub(super) fn new(source: &BoundStrategy, assets: Assets) -> Self {
        Self {
            strategy: source.strategy,
            instrument: source.instrument,
            rule_base: source.rule_base,
            trigger: source.code.trigger(),
            series: source.code.new_state(),
            registers: source.code.registers(),
            code: source.code.clone(),
            bar: None,
            ledger: Position::default(),
            enter: None,
            exit: None,
            legs: vec![Leg::default(); source.code.quotes().len().saturating_mul(2)],
            trip: Some(Money::ZERO),
            assets,
            stops: [None; 2],
            flattens: None,
            ran: Nanos(0),
        }
    }

    /// Tells whether a book trigger is due; if so, notes that it ran.
    pub(super) fn book_is_due(&mut self, now: Nanos) -> bool {
        let Trigger::Book(every_ns) = self.trigger else { return false };
        if self.ran != Nanos(0) && now.since(self.ran) < every_ns {
            return false;
        }
        self.ran = now;
        true
    }

    /// Begins a timer that has not begun, on the multiples of its length since the epoch. True when
    /// it did.
    pub(super) fn begin_timer(&mut self, now: Nanos) -> bool {
        let Trigger::Timer(length_ns) = self.trigger else { return false };
        if self.ran != Nanos(0) {
            return false;
        }
        self.ran = now.floor_to(length_ns).plus(length_ns);
        true
    }

    /// Returns when its timer is due, if it has one that has begun.
    pub(super) fn timer_due(&self) -> Option<Nanos> {
        let begun = matches!(self.trigger, Trigger::Timer(_)) && self.ran != Nanos(0);
        begun.then_some(self.ran)
    }

    /// Tells whether its timer is due; if so, notes when it is due next.
    pub(super) fn timer_is_due(&mut self, now: Nanos) -> bool {
        let Trigger::Timer(length_ns) = self.trigger else { return false };
        if self.timer_due().is_none_or(|due| due > now) {
            return false;
        }
        self.ran = now.floor_to(length_ns).plus(length_ns);
        true
    }

    /// Forgets what was held: the venue has closed it.
    pub(super) fn liquidated(&mut self) {
        self.ledger = Position::default();
        self.exit = None;
        self.trip = None;
    }

    /// Tells whether an order is the working entry or exit.
    pub(super) fn owns(&self, order: OrderNo) -> bool {
        self.enter.is_some_and(|entry| entry.order == order)
            || self.exit.is_some_and(|exit| exit.order == Some(order))
            || self.legs.iter().any(|leg| leg.order == Some(order))
            || self.stops.contains(&Some(order))
            || self.flattens == Some(order)
    }

    /// Notes an order that the engine works for the strategy, a protective stop or an exit of its
    /// own: its fills are the strategy's.
    pub(super) fn served(&mut self, stop: OrderNo) {
        if stop.is_engine() {
            self.flattens = Some(stop);
        } else if let Some(free) = self.stops.iter_mut().find(|known| known.is_none()) {
            *free = Some(stop);
        }
    }

    /// Tells whether the exit waits for the next trigger after an order's end: its order was
    /// refused, or was immediate and found nothing, and no trigger has come since it was sent.
    pub(super) fn waits_after(&self, done: &OrderDone) -> bool {
        let own = self.exit.filter(|exit| exit.order == Some(done.order));
        let immediate =
            own.is_some_and(|exit| exit.tif != TimeInForce::Gtc || exit.price.is_none());
        let expired = immediate && done.reason == DoneReason::Expired && done.filled.0 == 0;
        let fruitless = done.code.0 != 0 || expired;
        fruitless && !own.is_some_and(|exit| exit.due)
    }

    /// Forgets an order that has ended, and the exit target with it once it is reached.
    pub(super) fn ended(&mut self, order: OrderNo, instrument: &Instrument, market: &Market) {
        if self.enter.is_some_and(|entry| entry.order == order) {
            self.enter = None;
        }
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.order == Some(order)) {
            *leg = Leg::default();
        }
        for stop in self.stops.iter_mut().filter(|stop| **stop == Some(order)) {
            *stop = None;
        }
        self.flattens = self.flattens.filter(|own| *own != order);
        let flat = self.is_flat(instrument, market);
        if let Some(exit) = self.exit.as_mut().filter(|exit| exit.order == Some(order)) {
            exit.order = None;
            if flat || exit.is_done() {
                self.exit = None;
            }
        }
    }

    /// Returns the quantity that an exit can close: the ledger rounded down to the lot.
    pub(super) fn closable(&self, instrument: &Instrument) -> Qty {
        let size = as_qty(Money(self.ledger.qty.0.saturating_abs()), instrument);
        instrument.floor_lot(i128::from(size.0))
    }

    /// Returns the position as the strategy sees it: dust is none.
    pub(super) fn position(&self, instrument: &Instrument, market: &Market) -> Position {
        if self.is_flat(instrument, market) { Position::default() } else { self.ledger }
    }

    /// Tells whether the ledger is flat. What is below a lot or, on spot, below the venue's minimum
    /// is dust and counts as flat. Its worth is that of an exit at the market, whose price is the
    /// bound of its band: what is no dust can be sold.
    pub(super) fn is_flat(&self, instrument: &Instrument, market: &Market) -> bool {
        if self.ledger.is_flat() {
            return true;
        }
        let closable = self.closable(instrument);
        if closable.0 <= 0 || (instrument.kind == Kind::Spot && closable < instrument.qty_min) {
            return true;
        }
        if instrument.kind == Kind::LinearPerpetual {
            return false;
        }
        let band = i128::from(instrument.protect.0);
        let price = market.protected_price(instrument, Side::Sell, band, market.last_mark());
        let value = price.and_then(|price| {
            let (price, qty) = (i128::from(price.0), i128::from(closable.0));
            instrument.notional(price, instrument.price_scale.decimals(), qty, Rounding::Floor)
        });
        value.is_some_and(|value| value.0 < instrument.notional_min.0)
    }
}

impl Image for Instance {
    fn save(&self, out: &mut ImageWriter) {
        self.series.save(out);
        out.put(self.bar.is_some());
        let bar =
            self.bar.unwrap_or(ClosedBar { prices: Bar::default(), end: Nanos(0), length_ns: 0 });
        let Bar { open, high, low, close, volume } = bar.prices;
        for price in [open, high, low, close] {
            out.put(price);
        }
        out.put(volume);
        out.put(bar.end);
        out.put(bar.length_ns);
        self.ledger.save(out);
        out.put_option(self.enter.map(|entry| entry.order));
        out.put(self.enter.map(|entry| entry.side).unwrap_or_default());
        out.put(self.enter.is_some_and(|entry| entry.withdrawn));
        out.put(self.exit.is_some());
        let exit = self.exit.unwrap_or(ExitTarget {
            rule: 0,
            price: None,
            protect: None,
            ttl_ns: 0,
            tif: TimeInForce::Gtc,
            closes: None,
            left: None,
            order: None,
            due: false,
        });
        out.put(exit.rule);
        out.put_option(exit.price);
        out.put_option(exit.protect);
        out.put(exit.ttl_ns);
        out.put(exit.tif);
        out.put_option(exit.closes);
        out.put_option(exit.left);
        out.put_option(exit.order);
        out.put(exit.due);
        out.put(self.ran);
        out.put_len(self.legs.len());
        for leg in &self.legs {
            leg.save(out);
        }
        out.put_option(self.trip);
        for order in self.stops.iter().chain([&self.flattens]) {
            out.put_option(*order);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.series.load(from)?;
        let has_bar: bool = from.take()?;
        let prices = Bar {
            open: from.take()?,
            high: from.take()?,
            low: from.take()?,
            close: from.take()?,
            volume: from.take()?,
        };
        let bar = ClosedBar { prices, end: from.take()?, length_ns: from.take()? };
        self.bar = has_bar.then_some(bar);
        self.ledger.load(from)?;
        let order = from.take_option()?;
        let side = from.take()?;
        let withdrawn = from.take()?;
        self.enter = order.map(|order| Entry { order, side, withdrawn });
        let has_exit: bool = from.take()?;
        let exit = ExitTarget {
            rule: from.take()?,
            price: from.take_option()?,
            protect: from.take_option()?,
            ttl_ns: from.take()?,
            tif: from.take()?,
            closes: from.take_option()?,
            left: from.take_option()?,
            order: from.take_option()?,
            due: from.take()?,
        };
        self.exit = has_exit.then_some(exit);
        self.ran = from.take()?;
        if from.take_len(self.legs.len())? != self.legs.len() {
            return Err(ImageError::Range);
        }
        for leg in &mut self.legs {
            *leg = Leg::load(from)?;
        }
        self.trip = from.take_option()?;
        for order in self.stops.iter_mut().chain([&mut self.flattens]) {
            *order = from.take_option()?;
        }
        Ok(())
    }
}
