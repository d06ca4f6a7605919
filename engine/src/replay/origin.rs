//! What a journal says of the session that wrote it: its setup, its rules, how it began and ended.

use std::path::Path;

use dsl::span::Source as RulesText;
use journal::{Reader, Verdict};
use model::event::{Body, Kind};
use model::order::EndReason;
use model::time::Nanos;

use super::ReplayError;
use crate::setup::{SEMANTICS, Setup};
use crate::tape::{KIND_RULES_LOADED, KIND_RUN_METADATA, TapeError};

/// What a journal says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The setup.
    pub setup: Setup,
    /// The rule texts.
    pub texts: Vec<RulesText>,
    /// When the session started.
    pub start: Nanos,
    /// How it ended; none when it was killed.
    pub end: Option<EndReason>,
    /// Hash of the build that wrote it.
    pub build_hash: [u8; 32],
    /// Records of all lanes.
    pub records: u64,
    /// Bytes up to the end of the last of them, segments counted whole.
    pub bytes: u64,
    /// The tear at its end, if there is one.
    pub torn: Option<Tear>,
}

/// Where a crash took the end of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tear {
    /// Absolute offset of the first byte that is no record.
    pub at: u64,
    /// Records behind it that are intact by themselves: they are given up, since what stood between
    /// is not known.
    pub orphans: u64,
}

impl std::fmt::Display for Tear {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, orphans } = self;
        write!(out, "at byte {at}; {orphans} intact records behind it are given up")
    }
}

impl Origin {
    /// Reads what a journal says of itself.
    ///
    /// # Errors
    /// [`ReplayError`] when the journal does not hold it or is of other semantics.
    pub fn read(dir: &Path) -> Result<Self, ReplayError> {
        Self::read_while(dir, |_| true)
    }

    /// Reads the beginning only: setup, rules and start. What the journal ends with is not known
    /// then, whatever state it is in.
    ///
    /// # Errors
    /// [`ReplayError`] when the journal does not hold it or is of other semantics.
    pub fn begin(dir: &Path) -> Result<Self, ReplayError> {
        Self::read_while(dir, |kind| kind != Kind::SessionStart as u16)
    }

    /// Reads up to the first record whose kind says so, that one included.
    fn read_while(dir: &Path, goes_on: impl Fn(u16) -> bool) -> Result<Self, ReplayError> {
        let mut reader = Reader::open(dir)?;
        let build_hash = reader.identity().build_hash;
        let journaled = reader.identity().semantics;
        if journaled != SEMANTICS {
            return Err(ReplayError::Semantics { journaled, ours: SEMANTICS });
        }
        let mut setup = None;
        let mut texts = Vec::new();
        let mut start = Nanos(0);
        let mut end = None;
        let mut records = 0_u64;
        while let Some(record) = reader.next()? {
            records = records.saturating_add(1);
            let kind = record.header.kind;
            match kind {
                KIND_RUN_METADATA => {
                    let parsed: Setup =
                        serde_json::from_slice(record.payload).map_err(ReplayError::Metadata)?;
                    setup = Some(parsed);
                }
                KIND_RULES_LOADED => {
                    let text = String::from_utf8_lossy(record.payload);
                    let (name, text) = text.split_once('\n').unwrap_or(("<journal>", &text));
                    texts.push(RulesText { name: name.to_owned(), text: text.to_owned() });
                }
                kind if kind == Kind::SessionStart as u16 => start = Nanos(record.header.ts_ns),
                kind if kind == Kind::SessionEnd as u16 => {
                    end = Some(reason(record.payload, record.header.seq)?);
                }
                _ => {}
            }
            if !goes_on(kind) {
                break;
            }
        }
        let torn = match reader.verdict() {
            Some(Verdict::Torn { at }) => Some(Tear { at, orphans: reader.orphans() }),
            Some(Verdict::Clean | Verdict::Corrupt { .. }) | None => None,
        };
        let setup = setup.ok_or(ReplayError::NoMetadata)?;
        let bytes = reader.position();
        Ok(Self { setup, texts, start, end, build_hash, records, bytes, torn })
    }
}

fn reason(payload: &[u8], seq: u64) -> Result<EndReason, TapeError> {
    let event =
        model::codec::decode(payload).map_err(|source| TapeError::Decode { seq, source })?;
    let Body::SessionEnd(end) = event.body() else { return Ok(EndReason::EndOfData) };
    Ok(end.reason)
}
