//! Every kind through the codec and back, what is refused, and the bytes that must not change.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::event::{Body, KINDS, Payload};
use crate::num::Price;

/// One event of each kind from two patterns, as bytes and fields. A difference is a change of the
/// encoding: a new kind adds lines (`UPDATE=1` writes them), and no line is ever edited.
const GOLDEN: &str = include_str!("golden.txt");

/// Builds the event that a payload of these bytes stands for, however the bytes look.
fn event(kind: Kind, flags: u16, payload: [u8; PAYLOAD_BYTES]) -> Event {
    let payload = Body::unpack(kind, &payload).pack();
    let (seq, ts) = (Seq(0x0102_0304_0506_0708), Nanos(0x1112_1314_1516_1718));
    Event::from_parts(seq, ts, InstrumentId(0x2122_2324), kind, flags, payload).unwrap()
}

#[test]
fn encodings_of_all_kinds_are_as_released() {
    let rising: [u8; PAYLOAD_BYTES] = std::array::from_fn(|at| u8::try_from(at).unwrap() + 1);
    let mut text = String::new();
    for kind in KINDS {
        for (name, pattern) in [("ones", [1; PAYLOAD_BYTES]), ("rising", rising)] {
            let event = event(*kind, 0x3132, pattern);
            let bytes = encode(&event);
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            writeln!(text, "{} {name} {hex}\n  {:?}", *kind as u16, event.body()).unwrap();
        }
    }
    update(&text);
    let differs = text.lines().zip(GOLDEN.lines()).find(|(found, golden)| found != golden);
    assert!(text == GOLDEN, "differs from golden.txt, first at {differs:?}");
}

#[expect(clippy::disallowed_methods, reason = "a snapshot is rewritten on request only")]
fn update(text: &str) {
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/codec/golden.txt"), text).unwrap();
    }
}

#[test]
fn bytes_that_are_no_event_are_refused() {
    let sound = encode(&event(Kind::BookClear, 0, [0; PAYLOAD_BYTES]));
    assert_eq!(decode(&sound[..63]), Err(DecodeError::Length(63)));
    assert_eq!(decode(&[&sound[..], &[0]].concat()), Err(DecodeError::Length(65)));
    let mut unknown = sound;
    unknown[20] = 99;
    assert_eq!(decode(&unknown), Err(DecodeError::Kind(99)));
    let mut behind = sound;
    behind[63] = 1;
    assert_eq!(decode(&behind), Err(DecodeError::Payload(4)));
    // The side of a trade is 0 or 1.
    let mut range = encode(&event(Kind::Trade, 0, [0; PAYLOAD_BYTES]));
    range[56] = 2;
    assert_eq!(decode(&range), Err(DecodeError::Payload(1)));
    // A boolean is 0 or 1.
    let mut range = encode(&event(Kind::OrderIntent, 0, [0; PAYLOAD_BYTES]));
    range[24 + 36] = 2;
    assert_eq!(decode(&range), Err(DecodeError::Payload(50)));
    // Bytes of before the field was there read as they were meant: not post-only.
    range[24 + 36] = 1;
    assert!(decode(&range).is_ok_and(|event| match event.body() {
        Body::OrderIntent(intent) => intent.reduces && !intent.post_only,
        _ => false,
    }));
}

#[test]
fn images_are_read_in_the_order_they_were_written() {
    let mut out = ImageWriter::default();
    out.put(7_u32);
    out.put_len(3);
    out.put_option(Some(Price(-5)));
    out.put_option(None::<Price>);
    out.put(true);
    let bytes = out.finish();
    let mut reader = ImageReader::new(&bytes);
    assert_eq!(reader.expect_version(7), Ok(()));
    assert_eq!(reader.take_len(3), Ok(3));
    assert_eq!(reader.take_option(), Ok(Some(Price(-5))));
    assert_eq!(reader.take_option::<Price>(), Ok(None));
    assert_eq!(reader.clone().finish(), Err(ImageError::Long(1)));
    assert_eq!(reader.take(), Ok(true));
    assert_eq!(reader.take::<u8>(), Err(ImageError::Short));
    assert_eq!(reader.finish(), Ok(()));
    let mut reader = ImageReader::new(&bytes);
    assert_eq!(reader.expect_version(8), Err(ImageError::Version { found: 7, wanted: 8 }));
    assert_eq!(reader.take_len(2), Err(ImageError::Range));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_kind_round_trips(bytes in any::<[u8; PAYLOAD_BYTES]>(), flags in any::<u16>()) {
        // Small bytes too, so that enums take all their values.
        for pattern in [bytes, bytes.map(|byte| byte % 14)] {
            for kind in KINDS {
                let event = event(*kind, flags, pattern);
                prop_assert_eq!(decode(&encode(&event)), Ok(event));
                prop_assert_eq!(event.body().pack(), *event.payload());
                // Bytes that differ from what their fields pack to are refused.
                let mut raw = encode(&event);
                raw[EVENT_BYTES - PAYLOAD_BYTES..].copy_from_slice(&pattern);
                let canonical = pattern == *event.payload();
                let refused = Err(DecodeError::Payload(*kind as u16));
                prop_assert_eq!(decode(&raw), if canonical { Ok(event) } else { refused });
            }
        }
    }

    #[test]
    fn any_bytes_are_decoded_to_themselves_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 60..68), code in 0_u16..80,
    ) {
        let mut bytes = bytes;
        bytes[20..22].copy_from_slice(&code.to_le_bytes());
        if let Ok(event) = decode(&bytes) {
            prop_assert_eq!(encode(&event).to_vec(), bytes);
        }
    }
}

#[test]
fn payloads_know_their_kind() {
    assert_eq!(<crate::event::Trade as Payload>::KIND, Kind::Trade);
    assert_eq!(KINDS.len(), GOLDEN.lines().count() / 4);
}
