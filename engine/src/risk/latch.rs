//! Latches: edges, waits and ends (accounts.md 13).
//!
//! A latch arms on the edge from false to true; `na` in between keeps the last known value, and the
//! first known value counts as coming from false. During its `held` time a true condition already
//! acts on orders; only the latch and its actions wait. A latch of a block that reads nothing of an
//! instrument exists once, else once an instrument.

use dsl::evaluate::Registers;
use dsl::typed::{Effect, LatchEnd};
use dsl::value::Truth;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{CancelAll, Event, LatchChanged, Wake};
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::order::LatchState;
use model::reject::Code;
use model::time::Nanos;

use super::facts::{RiskFacts, is_of_instrument};
use crate::portfolio::{Portfolio, View, at, instrument_id};
use crate::program::BoundRisk;
use crate::stage::Out;

type Blocks = [Vec<(BoundRisk, Registers)>];

/// All latches of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latches {
    slots: Vec<Slot>,
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
    /// Where its code is: instrument, block of that instrument, latch of that block.
    place: (usize, usize, usize),
    end: LatchEnd,
    held_ns: i64,
    cancel_orders: bool,
    /// Last known value of the condition.
    last: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// Since when the condition has been true.
    Waiting(Nanos),
    /// When it armed.
    Armed(Nanos),
}

/// A change of a latch, to be told in records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition {
    code: Code,
    instrument: InstrumentId,
    state: LatchState,
    until: Option<Nanos>,
    values: Option<(i64, i64)>,
    cancel_orders: bool,
}

impl Transition {
    /// Writes the records of this change, asks for the timer that it needs, and starts its actions.
    pub(super) fn tell(self, event: &Event, out: &mut Out) {
        let (observed, limit) = self.values.unwrap_or((0, 0));
        let until = self.until.unwrap_or_default();
        let record = LatchChanged { observed, limit, until, code: self.code, state: self.state };
        out.push(Event::new(event.seq, event.ts, self.instrument, &record));
        if let Some(due) = self.until {
            out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &Wake { due }));
        }
        if self.cancel_orders && self.state == LatchState::Armed {
            let cancel = CancelAll { code: self.code };
            out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &cancel));
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
    Unknown(model::order::Cause),
}

impl Latches {
    /// Lists the latches of all bound blocks.
    pub(super) fn new(blocks: &Blocks) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        for (index, bound) in blocks.iter().enumerate() {
            for (nth, (block, _)) in bound.iter().enumerate() {
                let local = block.code.reads().iter().any(|read| is_of_instrument(read.field));
                for (latch, code) in block.code.latches().iter().enumerate() {
                    let offset = u16::try_from(latch).unwrap_or(u16::MAX);
                    let rule = Code::rule(block.rule_base.saturating_add(offset));
                    if !local && slots.iter().any(|slot| slot.code == rule) {
                        continue;
                    }
                    slots.push(Slot {
                        code: rule,
                        block: block.block,
                        effect: code.effect,
                        instrument: local.then(|| instrument_id(index)),
                        place: (index, nth, latch),
                        end: code.end,
                        held_ns: code.held_ns,
                        cancel_orders: code.cancel_orders,
                        last: false,
                        phase: Phase::Idle,
                    });
                }
            }
        }
        Self { slots }
    }

    /// Returns the latches.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Evaluates every condition at this moment and moves the latches.
    pub(super) fn evaluate(
        &mut self,
        blocks: &mut Blocks,
        view: &View<'_>,
        portfolio: &Portfolio,
        tell: &mut dyn FnMut(Transition),
    ) {
        let mut ran = None;
        for slot in &mut self.slots {
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
                let facts =
                    RiskFacts { portfolio, view: *view, id, instrument, market, order: None };
                block.code.run_latches(&facts, registers);
                ran = Some((index, nth));
            }
            let truth = block.code.latch(latch, registers);
            let values = || block.code.latch_values(latch, registers);
            slot.advance(truth, view.now, &mut |mut transition: Transition| {
                transition.values = values();
                tell(transition);
            });
        }
    }

    /// Ends the latches that last until the end of the day.
    pub(super) fn end_of_day(&mut self, tell: &mut dyn FnMut(Transition)) {
        for slot in &mut self.slots {
            if slot.end == LatchEnd::DayEnd && matches!(slot.phase, Phase::Armed(_)) {
                slot.enter(Phase::Idle, None, tell);
            }
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
        if slot.instrument.is_some_and(|own| own != instrument) {
            return Standing::Clear;
        }
        let (index, block, latch) = slot.place;
        let Some((bound, registers)) = blocks.get(index).and_then(|b| b.get(block)) else {
            return Standing::Clear;
        };
        match (slot.phase, bound.code.latch(latch, registers)) {
            (Phase::Armed(_) | Phase::Waiting(_), _) | (Phase::Idle, Truth::True) => Standing::Acts,
            (Phase::Idle, Truth::Unknown(cause)) => Standing::Unknown(cause),
            (Phase::Idle, Truth::False) => Standing::Clear,
        }
    }

    /// Returns the last evaluated sides of a latch's comparison.
    pub(super) fn values(&self, nth: usize, blocks: &Blocks) -> Option<(i64, i64)> {
        let (index, block, latch) = self.slots.get(nth)?.place;
        let (bound, registers) = blocks.get(index)?.get(block)?;
        bound.code.latch_values(latch, registers)
    }

    /// Tells to which strategies latch number `nth` applies.
    pub(super) fn applies_to(
        &self,
        nth: usize,
        strategy: model::id::StrategyId,
        blocks: &Blocks,
    ) -> bool {
        let bound = self.slots.get(nth).and_then(|slot| {
            let (index, block, _) = slot.place;
            blocks.get(index)?.get(block)
        });
        bound.is_some_and(|(block, _)| {
            block.strategies.as_ref().is_none_or(|names| names.contains(&strategy))
        })
    }
}

impl Slot {
    fn advance(&mut self, truth: Truth, now: Nanos, tell: &mut dyn FnMut(Transition)) {
        if let (Phase::Armed(since), LatchEnd::For(length)) = (self.phase, self.end)
            && now.since(since) >= length
        {
            self.enter(Phase::Idle, None, tell);
        }
        match truth {
            Truth::True => {
                let edge = !self.last;
                self.last = true;
                match self.phase {
                    Phase::Idle if edge && self.held_ns > 0 => {
                        let until = now.plus(self.held_ns);
                        self.enter(Phase::Waiting(now), Some(until), tell);
                    }
                    Phase::Idle if edge => self.arm(now, tell),
                    Phase::Waiting(since) if now.since(since) >= self.held_ns => {
                        self.arm(now, tell);
                    }
                    Phase::Idle | Phase::Waiting(_) | Phase::Armed(_) => {}
                }
            }
            Truth::False => {
                self.last = false;
                match (self.phase, self.end) {
                    (Phase::Waiting(_), _) | (Phase::Armed(_), LatchEnd::Clear) => {
                        self.enter(Phase::Idle, None, tell);
                    }
                    _ => {}
                }
            }
            Truth::Unknown(_) => {}
        }
    }

    fn arm(&mut self, now: Nanos, tell: &mut dyn FnMut(Transition)) {
        let until = match self.end {
            LatchEnd::For(length) => Some(now.plus(length)),
            LatchEnd::Manual | LatchEnd::DayEnd | LatchEnd::Clear => None,
        };
        self.enter(Phase::Armed(now), until, tell);
    }

    fn enter(&mut self, phase: Phase, until: Option<Nanos>, tell: &mut dyn FnMut(Transition)) {
        self.phase = phase;
        tell(Transition {
            code: self.code,
            instrument: self.instrument.unwrap_or(NO_INSTRUMENT),
            state: match phase {
                Phase::Idle => LatchState::Ended,
                Phase::Waiting(_) => LatchState::Waiting,
                Phase::Armed(_) => LatchState::Armed,
            },
            until,
            values: None,
            cancel_orders: self.cancel_orders,
        });
    }
}

impl Image for Latches {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.slots.len());
        for slot in &self.slots {
            let (state, since) = match slot.phase {
                Phase::Idle => (LatchState::Ended, Nanos(0)),
                Phase::Waiting(since) => (LatchState::Waiting, since),
                Phase::Armed(since) => (LatchState::Armed, since),
            };
            out.put(slot.code);
            out.put(slot.last);
            out.put(state);
            out.put(since);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
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
            slot.phase = match state {
                LatchState::Ended => Phase::Idle,
                LatchState::Waiting => Phase::Waiting(since),
                LatchState::Armed => Phase::Armed(since),
            };
        }
        Ok(())
    }
}
