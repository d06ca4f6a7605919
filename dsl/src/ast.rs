//! The syntax tree: what was written, with its place, before names and units mean anything.
//!
//! Every node has a [`crate::span::Span`]; spans never make two trees different. Brackets are not
//! kept: the shape of the tree says the same. Made by [`crate::parse`], read by [`crate::check`].

use crate::span::Span;

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Items in order.
    pub items: Vec<Item>,
}

/// A word with its place: a name, a reason code, an asset or a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
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
    /// `submit buy q SYMBOL at p stop p`
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
    },
    /// `filled buy q SYMBOL at p`
    Filled {
        /// `buy`.
        buy: bool,
        /// Quantity.
        qty: Name,
        /// Symbol.
        symbol: Name,
        /// Price.
        price: Name,
    },
    /// `advance d`, in nanoseconds.
    Advance(i64),
    /// `expect ...`
    Expect(Expect),
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

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What was written.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
    /// Height of the tree, at most [`crate::limits::HEIGHT_MAX`].
    pub height: u32,
}

/// Forms of expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A literal.
    Literal(Literal),
    /// A name, a field, a call.
    Path(Vec<Segment>),
    /// `-e`
    Neg(Box<Expr>),
    /// `not e`
    Not(Box<Expr>),
    /// `a op b`
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `e in low..high`
    In(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `e is na`; with `not` when true.
    IsNa(Box<Expr>, bool),
    /// `if c then a else b`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `e[k]`
    Index(Box<Expr>, u64),
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `implies`
    Implies,
    /// `or`
    Or,
    /// `and`
    And,
    /// A comparison.
    Compare(crate::typed::Compare),
    /// Arithmetic.
    Arith(crate::typed::Arith),
    /// `??`
    Default,
}

/// Literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `1_000.25`
    Number(Number),
    /// `5%` is 0.05, `30bps` is 0.003.
    Percent(Number),
    /// `2s`, in nanoseconds.
    Duration(i64),
    /// `2 ticks`
    Ticks(Number),
    /// `3 lots`
    Lots(Number),
    /// `10 USDT`
    Amount(Number, Name),
    /// `@09:30`, in seconds.
    TimeOfDay(i64),
    /// `@2026-01-05T10:00:00Z`, in nanoseconds.
    Instant(i64),
    /// `true` or `false`
    Bool(bool),
    /// `na`
    Na,
}

/// A decimal number, without zeros at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// All digits.
    pub mantissa: i128,
    /// Decimals.
    pub decimals: u8,
    /// Written with a point: never an `int`.
    pub point: bool,
}

/// A part of a path between dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Name.
    pub name: Name,
    /// Arguments, if it is a call.
    pub args: Option<Vec<Arg>>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// An asset.
    Asset(Name),
    /// An expression, and the `where` behind a stream.
    Expr(Expr, Option<Expr>),
}
