//! When a trading day begins: at midnight UTC, or at a time of some zone.
//!
//! The zone's offsets from UTC stand in the setup itself, so that replay needs no table of zones
//! and another table decides nothing otherwise.

use serde::{Deserialize, Serialize};

use model::time::{Date, Nanos};

/// When a trading day begins. A day is named by the date, in its zone, on which it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaySetup {
    /// As it was stated, for people; empty where days begin at 00:00 UTC.
    pub name: String,
    /// From midnight of the zone's clock, nanoseconds.
    pub start_ns: i64,
    /// What the zone's clock is ahead of UTC, nanoseconds, each from a moment on, rising; before
    /// the first it is that of the first. Empty: nothing.
    pub offsets: Vec<(i64, i64)>,
}

impl DaySetup {
    /// Tells whether days begin at 00:00 UTC.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        self.start_ns == 0 && self.offsets.is_empty()
    }

    fn offset(&self, at: Nanos) -> i64 {
        let later = self.offsets.partition_point(|(from, _)| *from <= at.0);
        self.offsets.get(later.saturating_sub(1)).map_or(0, |(_, ahead)| *ahead)
    }

    /// Returns the trading day of a moment.
    #[must_use]
    pub fn date(&self, at: Nanos) -> Date {
        at.plus(self.offset(at)).plus(self.start_ns.saturating_neg()).date()
    }

    /// Returns the first moment of a trading day.
    #[must_use]
    pub fn start(&self, date: Date) -> Nanos {
        let local = date.start().plus(self.start_ns);
        // The offset of the moment that is looked for: at most one change lies between.
        let near = local.plus(self.offset(local).saturating_neg());
        local.plus(self.offset(near).saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn at(text: &str) -> Nanos {
        Nanos::parse(text).unwrap()
    }

    /// New York's two offsets of 2024.
    fn new_york() -> DaySetup {
        let offsets = [
            ("2023-11-05T06:00:00Z", -5),
            ("2024-03-10T07:00:00Z", -4),
            ("2024-11-03T06:00:00Z", -5),
        ];
        let offsets = offsets.map(|(from, hours)| (at(from).0, hours * HOUR)).to_vec();
        DaySetup { name: "17:00 America/New_York".to_owned(), start_ns: 17 * HOUR, offsets }
    }

    #[test]
    fn a_day_begins_at_the_zone_s_clock_in_winter_and_in_summer() {
        let days = new_york();
        for (before, first, date) in [
            ("2024-01-15T21:59:59Z", "2024-01-15T22:00:00Z", "2024-01-15"),
            ("2024-07-15T20:59:59Z", "2024-07-15T21:00:00Z", "2024-07-15"),
            // The clock was moved on the tenth: that day began at 17:00 all the same.
            ("2024-03-10T20:59:59Z", "2024-03-10T21:00:00Z", "2024-03-10"),
            ("2024-03-09T21:59:59Z", "2024-03-09T22:00:00Z", "2024-03-09"),
            ("2024-11-03T21:59:59Z", "2024-11-03T22:00:00Z", "2024-11-03"),
        ] {
            assert_eq!(days.date(at(first)).to_string(), date);
            assert_eq!(days.date(at(before)).0, days.date(at(first)).0 - 1, "{before}");
            assert_eq!(days.start(days.date(at(first))), at(first));
        }
    }

    #[test]
    fn every_day_begins_once_and_in_order() {
        for days in [new_york(), DaySetup::default()] {
            let first = at("2023-12-01T00:00:00Z").date();
            for after in 0..400 {
                let date = Date(first.0 + after);
                let start = days.start(date);
                assert_eq!(days.date(start), date, "{start}");
                assert_eq!(days.date(Nanos(start.0 - 1)), Date(date.0 - 1), "{start}");
            }
        }
    }
}
