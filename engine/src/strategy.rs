//! The strategy stage: runs each bound strategy on its trigger and turns what fires into signals.
//!
//! A strategy is blind for accounts: it sees the market and its own ledger. `enter` opens from
//! flat; `exit` is a target of flat that is worked until it is reached, one order at a time. What
//! the rules ask for is a request: risk decides.

use dsl::evaluate::Place;
use dsl::memory::{Memory, MemorySpec};
use dsl::typed::{Occasion, Trigger};
use dsl::value::Truth;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{BarExtra, Body, Event, Fill, Kind, Lane, OrderDone, Timer, Wake};
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::instrument::Instrument;
use model::order::{Liquidity, Side};

use crate::alarm::Alarm;
use crate::market::{ClosedBar, Market};
use crate::portfolio::position::Position;
use crate::portfolio::{asset_id, at};
use crate::program::{Bound, BoundStrategy};
use crate::setup::Setup;
use crate::stage::{Out, Stage};

/// Orders and exits of one instance at one event.
mod asked;
mod desk;
/// How strategies read the world.
mod facts;
/// One strategy on one instrument.
mod instance;
/// What fills do to the own ledger.
mod ledger;
/// Legs of quotes.
mod quotes;

use desk::Desk;
use facts::StrategyFacts;
use instance::Instance;
use ledger::{Assets, Booked};

/// The stage.
#[derive(Clone, Debug)]
pub struct Strategy {
    instruments: Vec<Instrument>,
    markets: Vec<Market>,
    /// A strategy reads the book beyond its best prices.
    reads_depth: bool,
    /// A risk block does.
    hands_depth_on: bool,
    instances: Vec<Instance>,
    /// Instances by instrument id: what an event can wake.
    by_instrument: Vec<Vec<usize>>,
    extra: BarExtra,
    /// The timer that strategies wait for; it is asked for where there is one.
    alarm: Alarm,
    timed: bool,
    /// What each strategy remembers, by its id.
    memories: Vec<Memory>,
    /// Number of the week of the last day that began.
    week: Option<i32>,
    /// Orders of the seq at hand so far.
    ordinal: u16,
    /// Events that entered.
    events: u64,
    /// Signals that a rule fired and that were not sent: position open, enter pending, size
    /// unknown.
    ignored: u64,
}

/// Version of the state image.
const IMAGE_VERSION: u32 = 7;

impl Strategy {
    /// Builds the stage for a session.
    #[must_use]
    pub fn new(setup: &Setup, instruments: &[Instrument], bound: &Bound) -> Self {
        let mut by_instrument = vec![Vec::new(); instruments.len()];
        let mut instances = Vec::new();
        for (index, source) in bound.instances.iter().enumerate() {
            let place = usize::try_from(source.instrument.0).unwrap_or(usize::MAX);
            let Some(list) = by_instrument.get_mut(place) else { continue };
            let list: &mut Vec<usize> = list;
            list.push(index);
            let id = |name: &str| asset_id(&setup.assets, name);
            let assets = at(instruments, source.instrument).map(|i| Assets {
                base: id(&i.symbol.base),
                quote: id(&i.settle),
                reporting: id(&setup.reporting),
            });
            instances.push(Instance::new(source, assets.unwrap_or_default()));
        }
        let memory = |strategy: usize| {
            let of = |source: &&BoundStrategy| usize::from(source.strategy.0) == strategy;
            let first = bound.instances.iter().find(of);
            let nothing = MemorySpec::default();
            let spec = first.map_or(&nothing, |source| source.code.memory());
            Memory::new(spec, instruments.len())
        };
        let memories = (0..bound.strategies.len()).map(memory).collect();
        let reads_depth = bound.instances.iter().any(|one| one.code.reads_depth());
        let deep = |index: usize| {
            let of_one = |one: &&BoundStrategy| {
                usize::try_from(one.instrument.0).is_ok_and(|place| place == index)
            };
            bound.instances.iter().filter(of_one).any(|one| one.code.reads_depth())
        };
        let markets = setup.instruments.iter().enumerate().map(|(index, i)| {
            let market = Market::new(i.carries);
            if deep(index) { market.with_book() } else { market }
        });
        let markets = markets.collect();
        Self {
            instruments: instruments.to_vec(),
            markets,
            reads_depth,
            hands_depth_on: bound.risk.iter().flatten().any(|block| block.code.reads_depth()),
            instances,
            by_instrument,
            extra: BarExtra::default(),
            alarm: Alarm::default(),
            timed: bound.instances.iter().any(|one| is_timer(one.code.trigger())),
            memories,
            week: None,
            ordinal: 0,
            events: 0,
            ignored: 0,
        }
    }

    /// Sets the counts to nothing: those of a run that goes on from a snapshot are its own.
    pub(crate) fn count_anew(&mut self) {
        (self.events, self.ignored) = (0, 0);
    }

    /// Returns how many events entered.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns how many firings sent nothing.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Takes a change of depth, for rules that read it.
    #[inline(never)]
    fn depth(&mut self, event: &Event, out: &mut Out) {
        if self.hands_depth_on {
            out.push(*event);
        }
        let index = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
        if let (true, Some(market), Some(facts)) =
            (self.reads_depth, self.markets.get_mut(index), self.instruments.get(index))
        {
            market.apply(event, facts);
        }
    }

    /// Puts a position into the ledgers of the strategies on an instrument: what a test gives.
    pub(crate) fn adopt(&mut self, instrument: InstrumentId, position: Position) {
        for instance in self.instances.iter_mut().filter(|i| i.instrument == instrument) {
            instance.ledger = position;
        }
    }

    /// Returns what the rules of the strategies on an instrument said on their last trigger, by
    /// number, and whether the rule is a `cancel`: for tests of strategies.
    pub(crate) fn said(
        &self,
        instrument: InstrumentId,
    ) -> impl Iterator<Item = (u16, Truth, bool)> {
        let own = self.instances.iter().filter(move |i| i.instrument == instrument);
        own.flat_map(|instance| {
            let code = &instance.code;
            let asking = code.rules().len().saturating_add(code.quotes().len());
            let said = (0..).zip(code.said(&instance.registers));
            (instance.rule_base..)
                .zip(said)
                .map(move |(number, (nth, said))| (number, said, nth >= asking))
        })
    }

    /// Takes any event but depth. Apart, because most events are depth.
    #[inline(never)]
    #[expect(clippy::wildcard_enum_match_arm, reason = "a strategy is blind for all other kinds")]
    fn hear(&mut self, event: &Event, out: &mut Out) {
        if event.kind().lane() == Lane::Input {
            self.events = self.events.saturating_add(1);
        }
        let id = event.instrument;
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        let body = event.body();
        out.push(*event);
        match body {
            Body::Fill(fill) => return self.fill(event, &fill),
            Body::OrderAck(ack) if ack.stop || ack.order.is_engine() => {
                let own = |i: &&mut Instance| i.instrument == id && i.strategy == ack.strategy;
                if let Some(instance) = self.instances.iter_mut().find(own) {
                    instance.served(ack.order);
                }
            }
            Body::DayRoll(roll) => {
                // Monday may have passed while the session was down.
                let week = roll.date.week();
                let turns = self.week.is_some_and(|known| known != week);
                self.week = Some(week);
                for memory in &mut self.memories {
                    memory.roll(turns);
                }
            }
            Body::OrderDone(done) => {
                self.ordinal = 0;
                return self.order_done(event, &done, out);
            }
            _ => {}
        }
        self.ordinal = 0;
        if let (Some(market), Some(facts)) =
            (self.markets.get_mut(index), self.instruments.get(index))
        {
            market.apply(event, facts);
            if self.timed {
                self.begin_timers(event, out);
            }
        }
        match body {
            Body::Trade(_) => self.wake(event, out, |i| i.trigger == Trigger::Trade),
            Body::Quote(_) => self.wake(event, out, |i| i.book_is_due(event.ts)),
            Body::OrderAsked(asked) => asked::send(event, &asked, &mut self.ordinal, out),
            Body::Timer(timer) if self.timed => self.tick(event, &timer, out),
            Body::BarExtra(extra) => self.extra = extra,
            Body::Bar(prices) => {
                let BarExtra { start, length_ns, .. } = self.extra;
                let bar = ClosedBar { prices, end: start.plus(length_ns), length_ns };
                self.wake(event, out, |instance| {
                    let own = instance.trigger == Trigger::Bar(length_ns);
                    if own {
                        instance.bar = Some(bar);
                    }
                    own
                });
            }
            _ => {}
        }
    }

    fn wake(&mut self, event: &Event, out: &mut Out, wakes: impl Fn(&mut Instance) -> bool) {
        let place = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
        let count = self.by_instrument.get(place).map_or(0, Vec::len);
        for nth in 0..count {
            let index = self.by_instrument.get(place).and_then(|list| list.get(nth)).copied();
            let Some(index) = index else { continue };
            if self.instances.get_mut(index).is_some_and(&wakes) {
                self.run(index, event, out);
            }
        }
    }

    /// Lets the timers of an instrument begin with the first that is heard of it: before, there is
    /// nothing to decide on.
    fn begin_timers(&mut self, event: &Event, out: &mut Out) {
        let place = usize::try_from(event.instrument.0).unwrap_or(usize::MAX);
        let mut began = false;
        for index in self.by_instrument.get(place).into_iter().flatten() {
            if let Some(instance) = self.instances.get_mut(*index) {
                began |= instance.begin_timer(event.ts);
            }
        }
        if began {
            self.set_alarm(event, out);
        }
    }

    /// Runs every instance whose timer is due. One that comes late comes once: what was missed in
    /// between is not made up.
    fn tick(&mut self, event: &Event, timer: &Timer, out: &mut Out) {
        self.alarm.came(event.ts);
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get_mut(index) else { continue };
            if instance.timer_is_due(event.ts) {
                let event = Event::new(event.seq, event.ts, instance.instrument, timer);
                self.run(index, &event, out);
            }
        }
        self.set_alarm(event, out);
    }

    /// Asks for a timer at the first moment at which a strategy is due.
    fn set_alarm(&mut self, event: &Event, out: &mut Out) {
        let due = self.instances.iter().filter_map(Instance::timer_due).min();
        if let Some(due) = self.alarm.set(due) {
            out.push(Event::new(event.seq, event.ts, NO_INSTRUMENT, &Wake { due }));
        }
    }

    /// Runs one instance on its trigger.
    fn run(&mut self, index: usize, event: &Event, out: &mut Out) {
        let Self { instruments, markets, instances, memories, ordinal, ignored, .. } = self;
        let Some(instance) = instances.get_mut(index) else { return };
        let id = instance.instrument;
        let (Some(instrument), Some(market)) = (at(instruments, id), at(markets, id)) else {
            return;
        };
        let Some(memory) = memories.get_mut(usize::from(instance.strategy.0)) else { return };
        let mut desk = Desk { instrument, market, event, ordinal, out };
        let facts = world(instance, instrument, market, memory, event);
        instance.code.step(&facts, &mut instance.series, &mut instance.registers);
        match &mut instance.exit {
            Some(exit) if exit.order.is_some() => exit.due = true,
            Some(_) => desk.work_exit(instance),
            None => {}
        }
        let missed = fire(instance, &mut desk);
        *ignored = ignored.saturating_add(missed);
        let on = match instance.trigger {
            Trigger::Bar(_) => Occasion::Bar,
            Trigger::Book(_) => Occasion::Book,
            Trigger::Trade => Occasion::Trade,
            Trigger::Timer(_) => Occasion::Timer,
        };
        if instance.code.on(on).is_some() {
            happen(instance, on, (instrument, market), memory, event, None);
        }
    }

    fn fill(&mut self, event: &Event, fill: &Fill) {
        let id = event.instrument;
        let (Some(instrument), Some(market)) = (at(&self.instruments, id), at(&self.markets, id))
        else {
            return;
        };
        for instance in &mut self.instances {
            if instance.instrument == id && fill.liquidity == Liquidity::Liquidation {
                // The venue closed the account's position: every ledger goes flat with it.
                instance.liquidated();
                continue;
            }
            if instance.instrument != id || !instance.owns(fill.order) {
                continue;
            }
            let Some(booked) = instance.fill(fill, instrument, market, event.ts) else { continue };
            let strategy = usize::from(instance.strategy.0);
            let Some(memory) = self.memories.get_mut(strategy) else { continue };
            // A fill through zero ends one round trip and begins the next.
            let both = if booked.closed.is_some() && booked.fill.opens {
                [Occasion::Closed, Occasion::Fill]
            } else {
                [Occasion::Fill, Occasion::Closed]
            };
            for on in both {
                if on == Occasion::Fill || booked.closed.is_some() {
                    happen(instance, on, (instrument, market), memory, event, Some(&booked));
                }
            }
        }
    }

    fn order_done(&mut self, event: &Event, done: &OrderDone, out: &mut Out) {
        let Self { instruments, markets, instances, ordinal, .. } = self;
        for instance in instances.iter_mut().filter(|i| i.owns(done.order)) {
            let id = instance.instrument;
            let (Some(instrument), Some(market)) = (at(instruments, id), at(markets, id)) else {
                continue;
            };
            let waits = instance.waits_after(done);
            instance.ended(done.order, instrument, market);
            let mut desk = Desk { instrument, market, event, ordinal, out: &mut *out };
            // What a cap or the market left is worked on at once. After an order that was refused
            // or found nothing to trade with there is one more for each trigger: at the same
            // moment it would end the same way, again and again.
            if !waits && instance.exit.is_some_and(|exit| exit.order.is_none()) {
                desk.work_exit(instance);
            }
        }
    }
}

fn is_timer(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::Timer(_))
}

/// Returns the world as an instance reads it.
fn world<'a>(
    instance: &Instance,
    instrument: &'a Instrument,
    market: &'a Market,
    memory: &'a Memory,
    event: &Event,
) -> StrategyFacts<'a> {
    StrategyFacts {
        market,
        instrument,
        bar: instance.bar,
        position: instance.position(instrument, market),
        now: event.ts,
        quoted: [Side::Buy, Side::Sell].map(|side| instance.quoted(side)),
        memory,
        place: usize::try_from(instance.instrument.0).unwrap_or(usize::MAX),
        fill: None,
        closed: None,
    }
}

/// Sends what fires. Returns how many rules fired and sent nothing.
fn fire(instance: &mut Instance, desk: &mut Desk<'_>) -> u64 {
    let active = instance.code.is_active(desk.event.ts);
    let (mut entered, mut missed) = (false, 0_u64);
    for rule in 0..instance.code.rules().len() {
        if instance.code.fires(rule, &instance.registers) != Truth::True {
            continue;
        }
        let exit = instance.code.rules().get(rule).is_some_and(|code| code.exit);
        let sent = if exit {
            desk.exit(instance, rule)
        } else if entered || !active {
            false
        } else {
            entered = true;
            desk.enter(instance, rule)
        };
        if !sent {
            missed = missed.saturating_add(1);
        }
    }
    let cancels = 0..instance.code.cancels().len();
    let cancelled =
        cancels.into_iter().any(|index| instance.code.cancels_now(index, &instance.registers));
    if cancelled {
        desk.withdraw_all(instance);
    }
    for quote in 0..instance.code.quotes().len() {
        let wanted = active && !cancelled && instance.code.quotes_now(quote, &instance.registers);
        missed = missed.saturating_add(desk.quote(instance, quote, wanted));
    }
    missed
}

/// Lets an occasion change what the strategy remembers.
fn happen(
    instance: &mut Instance,
    on: Occasion,
    (instrument, market): (&Instrument, &Market),
    memory: &mut Memory,
    event: &Event,
    booked: Option<&Booked>,
) {
    let facts = StrategyFacts {
        fill: booked.map(|booked| &booked.fill),
        closed: booked.and_then(|booked| booked.closed.as_ref()),
        ..world(instance, instrument, market, memory, event)
    };
    let place = Place { place: facts.place, now: event.ts, whole: true, order: None };
    let Some(code) = instance.code.on(on) else { return };
    instance.code.restore(&instance.series, &mut instance.registers);
    code.run(&facts, &mut instance.registers);
    code.remember(&instance.registers, memory, place, None);
}

impl Stage for Strategy {
    #[inline(always)]
    fn step(&mut self, event: &Event, out: &mut Out) {
        // The touch comes as quotes; few rules look deeper.
        if matches!(event.kind(), Kind::BookLevel | Kind::BookClear) {
            self.events = self.events.saturating_add(1);
            if self.reads_depth | self.hands_depth_on {
                self.depth(event, out);
            }
        } else {
            self.hear(event, out);
        }
    }
}

impl Image for Strategy {
    fn save(&self, out: &mut ImageWriter) {
        out.put(IMAGE_VERSION);
        out.put(self.events);
        out.put(self.ignored);
        out.put_option(self.week);
        self.alarm.save(out);
        for market in &self.markets {
            market.save(out);
        }
        out.put_len(self.instances.len());
        for instance in &self.instances {
            instance.save(out);
        }
        out.put_len(self.memories.len());
        for memory in &self.memories {
            memory.save(out);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(IMAGE_VERSION)?;
        self.events = from.take()?;
        self.ignored = from.take()?;
        self.week = from.take_option()?;
        self.alarm.load(from)?;
        for market in &mut self.markets {
            market.load(from)?;
        }
        if from.take_len(self.instances.len())? != self.instances.len() {
            return Err(ImageError::Range);
        }
        for instance in &mut self.instances {
            instance.load(from)?;
        }
        if from.take_len(self.memories.len())? != self.memories.len() {
            return Err(ImageError::Range);
        }
        for memory in &mut self.memories {
            memory.load(from)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
