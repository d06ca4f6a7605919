//! The risk stage: judges every signal, keeps the portfolio, and holds the latches.
//!
//! It sees every event that can change a figure, and judges the latches on each that changes what
//! they read, so that `halt` and `reduce_only` act on the event that makes them true, order or not.
//! An order counts as exposure from the moment it is approved. Cancels are never refused. What is
//! unknown refuses.

use dsl::evaluate::Registers;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Body, DayRoll, Event, Payload, RiskState, Signal, SignalTerms, Wake};
use model::id::{InstrumentId, NO_INSTRUMENT, StrategyId};
use model::instrument::Instrument;
use model::num::Money;
use model::order::{Action, Via};
use model::time::Nanos;

use crate::approval::Approval;
use crate::levels::{FLATTEN, Levels};
use crate::market::Market;
use crate::portfolio::ledger::Owners;
use crate::portfolio::{Portfolio, View, instrument_id};
use crate::program::{Bound, BoundRisk};
use crate::setup::{DaySetup, Setup};
use crate::stage::{Out, Stage};

/// What happens to the accounts beside orders.
mod account;
/// Latches that a person clears.
pub mod clear;
/// What the kill switch does.
mod control;
/// What an order's verdict was made of.
pub mod explain;
/// How rules read the world.
mod facts;
/// Facts that a test states.
pub mod given;
/// What happens to the memories of blocks.
mod happen;
/// Latches: edges, waits and ends.
mod latch;
/// What an order loses at its stop.
mod loss;
/// What blocks remember.
mod memory;
/// Cooldowns and throttles.
mod rate;
/// Sizes that are shares of capital.
mod size;
/// What tests of rules files need.
mod trial;
/// The verdict on one order.
mod verdict;

use given::{Given, Nothing, Outside};
use latch::{Latches, Transition, World};
use memory::Memories;

/// What latches allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything that the rules allow.
    Running,
    /// Only orders that reduce.
    ReduceOnly,
    /// Nothing.
    Halted,
}

/// The stage. A test of a rules file states some of its facts; a session none.
#[derive(Clone, Debug)]
pub struct Risk<G = Nothing> {
    instruments: Vec<Instrument>,
    markets: Vec<Market>,
    portfolio: Portfolio,
    latches: Latches,
    memories: Memories,
    outside: Outside<G>,
    /// Risk blocks by instrument, each with its scratch registers.
    blocks: Vec<Vec<(BoundRisk, Registers)>>,
    program: u64,
    /// True from SessionEnd on: nothing is approved any more.
    closing: bool,
    /// True once a fill could not be booked: what is held is unknown, so nothing is approved.
    unbooked: bool,
    /// What the next signal says beyond its fields.
    terms: Option<SignalTerms>,
    /// True while a payment is unknown: nothing that increases is approved.
    doubtful: bool,
    /// True once the venue had to close positions: nothing that increases is approved.
    liquidated: bool,
    /// A liquidation was asked for and has not come to its end.
    liquidating: bool,
    /// An allowance that one person has asked for: a latch's name and the limit.
    allowing: Approval<i128>,
    /// When a strategy wants to be woken.
    strategy_due: Option<Nanos>,
    now: Nanos,
    /// When trading days begin, which tells when an allowance ends.
    days: DaySetup,
}

/// Version of the state image.
const IMAGE_VERSION: u32 = 6;

impl Risk {
    /// Builds the stage for a session.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument], bound: &Bound) -> Self {
        Self::with_given(setup, instruments, bound, Nothing)
    }

    /// Returns the most events that one step can put out about latches.
    #[must_use]
    pub fn latch_events_max(bound: &Bound) -> usize {
        let throttles = Memories::events_max(bound);
        Latches::new(&with_registers(bound)).events_max().saturating_add(throttles)
    }
}

impl<G: Given> Risk<G> {
    /// Builds the stage with facts that are stated.
    #[must_use]
    pub fn with_given(setup: &Setup, instruments: &[Instrument], bound: &Bound, given: G) -> Self {
        let markets = setup.instruments.iter().map(|i| Market::new(i.carries));
        let blocks = with_registers(bound);
        let reads_depth = |index: usize| {
            let of_one = bound.risk.get(index).into_iter().flatten();
            of_one.into_iter().any(|block| block.code.reads_depth())
        };
        let markets: Vec<Market> = markets
            .enumerate()
            .map(
                |(at, market): (usize, Market)| {
                    if reads_depth(at) { market.with_book() } else { market }
                },
            )
            .collect();
        let portfolio = Portfolio::new(setup, instruments, &owners(bound, G::STATES));
        Self {
            instruments: instruments.to_vec(),
            markets,
            memories: Memories::new(bound, instruments, &portfolio),
            portfolio,
            outside: Outside::of(given, Levels::new(instruments.len(), bound.level_takes_two())),
            allowing: Approval::default(),
            latches: Latches::new(&blocks),
            blocks,
            program: bound.program,
            closing: false,
            unbooked: false,
            terms: None,
            doubtful: false,
            liquidated: false,
            liquidating: false,
            strategy_due: None,
            now: Nanos(0),
            days: setup.money.day.clone(),
        }
    }

    /// Returns the portfolio.
    #[must_use]
    pub fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    /// Returns the level of the kill switch.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.outside.levels.level()
    }

    /// Returns the latches that are armed, each with its instrument.
    pub(crate) fn armed(&self) -> impl Iterator<Item = (model::reject::Code, InstrumentId)> + '_ {
        self.latches.armed()
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { instruments: &self.instruments, markets: &self.markets, now: self.now }
    }

    fn emit<P: Payload>(event: &Event, instrument: InstrumentId, payload: &P, out: &mut Out) {
        out.push(Event::new(event.seq, event.ts, instrument, payload));
    }

    /// Folds a market event; a mark that something held depends on moves equity and latches, and
    /// any event moves the latches that read this market.
    #[inline]
    fn market(&mut self, event: &Event, out: &mut Out) {
        let id = event.instrument;
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        let (Some(market), Some(facts)) =
            (self.markets.get_mut(index), self.instruments.get(index))
        else {
            return;
        };
        let moved = market.apply(event, facts);
        if moved && self.portfolio.depends_on(id) {
            self.changed(event, out);
        } else if self.latches.watch(id) {
            self.latches(event, Some(id), out);
        }
    }

    /// Something that measures depend on has changed: takes the new equity and judges the latches.
    fn changed(&mut self, event: &Event, out: &mut Out) {
        let view = View { instruments: &self.instruments, markets: &self.markets, now: self.now };
        self.portfolio.observe(&view);
        self.liquidate_underwater(event, out);
        self.latches(event, None, out);
    }

    /// Evaluates the latches, all or those of `only` one instrument's market, and tells what
    /// changed.
    fn latches(&mut self, event: &Event, only: Option<InstrumentId>, out: &mut Out) {
        let Self {
            latches, blocks, portfolio, instruments, markets, now, memories, outside, ..
        } = self;
        let view = View { instruments, markets, now: *now };
        let (mut told, mut armed, mut flattens) = (false, false, false);
        let world = World { portfolio, view, memories, outside };
        latches.evaluate(blocks, &world, only, &mut |transition: Transition<'_>| {
            transition.tell(event, out);
            told = true;
            armed |= transition.binds();
            flattens |= transition.flattens();
        });
        if told {
            self.reset_by_ends(event, out);
            self.set_alarm(event, out);
        }
        if armed {
            // What the account was worth when its trading was cut short.
            let measures = self.portfolio.measures();
            let equity = measures.equity();
            let known = equity.is_some();
            self.tell_state(event, equity.unwrap_or(measures.last()), known, out);
        }
        if flattens {
            self.raise(event, FLATTEN, Via::Rule, out);
        }
    }

    fn tell_state(&self, event: &Event, equity: Money, known: bool, out: &mut Out) {
        let exposure = self.portfolio.exposure(None, &self.view()).unwrap_or(Money::ZERO);
        let state = RiskState {
            equity,
            exposure,
            date: self.portfolio.day().unwrap_or(event.ts.date()),
            known,
        };
        Self::emit(event, NO_INSTRUMENT, &state, out);
    }

    fn timer(&mut self, event: &Event, out: &mut Out) {
        self.latches.timer(self.now);
        self.strategy_due = self.strategy_due.filter(|due| *due > self.now);
        if self.memories.any() {
            self.timed();
            self.end_throttles(event, false, out);
        }
        self.changed(event, out);
        self.set_alarm(event, out);
    }

    fn wake(&mut self, event: &Event, wake: Wake, out: &mut Out) {
        self.strategy_due = Some(wake.due);
        self.set_alarm(event, out);
    }

    /// Asks for a timer at the first moment at which a latch, a throttle or a strategy is due.
    fn set_alarm(&mut self, event: &Event, out: &mut Out) {
        let due = self.memories.due().into_iter().chain(self.strategy_due).min();
        self.latches.set_alarm(event, due, out);
    }

    fn day_roll(&mut self, event: &Event, roll: DayRoll, out: &mut Out) {
        let view = View { instruments: &self.instruments, markets: &self.markets, now: self.now };
        let (equity, known) = self.portfolio.roll(roll.date, &view);
        self.tell_state(event, equity, known, out);
        if self.memories.any() {
            self.end_throttles(event, true, out);
            self.memories.roll(roll.date);
        }
        self.latches.end_allowances(&self.blocks, roll.date);
        self.latches.end_of_day(&mut |transition| transition.tell(event, out));
        self.reset_by_ends(event, out);
        self.latches(event, None, out);
    }

    /// Takes what a person, or the engine itself, orders.
    #[cold]
    #[expect(clippy::wildcard_enum_match_arm, reason = "two kinds are orders")]
    fn ordered(&mut self, event: &Event, out: &mut Out) {
        match event.body() {
            Body::Command(command) => self.command(event, &command, out),
            Body::LatchCleared(cleared) => self.clear(event, &cleared, out),
            _ => {}
        }
    }

    fn signal(&mut self, event: &Event, signal: &Signal, out: &mut Out) {
        let terms = self
            .terms
            .take()
            .filter(|terms| (terms.strategy, terms.ordinal) == (signal.strategy, signal.ordinal));
        match signal.action {
            Action::Enter | Action::Exit | Action::Quote | Action::Flatten => {
                // Execution hears what the size comes to.
                let resolved = self.resolved(event, signal, terms.as_ref());
                let order = resolved.as_ref().unwrap_or(signal);
                if order == signal {
                    out.push(*event);
                } else {
                    Self::emit(event, event.instrument, order, out);
                }
                let stop = terms.filter(|terms| terms.stopped).map(|terms| terms.stop);
                self.judge(event, order, (stop, resolved.err()), out);
            }
            // Cancels are never refused: the signal is all that execution needs.
            Action::CancelEntries | Action::CancelExit | Action::CancelQuote => out.push(*event),
        }
    }
}

/// Returns whose orders there can be. Where facts are stated, orders are too: of any strategy on
/// any instrument.
fn owners(bound: &Bound, stated: bool) -> Owners {
    let strategies = bound.strategies.clone();
    let pairs = if stated {
        let ids = 0_u16..u16::try_from(strategies.len()).unwrap_or(u16::MAX);
        let everywhere =
            |id| (0..bound.risk.len()).map(move |at| (StrategyId(id), instrument_id(at)));
        ids.flat_map(everywhere).collect()
    } else {
        bound.instances.iter().map(|instance| (instance.strategy, instance.instrument)).collect()
    };
    Owners { strategies, pairs }
}

/// Returns the bound blocks, each with its scratch registers.
fn with_registers(bound: &Bound) -> Vec<Vec<(BoundRisk, Registers)>> {
    let pair = |block: &BoundRisk| (block.clone(), block.code.registers());
    bound.risk.iter().map(|blocks| blocks.iter().map(pair).collect()).collect()
}

impl<G: Given> Stage for Risk<G> {
    fn step(&mut self, event: &Event, out: &mut Out) {
        self.now = event.ts;
        match event.body() {
            Body::Quote(_)
            | Body::Trade(_)
            | Body::Bar(_)
            | Body::BarExtra(_)
            | Body::FeedState(_)
            | Body::MarkPrice(_)
            | Body::BookLevel(_)
            | Body::BookClear(_) => {
                self.market(event, out);
                self.close_position(event, out);
            }
            Body::SignalTerms(terms) => {
                self.terms = Some(terms);
                out.push(*event);
            }
            Body::Signal(signal) => self.signal(event, &signal, out),
            Body::OrderAck(ack) => {
                if ack.stop {
                    self.portfolio.open_stop(event.instrument, &ack);
                }
                out.push(*event);
            }
            Body::Settled(_) => out.push(*event),
            Body::Command(_) | Body::LatchCleared(_) => self.ordered(event, out),
            Body::Fill(fill) => {
                self.fill(event, &fill, out);
                out.push(*event);
            }
            Body::OrderDone(done) => {
                self.order_done(event, &done, out);
                out.push(*event);
            }
            Body::Timer(_) => {
                self.timer(event, out);
                out.push(*event);
            }
            Body::DayRoll(roll) => self.day_roll(event, roll, out),
            Body::AccountOpened(opened) => self.account_opened(event, &opened, out),
            Body::SessionEnd(_) => {
                self.closing = true;
                out.push(*event);
            }
            Body::Funding(funding) => self.funding(event, &funding, out),
            Body::FxRate(rate) => self.fx_rate(event, &rate, out),
            Body::CashFlow(flow) => self.cash_flow(event, &flow, out),
            Body::BadInput(bad) => self.bad_input(event, &bad, out),
            Body::Wake(wake) => self.wake(event, wake, out),
            Body::SessionStart(_) | Body::Liquidate(_) | Body::Note(_) => {}
            Body::Decision(_)
            | Body::LevelStep(_)
            | Body::ClearStep(_)
            | Body::Flatten(_)
            | Body::DecisionRules(_)
            | Body::LatchChanged(_)
            | Body::Alert(_)
            | Body::RiskState(_)
            | Body::BalanceChanged(_)
            | Body::PositionChanged(_)
            | Body::Realised(_)
            | Body::CancelAll(_)
            | Body::OrderAsked(_)
            | Body::OrderIntent(_)
            | Body::CancelIntent(_)
            | Body::OrderSent(_)
            | Body::StopIntent(_)
            | Body::StopSent(_)
            | Body::CancelSent(_) => {}
        }
    }
}

impl<G: Given> Image for Risk<G> {
    fn save(&self, out: &mut ImageWriter) {
        out.put(IMAGE_VERSION);
        out.put(self.program);
        out.put(self.now);
        out.put(self.closing);
        out.put(self.unbooked);
        out.put(self.doubtful);
        out.put(self.liquidated);
        out.put(self.liquidating);
        out.put_option(self.strategy_due);
        for market in &self.markets {
            market.save(out);
        }
        self.portfolio.save(out);
        self.outside.levels.save(out);
        self.allowing.save(out);
        self.latches.save(out);
        self.memories.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(IMAGE_VERSION)?;
        // Terms and their signal are of one step of the strategies: no image is taken between.
        self.terms = None;
        if from.take::<u64>()? != self.program {
            return Err(ImageError::Range);
        }
        self.now = from.take()?;
        self.closing = from.take()?;
        self.unbooked = from.take()?;
        self.doubtful = from.take()?;
        self.liquidated = from.take()?;
        self.liquidating = from.take()?;
        self.strategy_due = from.take_option()?;
        for market in &mut self.markets {
            market.load(from)?;
        }
        self.portfolio.load(from)?;
        self.outside.levels.load(from)?;
        self.allowing.load(from)?;
        self.latches.load(from)?;
        self.memories.load(from)
    }
}

#[cfg(test)]
mod tests;
