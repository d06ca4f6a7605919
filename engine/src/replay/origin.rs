//! What a journal says of the session that wrote it: its setup, its rules, how it began and ended.

use std::path::Path;
use std::sync::Arc;

use dsl::span::Source as RulesText;
use journal::{Reader, Verdict};
use model::event::{Body, Kind};
use model::order::EndReason;
use model::time::Nanos;

use super::ReplayError;
use crate::program;
use crate::session::snapshot::Snapshot;
use crate::session::{Session, SessionError};
use crate::setup::{SEMANTICS, Setup};
use crate::tape::{KIND_RULES_LOADED, KIND_RUN_METADATA, KIND_SNAPSHOT, Naming, TapeError};

/// What a journal says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The setup.
    pub setup: Setup,
    /// The rule texts.
    pub texts: Vec<RulesText>,
    /// When the session started, or went on.
    pub start: Nanos,
    /// What it went on from; none where it began anew.
    pub snapshot: Option<Snapshot>,
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
        Self::read_while(dir, |kind| ![Kind::SessionStart as u16, KIND_SNAPSHOT].contains(&kind))
    }

    /// Returns the session that wrote the journal, as it stood before its first message.
    ///
    /// # Errors
    /// [`ReplayError`] when setup, rules or snapshot do not make one.
    pub fn session(&self) -> Result<Session, ReplayError> {
        let session = self.under(self.texts.clone())?;
        Ok(match self.snapshot.clone() {
            Some(snapshot) => session.go_on_from(snapshot)?,
            None => session,
        })
    }

    /// Returns the session that wrote the journal in `dir`, or what it is under other rules: then
    /// with how their names are compared.
    ///
    /// # Errors
    /// [`ReplayError`] when setup, rules or snapshot do not make one, and when other rules are to
    /// go on from a state.
    pub(super) fn session_under(
        &self,
        texts: Option<Vec<RulesText>>,
        dir: &Path,
    ) -> Result<(Session, Option<Arc<Naming>>), ReplayError> {
        let Some(texts) = texts else {
            return Ok((self.session()?, None));
        };
        if self.snapshot.is_some() {
            return Err(ReplayError::Continued { dir: dir.to_path_buf() });
        }
        let own = self.under(self.texts.clone())?;
        let mut session = self.under(texts)?;
        // The records keep the numbers of the journal's inputs.
        session.keep_preamble(own.preamble());
        let naming = Naming::new(&own.bound.rules, &session.bound.rules);
        Ok((session, Some(Arc::new(naming))))
    }

    fn under(&self, texts: Vec<RulesText>) -> Result<Session, ReplayError> {
        let checked = program::load(texts).map_err(Box::new)?;
        Ok(Session::build(self.setup.clone(), &checked)?)
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
        let mut snapshot = None;
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
                KIND_SNAPSHOT => {
                    let read = Snapshot::decode(record.payload).map_err(SessionError::Snapshot)?;
                    start = read.ts;
                    snapshot = Some(read);
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
        Ok(Self { setup, texts, start, snapshot, end, build_hash, records, bytes, torn })
    }
}

fn reason(payload: &[u8], seq: u64) -> Result<EndReason, TapeError> {
    let event =
        model::codec::decode(payload).map_err(|source| TapeError::Decode { seq, source })?;
    let Body::SessionEnd(end) = event.body() else { return Ok(EndReason::EndOfData) };
    Ok(end.reason)
}
