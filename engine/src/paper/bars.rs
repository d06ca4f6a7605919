//! Fills from bars alone.
//!
//! The next bar is the first whose record comes after the order's arrival. An immediate order fills
//! at its open moved by half the assumed spread, within its bound, and what is left expires with
//! that bar. A resting limit needs a bar that trades at least one tick through it; it fills at the
//! limit as a maker, or at the open as a taker when the bar opens at the limit or better.
//!
//! All fills in a bar are at most a tenth of its volume, in whole lots. Immediate orders come
//! first, then limits; in each, buys before sells, then by price and order number.

use model::event::Bar;
use model::num::Price;
use model::order::{DoneReason, Liquidity, Side};
use model::reject::Code;

use super::desk::Desk;
use super::market::Market;
use super::order::{Order, allows};

/// The part of a bar's volume that may be ours: one of this many.
const VOLUME_SHARE: i64 = 10;

/// Lets a closed bar trade with the orders that wait for it.
pub(super) fn on_bar(market: &Market, desk: &mut Desk, bar: &Bar) {
    let mut room = bar.volume.0.max(0).checked_div(VOLUME_SHARE).unwrap_or(0);
    for immediate in [true, false] {
        for side in [Side::Buy, Side::Sell] {
            for at in desk.side(market.id, side) {
                let Some(order) = desk.working(at).copied() else { continue };
                if order.is_immediate() != immediate {
                    continue;
                }
                if let Some((price, liquidity)) = price(market, &order, bar) {
                    let usable = order.usable(market.whole_lots(room));
                    let filled = desk.fill(market, at, price, usable, liquidity);
                    room = room.saturating_sub(filled);
                }
                if immediate {
                    desk.end(at, DoneReason::Expired, Code::NONE);
                }
            }
        }
    }
}

/// Returns at what price a bar fills an order, if it does.
fn price(market: &Market, order: &Order, bar: &Bar) -> Option<(Price, Liquidity)> {
    let Order { side, limit, .. } = *order;
    if order.is_immediate() {
        let price = market.with_half_spread(bar.open, side)?;
        return allows(side, limit, price).then_some((price, Liquidity::Taker));
    }
    let extreme = match side {
        Side::Buy => bar.low,
        Side::Sell => bar.high,
    };
    if !market.is_through(side, limit, extreme) {
        return None;
    }
    if !order.post_only && allows(side, limit, bar.open) {
        Some((market.on_tick(bar.open, side)?, Liquidity::Taker))
    } else {
        Some((limit, Liquidity::Maker))
    }
}
