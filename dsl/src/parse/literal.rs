//! Literals: digits to exact numbers, with their limits. No float touches a number.

use model::time::{Nanos, SECOND_NS};

use crate::ast::Number;
use crate::diagnostics::Diagnostic;
use crate::limits::{DECIMALS_MAX, DIGITS_MAX};
use crate::span::Span;

/// Units of durations with their length in nanoseconds; longer suffixes first.
const DURATIONS: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND_NS),
    ("m", 60 * SECOND_NS),
    ("h", 3_600 * SECOND_NS),
    ("d", 86_400 * SECOND_NS),
];

/// Reads `1_000.25`.
pub(crate) fn number(text: &str, span: Span) -> Result<Number, Diagnostic> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let (whole, fraction) = clean.split_once('.').unwrap_or((&clean, ""));
    let point = clean.contains('.');
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.trim_start_matches('0');
    if whole.len().saturating_add(fraction.len()) > DIGITS_MAX || fraction.len() > DECIMALS_MAX {
        let message =
            format!("number has more than {DIGITS_MAX} digits or {DECIMALS_MAX} decimals");
        return Err(Diagnostic::error("R0118", span, message));
    }
    let digits = format!("0{whole}{fraction}");
    let too_large = || Diagnostic::error("R0118", span, "number is too large");
    let mantissa = digits.parse::<i128>().map_err(|_| too_large())?;
    let decimals = u8::try_from(fraction.len()).map_err(|_| too_large())?;
    Ok(Number { mantissa, decimals, point })
}

/// Reads `5%` and `30bps` as the number they spell.
pub(crate) fn percent(text: &str, span: Span) -> Result<Number, Diagnostic> {
    let (digits, shift) = match text.strip_suffix('%') {
        Some(digits) => (digits, 2),
        None => (text.strip_suffix("bps").unwrap_or(text), 4),
    };
    let number = number(digits, span)?;
    let decimals = number.decimals.saturating_add(shift);
    Ok(Number { decimals, point: true, ..number })
}

/// Reads a whole number.
pub(crate) fn integer(text: &str, span: Span) -> Result<u64, Diagnostic> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    clean.parse().map_err(|_| Diagnostic::error("R0118", span, "number is too large"))
}

/// Reads `250ms` in nanoseconds.
pub(crate) fn duration(text: &str, span: Span) -> Result<i64, Diagnostic> {
    let unit = DURATIONS.iter().find_map(|(suffix, ns)| {
        let digits = text.strip_suffix(suffix)?;
        digits.ends_with(|c: char| c.is_ascii_digit()).then_some((digits, *ns))
    });
    let too_long = || Diagnostic::error("R0118", span, "duration is longer than 292 years");
    let (digits, ns) = unit.ok_or_else(too_long)?;
    let count = i64::try_from(integer(digits, span)?).map_err(|_| too_long())?;
    count.checked_mul(ns).ok_or_else(too_long)
}

/// Reads `@09:30` or `@09:30:15` in seconds of the day.
pub(crate) fn time_of_day(text: &str, span: Span) -> Result<i64, Diagnostic> {
    let fault =
        || Diagnostic::error("R0119", span, "no time of the day").help("from @00:00 to @23:59:59");
    let mut seconds = 0_i64;
    let parts = text.trim_start_matches('@').split(':');
    for (part, (limit, weight)) in parts.zip([(24, 3_600), (60, 60), (60, 1)]) {
        let part: i64 = part.parse().map_err(|_| fault())?;
        if part >= limit {
            return Err(fault());
        }
        seconds = seconds.saturating_add(part.saturating_mul(weight));
    }
    Ok(seconds)
}

/// Reads `@2026-01-05T10:00:00Z` in nanoseconds since the epoch.
pub(crate) fn instant(text: &str, span: Span) -> Result<i64, Diagnostic> {
    Nanos::parse(text.trim_start_matches('@')).map(|moment| moment.0).ok_or_else(|| {
        Diagnostic::error("R0119", span, "no such moment")
            .help("write a date of the calendar and a time, such as @2026-01-05T10:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_bounded() {
        let read = |text| number(text, Span::default()).ok().map(|n| (n.mantissa, n.decimals));
        assert_eq!(read("1_000.250"), Some((100_025, 2)));
        assert_eq!(read("0.0001"), Some((1, 4)));
        assert_eq!(read("10.0"), Some((10, 0)));
        assert_eq!(read("0"), Some((0, 0)));
        assert_eq!(read("9999999999999999999999999999").map(|n| n.1), Some(0));
        assert_eq!(read("99999999999999999999999999999"), None);
        assert_eq!(read("0.1234567890123456789"), None);
        let share = |text| percent(text, Span::default()).ok().map(|n| (n.mantissa, n.decimals));
        assert_eq!(share("0.5%"), Some((5, 3)));
        assert_eq!(share("30bps"), Some((30, 4)));
    }

    #[test]
    fn durations_and_moments_are_nanoseconds() {
        let read = |text| duration(text, Span::default()).ok();
        assert_eq!(read("250ms"), Some(250_000_000));
        assert_eq!(read("1m"), Some(60_000_000_000));
        assert_eq!(read("3ns"), Some(3));
        assert_eq!(read("999999d"), None);
        assert_eq!(time_of_day("@09:30", Span::default()).ok(), Some(34_200));
        assert!(time_of_day("@24:00", Span::default()).is_err());
        assert_eq!(
            instant("@1970-01-02T00:00:00Z", Span::default()).ok(),
            Some(86_400_000_000_000)
        );
        assert!(instant("@2026-02-30T00:00:00Z", Span::default()).is_err());
    }
}
