//! Engine time: integer nanoseconds since 1970-01-01T00:00:00Z, and UTC dates.
//!
//! Nothing here reads a clock. Time enters the engine with its inputs.

use jiff::Timestamp;

/// A moment, in nanoseconds since the epoch, UTC. 64 bits reach the year 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub i64);

/// A UTC date as days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Nanoseconds of one second.
pub const SECOND_NS: i64 = 1_000_000_000;
/// Nanoseconds of one day.
pub const DAY_NS: i64 = 86_400 * SECOND_NS;

impl Nanos {
    /// Returns the moment `ns` later; ends at the bounds of the range.
    #[must_use]
    pub fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Returns the nanoseconds from `earlier` to this moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the UTC date that contains this moment.
    #[must_use]
    pub fn date(self) -> Date {
        // 2^63 ns are about 106,752 days: the quotient always fits an i32.
        Date(i32::try_from(self.0.div_euclid(DAY_NS)).unwrap_or(0))
    }

    /// Returns the latest multiple of `length_ns` (from the epoch) at or before this moment.
    #[must_use]
    pub fn floor_to(self, length_ns: i64) -> Self {
        Self(self.0.saturating_sub(self.0.checked_rem_euclid(length_ns).unwrap_or(0)))
    }

    /// Reads an RFC 3339 instant such as `2020-03-12T00:00:00Z`; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: Timestamp = text.parse().ok()?;
        i64::try_from(stamp.as_nanosecond()).ok().map(Self)
    }
}

impl Date {
    /// Returns the first moment of the date.
    #[must_use]
    pub fn start(self) -> Nanos {
        Nanos(i64::from(self.0).saturating_mul(DAY_NS))
    }

    /// Returns the number of the trading week, which opens on Mondays.
    #[must_use]
    pub fn week(self) -> i32 {
        // Day 0 of the epoch was a Thursday.
        self.0.saturating_add(3).div_euclid(7)
    }
}

impl std::fmt::Display for Nanos {
    /// Writes the moment as RFC 3339 in UTC, with as many decimals as it needs.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => write!(out, "{stamp}"),
            Err(_) => write!(out, "{} ns", self.0),
        }
    }
}

impl std::fmt::Display for Date {
    /// Writes the date as `2020-03-12`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.start().to_string();
        out.write_str(text.split('T').next().unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_text_agree_with_the_calendar() {
        let noon = Nanos::parse("2020-03-12T12:00:00Z").unwrap();
        assert_eq!(noon.to_string(), "2020-03-12T12:00:00Z");
        assert_eq!(noon.date().to_string(), "2020-03-12");
        assert_eq!(noon.date().start(), noon.plus(-DAY_NS / 2));
        let monday = Nanos::parse("2020-03-16T00:00:00Z").unwrap().date();
        assert_eq!(monday.week(), noon.date().week() + 1);
        assert_eq!(Date(monday.0 - 1).week(), noon.date().week(), "Sunday ends a week");
        assert_eq!(Date(monday.0 + 6).week(), monday.week());
        assert_eq!(Nanos(-1).date(), Date(-1));
        assert_eq!(Nanos(61 * SECOND_NS).floor_to(60 * SECOND_NS), Nanos(60 * SECOND_NS));
        assert_eq!(Nanos::parse("yesterday"), None);
    }
}
