//! A risk block bound to one instrument.

use model::num::Rounding;
use model::order::Cause;

use super::readout::{Readout, Sides};
use super::{Cost, Facts, Input, OccasionCode, Outcome, Registers, Section, unless};
use crate::memory::MemorySpec;
use crate::schema::Field;
use crate::span::Span;
use crate::typed::{Effect, Key, LatchEnd, Measure, Occasion, Stream};
use crate::value::{Truth, Value};

/// A `halt`, `reduce_only` or `warn`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatchCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// What it does while armed.
    pub effect: Effect,
    /// How it ends.
    pub end: LatchEnd,
    /// For how long the condition must hold before the latch arms, in nanoseconds.
    pub held_ns: i64,
    /// `then cancel_orders`.
    pub cancel_orders: bool,
    /// `then notify`.
    pub notify: bool,
    /// `then flatten`.
    pub flatten: bool,
    /// It reads the level of the kill switch and nothing else that changes.
    pub level_only: bool,
    /// What a person may allow in place of its limit; none where it compares no such thing.
    pub allows: Option<Allows>,
    pub(crate) when: u16,
    pub(crate) unless: Option<u16>,
    /// Apart: read only when the statement says no.
    pub(crate) sides: Option<Box<Sides>>,
}

/// An allowance that a latch can be given: its condition compares a share or an amount with a
/// limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allows {
    /// How long an allowance lasts.
    pub period: Period,
    /// The limit is an amount of money, not a share or a number.
    pub money: bool,
}

/// The period of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// It begins anew with each day.
    Day,
    /// It begins anew with each week.
    Week,
    /// It never does.
    Always,
}

/// A `cap`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// What is bounded.
    pub measure: Measure,
    pub(crate) bound: Readout,
    pub(crate) when: Option<u16>,
    pub(crate) unless: Option<u16>,
}

/// A `deny` or `require`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// True for `require`.
    pub require: bool,
    pub(crate) condition: u16,
    pub(crate) unless: u16,
    /// Apart: read only when the statement says no.
    pub(crate) sides: Option<Box<Sides>>,
}

/// A `cooldown`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CooldownCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// After what.
    pub after: Occasion,
    /// For what each by itself.
    pub by: Key,
    pub(crate) length: Readout,
    pub(crate) unless: u16,
}

/// A `throttle`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// What is counted.
    pub flow: Stream,
    /// In how long, in nanoseconds; none is the trading day.
    pub per_ns: Option<i64>,
    /// For what each by itself.
    pub by: Key,
    /// Tokens come back evenly, up to the burst.
    pub bursts: bool,
    /// Armed when the limit is reached, until then.
    pub end: Option<LatchEnd>,
    pub(crate) limit: Readout,
    pub(crate) burst: Option<Readout>,
    pub(crate) when: u16,
    pub(crate) unless: u16,
}

/// What a throttle allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitCode {
    /// The most in its time; na when it is not known.
    pub limit: Value,
    /// The most at once; the limit where there is no burst.
    pub burst: Value,
    /// Whether the order is exempt.
    pub exempt: bool,
    /// Whether the order is of what is counted; an unknown `when` is.
    pub concerns: bool,
}

/// What a cap says to the order at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapBound {
    /// The order is exempt, or the cap's `when` is known to be false.
    Exempt,
    /// The most of the measure: money in units of 1e-9, or a quantity's mantissa. Rounded down,
    /// never negative.
    Bound(i128),
    /// The bound is not known, and why.
    Unknown(Cause),
}

/// A risk block bound to one instrument: sections, each run by itself.
#[derive(Clone, Debug)]
pub struct RiskCode {
    pub(crate) latches: Vec<LatchCode>,
    pub(crate) latches_vary: bool,
    pub(crate) caps: Vec<CapCode>,
    pub(crate) checks: Vec<CheckCode>,
    pub(crate) cooldowns: Vec<CooldownCode>,
    pub(crate) throttles: Vec<ThrottleCode>,
    /// By [`OCCASIONS`].
    pub(crate) occasions: [OccasionCode; OCCASIONS.len()],
    pub(crate) memory: MemorySpec,
    pub(crate) rate_section: Section,
    pub(crate) latch_section: Section,
    pub(crate) cap_section: Section,
    pub(crate) check_section: Section,
    pub(crate) latch_reads: Vec<Input>,
    pub(crate) registers: Registers,
    pub(crate) cost: Cost,
}

/// What a risk block hears of, in the order of their sections.
pub(crate) const OCCASIONS: [Occasion; 7] = [
    Occasion::Order,
    Occasion::Fill,
    Occasion::Closed,
    Occasion::Reject,
    Occasion::Cancel,
    Occasion::Timer,
    Occasion::LatchEnd,
];

impl RiskCode {
    /// Returns scratch memory for this program. Allocates: once, at bind.
    #[must_use]
    pub fn registers(&self) -> Registers {
        self.registers.clone()
    }

    /// Returns the latches, in the order of the block.
    #[must_use]
    pub fn latches(&self) -> &[LatchCode] {
        &self.latches
    }

    /// Returns the caps, in the order of the block.
    #[must_use]
    pub fn caps(&self) -> &[CapCode] {
        &self.caps
    }

    /// Returns the number of denies and requires.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.checks.len()
    }

    /// Returns the denies and requires, in the order of the block.
    #[must_use]
    pub fn check_codes(&self) -> &[CheckCode] {
        &self.checks
    }

    /// Returns the cooldowns, in the order of the block.
    #[must_use]
    pub fn cooldowns(&self) -> &[CooldownCode] {
        &self.cooldowns
    }

    /// Returns the throttles, in the order of the block.
    #[must_use]
    pub fn throttles(&self) -> &[ThrottleCode] {
        &self.throttles
    }

    /// Returns what the block remembers.
    #[must_use]
    pub fn memory(&self) -> &MemorySpec {
        &self.memory
    }

    /// Returns what happens to the memory on an occasion; nothing on one that risk does not hear
    /// of.
    #[must_use]
    pub fn on(&self, occasion: Occasion) -> Option<&OccasionCode> {
        let index = OCCASIONS.iter().position(|known| *known == occasion)?;
        self.occasions.get(index).filter(|code| !code.is_empty())
    }

    /// Tells whether the end of the latch of rule `rule` of this block changes a state.
    #[must_use]
    pub fn hears_end_of(&self, rule: u16) -> bool {
        self.on(Occasion::LatchEnd).is_some_and(|code| code.ends().any(|known| known == rule))
    }

    /// Evaluates what cooldowns and throttles ask of the order.
    pub fn run_rates<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        self.rate_section.run(facts, registers);
    }

    /// Returns the length of cooldown `index` in nanoseconds, rounded up, and whether the order is
    /// exempt. Unknown outside of the block.
    #[must_use]
    pub fn cooldown(&self, index: usize, registers: &Registers) -> (Value, bool) {
        match self.cooldowns.get(index) {
            Some(cooldown) => (
                cooldown.length.read(registers, Rounding::Ceil),
                registers.get(cooldown.unless).is(true),
            ),
            None => (Value::MISSING, false),
        }
    }

    /// Returns what throttle `index` allows. Unknown outside of the block.
    #[must_use]
    pub fn throttle(&self, index: usize, registers: &Registers) -> LimitCode {
        let Some(throttle) = self.throttles.get(index) else {
            let (limit, burst) = (Value::MISSING, Value::MISSING);
            return LimitCode { limit, burst, exempt: false, concerns: true };
        };
        let limit = throttle.limit.read(registers, Rounding::Floor);
        LimitCode {
            limit,
            burst: throttle.burst.map_or(limit, |burst| burst.read(registers, Rounding::Floor)),
            exempt: registers.get(throttle.unless).is(true),
            concerns: !registers.get(throttle.when).is(false),
        }
    }

    /// Returns everything that the latches read: an event that changes none of it changes no latch.
    #[must_use]
    pub fn reads(&self) -> &[Input] {
        &self.latch_reads
    }

    /// Tells whether a latch reads what the block remembers.
    #[must_use]
    pub fn latches_recall(&self) -> bool {
        let held = |what| !matches!(what, super::Recall::Depth(_));
        self.latch_section.recalls.iter().any(|recalled| held(recalled.what))
    }

    /// Tells whether any rule reads the book beyond its best prices.
    #[must_use]
    pub fn reads_depth(&self) -> bool {
        self.sections().any(Section::reads_depth)
    }

    /// Tells whether any rule reads the level of the kill switch.
    #[must_use]
    pub fn reads_level(&self) -> bool {
        self.sections().any(|section| section.reads(Field::ControlLevel))
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        let judged =
            [&self.latch_section, &self.cap_section, &self.check_section, &self.rate_section];
        let occasions = self.occasions.iter().map(|occasion| &occasion.section);
        judged.into_iter().chain(occasions)
    }

    /// Tells whether a latch reads the book beyond its best prices.
    #[must_use]
    pub fn latches_read_depth(&self) -> bool {
        self.latch_section.reads_depth()
    }

    /// Tells whether a latch reads what the block remembers of one instrument.
    #[must_use]
    pub fn latches_recall_local(&self) -> bool {
        self.latch_section.recalls.iter().any(|recalled| self.memory.is_local(recalled.what))
    }

    /// Tells whether a latch reads a parameter that has values of its own for some symbols.
    #[must_use]
    pub fn latches_vary(&self) -> bool {
        self.latches_vary
    }

    /// Returns the static cost, all sections together.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Evaluates the conditions of all latches.
    pub fn run_latches<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        self.latch_section.run(facts, registers);
    }

    /// Evaluates the bounds of all caps.
    pub fn run_caps<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        self.cap_section.run(facts, registers);
    }

    /// Evaluates all denies and requires.
    pub fn run_checks<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        self.check_section.run(facts, registers);
    }

    /// Returns whether the condition of latch `index` holds and its exemption does not; an unknown
    /// exemption is none. Unknown outside of the block.
    #[inline]
    #[must_use]
    pub fn latch(&self, index: usize, registers: &Registers) -> Truth {
        match self.latches.get(index) {
            Some(latch) => {
                let condition = registers.get(latch.when);
                match latch.unless {
                    Some(place) => unless(condition, registers.get(place)),
                    None => condition.truth(),
                }
            }
            None => Truth::Unknown(Cause::Missing),
        }
    }

    /// Returns the condition of latch `index` with another limit in place of its own.
    #[must_use]
    pub fn latch_against(&self, index: usize, registers: &Registers, limit: i64) -> Truth {
        let found = self.latches.get(index).and_then(|latch| Some((latch, latch.sides.as_ref()?)));
        let Some((latch, sides)) = found else { return Truth::Unknown(Cause::Missing) };
        let condition = sides.against(registers, limit);
        match latch.unless {
            Some(place) => unless(condition, registers.get(place)),
            None => condition.truth(),
        }
    }

    /// Returns what latch `index` observed and its limit, if its condition is a comparison of known
    /// values: money and shares in units of 1e-9, prices and quantities as mantissas, durations in
    /// nanoseconds. Values outside of `i64` end at its bounds.
    #[must_use]
    pub fn latch_values(&self, index: usize, registers: &Registers) -> Option<(i64, i64)> {
        self.latches.get(index)?.sides.as_ref()?.read(registers)
    }

    /// Returns what cap `index` says. Unknown outside of the block.
    #[inline]
    #[must_use]
    pub fn cap(&self, index: usize, registers: &Registers) -> CapBound {
        let Some(cap) = self.caps.get(index) else { return CapBound::Unknown(Cause::Missing) };
        let exempt = cap.unless.is_some_and(|place| registers.get(place).is(true));
        match cap.when.map_or(Truth::True, |place| registers.get(place).truth()) {
            _ if exempt => return CapBound::Exempt,
            Truth::False => return CapBound::Exempt,
            Truth::Unknown(cause) => return CapBound::Unknown(cause),
            Truth::True => {}
        }
        let bound = cap.bound.read(registers, Rounding::Floor);
        match bound.number() {
            Some(bound) => CapBound::Bound(bound.max(0)),
            None => CapBound::Unknown(bound.cause()),
        }
    }

    /// Returns what check `index` says: a `deny` refuses when its condition is not known to be
    /// false, a `require` when it is not known to be true. Refuses outside of the block.
    #[inline]
    #[must_use]
    pub fn check(&self, index: usize, registers: &Registers) -> Outcome {
        let Some(check) = self.checks.get(index) else { return Outcome::Refuse(Cause::Missing) };
        let condition = registers.get(check.condition);
        let passes = condition.is(check.require) | registers.get(check.unless).is(true);
        if !passes & condition.is_na() {
            return Outcome::Refuse(condition.cause());
        }
        // Without a jump, as in `unless`.
        if passes { Outcome::Pass } else { Outcome::Refuse(Cause::Known) }
    }

    /// Returns what check `index` observed and its limit, as [`RiskCode::latch_values`] does.
    #[must_use]
    pub fn check_values(&self, index: usize, registers: &Registers) -> Option<(i64, i64)> {
        self.checks.get(index)?.sides.as_ref()?.read(registers)
    }
}
