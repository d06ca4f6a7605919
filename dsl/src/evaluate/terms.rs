//! Values of expressions of a block, for people who ask what a verdict was made of.

use model::num::Rounding;

use super::readout::Readout;
use super::{Facts, Registers, Section};
use crate::value::Value;

/// One expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermCode {
    pub(crate) value: Readout,
    pub(crate) decimals: u8,
}

/// Expressions of a block bound to one instrument: read when somebody asks, never on the hot path.
#[derive(Clone, Debug)]
pub struct TermsCode {
    pub(crate) section: Section,
    pub(crate) registers: Registers,
    pub(crate) terms: Vec<TermCode>,
}

impl TermsCode {
    /// Returns the value of each expression with its decimals, rounded half to even; `na` where it
    /// is unknown.
    #[must_use]
    pub fn read<F: Facts>(&self, facts: &F) -> Vec<(Value, u8)> {
        let mut registers = self.registers.clone();
        self.section.run(facts, &mut registers);
        let read =
            |term: &TermCode| (term.value.read(&registers, Rounding::HalfEven), term.decimals);
        self.terms.iter().map(read).collect()
    }
}
