//! Signed holdings with their cost.
//!
//! The cost is kept as money, not as an average price. Reducing by q moves `basis * q / |P|` out,
//! rounded once against us; what is left stays in the basis, so rounding makes no money.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Money, Rounding, mul_div};
use model::time::Nanos;

/// A holding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed quantity in units of 1e-9 of the base.
    pub qty: Money,
    /// Cost of what is held, never negative, in the quote asset.
    pub basis: Money,
    /// When the holding left flat or changed its sign; meaningless while flat.
    pub since: Nanos,
}

impl Position {
    /// Tells whether nothing is held.
    #[inline]
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.qty.0 == 0
    }

    /// Returns the basis with the sign of the holding: what unrealised profit is measured against.
    #[must_use]
    pub fn signed_basis(&self) -> Money {
        if self.qty.0 < 0 { Money(self.basis.0.saturating_neg()) } else { self.basis }
    }

    /// Applies a trade of `delta` (signed, 1e-9 of the base) that cost or brought `value` at `now`.
    /// Returns the money realised, rounded down; `None` on overflow, and then the holding is void.
    pub fn trade(&mut self, delta: Money, value: Money, now: Nanos) -> Option<Money> {
        let held = self.qty.0;
        let after = held.checked_add(delta.0)?;
        if held == 0 || (held < 0) == (delta.0 < 0) {
            self.basis = self.basis.checked_add(value)?;
            self.qty = Money(after);
            self.since = if held == 0 { now } else { self.since };
            return Some(Money::ZERO);
        }
        let size = held.checked_abs()?;
        let closing = delta.0.checked_abs()?.min(size);
        // Against us: a long gives more cost away and gets less for it; a short the other way
        // round.
        let (cost_round, value_round) = if held > 0 {
            (Rounding::Ceil, Rounding::Floor)
        } else {
            (Rounding::Floor, Rounding::Ceil)
        };
        let cost = mul_div(self.basis.0, closing, size, cost_round)?;
        let part = mul_div(value.0, closing, delta.0.checked_abs()?, value_round)?;
        let realised = if held > 0 { part.checked_sub(cost)? } else { cost.checked_sub(part)? };
        let flips = after != 0 && (after < 0) != (held < 0);
        let rest = self.basis.0.checked_sub(cost)?;
        self.basis = if flips { value.checked_sub(Money(part))? } else { Money(rest) };
        self.qty = Money(after);
        self.since = if flips { now } else { self.since };
        Some(Money(realised))
    }
}

impl Image for Position {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.qty);
        out.put(self.basis);
        out.put(self.since);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.qty = from.take()?;
        self.basis = from.take()?;
        self.since = from.take()?;
        Ok(())
    }
}
