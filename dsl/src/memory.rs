//! What a block remembers between events: states and windows, all memory made at bind.
//!
//! A state is one value. A window over a time is a ring of 65 buckets, each a 64th of its length:
//! it reaches back at least its length and at most a 64th more, so a count is never too small. A
//! window over the last n is a ring of n. What belongs to one instrument (prices, quantities) is
//! held once for each. All updates of one event read old values: they are staged, then committed
//! together. Owned by the stage that runs the block.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{InstrumentId, StrategyId};
use model::num::{Price, Qty};
use model::order::{Cause, Side};
use model::time::Nanos;

use crate::typed::Reset;
use crate::value::Value;

mod window;

pub use window::Counter;
use window::Ring;

/// Version of the state image.
const VERSION: u32 = 1;

/// A state as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateSpec {
    pub(crate) initial: Value,
    pub(crate) reset: Reset,
    /// Held once for each instrument.
    pub(crate) local: bool,
}

/// How far back a window reaches, as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nanoseconds.
    Time(i64),
    /// Elements.
    Last(u32),
    /// Nanoseconds, of orders that equal the one at hand.
    Same(i64),
}

/// A window as bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowSpec {
    pub(crate) reach: Reach,
    /// Held once for each instrument.
    pub(crate) local: bool,
}

/// What a block has to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemorySpec {
    pub(crate) states: Vec<StateSpec>,
    pub(crate) windows: Vec<WindowSpec>,
}

/// What makes two orders the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderKey {
    /// Instrument.
    pub instrument: InstrumentId,
    /// Strategy.
    pub strategy: StrategyId,
    /// Side.
    pub side: Side,
    /// Limit or bound.
    pub price: Price,
    /// Final quantity.
    pub qty: Qty,
}

/// The memory of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    states: Vec<Cells>,
    windows: Vec<Vec<Ring>>,
    /// New values of states, until all of one event are known. Room is taken once.
    staged: Vec<(u16, Value)>,
}

/// A state: one value, or one for each instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cells {
    spec: StateSpec,
    values: Vec<Value>,
}

impl MemorySpec {
    /// Tells whether a state or a window belongs to one instrument.
    pub(crate) fn is_local(&self, what: crate::evaluate::Recall) -> bool {
        match what {
            crate::evaluate::Recall::State(index) => {
                self.states.get(usize::from(index)).is_some_and(|state| state.local)
            }
            crate::evaluate::Recall::Window(index) => {
                self.windows.get(usize::from(index)).is_some_and(|window| window.local)
            }
            crate::evaluate::Recall::Depth(_) => true,
        }
    }

    /// Tells whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.windows.is_empty()
    }

    /// Returns the bytes that one memory holds for so many instruments.
    pub(crate) fn bytes(&self, places: usize) -> usize {
        let times = |local: bool| if local { places } else { 1 };
        let states = self.states.iter().map(|state| times(state.local).saturating_mul(16));
        let windows = self
            .windows
            .iter()
            .map(|window| times(window.local).saturating_mul(Ring::bytes(window.reach)));
        states.chain(windows).fold(0, usize::saturating_add)
    }
}

impl Memory {
    /// Returns a memory of nothing, for a session of so many instruments.
    #[must_use]
    pub fn new(spec: &MemorySpec, places: usize) -> Self {
        let times = |local: bool| if local { places } else { 1 };
        Self {
            states: spec
                .states
                .iter()
                .map(|state| Cells {
                    spec: *state,
                    values: vec![state.initial; times(state.local)],
                })
                .collect(),
            windows: spec
                .windows
                .iter()
                .map(|window| vec![Ring::new(window.reach); times(window.local)])
                .collect(),
            staged: Vec::with_capacity(spec.states.len()),
        }
    }

    /// Returns a state, as an instrument's code reads it.
    #[inline]
    #[must_use]
    pub fn state(&self, index: u16, place: usize) -> Value {
        let cells = self.states.get(usize::from(index));
        cells.and_then(|cells| cells.value(place)).unwrap_or(Value::MISSING)
    }

    /// Returns what a window holds at a moment; `order` is the one at hand.
    #[must_use]
    pub fn window(&self, index: u16, place: usize, now: Nanos, order: Option<&OrderKey>) -> Value {
        let Some(rings) = self.windows.get(usize::from(index)) else { return Value::MISSING };
        match rings.get(if rings.len() == 1 { 0 } else { place }) {
            Some(ring) => ring.read(now, order),
            None => Value::MISSING,
        }
    }

    /// Adds an element to a window.
    pub(crate) fn add(
        &mut self,
        index: u16,
        place: usize,
        now: Nanos,
        value: Value,
        order: Option<&OrderKey>,
    ) {
        let Some(rings) = self.windows.get_mut(usize::from(index)) else { return };
        let at = if rings.len() == 1 { 0 } else { place };
        if let Some(ring) = rings.get_mut(at) {
            ring.add(now, value, order);
        }
    }

    /// Tells whether a state is held once for each instrument.
    pub(crate) fn is_local(&self, state: u16) -> bool {
        self.states.get(usize::from(state)).is_some_and(|cells| cells.spec.local)
    }

    /// Keeps a new value until all of this event are known.
    pub(crate) fn stage(&mut self, state: u16, value: Value) {
        // At most one update of a state happens on an event, so there is room.
        if self.staged.len() < self.staged.capacity() {
            self.staged.push((state, value));
        }
    }

    /// Makes the new values of an event the values.
    pub(crate) fn commit(&mut self, place: usize) {
        for (state, value) in self.staged.drain(..) {
            if let Some(cell) =
                self.states.get_mut(usize::from(state)).and_then(|cells| cells.cell(place))
            {
                *cell = value;
            }
        }
    }

    /// A trading day begins; `week` when a week does too. Returns whether any state fell back.
    pub fn roll(&mut self, week: bool) -> bool {
        let mut fell = false;
        for cells in &mut self.states {
            let resets = match cells.spec.reset {
                Reset::Never => false,
                Reset::Daily => true,
                Reset::Weekly => week,
            };
            if resets {
                cells.values.fill(cells.spec.initial);
                fell = true;
            }
        }
        fell
    }
}

impl Cells {
    fn value(&self, place: usize) -> Option<Value> {
        self.values.get(if self.spec.local { place } else { 0 }).copied()
    }

    fn cell(&mut self, place: usize) -> Option<&mut Value> {
        self.values.get_mut(if self.spec.local { place } else { 0 })
    }
}

fn save_value(value: Value, out: &mut ImageWriter) {
    out.put(value.cause());
    out.put(value.number().unwrap_or(0));
}

fn load_value(from: &mut ImageReader<'_>) -> Result<Value, ImageError> {
    let cause: Cause = from.take()?;
    let number: i128 = from.take()?;
    Ok(if cause == Cause::Known { Value::known(number) } else { Value::na(cause) })
}

impl Image for Memory {
    fn save(&self, out: &mut ImageWriter) {
        out.put(VERSION);
        out.put_len(self.states.len());
        for cells in &self.states {
            out.put_len(cells.values.len());
            for value in &cells.values {
                save_value(*value, out);
            }
        }
        out.put_len(self.windows.len());
        for rings in &self.windows {
            out.put_len(rings.len());
            for ring in rings {
                ring.save(out);
            }
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(VERSION)?;
        self.staged.clear();
        expect_len(from, self.states.len())?;
        for cells in &mut self.states {
            expect_len(from, cells.values.len())?;
            for value in &mut cells.values {
                *value = load_value(from)?;
            }
        }
        expect_len(from, self.windows.len())?;
        for rings in &mut self.windows {
            expect_len(from, rings.len())?;
            for ring in rings {
                ring.load(from)?;
            }
        }
        Ok(())
    }
}

/// Reads a length that must be this one: memory is made at bind.
fn expect_len(from: &mut ImageReader<'_>, wanted: usize) -> Result<(), ImageError> {
    if from.take_len(wanted)? == wanted { Ok(()) } else { Err(ImageError::Range) }
}

#[cfg(test)]
mod tests;
