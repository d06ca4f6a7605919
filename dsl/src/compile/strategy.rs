//! Binds strategies.

use model::num::{MONEY_SCALE, RATE_SCALE, SCALE_MAX};
use model::order::AccountKind;

use super::graph::{Age, NodeId};
use super::lower::{Lower, Names};
use super::number::Num;
use super::{Binding, distinct, fault, over_budget};
use crate::bounds::Bounds;
use crate::diagnostics::Diagnostic;
use crate::evaluate::readout::Readout;
use crate::evaluate::{Cost, RuleCode, SizeCode, StrategyCode};
use crate::indicator::{FINER, SeriesSpec};
use crate::limits::SERIES_LENGTH_MAX;
use crate::typed::{Compare, Expr, Indicator, Series, Step, Strategy, StrategyRule, Unit};
use crate::value::Value;

pub(crate) fn bind(
    strategy: &Strategy,
    binding: &Binding<'_>,
) -> Result<StrategyCode, Vec<Diagnostic>> {
    let names = Names {
        block: &strategy.name,
        params: &strategy.params,
        states: &[],
        windows: &[],
        lets: &strategy.lets,
    };
    let mut lower = Lower::new(binding, names, strategy.series.len());
    let mut specs = vec![None; strategy.series.len()];
    let mut declared = Vec::new();
    for step in &strategy.order {
        if let Step::Series(index) = *step
            && let (Some(one), Some(spec)) = (strategy.series.get(index), specs.get_mut(index))
            && spec.is_none()
        {
            *spec = series(declared.len(), one, &mut lower).map(|(spec, result)| {
                declared.push(spec);
                if let Some(slot) = lower.series.get_mut(index) {
                    *slot = Some(result);
                }
                spec
            });
        }
    }
    let mut rules: Vec<_> = strategy.rules.iter().map(|one| rule(one, &mut lower)).collect();
    if !lower.found.is_empty() {
        return Err(distinct(lower.found));
    }
    let Age { known, settled } = lower.graph.age();
    let roots = roots(&rules);
    let mut layout =
        lower.graph.lay_out(&roots).map_err(|found| fault(&strategy.name, strategy.span, found))?;
    let section = layout.sections.first_mut().map(std::mem::take).unwrap_or_default();
    for rule in &mut rules {
        relocate(rule, |node| layout.place(node));
    }
    let cost = Cost {
        ops: section.ops(),
        checked_ops: section.checked_ops(),
        registers: layout.registers_used,
        state_bytes: declared.iter().map(SeriesSpec::bytes).sum(),
    };
    if let Some(over) = over_budget(&strategy.name, strategy.span, strategy.budget, cost.ops) {
        return Err(vec![over]);
    }
    Ok(StrategyCode {
        trigger: strategy.trigger,
        rules,
        reads: section.loads.iter().map(|load| load.input).collect(),
        section,
        series: declared,
        registers: layout.registers,
        cost,
        warmup: known,
        stability: settled,
    })
}

/// Lowers a series: its place among the series, and its result.
fn series<'a>(
    place: usize,
    series: &'a Series,
    lower: &mut Lower<'a>,
) -> Option<(SeriesSpec, Num)> {
    let place = u16::try_from(place).ok()?;
    let length = match &series.length {
        Some(length) => steps(length, lower)?,
        None => 1,
    };
    let spec = SeriesSpec { indicator: series.indicator, length };
    let behind = spec.warmup().saturating_sub(1);
    let added = Age { known: behind, settled: behind.saturating_add(spec.settling()) };
    let first = series.inputs.first()?;
    if matches!(spec.indicator, Indicator::Crossover | Indicator::Crossunder) {
        let second = series.inputs.get(1)?;
        lower.same_asset(first, second);
        let (a, b) = (lower.lower(first), lower.lower(second));
        let over = spec.indicator == Indicator::Crossover;
        let compare = if over { Compare::Greater } else { Compare::Less };
        let input = lower.graph.compare(compare, a, b);
        let result = lower.graph.series(place, input, Bounds::BOOL, added);
        return Some((spec, Num::plain(result)));
    }
    let coarsest = decimals(&first.unit, lower);
    let input = lower.lower(first);
    let finest = coarsest.saturating_add(FINER).min(SCALE_MAX).max(coarsest);
    let (input, scale) = lower.graph.rounded(input, coarsest, finest);
    let bounds = spec.range(lower.graph.bounds(input));
    let result = lower.graph.series(place, input, bounds, added);
    let whole = Num { num: result, den: None, scale };
    let result = match spec.indicator {
        Indicator::Sma => {
            let length = lower.graph.decimal(i128::from(length), 0);
            lower.graph.quotient(whole, length)
        }
        Indicator::Ema | Indicator::Stdev => {
            Num { scale: scale.saturating_add(i32::from(FINER)), ..whole }
        }
        Indicator::Highest | Indicator::Lowest | Indicator::Crossover | Indicator::Crossunder => {
            whole
        }
    };
    Some((spec, result))
}

/// Returns the length of a series in steps.
fn steps<'a>(length: &'a Expr, lower: &mut Lower<'a>) -> Option<u32> {
    let number = lower.lower(length);
    let known = lower.graph.known(number.num).and_then(Value::number);
    let steps = known.filter(|steps| {
        number.den.is_none() && number.scale == 0 && (1..=SERIES_LENGTH_MAX).contains(steps)
    });
    if steps.is_none() {
        let message = format!("the length of a series is a constant from 1 to {SERIES_LENGTH_MAX}");
        let help = "write a whole number or a parameter";
        lower.found.push(Diagnostic::error("R0504", length.span, message).help(help));
    }
    u32::try_from(steps?).ok()
}

/// Returns decimals that an input of an indicator has at least when it is rounded.
fn decimals(unit: &Unit, lower: &Lower<'_>) -> u8 {
    match unit {
        Unit::Price => lower.binding.instrument.price_scale.decimals(),
        Unit::Qty => lower.binding.instrument.qty_scale.decimals(),
        Unit::Money(_) => MONEY_SCALE,
        Unit::Num => 6,
        Unit::Int | Unit::Bool | Unit::Duration | Unit::Time | Unit::Word(_) => 0,
    }
}

fn rule<'a>(rule: &'a StrategyRule, lower: &mut Lower<'a>) -> RuleCode {
    lower.enter(&rule.rule);
    let instrument = lower.binding.instrument;
    let cash = instrument.account_kind() == AccountKind::Cash;
    let shorts = !rule.exit && !rule.long;
    if shorts && cash && !rule.where_shortable {
        let message = format!("`enter short` cannot run on {}: a cash account", instrument.symbol);
        lower.found.push(
            Diagnostic::error("R0505", rule.rule.span, message)
                .help("write `where shortable`: the rule then never fires on a cash account"),
        );
    }
    let when = lower.condition(Some(&rule.when), true);
    let never = cash && shorts;
    RuleCode {
        code: rule.rule.code.clone(),
        span: rule.rule.span,
        exit: rule.exit,
        long: rule.long,
        ioc: rule.ioc,
        at_market: rule.price.is_none(),
        where_shortable: rule.where_shortable,
        sized: rule.size.is_some(),
        has_ttl: rule.ttl.is_some(),
        when: if never { lower.graph.constant(Value::FALSE) } else { when },
        unless: lower.condition(rule.unless.as_ref(), false),
        size: rule.size.as_ref().map(|size| size_code(size, lower)),
        price: rule.price.as_ref().map(|price| {
            let (scale, tick) = (instrument.price_scale, instrument.tick.0);
            read(price, scale.decimals(), i128::from(tick), lower)
        }),
        protect: rule.protect.as_ref().map(|band| read(band, RATE_SCALE, 1, lower)),
        ttl: rule.ttl.as_ref().map(|ttl| read(ttl, 0, 1, lower)),
    }
}

fn size_code<'a>(size: &'a Expr, lower: &mut Lower<'a>) -> SizeCode {
    if matches!(size.unit, Unit::Money(_)) {
        lower.in_quote(size);
        return SizeCode::Money(read(size, MONEY_SCALE, 1, lower));
    }
    let instrument = lower.binding.instrument;
    let (scale, lot) = (instrument.qty_scale, instrument.lot.0);
    SizeCode::Qty(read(size, scale.decimals(), i128::from(lot), lower))
}

fn read<'a>(expr: &'a Expr, decimals: u8, step: i128, lower: &mut Lower<'a>) -> Readout {
    let number = lower.lower(expr);
    lower.graph.readout(number, decimals, step)
}

fn readouts(rule: &mut RuleCode) -> impl Iterator<Item = &mut Readout> {
    let size = rule.size.as_mut().map(|size| match size {
        SizeCode::Qty(readout) | SizeCode::Money(readout) => readout,
    });
    size.into_iter().chain(&mut rule.price).chain(&mut rule.protect).chain(&mut rule.ttl)
}

fn relocate(rule: &mut RuleCode, place: impl Fn(NodeId) -> u16) {
    rule.when = place(rule.when);
    rule.unless = place(rule.unless);
    for readout in readouts(rule) {
        readout.relocate(&place);
    }
}

/// Returns everything that is read after a step.
fn roots(rules: &[RuleCode]) -> Vec<NodeId> {
    let mut roots = Vec::new();
    for rule in rules {
        roots.extend([rule.when, rule.unless]);
        for readout in readouts(&mut rule.clone()) {
            roots.push(readout.num);
            roots.extend(readout.den);
        }
    }
    roots
}
