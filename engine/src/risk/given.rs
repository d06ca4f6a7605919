//! Facts that a test of a rules file states in place of what the session knows.
//!
//! The judge of `engine rules test` is the one of a session; only where its facts come from can
//! differ. A session states nothing, and pays nothing for the question.

use dsl::evaluate::Input;
use dsl::value::Value;
use model::id::InstrumentId;

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
