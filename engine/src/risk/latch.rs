//! Latches: edges, waits and ends (accounts.md 13).
//!
//! A latch arms on the edge from false to true; `na` in between keeps the last known value, and the
//! first known value counts as coming from false. During its `held` time a true condition already
//! acts on orders; only the latch and its actions wait. Once it has ended, a condition that is
//! still true does nothing: a new edge must come. A latch of a block that reads nothing of an
//! instrument, and no parameter that differs by symbol, exists once, else once an
//! instrument; it binds the instruments and strategies of its block, and its actions concern
//! theirs.

use dsl::evaluate::{Registers, RiskCode};
use dsl::typed::{Effect, LatchEnd};
use dsl::value::Truth;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Alert, CancelAll, Event, LatchChanged, Wake};
use model::id::{ALL_STRATEGIES, InstrumentId, NO_INSTRUMENT, StrategyId};
use model::order::{AlertReason, Cause, LatchState};
use model::reject::Code;
use model::time::Nanos;

use super::facts::{RiskFacts, is_of_instrument, is_of_market};
use super::given::{Given, Outside};
use super::memory::Memories;
use crate::alarm::Alarm;
use crate::portfolio::{Portfolio, View, at, instrument_id};
use crate::program::BoundRisk;
use crate::stage::Out;

pub(super) type Blocks = [Vec<(BoundRisk, Registers)>];

/// All latches of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latches {
    pub(super) slots: Vec<Slot>,
    /// By instrument: a latch reads its market, which moves without a fill and without a position.
    watched: Vec<bool>,
    /// For the end of waits and of latches that last for a time.
    alarm: Alarm,
    /// Those that ended at this event, until their states are reset. Room is taken once.
    pub(super) ended: Vec<usize>,
    /// Number of the week of the last day that began.
    pub(super) week: Option<i32>,
}

/// What latches are judged by.
#[derive(Debug)]
pub(super) struct World<'a, G> {
    pub(super) portfolio: &'a Portfolio,
    pub(super) view: View<'a>,
    pub(super) memories: &'a Memories,
    pub(super) outside: &'a Outside<G>,
}

/// One latch, where it is bound, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its rule.
    pub(super) code: Code,
    /// Index of its block, by name: precedence of codes.
    pub(super) block: usize,
    /// What it does.
    pub(super) effect: Effect,
    /// The instrument it is about; none when it exists once.
    pub(super) instrument: Option<InstrumentId>,
    /// The instruments whose orders it binds.
    binds: Vec<InstrumentId>,
    /// Those are all that are traded.
    everywhere: bool,
    /// The strategies whose orders it binds; none: all.
    strategies: Option<Vec<StrategyId>>,
    /// Where its code is: instrument, block of that instrument, latch of that block.
    pub(super) place: (usize, usize, usize),
    pub(super) end: LatchEnd,
    held_ns: i64,
    cancel_orders: bool,
    flatten: bool,
    /// Its end resets states.
    resets: bool,
    /// It reads the level of the kill switch and nothing else that changes.
    level_only: bool,
    /// Last known value of the condition.
    pub(super) last: bool,
    pub(super) phase: Phase,
    /// The limit that a person has put in place of the compared one.
    pub(super) allowed: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// Since when the condition has been true.
    Waiting(Nanos),
    /// When it armed.
    Armed(Nanos),
}

/// A change of a latch, to be told in records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition<'a> {
    pub(super) slot: &'a Slot,
    /// What its condition observed, and the limit.
    pub(super) values: Option<(i64, i64)>,
    pub(super) cause: Cause,
}

impl Transition<'_> {
    /// Tells whether the latch is armed now.
    pub(super) fn arms(&self) -> bool {
        self.slot.state() == LatchState::Armed
    }

    /// Tells whether orders are refused by it from here on.
    pub(super) fn binds(&self) -> bool {
        self.arms() && self.slot.effect != Effect::Warn
    }

    /// Tells whether it raises the kill switch to flatten.
    pub(super) fn flattens(&self) -> bool {
        self.arms() && self.slot.flatten
    }

    /// Writes the record of this change and starts its actions.
    pub(super) fn tell(self, event: &Event, out: &mut Out) {
        let slot = self.slot;
        let (observed, limit) = self.values.unwrap_or((0, 0));
        let until = slot.due().unwrap_or_default();
        let instrument = slot.instrument.unwrap_or(NO_INSTRUMENT);
        let (code, cause) = (slot.code, self.cause);
        let alert = |reason| {
            let alert = Alert { observed, limit, code, cause, reason };
            Event::new(event.seq, event.ts, instrument, &alert)
        };
        if slot.effect == Effect::Warn {
            if self.arms() {
                out.push(alert(AlertReason::Warn));
            }
            return;
        }
        let record = LatchChanged { observed, limit, until, code, state: slot.state() };
        out.push(Event::new(event.seq, event.ts, instrument, &record));
        if slot.flatten && self.arms() {
            out.push(alert(AlertReason::Flatten));
        }
        if slot.cancel_orders && self.arms() {
            slot.cancel(event, out);
        }
    }
}

/// What a latch says about one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Clear,
    /// It is armed, or its condition is true.
    Acts,
    /// Its condition is unknown.
    Unknown(Cause),
}

impl Latches {
    /// Lists the latches of all bound blocks.
    pub(super) fn new(blocks: &Blocks) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        let mut watched = vec![false; blocks.len()];
        for (index, bound) in blocks.iter().enumerate() {
            let id = instrument_id(index);
            for (nth, (block, _)) in bound.iter().enumerate() {
                let reads = block.code.reads();
                let local = reads.iter().any(|read| is_of_instrument(read.field))
                    || block.code.latches_recall_local()
                    || block.code.latches_vary();
                if let Some(watched) = watched.get_mut(index) {
                    *watched |= reads.iter().any(|read| is_of_market(read.field))
                        || block.code.latches_read_depth();
                }
                for (latch, code) in block.code.latches().iter().enumerate() {
                    let offset = u16::try_from(latch).unwrap_or(u16::MAX);
                    let rule = Code::rule(block.rule_base.saturating_add(offset));
                    let known = slots.iter_mut().find(|slot| !local && slot.code == rule);
                    if let Some(known) = known {
                        known.binds.push(id);
                        continue;
                    }
                    slots.push(Slot {
                        code: rule,
                        block: block.block,
                        effect: code.effect,
                        instrument: local.then_some(id),
                        binds: vec![id],
                        everywhere: false,
                        strategies: block.strategies.clone(),
                        place: (index, nth, latch),
                        end: code.end,
                        held_ns: code.held_ns,
                        cancel_orders: code.cancel_orders,
                        flatten: code.flatten,
                        resets: block.code.hears_end_of(offset),
                        level_only: code.level_only,
                        last: false,
                        phase: Phase::Idle,
                        allowed: None,
                    });
                }
            }
        }
        let traded = blocks.iter().filter(|bound| !bound.is_empty()).count();
        for slot in &mut slots {
            slot.everywhere = slot.binds.len() == traded;
        }
        let ended = Vec::with_capacity(slots.len());
        Self { slots, watched, alarm: Alarm::default(), ended, week: None }
    }

    /// Tells whether a latch reads the market of an instrument.
    #[inline]
    pub(super) fn watch(&self, instrument: InstrumentId) -> bool {
        at(&self.watched, instrument).is_some_and(|watched| *watched)
    }

    /// Returns the most events that one step can put out about latches.
    pub(super) fn events_max(&self) -> usize {
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(slot.events_max()))
    }

    /// Returns the latches.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Evaluates conditions at this moment and moves the latches: all, or those alone that an
    /// event of `only` this instrument's market can change.
    pub(super) fn evaluate<G: Given>(
        &mut self,
        blocks: &mut Blocks,
        world: &World<'_, G>,
        only: Option<InstrumentId>,
        tell: &mut dyn FnMut(Transition<'_>),
    ) {
        let World { portfolio, view, memories, outside } = world;
        let mut ran = None;
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if only.is_some() && slot.instrument.is_some() && slot.instrument != only {
                continue;
            }
            let (index, nth, latch) = slot.place;
            let Some((block, registers)) = blocks.get_mut(index).and_then(|b| b.get_mut(nth))
            else {
                continue;
            };
            if ran != Some((index, nth)) {
                let id = instrument_id(index);
                let (Some(instrument), Some(market)) =
                    (at(view.instruments, id), at(view.markets, id))
                else {
                    continue;
                };
                let facts = RiskFacts {
                    portfolio,
                    view: *view,
                    id,
                    instrument,
                    market,
                    strategy: block.strategy(),
                    order: None,
                    memory: memories.of(block.block),
                    moment: None,
                    outside,
                };
                block.code.run_latches(&facts, registers);
                ran = Some((index, nth));
            }
            let truth = slot.truth(&block.code, registers);
            let allowed = slot.allowed;
            let values = || {
                let (observed, limit) = block.code.latch_values(latch, registers)?;
                Some((observed, allowed.unwrap_or(limit)))
            };
            let (warns, ended) = (slot.effect == Effect::Warn, &mut self.ended);
            let (truth, cause) = match truth {
                // What is not known is worth a warning.
                Truth::Unknown(cause) if warns => (Truth::True, cause),
                Truth::Unknown(cause) => (truth, cause),
                Truth::True | Truth::False => (truth, Cause::Known),
            };
            slot.advance(truth, view.now, &mut |slot: &Slot| {
                tell(Transition { slot, values: values(), cause });
                if slot.phase == Phase::Idle && !warns && ended.len() < ended.capacity() {
                    ended.push(number);
                }
            });
        }
    }

    /// Ends the latches that last until the end of the day.
    pub(super) fn end_of_day(&mut self, tell: &mut dyn FnMut(Transition<'_>)) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.end == LatchEnd::DayEnd && matches!(slot.phase, Phase::Armed(_)) {
                slot.phase = Phase::Idle;
                tell(Transition { slot, values: None, cause: Cause::Known });
                if self.ended.len() < self.ended.capacity() {
                    self.ended.push(number);
                }
            }
        }
    }

    /// Ends the latches that were about the level alone, and whose condition is over: a person has
    /// lowered it, and has said why.
    pub(super) fn end_of_level(&mut self, tell: &mut dyn FnMut(Transition<'_>)) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.level_only && !slot.last && matches!(slot.phase, Phase::Armed(_)) {
                slot.phase = Phase::Idle;
                tell(Transition { slot, values: None, cause: Cause::Known });
                if self.ended.len() < self.ended.capacity() {
                    self.ended.push(number);
                }
            }
        }
    }

    /// Returns the next latch that has ended at this event: its rule, and its instrument.
    pub(super) fn next_ended(&mut self) -> Option<(usize, Code, Option<InstrumentId>)> {
        let number = self.ended.pop()?;
        self.slots.get(number).map(|slot| (number, slot.code, slot.instrument))
    }

    /// What a latch reads was reset by its end: a condition that is true now is a new edge.
    pub(super) fn renew(&mut self, number: usize) {
        if let Some(slot) = self.slots.get_mut(number) {
            slot.last = false;
        }
    }

    /// Notes that a timer came.
    pub(super) fn timer(&mut self, now: Nanos) {
        self.alarm.came(now);
    }

    /// Asks for a timer at the first moment at which a wait or a latch ends by time.
    pub(super) fn set_alarm(&mut self, event: &Event, other: Option<Nanos>, out: &mut Out) {
        let due = self.slots.iter().filter_map(Slot::due).chain(other).min();
        if let Some(due) = self.alarm.set(due) {
            out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &Wake { due }));
        }
    }

    /// Returns what latch number `nth` says about an order of `instrument` right now.
    pub(super) fn standing(
        &self,
        nth: usize,
        instrument: InstrumentId,
        blocks: &Blocks,
    ) -> Standing {
        let Some(slot) = self.slots.get(nth) else { return Standing::Clear };
        if slot.binds.binary_search(&instrument).is_err() {
            return Standing::Clear;
        }
        let (index, block, _) = slot.place;
        let Some((bound, registers)) = blocks.get(index).and_then(|b| b.get(block)) else {
            return Standing::Clear;
        };
        match (slot.phase, slot.truth(&bound.code, registers)) {
            (Phase::Armed(_) | Phase::Waiting(_), _) => Standing::Acts,
            (Phase::Idle, Truth::Unknown(cause)) => Standing::Unknown(cause),
            // The latches are evaluated before every order, so a condition that is true here has
            // outlived its latch.
            (Phase::Idle, Truth::True | Truth::False) => Standing::Clear,
        }
    }

    /// Returns the latches that are armed, each with its instrument.
    pub(super) fn armed(&self) -> impl Iterator<Item = (Code, InstrumentId)> + '_ {
        let armed = self.slots.iter().filter(|slot| matches!(slot.phase, Phase::Armed(_)));
        armed.map(|slot| (slot.code, slot.instrument.unwrap_or(NO_INSTRUMENT)))
    }

    /// Returns what all armed latches together allow.
    pub(super) fn standing_of_all(&self) -> super::Standing {
        let armed = self.slots.iter().filter(|slot| matches!(slot.phase, Phase::Armed(_)));
        match armed.map(|slot| slot.effect).min() {
            Some(Effect::Halt) => super::Standing::Halted,
            Some(Effect::ReduceOnly) => super::Standing::ReduceOnly,
            Some(Effect::Warn) | None => super::Standing::Running,
        }
    }

    /// Returns the last evaluated sides of a latch's comparison.
    pub(super) fn values(&self, nth: usize, blocks: &Blocks) -> Option<(i64, i64)> {
        let slot = self.slots.get(nth)?;
        let (index, block, latch) = slot.place;
        let (bound, registers) = blocks.get(index)?.get(block)?;
        let (observed, limit) = bound.code.latch_values(latch, registers)?;
        Some((observed, slot.allowed.unwrap_or(limit)))
    }
}

impl Slot {
    /// Returns its condition, at the limit in force.
    fn truth(&self, code: &RiskCode, registers: &Registers) -> Truth {
        let (_, _, latch) = self.place;
        match self.allowed {
            None => code.latch(latch, registers),
            Some(limit) => code.latch_against(latch, registers, limit),
        }
    }

    /// Tells whether it applies to the orders of a strategy.
    pub(super) fn applies_to(&self, strategy: StrategyId) -> bool {
        self.strategies.as_ref().is_none_or(|ids| ids.contains(&strategy))
    }

    /// Returns the most events of one step: the end of a day, an end by time and an edge, and the
    /// cancels of that; a second edge where its end resets what it reads.
    fn events_max(&self) -> usize {
        let strategies = self.strategies.as_ref().map_or(1, Vec::len);
        let instruments = if self.everywhere { 1 } else { self.binds.len() };
        let cancels = if self.cancel_orders { strategies.saturating_mul(instruments) } else { 0 };
        let armings = if self.resets { 2 } else { 1 };
        let told = cancels.saturating_add(usize::from(self.flatten)).saturating_mul(armings);
        told.saturating_add(armings).saturating_add(2)
    }

    /// Returns when its wait, or the latch itself, ends by time.
    fn due(&self) -> Option<Nanos> {
        match (self.phase, self.end) {
            (Phase::Waiting(since), _) => Some(since.plus(self.held_ns)),
            (Phase::Armed(since), LatchEnd::For(length)) => Some(since.plus(length)),
            (Phase::Armed(_) | Phase::Idle, _) => None,
        }
    }

    fn state(&self) -> LatchState {
        match self.phase {
            Phase::Idle => LatchState::Ended,
            Phase::Waiting(_) => LatchState::Waiting,
            Phase::Armed(_) => LatchState::Armed,
        }
    }

    /// Asks execution to cancel the open orders that it binds.
    fn cancel(&self, event: &Event, out: &mut Out) {
        let strategies = self.strategies.as_deref().unwrap_or(&[ALL_STRATEGIES]);
        let instruments = if self.everywhere { &[NO_INSTRUMENT] } else { self.binds.as_slice() };
        for strategy in strategies {
            let all = CancelAll { code: self.code, strategy: *strategy };
            for instrument in instruments {
                out.push(Event::new(event.seq, event.ts, *instrument, &all));
            }
        }
    }

    /// Moves it by its condition; `tell` hears of each change.
    fn advance(&mut self, truth: Truth, now: Nanos, tell: &mut dyn FnMut(&Self)) {
        if let (Phase::Armed(since), LatchEnd::For(length)) = (self.phase, self.end)
            && now.since(since) >= length
        {
            self.enter(Phase::Idle, tell);
        }
        match truth {
            Truth::True => {
                let edge = !self.last;
                self.last = true;
                match self.phase {
                    Phase::Idle if edge && self.held_ns > 0 => {
                        self.enter(Phase::Waiting(now), tell);
                    }
                    Phase::Idle if edge => self.enter(Phase::Armed(now), tell),
                    Phase::Waiting(since) if now.since(since) >= self.held_ns => {
                        self.enter(Phase::Armed(now), tell);
                    }
                    Phase::Idle | Phase::Waiting(_) | Phase::Armed(_) => {}
                }
            }
            Truth::False => {
                self.last = false;
                match (self.phase, self.end) {
                    (Phase::Waiting(_), _) | (Phase::Armed(_), LatchEnd::Clear) => {
                        self.enter(Phase::Idle, tell);
                    }
                    _ => {}
                }
            }
            Truth::Unknown(_) => {}
        }
    }

    fn enter(&mut self, phase: Phase, tell: &mut dyn FnMut(&Self)) {
        self.phase = phase;
        tell(self);
    }
}

impl Image for Latches {
    fn save(&self, out: &mut ImageWriter) {
        self.alarm.save(out);
        out.put_option(self.week);
        out.put_len(self.slots.len());
        for slot in &self.slots {
            let since = match slot.phase {
                Phase::Idle => Nanos(0),
                Phase::Waiting(since) | Phase::Armed(since) => since,
            };
            out.put(slot.code);
            out.put(slot.last);
            out.put(slot.state());
            out.put(since);
            out.put_option(slot.allowed);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.alarm.load(from)?;
        self.week = from.take_option()?;
        if from.take_len(self.slots.len())? != self.slots.len() {
            return Err(ImageError::Range);
        }
        for slot in &mut self.slots {
            if from.take::<Code>()? != slot.code {
                return Err(ImageError::Range);
            }
            slot.last = from.take()?;
            let state: LatchState = from.take()?;
            let since = from.take()?;
            slot.allowed = from.take_option()?;
            slot.phase = match state {
                LatchState::Ended => Phase::Idle,
                LatchState::Waiting => Phase::Waiting(since),
                LatchState::Armed => Phase::Armed(since),
            };
        }
        Ok(())
    }
}
