//! What risk blocks remember, and what happens to it on an event: elements of windows, updates of
//! states, cooldowns that begin, throttles that count.

use dsl::evaluate::{Place, Registers};
use dsl::memory::{Memory, OrderKey};
use dsl::typed::{Occasion, Stream};
use dsl::value::Value;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::Fill;
use model::id::InstrumentId;
use model::instrument::Instrument;
use model::reject::Code;
use model::time::{Date, Nanos};

use super::facts::RiskFacts;
use super::given::{Given, Outside};
use super::rate::{Keys, Rates, Whose};
use crate::portfolio::fill::FillOutcome;
use crate::portfolio::ledger::Closed;
use crate::portfolio::{Portfolio, View, at, instrument_id};
use crate::program::{Bound, BoundRisk};

type Blocks = [Vec<(BoundRisk, Registers)>];

/// What is known for a moment only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) fill: Option<(Fill, FillOutcome)>,
    pub(super) closed: Option<Closed>,
}

/// Something that happens, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening<'a> {
    pub(super) on: Occasion,
    pub(super) whose: Whose,
    /// The order at hand, when one is approved.
    pub(super) order: Option<&'a super::facts::OrderView>,
    pub(super) moment: Moment,
}

/// The memories of all blocks, by block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Memories {
    blocks: Vec<Option<BlockMemory>>,
    keys: Keys,
    /// Number of the week of the last day that began.
    week: Option<i32>,
    /// Some block remembers, counts or cools down.
    any: bool,
    /// A latch reads what is remembered.
    pub(super) latched: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct BlockMemory {
    memory: Memory,
    rates: Rates,
    /// Number of its first rule in the rule table, and of its first throttle.
    throttles: u16,
    base: u16,
}

/// A throttle whose latch has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) code: Code,
    pub(super) armed: bool,
    pub(super) values: (i64, i64),
    pub(super) until: Nanos,
}

impl Memories {
    /// Makes all memory of a session.
    pub(super) fn new(bound: &Bound, instruments: &[Instrument], portfolio: &Portfolio) -> Self {
        let mut venues: Vec<&str> = Vec::new();
        let mut keys = Keys {
            accounts: Vec::new(),
            venues: Vec::new(),
            strategies: bound.strategies.len().max(1),
        };
        for (index, instrument) in instruments.iter().enumerate() {
            let venue = instrument.symbol.venue.as_deref().unwrap_or("");
            let place = venues.iter().position(|known| *known == venue).unwrap_or(venues.len());
            if place == venues.len() {
                venues.push(venue);
            }
            keys.venues.push(place);
            // An instrument without an account has one of its own, behind all others.
            let account = usize::from(portfolio.account(instrument_id(index)).0);
            keys.accounts.push(account.min(instruments.len()));
        }
        let count = bound.risk.iter().flatten().map(|block| block.block.saturating_add(1)).max();
        let mut blocks: Vec<Option<BlockMemory>> = vec![None; count.unwrap_or(0)];
        let mut latched = false;
        for block in bound.risk.iter().flatten() {
            let code = &block.code;
            latched |= code.latches_recall();
            let rates = !code.cooldowns().is_empty() || !code.throttles().is_empty();
            let Some(slot) = blocks.get_mut(block.block) else { continue };
            if slot.is_some() || (code.memory().is_empty() && !rates) {
                continue;
            }
            let before = code
                .latches()
                .len()
                .saturating_add(code.caps().len())
                .saturating_add(code.checks())
                .saturating_add(code.cooldowns().len());
            *slot = Some(BlockMemory {
                memory: Memory::new(code.memory(), instruments.len()),
                rates: Rates::new(code, &keys),
                throttles: u16::try_from(before).unwrap_or(u16::MAX),
                base: block.rule_base,
            });
        }
        let any = blocks.iter().any(Option::is_some);
        Self { blocks, keys, week: None, any, latched }
    }

    /// Tells whether anything is remembered at all.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Returns the memory of a block.
    #[inline]
    pub(super) fn of(&self, block: usize) -> Option<&Memory> {
        self.blocks.get(block)?.as_ref().map(|block| &block.memory)
    }

    /// Returns the rates of a block, and what they are counted by.
    pub(super) fn rates(&self, block: usize) -> Option<(&Rates, &Keys)> {
        self.blocks.get(block)?.as_ref().map(|block| (&block.rates, &self.keys))
    }

    /// Lets something happen to all blocks that hear of it. What arms is told.
    pub(super) fn happen<G: Given>(
        &mut self,
        blocks: &mut Blocks,
        world: (&Portfolio, &View<'_>, &Outside<G>),
        happening: &Happening<'_>,
        tell: &mut dyn FnMut(Reached),
    ) {
        let id = happening.whose.instrument;
        let place = usize::try_from(id.0).unwrap_or(usize::MAX);
        for entry in blocks.get_mut(place).into_iter().flatten() {
            let ours = &entry.0.strategies;
            if ours.as_ref().is_none_or(|ours| ours.contains(&happening.whose.strategy)) {
                self.happen_to(entry, world, happening, (true, None), tell);
            }
        }
    }

    /// Lets something happen to one block on one instrument. `whole` when what all instruments
    /// share is concerned too; `latch` is the rule whose latch has ended.
    fn happen_to<G: Given>(
        &mut self,
        (bound, registers): &mut (BoundRisk, Registers),
        (portfolio, view, outside): (&Portfolio, &View<'_>, &Outside<G>),
        happening: &Happening<'_>,
        (whole, latch): (bool, Option<u16>),
        tell: &mut dyn FnMut(Reached),
    ) {
        let Some(code) = bound.code.on(happening.on) else { return };
        let Self { blocks, keys, .. } = self;
        let Some(Some(own)) = blocks.get_mut(bound.block) else { return };
        let Happening { whose, order, moment, .. } = happening;
        let id = whose.instrument;
        let (Some(instrument), Some(market)) = (at(view.instruments, id), at(view.markets, id))
        else {
            return;
        };
        let facts = RiskFacts {
            portfolio,
            view: *view,
            id,
            instrument,
            market,
            strategy: Some(whose.strategy),
            order: *order,
            memory: None,
            moment: Some(moment),
            outside,
        };
        code.run(&RiskFacts { memory: Some(&own.memory), ..facts }, registers);
        let key = order.map(|order| order.key());
        let place = usize::try_from(id.0).unwrap_or(usize::MAX);
        let order = key.as_ref();
        let at = Place { place, now: view.now, whole, order };
        code.remember(registers, &mut own.memory, at, latch);
        if !whole {
            return;
        }
        for index in code.begins(registers) {
            let by = bound.code.cooldowns().get(usize::from(index)).map(|cooldown| cooldown.by);
            if let Some(by) = by {
                own.rates.begin(index, by, keys, whose, view.now);
            }
        }
        if bound.code.throttles().is_empty() {
            return;
        }
        let counted: [u64; 4] = code.counts(registers).fold([0; 4], |mut set, index| {
            if let Some(word) = set.get_mut(usize::from(index >> 6)) {
                *word |= 1 << (index & 63);
            }
            set
        });
        bound.code.run_rates(&RiskFacts { memory: Some(&own.memory), ..facts }, registers);
        for (index, throttle) in bound.code.throttles().iter().enumerate() {
            let word = counted.get(index >> 6).copied().unwrap_or(0);
            if word & (1 << (index & 63)) == 0 {
                continue;
            }
            let limit = bound.code.throttle(index, registers);
            let key = Rates::key(throttle.by, keys, whose);
            let most = limit.limit.number().and_then(|most| i64::try_from(most).ok()).unwrap_or(0);
            own.rates.count(u16::try_from(index).unwrap_or(u16::MAX), key, most, view.now);
            if let Some(values) = own.rates.reach(index, &limit, key, view.now) {
                tell(own.reached(index, true, values));
            }
        }
    }

    /// Lets something that is of no order happen to every block on every instrument.
    pub(super) fn happen_everywhere<G: Given>(
        &mut self,
        blocks: &mut Blocks,
        world: (&Portfolio, &View<'_>, &Outside<G>),
        on: Occasion,
    ) {
        for place in 0..blocks.len() {
            let count = blocks.get(place).map_or(0, Vec::len);
            for nth in 0..count {
                let whole = is_first(blocks, place, nth);
                let Some(entry) = blocks.get_mut(place).and_then(|list| list.get_mut(nth)) else {
                    continue;
                };
                let happening = nowhere(on, place);
                self.happen_to(entry, world, &happening, (whole, None), &mut |_| {});
            }
        }
    }

    /// The latch of a rule has ended: of one instrument, or of all that its block binds. Returns
    /// whether that changed a state.
    pub(super) fn latch_ended<G: Given>(
        &mut self,
        blocks: &mut Blocks,
        world: (&Portfolio, &View<'_>, &Outside<G>),
        (code, instrument): (Code, Option<InstrumentId>),
    ) -> bool {
        let Some(number) = code.rule_index() else { return false };
        let mut changed = false;
        for place in 0..blocks.len() {
            if instrument.is_some_and(|only| only != instrument_id(place)) {
                continue;
            }
            let count = blocks.get(place).map_or(0, Vec::len);
            for nth in 0..count {
                let whole = instrument.is_some() || is_first(blocks, place, nth);
                let Some(entry) = blocks.get_mut(place).and_then(|list| list.get_mut(nth)) else {
                    continue;
                };
                let Some(rule) = number.checked_sub(entry.0.rule_base) else { continue };
                if entry.0.code.hears_end_of(rule) {
                    let happening = nowhere(Occasion::LatchEnd, place);
                    self.happen_to(entry, world, &happening, (whole, Some(rule)), &mut |_| {});
                    changed = true;
                }
            }
        }
        changed
    }

    /// Ends latches of throttles that are over; `day` when a trading day begins.
    pub(super) fn end(&mut self, now: Nanos, day: bool, tell: &mut dyn FnMut(Reached)) {
        for own in self.blocks.iter_mut().flatten() {
            let (base, throttles) = (own.base, own.throttles);
            own.rates.end(now, day, &mut |index| {
                let code = code_of(base, throttles, index);
                tell(Reached { code, armed: false, values: (0, 0), until: Nanos(0) });
            });
        }
    }

    /// Ends the latch of a throttle of a block, if it is armed.
    pub(super) fn release(&mut self, block: usize, index: usize) -> Option<Reached> {
        let own = self.blocks.get_mut(block)?.as_mut()?;
        let code = code_of(own.base, own.throttles, index);
        let released = own.rates.release(index);
        released.then_some(Reached { code, armed: false, values: (0, 0), until: Nanos(0) })
    }

    /// Returns when the first latch of a throttle ends by time.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.blocks.iter().flatten().filter_map(|own| own.rates.due()).min()
    }

    /// A trading day begins. Returns whether any state fell back.
    pub(super) fn roll(&mut self, date: Date) -> bool {
        let week = date.week();
        let turns = self.week.is_some_and(|known| known != week);
        self.week = Some(week);
        let mut fell = false;
        for own in self.blocks.iter_mut().flatten() {
            fell |= own.memory.roll(turns);
            own.rates.roll();
        }
        fell
    }

    /// Returns the most events that one step can put out about latches of throttles.
    pub(super) fn events_max(bound: &Bound) -> usize {
        let throttles = bound.risk.iter().flatten().map(|block| block.code.throttles().len());
        throttles.fold(0, usize::saturating_add).saturating_mul(2)
    }
}

impl BlockMemory {
    fn reached(&self, index: usize, armed: bool, values: (i64, i64)) -> Reached {
        let until = self.rates.due().unwrap_or_default();
        Reached { code: code_of(self.base, self.throttles, index), armed, values, until }
    }
}

fn code_of(base: u16, throttles: u16, index: usize) -> Code {
    let offset = u16::try_from(index).unwrap_or(u16::MAX);
    Code::rule(base.saturating_add(throttles).saturating_add(offset))
}

/// Something that is of no order.
fn nowhere<'a>(on: Occasion, place: usize) -> Happening<'a> {
    let whose = Whose {
        instrument: instrument_id(place),
        strategy: model::id::ALL_STRATEGIES,
        side: model::order::Side::Buy,
    };
    Happening { on, whose, order: None, moment: Moment::default() }
}

/// Tells whether no earlier instrument has the same block.
fn is_first(blocks: &Blocks, place: usize, nth: usize) -> bool {
    let block = |list: &[(BoundRisk, Registers)], nth: usize| list.get(nth).map(|b| b.0.block);
    let own = blocks.get(place).and_then(|list| block(list, nth));
    let before = blocks.iter().take(place).flatten();
    own.is_some_and(|own| !before.into_iter().any(|(known, _)| known.block == own))
}

/// Returns what a block remembers; nothing where it has no memory.
pub(super) fn recall(
    memory: Option<&Memory>,
    what: dsl::evaluate::Recall,
    place: usize,
    now: Nanos,
    order: Option<&OrderKey>,
) -> Value {
    let Some(memory) = memory else { return Value::MISSING };
    match what {
        dsl::evaluate::Recall::State(index) => memory.state(index, place),
        dsl::evaluate::Recall::Window(index) => memory.window(index, place, now, order),
        // Of the market: asked before.
        dsl::evaluate::Recall::Depth(_) => Value::MISSING,
    }
}

/// Returns the occasion of an approved order's end, if rules hear of it.
pub(super) fn of_end(reason: model::order::DoneReason) -> Option<(Occasion, Stream)> {
    match reason {
        model::order::DoneReason::Cancelled => Some((Occasion::Cancel, Stream::Cancels)),
        model::order::DoneReason::Rejected => Some((Occasion::Reject, Stream::Rejects)),
        model::order::DoneReason::Filled | model::order::DoneReason::Expired => None,
    }
}

impl Image for Memories {
    fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.week);
        for own in self.blocks.iter().flatten() {
            own.memory.save(out);
            own.rates.save(out);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.week = from.take_option()?;
        for own in self.blocks.iter_mut().flatten() {
            own.memory.load(from)?;
            own.rates.load(from)?;
        }
        Ok(())
    }
}
