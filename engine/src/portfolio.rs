//! What is held, what it is worth, and what an order would change: accounts.md in code.
//!
//! The risk stage owns one portfolio. All figures are exact integers; a figure that a missing mark
//! makes unknown is `None` and refuses. Quantities of positions are in units of 1e-9, as money is,
//! because a spot position *is* a balance.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{AccountOpened, FxRate, OrderAck};
use model::id::{AccountId, AssetId, InstrumentId, OrderNo};
use model::instrument::{Instrument, Kind};
use model::num::{MONEY_SCALE, Money, Price, Qty, Rounding, mul_div, pow10};
use model::order::AccountKind;
use model::time::{Date, Nanos};

use crate::market::Market;
use crate::setup::{Capital, Setup};

/// Balances by account and asset.
pub mod balance;
/// What a fill moves.
pub mod fill;
/// Money that comes or goes without a trade: flows and funding.
mod flow;
/// Strategies' own ledgers.
pub mod ledger;
/// What of a portfolio counts now.
mod live;
/// Margin, leverage and liquidation of linear positions.
mod margin;
/// Equity and the day's measures.
pub mod measure;
/// Open orders and what they may still add.
pub mod open;
/// Signed holdings with their cost.
pub mod position;
/// What assets are worth in the reporting asset.
pub mod rates;
/// What strategies may use, and have made of it.
pub mod strategy;
/// What it all is worth, and what an order would change.
mod value;

use balance::Balances;
use ledger::{Ledgers, Owners};
use live::{Live, account_asset};
use measure::Measures;
use open::{OpenOrder, OpenOrders};
use position::Position;
use rates::Rates;

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
    /// By position key: what it is on the books of the account besides its holding.
    accounts: Vec<KeyBook>,
    reporting: AssetId,
    rates: Rates,
    ledgers: Ledgers,
    live: Live,
    /// By account and asset: the position that it is, on a cash account.
    cash_keys: Vec<Option<usize>>,
    /// Halves of transfers that are on their way, by asset: they are ours all the time.
    transit: Vec<Money>,
    /// What strategies were promised, by id.
    promised: Vec<Option<Capital>>,
    /// The day that was opened last.
    day: Option<Date>,
    kinds: Vec<AccountKind>,
    balances: Balances,
    positions: Vec<Position>,
    open: OpenOrders,
    measures: Measures,
    /// Fees so far in the reporting asset; those in kind are valued at their fills.
    fees: Money,
    funding: Money,
    /// Decimals to which equity is summed before it is rounded once: 9 plus the finest mark.
    sum_decimals: u8,
}

/// What the account made of a position, besides what is held; in the quote asset of its pricer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KeyBook {
    /// The asset that the position is counted in.
    quote: AssetId,
    /// It is no position but money: its base is the reporting asset, or is not traded.
    is_money: bool,
    realised: Money,
    /// Fees that are not in the cost already.
    fees: Money,
    funding: Money,
    /// What it had made, unrealised profit included, when the day began.
    day_base: Money,
}

impl Portfolio {
    /// Returns an empty portfolio for a setup: accounts open by their records.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument], owners: &Owners) -> Self {
        let asset = |name: &str| asset_id(&setup.assets, name);
        let mut keys: Vec<(AccountId, AssetId, Option<usize>)> = Vec::new();
        let mut portfolio = Self {
            account_of: Vec::new(),
            assets_of: Vec::new(),
            key_of: Vec::new(),
            pricer_of: Vec::new(),
            accounts: Vec::new(),
            rates: Rates::new(setup, instruments),
            ledgers: Ledgers::new(owners, instruments.len()),
            live: Live::new(instruments.len(), setup.assets.len()),
            cash_keys: vec![None; setup.accounts.len().saturating_mul(setup.assets.len())],
            transit: vec![Money::ZERO; setup.assets.len()],
            promised: strategy::promised(setup, owners),
            day: None,
            reporting: asset(&setup.reporting),
            kinds: setup.accounts.iter().map(crate::setup::AccountSetup::kind).collect(),
            balances: Balances::new(setup.accounts.len(), setup.assets.len()),
            positions: Vec::new(),
            open: OpenOrders::new(),
            measures: Measures::default(),
            fees: Money::ZERO,
            funding: Money::ZERO,
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
                let quote = asset(&instrument.settle);
                let is_money = !linear;
                portfolio.accounts.push(KeyBook { quote, is_money, ..KeyBook::default() });
                keys.len().saturating_sub(1)
            });
            // Something that is traded makes a position of its base, and values it.
            let traded = setup.traded.contains(&instrument_id(index).0);
            if let (Some(book), Some(pricer)) =
                (portfolio.accounts.get_mut(at), portfolio.pricer_of.get_mut(at))
                && book.is_money
                && traded
                && instrument.symbol.base != setup.reporting
            {
                book.is_money = false;
                book.quote = asset(&instrument.settle);
                *pricer = instrument_id(index);
            }
            portfolio.account_of.push(account);
            portfolio.assets_of.push((base, asset(&instrument.settle)));
            portfolio.key_of.push(at);
            let decimals = MONEY_SCALE.saturating_add(instrument.mark_decimals());
            portfolio.sum_decimals = portfolio.sum_decimals.max(decimals);
        }
        portfolio.settle_cash(setup, &keys);
        portfolio.refresh();
        portfolio
    }

    /// Notes what is protected, and which assets of cash accounts are positions.
    fn settle_cash(&mut self, setup: &Setup, keys: &[(AccountId, AssetId, Option<usize>)]) {
        for (index, account) in setup.accounts.iter().enumerate() {
            let id = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            for (name, amount) in &account.protect {
                let asset = asset_id(&setup.assets, name);
                self.balances.protect(id, asset, Money(*amount));
            }
        }
        for (at, (account, base, linear)) in keys.iter().enumerate() {
            let place = account_asset(*account, *base, setup.assets.len());
            let is_position = self.accounts.get(at).is_some_and(|book| !book.is_money);
            if let Some(slot) = self.cash_keys.get_mut(place)
                && linear.is_none()
                && is_position
            {
                *slot = Some(at);
            }
        }
    }

    /// Opens a balance. On cash the base assets are positions from the start, without a cost yet.
    pub fn open_account(&mut self, opened: &AccountOpened) {
        self.balances.add(opened.account, opened.asset, opened.total);
        if let Some(key) = self.cash_key(opened.account, opened.asset) {
            // What is there before the first order is nobody's.
            let held = self.balances.usable(opened.account, opened.asset);
            self.set_qty(key, held);
        }
        self.refresh();
    }

    /// Returns the position that an asset of a cash account is, if it is one.
    fn cash_key(&self, account: AccountId, asset: AssetId) -> Option<usize> {
        *self.cash_keys.get(account_asset(account, asset, self.transit.len()))?
    }

    /// Sets what is held of a key, and gives the change to nobody's ledger.
    fn set_qty(&mut self, key: usize, held: Money) {
        let Some(position) = self.positions.get_mut(key) else { return };
        let change = held.0.saturating_sub(position.qty.0);
        position.qty = held;
        let pricer = self.pricer_of.get(key).copied().unwrap_or_default();
        let nobody = self.ledgers.nobody(pricer);
        if let Some(row) = nobody.and_then(|at| self.ledgers.rows.get_mut(at)) {
            row.position.qty = Money(row.position.qty.0.saturating_add(change));
        }
    }

    /// Returns the kind of an account.
    #[must_use]
    pub fn kind(&self, account: AccountId) -> AccountKind {
        self.kinds.get(usize::from(account.0)).copied().unwrap_or_default()
    }

    /// Tells whether an instrument is the first one of its position.
    #[must_use]
    pub fn is_first(&self, instrument: InstrumentId) -> bool {
        let key = at(&self.key_of, instrument);
        let first = self.key_of.iter().position(|other| Some(other) == key);
        first.map(instrument_id) == Some(instrument)
    }

    /// Tells whether two instruments are of one position.
    #[must_use]
    pub fn share_position(&self, one: InstrumentId, other: InstrumentId) -> bool {
        at(&self.key_of, one) == at(&self.key_of, other)
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

    /// Returns the trading day that was opened last.
    #[must_use]
    pub fn day(&self) -> Option<Date> {
        self.day
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

    /// Returns the ledgers of strategies.
    #[must_use]
    pub fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// Returns the rates of assets.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Takes a rate.
    pub fn record_rate(&mut self, rate: &FxRate, now: Nanos) {
        self.rates.record(rate, now);
        self.refresh();
    }

    /// Returns the funding so far in the reporting asset: received less paid.
    #[must_use]
    pub fn funding(&self) -> Money {
        self.funding
    }

    /// Tells whether the value of anything depends on this instrument's mark: of what is held, of
    /// an open order, of a rate.
    #[inline]
    #[must_use]
    pub fn depends_on(&self, instrument: InstrumentId) -> bool {
        self.live.depends_on(instrument) || self.open.any_of(instrument)
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
        self.live.opened(at(&self.key_of, order.instrument).copied().unwrap_or(usize::MAX));
        if let Some(book) = self.ledgers.book_mut(order.strategy) {
            book.messages = book.messages.saturating_add(1);
        }
        true
    }

    /// Takes a protective stop that the venue keeps into the open orders, so that its fills have an
    /// owner. It counts as nothing: it is linked with the exits of its strategy, which never close
    /// more than it protects.
    pub fn open_stop(&mut self, instrument: InstrumentId, ack: &OrderAck) {
        let (order, strategy) = (ack.order, ack.strategy);
        // Without room its fills are of no open order, and those are refused.
        if self.open.insert(OpenOrder { order, instrument, strategy, ..OpenOrder::default() }) {
            self.live.opened(at(&self.key_of, instrument).copied().unwrap_or(usize::MAX));
        }
    }

    /// Ends an order and releases what it still locked. Returns it, `None` when it was not open.
    pub fn done(&mut self, order: OrderNo) -> Option<OpenOrder> {
        let ended = self.open.remove(order)?;
        let account = self.account(ended.instrument);
        self.balances.lock(account, ended.lock_asset, Money(ended.locked.0.saturating_neg()));
        let key = at(&self.key_of, ended.instrument).copied().unwrap_or(usize::MAX);
        self.live.closed(key, self.positions.get(key).is_some_and(|held| !held.is_flat()));
        Some(ended)
    }

    /// Begins with a position that no fill has made.
    pub fn adopt(&mut self, instrument: InstrumentId, position: Position) {
        let key = at(&self.key_of, instrument).copied().unwrap_or(usize::MAX);
        if let Some(held) = self.positions.get_mut(key) {
            *held = position;
        }
    }

    /// Moves the measures to the equity of now. Returns that equity.
    pub fn observe(&mut self, view: &View<'_>) -> Option<Money> {
        let equity = self.equity(view);
        if let Some(equity) = equity.filter(|_| self.measures.start().is_none()) {
            self.adopt_openings(view);
            self.allocate(equity);
        }
        self.measures.observe(equity);
        self.observe_strategies(view);
        equity
    }

    /// Opening holdings enter at the first complete set of marks: that value is their cost.
    fn adopt_openings(&mut self, view: &View<'_>) {
        for key in 0..self.positions.len() {
            let pricer = self.pricer_of.get(key).copied().unwrap_or_default();
            let row = self.ledgers.nobody(pricer).and_then(|at| self.ledgers.rows.get_mut(at));
            let Some(row) = row.filter(|row| !row.position.is_flat()) else { continue };
            let Some(worth) = value::worth_of(row.position.qty, pricer, view) else { continue };
            let rise = worth.saturating_sub(row.position.basis.0);
            row.position.basis = Money(worth);
            row.position.since = view.now;
            if let Some(held) = self.positions.get_mut(key) {
                held.basis = Money(held.basis.0.saturating_add(rise));
                held.since = view.now;
            }
        }
    }

    /// Opens a trading day at the equity of now, or the last known one; and a week, if Monday has
    /// come since the last.
    pub fn roll(&mut self, date: Date, view: &View<'_>) -> (Money, bool) {
        let equity = self.observe(view);
        let new_week = self.day.is_some_and(|day| day.week() != date.week());
        self.day = Some(date);
        self.roll_strategies(new_week, view);
        for key in 0..self.accounts.len() {
            let made = self.made(key, view, true).unwrap_or(Money::ZERO);
            if let Some(book) = self.accounts.get_mut(key) {
                book.day_base = made;
            }
        }
        self.measures.roll(equity, new_week)
    }

    /// Returns what a position has made, unrealised profit included, in its quote asset; at the
    /// last mark ever seen where `any_age` allows it.
    fn made(&self, key: usize, view: &View<'_>, any_age: bool) -> Option<Money> {
        let book = self.accounts.get(key)?;
        let net = book.realised.checked_sub(book.fees)?.checked_add(book.funding)?;
        let held = self.positions.get(key)?;
        if held.is_flat() || book.is_money {
            return Some(net);
        }
        let pricer = *self.pricer_of.get(key)?;
        let market = at(view.markets, pricer)?;
        let fresh = market.mark_held(view.now, held.qty.0 < 0);
        let mark = if any_age { fresh.or_else(|| market.last_mark()) } else { fresh }?;
        let one = pow10(at(view.instruments, pricer)?.mark_decimals())?;
        let worth = Money(mul_div(held.qty.0, mark, one, Rounding::Floor)?);
        net.checked_add(worth)?.checked_sub(held.signed_basis())
    }

    /// Returns the loss of the day on the position of an instrument, fees and funding in, over the
    /// equity at the day's open.
    #[must_use]
    pub fn symbol_day_loss(&self, instrument: InstrumentId, view: &View<'_>) -> measure::Share {
        let key = at(&self.key_of, instrument).copied()?;
        let book = self.accounts.get(key)?;
        let made = self.made(key, view, false)?.checked_sub(book.day_base)?;
        let made = self.rates.rate(book.quote, view)?.of(made, Rounding::Floor)?;
        let open = self.measures.day_open();
        (open.0 > 0).then(|| (Money(made.0.saturating_neg().max(0)), open))
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
        out.put(self.funding);
        for book in &self.accounts {
            for amount in [book.realised, book.fees, book.funding, book.day_base] {
                out.put(amount);
            }
        }
        self.rates.save(out);
        self.ledgers.save(out);
        for amount in &self.transit {
            out.put(*amount);
        }
        out.put_option(self.day);
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
        self.funding = from.take()?;
        for book in &mut self.accounts {
            book.realised = from.take()?;
            book.fees = from.take()?;
            book.funding = from.take()?;
            book.day_base = from.take()?;
        }
        self.rates.load(from)?;
        self.ledgers.load(from)?;
        for amount in &mut self.transit {
            *amount = from.take()?;
        }
        self.day = from.take_option()?;
        self.refresh();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
