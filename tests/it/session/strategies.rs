//! The strategies that ship, on recorded data: they trade, and are replayed to the same bytes.

use super::lab::{Backtest, MERGED, assert_replays, fused, split};

/// Runs a shipped strategy under the shipped limits; both topologies replay to its hash.
#[track_caller]
fn check(rules: &str, file: &str, more: &[&str]) -> Option<Backtest> {
    let data = tests::recorded(file)?;
    let scratch = tempfile::tempdir().unwrap();
    let shipped = tests::root().join("rules");
    let (rules, limits) = (shipped.join(rules), shipped.join("limits.rules"));
    let (rules, limits) = (rules.display().to_string(), limits.display().to_string());
    let mut arguments = vec!["--topology", "fused", "--rules", &rules, &limits];
    arguments.extend(more);
    let ran = Backtest::run(scratch.path(), "run", &data, &arguments);
    for placement in [fused(), split()] {
        let summary = assert_replays(&ran.dir, &placement, ran.hash());
        assert_eq!(summary.fills, ran.count("fills"));
    }
    Some(ran)
}

#[test]
fn momentum_trades_minutes() {
    let file = "klines/binanceus_btcusdt_1m_2023Mar01_21.csv.zst";
    let Some(ran) = check("momentum.rules", file, &[]) else { return };
    // 31 breakouts in three weeks; their limits live for half a minute, and a source of minute bars
    // says what was traded only when that is over.
    assert_eq!((ran.count("decisions"), ran.count("orders")), (31, 31), "{}", ran.json);
}

#[test]
fn mm_reversion_quotes_the_merged_capture() {
    let perpetual = ["--symbol", "BTC_USDT.PERP"];
    let Some(ran) = check("mm_reversion.rules", MERGED, &perpetual) else { return };
    let counts = ["decisions", "orders", "cancels", "fills"].map(|name| ran.count(name));
    assert_eq!(counts, [446, 446, 439, 7], "{}", ran.json);
    // A cash account has nothing to offer: bids work, and offers are refused until one has filled.
    let spot = ["--symbol", "binance:BTC_USDT"];
    let Some(ran) = check("mm_reversion.rules", MERGED, &spot) else { return };
    let counts = ["decisions", "orders", "cancels", "fills"].map(|name| ran.count(name));
    assert_eq!(counts, [6_686, 446, 441, 8], "{}", ran.json);
    assert_eq!(ran.json["refusals"]["NO_BALANCE"], 6_240, "{}", ran.json);
}
