//! What a stage is: one input, one output, pure.
//!
//! `step` sees one event and appends what follows from it. No clock, no I/O, no allocation after
//! start, no float, no hash order: the same events in give the same bytes out, on any topology.

use model::event::Event;

use crate::limits::{BURST_RING_EVENTS, OPEN_ORDERS_MAX};

/// LIMIT: events that one step may put out: a cancel for every open order and a little more.
pub const OUT_MAX: usize = 3 * OPEN_ORDERS_MAX + 64;

// What one step puts out must find room behind the stage.
const _: () = assert!(BURST_RING_EVENTS > OUT_MAX);

/// What a step puts out. Room for [`OUT_MAX`] events is taken once.
#[derive(Clone, Debug)]
pub struct Out {
    events: Vec<Event>,
}

/// A pure stage.
pub trait Stage {
    /// Advances by one event.
    fn step(&mut self, event: &Event, out: &mut Out);
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

impl Out {
    /// Returns an empty output with its room taken.
    #[must_use]
    pub fn new() -> Self {
        Self { events: Vec::with_capacity(OUT_MAX) }
    }

    /// Appends an event.
    ///
    /// # Panics
    /// When a step puts out more than [`OUT_MAX`] events: a defect of the stage, not of its input.
    #[inline]
    pub fn push(&mut self, event: Event) {
        assert!(self.events.len() < OUT_MAX, "a step put out more than {OUT_MAX} events");
        self.events.push(event);
    }

    /// Returns the events so far.
    #[inline]
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Forgets the events.
    #[inline]
    pub fn clear(&mut self) {
        self.events.clear();
    }
}
