//! What happens at known moments of each half hour, so that a session of any seed shows it: a gap
//! that a snapshot ends, a silence, and a crash.

use model::time::{Nanos, SECOND_NS};

use crate::draw::Draw;

/// Something that an instrument's stream does at a known moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A message is missing.
    Gap,
    /// A snapshot comes.
    Resync,
    /// Nothing comes any more.
    Silence,
    /// It is noticed that nothing comes.
    Stale,
    /// The stream goes on.
    Voice,
}

/// What happens, in thousandths of the period, in order; lengths of seconds come from the half
/// hour that a period has unless the market is shorter.
const HAPPENINGS: [(i64, Happening); 5] = [
    (250, Happening::Gap),
    (257, Happening::Resync),
    (400, Happening::Silence),
    (402, Happening::Stale),
    (407, Happening::Voice),
];
/// When prices crash, in thousandths of the period.
const CRASH: i64 = 650;
/// A crash takes three steps, a second apart: its fall, and the half of that, twice.
const CRASH_STEPS: i64 = 3;
/// The fall of the first step, in 1e-9: from 3.5 % on.
const FALL_LEAST: i64 = 35_000_000;
/// And up to so much more.
const FALL_DRAWN: u64 = 10_000_000;
/// The period, unless the market is shorter.
const PERIOD_NS: i64 = 1_800 * SECOND_NS;

/// The script of a market.
#[derive(Clone, Debug)]
pub(super) struct Script {
    start: Nanos,
    period: i64,
    /// Happenings so far, over all periods.
    told: usize,
    /// Steps of crashes so far, over all periods.
    fallen: i64,
    /// The fall at hand.
    fall: i64,
}

impl Happening {
    /// Returns the instrument whose stream does it: the two that strategies trade.
    pub(super) fn listing(self) -> usize {
        match self {
            Self::Gap | Self::Resync => 0,
            Self::Silence | Self::Stale | Self::Voice => 1,
        }
    }
}

impl Script {
    /// Returns the script of a market of `length` nanoseconds.
    pub(super) fn new(start: Nanos, length: i64) -> Self {
        let period = length.clamp(1, PERIOD_NS);
        Self { start, period, told: 0, fallen: 0, fall: 0 }
    }

    /// Returns the moment of so many thousandths of a period, after so many whole ones.
    fn at(&self, periods: i64, thousandths: i64) -> Nanos {
        let within = self.period.saturating_mul(thousandths).checked_div(1_000).unwrap_or(0);
        self.start.plus(self.period.saturating_mul(periods)).plus(within)
    }

    /// Returns what happens next, if its moment has come.
    pub(super) fn due(&mut self, now: Nanos) -> Option<Happening> {
        let count = HAPPENINGS.len();
        let (periods, nth) = (self.told.checked_div(count)?, self.told.checked_rem(count)?);
        let (thousandths, happening) = *HAPPENINGS.get(nth)?;
        let at = self.at(i64::try_from(periods).ok()?, thousandths);
        (at <= now).then(|| {
            self.told = self.told.saturating_add(1);
            happening
        })
    }

    /// Returns by how much prices fall at a step, in 1e-9 and negative; 0 but for a crash. Every
    /// other crash goes up.
    pub(super) fn fall(&mut self, step: Nanos, draw: &mut Draw) -> i64 {
        let periods = self.fallen.checked_div(CRASH_STEPS).unwrap_or(0);
        let nth = self.fallen.checked_rem(CRASH_STEPS).unwrap_or(0);
        let at = self.at(periods, CRASH).plus(nth.saturating_mul(SECOND_NS));
        if step < at {
            return 0;
        }
        self.fallen = self.fallen.saturating_add(1);
        self.fall = match nth {
            0 => {
                let drawn = i64::try_from(draw.below(FALL_DRAWN)).unwrap_or(0);
                FALL_LEAST.saturating_add(drawn)
            }
            _ => self.fall.checked_div(2).unwrap_or(0),
        };
        let goes_up = periods.checked_rem(2) == Some(1);
        if goes_up { self.fall } else { self.fall.saturating_neg() }
    }
}
