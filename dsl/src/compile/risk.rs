//! Binds risk blocks.

use model::num::MONEY_SCALE;

use super::graph::NodeId;
use super::lower::{Lower, Names};
use super::{Binding, distinct, fault, over_budget};
use crate::diagnostics::Diagnostic;
use crate::evaluate::{CapCode, CheckCode, Cost, LatchCode, RiskCode, Section};
use crate::typed::{Asset, Cap, Check, Latch, Measure, RiskBlock, Unit};

/// Sections, in the order of their making.
const LATCHES: usize = 0;
const CAPS: usize = 1;
const CHECKS: usize = 2;

pub(crate) fn bind(block: &RiskBlock, binding: &Binding<'_>) -> Result<RiskCode, Vec<Diagnostic>> {
    let names = Names { block: &block.name, params: &block.params, lets: &block.lets };
    let mut lower = Lower::new(binding, names, 0);
    let mut latches: Vec<_> = block.latches.iter().map(|one| latch(one, &mut lower)).collect();
    lower.next_section();
    let mut caps: Vec<_> = block.caps.iter().map(|one| cap(one, &mut lower)).collect();
    lower.next_section();
    let mut checks: Vec<_> = block.checks.iter().map(|one| check(one, &mut lower)).collect();
    if !lower.found.is_empty() {
        return Err(distinct(lower.found));
    }
    let roots = roots(&latches, &caps, &checks);
    let mut layout =
        lower.graph.lay_out(&roots).map_err(|found| fault(&block.name, block.span, found))?;
    let mut take = |index: usize| layout.sections.get_mut(index).map(std::mem::take);
    let [latch_section, cap_section, check_section] =
        [LATCHES, CAPS, CHECKS].map(|index| take(index).unwrap_or_default());
    let place = |node: NodeId| layout.place(node);
    for latch in &mut latches {
        latch.when = place(latch.when);
        latch.unless = latch.unless.map(place);
        if let Some(sides) = &mut latch.sides {
            sides.relocate(place);
        }
    }
    for cap in &mut caps {
        [cap.when, cap.unless] = [cap.when, cap.unless].map(|node| node.map(place));
        cap.bound.relocate(place);
    }
    for check in &mut checks {
        [check.condition, check.unless] = [check.condition, check.unless].map(place);
        if let Some(sides) = &mut check.sides {
            sides.relocate(place);
        }
    }
    let all = [&latch_section, &cap_section, &check_section];
    let cost = Cost {
        ops: all.iter().map(|section| section.ops()).sum(),
        checked_ops: all.iter().map(|section| section.checked_ops()).sum(),
        registers: layout.registers_used,
        state_bytes: 0,
    };
    if let Some(over) = over_budget(&block.name, block.span, block.budget, cost.ops) {
        return Err(vec![over]);
    }
    let reads = |section: &Section| section.loads.iter().map(|load| load.input).collect();
    Ok(RiskCode {
        latch_reads: reads(&latch_section),
        latches,
        caps,
        checks,
        latch_section,
        cap_section,
        check_section,
        registers: layout.registers,
        cost,
    })
}

fn latch<'a>(latch: &'a Latch, lower: &mut Lower<'a>) -> LatchCode {
    lower.enter(&latch.rule);
    LatchCode {
        code: latch.rule.code.clone(),
        span: latch.rule.span,
        effect: latch.effect,
        end: latch.end,
        held_ns: latch.held_ns,
        cancel_orders: latch.cancel_orders,
        notify: latch.notify,
        when: lower.condition(Some(&latch.when), true),
        unless: latch.unless.as_ref().map(|expr| lower.lower(expr).num),
        sides: lower.sides(&latch.when, true).map(Box::new),
    }
}

fn cap<'a>(cap: &'a Cap, lower: &mut Lower<'a>) -> CapCode {
    lower.enter(&cap.rule);
    let decimals = match cap.measure {
        Measure::Qty => lower.binding.instrument.qty_scale.decimals(),
        Measure::Notional => {
            lower.in_quote(&cap.bound);
            MONEY_SCALE
        }
        Measure::Value => {
            lower.in_asset(&cap.bound, &Unit::Money(Asset::Reporting));
            MONEY_SCALE
        }
    };
    // A cap below zero is a cap of zero, whoever says so.
    let bound = lower.lower(&cap.bound);
    let bound = lower.graph.unfloored(bound);
    CapCode {
        code: cap.rule.code.clone(),
        span: cap.rule.span,
        measure: cap.measure,
        bound: lower.graph.readout(bound, decimals, 1),
        when: cap.when.as_ref().map(|expr| lower.lower(expr).num),
        unless: cap.unless.as_ref().map(|expr| lower.lower(expr).num),
    }
}

fn check<'a>(check: &'a Check, lower: &mut Lower<'a>) -> CheckCode {
    lower.enter(&check.rule);
    CheckCode {
        code: check.rule.code.clone(),
        span: check.rule.span,
        require: check.require,
        condition: lower.condition(Some(&check.condition), true),
        unless: lower.condition(check.unless.as_ref(), false),
        sides: lower.sides(&check.condition, !check.require).map(Box::new),
    }
}

/// Returns everything that is read after a run.
fn roots(latches: &[LatchCode], caps: &[CapCode], checks: &[CheckCode]) -> Vec<NodeId> {
    let latches = latches.iter().map(|latch| (latch.when, latch.unless, &latch.sides));
    let checks = checks.iter().map(|check| (check.condition, Some(check.unless), &check.sides));
    let mut roots = Vec::new();
    for (condition, unless, sides) in latches.chain(checks) {
        roots.push(condition);
        roots.extend(unless);
        for readout in sides.iter().flat_map(|sides| [sides.observed, sides.limit]) {
            roots.push(readout.num);
            roots.extend(readout.den);
        }
    }
    for cap in caps {
        roots.push(cap.bound.num);
        roots.extend(cap.bound.den);
        roots.extend(cap.when.into_iter().chain(cap.unless));
    }
    roots
}
