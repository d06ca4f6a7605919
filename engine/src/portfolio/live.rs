//! What of a portfolio counts now: positions with something in them, assets that are held or that
//! positions are counted in, and the instruments whose marks move any of it.
//!
//! Recomputed when something is booked, so that a moving mark costs what is held and no more.

use model::id::{AccountId, AssetId, InstrumentId};
use model::num::Money;

use super::{Portfolio, at};

/// The lists, each with its room taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    /// Position keys with something held or an open order, rising.
    pub(super) keys: Vec<usize>,
    /// Assets that count in equity, rising, each with what is held of it as money.
    pub(super) assets: Vec<(AssetId, Money)>,
    /// By instrument: its mark moves equity.
    depends: Vec<bool>,
    /// Open orders by position key.
    open: Vec<u32>,
}

impl Live {
    pub(super) fn new(instruments: usize, assets: usize) -> Self {
        Self {
            keys: Vec::with_capacity(instruments),
            assets: Vec::with_capacity(assets),
            depends: vec![false; instruments],
            open: vec![0; instruments],
        }
    }

    #[inline]
    pub(super) fn depends_on(&self, instrument: InstrumentId) -> bool {
        at(&self.depends, instrument).is_some_and(|depends| *depends)
    }

    /// An order was taken in.
    pub(super) fn opened(&mut self, key: usize) {
        let Some(count) = self.open.get_mut(key) else { return };
        *count = count.saturating_add(1);
        if let Err(place) = self.keys.binary_search(&key) {
            self.keys.insert(place, key);
        }
    }

    /// An order has ended.
    pub(super) fn closed(&mut self, key: usize, held: bool) {
        let Some(count) = self.open.get_mut(key) else { return };
        *count = count.saturating_sub(1);
        if *count == 0
            && !held
            && let Ok(place) = self.keys.binary_search(&key)
        {
            self.keys.remove(place);
        }
    }
}

impl Portfolio {
    /// Computes the lists anew.
    pub(super) fn refresh(&mut self) {
        let Self { live, open, key_of, positions, accounts, rates, .. } = self;
        live.open.fill(0);
        for order in open.iter() {
            let key = at(key_of, order.instrument).copied().unwrap_or(usize::MAX);
            if let Some(count) = live.open.get_mut(key) {
                *count = count.saturating_add(1);
            }
        }
        let held = |key: usize| {
            let money = accounts.get(key).is_none_or(|book| book.is_money);
            !money && positions.get(key).is_some_and(|position| !position.is_flat())
        };
        live.keys.clear();
        for key in 0..positions.len() {
            if held(key) || live.open.get(key).is_some_and(|count| *count > 0) {
                live.keys.push(key);
            }
        }
        for (depends, key) in live.depends.iter_mut().zip(key_of.iter()) {
            *depends = held(*key);
        }
        live.assets.clear();
        for asset in (0..self.transit.len()).filter_map(|at| u16::try_from(at).ok()) {
            let asset = AssetId(asset);
            let mut amount = self.transit.get(usize::from(asset.0)).map_or(0, |money| money.0);
            for account in 0..self.kinds.len() {
                let account = AccountId(u16::try_from(account).unwrap_or(u16::MAX));
                if self
                    .cash_keys
                    .get(account_asset(account, asset, self.transit.len()))
                    .is_none_or(|key| key.is_none())
                {
                    amount = amount.saturating_add(self.balances.usable(account, asset).0);
                }
            }
            let quoted = |key: &usize| {
                held(*key) && accounts.get(*key).is_some_and(|book| book.quote == asset)
            };
            if amount != 0 || live.keys.iter().any(quoted) {
                live.assets.push((asset, Money(amount)));
                rates.path(asset, &mut |instrument| {
                    let place = usize::try_from(instrument.0).unwrap_or(usize::MAX);
                    if let Some(depends) = live.depends.get_mut(place) {
                        *depends = true;
                    }
                });
            }
        }
    }
}

/// Returns the place of an account's asset in a dense table.
pub(super) fn account_asset(account: AccountId, asset: AssetId, assets: usize) -> usize {
    usize::from(account.0).saturating_mul(assets).saturating_add(usize::from(asset.0))
}
