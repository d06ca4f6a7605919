//! What is known of one instrument's market: touch, last price, bar, feed state and mark.
//!
//! Strategy and risk each fold their own copy from the same events, so neither reads the other's
//! memory. Marks follow accounts.md 5; they are computed at a moment, never stored as a clock.

use dsl::typed::DepthReach;
use model::book::{Book, LEVELS_MAX};
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Bar, BarExtra, Body, Event, Quote};
use model::instrument::Instrument;
use model::num::{Price, Qty};
use model::order::{FeedStatus, Side};
use model::time::Nanos;

use crate::setup::Carried;

/// The market of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// What the instrument's data carries.
    carries: Carried,
    touch: Touch,
    last: Option<Price>,
    bar: Option<ClosedBar>,
    extra: BarExtra,
    feed: FeedStatus,
    heard: Option<Nanos>,
    mark: Mark,
    published: Option<Published>,
    /// Its levels, where rules read how deep it is.
    book: Option<Book>,
}

/// Best bid and ask; a quantity of zero means that the side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// Quantity at the best bid.
    pub bid_qty: Qty,
    /// Quantity at the best ask.
    pub ask_qty: Qty,
    /// When the best prices last changed; 0 before the first.
    pub changed: Nanos,
}

/// A closed bar with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedBar {
    /// The prices and the volume.
    pub prices: Bar,
    /// End of the bar.
    pub end: Nanos,
    /// Length in nanoseconds.
    pub length_ns: i64,
}

/// The venue's own mark of a perpetual: it goes before all others while it is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Published {
    value: i128,
    /// Last moment at which it counts.
    expires: Nanos,
}

/// A mark at one decimal more than the price scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    value: i128,
    /// What a long is worth: the same, or the bid.
    long: i128,
    /// What a short is worth: the same, or the ask.
    short: i128,
    /// False before the first good one.
    seen: bool,
    /// Moment after which the mark is too old; `i64::MAX` while its source is good.
    expires: Nanos,
}

impl Mark {
    /// Tells whether its source is good: it then has no end.
    fn is_good(&self) -> bool {
        self.seen && self.expires == Nanos(i64::MAX)
    }
}

impl Market {
    /// Returns a market of which nothing is known.
    #[must_use]
    pub fn new(carries: Carried) -> Self {
        Self {
            carries,
            touch: Touch::default(),
            last: None,
            bar: None,
            extra: BarExtra::default(),
            feed: FeedStatus::Resync,
            heard: None,
            mark: Mark::default(),
            published: None,
            book: None,
        }
    }

    /// Keeps the book too: rules read how deep it is.
    #[must_use]
    pub fn with_book(mut self) -> Self {
        self.book = Some(Book::new());
        self
    }

    /// Returns the quantity on a side of the book, while the feed is synced and the side stands.
    #[must_use]
    pub fn depth(&self, side: Side, reach: DepthReach) -> Option<Qty> {
        let book = self.book.as_ref().filter(|_| self.feed == FeedStatus::Synced)?;
        let best = i128::from(book.best(side)?.price.0);
        let mut sum = 0_i64;
        let mut levels = 0_u16;
        for level in book.levels(side) {
            let inside = match reach {
                DepthReach::Levels(most) => levels < most,
                DepthReach::Within(rate) => {
                    let away = (i128::from(level.price.0).saturating_sub(best)).saturating_abs();
                    away.saturating_mul(1_000_000_000)
                        <= best.saturating_abs().saturating_mul(i128::from(rate))
                }
            };
            if !inside {
                break;
            }
            levels = levels.saturating_add(1);
            sum = sum.checked_add(level.qty.0)?;
        }
        Some(Qty(sum))
    }

    /// Folds a market event. Returns true when the mark's value or life changed.
    #[inline]
    pub fn apply(&mut self, event: &Event, instrument: &Instrument) -> bool {
        let lapsed = self.published.filter(|published| published.expires < event.ts);
        if let Some(Published { value, expires }) = lapsed {
            self.published = None;
            if !self.mark.seen {
                // The last mark that ever was good is remembered, whosever it was.
                self.mark = Mark { value, long: value, short: value, seen: true, expires };
            }
        }
        let moved = self.fold(event, instrument);
        lapsed.is_some() || moved
    }

    /// Folds an event. Returns true when the mark in force changed.
    #[inline]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "events that are no market data change no market"
    )]
    fn fold(&mut self, event: &Event, instrument: &Instrument) -> bool {
        match event.body() {
            Body::Quote(quote) => {
                self.heard = Some(event.ts);
                let moved = self.quote(event.ts, &quote);
                // A good mark stays what it is while the prices do, as with most quotes.
                if !moved && self.mark.is_good() {
                    return false;
                }
            }
            Body::Trade(trade) => {
                self.heard = Some(event.ts);
                self.last = Some(trade.price);
                if self.marks_by_touch() {
                    return false;
                }
            }
            Body::BarExtra(extra) => {
                self.extra = extra;
                return false;
            }
            Body::Bar(bar) => {
                let end = self.extra.start.plus(self.extra.length_ns);
                self.bar = Some(ClosedBar { prices: bar, end, length_ns: self.extra.length_ns });
                if self.carries.trades || self.marks_by_touch() {
                    return false;
                }
                self.heard = Some(end);
                self.last = Some(bar.close);
            }
            Body::BookLevel(level) => {
                self.heard = Some(event.ts);
                if let Some(book) = &mut self.book {
                    book.set(level.side, level.price, level.qty);
                }
                return false;
            }
            Body::BookClear(_) => {
                self.heard = Some(event.ts);
                if let Some(book) = &mut self.book {
                    book.clear();
                }
                return false;
            }
            Body::FeedState(state) => self.feed = state.status,
            Body::MarkPrice(published) => {
                let value = i128::from(published.mark.0);
                let expires = event.ts.plus(instrument.mark_age_max_ns);
                let before = self.mark(event.ts);
                self.published = Some(Published { value, expires });
                return before != Some(value);
            }
            _ => return false,
        }
        let before = self.mark;
        self.renew_mark(event.ts, instrument);
        self.mark != before && self.published.is_none()
    }

    /// Takes the best prices. Returns whether they moved, or a side came or went.
    fn quote(&mut self, now: Nanos, quote: &Quote) -> bool {
        let before = self.touch;
        let same = quote.bid == before.bid && quote.ask == before.ask;
        self.touch = Touch {
            bid: quote.bid,
            ask: quote.ask,
            bid_qty: quote.bid_qty,
            ask_qty: quote.ask_qty,
            changed: if same { before.changed } else { now },
        };
        let stands = |bid: Qty, ask: Qty| (bid.0 > 0, ask.0 > 0);
        !same || stands(before.bid_qty, before.ask_qty) != stands(quote.bid_qty, quote.ask_qty)
    }

    fn marks_by_touch(&self) -> bool {
        self.carries.quotes || self.carries.book
    }

    fn renew_mark(&mut self, now: Nanos, instrument: &Instrument) {
        let good = self.good_mark(instrument);
        match good {
            Some(value) => {
                let by_side = instrument.mark_liquidation && self.marks_by_touch();
                let at_mark_scale = |price: Price| i128::from(price.0).saturating_mul(10);
                let (long, short) = if by_side {
                    (at_mark_scale(self.touch.bid), at_mark_scale(self.touch.ask))
                } else {
                    (value, value)
                };
                let expires = if self.carries.trades || self.marks_by_touch() {
                    Nanos(i64::MAX)
                } else {
                    let end = self.bar.map_or(now, |bar| bar.end);
                    end.plus(self.carries.bar_ns.saturating_mul(2))
                };
                self.mark = Mark { value, long, short, seen: true, expires };
            }
            None => {
                if self.mark.expires == Nanos(i64::MAX) {
                    self.mark.expires = now.plus(instrument.mark_age_max_ns);
                }
            }
        }
    }

    fn good_mark(&self, instrument: &Instrument) -> Option<i128> {
        if self.feed != FeedStatus::Synced {
            return None;
        }
        if !self.marks_by_touch() {
            return self.last.map(|last| i128::from(last.0).saturating_mul(10));
        }
        let mid = self.mid()?;
        let spread = i128::from(self.touch.ask.0).saturating_sub(i128::from(self.touch.bid.0));
        // spread / mid <= max, with mid at ten times the price's mantissa and rates at 1e-9.
        let left = spread.saturating_mul(10).saturating_mul(1_000_000_000);
        let right = mid.saturating_mul(i128::from(instrument.mark_spread_max.0));
        (left <= right).then_some(mid)
    }

    /// Returns the middle of the touch at the mark's scale, when both sides stand uncrossed and the
    /// feed is synced.
    #[inline]
    #[must_use]
    pub fn mid(&self) -> Option<i128> {
        let touch = self.touch()?;
        if touch.bid_qty.0 <= 0 || touch.ask_qty.0 <= 0 || touch.bid >= touch.ask {
            return None;
        }
        Some(i128::from(touch.bid.0).saturating_add(i128::from(touch.ask.0)).saturating_mul(5))
    }

    /// Returns the touch while the feed is synced.
    #[inline]
    #[must_use]
    pub fn touch(&self) -> Option<Touch> {
        (self.feed == FeedStatus::Synced && self.touch.changed != Nanos(0)).then_some(self.touch)
    }

    /// Returns the mark at `now`, at the mark's scale.
    #[inline]
    #[must_use]
    pub fn mark(&self, now: Nanos) -> Option<i128> {
        self.fresh(now).or_else(|| self.own(now).map(|mark| mark.value))
    }

    /// Returns what a held position is valued at: the mark, or the side of the touch that closes
    /// it where the instrument is marked by liquidation.
    #[inline]
    #[must_use]
    pub fn mark_held(&self, now: Nanos, short: bool) -> Option<i128> {
        let side = |mark: &Mark| if short { mark.short } else { mark.long };
        self.fresh(now).or_else(|| self.own(now).map(side))
    }

    /// Returns the mark at `now` of an instrument that a rate is computed from: it outlives its
    /// source by `age_max_ns` instead of the instrument's own time; of bars by two of them.
    #[must_use]
    pub fn mark_for_rate(
        &self,
        now: Nanos,
        age_max_ns: i64,
        instrument: &Instrument,
    ) -> Option<i128> {
        let of_bars = !self.carries.trades && !self.marks_by_touch();
        let longer = if of_bars || self.mark.is_good() {
            0
        } else {
            age_max_ns.saturating_sub(instrument.mark_age_max_ns)
        };
        let expires = self.mark.expires.0.saturating_add(longer);
        let own = self.mark.seen && now.0 <= expires;
        self.fresh(now).or_else(|| own.then_some(self.mark.value))
    }

    /// Returns the venue's own mark while it is fresh.
    #[inline]
    fn fresh(&self, now: Nanos) -> Option<i128> {
        self.published.filter(|published| now <= published.expires).map(|found| found.value)
    }

    /// Returns the mark of prices while it is good, or shortly after.
    #[inline]
    fn own(&self, now: Nanos) -> Option<&Mark> {
        (self.mark.seen && now <= self.mark.expires).then_some(&self.mark)
    }

    /// Returns the last mark that ever was good, however old: what decides what dust is.
    #[must_use]
    pub fn last_mark(&self) -> Option<i128> {
        let published = self.published.map(|published| published.value);
        published.or_else(|| self.mark.seen.then_some(self.mark.value))
    }

    /// Returns the last trade's price, else the last close.
    #[must_use]
    pub fn last(&self) -> Option<Price> {
        self.last
    }

    /// Returns the last closed bar.
    #[must_use]
    pub fn bar(&self) -> Option<&ClosedBar> {
        self.bar.as_ref()
    }

    /// Returns the feed's state.
    #[must_use]
    pub fn feed(&self) -> FeedStatus {
        self.feed
    }

    /// Returns the time since the last message, never negative.
    #[must_use]
    pub fn age_ns(&self, now: Nanos) -> Option<i64> {
        self.heard.map(|heard| now.since(heard).max(0))
    }

    /// Returns the price of an `at_market` order: the opposite touch, or else `mark`, moved by
    /// `band` (1e-9) against us and rounded to the tick in the order's favour.
    #[must_use]
    pub fn protected_price(
        &self,
        instrument: &Instrument,
        side: Side,
        band: i128,
        mark: Option<i128>,
    ) -> Option<Price> {
        let touch = self.touch().filter(|_| self.marks_by_touch());
        let best = touch.and_then(|touch| match side {
            Side::Buy => (touch.ask_qty.0 > 0).then_some(touch.ask),
            Side::Sell => (touch.bid_qty.0 > 0).then_some(touch.bid),
        });
        // Everything at the mark's scale times 1e-9 of the band.
        let base = match best {
            Some(price) => i128::from(price.0).checked_mul(10)?,
            None => mark?,
        };
        let one = 1_000_000_000_i128;
        let factor = match side {
            Side::Buy => one.checked_add(band)?,
            Side::Sell => one.checked_sub(band)?,
        };
        let rounding = match side {
            Side::Buy => model::num::Rounding::Floor,
            Side::Sell => model::num::Rounding::Ceil,
        };
        let price = model::num::mul_div(base, factor, one.checked_mul(10)?, rounding)?;
        instrument.round_to_tick(price, side)
    }
}

impl Image for Market {
    fn save(&self, out: &mut ImageWriter) {
        for side in [Side::Buy, Side::Sell] {
            let Some(book) = &self.book else { break };
            out.put_len(book.len(side));
            for level in book.levels(side) {
                out.put(level.price);
                out.put(level.qty);
            }
        }
        let touch = &self.touch;
        out.put(touch.bid);
        out.put(touch.ask);
        out.put(touch.bid_qty);
        out.put(touch.ask_qty);
        out.put(touch.changed);
        out.put_option(self.last);
        out.put(self.bar.is_some());
        let bar =
            self.bar.unwrap_or(ClosedBar { prices: Bar::default(), end: Nanos(0), length_ns: 0 });
        out.put(bar.prices.open);
        out.put(bar.prices.high);
        out.put(bar.prices.low);
        out.put(bar.prices.close);
        out.put(bar.prices.volume);
        out.put(bar.end);
        out.put(bar.length_ns);
        out.put(self.extra.start);
        out.put(self.extra.length_ns);
        out.put(self.feed);
        out.put_option(self.heard);
        out.put(self.mark.value);
        out.put(self.mark.long);
        out.put(self.mark.short);
        out.put(self.mark.seen);
        out.put(self.mark.expires);
        out.put(self.published.is_some());
        let published = self.published.unwrap_or(Published { value: 0, expires: Nanos(0) });
        out.put(published.value);
        out.put(published.expires);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if let Some(book) = &mut self.book {
            book.clear();
            for side in [Side::Buy, Side::Sell] {
                for _ in 0..from.take_len(LEVELS_MAX)? {
                    let (price, qty) = (from.take()?, from.take()?);
                    book.set(side, price, qty);
                }
            }
        }
        self.touch = Touch {
            bid: from.take()?,
            ask: from.take()?,
            bid_qty: from.take()?,
            ask_qty: from.take()?,
            changed: from.take()?,
        };
        self.last = from.take_option()?;
        let has_bar: bool = from.take()?;
        let bar = ClosedBar {
            prices: Bar {
                open: from.take()?,
                high: from.take()?,
                low: from.take()?,
                close: from.take()?,
                volume: from.take()?,
            },
            end: from.take()?,
            length_ns: from.take()?,
        };
        self.bar = has_bar.then_some(bar);
        self.extra =
            BarExtra { start: from.take()?, length_ns: from.take()?, ..BarExtra::default() };
        self.feed = from.take()?;
        self.heard = from.take_option()?;
        self.mark = Mark {
            value: from.take()?,
            long: from.take()?,
            short: from.take()?,
            seen: from.take()?,
            expires: from.take()?,
        };
        let has_published: bool = from.take()?;
        let published = Published { value: from.take()?, expires: from.take()? };
        self.published = has_published.then_some(published);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
