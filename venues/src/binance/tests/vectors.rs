//! The recorded day with its independent expectation, the four injected faults, the examples of the
//! venue's documents, and the recorded captures of all four feeds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use assert_no_alloc::{assert_no_alloc, violation_count};
use model::book::{Book, Level};
use model::decimal::{format_trimmed, parse_mantissa};
use model::event::{Body, BookLevel, FeedState, Quote};
use model::order::{FeedStatus, InputFault, Side};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{SPOT, folders, futures, is_other, messages, read, words};
use crate::binance::scan::scan;
use crate::binance::{Frame, Parser, Stream, StreamSpec, UPDATES_MAX, Updates};

/// The feed stage's part, in short: folds updates and compares the touch with the quotes.
struct Replay {
    parser: Parser,
    stream: Stream,
    out: Updates,
    book: Book,
    quotes: BTreeMap<u64, Quote>,
    /// Update id of the message whose levels are being folded.
    open: u64,
    applied: usize,
    compared: usize,
    states: Vec<FeedState>,
    faults: Vec<(usize, InputFault)>,
    checkpoints: Vec<Value>,
}

impl Replay {
    fn new(spec: StreamSpec) -> Self {
        Self {
            parser: Parser::new(),
            stream: Stream::new(spec),
            out: Updates::with_capacity(UPDATES_MAX),
            book: Book::new(),
            quotes: BTreeMap::new(),
            open: 0,
            applied: 0,
            compared: 0,
            states: Vec::new(),
            faults: Vec::new(),
            checkpoints: Vec::new(),
        }
    }

    /// Replays messages; the quotes are read first, so that each depth message finds its own.
    fn run(spec: StreamSpec, messages: &[&[u8]]) -> Self {
        let mut replay = Self::new(spec);
        for text in messages {
            if let Ok(Frame::BookTicker(frame)) = replay.parser.parse(text) {
                let mut quote = Updates::with_capacity(UPDATES_MAX);
                Stream::new(spec).apply(&Frame::BookTicker(frame), &mut quote).unwrap();
                let Body::Quote(quote) = quote[0].1 else { panic!("no quote") };
                replay.quotes.insert(quote.update_id, quote);
            }
        }
        for (line, text) in messages.iter().enumerate() {
            replay.message(line, text);
        }
        replay
    }

    fn message(&mut self, line: usize, text: &[u8]) {
        self.out.clear();
        let frame = self.parser.parse(text);
        if let Err(fault) = frame.and_then(|frame| self.stream.apply(&frame, &mut self.out)) {
            self.faults.push((line, fault));
        }
        let bodies = self.out.iter().map(|(_, body)| *body).collect::<Vec<Body>>();
        for (index, body) in bodies.iter().enumerate() {
            match body {
                Body::BookClear(clear) => {
                    self.book.clear();
                    self.open = clear.update_id;
                }
                Body::BookLevel(level) => {
                    let of_snapshot = self.open == level.update_id;
                    self.book.set(level.side, level.price, level.qty);
                    let same = |body: &Body| update_id(body) == Some(level.update_id);
                    if !of_snapshot && !bodies.get(index + 1).is_some_and(same) {
                        self.applied(line, level.update_id);
                    }
                }
                Body::FeedState(state) => self.states.push(*state),
                _ => {}
            }
        }
    }

    fn applied(&mut self, line: usize, update_id: u64) {
        self.applied += 1;
        assert!(!self.book.is_crossed(), "line {line}");
        let (bid, ask) = (self.best(Side::Buy), self.best(Side::Sell));
        if let Some(quote) = self.quotes.get(&update_id) {
            self.compared += 1;
            assert_eq!(
                (bid.price, bid.qty, ask.price, ask.qty),
                (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)
            );
        }
        if self.applied.is_multiple_of(500) {
            let (bids, asks) = (self.book.len(Side::Buy), self.book.len(Side::Sell));
            self.checkpoints.push(serde_json::json!([
                line,
                update_id,
                pair(bid),
                pair(ask),
                bids,
                asks
            ]));
        }
    }

    fn best(&self, side: Side) -> Level {
        self.book.best(side).unwrap()
    }

    fn hash(&self) -> String {
        let mut text = String::new();
        for side in [Side::Buy, Side::Sell] {
            for level in self.book.levels(side) {
                let [price, qty] = pair(level);
                writeln!(text, "{price},{qty}").unwrap();
            }
            text.push_str(if side == Side::Buy { "--\n" } else { "" });
        }
        format!("{:x}", Sha256::digest(text))
    }
}

fn update_id(body: &Body) -> Option<u64> {
    if let Body::BookLevel(level) = body { Some(level.update_id) } else { None }
}

fn pair(level: Level) -> [String; 2] {
    [format_trimmed(level.price.0.into(), 2), format_trimmed(level.qty.0.into(), 8)]
}

/// Brings `["61685.99000000", "1.00870000"]` to the form of [`pair`].
fn trimmed(level: &Value) -> Value {
    let text = |index: usize, decimals| {
        let mantissa = parse_mantissa(level[index].as_str().unwrap().as_bytes(), decimals).unwrap();
        format_trimmed(mantissa.into(), decimals)
    };
    serde_json::json!([text(0, 2), text(1, 8)])
}

fn expectation(folder: &Path, name: &str) -> Value {
    let text = std::fs::read(folder.join(format!("md/{name}.expected.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_recorded_day_gives_the_book_of_an_independent_replay() {
    let Some((_, folder)) = folders() else { return };
    let text = read(&folder.join("md/btcusdt_20240808.raw.gz"), u64::MAX);
    let expected = expectation(&folder, "btcusdt_20240808");
    let replay = Replay::run(SPOT, &messages(&text));
    assert_eq!(replay.faults, []);
    assert_eq!(replay.states.len(), 1);
    assert_eq!(replay.states[0].status, FeedStatus::Synced);
    assert_eq!(replay.applied, expected["depth_events_applied"]);
    assert_eq!(replay.compared, expected["bookTicker_crosscheck"]["compared"]);
    assert_eq!(replay.compared, 564);
    let end = &expected["final"];
    for (side, levels, count) in
        [(Side::Buy, "top10_bids", "n_bids"), (Side::Sell, "top10_asks", "n_asks")]
    {
        assert_eq!(replay.book.len(side), end[count]);
        for (level, expected) in replay.book.levels(side).zip(end[levels].as_array().unwrap()) {
            assert_eq!(serde_json::json!(pair(level)), trimmed(expected));
        }
    }
    assert_eq!(replay.hash(), end["full_book_sha256"]);
    let checkpoints = expected["checkpoints_every_500_applied"].as_array().unwrap();
    assert_eq!(replay.checkpoints.len(), checkpoints.len());
    for (found, expected) in replay.checkpoints.iter().zip(checkpoints) {
        let (bid, ask) = (trimmed(&expected["best_bid"]), trimmed(&expected["best_ask"]));
        let counts = (&expected["n_bids"], &expected["n_asks"]);
        let expected = serde_json::json!([
            expected["line"],
            expected["update_id"],
            bid,
            ask,
            counts.0,
            counts.1
        ]);
        assert_eq!(*found, expected);
    }
}

#[test]
fn a_stream_without_a_snapshot_keeps_and_never_syncs() {
    let Some((_, folder)) = folders() else { return };
    let text = read(&folder.join("md/btcusdt_20240809.first2000.raw"), u64::MAX);
    let replay = Replay::run(SPOT, &messages(&text));
    assert_eq!((replay.faults.len(), replay.states.len(), replay.applied), (0, 0, 0));
    assert_eq!(replay.stream.status(), FeedStatus::Resync);
}

#[test]
fn injected_faults_are_found_where_they_are() {
    let Some((_, folder)) = folders() else { return };
    let whole = read(&folder.join("md/btcusdt_20240808.raw.gz"), u64::MAX);
    let sound = Replay::run(SPOT, &messages(&whole)[..900]);
    assert_eq!(sound.faults, []);
    let replay = |name: &str| {
        let text = read(&folder.join(format!("md/{name}.raw")), u64::MAX);
        (Replay::run(SPOT, &messages(&text)), expectation(&folder, name))
    };
    let line =
        |expected: &Value, key: &str| usize::try_from(expected[key].as_u64().unwrap()).unwrap();

    let (found, expected) = replay("fault_duplicate_event");
    let at = line(&expected, "duplicated_line_0based");
    assert_eq!(found.faults, [(at + 1, InputFault::OutOfOrder)]);
    assert_eq!((found.hash(), found.states.len()), (sound.hash(), 1));

    let (found, expected) = replay("fault_gap_dropped_event");
    assert_eq!(found.faults, [(line(&expected, "gap_seen_at_line_0based"), InputFault::Gap)]);
    let gap = found.states[1];
    assert_eq!(gap.status, FeedStatus::Gap);
    assert_eq!(gap.expected, expected["book_id_before"].as_u64().unwrap() + 1);
    assert_eq!(gap.received, expected["event_U"].as_u64().unwrap());
    assert!(found.book.is_empty() && found.states.len() == 2);

    let (found, expected) = replay("fault_reordered_events");
    assert_eq!(found.faults[0], (line(&expected, "first_swapped_line_0based"), InputFault::Gap));
    assert!(found.book.is_empty() && found.stream.status() == FeedStatus::Gap);

    let (found, expected) = replay("fault_truncated_json");
    let at = line(&expected, "truncated_line_0based");
    assert_eq!(found.faults[0], (at, InputFault::Malformed));
    assert_eq!(found.faults[1].1, InputFault::Gap);
    assert!(found.faults.len() == 2 && found.book.is_empty());
}

#[test]
fn every_feed_of_the_recordings_replays_without_a_fault() {
    let Some((data, _)) = folders() else { return };
    let feeds = [
        ("spot_btcusdt_20240808_09", SPOT, 1_072),
        ("spot_ethusdt_20240808_09", SPOT, 1_056),
        ("usdm_btcusdt_20240808", futures(1), 629),
        ("usdm_ethusdt_20240808", futures(2), 551),
    ];
    for (name, spec, compared) in feeds {
        let text = read(&data.join(format!("raw_ws/binance_{name}.log.zst")), u64::MAX);
        let replay = Replay::run(spec, &messages(&text));
        assert_eq!(replay.faults, [], "{name}");
        assert_eq!(replay.states.len(), 1, "{name}");
        assert_eq!(replay.compared, compared, "{name}: as the independent replay of decision 17");
    }
}

#[test]
fn both_readers_agree_with_a_third_on_recorded_messages() {
    let Some((data, _)) = folders() else { return };
    let path = data.join("raw_ws/merged_binance_4feeds_20240808_09.tsv.zst");
    let text = read(&path, 12 << 20);
    let (mut parser, mut spans) = (Parser::new(), Vec::new());
    for (index, text) in messages(&text).into_iter().enumerate() {
        assert!(scan(text, &mut spans).is_some(), "{}", String::from_utf8_lossy(text));
        assert_eq!(parser.parse_general(text).map(|frame| is_other(&frame)), Ok(false));
        if index % 16 == 0 {
            assert_eq!(words(&mut parser, text), third(text));
        }
    }
}

/// Reads a message by serde_json, in the words that a frame has.
fn third(text: &[u8]) -> String {
    let root: Value = serde_json::from_slice(text).unwrap();
    let data = root.get("data").unwrap_or(&root);
    let fields = |pairs: &[(&str, &str)]| -> String {
        let one = |(name, key): &(&str, &str)| match &data[key] {
            Value::String(text) => format!("{name}: {:?}", text.as_bytes()),
            value => format!("{name}: {value}"),
        };
        pairs.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let levels = |bids: &str, asks: &str| {
        let side = |word: &str, key: &str| -> Vec<String> {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let line = |level: &Value| format!("{word} {} at {}", text(&level[1]), text(&level[0]));
            data[key].as_array().unwrap().iter().map(line).collect()
        };
        format!("{:?}", [side("buy", bids), side("sell", asks)].concat())
    };
    let frame = if data.get("lastUpdateId").is_some() {
        let (last, levels) = (fields(&[("last", "lastUpdateId")]), levels("bids", "asks"));
        let time = data.get("T").and_then(Value::as_u64).unwrap_or(0);
        format!("Snapshot(SnapshotFrame {{ {last}, time: {time}, levels: {levels} }})")
    } else if data.get("U").is_some() {
        let ids = fields(&[("symbol", "s"), ("first", "U"), ("last", "u")]);
        let previous = data.get("pu").and_then(Value::as_u64);
        let time = data.get("T").unwrap_or(&data["E"]);
        let rest = format!("previous: {previous:?}, time: {time}, levels: {}", levels("b", "a"));
        format!("Depth(DepthFrame {{ {ids}, {rest} }})")
    } else if data.get("t").is_some() {
        let ids = fields(&[("symbol", "s"), ("trade_id", "t"), ("time", "T")]);
        let rest = fields(&[("price", "p"), ("qty", "q"), ("buyer_is_maker", "m")]);
        format!("Trade(TradeFrame {{ {ids}, {rest} }})")
    } else {
        let ids = fields(&[("symbol", "s"), ("update_id", "u")]);
        let rest = fields(&[("bid", "b"), ("bid_qty", "B"), ("ask", "a"), ("ask_qty", "A")]);
        format!("BookTicker(BookTickerFrame {{ {ids}, {rest} }})")
    };
    format!("Ok({frame})")
}

#[test]
fn examples_of_the_documents_are_what_they_are() {
    let Some((_, folder)) = folders() else { return };
    let mut parser = Parser::new();
    let text = std::fs::read(folder.join("docs_examples/web-socket-streams.json")).unwrap();
    let examples: Value = serde_json::from_slice(&text).unwrap();
    let mut depths = 0;
    for example in examples.as_array().unwrap() {
        // Keys come out sorted: an order that no venue sends.
        let text = serde_json::to_vec(&example["payload"]).unwrap();
        let depth = example["payload"]["e"] == "depthUpdate";
        depths += usize::from(depth);
        let found = words(&mut parser, &text);
        assert_eq!(found.starts_with("Ok(Depth"), depth, "{found}");
        assert_eq!(found == "Ok(Other)", !depth, "{found}");
    }
    assert_eq!(depths, 1);
    for (file, start) in [
        ("rest/nautilus_depth_response.json", "Ok(Snapshot"),
        ("rest/nautilus_it_market_depth.json", "Ok(Snapshot"),
        ("ws/nautilus_it_trade.json", "Ok(Trade"),
        ("ws/nautilus_it_ticker_book.json", "Ok(BookTicker"),
        ("ws/nautilus_it_agg_trade.json", "Ok(Other"),
        ("ws/nautilus_it_ticker_24hr.json", "Ok(Other"),
        ("ws/nautilus_it_execution_report_trade.json", "Ok(Other"),
    ] {
        let found = words(&mut parser, &std::fs::read(folder.join(file)).unwrap());
        assert!(found.starts_with(start), "{file}: {found}");
    }
}

#[test]
fn after_warm_up_nothing_allocates() {
    let Some((_, folder)) = folders() else { return };
    let text = read(&folder.join("md/btcusdt_20240808.raw.gz"), 4 << 20);
    let messages = messages(&text);
    // The scanner needs no warm-up.
    let (mut parser, mut out) = (Parser::new(), Updates::with_capacity(UPDATES_MAX));
    let mut stream = Stream::new(SPOT);
    let scanned = assert_no_alloc(|| play(&mut stream, &mut parser, &mut out, &messages, false));
    // simd-json sizes its buffers by what it has seen.
    let mut stream = Stream::new(SPOT);
    play(&mut stream, &mut parser, &mut out, &messages, true);
    let mut stream = Stream::new(SPOT);
    let general = assert_no_alloc(|| play(&mut stream, &mut parser, &mut out, &messages, true));
    assert_eq!(scanned, general);
    assert!(scanned.1 > 10_000);
    assert_eq!(violation_count(), 0, "calls to the allocator");
}

/// Replays messages and returns the last level and the number of payloads.
fn play(
    stream: &mut Stream,
    parser: &mut Parser,
    out: &mut Updates,
    messages: &[&[u8]],
    general: bool,
) -> (Option<BookLevel>, usize) {
    let (mut last, mut count) = (None, 0);
    for text in messages {
        out.clear();
        let frame = if general { parser.parse_general(text) } else { parser.parse(text) };
        if frame.and_then(|frame| stream.apply(&frame, out)).is_ok() {
            count += out.len();
            if let Some((_, Body::BookLevel(level))) = out.last() {
                last = Some(*level);
            }
        }
    }
    (last, count)
}
