//! Nodes of expressions.

use super::name::Name;
use crate::span::Span;

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
