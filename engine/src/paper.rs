//! The simulated venue: what our orders would have met in the recorded market.
//!
//! A pure function of market events, orders and constants: no clock, no float, no hash order, and
//! no allocation after `Paper::new`. Nothing of ours moves the market, and nobody reacts to us;
//! every summary says so. The feed stage calls it, live and in replay alike, in lock step:
//!
//! ```text
//! gate ---- OrderSent, CancelSent ----> submit        leaves at ts
//!                                         | order latency
//!                                       advance       acts at the venue (None)
//! market -- on_market ----------------> fills         acts at the venue
//!                                         | response latency
//! feed <--- OrderAck, Fill, OrderDone - advance       is recorded (Some)
//! ```
//!
//! Before a market event at `ts`, feed advances while `Paper::next_due` is before `ts`. What is due
//! at the same moment runs behind it, in the order (due, kind, creation): arrivals at the venue,
//! then ends of orders that waited, then reports. So an order that arrives together with a market
//! event meets the market as that event leaves it.
//!
//! How fills are found depends on what the instrument's data carries: book levels, else quotes (a
//! book of one level a side), else trades, else bars. The rules stand in `book`, `trades` and
//! `bars`; which order comes first where several share what is available, stands there too.
//!
//! The venue checks each order on arrival against tick, lot, quantity range and least value, and on
//! cash against its own balances; margin it does not judge. It does not cut reduce-only orders.
//! Two orders of ours never trade with each other.

use model::book::Book;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Body, CashFlow, Event, Liquidate};
use model::id::{InstrumentId, OrderNo};
use model::instrument::Instrument;
use model::order::DoneReason;
use model::reject::{Code, Reject};
use model::time::Nanos;

use self::agenda::Due;
use self::book::Consumed;
use self::desk::Desk;
use self::latency::{Latency, Way};
use self::market::{Market, Model, Terms};
use self::order::{Order, Place};
use self::stops::Stop;
use self::till::Till;
use crate::setup::paper::BarFill;
use crate::setup::{Carried, PaperSetup, Setup};

mod agenda;
mod bars;
mod book;
mod desk;
mod fees;
mod holdings;
mod latency;
mod market;
mod order;
mod queue;
mod stops;
pub mod till;
mod trades;

/// Version of the state image.
const IMAGE_VERSION: u32 = 3;

/// The simulated venue.
///
/// A clone behaves the same, but takes its room as it needs it: an image is loaded into a venue
/// that [`Paper::new`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// By instrument id.
    markets: Vec<Market>,
    consumed: Consumed,
    desk: Desk,
    order_latency: Latency,
    bar_fill: BarFill,
}

impl Paper {
    /// Returns the venue of a session, which knows its accounts.
    #[must_use]
    pub fn of(setup: &Setup, instruments: &[Instrument]) -> Self {
        let traded: Vec<InstrumentId> = setup.traded.iter().map(|id| InstrumentId(*id)).collect();
        let carries: Vec<Carried> = setup.instruments.iter().map(|one| one.carries).collect();
        let mut paper = Self::new(instruments, &carries, &traded, &setup.paper, &setup.assets);
        paper.desk.till = Till::new(setup, instruments);
        paper
    }

    /// Returns a venue for the `traded` instruments that knows of no accounts, with all room taken.
    /// `carries` says by instrument id what the data holds; orders for other instruments are
    /// refused.
    #[must_use]
    pub fn new(
        instruments: &[Instrument],
        carries: &[Carried],
        traded: &[InstrumentId],
        constants: &PaperSetup,
        assets: &[String],
    ) -> Self {
        let markets = (0_u32..).zip(instruments).map(|(id, instrument)| {
            let id = InstrumentId(id);
            let at = usize::try_from(id.0).unwrap_or(usize::MAX);
            let carries = carries.get(at).copied().unwrap_or_default();
            let terms = Terms { carries, traded: traded.contains(&id), queue: constants.queue };
            Market::new(id, instrument, terms, assets)
        });
        Self {
            markets: markets.collect(),
            consumed: Consumed::new(),
            desk: Desk::new(Latency::new(&constants.response_latency)),
            order_latency: Latency::new(&constants.order_latency),
            bar_fill: constants.bar_fill,
        }
    }

    /// Lets a market event meet the orders at the venue. Everything due before it has been
    /// advanced; `books`, by instrument id, contain it already. Events that say nothing of the
    /// market change nothing.
    ///
    /// Inlined because the caller knows the kind: choosing it again is half of the work.
    #[inline(always)]
    pub fn on_market(&mut self, event: &Event, books: &[Book]) {
        let at = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
        let Some(market) = self.markets.get_mut(at) else { return };
        if self.desk.till.watches() {
            self.desk.till.see(event);
        }
        if market.model == Model::Closed {
            return;
        }
        let Self { desk, consumed, bar_fill, .. } = self;
        desk.pass(event.ts);
        match (event.body(), market.model) {
            (Body::Trade(trade), Model::Book | Model::Quotes) => {
                book::on_trade(market, desk, &trade);
                book::trigger_by_trade(market, desk, consumed, books, trade.price);
            }
            (Body::Trade(trade), Model::Trades) => {
                market.last = Some(trade.price);
                trades::on_trade(market, desk, &trade);
                trades::trigger(market, desk, trade.price);
            }
            (Body::Quote(quote), Model::Quotes) => {
                book::on_quote(market, desk, consumed, &quote);
                book::trigger_by_touch(market, desk, consumed, books);
            }
            (Body::BookLevel(level), Model::Book) => {
                book::on_level(market, desk, consumed, books, &level);
                book::trigger_by_touch(market, desk, consumed, books);
            }
            (Body::BookClear(_), Model::Book) => book::on_clear(market, consumed),
            (Body::BarExtra(extra), Model::Bars) => market.bar_next_ns = extra.length_ns,
            (Body::Bar(bar), Model::Bars) if market.bar_next_ns == market.bar_ns => {
                market.last = Some(bar.close);
                bars::on_bar(market, desk, &bar, *bar_fill);
            }
            (Body::FeedState(state), _) => market.status = state.status,
            (body, _) => debug_assert!(!is_order(&body), "orders come through submit"),
        }
        desk.tidy(&self.markets);
    }

    /// Takes an order or a cancel that left through the gate at the event's moment. A cancel for an
    /// order that has ended, or that is being cancelled already, changes nothing.
    ///
    /// # Panics
    /// With more open orders than [`crate::limits::OPEN_ORDERS_MAX`]: risk refuses them before.
    pub fn submit(&mut self, event: &Event) {
        let due = |order, way| event.ts.plus(self.order_latency.of(order, way));
        let body = event.body();
        if let Body::OrderSent(sent) = body {
            let due = due(sent.order, Way::Order);
            self.desk.send(due, Order::new(event.instrument, &sent));
        } else if let Body::CancelSent(cancel) = body {
            self.desk.send_cancel(due(cancel.order, Way::Cancel), cancel.order);
        } else if let Body::StopSent(sent) = body {
            let stop = Stop::new(event.instrument, &sent);
            self.desk.send_stop(due(sent.order, Way::Order), stop, sent.moves);
        }
    }

    /// Takes in money that came to an account, or went.
    pub fn cash_flow(&mut self, flow: &CashFlow) {
        self.desk.till.flow(flow);
    }

    /// Closes a position that the account's margin no longer holds, at the event's moment: what
    /// works or is on its way for the instrument ends, and the position, with the fills that are
    /// still to be reported, is closed at one price.
    pub fn liquidate(&mut self, event: &Event, liquidate: &Liquidate) {
        let at = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
        let Some(market) = self.markets.get(at) else { return };
        self.desk.pass(event.ts);
        self.desk.liquidate(market, OrderNo::new(event.seq, u16::MAX), liquidate);
        self.desk.tidy(&self.markets);
    }

    /// Returns the earliest moment at which something is due: an arrival at the venue, the end of
    /// an order that waits there, or a report on its way back.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.desk.next_due()
    }

    /// Performs the one earliest due thing. Returns a report that is to be recorded now; `None`
    /// when it was an act at the venue, or when nothing is due at all.
    pub fn advance(&mut self, books: &[Book]) -> Option<(InstrumentId, Body)> {
        let mut report = None;
        match self.desk.pop()? {
            Due::Order(number) => self.arrive(number, books),
            Due::Cancel(number) => self.end(number, DoneReason::Cancelled),
            Due::Expiry(number) => self.end(number, DoneReason::Expired),
            Due::Stop(number, trigger) => self.desk.place_stop(number, trigger),
            Due::Report(instrument, body) => report = Some((instrument, body)),
        }
        self.desk.tidy(&self.markets);
        report
    }

    /// Returns how many orders have been submitted whose end has not been reported.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.desk.open()
    }

    fn arrive(&mut self, number: OrderNo, books: &[Book]) {
        let (desk, consumed) = (&mut self.desk, &mut self.consumed);
        let Some(at) = desk.find(number) else { return };
        let Some(order) = desk.get(at).filter(|order| order.place == Place::Travelling) else {
            return;
        };
        let market = usize::try_from(order.instrument.0).ok().and_then(|id| self.markets.get(id));
        let refusal = match market {
            Some(market) => {
                let refusal =
                    market.refusal(order).or_else(|| refuse_increase(market, desk, order));
                let refusal = refusal.or_else(|| refuse_taking(market, consumed, books, order));
                refusal.or_else(|| (!desk.pays_for(order)).then_some(Reject::NoBalance))
            }
            // No such instrument.
            None => Some(Reject::NoPrice),
        };
        if let Some(reason) = refusal {
            desk.end(at, DoneReason::Rejected, reason.into());
            return;
        }
        desk.acknowledge(at);
        let Some(market) = market else { return };
        match market.model {
            Model::Book | Model::Quotes => book::arrive(market, desk, consumed, books, at),
            Model::Trades => trades::arrive(desk, at),
            // Bars fill when they close.
            Model::Bars | Model::Closed => {}
        }
    }

    fn end(&mut self, number: OrderNo, reason: DoneReason) {
        if let Some(at) = self.desk.find(number) {
            self.desk.end(at, reason, Code::NONE);
        } else {
            self.desk.end_stop(number);
        }
    }
}

/// Returns why the venue refuses a post-only order, if it does: it would trade on arrival, or
/// nobody can tell.
fn refuse_taking(
    market: &Market,
    consumed: &Consumed,
    books: &[Book],
    order: &Order,
) -> Option<Reject> {
    if !order.post_only {
        return None;
    }
    let takes = match market.model {
        Model::Book | Model::Quotes => Some(book::offered(market, consumed, books, order).qty > 0),
        Model::Trades | Model::Bars | Model::Closed => market.takes_at_last(order),
    };
    match takes {
        Some(true) => Some(Reject::PostOnly),
        Some(false) => None,
        None => Some(Reject::NoPrice),
    }
}

/// Returns why the venue refuses an order that may only close, if it does: it is more than what is
/// held against it.
fn refuse_increase(market: &Market, desk: &Desk, order: &Order) -> Option<Reject> {
    let most = desk.most(market, order)?;
    (order.qty.0 > most).then_some(Reject::ReduceOnly)
}

/// Tells whether a payload is for [`Paper::submit`].
fn is_order(body: &Body) -> bool {
    matches!(body, Body::OrderSent(_) | Body::CancelSent(_) | Body::StopSent(_))
}

impl Image for Paper {
    fn save(&self, out: &mut ImageWriter) {
        out.put(IMAGE_VERSION);
        out.put_len(self.markets.len());
        for market in &self.markets {
            market.save(out);
        }
        self.consumed.save(out);
        self.desk.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(IMAGE_VERSION)?;
        if from.take_len(self.markets.len())? != self.markets.len() {
            return Err(ImageError::Range);
        }
        for market in &mut self.markets {
            market.load(from)?;
        }
        self.consumed.load(from)?;
        self.desk.load(from)
    }
}

#[cfg(test)]
mod tests;
