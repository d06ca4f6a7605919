//! What tells one instrument's book from another's, where a snapshot names no symbol.

use model::decimal::parse_mantissa;

/// Decimals at which prices are compared: those of the venue.
const DECIMALS: u8 = 8;

/// What is known of an instrument's market beside its symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    /// First and last update id of its book messages.
    ids: Option<(u64, u64)>,
    /// The first price of a trade, or of a best bid, at [`DECIMALS`].
    price: Option<i64>,
}

impl Trace {
    /// Takes in the update ids of a message.
    pub(super) fn see_ids(&mut self, first: u64, last: u64) {
        let (from, to) = self.ids.unwrap_or((first, last));
        self.ids = Some((from.min(first), to.max(last)));
    }

    /// Takes in a price, unless one is known.
    pub(super) fn see_price(&mut self, text: &[u8]) {
        self.price = self.price.or_else(|| price(text));
    }

    /// Tells whether a price would be news.
    pub(super) fn wants_price(&self) -> bool {
        self.price.is_none()
    }

    /// Tells whether a snapshot of this update id and best bid may be of this instrument: book
    /// messages reach from before it to behind it, and its price is not a different one.
    ///
    /// QUIRK(binance): futures number the updates of all symbols together, so that there the ids of
    /// another symbol fit nearly always; spot numbers each symbol on its own.
    pub(super) fn fits(&self, last: u64, bid: &[u8]) -> bool {
        let joins = self.ids.is_some_and(|(from, to)| from <= last.saturating_add(1) && last <= to);
        let is_near = |own: i64, other: i64| own <= other.saturating_mul(2);
        joins
            && match (self.price, price(bid)) {
                (Some(own), Some(bid)) => is_near(own, bid) && is_near(bid, own),
                _ => true,
            }
    }
}

fn price(text: &[u8]) -> Option<i64> {
    parse_mantissa(text, DECIMALS).ok().filter(|price| *price > 0)
}
