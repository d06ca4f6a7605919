//! Answers to the fields that strategy and risk rules share: the market, and a position.
//!
//! Which position is the caller's business: the account's net in risk, the own ledger in a
//! strategy.

use dsl::evaluate::Part;
use dsl::schema::Field;
use dsl::typed::{Depth, DepthSide};
use dsl::value::Value;
use model::instrument::Instrument;
use model::num::{Money, Price, Qty, Rounding, mul_div, pow10};
use model::order::{FeedStatus, Side};
use model::time::Nanos;

use crate::market::Market;
use crate::portfolio::as_qty;
use crate::portfolio::position::Position;

/// Returns a price, or missing.
pub(crate) fn price(price: Option<Price>) -> Value {
    Value::of(price.map(|price| i128::from(price.0)))
}

/// Returns a quantity, or missing.
pub(crate) fn qty(qty: Option<Qty>) -> Value {
    Value::of(qty.map(|qty| i128::from(qty.0)))
}

/// Returns money, or missing.
pub(crate) fn money(amount: Option<Money>) -> Value {
    Value::of(amount.map(|amount| amount.0))
}

/// Answers `market.*`, `quote.age`, `book.*`, `feed.*` and `now`; none for other fields.
#[expect(clippy::wildcard_enum_match_arm, reason = "callers name the other fields")]
pub(crate) fn market(market: &Market, field: Field, part: Part, now: Nanos) -> Option<Value> {
    let touch = market.touch();
    let bid = touch.filter(|touch| touch.bid_qty.0 > 0);
    let ask = touch.filter(|touch| touch.ask_qty.0 > 0);
    Some(match field {
        Field::MarketMid => Value::of(market.mid()),
        Field::MarketLast => price(market.last()),
        Field::MarketMark => Value::of(market.mark(now)),
        Field::MarketSpread => match (market.mid(), touch, part) {
            (Some(mid), Some(_), Part::Under) => Value::known(mid),
            (Some(_), Some(touch), _) => {
                let wide = i128::from(touch.ask.0).saturating_sub(i128::from(touch.bid.0));
                // At the mark's scale, as the middle is.
                Value::of(wide.checked_mul(10))
            }
            _ => Value::MISSING,
        },
        Field::QuoteAge => {
            let age = touch.map(|touch| now.since(touch.changed).max(0));
            Value::of(age.map(i128::from))
        }
        Field::BookBid => price(bid.map(|touch| touch.bid)),
        Field::BookAsk => price(ask.map(|touch| touch.ask)),
        Field::BookBidQty => qty(bid.map(|touch| touch.bid_qty)),
        Field::BookAskQty => qty(ask.map(|touch| touch.ask_qty)),
        Field::FeedSynced => Value::bool(market.feed() == FeedStatus::Synced),
        Field::FeedState => Value::known(market.feed() as i128),
        Field::FeedAge => Value::of(market.age_ns(now).map(i128::from)),
        Field::Now => Value::known(i128::from(now.0)),
        _ => return None,
    })
}

/// Answers depth of the book; `order` is the side of the one at hand.
pub(crate) fn depth(market: &Market, depth: Depth, order: Option<Side>) -> Value {
    let side = match depth.side {
        DepthSide::Bid => Some(Side::Buy),
        DepthSide::Ask => Some(Side::Sell),
        DepthSide::Own => order,
        DepthSide::Opposite => order.map(Side::opposite),
    };
    qty(side.and_then(|side| market.depth(side, depth.reach)))
}

/// Answers `position.*`; none for other fields. The average price is its cost over its quantity.
pub(crate) fn position(
    position: &Position,
    instrument: &Instrument,
    mark: Option<i128>,
    (field, part): (Field, Part),
    now: Nanos,
) -> Option<Value> {
    let held = position.qty;
    let size = held.0.saturating_abs();
    let one = pow10(instrument.mark_decimals()).unwrap_or(1);
    let worth = |qty: i128, rounding| mark.and_then(|mark| mul_div(qty, mark, one, rounding));
    Some(match (field, part) {
        (Field::PositionQty, _) => qty(Some(as_qty(held, instrument))),
        (Field::PositionNotional | Field::PositionPnl, _) if position.is_flat() => Value::known(0),
        (Field::PositionNotional, _) => Value::of(worth(size, Rounding::Ceil)),
        (Field::PositionPnl, _) => {
            let worth = worth(held.0, Rounding::Floor);
            Value::of(worth.and_then(|worth| worth.checked_sub(position.signed_basis().0)))
        }
        (Field::PositionAvgPrice | Field::PositionAge, _) if position.is_flat() => Value::MISSING,
        // Both at 1e-9: a fee in the base leaves a quantity between two of the venue's steps.
        (Field::PositionAvgPrice, Part::Under) => Value::known(size),
        (Field::PositionAvgPrice, _) => Value::known(position.basis.0),
        (Field::PositionAge, _) => Value::known(i128::from(now.since(position.since))),
        _ => return None,
    })
}
