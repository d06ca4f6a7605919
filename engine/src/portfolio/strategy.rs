//! What strategies may use, and have made of it: accounts.md 12.
//!
//! Capital is what was allocated when equity was first known, and the profit of the strategy's own
//! ledgers since, marked to market, in the reporting asset, rounded down ledger by ledger. Those
//! that nothing was allocated to share what is left of the equity at start in equal parts.

use model::decimal::format_trimmed;
use model::id::{InstrumentId, StrategyId};
use model::num::{MONEY_SCALE, Money, Rounding, mul_div, pow10};

use super::ledger::{Book, Ledger, Owners};
use super::measure::{Measures, Share};
use super::open::OpenOrder;
use super::{Portfolio, View, at};
use crate::setup::{Capital, Setup, SetupError};

/// A share of everything.
const WHOLE: i128 = 1_000_000_000;

/// Returns what a setup allocates to each strategy.
pub(super) fn promised(setup: &Setup, owners: &Owners) -> Vec<Option<Capital>> {
    let stated = |name: &String| {
        let found = setup.money.capitals.iter().find(|stated| stated.strategy == *name);
        found.map(|stated| stated.capital)
    };
    owners.strategies.iter().map(stated).collect()
}

/// Checks that no more is allocated than there is, as far as that is known before any mark: shares
/// are at most the whole, and amounts at most the balances where all are in the reporting asset.
///
/// # Errors
/// [`SetupError::Capital`] with both sums.
pub fn check(setup: &Setup) -> Result<(), SetupError> {
    let (mut amounts, mut shares) = (0_i128, 0_i64);
    for stated in &setup.money.capitals {
        match stated.capital {
            Capital::Amount(amount) => amounts = amounts.saturating_add(amount.max(0)),
            Capital::Share(share) => shares = shares.saturating_add(share.max(0)),
        }
    }
    let (balances, mut known) = (setup.accounts.iter().flat_map(|one| &one.balances), true);
    let mut there = 0_i128;
    for (asset, amount) in balances {
        known &= *asset == setup.reporting;
        there = there.saturating_add(*amount);
    }
    let all_shares = mul_div(there, i128::from(shares), WHOLE, Rounding::Ceil).unwrap_or(i128::MAX);
    let stated = amounts.saturating_add(if known { all_shares } else { 0 });
    let money = |amount| format!("{} {}", format_trimmed(amount, MONEY_SCALE), setup.reporting);
    if i128::from(shares) > WHOLE || (known && stated > there) {
        let percent = format_trimmed(i128::from(shares), MONEY_SCALE.saturating_sub(2));
        return Err(SetupError::Capital {
            stated: format!("{} and {percent} % of the equity at start", money(amounts)),
            there: if known {
                format!("there is {}", money(there))
            } else {
                "that is above all of it".to_owned()
            },
        });
    }
    Ok(())
}

impl Portfolio {
    /// Allocates the equity at start. Where more is promised than there is, nothing is known of any
    /// capital, and what reads it refuses.
    pub(super) fn allocate(&mut self, equity: Money) {
        let amount = |promise: &Capital| match promise {
            Capital::Amount(amount) => Some(Money(*amount)),
            Capital::Share(share) => {
                mul_div(equity.0, i128::from(*share), WHOLE, Rounding::Floor).map(Money)
            }
        };
        let mut left = Some(equity.0);
        let mut others = 0_i128;
        for promise in &self.promised {
            match promise {
                Some(promise) => {
                    left =
                        left.zip(amount(promise)).and_then(|(left, sum)| left.checked_sub(sum.0));
                }
                None => others = others.saturating_add(1),
            }
        }
        let Some(left) = left.filter(|left| *left >= 0) else { return };
        let part = left.checked_div(others).map(Money);
        for (book, promise) in self.ledgers.books.iter_mut().zip(&self.promised) {
            book.allocated = match promise {
                Some(promise) => amount(promise),
                None => part,
            };
            book.dirty = true;
        }
    }

    /// Moves the measures of strategies whose capital may have changed.
    pub(super) fn observe_strategies(&mut self, view: &View<'_>) {
        for at in 0..self.ledgers.books.len() {
            let Some(book) = self.ledgers.books.get(at) else { continue };
            if !book.dirty && !self.moves(book) {
                continue;
            }
            let capital = self.capital_of(book, view);
            if let Some(book) = self.ledgers.books.get_mut(at) {
                book.dirty = false;
                book.measures.observe(capital);
            }
        }
    }

    /// Tells whether marks or rates alone move a strategy's capital.
    fn moves(&self, book: &Book) -> bool {
        let rows = self.ledgers.rows.get(book.rows.clone()).unwrap_or_default();
        rows.iter().any(|row| {
            let quote = self.assets(row.instrument).1;
            !row.position.is_flat() || (quote != self.reporting && row.net() != Money::ZERO)
        })
    }

    fn capital_of(&self, book: &Book, view: &View<'_>) -> Option<Money> {
        let mut sum = book.allocated?;
        for row in self.ledgers.rows.get(book.rows.clone())? {
            sum = sum.checked_add(self.worth(row, view)?)?;
        }
        Some(sum)
    }

    /// Returns what a ledger has made, unrealised profit included, in the reporting asset.
    fn worth(&self, row: &Ledger, view: &View<'_>) -> Option<Money> {
        let mut made = row.net();
        if !row.position.is_flat() {
            let facts = at(view.instruments, row.instrument)?;
            let market = at(view.markets, row.instrument)?;
            let mark = market.mark_held(view.now, row.position.qty.0 < 0)?;
            let one = pow10(facts.mark_decimals())?;
            let value = mul_div(row.position.qty.0, mark, one, Rounding::Floor)?;
            made = made.checked_add(Money(value))?.checked_sub(row.position.signed_basis())?;
        }
        if made == Money::ZERO {
            return Some(made);
        }
        self.rates.rate(self.assets(row.instrument).1, view)?.of(made, Rounding::Floor)
    }

    pub(super) fn roll_strategies(&mut self, new_week: bool, view: &View<'_>) {
        for at in 0..self.ledgers.books.len() {
            let capital = self.ledgers.books.get(at).and_then(|book| self.capital_of(book, view));
            if let Some(book) = self.ledgers.books.get_mut(at) {
                book.measures.roll(capital, new_week);
                book.messages = 0;
                book.fills = 0;
            }
        }
    }

    /// Returns what a strategy may use now.
    #[must_use]
    pub fn strategy_capital(&self, strategy: StrategyId, view: &View<'_>) -> Option<Money> {
        self.capital_of(self.ledgers.book(strategy)?, view)
    }

    /// Returns the measures of a strategy's capital.
    #[must_use]
    pub fn strategy_measures(&self, strategy: StrategyId) -> Option<&Measures> {
        self.ledgers.book(strategy).map(|book| &book.measures)
    }

    /// Returns messages of the day over its fills, at least one.
    #[must_use]
    pub fn order_to_trade(&self, strategy: StrategyId) -> Share {
        let book = self.ledgers.book(strategy)?;
        let count = |number: u64| Money(i128::from(number));
        Some((count(book.messages), count(book.fills.max(1))))
    }

    /// A cancel of a strategy's order was carried out: a message too.
    pub fn cancelled(&mut self, strategy: StrategyId) {
        if let Some(book) = self.ledgers.book_mut(strategy) {
            book.messages = book.messages.saturating_add(1);
        }
    }

    /// Returns what a strategy holds of an instrument, signed, in units of 1e-9.
    #[must_use]
    pub fn strategy_position(&self, strategy: StrategyId, instrument: InstrumentId) -> Money {
        self.ledgers.of(strategy, instrument).map_or(Money::ZERO, |row| row.position.qty)
    }

    /// Returns the exposure of a strategy's ledgers and own open orders in the reporting asset.
    #[must_use]
    pub fn strategy_exposure(&self, strategy: StrategyId, view: &View<'_>) -> Option<Money> {
        let book = self.ledgers.book(strategy)?;
        let mut sum = Money::ZERO;
        for row in self.ledgers.rows.get(book.rows.clone())? {
            let own = |order: &OpenOrder| {
                order.strategy == strategy && order.instrument == row.instrument
            };
            let held = (row.instrument, row.position.qty);
            let exposure = self.exposure_with(held, &own, None, view)?;
            let rate = self.rates.rate(self.assets(row.instrument).1, view);
            let exposure = if exposure == Money::ZERO {
                exposure
            } else {
                rate?.of(exposure, Rounding::Ceil)?
            };
            sum = sum.checked_add(exposure)?;
        }
        Some(sum)
    }
}
