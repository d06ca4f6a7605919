//! One instrument as the venue knows it: its terms, and what its data shows.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::Quote;
use model::id::{AssetId, InstrumentId};
use model::instrument::{Instrument, Kind};
use model::num::{Money, Price, Qty, Rounding, div_round};
use model::order::{FeedStatus, Liquidity, Side};
use model::reject::Reject;

use super::fees::Fees;
use super::order::{Order, allows, rank};
use crate::portfolio::as_qty;
use crate::setup::Carried;
use crate::setup::paper::QueueSetup;

/// One as a mantissa of a rate.
const RATE_ONE: i128 = 1_000_000_000;

/// How fills are found: the best that the instrument's data allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Not traded, or without data: every order is refused.
    Closed,
    /// Book levels.
    Book,
    /// Best prices only: a book of one level a side.
    Quotes,
    /// Trades only.
    Trades,
    /// Bars only.
    Bars,
}

/// How an instrument is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What its data holds.
    pub(super) carries: Carried,
    /// False where every order is refused.
    pub(super) traded: bool,
    /// How queues move.
    pub(super) queue: QueueSetup,
}

/// Terms and state of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Market {
    pub(super) id: InstrumentId,
    pub(super) model: Model,
    /// How queues move.
    pub(super) queue: QueueSetup,
    /// The data has trades of others.
    pub(super) trades: bool,
    instrument: Instrument,
    fees: Option<Fees>,
    /// Length of the bars that fill; others (longer ones made from them) are no new trading.
    pub(super) bar_ns: i64,
    /// What the feed says of what is shown: nothing is taken from a book that may be wrong.
    pub(super) status: FeedStatus,
    /// The last quote, of an instrument without a book.
    pub(super) quote: Option<Quote>,
    /// The last trade or close, of an instrument without a book.
    pub(super) last: Option<Price>,
    /// Length of the bar that follows.
    pub(super) bar_next_ns: i64,
}

impl Model {
    fn of(carries: Carried) -> Self {
        if carries.book {
            Self::Book
        } else if carries.quotes {
            Self::Quotes
        } else if carries.trades {
            Self::Trades
        } else if carries.bar_ns > 0 {
            Self::Bars
        } else {
            Self::Closed
        }
    }
}

impl Market {
    pub(super) fn new(
        id: InstrumentId,
        instrument: &Instrument,
        terms: Terms,
        assets: &[String],
    ) -> Self {
        let Terms { carries, traded, queue } = terms;
        Self {
            id,
            model: if traded { Model::of(carries) } else { Model::Closed },
            queue,
            trades: carries.trades,
            instrument: instrument.clone(),
            fees: Fees::new(instrument, assets),
            bar_ns: carries.bar_ns,
            // Sources that have no sequence never say so: their data is as good as it gets.
            status: FeedStatus::Synced,
            quote: None,
            last: None,
            bar_next_ns: 0,
        }
    }

    /// Returns why the venue refuses an order, if it does.
    pub(super) fn refusal(&self, order: &Order) -> Option<Reject> {
        let terms = &self.instrument;
        let (limit, qty) = (order.limit.0, order.qty.0);
        if self.model == Model::Closed {
            return Some(Reject::NoPrice);
        }
        if limit <= 0 || limit.checked_rem(terms.tick.0) != Some(0) {
            return Some(Reject::OffTick);
        }
        if qty.checked_rem(terms.lot.0) != Some(0) {
            return Some(Reject::OffLot);
        }
        if qty <= 0 || qty < terms.qty_min.0 {
            return Some(Reject::BelowMinQty);
        }
        if qty > terms.qty_max.0 {
            return Some(Reject::AboveMaxQty);
        }
        let decimals = terms.price_scale.decimals();
        let value = terms.notional(limit.into(), decimals, qty.into(), Rounding::Floor);
        let Some(value) = value else { return Some(Reject::Overflow) };
        // Venues exempt reduce-only orders of contracts, so that a small position can be closed.
        let exempt = order.reduces && terms.kind == Kind::LinearPerpetual;
        if value < terms.notional_min && !exempt {
            return Some(Reject::BelowMinNotional);
        }
        // An account cannot pay in an asset that it does not know.
        let Some(fees) = &self.fees else { return Some(Reject::NoBalance) };
        let fits = [Liquidity::Maker, Liquidity::Taker]
            .into_iter()
            .all(|liquidity| fees.of(order.side, limit, qty, liquidity).is_some());
        if fits { None } else { Some(Reject::Overflow) }
    }

    /// Tells whether an order would trade at once where only trades are known: at the last price
    /// moved by half the assumed spread. `None` before the first price.
    pub(super) fn takes_at_last(&self, order: &Order) -> Option<bool> {
        let price = self.with_half_spread(self.last?, order.side)?;
        Some(allows(order.side, order.limit, price))
    }

    /// Tells whether this is a contract whose venue knows orders that may only reduce.
    pub(super) fn is_linear(&self) -> bool {
        self.instrument.kind == Kind::LinearPerpetual
    }

    /// Returns the quantity, not in lots, that an order of a side can close of what is held.
    pub(super) fn closable(&self, held: i128, side: Side) -> i64 {
        let against = if side == Side::Sell { held } else { held.saturating_neg() };
        as_qty(Money(against.max(0)), &self.instrument).0
    }

    /// Returns by how much a fill moves what is held, in units of 1e-9: on spot a fee in the base
    /// leaves that much less.
    pub(super) fn moved(&self, side: Side, qty: i64, fee: i64, asset: AssetId) -> i128 {
        let qty = self.instrument.qty_as_money(Qty(qty)).unwrap_or(Money::ZERO);
        let in_base = self.fees.as_ref().is_some_and(|fees| fees.takes_base(side, asset));
        let fee = if in_base { i128::from(fee) } else { 0 };
        qty.0.saturating_sub(fee).saturating_mul(i128::from(side.sign()))
    }

    /// Returns the price moved by the instrument's band against an order of `side`, on the tick.
    pub(super) fn protected(&self, price: Price, side: Side) -> Option<Price> {
        self.moved_by(price, i128::from(self.instrument.protect.0), side)
    }

    /// Returns the instrument's fees; `None` where one is in an asset that the session lacks.
    pub(super) fn fees(&self) -> Option<&Fees> {
        self.fees.as_ref()
    }

    /// Returns the fee of a fill at the instrument's own rates, and its asset; `None` when it does
    /// not fit.
    pub(super) fn fee(
        &self,
        side: Side,
        price: Price,
        qty: i64,
        liquidity: Liquidity,
    ) -> Option<(i64, AssetId)> {
        self.fees.as_ref()?.of(side, price.0, qty, liquidity)
    }

    /// Returns the quantity in whole lots, never negative.
    pub(super) fn whole_lots(&self, qty: i64) -> i64 {
        let lot = self.instrument.lot.0;
        qty.max(0).saturating_sub(qty.max(0).checked_rem(lot).unwrap_or(0))
    }

    /// Returns the price moved by half the assumed spread against an order of `side`, on the tick.
    pub(super) fn with_half_spread(&self, price: Price, side: Side) -> Option<Price> {
        self.moved_by(price, i128::from(self.instrument.half_spread.0), side)
    }

    fn moved_by(&self, price: Price, rate: i128, side: Side) -> Option<Price> {
        let factor = match side {
            Side::Buy => RATE_ONE.checked_add(rate)?,
            Side::Sell => RATE_ONE.checked_sub(rate)?,
        };
        self.against(i128::from(price.0).checked_mul(factor)?, RATE_ONE, side)
    }

    /// Returns the price on the tick, rounded against an order of `side`.
    pub(super) fn on_tick(&self, price: Price, side: Side) -> Option<Price> {
        self.against(price.0.into(), 1, side)
    }

    /// Tells whether trading at `price` has gone at least one tick through an order's limit.
    pub(super) fn is_through(&self, side: Side, limit: Price, price: Price) -> bool {
        let tick = self.instrument.tick.0;
        rank(side, price) >= rank(side, limit).saturating_add(tick)
    }

    fn against(&self, numerator: i128, denominator: i128, side: Side) -> Option<Price> {
        let tick = i128::from(self.instrument.tick.0);
        let rounding = match side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let steps = div_round(numerator, denominator.checked_mul(tick)?, rounding)?;
        i64::try_from(steps.checked_mul(tick)?).ok().map(Price)
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put(self.status);
        out.put(self.bar_next_ns);
        out.put(self.quote.is_some());
        let quote = self.quote.unwrap_or_default();
        for price in [quote.bid, quote.ask] {
            out.put(price);
        }
        for qty in [quote.bid_qty, quote.ask_qty] {
            out.put(qty);
        }
        out.put(quote.update_id);
        out.put_option(self.last);
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.status = from.take()?;
        self.bar_next_ns = from.take()?;
        let known: bool = from.take()?;
        let (bid, ask): (Price, Price) = (from.take()?, from.take()?);
        let (bid_qty, ask_qty): (Qty, Qty) = (from.take()?, from.take()?);
        let quote = Quote { bid, ask, bid_qty, ask_qty, update_id: from.take()? };
        self.quote = known.then_some(quote);
        self.last = from.take_option()?;
        Ok(())
    }
}
