//! The recorded data, where it is at hand.

use super::*;

/// Returns the folder of recorded data, `None` when there is none and none is required.
#[expect(clippy::disallowed_methods, reason = "where recorded data lies is told to tests this way")]
fn recorded() -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let named = std::env::var("SLUICE_DATA").ok().filter(|folder| !folder.is_empty());
    let folder = root.join(named.unwrap_or("../shared/data".to_owned()));
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("SLUICE_REQUIRE_DATA").is_ok_and(|value| value == "1");
    assert!(!required, "no recorded data in {}", folder.display());
    None
}

/// File, full names, messages (lines with a payload), updates.
const RECORDED: [(&str, &str, u64, usize); 32] = [
    (
        "raw_ws/merged_binance_4feeds_20240808_09.tsv.zst",
        "binance:BTC_USDT binance:ETH_USDT binance:BTC_USDT.PERP binance:ETH_USDT.PERP",
        347_927,
        1_772_295,
    ),
    ("raw_ws/binance_spot_btcusdt_20240808_09.log.zst", "binance:BTC_USDT", 99_574, 393_174),
    ("raw_ws/binance_spot_ethusdt_20240808_09.log.zst", "binance:ETH_USDT", 79_744, 348_027),
    ("raw_ws/binance_usdm_btcusdt_20240808.log.zst", "binance:BTC_USDT.PERP", 93_954, 532_666),
    ("raw_ws/binance_usdm_ethusdt_20240808.log.zst", "binance:ETH_USDT.PERP", 74_655, 498_428),
    ("l2/binance_spot_btcusdt_20240808_09_l2.csv.zst", "binance:BTC_USDT", 300_094, 300_096),
    ("l2/binance_usdm_btcusdt_20240808_l2.csv.zst", "binance:BTC_USDT.PERP", 445_262, 445_264),
    ("trades/binance_spot_btcusdt_20240808_09_trades.csv.zst", "binance:BTC_USDT", 19_904, 19_905),
    ("trades/binance_spot_ethusdt_20240808_09_trades.csv.zst", "binance:ETH_USDT", 14_515, 14_516),
    (
        "trades/binance_usdm_btcusdt_20240808_trades.csv.zst",
        "binance:BTC_USDT.PERP",
        21_313,
        21_314,
    ),
    (
        "trades/binance_usdm_ethusdt_20240808_trades.csv.zst",
        "binance:ETH_USDT.PERP",
        14_076,
        14_077,
    ),
    ("klines/binance_adausdt_15m_2025H2.csv.zst", "binance:ADA_USDT", 17_664, 35_329),
    ("klines/binance_adausdt_1h_2022Jan_Aug.csv.zst", "binance:ADA_USDT", 5_832, 11_665),
    ("klines/binance_bnbusdt_15m_2025H2.csv.zst", "binance:BNB_USDT", 17_664, 35_329),
    ("klines/binance_bnbusdt_1h_2022Jan_Aug.csv.zst", "binance:BNB_USDT", 5_832, 11_665),
    ("klines/binance_btcusdt_15m_2025H2.csv.zst", "binance:BTC_USDT", 17_664, 35_329),
    ("klines/binance_btcusdt_1h_2022Jan_Aug.csv.zst", "binance:BTC_USDT", 5_832, 11_665),
    ("klines/binance_ethusdt_15m_2025H2.csv.zst", "binance:ETH_USDT", 17_664, 35_329),
    ("klines/binance_ethusdt_1h_2022Jan_Aug.csv.zst", "binance:ETH_USDT", 5_832, 11_665),
    (
        "klines/binance_fut_adausdt_1m_2025May30_Jun29.csv.zst",
        "binance:ADA_USDT.PERP",
        43_200,
        86_401,
    ),
    (
        "klines/binance_fut_dotusdt_1m_2025May30_Jun29.csv.zst",
        "binance:DOT_USDT.PERP",
        43_200,
        86_401,
    ),
    ("klines/binance_solusdt_15m_2025H2.csv.zst", "binance:SOL_USDT", 17_664, 35_329),
    ("klines/binance_solusdt_1h_2022Jan_Aug.csv.zst", "binance:SOL_USDT", 5_832, 11_665),
    ("klines/binance_xrpusdt_15m_2025H2.csv.zst", "binance:XRP_USDT", 17_664, 35_329),
    ("klines/binance_xrpusdt_1h_2022Jan_Aug.csv.zst", "binance:XRP_USDT", 5_832, 11_665),
    ("klines/binanceus_btcusd_1m_2023Mar01_21.csv.zst", "binanceus:BTC_USD", 30_240, 60_481),
    ("klines/binanceus_btcusdt_1m_2023Mar01_21.csv.zst", "binanceus:BTC_USDT", 30_240, 60_481),
    ("klines/bitfinex_btcusd_1m_2017Nov_2018Mar.csv.zst", "bitfinex:BTC_USD", 217_199, 434_399),
    ("klines/bitfinex_ethusd_1m_2017Nov_2018Mar.csv.zst", "bitfinex:ETH_USD", 216_900, 433_801),
    ("klines/bitfinex_ltcusd_1m_2017Nov_2018Mar.csv.zst", "bitfinex:LTC_USD", 214_761, 429_523),
    ("klines/bitfinex_xrpusd_1m_2017Nov_2018Mar.csv.zst", "bitfinex:XRP_USD", 213_376, 426_753),
    ("klines/bitmex_xbtusd_1m_2020H1.csv.zst", "bitmex:BTC_USDT.PERP", 262_080, 524_161),
];

#[test]
fn recorded_files_are_read_whole_without_a_fault() {
    let Some(folder) = recorded() else { return };
    for (path, symbols, messages, updates) in RECORDED {
        let mut opened = open(&request(&[folder.join(path)])).unwrap();
        let names: Vec<String> =
            opened.instruments.iter().map(|(one, _)| one.symbol.to_string()).collect();
        assert_eq!(names.join(" "), symbols, "{path}");
        assert!(!opened.notes.iter().any(|note| note.starts_with("warning")), "{:?}", opened.notes);
        assert_eq!(opened.sources[0].hash.len(), 64);
        let source = opened.source.source();
        let mut message = Message::default();
        let (mut count, mut last, mut steps_back) = (0, Nanos(0), 0);
        while source.take(&mut message) {
            count += message.updates.len();
            steps_back += u32::from(message.ts < last);
            last = message.ts;
        }
        let progress = source.progress();
        assert_eq!((progress.messages, progress.bad), (messages, 0), "{path}");
        assert_eq!(count, updates, "{path}");
        assert_eq!(progress.bytes, progress.bytes_total, "{path}");
        assert!(!progress.failed, "{path}");
        assert_eq!(steps_back, u32::from(path.starts_with("l2/")), "{path}");
    }
}

#[test]
fn recorded_files_merge_by_time() {
    let Some(folder) = recorded() else { return };
    let files = [
        "trades/binance_spot_btcusdt_20240808_09_trades.csv.zst",
        "trades/binance_usdm_btcusdt_20240808_trades.csv.zst",
        "trades/binance_spot_ethusdt_20240808_09_trades.csv.zst",
    ];
    let (messages, progress) = read(&request(&files.map(|file| folder.join(file))));
    assert_eq!((progress.messages, progress.bad), (55_732, 0));
    assert!(messages.is_sorted_by_key(|message| (message.ts, message.source)));
    let states = messages.iter().flat_map(|message| &message.updates);
    assert_eq!(states.filter(|(_, body)| matches!(body, Body::FeedState(_))).count(), 3);
}
