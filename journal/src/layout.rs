//! Constants of the format and the record header. All integers are little endian.
//!
//! ```text
//! segment file                        frame (32-byte aligned)
//! +--------------------+ 0            +-------------------------+ 0
//! | segment header     |              | len      u32            |  last; 0 = none
//! +--------------------+ 4096         | crc32c   u32            |   of bytes 8..len, seeded
//! | frame              |              +-------------------------+ 8
//! | frame              |              | seq      u64            |
//! | ...                |              | ts_ns    i64            |
//! | END_SEGMENT frame  |              | rec_no   u32  low bits  |
//! +--------------------+ end          | kind     u16            |
//! | zeros, cut off     |              | lane     u8             |
//! | when sealed        |              | flags    u8             |
//! +--------------------+              +-------------------------+ 32
//!                                     | payload  len - 32 bytes |
//!                                     | zeros to a multiple of 32
//!                                     +-------------------------+
//! ```
//!
//! An *absolute offset* counts bytes over the whole journal: segment index × segment length +
//! offset in the segment file.

/// First four bytes of a segment file.
pub const MAGIC: [u8; 4] = *b"SLJ1";
/// Version of the format. A reader refuses any other.
pub const FORMAT_VERSION: u32 = 1;
/// Length of the segment header: one page, so that frames start page-aligned.
pub const HEADER_BYTES: u64 = 4096;
/// Length of the record header, and the alignment of frames.
pub const FRAME_ALIGN: u64 = 32;
const _: () = assert!(FRAME_ALIGN.is_power_of_two());
/// Longest frame, header included: bounds what a reader must hold in memory to check one record.
pub const FRAME_BYTES_MAX: u64 = 64 * 1024;
/// Longest payload of one record.
pub const PAYLOAD_BYTES_MAX: u64 = FRAME_BYTES_MAX - FRAME_ALIGN;
/// Bytes at the end of a segment that ordinary records leave free, for END_SEGMENT (160 bytes) and
/// for the RECOVERED notes (64 bytes each) of as many as 13 recoveries.
pub const TAIL_RESERVE_BYTES: u64 = 1024;
/// Shortest segment: a header page and a page of records. Meant for tests; a live run wants 1 MiB
/// or more, since each roll costs a sync.
pub const SEGMENT_BYTES_MIN: u64 = 8 * 1024;
/// Longest segment: bounds the memory a mapped segment pins and the time to seal it.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Lane of input records: everything the engine cannot recompute.
pub const LANE_INPUT: u8 = 0;
/// Lane of the strategy's decisions.
pub const LANE_STRATEGY: u8 = 1;
/// Lane of risk verdicts.
pub const LANE_RISK: u8 = 2;
/// Lane of order intents and order states.
pub const LANE_EXECUTION: u8 = 3;
/// Lane of what left the egress gate.
pub const LANE_EGRESS: u8 = 4;
/// Lane of the journal's own records; refused from callers.
pub const LANE_CONTROL: u8 = 5;
/// Lane of latency stamps, which no replay compares.
pub const LANE_TELEMETRY: u8 = 6;
/// Number of lanes.
pub const LANE_COUNT: usize = 7;

/// Kinds from here on belong to the journal; refused from callers.
pub const KIND_CONTROL_FIRST: u16 = 0xFF00;
/// "All bytes below an offset are on stable storage."
pub const KIND_BARRIER: u16 = 0xFF01;
/// The last record of a segment: count, last seq, hash.
pub const KIND_END_SEGMENT: u16 = 0xFF02;
/// A torn tail was cut here by [`recover`](crate::recover).
pub const KIND_RECOVERED: u16 = 0xFF03;

/// The frame is one piece of a longer record.
pub const FLAG_FRAGMENT: u8 = 1;
/// The piece is the first.
pub const FLAG_FRAGMENT_FIRST: u8 = 2;
/// The piece is the last.
pub const FLAG_FRAGMENT_LAST: u8 = 4;
/// Flags that belong to the journal; the other four are the caller's.
pub const FLAGS_JOURNAL: u8 = 0x0F;

const _: () = assert!(usize::BITS == 64, "offsets and lengths are converted without checks");
const _: () = assert!(HEADER_BYTES.is_multiple_of(FRAME_ALIGN));
const _: () = assert!(HEADER_BYTES + TAIL_RESERVE_BYTES < SEGMENT_BYTES_MIN);
const _: () = assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);

/// What a caller says about a record; the journal adds length, checksum and record number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    /// Lane 0: the input sequence, previous + 1 (the first may be any). Other lanes: the sequence
    /// of the input that caused the record.
    pub seq: u64,
    /// Engine time in nanoseconds. Strictly increasing in lane 0; other lanes repeat their cause's.
    pub ts_ns: i64,
    /// What the payload is, below [`KIND_CONTROL_FIRST`] for callers.
    pub kind: u16,
    /// One of the `LANE_` constants.
    pub lane: u8,
    /// The upper four bits are the caller's; the lower four must be zero in a call and read back
    /// as zero.
    pub flags: u8,
}

/// Bytes 8..32 of a frame.
pub(crate) type FrameBody = [u8; 24];

impl RecordHeader {
    /// Bytes 8..32 of the frame with this header.
    #[inline]
    pub(crate) fn encode(self, rec_no: u32) -> FrameBody {
        let tail = u64::from(rec_no)
            | u64::from(self.kind) << 32
            | u64::from(self.lane) << 48
            | u64::from(self.flags) << 56;
        let mut body = [0; 24];
        let words = [self.seq, self.ts_ns.cast_unsigned(), tail];
        for (slot, word) in body.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *slot = word.to_le_bytes();
        }
        body
    }

    /// The header and the low bits of the record number.
    pub(crate) fn decode(body: &FrameBody) -> (Self, u32) {
        let &[s0, s1, s2, s3, s4, s5, s6, s7, ref rest @ ..] = body;
        let &[t0, t1, t2, t3, t4, t5, t6, t7, r0, r1, r2, r3, k0, k1, lane, flags] = rest;
        let header = Self {
            seq: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            ts_ns: i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            kind: u16::from_le_bytes([k0, k1]),
            lane,
            flags,
        };
        (header, u32::from_le_bytes([r0, r1, r2, r3]))
    }
}

/// The low 32 bits of a record number, which is what a frame stores.
#[inline]
pub(crate) fn low_bits(rec_no: u64) -> u32 {
    (rec_no & 0xFFFF_FFFF) as u32
}

/// The space a frame of `len` bytes takes.
#[inline]
pub(crate) fn aligned(len: u64) -> u64 {
    // By a mask: the general division checks for what cannot be, at every record.
    len.saturating_add(FRAME_ALIGN - 1) & !(FRAME_ALIGN - 1)
}

/// A length in memory as a file offset.
#[inline]
pub(crate) fn to_u64(bytes: usize) -> u64 {
    bytes as u64
}

/// A file offset as a length in memory.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: asserted above")]
pub(crate) const fn to_usize(bytes: u64) -> usize {
    bytes as usize
}

/// The name of a segment file.
pub(crate) fn segment_name(index: u64) -> String {
    format!("{index:08}.slj")
}

/// The index in a segment file's name, if it is one.
pub(crate) fn segment_index(name: &str) -> Option<u64> {
    let index = name.strip_suffix(".slj")?.parse().ok()?;
    (segment_name(index) == name).then_some(index)
}
