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

fn feed(state: &mut SeriesState, inputs: &[i128]) -> Vec<Value> {
    inputs.iter().map(|input| state.update(0, Value::known(*input))).collect()
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
        let result = state.update(0, Value::of(*input));
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
        ];
        let specs = kinds.map(|indicator| SeriesSpec { indicator, length: n });
        let mut state = SeriesState::new(&specs);
        let step = |state: &mut SeriesState, input: Option<i128>| -> Vec<Value> {
            let truth = input.map(|input| i128::from(input > 0));
            (0..kinds.len())
                .map(|index| state.update(index, Value::of(if index == 5 { truth } else { input })))
                .collect()
        };
        for input in before {
            step(&mut state, input);
        }
        let mut out = ImageWriter::default();
        state.save(&mut out);
        let bytes = out.finish();
        let mut copy = SeriesState::new(&specs);
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
        assert_eq!(state.update(0, input), result);
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
