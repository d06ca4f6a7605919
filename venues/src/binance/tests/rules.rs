//! The venue's sequence rules and the refusal of values, as tables.

use model::event::Body;
use model::num::Price;
use model::order::Side;

use super::{SPOT, futures};
use crate::binance::{
    BUFFER_LEVELS_MAX, BUFFER_MESSAGES_MAX, FRAME_LEVELS_MAX, Parser, Stream, StreamSpec,
    UPDATES_MAX, Updates,
};

/// Plays a script, a line for each message: what it is, then what must come of it.
///
/// `d U u [pu]` is a depth message with one bid at the price `u`, `s id` a snapshot with one ask at
/// the price `id`. Results: `ok` or the fault, then the payloads.
fn check(futures_venue: bool, script: &str) {
    let spec = if futures_venue { futures(2) } else { SPOT };
    let (mut parser, mut stream, mut out) =
        (Parser::new(), Stream::new(spec), Updates::with_capacity(UPDATES_MAX));
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (message, expected) = line.split_once("->").unwrap();
        let words: Vec<&str> = message.split_whitespace().collect();
        let text = match words[..] {
            ["s", id] => {
                format!(r#"{{"lastUpdateId":{id},"bids":[],"asks":[["{id}.00","1"]]}}"#)
            }
            ["d", first, last] => depth(first, last, "", last, "2"),
            ["d", first, last, previous] => {
                depth(first, last, &format!(r#","pu":{previous}"#), last, "2")
            }
            ["bad", first, last] => depth(first, last, "", "0.001", "2"),
            _ => panic!("{line}"),
        };
        assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), expected.trim(), "{line}");
    }
}

fn depth(first: &str, last: &str, previous: &str, price: &str, qty: &str) -> String {
    let ids = format!(r#""U":{first},"u":{last}{previous}"#);
    format!(r#"{{"e":"depthUpdate","E":1,"s":"X",{ids},"b":[["{price}","{qty}"]],"a":[]}}"#)
}

/// Applies one message and returns what came of it in words.
fn apply(parser: &mut Parser, stream: &mut Stream, out: &mut Updates, text: &str) -> String {
    out.clear();
    let result = parser.parse(text.as_bytes()).and_then(|frame| stream.apply(&frame, out));
    let mut words = vec![result.map_or_else(|fault| format!("{fault:?}"), |()| "ok".to_owned())];
    for (_, body) in out.iter() {
        words.push(match body {
            Body::Trade(trade) => {
                let (price, qty) = (trade.price.0, trade.qty.0);
                format!("trade({price} {qty} {} at {})", trade.taker.word(), trade.venue_ts.0)
            }
            Body::Quote(quote) => {
                let (bid, ask) = (quote.bid.0, quote.ask.0);
                format!("quote({bid} x {} / {ask} x {})", quote.bid_qty.0, quote.ask_qty.0)
            }
            Body::BookClear(clear) => format!("clear({})", clear.update_id),
            Body::BookLevel(level) => {
                let side = if level.side == Side::Buy { "bid" } else { "ask" };
                format!("{side}({} of {})", level.price.0 / 100, level.update_id)
            }
            Body::FeedState(state) => {
                format!("{:?}({} {})", state.status, state.expected, state.received)
            }
            other => panic!("{other:?}"),
        });
    }
    words.join(" ")
}

#[test]
fn spot_anchors_by_first_and_last_ids() {
    check(
        false,
        "d 11 12 -> ok
         d 13 15 -> ok
         d 14 15 -> OutOfOrder
         s 10 -> Gap Resync(11 10)
         s 12 -> ok clear(12) ask(12 of 12) bid(15 of 15) Synced(0 12)
         d 16 18 -> ok bid(18 of 18)
         d 16 18 -> OutOfOrder
         d 17 20 -> ok bid(20 of 20)
         d 22 23 -> Gap Gap(21 22) clear(0)
         d 24 25 -> ok
         d 27 28 -> Gap
         s 26 -> Gap Resync(27 26)
         s 29 -> ok clear(29) ask(29 of 29) Synced(0 29)
         d 29 29 -> ok
         d 30 30 -> ok bid(30 of 30)
         s 30 -> OutOfOrder
         s 33 -> ok clear(33) ask(33 of 33)
         d 31 32 -> ok
         d 33 34 -> ok bid(34 of 34)
         d 20 34 -> OutOfOrder",
    );
    check(
        false,
        "s 10 -> ok clear(10) ask(10 of 10) Synced(0 10)\n d 12 13 -> Gap Gap(11 12) clear(0)",
    );
}

#[test]
fn futures_chain_by_the_previous_id() {
    check(
        true,
        "d 5 12 3 -> ok
         d 20 30 12 -> ok
         d 20 30 12 -> OutOfOrder
         s 4 -> Gap Resync(5 4)
         s 15 -> Gap Resync(20 15)
         s 25 -> ok clear(25) ask(25 of 25) bid(30 of 30) Synced(0 25)
         d 40 50 30 -> ok bid(50 of 50)
         d 60 70 51 -> Gap Gap(50 51) clear(0)
         d 80 90 70 -> ok
         s 75 -> Gap Resync(80 75)
         s 70 -> ok clear(70) ask(70 of 70) bid(90 of 90) Synced(0 70)",
    );
    check(true, "d 5 12 -> Malformed");
    check(true, "s 10 -> ok clear(10) ask(10 of 10) Synced(0 10)\n d 9 12 8 -> ok bid(12 of 12)");
    check(true, "s 10 -> ok clear(10) ask(10 of 10) Synced(0 10)\n d 15 17 10 -> ok bid(17 of 17)");
    check(
        true,
        "s 10 -> ok clear(10) ask(10 of 10) Synced(0 10)\n d 15 17 9 -> Gap Gap(10 9) clear(0)",
    );
}

#[test]
fn a_refused_depth_message_takes_the_book_with_it() {
    check(
        false,
        "d 10 11 -> ok
         bad 12 13 -> OffGrid
         d 14 15 -> ok
         s 13 -> Gap Resync(14 13)
         s 14 -> ok clear(14) ask(14 of 14) bid(15 of 15) Synced(0 14)
         bad 16 17 -> OffGrid Gap(0 17) clear(0)
         d 18 17 -> Malformed
         d 18 19 -> ok
         s 18 -> ok clear(18) ask(18 of 18) bid(19 of 19) Synced(0 18)
         d 21 20 -> Malformed Gap(0 20) clear(0)",
    );
}

#[test]
fn what_is_kept_has_a_limit() {
    let (mut parser, mut stream, mut out) =
        (Parser::new(), Stream::new(SPOT), Updates::with_capacity(UPDATES_MAX));
    for id in 1..=BUFFER_MESSAGES_MAX {
        let text = depth(&id.to_string(), &id.to_string(), "", "1.00", "2");
        assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), "ok");
    }
    let text = depth("1025", "1025", "", "1.00", "2");
    assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), "Gap");
    let text = r#"{"lastUpdateId":1024,"bids":[],"asks":[]}"#;
    assert_eq!(apply(&mut parser, &mut stream, &mut out, text), "Gap Resync(1025 1024)");
    let text = text.replace("1024", "1025");
    assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), "ok clear(1025) Synced(0 1025)");

    let mut stream = Stream::new(SPOT);
    let levels = vec![r#"["1.00","2"]"#; FRAME_LEVELS_MAX].join(",");
    let fit = BUFFER_LEVELS_MAX / FRAME_LEVELS_MAX;
    for id in 1..=fit + 1 {
        let text = depth(&id.to_string(), &id.to_string(), "", "1.00", "2");
        let text = text.replace(r#"["1.00","2"]"#, &levels);
        let expected = if id <= fit { "ok" } else { "Gap" };
        assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), expected, "message {id}");
    }
    let text = depth("9", "9", "", "1.00", "2").replace(r#""a":[]"#, &format!(r#""a":[{levels}]"#));
    assert_eq!(apply(&mut parser, &mut stream, &mut out, &text), "TooLarge");
}

/// Messages for a price scale of 2 with a tick of 0.05 and a quantity scale of 3, each on a stream
/// of its own.
const VALUES: &str = r#"
trade 1.05 2.000 1723161255342   -> ok trade(105 2000 sell at 1723161255342000000)
trade 1.0500000 2 0              -> ok trade(105 2000 sell at 0)
trade 105e-2 2 1723161255342123  -> ok trade(105 2000 sell at 1723161255342123000)
trade 1.04 2 0                   -> OffGrid
trade 1.051 2 0                  -> OffGrid
trade 1.05 0.0001 0              -> OffGrid
trade 1.05 0 0                   -> NotPositive
trade 1.05 -1 0                  -> NotPositive
trade 0 1 0                      -> NotPositive
trade -1.05 1 0                  -> NotPositive
trade 92233720368547758.10 1 0   -> TooLarge
trade 1.05 9223372036854775.808 0 -> TooLarge
trade 1.05 9999999999999999999 0 -> TooLarge
trade 1.05 1 18446744073709551615 -> TooLarge
trade 1..05 1 0                  -> Malformed
trade . 1 0                      -> Malformed
trade NaN 1 0                    -> Malformed
trade "" 1 0                     -> Malformed
quote 1.05 1 1.10 2              -> ok quote(105 x 1000 / 110 x 2000)
quote 1.10 1 1.10 2              -> Crossed
quote 1.15 1 1.10 2              -> Crossed
quote 1.15 0 1.10 2              -> ok quote(115 x 0 / 110 x 2000)
quote 0.00 0.000 1.10 2          -> ok quote(0 x 0 / 110 x 2000)
quote 0.00 1 1.10 2              -> NotPositive
quote 1.05 1 0 0                 -> ok quote(105 x 1000 / 0 x 0)
quote -1.05 0 1.10 2             -> NotPositive
quote 1.05 -1 1.10 2             -> NotPositive
quote 1.06 1 1.10 2              -> OffGrid
quote 1.05 x 1.10 2              -> Malformed
"#;

#[test]
fn values_off_the_grid_are_refused() {
    let spec = StreamSpec { tick: Price(5), ..futures(2) };
    let (mut parser, mut out) = (Parser::new(), Updates::with_capacity(UPDATES_MAX));
    for line in VALUES.lines().filter(|line| !line.is_empty()) {
        let (message, expected) = line.split_once("->").unwrap();
        let words: Vec<&str> =
            message.split_whitespace().map(|word| if word == "\"\"" { "" } else { word }).collect();
        let text = match words[..] {
            ["trade", price, qty, time] => {
                let values = format!(r#""T":{time},"s":"X","t":0,"p":"{price}","q":"{qty}""#);
                format!(r#"{{"e":"trade","E":1,{values},"X":"MARKET","m":true}}"#)
            }
            ["quote", bid, bid_qty, ask, ask_qty] => format!(
                r#"{{"u":0,"s":"X","b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}"}}"#
            ),
            _ => panic!("{line}"),
        };
        let found = apply(&mut parser, &mut Stream::new(spec), &mut out, &text);
        assert_eq!(found, expected.trim(), "{line}");
    }
}

#[test]
fn repeats_of_trades_and_quotes_are_counted_and_ignored() {
    let (mut parser, mut stream, mut out) =
        (Parser::new(), Stream::new(SPOT), Updates::with_capacity(UPDATES_MAX));
    let trade = |id: u32| {
        format!(
            r#"{{"e":"trade","E":1,"s":"X","t":{id},"p":"1","q":"1","T":0,"m":false,"M":true}}"#
        )
    };
    let quote = |id: u32| format!(r#"{{"u":{id},"s":"X","b":"1","B":"1","a":"2","A":"1"}}"#);
    for (text, used) in [
        (trade(0), true),
        (trade(0), false),
        (trade(7), true),
        (trade(6), false),
        (quote(7), true),
        (quote(7), false),
        (quote(6), false),
        (quote(9), true),
    ] {
        let found = apply(&mut parser, &mut stream, &mut out, &text);
        assert_eq!((found.starts_with("ok "), found == "OutOfOrder"), (used, !used), "{text}");
    }
    assert_eq!(
        apply(&mut parser, &mut stream, &mut out, r#"{"result":null,"id":1}"#),
        "UnknownKind"
    );
}
