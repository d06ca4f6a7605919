//! The one typed form of a program: what the checker makes and everything else works from.
//!
//! Names are resolved, units are checked, nullability is inferred; nothing here depends on an
//! instrument yet. Binding to an instrument (scales, tables, assets) happens in [`crate::compile`].

use crate::schema::Field;
use crate::span::Span;

use model::order::TimeInForce;

mod memory;
mod rate;

pub use memory::{
    Depth, DepthReach, DepthSide, Extent, Fold, Occasion, Reset, State, StateUpdate, Stream, Window,
};
pub use rate::{Cooldown, Key, Throttle};

/// A unit: what a value means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Integer without a unit.
    Int,
    /// Number without a unit (percent and bps are spellings of it).
    Num,
    /// Truth.
    Bool,
    /// Price of the block's instrument.
    Price,
    /// Quantity of the block's instrument.
    Qty,
    /// Money of an asset.
    Money(Asset),
    /// Length of time, in nanoseconds.
    Duration,
    /// Moment, in nanoseconds since the epoch.
    Time,
    /// One of the words of a field's list.
    Word(&'static [&'static str]),
}

/// The asset of a money value, as far as it is known before binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asset {
    /// Named in the text.
    Named(String),
    /// The session's reporting asset.
    Reporting,
    /// The instrument's quote asset.
    Quote,
    /// What the order at hand pays with.
    Pays,
}

/// A typed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Unit of the result.
    pub unit: Unit,
    /// Whether the result can be na.
    pub nullable: bool,
    /// Where it stands.
    pub span: Span,
}

/// What an expression computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// `mantissa * 10^-decimals`, in the unit of the expression (nanoseconds for time).
    Number {
        /// All digits.
        mantissa: i128,
        /// Decimals.
        decimals: u8,
    },
    /// `3 ticks`: that many price steps of the bound instrument.
    Ticks(i64),
    /// `2 lots`: that many quantity steps of the bound instrument.
    Lots(i64),
    /// `true` or `false`.
    Bool(bool),
    /// `na`.
    Na,
    /// A word of a word field.
    Word(u16),
    /// A field; assets are arguments of `account.free` and its like.
    Field(Field, Option<AssetArg>),
    /// Parameter of the block, by index.
    Param(usize),
    /// `let` of the block, by index: always an earlier one.
    Let(usize),
    /// Series of the strategy, by index: always an earlier one.
    Series(usize),
    /// State of the block, by index.
    State(usize),
    /// Window of the block, by index.
    Window(usize),
    /// Quantity in the book.
    Depth(Depth),
    /// `-e`.
    Neg(Box<Expr>),
    /// `not e`.
    Not(Box<Expr>),
    /// Arithmetic.
    Arith(Arith, Box<Expr>, Box<Expr>),
    /// Comparison: the operands have the same unit.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `a and b`.
    And(Box<Expr>, Box<Expr>),
    /// `a or b`.
    Or(Box<Expr>, Box<Expr>),
    /// `if c then a else b`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a ?? b`.
    Default(Box<Expr>, Box<Expr>),
    /// `a is na`.
    IsNa(Box<Expr>),
    /// A pure function.
    Call(Function, Vec<Expr>),
}

/// Asset argument of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetArg {
    /// Named in the text.
    Named(String),
    /// `order.pays`.
    Pays,
}

/// Arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arith {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `>`
    Greater,
    /// `>=`
    GreaterEq,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// Pure functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `max(a, b)`
    Max,
    /// `min(a, b)`
    Min,
    /// `abs(a)`
    Abs,
    /// `clamp(x, low, high)`
    Clamp,
    /// `floor(x)`: the integer at or below a number.
    Floor,
    /// `ceil(x)`: the integer at or above a number.
    Ceil,
    /// `round(x)`: the nearest integer, halves to the even one.
    Round,
    /// `round_down(p)`: down to the tick or lot.
    RoundDown,
    /// `round_up(p)`: up to the tick or lot.
    RoundUp,
    /// `round_nearest(p)`: to the nearest tick or lot, halves to the even multiple.
    RoundNearest,
    /// `mod(a, b)`: what is left of a above the largest multiple of b at or below it.
    Mod,
}

/// A parameter with its value and the values for single symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Name.
    pub name: String,
    /// Unit; percent is [`Unit::Num`] with `is_percent`.
    pub unit: Unit,
    /// Declared `percent`: printed with `%`.
    pub is_percent: bool,
    /// Default value: a constant expression.
    pub value: Expr,
    /// Allowed range, both ends included.
    pub range: Option<(Expr, Expr)>,
    /// Values for single symbols, as written.
    pub table: Vec<(model::symbol::Symbol, Expr)>,
    /// Documentation comment.
    pub doc: String,
    /// Where it is declared.
    pub span: Span,
}

/// A named expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Let {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Expr,
    /// Declared `series ... on`: length in nanoseconds of the bars that its value is of.
    pub frame: Option<i64>,
    /// Where it is declared.
    pub span: Span,
}

/// A rule's name and place, for verdicts and explanations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// Reason code as written.
    pub code: String,
    /// Documentation comment.
    pub doc: String,
    /// The message template, if one is given.
    pub message: Option<String>,
    /// What stands between its brackets, in order.
    pub shown: Vec<Expr>,
    /// Where the statement stands.
    pub span: Span,
}

/// A risk block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskBlock {
    /// Name.
    pub name: String,
    /// `hard`: loosening needs approvals.
    pub hard: bool,
    /// To which orders it applies.
    pub applies: Applies,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it remembers.
    pub states: Vec<State>,
    /// How that changes, in order.
    pub updates: Vec<StateUpdate>,
    /// Windows that its rules read.
    pub windows: Vec<Window>,
    /// Named expressions, each over earlier ones.
    pub lets: Vec<Let>,
    /// Latches and warnings, in order.
    pub latches: Vec<Latch>,
    /// Caps, in order.
    pub caps: Vec<Cap>,
    /// Denies and requires, in order.
    pub checks: Vec<Check>,
    /// Cooldowns, in order.
    pub cooldowns: Vec<Cooldown>,
    /// Throttles, in order.
    pub throttles: Vec<Throttle>,
    /// Declared cost limit in operations.
    pub budget: Option<u64>,
    /// Documentation comment.
    pub doc: String,
    /// Where the block's name stands.
    pub span: Span,
}

/// To which orders a risk block applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applies {
    /// To all.
    All,
    /// To those of some strategies, perhaps on some symbols only (empty: on all).
    Strategies {
        /// Strategy names.
        names: Vec<String>,
        /// Symbols.
        symbols: Vec<model::symbol::Symbol>,
    },
}

/// `halt`, `reduce_only` or `warn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latch {
    /// Name and place.
    pub rule: RuleName,
    /// What it does while armed.
    pub effect: Effect,
    /// How it ends.
    pub end: LatchEnd,
    /// Condition.
    pub when: Expr,
    /// For how long the condition must hold before the latch arms, in nanoseconds.
    pub held_ns: i64,
    /// Exemption.
    pub unless: Option<Expr>,
    /// `then cancel_orders`.
    pub cancel_orders: bool,
    /// `then notify`.
    pub notify: bool,
    /// `then flatten`.
    pub flatten: bool,
}

/// What an armed latch does to orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Refuses every order.
    Halt,
    /// Refuses orders that do not reduce.
    ReduceOnly,
    /// Nothing: it tells a person.
    Warn,
}

/// How a latch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchEnd {
    /// By a person.
    Manual,
    /// At the next day roll.
    DayEnd,
    /// When the condition is known to be false.
    Clear,
    /// That many nanoseconds after arming.
    For(i64),
}

/// `cap CODE measure to bound unless ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Name and place.
    pub rule: RuleName,
    /// What is bounded.
    pub measure: Measure,
    /// The bound, in the unit of the measure.
    pub bound: Expr,
    /// Condition under which the cap binds at all (`when`).
    pub when: Option<Expr>,
    /// Exemption.
    pub unless: Option<Expr>,
}

/// What a cap bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Quantity.
    Qty,
    /// Value in the instrument's quote asset.
    Notional,
    /// Value in the reporting asset.
    Value,
    /// What is lost at the order's stop, fees included, in the reporting asset.
    Risk,
}

/// `deny` or `require`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Name and place.
    pub rule: RuleName,
    /// `require`: refuses when the condition is not known to be true. `deny` refuses when it is not
    /// known to be false.
    pub require: bool,
    /// Condition.
    pub condition: Expr,
    /// Exemption.
    pub unless: Option<Expr>,
}

/// A strategy block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Name.
    pub name: String,
    /// What wakes it.
    pub trigger: Trigger,
    /// On which symbols it runs, each by itself.
    pub symbols: Vec<(model::symbol::Symbol, Span)>,
    /// Parameters.
    pub params: Vec<Param>,
    /// Series, each over earlier series and lets.
    pub series: Vec<Series>,
    /// Named expressions, each over earlier ones.
    pub lets: Vec<Let>,
    /// Order of declaration of series and lets, so that each is evaluated after what it reads.
    pub order: Vec<Step>,
    /// What it remembers between events.
    pub states: Vec<State>,
    /// What changes it.
    pub updates: Vec<StateUpdate>,
    /// From and to, in seconds of the day: outside of it nothing is opened or quoted.
    pub active: Option<(i64, i64)>,
    /// Enters and exits, in order.
    pub rules: Vec<StrategyRule>,
    /// Quotes, in order.
    pub quotes: Vec<QuoteRule>,
    /// Cancels, in order.
    pub cancels: Vec<CancelRule>,
    /// Declared cost limit in operations.
    pub budget: Option<u64>,
    /// Documentation comment.
    pub doc: String,
    /// Where the block's name stands.
    pub span: Span,
}

/// One declared step of a strategy's evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Update series number so-and-so.
    Series(usize),
    /// Evaluate let number so-and-so.
    Let(usize),
}

/// What wakes a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A closed bar of this length in nanoseconds.
    Bar(i64),
    /// A change of the touch, at most once in so many nanoseconds (0: each).
    Book(i64),
    /// A trade.
    Trade,
    /// The time: each multiple of this length in nanoseconds since the epoch.
    Timer(i64),
}

/// A stateful indicator over an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Name.
    pub name: String,
    /// Which indicator.
    pub indicator: Indicator,
    /// Its inputs: one; two for the crossings; three for those of whole bars.
    pub inputs: Vec<Expr>,
    /// Length in updates: a constant or a parameter; none for the crossings and their like.
    pub length: Option<Expr>,
    /// Length in nanoseconds of the bars that it is of; none is the trigger.
    pub frame: Option<i64>,
    /// Unit of the result.
    pub unit: Unit,
    /// Where it is declared.
    pub span: Span,
}

/// The indicators of this version; definitions in rules-language.md 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// Mean of the last n.
    Sma,
    /// Mean of the last n, the newest n-fold, the oldest once.
    Wma,
    /// Seeded by the sma of the first n; k = 2 / (n + 1).
    Ema,
    /// Wilder's: seeded by the sma of the first n; k = 1 / n.
    Rma,
    /// Relative strength, 0 to 100.
    Rsi,
    /// True range: of high, low and close.
    Tr,
    /// Wilder's mean of the true range: of high, low and close.
    Atr,
    /// Price by volume of the day: of the sum of three prices, volume, and end of the bar.
    Vwap,
    /// Largest of the last n.
    Highest,
    /// Smallest of the last n.
    Lowest,
    /// Population standard deviation of the last n.
    Stdev,
    /// Distance from the mean of the last n in standard deviations.
    Zscore,
    /// Now a > b and before a <= b.
    Crossover,
    /// Now a < b and before a >= b.
    Crossunder,
    /// What the input was n steps ago: `x[n]`.
    Lag,
}

/// `enter` or `exit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyRule {
    /// Name and place.
    pub rule: RuleName,
    /// True for `exit`.
    pub exit: bool,
    /// True for `long`.
    pub long: bool,
    /// Condition.
    pub when: Expr,
    /// Exemption.
    pub unless: Option<Expr>,
    /// Size. None on an exit: the whole position.
    pub size: Option<Size>,
    /// Limit price; none: `at_market`.
    pub price: Option<Expr>,
    /// Band of `at_market`; none: the instrument's own.
    pub protect: Option<Expr>,
    /// `tif`.
    pub tif: TimeInForce,
    /// `post_only`.
    pub post_only: bool,
    /// Time to live.
    pub ttl: Option<Expr>,
    /// Price at which the position is given up.
    pub stop: Option<Expr>,
    /// How strong the signal is.
    pub strength: Option<Expr>,
    /// `where shortable`: binds on a cash account and never fires there.
    pub where_shortable: bool,
}

/// How much an order is to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// A quantity, or money at the order's price.
    Amount(Expr),
    /// `weight e`: the share of the strategy's capital that its position is to have.
    Weight(Expr),
    /// `risk e stop p`: the share of the strategy's capital that is lost at the stop.
    Risk(Expr, Expr),
}

/// `quote CODE when ... bid ... ask ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteRule {
    /// Name and place.
    pub rule: RuleName,
    /// Condition: while it holds, the legs are worked.
    pub when: Expr,
    /// Exemption.
    pub unless: Option<Expr>,
    /// The bid, if it has one: price and size.
    pub bid: Option<(Expr, Expr)>,
    /// The offer, if it has one: price and size.
    pub ask: Option<(Expr, Expr)>,
    /// Time to live of a leg.
    pub ttl: Option<Expr>,
    /// `post_only`.
    pub post_only: bool,
    /// When working legs are replaced.
    pub replace: Option<Expr>,
}

/// `cancel CODE when ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRule {
    /// Name and place.
    pub rule: RuleName,
    /// Condition; unknown cancels.
    pub when: Expr,
    /// Exemption.
    pub unless: Option<Expr>,
}

/// `invariant name for block`: typed, and reported as not proved until the prover exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Name.
    pub name: String,
    /// The block it is about.
    pub block: String,
    /// Assumptions.
    pub assumes: Vec<Expr>,
    /// What is to be proved.
    pub proves: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// All blocks of the files checked together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Risk blocks, by name.
    pub risk: Vec<RiskBlock>,
    /// Strategies, by file name, then in order.
    pub strategies: Vec<Strategy>,
    /// Invariants, in order.
    pub invariants: Vec<Invariant>,
    /// Tests, by file name, then in order: checked here, run by `engine rules test`.
    pub tests: Vec<crate::ast::Test>,
}
