//! Prices, quantities, money and rounding.
//!
//! Prices and quantities are `i64` mantissas at the instrument's own decimal scale, so every
//! venue's numbers are exact. Money is `i128` at 1e-9. Every operation is checked: `None` means
//! overflow or division by zero, and what is unknown refuses.

/// Decimals of money: one unit of [`Money`] is 1e-9 of the asset.
pub const MONEY_SCALE: u8 = 9;
/// Decimals of a [`Rate`]: 1 is 1e-9, one basis point is 100,000.
pub const RATE_SCALE: u8 = 9;
/// LIMIT: the largest scale of a price or quantity; 10^18 still fits an `i64`.
pub const SCALE_MAX: u8 = 18;

/// A price as a mantissa at the instrument's price scale. Any sign, so that spreads are prices too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

/// A quantity as a mantissa at the instrument's quantity scale; signed where it is a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qty(pub i64);

/// An amount of one asset in units of 1e-9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i128);

/// A dimensionless share in units of 1e-9: `Rate(5_000_000)` is 0.5 % or 50 basis points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

/// A number of decimals, at most [`SCALE_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scale(u8);

/// Where an inexact quotient goes. Money rounds against us, so each call names its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// To the nearest, halves to the even neighbour: indicators.
    HalfEven,
}

impl Scale {
    /// Returns the scale of `decimals` decimals, `None` above [`SCALE_MAX`].
    #[must_use]
    pub const fn new(decimals: u8) -> Option<Self> {
        if decimals > SCALE_MAX { None } else { Some(Self(decimals)) }
    }

    /// Returns the number of decimals.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.0
    }

    /// Returns ten to this scale: the mantissa of one.
    #[must_use]
    pub fn one(self) -> i128 {
        pow10(self.0).unwrap_or(i128::MAX)
    }
}

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Returns `whole` units of the asset.
    #[must_use]
    pub const fn units(whole: i64) -> Self {
        // An i64 times 1e9 always fits an i128.
        Self((whole as i128).saturating_mul(1_000_000_000))
    }

    /// Returns the sum, `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Returns the difference, `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Returns this amount times `rate`, rounded as told.
    #[must_use]
    pub fn times_rate(self, rate: Rate, rounding: Rounding) -> Option<Self> {
        mul_div(self.0, i128::from(rate.0), 1_000_000_000, rounding).map(Self)
    }

    /// Returns the amount in an `i64` of the same unit; values outside end at the nearest bound.
    /// Only for fields of records that are read, never computed with.
    #[must_use]
    pub fn saturating_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Returns ten to `exponent`, `None` when that passes `i128` (above 38).
#[must_use]
pub fn pow10(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

/// Returns `a / b` rounded as told; `None` for a zero divisor or on overflow.
#[must_use]
pub fn div_round(a: i128, b: i128, rounding: Rounding) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let rest = a.checked_rem(b)?;
    if rest == 0 {
        return Some(quotient);
    }
    let negative = (rest < 0) != (b < 0);
    let away = if negative { quotient.checked_sub(1)? } else { quotient.checked_add(1)? };
    let picked = match rounding {
        Rounding::Floor => negative,
        Rounding::Ceil => !negative,
        Rounding::HalfEven => {
            let rest = rest.unsigned_abs();
            let other = b.unsigned_abs().checked_sub(rest)?;
            rest > other || (rest == other && quotient.checked_rem(2)? != 0)
        }
    };
    Some(if picked { away } else { quotient })
}

/// Returns `a * b / c` rounded as told; `None` for a zero divisor or when the product overflows.
#[must_use]
pub fn mul_div(a: i128, b: i128, c: i128, rounding: Rounding) -> Option<i128> {
    div_round(a.checked_mul(b)?, c, rounding)
}

/// Returns the mantissa of `value` brought from scale `from` to scale `to` (decimals).
#[must_use]
pub fn rescale(value: i128, from: u8, to: u8, rounding: Rounding) -> Option<i128> {
    if to >= from {
        value.checked_mul(pow10(to.checked_sub(from)?)?)
    } else {
        div_round(value, pow10(from.checked_sub(to)?)?, rounding)
    }
}

/// Returns `price * qty` as money, for mantissas at the two scales given.
#[must_use]
pub fn notional(
    price: i128,
    price_decimals: u8,
    qty: i128,
    qty_decimals: u8,
    rounding: Rounding,
) -> Option<Money> {
    let product = price.checked_mul(qty)?;
    let decimals = price_decimals.checked_add(qty_decimals)?;
    rescale(product, decimals, MONEY_SCALE, rounding).map(Money)
}

#[cfg(test)]
mod tests;
