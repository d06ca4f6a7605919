//! One of our orders as the venue sees it, and its place among the others.
//!
//! Orders sort by instrument, side, price (best first) and order number: the order in which they
//! share what is available.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::OrderSent;
use model::id::{InstrumentId, OrderNo, StrategyId};
use model::num::{Price, Qty};
use model::order::{Side, TimeInForce};

/// Quantity ahead of an order whose queue nobody has seen: its price lies beyond what is recorded.
/// The first level shown there replaces it.
pub(super) const AHEAD_UNKNOWN: i64 = i64::MAX;

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On its way to the venue.
    Travelling,
    /// At the venue.
    Working,
    /// Done, until the end of the act that ended it.
    Ended,
}

/// An order that has not ended at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: OrderNo,
    pub(super) instrument: InstrumentId,
    pub(super) strategy: StrategyId,
    pub(super) side: Side,
    pub(super) tif: TimeInForce,
    pub(super) reduces: bool,
    /// It closes what its strategy's own fills hold.
    pub(super) exit: bool,
    pub(super) post_only: bool,
    pub(super) limit: Price,
    pub(super) qty: Qty,
    /// Quantity that is not filled yet.
    pub(super) left: Qty,
    /// Displayed quantity of others that trades before this order at its price.
    pub(super) ahead: i64,
    /// Quantity that was displayed at its price when it joined, or by the last update since.
    pub(super) shown: i64,
    /// Quantity that has traded at its price since then.
    pub(super) traded: i64,
    pub(super) place: Place,
    /// True while a cancel is on its way: a second one would change nothing.
    pub(super) cancelling: bool,
}

/// Sorts orders: instrument, side, price (best first), number.
pub(super) type Key = (InstrumentId, Side, i64, OrderNo);

/// Returns the rank of a price among orders of a side: lower ranks trade first.
pub(super) fn rank(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.0.saturating_neg(),
        Side::Sell => price.0,
    }
}

/// Tells whether an order of `side` with this limit may trade at `price`.
pub(super) fn allows(side: Side, limit: Price, price: Price) -> bool {
    rank(side, limit) <= rank(side, price)
}

impl Order {
    /// Returns the order as it leaves.
    pub(super) fn new(instrument: InstrumentId, sent: &OrderSent) -> Self {
        Self {
            number: sent.order,
            instrument,
            strategy: sent.strategy,
            side: sent.side,
            tif: sent.tif,
            reduces: sent.reduces,
            exit: sent.exit,
            post_only: sent.post_only,
            limit: sent.price,
            qty: sent.qty,
            left: sent.qty,
            ahead: AHEAD_UNKNOWN,
            shown: AHEAD_UNKNOWN,
            traded: 0,
            place: Place::Travelling,
            cancelling: false,
        }
    }

    /// Returns the key that orders sort by.
    pub(super) fn key(&self) -> Key {
        (self.instrument, self.side, rank(self.side, self.limit), self.number)
    }

    /// Tells whether the order takes what is there when its turn comes, or nothing at all.
    pub(super) fn is_immediate(&self) -> bool {
        self.tif != TimeInForce::Gtc
    }

    /// Returns what of an offer the order may fill with: less than its whole quantity is nothing
    /// to one that fills whole or not at all.
    pub(super) fn usable(&self, offer: i64) -> i64 {
        if self.tif == TimeInForce::Fok && offer < self.left.0 { 0 } else { offer }
    }

    /// Returns the quantity filled so far.
    pub(super) fn filled(&self) -> Qty {
        Qty(self.qty.0.saturating_sub(self.left.0))
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put(self.number);
        out.put(self.instrument.0);
        out.put(self.strategy);
        out.put(self.side);
        out.put(self.tif);
        out.put(self.reduces);
        out.put(self.exit);
        out.put(self.post_only);
        out.put(self.limit);
        out.put(self.qty);
        out.put(self.left);
        out.put(self.ahead);
        out.put(self.shown);
        out.put(self.traded);
        out.put(self.place == Place::Working);
        out.put(self.cancelling);
    }

    pub(super) fn load(from: &mut ImageReader<'_>) -> Result<Self, ImageError> {
        Ok(Self {
            number: from.take()?,
            instrument: InstrumentId(from.take()?),
            strategy: from.take()?,
            side: from.take()?,
            tif: from.take()?,
            reduces: from.take()?,
            exit: from.take()?,
            post_only: from.take()?,
            limit: from.take()?,
            qty: from.take()?,
            left: from.take()?,
            ahead: from.take()?,
            shown: from.take()?,
            traded: from.take()?,
            place: if from.take()? { Place::Working } else { Place::Travelling },
            cancelling: from.take()?,
        })
    }
}
