//! Fills from trades alone.
//!
//! Without a book nobody can tell whether an order crosses, so an immediate order waits one second
//! after its arrival and fills by the trades of that time, at their price moved by half the assumed
//! spread, within its limit; one that fills whole or not at all needs one trade of its size. A
//! resting limit fills at its price by trades at least one tick through
//! it; trades at the price fill nothing.
//!
//! What a trade filled is never more than its quantity. Buys come before sells, then orders by
//! price and number; who took in the trade does not matter.

use model::event::Trade;
use model::num::Price;
use model::order::{Liquidity, Side};
use model::time::SECOND_NS;

use super::desk::Desk;
use super::market::Market;
use super::order::{Order, allows};
use super::stops;

/// How long an immediate order waits for trades: a trade at its last moment comes too late.
const WAIT_NS: i64 = SECOND_NS;

/// Lets an order that has arrived wait for trades.
pub(super) fn arrive(desk: &mut Desk, at: usize) {
    if desk.working(at).is_some_and(|order| order.is_immediate()) {
        desk.wait(at, desk.now().plus(WAIT_NS));
    }
}

/// Lets a trade of others fill the orders that it would have met.
pub(super) fn on_trade(market: &Market, desk: &mut Desk, trade: &Trade) {
    let mut room = trade.qty.0;
    for side in [Side::Buy, Side::Sell] {
        for at in desk.side(market.id, side) {
            let Some(order) = desk.working(at).copied() else { continue };
            if let Some((price, liquidity)) = price(market, &order, trade.price) {
                let usable = order.usable(market.whole_lots(room));
                room = room.saturating_sub(desk.fill(market, at, price, usable, liquidity));
            }
        }
    }
}

/// Triggers the protective stops that a trade reaches: their orders wait for the trades of the next
/// second, as others do.
pub(super) fn trigger(market: &Market, desk: &mut Desk, price: Price) {
    while let Some((at, _)) = stops::trigger(market, desk, |_| Some(price), |_| Some(price)) {
        arrive(desk, at);
    }
}

/// Returns at what price a trade fills an order, if it does.
fn price(market: &Market, order: &Order, traded: Price) -> Option<(Price, Liquidity)> {
    let Order { side, limit, .. } = *order;
    if order.is_immediate() {
        let price = market.with_half_spread(traded, side)?;
        allows(side, limit, price).then_some((price, Liquidity::Taker))
    } else {
        market.is_through(side, limit, traded).then_some((limit, Liquidity::Maker))
    }
}
