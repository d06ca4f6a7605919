//! Decimal text against exact rationals, and the fast path against the general one.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::num::SCALE_MAX;

/// Text, decimals wanted, what comes of it.
const TABLE: &str = "
35260.10                 1   352601
35260.10                 2   3526010
35260.10                 0   more decimals than the scale holds
0                        8   0
-0.00                    2   0
+1.5                     1   15
007                      0   7
9e-05                    5   9
9e-05                    4   more decimals than the scale holds
9E-5                     8   9000
1.5e3                    0   1500
1.5e+3                   2   150000
-2.5e-1                  2   -25
0e999                    18  0
0e-999                   0   0
1e999                    0   number too large
1e-999                   18  more decimals than the scale holds
1e18                     0   1000000000000000000
1e19                     0   number too large
9223372036854775807      0   9223372036854775807
9223372036854775808      0   number too large
9999999999999999999      0   number too large
-9223372036854775808     0   -9223372036854775808
-9223372036854775809     0   number too large
92233720368547758.07     2   9223372036854775807
92233720368547758.08     2   number too large
0.0000000000000000001    18  more decimals than the scale holds
1.000000000000000000000  2   100
9999999999999999999999999999999999999999 0 number too large
1.                       1   not a decimal number
.5                       1   not a decimal number
.                        1   not a decimal number
-                        1   not a decimal number
1.2.3                    1   not a decimal number
1e                       1   not a decimal number
1e+                      1   not a decimal number
1e1000                   1   not a decimal number
e5                       1   not a decimal number
1,5                      1   not a decimal number
0x10                     1   not a decimal number
None                     1   not a decimal number
NaN                      1   not a decimal number
--1                      1   not a decimal number
1-                       1   not a decimal number
";

#[test]
fn texts_are_what_they_mean() {
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(2, ' ');
        let text = words.next().unwrap();
        let (decimals, expected) = words.next().unwrap().trim().split_once(' ').unwrap();
        let found = parse_mantissa(text.as_bytes(), decimals.parse().unwrap());
        let found = found.map_or_else(|error| error.to_string(), |mantissa| mantissa.to_string());
        assert_eq!(found, expected.trim(), "{text} at {decimals}");
    }
    assert_eq!(parse_mantissa(b"", 2), Err(DecimalError::Malformed));
    assert_eq!(parse_mantissa(b" 1", 2), Err(DecimalError::Malformed));
    assert_eq!(parse_mantissa(&[b'0'; TEXT_BYTES_MAX], 2), Ok(0));
    assert_eq!(parse_mantissa(&[b'0'; TEXT_BYTES_MAX + 1], 2), Err(DecimalError::Malformed));
}

#[test]
fn mantissas_are_shown_with_their_point() {
    for (mantissa, decimals, whole, trimmed) in [
        (352_601, 1, "35260.1", "35260.1"),
        (0, 2, "0.00", "0"),
        (5, 3, "0.005", "0.005"),
        (-5, 3, "-0.005", "-0.005"),
        (-1_200, 2, "-12.00", "-12"),
        (100, 0, "100", "100"),
        (1_050, 2, "10.50", "10.5"),
        (
            i128::MIN,
            0,
            "-170141183460469231731687303715884105728",
            "-170141183460469231731687303715884105728",
        ),
    ] {
        assert_eq!(format_mantissa(mantissa, decimals), whole);
        assert_eq!(format_trimmed(mantissa, decimals), trimmed);
    }
}

#[test]
fn needed_decimals_do_not_count_trailing_zeros() {
    for (text, decimals) in
        [("1.2300", 2), ("1.00", 0), ("0.000", 0), ("9e-05", 5), ("1200e-2", 0), ("5e3", 0)]
    {
        assert_eq!(Decimal::parse(text.as_bytes()).unwrap().decimals(), decimals, "{text}");
    }
}

#[test]
fn what_venues_print_takes_the_short_path() {
    for (text, decimals, mantissa) in [
        ("61234.56000000", 2, 6_123_456),
        ("0.00100000", 8, 100_000),
        ("12345678.1", 1, 0),
        ("1234567.12345678", 8, 123_456_712_345_678),
        ("99999999", 8, 9_999_999_900_000_000),
        ("5.5", 9, 0),
        ("61234.5", 1, 612_345),
        ("0.001", 3, 1),
        ("0.1", 3, 100),
        ("5", 0, 5),
        ("1.00000000", 0, 1),
    ] {
        let found = parse_short(text.as_bytes(), decimals);
        // The point must stand in the first eight characters, and there are eight decimals.
        assert_eq!(found, (mantissa > 0).then_some(mantissa), "{text} at {decimals}");
    }
    for text in ["0.01", "-1.5", "1.", ".5", "", "1..5", "1.5.", "1:", "1/", "\u{b1}.5"] {
        assert_eq!(parse_short(text.as_bytes(), 1), None, "{text}");
    }
}

/// Number texts as sources write them, exponents included.
fn text() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["", "", "", "-", "+"]);
    let whole = "[0-9]{1,20}";
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,12}0{0,8}"];
    let exponent = prop_oneof![4 => Just(String::new()), 1 => "[eE][+-]?[0-9]{1,2}"];
    (sign, whole, fraction, exponent).prop_map(|(s, w, f, e)| format!("{s}{w}{f}{e}"))
}

/// The value of a text that has the form of [`text`], read by other means.
fn exact(text: &str) -> BigRational {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{whole}{fraction}").parse().unwrap();
    let exponent: i32 = exponent.parse::<i32>().unwrap() - i32::try_from(fraction.len()).unwrap();
    let power = BigRational::from_integer(BigInt::from(10).pow(exponent.unsigned_abs()));
    let digits = BigRational::from_integer(digits);
    if exponent < 0 { digits / power } else { digits * power }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn parsing_is_exact_or_an_error(text in text(), decimals in 0..=SCALE_MAX) {
        let power = BigInt::from(10).pow(decimals.into());
        let scaled = exact(&text) * BigRational::from_integer(power);
        let expected = if scaled.is_integer() {
            i64::try_from(scaled.to_integer()).map_err(|_| DecimalError::TooLarge)
        } else {
            Err(DecimalError::TooFine)
        };
        let found = parse_mantissa(text.as_bytes(), decimals);
        // A number that is both too fine and past an i128 may be refused for either.
        if found != Err(DecimalError::TooLarge) || expected != Err(DecimalError::TooFine) {
            prop_assert_eq!(found, expected, "{} at {}", text, decimals);
        }
    }

    #[test]
    fn the_fast_path_says_what_the_general_one_says(
        text in prop_oneof![
            text(),
            "[0-9]{1,12}(\\.[0-9]{0,8})?",
            "[0-9.]{0,22}",
            "[0-9]{17,20}(\\.0{0,4})?",
            "[0-9eE.+-]{0,10}",
            "[0-9]{1,8}\\.[0-9]{1,4}0{0,5}",
            "[/-:]{1,16}",
        ],
        decimals in 0..=SCALE_MAX,
    ) {
        let general = || i64::try_from(Decimal::parse(text.as_bytes())?.at_scale(decimals)?)
            .map_err(|_| DecimalError::TooLarge);
        if let Some(mantissa) = parse_short(text.as_bytes(), decimals) {
            prop_assert_eq!(Ok(mantissa), general());
        }
        prop_assert_eq!(parse_mantissa(text.as_bytes(), decimals), general());
    }

    #[test]
    fn texts_round_trip(mantissa in any::<i64>(), decimals in 0..=SCALE_MAX) {
        let wide = i128::from(mantissa);
        for text in [format_mantissa(wide, decimals), format_trimmed(wide, decimals)] {
            prop_assert_eq!(parse_mantissa(text.as_bytes(), decimals), Ok(mantissa), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..70), decimals in any::<u8>(),
    ) {
        let _either = parse_mantissa(&bytes, decimals);
    }
}
