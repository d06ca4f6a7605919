//! Typed errors, one enum per family of operations. Each message says what was attempted, on what,
//! and what to do about it; the system's own reason is the `source`.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::layout::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::verdict::Case;

/// What was asked of the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Create the journal's directory.
    CreateDirectory,
    /// Read the names in the journal's directory.
    ListDirectory,
    /// Open and lock the lock file.
    Lock,
    /// Open an existing segment.
    Open,
    /// Create a segment file.
    Create,
    /// Reserve this many bytes for a segment.
    Reserve(u64),
    /// Map a segment into memory.
    Map,
    /// Fault in every page of a mapped segment.
    Populate,
    /// Write into a segment.
    Write,
    /// Read from a segment.
    Read,
    /// Bring a segment to stable storage.
    Sync,
    /// Bring the directory's entries to stable storage.
    SyncDirectory,
    /// Check, before a seal, that a segment is still what was written.
    Seal,
    /// Cut the unused end off a sealed segment.
    Shorten,
    /// Remove a segment file that holds no accepted record.
    Remove,
}

impl Action {
    /// True for the operations after whose failure nothing may be tried again.
    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Self::Sync | Self::SyncDirectory)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::CreateDirectory | Self::Create | Self::Lock => {
                "check that the directory is writable"
            }
            Self::ListDirectory | Self::Open | Self::Read => {
                "check that the path is a journal and readable"
            }
            Self::Reserve(_) => {
                "free space on this file system, choose shorter segments, or use a file system \
                 with fallocate such as ext4, xfs or tmpfs"
            }
            Self::Map => "raise the limit of address space or choose the pwrite sink",
            Self::Populate => {
                "free memory and disk space, or choose the pwrite sink on kernels before 5.14"
            }
            Self::Seal => {
                "another program cut, moved or removed the journal's files while they were \
                 written; stop that program, keep what is left and run again"
            }
            Self::Write | Self::Shorten | Self::Remove => "check the disk and the file's owner",
            Self::Sync | Self::SyncDirectory => {
                "treat the newest records as lost, check the disk, and recover before a new run"
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateDirectory => write!(out, "create the directory"),
            Self::ListDirectory => write!(out, "list the directory"),
            Self::Lock => write!(out, "lock"),
            Self::Open => write!(out, "open"),
            Self::Create => write!(out, "create"),
            Self::Reserve(bytes) => write!(out, "reserve {bytes} bytes for"),
            Self::Map => write!(out, "map"),
            Self::Populate => write!(out, "fault in the pages of"),
            Self::Write => write!(out, "write to"),
            Self::Read => write!(out, "read"),
            Self::Sync => write!(out, "sync"),
            Self::SyncDirectory => write!(out, "sync the directory"),
            Self::Seal => write!(out, "seal"),
            Self::Shorten => write!(out, "shorten"),
            Self::Remove => write!(out, "remove"),
        }
    }
}

/// The file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}; {}", path.display(), action.advice())]
pub struct DiskError {
    /// What was attempted.
    pub action: Action,
    /// On which file or directory.
    pub path: PathBuf,
    /// The system's reason.
    #[source]
    pub source: io::Error,
}

/// A journal could not be created or recovered.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory holds a journal already.
    #[error(
        "cannot create a journal in {}, which holds one already; choose another directory or \
         recover that one", .dir.display()
    )]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// Another writer, in this or another process, holds the directory.
    #[error(
        "cannot lock the journal {}, which another writer holds; stop that run or choose another \
         directory", .dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The segment length is not possible.
    #[error(
        "cannot use segments of {bytes} bytes; choose a power of two from {SEGMENT_BYTES_MIN} to \
         {SEGMENT_BYTES_MAX}"
    )]
    SegmentBytes {
        /// The length asked for.
        bytes: u64,
    },
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal could not be read before its repair.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A record was refused. Only after `TooLong`, `Reserved`, `Order` and a failed preparation of a
/// segment (`Disk` with another action than a write or sync) does the writer go on.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The payload does not fit one record.
    #[error("cannot append {bytes} bytes as one record of at most {limit}; append it as a blob")]
    TooLong {
        /// Length of the payload.
        bytes: usize,
        /// The longest payload this journal's segments take.
        limit: u64,
    },
    /// The header claims a kind, lane or flag that belongs to the journal.
    #[error(
        "cannot append kind {kind:#06x} in lane {lane} with flags {flags:#04x}, which the journal \
         keeps for itself; use a kind below 0xff00, another lane than 5 and flags above 0x0f"
    )]
    Reserved {
        /// Kind asked for.
        kind: u16,
        /// Lane asked for.
        lane: u8,
        /// Flags asked for.
        flags: u8,
    },
    /// The record does not follow the one before it.
    #[error("cannot append the record out of order; fix the stage that numbered it")]
    Order(#[from] OrderError),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An earlier write or sync failed; nothing is accepted any more.
    #[error("cannot append after a failed write or sync; stop the run and recover the journal")]
    Poisoned,
    /// The keeper's thread ended before the writer.
    #[error("cannot get a spare segment from a keeper that has ended; stop the run")]
    KeeperGone,
}

/// The rule of order that a record breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OrderError {
    /// There are seven lanes.
    #[error("lane {found} does not exist")]
    Lane {
        /// Lane of the record.
        found: u8,
    },
    /// Record numbers have no gaps; the low 32 bits are stored.
    #[error("the record number is {found}, but {expected} comes next")]
    RecordNumber {
        /// The number that comes next.
        expected: u32,
        /// Number of the record.
        found: u32,
    },
    /// Input sequences have no gaps.
    #[error("the input sequence is {found}, but {expected} comes next")]
    Sequence {
        /// The sequence that comes next.
        expected: u64,
        /// Sequence of the record.
        found: u64,
    },
    /// Input times increase.
    #[error("the input time {found_ns} ns is not after {last_ns} ns")]
    Time {
        /// Time of the last input.
        last_ns: i64,
        /// Time of the record.
        found_ns: i64,
    },
    /// No decision precedes its cause.
    #[error("the cause {found} lies after the last input {last}")]
    Cause {
        /// Sequence of the last input.
        last: u64,
        /// Sequence of the record.
        found: u64,
    },
    /// The pieces of a long record follow each other.
    #[error("the record breaks into a fragmented record, or continues none")]
    Fragment,
}

/// A journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory holds no journal, or one whose creation was cut short.
    #[error(
        "cannot find a journal in {}; check the path, or remove the directory if a run was killed \
         while it started", .dir.display()
    )]
    NoJournal {
        /// The directory.
        dir: PathBuf,
    },
    /// The journal was written by another version of the format.
    #[error(
        "cannot read format version {version} of {}; use the program that wrote it",
        .path.display()
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A writer is at work: what is there now is not all there will be.
    #[error(
        "journal {} is being written by a running session; wait for its end", .dir.display()
    )]
    BeingWritten {
        /// The directory.
        dir: PathBuf,
    },
    /// Bytes that were on stable storage are damaged, missing or out of place.
    #[error(
        "cannot read on at byte {at} of the journal, in {}: {detail}; restore a copy, the \
         journal is corrupt (case {letter})", .segment.display(), letter = .case.letter()
    )]
    Corrupt {
        /// Absolute offset up to which the records are valid.
        at: u64,
        /// The file of the finding.
        segment: PathBuf,
        /// The case of the recovery table.
        case: Case,
        /// What was found.
        detail: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}
