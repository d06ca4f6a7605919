//! What is held, what it is worth, and what an order would change: accounts.md in code.
//!
//! The risk stage owns one portfolio. All figures are exact integers; a figure that a missing mark
//! makes unknown is `None` and refuses. Quantities of positions are in units of 1e-9, as money is,
//! because a spot position *is* a balance.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{AccountOpened, Fill};
use model::id::{AccountId, AssetId, InstrumentId, OrderNo, StrategyId};
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, mul_div, pow10};
use model::order::{AccountKind, Side};
use model::time::Nanos;

use crate::market::Market;
use crate::setup::Setup;

/// Balances by account and asset.
pub mod balance;
/// Equity and the day's measures.
pub mod measure;
/// Open orders and what they may still add.
pub mod open;
/// Signed holdings with their cost.
pub mod position;

use balance::Balances;
use measure::Measures;
use open::{OpenOrder, OpenOrders};
use position::Position;

/// The world outside a portfolio that its figures depend on.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Instruments by id.
    pub instruments: &'a [Instrument],
    /// Markets by instrument id.
    pub markets: &'a [Market],
    /// Now, in event time.
    pub now: Nanos,
}

/// All accounts of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portfolio {
    /// Account of each instrument, by instrument id.
    account_of: Vec<AccountId>,
    /// Base, quote (settlement) asset of each instrument, by instrument id.
    assets_of: Vec<(AssetId, AssetId)>,
    /// Index into `positions` of each instrument: spot pairs of one base and account share one.
    key_of: Vec<usize>,
    /// One instrument for each position key: the one whose mark values it.
    pricer_of: Vec<InstrumentId>,
    reporting: AssetId,
    kinds: Vec<AccountKind>,
    balances: Balances,
    positions: Vec<Position>,
    open: OpenOrders,
    measures: Measures,
    /// Fees so far in the reporting asset; those in kind are valued at their fills.
    fees: Money,
    /// Decimals to which equity is summed before it is rounded once: 9 plus the finest mark.
    sum_decimals: u8,
}

/// What a fill did, for the records that tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillOutcome {
    /// Money realised before fees, in the quote asset.
    pub realised: Money,
    /// The strategy whose order it was.
    pub strategy: StrategyId,
}

impl Portfolio {
    /// Returns an empty portfolio for a setup: accounts open by their records.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument]) -> Self {
        let asset = |name: &str| asset_id(&setup.assets, name);
        let mut keys: Vec<(AccountId, AssetId, Option<usize>)> = Vec::new();
        let mut portfolio = Self {
            account_of: Vec::new(),
            assets_of: Vec::new(),
            key_of: Vec::new(),
            pricer_of: Vec::new(),
            reporting: asset(&setup.reporting),
            kinds: setup.accounts.iter().map(crate::setup::AccountSetup::kind).collect(),
            balances: Balances::new(setup.accounts.len(), setup.assets.len()),
            positions: Vec::new(),
            open: OpenOrders::new(),
            measures: Measures::default(),
            fees: Money::ZERO,
            sum_decimals: MONEY_SCALE,
        };
        for (index, instrument) in instruments.iter().enumerate() {
            let venue = instrument.symbol.venue.as_deref().unwrap_or("");
            let linear = instrument.kind == Kind::LinearPerpetual;
            let account = setup
                .accounts
                .iter()
                .position(|a| a.venue == venue && a.linear == linear)
                .and_then(|at| u16::try_from(at).ok())
                .map_or(AccountId(u16::MAX), AccountId);
            let base = asset(&instrument.symbol.base);
            let key = (account, base, linear.then_some(index));
            let at = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                portfolio.positions.push(Position::default());
                portfolio.pricer_of.push(instrument_id(index));
                keys.len().saturating_sub(1)
            });
            portfolio.account_of.push(account);
            portfolio.assets_of.push((base, asset(&instrument.settle)));
            portfolio.key_of.push(at);
            let decimals = MONEY_SCALE.saturating_add(instrument.mark_decimals());
            portfolio.sum_decimals = portfolio.sum_decimals.max(decimals);
        }
        portfolio
    }

    /// Opens a balance. On cash the base assets are positions from the start, without a cost yet.
    pub fn open_account(&mut self, opened: &AccountOpened) {
        self.balances.add(opened.account, opened.asset, opened.total);
        self.refresh_cash(opened.account, opened.asset);
    }

    /// A cash position is its balance: keeps the two equal.
    fn refresh_cash(&mut self, account: AccountId, asset: AssetId) {
        if self.kind(account) != AccountKind::Cash {
            return;
        }
        let total = self.balances.total(account, asset);
        for (index, (base, _)) in self.assets_of.iter().enumerate() {
            let held = self.account_of.get(index) == Some(&account) && *base == asset;
            let key = self.key_of.get(index).copied().unwrap_or(usize::MAX);
            if let Some(position) = self.positions.get_mut(key).filter(|_| held) {
                position.qty = total;
            }
        }
    }

    /// Returns the kind of an account.
    #[must_use]
    pub fn kind(&self, account: AccountId) -> AccountKind {
        self.kinds.get(usize::from(account.0)).copied().unwrap_or_default()
    }

    /// Returns the account of an instrument.
    #[must_use]
    pub fn account(&self, instrument: InstrumentId) -> AccountId {
        at(&self.account_of, instrument).copied().unwrap_or(AccountId(u16::MAX))
    }

    /// Returns base and quote (settlement) asset of an instrument.
    #[must_use]
    pub fn assets(&self, instrument: InstrumentId) -> (AssetId, AssetId) {
        at(&self.assets_of, instrument).copied().unwrap_or_default()
    }

    /// Returns the position that an instrument trades.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        let key = at(&self.key_of, instrument).copied().unwrap_or(usize::MAX);
        self.positions.get(key).copied().unwrap_or_default()
    }

    /// Returns the balances.
    #[must_use]
    pub fn balances(&self) -> &Balances {
        &self.balances
    }

    /// Returns the open orders.
    #[must_use]
    pub fn open(&self) -> &OpenOrders {
        &self.open
    }

    /// Returns the measures of day, week and all time.
    #[must_use]
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Returns the fees so far in the reporting asset; those in kind are valued at their fills.
    #[must_use]
    pub fn fees(&self) -> Money {
        self.fees
    }

    /// Tells whether the value of anything depends on this instrument's mark.
    #[inline]
    #[must_use]
    pub fn depends_on(&self, instrument: InstrumentId) -> bool {
        let key = at(&self.key_of, instrument).copied().unwrap_or(usize::MAX);
        self.positions.get(key).is_some_and(|position| !position.is_flat())
            || self.open.any_of(instrument)
    }

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
        model::num::div_round(sum, fine, Rounding::Floor).map(Money)
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
    fn held_value(&self, key: usize, view: &View<'_>) -> Option<i128> {
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
                    FeeAsset::Received => Money::ZERO,
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
        model::num::div_round(exposure.0, leverage, Rounding::Ceil).map(Money)
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

    /// Takes an approved order into the open orders and locks what it locks. Returns false when the
    /// table is full: then nothing changed.
    pub fn approve(&mut self, mut order: OpenOrder, locks: (AssetId, Money), fee: Money) -> bool {
        let account = self.account(order.instrument);
        if self.kind(account) == AccountKind::Cash {
            order.locked = locks.1;
        } else {
            order.fee_held = fee;
        }
        order.lock_asset = locks.0;
        if !self.open.insert(order) {
            return false;
        }
        self.balances.lock(account, order.lock_asset, order.locked);
        true
    }

    /// Books a fill. `None` when it is of no open order or a figure does not fit.
    pub fn fill(
        &mut self,
        instrument: InstrumentId,
        fill: &Fill,
        facts: &Instrument,
        now: Nanos,
    ) -> Option<FillOutcome> {
        let account = self.account(instrument);
        let (base, quote) = self.assets(instrument);
        let order = self.open.get(fill.order)?;
        let qty = facts.qty_as_money(fill.qty)?;
        let decimals = facts.price_scale.decimals();
        let legs = i128::from(fill.price.0);
        let key = at(&self.key_of, instrument).copied()?;
        // Against us: what we pay is rounded up, what we get is rounded down.
        let rounding = match fill.side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let value = facts.notional(legs, decimals, i128::from(fill.qty.0), rounding)?;
        let fee = Money(i128::from(fill.fee));
        let release = order.release(fill.qty);
        self.open.reduce(fill.order, fill.qty, release)?;
        self.balances.lock(account, order.lock_asset, Money(release.0.checked_neg()?));
        let signed = i128::from(fill.side.sign());
        let paid = if fill.fee_asset == base {
            Money(mul_div(fee.0, legs, pow10(decimals)?, Rounding::Ceil)?)
        } else {
            fee
        };
        self.fees = self.fees.checked_add(paid)?;
        let mut realised = Money::ZERO;
        match self.kind(account) {
            AccountKind::Cash => {
                let received = if fill.side == Side::Buy && fill.fee_asset == base {
                    qty.checked_sub(fee)?
                } else {
                    qty
                };
                let delta = Money(received.0.checked_mul(signed)?);
                if let Some(position) = self.positions.get_mut(key) {
                    realised = position.trade(delta, value, now)?;
                }
                self.balances.add(account, base, Money(qty.0.checked_mul(signed)?));
                self.balances.add(
                    account,
                    quote,
                    Money(value.0.checked_mul(signed.checked_neg()?)?),
                );
                self.balances.add(account, fill.fee_asset, Money(fee.0.checked_neg()?));
                self.refresh_cash(account, base);
                self.refresh_cash(account, fill.fee_asset);
            }
            AccountKind::Linear => {
                if let Some(position) = self.positions.get_mut(key) {
                    let delta = Money(qty.0.checked_mul(signed)?);
                    realised = position.trade(delta, value, now)?;
                }
                self.balances.add(account, quote, realised);
                self.balances.add(account, fill.fee_asset, Money(fee.0.checked_neg()?));
            }
        }
        Some(FillOutcome { realised, strategy: order.strategy })
    }

    /// Ends an order and releases what it still locked. Returns it, `None` when it was not open.
    pub fn done(&mut self, order: OrderNo) -> Option<OpenOrder> {
        let ended = self.open.remove(order)?;
        let account = self.account(ended.instrument);
        self.balances.lock(account, ended.lock_asset, Money(ended.locked.0.saturating_neg()));
        Some(ended)
    }

    /// Moves the measures to the equity of now. Returns that equity.
    pub fn observe(&mut self, view: &View<'_>) -> Option<Money> {
        let equity = self.equity(view);
        if equity.is_some() && self.measures.start().is_none() {
            self.adopt_openings(view);
        }
        self.measures.observe(equity);
        equity
    }

    /// Opening holdings enter at the first complete set of marks: that value is their cost.
    fn adopt_openings(&mut self, view: &View<'_>) {
        for key in 0..self.positions.len() {
            let Some(held) = self.held_value(key, view) else { continue };
            if let Some(position) = self.positions.get_mut(key).filter(|p| !p.is_flat()) {
                position.basis = Money(held);
                position.since = view.now;
            }
        }
    }

    /// Opens a trading day at the equity of now, or the last known one.
    pub fn roll(&mut self, monday: bool, view: &View<'_>) -> (Money, bool) {
        let equity = self.equity(view);
        self.measures.roll(equity, monday)
    }
}

/// Returns the element of a dense table for an instrument.
#[inline]
#[must_use]
pub fn at<T>(table: &[T], instrument: InstrumentId) -> Option<&T> {
    table.get(usize::try_from(instrument.0).unwrap_or(usize::MAX))
}

/// Returns the id of an instrument by its place in the table.
#[must_use]
pub fn instrument_id(index: usize) -> InstrumentId {
    u32::try_from(index).map_or(model::id::NO_INSTRUMENT, InstrumentId)
}

/// Returns the id of an asset by name; names come from the setup, which lists them all.
#[must_use]
pub fn asset_id(assets: &[String], name: &str) -> AssetId {
    let index = assets.iter().position(|known| known == name);
    index.and_then(|at| u16::try_from(at).ok()).map_or(AssetId(u16::MAX), AssetId)
}

/// Returns a signed amount of base as a mantissa at the instrument's quantity scale, towards zero.
#[must_use]
pub fn as_qty(amount: Money, instrument: &Instrument) -> Qty {
    let decimals = instrument.qty_scale.decimals();
    let step = pow10(MONEY_SCALE.saturating_sub(decimals)).unwrap_or(1);
    let whole = amount.0.checked_div(step).unwrap_or(0);
    Qty(i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX }))
}

/// Returns a limit price at the mark's scale.
#[must_use]
pub fn price_at_mark_scale(price: Price) -> i128 {
    i128::from(price.0).saturating_mul(10)
}

impl Image for Portfolio {
    fn save(&self, out: &mut ImageWriter) {
        self.balances.save(out);
        out.put_len(self.positions.len());
        for position in &self.positions {
            position.save(out);
        }
        self.open.save(out);
        self.measures.save(out);
        out.put(self.fees);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.balances.load(from)?;
        if from.take_len(self.positions.len())? != self.positions.len() {
            return Err(ImageError::Range);
        }
        for position in &mut self.positions {
            position.load(from)?;
        }
        self.open.load(from)?;
        self.measures.load(from)?;
        self.fees = from.take()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
