//! Binds what an explanation shows: the same expressions through the same compiler, read one by
//! one.
//!
//! A verdict's program keeps what decides and drops the rest: names are folded, shared, and have no
//! register of their own. So that an explanation can say what `room` was, its names are compiled
//! once more, apart from the hot path.

use super::lower::{Lower, Names};
use super::memory;
use super::{Binding, distinct, fault};
use crate::diagnostics::Diagnostic;
use crate::evaluate::{TermCode, TermsCode};
use crate::typed::{Expr, RiskBlock};

pub(crate) fn bind(
    block: &RiskBlock,
    shown: &[Expr],
    binding: &Binding<'_>,
) -> Result<TermsCode, Vec<Diagnostic>> {
    let mut lower = Lower::new(binding, Names::of(block), 0);
    lower.tolerate();
    let mut terms: Vec<TermCode> = Vec::new();
    for expr in shown {
        let (decimals, _) = lower.held(&expr.unit);
        let number = lower.lower(expr);
        terms.push(TermCode { value: lower.graph.readout(number, decimals, 1), decimals });
    }
    if !lower.found.is_empty() {
        return Err(distinct(lower.found));
    }
    let mut roots = Vec::new();
    terms.iter().for_each(|term| memory::readout_roots(&term.value, &mut roots));
    let mut layout =
        lower.graph.lay_out(&roots).map_err(|found| fault(&block.name, block.span, found))?;
    terms.iter_mut().for_each(|term| term.value.relocate(|node| layout.place(node)));
    Ok(TermsCode { section: layout.take_section(0), registers: layout.registers, terms })
}
