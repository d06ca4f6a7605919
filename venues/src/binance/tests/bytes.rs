//! Bytes of any kind: no panic, and both readers say the same.

use proptest::prelude::*;

use super::{SPOT, futures, words};
use crate::binance::{FRAME_BYTES_MAX, Parser, Stream, UPDATES_MAX, Updates};

/// One message of each recorded form, and relatives of them.
const SEEDS: &[&str] = &[
    concat!(
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"#,
        r#""s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","#,
        r#""0.00000000"],["61730.17000000","0.00000000"]],"a":[["61837.64000000","#,
        r#""1.54698000"]]}}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"#,
        r#""T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"#,
        r#""pu":5123107831937,"b":[["58710.20","0.014"]],"a":[]}}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","#,
        r#""t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"#,
        r#""M":true}}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"#,
        r#""T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","#,
        r#""X":"MARKET","m":false}}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","#,
        r#""b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#,
    ),
    concat!(
        r#"{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","#,
        r#""a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}"#,
    ),
    concat!(
        r#"{"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"#,
        r#""asks":[["61837.64000000","1.54698000"]]}"#,
    ),
    concat!(
        r#"{"lastUpdateId":5123107852948,"E":1723161256501,"T":1723161256493,"#,
        r#""bids":[["61800.20","2.909"]],"asks":[]}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@depth20","data":{"lastUpdateId":160,"bids":[["1","2"]],"#,
        r#""asks":[["2","1"]]}}"#,
    ),
];

/// Messages that are no frame, and what they are.
const TABLE: &[(&str, &str)] = &[
    ("", "Err(Malformed)"),
    ("{", "Err(Malformed)"),
    ("}", "Err(Malformed)"),
    (r#"{"u":1"#, "Err(Malformed)"),
    (r#"{"u":1}}"#, "Err(Malformed)"),
    (r#"{"u":01,"s":"X","b":"1","B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":-1,"s":"X","b":"1","B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":1.5,"s":"X","b":"1","B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":18446744073709551616,"s":"X","b":"1","B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":"1","s":"X","b":"1","B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":1,"s":"X","b":1,"B":"1","a":"2","A":"1"}"#, "Err(Malformed)"),
    (r#"{"u":1,"s":"X","b":"1","B":"1","A":"1"}"#, "Err(Malformed)"),
    (r#"{"e":"trade","E":1,"s":"X","t":1,"p":"1","q":"1","T":1}"#, "Err(Malformed)"),
    (r#"{"e":"trade","E":1,"s":"X","t":1,"p":"1","q":"1","T":1,"m":1}"#, "Err(Malformed)"),
    (r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":[["1"]],"a":[]}"#, "Err(Malformed)"),
    (r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":[[1,2]],"a":[]}"#, "Err(Malformed)"),
    (r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":[["1","2"],],"a":[]}"#, "Err(Malformed)"),
    (r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":{},"a":[]}"#, "Err(Malformed)"),
    (r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"a":[]}"#, "Err(Malformed)"),
    (r#"{"lastUpdateId":1,"bids":[]}"#, "Err(Malformed)"),
    (
        "{\"u\":1,\"s\":\"X\u{1}\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
        "Err(Malformed)",
    ),
    ("null", "Ok(Other)"),
    ("12", "Ok(Other)"),
    ("[]", "Ok(Other)"),
    (r#"[{"e":"trade"}]"#, "Ok(Other)"),
    ("{}", "Ok(Other)"),
    (r#"{"e":7}"#, "Ok(Other)"),
    (r#"{"e":"kline","s":"X"}"#, "Ok(Other)"),
    (r#"{"result":null,"id":1}"#, "Ok(Other)"),
    (r#"{"code":2,"msg":"x"}"#, "Ok(Other)"),
    (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#, "Ok(Other)"),
    (r#"{"stream":"x@trade"}"#, "Ok(Other)"),
    (r#"{"stream":"x@trade","data":[]}"#, "Ok(Other)"),
    (SEEDS[8], "Ok(Other)"),
];

#[test]
fn what_is_no_frame_is_told_apart() {
    let mut parser = Parser::new();
    for (text, expected) in TABLE {
        assert_eq!(words(&mut parser, text.as_bytes()), *expected, "{text}");
    }
    assert_eq!(words(&mut parser, &[b'"', 0xFF, b'"']), "Err(Malformed)");
    assert_eq!(words(&mut parser, &vec![b'['; 100_000]), "Err(Malformed)");
    assert_eq!(words(&mut parser, &vec![b' '; FRAME_BYTES_MAX + 1]), "Err(TooLarge)");
}

#[test]
fn unknown_fields_spaces_and_escapes_change_nothing() {
    let mut parser = Parser::new();
    let plain = r#"{"u":1,"s":"X","b":"1","B":"1","a":"2","A":"1"}"#;
    let expected = words(&mut parser, plain.as_bytes());
    for text in [
        r#"{ "u": 1, "s": "X", "b": "1", "B": "1", "a": "2", "A": "1" }"#,
        r#"{"new":{"u":[9]},"u":1,"s":"X","b":"1","B":"1","a":"2","A":"1","z":null}"#,
        r#"{"A":"1","a":"2","B":"1","b":"1","s":"X","u":1}"#,
        r#"{"u":1,"s":"\u0058","b":"\u0031","B":"1","a":"2","A":"1"}"#,
        r#"{"stream":"x@bookTicker","data":{"u":1,"s":"X","b":"1","B":"1","a":"2","A":"1"}}"#,
        r#"{"data":{"u":1,"s":"X","b":"1","B":"1","a":"2","A":"1"},"stream":"x@bookTicker"}"#,
    ] {
        assert_eq!(words(&mut parser, text.as_bytes()), expected, "{text}");
    }
    // Levels once had a third, empty element.
    let two = words(&mut parser, br#"{"lastUpdateId":1,"bids":[["1","2"]],"asks":[]}"#);
    assert_eq!(words(&mut parser, br#"{"lastUpdateId":1,"bids":[["1","2",[]]],"asks":[]}"#), two);
}

#[test]
fn both_readers_agree_on_every_byte_at_every_place() {
    let mut parser = Parser::new();
    let text = br#"{"u":1234567890123,"s":"ABCDEFGHIJ","b":"12345678.90","B":"1","a":"2","A":"1"}"#;
    for at in 0..text.len() {
        for byte in 0..=u8::MAX {
            let mut text = text.to_vec();
            text[at] = byte;
            words(&mut parser, &text);
        }
    }
}

/// A change of a text at a place.
#[derive(Clone, Debug)]
enum Edit {
    Set(u8),
    Insert(u8),
    Remove(usize),
    Repeat(usize),
    Cut,
}

fn edit() -> impl Strategy<Value = Edit> {
    let telling = prop::sample::select(br#"{}[]",:.0123456789eE+-\ntu "#.to_vec());
    let byte = prop_oneof![4 => telling, 1 => any::<u8>()];
    prop_oneof![
        4 => byte.clone().prop_map(Edit::Set),
        2 => byte.prop_map(Edit::Insert),
        2 => (1_usize..40).prop_map(Edit::Remove),
        1 => (1_usize..40).prop_map(Edit::Repeat),
        1 => Just(Edit::Cut),
    ]
}

fn mutate(text: &mut Vec<u8>, at: usize, edit: &Edit) {
    let at = at % text.len().max(1);
    let end = |count: usize| text.len().min(at + count);
    match *edit {
        Edit::Set(byte) if at < text.len() => text[at] = byte,
        Edit::Set(byte) | Edit::Insert(byte) => text.insert(at.min(text.len()), byte),
        Edit::Remove(count) => {
            text.drain(at..end(count));
        }
        Edit::Repeat(count) => {
            let piece = text[at..end(count)].to_vec();
            text.splice(at..at, piece);
        }
        Edit::Cut => text.truncate(at),
    }
}

/// Reads a message both ways and applies it; only a panic or a disagreement fails.
fn drive(texts: &[Vec<u8>]) {
    let (mut parser, mut out) = (Parser::new(), Updates::with_capacity(UPDATES_MAX));
    let mut streams = [Stream::new(SPOT), Stream::new(futures(2))];
    for text in texts {
        words(&mut parser, text);
        for stream in &mut streams {
            out.clear();
            if let Ok(frame) = parser.parse(text) {
                stream.apply(&frame, &mut out).unwrap_or_default();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drive(&[bytes]);
    }

    #[test]
    fn both_readers_agree_on_spoilt_messages(
        steps in prop::collection::vec(
            (0..SEEDS.len(), prop::collection::vec((any::<usize>(), edit()), 0..3)),
            1..12,
        ),
    ) {
        let spoil = |(seed, edits): &(usize, Vec<(usize, Edit)>)| {
            let mut text = SEEDS[*seed].as_bytes().to_vec();
            edits.iter().for_each(|(at, edit)| mutate(&mut text, *at, edit));
            text
        };
        drive(&steps.iter().map(spoil).collect::<Vec<_>>());
    }
}
