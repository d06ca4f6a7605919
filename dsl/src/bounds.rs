//! Ranges of register values, from which the compiler proves that an operation cannot overflow.
//!
//! A range always covers every known value that the register can hold; `na` needs no range. What
//! passes `LIMIT` is cut to it, because the checked operation then gives OVERFLOW instead.

use crate::evaluate::op::LIMIT;

/// All known values of a register lie in `lo..=hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Smallest.
    pub(crate) lo: i128,
    /// Largest.
    pub(crate) hi: i128,
}

impl Bounds {
    /// Whatever a register can hold.
    pub(crate) const ANY: Self = Self { lo: -LIMIT, hi: LIMIT };
    /// False and true.
    pub(crate) const BOOL: Self = Self { lo: 0, hi: 1 };
    /// Prices, quantities and times: what an `i64` holds, without its lonely smallest number.
    pub(crate) const NARROW: Self = Self { lo: -(i64::MAX as i128), hi: i64::MAX as i128 };
    /// Money: below 2^95 units of 1e-9, that is 4e19 units of the asset.
    pub(crate) const MONEY: Self = Self { lo: -((1 << 95) - 1), hi: (1 << 95) - 1 };

    /// Returns the range of one number.
    pub(crate) fn exact(number: i128) -> Self {
        Self { lo: number, hi: number }
    }

    /// Returns the range of sums, and whether all of them fit.
    pub(crate) fn add(self, other: Self) -> (Self, bool) {
        Self::of(&[self.lo.checked_add(other.lo), self.hi.checked_add(other.hi)])
    }

    /// Returns the range of differences, and whether all of them fit.
    pub(crate) fn sub(self, other: Self) -> (Self, bool) {
        Self::of(&[self.lo.checked_sub(other.hi), self.hi.checked_sub(other.lo)])
    }

    /// Returns the range of products, and whether all of them fit.
    pub(crate) fn mul(self, other: Self) -> (Self, bool) {
        Self::of(&[
            self.lo.checked_mul(other.lo),
            self.lo.checked_mul(other.hi),
            self.hi.checked_mul(other.lo),
            self.hi.checked_mul(other.hi),
        ])
    }

    /// Returns the range of negated values.
    pub(crate) fn neg(self) -> Self {
        Self { lo: self.hi.saturating_neg(), hi: self.lo.saturating_neg() }
    }

    /// Returns the range of magnitudes.
    pub(crate) fn abs(self) -> Self {
        let (lo, hi) = (self.lo.saturating_abs(), self.hi.saturating_abs());
        let least = if self.lo <= 0 && self.hi >= 0 { 0 } else { lo.min(hi) };
        Self { lo: least, hi: lo.max(hi) }
    }

    /// Returns the range of the larger of two.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { lo: self.lo.max(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Returns the range of the smaller of two.
    pub(crate) fn min(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.min(other.hi) }
    }

    /// Returns the smallest range that covers both.
    pub(crate) fn union(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Tells whether an `i64` holds every value.
    pub(crate) fn is_narrow(self) -> bool {
        self.lo >= Self::NARROW.lo && self.hi <= Self::NARROW.hi
    }

    /// Tells whether no value is zero.
    pub(crate) fn excludes_zero(self) -> bool {
        self.lo > 0 || self.hi < 0
    }

    fn of(corners: &[Option<i128>]) -> (Self, bool) {
        let fits =
            |corner: &Option<i128>| corner.is_some_and(|number| (-LIMIT..=LIMIT).contains(&number));
        if !corners.iter().all(fits) {
            return (Self::ANY, false);
        }
        let numbers = || corners.iter().flatten().copied();
        let lo = numbers().min().unwrap_or(-LIMIT);
        (Self { lo, hi: numbers().max().unwrap_or(LIMIT) }, true)
    }
}
