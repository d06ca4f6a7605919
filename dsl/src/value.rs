//! What a register holds: an integer, or `na` with its cause.
//!
//! A value is one `i128`. The lowest numbers of its range stand for `na`, one for each cause: the
//! compiler proves that no known value comes near them, so the high word alone tells known from
//! unknown and a value costs no second word.

use model::order::Cause;

/// The high word of every `na`, and of no known value.
const NA_HIGH: i128 = i64::MIN as i128;

/// An integer at a scale that the compiler knows, or `na`. Booleans are 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(i128);

/// The truth of a condition in Kleene's logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Known to be true.
    True,
    /// Known to be false.
    False,
    /// Not known, and why.
    Unknown(Cause),
}

impl Value {
    /// False.
    pub const FALSE: Self = Self(0);
    /// True.
    pub const TRUE: Self = Self(1);
    /// Unknown because the input is missing.
    pub const MISSING: Self = Self::na(Cause::Missing);

    /// Returns a known value; one that would collide with `na` is an overflow.
    #[inline]
    #[must_use]
    pub const fn known(number: i128) -> Self {
        if Self(number).is_na() { Self::na(Cause::Overflow) } else { Self(number) }
    }

    /// Returns the value of a stored word: a number that is proved to be no `na`, or a
    /// [`Value::raw`].
    #[inline]
    #[must_use]
    pub(crate) const fn of_raw(word: i128) -> Self {
        Self(word)
    }

    /// Returns `na` with a cause; `Cause::Known` is taken as missing.
    #[inline]
    #[must_use]
    pub const fn na(cause: Cause) -> Self {
        let code = match cause {
            Cause::Overflow => 1,
            Cause::DivZero => 2,
            Cause::Known | Cause::Missing => 3,
            Cause::Warmup => 4,
            Cause::Flat => 5,
        };
        Self(i128::MIN.wrapping_add(code))
    }

    /// Returns a known boolean.
    #[inline]
    #[must_use]
    pub const fn bool(truth: bool) -> Self {
        Self(truth as i128)
    }

    /// Tells whether this is a known boolean, and that one.
    #[inline]
    #[must_use]
    pub(crate) const fn is(self, truth: bool) -> bool {
        self.0 == truth as i128
    }

    /// Returns a known value, or missing for `None`. A number that would collide with `na` is one:
    /// unknown in any case, for a cause that means nothing.
    #[inline]
    #[must_use]
    pub fn of(number: Option<i128>) -> Self {
        number.map_or(Self::MISSING, Self)
    }

    /// Tells whether the value is unknown.
    #[inline]
    #[must_use]
    pub const fn is_na(self) -> bool {
        self.0 >> 64 == NA_HIGH
    }

    /// Returns the number, `None` when unknown.
    #[inline]
    #[must_use]
    pub const fn number(self) -> Option<i128> {
        if self.is_na() { None } else { Some(self.0) }
    }

    /// Returns the stored word, for arithmetic that has tested [`Value::is_na`] already.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// Returns why the value is unknown, `Cause::Known` when it is known.
    #[inline]
    #[must_use]
    pub const fn cause(self) -> Cause {
        if self.is_na() { self.cause_of_na() } else { Cause::Known }
    }

    #[cold]
    const fn cause_of_na(self) -> Cause {
        match self.0.wrapping_sub(i128::MIN) {
            1 => Cause::Overflow,
            2 => Cause::DivZero,
            4 => Cause::Warmup,
            5 => Cause::Flat,
            _ => Cause::Missing,
        }
    }

    /// Returns the value as a truth.
    #[inline]
    #[must_use]
    pub const fn truth(self) -> Truth {
        if self.is_na() {
            Truth::Unknown(self.cause())
        } else if self.0 == 0 {
            Truth::False
        } else {
            Truth::True
        }
    }
}
