//! Types a risk block.

use crate::ast::{self, Action, Block, StatementKind};
use crate::diagnostics::Diagnostic;
use crate::span::Span;
use crate::typed::{
    Applies, Asset, Cap, Check, Effect, Expr, Latch, LatchEnd, Measure, RiskBlock, Unit,
};

use super::block::{add_let, announce, once, params, unsupported, unsupported_part};
use super::expr::{Place, Typing};
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
    for statement in &block.statements {
        add(statement, &mut scope, &mut rules, diagnostics);
    }
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
        lets: scope.lets.clone(),
        latches: rules.latches,
        caps: rules.caps,
        checks: rules.checks,
        budget: rules.budget.map(|(operations, _)| operations),
        doc: block.doc.clone(),
        span: block.name.span,
    };
    (typed, scope)
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
        StatementKind::State { .. } => diagnostics.push(unsupported(span, "state")),
        StatementKind::Update { .. } => diagnostics.push(unsupported(span, "update")),
        StatementKind::Throttle { .. } => diagnostics.push(unsupported(span, "throttle")),
        StatementKind::Cooldown { .. } => diagnostics.push(unsupported(span, "cooldown")),
        StatementKind::Warn { .. } => diagnostics.push(unsupported(span, "warn")),
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
        let mut cancel_orders = false;
        let mut notify = false;
        for action in &written.actions {
            match action.value {
                Action::CancelOrders => cancel_orders = true,
                Action::Notify => notify = true,
                Action::Flatten => {
                    self.diagnostics.push(unsupported_part(action.span, "then flatten"));
                }
            }
        }
        Some(Latch {
            rule,
            effect: if written.halt { Effect::Halt } else { Effect::ReduceOnly },
            end: end?,
            when: when?,
            held_ns: written.held.as_ref().map_or(0, |held| held.value),
            unless: unless.ok()?,
            cancel_orders,
            notify,
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
            ast::Measure::Risk => {
                return self.fail(unsupported_part(measure.span, "risk"));
            }
        };
        let bound = self.expect(bound, &unit, &format!("the bound of a {name} cap"))?;
        Some((measure, bound))
    }
}
