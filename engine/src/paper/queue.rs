//! The place of a resting order in the queue at its price.
//!
//! It joins behind what is displayed and moves forward by trades at the price, which the book model
//! counts. What cancels of others do is an assumption, and there are two. By default nobody ahead
//! cancels until the level is smaller than what is ahead. By the power model, as hftbacktest
//! documents it (`PowerProbQueueFunc`, exponent 3), a fall of the level that trades do not explain
//! happened ahead and behind in proportion to the cubes of what stands there; computed in integers,
//! rounded so that nobody ahead leaves too early.

use super::order::{AHEAD_UNKNOWN, Order};
use crate::setup::paper::QueueSetup;

/// Bits to which quantities are cut before they are cubed: the shares are exact to a millionth, and
/// a cube times any quantity fits 128 bits.
const SHARE_BITS: u32 = 20;

/// Lets an order join behind what is displayed.
pub(super) fn join(order: &mut Order, displayed: i64) {
    order.ahead = displayed;
    order.shown = displayed;
    order.traded = 0;
}

/// Applies an update of the level that an order rests at.
pub(super) fn update(order: &mut Order, shown: i64, queue: QueueSetup) {
    let known = order.ahead != AHEAD_UNKNOWN && order.shown != AHEAD_UNKNOWN;
    if queue == QueueSetup::Prob && known {
        // What traded has left the queue already.
        let fall = order.shown.saturating_sub(shown).saturating_sub(order.traded);
        order.ahead = order.ahead.saturating_sub(left_ahead(order.ahead, order.shown, fall));
    }
    order.ahead = order.ahead.min(shown);
    order.shown = shown;
    order.traded = 0;
}

/// Returns how much of a fall of a level happened ahead.
fn left_ahead(ahead: i64, level: i64, fall: i64) -> i64 {
    if fall <= 0 {
        return 0;
    }
    let (front, back) = (ahead.max(0), level.saturating_sub(ahead).max(0));
    let (f, b) = (cube(front, front.max(back)), cube(back, front.max(back)));
    let Some(all) = f.checked_add(b).filter(|all| *all > 0) else { return 0 };
    let fall = i128::from(fall);
    let share = |part: i128| fall.checked_mul(part).and_then(|whole| whole.checked_div(all));
    // Behind cannot lose more than stands there: the rest of its share was ahead.
    let behind = fall.saturating_sub(share(f).unwrap_or(0));
    let more = behind.saturating_sub(i128::from(back)).max(0);
    let gone = share(f).unwrap_or(0).saturating_add(more);
    i64::try_from(gone).unwrap_or(i64::MAX).min(front)
}

/// Returns the cube of a quantity, cut to [`SHARE_BITS`] as the larger one is.
fn cube(qty: i64, larger: i64) -> i128 {
    let bits = i64::BITS.saturating_sub(larger.leading_zeros());
    let cut = i128::from(qty >> bits.saturating_sub(SHARE_BITS));
    cut.saturating_mul(cut).saturating_mul(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_model_shares_a_fall_by_the_cubes() {
        let table = [
            // (ahead, level, fall): ahead 10 of 20, so half of the fall, rounded down.
            (10, 20, 5, 2),
            // 1 ahead of 4: 1/28 of it.
            (1, 4, 2, 0),
            // 30 ahead of 40: 27/28 of 28.
            (30, 40, 28, 27),
            // Behind has 2 and would lose 4: two of them were ahead.
            (2, 4, 3, 1),
            // Nobody behind: all of it.
            (10, 10, 4, 4),
            // Nobody ahead.
            (0, 10, 4, 0),
            // A rise, or what trades explain.
            (10, 20, 0, 0),
            (10, 20, -3, 0),
            // Figures that pass 20 bits are cut alike: a half again.
            (1 << 50, 1 << 51, 1 << 10, 1 << 9),
        ];
        for (ahead, level, fall, gone) in table {
            assert_eq!(left_ahead(ahead, level, fall), gone, "{ahead} of {level}, {fall}");
        }
    }
}
