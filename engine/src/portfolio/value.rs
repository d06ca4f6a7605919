//! Figures of a portfolio at the marks of now: equity, exposure, what an order would lock, what is
//! free. Each is exact until it is rounded once, against us; `None` while a mark it needs is
//! missing.

use model::id::{AssetId, InstrumentId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Qty, Rounding, div_round, mul_div, pow10};
use model::order::Side;

use super::open::OpenOrder;
use super::position::Position;
use super::{Portfolio, View, at};

impl Portfolio {
    /// Returns equity in the reporting asset; `None` while a needed mark or rate is missing. What
    /// is held of each asset, profit included, is rounded down in that asset, and once more when
    /// it is converted.
    #[must_use]
    pub fn equity(&self, view: &View<'_>) -> Option<Money> {
        let fine = pow10(self.sum_decimals.checked_sub(MONEY_SCALE)?)?;
        let mut equity = Money::ZERO;
        for (asset, cash) in &self.live.assets {
            let mut sum = cash.0.checked_mul(fine)?;
            for key in &self.live.keys {
                let (position, book) = (self.positions.get(*key)?, self.accounts.get(*key)?);
                if position.is_flat() || book.is_money || book.quote != *asset {
                    continue;
                }
                let pricer = *self.pricer_of.get(*key)?;
                let instrument = at(view.instruments, pricer)?;
                let value = self.position_value(position, pricer, instrument, view)?;
                let basis = match instrument.kind {
                    Kind::Spot => 0,
                    Kind::LinearPerpetual => position.signed_basis().0.checked_mul(fine)?,
                };
                sum = sum.checked_add(value.checked_sub(basis)?)?;
            }
            let amount = Money(div_round(sum, fine, Rounding::Floor)?);
            let worth = self.rates.rate(*asset, view)?.of(amount, Rounding::Floor)?;
            equity = equity.checked_add(worth)?;
        }
        Some(equity)
    }

    /// Returns `P * m` at the decimals of the sum.
    fn position_value(
        &self,
        position: &Position,
        pricer: InstrumentId,
        instrument: &Instrument,
        view: &View<'_>,
    ) -> Option<i128> {
        let mark = at(view.markets, pricer)?.mark_held(view.now, position.qty.0 < 0)?;
        let decimals = MONEY_SCALE.checked_add(instrument.mark_decimals())?;
        let scale = pow10(self.sum_decimals.checked_sub(decimals)?)?;
        position.qty.0.checked_mul(mark)?.checked_mul(scale)
    }

    /// Returns `|P| * m + max(inc_B, inc_S)` of an instrument's position, rounded up, in the
    /// reporting asset. `extra` is an order that is judged as if it were open.
    #[must_use]
    pub fn exposure_of(
        &self,
        instrument: InstrumentId,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let exposure = self.exposure_in_quote(instrument, extra, view)?;
        if exposure == Money::ZERO {
            return Some(exposure);
        }
        let key = at(&self.key_of, instrument).copied()?;
        let quote = self.accounts.get(key)?.quote;
        self.rates.rate(quote, view)?.of(exposure, Rounding::Ceil)
    }

    /// Returns the exposure of an instrument's position in the quote asset of its pricer.
    pub(super) fn exposure_in_quote(
        &self,
        instrument: InstrumentId,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let key = at(&self.key_of, instrument).copied()?;
        let held = (*self.pricer_of.get(key)?, self.positions.get(key)?.qty);
        let same = |order: &OpenOrder| at(&self.key_of, order.instrument).copied() == Some(key);
        self.exposure_with(held, &same, extra, view)
    }

    /// Returns the exposure of a holding, valued by an instrument, and of the open orders that are
    /// `counted`, rounded up, in that instrument's quote asset.
    pub(super) fn exposure_with(
        &self,
        (pricer, held): (InstrumentId, Money),
        counted: &dyn Fn(&OpenOrder) -> bool,
        extra: Option<&OpenOrder>,
        view: &View<'_>,
    ) -> Option<Money> {
        let quote = self.assets(pricer).1;
        let mut any = extra.is_some();
        let (mut buys, mut sells) = (0_i128, 0_i128);
        for order in self.open.iter().filter(|order| counted(order)).chain(extra) {
            any = true;
            let facts = at(view.instruments, order.instrument)?;
            let mark = at(view.markets, order.instrument)?.mark(view.now)?;
            let value = order.value(facts, mark)?;
            let value = self.rates_between(order.instrument, quote, value, view)?.0;
            match order.side {
                Side::Buy => buys = buys.checked_add(value)?,
                Side::Sell => sells = sells.checked_add(value)?,
            }
        }
        if !any && held.0 == 0 {
            return Some(Money::ZERO);
        }
        let worth = worth_of(held, pricer, view)?;
        // Sells of a long close it and then mirror it before they add; so do buys of a short.
        let twice = worth.checked_mul(2)?;
        let (short, long) = if held.0 < 0 { (twice, 0) } else { (0, twice) };
        let inc_buys = buys.checked_sub(short)?.max(0);
        let inc_sells = sells.checked_sub(long)?.max(0);
        worth.checked_add(inc_buys.max(inc_sells)).map(Money)
    }

    /// Returns an amount in an instrument's quote asset in another, rounded up, by rates that are
    /// known now.
    fn rates_between(
        &self,
        instrument: InstrumentId,
        to: AssetId,
        amount: Money,
        view: &View<'_>,
    ) -> Option<Money> {
        let from = self.assets(instrument).1;
        if from == to {
            return Some(amount);
        }
        let worth = self.rates.rate(from, view)?.of(amount, Rounding::Ceil)?;
        let to = self.rates.rate(to, view)?;
        mul_div(worth.0, to.under, to.over, Rounding::Ceil).map(Money)
    }

    /// Returns the signed quantity of an asset over all accounts and instruments, at its mark, in
    /// the reporting asset, rounded away from zero; `None` while a mark or rate it needs is
    /// missing. The mark is that of the first instrument with this base; money has its rate alone.
    #[must_use]
    pub fn net_exposure(&self, asset: AssetId, view: &View<'_>) -> Option<Money> {
        let cash = self.live.assets.iter().find(|(known, _)| *known == asset);
        let mut net = cash.map_or(0, |(_, cash)| cash.0);
        let mut priced = None;
        for (key, book) in self.accounts.iter().enumerate() {
            let (pricer, position) = (*self.pricer_of.get(key)?, self.positions.get(key)?);
            if self.assets(pricer).0 == asset && !book.is_money {
                priced = priced.or(Some(pricer));
                net = net.checked_add(position.qty.0)?;
            }
        }
        if net == 0 {
            return Some(Money::ZERO);
        }
        let worth = match priced {
            Some(pricer) => {
                let worth = Money(worth_of(Money(net), pricer, view)?);
                self.rates.rate(self.assets(pricer).1, view)?.of(worth, Rounding::Ceil)?
            }
            None => self.rates.rate(asset, view)?.of(Money(net.checked_abs()?), Rounding::Ceil)?,
        };
        Some(if net < 0 { Money(worth.0.checked_neg()?) } else { worth })
    }

    /// Returns `|P| * m` of a position key, rounded up.
    pub(super) fn held_value(&self, key: usize, view: &View<'_>) -> Option<i128> {
        worth_of(self.positions.get(key)?.qty, *self.pricer_of.get(key)?, view)
    }

    /// Returns the exposure of all positions in the reporting asset; with `extra`, as if that order
    /// were open.
    #[must_use]
    pub fn exposure(&self, extra: Option<&OpenOrder>, view: &View<'_>) -> Option<Money> {
        let extra_key = extra.and_then(|order| at(&self.key_of, order.instrument).copied());
        let mut sum = Money::ZERO;
        let new = extra_key.filter(|key| self.live.keys.binary_search(key).is_err());
        for key in self.live.keys.iter().copied().chain(new) {
            let here = extra.filter(|_| extra_key == Some(key));
            let pricer = *self.pricer_of.get(key)?;
            sum = sum.checked_add(self.exposure_of(pricer, here, view)?)?;
        }
        Some(sum)
    }

    /// Returns an amount in an instrument's quote asset in the reporting asset, rounded up; `None`
    /// while the rate is unknown.
    #[must_use]
    pub fn in_reporting(
        &self,
        instrument: InstrumentId,
        amount: Money,
        view: &View<'_>,
    ) -> Option<Money> {
        self.rates.rate(self.assets(instrument).1, view)?.of(amount, Rounding::Ceil)
    }

    /// Returns a bound in the reporting asset in an instrument's quote asset, rounded down: what is
    /// within the one is within the other.
    #[must_use]
    pub fn bound_in_quote(
        &self,
        instrument: InstrumentId,
        bound: i128,
        view: &View<'_>,
    ) -> Option<i128> {
        let rate = self.rates.rate(self.assets(instrument).1, view)?;
        mul_div(bound, rate.under, rate.over, Rounding::Floor)
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
}

/// Returns what a holding is worth at an instrument's mark, rounded up; nothing needs no mark.
pub(super) fn worth_of(held: Money, pricer: InstrumentId, view: &View<'_>) -> Option<i128> {
    if held.0 == 0 {
        return Some(0);
    }
    let instrument = at(view.instruments, pricer)?;
    let mark = at(view.markets, pricer)?.mark_held(view.now, held.0 < 0)?;
    let one = pow10(instrument.mark_decimals())?;
    mul_div(held.0.checked_abs()?, mark, one, Rounding::Ceil)
}
