//! Binds what a block remembers: states, windows, and what changes them on each occasion.

use model::num::{Rounding, div_round, pow10};

use super::graph::NodeId;
use super::lower::Lower;
use crate::evaluate::readout::Readout;
use crate::evaluate::{IntakeCode, OccasionCode, StateCode, UpdateCode};
use crate::memory::{MemorySpec, Reach, StateSpec, WindowSpec};
use crate::typed::{
    Cooldown, Expr, ExprKind, Extent, Fold, Occasion, RiskBlock, State, StateUpdate, Strategy,
    Throttle, Unit, Window,
};
use crate::value::Value;

/// What of a block changes its memory.
#[derive(Clone, Copy)]
pub(crate) struct Keeps<'a> {
    pub(crate) states: &'a [State],
    pub(crate) updates: &'a [StateUpdate],
    pub(crate) windows: &'a [Window],
    cooldowns: &'a [Cooldown],
    throttles: &'a [Throttle],
    block: Option<&'a RiskBlock>,
}

impl<'a> Keeps<'a> {
    /// Returns that of a risk block.
    pub(crate) fn of(block: &'a RiskBlock) -> Self {
        Self {
            states: &block.states,
            updates: &block.updates,
            windows: &block.windows,
            cooldowns: &block.cooldowns,
            throttles: &block.throttles,
            block: Some(block),
        }
    }

    /// Returns that of a strategy, which has neither windows nor rates.
    pub(crate) fn of_strategy(strategy: &'a Strategy) -> Self {
        Self {
            states: &strategy.states,
            updates: &strategy.updates,
            windows: &[],
            cooldowns: &[],
            throttles: &[],
            block: None,
        }
    }

    /// Returns the number within the block of the rule whose latch has this code.
    fn rule(&self, code: &str) -> Option<u16> {
        let block = self.block?;
        let latch = block.latches.iter().position(|latch| latch.rule.code == code);
        let before = block
            .latches
            .len()
            .saturating_add(block.caps.len())
            .saturating_add(block.checks.len())
            .saturating_add(block.cooldowns.len());
        let throttle = || {
            let named = |throttle: &Throttle| throttle.rule.code == code && throttle.end.is_some();
            block.throttles.iter().position(named).map(|nth| before.saturating_add(nth))
        };
        u16::try_from(latch.or_else(throttle)?).ok()
    }
}

/// Binds the first values of states and the lengths of windows.
pub(crate) fn spec<'a>(keeps: Keeps<'a>, lower: &mut Lower<'a>) -> MemorySpec {
    let states = keeps.states.iter().map(|state| {
        let (decimals, _) = lower.held(&state.unit);
        let number = lower.lower(&state.initial);
        let initial = lower.graph.known(number.num).and_then(Value::number);
        let initial = initial.map(|mantissa| at_scale(mantissa, number.scale, decimals));
        let initial = initial.flatten().map_or(Value::MISSING, Value::known);
        StateSpec { initial, reset: state.reset, local: state.is_local() }
    });
    let states = states.collect();
    let windows = keeps.windows.iter().map(|window| {
        let constant = |expr: &'a Expr, lower: &mut Lower<'a>| lower.constant(expr).unwrap_or(1);
        let reach = match &window.extent {
            Extent::Last(count) => Reach::Last(u32::try_from(constant(count, lower)).unwrap_or(1)),
            Extent::Time(length) => {
                let length = i64::try_from(constant(length, lower)).unwrap_or(i64::MAX);
                if window.same { Reach::Same(length) } else { Reach::Time(length) }
            }
        };
        WindowSpec { reach, local: window.is_local() }
    });
    MemorySpec { windows: windows.collect(), states }
}

/// Returns a constant at the decimals at which its state is held.
fn at_scale(mantissa: i128, scale: i32, decimals: u8) -> Option<i128> {
    let shift = i32::from(decimals).saturating_sub(scale);
    let power = pow10(u8::try_from(shift.unsigned_abs()).ok()?)?;
    if shift >= 0 {
        mantissa.checked_mul(power)
    } else {
        div_round(mantissa, power, Rounding::HalfEven)
    }
}

/// Binds what happens on one kind of event, in a section of its own.
pub(crate) fn occasion<'a>(keeps: Keeps<'a>, on: Occasion, lower: &mut Lower<'a>) -> OccasionCode {
    let mut code = OccasionCode::default();
    for (index, window) in (0_u16..).zip(keeps.windows) {
        if window.stream.occasions().contains(&on) {
            let filter = window.filter.as_ref().map(|filter| lower.lower(filter).num);
            let value = match window.fold {
                Fold::Count | Fold::Rate => None,
                Fold::Sum(field) => {
                    let (decimals, _) = lower.held(&window.unit);
                    let number = lower.fact(field);
                    Some(lower.graph.readout(number, decimals, 1))
                }
            };
            code.intakes.push(IntakeCode { window: index, value, filter });
        }
    }
    for update in keeps.updates.iter().filter(|update| update.on == on) {
        let (Some(state), Ok(index)) =
            (keeps.states.get(update.state), u16::try_from(update.state))
        else {
            continue;
        };
        if matches!(state.unit, Unit::Money(_)) && !matches!(state.initial.kind, ExprKind::Na) {
            lower.same_asset(&update.value, &state.initial);
        }
        let (decimals, _) = lower.held(&state.unit);
        let value = lower.lower(&update.value);
        let value = lower.graph.readout(value, decimals, 1);
        code.updates.push(UpdateCode {
            set: StateCode { state: index, value },
            latch: update.latch.as_ref().and_then(|latch| keeps.rule(latch)),
            when: lower.condition(update.when.as_ref(), true),
            unless: lower.condition(update.unless.as_ref(), false),
        });
    }
    for (index, cooldown) in (0_u16..).zip(keeps.cooldowns) {
        if cooldown.after == on {
            lower.enter(&cooldown.rule);
            code.cooldowns.push((index, lower.condition(cooldown.when.as_ref(), true)));
        }
    }
    for (index, throttle) in (0_u16..).zip(keeps.throttles) {
        if throttle.flow.occasions().contains(&on) {
            lower.enter(&throttle.rule);
            code.throttles.push((index, lower.condition(throttle.when.as_ref(), true)));
        }
    }
    code
}

/// Appends everything that is read after an occasion's run.
pub(crate) fn roots(code: &OccasionCode, roots: &mut Vec<NodeId>) {
    for intake in &code.intakes {
        intake.value.iter().for_each(|value| readout_roots(value, roots));
        roots.extend(intake.filter);
    }
    for update in &code.updates {
        readout_roots(&update.set.value, roots);
        roots.extend([update.when, update.unless]);
    }
    let counted = code.cooldowns.iter().chain(&code.throttles);
    roots.extend(counted.map(|(_, when)| *when));
}

/// Appends what a readout reads.
pub(crate) fn readout_roots(readout: &Readout, roots: &mut Vec<NodeId>) {
    roots.push(readout.num);
    roots.extend(readout.den);
}

/// Gives an occasion's answers the registers of their nodes.
pub(crate) fn relocate(code: &mut OccasionCode, place: impl Fn(NodeId) -> u16) {
    for intake in &mut code.intakes {
        if let Some(value) = &mut intake.value {
            value.relocate(&place);
        }
        intake.filter = intake.filter.map(&place);
    }
    for update in &mut code.updates {
        update.set.value.relocate(&place);
        [update.when, update.unless] = [update.when, update.unless].map(&place);
    }
    for (_, when) in code.cooldowns.iter_mut().chain(&mut code.throttles) {
        *when = place(*when);
    }
}
