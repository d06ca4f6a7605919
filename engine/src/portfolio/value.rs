//! Figures of a portfolio at the marks of now: equity, exposure, what an order would lock, what is
//! free. Each is exact until it is rounded once, against us; `None` while a mark it needs is
//! missing.

use model::id::{AccountId, AssetId, InstrumentId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Qty, Rounding, div_round, mul_div, pow10};
use model::order::{AccountKind, Side};

use super::open::OpenOrder;
use super::position::Position;
use super::{Portfolio, View, at};

impl Portfolio {
    /// Returns equity in the reporting asset, rounded down; `None` while a needed mark is missing.
    #[must_use]
    pub fn equity(&self, view: &View<'_>) -> Option<Money> {
        let fine = pow10(self.sum_decimals.checked_sub(MONEY_SCALE)?)?;
        let mut sum = 0_i128;
        for account in 0..self.kinds.len() {
            let account = AccountId(u16::try_from(account).ok()?);
            let cash = self.balances.total(account, self.reporting);
            sum = sum.checked_add(cash.0.checked_mul(fine)?)?;
        }
        for (position, pricer) in self.positions.iter().zip(&self.pricer_of) {
            if position.is_flat() {
                continue;
            }
            let instrument = at(view.instruments, *pricer)?;
            let value = self.position_value(position, *pricer, instrument, view)?;
            let basis = match instrument.kind {
                Kind::Spot => 0,
                Kind::LinearPerpetual => position.signed_basis().0.checked_mul(fine)?,
            };
            sum = sum.checked_add(value.checked_sub(basis)?)?;
        }
        div_round(sum, fine, Rounding::Floor).map(Money)
    }

    /// Returns `P * m` at the decimals of the sum.
    fn position_value(
        &self,
        position: &Position,
        pricer: InstrumentId,
        instrument: &Instrument,
        view: &View<'_>,
    ) -> Option<i128> {
        let mark = at(view.markets, pricer)?.mark(view.now)?;
        let decimals = MONEY_SCALE.checked_add(instrument.mark_decimals())?;
        let scale = pow10(self.sum_decimals.checked_sub(decimals)?)?;
        position.qty.0.checked_mul(mark)?.checked_mul(scale)
    }

    /// Returns `|P| * m + max(inc_B, inc_S)` of an instrument's position, rounded up, in the quote
    /// asset (the reporting asset: others are refused when a session starts). `extra` is an order
    /// that is judged as if it were open.
    #[must_use]
    pub fn exposure_of(
        &self,
        instrument: InstrumentId,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let key = at(&self.key_of, instrument).copied()?;
        let position = self.positions.get(key)?;
        let mut any = extra.is_some();
        let (mut buys, mut sells) = (0_i128, 0_i128);
        let open = self
            .open
            .iter()
            .filter(|order| at(&self.key_of, order.instrument).copied() == Some(key));
        for order in open.chain(extra) {
            any = true;
            let facts = at(view.instruments, order.instrument)?;
            let mark = at(view.markets, order.instrument)?.mark(view.now)?;
            let value = order.value(facts, mark)?.0;
            match order.side {
                Side::Buy => buys = buys.checked_add(value)?,
                Side::Sell => sells = sells.checked_add(value)?,
            }
        }
        if !any && position.is_flat() {
            return Some(Money::ZERO);
        }
        let held = self.held_value(key, view)?;
        // Sells of a long close it and then mirror it before they add; so do buys of a short.
        let twice = held.checked_mul(2)?;
        let (short, long) = if position.qty.0 < 0 { (twice, 0) } else { (0, twice) };
        let inc_buys = buys.checked_sub(short)?.max(0);
        let inc_sells = sells.checked_sub(long)?.max(0);
        held.checked_add(inc_buys.max(inc_sells)).map(Money)
    }

    /// Returns `|P| * m` of a position key, rounded up.
    pub(super) fn held_value(&self, key: usize, view: &View<'_>) -> Option<i128> {
        let position = self.positions.get(key)?;
        if position.is_flat() {
            return Some(0);
        }
        let pricer = *self.pricer_of.get(key)?;
        let instrument = at(view.instruments, pricer)?;
        let mark = at(view.markets, pricer)?.mark(view.now)?;
        let one = pow10(instrument.mark_decimals())?;
        let size = position.qty.0.checked_abs()?;
        mul_div(size, mark, one, Rounding::Ceil)
    }

    /// Returns the exposure of all positions; with `extra`, as if that order were open.
    #[must_use]
    pub fn exposure(&self, extra: Option<&OpenOrder>, view: &View<'_>) -> Option<Money> {
        let extra_key = extra.and_then(|order| at(&self.key_of, order.instrument).copied());
        let mut sum = Money::ZERO;
        for (key, pricer) in self.pricer_of.iter().enumerate() {
            let here = extra.filter(|_| extra_key == Some(key));
            sum = sum.checked_add(self.exposure_of(*pricer, here, view)?)?;
        }
        Some(sum)
    }

    /// Tells whether an order of this side and quantity reduces: it is against the position and,
    /// with all open orders of its side, does not pass zero. Depends on nothing that can be
    /// unknown.
    #[must_use]
    pub fn reduces(
        &self,
        instrument: InstrumentId,
        side: Side,
        qty: Qty,
        instruments: &[Instrument],
    ) -> bool {
        let Some(facts) = at(instruments, instrument) else { return false };
        let held = self.position(instrument).qty.0;
        let room = match side {
            Side::Sell => held,
            Side::Buy => held.saturating_neg(),
        };
        let open = self.open_base(instrument, side, instruments);
        let asked = facts.qty_as_money(qty).map_or(i128::MAX, |amount| amount.0);
        room > 0 && open.saturating_add(asked) <= room
    }

    /// Returns the remaining quantity of a side's open orders on the position of an instrument, in
    /// units of 1e-9.
    #[must_use]
    pub fn open_base(
        &self,
        instrument: InstrumentId,
        side: Side,
        instruments: &[Instrument],
    ) -> i128 {
        let key = at(&self.key_of, instrument).copied();
        self.open
            .iter()
            .filter(|order| {
                order.side == side && at(&self.key_of, order.instrument).copied() == key
            })
            .filter_map(|order| at(instruments, order.instrument)?.qty_as_money(order.remaining))
            .fold(0, |sum, amount| sum.saturating_add(amount.0))
    }

    /// Returns the asset and amount that approving an order would lock, rounded up; `None` when a
    /// mark is missing. An order that reduces a linear position locks nothing.
    #[must_use]
    pub fn locks(&self, order: &OpenOrder, view: &View<'_>) -> Option<(AssetId, Money)> {
        let facts = at(view.instruments, order.instrument)?;
        let (base, quote) = self.assets(order.instrument);
        match (facts.kind, order.side) {
            (Kind::Spot, Side::Sell) => Some((base, facts.qty_as_money(order.remaining)?)),
            (Kind::Spot, Side::Buy) => {
                let value = order.value_at_limit(facts)?;
                let fee = match facts.fee_asset {
                    FeeAsset::Received | FeeAsset::Asset(_) => Money::ZERO,
                    FeeAsset::Quote => value.times_rate(facts.fee_taker, Rounding::Ceil)?,
                };
                Some((quote, value.checked_add(fee)?))
            }
            (Kind::LinearPerpetual, _) if order.reduces => Some((quote, Money::ZERO)),
            (Kind::LinearPerpetual, _) => {
                let before = self.margin_needed(order.instrument, None, view)?;
                let after = self.margin_needed(order.instrument, Some(order), view)?;
                let mark = at(view.markets, order.instrument)?.mark(view.now)?;
                let fee = order.value(facts, mark)?.times_rate(facts.fee_taker, Rounding::Ceil)?;
                let rise = after.checked_sub(before)?;
                Some((quote, Money(rise.0.max(0)).checked_add(fee)?))
            }
        }
    }

    /// Returns the initial margin of one linear instrument: exposure over leverage, rounded up.
    fn margin_needed(
        &self,
        instrument: InstrumentId,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let exposure = self.exposure_of(instrument, extra, view)?;
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
        let wallet = self.balances.total(account, asset);
        let mut unrealised = Money::ZERO;
        let mut margins = Money::ZERO;
        for (key, pricer) in self.pricer_of.iter().enumerate() {
            if self.account(*pricer) != account || self.assets(*pricer).1 != asset {
                continue;
            }
            let position = self.positions.get(key)?;
            if position.is_flat() && !self.open.any_of(*pricer) {
                continue;
            }
            unrealised = unrealised.checked_add(self.unrealised(*pricer, view)?)?;
            margins = margins.checked_add(self.margin_needed(*pricer, None, view)?)?;
            for order in self.open.iter().filter(|order| order.instrument == *pricer) {
                margins = margins.checked_add(order.fee_held)?;
            }
        }
        let free = wallet.checked_add(Money(unrealised.0.min(0)))?.checked_sub(margins)?;
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
        let mark = at(view.markets, instrument)?.mark(view.now)?;
        let one = pow10(facts.mark_decimals())?;
        let value = mul_div(position.qty.0, mark, one, Rounding::Floor)?;
        value.checked_sub(position.signed_basis().0).map(Money)
    }
}
