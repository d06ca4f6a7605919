//! Price levels of one instrument, folded from book events.
//!
//! Each side is one sorted run of levels with the best at its end, see `ladder`. Room for
//! `LEVELS_MAX` levels a side is taken once; after that nothing allocates. Quantities are absolute,
//! zero removes.

use crate::codec::{Image, ImageError, ImageReader, ImageWriter};
use crate::num::{Price, Qty};
use crate::order::Side;

use ladder::Ladder;

/// One side.
mod ladder;
/// Quantities by key.
mod window;

/// LIMIT: levels kept on one side. Recorded spot books stay below 8,000; what is further from the
/// touch than this many levels is dropped, worst first, and counted.
pub const LEVELS_MAX: usize = 16_384;

/// One price level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price at the instrument's scale.
    pub price: Price,
    /// Displayed quantity, positive.
    pub qty: Qty,
}

/// Both sides of a book. Two books are equal when their levels are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// Returns an empty book with its room taken.
    #[must_use]
    pub fn new() -> Self {
        Self { bids: Ladder::new(1), asks: Ladder::new(-1) }
    }

    /// Returns a book without room: for instruments whose data has no levels.
    #[must_use]
    pub fn empty() -> Self {
        Self { bids: Ladder::empty(1), asks: Ladder::empty(-1) }
    }

    /// Sets the quantity at a price; zero removes the level. Returns what stood there before.
    #[inline]
    pub fn set(&mut self, side: Side, price: Price, qty: Qty) -> Qty {
        Qty(self.ladder_mut(side).set(price.0, qty.0))
    }

    /// Removes all levels.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Returns the best level of a side.
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.ladder(side).best()
    }

    /// Returns the levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.ladder(side).levels()
    }

    /// Returns the quantity shown at a price.
    #[must_use]
    pub fn qty_at(&self, side: Side, price: Price) -> Qty {
        Qty(self.ladder(side).qty_at(price.0))
    }

    /// Returns the number of levels of a side.
    #[must_use]
    pub fn len(&self, side: Side) -> usize {
        self.ladder(side).len()
    }

    /// Tells whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.len() == 0 && self.asks.len() == 0
    }

    /// Tells whether both sides have a level and the best bid is not below the best ask.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.best(Side::Buy), self.best(Side::Sell)) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// Returns how many levels were dropped for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.bids.dropped().saturating_add(self.asks.dropped())
    }

    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Image for Book {
    fn save(&self, out: &mut ImageWriter) {
        self.bids.save(out);
        self.asks.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.bids.load(from)?;
        self.asks.load(from)
    }
}

#[cfg(test)]
mod tests;
