//! From bytes of a venue to payloads, as the recorded-data source and a live feed do it.

use std::hint::black_box;

use anyhow::{Context, anyhow, ensure};

use model::event::Body;
use model::id::InstrumentId;
use model::num::{Price, Scale};
use model::order::FeedStatus;
use venues::binance::{Parser, Stream, StreamSpec, UPDATES_MAX, Updates};

use crate::frames::{Frames, Kind};

/// Messages of a workload.
pub const MESSAGES: usize = 4_096;

/// Messages with the room that reading them needs.
#[derive(Debug)]
pub struct Parsing {
    parser: Parser,
    updates: Updates,
    spec: StreamSpec,
    snapshot: String,
    messages: Vec<String>,
}

/// Made-up messages, `kind` only or, for none, the mix of the captures.
///
/// # Errors
/// Never, as scales are constant.
pub fn workload(kind: Option<Kind>, count: usize) -> anyhow::Result<Parsing> {
    let mut frames = Frames::new(0x5111_CE04);
    let snapshot = frames.snapshot();
    let message = |_| match kind {
        Some(kind) => frames.message(kind),
        None => frames.any(),
    };
    let scale = |decimals| Scale::new(decimals).context("a scale within its range");
    Ok(Parsing {
        parser: Parser::new(),
        updates: Updates::with_capacity(UPDATES_MAX),
        spec: StreamSpec {
            instrument: InstrumentId(0),
            price_scale: scale(1)?,
            qty_scale: scale(3)?,
            tick: Price(1),
            futures: true,
        },
        messages: (0..count).map(message).collect(),
        snapshot,
    })
}

impl Parsing {
    /// Returns the bytes of all messages.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(String::len).sum()
    }

    /// Returns the number of messages.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Returns a stream that has read the snapshot.
    ///
    /// # Errors
    /// The snapshot is refused.
    pub fn stream(&mut self) -> anyhow::Result<Stream> {
        let mut stream = Stream::new(self.spec);
        self.updates.clear();
        let frame = self.parser.parse(self.snapshot.as_bytes()).map_err(|f| anyhow!("{f:?}"))?;
        stream.apply(&frame, &mut self.updates).map_err(|fault| anyhow!("{fault:?}"))?;
        Ok(stream)
    }

    /// Reads all messages and tells each payload to `each`; returns how many messages were refused.
    pub fn read(&mut self, stream: &mut Stream, mut each: impl FnMut(&Body)) -> u64 {
        let Self { parser, updates, messages, .. } = self;
        let mut refused = 0;
        for message in messages {
            updates.clear();
            let read = parser.parse(black_box(message.as_bytes()));
            if read.and_then(|frame| stream.apply(&frame, updates)).is_err() {
                refused += 1;
            }
            updates.iter().map(|(_, body)| body).for_each(&mut each);
        }
        refused
    }

    /// Reads all messages once; returns the number of payloads and their hash.
    ///
    /// # Errors
    /// A message is refused, or the book is lost.
    pub fn check(&mut self) -> anyhow::Result<(u64, String)> {
        let mut stream = self.stream()?;
        let mut hasher = blake3::Hasher::new();
        let mut count = 0;
        let refused = self.read(&mut stream, |body| {
            count += 1;
            hasher.update(&body.pack());
        });
        ensure!(refused == 0, "{refused} made-up messages were refused");
        ensure!(stream.status() == FeedStatus::Synced, "the book is {:?}", stream.status());
        Ok((count, hasher.finalize().to_hex().chars().take(16).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_made_up_message_is_understood() {
        for kind in [None, Some(Kind::BookTicker), Some(Kind::Trade), Some(Kind::Depth)] {
            let mut parsing = workload(kind, 500).unwrap();
            let (payloads, _) = parsing.check().unwrap();
            assert!(payloads >= 500, "{kind:?} gave {payloads} payloads");
        }
    }
}
