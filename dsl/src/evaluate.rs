//! Runs a flat program over facts: integers in registers, no tree, no jump, no allocation.
//!
//! A program is made by [`crate::compile`] for one instrument and never changes. `Registers` are
//! its scratch memory; after a section has run, its answers are read from them. What is unknown
//! stays unknown with a cause: the answers say so, and the caller treats them as rules-language.md
//! 6 says. The risk stage runs `RiskCode`, the strategy stage `StrategyCode`.
//!
//! ```text
//! facts --loads--> registers --operations--> registers --answers--> verdict, cap, order terms
//! ```
//!
//! Before any section has run, every answer is unknown (MISSING), so a forgotten run refuses.

use model::id::AssetId;
use model::order::Cause;

use crate::indicator::INPUTS_MAX;
use crate::schema::Field;
use crate::value::{Truth, Value};

/// What happens to a block's memory on an event.
mod occasion;
/// What the operations do.
pub(crate) mod op;
/// Numbers out of registers, rounded.
pub(crate) mod readout;
mod risk;
mod strategy;
/// Values that explanations show.
mod terms;

pub(crate) use occasion::{IntakeCode, StateCode, UpdateCode};
pub use occasion::{OccasionCode, Place};
use op::Op;
pub(crate) use risk::OCCASIONS;
pub use risk::{
    Allows, CapBound, CapCode, CheckCode, CooldownCode, LatchCode, LimitCode, Period, RiskCode,
    ThrottleCode,
};
pub use strategy::{CancelCode, OrderTerms, QuoteCode, RuleCode, SizeTerms, StrategyCode};
pub(crate) use strategy::{FrameCode, SizeCode};
pub(crate) use terms::TermCode;
pub use terms::TermsCode;

/// LIMIT: registers of one bound program. 256 rules (the verdict's rule set) of eight values each.
pub const REGISTERS_MAX: usize = 2048;

/// A value has 16 bytes.
const VALUE_SHIFT: u32 = 4;

/// Which part of a fact is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// All of it, at the scale of the field's type.
    Whole,
    /// Numerator of a share or a price ratio.
    Over,
    /// Denominator of a share or a price ratio; any sign, zero gives DIV0.
    Under,
}

/// One question to the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The field.
    pub field: Field,
    /// Which part of it.
    pub part: Part,
    /// Asset argument of `account.free` and its like. None there means the asset that the order at
    /// hand pays with; other fields have none.
    pub asset: Option<AssetId>,
}

/// One question to the memory of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recall {
    /// State number so-and-so.
    State(u16),
    /// Window number so-and-so.
    Window(u16),
    /// Quantity in the book: of the market, asked for like a memory because it has arguments.
    Depth(crate::typed::Depth),
}

/// Answers what a program reads. Each distinct input is asked once in a run of a section.
pub trait Facts {
    /// Returns the fact, or `na` with its cause.
    fn read(&self, input: &Input) -> Value;

    /// Returns what the block remembers; blocks without memory never ask.
    fn recall(&self, what: Recall) -> Value {
        let _ = what;
        Value::MISSING
    }
}

/// Places are below the length, as the compiler made them; masked, they need no test.
type File = [Value; REGISTERS_MAX];

/// Scratch memory of one bound program, with its constants in place. Registers of one program mean
/// nothing to another.
#[derive(Clone)]
pub struct Registers {
    values: Box<File>,
}

/// What a `deny` or `require` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing against the order.
    Pass,
    /// Refuses: [`Cause::Known`] when the condition is known, else why it is not.
    Refuse(Cause),
}

/// What a bound program costs; nothing depends on data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Facts read, operations and series updates, all sections together.
    pub ops: usize,
    /// Those of the operations that test for overflow, because it is not proved away.
    pub checked_ops: usize,
    /// Registers, constants included.
    pub registers: usize,
    /// Bytes of series state.
    pub state_bytes: usize,
}

/// A fact to be read, and the range outside of which it counts as OVERFLOW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) input: Input,
    /// Smallest value admitted.
    pub(crate) lo: i128,
    /// Largest value admitted, less the smallest.
    pub(crate) width: u128,
}

/// What the block remembers, read into a register within a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recalled {
    pub(crate) what: Recall,
    pub(crate) dst: u16,
    /// Smallest value admitted.
    pub(crate) lo: i128,
    /// Largest value admitted, less the smallest.
    pub(crate) width: u128,
}

/// A part of a program that runs in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// Facts, for one register after the other.
    pub(crate) loads: Vec<Load>,
    /// Register of the first fact.
    pub(crate) first: u16,
    /// What the block remembers, each with its register.
    pub(crate) recalls: Vec<Recalled>,
    /// Operations, in the order of computing.
    pub(crate) ops: Vec<Op>,
    /// Series updates, in the order of computing.
    pub(crate) updates: Vec<Update>,
}

/// A step of a series between two operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    /// Number of operations that come before it.
    pub(crate) after: usize,
    /// Number of the series.
    pub(crate) series: u16,
    /// Registers of the inputs; those that a series does not have repeat one that it has.
    pub(crate) inputs: [u16; INPUTS_MAX],
    /// Register of the result.
    pub(crate) dst: u16,
}

impl std::fmt::Debug for Registers {
    /// Only what is known, by place: most registers of most programs are never used.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.values.iter().enumerate().filter(|(_, value)| !value.is_na());
        out.debug_map().entries(known.map(|(place, value)| (place, value.raw()))).finish()
    }
}

impl Registers {
    /// Returns registers with constants at their places.
    #[expect(clippy::large_stack_arrays, reason = "32 KiB for a moment, when a program is bound")]
    pub(crate) fn new(constants: &[(u16, Value)]) -> Self {
        let mut values = Box::new([Value::MISSING; REGISTERS_MAX]);
        for (place, value) in constants {
            set(&mut values, *place, *value);
        }
        Self { values }
    }

    /// Puts a value into a register.
    #[inline]
    pub(crate) fn set(&mut self, place: u16, value: Value) {
        set(&mut self.values, place, value);
    }

    /// Returns a register's value.
    #[inline]
    pub(crate) fn get(&self, place: u16) -> Value {
        get(&self.values, place)
    }
}

impl Section {
    /// Reads all facts and runs all operations of a section without series.
    #[inline]
    pub(crate) fn run<F: Facts>(&self, facts: &F, registers: &mut Registers) {
        let file = &mut *registers.values;
        self.load(facts, file);
        operate(&self.ops, file);
    }

    /// Reads all facts and runs all operations; `update` advances series number so-and-so.
    #[inline]
    pub(crate) fn run_with_series<F: Facts>(
        &self,
        facts: &F,
        registers: &mut Registers,
        mut update: impl FnMut(u16, [Value; INPUTS_MAX]) -> Value,
    ) {
        let file = &mut *registers.values;
        self.load(facts, file);
        let mut done = 0;
        for &Update { after, series, inputs, dst } in &self.updates {
            operate(self.ops.get(done..after).unwrap_or_default(), file);
            done = after;
            let [first, second, third] = inputs;
            let value = update(series, [get(file, first), get(file, second), get(file, third)]);
            set(file, dst, value);
        }
        operate(self.ops.get(done..).unwrap_or_default(), file);
    }

    #[inline(always)]
    fn load<F: Facts>(&self, facts: &F, file: &mut File) {
        let mut slots = file.iter_mut().skip(register(self.first));
        for load in &self.loads {
            let Some(slot) = slots.next() else { break };
            *slot = load.read(facts);
        }
        for recalled in &self.recalls {
            let value = admit(facts.recall(recalled.what), recalled.lo, recalled.width);
            set(file, recalled.dst, value);
        }
    }

    /// Tells whether a field is read.
    pub(crate) fn reads(&self, field: Field) -> bool {
        self.loads.iter().any(|load| load.input.field == field)
    }

    /// Tells whether the book is read beyond its best prices.
    pub(crate) fn reads_depth(&self) -> bool {
        self.recalls.iter().any(|recalled| matches!(recalled.what, Recall::Depth(_)))
    }

    /// Returns the number of steps.
    pub(crate) fn ops(&self) -> usize {
        let reads = self.loads.len().saturating_add(self.recalls.len());
        self.ops.len().saturating_add(reads).saturating_add(self.updates.len())
    }

    /// Returns the number of operations that test for overflow.
    pub(crate) fn checked_ops(&self) -> usize {
        self.ops.iter().filter(|op| op.code.is_checked()).count()
    }
}

impl Load {
    /// Reads the fact. Out of line: inside of a loop the optimiser would make every answer ready
    /// before the first is asked for, again for each section.
    #[inline(always)]
    fn read<F: Facts>(&self, facts: &F) -> Value {
        admit(std::hint::black_box(facts).read(&self.input), self.lo, self.width)
    }
}

/// The proofs of the compiler rest on this test, not on the good will of the facts.
#[inline(always)]
fn admit(value: Value, lo: i128, width: u128) -> Value {
    // One unsigned test for both ends; every `na` lies far below any range.
    if value.raw().wrapping_sub(lo).cast_unsigned() <= width { value } else { outside(value) }
}

/// The one loop over operations, for all programs: small enough to stay in the cache.
#[inline(never)]
fn operate(ops: &[Op], file: &mut File) {
    for op in ops {
        let value = op::apply(op.code, |place| get(file, arg(op, place)));
        set(file, op.dst, value);
    }
}

/// Returns a fact outside of its range: what is unknown stays so.
#[cold]
fn outside(value: Value) -> Value {
    if value.is_na() { value } else { Value::na(Cause::Overflow) }
}

/// Returns the place of a register, as operations and answers name it: its distance in bytes, so
/// that the shift back and the shift of the access cancel.
pub(crate) fn place(register: u16) -> u16 {
    register << VALUE_SHIFT
}

/// Registers are below the limit, as the compiler made them; the mask tells the optimiser so.
#[inline(always)]
fn register(place: u16) -> usize {
    usize::from(place >> VALUE_SHIFT) & (REGISTERS_MAX - 1)
}

#[inline(always)]
fn get(file: &File, place: u16) -> Value {
    file.get(register(place)).copied().unwrap_or(Value::MISSING)
}

#[inline(always)]
fn set(file: &mut File, place: u16, value: Value) {
    if let Some(slot) = file.get_mut(register(place)) {
        *slot = value;
    }
}

#[inline(always)]
fn arg(op: &Op, place: usize) -> u16 {
    op.args.get(place).copied().unwrap_or(0)
}

const _: () = assert!(REGISTERS_MAX.is_power_of_two());
const _: () = assert!(size_of::<Value>() == 1 << VALUE_SHIFT);
const _: () = assert!(REGISTERS_MAX << VALUE_SHIFT <= 1 << u16::BITS);

/// Returns whether a condition holds and its exemption does not. An unknown exemption is none.
#[inline]
pub(crate) fn unless(condition: Value, exemption: Value) -> Truth {
    let exempt = exemption.is(true);
    if condition.is_na() & !exempt {
        return Truth::Unknown(condition.cause());
    }
    // Without a jump: whether a rule holds is what no branch predictor knows.
    if exempt | condition.is(false) { Truth::False } else { Truth::True }
}

#[cfg(test)]
mod tests;
