//! When the messages of a schedule are due.

use crate::draw::Draw;

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At even distances.
    Even,
    /// Each on its own, whenever the one before came (a Poisson process): many at once, and pauses.
    /// What waits in front of a busy engine shows at a rate that it would keep if it were even.
    Poisson {
        /// The same seed draws the same schedule.
        seed: u64,
    },
}

/// Nanoseconds of one second.
const SECOND_NS: u128 = 1_000_000_000;

/// The moments of a schedule, one after the other.
#[derive(Debug)]
pub(super) struct Due {
    rate: u64,
    /// Gaps so far, in units of 2^-32 of the mean gap.
    gaps: u128,
    draw: Option<Draw>,
}

impl Due {
    pub(super) fn new(arrivals: Arrivals, rate: u64) -> Self {
        let draw = match arrivals {
            Arrivals::Even => None,
            Arrivals::Poisson { seed } => Some(Draw::new(seed)),
        };
        Self { rate: rate.max(1), gaps: 0, draw }
    }

    /// Returns when the next message is due, in nanoseconds behind the first.
    pub(super) fn next(&mut self) -> u64 {
        let gap = self.draw.as_mut().map_or(1 << 32, exponential);
        self.gaps = self.gaps.saturating_add(u128::from(gap));
        let ns = self.gaps.saturating_mul(SECOND_NS).checked_div(u128::from(self.rate));
        u64::try_from(ns.unwrap_or(0) >> 32).unwrap_or(u64::MAX)
    }
}

/// Draws from the exponential distribution of mean one, in units of 2^-32, without a logarithm
/// (von Neumann, "Various techniques used in connection with random digits", 1951): of even numbers
/// drawn while each is below the one before, the first is taken when their count, the one that
/// ended it included, is even; each time it is not adds one to the result.
fn exponential(draw: &mut Draw) -> u64 {
    let mut whole = 0_u64;
    loop {
        let first = draw.below(1 << 32);
        let (mut last, mut count) = (first, 1_u32);
        loop {
            let next = draw.below(1 << 32);
            count = count.saturating_add(1);
            if next >= last {
                break;
            }
            last = next;
        }
        if count.is_multiple_of(2) {
            return (whole << 32) | first;
        }
        whole = whole.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_messages_keep_their_distance_without_drift() {
        let mut due = Due::new(Arrivals::Even, 3);
        assert_eq!([due.next(), due.next(), due.next()], [333_333_333, 666_666_666, 1_000_000_000]);
    }

    #[test]
    fn a_poisson_process_has_its_mean_its_spread_and_its_pauses() {
        let mut due = Due::new(Arrivals::Poisson { seed: 7 }, 1_000_000);
        let (mut last, mut gaps) = (0, Vec::new());
        for _ in 0..200_000 {
            let next = due.next();
            gaps.push(next - last);
            last = next;
        }
        let count = u128::try_from(gaps.len()).unwrap();
        let mean = gaps.iter().map(|gap| u128::from(*gap)).sum::<u128>() / count;
        assert!((990..=1_010).contains(&mean), "{mean} of 1,000 ns");
        let square = gaps.iter().map(|gap| u128::from(*gap).pow(2)).sum::<u128>() / count;
        // The mean square of an exponential distribution is twice the square of its mean.
        assert!((1_950_000..=2_050_000).contains(&square), "{square}");
        // e^-1, e^-3 and 1 - e^-0.1 of them, in thousandths.
        let share = |of: &dyn Fn(u64) -> bool| {
            gaps.iter().filter(|gap| of(**gap)).count() * 1_000 / gaps.len()
        };
        let long = [share(&|gap| gap > 1_000), share(&|gap| gap > 3_000), share(&|gap| gap < 100)];
        for (found, expected) in long.into_iter().zip([368, 50, 95]) {
            assert!(found.abs_diff(expected) <= 5, "{long:?}");
        }
        let mut again = Due::new(Arrivals::Poisson { seed: 7 }, 1_000_000);
        assert_eq!(again.next(), gaps[0], "the same seed, the same schedule");
    }
}
