//! The book of one instrument: ten levels a side, and how messages change them.
//!
//! The best level stands where the price says; those behind it stand on a grid of wider steps, so
//! that a small move changes two levels and not all. What left is told before what came: a book
//! that applies the changes one by one is never crossed, not even in between.

use model::event::{Body, BookLevel};
use model::num::{Price, Qty};
use model::order::Side;
use model::time::Nanos;

use super::listing::Listing;
use crate::draw::Draw;

/// Levels of each side.
pub(super) const LEVELS: usize = 10;

/// One side, best first; a quantity of zero stands for no level.
type Ladder = [(Price, Qty); LEVELS];

/// Both sides, as they are and as the last message left them.
#[derive(Clone, Debug, Default)]
pub(super) struct Depth {
    bids: Ladder,
    asks: Ladder,
    told_bids: Ladder,
    told_asks: Ladder,
}

/// Returns the quantity at a price.
fn at(ladder: &Ladder, price: Price) -> Qty {
    let level = ladder.iter().find(|(own, qty)| *own == price && qty.0 > 0);
    level.map_or(Qty(0), |(_, qty)| *qty)
}

/// Draws what stands at a level: more behind the touch.
fn lots(listing: &Listing, nth: i64, draw: &mut Draw) -> Qty {
    let size = listing.lots.saturating_mul(draw.below(100).saturating_add(10));
    let size = i64::try_from(size.checked_div(20).unwrap_or(1)).unwrap_or(1);
    Qty(size.saturating_add(size.saturating_mul(nth).checked_div(3).unwrap_or(0)).max(1))
}

/// Sets a side anew: a level that stands keeps its quantity, but for one in eight.
fn set(ladder: &mut Ladder, (best, step): (i64, i64), listing: &Listing, draw: &mut Draw) {
    let before = *ladder;
    let mut price = best;
    for (nth, level) in (0_i64..).zip(ladder.iter_mut()) {
        let stood = at(&before, Price(price));
        // The best level and one of eight others change with each message.
        let keeps = stood.0 > 0 && nth > 0 && draw.below(8) != 0;
        let qty = if keeps { stood } else { lots(listing, nth, draw) };
        *level = (Price(price), qty);
        // To the next multiple of the step, away from the market.
        let width = step.saturating_abs();
        let moved = price.saturating_add(step.signum());
        let over = moved.checked_rem_euclid(width).unwrap_or(0);
        price = match (step < 0, over) {
            (true, over) => moved.saturating_sub(over),
            (false, 0) => moved,
            (false, over) => moved.saturating_add(width.saturating_sub(over)),
        };
    }
}

impl Depth {
    /// Moves the book to a price.
    pub(super) fn follow(&mut self, listing: &Listing, fair: i64, draw: &mut Draw) {
        let tick = fair.checked_div(listing.tick_nano()).unwrap_or(0);
        // The spread breathes: up to twice its quiet half on either side.
        let half = || listing.half;
        let wider = |draw: &mut Draw| {
            let extra = u64::try_from(listing.half).unwrap_or(0).saturating_add(1);
            half().saturating_add(i64::try_from(draw.below(extra)).unwrap_or(0))
        };
        let bid = tick.saturating_sub(wider(draw)).max(1_000);
        let ask = tick.saturating_add(wider(draw)).max(bid.saturating_add(1));
        set(&mut self.bids, (bid, listing.spacing.saturating_neg()), listing, draw);
        set(&mut self.asks, (ask, listing.spacing), listing, draw);
    }

    /// Takes from the best level of a side; one lot stays.
    pub(super) fn take(&mut self, side: Side, lots: i64) {
        let ladder = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        if let Some((_, qty)) = ladder.first_mut() {
            *qty = Qty(qty.0.saturating_sub(lots).max(1));
        }
    }

    /// Returns the best price of a side and what stands there.
    pub(super) fn best(&self, side: Side) -> Option<(Price, Qty)> {
        let ladder = if side == Side::Buy { &self.bids } else { &self.asks };
        ladder.first().copied().filter(|(_, qty)| qty.0 > 0)
    }

    /// Tells every level, best first.
    pub(super) fn levels(&mut self, update_id: u64, now: Nanos, mut tell: impl FnMut(Body)) {
        for (side, ladder) in [(Side::Buy, &self.bids), (Side::Sell, &self.asks)] {
            for (price, qty) in ladder.iter().copied() {
                tell(level(side, price, qty, update_id, now));
            }
        }
        (self.told_bids, self.told_asks) = (self.bids, self.asks);
    }

    /// Tells what changed since it was told last: first what left, then what stands.
    pub(super) fn changes(&mut self, update_id: u64, now: Nanos, mut tell: impl FnMut(Body)) {
        let sides =
            [(Side::Buy, &self.told_bids, &self.bids), (Side::Sell, &self.told_asks, &self.asks)];
        for (side, told, stands) in sides {
            for (price, qty) in told.iter().copied() {
                if qty.0 > 0 && at(stands, price).0 == 0 {
                    tell(level(side, price, Qty(0), update_id, now));
                }
            }
        }
        for (side, told, stands) in sides {
            for (price, qty) in stands.iter().copied() {
                if at(told, price) != qty {
                    tell(level(side, price, qty, update_id, now));
                }
            }
        }
        (self.told_bids, self.told_asks) = (self.bids, self.asks);
    }
}

fn level(side: Side, price: Price, qty: Qty, update_id: u64, now: Nanos) -> Body {
    Body::BookLevel(BookLevel { price, qty, update_id, venue_ts: now, side })
}
