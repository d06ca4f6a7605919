//! One instrument's stream: frames in, model payloads out.
//!
//! Joins the venue's sequence rules with the instrument's scales. A message is applied whole or not
//! at all, and a depth message that is refused takes the book with it: what follows is kept until a
//! snapshot comes. Holds no price level.
//!
//! QUIRK(binance): an update id or trade id that is not above the one before is a repeat, counted
//! and ignored. In 347,927 recorded messages (2024-08-08) every bookTicker id rises and every trade
//! id is the next one, so nothing is lost by it.
//!
//! QUIRK(binance): the lot binds new orders only. Ten recorded spot levels show finer quantities
//! (`25.42618900` BTC at a lot of 0.00001), left by orders older than the lot. So quantities are
//! not checked against the lot, and a spot instrument's quantity scale must be the asset's
//! precision (8).

use model::decimal::{DecimalError, parse_mantissa};
use model::event::{Body, BookClear, BookLevel, FeedState, Quote, Trade};
use model::id::InstrumentId;
use model::num::{Price, Qty, Scale};
use model::order::{FeedStatus, InputFault, Side};
use model::time::Nanos;

use super::book::{Anchor, BUFFER_LEVELS_MAX, Ids, Place, Sequence};
use super::wire::{
    BookTickerFrame, DepthFrame, FRAME_LEVELS_MAX, Frame, Levels, SnapshotFrame, TradeFrame,
};

/// LIMIT: payloads of one message: a snapshot, everything that was kept, a clearing and a state.
pub const UPDATES_MAX: usize = FRAME_LEVELS_MAX + BUFFER_LEVELS_MAX + 2;

/// What a stream must know of its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Decimals of prices.
    pub price_scale: Scale,
    /// Decimals of quantities, as many as the venue prints (8 on spot): levels may be finer than
    /// the lot.
    pub qty_scale: Scale,
    /// Price step: a price between two steps is refused.
    pub tick: Price,
    /// USD-margined futures: depth messages are chained by `pu`.
    pub futures: bool,
}

/// Payloads of one message, in order: [`Body::Trade`], [`Body::Quote`], [`Body::BookClear`],
/// [`Body::BookLevel`] or [`Body::FeedState`]. No message has more than [`UPDATES_MAX`]: with that
/// much room nothing allocates.
pub type Updates = Vec<(InstrumentId, Body)>;

/// One instrument's stream of this venue.
#[derive(Debug)]
pub struct Stream {
    spec: StreamSpec,
    sequence: Sequence,
    status: FeedStatus,
    /// Update id of the last quote.
    quote: Option<u64>,
    /// Id of the last trade.
    trade: Option<u64>,
}

impl Stream {
    /// Returns a stream that waits for a snapshot.
    #[must_use]
    pub fn new(spec: StreamSpec) -> Self {
        let sequence = Sequence::new(spec.futures);
        Self { spec, sequence, status: FeedStatus::Resync, quote: None, trade: None }
    }

    /// Returns the instrument.
    #[must_use]
    pub fn instrument(&self) -> InstrumentId {
        self.spec.instrument
    }

    /// Returns whether the book is valid. Until it is synced, a snapshot is wanted.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        self.status
    }

    /// Applies one message; what it leads to is appended to `out`.
    ///
    /// A depth message appends its levels, a snapshot that anchors [`BookClear`], its levels and
    /// those kept since, then [`FeedStatus::Synced`]. Nothing is appended while a snapshot is
    /// awaited.
    ///
    /// # Errors
    /// The message was not used, for this reason; `out` may still have grown:
    /// - depth: [`InputFault::Gap`] where messages are missing, or the fault of one of its levels;
    ///   if there was a book, [`FeedStatus::Gap`] and [`BookClear`] say that it is gone;
    /// - snapshot: [`InputFault::Gap`] with [`FeedStatus::Resync`] when it is too old and another
    ///   one is needed;
    /// - [`InputFault::OutOfOrder`] for what repeats or precedes what was applied,
    ///   [`InputFault::UnknownKind`] for [`Frame::Other`], and faults of values.
    pub fn apply(&mut self, frame: &Frame<'_>, out: &mut Updates) -> Result<(), InputFault> {
        match frame {
            Frame::Trade(frame) => self.trade(frame, out),
            Frame::BookTicker(frame) => self.quote(frame, out),
            Frame::Depth(frame) => self.depth(frame, out),
            Frame::Snapshot(frame) => self.snapshot(frame, out),
            Frame::Other => Err(InputFault::UnknownKind),
        }
    }

    /// Returns how many depth messages were kept for a snapshot and given up since the last call.
    /// Their own call said `Ok`: they were not used either.
    pub fn take_unused(&mut self) -> u64 {
        self.sequence.take_unused()
    }

    /// Ends the stream: what is kept will not be used. Returns as [`Self::take_unused`].
    pub fn end(&mut self) -> u64 {
        self.sequence.forget();
        self.sequence.take_unused()
    }

    fn trade(&mut self, frame: &TradeFrame<'_>, out: &mut Updates) -> Result<(), InputFault> {
        let price = self.spec.price(frame.price)?;
        let qty = self.spec.qty(frame.qty)?;
        if qty.0 == 0 {
            return Err(InputFault::NotPositive);
        }
        let venue_ts = venue_time(frame.time)?;
        if Some(frame.trade_id) <= self.trade {
            return Err(InputFault::OutOfOrder);
        }
        self.trade = Some(frame.trade_id);
        let taker = if frame.buyer_is_maker { Side::Sell } else { Side::Buy };
        let trade = Trade { price, qty, trade_id: frame.trade_id, venue_ts, taker };
        out.push((self.spec.instrument, Body::Trade(trade)));
        Ok(())
    }

    fn quote(&mut self, frame: &BookTickerFrame<'_>, out: &mut Updates) -> Result<(), InputFault> {
        let (bid, bid_qty) = self.spec.touch(frame.bid, frame.bid_qty)?;
        let (ask, ask_qty) = self.spec.touch(frame.ask, frame.ask_qty)?;
        if bid >= ask && bid_qty.0 > 0 && ask_qty.0 > 0 {
            return Err(InputFault::Crossed);
        }
        let update_id = frame.update_id;
        if Some(update_id) <= self.quote {
            return Err(InputFault::OutOfOrder);
        }
        self.quote = Some(update_id);
        let quote = Quote { bid, ask, bid_qty, ask_qty, update_id };
        out.push((self.spec.instrument, Body::Quote(quote)));
        Ok(())
    }

    fn depth(&mut self, frame: &DepthFrame<'_>, out: &mut Updates) -> Result<(), InputFault> {
        let &DepthFrame { first, last, previous, time, levels, .. } = frame;
        let ids = Ids { first, last, previous };
        if first > last || (self.spec.futures && previous.is_none()) {
            return self.lose(0, last, out, InputFault::Malformed);
        }
        match self.sequence.place(ids) {
            Place::Next => match self.spec.push_levels(levels, last, time, out) {
                Ok(()) => {
                    self.sequence.advance(ids);
                    Ok(())
                }
                Err(fault) => self.lose(0, last, out, fault),
            },
            Place::Covered => Ok(()),
            Place::Late => Err(InputFault::OutOfOrder),
            Place::Early => self.keep(ids, time, levels, false),
            Place::EarlyGap => {
                self.sequence.forget();
                self.keep(ids, time, levels, true).and(Err(InputFault::Gap))
            }
            Place::Gap { expected, received } => {
                let lost = self.lose(expected, received, out, InputFault::Gap);
                self.keep(ids, time, levels, true).and(lost)
            }
        }
    }

    /// Keeps a message until a snapshot comes. When there is no room, those kept are forgotten: the
    /// snapshot must then be newer than this message. `told` if it comes with a fault.
    fn keep(
        &mut self,
        ids: Ids,
        time: u64,
        levels: Levels<'_>,
        told: bool,
    ) -> Result<(), InputFault> {
        let room = self.sequence.has_room(levels.len());
        if !room {
            self.sequence.forget();
        }
        let venue_ts = venue_time(time);
        for level in levels.iter() {
            let read = venue_ts.and_then(|time| self.spec.level(level, ids.last, time));
            match read {
                Ok(level) => self.sequence.keep_level(level),
                Err(fault) => {
                    self.sequence.forget();
                    return Err(fault);
                }
            }
        }
        self.sequence.keep(ids, told || !room);
        if room { Ok(()) } else { Err(InputFault::Gap) }
    }

    /// Gives the book up, says so if there was one, and returns the reason as the error.
    fn lose(
        &mut self,
        expected: u64,
        received: u64,
        out: &mut Updates,
        fault: InputFault,
    ) -> Result<(), InputFault> {
        self.sequence.give_up();
        if self.status == FeedStatus::Synced {
            self.set_status(FeedStatus::Gap, expected, received, out);
            let clear = BookClear { update_id: 0 };
            out.push((self.spec.instrument, Body::BookClear(clear)));
        }
        Err(fault)
    }

    fn snapshot(&mut self, frame: &SnapshotFrame<'_>, out: &mut Updates) -> Result<(), InputFault> {
        let &SnapshotFrame { last, time, levels } = frame;
        let levels_start = match self.sequence.anchor(last) {
            Anchor::Holds { levels_start } => levels_start,
            Anchor::Late => return Err(InputFault::OutOfOrder),
            Anchor::TooOld { expected } => {
                self.set_status(FeedStatus::Resync, expected, last, out);
                return Err(InputFault::Gap);
            }
        };
        let mark = out.len();
        let instrument = self.spec.instrument;
        out.push((instrument, Body::BookClear(BookClear { update_id: last })));
        if let Err(fault) = self.spec.push_levels(levels, last, time, out) {
            out.truncate(mark);
            return Err(fault);
        }
        let kept = self.sequence.levels_from(levels_start);
        out.extend(kept.iter().map(|level| (instrument, Body::BookLevel(*level))));
        self.sequence.start(last);
        if self.status != FeedStatus::Synced {
            self.set_status(FeedStatus::Synced, 0, last, out);
        }
        Ok(())
    }

    fn set_status(&mut self, status: FeedStatus, expected: u64, received: u64, out: &mut Updates) {
        self.status = status;
        let state = FeedState { expected, received, status };
        out.push((self.spec.instrument, Body::FeedState(state)));
    }
}

impl StreamSpec {
    /// Appends all levels of a message, or none.
    fn push_levels(
        &self,
        levels: Levels<'_>,
        update_id: u64,
        time: u64,
        out: &mut Updates,
    ) -> Result<(), InputFault> {
        let venue_ts = venue_time(time)?;
        let mark = out.len();
        for level in levels.iter() {
            match self.level(level, update_id, venue_ts) {
                Ok(level) => out.push((self.instrument, Body::BookLevel(level))),
                Err(fault) => {
                    out.truncate(mark);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn level(
        &self,
        (side, price, qty): (Side, &[u8], &[u8]),
        update_id: u64,
        venue_ts: Nanos,
    ) -> Result<BookLevel, InputFault> {
        let (price, qty) = (self.price(price)?, self.qty(qty)?);
        Ok(BookLevel { price, qty, update_id, venue_ts, side })
    }

    /// One side of a quote. An empty side has quantity zero, and then its price may be zero.
    fn touch(&self, price: &[u8], qty: &[u8]) -> Result<(Price, Qty), InputFault> {
        let qty = self.qty(qty)?;
        let price = self.on_tick(price)?;
        if price < 0 || (price == 0 && qty.0 > 0) {
            return Err(InputFault::NotPositive);
        }
        Ok((Price(price), qty))
    }

    /// Reads a price, which must be a multiple of the tick.
    #[inline(always)]
    fn on_tick(&self, text: &[u8]) -> Result<i64, InputFault> {
        let price = mantissa(text, self.price_scale)?;
        // A tick of one is the common case and needs no division.
        if self.tick.0 > 1 && price.checked_rem(self.tick.0) != Some(0) {
            return Err(InputFault::OffGrid);
        }
        Ok(price)
    }

    #[inline(always)]
    fn price(&self, text: &[u8]) -> Result<Price, InputFault> {
        let price = self.on_tick(text)?;
        if price > 0 { Ok(Price(price)) } else { Err(InputFault::NotPositive) }
    }

    #[inline(always)]
    fn qty(&self, text: &[u8]) -> Result<Qty, InputFault> {
        let qty = mantissa(text, self.qty_scale)?;
        if qty >= 0 { Ok(Qty(qty)) } else { Err(InputFault::NotPositive) }
    }
}

/// Reads a number at a scale.
#[inline(always)]
fn mantissa(text: &[u8], scale: Scale) -> Result<i64, InputFault> {
    parse_mantissa(text, scale.decimals()).map_err(|error| match error {
        DecimalError::Malformed => InputFault::Malformed,
        DecimalError::TooFine => InputFault::OffGrid,
        DecimalError::TooLarge => InputFault::TooLarge,
    })
}

/// Brings the venue's time to nanoseconds.
///
/// QUIRK(binance): `timeUnit=MICROSECOND` on the connection changes the unit of all times and the
/// messages do not say so; milliseconds reach 10^14 in the year 5138, microseconds did in 1973.
#[inline]
fn venue_time(time: u64) -> Result<Nanos, InputFault> {
    const MILLISECONDS_END: u64 = 100_000_000_000_000;
    let unit_ns = if time < MILLISECONDS_END { 1_000_000 } else { 1_000 };
    let time_ns = time.checked_mul(unit_ns).and_then(|time_ns| i64::try_from(time_ns).ok());
    time_ns.map(Nanos).ok_or(InputFault::TooLarge)
}
