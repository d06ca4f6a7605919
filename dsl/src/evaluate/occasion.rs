//! What happens to a block's memory on one kind of event: elements of windows, updates of states,
//! and which events a cooldown or a throttle counts.

use model::num::Rounding;
use model::time::Nanos;

use super::readout::Readout;
use super::{Facts, Registers, Section, unless};
use crate::memory::{Memory, OrderKey};
use crate::value::{Truth, Value};

/// Where and when something happens.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Index of the instrument.
    pub place: usize,
    /// Now.
    pub now: Nanos,
    /// Also what all instruments share; false where another instrument of the event has done that.
    pub whole: bool,
    /// The order at hand, when it is approved.
    pub order: Option<&'a OrderKey>,
}

/// How a state is written: at which decimals, as a readout of the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateCode {
    pub(crate) state: u16,
    pub(crate) value: Readout,
}

/// An update as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpdateCode {
    pub(crate) set: StateCode,
    /// The rule of the block whose latch must have ended.
    pub(crate) latch: Option<u16>,
    pub(crate) when: u16,
    pub(crate) unless: u16,
}

/// An element of a window as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntakeCode {
    pub(crate) window: u16,
    /// What is added; none counts one.
    pub(crate) value: Option<Readout>,
    pub(crate) filter: Option<u16>,
}

/// Everything that happens on one kind of event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OccasionCode {
    pub(crate) section: Section,
    pub(crate) updates: Vec<UpdateCode>,
    pub(crate) intakes: Vec<IntakeCode>,
    /// Cooldowns of the block that begin on it, each with its `when`.
    pub(crate) cooldowns: Vec<(u16, u16)>,
    /// Throttles of the block that count it, each with its `when`.
    pub(crate) throttles: Vec<(u16, u16)>,
}

impl OccasionCode {
    /// Tells whether nothing happens.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.updates.is_empty()
            && self.intakes.is_empty()
            && self.cooldowns.is_empty()
            && self.throttles.is_empty()
    }

    /// Returns the rules whose latches have an update on their end.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u16> + '_ {
        self.updates.iter().filter_map(|update| update.latch)
    }

    /// Reads the event. Nothing is remembered yet.
    pub fn run<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        self.section.run(facts, registers);
    }

    /// Remembers what the run has read: elements of windows, and all updates together. `latch` is
    /// the rule whose latch has ended.
    pub fn remember(
        &self,
        registers: &Registers,
        memory: &mut Memory,
        at: Place<'_>,
        latch: Option<u16>,
    ) {
        for intake in &self.intakes {
            let truth = intake.filter.map_or(Truth::True, |filter| registers.get(filter).truth());
            let value = match (truth, intake.value) {
                (Truth::False, _) => continue,
                // What may belong to the window makes it unknown.
                (Truth::Unknown(cause), _) => Value::na(cause),
                (Truth::True, None) => Value::TRUE,
                (Truth::True, Some(readout)) => readout.read(registers, Rounding::HalfEven),
            };
            memory.add(intake.window, at.place, at.now, value, at.order);
        }
        for update in &self.updates {
            if update.latch != latch || !(at.whole || memory.is_local(update.set.state)) {
                continue;
            }
            let value = match unless(registers.get(update.when), registers.get(update.unless)) {
                Truth::False => continue,
                // Whether it changes is not known, so what it is now is not known either.
                Truth::Unknown(cause) => Value::na(cause),
                Truth::True => update.set.value.read(registers, Rounding::HalfEven),
            };
            memory.stage(update.set.state, value);
        }
        memory.commit(at.place);
    }

    /// Returns the cooldowns that this event begins, by index. An unknown `when` begins it.
    pub fn begins<'a>(&'a self, registers: &'a Registers) -> impl Iterator<Item = u16> + 'a {
        counted(&self.cooldowns, registers)
    }

    /// Returns the throttles that count this event, by index. An unknown `when` counts.
    pub fn counts<'a>(&'a self, registers: &'a Registers) -> impl Iterator<Item = u16> + 'a {
        counted(&self.throttles, registers)
    }
}

fn counted<'a>(list: &'a [(u16, u16)], registers: &'a Registers) -> impl Iterator<Item = u16> + 'a {
    let counts = |(_, when): &&(u16, u16)| !registers.get(*when).is(false);
    list.iter().filter(counts).map(|(index, _)| *index)
}
