//! Faults by table, binding by table; how files are read, and the recorded ones, apart.

use std::io::Write;
use std::path::PathBuf;

use engine::source::{Message, Progress};
use model::event::{Bar, BarExtra, Body, FeedState};
use model::id::NO_INSTRUMENT;
use model::num::{Money, Price, Qty};
use model::order::{FeedStatus, InputFault, Side};
use model::time::Nanos;

use super::*;

mod facts;
mod files;
mod recorded;

/// A folder of files that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sluice-data-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn request(paths: &[PathBuf]) -> Request {
    let arg = |path: &PathBuf| DataArg { path: path.clone(), symbol: None };
    Request { data: paths.iter().map(arg).collect(), ..Request::default() }
}

/// Reads a source to its end.
fn drain(recorded: &mut Recorded) -> (Vec<Message>, Progress) {
    let source = recorded.source();
    let mut messages = Vec::new();
    let mut message = Message::default();
    while let Some(ts) = source.peek() {
        assert!(source.take(&mut message));
        assert_eq!(message.ts, ts);
        assert!(!message.updates.is_empty());
        messages.push(message.clone());
    }
    assert!(!source.take(&mut message) && message.updates.is_empty());
    (messages, source.progress())
}

fn read(request: &Request) -> (Vec<Message>, Progress) {
    drain(&mut open(request).unwrap().source)
}

/// Returns line, fault and instrument of each fault.
fn faults(messages: &[Message]) -> Vec<(u64, InputFault, u32)> {
    let updates = messages.iter().flat_map(|message| &message.updates);
    let fault = |(instrument, body): &(InstrumentId, Body)| {
        let Body::BadInput(bad) = body else { return None };
        Some((bad.line, bad.fault, instrument.0))
    };
    updates.filter_map(fault).collect()
}

const KLINES: &str = "ts_ms,open,high,low,close,volume,trades,quote_volume,taker_buy_base\n\
    1640995200000,100.00,110.00,90.00,105.00,1.5,7,150.5,0\n\
    1640998800000,105,106.5,104,106,9e-05,None,None,0\n";
const TRADES: &str = "local_ts,event_ms,trade_ms,trade_id,price,qty,buyer_is_maker\n\
    1000000000000000000,1,2,10,100.01,0.5,1\n\
    1000000000000000001,1,3,11,100.02,0.25,0\n";
const LEVELS: &str = "local_ts,event_ms,kind,first_u,last_u,prev_u,side,price,qty\n\
    1000000000000000500,,S,,50,,b,100.00,1\n\
    1000000000000000500,,S,,50,,a,101.00,2\n\
    1000000000000000400,7,D,45,50,,b,99.00,9\n\
    1000000000000000600,8,D,51,52,,b,100.50,3\n\
    1000000000000000600,8,D,51,52,,a,101.00,0\n";

#[test]
fn faults_of_each_format_are_reported_where_they_stand() {
    use InputFault::*;
    let klines = "binance_btcusdt_1h_x.csv";
    let bitmex = "bitmex_xbtusd_1m_x.csv";
    let trades = "binance_spot_btcusdt_trades.csv";
    let levels = "binance_spot_btcusdt_l2.csv";
    // File, its head, a line put behind it, the fault.
    let table: [(&str, &str, &str, InputFault); 36] = [
        (klines, KLINES, "1641002400000,1,2,0.5", Malformed),
        (klines, KLINES, "1641002400000,x,110,90,105,1,1,1,0", Malformed),
        (klines, KLINES, "1641002400000,None,110,90,105,1,1,1,0", Malformed),
        (klines, KLINES, "noise", Malformed),
        (klines, KLINES, "1641002400000,100.001,110,90,105,1,1,1,0", OffGrid),
        (klines, KLINES, "1641002400000,100,110,90,105,0.123456789,1,1,0", OffGrid),
        (klines, KLINES, "1641002400000,100,110,90,105,-1,1,1,0", NotPositive),
        (klines, KLINES, "1641002400000,0,110,0,105,1,1,1,0", NotPositive),
        (klines, KLINES, "1641002400000,-100,110,90,105,1,1,1,0", NotPositive),
        (klines, KLINES, "1641002400000,100,110,90,111,1,1,1,0", BadBar),
        (klines, KLINES, "1641002400000,100,90,110,100,1,1,1,0", BadBar),
        (klines, KLINES, "1641002400000,120,110,90,100,1,1,1,0", BadBar),
        (klines, KLINES, "1641002400000,100,110,90,100,99999999999999999999,1,1,0", TooLarge),
        (klines, KLINES, "9999999999999999999,100,110,90,100,1,1,1,0", Malformed),
        (klines, KLINES, "1640998800000,100,110,90,105,1,1,1,0", OutOfOrder),
        (klines, KLINES, "1640995200000,100,110,90,105,1,1,1,0", ClockBack),
        (
            bitmex,
            "ts_ms,open,high,low,close,volume,trades,home_notional,vwap\n\
            1577836800000,7163,7163,7162.5,7163,96868,24,13.52444161,7162.8\n\
            1577836860000,7000,7163,7156,7156,1,1,312.58718410999995,None\n",
            "1577836920000,7156.3,7163,7156,7156,1,1,1,1",
            OffGrid,
        ),
        (trades, TRADES, "1000000000000000002,1,2,11,100,1,0", OutOfOrder),
        (trades, TRADES, "1000000000000000000,1,2,12,100,1,0", ClockBack),
        (trades, TRADES, "1000000000000000002,1,2,12,100.001,1,0", OffGrid),
        (trades, TRADES, "1000000000000000002,1,2,12,100,0,0", NotPositive),
        (trades, TRADES, "1000000000000000002,1,2,12,100,-1,0", NotPositive),
        (trades, TRADES, "1000000000000000002,1,2,12,100,1,2", Malformed),
        (trades, TRADES, "1000000000000000002,1,2,12,100,1", Malformed),
        (levels, LEVELS, "1000000000000000700,8,D,54,55,,b,100,1", Gap),
        (levels, LEVELS, "1000000000000000700,8,D,53,54,,b,100,-1", NotPositive),
        (levels, LEVELS, "1000000000000000700,8,D,53,54,,b,\"100,1", Malformed),
        (levels, LEVELS, "1000000000000000500,8,D,53,54,,b,100,1", ClockBack),
        // Times leave room for what is reckoned onwards from them.
        (klines, KLINES, "7258118400000,100,110,90,105,1,1,1,0", TooLarge),
        (klines, KLINES, "7258114800000,100,110,90,105,1,1,1,0", TooLarge),
        (trades, TRADES, "7258118400000000000,1,2,12,100,1,0", TooLarge),
        (trades, TRADES, "9223372036854775807,1,2,12,100,1,0", TooLarge),
        (trades, TRADES, "9223372036854775808,1,2,12,100,1,0", Malformed),
        (trades, TRADES, "-1,1,2,12,100,1,0", Malformed),
        (levels, LEVELS, "7258118400000000000,8,D,53,54,,b,100,1", TooLarge),
        (levels, LEVELS, "9223372036854775807,8,D,53,54,,b,100,1", TooLarge),
    ];
    let folder = Folder::new("faults");
    for (name, head, line, fault) in table {
        let head_lines = head.lines().count();
        let (clean, progress) = read(&request(&[folder.file(name, head.as_bytes())]));
        assert_eq!((faults(&clean), progress.bad), (vec![], 0), "{name} as it stands");
        assert_eq!(usize::try_from(progress.messages), Ok(head_lines - 1), "{name}");
        let text = format!("{head}{line}\n");
        let (messages, progress) = read(&request(&[folder.file(name, text.as_bytes())]));
        let line_number = head_lines as u64 + 1;
        assert_eq!(faults(&messages), [(line_number, fault, 0)], "{name}: {line}");
        assert_eq!(progress.bad, 1, "{name}: {line}");
        assert_eq!(usize::try_from(progress.messages), Ok(head_lines), "{name}: {line}");
        assert!(!progress.failed);
    }
}

const SNAPSHOT: &str = r#"{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}"#;

fn trade(symbol: &str, id: u32) -> String {
    let stream = symbol.to_ascii_lowercase();
    let data = format!(
        r#"{{"e":"trade","E":1,"s":"{symbol}","t":{id},"p":"100.00","q":"1","T":2,"m":true}}"#
    );
    format!(r#"{{"stream":"{stream}@trade","data":{data}}}"#)
}

#[test]
fn a_merged_capture_routes_by_label_and_reports_what_it_does_not_know() {
    let now = 1_723_161_254_000_000_000_i64;
    let line =
        |offset: i64, label: &str, json: &str| format!("{}\t{label}\t{json}\n", now + offset);
    let text = [
        line(1, "spot:BTCUSDT", SNAPSHOT),
        line(2, "usdm:BTCUSDT", &trade("BTCUSDT", 1)),
        line(3, "spot:BTCUSDT", &trade("BTCUSDT", 2)),
        line(4, "spot:XYZUSDT", &trade("XYZUSDT", 1)),
        line(5, "moon:BTCUSDT", &trade("BTCUSDT", 3)),
        line(6, "spot:BTCUSDT", &trade("ETHUSDT", 4)),
        line(7, "spot:BTCUSDT", r#"{"stream":"btcusdt@kline_1m","data":{}}"#),
        line(8, "spot:BTCUSDT", "{\"stream\":"),
        "noise\n".to_owned(),
        line(0, "spot:BTCUSDT", &trade("BTCUSDT", 5)),
        "\n".to_owned(),
    ];
    let folder = Folder::new("merged");
    let opened = open(&request(&[folder.file("any.tsv", text.concat().as_bytes())])).unwrap();
    let names: Vec<String> =
        opened.instruments.iter().map(|(one, _)| one.symbol.to_string()).collect();
    assert_eq!(names, ["binance:BTC_USDT", "binance:BTC_USDT.PERP"]);
    let carried = |at: usize| opened.instruments[at].1;
    assert_eq!(carried(0), Carried { book: true, trades: true, quotes: false, bar_ns: 0 });
    assert_eq!(carried(1), Carried { book: false, trades: true, quotes: false, bar_ns: 0 });
    let [note] = &opened.notes[..] else { panic!("{:?}", opened.notes) };
    assert!(note.contains("count as bad: spot:XYZUSDT, moon:BTCUSDT;"), "{note}");
    let mut source = opened.source;
    let (messages, progress) = drain(&mut source);
    let none = NO_INSTRUMENT.0;
    let expected = [
        (4, InputFault::UnknownSymbol, none),
        (5, InputFault::UnknownSymbol, none),
        (6, InputFault::UnknownSymbol, none),
        (7, InputFault::UnknownKind, 0),
        (8, InputFault::Malformed, 0),
        (9, InputFault::Malformed, none),
        (10, InputFault::ClockBack, 0),
    ];
    assert_eq!(faults(&messages), expected);
    assert_eq!((progress.messages, progress.bad), (10, 7));
    // A book says itself that it is intact; what has none is declared so with its first message.
    let synced = |at: usize| {
        let (instrument, body) = messages[at].updates.iter().find(|(_, body)| {
            matches!(body, Body::FeedState(FeedState { status: FeedStatus::Synced, .. }))
        })?;
        Some((instrument.0, body.pack()[8]))
    };
    assert_eq!(synced(0), Some((0, 10)));
    assert_eq!(synced(1), Some((1, 0)));
    // Lines that cannot be read do not move time.
    let times: Vec<i64> = messages.iter().map(|message| message.ts.0 - now).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 6, 7, 7, 7, 0]);
}

/// Name, lines behind the snapshot, how many books it starts, faults.
type Case<'a> = (&'a str, &'a [String], usize, &'a [(u64, InputFault, u32)]);

/// A snapshot names no symbol: a line of another instrument must not cost the book, and a book that
/// is not its own must never take it.
#[test]
fn a_snapshot_goes_to_the_one_book_that_its_id_fits() {
    const BTC: &str = r#"{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}"#;
    let depth = |symbol: &str, first: u64, last: u64| {
        let data = format!(
            r#"{{"e":"depthUpdate","E":1,"s":"{symbol}","U":{first},"u":{last},"b":[],"a":[]}}"#
        );
        let stream = symbol.to_ascii_lowercase();
        format!(r#"{{"stream":"{stream}@depth@100ms","data":{data}}}"#)
    };
    let folder = Folder::new("snapshots");
    let at = |symbol: &str, price: &str| trade(symbol, 1).replace("100.00", price);
    const GAP: InputFault = InputFault::Gap;
    const UNKNOWN: InputFault = InputFault::UnknownSymbol;
    const NOBODYS: (u64, InputFault, u32) = (1, UNKNOWN, NO_INSTRUMENT.0);
    let table: [Case<'_>; 9] = [
        ("alone", &[depth("BTCUSDT", 11, 12)], 1, &[]),
        ("beside a trade", &[depth("BTCUSDT", 11, 12), trade("ETHUSDT", 1)], 1, &[]),
        (
            "beside a stranger",
            &[depth("BTCUSDT", 11, 12), trade("XYZUSDT", 1)],
            1,
            &[(3, UNKNOWN, NO_INSTRUMENT.0)],
        ),
        // What waits for a snapshot in vain is told at the end.
        (
            "beside a book",
            &[depth("BTCUSDT", 11, 12), depth("ETHUSDT", 900, 901)],
            1,
            &[(3, GAP, 1)],
        ),
        (
            "of either book",
            &[depth("BTCUSDT", 11, 12), depth("ETHUSDT", 8, 14)],
            0,
            &[NOBODYS, (3, GAP, 1), (3, GAP, 0)],
        ),
        (
            "of a stranger",
            &[depth("BTCUSDT", 800, 812), depth("XYZUSDT", 10, 11)],
            0,
            &[NOBODYS, (3, UNKNOWN, NO_INSTRUMENT.0), (3, GAP, 0)],
        ),
        // Futures number all symbols together: only the price tells.
        (
            "of another price",
            &[depth("BTCUSDT", 9, 12), at("BTCUSDT", "61000.00"), at("ETHUSDT", "101.00")],
            0,
            &[NOBODYS, (4, GAP, 0)],
        ),
        (
            "of its price",
            &[depth("BTCUSDT", 9, 12), at("BTCUSDT", "101.00"), at("ETHUSDT", "2600.00")],
            1,
            &[],
        ),
        ("of none", &[depth("BTCUSDT", 800, 812), trade("ETHUSDT", 1)], 0, &[NOBODYS, (3, GAP, 0)]),
    ];
    for (name, behind, synced, expected) in table {
        let mut text = String::new();
        for (nth, json) in std::iter::once(BTC).chain(behind.iter().map(String::as_str)).enumerate()
        {
            text.push_str(&format!("{} {json}\n", 1_723_161_254_000_000_000 + nth));
        }
        let (messages, _) = read(&request(&[folder.file("any.log", text.as_bytes())]));
        assert_eq!(faults(&messages), expected, "{name}");
        let of_book = |(id, body): &&(InstrumentId, Body)| {
            let Body::FeedState(state) = body else { return false };
            (id.0, state.status, state.received) == (0, FeedStatus::Synced, 10)
        };
        let count = messages.iter().flat_map(|one| &one.updates).filter(of_book).count();
        assert_eq!(count, synced, "{name}");
    }
}

#[test]
fn bars_end_where_their_family_says() {
    let folder = Folder::new("bars");
    let binance = folder.file("binance_btcusdt_1h_x.csv", KLINES.as_bytes());
    let (messages, _) = read(&request(&[binance]));
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].ts, Nanos::parse("2022-01-01T01:00:00Z").unwrap());
    assert!(matches!(messages[0].updates[0].1, Body::FeedState(_)));
    assert_eq!(
        messages[0].updates[1..],
        [
            (
                InstrumentId(0),
                Body::BarExtra(BarExtra {
                    start: Nanos::parse("2022-01-01T00:00:00Z").unwrap(),
                    length_ns: 3_600_000_000_000,
                    trades: 7,
                    quote_volume: Money(150_500_000_000),
                })
            ),
            (
                InstrumentId(0),
                Body::Bar(Bar {
                    open: Price(10_000),
                    high: Price(11_000),
                    low: Price(9_000),
                    close: Price(10_500),
                    volume: Qty(150_000_000),
                })
            ),
        ]
    );
    assert!(matches!(
        messages[1].updates[..],
        [
            (_, Body::BarExtra(BarExtra { trades: 0, quote_volume: Money(0), .. })),
            (_, Body::Bar(Bar { volume: Qty(9_000), .. })),
        ]
    ));

    // Stamped with the end, open outside, volume in contracts, base volume a sum of floats.
    let text = "ts_ms,open,high,low,close,volume,trades,home_notional,vwap\n\
        1577836860000,7000.5,7163,7156,7156,2237930,2418,312.58718410999995,7159.7337\n\
        1577836920000,7156,7163,7156,7156,0,0,0,None\n";
    let bitmex = folder.file("bitmex_xbtusd_1m_x.csv", text.as_bytes());
    let opened = open(&request(&[bitmex])).unwrap();
    let instrument = &opened.instruments[0].0;
    assert_eq!(instrument.symbol.to_string(), "bitmex:BTC_USDT.PERP");
    assert_eq!((instrument.tick, instrument.lot), (Price(5), Qty(10_000)));
    assert_eq!((instrument.leverage_max, instrument.maintenance.0), (3, 5_000_000));
    assert_eq!((instrument.fee_maker.0, instrument.fee_taker.0), (200_000, 500_000));
    assert_eq!((instrument.settle.as_str(), instrument.venue_symbol.as_str()), ("USDT", "XBTUSD"));
    assert_eq!(instrument.mark_age_max_ns, 120_000_000_000);
    let mut source = opened.source;
    let (messages, _) = drain(&mut source);
    assert_eq!(messages[0].ts, Nanos(1_577_836_860_000_000_000));
    let (Body::BarExtra(extra), Body::Bar(bar)) =
        (messages[0].updates[1].1, messages[0].updates[2].1)
    else {
        panic!("{:?}", messages[0]);
    };
    assert_eq!(extra.start, Nanos(1_577_836_800_000_000_000));
    assert_eq!((extra.trades, extra.quote_volume), (2_418, Money::units(2_237_930)));
    assert_eq!((bar.open, bar.volume), (Price(70_005), Qty(31_258_718_411)));
}

#[test]
fn trades_and_levels_say_what_their_rows_say() {
    let folder = Folder::new("rows");
    let trades = folder.file("binance_spot_btcusdt_trades.csv", TRADES.as_bytes());
    let levels = folder.file("binance_spot_btcusdt_l2.csv", LEVELS.as_bytes());
    let (messages, progress) = read(&request(&[trades, levels]));
    assert_eq!((progress.messages, progress.bad), (7, 0));
    // Trades came first; the delta inside the snapshot says nothing.
    let sources: Vec<u16> = messages.iter().map(|message| message.source).collect();
    assert_eq!(sources, [0, 0, 1, 1]);
    // The book declares the feed intact, so trades do not.
    let Body::Trade(trade) = messages[0].updates[0].1 else { panic!("{:?}", messages[0]) };
    assert_eq!((trade.price, trade.qty), (Price(10_001), Qty(50_000_000)));
    assert_eq!((trade.trade_id, trade.venue_ts), (10, Nanos(2_000_000)));
    assert_eq!(trade.taker, Side::Sell);
    let Body::Trade(trade) = messages[1].updates[0].1 else { panic!("{:?}", messages[1]) };
    assert_eq!(trade.taker, Side::Buy);
    assert_eq!(messages[2].updates.len(), 4, "clear, two levels, synced");
    let [(_, Body::BookLevel(bid)), (_, Body::BookLevel(ask))] = messages[3].updates[..] else {
        panic!("{:?}", messages[3]);
    };
    assert_eq!((bid.side, bid.price, bid.qty), (Side::Buy, Price(10_050), Qty(300_000_000)));
    assert_eq!((ask.side, ask.price, ask.qty), (Side::Sell, Price(10_100), Qty(0)));
    assert_eq!((ask.update_id, ask.venue_ts), (52, Nanos(8_000_000)));
}

#[test]
fn an_unknown_instrument_takes_its_steps_from_the_whole_file() {
    let folder = Folder::new("unknown");
    let text = "ts_ms,open,high,low,close,volume\n60000,1.50,2,1,1.5,10\n\
        120000,1.5,2.00,1.125,1.5,0.5\n180000,1.5,2,1,1.5,9e-05\n";
    let path = folder.file("mine.csv", text.as_bytes());
    let mut request = request(&[path]);
    request.data[0].symbol = Some(Symbol::parse("ABC_USDT").unwrap());
    let opened = open(&request).unwrap();
    let (instrument, carried) = &opened.instruments[0];
    assert_eq!(instrument.symbol.to_string(), "file:ABC_USDT");
    assert_eq!((instrument.price_scale.decimals(), instrument.tick), (3, Price(1)));
    assert_eq!((instrument.qty_scale.decimals(), instrument.lot), (5, Qty(1)));
    assert_eq!(carried.bar_ns, 60_000_000_000);
    assert_eq!(opened.notes.len(), 2, "bar length and steps: {:?}", opened.notes);
    assert!(opened.notes[1].contains("tick 0.001 and lot 0.00001"), "{}", opened.notes[1]);

    request.instruments = vec!["ABC_USDT,tick=0.005,lot=0.1,fee_taker=-1bps".to_owned()];
    let opened = open(&request).unwrap();
    let instrument = &opened.instruments[0].0;
    assert_eq!((instrument.price_scale.decimals(), instrument.tick), (3, Price(5)));
    assert_eq!((instrument.lot, instrument.fee_taker.0), (Qty(1), -100_000));
    assert!(opened.notes[1].contains("tick 0.005, lot 0.1, fee_taker -1bps"), "{:?}", opened.notes);
}

#[test]
fn what_cannot_be_opened_says_what_would() {
    let folder = Folder::new("errors");
    let klines = folder.file("k.csv", b"ts_ms,open,high,low,close,volume\n60000,1,1,1,1,1\n");
    let strange = folder.file("strange.csv", b"date,ms,bid,ask\n20140501,1787,1.3,1.4\n");
    let empty = folder.file("empty.csv", b"");
    let hour = folder.file("binance_btcusdt_1h_a.csv", KLINES.as_bytes());
    let quarter = folder.file("binance_btcusdt_15m_a.csv", KLINES.as_bytes());
    let again = folder.file("binance_btcusdt_1h_b.csv", KLINES.as_bytes());
    let dir = folder.0.clone();
    let missing = folder.0.join("nope.csv");
    let stated = |path: &PathBuf, symbol: &str, spec: &str| Request {
        data: vec![DataArg {
            path: path.clone(),
            symbol: (!symbol.is_empty()).then(|| Symbol::parse(symbol).unwrap()),
        }],
        instruments: if spec.is_empty() { vec![] } else { vec![spec.to_owned()] },
        ..Request::default()
    };
    let feed = folder.file("f.tsv", b"1\tmoon:BTCUSDT\t{}\n");
    let other = folder.file("o.log", b"1 {\"event\":\"heartbeat\"}\n");
    let perpetual = folder.file("binance_usdm_btcusdt_t.csv", TRADES.as_bytes());
    let fact = |text: &str| stated(&perpetual, "", &format!("BTC_USDT.PERP,{text}"));
    let table: [(Request, &str); 36] = [
        (Request::default(), "no data"),
        (stated(&missing, "", ""), "no file"),
        (stated(&dir, "", ""), "is no file"),
        (stated(&empty, "", ""), "holds no line"),
        (stated(&strange, "", ""), "begins with `date,ms,bid,ask`; expected one of: raw capture"),
        (stated(&feed, "", ""), "found: moon:BTCUSDT"),
        (stated(&other, "BTC_USDT", ""), "found: none"),
        (stated(&klines, "", ""), "--data FILE=SYMBOL"),
        (stated(&klines, "BTC_USDT", ""), "binance:BTC_USDT, binance:BTC_USDT.PERP, binanceus"),
        (stated(&klines, "ABC_USDT", ""), "one row tells no bar length"),
        (stated(&hour, "", "ETH_USDT,tick=1"), "no instrument ETH_USDT; known are: binance:BTC_"),
        (stated(&hour, "", "BTC_USDT,tock=1"), "no fact `tock`"),
        (stated(&hour, "", "BTC_USDT,tick"), "`tick` is no key=value"),
        (stated(&hour, "", "BTC_USDT,tick=0"), "tick = `0` is not a positive step"),
        (stated(&hour, "", "BTC_USDT,max_mark_age=5"), "a duration such as"),
        (fact("lot=1000000"), "min_qty = `0.001` has more than 0 decimals: quantities of"),
        (fact("lot=1000000"), "state min_qty to fit the lot"),
        (fact("min_qty=1e18"), "is too large; the most is 9223372036854775.807"),
        (fact("min_notional=1e18"), "`1e18` is too large; the most is 9223372036.854775807"),
        (fact("min_qty=-1"), "min_qty = `-1` is negative; the least is 0"),
        (fact("max_qty=0"), "max_qty = `0` is less than min_qty, which is 0.001"),
        (fact("min_notional=-1"), "is negative; the least is 0"),
        (fact("min_notional=five"), "`five` is not an amount"),
        (fact("max_leverage=1e18"), "`1e18` is not a whole number from 1 to 1000"),
        (fact("max_leverage=0"), "is not a whole number from 1 to 1000"),
        (fact("tick=1e30"), "tick = `1e30` is too large"),
        (fact("fee_taker=1000%"), "fee_taker = `1000%` is not between -1% and 10%"),
        (fact("fee_maker=-100%"), "fee_maker = `-100%` is not between -1% and 10%"),
        (fact("fee_maker=1e30"), "is not between -1% and 10%"),
        (fact("maintenance_rate=-1%"), "`-1%` is not between 0% and 100%"),
        (fact("protect=200%"), "`200%` is not between 0% and 100%"),
        (fact("half_spread=5000%"), "`5000%` is not between 0% and 100%"),
        (fact("half_spread=wide"), "`wide` is not a share such as"),
        (fact("max_mark_age=9000d"), "at most \"366d\""),
        (request(&[hour.clone(), quarter]), "bars of 3600 s and of 900 s"),
        (request(&[hour, again]), "hold its bars for the same time"),
    ];
    for (request, expected) in table {
        let error = open(&request).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(DataArg::parse("a.csv=btc").is_err());
    let arg = DataArg::parse("a=b.csv=BTC_USDT").unwrap();
    assert_eq!(arg.path, PathBuf::from("a=b.csv"));
}

#[test]
fn symbol_and_settle_say_what_files_do_not() {
    let folder = Folder::new("symbol");
    let text = "ts_ms,open,high,low,close,volume\n60000,1,1,1,1,1\n120000,1,1,1,1,1\n";
    let path = folder.file("k.csv", text.as_bytes());
    let mut asked = request(&[path]);
    asked.symbol = Some(Symbol::parse("binance:ADA_USDT").unwrap());
    let opened = open(&asked).unwrap();
    assert_eq!(opened.instruments[0].0.symbol.to_string(), "binance:ADA_USDT");

    let path = folder.file("bitfinex_btcusd_1m_x.csv", text.as_bytes());
    let mut asked = request(&[path]);
    // The file says what it is; --symbol only chooses.
    asked.symbol = Some(Symbol::parse("ADA_USDT").unwrap());
    asked.settle = vec![("USDT".to_owned(), "USDC".to_owned())];
    let opened = open(&asked).unwrap();
    let instrument = &opened.instruments[0].0;
    assert_eq!(instrument.symbol.to_string(), "bitfinex:BTC_USD");
    assert_eq!(instrument.settle, "USDC");
    assert_eq!(opened.notes.len(), 2, "{:?}", opened.notes);
    let known = [&instrument.symbol];
    assert!(matches!(
        resolve(&asked.symbol.unwrap(), &known),
        Err(DataError::UnknownSymbol { candidates, .. }) if candidates == "bitfinex:BTC_USD"
    ));
}

#[test]
fn an_instrument_file_adds_to_the_embedded_table() {
    let folder = Folder::new("table");
    let text = "[[instruments]]\nsymbol = \"binance:BTC_USDT\"\nmin_notional = \"10\"\n\
        [[files]]\nname = \"mine_{symbol}*\"\nvenue = \"binance\"\n";
    let mut asked = request(&[folder.file("mine_BTCUSDT.csv", TRADES.as_bytes())]);
    asked.instrument_file = Some(folder.file("own.toml", text.as_bytes()));
    let instrument = &open(&asked).unwrap().instruments[0].0;
    assert_eq!(instrument.notional_min, Money::units(10));
    assert_eq!((instrument.tick, instrument.lot), (Price(1), Qty(1_000)));
    asked.instrument_file =
        Some(folder.file("bad.toml", b"[[instruments]]\nsymbol = \"BTC_USDT\"\n"));
    assert!(matches!(open(&asked), Err(DataError::Table { .. })));
    asked.instrument_file = Some(folder.file("bad.toml", b"[[instruments]]\ntock = \"1\"\n"));
    assert!(matches!(open(&asked), Err(DataError::Table { .. })));
}

#[test]
fn no_damage_to_a_file_panics() {
    let folder = Folder::new("damage");
    let now = 1_723_161_254_000_000_000_u64;
    let merged = format!(
        "{now}\tspot:BTCUSDT\t{SNAPSHOT}\n{now}\tusdm:BTCUSDT\t{}\n{now}\tspot:BTCUSDT\t{}\n",
        trade("BTCUSDT", 1),
        trade("BTCUSDT", 2)
    );
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for (name, text) in [
        ("binance_btcusdt_1h_x.csv", KLINES),
        ("binance_spot_btcusdt_trades.csv", TRADES),
        ("binance_spot_btcusdt_l2.csv", LEVELS),
        ("any.tsv", &merged),
    ] {
        for packed in [false, true] {
            let clean = if packed {
                zstd::encode_all(text.as_bytes(), 1).unwrap()
            } else {
                text.as_bytes().to_vec()
            };
            for _ in 0..200 {
                let mut bytes = clean.clone();
                for _ in 0..=next(3) {
                    let at = next(bytes.len());
                    match next(3) {
                        0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                        1 => bytes.truncate(at.max(1)),
                        _ => bytes.insert(at, b"0,\n\t{"[next(5)]),
                    }
                }
                if let Ok(opened) = open(&request(&[folder.file(name, &bytes)])) {
                    let mut source = opened.source;
                    let (messages, progress) = drain(&mut source);
                    assert_eq!(faults(&messages).len() as u64, progress.bad);
                }
            }
        }
    }
}
