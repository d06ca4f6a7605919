//! Tests of rules files, run: `engine rules test`.
//!
//! A `test` block states facts, lets orders be judged, and says what it expects. The judge is the
//! risk stage of a session (latches, caps, checks, rates, the engine's own checks), fed from the
//! documented default state; what a test states is answered in place of what the session knows.
//! Called by the command and by the tests of the shipped files.

use dsl::ast::{Test, TestStatement};
use dsl::span::Span;
use model::event::Event;

use crate::program::{Bound, Checked, RuleKind};

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
}

/// How often a rule was tried by the tests of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Block.
    pub block: String,
    /// Code as written.
    pub code: String,
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// A test saw it speak: refuse, cut, arm or warn.
    pub refused: bool,
    /// A test saw an order approved that it did not speak against.
    pub approved: bool,
}

/// What came out of all tests of some files.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Tests, in order.
    pub outcomes: Vec<Outcome>,
    /// Rules of risk blocks, by block, then in order.
    pub coverage: Vec<Covered>,
}

impl Report {
    /// Returns the tests that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some())
    }

    /// Returns the rules that no test tried both ways.
    pub fn uncovered(&self) -> impl Iterator<Item = &Covered> {
        self.coverage.iter().filter(|rule| !(rule.refused && rule.approved))
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
    };
    let broken = |why| Some((Failure::Broken(why), test.title.span));
    let is_risk = checked.program.risk.iter().any(|block| block.name == test.block.text);
    if !is_risk {
        outcome.failure = strategy(checked, test);
        return outcome;
    }
    let world = match World::new(checked, test) {
        Ok(world) => world,
        Err(why) => {
            outcome.failure = broken(why);
            return outcome;
        }
    };
    let mut run = match Run::new(&world, test) {
        Ok(run) => run,
        Err(why) => {
            outcome.failure = broken(why);
            return outcome;
        }
    };
    for TestStatement { kind, span } in &test.statements {
        let failure = match run.step(kind) {
            Ok(None) => continue,
            Ok(Some((wanted, found))) => Failure::Differs { wanted, found },
            Err(why) => Failure::Broken(why),
        };
        outcome.failure = Some((failure, *span));
        break;
    }
    for (number, rule) in (0_u16..).zip(&world.bound.rules) {
        let place = |known: &&mut Covered| {
            (&known.block, &known.file, known.line) == (&rule.block, &rule.file, rule.line)
        };
        if let Some(known) = coverage.iter_mut().find(place) {
            known.refused |= run.refused.contains(&number);
            known.approved |= run.passed.contains(&number);
        }
    }
    outcome.rules = Some(world.bound);
    outcome
}

/// Runs a test of a strategy in the strategy stage of a session.
fn strategy(checked: &Checked, test: &Test) -> Option<(Failure, Span)> {
    let broken = |why: String| Some((Failure::Broken(why), test.title.span));
    let world = match World::new(checked, test) {
        Ok(world) => world,
        Err(why) => return broken(why),
    };
    let Some(mut drill) = Drill::new(&world) else {
        return broken("the strategy does not run on what the test names".to_owned());
    };
    for TestStatement { kind, span } in &test.statements {
        match drill.step(kind) {
            Ok(None) => {}
            Ok(Some((wanted, found))) => return Some((Failure::Differs { wanted, found }, *span)),
            Err(why) => return Some((Failure::Broken(why), *span)),
        }
    }
    None
}

/// Returns the rules of all risk blocks, none of them tried.
fn rules_of(checked: &Checked) -> Vec<Covered> {
    let mut all = Vec::new();
    for block in &checked.program.risk {
        for (kind, name) in crate::program::rules_of(block) {
            let rule = crate::program::rule_of(checked, kind, &block.name, name);
            debug_assert!(rule.kind != RuleKind::Signal, "risk blocks give no signal");
            all.push(Covered {
                block: rule.block,
                code: rule.code,
                file: rule.file,
                line: rule.line,
                refused: false,
                approved: false,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests;
