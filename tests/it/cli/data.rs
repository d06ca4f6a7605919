//! Small recorded files, written by hand: a spot capture, trades, bars, and rules that trade them.

use std::io::Write;
use std::path::Path;

/// First receive time of every file: 2024-08-08T23:54:14Z.
pub(crate) const START_NS: i64 = 1_723_161_254_000_000_000;

/// Rules that buy on each trade and refuse nothing: a session that decides.
pub(crate) const TAKER: &str = "rules 1

risk any_order hard {
  applies to all
  deny SELF_TRADE when order.crosses_own
}

strategy taker {
  on trade of BTC_USDT
  enter long GO
    when market.last > 1 ticks
    size 20 USDT
    price market.last
    tif ioc
  exit long BACK when position.age > 1s
}
";

/// Rules on bars that the demo's and the spot data do not have.
pub(crate) const ELSEWHERE: &str = "rules 1

risk any_order hard {
  applies to all
  deny SELF_TRADE when order.crosses_own
}

strategy elsewhere {
  on trade of DOGE_USDT
  enter long GO
    when market.last > 1 ticks
    size 20 USDT
    price market.last
    tif ioc
}
";

/// A snapshot of the book at update 10.
pub(crate) const SNAPSHOT: &str =
    r#"{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}"#;

/// Header line of a trades file.
pub(crate) const TRADES: &str = "local_ts,event_ms,trade_ms,trade_id,price,qty,buyer_is_maker\n";
/// Header line of a klines file.
pub(crate) const KLINES: &str =
    "ts_ms,open,high,low,close,volume,trades,quote_volume,taker_buy_base\n";

/// Writes a file of a test's folder.
pub(crate) fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// Returns a line of a raw capture, `at` nanoseconds after its start.
pub(crate) fn line(at: i64, json: &str) -> String {
    format!("{} {json}\n", START_NS + at)
}

/// Returns a message of a spot stream: its kind, and the fields behind time and symbol.
fn message(stream: &str, kind: &str, symbol: &str, fields: &str) -> String {
    let name = symbol.to_ascii_lowercase();
    let data = format!(r#"{{"e":"{kind}","E":1,"s":"{symbol}",{fields}}}"#);
    format!(r#"{{"stream":"{name}@{stream}","data":{data}}}"#)
}

/// Returns a trade of the spot stream.
pub(crate) fn trade(symbol: &str, id: u64, price: &str, qty: &str) -> String {
    let fields = format!(r#""t":{id},"p":"{price}","q":"{qty}","T":2,"m":true"#);
    message("trade", "trade", symbol, &fields)
}

/// Returns a change of the best ask's quantity, updates `first..=last`.
pub(crate) fn depth(first: u64, last: u64) -> String {
    changes(first, last, &format!(r#"["101.00","{last}"]"#))
}

/// Returns a change of ask levels, updates `first..=last`.
pub(crate) fn changes(first: u64, last: u64, asks: &str) -> String {
    let fields = format!(r#""U":{first},"u":{last},"b":[],"a":[{asks}]"#);
    message("depth@100ms", "depthUpdate", "BTCUSDT", &fields)
}

/// Returns best prices of the spot stream, whose messages name no kind.
pub(crate) fn ticker(id: u64, bid: &str, ask: &str) -> String {
    let prices = format!(r#""b":"{bid}","B":"1","a":"{ask}","A":"2""#);
    let data = format!(r#"{{"u":{id},"s":"BTCUSDT",{prices}}}"#);
    format!(r#"{{"stream":"btcusdt@bookTicker","data":{data}}}"#)
}

/// Returns a good capture of six messages with one more in their midst, `at` 5 ms.
pub(crate) fn capture_with(between: &str) -> String {
    [
        line(0, SNAPSHOT),
        line(1_000_000, &depth(11, 12)),
        line(2_000_000, &trade("BTCUSDT", 1, "101.00", "1")),
        between.to_owned(),
        line(9_000_000, &trade("BTCUSDT", 9, "101.00", "1")),
        line(2_500_000_000, &trade("BTCUSDT", 10, "101.00", "1")),
        line(2_600_000_000, &trade("BTCUSDT", 11, "101.00", "1")),
    ]
    .concat()
}

/// Returns a row of a trades file, `nth` milliseconds after its start.
pub(crate) fn row(nth: i64, price: &str, qty: &str) -> String {
    format!("{},1,2,{nth},{price},{qty},1\n", START_NS + nth * 1_000_000)
}

/// Returns a trades file of `count` rows.
pub(crate) fn trades(count: i64) -> String {
    let rows: String = (1..=count).map(|nth| row(nth, "100.01", "0.5")).collect();
    format!("{TRADES}{rows}")
}

/// Returns bytes compressed by zstd, with a checksum.
pub(crate) fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Returns bytes compressed by gzip.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Returns the option that names the rules of the demo, which are more than what runs by default.
pub(crate) fn demo_rules() -> String {
    let path = |name: &str| tests::root().join("rules").join(name).display().to_string();
    let names = ["crossover.rules", "demo.rules", "limits.rules"].map(path);
    format!("--rules {}", names.join(" "))
}
