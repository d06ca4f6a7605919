//! What the venue's market data frames hold.
//!
//! Numbers that are prices or quantities stay text until an instrument's scale is known; everything
//! borrows from the message or from the parser. Field names follow the venue's documents in the
//! comments, ours in the code.

use model::order::Side;

/// LIMIT: levels of one message; the largest REST snapshot has 10,000.
pub const FRAME_LEVELS_MAX: usize = 16_384;

/// One market data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `trade`.
    Trade(TradeFrame<'a>),
    /// `bookTicker`: best bid and ask.
    BookTicker(BookTickerFrame<'a>),
    /// `depthUpdate`: changed levels.
    Depth(DepthFrame<'a>),
    /// A REST depth snapshot; it names no symbol.
    Snapshot(SnapshotFrame<'a>),
    /// Sound JSON that is none of these: ignored, and counted by the caller.
    Other,
}

/// A frame whose levels are not attached yet, and how many of them are bids.
pub(super) type Bare<'a> = (Frame<'a>, usize);

/// A trade of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeFrame<'a> {
    /// `s`, in capitals.
    pub symbol: &'a [u8],
    /// `t`, rising by one per symbol.
    pub trade_id: u64,
    /// `T`: time of the trade, milliseconds (microseconds on request).
    pub time: u64,
    /// `p`.
    pub price: &'a [u8],
    /// `q`.
    pub qty: &'a [u8],
    /// `m`: the buyer rested, so the taker sold.
    pub buyer_is_maker: bool,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTickerFrame<'a> {
    /// `s`, in capitals.
    pub symbol: &'a [u8],
    /// `u`: update id of the book that this is the touch of.
    pub update_id: u64,
    /// `b`.
    pub bid: &'a [u8],
    /// `B`.
    pub bid_qty: &'a [u8],
    /// `a`.
    pub ask: &'a [u8],
    /// `A`.
    pub ask_qty: &'a [u8],
}

/// Levels that changed between two update ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthFrame<'a> {
    /// `s`, in capitals.
    pub symbol: &'a [u8],
    /// `U`: first update id inside.
    pub first: u64,
    /// `u`: last update id inside.
    pub last: u64,
    /// `pu`: `u` of the message before; futures only.
    pub previous: Option<u64>,
    /// `T` where there is one (futures), else `E`.
    pub time: u64,
    /// `b` and `a`.
    pub levels: Levels<'a>,
}

/// A whole book, as far as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFrame<'a> {
    /// `lastUpdateId`: the book includes everything up to it.
    pub last: u64,
    /// `T` (futures), else 0.
    pub time: u64,
    /// `bids` and `asks`.
    pub levels: Levels<'a>,
}

/// The levels of a message: bids, then asks, each as price text and quantity text.
#[derive(Clone, Copy, Default)]
pub struct Levels<'a> {
    text: &'a [u8],
    spans: &'a [LevelSpan],
    bids: usize,
}

/// Where one level's two texts stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelSpan {
    pub(super) price_start: u32,
    pub(super) price_end: u32,
    pub(super) qty_start: u32,
    pub(super) qty_end: u32,
}

impl<'a> Levels<'a> {
    pub(super) fn new(text: &'a [u8], spans: &'a [LevelSpan], bids: usize) -> Self {
        Self { text, spans, bids }
    }

    /// Returns the number of levels of both sides.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Tells whether the message holds no level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns side, price text and quantity text of each level, bids first.
    pub fn iter(&self) -> impl Iterator<Item = (Side, &'a [u8], &'a [u8])> + use<'a> {
        let Self { text, spans, bids } = *self;
        let (bids, asks) = spans.split_at_checked(bids).unwrap_or((spans, &[]));
        let read = move |side, span: &LevelSpan| {
            (
                side,
                cut(text, span.price_start, span.price_end),
                cut(text, span.qty_start, span.qty_end),
            )
        };
        let bids = bids.iter().map(move |span| read(Side::Buy, span));
        bids.chain(asks.iter().map(move |span| read(Side::Sell, span)))
    }
}

impl PartialEq for Levels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Levels<'_> {}

impl std::fmt::Debug for Levels<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = |(side, price, qty): (Side, &[u8], &[u8])| {
            let (price, qty) = (String::from_utf8_lossy(price), String::from_utf8_lossy(qty));
            format!("{} {qty} at {price}", side.word())
        };
        out.debug_list().entries(self.iter().map(words)).finish()
    }
}

/// Returns the text between two offsets; empty where they do not fit, which no number is.
#[inline]
fn cut(text: &[u8], start: u32, end: u32) -> &[u8] {
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => text.get(start..end).unwrap_or_default(),
        _ => &[],
    }
}

/// Tells whether a stream of this name is read: `btcusdt@trade`, `@bookTicker`, `@depth`,
/// `@depth@100ms`. Not `@depth20`, whose futures form looks like a difference and is none.
pub(super) fn is_read(stream: &[u8]) -> bool {
    let at = stream.iter().position(|byte| *byte == b'@').map(|at| at.saturating_add(1));
    let channel = at.and_then(|at| stream.get(at..)).unwrap_or_default();
    matches!(channel, b"trade" | b"bookTicker" | b"depth") || channel.starts_with(b"depth@")
}
