//! Binds risk blocks.

use model::num::MONEY_SCALE;

use super::graph::{Layout, NodeId};
use super::lower::{Lower, Names};
use super::memory::{self, Keeps};
use super::{Binding, distinct, fault, over_budget};
use crate::check::names::children;
use crate::diagnostics::Diagnostic;
use crate::evaluate::{
    Allows, CapCode, CheckCode, CooldownCode, Cost, LatchCode, OCCASIONS, Period, RiskCode,
    Section, ThrottleCode,
};
use crate::schema::Field;
use crate::typed::{
    Asset, Cap, Check, Compare, Cooldown, Expr, ExprKind, Latch, Measure, RiskBlock, Throttle, Unit,
};

/// Sections, in the order of their making; behind them those of `OCCASIONS`.
const LATCHES: usize = 0;
const CAPS: usize = 1;
const CHECKS: usize = 2;
const RATES: usize = 3;
const EVENTS: usize = 4;

pub(crate) fn bind(block: &RiskBlock, binding: &Binding<'_>) -> Result<RiskCode, Vec<Diagnostic>> {
    let mut lower = Lower::new(binding, Names::of(block), 0);
    let keeps = Keeps::of(block);
    let mut latches: Vec<_> = block.latches.iter().map(|one| latch(one, &mut lower)).collect();
    let latches_vary = lower.has_chosen();
    lower.next_section();
    let mut caps: Vec<_> = block.caps.iter().map(|one| cap(one, &mut lower)).collect();
    lower.next_section();
    let mut checks: Vec<_> = block.checks.iter().map(|one| check(one, &mut lower)).collect();
    lower.next_section();
    let mut cooldowns: Vec<_> =
        block.cooldowns.iter().map(|one| cooldown(one, &mut lower)).collect();
    let mut throttles: Vec<_> =
        block.throttles.iter().map(|one| throttle(one, &mut lower)).collect();
    let memory = memory::spec(keeps, &mut lower);
    let mut occasions = OCCASIONS.map(|occasion| {
        lower.next_section();
        memory::occasion(keeps, occasion, &mut lower)
    });
    if !lower.found.is_empty() {
        return Err(distinct(lower.found));
    }
    let mut roots = roots(&latches, &caps, &checks);
    rate_roots(&cooldowns, &throttles, &mut roots);
    occasions.iter().for_each(|occasion| memory::roots(occasion, &mut roots));
    let mut layout =
        lower.graph.lay_out(&roots).map_err(|found| fault(&block.name, block.span, found))?;
    let mut take = |index: usize| layout.sections.get_mut(index).map(std::mem::take);
    let [latch_section, cap_section, check_section, rate_section] =
        [LATCHES, CAPS, CHECKS, RATES].map(|index| take(index).unwrap_or_default());
    for (index, occasion) in (EVENTS..).zip(&mut occasions) {
        occasion.section = take(index).unwrap_or_default();
    }
    relocate(&mut latches, &mut caps, &mut checks, &layout);
    relocate_rates(&mut cooldowns, &mut throttles, &layout);
    occasions.iter_mut().for_each(|occasion| memory::relocate(occasion, |node| layout.place(node)));
    let judged = [&latch_section, &cap_section, &check_section, &rate_section];
    let all = || judged.into_iter().chain(occasions.iter().map(|occasion| &occasion.section));
    let cost = Cost {
        ops: all().map(Section::ops).sum(),
        checked_ops: all().map(Section::checked_ops).sum(),
        registers: layout.registers_used,
        state_bytes: memory.bytes(1),
    };
    if let Some(over) = over_budget(&block.name, block.span, block.budget, cost.ops) {
        return Err(vec![over]);
    }
    let reads = |section: &Section| section.loads.iter().map(|load| load.input).collect();
    Ok(RiskCode {
        latch_reads: reads(&latch_section),
        latches,
        latches_vary,
        caps,
        checks,
        cooldowns,
        throttles,
        occasions,
        memory,
        rate_section,
        latch_section,
        cap_section,
        check_section,
        registers: layout.registers,
        cost,
    })
}

/// Gives latches, caps and checks the registers of their nodes.
fn relocate(
    latches: &mut [LatchCode],
    caps: &mut [CapCode],
    checks: &mut [CheckCode],
    layout: &Layout,
) {
    let place = |node: NodeId| layout.place(node);
    for latch in latches {
        latch.when = place(latch.when);
        latch.unless = latch.unless.map(place);
        if let Some(sides) = &mut latch.sides {
            sides.relocate(place);
        }
    }
    for cap in caps {
        [cap.when, cap.unless] = [cap.when, cap.unless].map(|node| node.map(place));
        cap.bound.relocate(place);
    }
    for check in checks {
        [check.condition, check.unless] = [check.condition, check.unless].map(place);
        if let Some(sides) = &mut check.sides {
            sides.relocate(place);
        }
    }
}

fn relocate_rates(cooldowns: &mut [CooldownCode], throttles: &mut [ThrottleCode], layout: &Layout) {
    let place = |node: NodeId| layout.place(node);
    for cooldown in cooldowns {
        cooldown.length.relocate(place);
        cooldown.unless = place(cooldown.unless);
    }
    for throttle in throttles {
        throttle.limit.relocate(place);
        if let Some(burst) = &mut throttle.burst {
            burst.relocate(place);
        }
        [throttle.when, throttle.unless] = [throttle.when, throttle.unless].map(place);
    }
}

fn rate_roots(cooldowns: &[CooldownCode], throttles: &[ThrottleCode], roots: &mut Vec<NodeId>) {
    for cooldown in cooldowns {
        memory::readout_roots(&cooldown.length, roots);
        roots.push(cooldown.unless);
    }
    for throttle in throttles {
        memory::readout_roots(&throttle.limit, roots);
        throttle.burst.iter().for_each(|burst| memory::readout_roots(burst, roots));
        roots.extend([throttle.when, throttle.unless]);
    }
}

fn cooldown<'a>(cooldown: &'a Cooldown, lower: &mut Lower<'a>) -> CooldownCode {
    lower.enter(&cooldown.rule);
    let length = lower.lower(&cooldown.length);
    CooldownCode {
        code: cooldown.rule.code.clone(),
        span: cooldown.rule.span,
        after: cooldown.after,
        by: cooldown.by,
        length: lower.graph.readout(length, 0, 1),
        unless: lower.condition(cooldown.unless.as_ref(), false),
    }
}

fn throttle<'a>(throttle: &'a Throttle, lower: &mut Lower<'a>) -> ThrottleCode {
    lower.enter(&throttle.rule);
    let limit = lower.lower(&throttle.limit);
    let burst = throttle.burst.as_ref().map(|burst| lower.lower(burst));
    let per = throttle.per.as_ref().and_then(|per| lower.constant(per));
    // What of fills and their like is counted is asked on those, and orders are of no kind.
    let is_sent = crate::typed::Occasion::Order == throttle.flow.first();
    ThrottleCode {
        code: throttle.rule.code.clone(),
        span: throttle.rule.span,
        flow: throttle.flow,
        per_ns: per.and_then(|per| i64::try_from(per).ok()),
        by: throttle.by,
        bursts: throttle.burst.is_some(),
        end: throttle.end,
        limit: lower.graph.readout(limit, 0, 1),
        burst: burst.map(|burst| lower.graph.readout(burst, 0, 1)),
        when: lower.condition(throttle.when.as_ref().filter(|_| is_sent), true),
        unless: lower.condition(throttle.unless.as_ref(), false),
    }
}

/// Tells whether a condition reads the level of the kill switch and nothing else that changes. What
/// has a name may read anything: it counts as something else.
fn level_only(expr: &Expr) -> bool {
    fn reads(expr: &Expr) -> (bool, bool) {
        let level = matches!(expr.kind, ExprKind::Field(Field::ControlLevel, _));
        let named = matches!(
            expr.kind,
            ExprKind::Field(..)
                | ExprKind::Let(_)
                | ExprKind::Series(_)
                | ExprKind::State(_)
                | ExprKind::Window(_)
        );
        let own = (level, named && !level);
        let parts = children(expr).into_iter().map(reads);
        parts.fold(own, |sum, part| (sum.0 | part.0, sum.1 | part.1))
    }
    reads(expr) == (true, false)
}

/// Returns what may be allowed in place of the limit of a condition.
fn allows(compared: Option<(Compare, &Expr)>) -> Option<Allows> {
    fn period(expr: &Expr) -> Period {
        let of_day = [
            Field::AccountDayLoss,
            Field::AccountDayDrawdown,
            Field::StrategyDayLoss,
            Field::SymbolDayLoss,
        ];
        let read = if let ExprKind::Field(field, _) = &expr.kind { Some(field) } else { None };
        let is = |fields: &[Field]| read.is_some_and(|field| fields.contains(field));
        let own = if is(&of_day) {
            Period::Day
        } else if is(&[Field::AccountWeekLoss]) {
            Period::Week
        } else {
            Period::Always
        };
        let parts = children(expr).into_iter().map(period);
        parts.fold(own, |known, part| if known == Period::Always { part } else { known })
    }
    let (compare, measure) = compared?;
    let money = match measure.unit {
        Unit::Money(_) => true,
        Unit::Num => false,
        Unit::Price
        | Unit::Qty
        | Unit::Int
        | Unit::Bool
        | Unit::Duration
        | Unit::Time
        | Unit::Word(_) => return None,
    };
    let ordered = !matches!(compare, Compare::Equal | Compare::NotEqual);
    ordered.then(|| Allows { period: period(measure), money })
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
        flatten: latch.flatten,
        level_only: level_only(&latch.when) && latch.unless.is_none(),
        allows: allows(lower.compared(&latch.when)),
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
        Measure::Value | Measure::Risk => {
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
