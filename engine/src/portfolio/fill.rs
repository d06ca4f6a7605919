//! What a fill moves: balances, the position, the ledger of the strategy whose order it was.
//!
//! Everything that can fail is computed before anything is changed.

use model::event::Fill;
use model::id::{AccountId, AssetId, InstrumentId, StrategyId};
use model::instrument::{Instrument, Kind};
use model::num::{Money, Rounding, mul_div, pow10};
use model::order::{AccountKind, Side};

use super::ledger::Closed;
use super::position::Position;
use super::{Portfolio, View, at};
use crate::market::Market;

/// What a fill did, for the records that tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillOutcome {
    /// Money realised before fees, in the quote asset.
    pub realised: Money,
    /// The strategy whose order it was.
    pub strategy: StrategyId,
    /// What the fee was worth in the quote asset.
    pub fee: Money,
    /// What the strategy's own ledger realised, net of the fee, in the quote asset; none when it
    /// opened or added.
    pub pnl: Option<Money>,
    /// It opened or added to what the strategy holds.
    pub opens: bool,
    /// The round trip that it ended.
    pub closed: Option<Closed>,
}

/// What a fill moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    /// Price paid, and the mantissa of one at its scale.
    pub(super) price: i128,
    pub(super) one: i128,
    /// Quantity times price, rounded against us.
    pub(super) value: Money,
    /// Signed quantity that the position gains: without a fee in kind.
    pub(super) received: Money,
    /// Signed quantity that changed hands.
    pub(super) moved: Money,
    /// Signed amount of the quote asset that changed hands.
    pub(super) spent: Money,
    /// The fee was taken from the base that the fill brought: it is in the cost of the rest.
    pub(super) in_kind: bool,
}

impl Legs {
    pub(super) fn of(
        fill: &Fill,
        facts: &Instrument,
        (base, quote): (AssetId, AssetId),
        kind: AccountKind,
    ) -> Option<Self> {
        // Against us: what we pay is rounded up, what we get is rounded down.
        let rounding = match fill.side {
            Side::Buy => Rounding::Ceil,
            Side::Sell => Rounding::Floor,
        };
        let decimals = facts.price_scale.decimals();
        let price = i128::from(fill.price.0);
        let value = facts.notional(price, decimals, i128::from(fill.qty.0), rounding)?;
        let qty = facts.qty_as_money(fill.qty)?;
        let (fee, signed) = (Money(i128::from(fill.fee)), i128::from(fill.side.sign()));
        let cash = kind == AccountKind::Cash && base != quote;
        let in_kind = cash && fill.side == Side::Buy && fill.fee_asset == base;
        let kept = if in_kind { qty.checked_sub(fee)? } else { qty };
        Some(Self {
            price,
            one: pow10(decimals)?,
            value,
            received: Money(kept.0.checked_mul(signed)?),
            moved: Money(qty.0.checked_mul(signed)?),
            spent: Money(value.0.checked_mul(signed)?.checked_neg()?),
            in_kind,
        })
    }
}

impl Portfolio {
    /// Books a fill. `None` when it is of no open order or a figure does not fit: then nothing
    /// changed.
    ///
    /// # Panics
    /// When the ledgers no longer sum to the account: a defect of the books.
    pub fn fill(
        &mut self,
        instrument: InstrumentId,
        fill: &Fill,
        facts: &Instrument,
        view: &View<'_>,
    ) -> Option<FillOutcome> {
        let account = self.account(instrument);
        let (base, quote) = self.assets(instrument);
        let order = self.open.get(fill.order)?;
        let key = at(&self.key_of, instrument).copied()?;
        let legs = Legs::of(fill, facts, (base, quote), self.kind(account))?;
        let release = order.release(fill.qty);
        let book = *self.accounts.get(key)?;
        let rounding = if fill.side == Side::Buy { Rounding::Ceil } else { Rounding::Floor };
        let counted = self.cross(legs.value, (quote, book.quote), rounding, view)?;
        let paid = self.fee_in(fill, &legs, (base, quote), view)?;
        let apart = if legs.in_kind { Money::ZERO } else { paid };
        let fees = self.fees.checked_add(self.last_value(paid, quote, view)?)?;
        let mut position = *self.positions.get(key)?;
        let realised = if book.is_money {
            Money::ZERO
        } else {
            position.trade(legs.received, counted, view.now)?
        };
        let row_at = self.ledgers.find(order.strategy, instrument)?;
        let mut row = *self.ledgers.rows.get(row_at)?;
        let (before, made) = (row.position, row.net());
        let opens = before.is_flat() || (before.qty.0 < 0) == (legs.received.0 < 0);
        row.trade(legs.received, legs.value, apart, view.now)?;
        let net = row.net().checked_sub(made)?;
        let flat = self.is_dust(&row.position, instrument, view);
        let closed = row.settle(flat, &before, view.now);
        let released = release.0.checked_neg()?;
        self.open.reduce(fill.order, fill.qty, release)?;
        // Nothing below can fail.
        self.fees = fees;
        *self.positions.get_mut(key)? = position;
        *self.ledgers.rows.get_mut(row_at)? = row;
        if let Some(book) = self.accounts.get_mut(key) {
            book.realised = Money(book.realised.0.saturating_add(realised.0));
            book.fees = Money(book.fees.0.saturating_add(apart.0));
        }
        self.balances.lock(account, order.lock_asset, Money(released));
        self.pay(account, fill, legs.in_kind, view);
        match self.kind(account) {
            AccountKind::Cash => {
                self.balances.add(account, base, legs.moved);
                self.balances.add(account, quote, legs.spent);
            }
            AccountKind::Linear => self.balances.add(account, quote, realised),
        }
        if let Some(book) = self.ledgers.book_mut(order.strategy) {
            book.fills = book.fills.saturating_add(1);
            book.dirty = true;
        }
        self.refresh();
        self.assert_ledgers(key);
        let (strategy, pnl) = (order.strategy, Some(net).filter(|_| !opens));
        Some(FillOutcome { realised, strategy, fee: paid, pnl, opens, closed })
    }

    /// Takes a fee. One in an asset that is itself a position makes that smaller, at the mark: what
    /// it was worth is in the fees.
    fn pay(&mut self, account: AccountId, fill: &Fill, in_kind: bool, view: &View<'_>) {
        let gone = Money(i128::from(fill.fee).saturating_neg());
        self.balances.add(account, fill.fee_asset, gone);
        if let Some(key) = self.cash_key(account, fill.fee_asset).filter(|_| !in_kind) {
            self.move_at_mark(key, gone, view);
        }
    }

    /// Returns a fee in the quote asset of the instrument, for the books: in kind at the price of
    /// the fill, in another asset at its last rate.
    fn fee_in(
        &self,
        fill: &Fill,
        legs: &Legs,
        (base, quote): (AssetId, AssetId),
        view: &View<'_>,
    ) -> Option<Money> {
        let fee = Money(i128::from(fill.fee));
        if fill.fee_asset == quote {
            Some(fee)
        } else if fill.fee_asset == base {
            mul_div(fee.0, legs.price, legs.one, Rounding::Ceil).map(Money)
        } else {
            self.cross(fee, (fill.fee_asset, quote), Rounding::Ceil, view)
        }
    }

    /// Returns an amount of one asset in another by the last rates known, rounded as told:
    /// for the books, which must be kept whatever is known now.
    pub(super) fn cross(
        &self,
        amount: Money,
        (from, to): (AssetId, AssetId),
        rounding: Rounding,
        view: &View<'_>,
    ) -> Option<Money> {
        if from == to {
            return Some(amount);
        }
        let (from, to) = (self.rates.last_rate(from, view)?, self.rates.last_rate(to, view)?);
        let worth = mul_div(amount.0, from.over, from.under, rounding)?;
        mul_div(worth, to.under, to.over, rounding).map(Money)
    }

    /// Returns an amount in the reporting asset by the last rate known, rounded up.
    pub(super) fn last_value(
        &self,
        amount: Money,
        asset: AssetId,
        view: &View<'_>,
    ) -> Option<Money> {
        self.rates.last_rate(asset, view)?.of(amount, Rounding::Ceil)
    }

    /// Tells whether a holding is flat: nothing, less than a lot, or on spot less than the venue
    /// takes at the last mark.
    pub(crate) fn is_dust(
        &self,
        held: &Position,
        instrument: InstrumentId,
        view: &View<'_>,
    ) -> bool {
        let Some(facts) = at(view.instruments, instrument) else { return held.is_flat() };
        let size = held.qty.0.saturating_abs();
        let least = if facts.kind == Kind::Spot { facts.lot.max(facts.qty_min) } else { facts.lot };
        if size < facts.qty_as_money(least).map_or(0, |amount| amount.0) {
            return true;
        }
        if size == 0 || facts.kind == Kind::LinearPerpetual {
            return size == 0;
        }
        let mark = at(view.markets, instrument).and_then(Market::last_mark);
        let one = pow10(facts.mark_decimals()).unwrap_or(1);
        let value = mark.and_then(|mark| mul_div(size, mark, one, Rounding::Floor));
        value.is_some_and(|value| value < facts.notional_min.0)
    }

    /// The ledgers of a position sum to the account's, always: in quantity, and where all are
    /// counted in one asset, in what fills brought and cost.
    pub(super) fn assert_ledgers(&self, key: usize) {
        let Some(book) = self.accounts.get(key).filter(|book| !book.is_money) else { return };
        let held = self.positions.get(key).copied().unwrap_or_default();
        let (mut qty, mut spent, mut uniform) = (0_i128, 0_i128, true);
        for row in &self.ledgers.rows {
            if at(&self.key_of, row.instrument).copied() == Some(key) {
                qty = qty.saturating_add(row.position.qty.0);
                spent = spent.saturating_add(row.spent().0);
                uniform &= self.assets(row.instrument).1 == book.quote;
            }
        }
        assert!(qty == held.qty.0, "the ledgers hold {qty}, the account {}", held.qty.0);
        let own = book.realised.0.saturating_sub(held.signed_basis().0);
        assert!(!uniform || spent == own, "the ledgers spent {spent}, the account {own}");
    }
}
