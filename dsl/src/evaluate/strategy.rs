//! A strategy block bound to one instrument.

use model::num::Rounding;
use model::order::{Cause, Side, TimeInForce};
use model::time::{Nanos, SECOND_NS};

use super::readout::Readout;
use super::{Cost, Facts, Input, OccasionCode, Part, Registers, Section, unless};
use crate::frame::FrameBar;
use crate::indicator::{FrameState, SeriesSpec, SeriesState};
use crate::memory::MemorySpec;
use crate::schema::Field;
use crate::span::Span;
use crate::typed::{Occasion, Trigger};
use crate::value::{Truth, Value};

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

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
    /// `tif`.
    pub tif: TimeInForce,
    /// `post_only`.
    pub post_only: bool,
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
    pub(crate) stop: Option<Readout>,
    pub(crate) strength: Option<Readout>,
}

/// How a size is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SizeCode {
    Qty(Readout),
    Money(Readout),
    Weight(Readout),
    Risk(Readout),
}

/// A `quote`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteCode {
    /// Reason code as written.
    pub code: String,
    /// `post_only`.
    pub post_only: bool,
    /// A time to live is written.
    pub has_ttl: bool,
    pub(crate) when: u16,
    pub(crate) unless: u16,
    /// Price and size of the bid.
    pub(crate) bid: Option<(Readout, SizeCode)>,
    /// Price and size of the offer.
    pub(crate) ask: Option<(Readout, SizeCode)>,
    pub(crate) ttl: Option<Readout>,
    pub(crate) replace: Option<u16>,
}

/// A `cancel`, as bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelCode {
    /// Reason code as written.
    pub code: String,
    pub(crate) when: u16,
    pub(crate) unless: u16,
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
    /// Price at which the position is given up: mantissa on the tick, rounded away from the order.
    pub stop: Option<Value>,
    /// How strong the signal is, in units of 1e-9.
    pub strength: Option<Value>,
}

/// Size of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeTerms {
    /// Quantity: mantissa, rounded down to the lot.
    Qty(Value),
    /// Money of the quote asset in units of 1e-9, rounded down; to be divided by the order's price.
    Money(Value),
    /// Share of the strategy's capital that its position is to have, in units of 1e-9.
    Weight(Value),
    /// Share of the strategy's capital that is lost at the stop, in units of 1e-9.
    Risk(Value),
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
    pub(crate) quotes: Vec<QuoteCode>,
    pub(crate) cancels: Vec<CancelCode>,
    pub(crate) active: Option<(i64, i64)>,
    pub(crate) memory: MemorySpec,
    pub(crate) occasions: Vec<(Occasion, OccasionCode)>,
    /// Registers of a step that occasions read.
    pub(crate) kept: Vec<u16>,
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
    /// Tells whether the book is read beyond its best prices.
    #[must_use]
    pub fn reads_depth(&self) -> bool {
        self.section.reads_depth()
    }

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
        state.keep(self.kept.len());
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
        for (place, value) in self.kept.iter().zip(state.kept_mut()) {
            *value = registers.get(*place);
        }
    }

    /// Returns what happens on an occasion, if anything does.
    #[must_use]
    pub fn on(&self, occasion: Occasion) -> Option<&OccasionCode> {
        self.occasions.iter().find(|(on, _)| *on == occasion).map(|(_, code)| code)
    }

    /// Puts back what the last step said, for an occasion that reads it: registers are scratch
    /// memory.
    pub fn restore(&self, state: &SeriesState, registers: &mut Registers) {
        let frames = self.frames.iter().zip(&state.frames);
        let held = frames.flat_map(|(code, state)| code.held.iter().zip(&state.held));
        for (place, value) in held.chain(self.kept.iter().zip(state.kept())) {
            registers.set(*place, *value);
        }
    }

    /// Returns what the strategy has to remember.
    #[must_use]
    pub fn memory(&self) -> &MemorySpec {
        &self.memory
    }

    /// Tells whether the strategy may open and quote at a moment.
    #[must_use]
    pub fn is_active(&self, now: Nanos) -> bool {
        let Some((from, to)) = self.active else { return true };
        let second = now.0.div_euclid(SECOND_NS).rem_euclid(DAY_SECONDS);
        // A window over midnight ends before it begins.
        if from < to { from <= second && second < to } else { second >= from || second < to }
    }

    /// Returns the quotes, in the order of the block.
    #[must_use]
    pub fn quotes(&self) -> &[QuoteCode] {
        &self.quotes
    }

    /// Returns the cancels, in the order of the block.
    #[must_use]
    pub fn cancels(&self) -> &[CancelCode] {
        &self.cancels
    }

    /// Returns whether quote `index` is to be worked; unknown is not.
    #[must_use]
    pub fn quotes_now(&self, index: usize, registers: &Registers) -> bool {
        self.quotes.get(index).is_some_and(|quote| {
            unless(registers.get(quote.when), registers.get(quote.unless)) == Truth::True
        })
    }

    /// Returns whether the working legs of quote `index` are to be replaced; unknown leaves them.
    #[must_use]
    pub fn replaces(&self, index: usize, registers: &Registers) -> bool {
        let replace = self.quotes.get(index).and_then(|quote| quote.replace);
        replace.is_some_and(|replace| registers.get(replace).is(true))
    }

    /// Returns what a leg of quote `index` asks for; none when the quote has no such leg.
    #[must_use]
    pub fn leg(&self, index: usize, side: Side, registers: &Registers) -> Option<OrderTerms> {
        let quote = self.quotes.get(index)?;
        let (price, size) = match side {
            Side::Buy => quote.bid?,
            Side::Sell => quote.ask?,
        };
        Some(OrderTerms {
            size: Some(size.read(registers)),
            price: Some(price.read(registers, favour(side))),
            protect: None,
            ttl_ns: quote.ttl.map_or(Value::known(0), |ttl| ttl.read(registers, Rounding::Floor)),
            stop: None,
            strength: None,
        })
    }

    /// Returns whether cancel `index` fires: unknown does.
    #[must_use]
    pub fn cancels_now(&self, index: usize, registers: &Registers) -> bool {
        self.cancels.get(index).is_some_and(|cancel| {
            unless(registers.get(cancel.when), registers.get(cancel.unless)) != Truth::False
        })
    }

    /// Returns what every rule said on the last step: enters and exits, quotes, cancels. A cancel
    /// whose condition is unknown fires.
    pub fn said<'a>(&'a self, registers: &'a Registers) -> impl Iterator<Item = Truth> + 'a {
        let rules = self.rules.iter().map(|rule| (rule.when, rule.unless));
        let quotes = self.quotes.iter().map(|quote| (quote.when, quote.unless));
        let cancels = self.cancels.iter().map(|cancel| (cancel.when, cancel.unless));
        let truth = |(when, except)| unless(registers.get(when), registers.get(except));
        let cancels = cancels.map(truth).map(|said| match said {
            Truth::Unknown(_) => Truth::True,
            Truth::True | Truth::False => said,
        });
        rules.chain(quotes).map(truth).chain(cancels)
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
            Trigger::Book(_) | Trigger::Trade | Trigger::Timer(_) => 0,
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
            return OrderTerms {
                size,
                price,
                protect: None,
                ttl_ns: Value::MISSING,
                stop: None,
                strength: None,
            };
        };
        let favour = favour(side);
        let down = |readout: Readout| readout.read(registers, Rounding::Floor);
        OrderTerms {
            size: rule.size.map(|size| size.read(registers)),
            price: rule.price.map(|price| price.read(registers, favour)),
            protect: rule.protect.map(down),
            ttl_ns: rule.ttl.map_or(Value::known(0), down),
            // A stop lies behind the position: rounded away from it, what it may lose is not less
            // than said.
            stop: rule.stop.map(|stop| stop.read(registers, favour)),
            strength: rule.strength.map(down),
        }
    }
}

impl SizeCode {
    fn read(self, registers: &Registers) -> SizeTerms {
        let down = |readout: Readout| readout.read(registers, Rounding::Floor);
        match self {
            Self::Qty(qty) => SizeTerms::Qty(down(qty)),
            Self::Money(money) => SizeTerms::Money(down(money)),
            Self::Weight(share) => SizeTerms::Weight(down(share)),
            Self::Risk(share) => SizeTerms::Risk(down(share)),
        }
    }
}

/// Prices are rounded against the order.
fn favour(side: Side) -> Rounding {
    match side {
        Side::Buy => Rounding::Floor,
        Side::Sell => Rounding::Ceil,
    }
}
