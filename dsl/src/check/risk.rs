//! Types a risk block.

use crate::ast::{self, Action, Block, StatementKind};
use crate::diagnostics::Diagnostic;
use crate::span::Span;
use crate::typed::{
    Applies, Asset, Cap, Check, Cooldown, Effect, Expr, Latch, LatchEnd, Measure, RiskBlock,
    Throttle, Unit,
};

use super::block::{add_let, announce, once, params};
use super::expr::{Place, Typing};
use super::memory::{self, Written};
use super::names::Owner;
use super::scope::Scope;

/// The parts of a risk block that its statements fill.
#[derive(Default)]
struct Rules {
    applies: Option<(Applies, Span)>,
    budget: Option<(u64, Span)>,
    latches: Vec<Latch>,
    caps: Vec<Cap>,
    checks: Vec<Check>,
    cooldowns: Vec<Cooldown>,
    throttles: Vec<Throttle>,
}

/// It is wrong, and that has been said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// Types a risk block; returns its names too, for invariants and lints.
pub(super) fn risk<'t>(
    block: &Block,
    hard: bool,
    text: &'t str,
    diagnostics: &mut Vec<Diagnostic>,
) -> (RiskBlock, Scope<'t>) {
    let mut scope = Scope::new(Owner::Risk, text);
    let mut rules = Rules::default();
    announce(block, &mut scope, diagnostics);
    // To whom it applies is needed first: an amount may stand for a quantity of its symbols.
    for statement in &block.statements {
        if let StatementKind::Applies(target) = &statement.kind {
            let applies = applies(target.as_ref(), &mut scope, diagnostics);
            once(&mut rules.applies, applies, statement.span, "applies", diagnostics);
        }
    }
    params(block, &mut scope, diagnostics);
    memory::states(block, &mut scope, diagnostics);
    for statement in &block.statements {
        add(statement, &mut scope, &mut rules, diagnostics);
    }
    ends_of_latches(&scope, &rules, diagnostics);
    let applies = rules.applies.map(|(applies, _)| applies);
    if applies.is_none() {
        let message = format!("risk block `{}` does not say to what it applies", block.name.text);
        let fault = Diagnostic::error("R0307", block.name.span, message);
        diagnostics.push(fault.help("add `applies to all` or `applies to strategy name`"));
    }
    let typed = RiskBlock {
        name: block.name.text.clone(),
        hard,
        applies: applies.unwrap_or(Applies::All),
        params: scope.params.clone(),
        states: scope.states.clone(),
        updates: scope.updates.clone(),
        windows: scope.windows.clone(),
        lets: scope.lets.clone(),
        latches: rules.latches,
        caps: rules.caps,
        checks: rules.checks,
        cooldowns: rules.cooldowns,
        throttles: rules.throttles,
        budget: rules.budget.map(|(operations, _)| operations),
        doc: block.doc.clone(),
        span: block.name.span,
    };
    (typed, scope)
}

/// Reports updates on the end of a latch that the block does not have.
fn ends_of_latches(scope: &Scope<'_>, rules: &Rules, diagnostics: &mut Vec<Diagnostic>) {
    let latches = rules.latches.iter().filter(|latch| latch.effect != Effect::Warn);
    let throttles = rules.throttles.iter().filter(|throttle| throttle.end.is_some());
    let codes: Vec<&str> = latches
        .map(|latch| latch.rule.code.as_str())
        .chain(throttles.map(|throttle| throttle.rule.code.as_str()))
        .collect();
    for update in &scope.updates {
        let Some(latch) = &update.latch else { continue };
        if codes.contains(&latch.as_str()) {
            continue;
        }
        let message = format!("this block has no latch {latch}");
        let fault =
            Diagnostic::error("R0325", super::block::keyword(update.span, "update"), message);
        diagnostics.push(match crate::parse::suggest::nearest(latch, codes.iter().copied()) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help("name a `halt` or `reduce_only` of this block"),
        });
    }
}

fn applies(
    target: Option<&ast::Target>,
    scope: &mut Scope<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Applies {
    let Some(target) = target else { return Applies::All };
    let mut typing = Typing::new(scope, diagnostics, Place::Check);
    let symbols: Vec<_> = target.symbols.iter().filter_map(|name| typing.symbol(name)).collect();
    scope.symbols.clone_from(&symbols);
    let names = target.strategies.iter().map(|name| name.text.clone()).collect();
    Applies::Strategies { names, symbols }
}

fn add(
    statement: &ast::Statement,
    scope: &mut Scope<'_>,
    rules: &mut Rules,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (doc, span) = (statement.doc.as_str(), statement.span);
    match &statement.kind {
        StatementKind::Applies(_) | StatementKind::Param(_) => {}
        StatementKind::Let { name, value } => add_let(name, value, Place::Let, scope, diagnostics),
        StatementKind::Budget(operations) => {
            once(&mut rules.budget, *operations, span, "budget", diagnostics);
        }
        StatementKind::Latch(written) => {
            let mut typing = Typing::new(scope, diagnostics, Place::Latch);
            rules.latches.extend(typing.latch(written, doc, span));
        }
        StatementKind::Cap { code, measure, bound, filter, message } => {
            let mut typing = Typing::new(scope, diagnostics, Place::Cap);
            let rule = typing.rule_name(code, doc, message.as_ref(), span);
            let bounded = typing.bound_of(measure, bound);
            let when = typing.optional(filter.when.as_ref());
            let unless = typing.optional(filter.unless.as_ref());
            let (Some((measure, bound)), Ok(when), Ok(unless)) = (bounded, when, unless) else {
                return;
            };
            rules.caps.push(Cap { rule, measure, bound, when, unless });
        }
        StatementKind::Check { code, require, condition, unless, message } => {
            let mut typing = Typing::new(scope, diagnostics, Place::Check);
            let rule = typing.rule_name(code, doc, message.as_ref(), span);
            let condition = typing.condition(condition);
            let unless = typing.optional(unless.as_ref());
            let (Some(condition), Ok(unless)) = (condition, unless) else { return };
            rules.checks.push(Check { rule, require: *require, condition, unless });
        }
        // Typed before all else, so that every statement may read them.
        StatementKind::State { .. } => {}
        StatementKind::Update { name, value, on, filter } => {
            memory::update(&Written { name, value, on, filter, span }, scope, diagnostics);
        }
        StatementKind::Throttle { .. } => {
            let mut typing = Typing::new(scope, diagnostics, Place::Check);
            rules.throttles.extend(typing.throttle(statement));
        }
        StatementKind::Cooldown { .. } => {
            let mut typing = Typing::new(scope, diagnostics, Place::Check);
            rules.cooldowns.extend(typing.cooldown(statement));
        }
        StatementKind::Warn { code, filter, held, message } => {
            let mut typing = Typing::new(scope, diagnostics, Place::Latch);
            let rule = typing.rule_name(code, doc, message.as_ref(), span);
            let when = filter.when.as_ref().and_then(|when| typing.condition(when));
            let unless = typing.optional(filter.unless.as_ref());
            let (Some(when), Ok(unless)) = (when, unless) else { return };
            rules.latches.push(Latch {
                rule,
                effect: Effect::Warn,
                end: LatchEnd::Clear,
                when,
                held_ns: held.as_ref().map_or(0, |held| held.value),
                unless,
                cancel_orders: false,
                notify: true,
                flatten: false,
            });
        }
        // The grammar lets none of these stand in a risk block.
        StatementKind::Series { .. }
        | StatementKind::Trigger { .. }
        | StatementKind::Active { .. }
        | StatementKind::Order(_)
        | StatementKind::Quote { .. }
        | StatementKind::Cancel { .. } => {}
    }
}

impl Typing<'_, '_> {
    /// Types a condition that may be left out.
    pub(super) fn optional(&mut self, expr: Option<&ast::Expr>) -> Result<Option<Expr>, Reported> {
        match expr {
            Some(expr) => self.condition(expr).map(Some).ok_or(Reported),
            None => Ok(None),
        }
    }

    fn latch(&mut self, written: &ast::Latch, doc: &str, span: Span) -> Option<Latch> {
        let rule = self.rule_name(&written.code, doc, written.message.as_ref(), span);
        let end = self.latch_end(written, span);
        let when = self.condition(&written.when);
        let unless = self.optional(written.unless.as_ref());
        let does = |wanted| written.actions.iter().any(|action| action.value == wanted);
        Some(Latch {
            rule,
            effect: if written.halt { Effect::Halt } else { Effect::ReduceOnly },
            end: end?,
            when: when?,
            held_ns: written.held.as_ref().map_or(0, |held| held.value),
            unless: unless.ok()?,
            cancel_orders: does(Action::CancelOrders) || does(Action::Flatten),
            notify: does(Action::Notify),
            flatten: does(Action::Flatten),
        })
    }

    fn latch_end(&mut self, written: &ast::Latch, span: Span) -> Option<LatchEnd> {
        let word = if written.halt { "halt" } else { "reduce_only" };
        let Some(end) = &written.end else {
            let message = format!("`{word}` does not say how it ends");
            let fault = Diagnostic::error("R0309", super::block::keyword(span, word), message);
            return self.fail(
                fault.help("add `until manual`, `until day_end`, `until clear` or `for 1h`"),
            );
        };
        self.end_of(end)
    }

    /// How a latch ends, as written.
    pub(super) fn end_of(&mut self, end: &ast::Spanned<ast::LatchEnd>) -> Option<LatchEnd> {
        let length = match &end.value {
            ast::LatchEnd::Manual => return Some(LatchEnd::Manual),
            ast::LatchEnd::DayEnd => return Some(LatchEnd::DayEnd),
            ast::LatchEnd::Clear => return Some(LatchEnd::Clear),
            ast::LatchEnd::For(length) => length,
        };
        if let ast::ExprKind::Literal(ast::Literal::Duration(ns)) = length.kind {
            return Some(LatchEnd::For(ns));
        }
        let message = "only a literal duration is supported here by this version";
        let fault = Diagnostic::error("R0904", length.span, message);
        self.fail(fault.help("write it as `for 1h`"))
    }

    /// Types the bound of a cap in the unit of its measure.
    fn bound_of(
        &mut self,
        measure: &ast::Spanned<ast::Measure>,
        bound: &ast::Expr,
    ) -> Option<(Measure, Expr)> {
        let (measure, unit, name) = match measure.value {
            ast::Measure::Qty => (Measure::Qty, Unit::Qty, "qty"),
            ast::Measure::Notional => (Measure::Notional, Unit::Money(Asset::Quote), "notional"),
            ast::Measure::Value => (Measure::Value, Unit::Money(Asset::Reporting), "value"),
            ast::Measure::Risk => (Measure::Risk, Unit::Money(Asset::Reporting), "risk"),
        };
        let bound = self.expect(bound, &unit, &format!("the bound of a {name} cap"))?;
        Some((measure, bound))
    }
}
