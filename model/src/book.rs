//! Price levels of one instrument, folded from book events.
//!
//! Each side is one sorted run of levels with the best at its end: changes cluster around the
//! touch, so they move few bytes. Room for `LEVELS_MAX` levels a side is taken once; after that
//! nothing allocates. Quantities are absolute, zero removes.

use crate::codec::{Image, ImageError, ImageReader, ImageWriter};
use crate::num::{Price, Qty};
use crate::order::Side;

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

/// One side. Keys are prices for bids and negated prices for asks, so that both sort best last.
#[derive(Clone, Debug)]
struct Ladder {
    /// Keys with quantities, ascending; a quantity of zero is a hole. The last is never one.
    levels: Vec<(i64, i64)>,
    /// Levels that are no holes.
    count: usize,
    /// Where the last search ended: the changes of one message come sorted, so the next one is
    /// near.
    finger: usize,
    sign: i64,
    dropped: u64,
}

impl PartialEq for Ladder {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
            && self.dropped == other.dropped
            && self.sign == other.sign
            && self.live().eq(other.live())
    }
}

impl Eq for Ladder {}

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
        let side = |sign| Ladder { levels: Vec::new(), count: 0, finger: 0, sign, dropped: 0 };
        Self { bids: side(1), asks: side(-1) }
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
        self.ladder(side).levels().next()
    }

    /// Returns the levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.ladder(side).levels()
    }

    /// Returns the quantity shown at a price.
    #[must_use]
    pub fn qty_at(&self, side: Side, price: Price) -> Qty {
        let ladder = self.ladder(side);
        let key = price.0.saturating_mul(ladder.sign);
        match ladder.levels.binary_search_by_key(&key, |level| level.0) {
            Ok(at) => Qty(ladder.levels.get(at).map_or(0, |level| level.1)),
            Err(_) => Qty(0),
        }
    }

    /// Returns the number of levels of a side.
    #[must_use]
    pub fn len(&self, side: Side) -> usize {
        self.ladder(side).count
    }

    /// Tells whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.count == 0 && self.asks.count == 0
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
        self.bids.dropped.saturating_add(self.asks.dropped)
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

impl Ladder {
    fn new(sign: i64) -> Self {
        Self { levels: Vec::with_capacity(LEVELS_MAX), count: 0, finger: 0, sign, dropped: 0 }
    }

    fn clear(&mut self) {
        self.levels.clear();
        self.count = 0;
        self.finger = 0;
    }

    fn set(&mut self, price: i64, qty: i64) -> i64 {
        let key = price.saturating_mul(self.sign);
        let qty = qty.max(0);
        match self.find(key) {
            Ok(at) => {
                let Some(level) = self.levels.get_mut(at) else { return 0 };
                let before = std::mem::replace(&mut level.1, qty);
                match (before, qty) {
                    (0, 1..) => self.count = self.count.saturating_add(1),
                    (1.., 0) => {
                        self.count = self.count.saturating_sub(1);
                        self.drop_holes_at_best();
                    }
                    _ => {}
                }
                before
            }
            Err(_) if qty == 0 => 0,
            Err(at) => {
                self.insert(at, (key, qty));
                0
            }
        }
    }

    fn drop_holes_at_best(&mut self) {
        while self.levels.last().is_some_and(|level| level.1 == 0) {
            self.levels.pop();
        }
    }

    /// Finds a key from where the last search ended, in steps that double, then by halves.
    #[inline]
    fn find(&mut self, key: i64) -> Result<usize, usize> {
        let len = self.levels.len();
        let (mut low, mut high) = (0, len);
        let mut step = 4_usize;
        let start = self.finger.min(len);
        if self.levels.get(start).is_some_and(|level| level.0 <= key) {
            low = start;
            while let Some(level) = self.levels.get(low.saturating_add(step)) {
                if level.0 > key {
                    high = low.saturating_add(step);
                    break;
                }
                low = low.saturating_add(step);
                step = step.saturating_mul(2);
            }
        } else {
            high = start;
            while let Some(at) = high.checked_sub(step) {
                if self.levels.get(at).is_some_and(|level| level.0 <= key) {
                    low = at;
                    break;
                }
                high = at;
                step = step.saturating_mul(2);
            }
        }
        let range = self.levels.get(low..high).unwrap_or_default();
        let found = match range.binary_search_by(|level| level.0.cmp(&key)) {
            Ok(at) => Ok(low.saturating_add(at)),
            Err(at) => Err(low.saturating_add(at)),
        };
        self.finger = found.unwrap_or_else(|place| place);
        found
    }

    fn insert(&mut self, at: usize, level: (i64, i64)) {
        let mut at = at;
        if self.levels.len() >= LEVELS_MAX {
            self.levels.retain(|level| level.1 > 0);
            at = self.find(level.0).unwrap_or_else(|place| place);
        }
        if self.levels.len() >= LEVELS_MAX {
            self.dropped = self.dropped.saturating_add(1);
            if at == 0 {
                return;
            }
            // Full: the worst level makes room for a better one.
            self.levels.remove(0);
            at = at.saturating_sub(1);
        } else {
            self.count = self.count.saturating_add(1);
        }
        self.place(at, level);
    }

    /// Puts a level before place `at`. The nearest hole takes the move up, so that few levels are
    /// touched; without one in sight the run grows.
    fn place(&mut self, at: usize, level: (i64, i64)) {
        const SIGHT: usize = 256;
        let below = self.levels.get(at.saturating_sub(SIGHT)..at).unwrap_or_default();
        let hole = below.iter().rposition(|level| level.1 == 0);
        let distance = hole.map_or(SIGHT, |hole| below.len().saturating_sub(hole));
        if let Some(run) = self.levels.get_mut(at.saturating_sub(distance)..at)
            && distance < SIGHT
        {
            // The run begins with the hole: it moves to the end, where the level belongs.
            run.rotate_left(1);
            if let Some(slot) = run.last_mut() {
                *slot = level;
            }
            return;
        }
        let end = at.saturating_add(SIGHT).min(self.levels.len());
        let above = self.levels.get(at..end).unwrap_or_default();
        match above.iter().position(|level| level.1 == 0) {
            Some(hole) => {
                let stop = at.saturating_add(hole).saturating_add(1);
                if let Some(run) = self.levels.get_mut(at..stop) {
                    run.rotate_right(1);
                    if let Some(slot) = run.first_mut() {
                        *slot = level;
                    }
                }
            }
            None => self.levels.insert(at, level),
        }
    }

    fn live(&self) -> impl Iterator<Item = &(i64, i64)> + '_ {
        self.levels.iter().filter(|level| level.1 > 0)
    }

    fn levels(&self) -> impl Iterator<Item = Level> + '_ {
        let sign = self.sign;
        let live = self.levels.iter().rev().filter(|level| level.1 > 0);
        live.map(move |(key, qty)| Level { price: Price(key.saturating_mul(sign)), qty: Qty(*qty) })
    }
}

impl Image for Book {
    fn save(&self, out: &mut ImageWriter) {
        for ladder in [&self.bids, &self.asks] {
            out.put(ladder.dropped);
            out.put_len(ladder.count);
            for (key, qty) in ladder.live() {
                out.put(*key);
                out.put(*qty);
            }
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        for ladder in [&mut self.bids, &mut self.asks] {
            ladder.dropped = from.take()?;
            ladder.clear();
            for _ in 0..from.take_len(LEVELS_MAX)? {
                let (key, qty): (i64, i64) = (from.take()?, from.take()?);
                let sorted = ladder.levels.last().is_none_or(|last| last.0 < key);
                if !sorted || qty <= 0 {
                    return Err(ImageError::Range);
                }
                ladder.levels.push((key, qty));
                ladder.count = ladder.count.saturating_add(1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
