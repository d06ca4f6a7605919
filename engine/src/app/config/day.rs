//! `account.day_start`: a time and a zone, read by the table of zones that is compiled in.

use engine::setup::DaySetup;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use model::time::SECOND_NS;

/// Years of which the offsets are in the setup: no data is older than the first; after the last the
/// zone keeps its offset.
const YEARS: (&str, &str) = ("2009-01-01T00:00:00Z", "2060-01-01T00:00:00Z");

/// Reads `17:00 America/New_York`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn day_start(text: &str) -> Result<DaySetup, String> {
    let (time, zone) = text
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("`{text}` is not a time and a zone"))?;
    let start_ns =
        time_ns(time).ok_or_else(|| format!("`{time}` is no time from 00:00 to 23:59"))?;
    let zone = zone.trim();
    if zone == "UTC" {
        let name = if start_ns == 0 { String::new() } else { text.to_owned() };
        return Ok(DaySetup { name, start_ns, offsets: Vec::new() });
    }
    let known = TimeZoneDatabase::bundled().get(zone);
    let known = known.map_err(|_| format!("there is no zone `{zone}`"))?;
    let offsets = offsets(&known).ok_or_else(|| format!("the zone `{zone}` has no offsets"))?;
    Ok(DaySetup { name: text.to_owned(), start_ns, offsets })
}

fn time_ns(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str, most: i64| {
        let is = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is && *number <= most)
    };
    let minutes = two(hours, 23)?.checked_mul(60)?.checked_add(two(minutes, 59)?)?;
    minutes.checked_mul(60)?.checked_mul(SECOND_NS)
}

/// Returns from which moments on the zone is how far ahead of UTC.
fn offsets(zone: &TimeZone) -> Option<Vec<(i64, i64)>> {
    let (first, last): (Timestamp, Timestamp) = (YEARS.0.parse().ok()?, YEARS.1.parse().ok()?);
    let row = |at: Timestamp, offset: jiff::tz::Offset| {
        let from = i64::try_from(at.as_nanosecond()).ok()?;
        Some((from, i64::from(offset.seconds()).checked_mul(SECOND_NS)?))
    };
    let mut offsets = vec![row(first, zone.to_offset(first))?];
    for change in zone.following(first).take_while(|change| change.timestamp() < last) {
        let (from, ahead) = row(change.timestamp(), change.offset())?;
        // A change of the name only.
        if offsets.last().is_none_or(|(_, before)| *before != ahead) {
            offsets.push((from, ahead));
        }
    }
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use model::time::Nanos;

    use super::*;

    #[test]
    fn zones_are_read_with_their_summers() {
        let days = day_start("17:00 America/New_York").unwrap();
        let at = |text: &str| Nanos::parse(text).unwrap();
        assert_eq!(days.start(at("2024-07-15T00:00:00Z").date()), at("2024-07-15T21:00:00Z"));
        assert_eq!(days.start(at("2024-01-15T00:00:00Z").date()), at("2024-01-15T22:00:00Z"));
        assert!(days.offsets.len() > 90, "{}", days.offsets.len());
        let tokyo = day_start("00:00 Asia/Tokyo").unwrap();
        assert_eq!(tokyo.offsets.len(), 1);
        assert_eq!(tokyo.date(at("2024-01-15T15:00:00Z")).to_string(), "2024-01-16");
        assert!(day_start("00:00 UTC").unwrap().is_utc());
        assert!(!day_start("08:00 UTC").unwrap().is_utc());
    }

    #[test]
    fn what_is_no_time_or_no_zone_is_told() {
        for (text, says) in [
            ("17:00", "not a time and a zone"),
            ("24:00 UTC", "no time"),
            ("7:00 UTC", "no time"),
            ("17:00 Mars/Olympus", "no zone `Mars/Olympus`"),
        ] {
            let error = day_start(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
