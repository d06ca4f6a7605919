//! Numbers out of registers: a ratio and a static factor become one integer, rounded as told.
//!
//! Done when an answer is asked for, not in the program: most answers of most runs are not.

use model::num::{Rounding, div_round};
use model::order::Cause;

use super::{Registers, op};
use crate::typed::Compare;
use crate::value::Value;

/// `step * round(num * up / (den * down))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readout {
    /// Register of the numerator.
    pub(crate) num: u16,
    /// Register of the denominator; none is a whole number.
    pub(crate) den: Option<u16>,
    /// Static factor above.
    up: i128,
    /// Static factor below; contains the step.
    down: i128,
    /// Tick or lot of the result.
    step: i128,
    /// The three where they fit words.
    narrow: Option<Narrow>,
}

/// Static factors that fit words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Narrow {
    up: i64,
    down: i64,
    step: i64,
    /// `2^64 / down`, rounded down: a multiplication and a correction divide by `down`.
    reciprocal: u64,
}

/// Two sides of a comparison that said no, for messages. Each is rounded away from the other, so
/// that what is shown contradicts as what was compared does: a share of 5 % and a billionth of one
/// above a limit of 5 % is not shown as 5 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    /// Left.
    pub(crate) observed: Readout,
    /// Right.
    pub(crate) limit: Readout,
    /// Of the two.
    rounding: (Rounding, Rounding),
    compare: Compare,
}

impl Readout {
    /// Returns how to read `num / den`, by static factors and a step that `down` contains.
    pub(crate) fn new(num: u16, den: Option<u16>, up: i128, down: i128, step: i128) -> Self {
        Self { num, den, up, down, step, narrow: Narrow::new(up, down, step) }
    }

    /// Returns the number.
    #[inline]
    pub(crate) fn read(&self, registers: &Registers, rounding: Rounding) -> Value {
        let num = registers.get(self.num);
        if num.is_na() {
            return num;
        }
        let Some(den) = self.den else { return self.whole(num, rounding) };
        let den = registers.get(den);
        if den.is_na() {
            return den;
        }
        if den.raw() == 0 {
            return Value::na(Cause::DivZero);
        }
        self.wide(num, den, rounding)
    }

    /// Returns a whole number, by words where it and all on the way fit them, as nearly always: a
    /// product or a division of 128 bits costs several times one of 64.
    #[inline]
    fn whole(&self, num: Value, rounding: Rounding) -> Value {
        let word = || {
            let narrow = self.narrow?;
            let above = i64::try_from(num.raw()).ok()?.checked_mul(narrow.up)?;
            let quotient = match rounding {
                Rounding::Floor => narrow.floor(above),
                _ if narrow.down == 1 => above,
                Rounding::Ceil => narrow.floor(above.checked_neg()?).checked_neg()?,
                Rounding::HalfEven => return None,
            };
            quotient.checked_mul(narrow.step)
        };
        match word() {
            Some(number) => Value::of_raw(i128::from(number)),
            None => self.wide(num, Value::TRUE, rounding),
        }
    }

    #[cold]
    #[inline(never)]
    fn wide(&self, num: Value, den: Value, rounding: Rounding) -> Value {
        let quotient = num.raw().checked_mul(self.up).and_then(|above| {
            div_round(above, den.raw().checked_mul(self.down)?, rounding)?.checked_mul(self.step)
        });
        op::within_limit(quotient)
    }

    /// Moves the registers.
    pub(crate) fn relocate(&mut self, place: impl Fn(u16) -> u16) {
        self.num = place(self.num);
        self.den = self.den.map(place);
    }
}

impl Narrow {
    fn new(up: i128, down: i128, step: i128) -> Option<Self> {
        let small = |number: i128| i64::try_from(number).ok();
        let (up, down, step) = (small(up)?, small(down)?, small(step)?);
        let reciprocal = (1_u128 << 64).checked_div(u128::try_from(down).ok()?)?;
        Some(Self { up, down, step, reciprocal: u64::try_from(reciprocal).unwrap_or(u64::MAX) })
    }

    /// Returns `above / down`, rounded down: of a negative number, one less than what the number
    /// that is one larger and turned round gives, turned round again. Without a jump, since nobody
    /// can tell the sign of room beforehand.
    #[inline]
    fn floor(self, above: i64) -> i64 {
        let turn = above >> 63;
        self.divide(above ^ turn) ^ turn
    }

    /// Returns `above / down` of a number that is not negative, rounded down.
    ///
    /// With `r > 2^64 / down - 1` and `above < 2^63`, `above * r / 2^64` is above `above / down`
    /// less a half: what the product gives is the quotient or one less, and the rest tells which.
    #[inline]
    fn divide(self, above: i64) -> i64 {
        let product = u128::from(above.cast_unsigned()).wrapping_mul(u128::from(self.reciprocal));
        let guess = u64::try_from(product >> 64).unwrap_or(0).cast_signed();
        let rest = above.wrapping_sub(guess.wrapping_mul(self.down));
        guess.wrapping_add(i64::from(rest >= self.down))
    }
}

impl Sides {
    /// Returns the sides of a comparison that says no where it `holds`, or where it does not.
    pub(crate) fn new(observed: Readout, limit: Readout, compare: Compare, holds: bool) -> Self {
        let rounding = match (compare, holds) {
            (Compare::Greater | Compare::GreaterEq, true)
            | (Compare::Less | Compare::LessEq, false) => (Rounding::Ceil, Rounding::Floor),
            (Compare::Less | Compare::LessEq, true)
            | (Compare::Greater | Compare::GreaterEq, false) => (Rounding::Floor, Rounding::Ceil),
            (Compare::Equal | Compare::NotEqual, _) => (Rounding::Floor, Rounding::Floor),
        };
        Self { observed, limit, rounding, compare }
    }

    /// Returns both sides, `None` when one is unknown; what passes an `i64` ends at its bound.
    pub(crate) fn read(&self, registers: &Registers) -> Option<(i64, i64)> {
        let narrow = |readout: &Readout, rounding| {
            let number = readout.read(registers, rounding).number()?;
            let bound = if number < 0 { i64::MIN } else { i64::MAX };
            Some(i64::try_from(number).unwrap_or(bound))
        };
        let (observed, limit) = self.rounding;
        Some((narrow(&self.observed, observed)?, narrow(&self.limit, limit)?))
    }

    /// Compares what is observed with another limit than its own.
    pub(crate) fn against(&self, registers: &Registers, limit: i64) -> Value {
        let observed = self.observed.read(registers, self.rounding.0);
        let Some(number) = observed.number() else { return observed };
        let limit = i128::from(limit);
        Value::bool(match self.compare {
            Compare::Less => number < limit,
            Compare::LessEq => number <= limit,
            Compare::Greater => number > limit,
            Compare::GreaterEq => number >= limit,
            Compare::Equal => number == limit,
            Compare::NotEqual => number != limit,
        })
    }

    /// Moves the registers.
    pub(crate) fn relocate(&mut self, place: impl Fn(u16) -> u16) {
        self.observed.relocate(&place);
        self.limit.relocate(&place);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reciprocals_divide_at_the_ends() {
        let word = i64::MAX;
        for down in [1, 2, 3, 7, 10, 100, 1_000_000_007, 1 << 62, word - 1, word] {
            let narrow = Narrow::new(1, i128::from(down), 1).unwrap();
            for quotient in [0, 1, 2, word / down - 1, word / down] {
                for rest in [0, 1, down / 2, down - 1] {
                    let above = i128::from(quotient) * i128::from(down) + i128::from(rest);
                    let Ok(above) = i64::try_from(above) else { continue };
                    if above >= 0 {
                        assert_eq!(narrow.divide(above), above / down, "{above} / {down}");
                    }
                    for above in [above, -above, -above - 1] {
                        assert_eq!(narrow.floor(above), above.div_euclid(down), "{above} / {down}");
                    }
                }
            }
        }
        assert_eq!(Narrow::new(1, 0, 1), None);
        assert_eq!(Narrow::new(1, -1, 1), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn reciprocals_divide(above: i64, down in 1..i64::MAX, shift in 0..63_u32) {
            let down = (down >> shift).max(1);
            let narrow = Narrow::new(1, i128::from(down), 1).unwrap();
            prop_assert_eq!(narrow.floor(above), above.div_euclid(down));
        }
    }
}
