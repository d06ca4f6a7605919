//! Lines of a recorded file, plain or compressed, without a copy and without an allocation a line.
//!
//! The compression is told by the first bytes of the file, never by its name. A stream that ends
//! early or does not decode ends as [`Step::Failed`], so that the caller can say so: what was
//! decoded before it is still delivered, except for the line that was cut.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use flate2::bufread::MultiGzDecoder;
use memchr::memchr;

/// Decoded bytes that are read at a time: large, so that few lines have to be moved to the front.
const BUFFER_BYTES: usize = 128 << 10;
/// Compressed bytes that are read at a time.
const INPUT_BYTES: usize = 256 << 10;
/// LIMIT: longest line, above the largest venue message with its stamp and label. A longer one is
/// passed over and counted as [`Step::TooLong`].
pub(super) const LINE_BYTES_MAX: usize = 2 << 20;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// A frame that holds no data: its first byte is one of 0x50 to 0x5F, and a zstd stream may begin
/// with it (`pzstd` writes such).
const ZSTD_SKIPPABLE: [u8; 3] = [0x2A, 0x4D, 0x18];
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// What some editors put before UTF-8 text: it belongs to no line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What [`Lines::advance`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line: see [`Lines::line`].
    Line,
    /// A line above [`LINE_BYTES_MAX`] was passed over.
    TooLong,
    /// The file has no more lines.
    End,
    /// The file cannot be read or decoded from here on; nothing follows.
    Failed,
}

/// A file, line by line.
pub(super) struct Lines {
    input: Input,
    buffer: Vec<u8>,
    /// First byte that belongs to no delivered line.
    start: usize,
    /// First byte behind `start` that was not searched for a line's end.
    searched: usize,
    /// First byte behind what was read.
    end: usize,
    line: Range<usize>,
    number: u64,
    bytes_total: u64,
    /// Bytes that the first pass found: see [`Lines::promise`].
    promised: u64,
    /// The current line is the last one of a plain file, and has no end.
    is_cut: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// Inside a line above the limit: its bytes are dropped.
    Skipping,
    Ended,
    Failed,
}

enum Input {
    Plain(Counted),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Counted>>>),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
}

/// A file that counts what was read of it.
struct Counted {
    file: File,
    bytes: u64,
    /// So many are read at most.
    limit: u64,
    last: Option<u8>,
}

/// What a pass over the bytes of a file says, as they lie on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// BLAKE3 in hexadecimal.
    pub(super) hash: String,
    /// How many there are.
    pub(super) bytes: u64,
    /// The last one.
    pub(super) last: Option<u8>,
}

impl Lines {
    /// Takes an opened file.
    ///
    /// # Errors
    /// What the system says; nothing is decoded yet.
    pub(super) fn open(mut file: File) -> io::Result<Self> {
        let bytes_total = file.metadata()?.len();
        let mut magic = [0; 4];
        let read = read_full(&mut file, &mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let magic = magic.get(..read).unwrap_or_default();
        let counted = Counted::new(file);
        let is_skippable = |magic: &[u8]| {
            magic.split_first().is_some_and(|(first, rest)| {
                (0x50..=0x5F).contains(first) && rest == ZSTD_SKIPPABLE
            })
        };
        let input = if magic == ZSTD_MAGIC || is_skippable(magic) {
            let reader = BufReader::with_capacity(INPUT_BYTES, counted);
            Input::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(reader)?))
        } else if magic.starts_with(&GZIP_MAGIC) {
            let reader = BufReader::with_capacity(INPUT_BYTES, counted);
            Input::Gzip(Box::new(MultiGzDecoder::new(reader)))
        } else {
            Input::Plain(counted)
        };
        Ok(Self {
            input,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            searched: 0,
            end: 0,
            line: 0..0,
            number: 0,
            bytes_total,
            promised: 0,
            is_cut: false,
            state: State::Reading,
        })
    }

    /// Tells how many bytes the file had at the first pass. If there are fewer now, somebody has
    /// shortened it since: it then ends as [`Step::Failed`]. What was appended since is not read:
    /// the hash of the session is that of what it read.
    pub(super) fn promise(&mut self, bytes: u64) {
        self.promised = bytes;
        self.input.counted_mut().limit = bytes;
    }

    /// Tells whether the file is not compressed: nothing then marks where it should end.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.input, Input::Plain(_))
    }

    /// Tells whether the current line ends with a plain file and without a line feed: whatever
    /// stands last in it may have been longer.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Moves to the next line that is not empty: an empty line holds nothing that could be lost.
    pub(super) fn advance(&mut self) -> Step {
        loop {
            let step = self.advance_any();
            if step != Step::Line || !self.line().is_empty() {
                return step;
            }
        }
    }

    /// Returns the current line without its end.
    pub(super) fn line(&self) -> &[u8] {
        let line = self.buffer.get(self.line.clone()).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Returns the number of the current line, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the bytes of the file that were read, and how many it has.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.input.counted().bytes, self.bytes_total)
    }

    fn advance_any(&mut self) -> Step {
        loop {
            let fresh = self.buffer.get(self.searched..self.end).unwrap_or_default();
            if let Some(at) = memchr(b'\n', fresh) {
                let line_end = self.searched.saturating_add(at);
                let line_start = self.start;
                self.start = line_end.saturating_add(1);
                self.searched = self.start;
                self.number = self.number.saturating_add(1);
                if self.state == State::Skipping {
                    self.state = State::Reading;
                    return Step::TooLong;
                }
                self.deliver(line_start..line_end);
                return Step::Line;
            }
            self.searched = self.end;
            match self.state {
                State::Reading | State::Skipping => self.refill(),
                State::Failed => {
                    self.number = self.number.saturating_add(1);
                    self.state = State::Ended;
                    self.start = self.end;
                    return Step::Failed;
                }
                State::Ended => return self.last_line(),
            }
        }
    }

    /// Delivers what stands behind the last line's end, once.
    fn last_line(&mut self) -> Step {
        if self.start >= self.end {
            return Step::End;
        }
        self.number = self.number.saturating_add(1);
        self.deliver(self.start..self.end);
        self.start = self.end;
        self.is_cut = self.is_plain();
        Step::Line
    }

    /// Makes this the current line.
    fn deliver(&mut self, mut line: Range<usize>) {
        let bytes = self.buffer.get(line.clone()).unwrap_or_default();
        if self.number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            line.start = line.start.saturating_add(BYTE_ORDER_MARK.len());
        }
        self.line = line;
    }

    /// Reads more behind what is there; makes room first.
    fn refill(&mut self) {
        if self.state == State::Skipping {
            (self.start, self.searched, self.end) = (0, 0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.buffer.len() >= LINE_BYTES_MAX {
                self.state = State::Skipping;
                return;
            }
            self.buffer.resize(self.buffer.len().saturating_mul(2), 0);
        }
        let Some(room) = self.buffer.get_mut(self.end..) else {
            return;
        };
        match self.input.read(room) {
            Ok(0) => {
                let is_short = self.position().0 < self.promised;
                let is_failed = is_short || self.state == State::Skipping;
                self.state = if is_failed { State::Failed } else { State::Ended };
            }
            Ok(count) => self.end = self.end.saturating_add(count).min(self.buffer.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.state = State::Failed,
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lines")
            .field("number", &self.number)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Input {
    fn counted(&self) -> &Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Zstd(decoder) => decoder.get_ref().get_ref(),
            Self::Gzip(decoder) => decoder.get_ref().get_ref(),
        }
    }

    fn counted_mut(&mut self) -> &mut Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Zstd(decoder) => decoder.get_mut().get_mut(),
            Self::Gzip(decoder) => decoder.get_mut().get_mut(),
        }
    }
}

impl Read for Input {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(counted) => counted.read(room),
            Self::Zstd(decoder) => decoder.read(room),
            Self::Gzip(decoder) => decoder.read(room),
        }
    }
}

impl Counted {
    fn new(file: File) -> Self {
        Self { file, bytes: 0, limit: u64::MAX, last: None }
    }
}

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.limit.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        let most = room.len().min(left);
        let count = self.file.read(room.get_mut(..most).unwrap_or_default())?;
        self.bytes = self.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.last = room.get(..count).and_then(<[u8]>::last).copied().or(self.last);
        Ok(count)
    }
}

impl Whole {
    /// Reads a file to its end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read(file: File) -> io::Result<Self> {
        let mut counted = Counted::new(file);
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut counted)?;
        let Counted { bytes, last, .. } = counted;
        Ok(Self { hash: hasher.finalize().to_hex().to_string(), bytes, last })
    }
}

/// Fills `room` as far as the file reaches.
fn read_full(file: &mut File, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
