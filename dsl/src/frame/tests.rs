//! Longer bars against the plainest form of their definition.

use model::codec::{ImageReader, ImageWriter};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq};
use proptest::proptest;

use super::*;

const MINUTE: i128 = 60_000_000_000;

/// Bars by the number of the minute that they begin at.
fn bar(minute: i128, price: i128) -> FrameBar {
    let end = (minute + 1) * MINUTE;
    FrameBar { open: price, high: price + 2, low: price - 3, close: price + 1, volume: 2, end }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_longer_bar_is_made_of_what_lies_within(
        first in 0_i128..40,
        steps in proptest::collection::vec((1_i128..25, -50_i128..50), 1..80),
        length in 1_i64..20,
    ) {
        let mut minute = first;
        let mut bars = Vec::new();
        for (step, price) in steps {
            bars.push((minute, bar(minute, price)));
            minute += step;
        }
        let length = i128::from(length);
        let mut frame = Frame::new(i64::try_from(length * MINUTE).unwrap());
        let mut copy = frame.clone();
        for (nth, (minute, bar)) in bars.iter().enumerate() {
            let mut closed = Vec::new();
            frame.take(bar, MINUTE, |bar| closed.push(*bar));
            // What is complete now and was not before: spans that end by now.
            let seen = &bars[..=nth];
            let mut wanted = Vec::new();
            let own = minute.div_euclid(length);
            let before = seen[..nth].last().map(|(minute, _)| minute.div_euclid(length));
            let was_open = |span: i128| {
                let last = seen[..nth].last().map(|(minute, _)| *minute);
                last != Some(span * length + length - 1)
            };
            if let Some(span) = before.filter(|span| *span != own && was_open(*span)) {
                wanted.push(span);
            }
            if *minute == own * length + length - 1 {
                wanted.push(own);
            }
            // The first span counts only when its first minute was there.
            let partial = first.div_euclid(length);
            let whole = first.rem_euclid(length) == 0;
            wanted.retain(|span| whole || *span != partial);
            let naive: Vec<FrameBar> = wanted
                .iter()
                .map(|span| {
                    let within: Vec<&FrameBar> = seen
                        .iter()
                        .filter(|(minute, _)| minute.div_euclid(length) == *span)
                        .map(|(_, bar)| bar)
                        .collect();
                    FrameBar {
                        open: within.first().unwrap().open,
                        high: within.iter().map(|bar| bar.high).max().unwrap(),
                        low: within.iter().map(|bar| bar.low).min().unwrap(),
                        close: within.last().unwrap().close,
                        volume: within.iter().map(|bar| bar.volume).sum(),
                        end: (span + 1) * length * MINUTE,
                    }
                })
                .collect();
            prop_assert_eq!(closed, naive);
            let mut out = ImageWriter::default();
            frame.save(&mut out);
            let bytes = out.finish();
            let mut reader = ImageReader::new(&bytes);
            prop_assert!(copy.load(&mut reader).is_ok() && reader.finish().is_ok());
            prop_assert_eq!(&copy, &frame);
        }
    }
}
