//! How often: cooldowns and throttles of one block, each counted by its key.
//!
//! A cooldown refuses for its length after an event. A throttle counts: over a sliding time, over
//! the trading day, or as tokens that come back evenly up to a burst. An order takes a token only
//! when it has passed everything; exempt orders count too. With an end (`until manual`), reaching
//! the limit latches it. All memory is made at start.

use dsl::evaluate::{LimitCode, RiskCode, ThrottleCode};
use dsl::memory::Counter;
use dsl::typed::{Key, LatchEnd, Stream};
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::id::{InstrumentId, StrategyId};
use model::order::{Cause, Side};
use model::time::Nanos;

use crate::portfolio::at;

/// How many there are of each key, and the keys of instruments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Account of each instrument.
    pub(super) accounts: Vec<usize>,
    /// Venue of each instrument.
    pub(super) venues: Vec<usize>,
    /// Number of strategies.
    pub(super) strategies: usize,
}

/// Whose event or order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) instrument: InstrumentId,
    pub(super) strategy: StrategyId,
    pub(super) side: Side,
}

/// What a rate says against an order, with what was observed and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Against {
    pub(super) cause: Cause,
    pub(super) values: (i64, i64),
}

/// Cooldowns and throttles of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    /// By cooldown, then key: when it began last; 0 before.
    cooldowns: Vec<Vec<Nanos>>,
    throttles: Vec<Throttle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Throttle {
    counts: Vec<Count>,
    end: Option<LatchEnd>,
    /// When its latch armed; none while it is not.
    armed: Option<Nanos>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Count {
    Sliding(Counter),
    Day(i64),
    Tokens(Tokens),
}

/// Tokens that come back evenly, in parts of one: a token is `per_ns` parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tokens {
    per_ns: i64,
    /// Parts that are taken.
    taken: i128,
    at: Nanos,
}

impl Keys {
    fn len(&self, key: Key) -> usize {
        let most = |list: &[usize]| list.iter().max().map_or(1, |most| most.saturating_add(1));
        match key {
            Key::Block => 1,
            Key::Symbol => self.accounts.len(),
            Key::Strategy => self.strategies.max(1),
            Key::Account => most(&self.accounts),
            Key::Venue => most(&self.venues),
            Key::Side => 2,
        }
    }

    fn of(&self, key: Key, whose: &Whose) -> usize {
        match key {
            Key::Block => 0,
            Key::Symbol => usize::try_from(whose.instrument.0).unwrap_or(usize::MAX),
            Key::Strategy => usize::from(whose.strategy.0),
            Key::Account => at(&self.accounts, whose.instrument).copied().unwrap_or(usize::MAX),
            Key::Venue => at(&self.venues, whose.instrument).copied().unwrap_or(usize::MAX),
            Key::Side => usize::from(whose.side == Side::Sell),
        }
    }
}

impl Tokens {
    /// Returns the parts still taken at `now`, when `limit` tokens come back each `per_ns`.
    fn taken(&self, now: Nanos, limit: i64) -> i128 {
        let passed = i128::from(now.since(self.at).max(0));
        self.taken.saturating_sub(passed.saturating_mul(i128::from(limit.max(0)))).max(0)
    }

    /// Returns how many tokens a taker finds missing, rounded up.
    fn missing(&self, now: Nanos, limit: i64) -> i64 {
        let token = i128::from(self.per_ns.max(1));
        let parts = self.taken(now, limit).saturating_add(token.saturating_sub(1));
        i64::try_from(parts.checked_div(token).unwrap_or(0)).unwrap_or(i64::MAX)
    }

    fn take(&mut self, now: Nanos, limit: i64) {
        self.taken = self.taken(now, limit).saturating_add(i128::from(self.per_ns));
        self.at = now;
    }
}

impl Count {
    fn new(code: &ThrottleCode) -> Self {
        match code.per_ns {
            Some(per_ns) if code.bursts => Self::Tokens(Tokens { per_ns, taken: 0, at: Nanos(0) }),
            Some(per_ns) => Self::Sliding(Counter::new(per_ns)),
            None => Self::Day(0),
        }
    }

    /// Returns how many are counted now.
    fn count(&self, now: Nanos, limit: i64) -> i64 {
        match self {
            Self::Sliding(counter) => counter.count(now),
            Self::Day(count) => *count,
            Self::Tokens(tokens) => tokens.missing(now, limit),
        }
    }

    fn add(&mut self, now: Nanos, limit: i64) {
        match self {
            Self::Sliding(counter) => counter.add(now),
            Self::Day(count) => *count = count.saturating_add(1),
            Self::Tokens(tokens) => tokens.take(now, limit),
        }
    }
}

impl Rates {
    /// Returns rates that nothing has happened to.
    pub(super) fn new(code: &RiskCode, keys: &Keys) -> Self {
        let cooldowns = code.cooldowns().iter().map(|one| vec![Nanos(0); keys.len(one.by)]);
        let throttles = code.throttles().iter().map(|one| Throttle {
            counts: vec![Count::new(one); keys.len(one.by)],
            end: one.end,
            armed: None,
        });
        Self { cooldowns: cooldowns.collect(), throttles: throttles.collect() }
    }

    /// A cooldown begins.
    pub(super) fn begin(&mut self, index: u16, key: Key, keys: &Keys, whose: &Whose, now: Nanos) {
        let slots = self.cooldowns.get_mut(usize::from(index));
        if let Some(slot) = slots.and_then(|slots| slots.get_mut(keys.of(key, whose))) {
            *slot = now;
        }
    }

    /// Returns what cooldown `index` says against an order.
    pub(super) fn cooling(
        &self,
        index: usize,
        length: dsl::value::Value,
        key: usize,
        now: Nanos,
    ) -> Option<Against> {
        let began = self.cooldowns.get(index)?.get(key).copied().unwrap_or(now);
        let Some(length) = length.number() else {
            return Some(Against { cause: length.cause(), values: (0, 0) });
        };
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let passed = now.since(began);
        (began != Nanos(0) && passed < length)
            .then_some(Against { cause: Cause::Known, values: (passed, length) })
    }

    /// A throttle counts one.
    pub(super) fn count(&mut self, index: u16, key: usize, limit: i64, now: Nanos) {
        let throttle = self.throttles.get_mut(usize::from(index));
        if let Some(count) = throttle.and_then(|throttle| throttle.counts.get_mut(key)) {
            count.add(now, limit);
        }
    }

    /// Returns what throttle `index` says against an order.
    pub(super) fn throttled(
        &self,
        index: usize,
        flow: Stream,
        limit: &LimitCode,
        key: usize,
        now: Nanos,
    ) -> Option<Against> {
        let throttle = self.throttles.get(index)?;
        if limit.exempt {
            return None;
        }
        let most = narrow(limit.limit);
        let count =
            throttle.counts.get(key).map_or(i64::MAX, |count| count.count(now, most.unwrap_or(0)));
        if throttle.armed.is_some() {
            return Some(Against { cause: Cause::Known, values: (count, most.unwrap_or(0)) });
        }
        if !limit.concerns {
            return None;
        }
        let Some(burst) = narrow(limit.burst).filter(|_| most.is_some()) else {
            let cause = if most.is_none() { limit.limit.cause() } else { limit.burst.cause() };
            return Some(Against { cause, values: (0, 0) });
        };
        // An order that is judged would be one more of those that are sent.
        let one = i64::from(matches!(flow, Stream::Orders | Stream::Messages));
        let over = count.saturating_add(one) > burst || (one == 0 && count >= burst);
        over.then_some(Against { cause: Cause::Known, values: (count, burst) })
    }

    /// Arms the latch of throttle `index` if its limit is reached; returns what was observed.
    pub(super) fn reach(
        &mut self,
        index: usize,
        limit: &LimitCode,
        key: usize,
        now: Nanos,
    ) -> Option<(i64, i64)> {
        let throttle = self.throttles.get_mut(index)?;
        let most = narrow(limit.burst)?;
        let count = throttle.counts.get(key)?.count(now, narrow(limit.limit)?);
        if throttle.end.is_none() || throttle.armed.is_some() || count < most {
            return None;
        }
        throttle.armed = Some(now);
        Some((count, most))
    }

    /// Ends the latch of a throttle whatever it counts; false when it is not armed.
    pub(super) fn release(&mut self, index: usize) -> bool {
        let armed = self.throttles.get_mut(index).and_then(|throttle| throttle.armed.take());
        armed.is_some()
    }

    /// Ends latches that are over at `now`; `day` when a trading day begins. Calls `tell` for each.
    pub(super) fn end(&mut self, now: Nanos, day: bool, tell: &mut dyn FnMut(usize)) {
        for (index, throttle) in self.throttles.iter_mut().enumerate() {
            let Some(since) = throttle.armed else { continue };
            let ends = match throttle.end {
                Some(LatchEnd::For(length)) => now.since(since) >= length,
                Some(LatchEnd::DayEnd) => day,
                // Until the flow has passed by: what it counts must have left its time.
                Some(LatchEnd::Clear) => {
                    throttle.counts.iter().all(|count| count.count(now, 0) == 0)
                }
                Some(LatchEnd::Manual) | None => false,
            };
            if ends {
                throttle.armed = None;
                tell(index);
            }
        }
    }

    /// Returns when the first latch ends by time.
    pub(super) fn due(&self) -> Option<Nanos> {
        let due = |throttle: &Throttle| match (throttle.armed, throttle.end) {
            (Some(since), Some(LatchEnd::For(length))) => Some(since.plus(length)),
            _ => None,
        };
        self.throttles.iter().filter_map(due).min()
    }

    /// A trading day begins.
    pub(super) fn roll(&mut self) {
        for count in self.throttles.iter_mut().flat_map(|throttle| &mut throttle.counts) {
            if let Count::Day(count) = count {
                *count = 0;
            }
        }
    }

    /// Returns the key of an order or event, for a rule that counts `by` it.
    pub(super) fn key(by: Key, keys: &Keys, whose: &Whose) -> usize {
        keys.of(by, whose)
    }
}

fn narrow(value: dsl::value::Value) -> Option<i64> {
    let number = value.number()?;
    Some(i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX }))
}

impl Image for Rates {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.cooldowns.len());
        for began in self.cooldowns.iter().flatten() {
            out.put(*began);
        }
        out.put_len(self.throttles.len());
        for throttle in &self.throttles {
            out.put_option(throttle.armed);
            for count in &throttle.counts {
                match count {
                    Count::Sliding(counter) => counter.save(out),
                    Count::Day(count) => out.put(*count),
                    Count::Tokens(tokens) => {
                        out.put(tokens.taken);
                        out.put(tokens.at);
                    }
                }
            }
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.cooldowns.len())? != self.cooldowns.len() {
            return Err(ImageError::Range);
        }
        for began in self.cooldowns.iter_mut().flatten() {
            *began = from.take()?;
        }
        if from.take_len(self.throttles.len())? != self.throttles.len() {
            return Err(ImageError::Range);
        }
        for throttle in &mut self.throttles {
            throttle.armed = from.take_option()?;
            for count in &mut throttle.counts {
                match count {
                    Count::Sliding(counter) => counter.load(from)?,
                    Count::Day(count) => *count = from.take()?,
                    Count::Tokens(tokens) => {
                        tokens.taken = from.take()?;
                        tokens.at = from.take()?;
                    }
                }
            }
        }
        Ok(())
    }
}
