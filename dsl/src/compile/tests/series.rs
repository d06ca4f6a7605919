//! Series of whole strategies, from their text: history, longer bars, and what is made of parts.

use model::order::{Cause, Side};

use super::build::{Table, binding, instrument};
use crate::check::check;
use crate::compile::bind_strategy;
use crate::evaluate::StrategyCode;
use crate::schema::Field;
use crate::span::Source;
use crate::value::Value;

const MINUTE: i128 = 60_000_000_000;

fn bound(body: &str) -> StrategyCode {
    let text = format!("rules 1\nstrategy s {{\n  on bar 1m of BTC_USDT\n{body}\n}}\n");
    let checked = check(&[Source { name: "s".to_owned(), text }]);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    bind_strategy(&checked.program.strategies[0], &binding(&instrument())).unwrap()
}

/// Runs a strategy on closes from midnight on, and returns the price that it asks for at each.
fn prices(body: &str, closes: &[i128]) -> Vec<Value> {
    let code = bound(body);
    let (mut state, mut registers) = (code.new_state(), code.registers());
    let mut prices = Vec::new();
    for (close, minute) in closes.iter().zip(1..) {
        code.step(&facts(*close, minute), &mut state, &mut registers);
        prices.push(code.order(0, Side::Buy, &registers).price.unwrap());
    }
    prices
}

fn facts(close: i128, minute: i128) -> Table {
    Table::default()
        .with(Field::BarOpen, close - 5)
        .with(Field::BarHigh, close + 10)
        .with(Field::BarLow, close - 20)
        .with(Field::BarClose, close)
        .with(Field::BarVolume, 10_000 + close)
        .with(Field::BarTime, minute * MINUTE)
}

/// A walk on the grid of 0.05 that every test can make again.
fn walk(length: usize) -> Vec<i128> {
    let mut seed = 7_u64;
    let mut price = 100_000_i128;
    let mut step = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        price += 5 * (i128::from(seed >> 60) - 7);
        price
    };
    (0..length).map(|_| step()).collect()
}

const RULE: &str = "enter long X when true size 1 lots price";

/// Rounds down to the tick of 0.05, as the price of a buy.
fn floor_tick(numerator: i128, denominator: i128) -> Value {
    Value::known(numerator.div_euclid(denominator * 5) * 5)
}

#[test]
fn history_counts_triggers() {
    let closes = walk(40);
    for k in 0..8 {
        let found = prices(&format!("{RULE} close[{k}]"), &closes);
        for (nth, price) in found.into_iter().enumerate() {
            let wanted = match nth.checked_sub(k) {
                Some(then) => Value::known(closes[then]),
                None => Value::na(Cause::Warmup),
            };
            assert_eq!(price, wanted, "close[{k}] at {nth}");
        }
    }
}

#[test]
fn history_of_a_ratio_is_exact() {
    let closes = walk(30);
    let body = format!("let r = close / open\n{RULE} open[2] * r[2]");
    let found = prices(&body, &closes);
    assert_eq!(found[1], Value::na(Cause::Warmup));
    for nth in 2..closes.len() {
        assert_eq!(found[nth], Value::known(closes[nth - 2]));
    }
}

#[test]
fn a_longer_series_shows_the_last_closed_bar() {
    let closes = walk(200);
    let body = format!("series m = sma(close, 3) on 15m\n{RULE} m");
    let back = format!("series m = sma(close, 3) on 15m\n{RULE} m[1]");
    let (now, before) = (prices(&body, &closes), prices(&back, &closes));
    for nth in 0..closes.len() {
        // Bars that are closed by the end of minute `nth + 1`.
        let ends: Vec<i128> = closes[..=nth].iter().skip(14).step_by(15).copied().collect();
        let mean = |ends: &[i128]| match ends {
            [.., a, b, c] => floor_tick(a + b + c, 3),
            _ => Value::na(Cause::Warmup),
        };
        assert_eq!(now[nth], mean(&ends), "minute {nth}");
        let past = if ends.len() > 3 { mean(&ends[..ends.len() - 1]) } else { mean(&[]) };
        assert_eq!(before[nth], past, "minute {nth}: one longer bar ago, not one minute");
    }
    let code = bound(&body);
    // Two longer bars and a partial one at worst.
    assert_eq!(code.warmup(), 3 * 15 + 14);
}

#[test]
fn longer_bars_survive_an_image() {
    use model::codec::{Image, ImageReader, ImageWriter};
    let closes = walk(120);
    let body = format!("series t = ema(high - low, 2) on 15m\n{RULE} close + t + t[1]");
    let code = bound(&body);
    let (mut state, mut registers) = (code.new_state(), code.registers());
    for (close, minute) in closes.iter().zip(1..) {
        // A new memory and new registers at every step.
        let mut out = ImageWriter::default();
        state.save(&mut out);
        let bytes = out.finish();
        let mut copy = code.new_state();
        copy.load(&mut ImageReader::new(&bytes)).unwrap();
        let mut scratch = code.registers();
        code.step(&facts(*close, minute), &mut copy, &mut scratch);
        code.step(&facts(*close, minute), &mut state, &mut registers);
        assert_eq!(copy, state);
        let price = code.order(0, Side::Buy, &scratch).price;
        assert_eq!(price, code.order(0, Side::Buy, &registers).price);
    }
}

#[test]
fn parts_are_what_they_are_made_of() {
    let closes = walk(90);
    let pairs = [
        ("macd(close, 5, 9, 4).line + close", "ema(close, 5) - ema(close, 9) + close"),
        ("macd(close, 5, 9, 4).signal + close", "ema(ema(close, 5) - ema(close, 9), 4) + close"),
        (
            "macd(close, 5, 9, 4).hist + close",
            "ema(close, 5) - ema(close, 9) - ema(ema(close, 5) - ema(close, 9), 4) + close",
        ),
        ("bollinger(close, 8, 2.5).upper", "sma(close, 8) + 2.5 * stdev(close, 8)"),
        ("bollinger(close, 8, 2.5).middle", "sma(close, 8)"),
        ("bollinger(close, 8, 2.5).lower", "sma(close, 8) - 2.5 * stdev(close, 8)"),
        ("close + change(close)", "close + close - close[1]"),
        ("close + change(close, 4)", "close + close - close[4]"),
        ("close * (1 + roc(close, 4))", "close * (1 + (close - close[4]) / close[4])"),
    ];
    for (short, long) in pairs {
        let (short, long) = (format!("{RULE} {short}"), format!("{RULE} {long}"));
        let found = prices(&short, &closes);
        assert_eq!(found, prices(&long, &closes), "{short}");
        assert!(found.last().is_some_and(|price| !price.is_na()));
    }
}

#[test]
fn rounding_goes_to_the_grid() {
    let closes = [100_001, 100_002, 100_003, 100_004, 100_005, 100_007];
    let rounded = |function: &str| {
        let found = prices(&format!("{RULE} {function}(close / 2 * 2)"), &closes);
        found.into_iter().map(|price| price.number().unwrap() - 100_000).collect::<Vec<_>>()
    };
    assert_eq!(rounded("round_down"), [0, 0, 0, 0, 5, 5]);
    assert_eq!(rounded("round_up"), [5, 5, 5, 5, 5, 10]);
    assert_eq!(rounded("round_nearest"), [0, 0, 5, 5, 5, 5]);
    let whole =
        |text: &str| prices(&format!("{RULE} {text} * 1 ticks"), &[250])[0].number().unwrap() / 5;
    assert_eq!(whole("floor(close / 100 ticks)"), 0);
    assert_eq!(whole("ceil(close / 100 ticks)"), 1);
    assert_eq!(whole("round(close / 20 ticks)"), 2, "halves go to the even integer");
    assert_eq!(whole("floor(-2.5)"), -3);
    assert_eq!(whole("ceil(-2.5)"), -2);
    assert_eq!(whole("mod(17, 5)"), 2);
    assert_eq!(whole("mod(-17, 5)"), 3);
    assert_eq!(prices(&format!("{RULE} mod(close, 40 ticks)"), &[450])[0], Value::known(50));
}
