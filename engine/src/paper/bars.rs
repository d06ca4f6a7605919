//! Fills from bars alone.
//!
//! The next bar is the first whose record comes after the order's arrival. An immediate order fills
//! at its open moved by half the assumed spread, within its bound, and what is left expires with
//! that bar; by option it does so at the close. A resting limit needs a bar that trades at least
//! one tick through it; it fills at the limit as a maker, or at the open as a taker when the bar
//! opens at the limit or better. A post-only one never takes.
//!
//! A protective stop that the bar reaches fills at its trigger, or at the open if that is worse,
//! moved by half the assumed spread; what the volume leaves of it expires with the bar. Nobody can
//! tell what came first inside a bar, so it is what is worse for us: the stop before the target,
//! and a position that a bar opens can be stopped by the same bar.
//!
//! All fills in a bar are at most a tenth of its volume, in whole lots. Immediate orders at the
//! open come first, then stops, limits, stops of what these opened, and immediate orders at the
//! close; in each, buys before sells, then by price and order number.

use model::event::Bar;
use model::num::Price;
use model::order::{DoneReason, Liquidity, Side};
use model::reject::Code;

use super::desk::Desk;
use super::market::Market;
use super::order::{Order, allows};
use super::stops;
use crate::setup::paper::BarFill;

/// The part of a bar's volume that may be ours: one of this many.
const VOLUME_SHARE: i64 = 10;

/// Lets a closed bar trade with the orders that wait for it.
pub(super) fn on_bar(market: &Market, desk: &mut Desk, bar: &Bar, fill: BarFill) {
    let mut room = bar.volume.0.max(0).checked_div(VOLUME_SHARE).unwrap_or(0);
    if fill == BarFill::Open {
        immediates(market, desk, bar.open, &mut room);
    }
    stop_out(market, desk, bar, &mut room);
    limits(market, desk, bar, &mut room);
    stop_out(market, desk, bar, &mut room);
    if fill == BarFill::Close {
        immediates(market, desk, bar.close, &mut room);
    }
}

/// Fills immediate orders at a price of the bar; what is left of them expires.
fn immediates(market: &Market, desk: &mut Desk, at_price: Price, room: &mut i64) {
    for side in [Side::Buy, Side::Sell] {
        for at in desk.side(market.id, side) {
            let Some(order) = desk.working(at).filter(|order| order.is_immediate()).copied() else {
                continue;
            };
            let price = market.with_half_spread(at_price, side);
            if let Some(price) = price.filter(|price| allows(side, order.limit, *price)) {
                take(market, desk, at, (price, Liquidity::Taker), room);
            }
            desk.end(at, DoneReason::Expired, Code::NONE);
        }
    }
}

/// Fills resting limits that the bar trades through.
fn limits(market: &Market, desk: &mut Desk, bar: &Bar, room: &mut i64) {
    for side in [Side::Buy, Side::Sell] {
        for at in desk.side(market.id, side) {
            let Some(order) = desk.working(at).copied() else { continue };
            if let Some(terms) = limit_price(market, &order, bar) {
                take(market, desk, at, terms, room);
            }
        }
    }
}

/// Triggers and fills the stops that the bar reaches.
fn stop_out(market: &Market, desk: &mut Desk, bar: &Bar, room: &mut i64) {
    let reached = |side| match side {
        Side::Buy => Some(bar.high),
        Side::Sell => Some(bar.low),
    };
    loop {
        // The bound is around what it fills at, so the band never keeps it from that.
        let triggered = stops::trigger(market, desk, reached, |stop| {
            Some(stop_price(stop.side, stop.trigger, bar))
        });
        let Some((at, stop)) = triggered else { break };
        let price = stop_price(stop.side, stop.trigger, bar);
        if let Some(price) = market.with_half_spread(price, stop.side) {
            take(market, desk, at, (price, Liquidity::Taker), room);
        }
        desk.end(at, DoneReason::Expired, Code::NONE);
    }
}

/// Returns the price at which a stop is hit: its trigger, or the open if that is worse.
fn stop_price(side: Side, trigger: Price, bar: &Bar) -> Price {
    match side {
        Side::Buy => trigger.max(bar.open),
        Side::Sell => trigger.min(bar.open),
    }
}

fn take(
    market: &Market,
    desk: &mut Desk,
    at: usize,
    (price, liquidity): (Price, Liquidity),
    room: &mut i64,
) {
    let Some(order) = desk.working(at).copied() else { return };
    let usable = order.usable(market.whole_lots(*room));
    *room = room.saturating_sub(desk.fill(market, at, price, usable, liquidity));
}

/// Returns at what price a bar fills a resting limit, if it does.
fn limit_price(market: &Market, order: &Order, bar: &Bar) -> Option<(Price, Liquidity)> {
    let Order { side, limit, .. } = *order;
    let extreme = match side {
        Side::Buy => bar.low,
        Side::Sell => bar.high,
    };
    if order.is_immediate() || !market.is_through(side, limit, extreme) {
        return None;
    }
    if !order.post_only && allows(side, limit, bar.open) {
        Some((market.on_tick(bar.open, side)?, Liquidity::Taker))
    } else {
        Some((limit, Liquidity::Maker))
    }
}
