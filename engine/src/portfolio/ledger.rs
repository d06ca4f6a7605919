//! Strategies' own ledgers: accounts.md 12.
//!
//! One row for each instrument that a strategy is bound to, from its own fills alone, and one
//! `unassigned` row for each instrument: opening holdings, cash flows in a base asset, and what
//! orders of nobody did. The rows of a position sum to the account's: in quantity, and in what was
//! realised less what is still in the cost. The two parts of that sum differ from the account's
//! alone, because average costs do.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{InstrumentId, StrategyId};
use model::num::Money;
use model::time::Nanos;

use super::measure::Measures;
use super::position::Position;

/// What a strategy, or nobody, holds of an instrument. Amounts are in the instrument's quote asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Whose it is; none: nobody's.
    pub strategy: Option<StrategyId>,
    /// The instrument.
    pub instrument: InstrumentId,
    /// What is held.
    pub position: Position,
    /// Realised by fills, before fees.
    pub realised: Money,
    /// Fees that are not in the cost already: those in kind are.
    pub fees: Money,
    /// Funding received less funding paid.
    pub funding: Money,
    /// What was realised, net, when the present round trip began.
    round: Money,
    /// A round trip is open: more is held than dust.
    open: bool,
}

/// A round trip that ended: from flat to flat, dust counted as flat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The strategy.
    pub strategy: StrategyId,
    /// What it made, net of fees and funding, in the instrument's quote asset.
    pub pnl: Money,
    /// How long it lasted.
    pub duration_ns: i64,
}

/// Capital and counts of one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Its rows: a range of the table.
    pub(super) rows: std::ops::Range<usize>,
    /// What it was allocated; none before the equity at start is known.
    pub(super) allocated: Option<Money>,
    /// Day, week and all time of its capital.
    pub(super) measures: Measures,
    /// Something of it changed since its capital was last computed.
    pub(super) dirty: bool,
    /// Orders approved and cancels done today.
    pub(super) messages: u64,
    /// Fills today.
    pub(super) fills: u64,
}

/// Whose orders a session knows: strategies, and where they are bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Names of strategies, by id.
    pub strategies: Vec<String>,
    /// Strategies and their instruments.
    pub pairs: Vec<(StrategyId, InstrumentId)>,
}

/// All ledgers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledgers {
    /// Sorted by strategy, then instrument; those of nobody first, one for each instrument.
    pub(super) rows: Vec<Ledger>,
    /// By strategy id.
    pub(super) books: Vec<Book>,
}

impl Ledger {
    fn new(strategy: Option<StrategyId>, instrument: InstrumentId) -> Self {
        Self {
            strategy,
            instrument,
            position: Position::default(),
            realised: Money::ZERO,
            fees: Money::ZERO,
            funding: Money::ZERO,
            round: Money::ZERO,
            open: false,
        }
    }

    /// Returns what was realised, net of fees and with funding.
    #[must_use]
    pub fn net(&self) -> Money {
        let sum = self.realised.0.saturating_sub(self.fees.0).saturating_add(self.funding.0);
        Money(sum)
    }

    /// Returns what its fills brought and cost: what was realised less what is in the cost.
    #[must_use]
    pub fn spent(&self) -> Money {
        Money(self.realised.0.saturating_sub(self.position.signed_basis().0))
    }

    /// Books a trade and its fee; `None` when a figure does not fit.
    pub(super) fn trade(
        &mut self,
        delta: Money,
        value: Money,
        fee: Money,
        now: Nanos,
    ) -> Option<()> {
        let realised = self.position.trade(delta, value, now)?;
        self.realised = self.realised.checked_add(realised)?;
        self.fees = self.fees.checked_add(fee)?;
        Some(())
    }

    /// Notes whether more than dust is held. Returns what a round trip made that ended here; of
    /// one that turned over too.
    pub(super) fn settle(&mut self, flat: bool, before: &Position, now: Nanos) -> Option<Closed> {
        let turned = !flat && (before.qty.0 < 0) != (self.position.qty.0 < 0) && !before.is_flat();
        let ended = self.open && (flat || turned);
        let strategy = self.strategy.filter(|_| ended);
        let pnl = Money(self.net().0.saturating_sub(self.round.0));
        if ended || flat {
            self.round = self.net();
        }
        if !flat && !self.open {
            // A round trip begins, also over dust that the last one left.
            self.position.since = now;
        }
        self.open = !flat;
        strategy.map(|strategy| Closed { strategy, pnl, duration_ns: now.since(before.since) })
    }
}

impl Ledgers {
    /// Returns empty ledgers, all rows in place.
    #[must_use]
    pub fn new(owners: &Owners, instruments: usize) -> Self {
        let ids = (0..instruments).map(super::instrument_id);
        let mut rows: Vec<Ledger> = ids.map(|id| Ledger::new(None, id)).collect();
        let mut pairs = owners.pairs.clone();
        pairs.sort_unstable();
        pairs.dedup();
        rows.extend(pairs.iter().map(|(strategy, id)| Ledger::new(Some(*strategy), *id)));
        let book = |index: usize| {
            let own = |row: &Ledger| row.strategy.is_some_and(|id| usize::from(id.0) == index);
            let start = rows.iter().position(own).unwrap_or(rows.len());
            let count = rows.iter().filter(|row| own(row)).count();
            Book {
                rows: start..start.saturating_add(count),
                allocated: None,
                measures: Measures::default(),
                dirty: true,
                messages: 0,
                fills: 0,
            }
        };
        let books = (0..owners.strategies.len()).map(book).collect();
        Self { rows, books }
    }

    /// Returns where the row of a strategy and an instrument stands; of nobody where the strategy
    /// is not bound there.
    pub(super) fn find(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<usize> {
        let own = self.rows.binary_search_by_key(&(Some(strategy), instrument), |row| {
            (row.strategy, row.instrument)
        });
        own.ok().or_else(|| self.nobody(instrument))
    }

    /// Returns where nobody's row of an instrument stands.
    pub(super) fn nobody(&self, instrument: InstrumentId) -> Option<usize> {
        let at = usize::try_from(instrument.0).ok()?;
        (at < self.rows.len()).then_some(at)
    }

    /// Returns the ledgers.
    #[must_use]
    pub fn rows(&self) -> &[Ledger] {
        &self.rows
    }

    /// Returns the ledger of a strategy on an instrument.
    #[must_use]
    pub fn of(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<&Ledger> {
        let at = self.find(strategy, instrument)?;
        self.rows.get(at).filter(|row| row.strategy == Some(strategy))
    }

    pub(super) fn book(&self, strategy: StrategyId) -> Option<&Book> {
        self.books.get(usize::from(strategy.0))
    }

    pub(super) fn book_mut(&mut self, strategy: StrategyId) -> Option<&mut Book> {
        self.books.get_mut(usize::from(strategy.0))
    }
}

impl Image for Ledgers {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.rows.len());
        for row in &self.rows {
            row.position.save(out);
            for amount in [row.realised, row.fees, row.funding, row.round] {
                out.put(amount);
            }
            out.put(row.open);
        }
        out.put_len(self.books.len());
        for book in &self.books {
            out.put_option(book.allocated);
            book.measures.save(out);
            out.put(book.dirty);
            out.put(book.messages);
            out.put(book.fills);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.rows.len())? != self.rows.len() {
            return Err(ImageError::Range);
        }
        for row in &mut self.rows {
            row.position.load(from)?;
            row.realised = from.take()?;
            row.fees = from.take()?;
            row.funding = from.take()?;
            row.round = from.take()?;
            row.open = from.take()?;
        }
        if from.take_len(self.books.len())? != self.books.len() {
            return Err(ImageError::Range);
        }
        for book in &mut self.books {
            book.allocated = from.take_option()?;
            book.measures.load(from)?;
            book.dirty = from.take()?;
            book.messages = from.take()?;
            book.fills = from.take()?;
        }
        Ok(())
    }
}
