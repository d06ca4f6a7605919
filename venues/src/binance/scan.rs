//! The fast reader: recognises messages in the venue's exact field order.
//!
//! No spaces, no escapes, no field more or less; at the first byte that differs it gives up and the
//! general reader decides. What it accepts, the general reader reads to the same frame: that is
//! tested, and keeps the venue's meaning in one place.
//!
//! It recognises each of the 347,927 recorded messages.

use model::decimal::eight_digits;

use super::wire::{
    Bare, BookTickerFrame, DepthFrame, FRAME_LEVELS_MAX, Frame, LevelSpan, Levels, SnapshotFrame,
    TradeFrame, is_read,
};

/// LIMIT: digits of an integer that cannot pass a `u64`.
const DIGITS_MAX: usize = 19;

/// Reads one message; `spans` receives its levels.
pub(super) fn scan<'a>(text: &'a [u8], spans: &mut Vec<LevelSpan>) -> Option<Bare<'a>> {
    spans.clear();
    let mut at = Cursor { text, rest: text };
    if at.skip(br#"{"lastUpdateId":"#).is_some() {
        return at.snapshot(spans);
    }
    let wrapped = at.skip(br#"{"stream":""#).is_some();
    if wrapped {
        if !is_read(at.string()?) {
            return None;
        }
        at.skip(br#"","data":"#)?;
    }
    let bare = if at.skip(br#"{"u":"#).is_some() {
        (Frame::BookTicker(at.book_ticker(false)?), 0)
    } else {
        at.skip(br#"{"e":""#)?;
        if at.skip(br#"bookTicker","u":"#).is_some() {
            (Frame::BookTicker(at.book_ticker(true)?), 0)
        } else if at.skip(br#"trade","E":"#).is_some() {
            (Frame::Trade(at.trade()?), 0)
        } else {
            at.skip(br#"depthUpdate","E":"#)?;
            at.depth(spans)?
        }
    };
    if wrapped {
        at.skip(b"}")?;
    }
    at.rest.is_empty().then_some(bare)
}

struct Cursor<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Passes exactly these bytes.
    #[inline]
    fn skip(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(bytes)?;
        Some(())
    }

    /// Passes `count` bytes and returns them.
    #[inline]
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    #[inline]
    fn offset(&self) -> Option<u32> {
        u32::try_from(self.text.len().checked_sub(self.rest.len())?).ok()
    }

    /// An unsigned integer as JSON has it: no leading zero.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        let (mut value, mut count) = (0_u64, 0_usize);
        let mut rest = self.rest;
        while let Some((eight, tail)) = rest.split_first_chunk()
            && let Some(digits) = eight_digits(*eight)
        {
            value = value.wrapping_mul(100_000_000).wrapping_add(digits);
            count = count.wrapping_add(8);
            rest = tail;
        }
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            count = count.wrapping_add(1);
        }
        let digits = self.take(count)?;
        let zero_leads = count > 1 && digits.first() == Some(&b'0');
        (count > 0 && count <= DIGITS_MAX && !zero_leads).then_some(value)
    }

    /// The inside of an ASCII string without escapes; its closing quote is not passed.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take_while(special, |byte| {
            matches!(byte, b' '..=0x7F) && !matches!(byte, b'"' | b'\\')
        })
    }

    /// See [`decimal`].
    #[inline]
    fn decimal(&mut self) -> Option<&'a [u8]> {
        let (len, _) = decimal(self.rest)?;
        self.take(usize::try_from(len).ok()?)
    }

    /// Passes the bytes before the first that does not belong, eight at a time while there are
    /// eight: `marks` sets the top bit of each byte that does not belong.
    #[inline]
    fn take_while(
        &mut self,
        marks: impl Fn(u64) -> u64,
        belongs: impl Fn(u8) -> bool,
    ) -> Option<&'a [u8]> {
        let mut count = 0_usize;
        let mut rest = self.rest;
        while let Some((word, tail)) = rest.split_first_chunk() {
            let marks = marks(u64::from_le_bytes(*word));
            if marks != 0 {
                let index = usize::try_from(marks.trailing_zeros() / 8).ok()?;
                return self.take(count.wrapping_add(index));
            }
            count = count.wrapping_add(8);
            rest = tail;
        }
        let index = rest.iter().position(|byte| !belongs(*byte))?;
        self.take(count.wrapping_add(index))
    }

    fn trade(&mut self) -> Option<TradeFrame<'a>> {
        let _event_time = self.number()?;
        let early = if self.skip(br#","T":"#).is_some() { Some(self.number()?) } else { None };
        self.skip(br#","s":""#)?;
        let symbol = self.string()?;
        self.skip(br#"","t":"#)?;
        let trade_id = self.number()?;
        self.skip(br#","p":""#)?;
        let price = self.decimal()?;
        self.skip(br#"","q":""#)?;
        let qty = self.decimal()?;
        self.skip(br#"","#)?;
        let time = if let Some(time) = early {
            // Futures: the kind of trade, whatever it says.
            self.skip(br#""X":""#)?;
            self.string()?;
            self.skip(br#"","m":"#)?;
            time
        } else {
            self.skip(br#""T":"#)?;
            let time = self.number()?;
            self.skip(br#","m":"#)?;
            time
        };
        let buyer_is_maker = self.boolean()?;
        if early.is_none() {
            self.skip(br#","M":"#)?;
            self.boolean()?;
        }
        self.skip(b"}")?;
        Some(TradeFrame { symbol, trade_id, time, price, qty, buyer_is_maker })
    }

    fn book_ticker(&mut self, futures: bool) -> Option<BookTickerFrame<'a>> {
        let update_id = self.number()?;
        self.skip(br#","s":""#)?;
        let symbol = self.string()?;
        self.skip(br#"","b":""#)?;
        let bid = self.decimal()?;
        self.skip(br#"","B":""#)?;
        let bid_qty = self.decimal()?;
        self.skip(br#"","a":""#)?;
        let ask = self.decimal()?;
        self.skip(br#"","A":""#)?;
        let ask_qty = self.decimal()?;
        self.skip(b"\"")?;
        if futures {
            self.skip(br#","T":"#)?;
            self.number()?;
            self.skip(br#","E":"#)?;
            self.number()?;
        }
        self.skip(b"}")?;
        Some(BookTickerFrame { symbol, update_id, bid, bid_qty, ask, ask_qty })
    }

    fn depth(&mut self, spans: &mut Vec<LevelSpan>) -> Option<Bare<'a>> {
        let mut time = self.number()?;
        if self.skip(br#","T":"#).is_some() {
            time = self.number()?;
        }
        self.skip(br#","s":""#)?;
        let symbol = self.string()?;
        self.skip(br#"","U":"#)?;
        let first = self.number()?;
        self.skip(br#","u":"#)?;
        let last = self.number()?;
        let previous = if self.skip(br#","pu":"#).is_some() { Some(self.number()?) } else { None };
        self.skip(br#","b":["#)?;
        self.levels(spans)?;
        let bids = spans.len();
        self.skip(br#","a":["#)?;
        self.levels(spans)?;
        self.skip(b"}")?;
        let levels = Levels::default();
        Some((Frame::Depth(DepthFrame { symbol, first, last, previous, time, levels }), bids))
    }

    fn snapshot(&mut self, spans: &mut Vec<LevelSpan>) -> Option<Bare<'a>> {
        let last = self.number()?;
        let mut time = 0;
        if self.skip(br#","E":"#).is_some() {
            self.number()?;
            self.skip(br#","T":"#)?;
            time = self.number()?;
        }
        self.skip(br#","bids":["#)?;
        self.levels(spans)?;
        let bids = spans.len();
        self.skip(br#","asks":["#)?;
        self.levels(spans)?;
        self.skip(b"}")?;
        let frame = SnapshotFrame { last, time, levels: Levels::default() };
        self.rest.is_empty().then_some((Frame::Snapshot(frame), bids))
    }

    /// The levels of one side, from behind its opening bracket to behind its closing one.
    fn levels(&mut self, spans: &mut Vec<LevelSpan>) -> Option<()> {
        if self.skip(b"]").is_some() {
            return Some(());
        }
        self.skip(br#"[""#)?;
        let mut price_start = self.offset()?;
        let mut rest = self.rest;
        loop {
            if spans.len() >= FRAME_LEVELS_MAX {
                return None;
            }
            let (price, behind) = decimal(rest)?;
            let (qty, behind) = decimal(behind.strip_prefix(br#"",""#)?)?;
            let price_end = price_start.wrapping_add(price);
            let qty_start = price_end.wrapping_add(3);
            let qty_end = qty_start.wrapping_add(qty);
            spans.push(LevelSpan { price_start, price_end, qty_start, qty_end });
            let Some(next) = behind.strip_prefix(br#""],[""#) else {
                self.rest = behind.strip_prefix(br#""]]"#)?;
                return Some(());
            };
            rest = next;
            price_start = qty_end.wrapping_add(5);
        }
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.skip(b"true").is_some() {
            return Some(true);
        }
        self.skip(b"false").map(|()| false)
    }
}

/// Passes digits and points (and slashes, which stand between them in ASCII); returns how many, and
/// what follows. Whether they are a number is seen when they are brought to a scale.
#[inline(always)]
fn decimal(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut len = 0_u32;
    let mut rest = text;
    while let Some((word, tail)) = rest.split_first_chunk() {
        let marks = outside(u64::from_le_bytes(*word), b'.', b'9');
        if marks != 0 {
            let index = marks.trailing_zeros() / 8;
            return Some((len.wrapping_add(index), rest.get(usize::try_from(index).ok()?..)?));
        }
        len = len.wrapping_add(8);
        rest = tail;
    }
    let index = rest.iter().position(|byte| !matches!(byte, b'.'..=b'9'))?;
    Some((len.wrapping_add(u32::try_from(index).ok()?), rest.get(index..)?))
}

/// The top bit of each byte of a word.
const TOP: u64 = repeat(0x80);

/// Returns a word of eight equal bytes.
const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Sets the top bit of each byte of `word` that is outside `first..=last`, both below 0x80.
#[inline]
fn outside(word: u64, first: u8, last: u8) -> u64 {
    // No byte borrows from or carries into its neighbour: the minuend has its top bit set and the
    // augend has not.
    let not_below = (word | TOP).wrapping_sub(repeat(first));
    let above = (word & !TOP).wrapping_add(repeat(0x7F_u8.wrapping_sub(last)));
    (word | above | !not_below) & TOP
}

/// Sets the top bit of each byte of `word` that ends a plain string: quote, backslash, control
/// characters, and what is not ASCII.
#[inline]
fn special(word: u64) -> u64 {
    let equal = |byte| !outside(word ^ repeat(byte), 0, 0) & TOP;
    outside(word, b' ', 0x7F) | equal(b'"') | equal(b'\\')
}
