//! What is held, what it is worth, and what an order would change: accounts.md in code.
//!
//! The risk stage owns one portfolio. All figures are exact integers; a figure that a missing mark
//! makes unknown is `None` and refuses. Quantities of positions are in units of 1e-9, as money is,
//! because a spot position *is* a balance.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{AccountOpened, Fill};
use model::id::{AccountId, AssetId, InstrumentId, OrderNo, StrategyId};
use model::instrument::{Instrument, Kind};
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
/// What it all is worth, and what an order would change.
mod value;

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

    /// Books a fill. `None` when it is of no open order or a figure does not fit: then nothing
    /// changed.
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
        let signed = i128::from(fill.side.sign());
        let paid = if fill.fee_asset == base {
            Money(mul_div(fee.0, legs, pow10(decimals)?, Rounding::Ceil)?)
        } else {
            fee
        };
        let fees = self.fees.checked_add(paid)?;
        let kind = self.kind(account);
        let in_kind = kind == AccountKind::Cash && fill.side == Side::Buy && fill.fee_asset == base;
        let received = if in_kind { qty.checked_sub(fee)? } else { qty };
        let mut position = *self.positions.get(key)?;
        let realised = position.trade(Money(received.0.checked_mul(signed)?), value, now)?;
        let moved = Money(qty.0.checked_mul(signed)?);
        let spent = Money(value.0.checked_mul(signed)?.checked_neg()?);
        let (released, charged) = (release.0.checked_neg()?, fee.0.checked_neg()?);
        self.open.reduce(fill.order, fill.qty, release)?;
        // Nothing below can fail.
        self.fees = fees;
        *self.positions.get_mut(key)? = position;
        self.balances.lock(account, order.lock_asset, Money(released));
        self.balances.add(account, fill.fee_asset, Money(charged));
        match kind {
            AccountKind::Cash => {
                self.balances.add(account, base, moved);
                self.balances.add(account, quote, spent);
                self.refresh_cash(account, base);
                self.refresh_cash(account, fill.fee_asset);
            }
            AccountKind::Linear => self.balances.add(account, quote, realised),
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
        let equity = self.observe(view);
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
