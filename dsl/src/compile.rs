//! From the typed form to a flat program for one instrument.
//!
//! Binding fixes everything that does not depend on events: parameters and their tables, ticks and
//! lots, decimal scales, assets, the length of every series. What is left is straight-line code
//! over integers in registers. Ranges of all values are known, so an operation is checked for
//! overflow only where the proof fails. A program is bound once for each instrument, off the hot
//! path; all findings of a block are reported together.
//!
//! ```text
//! Expr --lower--> nodes (shared, folded, with ranges) --lay_out--> sections of operations
//! ```
//!
//! | code | finding |
//! |---|---|
//! | R0501 | a price or quantity has more decimals than the instrument |
//! | R0502 | amounts of two assets meet |
//! | R0503 | a field that no source carries |
//! | R0504 | length of a series |
//! | R0505 | a short entry on a cash account |
//! | R0506 | an asset that the session does not know |
//! | R0507 | a parameter outside of its range |
//! | R0508 | the program is too large, or its numbers are too far apart |
//! | R0509 | the program costs more than its budget |

use model::id::AssetId;
use model::instrument::Instrument;

use crate::diagnostics::Diagnostic;
pub use crate::evaluate::{
    CapCode, CooldownCode, LatchCode, RiskCode, RuleCode, StrategyCode, TermsCode, ThrottleCode,
};
use crate::span::Span;
use crate::typed::{Expr, RiskBlock, Strategy};

mod graph;
mod lower;
mod memory;
mod number;
mod risk;
mod strategy;
mod terms;

use graph::Fault;

/// What the sources of an instrument carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carries {
    /// Best bid and ask: quotes, or a book.
    pub touch: bool,
    /// Closed bars: of the source, or built from its trades.
    pub bars: bool,
    /// Trades or bars.
    pub last_price: bool,
}

/// For what a block is bound.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    /// The instrument.
    pub instrument: &'a Instrument,
    /// The session's reporting asset.
    pub reporting: &'a str,
    /// What the sources of the instrument carry.
    pub carries: Carries,
    /// Returns the id of an asset by name, `None` when the session does not know it.
    pub assets: &'a dyn Fn(&str) -> Option<AssetId>,
}

impl std::fmt::Debug for Binding<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Binding")
            .field("instrument", &self.instrument.symbol)
            .field("reporting", &self.reporting)
            .field("carries", &self.carries)
            .finish_non_exhaustive()
    }
}

/// Binds a risk block to an instrument.
///
/// # Errors
/// Everything that does not fit the instrument, its sources or the session.
pub fn bind_risk(block: &RiskBlock, binding: &Binding<'_>) -> Result<RiskCode, Vec<Diagnostic>> {
    risk::bind(block, binding)
}

/// Binds expressions over the names of a risk block, to show what a rule was made of. A field that
/// no source carries is unknown there.
///
/// # Errors
/// Everything that does not fit the instrument or the session.
pub fn bind_terms(
    block: &RiskBlock,
    shown: &[Expr],
    binding: &Binding<'_>,
) -> Result<TermsCode, Vec<Diagnostic>> {
    terms::bind(block, shown, binding)
}

/// Binds a strategy to an instrument.
///
/// # Errors
/// Everything that does not fit the instrument, its sources or the session.
pub fn bind_strategy(
    strategy: &Strategy,
    binding: &Binding<'_>,
) -> Result<StrategyCode, Vec<Diagnostic>> {
    strategy::bind(strategy, binding)
}

/// Returns each finding once: what two sections share is met twice.
fn distinct(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |diagnostic: &Diagnostic| {
        let Span { source, start, end } = diagnostic.span();
        (diagnostic.code, source, start, end)
    };
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in found {
        // Generated code has no places; there the message tells findings apart.
        let known = |other: &Diagnostic| {
            place(other) == place(&diagnostic)
                && (diagnostic.span().end > 0 || other.message == diagnostic.message)
        };
        if !kept.iter().any(known) {
            kept.push(diagnostic);
        }
    }
    kept
}

fn fault(name: &str, span: Span, fault: Fault) -> Vec<Diagnostic> {
    let (message, help) = match fault {
        Fault::TooLarge => (
            format!("`{name}` needs more than {} registers", crate::evaluate::REGISTERS_MAX),
            "split the block",
        ),
        Fault::TooFar => (
            format!("`{name}` works with numbers of scales more than 38 decimals apart"),
            "multiply fewer prices and quantities with each other",
        ),
    };
    vec![Diagnostic::error("R0508", span, message).help(help)]
}

/// Reports a block that costs more than it declares.
fn over_budget(name: &str, span: Span, budget: Option<u64>, ops: usize) -> Option<Diagnostic> {
    let budget = budget?;
    let ops = u64::try_from(ops).unwrap_or(u64::MAX);
    (ops > budget).then(|| {
        let message = format!("`{name}` costs {ops} operations, its budget is {budget}");
        Diagnostic::error("R0509", span, message).help("raise the budget, or remove rules")
    })
}

#[cfg(test)]
mod tests;
