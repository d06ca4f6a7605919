//! The single writer: one thread, one head, append only.
//!
//! Per record: check the header against the rules of order, compute the checksum, copy, and store
//! the length last. That is a few dozen nanoseconds without allocation. The mapped sink makes a
//! system call only at a segment roll, where the writer takes a spare and writes its header; the
//! `pwrite` sink makes one more when its buffer is full and at [`flush`](Writer::flush).
//!
//! *Appended* means accepted: checked, numbered, and kept in order. *Written* means in the page
//! cache, where it survives the death of the process; that is what a `flush` that returned says.
//!
//! After the first failed write or sync the writer is *poisoned*: it accepts nothing, seals nothing
//! and proves nothing. A sync must not be repeated, because Linux marks the pages clean after the
//! failure and would report success for data that is lost.

use std::path::Path;
use std::sync::Arc;

use crate::control::{self, Barrier};
use crate::disk::{Disk, Lock, SegmentFile};
use crate::error::{AppendError, DiskError, OpenError};
use crate::frame;
use crate::header::{Identity, SegmentHeader, is_segment_length};
use crate::layout::{
    FLAGS_JOURNAL, FRAME_ALIGN, HEADER_BYTES, KIND_BARRIER, KIND_CONTROL_FIRST, LANE_CONTROL,
    PAYLOAD_BYTES_MAX, RecordHeader, TAIL_RESERVE_BYTES, to_u64, to_usize,
};
use crate::order::{Order, PIECE_FIRST, PIECE_LAST, PIECE_MIDDLE};
use crate::seal::{Place, Retired};
use crate::sink::{Segment, SinkKind};
use crate::spare::{Keeper, Link, Workshop, connect};

/// Length of the payload of nearly all records: an event.
const COMMON_BYTES: usize = 64;

/// How a new journal is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Length of every segment file in bytes: a power of two from 8 KiB (tests) to 1 GiB.
    pub segment_bytes: u64,
    /// How records reach the file.
    pub sink: SinkKind,
    /// Whether spare and sealed segments are synced to the disk. Without it nothing is: records
    /// survive the process but not the machine. For runs that can be repeated from their inputs,
    /// which then wait for no disk. No BARRIER is written, so nothing is claimed to be durable;
    /// after a power loss such a journal may read as corrupt or be gone.
    pub sync: bool,
    /// Whose journal it is.
    pub identity: Identity,
}

/// Appends records to a journal; there is one per directory, and it belongs to one thread at a
/// time.
#[derive(Debug)]
pub struct Writer {
    segment: Segment,
    /// Offset in the segment of the next frame; a multiple of 32.
    head: u64,
    /// Absolute offset of the segment.
    base: u64,
    /// Number of the segment's first record.
    base_rec_no: u64,
    /// Offset in any segment behind which the journal's own last records stand.
    records_end: u64,
    /// The longest payload that fits one frame and one segment.
    payload_max: u64,
    order: Order,
    options: Options,
    place: Place,
    link: Link,
    poisoned: bool,
    /// Keeps other writers out.
    _lock: Arc<Lock>,
}

/// What a sealed journal holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// All records, the journal's own and every piece of a fragmented record included.
    pub records: u64,
    /// The last input sequence, 0 if there was no input.
    pub last_seq: u64,
    /// Length of all segment files.
    pub bytes: u64,
    /// Number of segment files.
    pub segments: u64,
}

impl Writer {
    /// Creates a journal in `dir`, which is created if absent, and returns its writer and the
    /// keeper of its segments. The first segment is durable when this returns, if the journal is
    /// to be synced.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`] if the directory holds segments, [`OpenError::Locked`] if another
    /// writer holds it, [`OpenError::SegmentBytes`] for an impossible length, and
    /// [`OpenError::Disk`] if the file system refuses, for example because it is full.
    pub fn create(dir: &Path, options: &Options) -> Result<(Self, Keeper), OpenError> {
        Self::create_on(Disk::default(), dir, options)
    }

    pub(crate) fn create_on(
        disk: Disk,
        dir: &Path,
        options: &Options,
    ) -> Result<(Self, Keeper), OpenError> {
        let bytes = options.segment_bytes;
        if !is_segment_length(bytes) {
            return Err(OpenError::SegmentBytes { bytes });
        }
        let disk = disk.syncing(options.sync);
        disk.create_dir(dir)?;
        let lock = Arc::new(disk.lock(dir)?);
        if !disk.segments(dir)?.is_empty() {
            return Err(OpenError::NotEmpty { dir: dir.to_path_buf() });
        }
        let place = Place { segment_bytes: bytes, nonce: options.identity.nonce };
        let mut workshop = Workshop {
            disk,
            dir: dir.to_path_buf(),
            kind: options.sink,
            place,
            next_index: 0,
            previous_hash: [0; 32],
            sealed: Vec::new(),
            _lock: Arc::clone(&lock),
        };
        let order = Order::start();
        let segment = workshop.prepare_with(|file| {
            write_header(file, 0, options, order, 0).and_then(|()| file.sync_data())
        })?;
        let (link, keeper) = connect(workshop);
        let records_end = bytes.saturating_sub(TAIL_RESERVE_BYTES);
        let room = records_end.saturating_sub(HEADER_BYTES + FRAME_ALIGN);
        let writer = Self {
            segment,
            head: HEADER_BYTES,
            base: 0,
            base_rec_no: 0,
            records_end,
            payload_max: room.min(PAYLOAD_BYTES_MAX),
            order,
            options: *options,
            place,
            link,
            poisoned: false,
            _lock: lock,
        };
        Ok((writer, keeper))
    }

    /// Appends one record. With the mapped sink it is in the page cache when this returns; with the
    /// `pwrite` sink after the next [`flush`](Self::flush). At a segment roll it may wait for a
    /// spare segment.
    ///
    /// # Errors
    /// [`AppendError::TooLong`], [`AppendError::Reserved`] and [`AppendError::Order`] refuse the
    /// record and change nothing. [`AppendError::Disk`] from the preparation of a segment changes
    /// nothing either and may be tried again; after any other failure the writer is poisoned.
    #[inline]
    pub fn append(&mut self, header: RecordHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.admit(&header)?;
        let limit = self.payload_max;
        if to_u64(payload.len()) > limit {
            return Err(AppendError::TooLong { bytes: payload.len(), limit });
        }
        if self.link.has_report() {
            self.barrier()?;
        }
        self.write(header, payload)
    }

    /// Appends a payload of any length, in as many pieces as it needs. A reader sees one record.
    /// The pieces carry the same header, and the rules of order count them as one record.
    ///
    /// # Errors
    /// As [`append`](Self::append), but for `TooLong`; a failure after the first piece poisons the
    /// writer.
    pub fn append_blob(&mut self, header: RecordHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.admit(&header)?;
        if self.link.has_report() {
            self.barrier()?;
        }
        let limit = to_usize(self.payload_max);
        if payload.len() <= limit {
            return self.write(header, payload);
        }
        let mut pieces = payload.chunks(limit);
        let mut flag = PIECE_FIRST;
        while let Some(piece) = pieces.next() {
            if pieces.len() == 0 {
                flag = PIECE_LAST;
            }
            let written = self.write(RecordHeader { flags: header.flags | flag, ..header }, piece);
            self.poisoned |= written.is_err() && self.order.is_open();
            written?;
            flag = PIECE_MIDDLE;
        }
        Ok(())
    }

    /// Hands all appended records to the page cache: when this returns they survive the death of
    /// the process. Free with the mapped sink, and when nothing was appended since.
    ///
    /// # Errors
    /// [`AppendError::Disk`] if the write fails, which poisons the writer: what was appended since
    /// the last flush may be in the file in part. [`AppendError::Poisoned`] if one failed before.
    #[inline]
    pub fn flush(&mut self) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        self.segment.flush().map_err(|cause| self.poison(cause))
    }

    /// Records appended so far, the journal's own and every piece of a fragmented record included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.order.next_rec_no()
    }

    /// The last input sequence appended, 0 if there was no input.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.order.last_seq()
    }

    /// Ends the run in order: syncs and seals all segments and releases the lock. A writer that is
    /// dropped instead leaves an unsealed journal without what was not flushed, as a killed process
    /// does.
    ///
    /// # Errors
    /// [`AppendError::Disk`] if a write or sync fails, [`AppendError::Poisoned`] if one failed
    /// before, [`AppendError::KeeperGone`] if the keeper's thread died. The journal is then
    /// unsealed.
    pub fn seal(mut self) -> Result<Sealed, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if self.link.has_report() {
            self.barrier()?;
        }
        self.flush()?;
        let segments = self.segment.index.saturating_add(1);
        let (records, last_seq) = (self.records().saturating_add(1), self.last_seq());
        let last = Retired {
            segment: self.segment,
            end: self.head,
            records: self.order.next_rec_no().saturating_sub(self.base_rec_no),
            order: self.order,
            is_final: true,
        };
        let report = self.link.finish(last)?;
        Ok(Sealed { records, last_seq, bytes: report.bytes, segments })
    }

    /// Refuses what belongs to the journal, and everything once poisoned.
    #[inline]
    fn admit(&self, header: &RecordHeader) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        let RecordHeader { kind, lane, flags, .. } = *header;
        if kind >= KIND_CONTROL_FIRST || lane == LANE_CONTROL || flags & FLAGS_JOURNAL != 0 {
            return Err(AppendError::Reserved { kind, lane, flags });
        }
        Ok(())
    }

    /// Writes one frame, after a roll if the segment is full.
    #[inline]
    fn write(&mut self, header: RecordHeader, payload: &[u8]) -> Result<(), AppendError> {
        // With the length known beforehand the loops over the bytes are gone.
        match <&[u8; COMMON_BYTES]>::try_from(payload) {
            Ok(common) => self.put(header, common),
            Err(_) => self.put_any(header, payload),
        }
    }

    #[inline(never)]
    fn put_any(&mut self, header: RecordHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.put(header, payload)
    }

    #[inline(always)]
    fn put(&mut self, header: RecordHeader, payload: &[u8]) -> Result<(), AppendError> {
        self.order.check(&header)?;
        let end = self.head.saturating_add(frame::frame_bytes(payload.len()));
        if end > self.records_end {
            self.roll()?;
        }
        let at = self.base.saturating_add(self.head);
        let frame = frame::build(header, self.order.next_rec_no(), payload, self.place.nonce, at);
        if let Err(cause) = self.segment.commit(to_usize(self.head), &frame) {
            return Err(self.poison(cause));
        }
        self.head = self.head.saturating_add(frame.bytes());
        self.order.advance(&header);
        Ok(())
    }

    /// Moves to the next segment and hands over the full one. The next header is written after the
    /// last record of the full segment and before its seal: it proves that the full one is
    /// complete.
    #[cold]
    fn roll(&mut self) -> Result<(), AppendError> {
        let next = self.link.next_segment().map_err(|cause| self.poison_if_sync(cause))?;
        assert_eq!(next.index, self.segment.index.saturating_add(1), "spares come in order");
        self.flush()?;
        let base = self.order.after_control();
        if let Err(cause) = write_header(&next.file, next.index, &self.options, base, self.head) {
            return Err(self.poison(cause));
        }
        let retired = Retired {
            segment: std::mem::replace(&mut self.segment, next),
            end: self.head,
            records: self.order.next_rec_no().saturating_sub(self.base_rec_no),
            order: self.order,
            is_final: false,
        };
        self.base = self.place.absolute(self.segment.index, 0);
        self.head = HEADER_BYTES;
        self.order = base;
        self.base_rec_no = base.next_rec_no();
        self.link.retire(retired).inspect_err(|_| self.poisoned = true)
    }

    /// Records that sealed segments are durable.
    #[cold]
    fn barrier(&mut self) -> Result<(), AppendError> {
        let report = match self.link.newest_report() {
            Ok(Some(_)) if !self.options.sync => return Ok(()),
            Ok(Some(report)) => report,
            Ok(None) => return Ok(()),
            Err(cause) => return Err(self.poison(cause)),
        };
        let barrier = Barrier {
            durable_off: report.durable_off,
            durable_seq: report.durable_seq,
            hash: report.hash,
        };
        self.write(control::header(KIND_BARRIER, &self.order), &barrier.encode())
    }

    fn poison(&mut self, cause: DiskError) -> AppendError {
        self.poisoned = true;
        AppendError::Disk(cause)
    }

    /// Poisons after a failed sync and after the loss of the keeper; a full disk may empty again.
    fn poison_if_sync(&mut self, cause: AppendError) -> AppendError {
        let harmless = matches!(&cause, AppendError::Disk(error) if !error.action.is_sync());
        self.poisoned |= !harmless;
        cause
    }
}

/// Writes the first page of a segment, whose records go on from `base`.
fn write_header(
    file: &SegmentFile,
    index: u64,
    options: &Options,
    base: Order,
    previous_end: u64,
) -> Result<(), DiskError> {
    let header = SegmentHeader {
        identity: options.identity,
        segment_bytes: options.segment_bytes,
        index,
        base_rec_no: base.next_rec_no(),
        base_seq: base.next_seq(),
        base_ts_ns: base.last_ts_ns(),
        previous_end,
    };
    file.write_at(&header.encode(), 0)
}
