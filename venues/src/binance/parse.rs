//! JSON text to frames.
//!
//! Two readers that agree: a scanner for the exact field order that the venue sends (`scan.rs`, in
//! practice every message), and simd-json for everything else. The general reader decides what a
//! message means; the scanner only recognises, and gives up at the first byte it does not expect.
//! Tests compare the two on recorded and on mutated messages.
//!
//! The parser owns the room that both need. It grows to the largest message seen and is reused:
//! after warm-up nothing allocates.

use model::order::InputFault;
use simd_json::base::{ValueAsScalar, ValueIntoString};
use simd_json::tape::{Array, Object, Value};
use simd_json::{Buffers, Tape, fill_tape};

use super::scan::scan;
use super::wire::{
    Bare, BookTickerFrame, DepthFrame, FRAME_LEVELS_MAX, Frame, LevelSpan, Levels, SnapshotFrame,
    TradeFrame, is_read,
};

/// LIMIT: longest message. The largest REST snapshot (5,000 levels a side) has about 350 kB.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Bytes for which room is taken at the start: above the largest recorded message, 64,046.
const WARM_BYTES: usize = 128 << 10;

/// Reads messages, one at a time.
pub struct Parser {
    /// Where each level of the current message stands.
    spans: Vec<LevelSpan>,
    /// General reader only: texts of the levels, one after the other.
    texts: Vec<u8>,
    /// General reader only: simd-json parses in place.
    scratch: Vec<u8>,
    buffers: Buffers,
    /// Empty between messages.
    tape: Tape<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parser").finish_non_exhaustive()
    }
}

impl Parser {
    /// Returns a parser with its room taken.
    #[must_use]
    pub fn new() -> Self {
        Self {
            spans: Vec::with_capacity(FRAME_LEVELS_MAX),
            texts: Vec::with_capacity(WARM_BYTES),
            scratch: Vec::with_capacity(WARM_BYTES),
            buffers: Buffers::new(WARM_BYTES),
            tape: Tape(Vec::with_capacity(WARM_BYTES / 8)),
        }
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`InputFault::Malformed`] when the text is no JSON or a field of a known message is missing
    /// or of another type; [`InputFault::TooLarge`] above [`FRAME_BYTES_MAX`] or
    /// [`FRAME_LEVELS_MAX`].
    pub fn parse<'a>(&'a mut self, text: &'a [u8]) -> Result<Frame<'a>, InputFault> {
        if text.len() > FRAME_BYTES_MAX {
            return Err(InputFault::TooLarge);
        }
        match scan(text, &mut self.spans) {
            Some(bare) => Ok(attach(bare, text, &self.spans)),
            None => self.parse_general(text),
        }
    }

    /// As [`Parser::parse`], by simd-json alone: what the scanner is compared with.
    ///
    /// # Errors
    /// As [`Parser::parse`].
    pub fn parse_general<'a>(&'a mut self, text: &[u8]) -> Result<Frame<'a>, InputFault> {
        if text.len() > FRAME_BYTES_MAX {
            return Err(InputFault::TooLarge);
        }
        let Self { spans, texts, scratch, buffers, tape } = self;
        scratch.clear();
        scratch.extend_from_slice(text);
        spans.clear();
        texts.clear();
        // An empty tape may change the lifetime of what it will hold, so its room moves from
        // message to message; the strings it finds live in `scratch` and outlive it.
        let mut nodes = std::mem::replace(tape, Tape(Vec::new())).reset();
        let read = match fill_tape(scratch, buffers, &mut nodes) {
            Ok(()) => understand(nodes.as_value(), texts, spans),
            Err(_) => Err(InputFault::Malformed),
        };
        *tape = nodes.reset();
        Ok(attach(read?, texts, spans))
    }
}

fn attach<'a>((frame, bids): Bare<'a>, text: &'a [u8], spans: &'a [LevelSpan]) -> Frame<'a> {
    let levels = Levels::new(text, spans, bids);
    match frame {
        Frame::Depth(frame) => Frame::Depth(DepthFrame { levels, ..frame }),
        Frame::Snapshot(frame) => Frame::Snapshot(SnapshotFrame { levels, ..frame }),
        Frame::Trade(_) | Frame::BookTicker(_) | Frame::Other => frame,
    }
}

fn understand<'a>(
    root: Value<'_, 'a>,
    texts: &mut Vec<u8>,
    spans: &mut Vec<LevelSpan>,
) -> Result<Bare<'a>, InputFault> {
    const OTHER: Bare<'static> = (Frame::Other, 0);
    let Some(root) = root.as_object() else {
        return Ok(OTHER);
    };
    let stream = root.get("stream").and_then(ValueIntoString::into_string);
    let data = match (stream, root.get("data")) {
        (Some(name), Some(data)) if is_read(name.as_bytes()) => data.as_object(),
        (Some(_), _) => None,
        (None, _) => Some(root),
    };
    let Some(data) = data else {
        return Ok(OTHER);
    };
    match data.get("e").and_then(ValueIntoString::into_string) {
        Some("trade") => Ok((Frame::Trade(trade(&data)?), 0)),
        Some("bookTicker") => Ok((Frame::BookTicker(book_ticker(&data)?), 0)),
        Some("depthUpdate") => depth(&data, texts, spans),
        Some(_) => Ok(OTHER),
        // QUIRK(binance): the spot bookTicker names no event (web-socket-streams.md, 2026-07-21).
        None if has(&data, "u") && has(&data, "B") && has(&data, "A") => {
            Ok((Frame::BookTicker(book_ticker(&data)?), 0))
        }
        None if stream.is_none() && has(&data, "lastUpdateId") => snapshot(&data, texts, spans),
        None => Ok(OTHER),
    }
}

fn trade<'a>(data: &Object<'_, 'a>) -> Result<TradeFrame<'a>, InputFault> {
    let maker = data.get("m").and_then(|value| value.as_bool());
    Ok(TradeFrame {
        symbol: string(data, "s")?.as_bytes(),
        trade_id: number(data, "t")?,
        time: number(data, "T")?,
        price: string(data, "p")?.as_bytes(),
        qty: string(data, "q")?.as_bytes(),
        buyer_is_maker: maker.ok_or(InputFault::Malformed)?,
    })
}

fn book_ticker<'a>(data: &Object<'_, 'a>) -> Result<BookTickerFrame<'a>, InputFault> {
    Ok(BookTickerFrame {
        symbol: string(data, "s")?.as_bytes(),
        update_id: number(data, "u")?,
        bid: string(data, "b")?.as_bytes(),
        bid_qty: string(data, "B")?.as_bytes(),
        ask: string(data, "a")?.as_bytes(),
        ask_qty: string(data, "A")?.as_bytes(),
    })
}

fn depth<'a>(
    data: &Object<'_, 'a>,
    texts: &mut Vec<u8>,
    spans: &mut Vec<LevelSpan>,
) -> Result<Bare<'a>, InputFault> {
    let event_time = number(data, "E")?;
    let frame = DepthFrame {
        symbol: string(data, "s")?.as_bytes(),
        first: number(data, "U")?,
        last: number(data, "u")?,
        previous: if has(data, "pu") { Some(number(data, "pu")?) } else { None },
        time: if has(data, "T") { number(data, "T")? } else { event_time },
        levels: Levels::default(),
    };
    levels(data, "b", texts, spans)?;
    let bids = spans.len();
    levels(data, "a", texts, spans)?;
    Ok((Frame::Depth(frame), bids))
}

fn snapshot<'a>(
    data: &Object<'_, 'a>,
    texts: &mut Vec<u8>,
    spans: &mut Vec<LevelSpan>,
) -> Result<Bare<'a>, InputFault> {
    let frame = SnapshotFrame {
        last: number(data, "lastUpdateId")?,
        time: if has(data, "T") { number(data, "T")? } else { 0 },
        levels: Levels::default(),
    };
    levels(data, "bids", texts, spans)?;
    let bids = spans.len();
    levels(data, "asks", texts, spans)?;
    Ok((Frame::Snapshot(frame), bids))
}

fn levels(
    data: &Object<'_, '_>,
    key: &str,
    texts: &mut Vec<u8>,
    spans: &mut Vec<LevelSpan>,
) -> Result<(), InputFault> {
    let side = data.get(key).and_then(|value| value.as_array()).ok_or(InputFault::Malformed)?;
    for level in side.iter() {
        if spans.len() >= FRAME_LEVELS_MAX {
            return Err(InputFault::TooLarge);
        }
        let level = level.as_array().ok_or(InputFault::Malformed)?;
        let (price_start, price_end) = keep(&level, 0, texts)?;
        let (qty_start, qty_end) = keep(&level, 1, texts)?;
        spans.push(LevelSpan { price_start, price_end, qty_start, qty_end });
    }
    Ok(())
}

/// Copies one text of a level and returns where it stands.
fn keep(
    level: &Array<'_, '_>,
    index: usize,
    texts: &mut Vec<u8>,
) -> Result<(u32, u32), InputFault> {
    let text =
        level.get(index).and_then(ValueIntoString::into_string).ok_or(InputFault::Malformed)?;
    let start = u32::try_from(texts.len()).map_err(|_| InputFault::TooLarge)?;
    texts.extend_from_slice(text.as_bytes());
    let end = u32::try_from(texts.len()).map_err(|_| InputFault::TooLarge)?;
    Ok((start, end))
}

fn has(data: &Object<'_, '_>, key: &str) -> bool {
    data.get(key).is_some()
}

fn string<'a>(data: &Object<'_, 'a>, key: &str) -> Result<&'a str, InputFault> {
    data.get(key).and_then(ValueIntoString::into_string).ok_or(InputFault::Malformed)
}

fn number(data: &Object<'_, '_>, key: &str) -> Result<u64, InputFault> {
    data.get(key).and_then(|value| value.as_u64()).ok_or(InputFault::Malformed)
}
