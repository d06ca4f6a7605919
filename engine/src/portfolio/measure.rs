//! Equity's measures of day, week and all time: accounts.md 6.
//!
//! Each is a fall over a base; both are kept as money, so that rules compare them exactly.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Money, Rounding, mul_div};

/// The bases of the measures and the equity they are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Equity at the first complete set of marks; none before.
    start: Option<Money>,
    /// Equity of the last event at which it was known.
    last: Money,
    /// Equity now; none while a mark is missing.
    now: Option<Money>,
    day_open: Money,
    day_peak: Money,
    week_open: Money,
    peak: Money,
    /// The worst fall from a peak so far, as fall and peak.
    worst: (Money, Money),
}

/// A share as numerator and denominator; unknown when equity is, or its base is not positive.
pub type Share = Option<(Money, Money)>;

impl Measures {
    /// Takes the equity of now.
    pub fn observe(&mut self, equity: Option<Money>) {
        self.now = equity;
        let Some(equity) = equity else { return };
        if self.start.is_none() {
            self.start = Some(equity);
            self.day_open = equity;
            self.day_peak = equity;
            self.week_open = equity;
            self.peak = equity;
        }
        self.last = equity;
        self.day_peak = self.day_peak.max(equity);
        self.peak = self.peak.max(equity);
        let fall = Money(self.peak.0.saturating_sub(equity.0));
        // fall / peak > worst.fall / worst.peak, without dividing.
        let worse = fall.0.checked_mul(self.worst.1.0.max(1));
        if worse > self.worst.0.0.checked_mul(self.peak.0.max(1)) && self.peak.0 > 0 {
            self.worst = (fall, self.peak);
        }
    }

    /// Opens a trading day, and perhaps a week. Returns its opening equity and whether that was
    /// known at the boundary; if not, the last known equity stands in.
    pub fn roll(&mut self, equity: Option<Money>, new_week: bool) -> (Money, bool) {
        self.observe(equity);
        let open = equity.unwrap_or(self.last);
        self.day_open = open;
        self.day_peak = open;
        if new_week {
            self.week_open = open;
        }
        (open, equity.is_some())
    }

    /// Money came or went: equity was the last one known, and is `after`. Every base moves with
    /// it, rounded up, so that no measure moves; from nothing each starts anew.
    pub fn flow(&mut self, after: Money) {
        if self.start.is_none() {
            return;
        }
        let before = self.last.0;
        for base in [&mut self.day_open, &mut self.day_peak, &mut self.week_open, &mut self.peak] {
            let scaled = if before > 0 && after.0 > 0 {
                mul_div(base.0, after.0, before, Rounding::Ceil)
            } else {
                None
            };
            *base = Money(scaled.unwrap_or(after.0));
        }
        self.last = after;
        self.now = self.now.map(|_| after);
    }

    /// Returns the equity of now.
    #[must_use]
    pub fn equity(&self) -> Option<Money> {
        self.now
    }

    /// Returns the equity at the first complete set of marks.
    #[must_use]
    pub fn start(&self) -> Option<Money> {
        self.start
    }

    /// Returns the last known equity.
    #[must_use]
    pub fn last(&self) -> Money {
        self.last
    }

    /// Returns the fall from the day's open.
    #[must_use]
    pub fn day_loss(&self) -> Share {
        self.fall_from(self.day_open)
    }

    /// Returns the fall from Monday's open.
    #[must_use]
    pub fn week_loss(&self) -> Share {
        self.fall_from(self.week_open)
    }

    /// Returns the equity at the day's open.
    #[must_use]
    pub fn day_open(&self) -> Money {
        self.day_open
    }

    /// Returns the fall from the day's peak.
    #[must_use]
    pub fn day_drawdown(&self) -> Share {
        self.fall_from(self.day_peak)
    }

    /// Returns the fall from the highest equity ever.
    #[must_use]
    pub fn drawdown(&self) -> Share {
        self.fall_from(self.peak)
    }

    /// Returns the worst fall from a peak so far, as fall and peak.
    #[must_use]
    pub fn worst(&self) -> (Money, Money) {
        self.worst
    }

    fn fall_from(&self, base: Money) -> Share {
        let equity = self.now?;
        (base.0 > 0).then(|| (Money(base.0.saturating_sub(equity.0).max(0)), base))
    }
}

impl Image for Measures {
    fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.start);
        out.put(self.last);
        out.put_option(self.now);
        out.put(self.day_open);
        out.put(self.day_peak);
        out.put(self.week_open);
        out.put(self.peak);
        out.put(self.worst.0);
        out.put(self.worst.1);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.start = from.take_option()?;
        self.last = from.take()?;
        self.now = from.take_option()?;
        self.day_open = from.take()?;
        self.day_peak = from.take()?;
        self.week_open = from.take()?;
        self.peak = from.take()?;
        self.worst = (from.take()?, from.take()?);
        Ok(())
    }
}
