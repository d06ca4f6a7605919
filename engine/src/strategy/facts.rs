//! How strategies read the world: the market and their own ledger, nothing of any account.

use dsl::evaluate::{Facts, Input, Recall};
use dsl::memory::Memory;
use dsl::schema::Field;
use dsl::value::Value;
use model::instrument::Instrument;
use model::num::Price;
use model::time::Nanos;

use super::ledger::{ClosedView, FillView};
use crate::facts::{market, money, position, price, qty};
use crate::market::{ClosedBar, Market};
use crate::portfolio::position::Position;

/// The world of one instance at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct StrategyFacts<'a> {
    pub(super) market: &'a Market,
    pub(super) instrument: &'a Instrument,
    pub(super) bar: Option<ClosedBar>,
    /// Own fills only, dust left out.
    pub(super) position: Position,
    pub(super) now: Nanos,
    /// Prices of the own working quote.
    pub(super) quoted: [Option<Price>; 2],
    pub(super) memory: &'a Memory,
    /// Index of the instrument.
    pub(super) place: usize,
    /// The fill at hand.
    pub(super) fill: Option<&'a FillView>,
    /// The round trip at hand.
    pub(super) closed: Option<&'a ClosedView>,
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
            Field::QuoteBid => price(self.quoted[0]),
            Field::QuoteAsk => price(self.quoted[1]),
            Field::FillPrice => price(self.fill.map(|fill| fill.price)),
            Field::FillQty => qty(self.fill.map(|fill| fill.qty)),
            Field::FillFee => money(self.fill.and_then(|fill| fill.fee)),
            Field::FillPnl => money(self.fill.and_then(|fill| fill.pnl)),
            Field::FillLiquidity => Value::of(self.fill.map(|fill| fill.liquidity as i128)),
            Field::FillOpens => Value::of(self.fill.map(|fill| i128::from(fill.opens))),
            Field::ClosedPnl => money(self.closed.and_then(|closed| closed.pnl)),
            Field::ClosedDuration => {
                Value::of(self.closed.map(|closed| i128::from(closed.duration_ns)))
            }
            // The checker refuses a strategy that names anything else.
            _ => market(self.market, field, part, self.now).unwrap_or(Value::MISSING),
        }
    }

    fn recall(&self, what: Recall) -> Value {
        match what {
            Recall::State(index) => self.memory.state(index, self.place),
            Recall::Window(index) => self.memory.window(index, self.place, self.now, None),
            Recall::Depth(depth) => crate::facts::depth(self.market, depth, None),
        }
    }
}
