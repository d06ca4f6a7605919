//! Numbers out of registers: a ratio and a static factor become one integer, rounded as told.
//!
//! Done when an answer is asked for, not in the program: most answers of most runs are not.

use model::num::{Rounding, div_round};
use model::order::Cause;

use super::{Registers, op};
use crate::value::Value;

/// `step * round(num * up / (den * down))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readout {
    /// Register of the numerator.
    pub(crate) num: u16,
    /// Register of the denominator.
    pub(crate) den: u16,
    /// Static factor above.
    pub(crate) up: i128,
    /// Static factor below; contains the step.
    pub(crate) down: i128,
    /// Tick or lot of the result.
    pub(crate) step: i128,
}

/// Two sides of a comparison, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    /// Left.
    pub(crate) observed: Readout,
    /// Right.
    pub(crate) limit: Readout,
}

impl Readout {
    /// Returns the number.
    #[inline]
    pub(crate) fn read(&self, registers: &Registers, rounding: Rounding) -> Value {
        let (num, den) = (registers.get(self.num), registers.get(self.den));
        if num.is_na() {
            return num;
        }
        if den.is_na() {
            return den;
        }
        if den.raw() == 0 {
            return Value::na(Cause::DivZero);
        }
        let quotient = num.raw().checked_mul(self.up).and_then(|above| {
            divide(above, den.raw().checked_mul(self.down)?, rounding)?.checked_mul(self.step)
        });
        op::within_limit(quotient)
    }

    /// Moves the registers.
    pub(crate) fn relocate(&mut self, place: impl Fn(u16) -> u16) {
        self.num = place(self.num);
        self.den = place(self.den);
    }
}

impl Sides {
    /// Returns both sides, `None` when one is unknown; what passes an `i64` ends at its bound.
    pub(crate) fn read(&self, registers: &Registers) -> Option<(i64, i64)> {
        let narrow = |readout: &Readout| {
            let number = readout.read(registers, Rounding::Floor).number()?;
            let bound = if number < 0 { i64::MIN } else { i64::MAX };
            Some(i64::try_from(number).unwrap_or(bound))
        };
        Some((narrow(&self.observed)?, narrow(&self.limit)?))
    }

    /// Moves the registers.
    pub(crate) fn relocate(&mut self, place: impl Fn(u16) -> u16) {
        self.observed.relocate(&place);
        self.limit.relocate(&place);
    }
}

/// Divides; a division of 128 bits costs several times one of 64, and nearly all values fit 64.
#[inline]
fn divide(above: i128, below: i128, rounding: Rounding) -> Option<i128> {
    if below == 1 {
        return Some(above);
    }
    match (rounding, i64::try_from(above), i64::try_from(below)) {
        (Rounding::Floor, Ok(a), Ok(b)) if a >= 0 && b > 0 => a.checked_div(b).map(i128::from),
        _ => div_round(above, below, rounding),
    }
}
