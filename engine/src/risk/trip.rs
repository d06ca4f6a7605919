//! Round trips of strategies: from flat to flat again, what each fill did and what all brought.
//!
//! One ledger a strategy and instrument, from its own fills alone. What is below one lot or below
//! the smallest order counts as flat. Profits are net of fees; a fee in an asset without a known
//! value makes them unknown.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::Fill;
use model::id::{AssetId, InstrumentId, StrategyId};
use model::instrument::Instrument;
use model::num::{Money, Rounding, mul_div, pow10};
use model::order::{Liquidity, Side};
use model::time::Nanos;

use crate::portfolio::position::Position;

/// All ledgers: instrument by instrument, each with one for every strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trips {
    strategies: usize,
    ledgers: Vec<Ledger>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ledger {
    position: Position,
    /// Realised since it was flat, net of fees.
    pnl: Money,
    /// A fee could not be valued.
    unknown: bool,
}

/// What one fill was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FillMoment {
    pub(super) price: i64,
    pub(super) qty: i64,
    pub(super) fee: Option<Money>,
    /// Realised, net of the fee; none when it opens or the fee is unknown.
    pub(super) pnl: Option<Money>,
    pub(super) liquidity: Liquidity,
    pub(super) opens: bool,
}

/// What a round trip was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClosedMoment {
    pub(super) pnl: Option<Money>,
    pub(super) duration_ns: i64,
}

impl Trips {
    /// Returns flat ledgers.
    pub(super) fn new(instruments: usize, strategies: usize) -> Self {
        let ledgers = vec![Ledger::default(); instruments.saturating_mul(strategies)];
        Self { strategies, ledgers }
    }

    /// Books a fill of a strategy. `None` when a figure does not fit.
    pub(super) fn fill(
        &mut self,
        (instrument, strategy): (InstrumentId, StrategyId),
        fill: &Fill,
        facts: &Instrument,
        (base, quote): (AssetId, AssetId),
        now: Nanos,
    ) -> Option<(FillMoment, Option<ClosedMoment>)> {
        let row = usize::try_from(instrument.0).ok()?.checked_mul(self.strategies)?;
        let ledger = self.ledgers.get_mut(row.checked_add(usize::from(strategy.0))?)?;
        let price = i128::from(fill.price.0);
        let decimals = facts.price_scale.decimals();
        let fee = Money(i128::from(fill.fee));
        let paid = if fill.fee_asset == quote || fee == Money::ZERO {
            Some(fee)
        } else if fill.fee_asset == base {
            Some(Money(mul_div(fee.0, price, pow10(decimals)?, Rounding::Ceil)?))
        } else {
            None
        };
        let qty = facts.qty_as_money(fill.qty)?;
        // What a fee in kind takes away is not held.
        let in_kind = fill.side == Side::Buy && fill.fee_asset == base;
        let received = if in_kind { qty.checked_sub(fee)? } else { qty };
        let rounding = match fill.side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let value = facts.notional(price, decimals, i128::from(fill.qty.0), rounding)?;
        let before = *ledger;
        let delta = received.0.checked_mul(i128::from(fill.side.sign()))?;
        let held = before.position.qty.0;
        let opens = held == 0 || (held < 0) == (delta < 0);
        let mut after = before;
        let realised = after.position.trade(Money(delta), value, now)?;
        // A fee in kind is part of the cost of what is held; it is not charged twice.
        let charged = paid.map(|paid| if in_kind { Money::ZERO } else { paid });
        after.unknown |= charged.is_none();
        let net = realised.checked_sub(charged.unwrap_or(Money::ZERO))?;
        after.pnl = after.pnl.checked_add(net)?;
        let moment = FillMoment {
            price: fill.price.0,
            qty: fill.qty.0,
            fee: paid,
            pnl: charged.filter(|_| !opens).map(|_| net),
            liquidity: fill.liquidity,
            opens,
        };
        let flips = !opens && after.position.qty.0 != 0 && (after.position.qty.0 < 0) != (held < 0);
        let ends = !opens && (flips || is_dust(after.position.qty, price, facts));
        let closed = ends.then(|| ClosedMoment {
            pnl: (!after.unknown).then_some(after.pnl),
            duration_ns: now.since(before.position.since).max(0),
        });
        *ledger = match (ends, flips) {
            (false, _) => after,
            (true, true) => Ledger { position: after.position, ..Ledger::default() },
            (true, false) => Ledger::default(),
        };
        Some((moment, closed))
    }
}

/// Tells whether what is left is below one lot or the smallest order.
fn is_dust(held: Money, price: i128, facts: &Instrument) -> bool {
    let left = held.0.saturating_abs();
    let lot = facts.qty_as_money(facts.lot).map_or(0, |lot| lot.0);
    if left < lot {
        return true;
    }
    let one = pow10(facts.price_scale.decimals()).unwrap_or(1);
    let value = mul_div(left, price, one, Rounding::Ceil);
    value.is_some_and(|value| value < facts.notional_min.0)
}

impl Image for Trips {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.ledgers.len());
        for ledger in &self.ledgers {
            ledger.position.save(out);
            out.put(ledger.pnl);
            out.put(ledger.unknown);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.ledgers.len())? != self.ledgers.len() {
            return Err(ImageError::Range);
        }
        for ledger in &mut self.ledgers {
            ledger.position.load(from)?;
            ledger.pnl = from.take()?;
            ledger.unknown = from.take()?;
        }
        Ok(())
    }
}
