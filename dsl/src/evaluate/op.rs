//! The operations of a flat program: what each does to its operands.
//!
//! Every operation is total. It propagates `na` with the cause of the first unknown operand, except
//! the few that look at `na` (`and`, `or`, `select`, `default`, `is na`). A known result always
//! lies within `LIMIT`: the compiler proves it for the plain operations, the checked ones test
//! it. The same functions run on the hot path and fold constants at bind, so the two cannot differ.
//!
//! Parameters and powers of ten are constants once a program is bound, and nearly all of them fit a
//! word. A *factor* is a constant from 0 to the largest `i64`, as a divisor from 1: it is never
//! `na`, so what takes one looks at its low word alone, and one multiplication is half a product.

use model::num::{Rounding, div_round};
use model::order::Cause;

use crate::value::Value;

/// LIMIT: the largest magnitude of a known value, 126 bits: one bit of room below the words of
/// `na`.
pub(crate) const LIMIT: i128 = (1 << 126) - 1;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// `a + b`, proved to fit.
    Add,
    /// `a + b`, or OVERFLOW.
    AddChecked,
    /// `a - b`, proved to fit.
    Sub,
    /// `a - b`, or OVERFLOW.
    SubChecked,
    /// `a * b` of two values that fit an `i64`: one machine multiplication.
    MulNarrow,
    /// `a * b`, proved to fit.
    Mul,
    /// `a * b`, or OVERFLOW.
    MulChecked,
    /// `a * b`, proved to fit, of a factor `b`.
    Scale,
    /// `a * b - c * d`, proved to fit, of factors `b` and `d`.
    ScaledSub,
    /// `-a`; the range of known values is symmetric.
    Neg,
    /// `if a then b - c else c - b`, proved to fit.
    TurnedSub,
    /// `|a|`
    Abs,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEq,
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a <= b` of a constant `b` that fits an `i64`.
    AtMost,
    /// `a >= b` of a constant `b` that fits an `i64`.
    AtLeast,
    /// `a / b < c / d` of factors `c` and `d`, products proved to fit.
    RatioBelow,
    /// `a / b <= c / d` of factors `c` and `d`, products proved to fit.
    RatioAtMost,
    /// `a / b > c / d` of factors `c` and `d`, products proved to fit.
    RatioAbove,
    /// `a / b >= c / d` of factors `c` and `d`, products proved to fit.
    RatioAtLeast,
    /// `a / b < c / d`, products proved to fit.
    CrossLess,
    /// `a / b <= c / d`, products proved to fit.
    CrossLessEq,
    /// `a / b == c / d`, products proved to fit.
    CrossEqual,
    /// `a / b < c / d`, or OVERFLOW.
    CrossLessChecked,
    /// `a / b <= c / d`, or OVERFLOW.
    CrossLessEqChecked,
    /// `a / b == c / d`, or OVERFLOW.
    CrossEqualChecked,
    /// Kleene's and.
    And,
    /// Kleene's or.
    Or,
    /// Kleene's not.
    Not,
    /// `if a then b else c`: na when `a` is; the branch that is not taken does not matter.
    Select,
    /// `a ?? b`
    Default,
    /// `a is na`: never na itself.
    IsNa,
    /// `a`, or DIV0 when it is zero.
    NonZero,
    /// `a / b` rounded half-even, or DIV0.
    Divide,
    /// `a / b` rounded down, or DIV0.
    DivideDown,
}

/// One operation: reads up to four registers, writes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    /// What it does.
    pub(crate) code: Code,
    /// Register written.
    pub(crate) dst: u16,
    /// Registers read; those an operation does not need are 0.
    pub(crate) args: [u16; 4],
}

impl Code {
    /// Tells whether the operation tests for overflow when it runs.
    pub(crate) fn is_checked(self) -> bool {
        matches!(
            self,
            Self::AddChecked
                | Self::SubChecked
                | Self::MulChecked
                | Self::CrossLessChecked
                | Self::CrossLessEqChecked
                | Self::CrossEqualChecked
        )
    }

    /// Tells whether one unknown operand makes the result unknown.
    pub(crate) fn is_strict(self) -> bool {
        !matches!(self, Self::And | Self::Or | Self::Select | Self::Default | Self::IsNa)
    }
}

/// Returns the result of an operation whose operands `arg` gives by place.
#[inline(always)]
pub(crate) fn apply(code: Code, arg: impl Fn(usize) -> Value) -> Value {
    let known = |f: fn(i128, i128) -> i128| both(arg(0), arg(1), |a, b| Value::of_raw(f(a, b)));
    let tested =
        |f: fn(i128, i128) -> Option<i128>| both(arg(0), arg(1), |a, b| within_limit(f(a, b)));
    let truth = |f: fn(&i128, &i128) -> bool| both(arg(0), arg(1), |a, b| Value::bool(f(&a, &b)));
    let ratio = |f: fn(&i128, &i128) -> bool| ratio([arg(0), arg(1), arg(2), arg(3)], f);
    let cross = |f: fn(&i128, &i128) -> bool| cross([arg(0), arg(1), arg(2), arg(3)], f);
    let cross_checked =
        |f: fn(&i128, &i128) -> bool| cross_checked([arg(0), arg(1), arg(2), arg(3)], f);
    match code {
        Code::Add => known(i128::wrapping_add),
        Code::AddChecked => tested(i128::checked_add),
        Code::Sub => known(i128::wrapping_sub),
        Code::SubChecked => tested(i128::checked_sub),
        Code::MulNarrow => known(|a, b| i128::from(low(a)).wrapping_mul(i128::from(low(b)))),
        Code::Mul => known(i128::wrapping_mul),
        Code::MulChecked => tested(i128::checked_mul),
        Code::Scale => one(arg(0), |a| Value::of_raw(scaled(a, arg(1)))),
        Code::ScaledSub => both(arg(0), arg(2), |a, c| {
            Value::of_raw(scaled(a, arg(1)).wrapping_sub(scaled(c, arg(3))))
        }),
        Code::Neg => one(arg(0), |a| Value::of_raw(a.wrapping_neg())),
        Code::TurnedSub => one(arg(0), |a| {
            let (b, c) = if a == 0 { (arg(2), arg(1)) } else { (arg(1), arg(2)) };
            both(b, c, |b, c| Value::of_raw(b.wrapping_sub(c)))
        }),
        Code::Abs => one(arg(0), |a| Value::of_raw(a.wrapping_abs())),
        Code::Max => known(i128::max),
        Code::Min => known(i128::min),
        Code::Less => truth(i128::lt),
        Code::LessEq => truth(i128::le),
        Code::Equal => truth(i128::eq),
        Code::NotEqual => truth(i128::ne),
        Code::AtMost => one(arg(0), |a| Value::bool(a <= i128::from(low(arg(1).raw())))),
        Code::AtLeast => one(arg(0), |a| Value::bool(a >= i128::from(low(arg(1).raw())))),
        Code::RatioBelow => ratio(i128::lt),
        Code::RatioAtMost => ratio(i128::le),
        Code::RatioAbove => ratio(i128::gt),
        Code::RatioAtLeast => ratio(i128::ge),
        Code::CrossLess => cross(i128::lt),
        Code::CrossLessEq => cross(i128::le),
        Code::CrossEqual => cross(i128::eq),
        Code::CrossLessChecked => cross_checked(i128::lt),
        Code::CrossLessEqChecked => cross_checked(i128::le),
        Code::CrossEqualChecked => cross_checked(i128::eq),
        Code::And => kleene(arg(0), arg(1), Value::FALSE),
        Code::Or => kleene(arg(0), arg(1), Value::TRUE),
        Code::Not => one(arg(0), |a| Value::bool(a == 0)),
        Code::Select => one(arg(0), |a| if a == 0 { arg(2) } else { arg(1) }),
        Code::Default => {
            let first = arg(0);
            if first.is_na() { arg(1) } else { first }
        }
        Code::IsNa => Value::bool(arg(0).is_na()),
        Code::NonZero => one(arg(0), non_zero),
        Code::Divide => both(arg(0), arg(1), |a, b| divide(a, b, Rounding::HalfEven)),
        Code::DivideDown => both(arg(0), arg(1), |a, b| divide(a, b, Rounding::Floor)),
    }
}

#[inline(always)]
fn one(a: Value, f: impl FnOnce(i128) -> Value) -> Value {
    if a.is_na() { a } else { f(a.raw()) }
}

#[inline(always)]
fn both(a: Value, b: Value, f: impl FnOnce(i128, i128) -> Value) -> Value {
    if a.is_na() {
        a
    } else if b.is_na() {
        b
    } else {
        f(a.raw(), b.raw())
    }
}

/// `and` for a decisive value of false, `or` for one of true.
#[inline(always)]
fn kleene(a: Value, b: Value, decisive: Value) -> Value {
    if a == decisive || b == decisive {
        decisive
    } else if a.is_na() {
        a
    } else {
        // Known and not decisive: the result is `b`, na or the other truth.
        b
    }
}

/// Returns a result that must not leave the range of known values.
#[inline(always)]
pub(crate) fn within_limit(result: Option<i128>) -> Value {
    match result {
        Some(number) if number.unsigned_abs() <= LIMIT.unsigned_abs() => Value::of_raw(number),
        _ => Value::na(Cause::Overflow),
    }
}

#[inline(always)]
fn non_zero(a: i128) -> Value {
    if a == 0 { Value::na(Cause::DivZero) } else { Value::of_raw(a) }
}

fn divide(a: i128, b: i128, rounding: Rounding) -> Value {
    if b == 0 {
        return Value::na(Cause::DivZero);
    }
    within_limit(div_round(a, b, rounding))
}

/// Returns the low word of a number that the compiler proved to fit it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the load tests the range that proves the fit")]
fn low(number: i128) -> i64 {
    number as i64
}

/// Returns a product with a factor.
#[inline(always)]
fn scaled(a: i128, factor: Value) -> i128 {
    a.wrapping_mul(i128::from(low(factor.raw()).cast_unsigned()))
}

/// Compares a ratio with one of factors.
#[inline(always)]
fn ratio([a, b, c, d]: [Value; 4], f: fn(&i128, &i128) -> bool) -> Value {
    both(a, b, |above, below| {
        if below == 0 {
            return Value::na(Cause::DivZero);
        }
        // The difference of two products that fit the limit fits a word of 128 bits. It takes the
        // sign of the divisor: multiplying both sides by a negative number turns them round.
        let turn = below >> 127;
        let difference = scaled(above, d).wrapping_sub(scaled(below, c));
        Value::bool(f(&(difference ^ turn).wrapping_sub(turn), &0))
    })
}

/// Compares two ratios by cross-multiplication: exact for any sign of the denominators.
#[inline(always)]
fn cross(args: [Value; 4], f: fn(&i128, &i128) -> bool) -> Value {
    crossed(args, |[a, b, c, d]| {
        oriented(a.wrapping_mul(d), c.wrapping_mul(b), (b < 0) != (d < 0), f)
    })
}

#[inline(always)]
fn cross_checked(args: [Value; 4], f: fn(&i128, &i128) -> bool) -> Value {
    crossed(args, |[a, b, c, d]| match (a.checked_mul(d), c.checked_mul(b)) {
        (Some(left), Some(right)) => oriented(left, right, (b < 0) != (d < 0), f),
        _ => Value::na(Cause::Overflow),
    })
}

/// Gives `f` four known operands whose denominators are not zero. Written out: `map` and `find` of
/// an array are calls.
#[inline(always)]
fn crossed([a, b, c, d]: [Value; 4], f: impl FnOnce([i128; 4]) -> Value) -> Value {
    if a.is_na() {
        a
    } else if b.is_na() {
        b
    } else if c.is_na() {
        c
    } else if d.is_na() {
        d
    } else if b.raw() == 0 || d.raw() == 0 {
        Value::na(Cause::DivZero)
    } else {
        f([a.raw(), b.raw(), c.raw(), d.raw()])
    }
}

#[inline(always)]
fn oriented(left: i128, right: i128, turned: bool, f: fn(&i128, &i128) -> bool) -> Value {
    // Multiplying both sides by a negative number turns the comparison round.
    Value::bool(if turned { f(&right, &left) } else { f(&left, &right) })
}
