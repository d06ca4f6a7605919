//! Facts that a test of a rules file states in place of what the session knows.
//!
//! The judge of `engine rules test` is the one of a session; only where its facts come from can
//! differ. A session states nothing, and pays nothing for the question.

use dsl::evaluate::{Input, Part};
use dsl::schema::Field;
use dsl::value::Value;
use model::id::InstrumentId;

use crate::levels::{HALT, Levels};

/// Where facts come from before the session is asked.
pub trait Given: Clone + std::fmt::Debug {
    /// Whether anything is ever stated.
    const STATES: bool;

    /// Returns a stated fact, perhaps a stated `na`; none when nothing is stated.
    fn read(&self, input: &Input, instrument: InstrumentId) -> Option<Value>;
}

/// Nothing is stated: every fact is the session's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nothing;

impl Given for Nothing {
    const STATES: bool = false;

    #[inline(always)]
    fn read(&self, _: &Input, _: InstrumentId) -> Option<Value> {
        None
    }
}

/// What rules read that is neither of the market nor of the portfolio: facts that a test states,
/// and the level of the kill switch.
#[derive(Clone, Debug)]
pub(super) struct Outside<G> {
    pub(super) given: G,
    pub(super) levels: Levels,
}

impl<G> Outside<G> {
    /// Returns what a session begins with.
    pub(super) fn of(given: G, levels: Levels) -> Self {
        Self { given, levels }
    }
}

impl<G: Given> Outside<G> {
    /// Returns the level of the kill switch: what a test states, else what is in force. One that is
    /// stated as unknown refuses like a halt.
    pub(super) fn level(&self, id: InstrumentId) -> u8 {
        let input = Input { field: Field::ControlLevel, part: Part::Whole, asset: None };
        let Some(stated) = self.given.read(&input, id) else { return self.levels.level() };
        stated.number().and_then(|level| u8::try_from(level).ok()).unwrap_or(HALT)
    }
}
