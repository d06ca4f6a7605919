//! Tests of rules files, run: `engine rules test`.
//!
//! A `test` block states facts, lets orders be judged, and says what it expects. The judge is the
//! risk stage of a session (latches, caps, checks, rates, the engine's own checks), fed from the
//! documented default state; what a test states is answered in place of what the session knows.
//! Called by the command and by the tests of the shipped files.

use std::collections::BTreeSet;

use dsl::ast::{Test, TestKind, TestStatement};
use dsl::span::Span;
use model::event::Event;

use crate::program::{self, Bound, Checked, Rule, RuleKind};
use crate::setup::InstrumentSetup;

/// What a test states.
mod given;
/// Events into the risk stage.
mod run;
/// The world of one test.
mod stage;
/// Bars and books into the strategy stage.
mod strategy;

use run::Run;
use stage::World;
use strategy::Drill;

/// What was expected, in the words of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(pub String);

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// In the words of a test.
    pub text: String,
    /// The verdict, with its values.
    pub verdict: Option<Event>,
}

/// Why a test failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// An expectation does not hold.
    Differs {
        /// What was expected.
        wanted: Wanted,
        /// What was found.
        found: Found,
    },
    /// The test cannot be run.
    Broken(String),
}

/// What came out of one test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The block under test.
    pub block: String,
    /// The title.
    pub title: String,
    /// Where the title stands.
    pub span: Span,
    /// The first failure, and where the statement stands.
    pub failure: Option<(Failure, Span)>,
    /// The rules by number, for the values of a failure.
    pub rules: Option<Bound>,
    /// The instruments by id, for the same.
    pub instruments: Vec<InstrumentSetup>,
}

/// How a rule was tried by the tests of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// What the rule does.
    pub kind: RuleKind,
    /// Block.
    pub block: String,
    /// Code as written.
    pub code: String,
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// A test saw it speak: refuse, cut, arm or warn; of a strategy, ask for an order or withdraw.
    pub spoke: bool,
    /// A test saw it silent: an order approved that it did not speak against; of a strategy, a
    /// trigger on which its condition is known to be false.
    pub silent: bool,
}

impl Covered {
    /// Tells whether both were seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.spoke && self.silent
    }
}

/// What came out of all tests of some files.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Tests, in order.
    pub outcomes: Vec<Outcome>,
    /// Rules of risk blocks, by block, then in order; then those of strategies.
    pub coverage: Vec<Covered>,
}

impl Report {
    /// Returns the tests that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some())
    }

    /// Returns the rules that no test tried both ways.
    pub fn uncovered(&self) -> impl Iterator<Item = &Covered> {
        self.coverage.iter().filter(|rule| !rule.is_whole())
    }

    /// Returns the share of rules that were tried both ways, in hundredths of a percent, rounded
    /// down; all of no rules.
    #[must_use]
    pub fn covered_bp(&self) -> usize {
        let covered = self.coverage.len().saturating_sub(self.uncovered().count());
        covered.saturating_mul(10_000).checked_div(self.coverage.len()).unwrap_or(10_000)
    }
}

/// Runs the tests of checked files.
#[must_use]
pub fn run(checked: &Checked) -> Report {
    let mut report = Report { coverage: rules_of(checked), ..Report::default() };
    for test in &checked.program.tests {
        let outcome = one(checked, test, &mut report.coverage);
        report.outcomes.push(outcome);
    }
    report
}

/// Runs one test; what its block's rules did is added to the coverage.
fn one(checked: &Checked, test: &Test, coverage: &mut [Covered]) -> Outcome {
    let mut outcome = Outcome {
        block: test.block.text.clone(),
        title: test.title.text.clone(),
        span: test.title.span,
        failure: None,
        rules: None,
        instruments: Vec::new(),
    };
    let world = match World::new(checked, test) {
        Ok(world) => world,
        Err(why) => {
            outcome.failure = Some((Failure::Broken(why), test.title.span));
            return outcome;
        }
    };
    let is_risk = checked.program.risk.iter().any(|block| block.name == test.block.text);
    let (failure, tried) = if is_risk { judged(&world, test) } else { drilled(&world, test) };
    outcome.failure = failure;
    for (number, rule) in (0_u16..).zip(&world.bound.rules) {
        let place = |known: &&mut Covered| {
            (&known.block, &known.file, known.line, &known.code)
                == (&rule.block, &rule.file, rule.line, &rule.code)
        };
        if let Some(known) = coverage.iter_mut().find(place) {
            known.spoke |= tried.spoke.contains(&number);
            known.silent |= tried.silent.contains(&number);
        }
    }
    outcome.rules = Some(world.bound);
    outcome.instruments = world.setup.instruments;
    outcome
}

/// What a test saw of the rules, by number.
#[derive(Clone, Debug, Default)]
struct Tried {
    /// Rules that spoke.
    spoke: BTreeSet<u16>,
    /// Rules that did not.
    silent: BTreeSet<u16>,
}

type Ended = (Option<(Failure, Span)>, Tried);

/// Runs a test of a risk block in the risk stage of a session.
fn judged(world: &World, test: &Test) -> Ended {
    let mut run = match Run::new(world, test) {
        Ok(run) => run,
        Err(why) => {
            return (Some((Failure::Broken(why), test.title.span)), Tried::default());
        }
    };
    let failure = stepped(test, |kind| run.step(kind));
    (failure, run.tried)
}

/// Runs a test of a strategy in the strategy stage of a session.
fn drilled(world: &World, test: &Test) -> Ended {
    let Some(mut drill) = Drill::new(world) else {
        let why = "the strategy does not run on what the test names".to_owned();
        return (Some((Failure::Broken(why), test.title.span)), Tried::default());
    };
    let failure = stepped(test, |kind| drill.step(kind));
    (failure, drill.tried)
}

/// What a statement has to say: an expectation that does not hold, or why it cannot be run.
type Stepped = Result<Option<(Wanted, Found)>, String>;

/// Runs the statements of a test until one fails.
fn stepped(test: &Test, mut step: impl FnMut(&TestKind) -> Stepped) -> Option<(Failure, Span)> {
    for TestStatement { kind, span } in &test.statements {
        let failure = match step(kind) {
            Ok(None) => continue,
            Ok(Some((wanted, found))) => Failure::Differs { wanted, found },
            Err(why) => Failure::Broken(why),
        };
        return Some((failure, *span));
    }
    None
}

/// Returns the rules of all blocks, none of them tried.
fn rules_of(checked: &Checked) -> Vec<Covered> {
    let covered = |kind, block: &str, name| {
        let rule = program::rule_of(checked, kind, block, name);
        let Rule { kind, block, code, file, line } = rule;
        Covered { kind, block, code, file, line, spoke: false, silent: false }
    };
    let mut all = Vec::new();
    for block in &checked.program.risk {
        let rules = program::rules_of(block);
        all.extend(rules.map(|(kind, name)| covered(kind, &block.name, name)));
    }
    for strategy in &checked.program.strategies {
        let rules = program::signals_of(strategy);
        all.extend(rules.map(|name| covered(RuleKind::Signal, &strategy.name, name)));
    }
    all
}

#[cfg(test)]
mod tests;
