//! Numbers with a static decimal scale, kept as ratios until one number is needed.
//!
//! A `Num` stands for `num / den * 10^-scale`. Division only makes the pair; sums of pairs of the
//! same denominator stay over it; comparisons cross-multiply. So no rule loses a digit to rounding.
//! A denominator may be zero or negative when the program runs: the comparison and the reading of
//! an answer test it, and whatever would lose a zero on the way guards it first.

use super::graph::{Fault, Graph, NodeId};
use crate::bounds::Bounds;
use crate::evaluate::op::Code;
use model::num::Rounding;

use crate::evaluate::readout::Readout;
use crate::typed::Compare;
use crate::value::Value;

/// LIMIT: ten to this still fits 128 bits.
const DECIMALS_MAX: u32 = 38;

/// `num / den * 10^-scale`; no `den` means 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Num {
    pub(crate) num: NodeId,
    pub(crate) den: Option<NodeId>,
    pub(crate) scale: i32,
}

impl Num {
    /// A whole number at scale 0: booleans, integers, times.
    pub(crate) fn plain(num: NodeId) -> Self {
        Self { num, den: None, scale: 0 }
    }
}

/// Single values.
impl Graph {
    /// Returns `a + b`.
    pub(crate) fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.is_number(a, 0) || self.is_number(b, 0) {
            return if self.is_number(a, 0) { b } else { a };
        }
        let (bounds, fits) = self.bounds(a).add(self.bounds(b));
        self.op(if fits { Code::Add } else { Code::AddChecked }, &[a.min(b), a.max(b)], bounds)
    }

    /// Returns `a - b`.
    pub(crate) fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.is_number(b, 0) {
            return a;
        }
        let (bounds, fits) = self.bounds(a).sub(self.bounds(b));
        if let (true, Some((Code::Scale, left)), Some((Code::Scale, right))) =
            (fits, self.operation(a), self.operation(b))
        {
            return self.op(Code::ScaledSub, &[left[0], left[1], right[0], right[1]], bounds);
        }
        self.op(if fits { Code::Sub } else { Code::SubChecked }, &[a, b], bounds)
    }

    /// Returns `a * b`.
    pub(crate) fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.is_number(a, 1) || self.is_number(b, 1) {
            return if self.is_number(a, 1) { b } else { a };
        }
        let (left, right) = (self.bounds(a), self.bounds(b));
        let (bounds, fits) = left.mul(right);
        if fits && (self.is_factor(a) || self.is_factor(b)) {
            let (factor, other) = if self.is_factor(b) { (b, a) } else { (a, b) };
            return self.op(Code::Scale, &[other, factor], bounds);
        }
        let code = match (fits, left.is_narrow() && right.is_narrow()) {
            (true, true) => Code::MulNarrow,
            (true, false) => Code::Mul,
            (false, _) => Code::MulChecked,
        };
        self.op(code, &[a.min(b), a.max(b)], bounds)
    }

    /// Returns `-a`.
    pub(crate) fn neg(&mut self, a: NodeId) -> NodeId {
        let bounds = self.bounds(a).neg();
        self.op(Code::Neg, &[a], bounds)
    }

    /// Returns `not a`.
    pub(crate) fn not(&mut self, a: NodeId) -> NodeId {
        self.op(Code::Not, &[a], Bounds::BOOL)
    }

    /// Returns `a and b`.
    pub(crate) fn and(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.truth(a), self.truth(b)) {
            (Some(true), _) => b,
            (_, Some(true)) => a,
            (Some(false), _) | (_, Some(false)) => self.constant(Value::FALSE),
            (None, None) => self.op(Code::And, &[a, b], Bounds::BOOL),
        }
    }

    /// Returns `a or b`.
    pub(crate) fn or(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.truth(a), self.truth(b)) {
            (Some(false), _) => b,
            (_, Some(false)) => a,
            (Some(true), _) | (_, Some(true)) => self.constant(Value::TRUE),
            (None, None) => self.op(Code::Or, &[a, b], Bounds::BOOL),
        }
    }

    fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        match self.truth(condition) {
            Some(true) => return a,
            Some(false) => return b,
            None => {}
        }
        let bounds = self.bounds(a).union(self.bounds(b));
        if let (Some((Code::Sub, left)), Some((Code::Sub, right))) =
            (self.operation(a), self.operation(b))
            && (left[0], left[1]) == (right[1], right[0])
        {
            return self.op(Code::TurnedSub, &[condition, left[0], left[1]], bounds);
        }
        self.op(Code::Select, &[condition, a, b], bounds)
    }

    /// Returns a bound that counts as zero when it is below: its own floor at zero is dropped.
    pub(crate) fn unfloored(&self, bound: Num) -> Num {
        match (bound.den, self.operation(bound.num)) {
            (None, Some((Code::Max, [a, b, ..]))) if self.is_number(b, 0) => {
                Num { num: a, ..bound }
            }
            (None, Some((Code::Max, [a, b, ..]))) if self.is_number(a, 0) => {
                Num { num: b, ..bound }
            }
            _ => bound,
        }
    }

    fn non_zero(&mut self, a: NodeId) -> NodeId {
        let bounds = self.bounds(a);
        if bounds.excludes_zero() { a } else { self.op(Code::NonZero, &[a], bounds) }
    }

    fn truth(&self, node: NodeId) -> Option<bool> {
        let number = self.known(node)?.number()?;
        Some(number != 0)
    }

    fn is_number(&self, node: NodeId, number: i128) -> bool {
        self.known(node) == Some(Value::known(number))
    }

    /// Returns a constant that fits an `i64`, and its neighbours too.
    fn narrow(&self, node: NodeId) -> Option<i128> {
        let number = self.known(node)?.number()?;
        let inner = Bounds::NARROW.lo < number && number < Bounds::NARROW.hi;
        inner.then_some(number)
    }

    /// Tells whether a node is a factor, as the operations understand it.
    fn is_factor(&self, node: NodeId) -> bool {
        self.narrow(node).is_some_and(|number| number >= 0)
    }

    /// Returns ten to `exponent`; when that passes 128 bits the program cannot be laid out.
    fn power(&mut self, exponent: i32) -> i128 {
        let power = u32::try_from(exponent)
            .ok()
            .filter(|exponent| *exponent <= DECIMALS_MAX)
            .and_then(|exponent| 10_i128.checked_pow(exponent));
        power.unwrap_or_else(|| {
            self.fail(Fault::TooFar);
            1
        })
    }

    fn times_power(&mut self, node: NodeId, exponent: i32) -> NodeId {
        let power = self.power(exponent);
        let factor = self.number(power);
        self.mul(node, factor)
    }
}

/// Ratios.
impl Graph {
    /// Returns a constant, at the smallest scale that holds it.
    pub(crate) fn decimal(&mut self, mantissa: i128, decimals: u8) -> Num {
        let num = self.number(mantissa);
        self.trimmed(Num { num, den: None, scale: i32::from(decimals) })
    }

    /// Returns a whole constant at the smallest scale, so that aligning others costs least.
    fn trimmed(&mut self, mut a: Num) -> Num {
        let number = self.known(a.num).and_then(Value::number);
        if let (None, Some(mut number)) = (a.den, number) {
            while a.scale > 0 && number.checked_rem(10) == Some(0) {
                number = number.checked_div(10).unwrap_or(number);
                a.scale = a.scale.saturating_sub(1);
            }
            a.num = self.number(number);
        }
        a
    }

    /// Returns both at the larger scale.
    fn aligned(&mut self, a: Num, b: Num) -> (NodeId, NodeId, i32) {
        let scale = a.scale.max(b.scale);
        let left = self.times_power(a.num, scale.saturating_sub(a.scale));
        (left, self.times_power(b.num, scale.saturating_sub(b.scale)), scale)
    }

    /// Returns `a + b`, or `a - b`.
    pub(crate) fn sum(&mut self, a: Num, b: Num, minus: bool) -> Num {
        let (mut left, mut right, scale) = self.aligned(a, b);
        let den = if a.den == b.den {
            a.den
        } else {
            left = self.times_den(left, b.den);
            right = self.times_den(right, a.den);
            self.joined(a.den, b.den)
        };
        let num = if minus { self.sub(left, right) } else { self.add(left, right) };
        self.trimmed(Num { num, den, scale })
    }

    fn times_den(&mut self, num: NodeId, den: Option<NodeId>) -> NodeId {
        den.map_or(num, |den| self.mul(num, den))
    }

    fn joined(&mut self, a: Option<NodeId>, b: Option<NodeId>) -> Option<NodeId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.mul(a, b)),
            (one, None) | (None, one) => one,
        }
    }

    /// Returns `a * b`.
    pub(crate) fn product(&mut self, a: Num, b: Num) -> Num {
        let num = self.mul(a.num, b.num);
        let den = self.joined(a.den, b.den);
        self.trimmed(Num { num, den, scale: a.scale.saturating_add(b.scale) })
    }

    /// Returns `a / b`.
    pub(crate) fn quotient(&mut self, a: Num, b: Num) -> Num {
        // The denominator of the divisor rises above the line, where a zero would be lost.
        let lifted = b.den.map(|den| self.non_zero(den));
        let num = self.times_den(a.num, lifted);
        let mut den = self.times_den(b.num, a.den);
        let mut scale = a.scale.saturating_sub(b.scale);
        if let Some(mut number) = self.known(den).and_then(Value::number).filter(|n| *n != 0) {
            // Tens below the line are decimals above it.
            while number.checked_rem(10) == Some(0) {
                number = number.checked_div(10).unwrap_or(number);
                scale = scale.saturating_add(1);
            }
            den = self.number(number);
        }
        if self.is_number(den, 1) {
            return self.trimmed(Num { num, den: None, scale });
        }
        Num { num, den: Some(den), scale }
    }

    /// Returns `-a`.
    pub(crate) fn negated(&mut self, a: Num) -> Num {
        Num { num: self.neg(a.num), ..a }
    }

    /// Returns `|a|`.
    pub(crate) fn magnitude(&mut self, a: Num) -> Num {
        let bounds = self.bounds(a.num).abs();
        let num = self.op(Code::Abs, &[a.num], bounds);
        let den = a.den.map(|den| {
            let bounds = self.bounds(den).abs();
            self.op(Code::Abs, &[den], bounds)
        });
        Num { num, den, scale: a.scale }
    }

    /// Returns the larger, or the smaller.
    pub(crate) fn extreme(&mut self, a: Num, b: Num, larger: bool) -> Num {
        if a.den.is_some() || b.den.is_some() {
            let first = self.compare(if larger { Compare::Greater } else { Compare::Less }, a, b);
            return self.choose(first, a, b);
        }
        let (left, right, scale) = self.aligned(a, b);
        let (x, y) = (self.bounds(left), self.bounds(right));
        let (code, bounds) = if larger { (Code::Max, x.max(y)) } else { (Code::Min, x.min(y)) };
        let num = self.op(code, &[left, right], bounds);
        self.trimmed(Num { num, den: None, scale })
    }

    /// Returns `if condition then a else b`.
    pub(crate) fn choose(&mut self, condition: NodeId, a: Num, b: Num) -> Num {
        match self.truth(condition) {
            Some(true) => return a,
            Some(false) => return b,
            None => {}
        }
        let (left, right, scale) = self.aligned(a, b);
        let num = self.select(condition, left, right);
        let den = if a.den == b.den {
            a.den
        } else {
            let one = self.number(1);
            Some(self.select(condition, a.den.unwrap_or(one), b.den.unwrap_or(one)))
        };
        Num { num, den, scale }
    }

    /// Returns `a ?? b`.
    pub(crate) fn fallback(&mut self, a: Num, b: Num) -> Num {
        if a.den.is_some() || b.den.is_some() {
            let unknown = self.unknown(a);
            return self.choose(unknown, b, a);
        }
        match self.known(a.num) {
            Some(value) if value.is_na() => return b,
            Some(_) => return a,
            None => {}
        }
        let raise = b.scale.saturating_sub(a.scale);
        if raise > 0 && !self.raises(a.num, raise) {
            // An overflow of the alignment is no reason to take the other value.
            let unknown = self.unknown(a);
            return self.choose(unknown, b, a);
        }
        let (left, right, scale) = self.aligned(a, b);
        let bounds = self.bounds(left).union(self.bounds(right));
        Num { num: self.op(Code::Default, &[left, right], bounds), den: None, scale }
    }

    /// Returns `a is na`.
    pub(crate) fn unknown(&mut self, a: Num) -> NodeId {
        let above = self.op(Code::IsNa, &[a.num], Bounds::BOOL);
        let Some(den) = a.den else { return above };
        let guarded = self.non_zero(den);
        let below = self.op(Code::IsNa, &[guarded], Bounds::BOOL);
        self.or(above, below)
    }

    /// Returns the truth of a comparison.
    pub(crate) fn compare(&mut self, compare: Compare, a: Num, b: Num) -> NodeId {
        match compare {
            Compare::Less => self.ordered(Relation::Less, a, b),
            Compare::LessEq => self.ordered(Relation::LessEq, a, b),
            Compare::Greater => self.ordered(Relation::Less, b, a),
            Compare::GreaterEq => self.ordered(Relation::LessEq, b, a),
            Compare::Equal => self.ordered(Relation::Equal, a, b),
            Compare::NotEqual if a.den.is_some() || b.den.is_some() => {
                let equal = self.ordered(Relation::Equal, a, b);
                self.not(equal)
            }
            Compare::NotEqual => {
                let (left, right, _) = self.aligned(a, b);
                self.op(Code::NotEqual, &[left, right], Bounds::BOOL)
            }
        }
    }

    fn ordered(&mut self, relation: Relation, a: Num, b: Num) -> NodeId {
        if a.den.is_none() && b.den.is_none() {
            let (left, right, _) = self.aligned(a, b);
            return self.single(relation, left, right);
        }
        if a.den == b.den {
            // Over the same denominator the difference against zero needs no large products.
            let difference = self.sum(a, b, true);
            let zero = Num { num: self.number(0), den: None, scale: difference.scale };
            return self.crossed(relation, difference, zero);
        }
        self.crossed(relation, a, b)
    }

    fn single(&mut self, relation: Relation, a: NodeId, b: NodeId) -> NodeId {
        // Values are integers: less than a constant is at most the one before it.
        let (code, value, bound) = match (relation, self.narrow(a), self.narrow(b)) {
            (Relation::Less, None, Some(bound)) => (Code::AtMost, a, bound.saturating_sub(1)),
            (Relation::LessEq, None, Some(bound)) => (Code::AtMost, a, bound),
            (Relation::Less, Some(bound), None) => (Code::AtLeast, b, bound.saturating_add(1)),
            (Relation::LessEq, Some(bound), None) => (Code::AtLeast, b, bound),
            _ => return self.op(relation.plain(), &[a, b], Bounds::BOOL),
        };
        let bound = self.number(bound);
        self.op(code, &[value, bound], Bounds::BOOL)
    }

    /// `a.num * b.den` against `b.num * a.den`, the scales aligned where it costs least.
    fn crossed(&mut self, relation: Relation, a: Num, b: Num) -> NodeId {
        let one = self.number(1);
        let [mut above, below] = [a.num, a.den.unwrap_or(one)];
        let [mut other, mut beneath] = [b.num, b.den.unwrap_or(one)];
        let raise = b.scale.saturating_sub(a.scale);
        let mut divisor = below;
        if raise > 0 {
            // A constant takes the power of ten for nothing.
            if self.known(beneath).is_some() {
                beneath = self.times_power(beneath, raise);
            } else {
                above = self.times_power(above, raise);
            }
        } else if raise < 0 {
            let raise = raise.saturating_neg();
            if self.known(divisor).is_some() {
                divisor = self.times_power(divisor, raise);
            } else {
                other = self.times_power(other, raise);
            }
        }
        let (_, left_fits) = self.bounds(above).mul(self.bounds(beneath));
        let (_, right_fits) = self.bounds(other).mul(self.bounds(divisor));
        let fits = left_fits && right_fits;
        let (left, right) = ([above, divisor], [other, beneath]);
        let (code, [above, divisor], [other, beneath]) = match relation.ratio() {
            Some((code, _)) if fits && self.is_fraction(right) => (code, left, right),
            Some((_, code)) if fits && self.is_fraction(left) => (code, right, left),
            _ => (relation.cross(fits), left, right),
        };
        self.op(code, &[above, divisor, other, beneath], Bounds::BOOL)
    }

    /// Tells whether a ratio is one of factors.
    fn is_fraction(&self, [above, below]: [NodeId; 2]) -> bool {
        self.is_factor(above) && self.is_factor(below) && self.bounds(below).excludes_zero()
    }
}

/// One number.
impl Graph {
    /// Returns how to read `a` as a multiple of `step` at `decimals` decimals.
    pub(crate) fn readout(&mut self, a: Num, decimals: u8, step: i128) -> Readout {
        let shift = i32::from(decimals).saturating_sub(a.scale);
        let (up, down) = if shift >= 0 {
            (self.power(shift), 1)
        } else {
            (1, self.power(shift.saturating_neg()))
        };
        let down = down.checked_mul(step).unwrap_or_else(|| {
            self.fail(Fault::TooFar);
            1
        });
        Readout::new(a.num, a.den, up, down, step)
    }

    /// Returns the multiple of `step` at `decimals` decimals that `a` is rounded to.
    pub(crate) fn stepped(&mut self, a: Num, decimals: u8, step: i128, rounding: Rounding) -> Num {
        let shift = i32::from(decimals).saturating_sub(a.scale);
        let one = self.number(1);
        let (mut num, mut den) = (a.num, a.den.unwrap_or(one));
        if shift >= 0 {
            num = self.times_power(num, shift);
        } else {
            den = self.times_power(den, shift.saturating_neg());
        }
        let step = self.number(step);
        den = self.mul(den, step);
        if rounding == Rounding::Ceil {
            num = self.neg(num);
        }
        let most = self.bounds(num).abs().hi;
        // A known divisor brings the range back; any is an integer, so it never widens it.
        let divisor = self.known(den).and_then(Value::number).unwrap_or(1).saturating_abs().max(1);
        let hi = most.checked_div(divisor).unwrap_or(most).saturating_add(1).min(most);
        let bounds = Bounds { lo: hi.saturating_neg(), hi };
        let code = match rounding {
            Rounding::HalfEven => Code::Divide,
            Rounding::Floor | Rounding::Ceil => Code::DivideDown,
        };
        let mut whole = self.op(code, &[num, den], bounds);
        if rounding == Rounding::Ceil {
            whole = self.neg(whole);
        }
        Num { num: self.mul(whole, step), den: None, scale: i32::from(decimals) }
    }

    /// Returns one number for an indicator, rounded half-even, with its scale: at most `finest`
    /// decimals, fewer where that alone keeps the division proved, but never less than `coarsest`.
    pub(crate) fn rounded(&mut self, a: Num, coarsest: u8, finest: u8) -> (NodeId, i32) {
        let (coarsest, mut scale) = (i32::from(coarsest), i32::from(finest));
        if a.den.is_none() && a.scale <= scale {
            let missing = a.scale.saturating_neg();
            // A negative scale, as money over a quantity can have, becomes zero.
            return (self.times_power(a.num, missing.max(0)), a.scale.max(0));
        }
        while scale > coarsest.max(a.scale) && !self.raises(a.num, scale.saturating_sub(a.scale)) {
            scale = scale.saturating_sub(1);
        }
        let one = self.number(1);
        let (mut num, mut den) = (a.num, a.den.unwrap_or(one));
        if scale >= a.scale {
            num = self.times_power(num, scale.saturating_sub(a.scale));
        } else {
            den = self.times_power(den, a.scale.saturating_sub(scale));
        }
        // The quotient is never larger than the numerator: denominators are integers.
        let largest = self.bounds(num).abs().hi;
        let bounds = Bounds { lo: largest.saturating_neg(), hi: largest };
        (self.op(Code::Divide, &[num, den], bounds), scale)
    }

    fn raises(&self, node: NodeId, exponent: i32) -> bool {
        let power = u32::try_from(exponent).ok().and_then(|power| 10_i128.checked_pow(power));
        power.is_some_and(|power| self.bounds(node).mul(Bounds::exact(power)).1)
    }
}

/// The comparisons that are operations.
#[derive(Clone, Copy, Debug)]
enum Relation {
    Less,
    LessEq,
    Equal,
}

impl Relation {
    fn plain(self) -> Code {
        match self {
            Self::Less => Code::Less,
            Self::LessEq => Code::LessEq,
            Self::Equal => Code::Equal,
        }
    }

    /// Returns the comparisons with a constant ratio on the right, and on the left.
    fn ratio(self) -> Option<(Code, Code)> {
        match self {
            Self::Less => Some((Code::RatioBelow, Code::RatioAbove)),
            Self::LessEq => Some((Code::RatioAtMost, Code::RatioAtLeast)),
            Self::Equal => None,
        }
    }

    fn cross(self, fits: bool) -> Code {
        match (self, fits) {
            (Self::Less, true) => Code::CrossLess,
            (Self::LessEq, true) => Code::CrossLessEq,
            (Self::Equal, true) => Code::CrossEqual,
            (Self::Less, false) => Code::CrossLessChecked,
            (Self::LessEq, false) => Code::CrossLessEqChecked,
            (Self::Equal, false) => Code::CrossEqualChecked,
        }
    }
}
