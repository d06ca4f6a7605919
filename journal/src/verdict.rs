//! What the end of a journal means, as a table of lettered cases.
//!
//! The outcome is a value, not an error: policy decides. *Proven* means that a valid record behind
//! the place (BARRIER, END_SEGMENT or RECOVERED) says the bytes at the place were on stable
//! storage.
//!
//! | | the walk stops at | behind it | verdict |
//! |---|---|---|---|
//! | A | the final END_SEGMENT | nothing | Clean, sealed |
//! | B | no record (length 0), no open fragments | only zeros | Clean, unsealed: killed |
//! | C | no record, inside a fragmented record | only zeros | Torn |
//! | D | no record | bytes other than zero, not proven | Torn: a hole, or no length stored |
//! | E | an invalid record | not proven | Torn: a half-written record |
//! | F | a lost header after a sealed segment | not proven | Torn at the start of that segment |
//! | G | no record, an invalid one or a lost header | proven | Corrupt: damage to durable bytes |
//! | H | as G, in a file shorter than its segment | not proven | Corrupt: somebody cut it |
//! | I | a segment file that is missing | – | Corrupt |
//! | J | an intact segment that does not belong here | – | Corrupt: stale, doubled or swapped |
//! | K | END_SEGMENT or BARRIER, which disagrees with what it seals | – | Corrupt: altered |
//! | L | END_SEGMENT | bytes in its file, or a segment after the final one | Corrupt |
//! | M | the header of segment 0 | – | Corrupt: it was durable before the run began |
//! | N | a file that is not regular, or longer than a segment | – | Corrupt: none of ours |
//!
//! One more state is no ending: a segment without a valid END_SEGMENT whose successor's header
//! continues exactly where it stops (record number, input sequence, time and end offset) is
//! complete; the run was killed before the seal. The walk goes on.
//!
//! Why H is not Torn: a segment has its full length, durably, before its first record, and is
//! shortened only after its END_SEGMENT was synced. No crash makes a file short.
//!
//! Limit: bytes that were synced after the last proof and then rot look torn (D, E, F). The unit of
//! proof is the segment.

/// What the end of a journal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All records are whole; nothing was lost.
    Clean,
    /// A crash took the records from this absolute offset on; none of them was proven durable.
    Torn {
        /// Absolute offset: segment index × segment length + offset in the file.
        at: u64,
    },
    /// Durable bytes are damaged, missing or out of place. Nothing may be cut.
    Corrupt {
        /// Absolute offset up to which the records are valid.
        at: u64,
    },
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// A: ended in order.
    Sealed,
    /// B: killed, with only whole records.
    Unsealed,
    /// C: killed inside a fragmented record.
    OpenFragments,
    /// D: no record, but bytes behind.
    Hole,
    /// E: a half-written record.
    TornRecord,
    /// F: a segment whose header was not written out.
    LostHeader,
    /// G: damage below a proven offset.
    ProvenDamage,
    /// H: a file that was cut.
    ShortFile,
    /// I: a file that is missing.
    MissingSegment,
    /// J: a file from elsewhere.
    ForeignSegment,
    /// K: contents that do not fit the seal.
    WrongSeal,
    /// L: bytes where none can be.
    BytesBehindSeal,
    /// M: the first header.
    FirstHeader,
    /// N: a file that can be no segment.
    NoSegmentFile,
}

impl Case {
    /// All cases in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::Sealed,
        Self::Unsealed,
        Self::OpenFragments,
        Self::Hole,
        Self::TornRecord,
        Self::LostHeader,
        Self::ProvenDamage,
        Self::ShortFile,
        Self::MissingSegment,
        Self::ForeignSegment,
        Self::WrongSeal,
        Self::BytesBehindSeal,
        Self::FirstHeader,
        Self::NoSegmentFile,
    ];

    /// The letter of the row.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Sealed => 'A',
            Self::Unsealed => 'B',
            Self::OpenFragments => 'C',
            Self::Hole => 'D',
            Self::TornRecord => 'E',
            Self::LostHeader => 'F',
            Self::ProvenDamage => 'G',
            Self::ShortFile => 'H',
            Self::MissingSegment => 'I',
            Self::ForeignSegment => 'J',
            Self::WrongSeal => 'K',
            Self::BytesBehindSeal => 'L',
            Self::FirstHeader => 'M',
            Self::NoSegmentFile => 'N',
        }
    }

    /// The verdict on a journal whose valid prefix ends at the absolute offset `at`.
    #[must_use]
    pub fn verdict(self, at: u64) -> Verdict {
        match self {
            Self::Sealed | Self::Unsealed => Verdict::Clean,
            Self::OpenFragments | Self::Hole | Self::TornRecord | Self::LostHeader => {
                Verdict::Torn { at }
            }
            Self::ProvenDamage
            | Self::ShortFile
            | Self::MissingSegment
            | Self::ForeignSegment
            | Self::WrongSeal
            | Self::BytesBehindSeal
            | Self::FirstHeader
            | Self::NoSegmentFile => Verdict::Corrupt { at },
        }
    }

    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Sealed => "the run ended in order",
            Self::Unsealed => "the run was killed, its records are whole",
            Self::OpenFragments => "the run ended inside a fragmented record",
            Self::Hole => "the run ended with bytes behind its last record",
            Self::TornRecord => "the run ended in a half-written record",
            Self::LostHeader => "the run ended before a segment header was written out",
            Self::ProvenDamage => "bytes that were on stable storage are damaged",
            Self::ShortFile => "the file was cut",
            Self::MissingSegment => "a segment is missing",
            Self::ForeignSegment => "a file of another run or place lies here",
            Self::WrongSeal => "the segment does not fit its seal",
            Self::BytesBehindSeal => "bytes lie behind a seal",
            Self::FirstHeader => "the first header is damaged",
            Self::NoSegmentFile => "a file that can be no segment lies here",
        }
    }
}

/// What the walk saw where it stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// The END_SEGMENT that ends the run.
    FinalFooter,
    /// A length of zero, or the end of the file.
    NoRecord,
    /// Bytes that are no record, or a record out of order.
    BadRecord,
    /// No header where a sealed segment is followed by one.
    LostHeader,
    /// No file.
    MissingFile,
    /// An intact header that does not belong here.
    ForeignHeader,
    /// An END_SEGMENT or BARRIER that does not fit.
    WrongSeal,
    /// Bytes after an END_SEGMENT.
    BytesBehind,
    /// A file that can be no segment.
    NoSegmentFile,
}

impl Sight {
    /// True if the verdict depends on the length of the file.
    pub(crate) fn asks_for_length(self) -> bool {
        matches!(self, Self::NoRecord | Self::BadRecord | Self::LostHeader)
    }
}

/// All that the table needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) sight: Sight,
    /// A valid record behind proves the bytes here durable.
    pub(crate) proven: bool,
    /// Something behind is not zero.
    pub(crate) dirt: bool,
    /// The file is shorter than its segment.
    pub(crate) short: bool,
    /// A fragmented record is not complete.
    pub(crate) open: bool,
}

/// The table.
pub(crate) fn decide(evidence: &Evidence) -> Case {
    let Evidence { sight, proven, dirt, short, open } = *evidence;
    match sight {
        Sight::FinalFooter => Case::Sealed,
        Sight::MissingFile => Case::MissingSegment,
        Sight::ForeignHeader => Case::ForeignSegment,
        Sight::WrongSeal => Case::WrongSeal,
        Sight::BytesBehind => Case::BytesBehindSeal,
        Sight::NoSegmentFile => Case::NoSegmentFile,
        Sight::NoRecord | Sight::BadRecord | Sight::LostHeader if proven => Case::ProvenDamage,
        Sight::NoRecord | Sight::BadRecord | Sight::LostHeader if short => Case::ShortFile,
        Sight::LostHeader => Case::LostHeader,
        Sight::BadRecord => Case::TornRecord,
        Sight::NoRecord if dirt => Case::Hole,
        Sight::NoRecord if open => Case::OpenFragments,
        Sight::NoRecord => Case::Unsealed,
    }
}
