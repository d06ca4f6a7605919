//! Prices of coins: a common factor and one of each coin, with variances that feed on themselves.
//!
//! A factor's variance of the next second is a little of its usual one, two fifths of what the last
//! second did, and the rest of what it was (a GARCH(1,1) of integers): one wild second makes the
//! next ones wild, so absolute returns are correlated and large returns more frequent than a normal
//! distribution has them.

use model::time::Nanos;

use super::listing::Coin;
use crate::draw::{DEVIATION, Draw};

/// Prices move in steps of a tenth of a second.
pub(super) const STEP_NS: i64 = 100_000_000;
/// Steps of one second, after which variances change.
const STEPS: u64 = 10;

/// One billion: returns are counted in parts of it.
const BILLION: i64 = 1_000_000_000;
/// Usual deviation of a factor in a second: 75 parts in a million, so both together move a price
/// by 3 % in a usual day.
const USUAL: i64 = 75_000;
/// Deviation at which a variance stops to grow.
const WILD: i64 = 16 * USUAL;
/// Shares of the next variance in thousandths: the usual one, the last second's return, the last
/// variance.
const SHARES: [i64; 3] = [20, 400, 580];

/// A return that is drawn again and again.
#[derive(Clone, Copy, Debug)]
struct Factor {
    /// Variance of a second's return, in (1e-9)^2.
    variance: i64,
    /// The return of the second at hand.
    so_far: i64,
}

/// The prices.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    common: Factor,
    own: [Factor; COINS],
    /// In 1e-9 of the quote asset.
    fair: [i64; COINS],
    next: Nanos,
    steps: u64,
}

const COINS: usize = 4;
/// Where prices begin: 35,000, 2,500, 150 and 0.5 of the quote asset.
const BEGIN: [i64; COINS] = [35_000 * BILLION, 2_500 * BILLION, 150 * BILLION, BILLION / 2];
/// How much of the common factor a coin's price follows, in hundredths.
const FOLLOWS: [i64; COINS] = [100, 115, 130, 105];

impl Factor {
    const BEGIN: Self = Self { variance: USUAL * USUAL, so_far: 0 };

    /// Draws the return of a step.
    fn step(&mut self, draw: &mut Draw) -> i64 {
        let variance = u64::try_from(self.variance).unwrap_or(0);
        let deviation = variance.checked_div(STEPS).unwrap_or(0).isqrt();
        let deviation = i64::try_from(deviation).unwrap_or(0);
        let moved = deviation.saturating_mul(draw.normal()).checked_div(DEVIATION).unwrap_or(0);
        self.so_far = self.so_far.saturating_add(moved);
        moved
    }

    /// Ends a second.
    fn second(&mut self) {
        let squared = self.so_far.saturating_mul(self.so_far);
        let parts = [USUAL * USUAL, squared, self.variance];
        let weighed = parts.iter().zip(SHARES).map(|(part, share)| part.saturating_mul(share));
        let sum = weighed.fold(0_i64, i64::saturating_add);
        self.variance = sum.checked_div(1_000).unwrap_or(0).clamp(1, WILD * WILD);
        self.so_far = 0;
    }
}

impl Prices {
    /// Returns the prices before their first step.
    pub(super) fn new(start: Nanos) -> Self {
        Self {
            common: Factor::BEGIN,
            own: [Factor::BEGIN; COINS],
            fair: BEGIN,
            next: start.plus(STEP_NS),
            steps: 0,
        }
    }

    /// Returns the moment of the next step, if it has come.
    pub(super) fn due(&self, now: Nanos) -> Option<Nanos> {
        (self.next <= now).then_some(self.next)
    }

    /// Moves all prices by one step, and by `fall` (1e-9) on top of what is drawn.
    pub(super) fn step(&mut self, fall: i64, draw: &mut Draw) {
        let common = self.common.step(draw).saturating_add(fall);
        for ((own, fair), follows) in self.own.iter_mut().zip(&mut self.fair).zip(FOLLOWS) {
            let shared = common.saturating_mul(follows).checked_div(100).unwrap_or(0);
            let moved = i128::from(shared.saturating_add(own.step(draw)));
            let change = i128::from(*fair).saturating_mul(moved);
            let change = change.checked_div_euclid(i128::from(BILLION)).unwrap_or(0);
            let change = i64::try_from(change).unwrap_or(0);
            *fair = fair.saturating_add(change).max(BILLION / 1_000);
        }
        self.next = self.next.plus(STEP_NS);
        self.steps = self.steps.wrapping_add(1);
        if self.steps.checked_rem(STEPS) == Some(0) {
            self.common.second();
            self.own.iter_mut().for_each(Factor::second);
        }
    }

    /// Returns a coin's price in 1e-9 of the quote asset.
    pub(super) fn fair(&self, coin: Coin) -> i64 {
        self.fair.get(coin as usize).copied().unwrap_or(BILLION)
    }
}
