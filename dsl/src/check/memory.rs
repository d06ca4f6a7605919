//! Types what a block remembers: states, their updates, and windows.

use crate::ast::{self, Arg, Block, Literal, StatementKind, Type};
use crate::diagnostics::Diagnostic;
use crate::limits::{LAST_MAX, WINDOW_NS_MIN};
use crate::schema::{Field, Type as Stored};
use crate::span::Span;
use crate::typed::{
    Asset, Expr, ExprKind, Extent, Fold, Occasion, Reset, State, StateUpdate, Stream, Unit, Window,
};

use super::block::keyword;
use super::exclusive::exclusive;
use super::expr::{Place, Typing};
use super::names::Owner;
use super::scope::{Binding, Scope};
use super::units;

/// Types the states of a block: before its statements, so that all of them may read them.
pub(super) fn states(block: &Block, scope: &mut Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for statement in &block.statements {
        let StatementKind::State { name, ty, value, reset } = &statement.kind else { continue };
        let mut typing = Typing::new(scope, diagnostics, Place::Let);
        let binding = match typing.initial(value, *ty) {
            Some(initial) => {
                let reset = match reset.as_ref().map(|reset| reset.text.as_str()) {
                    Some("daily") => Reset::Daily,
                    Some("weekly") => Reset::Weekly,
                    _ => Reset::Never,
                };
                scope.states.push(State {
                    name: name.text.clone(),
                    unit: initial.unit.clone(),
                    nullable: initial.nullable,
                    initial,
                    reset,
                    doc: statement.doc.clone(),
                    span: name.span,
                });
                Binding::State(scope.states.len().saturating_sub(1))
            }
            None => Binding::Broken,
        };
        scope.bind(&name.text, binding, name.span);
    }
}

/// An `update` as written.
pub(super) struct Written<'a> {
    pub(super) name: &'a ast::Name,
    pub(super) value: &'a ast::Expr,
    pub(super) on: &'a ast::Name,
    pub(super) filter: &'a ast::Filter,
    pub(super) span: Span,
}

/// Types an update and adds it to the block.
pub(super) fn update(
    written: &Written<'_>,
    scope: &mut Scope<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Written { name, value, on, filter, span } = *written;
    let state = match scope.binding(&name.text) {
        Some(Binding::State(index)) => index,
        Some(Binding::Broken) => return,
        _ => {
            let message = format!("`{}` is no state of this block", name.text);
            let fault = Diagnostic::error("R0319", name.span, message);
            diagnostics.push(fault.help("declare it above: `state x : int = 0`"));
            return;
        }
    };
    let Some((on, latch)) = occasion(on, scope.owner, diagnostics) else { return };
    let mut typing = Typing::new(scope, diagnostics, Place::On(on));
    let when = typing.optional(filter.when.as_ref());
    let unless = typing.optional(filter.unless.as_ref());
    let Some(value) = typing.next_value(state, value) else { return };
    let (Ok(when), Ok(unless)) = (when, unless) else { return };
    let update = StateUpdate { state, value, on, latch, when, unless, span };
    let rival = scope.updates.iter().find(|known| {
        (known.state, known.on, &known.latch) == (update.state, update.on, &update.latch)
            && !exclusive(known, &update)
    });
    if let Some(rival) = rival {
        let message = format!("two updates of `{}` may happen at once", name.text);
        let fault = Diagnostic::error("R0321", keyword(span, "update"), message);
        let fault = fault.also(keyword(rival.span, "update"), "the other stands here");
        diagnostics.push(fault.help("give them conditions that exclude each other"));
        return;
    }
    scope.updates.push(update);
}

/// The occasion behind `on`; reports one that the block does not hear of.
pub(super) fn occasion(
    on: &ast::Name,
    owner: Owner,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Occasion, Option<String>)> {
    let Some(named) = Occasion::named(&on.text) else {
        // The grammar lets an event or the code of a latch stand here.
        return Some((Occasion::LatchEnd, Some(on.text.clone())));
    };
    let market = matches!(named, Occasion::Bar | Occasion::Book | Occasion::Trade);
    let hears = match owner {
        Owner::Risk => !market,
        Owner::Strategy => {
            market || matches!(named, Occasion::Fill | Occasion::Closed | Occasion::Timer)
        }
    };
    if hears {
        return Some((named, None));
    }
    let (who, help) = match owner {
        Owner::Risk => ("a risk block", "it hears of order, fill, closed, reject and timer"),
        Owner::Strategy => ("a strategy", "it hears of its trigger, of fill and of closed"),
    };
    let message = format!("{who} does not hear of `{}`", on.text);
    diagnostics.push(Diagnostic::error("R0320", on.span, message).help(help));
    None
}

impl Typing<'_, '_> {
    /// Types the first value of a state: a literal, or `na`.
    fn initial(&mut self, value: &ast::Expr, ty: Type) -> Option<Expr> {
        if !matches!(value.kind, ast::ExprKind::Literal(Literal::Na)) {
            return self.constant(value, ty, None);
        }
        let unit = match ty {
            Type::Int => Unit::Int,
            Type::Num | Type::Percent => Unit::Num,
            Type::Bool => Unit::Bool,
            Type::Price => Unit::Price,
            Type::Qty => Unit::Qty,
            Type::Money => Unit::Money(Asset::Reporting),
            Type::Duration => Unit::Duration,
            Type::Time => Unit::Time,
        };
        Some(Expr { kind: ExprKind::Na, unit, nullable: true, span: value.span })
    }

    /// Types the next value of a state.
    fn next_value(&mut self, state: usize, value: &ast::Expr) -> Option<Expr> {
        let declared = self.scope.states.get(state)?;
        let (unit, nullable, name, span) =
            (declared.unit.clone(), declared.nullable, declared.name.clone(), declared.span);
        let typed = self.expect(value, &unit, &format!("the state `{name}`"))?;
        if typed.nullable && !nullable {
            let message = format!("`{name}` cannot be `na`");
            let fault = Diagnostic::error("R0322", typed.span, message)
                .label("this can be")
                .also(span, "declared here with a known value");
            return self.fail(fault.help("begin with `= na`, or write `?? ...` behind the value"));
        }
        Some(typed)
    }

    /// `count(fills where e, 1h)`, `sum(orders.value, 1m)`, `count(last(closed, 20))` and so on.
    pub(super) fn window(&mut self, name: &ast::Name, args: &[Arg], span: Span) -> Option<Expr> {
        if self.scope.owner == Owner::Strategy {
            let fault = Diagnostic::error("R0323", name.span, "windows belong to risk blocks");
            return self.fail(fault.help("a strategy counts in a state, or keeps a series"));
        }
        let [Arg::Expr(source, filter), rest @ ..] = args else {
            return self.fail(wrong_window(name, span));
        };
        let Some((stream, part, last)) = parts(source) else {
            return self.fail(wrong_window(name, span));
        };
        let Some(kind) = Stream::named(&stream.text) else {
            let fault = Diagnostic::error("R0323", stream.span, "no such stream");
            let streams = ["orders", "fills", "closed", "cancels", "rejects", "messages"];
            let help = match crate::parse::suggest::nearest(&stream.text, streams) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("one of: {}", streams.join(", ")),
            };
            return self.fail(fault.help(help));
        };
        let extent = match (last, rest) {
            (Some(count), []) => Extent::Last(self.constant_of(count, &Unit::Int)?),
            (None, [Arg::Expr(length, None)]) => {
                Extent::Time(self.constant_of(length, &Unit::Duration)?)
            }
            _ => return self.fail(wrong_window(name, span)),
        };
        let same = part.is_some_and(|part| part.text == "same");
        if same && (kind != Stream::Orders || matches!(extent, Extent::Last(_))) {
            let fault = Diagnostic::error("R0323", span, "`same` is of orders in a time");
            return self.fail(fault.help("write `count(orders.same, 500ms)`"));
        }
        let (fold, unit) = match (name.text.as_str(), part.filter(|_| !same)) {
            ("sum", Some(part)) => self.summed(kind, part)?,
            ("count", None) => (Fold::Count, Unit::Int),
            ("rate", None) if matches!(extent, Extent::Time(_)) => (Fold::Rate, Unit::Num),
            _ => return self.fail(wrong_window(name, span)),
        };
        if same {
            self.asks(Field::OrderQty, span, None)?;
        }
        let filter = match filter {
            Some(filter) => Some(self.filter(kind, filter, same)?),
            None => None,
        };
        let nullable = same || filter.as_ref().is_some_and(|filter| filter.nullable);
        let nullable = nullable || matches!(fold, Fold::Sum(field) if field.info().nullable);
        let window = Window { stream: kind, same, fold, filter, extent, unit: unit.clone(), span };
        let index = self.scope.add_window(window);
        Some(Expr { kind: ExprKind::Window(index), unit, nullable, span })
    }

    /// The field of a sum: one of the stream's own that can be added up.
    fn summed(&mut self, stream: Stream, part: &ast::Name) -> Option<(Fold, Unit)> {
        let group = match stream {
            Stream::Orders => "order",
            Stream::Fills => "fill",
            Stream::Closed => "closed",
            Stream::Cancels | Stream::Rejects | Stream::Messages => "",
        };
        let known = Field::named(&format!("{group}.{}", part.text));
        let unit = known.filter(|info| {
            let adds = matches!(
                info.ty,
                Stored::Qty | Stored::Reporting | Stored::Quote | Stored::Duration | Stored::Int
            );
            adds && info.field != Field::OrderTtl
        });
        match unit.and_then(|info| Some((info.field, units::of_field(info)?))) {
            Some((field, unit)) => Some((Fold::Sum(field), unit)),
            None => {
                let message = format!("`{}` cannot be summed", part.text);
                let fault = Diagnostic::error("R0323", part.span, message);
                self.fail(fault.help(
                    "orders have qty, value and notional; fills qty, fee and pnl; closed pnl and \
                     duration",
                ))
            }
        }
    }

    /// What stands behind `where` is read on the event itself.
    fn filter(&mut self, stream: Stream, filter: &ast::Expr, refused: bool) -> Option<Expr> {
        let place = match (stream.occasions(), refused) {
            ([only], false) => Place::On(*only),
            _ => {
                let fault = Diagnostic::error("R0323", filter.span, "this window has no `where`");
                return self.fail(fault.help("messages and `same` are counted whole"));
            }
        };
        let (outer, reach) = (self.place, self.reach);
        self.place = place;
        let typed = self.condition(filter);
        self.place = outer;
        self.reach = reach;
        typed
    }

    /// A constant: a literal, or a parameter that is the same for every symbol.
    pub(super) fn constant_of(&mut self, expr: &ast::Expr, unit: &Unit) -> Option<Expr> {
        let typed = self.infer(expr)?;
        let least = if *unit == Unit::Int { 1 } else { i128::from(WINDOW_NS_MIN) };
        let most = if *unit == Unit::Int { LAST_MAX } else { i128::from(i64::MAX) };
        let fits = |value: &Expr| {
            if let ExprKind::Number { mantissa, .. } = value.kind {
                (least..=most).contains(&mantissa)
            } else {
                false
            }
        };
        let param = if let ExprKind::Param(index) = &typed.kind {
            self.scope.params.get(*index)
        } else {
            None
        };
        let (is_constant, is_within) = match param {
            Some(param) => {
                let low = param.range.as_ref().map_or(&param.value, |(low, _)| low);
                let high = param.range.as_ref().map_or(&param.value, |(_, high)| high);
                (param.table.is_empty(), fits(low) && fits(high))
            }
            None => (matches!(typed.kind, ExprKind::Number { .. }), fits(&typed)),
        };
        let counts = *unit == Unit::Int;
        if typed.unit != *unit || !is_constant {
            let what = if counts { ("number of elements", "int") } else { ("length", "duration") };
            let message = format!("a {} is a literal or a parameter of type {}", what.0, what.1);
            let fault = Diagnostic::error("R0324", typed.span, message);
            return self.fail(fault.help("memory is reserved before the first event"));
        }
        if !is_within {
            let message = if counts {
                format!("from 1 to {LAST_MAX} elements")
            } else {
                "a window is at least 1ms long".to_owned()
            };
            return self.fail(Diagnostic::error("R0324", typed.span, message));
        }
        Some(typed)
    }
}

/// Takes `orders`, `orders.same`, `fills.pnl`, `last(closed, 20)` or `last(closed, 20).pnl` apart.
fn parts(source: &ast::Expr) -> Option<(&ast::Name, Option<&ast::Name>, Option<&ast::Expr>)> {
    let ast::ExprKind::Path(segments) = &source.kind else { return None };
    let (first, part) = match segments.as_slice() {
        [first] => (first, None),
        [first, part] if part.args.is_none() => (first, Some(&part.name)),
        _ => return None,
    };
    match (first.name.text.as_str(), first.args.as_deref()) {
        ("last", Some([Arg::Expr(stream, None), Arg::Expr(count, None)])) => {
            let ast::ExprKind::Path(inner) = &stream.kind else { return None };
            let [only] = inner.as_slice() else { return None };
            Some((&only.name, part, Some(count)))
        }
        (_, None) => Some((&first.name, part, None)),
        _ => None,
    }
}

fn wrong_window(name: &ast::Name, span: Span) -> Diagnostic {
    let message = format!("`{}` cannot be read this way", name.text);
    let help = match name.text.as_str() {
        "sum" => "write `sum(orders.value, 1m)` or `sum(last(closed, 20).pnl)`",
        "rate" => "write `rate(messages, 1s)`",
        _ => "write `count(fills where fill.opens, 1h)` or `count(last(closed, 20))`",
    };
    Diagnostic::error("R0323", span, message).help(help)
}
