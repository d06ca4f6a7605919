//! The layout of the event, offset by offset, and the numbers of the kinds.

use super::*;
use crate::codec::encode;
use crate::num::{Price, Qty};
use crate::order::Side;

fn trade() -> Trade {
    Trade {
        price: Price(0x0102_0304_0506_0708),
        qty: Qty(-1),
        trade_id: 0x1112_1314_1516_1718,
        venue_ts: Nanos(0x2122_2324_2526_2728),
        taker: Side::Sell,
    }
}

#[test]
fn fields_stand_at_their_documented_offsets() {
    let (seq, ts) = (Seq(0x3132_3334_3536_3738), Nanos(0x4142_4344_4546_4748));
    let instrument = InstrumentId(0x5152_5354);
    let event = Event::new(seq, ts, instrument, &trade()).with_flags(0x6162);
    let bytes = encode(&event);
    assert_eq!(bytes.len(), EVENT_BYTES);
    assert_eq!(bytes[0..8], seq.0.to_le_bytes());
    assert_eq!(bytes[8..16], ts.0.to_le_bytes());
    assert_eq!(bytes[16..20], instrument.0.to_le_bytes());
    assert_eq!(bytes[20..22], 1_u16.to_le_bytes());
    assert_eq!(bytes[22..24], 0x6162_u16.to_le_bytes());
    assert_eq!(bytes[24..], *event.payload());
    assert_eq!(bytes[24..32], trade().price.0.to_le_bytes());
    assert_eq!(bytes[32..40], [0xFF; 8]);
    assert_eq!(bytes[40..48], trade().trade_id.to_le_bytes());
    assert_eq!(bytes[48..56], trade().venue_ts.0.to_le_bytes());
    assert_eq!(bytes[56..], [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn an_event_is_one_cache_line_that_is_copied() {
    assert_eq!((size_of::<Event>(), align_of::<Event>()), (64, 64));
    let event = Event::new(Seq(1), Nanos(2), InstrumentId(3), &trade());
    let copy = event.with_flags(FLAG_LAST).with_flags(FLAG_DERIVED);
    assert_eq!((event.flags, copy.flags), (0, FLAG_LAST | FLAG_DERIVED));
    assert_eq!((copy.kind(), copy.body()), (Kind::Trade, Body::Trade(trade())));
    assert_eq!(FLAG_LAST & FLAG_MORE | FLAG_LAST & FLAG_DERIVED | FLAG_MORE & FLAG_DERIVED, 0);
}

#[test]
fn kinds_have_distinct_numbers_and_names_in_rising_order() {
    for pair in KINDS.windows(2) {
        assert!((pair[0] as u16) < pair[1] as u16, "{pair:?}");
        assert_ne!(pair[0].name(), pair[1].name());
    }
    for code in 0..=u16::MAX {
        let known = KINDS.iter().find(|kind| **kind as u16 == code);
        assert_eq!(Kind::from_code(code), known.copied());
    }
}

#[test]
fn fields_describe_themselves_in_order() {
    let mut words = Vec::new();
    Body::Trade(trade()).describe(&mut |name, value| words.push(format!("{name}={value:?}")));
    assert_eq!(words.len(), 5);
    assert_eq!((words[1].as_str(), words[4].as_str()), ("qty=Qty(-1)", "taker=Sell"));
    let text = format!("{:?}", Event::new(Seq(7), Nanos(8), InstrumentId(9), &trade()));
    assert!(text.starts_with("#7 ts 8 i9 f0 Trade("), "{text}");
}
