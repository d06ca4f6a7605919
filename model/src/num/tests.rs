//! Arithmetic against exact rationals.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;

const ROUNDINGS: [Rounding; 3] = [Rounding::Floor, Rounding::Ceil, Rounding::HalfEven];

fn ratio(a: i128, b: i128) -> BigRational {
    BigRational::new(a.into(), b.into())
}

/// Rounds an exact value; `None` when the result passes an `i128`.
fn rounded(value: &BigRational, rounding: Rounding) -> Option<i128> {
    let floor = value.floor().to_integer();
    let whole = match rounding {
        Rounding::Floor => floor,
        Rounding::Ceil => value.ceil().to_integer(),
        Rounding::HalfEven => {
            let rest = value - BigRational::from_integer(floor.clone());
            let half = BigRational::new(1.into(), 2.into());
            let odd = &floor % 2 != BigInt::from(0);
            if rest > half || (rest == half && odd) { floor + 1 } else { floor }
        }
    };
    i128::try_from(whole).ok()
}

fn power(exponent: u8) -> BigRational {
    BigRational::from_integer(BigInt::from(10).pow(exponent.into()))
}

/// Numbers of every magnitude, with the ends and small ones often.
fn number() -> impl Strategy<Value = i128> {
    prop_oneof![
        3 => -20_i128..20,
        4 => (any::<i128>(), 0_u32..127).prop_map(|(value, shift)| value >> shift),
        1 => prop::sample::select(vec![i128::MIN, i128::MIN + 1, i128::MAX, i128::MAX - 1]),
    ]
}

#[test]
fn quotients_of_small_numbers_round_as_written_down() {
    // Dividend, divisor, then floor, ceiling and half to even.
    for (a, b, floor, ceil, even) in [
        (7, 2, 3, 4, 4),
        (5, 2, 2, 3, 2),
        (-5, 2, -3, -2, -2),
        (-7, 2, -4, -3, -4),
        (5, -2, -3, -2, -2),
        (-5, -2, 2, 3, 2),
        (1, 3, 0, 1, 0),
        (-1, 3, -1, 0, 0),
        (2, 3, 0, 1, 1),
        (6, 3, 2, 2, 2),
        (0, -9, 0, 0, 0),
    ] {
        let found = ROUNDINGS.map(|rounding| div_round(a, b, rounding));
        assert_eq!(found, [Some(floor), Some(ceil), Some(even)], "{a} / {b}");
    }
    assert_eq!(div_round(1, 0, Rounding::Floor), None);
    assert_eq!(div_round(i128::MIN, -1, Rounding::Floor), None);
}

#[test]
fn scales_and_units_have_their_ends() {
    assert_eq!(Scale::new(SCALE_MAX).map(Scale::decimals), Some(18));
    assert_eq!(Scale::new(SCALE_MAX + 1), None);
    assert_eq!(Scale::new(3).unwrap().one(), 1_000);
    assert_eq!((pow10(38).is_some(), pow10(39)), (true, None));
    assert_eq!(Money::units(-2), Money(-2_000_000_000));
    assert_eq!(Money::units(i64::MIN).0, i128::from(i64::MIN) * 1_000_000_000);
    assert_eq!(Money(i128::MAX).saturating_i64(), i64::MAX);
    assert_eq!(Money(i128::MIN).saturating_i64(), i64::MIN);
    assert_eq!(Money(-7).saturating_i64(), -7);
    assert_eq!(Money(i128::MAX).checked_add(Money(1)), None);
    assert_eq!(Money(i128::MIN).checked_sub(Money(1)), None);
    // Half a basis point of 100.01: 0.005000500 exactly at nine decimals.
    let fee = Money(100_010_000_000).times_rate(Rate(50_000), Rounding::Ceil);
    assert_eq!(fee, Some(Money(5_000_500)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn div_round_is_exact_division_rounded(a in number(), b in number()) {
        for rounding in ROUNDINGS {
            let expected = if b == 0 { None } else { rounded(&ratio(a, b), rounding) };
            prop_assert_eq!(div_round(a, b, rounding), expected, "{} / {} {:?}", a, b, rounding);
        }
    }

    #[test]
    fn mul_div_is_exact_while_the_product_fits(a in number(), b in number(), c in number()) {
        for rounding in ROUNDINGS {
            let expected = if c == 0 || a.checked_mul(b).is_none() {
                None
            } else {
                rounded(&(ratio(a, 1) * ratio(b, 1) / ratio(c, 1)), rounding)
            };
            prop_assert_eq!(mul_div(a, b, c, rounding), expected);
        }
    }

    #[test]
    fn rescale_moves_the_point(value in number(), from in 0_u8..40, to in 0_u8..40) {
        for rounding in ROUNDINGS {
            let exact = ratio(value, 1) * power(to) / power(from);
            let fits = from.abs_diff(to) <= 38;
            let expected = if fits { rounded(&exact, rounding) } else { None };
            prop_assert_eq!(rescale(value, from, to, rounding), expected);
        }
    }

    #[test]
    fn notional_is_price_times_quantity(
        price in any::<i64>(), qty in any::<i64>(), p in 0..=SCALE_MAX, q in 0..=SCALE_MAX,
    ) {
        for rounding in ROUNDINGS {
            let (price, qty) = (i128::from(price), i128::from(qty));
            let exact = ratio(price, 1) * ratio(qty, 1) * power(MONEY_SCALE) / power(p) / power(q);
            let expected = rounded(&exact, rounding).map(Money);
            prop_assert_eq!(notional(price, p, qty, q, rounding), expected);
        }
    }

    #[test]
    fn times_rate_is_a_share(amount in number(), rate in any::<i64>()) {
        for rounding in ROUNDINGS {
            let product = amount.checked_mul(i128::from(rate));
            let exact = ratio(amount, 1) * ratio(rate.into(), 1) / power(RATE_SCALE);
            let expected = product.and_then(|_| rounded(&exact, rounding)).map(Money);
            prop_assert_eq!(Money(amount).times_rate(Rate(rate), rounding), expected);
        }
    }
}
