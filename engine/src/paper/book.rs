//! Fills from displayed levels: a recorded book, or quotes as a book of one level a side.
//!
//! (a) An order that arrives walks the displayed levels to its limit, as a taker. (b) What it took
//! from a level is gone until an update of that level. An order that fills whole or not at all
//! first sees whether it can. (c) What rests joins behind the quantity
//! displayed at its price, none when it betters the book; that queue shrinks by trades at the
//! price, and by cancels only when the level falls below what is ahead. A trade larger than the
//! queue fills the rest of it, a trade through the price up to its quantity; a level shown at our
//! limit or better for us fills up to what it shows, at our limit, consumed once.
//!
//! Only a trade whose taker stands on the other side meets a resting order: what an opposite
//! resting order would have met is shown as a level first, and must not fill twice.

use model::book::{Book, Level};
use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::{BookLevel, Quote, Trade};
use model::id::InstrumentId;
use model::num::{Price, Qty};
use model::order::{DoneReason, FeedStatus, Liquidity, Side, TimeInForce};
use model::reject::Code;

use super::desk::Desk;
use super::market::{Market, Model};
use super::order::{AHEAD_UNKNOWN, Order, allows, rank};
use super::stops::Stop;
use super::{queue, stops};

/// LIMIT: levels that we took from and that were not updated since. At it, other levels are not
/// taken from: without a note they could be taken twice.
pub(super) const CONSUMED_MAX: usize = 4_096;

/// What we took from displayed levels since their last updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consumed {
    /// Sorted by place.
    levels: Vec<(Place, i64)>,
}

/// A displayed level: instrument, side, price.
type Place = (InstrumentId, Side, Price);

/// What displayed levels offer to an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Quantity.
    pub(super) qty: i64,
    /// How many fills it would take.
    fills: usize,
}

impl Consumed {
    pub(super) fn new() -> Self {
        Self { levels: Vec::with_capacity(CONSUMED_MAX) }
    }

    /// Returns what of `shown` is still there to be taken.
    fn rest(&self, place: Place, shown: Qty) -> i64 {
        match self.levels.binary_search_by_key(&place, |level| level.0) {
            Ok(at) => shown.0.saturating_sub(self.levels.get(at).map_or(0, |level| level.1)),
            Err(_) if self.levels.len() < CONSUMED_MAX => shown.0,
            Err(_) => 0,
        }
    }

    /// Tells whether something of a level was taken.
    fn notes(&self, place: Place) -> bool {
        self.levels.binary_search_by_key(&place, |level| level.0).is_ok()
    }

    /// Returns how many more levels can be noted.
    fn room(&self) -> usize {
        CONSUMED_MAX.saturating_sub(self.levels.len())
    }

    /// Notes that a quantity was taken.
    fn take(&mut self, place: Place, qty: i64) {
        match self.levels.binary_search_by_key(&place, |level| level.0) {
            Ok(at) => {
                if let Some(level) = self.levels.get_mut(at) {
                    level.1 = level.1.saturating_add(qty);
                }
            }
            Err(at) if qty > 0 => self.levels.insert(at, (place, qty)),
            Err(_) => {}
        }
    }

    /// Forgets a level that was updated.
    #[inline(never)]
    fn renew(&mut self, place: Place) {
        if let Ok(at) = self.levels.binary_search_by_key(&place, |level| level.0) {
            self.levels.remove(at);
        }
    }

    /// Forgets all levels of one side.
    fn renew_side(&mut self, instrument: InstrumentId, side: Side) {
        self.levels.retain(|((of, on, _), _)| (*of, *on) != (instrument, side));
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.levels.len());
        for ((instrument, side, price), qty) in &self.levels {
            out.put(instrument.0);
            out.put(*side);
            out.put(*price);
            out.put(*qty);
        }
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.levels.clear();
        for _ in 0..from.take_len(CONSUMED_MAX)? {
            let place = (InstrumentId(from.take()?), from.take()?, from.take()?);
            if self.levels.last().is_some_and(|last| last.0 >= place) {
                return Err(ImageError::Range);
            }
            self.levels.push((place, from.take()?));
        }
        Ok(())
    }
}

/// Lets an order that has arrived take what is displayed; what is left rests or expires.
pub(super) fn arrive(
    market: &Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    books: &[Book],
    at: usize,
) {
    let Some(order) = desk.working(at).copied() else { return };
    if order.tif == TimeInForce::Fok {
        let offer = offered(market, consumed, books, &order);
        if offer.qty < order.left.0 || offer.fills > desk.room_for_fills() {
            desk.end(at, DoneReason::Expired, Code::NONE);
            return;
        }
    }
    let other = order.side.opposite();
    for level in levels(market, books, other) {
        if desk.working(at).is_none() || !allows(order.side, order.limit, level.price) {
            break;
        }
        let place = (market.id, other, level.price);
        let rest = consumed.rest(place, level.qty);
        let filled = desk.fill(market, at, level.price, rest, Liquidity::Taker);
        consumed.take(place, filled);
    }
    let ahead = ahead(market, books, order.side, order.limit);
    match desk.working(at) {
        Some(_) if order.is_immediate() => desk.end(at, DoneReason::Expired, Code::NONE),
        Some(resting) => queue::join(resting, ahead),
        None => {}
    }
}

/// Returns what an order that arrives now could take, up to its quantity, if it took it.
pub(super) fn offered(
    market: &Market,
    consumed: &Consumed,
    books: &[Book],
    order: &Order,
) -> Offer {
    let other = order.side.opposite();
    let mut offer = Offer::default();
    let mut notes = 0_usize;
    for level in levels(market, books, other) {
        let left = order.left.0.saturating_sub(offer.qty);
        if left <= 0 || !allows(order.side, order.limit, level.price) {
            break;
        }
        let place = (market.id, other, level.price);
        let is_new = !consumed.notes(place);
        if is_new && consumed.room() <= notes {
            continue;
        }
        let qty = market.whole_lots(consumed.rest(place, level.qty)).min(left);
        if market.fee(order.side, level.price, qty, Liquidity::Taker).is_none() {
            break;
        }
        if qty > 0 {
            offer.qty = offer.qty.saturating_add(qty);
            offer.fills = offer.fills.saturating_add(1);
            notes = notes.saturating_add(usize::from(is_new));
        }
    }
    offer
}

/// Applies an update of one level of a book.
#[inline]
pub(super) fn on_level(
    market: &Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    books: &[Book],
    level: &BookLevel,
) {
    let place = (market.id, level.side, level.price);
    if !consumed.levels.is_empty() {
        consumed.renew(place);
    }
    if desk.has_orders(market.id) {
        meet_level(market, desk, consumed, books, place);
    }
}

/// Apart, since most levels change where we have no order.
#[inline(never)]
fn meet_level(
    market: &Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    books: &[Book],
    place: Place,
) {
    let (_, side, price) = place;
    // The book's word, not the event's: a level that the book has no room for is not displayed.
    let book = usize::try_from(market.id.0).ok().and_then(|id| books.get(id));
    let shown = book.map_or(Qty(0), |book| book.qty_at(side, price));
    shorten(market, desk, side, price, shown.0);
    cross(market, desk, consumed, place, shown);
}

/// Applies the news that nothing is known of a book. Queues stay: a snapshot shows them again.
pub(super) fn on_clear(market: &Market, consumed: &mut Consumed) {
    for side in [Side::Buy, Side::Sell] {
        consumed.renew_side(market.id, side);
    }
}

/// Applies a quote of an instrument without a book. A side that stayed as it was is no update.
pub(super) fn on_quote(
    market: &mut Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    quote: &Quote,
) {
    let before = market.quote.replace(*quote);
    let market = &*market;
    for side in [Side::Buy, Side::Sell] {
        let now = touch(quote, side);
        if before.is_some_and(|before| touch(&before, side) == now) {
            continue;
        }
        consumed.renew_side(market.id, side);
        match now {
            Some(level) => {
                shorten(market, desk, side, level.price, level.qty.0);
                for at in desk.reaching(market.id, side, level.price) {
                    // Nobody is shown at a better price any more: the order is the best.
                    if let Some(order) = desk.working(at)
                        && order.limit != level.price
                    {
                        order.ahead = 0;
                    }
                }
                cross(market, desk, consumed, (market.id, side, level.price), level.qty);
            }
            None => {
                for at in desk.side(market.id, side) {
                    if let Some(order) = desk.working(at) {
                        order.ahead = 0;
                    }
                }
            }
        }
    }
}

/// Lets a trade of others fill the resting orders that its taker would have met.
pub(super) fn on_trade(market: &Market, desk: &mut Desk, trade: &Trade) {
    let side = trade.taker.opposite();
    let mut room = trade.qty.0;
    for at in desk.reaching(market.id, side, trade.price) {
        let Some(order) = desk.working(at) else { continue };
        // Through the price, all that stood there is gone.
        let queue = if order.limit == trade.price { order.ahead } else { 0 };
        let eaten = queue.min(room);
        order.ahead = queue.saturating_sub(eaten);
        order.traded = order.traded.saturating_add(trade.qty.0);
        let (limit, available) = (order.limit, room.saturating_sub(eaten));
        room = room.saturating_sub(desk.fill(market, at, limit, available, Liquidity::Maker));
    }
}

/// Triggers the protective stops that a trade reaches, where a touch is known: their orders take
/// what is displayed.
pub(super) fn trigger_by_trade(
    market: &Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    books: &[Book],
    price: Price,
) {
    let bound = |stop: &Stop| best(market, books, stop.side.opposite());
    while let Some((at, _)) = stops::trigger(market, desk, |_| Some(price), bound) {
        arrive(market, desk, consumed, books, at);
    }
}

/// Triggers the protective stops that the touch reaches, where the data has no trades.
#[inline]
pub(super) fn trigger_by_touch(
    market: &Market,
    desk: &mut Desk,
    consumed: &mut Consumed,
    books: &[Book],
) {
    if !market.trades && desk.stops.len() > 0 {
        trigger_touched(market, desk, consumed, books);
    }
}

/// Apart, since there is rarely a stop.
#[inline(never)]
fn trigger_touched(market: &Market, desk: &mut Desk, consumed: &mut Consumed, books: &[Book]) {
    let price = |side: Side| best(market, books, side.opposite());
    let bound = |stop: &Stop| price(stop.side);
    while let Some((at, _)) = stops::trigger(market, desk, price, bound) {
        arrive(market, desk, consumed, books, at);
    }
}

/// Returns the best price that is displayed on a side.
fn best(market: &Market, books: &[Book], side: Side) -> Option<Price> {
    levels(market, books, side).next().map(|level| level.price)
}

/// Cuts the queue of our orders at a price to what is shown there.
fn shorten(market: &Market, desk: &mut Desk, side: Side, price: Price, shown: i64) {
    for at in desk.reaching(market.id, side, price).rev() {
        match desk.working(at) {
            Some(order) if order.limit == price => queue::update(order, shown, market.queue),
            Some(_) => break,
            None => {}
        }
    }
}

/// Lets a level that is shown at the limit of our resting orders or better fill them.
fn cross(market: &Market, desk: &mut Desk, consumed: &mut Consumed, place: Place, shown: Qty) {
    let (id, side, price) = place;
    if shown.0 <= 0 {
        return;
    }
    for at in desk.reaching(id, side.opposite(), price) {
        let Some(order) = desk.working(at) else { continue };
        // Nobody can stand before us at a price that the other side has reached.
        order.ahead = 0;
        let limit = order.limit;
        let rest = consumed.rest(place, shown);
        let filled = desk.fill(market, at, limit, rest, Liquidity::Maker);
        consumed.take(place, filled);
    }
}

/// Returns the quantity that an order which rests now stands behind.
fn ahead(market: &Market, books: &[Book], side: Side, limit: Price) -> i64 {
    let is_worse = |level: Level| rank(side, level.price) > rank(side, limit);
    for level in levels(market, books, side) {
        if level.price == limit {
            return level.qty.0;
        }
        if is_worse(level) {
            // A gap between levels, or better than all of them.
            return 0;
        }
    }
    // Beyond what is recorded. A side that is known to be empty has nobody ahead.
    let shows = |side| levels(market, books, side).next().is_some();
    if !shows(side) && shows(side.opposite()) { 0 } else { AHEAD_UNKNOWN }
}

/// Returns what is displayed, best first; nothing while the feed cannot vouch for it.
fn levels<'a>(
    market: &Market,
    books: &'a [Book],
    side: Side,
) -> impl Iterator<Item = Level> + use<'a> {
    let vouched = market.status == FeedStatus::Synced;
    let quote = market.quote.filter(|_| vouched && market.model == Model::Quotes);
    let id = usize::try_from(market.id.0).unwrap_or(usize::MAX);
    let book = books.get(id).filter(|_| vouched && market.model == Model::Book);
    quote
        .and_then(|quote| touch(&quote, side))
        .into_iter()
        .chain(book.into_iter().flat_map(move |book| book.levels(side)))
}

/// Returns one side of a quote, `None` when it is empty.
fn touch(quote: &Quote, side: Side) -> Option<Level> {
    let (price, qty) = match side {
        Side::Buy => (quote.bid, quote.bid_qty),
        Side::Sell => (quote.ask, quote.ask_qty),
    };
    (qty.0 > 0).then_some(Level { price, qty })
}
