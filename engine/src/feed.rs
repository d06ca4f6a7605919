//! The feed stage: the only one with several inputs. It stamps `seq` and `ts`, and passes one
//! linear stream on.
//!
//! Market data, timers, day rolls, bars built from trades and what the simulated venue reports are
//! merged by (time, source); at equal times a closing bar comes first, then data, then reports,
//! then timers. What feed derives itself is flagged, so that replay computes it again and compares.

use model::book::Book;
use model::event::{
    AccountOpened, BadInput, Body, DayRoll, Event, FLAG_DERIVED, FLAG_LAST, FLAG_MORE, FxRate,
    OrderDone, Payload, Quote, SessionEnd, SessionStart, Timer,
};
use model::id::{AccountId, AssetId, InstrumentId, NO_INSTRUMENT, OrderNo, Seq};
use model::instrument::Instrument;
use model::num::Money;
use model::order::{DoneReason, EndReason, InputFault, Side};
use model::time::{Date, Nanos};

use crate::paper::Paper;
use crate::portfolio::asset_id;
use crate::setup::{DaySetup, RateSetup, RateSource, Setup};
use crate::source::Message;

/// Bars of any whole-second length, built from trades.
pub mod bars;
/// Best levels of the book against the venue's own best prices, by update id.
pub mod check;
/// The state image.
mod image;

use bars::Bars;
use check::QuoteCheck;

/// The stage.
#[derive(Clone, Debug)]
pub struct Feed {
    seq: Seq,
    ts: Nanos,
    day: Option<Date>,
    /// First moment of the day after it.
    day_ends: Nanos,
    /// When days begin.
    days: DaySetup,
    instruments: usize,
    /// How many accounts and assets there are.
    money: (usize, usize),
    seed: u64,
    openings: Vec<AccountOpened>,
    /// Rates of the configuration.
    rates: Vec<FxRate>,
    books: Vec<Book>,
    /// By instrument: what is derived or checked from its book.
    roles: Vec<Role>,
    checks: Vec<QuoteCheck>,
    bars: Bars,
    /// When the stages want to be woken.
    timer: Option<Nanos>,
    refused: Vec<(InstrumentId, OrderDone)>,
    paper: Paper,
    /// Events of the message at hand.
    batch: Vec<Event>,
    counts: FeedCounts,
}

/// What feed does with an instrument's book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Role {
    /// The source has a book.
    book: bool,
    /// The source has no quotes: the touch is derived from the book.
    derive: bool,
    /// Last derived touch.
    touch: Quote,
}

/// Counts of the input lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Records of the input lane.
    pub inputs: u64,
    /// Fills.
    pub fills: u64,
    /// Messages not used, by their records.
    pub bad: u64,
}

/// What comes next, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A bar closes.
    Bar(Nanos),
    /// The source's next message.
    Data(Nanos),
    /// The simulated venue acts or reports.
    Paper(Nanos),
    /// A timer fires.
    Timer(Nanos),
}

impl Next {
    /// Returns when it comes.
    #[must_use]
    pub fn at(self) -> Nanos {
        match self {
            Self::Bar(at) | Self::Data(at) | Self::Paper(at) | Self::Timer(at) => at,
        }
    }
}

/// LIMIT: events of one message that take no new memory: a snapshot of both sides and its buffered
/// changes.
const BATCH_EVENTS: usize = 65_536;

impl Feed {
    /// Builds the stage for a session. `bar_lengths` are the bars that strategies need of each
    /// instrument's trades.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument], bars: Bars, paper: Paper) -> Self {
        let mut openings = Vec::new();
        for (index, account) in setup.accounts.iter().enumerate() {
            for (asset, amount) in &account.balances {
                openings.push(AccountOpened {
                    total: Money(*amount),
                    account: AccountId(u16::try_from(index).unwrap_or(u16::MAX)),
                    asset: asset_id(&setup.assets, asset),
                    kind: account.kind(),
                });
            }
        }
        let carried = setup.instruments.iter().map(|instrument| instrument.carries);
        let roles: Vec<Role> = carried
            .map(|c| Role { book: c.book, derive: c.book && !c.quotes, touch: Quote::default() })
            .collect();
        Self {
            seq: Seq(0),
            ts: Nanos(0),
            day: None,
            day_ends: Nanos(0),
            days: setup.money.day.clone(),
            instruments: instruments.len(),
            money: (setup.accounts.len(), setup.assets.len()),
            seed: setup.seed,
            openings,
            rates: fixed_rates(setup),
            books: roles
                .iter()
                .map(|role| if role.book { Book::new() } else { Book::empty() })
                .collect(),
            checks: setup
                .instruments
                .iter()
                .map(|i| QuoteCheck::new(i.carries.book && i.carries.quotes))
                .collect(),
            roles,
            bars,
            timer: None,
            refused: Vec::with_capacity(crate::limits::OPEN_ORDERS_MAX),
            paper,
            batch: Vec::with_capacity(BATCH_EVENTS),
            counts: FeedCounts::default(),
        }
    }

    /// Sets the seq that the next record gets less one: records that precede the stages (metadata,
    /// rule texts) have the numbers up to it.
    pub fn start_after(&mut self, seq: Seq, ts: Nanos) {
        self.seq = seq;
        self.ts = ts;
    }

    /// Sets the counts to nothing: those of a run that goes on from a snapshot are its own.
    pub(crate) fn count_anew(&mut self) {
        self.counts = FeedCounts::default();
        self.checks.iter_mut().for_each(QuoteCheck::count_anew);
    }

    /// Returns the seq of the last record.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Returns the counts.
    #[must_use]
    pub fn counts(&self) -> FeedCounts {
        self.counts
    }

    /// Returns compared and unequal best prices, over all instruments.
    #[must_use]
    pub fn book_checks(&self) -> (u64, u64) {
        self.checks.iter().fold((0, 0), |sum, check| {
            let (compared, unequal) = check.counts();
            (sum.0.saturating_add(compared), sum.1.saturating_add(unequal))
        })
    }

    /// Returns the events of the message at hand.
    #[must_use]
    pub fn batch(&self) -> &[Event] {
        &self.batch
    }

    /// Returns the number of orders at the simulated venue or on their way.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.paper.open_orders()
    }

    /// Returns engine time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.ts
    }

    /// Begins the session: its start, the opening balances and the first day.
    pub fn begin(&mut self, at: Nanos) {
        self.batch.clear();
        let instruments = u32::try_from(self.instruments).unwrap_or(u32::MAX);
        let start = SessionStart { instruments, seed: self.seed };
        self.put(at, NO_INSTRUMENT, &start, FLAG_DERIVED);
        for index in 0..self.openings.len() {
            let Some(opened) = self.openings.get(index).copied() else { continue };
            self.put(at, NO_INSTRUMENT, &opened, FLAG_DERIVED);
        }
        for index in 0..self.rates.len() {
            let Some(rate) = self.rates.get(index).copied() else { continue };
            self.put(at, NO_INSTRUMENT, &rate, FLAG_DERIVED);
        }
        let date = self.days.date(at);
        self.open_day(date);
        self.put(at, NO_INSTRUMENT, &DayRoll { date }, FLAG_DERIVED);
        self.close_message();
    }

    /// Ends the session.
    pub fn end(&mut self, reason: EndReason) {
        self.batch.clear();
        self.put(self.ts, NO_INSTRUMENT, &SessionEnd { reason }, FLAG_DERIVED);
        self.close_message();
    }

    /// Decides what comes next: `data` is the receive time of the source's next message. `None` at
    /// the end of everything that has a time.
    #[must_use]
    pub fn next(&self, data: Option<Nanos>) -> Option<Next> {
        let floor = Nanos(self.ts.0.saturating_add(1));
        let mut first: Option<(Nanos, Next)> = None;
        let mut offer = |next: Option<Next>| {
            let Some(next) = next else { return };
            let at = next.at().max(floor);
            // Of two at one stamp the one that was offered before comes first.
            if first.is_none_or(|(before, _)| at < before) {
                first = Some((at, next));
            }
        };
        offer(self.bars.next_close().map(Next::Bar));
        offer(data.map(Next::Data));
        offer(self.paper.next_due().map(Next::Paper));
        offer(self.timer.map(Next::Timer));
        first.map(|(_, next)| next)
    }

    /// Opens a day if the record about to be stamped at `at` lies in a new one. Returns true when
    /// the batch now holds that roll, to be passed on before the record itself.
    pub fn roll_before(&mut self, at: Nanos) -> bool {
        let moment = Nanos(self.ts.0.saturating_add(1)).max(at);
        if self.day.is_some() && moment < self.day_ends {
            return false;
        }
        let date = self.days.date(moment);
        // Dates never go back.
        if self.day.is_some_and(|day| date <= day) {
            return false;
        }
        self.open_day(date);
        self.batch.clear();
        self.put(self.days.start(date), NO_INSTRUMENT, &DayRoll { date }, FLAG_DERIVED);
        self.close_message();
        true
    }

    fn open_day(&mut self, date: Date) {
        self.day = Some(date);
        self.day_ends = self.days.start(Date(date.0.saturating_add(1)));
    }

    /// Turns a source's message into input records.
    pub fn ingest(&mut self, message: &Message) {
        self.batch.clear();
        let mut touched = NO_INSTRUMENT;
        for (instrument, body) in &message.updates {
            self.put_body(message, *instrument, body);
            if matches!(body, Body::BookLevel(_) | Body::BookClear(_)) {
                touched = *instrument;
            }
        }
        if touched != NO_INSTRUMENT {
            self.book_changed(message.ts, touched);
        }
        self.close_message();
    }

    /// Closes the bars that are due.
    pub fn close_bars(&mut self, at: Nanos) {
        self.batch.clear();
        while let Some((instrument, extra, bar)) = self.bars.close(at) {
            self.put(at, instrument, &extra, FLAG_DERIVED | FLAG_MORE);
            self.put(at, instrument, &bar, FLAG_DERIVED);
        }
        self.close_message();
    }

    /// Lets the simulated venue do the one thing that is due; true when there is a report.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the simulated venue reports these three only"
    )]
    pub fn advance_paper(&mut self, at: Nanos) -> bool {
        self.batch.clear();
        let Some((instrument, body)) = self.paper.advance(&self.books) else { return false };
        match &body {
            Body::OrderAck(report) => self.put(at, instrument, report, FLAG_DERIVED),
            Body::Fill(report) => {
                self.counts.fills = self.counts.fills.saturating_add(1);
                self.put(at, instrument, report, FLAG_DERIVED);
            }
            Body::OrderDone(report) => self.put(at, instrument, report, FLAG_DERIVED),
            _ => return false,
        }
        self.close_message();
        true
    }

    /// Returns when the simulated venue is due next.
    #[must_use]
    pub fn paper_due(&self) -> Option<Nanos> {
        self.paper.next_due()
    }

    /// Fires the timer.
    pub fn fire_timer(&mut self, at: Nanos) {
        self.batch.clear();
        self.timer = None;
        self.put(at, NO_INSTRUMENT, &Timer { due: at }, FLAG_DERIVED);
        self.close_message();
    }

    /// Puts the next refusal of risk into the batch, so that the strategy hears of it.
    pub fn answer_refusal(&mut self) -> bool {
        if self.refused.is_empty() {
            return false;
        }
        let (instrument, done) = self.refused.remove(0);
        self.batch.clear();
        self.put(self.ts, instrument, &done, FLAG_DERIVED);
        self.close_message();
        true
    }

    /// Takes what came back from the pipeline: orders and cancels that left, the timer that the
    /// stages need, refusals to be answered.
    #[expect(clippy::wildcard_enum_match_arm, reason = "stages send back these only")]
    pub fn request(&mut self, event: &Event) {
        match event.body() {
            Body::OrderSent(_) | Body::CancelSent(_) | Body::StopSent(_) => {
                self.paper.submit(event);
            }
            Body::Wake(wake) => self.timer = Some(wake.due),
            Body::Liquidate(liquidate) => self.paper.liquidate(event, &liquidate),
            Body::Decision(decision) => {
                let done = OrderDone {
                    order: OrderNo::new(event.seq, decision.ordinal),
                    filled: model::num::Qty(0),
                    code: decision.code,
                    reason: DoneReason::Rejected,
                };
                self.refused.push((event.instrument, done));
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a source says these only")]
    fn put_body(&mut self, message: &Message, id: InstrumentId, body: &Body) {
        let at = message.ts;
        match body {
            Body::Trade(trade) => {
                self.put(at, id, trade, 0);
                self.bars.trade(id, self.ts, trade);
            }
            Body::Quote(quote) => {
                self.put(at, id, quote, 0);
                self.check_quote(id, quote);
            }
            Body::BookLevel(level) => {
                if let Some(book) = self.books.get_mut(index(id)) {
                    book.set(level.side, level.price, level.qty);
                }
                self.put(at, id, level, 0);
                if let Some(check) = self.checks.get_mut(index(id)) {
                    check.book_at(level.update_id);
                }
            }
            Body::BookClear(clear) => {
                if let Some(book) = self.books.get_mut(index(id)) {
                    book.clear();
                }
                self.put(at, id, clear, 0);
                if let Some(check) = self.checks.get_mut(index(id)) {
                    check.book_at(clear.update_id);
                }
            }
            Body::BarExtra(extra) => self.put(at, id, extra, FLAG_MORE),
            Body::Bar(bar) => self.put(at, id, bar, 0),
            Body::FeedState(state) => self.put(at, id, state, 0),
            Body::OrderAsked(asked) => self.put(at, id, asked, 0),
            Body::Note(note) => self.put(at, id, note, 0),
            Body::Command(command) => self.put(at, id, command, 0),
            Body::LatchCleared(cleared) => self.put(at, id, cleared, 0),
            Body::MarkPrice(mark) if mark.mark.0 > 0 => self.put(at, id, mark, 0),
            Body::MarkPrice(_) => self.put_bad(message, id, InputFault::NotPositive),
            // What was paid is not a guess: the stages hear that it is unknown.
            Body::Funding(funding) if funding.mark.0 > 0 => self.put(at, id, funding, 0),
            Body::Funding(_) => self.put_bad(message, id, InputFault::NoMark),
            Body::FxRate(rate) if self.knows(0, rate.from) && self.knows(0, rate.to) => {
                if rate.rate.0 > 0 {
                    self.put(at, id, rate, 0);
                } else {
                    self.put_bad(message, id, InputFault::NotPositive);
                }
            }
            Body::CashFlow(flow) if self.knows(flow.account.0, flow.asset) => {
                self.put(at, id, flow, 0);
                self.paper.cash_flow(flow);
            }
            Body::FxRate(_) | Body::CashFlow(_) => {
                self.put_bad(message, id, InputFault::UnknownAccount);
            }
            Body::BadInput(bad) => {
                self.counts.bad = self.counts.bad.saturating_add(bad.count);
                self.put(at, id, bad, 0);
            }
            // A source says nothing else.
            _ => {}
        }
    }

    /// Tells whether the session has an account and an asset.
    fn knows(&self, account: u16, asset: AssetId) -> bool {
        let (accounts, assets) = self.money;
        usize::from(account) < accounts && usize::from(asset.0) < assets
    }

    /// Counts and records an update that cannot be used.
    fn put_bad(&mut self, message: &Message, id: InstrumentId, fault: InputFault) {
        self.counts.bad = self.counts.bad.saturating_add(1);
        let bad = BadInput { line: 0, count: 1, source: message.source, fault };
        self.put(message.ts, id, &bad, 0);
    }

    fn check_quote(&mut self, id: InstrumentId, quote: &Quote) {
        if let (Some(check), Some(book)) =
            (self.checks.get_mut(index(id)), self.books.get(index(id)))
        {
            check.quote(quote, book);
        }
    }

    /// After a book message: compares what waited for it, and derives the touch where the source
    /// has none.
    fn book_changed(&mut self, at: Nanos, id: InstrumentId) {
        let place = index(id);
        let (Some(book), Some(check), Some(role)) =
            (self.books.get(place), self.checks.get_mut(place), self.roles.get_mut(place))
        else {
            return;
        };
        check.release(book);
        if !role.derive {
            return;
        }
        let bid = book.best(Side::Buy).unwrap_or_default();
        let ask = book.best(Side::Sell).unwrap_or_default();
        let touch = Quote {
            bid: bid.price,
            ask: ask.price,
            bid_qty: bid.qty,
            ask_qty: ask.qty,
            update_id: 0,
        };
        if touch != role.touch {
            role.touch = touch;
            self.put(at, id, &touch, FLAG_DERIVED);
        }
    }

    /// Stamps a record and adds it to the batch. The extra half of a record has its other half's
    /// seq.
    fn put<P: Payload>(&mut self, at: Nanos, id: InstrumentId, payload: &P, flags: u16) {
        let joined = self.batch.last().is_some_and(|last| last.flags & FLAG_MORE != 0);
        if !joined {
            self.seq = self.seq.next();
            self.ts = Nanos(self.ts.0.saturating_add(1)).max(at);
            self.counts.inputs = self.counts.inputs.saturating_add(1);
        }
        let event = Event::new(self.seq, self.ts, id, payload).with_flags(flags);
        self.paper.on_market(&event, &self.books);
        self.batch.push(event);
    }

    fn close_message(&mut self) {
        if let Some(last) = self.batch.last_mut() {
            *last = last.with_flags(FLAG_LAST);
        }
    }
}

/// Returns the rates that the configuration states.
fn fixed_rates(setup: &Setup) -> Vec<FxRate> {
    let to = asset_id(&setup.assets, &setup.reporting);
    let fixed = setup.money.rates.iter().filter_map(|stated| match stated.from {
        RateSource::Fixed(rate) => Some((stated, Money(rate))),
        RateSource::Via(_) | RateSource::Recorded => None,
    });
    let record = |(stated, rate): (&RateSetup, Money)| {
        let from = asset_id(&setup.assets, &stated.asset);
        FxRate { rate, from, to, fixed: true }
    };
    fixed.map(record).collect()
}

#[inline]
fn index(id: InstrumentId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
