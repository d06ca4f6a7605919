//! How fast a budget of errors burns.
//!
//! An objective of 99 % lets 1 % of all samples of its period miss the target: that is the budget.
//! A burn of 1 uses it up in exactly the period. An alert speaks when, at the pace of its window, a
//! share of the whole period's budget would be gone with the window: `factor = share * period /
//! window`. The factors are computed, not copied: published tables of them are wrong now and then.

use hdrhistogram::Histogram;

use super::Objective;

/// One hour in nanoseconds.
const HOUR_NS: u64 = 3_600_000_000_000;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody, now.
    Page,
    /// Somebody, in working hours.
    Ticket,
}

/// When to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who is told.
    pub urgency: Urgency,
    /// The share of the period's budget that is gone with the window, in thousandths.
    pub share_milli: u64,
    /// The window in nanoseconds.
    pub window_ns: u64,
}

/// The three alerts: 2 % of the budget in an hour, 5 % in six hours, 10 % in three days.
pub const ALERTS: [Alert; 3] = [
    Alert { urgency: Urgency::Page, share_milli: 20, window_ns: HOUR_NS },
    Alert { urgency: Urgency::Page, share_milli: 50, window_ns: 6 * HOUR_NS },
    Alert { urgency: Urgency::Ticket, share_milli: 100, window_ns: 72 * HOUR_NS },
];
/// The short window, by which an alert ends soon after its cause, is this part of the long one.
const SHORT_PART: u64 = 12;

impl Alert {
    /// Returns the burn from which on it speaks, in thousandths.
    #[must_use]
    pub fn factor_milli(&self, period_ns: u64) -> u64 {
        let factor = u128::from(self.share_milli)
            .saturating_mul(u128::from(period_ns))
            .checked_div(u128::from(self.window_ns));
        factor.and_then(|factor| u64::try_from(factor).ok()).unwrap_or(u64::MAX)
    }

    /// Returns the short window in nanoseconds.
    #[must_use]
    pub fn short_ns(&self) -> u64 {
        self.window_ns.checked_div(SHORT_PART).unwrap_or(0)
    }

    /// Tells whether it speaks, at these burns over the long and the short window.
    #[must_use]
    pub fn speaks(&self, period_ns: u64, long_milli: u64, short_milli: u64) -> bool {
        let factor = self.factor_milli(period_ns);
        long_milli >= factor && short_milli >= factor
    }
}

/// Returns how many times faster than allowed an objective's budget burns, in thousandths; none
/// with too few samples, or where nothing may miss.
#[must_use]
pub fn of(objective: &Objective, histogram: &Histogram<u64>) -> Option<u64> {
    let count = histogram.len();
    if count < objective.count || count == 0 {
        return None;
    }
    let target = u64::try_from(objective.target).unwrap_or(u64::MAX);
    let good = histogram.count_between(0, target);
    let missed = u128::from(count.saturating_sub(good));
    // missed / count over (100 % - percentile), both in thousandths of a percent.
    let allowed = u128::from(100_000_u64.saturating_sub(objective.percentile_milli));
    let over = missed.saturating_mul(100_000).saturating_mul(1_000);
    let under = u128::from(count).saturating_mul(allowed);
    over.checked_div(under).and_then(|burn| u64::try_from(burn).ok())
}
