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
    up: i128,
    /// Static factor below; contains the step.
    down: i128,
    /// Tick or lot of the result.
    step: i128,
    /// The three where they fit words.
    narrow: Option<[i64; 3]>,
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
    /// Returns how to read `num / den`, by static factors and a step that `down` contains.
    pub(crate) fn new(num: u16, den: u16, up: i128, down: i128, step: i128) -> Self {
        let small = |number: i128| i64::try_from(number).ok();
        let narrow = small(up).zip(small(down)).zip(small(step));
        let narrow = narrow.map(|((up, down), step)| [up, down, step]);
        Self { num, den, up, down, step, narrow }
    }

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
        if let Some(quotient) = self.narrow(num, den, rounding) {
            return Value::known(i128::from(quotient));
        }
        self.wide(num, den, rounding)
    }

    #[cold]
    #[inline(never)]
    fn wide(&self, num: Value, den: Value, rounding: Rounding) -> Value {
        let quotient = num.raw().checked_mul(self.up).and_then(|above| {
            div_round(above, den.raw().checked_mul(self.down)?, rounding)?.checked_mul(self.step)
        });
        op::within_limit(quotient)
    }

    /// Returns the number where it and all on the way fit 64 bits, as nearly always: a product or a
    /// division of 128 bits costs several times one of 64.
    #[inline]
    fn narrow(&self, num: Value, den: Value, rounding: Rounding) -> Option<i64> {
        let small = |number: i128| i64::try_from(number).ok();
        let [up, down, step] = self.narrow?;
        let above = small(num.raw())?.checked_mul(up)?;
        let below = small(den.raw())?.checked_mul(down)?;
        let quotient = match rounding {
            _ if below == 1 => above,
            Rounding::Floor if above >= 0 && below > 0 => above.checked_div(below)?,
            Rounding::Floor | Rounding::Ceil | Rounding::HalfEven => return None,
        };
        quotient.checked_mul(step)
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
