//! The syntax tree: what was written, with its place, before names and units mean anything.
//!
//! Every node has a [`crate::span::Span`]; spans never make two trees different. Brackets are not
//! kept: the shape of the tree says the same. Made by [`crate::parse`], read by [`crate::check`].

use crate::span::Span;

/// Expressions.
mod expression;
/// Names.
mod name;
/// Tests written in files.
mod testing;

pub use expression::{Arg, Expr, ExprKind, Literal, Number, Operator, Segment};
pub use name::Name;
pub use testing::{Again, Bars, Expect, Test, TestKind, TestStatement};

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Items in order.
    pub items: Vec<Item>,
}

/// What a file consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `risk name hard|soft { ... }`
    Risk {
        /// Name, documentation and statements.
        block: Block,
        /// `hard`.
        hard: bool,
    },
    /// `strategy name { ... }`
    Strategy(Block),
    /// `test "..." for block { ... }`
    Test(Test),
    /// `invariant name for block { ... }`
    Invariant(Invariant),
}

/// A risk or strategy block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Name.
    pub name: Name,
    /// Documentation comment.
    pub doc: String,
    /// Statements in order.
    pub statements: Vec<Statement>,
}

/// A statement of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Documentation comment.
    pub doc: String,
    /// The whole statement without its documentation.
    pub span: Span,
}

/// What a statement says.
#[expect(clippy::large_enum_variant, reason = "statements are few, and a box would blur the tree")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// `applies to all`: none; `applies to strategy a, b on SYMBOL`.
    Applies(Option<Target>),
    /// `param name : type = value in low..high { SYMBOL = value }`
    Param(Param),
    /// `state name : type = value reset period`
    State {
        /// Name.
        name: Name,
        /// Type.
        ty: Type,
        /// First value.
        value: Expr,
        /// `reset`.
        reset: Option<Name>,
    },
    /// `update name = value on event when ... unless ...`
    Update {
        /// Name of the state.
        name: Name,
        /// Next value.
        value: Expr,
        /// Event, or the code of the latch that ends.
        on: Name,
        /// Condition and exemption.
        filter: Filter,
    },
    /// `let name = value`
    Let {
        /// Name.
        name: Name,
        /// Value.
        value: Expr,
    },
    /// `series name = value on duration`
    Series {
        /// Name.
        name: Name,
        /// Value.
        value: Expr,
        /// Length of the bars of a higher timeframe.
        on: Option<Spanned<i64>>,
    },
    /// `budget n ops`
    Budget(u64),
    /// `halt` or `reduce_only`
    Latch(Latch),
    /// `cap CODE measure to bound`
    Cap {
        /// Reason code.
        code: Name,
        /// `qty`, `notional`, `value` or `risk`.
        measure: Spanned<Measure>,
        /// Bound.
        bound: Expr,
        /// Condition and exemption.
        filter: Filter,
        /// Message.
        message: Option<Name>,
    },
    /// `deny CODE when ...` or `require CODE ...`
    Check {
        /// Reason code.
        code: Name,
        /// `require`.
        require: bool,
        /// Condition.
        condition: Expr,
        /// Exemption.
        unless: Option<Expr>,
        /// Message.
        message: Option<Name>,
    },
    /// `throttle CODE flow to n per d`
    Throttle {
        /// Reason code.
        code: Name,
        /// What is counted.
        flow: Name,
        /// Bound.
        bound: Expr,
        /// Window; none is `per day`.
        per: Option<Expr>,
        /// `by`.
        by: Option<Name>,
        /// `burst`.
        burst: Option<Expr>,
        /// How its latch ends.
        end: Option<Spanned<LatchEnd>>,
        /// Condition and exemption.
        filter: Filter,
    },
    /// `cooldown CODE d after event`
    Cooldown {
        /// Reason code.
        code: Name,
        /// How long.
        length: Expr,
        /// After which event.
        after: Name,
        /// `by`.
        by: Option<Name>,
        /// Condition and exemption.
        filter: Filter,
    },
    /// `warn CODE when ...`
    Warn {
        /// Reason code.
        code: Name,
        /// Condition, exemption.
        filter: Filter,
        /// `held`.
        held: Option<Spanned<i64>>,
        /// Message.
        message: Option<Name>,
    },
    /// `on event d of SYMBOL, ... every d`
    Trigger {
        /// Event.
        event: Name,
        /// Length of a bar or timer.
        length: Option<Spanned<i64>>,
        /// Symbols.
        symbols: Vec<Name>,
        /// `every`.
        every: Option<Spanned<i64>>,
    },
    /// `active @from..@to`, in seconds of the day.
    Active {
        /// From.
        from: i64,
        /// To.
        to: i64,
    },
    /// `enter` or `exit`
    Order(OrderRule),
    /// `quote CODE when ... bid ... ask ...`
    Quote {
        /// Reason code.
        code: Name,
        /// Condition, exemption.
        filter: Filter,
        /// Legs: `bid` is true.
        legs: Vec<(bool, Expr, Expr)>,
        /// Options.
        options: Vec<OrderOption>,
        /// `replace when`.
        replace: Option<Expr>,
    },
    /// `cancel CODE when ...`
    Cancel {
        /// Reason code.
        code: Name,
        /// Condition, exemption.
        filter: Filter,
    },
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub span: Span,
}

/// `applies to strategy ... on ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Strategies.
    pub strategies: Vec<Name>,
    /// Symbols; empty: all.
    pub symbols: Vec<Name>,
}

/// `when` and `unless`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Condition.
    pub when: Option<Expr>,
    /// Exemption.
    pub unless: Option<Expr>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Name.
    pub name: Name,
    /// Type.
    pub ty: Type,
    /// Default value.
    pub value: Expr,
    /// Allowed range.
    pub range: Option<(Expr, Expr)>,
    /// Values for single symbols.
    pub table: Vec<(Name, Expr)>,
}

/// Types of parameters and states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `int`
    Int,
    /// `num`
    Num,
    /// `bool`
    Bool,
    /// `price`
    Price,
    /// `qty`
    Qty,
    /// `money`
    Money,
    /// `percent`
    Percent,
    /// `duration`
    Duration,
    /// `time`
    Time,
}

/// `halt` or `reduce_only`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latch {
    /// `halt`.
    pub halt: bool,
    /// Reason code.
    pub code: Name,
    /// How it ends.
    pub end: Option<Spanned<LatchEnd>>,
    /// Condition.
    pub when: Expr,
    /// `held`.
    pub held: Option<Spanned<i64>>,
    /// Exemption.
    pub unless: Option<Expr>,
    /// `then ...`
    pub actions: Vec<Spanned<Action>>,
    /// Message.
    pub message: Option<Name>,
}

/// How a latch ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatchEnd {
    /// `until manual`
    Manual,
    /// `until day_end`
    DayEnd,
    /// `until clear`
    Clear,
    /// `for d`
    For(Expr),
}

/// What an armed latch does besides refusing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `then cancel_orders`
    CancelOrders,
    /// `then flatten`
    Flatten,
    /// `then notify`
    Notify,
}

/// What a cap bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// `qty`
    Qty,
    /// `notional`
    Notional,
    /// `value`
    Value,
    /// `risk`
    Risk,
}

/// `enter` or `exit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRule {
    /// `exit`.
    pub exit: bool,
    /// `long`.
    pub long: bool,
    /// Reason code.
    pub code: Name,
    /// Condition.
    pub when: Expr,
    /// Exemption.
    pub unless: Option<Expr>,
    /// Options in order.
    pub options: Vec<OrderOption>,
}

/// An option of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderOption {
    /// Which.
    pub kind: OptionKind,
    /// Where.
    pub span: Span,
}

/// Options of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// `size e`
    Size(Expr),
    /// `size weight e`
    SizeWeight(Expr),
    /// `size risk e stop p`
    SizeRisk(Expr, Expr),
    /// `stop p`
    Stop(Expr),
    /// `price p`
    Price(Expr),
    /// `at_market [protect e]`
    AtMarket(Option<Expr>),
    /// `post_only`
    PostOnly,
    /// `tif gtc|ioc|fok`
    Tif(Name),
    /// `ttl d`
    Ttl(Expr),
    /// `strength e`
    Strength(Expr),
    /// `where shortable`
    Shortable,
}

/// `invariant name for block { ... }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Name.
    pub name: Name,
    /// Documentation comment.
    pub doc: String,
    /// The block it is about.
    pub block: Name,
    /// Assumptions.
    pub assumes: Vec<Expr>,
    /// What is to be proved.
    pub proves: Vec<Expr>,
}
