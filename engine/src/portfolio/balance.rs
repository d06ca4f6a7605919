//! Balances by account and asset: what is held, and what open orders hold of it.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{AccountId, AssetId};
use model::num::Money;

/// A dense table of balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    assets: usize,
    /// Total and locked, by account, then asset.
    rows: Vec<(Money, Money)>,
    /// What is never sold and in no figure; by account, then asset.
    protect: Vec<Money>,
}

impl Balances {
    /// Returns empty balances for that many accounts and assets.
    #[must_use]
    pub fn new(accounts: usize, assets: usize) -> Self {
        let rows = vec![(Money::ZERO, Money::ZERO); accounts.saturating_mul(assets)];
        let protect = vec![Money::ZERO; rows.len()];
        Self { assets, rows, protect }
    }

    /// Sets apart an amount of an asset.
    pub fn protect(&mut self, account: AccountId, asset: AssetId, amount: Money) {
        if let Some(row) = self.index(account, asset).and_then(|at| self.protect.get_mut(at)) {
            *row = amount;
        }
    }

    fn index(&self, account: AccountId, asset: AssetId) -> Option<usize> {
        let asset = usize::from(asset.0);
        if asset >= self.assets {
            return None;
        }
        usize::from(account.0).checked_mul(self.assets)?.checked_add(asset)
    }

    fn row(&self, account: AccountId, asset: AssetId) -> (Money, Money) {
        self.index(account, asset).and_then(|at| self.rows.get(at)).copied().unwrap_or_default()
    }

    /// Returns what is held.
    #[must_use]
    pub fn total(&self, account: AccountId, asset: AssetId) -> Money {
        self.row(account, asset).0
    }

    /// Returns what of it is set apart: at most what is held.
    #[must_use]
    pub fn protected(&self, account: AccountId, asset: AssetId) -> Money {
        let apart = self.index(account, asset).and_then(|at| self.protect.get(at)).copied();
        apart.unwrap_or(Money::ZERO).min(self.total(account, asset).max(Money::ZERO))
    }

    /// Returns what is held and not set apart.
    #[must_use]
    pub fn usable(&self, account: AccountId, asset: AssetId) -> Money {
        let apart = self.protected(account, asset);
        Money(self.total(account, asset).0.saturating_sub(apart.0))
    }

    /// Returns what open orders hold.
    #[must_use]
    pub fn locked(&self, account: AccountId, asset: AssetId) -> Money {
        self.row(account, asset).1
    }

    /// Returns total less what is locked or set apart.
    #[must_use]
    pub fn free(&self, account: AccountId, asset: AssetId) -> Option<Money> {
        self.usable(account, asset).checked_sub(self.locked(account, asset))
    }

    /// Adds a signed amount to what is held.
    ///
    /// # Panics
    /// When the balance passes an `i128`: 1e29 units of an asset.
    pub fn add(&mut self, account: AccountId, asset: AssetId, amount: Money) {
        if let Some(row) = self.index(account, asset).and_then(|at| self.rows.get_mut(at)) {
            let sum = row.0.checked_add(amount);
            assert!(sum.is_some(), "a balance overflowed");
            row.0 = sum.unwrap_or(row.0);
        }
    }

    /// Adds a signed amount to what is locked.
    ///
    /// # Panics
    /// When more is released than was locked: a defect of the books.
    pub fn lock(&mut self, account: AccountId, asset: AssetId, amount: Money) {
        if let Some(row) = self.index(account, asset).and_then(|at| self.rows.get_mut(at)) {
            let sum = row.1.checked_add(amount).unwrap_or(Money(-1));
            assert!(sum.0 >= 0, "more was released than was locked");
            row.1 = sum;
        }
    }
}

impl Image for Balances {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.rows.len());
        for (total, locked) in &self.rows {
            out.put(*total);
            out.put(*locked);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.rows.len())? != self.rows.len() {
            return Err(ImageError::Range);
        }
        for row in &mut self.rows {
            *row = (from.take()?, from.take()?);
        }
        Ok(())
    }
}
