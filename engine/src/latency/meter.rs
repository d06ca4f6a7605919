//! One thread's stamps and histograms, and how the cold side gets them.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::sync::Arc;
use model::event::{Body, Event};
use model::id::OrderNo;

use super::counter::Counter;
use super::point::{Interval, Station};
use super::set::Set;
use super::trail::{Times, Trail, Which};

/// What t2 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The moment at which a message was at hand: what waited before that is not seen.
    Service,
    /// The moment at which the schedule releases it: what waits counts.
    Intended,
}

impl Basis {
    /// Returns the name that results have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Intended => "intended",
        }
    }
}

/// How a session is measured.
#[derive(Clone, Debug)]
pub struct Measure {
    /// What stamps are read from.
    pub counter: Counter,
    /// What t2 is.
    pub basis: Basis,
    /// Of so many ticks one is stamped at every point, a power of two; orders are all stamped from
    /// t2 on.
    pub every: u64,
    /// Who gets the histograms of each second, if anybody wants them.
    pub collector: Option<Arc<Collector>>,
}

/// Nanoseconds after which a thread exchanges its histograms for empty ones.
pub const EXCHANGE_NS: u64 = 1_000_000_000;
/// LIMIT: sets of one thread: one that it records into, one that the cold side has.
const SETS: usize = 2;

/// The cold ends of the exchanges of a session's threads. Its lock is taken when a session is built
/// and by the cold side, never by a stage.
#[derive(Debug, Default)]
pub struct Collector {
    ends: std::sync::Mutex<Vec<ColdEnd>>,
}

#[derive(Debug)]
struct ColdEnd {
    full: Consumer<Box<Set>>,
    empty: Producer<Box<Set>>,
}

/// Where a thread gives away what it has recorded.
#[derive(Debug)]
struct Exchange {
    /// Ticks between two exchanges.
    every: u64,
    due: u64,
    full: Producer<Box<Set>>,
    empty: Consumer<Box<Set>>,
}

/// One thread's stamps and histograms; off, it does nothing and reads nothing.
#[derive(Debug, Default)]
pub struct Meter {
    active: Option<Box<Active>>,
}

#[derive(Debug)]
struct Active {
    station: Station,
    counter: Counter,
    trail: Arc<Trail>,
    set: Box<Set>,
    exchange: Option<Exchange>,
    /// Number of the message at hand, from 1.
    message: u64,
    tick: Tick,
}

/// What feed knows of the turn at hand.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    /// Ticks but one of which one is sampled: a mask.
    mask: u64,
    count: u64,
    sampled: bool,
    received: u64,
    parsed: u64,
}

impl Collector {
    /// Hands every set that waits to `see`, and gives it back empty.
    pub fn drain(&self, see: &mut dyn FnMut(&Set)) {
        let mut ends = self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for end in ends.iter_mut() {
            while let Ok(mut set) = end.full.pop() {
                see(&set);
                set.clear();
                // There is room: it came from this thread's sets. The thread may be gone.
                end.empty.push(set).ok();
            }
        }
    }

    fn connect(&self, station: Station, counter: &Counter) -> Exchange {
        let (full, from) = RingBuffer::new(SETS);
        let (mut to, empty) = RingBuffer::new(SETS);
        to.push(Box::new(Set::new(station))).ok();
        let every = counter.ticks(EXCHANGE_NS);
        let mut ends = self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ends.push(ColdEnd { full: from, empty: to });
        Exchange { every, due: counter.now().saturating_add(every), full, empty }
    }
}

impl Measure {
    /// Returns a meter for each station of a session: feed, strategy, risk, egress.
    #[must_use]
    pub fn meters(&self) -> [Meter; 4] {
        let trail = Arc::new(Trail::new());
        let now = self.counter.now();
        let mask = self.every.next_power_of_two().saturating_sub(1);
        [Station::Feed, Station::Strategy, Station::Risk, Station::Egress].map(|station| {
            let mut set = Box::new(Set::new(station));
            set.span.0 = now;
            let exchange = self.collector.as_ref().map(|c| c.connect(station, &self.counter));
            let active = Active {
                station,
                counter: self.counter,
                trail: Arc::clone(&trail),
                set,
                exchange,
                message: u64::from(station != Station::Feed),
                tick: Tick { mask, ..Tick::default() },
            };
            Meter { active: Some(Box::new(active)) }
        })
    }
}

impl Meter {
    /// Returns a meter that measures nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { active: None }
    }

    /// Begins a turn of feed: t2, as the schedule intends it or else now. `tick`: a message of the
    /// source is at hand.
    #[inline]
    pub fn receive(&mut self, intended: Option<u64>, tick: bool) {
        let Some(active) = &mut self.active else { return };
        let Tick { mask, count, .. } = active.tick;
        let count = count.wrapping_add(u64::from(tick));
        let received = intended.unwrap_or_else(|| active.counter.now());
        let sampled = tick && count & mask == 0;
        active.tick = Tick { mask, count, sampled, received, parsed: 0 };
    }

    /// Stamps t3.
    #[inline]
    pub fn parsed(&mut self) {
        if let Some(active) = &mut self.active
            && active.tick.sampled
        {
            active.tick.parsed = active.counter.now();
        }
    }

    /// Stamps t4 of the next message, and tells the stages behind when it came.
    #[inline]
    pub fn sequenced(&mut self) {
        let Some(active) = &mut self.active else { return };
        active.message = active.message.wrapping_add(1);
        let Tick { sampled, received, parsed, .. } = active.tick;
        let sequenced = if sampled { active.counter.now() } else { 0 };
        active.trail.note(active.message, Times { received, sequenced });
        if sampled {
            active.record(Interval::WireToFeed, received, sequenced);
            active.record(Interval::FeedStage, parsed, sequenced);
        }
    }

    /// The message has passed all stages; `quiet`: nothing followed of it.
    #[inline]
    pub fn done(&mut self, quiet: bool) {
        let Some(active) = &mut self.active else { return };
        if std::mem::take(&mut active.tick.sampled) && quiet {
            let now = active.counter.now();
            active.record(Interval::TickQuiet, active.tick.received, now);
        }
    }

    /// At a stage: the message at hand has passed.
    #[inline]
    pub fn settle(&mut self) {
        if let Some(active) = &mut self.active {
            active.message = active.message.wrapping_add(1);
        }
    }

    /// At a stage: stamps the signals (t5) and verdicts (t6) among what a step put out.
    #[inline]
    pub fn told(&mut self, events: &[Event]) {
        if let Some(active) = &mut self.active {
            for event in events {
                active.told(event);
            }
        }
    }

    /// Returns the counter's value now; 0 when nothing is measured.
    #[inline]
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.active.as_ref().map_or(0, |active| active.counter.now())
    }

    /// At the egress: an order has left (t9); its intent was journaled and the gate opened then.
    pub fn left(&mut self, order: OrderNo, journaled: u64, opened: u64) {
        if let Some(active) = &mut self.active {
            active.left(order, journaled, opened);
        }
    }

    /// Takes the histograms; the meter is off from here on.
    pub fn take(&mut self) -> Option<Set> {
        let Active { mut set, counter, .. } = *self.active.take()?;
        set.span.1 = counter.now();
        Some(*set)
    }
}

impl Active {
    #[expect(clippy::wildcard_enum_match_arm, reason = "two kinds are points")]
    fn told(&mut self, event: &Event) {
        match event.body() {
            // Risk passes signals on, which is no point.
            Body::Signal(signal)
                if self.station == Station::Strategy && signal.action.asks_for_order() =>
            {
                let order = OrderNo::new(event.seq, signal.ordinal).raw();
                let now = self.counter.now();
                self.trail.note_order(Which::Signal, order, self.message, now);
                let Times { received, sequenced } = self.times();
                self.record(Interval::TickToSignal, received, now);
                self.record(Interval::StrategyStage, sequenced, now);
            }
            Body::Decision(decision) => {
                let order = OrderNo::new(event.seq, decision.ordinal).raw();
                let now = self.counter.now();
                self.trail.note_order(Which::Verdict, order, self.message, now);
                let received = self.times().received;
                self.record(Interval::TickToDecision, received, now);
                let signal = self.order(Which::Signal, order);
                self.record(Interval::RiskStage, signal, now);
            }
            _ => {}
        }
    }

    fn left(&mut self, order: OrderNo, journaled: u64, opened: u64) {
        let now = self.counter.now();
        let received = self.times().received;
        let signal = self.order(Which::Signal, order.raw());
        let verdict = self.order(Which::Verdict, order.raw());
        self.record(Interval::TickToIntent, received, journaled);
        self.record(Interval::GateWait, verdict, opened);
        self.record(Interval::EgressStage, opened, now);
        self.record(Interval::SignalToOrder, signal, now);
        self.record(Interval::TickToWire, received, now);
    }

    /// When the message at hand came; zeros when that is not known any more.
    fn times(&self) -> Times {
        self.trail.times(self.message).unwrap_or_default()
    }

    /// When an order of this message passed a point; 0 and counted when that is not known.
    fn order(&mut self, which: Which, order: u64) -> u64 {
        let at = self.trail.order(which, order, self.message);
        self.set.lost = self.set.lost.saturating_add(u64::from(at.is_none()));
        at.unwrap_or(0)
    }

    #[inline]
    fn record(&mut self, interval: Interval, from: u64, to: u64) {
        if from == 0 {
            return;
        }
        self.set.backwards = self.set.backwards.saturating_add(u64::from(to < from));
        self.set.record(interval, self.counter.ns(from, to));
        if self.exchange.as_ref().is_some_and(|exchange| to >= exchange.due) {
            self.swap(to);
        }
    }

    /// Exchanges the set for an empty one, if the cold side has given one back.
    #[cold]
    fn swap(&mut self, now: u64) {
        let Some(exchange) = &mut self.exchange else { return };
        exchange.due = now.saturating_add(exchange.every);
        let Ok(fresh) = exchange.empty.pop() else { return };
        let mut full = std::mem::replace(&mut self.set, fresh);
        full.span.1 = now;
        self.set.span.0 = now;
        // There is room for every set that exists.
        exchange.full.push(full).ok();
    }
}
