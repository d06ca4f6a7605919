//! What a journal tells: seconds in which orders could have been sent, errors over intents, and the
//! two intervals that are of the venue's side and so in the journal's own time.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;

use journal::{ReadError, Reader};
use model::codec::decode;
use model::event::{Body, EVENT_BYTES, Event, FLAG_LAST};
use model::id::OrderNo;
use model::order::{DoneReason, FeedStatus};
use model::time::{Nanos, SECOND_NS};

use super::{About, Found, Objective};
use crate::latency::Interval;
use crate::latency::set::histogram;
use crate::replay::{Origin, ReplayError};
use crate::tape::KIND_TEXT_MIN;

/// What is gathered of a journal for one objective.
struct Gathered {
    /// Nothing before counts.
    from: Nanos,
    delays: Option<Histogram<u64>>,
    acks: Option<Histogram<u64>>,
    intents: u64,
    rejects: u64,
    seconds: u64,
    seconds_up: u64,
}

/// The state of the feeds that are traded, second by second.
struct Feeds {
    /// By instrument; none for one that is only watched.
    synced: Vec<Option<bool>>,
    /// The second at hand, and whether all of it was up. None before all were synced once: a
    /// session that begins is not down.
    second: Option<(i64, bool)>,
}

/// Judges objectives by a journal.
///
/// # Errors
/// [`ReplayError`] when the journal cannot be read.
pub fn found(dir: &Path, objectives: &[Objective]) -> Result<Vec<Found>, ReplayError> {
    let origin = Origin::begin(dir)?;
    let (end, mut sent) = sent(dir)?;
    let mut all: Vec<Gathered> = objectives
        .iter()
        .map(|objective| {
            let window = objective.window_ns.and_then(|ns| i64::try_from(ns).ok());
            let from = window.map_or(Nanos(i64::MIN), |window| end.plus(window.saturating_neg()));
            Gathered::new(from)
        })
        .collect();
    let mut feeds = Feeds::new(origin.setup.instruments.len(), &origin.setup.traded);
    for_each(dir, |event| {
        feeds.hear(event, |second, up| {
            for one in all.iter_mut().filter(|one| one.from.0 <= second.saturating_mul(SECOND_NS)) {
                one.seconds = one.seconds.saturating_add(1);
                one.seconds_up = one.seconds_up.saturating_add(u64::from(up));
            }
        });
        let told = tell(event, &mut sent);
        for one in all.iter_mut().filter(|one| one.from <= event.ts) {
            one.take(&told);
        }
    })?;
    Ok(objectives.iter().zip(all).map(|(objective, one)| one.found(objective.about)).collect())
}

/// What an event tells.
enum Told {
    Delay(u64),
    Ack { ns: u64, rejected: bool },
    Reject,
    Intent,
    Nothing,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not asked for is not told")]
fn tell(event: &Event, sent: &mut BTreeMap<OrderNo, Option<Nanos>>) -> Told {
    let since = |then: Nanos| u64::try_from(event.ts.since(then)).unwrap_or(0);
    match event.body() {
        Body::Trade(trade) if trade.venue_ts.0 > 0 => Told::Delay(since(trade.venue_ts)),
        // One for a message of the book.
        Body::BookLevel(level) if level.venue_ts.0 > 0 && event.flags & FLAG_LAST != 0 => {
            Told::Delay(since(level.venue_ts))
        }
        Body::OrderIntent(_) => Told::Intent,
        Body::OrderAck(ack) => match sent.get_mut(&ack.order).and_then(Option::take) {
            Some(then) => Told::Ack { ns: since(then), rejected: false },
            None => Told::Nothing,
        },
        // A refusal of risk is no reject: its order was never sent.
        Body::OrderDone(done) => match sent.remove(&done.order) {
            Some(unanswered) if done.reason == DoneReason::Rejected => match unanswered {
                Some(then) => Told::Ack { ns: since(then), rejected: true },
                None => Told::Reject,
            },
            _ => Told::Nothing,
        },
        _ => Told::Nothing,
    }
}

impl Gathered {
    fn new(from: Nanos) -> Self {
        Self {
            from,
            delays: histogram(),
            acks: histogram(),
            intents: 0,
            rejects: 0,
            seconds: 0,
            seconds_up: 0,
        }
    }

    fn take(&mut self, told: &Told) {
        match told {
            Told::Delay(ns) => {
                if let Some(delays) = &mut self.delays {
                    delays.saturating_record(*ns);
                }
            }
            Told::Ack { ns, rejected } => {
                if let Some(acks) = &mut self.acks {
                    acks.saturating_record(*ns);
                }
                self.rejects = self.rejects.saturating_add(u64::from(*rejected));
            }
            Told::Reject => self.rejects = self.rejects.saturating_add(1),
            Told::Intent => self.intents = self.intents.saturating_add(1),
            Told::Nothing => {}
        }
    }

    fn found(self, about: About) -> Found {
        let interval = |histogram: Option<Histogram<u64>>| {
            histogram.map_or(Found::Elsewhere("a smaller window"), Found::Interval)
        };
        match about {
            About::Interval(Interval::FeedDelay) => interval(self.delays),
            About::Interval(Interval::OrderAck) => interval(self.acks),
            About::Interval(_) => Found::Elsewhere("an interval log (--latency-log)"),
            About::Uptime => Found::Share { part: self.seconds_up, whole: self.seconds },
            About::ErrorRate => Found::Share { part: self.rejects, whole: self.intents },
        }
    }
}

impl Feeds {
    fn new(instruments: usize, traded: &[u32]) -> Self {
        let is_traded = |index: usize| u32::try_from(index).is_ok_and(|id| traded.contains(&id));
        let synced = (0..instruments).map(|index| is_traded(index).then_some(false)).collect();
        Self { synced, second: None }
    }

    fn up(&self) -> bool {
        self.synced.iter().flatten().all(|synced| *synced)
    }

    /// Takes an event, and tells the seconds that are over by it.
    fn hear(&mut self, event: &Event, mut over: impl FnMut(i64, bool)) {
        let now = event.ts.0.div_euclid(SECOND_NS);
        let up = self.up();
        if let Some((second, all_up)) = self.second
            && now > second
        {
            over(second, all_up);
            for between in second.saturating_add(1)..now {
                over(between, up);
            }
            self.second = Some((now, up));
        }
        if let Body::FeedState(state) = event.body() {
            let index = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
            if let Some(Some(synced)) = self.synced.get_mut(index) {
                *synced = state.status == FeedStatus::Synced;
            }
            let up = self.up();
            self.second = match self.second {
                Some((second, all_up)) => Some((second, all_up && up)),
                None => up.then_some((now, true)),
            };
        }
    }
}

/// Returns the last moment, and when each order was sent: lanes are written side by side, so an
/// answer may stand before what it answers.
fn sent(dir: &Path) -> Result<(Nanos, BTreeMap<OrderNo, Option<Nanos>>), ReplayError> {
    let (mut last, mut sent) = (Nanos(0), BTreeMap::new());
    for_each(dir, |event| {
        last = last.max(event.ts);
        if let Body::OrderSent(order) = event.body() {
            sent.insert(order.order, Some(event.ts));
        }
    })?;
    Ok((last, sent))
}

fn for_each(dir: &Path, mut see: impl FnMut(&Event)) -> Result<(), ReadError> {
    let mut reader = Reader::open(dir)?;
    while let Some(record) = reader.next()? {
        if record.header.lane == journal::LANE_CONTROL || record.header.kind >= KIND_TEXT_MIN {
            continue;
        }
        for bytes in record.payload.chunks(EVENT_BYTES) {
            if let Ok(event) = decode(bytes) {
                see(&event);
            }
        }
    }
    Ok(())
}
