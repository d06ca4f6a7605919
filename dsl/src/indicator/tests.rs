//! Each indicator against the plainest form of its definition, over big integers where needed.

use model::codec::{Image, ImageReader, ImageWriter};
use model::order::Cause;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;

use super::average::{EMA_INPUT_MAX, Sma};
use super::deviation::Stdev;
use super::{SeriesSpec, SeriesState};
use crate::typed::Indicator;
use crate::value::Value;

fn state(indicator: Indicator, length: u32) -> SeriesState {
    SeriesState::new(&[SeriesSpec { indicator, length }])
}

/// Advances a series of one input.
fn one(state: &mut SeriesState, index: usize, input: Value) -> Value {
    state.update(index, [input; 3])
}

fn feed(state: &mut SeriesState, inputs: &[i128]) -> Vec<Value> {
    inputs.iter().map(|input| one(state, 0, Value::known(*input))).collect()
}

/// Known and unknown inputs.
fn inputs() -> impl Strategy<Value = Vec<Option<i128>>> {
    let one = prop_oneof![
        1 => Just(None),
        8 => (-1_000_000_i128..1_000_000).prop_map(Some),
        2 => (-3_i128..3).prop_map(Some),
    ];
    proptest::collection::vec(one, 0..80)
}

fn big(number: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

/// Runs a series and compares each step with `naive`, which sees all known inputs so far.
fn against(
    indicator: Indicator,
    length: u32,
    inputs: &[Option<i128>],
    mut agrees: impl FnMut(&[i128], i128) -> bool,
) -> Result<(), proptest::test_runner::TestCaseError> {
    let mut state = state(indicator, length);
    let mut known = Vec::new();
    for input in inputs {
        let result = one(&mut state, 0, Value::of(*input));
        let Some(input) = input else {
            prop_assert_eq!(result, Value::MISSING);
            continue;
        };
        known.push(*input);
        if known.len() < usize::try_from(length).unwrap() {
            prop_assert_eq!(result, Value::na(Cause::Warmup));
        } else {
            let result = result.number().unwrap();
            prop_assert!(agrees(&known, result), "{:?} of {:?} gave {}", indicator, known, result);
        }
    }
    Ok(())
}

/// The last n.
fn last(known: &[i128], length: u32) -> &[i128] {
    &known[known.len() - usize::try_from(length).unwrap()..]
}

/// One step of Wilder's mean, exactly.
fn wilder(prev: Option<BigRational>, known: &[i128], n: u32) -> BigRational {
    let n = big(i128::from(n));
    match prev {
        None => big(known.iter().sum()) / n,
        Some(prev) => (prev * (&n - big(1)) + big(*known.last().unwrap())) / n,
    }
}

/// Tells whether two numbers are at most so many units apart.
fn near(a: &BigRational, b: &BigRational, units: i128) -> bool {
    let off = a - b;
    off <= big(units) && -off <= big(units)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn sma_is_the_sum_of_the_last_n(inputs in inputs(), n in 1_u32..12) {
        against(Indicator::Sma, n, &inputs, |known, sum| {
            last(known, n).iter().sum::<i128>() == sum
        })?;
    }

    #[test]
    fn highest_and_lowest_are_those_of_the_last_n(inputs in inputs(), n in 1_u32..12) {
        against(Indicator::Highest, n, &inputs, |known, most| {
            last(known, n).iter().max() == Some(&most)
        })?;
        against(Indicator::Lowest, n, &inputs, |known, least| {
            last(known, n).iter().min() == Some(&least)
        })?;
    }

    #[test]
    fn stdev_is_the_nearest_decimal(inputs in inputs(), n in 1_u32..12) {
        against(Indicator::Stdev, n, &inputs, |known, result| {
            let window = last(known, n);
            let (n, sum) = (i128::from(n), window.iter().sum::<i128>());
            let spread = n * window.iter().map(|x| x * x).sum::<i128>() - sum * sum;
            // |r - sqrt(spread) * 10^6 / n| <= 1/2, squared and cleared of fractions.
            let scaled = BigInt::from(4) * spread * BigInt::from(10).pow(12);
            let square = |number: i128| BigInt::from(number) * number;
            square((2 * result + 1) * n) >= scaled
                && (result == 0 || square((2 * result - 1) * n) <= scaled)
        })?;
    }

    #[test]
    fn ema_follows_its_exact_recursion(inputs in inputs(), n in 1_u32..12) {
        let mut exact = None;
        let half = BigRational::new(BigInt::from(500_001), BigInt::from(1_000_000));
        against(Indicator::Ema, n, &inputs, |known, result| {
            let x = big(*known.last().unwrap());
            let next = match exact.take() {
                None => big(known.iter().sum()) / big(i128::from(n)),
                Some(prev) => {
                    let step = (x - &prev) * big(2) / big(i128::from(n) + 1);
                    prev + step
                }
            };
            let off = big(result) - &next * big(1_000_000);
            exact = Some(next);
            off <= half && -off <= half
        })?;
    }

    #[test]
    fn wma_weighs_the_newest_most(inputs in inputs(), n in 1_u32..12) {
        against(Indicator::Wma, n, &inputs, |known, sum| {
            (1..).zip(last(known, n)).map(|(weight, x)| weight * x).sum::<i128>() == sum
        })?;
    }

    #[test]
    fn rma_follows_its_exact_recursion(inputs in inputs(), n in 1_u32..12) {
        let mut exact = None;
        against(Indicator::Rma, n, &inputs, |known, result| {
            let next = wilder(exact.take(), known, n);
            let agrees = near(&big(result), &(&next * big(1_000_000)), 1);
            exact = Some(next);
            agrees
        })?;
    }

    #[test]
    fn zscore_is_the_nearest_decimal(inputs in inputs(), n in 2_u32..12) {
        let mut state = state(Indicator::Zscore, n);
        let mut known = Vec::new();
        for input in inputs.into_iter().flatten() {
            known.push(input);
            let result = one(&mut state, 0, Value::known(input));
            if known.len() < usize::try_from(n).unwrap() {
                prop_assert_eq!(result, Value::na(Cause::Warmup));
                continue;
            }
            let window = last(&known, n);
            let (count, sum) = (i128::from(n), window.iter().sum::<i128>());
            let spread = count * window.iter().map(|x| x * x).sum::<i128>() - sum * sum;
            if spread == 0 {
                prop_assert_eq!(result, Value::na(Cause::Flat));
                continue;
            }
            let off = count * input - sum;
            let result = result.number().unwrap();
            prop_assert!(result.signum() == off.signum() || result == 0);
            // (|r| -+ 1)^2 * spread around (off * 10^9)^2.
            let square = |number: BigInt| &number * &number;
            let wanted = square(BigInt::from(off) * 1_000_000_000_i64);
            let at = |result: i128| square(BigInt::from(result)) * spread;
            let size = result.abs();
            prop_assert!(at(size + 1) >= wanted && (size == 0 || at(size - 1) <= wanted));
        }
    }

    #[test]
    fn rsi_is_the_share_of_gains(inputs in inputs(), n in 1_u32..12) {
        let mut state = state(Indicator::Rsi, n);
        let mut before = None;
        let (mut gains, mut losses) = (Vec::new(), Vec::new());
        let (mut gain, mut loss) = (None, None);
        for input in inputs.into_iter().flatten() {
            let result = one(&mut state, 0, Value::known(input));
            let Some(before) = before.replace(input) else {
                prop_assert_eq!(result, Value::na(Cause::Warmup));
                continue;
            };
            gains.push((input - before).max(0));
            losses.push((before - input).max(0));
            if gains.len() < usize::try_from(n).unwrap() {
                prop_assert_eq!(result, Value::na(Cause::Warmup));
                continue;
            }
            let (up, down) = (wilder(gain.take(), &gains, n), wilder(loss.take(), &losses, n));
            let all = &up + &down;
            if all == big(0) {
                prop_assert_eq!(result, Value::na(Cause::Flat));
            } else {
                let wanted = &up / all * big(100_000_000_000);
                prop_assert!(near(&big(result.number().unwrap()), &wanted, 2));
            }
            (gain, loss) = (Some(up), Some(down));
        }
    }

    #[test]
    fn ranges_of_bars_are_those_of_the_definition(
        bars in proptest::collection::vec((-99_i128..99, 0_i128..50, 0_i128..50), 1..60),
        n in 1_u32..12,
    ) {
        let mut tr = state(Indicator::Tr, 1);
        let mut atr = state(Indicator::Atr, n);
        let mut exact = None;
        let mut ranges: Vec<i128> = Vec::new();
        let mut before = None;
        for (close, above, below) in bars {
            let (high, low) = (close + above, close - below);
            let bar = [high, low, close].map(Value::known);
            let own = high - low;
            let wide = before.map(|c: i128| own.max((high - c).abs()).max((low - c).abs()));
            let wanted = wide.map_or(Value::na(Cause::Warmup), Value::known);
            prop_assert_eq!(tr.update(0, bar), wanted);
            ranges.push(wide.unwrap_or(own));
            before = Some(close);
            let result = atr.update(0, bar);
            if ranges.len() < usize::try_from(n).unwrap() {
                prop_assert_eq!(result, Value::na(Cause::Warmup));
                continue;
            }
            let next = wilder(exact.take(), &ranges, n);
            let wanted = &next * big(1_000_000);
            prop_assert!(near(&big(result.number().unwrap()), &wanted, 1));
            exact = Some(next);
        }
    }

    #[test]
    fn vwap_is_of_the_day(
        bars in proptest::collection::vec((1_i128..999, 0_i128..99, 1_i128..500), 1..60),
    ) {
        let minute = 60_000_000_000_i128;
        let day = 1_440 * minute;
        let mut state = state(Indicator::Vwap, 1);
        let mut end = 0;
        let mut of_day: Vec<(i128, i128, i128)> = Vec::new();
        for (prices, volume, minutes) in bars {
            end += minutes * minute;
            of_day.push(((end - minute).div_euclid(day), prices, volume));
            let result = state.update(0, [prices, volume, end].map(Value::known));
            let today = (end - minute).div_euclid(day);
            of_day.retain(|(day, ..)| *day == today);
            let volume: i128 = of_day.iter().map(|(_, _, volume)| volume).sum();
            if volume == 0 {
                prop_assert_eq!(result, Value::na(Cause::DivZero));
                continue;
            }
            let value: i128 = of_day.iter().map(|(_, prices, volume)| prices * volume).sum();
            let wanted = big(value) / big(3 * volume) * big(1_000_000);
            prop_assert!(near(&big(result.number().unwrap()), &wanted, 1));
        }
    }

    #[test]
    fn the_past_is_what_was_given_known_or_not(inputs in inputs(), k in 1_u32..9) {
        let mut state = state(Indicator::Lag, k);
        let k = usize::try_from(k).unwrap();
        for (nth, input) in inputs.iter().enumerate() {
            let result = one(&mut state, 0, Value::of(*input));
            let wanted = match nth.checked_sub(k) {
                Some(then) => Value::of(inputs[then]),
                None => Value::na(Cause::Warmup),
            };
            prop_assert_eq!(result, wanted);
        }
    }

    #[test]
    fn a_saved_state_continues_identically(
        before in inputs(),
        after in inputs(),
        n in 1_u32..9,
    ) {
        let kinds = [
            Indicator::Sma,
            Indicator::Ema,
            Indicator::Stdev,
            Indicator::Highest,
            Indicator::Lowest,
            Indicator::Crossover,
            Indicator::Wma,
            Indicator::Rma,
            Indicator::Rsi,
            Indicator::Zscore,
            Indicator::Lag,
            Indicator::Tr,
            Indicator::Atr,
            Indicator::Vwap,
        ];
        let specs = kinds.map(|indicator| SeriesSpec { indicator, length: n });
        let mut state = SeriesState::new(&specs);
        state.add_frame(900_000_000_000, 2);
        let step = |state: &mut SeriesState, input: Option<i128>| -> Vec<Value> {
            let truth = input.map(|input| i128::from(input > 0));
            (0..kinds.len())
                .map(|index| one(state, index, Value::of(if index == 5 { truth } else { input })))
                .collect()
        };
        for input in before {
            step(&mut state, input);
        }
        let mut out = ImageWriter::default();
        state.save(&mut out);
        let bytes = out.finish();
        let mut copy = SeriesState::new(&specs);
        copy.add_frame(900_000_000_000, 2);
        let mut reader = ImageReader::new(&bytes);
        prop_assert!(copy.load(&mut reader).is_ok() && reader.finish().is_ok());
        prop_assert_eq!(&copy, &state);
        for input in after {
            prop_assert_eq!(step(&mut copy, input), step(&mut state, input));
        }
        prop_assert_eq!(&copy, &state);
        let short = bytes.split_last().map_or(&[][..], |(_, rest)| rest);
        prop_assert!(copy.load(&mut ImageReader::new(short)).is_err());
    }
}

#[test]
fn an_image_of_another_program_is_refused() {
    let mut out = ImageWriter::default();
    state(Indicator::Sma, 3).save(&mut out);
    let bytes = out.finish();
    for (indicator, length) in [(Indicator::Sma, 4), (Indicator::Ema, 3), (Indicator::Highest, 3)] {
        assert!(state(indicator, length).load(&mut ImageReader::new(&bytes)).is_err());
    }
    let two = [SeriesSpec { indicator: Indicator::Sma, length: 3 }; 2];
    assert!(SeriesState::new(&two).load(&mut ImageReader::new(&bytes)).is_err());
    assert!(state(Indicator::Sma, 3).load(&mut ImageReader::new(&bytes)).is_ok());
}

#[test]
fn a_crossing_looks_back_to_the_last_step_where_both_were_known() {
    let mut state = state(Indicator::Crossover, 1);
    let (above, below) = (Value::TRUE, Value::FALSE);
    let missing = Value::MISSING;
    let steps = [
        (missing, missing),
        (above, Value::na(Cause::Warmup)),
        (above, Value::FALSE),
        (below, Value::FALSE),
        (missing, missing),
        (above, Value::TRUE),
        (above, Value::FALSE),
    ];
    for (input, result) in steps {
        assert_eq!(one(&mut state, 0, input), result);
    }
}

#[test]
fn inputs_too_large_for_exact_steps_are_skipped_as_overflow() {
    let overflow = Value::na(Cause::Overflow);
    let limits = [
        (Indicator::Ema, EMA_INPUT_MAX),
        (Indicator::Sma, Sma::input_max(2)),
        (Indicator::Stdev, Stdev::input_max(2)),
    ];
    for (indicator, most) in limits {
        for sign in [1, -1] {
            let mut state = state(indicator, 2);
            let results = feed(&mut state, &[most * sign, (most + 1) * sign, -most * sign]);
            assert_eq!(results[..2], [Value::na(Cause::Warmup), overflow]);
            assert!(!results[2].is_na(), "{indicator:?} goes on");
        }
    }
    // The largest spread there is: n^2 times the variance is 2^126.
    let most = Stdev::input_max(2);
    let widest = feed(&mut state(Indicator::Stdev, 2), &[most, -most]);
    assert_eq!(widest[1], Value::known(most * 1_000_000));
}

#[test]
fn known_vectors_hold() {
    // TA-Lib and TradingView agree on these: seed by the mean, then prev + k * (x - prev).
    let known = |numbers: &[i128]| numbers.iter().map(|n| Value::known(*n)).collect::<Vec<_>>();
    let ema = feed(&mut state(Indicator::Ema, 3), &[2, 4, 6, 8, 20]);
    assert_eq!(ema[2..], known(&[4_000_000, 6_000_000, 13_000_000]));
    let stdev = feed(&mut state(Indicator::Stdev, 8), &[2, 4, 4, 4, 5, 5, 7, 9]);
    assert_eq!(stdev[7], Value::known(2_000_000));
    let thirds = feed(&mut state(Indicator::Ema, 3), &[1, 1, 2]);
    assert_eq!(thirds[2], Value::known(1_333_333));
    let negative = feed(&mut state(Indicator::Ema, 3), &[-1, -1, -2]);
    assert_eq!(negative[2], Value::known(-1_333_333), "rounding is symmetric");
}

#[test]
fn memory_is_made_once() {
    let mut state = state(Indicator::Highest, 100);
    let falling: Vec<_> = (0..500).map(|step| -step).collect();
    feed(&mut state, &falling);
    let super::Series::Highest(extreme) = &state.series[0] else { panic!("a highest") };
    let (used, copied) = (extreme.capacity(), extreme.clone().capacity());
    assert_eq!((used, copied), (100, 100), "neither the deque nor a copy of it has to grow");
}

#[test]
fn settling_is_about_seven_lengths() {
    for length in [10, 100, 1_000] {
        let settling = SeriesSpec { indicator: Indicator::Ema, length }.settling();
        let n = u64::from(length);
        assert!((6 * n..8 * n).contains(&settling), "{settling} steps for {n}");
    }
}
