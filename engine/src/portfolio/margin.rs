//! Margin, leverage and liquidation of linear positions: accounts.md 8.
//!
//! Cross margin: what an account holds of a settlement asset stands for all its positions that are
//! settled in it, a pool. Initial margins round up, what is free rounds down.

use model::id::{AccountId, AssetId, InstrumentId};
use model::instrument::{Instrument, Kind};
use model::num::{Money, Price, Rounding, div_round, mul_div, pow10};
use model::order::{AccountKind, Side};

use super::measure::Share;
use super::open::OpenOrder;
use super::{Portfolio, View, at};

/// One as a mantissa of a rate.
const ONE: i128 = 1_000_000_000;
/// How far from the mark the simulated venue closes a position that it liquidates: 1 %.
const LIQUIDATION_BAND: i128 = 10_000_000;

/// What stands for the linear positions of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pool {
    /// Balance.
    wallet: Money,
    /// Sum of unrealised profit.
    unrealised: Money,
    /// Sum of maintenance margins.
    maintenance: Money,
    /// Something is held.
    held: bool,
}

impl Portfolio {
    /// Returns the state of a pool; `but` is left out of it.
    fn pool(
        &self,
        (account, asset): (AccountId, AssetId),
        but: Option<usize>,
        view: &View<'_>,
    ) -> Option<Pool> {
        let mut pool = Pool { wallet: self.balances.usable(account, asset), ..Pool::default() };
        for key in self.live.keys.iter().copied().filter(|key| Some(*key) != but) {
            let pricer = *self.pricer_of.get(key)?;
            if self.pool_of(pricer) != (account, asset) || self.positions.get(key)?.is_flat() {
                continue;
            }
            pool.held = true;
            pool.unrealised = pool.unrealised.checked_add(self.unrealised(pricer, view)?)?;
            let rate = at(view.instruments, pricer)?.maintenance;
            let worth = Money(self.held_value(key, view)?);
            let margin = worth.times_rate(rate, Rounding::Ceil)?;
            pool.maintenance = pool.maintenance.checked_add(margin)?;
        }
        Some(pool)
    }

    fn pool_of(&self, instrument: InstrumentId) -> (AccountId, AssetId) {
        (self.account(instrument), self.assets(instrument).1)
    }

    /// Returns maintenance margin over margin balance of an instrument's pool: nothing over one
    /// when flat or on cash, unknown when nothing stands for what is held.
    #[must_use]
    pub fn margin_ratio(&self, instrument: InstrumentId, view: &View<'_>) -> Share {
        let nothing = Some((Money::ZERO, Money(ONE)));
        if self.kind(self.account(instrument)) == AccountKind::Cash {
            return nothing;
        }
        let pool = self.pool(self.pool_of(instrument), None, view)?;
        if !pool.held {
            return nothing;
        }
        let balance = pool.wallet.checked_add(pool.unrealised)?;
        (balance.0 > 0).then_some((pool.maintenance, balance))
    }

    /// Returns the mark at which an instrument's position would be liquidated, the others at
    /// theirs: at the mark's scale, rounded towards the mark. `None` when there is none.
    #[must_use]
    pub fn liq_price(&self, instrument: InstrumentId, view: &View<'_>) -> Option<i128> {
        let key = at(&self.key_of, instrument).copied()?;
        let position = *self.positions.get(key)?;
        let facts = at(view.instruments, instrument)?;
        if position.is_flat() || facts.kind != Kind::LinearPerpetual {
            return None;
        }
        let others = self.pool(self.pool_of(instrument), Some(key), view)?;
        let balance = others.wallet.checked_add(others.unrealised)?;
        let stands = balance.checked_sub(others.maintenance)?;
        let (size, cost) = (position.qty.0.checked_abs()?, position.basis.0);
        let rate = i128::from(facts.maintenance.0);
        let one = pow10(facts.mark_decimals())?;
        let (over, part, rounding) = if position.qty.0 > 0 {
            (cost.checked_sub(stands.0)?, ONE.checked_sub(rate)?, Rounding::Ceil)
        } else {
            (stands.0.checked_add(cost)?, ONE.checked_add(rate)?, Rounding::Floor)
        };
        // over / (size * part), at the mark's scale; the share of the size is rounded towards us
        // failing earlier, as the price is.
        let under = mul_div(size, part, ONE, Rounding::Floor)?;
        let price = if under > 0 { mul_div(over, one, under, rounding)? } else { return None };
        (price > 0).then_some(price)
    }

    /// Returns how far the mark is from the liquidation price, as a share of the mark; all of it
    /// where there is no such price.
    #[must_use]
    pub fn liq_distance(&self, instrument: InstrumentId, view: &View<'_>) -> Share {
        let position = self.position(instrument);
        if position.is_flat() || self.kind(self.account(instrument)) == AccountKind::Cash {
            return Some((Money(ONE), Money(ONE)));
        }
        let mark = at(view.markets, instrument)?.mark_held(view.now, position.qty.0 < 0)?;
        self.pool(self.pool_of(instrument), None, view)?;
        let Some(price) = self.liq_price(instrument, view) else {
            return Some((Money(ONE), Money(ONE)));
        };
        let far = mark.checked_sub(price)?.checked_abs()?;
        (mark > 0).then_some((Money(far), Money(mark)))
    }

    /// Tells whether an order would take an instrument beyond its leverage: its exposure, with the
    /// order, above the largest leverage times balance and unrealised loss. `None` when unknown.
    #[must_use]
    pub fn over_leverage(&self, order: &OpenOrder, view: &View<'_>) -> Option<bool> {
        let facts = at(view.instruments, order.instrument)?;
        if facts.kind != Kind::LinearPerpetual || order.reduces {
            return Some(false);
        }
        let pool = self.pool(self.pool_of(order.instrument), None, view)?;
        let stands = pool.wallet.checked_add(Money(pool.unrealised.0.min(0)))?;
        let exposure = self.exposure_in_quote(order.instrument, Some(order), view)?;
        let most = stands.0.max(0).checked_mul(i128::from(facts.leverage_max))?;
        Some(exposure.0 > most)
    }

    /// Returns a pool whose balance and unrealised profit have come down to its maintenance margin.
    #[must_use]
    pub fn underwater(&self, view: &View<'_>) -> Option<(AccountId, AssetId)> {
        let mut seen = None;
        for key in &self.live.keys {
            let pricer = *self.pricer_of.get(*key)?;
            let pool = self.pool_of(pricer);
            let linear = self.kind(pool.0) == AccountKind::Linear;
            if !linear || seen == Some(pool) || self.positions.get(*key)?.is_flat() {
                continue;
            }
            seen = Some(pool);
            let Some(state) = self.pool(pool, None, view) else { continue };
            let balance = state.wallet.0.saturating_add(state.unrealised.0);
            if state.held && balance <= state.maintenance.0 {
                return Some(pool);
            }
        }
        None
    }

    /// Returns balance with unrealised profit, and maintenance margin, of a pool.
    #[must_use]
    pub fn standing(&self, pool: (AccountId, AssetId), view: &View<'_>) -> Option<(Money, Money)> {
        let state = self.pool(pool, None, view)?;
        Some((state.wallet.checked_add(state.unrealised)?, state.maintenance))
    }

    /// Calls `see` with each instrument of a pool that has a position or open orders, its signed
    /// position, and the price at which it is closed: its mark moved against us.
    pub fn to_liquidate(
        &self,
        pool: (AccountId, AssetId),
        view: &View<'_>,
        see: &mut dyn FnMut(InstrumentId, Money, Price),
    ) {
        for key in &self.live.keys {
            let Some(pricer) = self.pricer_of.get(*key).copied() else { continue };
            if self.pool_of(pricer) != pool {
                continue;
            }
            let held = self.positions.get(*key).copied().unwrap_or_default();
            let price = at(view.instruments, pricer)
                .zip(at(view.markets, pricer).and_then(|market| market.mark(view.now)))
                .and_then(|(facts, mark)| against(mark, held.qty.0 < 0, facts));
            see(pricer, held.qty, price.unwrap_or_default());
        }
    }

    /// Returns the initial margin of one linear instrument: exposure over leverage, rounded up.
    pub(super) fn margin_needed(
        &self,
        instrument: InstrumentId,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let exposure = self.exposure_in_quote(instrument, extra, view)?;
        let leverage = i128::from(at(view.instruments, instrument)?.leverage_max.max(1));
        div_round(exposure.0, leverage, Rounding::Ceil).map(Money)
    }

    /// Returns what is free of an asset in an account. On a linear account that is
    /// `max(0, W + min(0, U) - initial margins)`: unrealised profit buys nothing.
    #[must_use]
    pub fn free(&self, account: AccountId, asset: AssetId, view: &View<'_>) -> Option<Money> {
        if self.kind(account) == AccountKind::Cash {
            return self.balances.free(account, asset);
        }
        let pool = self.pool((account, asset), None, view)?;
        let mut margins = Money::ZERO;
        for key in &self.live.keys {
            let pricer = *self.pricer_of.get(*key)?;
            if self.pool_of(pricer) != (account, asset) {
                continue;
            }
            margins = margins.checked_add(self.margin_needed(pricer, None, view)?)?;
            for order in self.open.iter().filter(|order| order.instrument == pricer) {
                margins = margins.checked_add(order.fee_held)?;
            }
        }
        let loss = Money(pool.unrealised.0.min(0));
        let free = pool.wallet.checked_add(loss)?.checked_sub(margins)?;
        Some(Money(free.0.max(0)))
    }

    /// Returns the unrealised profit of an instrument's position in the quote asset, rounded down.
    #[must_use]
    pub fn unrealised(&self, instrument: InstrumentId, view: &View<'_>) -> Option<Money> {
        let position = self.position(instrument);
        if position.is_flat() {
            return Some(Money::ZERO);
        }
        let facts = at(view.instruments, instrument)?;
        let mark = at(view.markets, instrument)?.mark_held(view.now, position.qty.0 < 0)?;
        let one = pow10(facts.mark_decimals())?;
        let value = mul_div(position.qty.0, mark, one, Rounding::Floor)?;
        value.checked_sub(position.signed_basis().0).map(Money)
    }
}

/// Returns a mark moved by the band against the holder, at the price scale, on the tick.
fn against(mark: i128, short: bool, facts: &Instrument) -> Option<Price> {
    let band = if short { LIQUIDATION_BAND } else { LIQUIDATION_BAND.checked_neg()? };
    let factor = ONE.checked_add(band)?;
    let (rounding, side) =
        if short { (Rounding::Ceil, Side::Sell) } else { (Rounding::Floor, Side::Buy) };
    let price = mul_div(mark, factor, ONE.checked_mul(10)?, rounding)?;
    let price = facts.round_to_tick(price, side)?;
    Some(price.max(facts.tick))
}
