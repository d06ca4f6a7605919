//! Exact arithmetic of the oracles: rationals, and the roundings of accounts.md.

use num_bigint::BigInt;
pub(crate) use num_rational::BigRational as Exact;

pub(crate) fn whole(value: impl Into<BigInt>) -> Exact {
    Exact::from_integer(value.into())
}

pub(crate) fn zero() -> Exact {
    whole(0)
}

pub(crate) fn abs(value: &Exact) -> Exact {
    if *value < zero() { -value } else { value.clone() }
}

/// Returns a mantissa at its decimals.
pub(crate) fn scaled(mantissa: impl Into<BigInt>, decimals: u8) -> Exact {
    Exact::new(mantissa.into(), BigInt::from(10).pow(decimals.into()))
}

pub(crate) fn down_to(value: &Exact, decimals: u8) -> Exact {
    let one = whole(BigInt::from(10).pow(decimals.into()));
    (value * &one).floor() / one
}

pub(crate) fn up_to(value: &Exact, decimals: u8) -> Exact {
    -down_to(&-value, decimals)
}

/// Rounds money down: to 1e-9.
pub(crate) fn down(value: &Exact) -> Exact {
    down_to(value, 9)
}

/// Rounds money up.
pub(crate) fn up(value: &Exact) -> Exact {
    up_to(value, 9)
}

/// Trades a signed quantity for a value: moves a holding and its cost, and returns what was
/// realised, rounded once against us.
pub(crate) fn trade(qty: &mut Exact, cost: &mut Exact, delta: &Exact, value: &Exact) -> Exact {
    let long = *qty > zero();
    if *qty == zero() || long == (*delta > zero()) {
        *qty += delta;
        *cost += value;
        return zero();
    }
    let (size, change) = (abs(qty), abs(delta));
    let closing = if change < size { change.clone() } else { size.clone() };
    let (part, gone) = (value * &closing / &change, &*cost * &closing / &size);
    let (part, gone) = if long { (down(&part), up(&gone)) } else { (up(&part), down(&gone)) };
    *qty += delta;
    *cost = if change > size { value - &part } else { &*cost - &gone };
    if long { part - gone } else { gone - part }
}
