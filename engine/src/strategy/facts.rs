//! How strategies read the world: the market and their own ledger, nothing of any account.

use dsl::evaluate::{Facts, Input};
use dsl::schema::Field;
use dsl::value::Value;
use model::instrument::Instrument;
use model::time::Nanos;

use crate::facts::{market, position, price, qty};
use crate::market::{ClosedBar, Market};
use crate::portfolio::position::Position;

/// The world of one instance at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct StrategyFacts<'a> {
    pub(super) market: &'a Market,
    pub(super) instrument: &'a Instrument,
    pub(super) bar: Option<&'a ClosedBar>,
    /// Own fills only, dust left out.
    pub(super) position: Position,
    pub(super) now: Nanos,
}

impl Facts for StrategyFacts<'_> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "accounts and orders are out of scope, whatever is added to them"
    )]
    fn read(&self, input: &Input) -> Value {
        let Input { field, part, .. } = *input;
        let prices = self.bar.map(|bar| bar.prices);
        match field {
            Field::BarOpen => price(prices.map(|bar| bar.open)),
            Field::BarHigh => price(prices.map(|bar| bar.high)),
            Field::BarLow => price(prices.map(|bar| bar.low)),
            Field::BarClose => price(prices.map(|bar| bar.close)),
            Field::BarVolume => qty(prices.map(|bar| bar.volume)),
            Field::BarTime => Value::of(self.bar.map(|bar| i128::from(bar.end.0))),
            Field::PositionQty
            | Field::PositionNotional
            | Field::PositionPnl
            | Field::PositionAvgPrice
            | Field::PositionAge => {
                let mark = self.market.mark(self.now);
                position(&self.position, self.instrument, mark, (field, part), self.now)
                    .unwrap_or(Value::MISSING)
            }
            // The checker refuses a strategy that names anything else.
            _ => market(self.market, field, part, self.now).unwrap_or(Value::MISSING),
        }
    }
}
