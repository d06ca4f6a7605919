//! One instrument as the venue knows it: its terms, and what its data shows.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::Quote;
use model::id::{AssetId, InstrumentId};
use model::instrument::{Instrument, Kind};
use model::num::{Price, Qty, Rounding, div_round};
use model::order::{FeedStatus, Liquidity, Side};
use model::reject::Reject;

use super::fees::Fees;
use super::order::{Order, allows, rank};
use crate::setup::Carried;

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

/// Terms and state of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Market {
    pub(super) id: InstrumentId,
    pub(super) model: Model,
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
        carries: Carried,
        traded: bool,
        assets: &[String],
    ) -> Self {
        Self {
            id,
            model: if traded { Model::of(carries) } else { Model::Closed },
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

    /// Returns the fee of a fill and its asset; `None` when it does not fit.
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
        let half = i128::from(self.instrument.half_spread.0);
        let factor = match side {
            Side::Buy => RATE_ONE.checked_add(half)?,
            Side::Sell => RATE_ONE.checked_sub(half)?,
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
