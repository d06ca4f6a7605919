//! The state of a session at the end of a message: all that what follows depends on.
//!
//! A resumed session begins with one, as the record behind its rule texts, so its journal replays
//! without the journal it continues. What the setup and the rules decide is not in it.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{RunId, Seq};
use model::time::Nanos;

use crate::feed::Feed;
use crate::station::Stations;

/// Version of the snapshot.
const SNAPSHOT_VERSION: u32 = 1;
/// LIMIT: bytes of one stage's image, above what the largest session takes: a count that passes it
/// is no snapshot's.
const IMAGE_BYTES_MAX: usize = 256 << 20;

/// The state of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The run whose state it is.
    pub parent: RunId,
    /// Seq of the last record of the message.
    pub seq: Seq,
    /// Engine time of that record.
    pub ts: Nanos,
    /// Messages that were taken from the source until then.
    pub messages: u64,
    feed: Vec<u8>,
    strategy: Vec<u8>,
    risk: Vec<u8>,
    execution: Vec<u8>,
}

impl Snapshot {
    /// Takes the state of a run between two messages, when `messages` were taken from the source.
    #[must_use]
    pub fn of(parent: RunId, feed: &Feed, stations: &Stations, messages: u64) -> Self {
        Self {
            parent,
            seq: feed.seq(),
            ts: feed.now(),
            messages,
            feed: image(feed),
            strategy: image(&stations.strategy.stage),
            risk: image(&stations.risk.stage),
            execution: image(&stations.egress.station.stage),
        }
    }

    /// Returns the bytes of the snapshot's record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = ImageWriter::default();
        out.put(SNAPSHOT_VERSION);
        out.put(self.parent.0);
        out.put(self.seq.0);
        out.put(self.ts);
        out.put(self.messages);
        for image in [&self.feed, &self.strategy, &self.risk, &self.execution] {
            out.put_bytes(image);
        }
        out.finish()
    }

    /// Reads a snapshot's record.
    ///
    /// # Errors
    /// [`ImageError`] when it is none of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut from = ImageReader::new(bytes);
        from.expect_version(SNAPSHOT_VERSION)?;
        let snapshot = Self {
            parent: RunId(from.take()?),
            seq: Seq(from.take()?),
            ts: from.take()?,
            messages: from.take()?,
            feed: from.take_bytes(IMAGE_BYTES_MAX)?.to_vec(),
            strategy: from.take_bytes(IMAGE_BYTES_MAX)?.to_vec(),
            risk: from.take_bytes(IMAGE_BYTES_MAX)?.to_vec(),
            execution: from.take_bytes(IMAGE_BYTES_MAX)?.to_vec(),
        };
        from.finish()?;
        Ok(snapshot)
    }

    /// Puts a feed of the same session into the state. Its counts are those of the run that begins.
    ///
    /// # Errors
    /// [`ImageError`] when the snapshot is of another session.
    pub(super) fn restore_feed(&self, feed: &mut Feed) -> Result<(), ImageError> {
        restore(feed, &self.feed)?;
        if (feed.seq(), feed.now()) != (self.seq, self.ts) {
            return Err(ImageError::Range);
        }
        feed.count_anew();
        Ok(())
    }

    /// Puts the stages of the same session into the state. Their counts are those of the run that
    /// begins.
    ///
    /// # Errors
    /// [`ImageError`] when the snapshot is of another session.
    pub(super) fn restore_stations(&self, stations: &mut Stations) -> Result<(), ImageError> {
        restore(&mut stations.strategy.stage, &self.strategy)?;
        stations.strategy.stage.count_anew();
        restore(&mut stations.risk.stage, &self.risk)?;
        restore(&mut stations.egress.station.stage, &self.execution)
    }
}

fn image(of: &impl Image) -> Vec<u8> {
    let mut writer = ImageWriter::default();
    of.save(&mut writer);
    writer.finish()
}

fn restore(into: &mut impl Image, bytes: &[u8]) -> Result<(), ImageError> {
    let mut reader = ImageReader::new(bytes);
    into.load(&mut reader)?;
    reader.finish()
}
