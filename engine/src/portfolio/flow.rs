//! Money that moves without a trade: cash flows, funding, and a liquidation by the venue.
//!
//! A cash flow is no profit: every base of a measure moves with it. A flow of a base asset comes
//! and goes at the last mark, in nobody's ledger. The halves of a transfer between accounts of the
//! session are ours all the time, so no figure moves at either.

use model::event::{CashFlow, Fill, Funding};
use model::id::InstrumentId;
use model::instrument::Instrument;
use model::num::{Money, Rounding, mul_div, pow10};
use model::order::{AccountKind, FlowReason};

use super::fill::Legs;
use super::{Portfolio, View, at};
use crate::market::Market;

impl Portfolio {
    /// Books a cash flow. Returns false when it takes more than is there and not locked: then
    /// nothing changed, and what is held is not known.
    pub fn flow(&mut self, flow: &CashFlow, view: &View<'_>) -> bool {
        let CashFlow { account, asset, amount, reason, .. } = *flow;
        let held = self.balances.total(account, asset).0.checked_add(amount.0);
        let locked = self.balances.locked(account, asset).0;
        let cash = self.kind(account) == AccountKind::Cash;
        if held.is_none_or(|held| cash && amount.0 < 0 && held < locked) {
            return false;
        }
        let before = self.equity(view);
        let usable = self.balances.usable(account, asset);
        self.balances.add(account, asset, amount);
        let change = self.balances.usable(account, asset).0.saturating_sub(usable.0);
        if let Some(key) = self.cash_key(account, asset) {
            self.move_at_mark(key, Money(change), view);
        }
        if let Some(transit) = self.transit.get_mut(usize::from(asset.0))
            && reason == FlowReason::Transfer
        {
            *transit = Money(transit.0.saturating_sub(change));
        }
        self.refresh();
        if reason != FlowReason::Transfer {
            let after = self.equity(view).or_else(|| {
                // The last equity that was known moves by what the flow is worth at the last rate.
                let worth = self.last_value(Money(change), asset, view)?;
                self.measures.last().checked_add(worth)
            });
            if let Some(after) = after {
                if before.is_some() {
                    self.measures.observe(before);
                }
                self.measures.flow(after);
            }
        }
        true
    }

    /// Nobody's ledger gains or loses some of a cash position, at the last mark: neither profit nor
    /// loss.
    pub(super) fn move_at_mark(&mut self, key: usize, delta: Money, view: &View<'_>) {
        let Some(pricer) = self.pricer_of.get(key).copied() else { return };
        let held = self.positions.get(key).copied().unwrap_or_default();
        let mark = at(view.markets, pricer).and_then(Market::last_mark);
        let one = at(view.instruments, pricer).and_then(|facts| pow10(facts.mark_decimals()));
        let value = mark.zip(one).and_then(|(mark, one)| {
            let rounding = if delta.0 > 0 { Rounding::Ceil } else { Rounding::Floor };
            mul_div(delta.0.checked_abs()?, mark, one, rounding).map(Money)
        });
        let booked = value.filter(|_| self.measures.start().is_some()).and_then(|value| {
            let nobody = self.ledgers.nobody(pricer)?;
            let (mut position, mut row) = (held, *self.ledgers.rows.get(nobody)?);
            let realised = position.trade(delta, value, view.now)?;
            row.trade(delta, value, Money::ZERO, view.now)?;
            *self.ledgers.rows.get_mut(nobody)? = row;
            *self.positions.get_mut(key)? = position;
            let book = self.accounts.get_mut(key)?;
            book.realised = Money(book.realised.0.saturating_add(realised.0));
            Some(())
        });
        if booked.is_none() {
            // Without a mark its cost is what it will be worth at the first.
            self.set_qty(key, Money(held.qty.0.saturating_add(delta.0)));
        }
    }

    /// Books a funding. Returns what came, negative when paid; `None` when a figure does not fit:
    /// then nothing changed.
    pub fn fund(
        &mut self,
        instrument: InstrumentId,
        funding: &Funding,
        facts: &Instrument,
        view: &View<'_>,
    ) -> Option<Money> {
        let key = at(&self.key_of, instrument).copied()?;
        let (account, quote) = (self.account(instrument), self.assets(instrument).1);
        if self.kind(account) != AccountKind::Linear {
            return Some(Money::ZERO);
        }
        let one = pow10(facts.mark_decimals())?.checked_mul(1_000_000_000)?;
        let per = i128::from(funding.mark.0).checked_mul(i128::from(funding.rate.0))?;
        let comes =
            |qty: Money| mul_div(qty.0.checked_neg()?, per, one, Rounding::Floor).map(Money);
        let held = self.positions.get(key)?.qty;
        let amount = if funding.stated { Money(i128::from(funding.amount)) } else { comes(held)? };
        if held.0 == 0 && !funding.stated {
            return Some(Money::ZERO);
        }
        let worth = self.last_value(amount, quote, view)?;
        let total = self.funding.checked_add(worth)?;
        // Each ledger has its own part; what rounding or the venue left is nobody's. All that can
        // fail is computed before anything is changed.
        let mut rest = amount;
        for row in self.ledgers.rows.iter().filter(|row| row.instrument == instrument) {
            if row.strategy.is_some() {
                let part = comes(row.position.qty)?;
                row.funding.checked_add(part)?;
                rest = rest.checked_sub(part)?;
            }
        }
        let nobody = self.ledgers.nobody(instrument)?;
        self.ledgers.rows.get(nobody)?.funding.checked_add(rest)?;
        self.accounts.get(key)?.funding.checked_add(amount)?;
        self.balances.total(account, quote).checked_add(amount)?;
        for at in 0..self.ledgers.rows.len() {
            let Some(row) = self.ledgers.rows.get_mut(at) else { continue };
            if row.instrument != instrument {
                continue;
            }
            let strategy = row.strategy;
            let part = match strategy {
                Some(_) => comes(row.position.qty).unwrap_or_default(),
                None => rest,
            };
            row.funding = Money(row.funding.0.saturating_add(part.0));
            if let Some(book) = strategy.and_then(|strategy| self.ledgers.book_mut(strategy)) {
                book.dirty = true;
            }
        }
        if let Some(book) = self.accounts.get_mut(key) {
            book.funding = Money(book.funding.0.saturating_add(amount.0));
        }
        self.funding = total;
        self.balances.add(account, quote, amount);
        self.refresh();
        Some(amount)
    }

    /// Books a fill by which the venue closed a position: every ledger of the instrument goes flat
    /// at its price. `None` when a figure does not fit: then what is held is not known.
    pub fn liquidated(
        &mut self,
        instrument: InstrumentId,
        fill: &Fill,
        facts: &Instrument,
        view: &View<'_>,
    ) -> Option<Money> {
        let key = at(&self.key_of, instrument).copied()?;
        let (account, assets) = (self.account(instrument), self.assets(instrument));
        let legs = Legs::of(fill, facts, assets, self.kind(account))?;
        let fee = Money(i128::from(fill.fee));
        let mut position = *self.positions.get(key)?;
        let realised = position.trade(legs.received, legs.value, view.now)?;
        let fees = self.fees.checked_add(self.last_value(fee, assets.1, view)?)?;
        let (mut moved, mut value, mut paid) = (legs.received, legs.spent, fee);
        // Ledgers that oppose each other are closed too, so they share the fee by their sizes.
        let own = self.ledgers.rows.iter().filter(|row| row.instrument == instrument);
        let gross =
            own.fold(0_i128, |sum, row| sum.saturating_add(row.position.qty.0.saturating_abs()));
        for at in 0..self.ledgers.rows.len() {
            let Some(row) = self.ledgers.rows.get_mut(at) else { continue };
            let own = row.instrument == instrument && !row.position.is_flat();
            let Some(strategy) = row.strategy.filter(|_| own) else { continue };
            let (before, held) = (row.position, row.position.qty);
            let rounding = if held.0 < 0 { Rounding::Ceil } else { Rounding::Floor };
            let size = held.0.checked_abs()?;
            let part = Money(mul_div(size, legs.price, legs.one, rounding)?);
            let fee = Money(mul_div(fee.0, size, gross.max(1), Rounding::Floor)?);
            row.trade(Money(held.0.checked_neg()?), part, fee, view.now)?;
            row.settle(true, &before, view.now);
            moved = moved.checked_add(held)?;
            let signed = if held.0 < 0 { Money(part.0.checked_neg()?) } else { part };
            value = value.checked_sub(signed)?;
            paid = paid.checked_sub(fee)?;
            if let Some(book) = self.ledgers.book_mut(strategy) {
                book.dirty = true;
            }
        }
        // What is left of quantity, money and fee is nobody's.
        let nobody = self.ledgers.nobody(instrument)?;
        let row = self.ledgers.rows.get_mut(nobody)?;
        let cost = Money(value.0.checked_abs()?);
        let against = (moved.0 > 0) == (value.0 < 0);
        if moved.0 != 0 && against {
            row.trade(moved, cost, paid, view.now)?;
        } else {
            row.realised = row.realised.checked_add(value)?;
            row.fees = row.fees.checked_add(paid)?;
            row.position.qty = row.position.qty.checked_add(moved)?;
        }
        *self.positions.get_mut(key)? = position;
        self.fees = fees;
        if let Some(book) = self.accounts.get_mut(key) {
            book.realised = Money(book.realised.0.saturating_add(realised.0));
            book.fees = Money(book.fees.0.saturating_add(fee.0));
        }
        self.balances.add(account, fill.fee_asset, Money(fee.0.saturating_neg()));
        self.balances.add(account, assets.1, realised);
        self.refresh();
        self.assert_ledgers(key);
        Some(realised)
    }
}
