//! A generated market: seeded, the same bytes on every machine, integers throughout.
//!
//! Six instruments of one venue, perpetual and spot. Each message is of one of them: perhaps a
//! trade, then the changes of its book (ten levels a side, under update ids without a gap), then
//! its best prices under the same id. Prices follow a common factor and one of their own, each with
//! a variance that feeds on itself, so that quiet and wild minutes come in clusters; both markets
//! of a coin follow the same price. By `script`, each half hour has a gap with its snapshot, a
//! silence, and a crash of more than 3 % in an instant.
//!
//! It is no forecast and reacts to nobody. Called by the demo, by tests and by benches.

use model::event::{Body, BookClear, FeedState, Quote, Trade};
use model::id::InstrumentId;
use model::instrument::Instrument;
use model::num::Qty;
use model::order::{FeedStatus, Side};
use model::time::{Nanos, SECOND_NS};

use crate::draw::Draw;
use crate::setup::{Carried, SourceSetup};
use crate::source::{Message, Progress, Source};

/// The book of one instrument, as messages change it.
mod depth;
/// The instruments.
mod listing;
/// Prices of coins.
mod price;
/// What happens at known moments.
mod script;

use depth::Depth;
use listing::{LISTINGS, Listing};
use price::{Prices, STEP_NS};
use script::{Happening, Script};

/// First moment of every generated market: 2026-01-05T23:36:00Z, a Monday, so that a session of
/// half an hour, whose crash comes after 19 minutes, goes on into a new day.
pub const START: Nanos = Nanos(1_767_656_160 * SECOND_NS);

/// LIMIT: payloads of one message: both sides removed and set anew, and what stands around them.
pub const UPDATES_MAX: usize = 4 * depth::LEVELS + 8;

/// The market.
#[derive(Clone, Debug)]
pub struct Generated {
    draw: Draw,
    seed: u64,
    now: Nanos,
    end: Nanos,
    prices: Prices,
    script: Script,
    tapes: [Tape; LISTINGS.len()],
    progress: Progress,
}

/// What one instrument's stream has said.
#[derive(Clone, Debug, Default)]
struct Tape {
    depth: Depth,
    /// Update id of the book.
    update_id: u64,
    trades: u64,
    state: State,
}

/// What an instrument's stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing was said yet: a snapshot comes first.
    #[default]
    Closed,
    /// All is well.
    Open,
    /// A message is missing: trades only, until a snapshot.
    Gapped,
    /// Nothing comes.
    Silent,
}

impl Generated {
    /// Returns a market of that many seconds.
    #[must_use]
    pub fn new(seed: u64, seconds: u64) -> Self {
        let length = i64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND_NS);
        Self {
            draw: Draw::new(seed),
            seed,
            now: START,
            end: START.plus(length),
            prices: Prices::new(START),
            script: Script::new(START, length),
            tapes: std::array::from_fn(|_| Tape::default()),
            progress: Progress::default(),
        }
    }

    /// Returns the instruments with what is generated of them.
    #[must_use]
    pub fn instruments(&self) -> Vec<(Instrument, Carried)> {
        let carries = Carried { quotes: true, book: true, trades: true, ..Carried::default() };
        LISTINGS.iter().map(|listing| (listing.instrument(), carries)).collect()
    }

    /// Returns what the run's metadata says of this source.
    #[must_use]
    pub fn describe(&self) -> SourceSetup {
        let seconds = self.end.since(START).checked_div(SECOND_NS).unwrap_or(0);
        let name = format!("generated, seed {}, {seconds} s", self.seed);
        SourceSetup { name, hash: String::new() }
    }

    /// Lets prices move up to now, crashes included.
    fn move_prices(&mut self) {
        while let Some(step) = self.prices.due(self.now) {
            let fall = self.script.fall(step, &mut self.draw);
            self.prices.step(fall, &mut self.draw);
        }
    }

    /// Picks the instrument of the next message, by how busy each is; not a silent one.
    fn pick(&mut self) -> usize {
        let speaks =
            |index: usize| self.tapes.get(index).is_some_and(|tape| tape.state != State::Silent);
        let mut all = 0_u64;
        for (index, listing) in LISTINGS.iter().enumerate() {
            all = all.saturating_add(if speaks(index) { listing.share } else { 0 });
        }
        let mut drawn = self.draw.below(all);
        for (index, listing) in LISTINGS.iter().enumerate() {
            if self.tapes.get(index).is_none_or(|tape| tape.state == State::Silent) {
                continue;
            }
            if drawn < listing.share {
                return index;
            }
            drawn = drawn.saturating_sub(listing.share);
        }
        0
    }

    /// Says what an instrument's stream has to say now.
    fn speak(&mut self, index: usize, into: &mut Message) {
        let Self { draw, prices, tapes, now, .. } = self;
        let (Some(listing), Some(tape)) = (LISTINGS.get(index), tapes.get_mut(index)) else {
            return;
        };
        let id = InstrumentId(u32::try_from(index).unwrap_or(0));
        let fair = prices.fair(listing.coin);
        match tape.state {
            State::Closed => tape.snapshot(listing, id, fair, (*now, draw), into),
            State::Open => tape.change(listing, id, fair, (*now, draw), into),
            State::Gapped => {
                tape.depth.follow(listing, fair, draw);
                tape.trade(id, (*now, draw), into);
            }
            // Not picked.
            State::Silent => {}
        }
    }

    /// Says what the script has for now.
    fn happen(&mut self, happening: Happening, into: &mut Message) {
        let Self { draw, prices, tapes, now, .. } = self;
        let index = happening.listing();
        let (Some(listing), Some(tape)) = (LISTINGS.get(index), tapes.get_mut(index)) else {
            return;
        };
        let id = InstrumentId(u32::try_from(index).unwrap_or(0));
        let mut tell = |expected, received, status| {
            let state = FeedState { expected, received, status };
            into.updates.push((id, Body::FeedState(state)));
        };
        match happening {
            Happening::Gap => {
                // Three messages are lost.
                let expected = tape.update_id.saturating_add(1);
                let received = expected.saturating_add(3);
                tape.update_id = received;
                tape.state = State::Gapped;
                tell(expected, received, FeedStatus::Gap);
                into.updates.push((id, Body::BookClear(BookClear { update_id: 0 })));
            }
            Happening::Resync => {
                tell(0, tape.update_id, FeedStatus::Resync);
                let fair = prices.fair(listing.coin);
                tape.snapshot(listing, id, fair, (*now, draw), into);
            }
            Happening::Silence => tape.state = State::Silent,
            Happening::Stale => tell(0, tape.update_id, FeedStatus::Stale),
            Happening::Voice => {
                tape.state = State::Open;
                tell(0, tape.update_id, FeedStatus::Synced);
            }
        }
    }
}

impl Tape {
    /// The whole book, and from here on all is well.
    fn snapshot(
        &mut self,
        listing: &Listing,
        id: InstrumentId,
        fair: i64,
        (now, draw): (Nanos, &mut Draw),
        into: &mut Message,
    ) {
        self.update_id = self.update_id.saturating_add(1);
        let update_id = self.update_id;
        into.updates.push((id, Body::BookClear(BookClear { update_id })));
        self.depth = Depth::default();
        self.depth.follow(listing, fair, draw);
        self.depth.levels(update_id, now, |level| into.updates.push((id, level)));
        let state = FeedState { expected: 0, received: update_id, status: FeedStatus::Synced };
        into.updates.push((id, Body::FeedState(state)));
        self.state = State::Open;
        self.quote(id, into);
    }

    /// What changes in the book, after a trade now and then.
    fn change(
        &mut self,
        listing: &Listing,
        id: InstrumentId,
        fair: i64,
        (now, draw): (Nanos, &mut Draw),
        into: &mut Message,
    ) {
        if draw.below(5) < 2 {
            self.trade(id, (now, &mut *draw), into);
        }
        self.update_id = self.update_id.saturating_add(1);
        let update_id = self.update_id;
        self.depth.follow(listing, fair, draw);
        self.depth.changes(update_id, now, |level| into.updates.push((id, level)));
        self.quote(id, into);
    }

    /// A trade at the touch, of a part of what stands there.
    fn trade(&mut self, id: InstrumentId, (now, draw): (Nanos, &mut Draw), into: &mut Message) {
        let taker = if draw.below(2) == 0 { Side::Buy } else { Side::Sell };
        let Some((price, stands)) = self.depth.best(taker.opposite()) else { return };
        let part = i64::try_from(draw.below(90)).unwrap_or(0).saturating_add(10);
        let lots = stands.0.saturating_mul(part).checked_div(100).unwrap_or(0).max(1);
        self.depth.take(taker.opposite(), lots);
        self.trades = self.trades.saturating_add(1);
        let trade = Trade { price, qty: Qty(lots), trade_id: self.trades, venue_ts: now, taker };
        into.updates.push((id, Body::Trade(trade)));
    }

    fn quote(&self, id: InstrumentId, into: &mut Message) {
        let best = |side| self.depth.best(side).unwrap_or_default();
        let ((bid, bid_qty), (ask, ask_qty)) = (best(Side::Buy), best(Side::Sell));
        let quote = Quote { bid, ask, bid_qty, ask_qty, update_id: self.update_id };
        into.updates.push((id, Body::Quote(quote)));
    }
}

impl Source for Generated {
    fn peek(&mut self) -> Option<Nanos> {
        (self.now < self.end).then_some(self.now)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.now >= self.end {
            return false;
        }
        into.updates.clear();
        // Once: what a message holds later finds room.
        into.updates.reserve(UPDATES_MAX);
        into.ts = self.now;
        into.source = 0;
        self.move_prices();
        if let Some(happening) = self.script.due(self.now) {
            self.happen(happening, into);
        }
        // A silence says nothing by itself.
        if into.updates.is_empty() {
            let index = self.pick();
            self.speak(index, into);
        }
        // From 5 to 45 ms, 25 on average.
        let gap = 5_000_000_u64.saturating_add(self.draw.below(40_000_000));
        self.now = self.now.plus(i64::try_from(gap).unwrap_or(STEP_NS));
        self.progress.messages = self.progress.messages.saturating_add(1);
        self.progress.bytes = u64::try_from(self.now.since(START)).unwrap_or(0);
        self.progress.bytes_total = u64::try_from(self.end.since(START)).unwrap_or(0);
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

#[cfg(test)]
mod tests;
