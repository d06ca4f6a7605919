//! How strategies read the world: the market and their own ledger, nothing of any account.

use dsl::evaluate::{Facts, Input, Part};
use dsl::schema::Field;
use dsl::value::Value;
use model::instrument::Instrument;
use model::num::{Price, Qty, Rounding, mul_div, pow10};
use model::order::FeedStatus;
use model::time::Nanos;

use crate::market::{ClosedBar, Market};
use crate::portfolio::as_qty;
use crate::portfolio::position::Position;

/// The world of one instance at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct StrategyFacts<'a> {
    pub(super) market: &'a Market,
    pub(super) instrument: &'a Instrument,
    pub(super) bar: Option<&'a ClosedBar>,
    pub(super) ledger: Position,
    pub(super) now: Nanos,
}

fn price(price: Option<Price>) -> Value {
    Value::of(price.map(|price| i128::from(price.0)))
}

fn qty(qty: Option<Qty>) -> Value {
    Value::of(qty.map(|qty| i128::from(qty.0)))
}

impl StrategyFacts<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`read` calls this for six fields")]
    fn bar(&self, field: Field) -> Value {
        let prices = self.bar.map(|bar| bar.prices);
        match field {
            Field::BarOpen => price(prices.map(|bar| bar.open)),
            Field::BarHigh => price(prices.map(|bar| bar.high)),
            Field::BarLow => price(prices.map(|bar| bar.low)),
            Field::BarClose => price(prices.map(|bar| bar.close)),
            Field::BarVolume => qty(prices.map(|bar| bar.volume)),
            _ => Value::of(self.bar.map(|bar| i128::from(bar.end.0))),
        }
    }

    fn position(&self, field: Field, part: Part) -> Value {
        let held = self.ledger.qty;
        if field == Field::PositionQty {
            return qty(Some(as_qty(held, self.instrument)));
        }
        if field == Field::PositionNotional && self.ledger.is_flat() {
            return Value::known(0);
        }
        if self.ledger.is_flat() {
            return Value::MISSING;
        }
        let size = held.0.saturating_abs();
        let one = pow10(self.instrument.mark_decimals()).unwrap_or(1);
        let mark = self.market.mark(self.now);
        match (field, part) {
            (Field::PositionAvgPrice, Part::Under) => {
                let step = 9_u8.saturating_sub(self.instrument.qty_scale.decimals());
                Value::of(pow10(step).and_then(|step| size.checked_div(step)))
            }
            (Field::PositionAvgPrice, _) => Value::known(self.ledger.basis.0),
            (Field::PositionNotional, _) => {
                Value::of(mark.and_then(|mark| mul_div(size, mark, one, Rounding::Ceil)))
            }
            (Field::PositionPnl, _) => {
                let value = mark.and_then(|mark| mul_div(held.0, mark, one, Rounding::Floor));
                Value::of(value.and_then(|value| value.checked_sub(self.ledger.signed_basis().0)))
            }
            _ => Value::known(i128::from(self.now.since(self.ledger.since))),
        }
    }

    fn market(&self, field: Field, part: Part) -> Value {
        let touch = self.market.touch();
        let bid = touch.filter(|touch| touch.bid_qty.0 > 0);
        let ask = touch.filter(|touch| touch.ask_qty.0 > 0);
        match (field, part) {
            (Field::MarketMid, _) => Value::of(self.market.mid()),
            (Field::MarketLast, _) => price(self.market.last()),
            (Field::MarketMark, _) => Value::of(self.market.mark(self.now)),
            (Field::MarketSpread, Part::Under) => Value::of(self.market.mid()),
            (Field::MarketSpread, _) => match (self.market.mid(), touch) {
                (Some(_), Some(touch)) => {
                    let wide = i128::from(touch.ask.0).saturating_sub(i128::from(touch.bid.0));
                    Value::of(wide.checked_mul(10))
                }
                _ => Value::MISSING,
            },
            (Field::QuoteAge, _) => {
                let age = touch.map(|touch| self.now.since(touch.changed).max(0));
                Value::of(age.map(i128::from))
            }
            (Field::BookBid, _) => price(bid.map(|touch| touch.bid)),
            (Field::BookAsk, _) => price(ask.map(|touch| touch.ask)),
            (Field::BookBidQty, _) => qty(bid.map(|touch| touch.bid_qty)),
            _ => qty(ask.map(|touch| touch.ask_qty)),
        }
    }
}

impl Facts for StrategyFacts<'_> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "accounts and orders are out of scope, whatever is added to them"
    )]
    fn read(&self, input: Input) -> Value {
        let Input { field, part, .. } = input;
        match field {
            Field::BarOpen
            | Field::BarHigh
            | Field::BarLow
            | Field::BarClose
            | Field::BarVolume
            | Field::BarTime => self.bar(field),
            Field::PositionQty
            | Field::PositionNotional
            | Field::PositionPnl
            | Field::PositionAvgPrice
            | Field::PositionAge => self.position(field, part),
            Field::MarketMid
            | Field::MarketLast
            | Field::MarketMark
            | Field::MarketSpread
            | Field::QuoteAge
            | Field::BookBid
            | Field::BookAsk
            | Field::BookBidQty
            | Field::BookAskQty => self.market(field, part),
            Field::Now => Value::known(i128::from(self.now.0)),
            Field::FeedSynced => Value::bool(self.market.feed() == FeedStatus::Synced),
            Field::FeedState => Value::known(self.market.feed() as i128),
            Field::FeedAge => Value::of(self.market.age_ns(self.now).map(i128::from)),
            // Accounts and orders are out of a strategy's scope: the checker refuses to name them.
            _ => Value::MISSING,
        }
    }
}
