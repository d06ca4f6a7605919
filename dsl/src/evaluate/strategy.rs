//! A strategy block bound to one instrument.

use model::num::Rounding;
use model::order::{Cause, Side};

use super::readout::Readout;
use super::{Cost, Facts, Input, Part, Registers, Section, unless};
use crate::frame::FrameBar;
use crate::indicator::{FrameState, SeriesSpec, SeriesState};
use crate::schema::Field;
use crate::span::Span;
use crate::typed::Trigger;
use crate::value::{Truth, Value};

/// An `enter` or `exit`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCode {
    /// Reason code as written.
    pub code: String,
    /// Where the statement stands.
    pub span: Span,
    /// True for `exit`.
    pub exit: bool,
    /// The side of the position: true for long.
    pub long: bool,
    /// `tif ioc`.
    pub ioc: bool,
    /// No limit price is written.
    pub at_market: bool,
    /// `where shortable`; on a cash account the rule then never fires.
    pub where_shortable: bool,
    /// A size is written; else, on an exit, the whole position.
    pub sized: bool,
    /// A time to live is written.
    pub has_ttl: bool,
    pub(crate) when: u16,
    pub(crate) unless: u16,
    pub(crate) size: Option<SizeCode>,
    pub(crate) price: Option<Readout>,
    pub(crate) protect: Option<Readout>,
    pub(crate) ttl: Option<Readout>,
}

/// How a size is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SizeCode {
    Qty(Readout),
    Money(Readout),
}

/// What a rule asks for. Each value may be unknown; an order with an unknown term is not to be
/// made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Size; none on an exit means the whole position.
    pub size: Option<SizeTerms>,
    /// Limit price: mantissa on the tick, rounded down for a buy and up for a sell; none is
    /// `at_market`.
    pub price: Option<Value>,
    /// Band of an `at_market` order as a rate in units of 1e-9, rounded down; none is the
    /// instrument's own.
    pub protect: Option<Value>,
    /// Time to live in nanoseconds; 0 when none is written.
    pub ttl_ns: Value,
}

/// Size of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeTerms {
    /// Quantity: mantissa, rounded down to the lot.
    Qty(Value),
    /// Money of the quote asset in units of 1e-9, rounded down; to be divided by the order's price.
    Money(Value),
}

/// What runs when a longer bar closes.
#[derive(Clone, Debug)]
pub(crate) struct FrameCode {
    pub(crate) length_ns: i64,
    pub(crate) section: Section,
    /// Registers that are read until the next one closes.
    pub(crate) held: Vec<u16>,
}

/// A strategy bound to one instrument.
#[derive(Clone, Debug)]
pub struct StrategyCode {
    pub(crate) trigger: Trigger,
    pub(crate) rules: Vec<RuleCode>,
    pub(crate) section: Section,
    pub(crate) series: Vec<SeriesSpec>,
    pub(crate) frames: Vec<FrameCode>,
    pub(crate) reads: Vec<Input>,
    pub(crate) registers: Registers,
    pub(crate) cost: Cost,
    pub(crate) warmup: u64,
    pub(crate) stability: u64,
}

impl StrategyCode {
    /// Returns scratch memory for this program. Allocates: once, at bind.
    #[must_use]
    pub fn registers(&self) -> Registers {
        self.registers.clone()
    }

    /// Returns series without history, with all memory they will ever need.
    #[must_use]
    pub fn new_state(&self) -> SeriesState {
        let mut state = SeriesState::new(&self.series);
        for frame in &self.frames {
            state.add_frame(frame.length_ns, frame.held.len());
        }
        state
    }

    /// Returns what wakes the strategy.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Returns the number of steps after which every series has a value, inputs always known.
    #[must_use]
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// Returns the number of steps after which the seed of every `ema` weighs less than 1e-6.
    #[must_use]
    pub fn stability(&self) -> u64 {
        self.stability
    }

    /// Returns the static cost of a step.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Returns everything that a step reads.
    #[must_use]
    pub fn reads(&self) -> &[Input] {
        &self.reads
    }

    /// Returns the rules, in the order of the block.
    #[must_use]
    pub fn rules(&self) -> &[RuleCode] {
        &self.rules
    }

    /// Advances every series, in the order of declaration, and evaluates everything. Longer bars
    /// that close at this step come first: a bar that ends now is the last closed one.
    pub fn step<F: Facts>(&self, facts: &F, state: &mut SeriesState, registers: &mut Registers) {
        if !self.frames.is_empty() {
            self.step_frames(facts, state, registers);
        }
        let update = |series, inputs| state.update(usize::from(series), inputs);
        self.section.run_with_series(facts, registers, update);
    }

    fn step_frames<F: Facts>(&self, facts: &F, state: &mut SeriesState, registers: &mut Registers) {
        let mut frames = std::mem::take(&mut state.frames);
        let (bar, span) = (self.bar(facts), self.bar_length());
        for (code, FrameState { frame, held }) in self.frames.iter().zip(&mut frames) {
            // Registers are scratch memory: what is held between bars is part of the state.
            for (place, value) in code.held.iter().zip(held.iter()) {
                registers.set(*place, *value);
            }
            let Some(bar) = &bar else { continue };
            frame.take(bar, span, |closed| {
                code.section.run_with_series(closed, registers, |series, inputs| {
                    state.update(usize::from(series), inputs)
                });
            });
            for (place, value) in code.held.iter().zip(held) {
                *value = registers.get(*place);
            }
        }
        state.frames = frames;
    }

    /// Returns the bar that wakes the strategy.
    fn bar<F: Facts>(&self, facts: &F) -> Option<FrameBar> {
        let read = |field| facts.read(&Input { field, part: Part::Whole, asset: None }).number();
        Some(FrameBar {
            open: read(Field::BarOpen)?,
            high: read(Field::BarHigh)?,
            low: read(Field::BarLow)?,
            close: read(Field::BarClose)?,
            volume: read(Field::BarVolume)?,
            end: read(Field::BarTime)?,
        })
    }

    fn bar_length(&self) -> i128 {
        match self.trigger {
            Trigger::Bar(length) => i128::from(length),
            Trigger::Book(_) | Trigger::Trade => 0,
        }
    }

    /// Returns whether the condition of rule `index` holds and its exemption does not; an unknown
    /// exemption is none. Unknown outside of the block.
    #[must_use]
    pub fn fires(&self, index: usize, registers: &Registers) -> Truth {
        match self.rules.get(index) {
            Some(rule) => unless(registers.get(rule.when), registers.get(rule.unless)),
            None => Truth::Unknown(Cause::Missing),
        }
    }

    /// Returns what rule `index` asks for, given the side of the order. All unknown outside of the
    /// block.
    #[must_use]
    pub fn order(&self, index: usize, side: Side, registers: &Registers) -> OrderTerms {
        let Some(rule) = self.rules.get(index) else {
            let (size, price) = (Some(SizeTerms::Qty(Value::MISSING)), Some(Value::MISSING));
            return OrderTerms { size, price, protect: None, ttl_ns: Value::MISSING };
        };
        let favour = match side {
            Side::Buy => Rounding::Floor,
            Side::Sell => Rounding::Ceil,
        };
        let down = |readout: Readout| readout.read(registers, Rounding::Floor);
        OrderTerms {
            size: rule.size.map(|size| match size {
                SizeCode::Qty(qty) => SizeTerms::Qty(down(qty)),
                SizeCode::Money(money) => SizeTerms::Money(down(money)),
            }),
            price: rule.price.map(|price| price.read(registers, favour)),
            protect: rule.protect.map(down),
            ttl_ns: rule.ttl.map_or(Value::known(0), down),
        }
    }
}
