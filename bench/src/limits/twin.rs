//! `rules/limits.rules`, block `core`, for BTC_USDT.PERP, written by hand.
//!
//! Parameters are constants, shares are compared by multiplying with small ones, nothing is read
//! twice and nothing is tested that the ranges of the [`World`] exclude: money is below 2^95,
//! prices fit 64 bits, so no product here passes 128.

use dsl::evaluate::{CapBound, Outcome};
use dsl::value::Truth;
use model::order::Cause;

use super::{Answers, World};

const USD: i128 = 1_000_000_000;
const MAX_FEED_AGE_NS: i64 = 2_000_000_000;
const MAX_ORDER: i128 = 5_000 * USD;
const MIN_ORDER: i128 = 10 * USD;

const MISSING: Outcome = Outcome::Refuse(Cause::Missing);
const REFUSED: Outcome = Outcome::Refuse(Cause::Known);

/// Judges an order.
#[inline(never)]
pub fn judge(world: &World, answers: &mut Answers) {
    let World { reduces, .. } = *world;
    answers.latches = [
        truth(world.level >= 2),
        truth(world.level >= 1),
        falls::<10>(world.day_loss),
        falls::<5>(world.drawdown),
        falls::<20>(world.day_drawdown),
    ];
    answers.caps = [
        CapBound::Bound(MAX_ORDER),
        room::<30>(world.equity, world.exposure, reduces),
        room::<15>(world.equity, world.symbol_exposure, reduces),
    ];
    let (collar, far_away) = bands(world);
    answers.checks = [
        deny(!(world.synced | reduces)),
        deny(!world.accepts),
        match world.age_ns {
            _ if reduces => Outcome::Pass,
            Some(age) => deny(age > MAX_FEED_AGE_NS),
            None => MISSING,
        },
        if world.protected { Outcome::Pass } else { collar },
        far_away,
        match world.value {
            _ if reduces => Outcome::Pass,
            Some(value) => deny(value < MIN_ORDER),
            None => MISSING,
        },
        deny(world.crosses),
        match (world.locks, world.free) {
            (Some(locks), Some(free)) => deny(locks > free),
            _ => MISSING,
        },
    ];
}

#[inline(always)]
fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

#[inline(always)]
fn deny(holds: bool) -> Outcome {
    if holds { REFUSED } else { Outcome::Pass }
}

/// `over / under >= 1 / PARTS`
#[inline(always)]
fn falls<const PARTS: i128>(share: Option<(i128, i128)>) -> Truth {
    let Some((over, under)) = share else { return Truth::Unknown(Cause::Missing) };
    let scaled = over.wrapping_mul(PARTS);
    if under > 0 {
        truth(scaled >= under)
    } else if under == 0 {
        Truth::Unknown(Cause::DivZero)
    } else {
        truth(scaled <= under)
    }
}

/// `max(PERCENT% * equity - exposure, 0)`, rounded down.
#[inline(always)]
fn room<const PERCENT: i128>(
    equity: Option<i128>,
    exposure: Option<i128>,
    reduces: bool,
) -> CapBound {
    if reduces {
        return CapBound::Exempt;
    }
    let (Some(equity), Some(exposure)) = (equity, exposure) else {
        return CapBound::Unknown(Cause::Missing);
    };
    let hundredths = equity.wrapping_mul(PERCENT).wrapping_sub(exposure.wrapping_mul(100));
    if hundredths <= 0 {
        return CapBound::Bound(0);
    }
    // A division of 128 bits costs several times one of 64, and nearly all amounts fit 64.
    CapBound::Bound(match u64::try_from(hundredths) {
        Ok(hundredths) => i128::from(hundredths / 100),
        Err(_) => hundredths / 100,
    })
}

/// PRICE_COLLAR and FAR_AWAY: paying more than 0.5 % beyond the fair price, or 10 % short of it.
#[inline(always)]
fn bands(world: &World) -> (Outcome, Outcome) {
    // At the scale of the middle: one decimal more than prices.
    let fair = match (world.mid, world.last) {
        (Some(mid), _) => i128::from(mid),
        (None, Some(last)) => i128::from(last).wrapping_mul(10),
        (None, None) => return (MISSING, MISSING),
    };
    let Some(price) = world.price else { return (MISSING, MISSING) };
    let above = i128::from(price).wrapping_mul(10).wrapping_sub(fair);
    let beyond = if world.is_buy { above } else { above.wrapping_neg() };
    let (pays, short) = (beyond.wrapping_mul(200), beyond.wrapping_mul(-10));
    if fair > 0 {
        (deny(pays > fair), deny(short > fair))
    } else if fair == 0 {
        (Outcome::Refuse(Cause::DivZero), Outcome::Refuse(Cause::DivZero))
    } else {
        (deny(pays < fair), deny(short < fair))
    }
}
