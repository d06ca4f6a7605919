//! Latches that a person clears (accounts.md 13).
//!
//! Clearing ends the latch and no more: its measure goes on from where it was. So one whose
//! condition is true is cleared with an allowance only, a limit in place of the compared one, above
//! what is observed now. It is in force for the rest of the period of the measure, the day or the
//! week, or until it is changed. A name may be that of several latches, one an instrument or a
//! block: all that are armed are cleared, or none. An allowance for a latch of a hard block takes
//! two people.

use dsl::evaluate::Period;
use dsl::typed::Effect;
use dsl::value::Truth;
use model::event::{ClearStep, Event, LatchCleared};
use model::id::NO_INSTRUMENT;
use model::order::{Cause, ClearResult};
use model::time::{Date, Nanos};

use super::Risk;
use super::given::Given;
use super::happen;
use super::latch::{Blocks, Latches, Phase, Slot, Transition};
use crate::setup::DaySetup;
use crate::stage::Out;

/// Returns what stands for the code of a latch in a command: rules may have other numbers by then.
#[must_use]
pub fn name_of(code: &str) -> u64 {
    let hash = blake3::hash(code.as_bytes());
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

impl<G: Given> Risk<G> {
    /// Clears the latches of a name, or says why not.
    pub(super) fn clear(&mut self, event: &Event, cleared: &LatchCleared, out: &mut Out) {
        self.changed(event, out);
        let (mut step, hard) =
            self.latches.may_clear(&self.blocks, cleared, (&self.days, self.now));
        if step.result == ClearResult::Cleared && cleared.allows && hard {
            // Its unit is the latch's, or it could not be allowed.
            let act = (i128::from(cleared.name) << 64) | i128::from(cleared.allow);
            if !self.allowing.agree(act, cleared.by, self.now) {
                step.result = ClearResult::Asked;
            }
        }
        if step.result == ClearResult::Cleared {
            let Self { latches, blocks, .. } = self;
            latches.clear(blocks, cleared, &mut |transition| transition.tell(event, out));
        }
        if step.result == ClearResult::NotArmed && self.release(event, cleared, &mut step, out) {
            step.result = ClearResult::Cleared;
        }
        self.reset_by_ends(event, out);
        Self::emit(event, NO_INSTRUMENT, &step, out);
        self.latches(event, None, out);
        self.set_alarm(event, out);
    }

    /// Ends the latches of throttles of a name. They count on, and nothing can be allowed.
    fn release(
        &mut self,
        event: &Event,
        cleared: &LatchCleared,
        step: &mut ClearStep,
        out: &mut Out,
    ) -> bool {
        let mut any = false;
        let Self { blocks, memories, .. } = self;
        for (block, _) in blocks.iter().flatten() {
            for (index, throttle) in block.code.throttles().iter().enumerate() {
                if cleared.allows || name_of(&throttle.code) != cleared.name {
                    continue;
                }
                if let Some(reached) = memories.release(block.block, index) {
                    step.code = reached.code;
                    happen::tell(event, reached, out);
                    any = true;
                }
            }
        }
        any
    }
}

impl Latches {
    /// Returns what clearing the latches of a name would come to, and whether one of them is of a
    /// hard block.
    fn may_clear(
        &self,
        blocks: &Blocks,
        cleared: &LatchCleared,
        (days, now): (&DaySetup, Nanos),
    ) -> (ClearStep, bool) {
        let mut step = ClearStep { result: ClearResult::NotArmed, ..ClearStep::default() };
        let mut hard = false;
        if cleared.by == 0 || cleared.text == 0 {
            step.result = ClearResult::Unsigned;
            return (step, hard);
        }
        for slot in self.slots.iter().filter(|slot| slot.is_named(blocks, cleared.name)) {
            step.code = slot.code;
            if !matches!(slot.phase, Phase::Armed(_)) {
                continue;
            }
            let (index, nth, latch) = slot.place;
            let Some((block, registers)) = blocks.get(index).and_then(|b| b.get(nth)) else {
                continue;
            };
            hard |= block.hard;
            let (observed, limit) = block.code.latch_values(latch, registers).unwrap_or_default();
            let limit = slot.allowed.unwrap_or(limit);
            (step.observed, step.limit, step.allowed) = (observed, limit, limit);
            step.result = ClearResult::Cleared;
            if !cleared.allows {
                if slot.last {
                    step.result = ClearResult::StillTrue;
                    return (step, hard);
                }
                continue;
            }
            let allows = block.code.latches().get(latch).and_then(|code| code.allows);
            let Some(allows) = allows.filter(|allows| allows.money == cleared.money) else {
                step.result = ClearResult::NoLimit;
                return (step, hard);
            };
            // What is not known is not above anything.
            if block.code.latch_against(latch, registers, cleared.allow) != Truth::False {
                step.result = ClearResult::StillTrue;
                return (step, hard);
            }
            (step.allowed, step.until) = (cleared.allow, end_of(allows.period, days, now));
        }
        (step, hard)
    }

    /// Clears the latches of a name that are armed.
    fn clear(
        &mut self,
        blocks: &Blocks,
        cleared: &LatchCleared,
        tell: &mut dyn FnMut(Transition<'_>),
    ) {
        let Self { slots, ended, .. } = self;
        for (number, slot) in slots.iter_mut().enumerate() {
            if !matches!(slot.phase, Phase::Armed(_)) || !slot.is_named(blocks, cleared.name) {
                continue;
            }
            slot.phase = Phase::Idle;
            let (index, nth, latch) = slot.place;
            let place = blocks.get(index).and_then(|b| b.get(nth));
            let mut values = place.and_then(|(b, registers)| b.code.latch_values(latch, registers));
            if cleared.allows {
                slot.allowed = Some(cleared.allow);
                slot.last = false;
                values = values.map(|(observed, _)| (observed, cleared.allow));
            }
            tell(Transition { slot, values, cause: Cause::Known });
            if ended.len() < ended.capacity() {
                ended.push(number);
            }
        }
    }

    /// A day begins: what was allowed for the one before, or for its week, is so no more.
    pub(super) fn end_allowances(&mut self, blocks: &Blocks, date: Date) {
        let week = date.week();
        let turns = self.week.is_some_and(|last| last != week);
        self.week = Some(week);
        for slot in &mut self.slots {
            let (index, nth, latch) = slot.place;
            let block = blocks.get(index).and_then(|b| b.get(nth));
            let code = block.and_then(|(block, _)| block.code.latches().get(latch));
            match code.and_then(|code| code.allows).map(|allows| allows.period) {
                Some(Period::Day) => slot.allowed = None,
                Some(Period::Week) if turns => slot.allowed = None,
                Some(Period::Week | Period::Always) | None => {}
            }
        }
    }
}

impl Slot {
    fn is_named(&self, blocks: &Blocks, name: u64) -> bool {
        let (index, nth, latch) = self.place;
        let block = blocks.get(index).and_then(|b| b.get(nth));
        let code = block.and_then(|(block, _)| block.code.latches().get(latch));
        self.effect != Effect::Warn && code.is_some_and(|code| name_of(&code.code) == name)
    }
}

/// Returns when the period of a measure ends: with the trading day, or before the next Monday's. 0
/// when it never does.
fn end_of(period: Period, days: &DaySetup, now: Nanos) -> Nanos {
    let today = days.date(now);
    let day = |ahead: i32| Date(today.0.saturating_add(ahead));
    match period {
        Period::Day => days.start(day(1)),
        Period::Week => {
            let monday = (1..=7).map(day).find(|date| date.week() != today.week());
            days.start(monday.unwrap_or(day(7)))
        }
        Period::Always => Nanos(0),
    }
}
