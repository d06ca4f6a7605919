//! Nodes of `test` blocks.

use super::expression::Expr;
use super::name::Name;
use crate::span::Span;

/// `test "..." for block { ... }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What it shows.
    pub title: Name,
    /// Documentation comment.
    pub doc: String,
    /// The block under test.
    pub block: Name,
    /// Statements in order.
    pub statements: Vec<TestStatement>,
}

/// A statement of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestStatement {
    /// What it says.
    pub kind: TestKind,
    /// Where.
    pub span: Span,
}

/// What a statement of a test says. Numbers are kept as written: their scale is the instrument's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestKind {
    /// `given group of { field = value ... }`
    Given {
        /// `market`, `account` and so on.
        group: Name,
        /// Symbol or strategy.
        of: Option<Name>,
        /// Facts.
        facts: Vec<(Name, Expr)>,
    },
    /// `feed "file"`
    FeedFile(Name),
    /// `feed bars [...]`
    FeedBars(Vec<Bars>),
    /// `submit buy q SYMBOL at p stop p times n every d`
    Submit {
        /// `buy`.
        buy: bool,
        /// Quantity.
        qty: Name,
        /// Symbol.
        symbol: Name,
        /// `at`; none is `at_market`.
        price: Option<Name>,
        /// `stop`.
        stop: Option<Name>,
        /// How often.
        again: Again,
    },
    /// `filled buy q SYMBOL at p times n every d`
    Filled {
        /// `buy`.
        buy: bool,
        /// Quantity.
        qty: Name,
        /// Symbol.
        symbol: Name,
        /// Price.
        price: Name,
        /// How often.
        again: Again,
    },
    /// `advance d`, in nanoseconds.
    Advance(i64),
    /// `expect ...`
    Expect(Expect),
}

/// `times n every d`: once, at one moment, when nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// How often.
    pub times: u64,
    /// From one to the next, in nanoseconds.
    pub every_ns: i64,
}

/// `close`, or a ramp of closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    /// First close.
    pub from: Name,
    /// Last close of a ramp.
    pub to: Option<Name>,
    /// `volume`.
    pub volume: Option<Name>,
    /// `times`.
    pub times: Option<u64>,
}

/// What a test expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `deny CODE`
    Deny(Name),
    /// `approve qty q with CODE`
    Approve {
        /// Final quantity.
        qty: Option<Name>,
        /// The cap that cut it.
        with: Option<Name>,
    },
    /// `state word`
    State(Name),
    /// `no signal`
    NoSignal,
    /// `signal long CODE at bars n`
    Signal {
        /// `long`.
        long: bool,
        /// Reason code.
        code: Name,
        /// Number of the bar, from 1.
        at: Option<u64>,
    },
    /// `quote CODE bid p ask p`
    Quote {
        /// Reason code.
        code: Name,
        /// Bid.
        bid: Option<Name>,
        /// Ask.
        ask: Option<Name>,
    },
}
