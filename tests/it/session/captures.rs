//! Every kind of recorded data: journaled, and replayed to the same bytes.

use super::lab::{Backtest, assert_replays, fused, split};

/// Rules that act often on one instrument.
struct Probe {
    symbol: &'static str,
    /// `trade`, `book` or `bar`.
    trigger: &'static str,
    /// What is followed.
    value: &'static str,
    short: bool,
}

impl Probe {
    /// Orders of `rest` live for an hour: with bars their timers fire on the boundaries of bars,
    /// and at midnight beside the day roll. Replay once took timer and bar in another order there.
    fn text(&self) -> String {
        let Self { symbol, trigger, value, short } = self;
        let trigger = match *trigger {
            "book" => format!("book of {symbol} every 200ms"),
            "trade" => format!("trade of {symbol}"),
            bar => format!("{bar} of {symbol}"),
        };
        let shorts = if *short {
            "enter short DOWN when crossunder(fast, slow) size 900 USDT price fast - 2 ticks ttl 20s
             exit short UP_AGAIN when crossover(fast, slow)"
        } else {
            ""
        };
        format!(
            "rules 1
             risk bounds hard {{
               applies to all
               reduce_only BAD_DAY until day_end when account.day_drawdown >= 3% held 2s
               cap MAX_ORDER value to 1_000 USDT
               cap MAX_EXPOSURE value to max(20% * account.equity - account.exposure, 0 USDT)
                 unless order.reduces
               deny TOO_SMALL when order.value < 50 USDT unless order.reduces
             }}
             strategy probe {{
               on {trigger}
               series fast = ema({value}, 4)
               series slow = sma({value}, 16)
               enter long UP when crossover(fast, slow) size 1_500 USDT at_market
               {shorts}
               exit long DOWN_AGAIN when crossunder(fast, slow)
             }}
             strategy rest {{
               on {trigger}
               series fast = ema({value}, 3)
               series slow = sma({value}, 9)
               enter long WAIT when fast > slow size 100 USDT price {value} - 1 ticks ttl 1h
               exit long DONE when fast < slow
             }}"
        )
    }
}

#[track_caller]
fn check(file: &str, probe: &Probe) {
    let Some(data) = tests::recorded(file) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let rules = scratch.path().join("probe.rules");
    std::fs::write(&rules, probe.text()).unwrap();
    let rules = rules.display().to_string();
    let more = ["--topology", "fused", "--rules", &rules];
    let ran = Backtest::run(scratch.path(), "run", &data, &more);
    ran.evidence().assert_not_empty(file);
    let summary = assert_replays(&ran.dir, &fused(), ran.hash());
    assert_eq!(summary.fills, ran.count("fills"));
    assert_eq!(summary.inputs, ran.count("inputs"));
    assert!(ran.json["book_checks"]["unequal"] == 0, "{}", ran.json);
    // The other placement where it is quick.
    if ran.count("messages") < 20_000 {
        assert_replays(&ran.dir, &split(), ran.hash());
    }
}

const fn probe(symbol: &'static str, trigger: &'static str, value: &'static str) -> Probe {
    Probe { symbol, trigger, value, short: false }
}

const fn perpetual(symbol: &'static str, trigger: &'static str, value: &'static str) -> Probe {
    Probe { symbol, trigger, value, short: true }
}

#[test]
fn raw_captures_are_replayed_to_the_same_bytes() {
    let spot = probe("BTC_USDT", "trade", "market.last");
    check("raw_ws/binance_spot_btcusdt_20240808_09.log.zst", &spot);
    let spot = probe("ETH_USDT", "book", "market.mid");
    check("raw_ws/binance_spot_ethusdt_20240808_09.log.zst", &spot);
    let perp = perpetual("BTC_USDT.PERP", "book", "market.mid");
    check("raw_ws/binance_usdm_btcusdt_20240808.log.zst", &perp);
    let perp = perpetual("ETH_USDT.PERP", "bar 1s", "close");
    check("raw_ws/binance_usdm_ethusdt_20240808.log.zst", &perp);
}

#[test]
fn books_are_replayed_to_the_same_bytes() {
    let spot = probe("BTC_USDT", "book", "market.mid");
    check("l2/binance_spot_btcusdt_20240808_09_l2.csv.zst", &spot);
    let perp = perpetual("BTC_USDT.PERP", "book", "market.mid");
    check("l2/binance_usdm_btcusdt_20240808_l2.csv.zst", &perp);
}

#[test]
fn trades_are_replayed_to_the_same_bytes() {
    let spot = probe("BTC_USDT", "trade", "market.last");
    check("trades/binance_spot_btcusdt_20240808_09_trades.csv.zst", &spot);
    let spot = probe("ETH_USDT", "bar 1s", "close");
    check("trades/binance_spot_ethusdt_20240808_09_trades.csv.zst", &spot);
    let perp = perpetual("BTC_USDT.PERP", "trade", "market.last");
    check("trades/binance_usdm_btcusdt_20240808_trades.csv.zst", &perp);
    let perp = perpetual("ETH_USDT.PERP", "trade", "market.last");
    check("trades/binance_usdm_ethusdt_20240808_trades.csv.zst", &perp);
}

#[test]
fn klines_are_replayed_to_the_same_bytes() {
    let spot = probe("BTC_USDT", "bar 15m", "close");
    check("klines/binance_btcusdt_15m_2025H2.csv.zst", &spot);
    let perp = perpetual("ADA_USDT.PERP", "bar 1m", "close");
    check("klines/binance_fut_adausdt_1m_2025May30_Jun29.csv.zst", &perp);
    let dollars = probe("BTC_USD", "bar 1m", "close");
    check("klines/binanceus_btcusd_1m_2023Mar01_21.csv.zst", &dollars);
}
