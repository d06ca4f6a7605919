//! Refusals explained: each with the rule that spoke, the two values that it compared, and the
//! terms that they were made of.
//!
//! A journal holds verdicts and no facts. So the strategy and risk stages are run again over its
//! inputs; before each signal is judged, what its rule reads is read. Every verdict is compared
//! with the journaled one, so an explanation is of what was decided, or there is none.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use dsl::typed::Program;
use model::event::{Body, Decision, Event, Kind, Lane, Signal};
use model::id::OrderNo;
use model::order::Verdict;
use model::reject::Code;
use model::time::Nanos;

use crate::program::{self, Rule};
use crate::recorder::Gate;
use crate::replay::{Origin, ReplayError};
use crate::risk::Risk;
use crate::session::{Session, SessionError};
use crate::stage::{Out, Stage};
use crate::strategy::Strategy;
use crate::tape::{JournaledEvents, TapeError, difference};

/// What a rule is made of.
mod asked;
/// Values as rules write them.
mod shown;

use asked::Asked;

/// A refusal, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict's record.
    pub event: Event,
    /// What it decided.
    pub decision: Decision,
    /// What was asked for.
    pub signal: Signal,
    /// The order that did not come to be.
    pub order: OrderNo,
    /// The strategy that asked.
    pub strategy: String,
    /// The rule's code, or the engine's own.
    pub code: String,
    /// The rule; none for the engine's own checks.
    pub rule: Option<Rule>,
    /// The rule's condition or bound as written; for the engine's own, what it means.
    pub condition: String,
    /// The rule's message with its values.
    pub message: Option<String>,
    /// What it was made of, in the order in which it is read.
    pub terms: Vec<Term>,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As the rule calls it.
    pub name: String,
    /// Its value at the decision, with its unit, or why it is unknown.
    pub value: String,
    /// What a name stands for; empty for what the engine knows.
    pub written: String,
}

/// Why a journal's refusals cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The journal cannot be read or does not describe a session.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A verdict that is computed again is not the journaled one.
    #[error(
        "the verdict of seq {seq} is another one when it is computed again ({field}): nothing is \
         explained from here on; see `engine replay`"
    )]
    Differs {
        /// Its seq.
        seq: u64,
        /// The first field that differs.
        field: String,
    },
}

impl From<SessionError> for ExplainError {
    fn from(error: SessionError) -> Self {
        Self::Replay(error.into())
    }
}

impl From<TapeError> for ExplainError {
    fn from(error: TapeError) -> Self {
        Self::Replay(error.into())
    }
}

/// Explains the refusals of a journal, in order, as long as `see` returns true.
///
/// # Errors
/// [`ExplainError`] when the journal cannot be read, or decided something else.
pub fn explain(
    dir: &Path,
    wanted: impl Fn(Nanos, Code) -> bool,
    mut see: impl FnMut(&Explanation) -> bool,
) -> Result<(), ExplainError> {
    let origin = Origin::read(dir)?;
    let session = origin.session()?;
    let checked =
        program::load(session.texts.clone()).map_err(Box::new).map_err(ReplayError::from)?;
    let stations = session.ready_stations(Gate::off())?;
    let mut reading = Reading {
        session: &session,
        program: &checked.program,
        strategy: stations.strategy.stage,
        risk: stations.risk.stage,
        verdicts: JournaledEvents::open(dir, Lane::Risk).map_err(ReplayError::from)?,
        out: Out::new(),
        asked: BTreeMap::new(),
    };
    let mut inputs = JournaledEvents::open(dir, Lane::Input).map_err(ReplayError::from)?;
    let mut signals = Out::new();
    while let Some(input) = inputs.advance()? {
        signals.clear();
        reading.strategy.step(&input, &mut signals);
        for event in signals.events() {
            let Some((decision, before)) = reading.step(event)? else { continue };
            let Body::Decision(verdict) = decision.body() else { continue };
            let Body::Signal(signal) = event.body() else { continue };
            if verdict.verdict == Verdict::Deny && wanted(decision.ts, verdict.code) {
                let explanation = reading.explanation(&before, event, signal, decision, verdict);
                if !see(&explanation) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The stages as they are run again.
struct Reading<'a> {
    session: &'a Session,
    program: &'a Program,
    strategy: Strategy,
    risk: Risk,
    verdicts: JournaledEvents,
    out: Out,
    /// What is asked for, by code and instrument: found once.
    asked: BTreeMap<(Code, u32), Rc<Asked>>,
}

impl Reading<'_> {
    /// Advances risk; of a signal that was judged, returns the verdict and risk before it.
    fn step(&mut self, event: &Event) -> Result<Option<(Event, Box<Risk>)>, ExplainError> {
        let before = (event.kind() == Kind::Signal).then(|| Box::new(self.risk.clone()));
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        self.risk.step(event, &mut out);
        let mut first = None;
        for decision in out.events().iter().filter(|event| event.kind() == Kind::Decision) {
            // The journal may end before what would have followed: there is nothing to explain.
            let Some(journaled) = self.journaled()? else { return Ok(None) };
            if journaled != *decision {
                let field = difference(&journaled, decision).field;
                return Err(ExplainError::Differs { seq: decision.seq.0, field });
            }
            first = first.or(Some(*decision));
        }
        self.out = out;
        Ok(first.zip(before))
    }

    /// Returns the journal's next verdict.
    fn journaled(&mut self) -> Result<Option<Event>, ExplainError> {
        while let Some(event) = self.verdicts.advance()? {
            if event.kind() == Kind::Decision {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Returns what is to be read for a refusal.
    fn asked(&mut self, event: &Event, code: Code) -> Rc<Asked> {
        let Self { session, program, asked, .. } = self;
        let new = || Rc::new(Asked::new(session, program, event.instrument, code));
        Rc::clone(asked.entry((code, event.instrument.0)).or_insert_with(new))
    }

    fn explanation(
        &mut self,
        before: &Risk,
        event: &Event,
        signal: Signal,
        decision: Event,
        verdict: Decision,
    ) -> Explanation {
        let asked = self.asked(event, verdict.code);
        let bound = &self.session.bound;
        let rule = verdict.code.rule_index().and_then(|i| bound.rules.get(usize::from(i))).cloned();
        let found = before.read_at(event, &signal, asked.is_capped(), &asked.wanted());
        let (terms, message) = asked.told(self.session, event.instrument, &found);
        let strategies = &bound.strategies;
        let strategy = strategies.get(usize::from(signal.strategy.0)).cloned().unwrap_or_default();
        Explanation {
            event: decision,
            decision: verdict,
            signal,
            order: OrderNo::new(event.seq, signal.ordinal),
            strategy,
            code: bound.code_name(verdict.code),
            rule,
            condition: asked.condition().to_owned(),
            message,
            terms,
        }
    }
}
