//! Types names, fields and calls.

use crate::ast::{self, Arg, Segment};
use crate::diagnostics::Diagnostic;
use crate::limits::SERIES_LENGTH_MAX;
use crate::parse::suggest::nearest;
use crate::schema::{Field, FieldInfo, Needs, Type, When};
use crate::span::Span;
use crate::typed::{Asset, AssetArg, Expr, ExprKind, Function, Indicator, Occasion, Series, Unit};

use super::expr::{Place, Typing};
use super::names::{self, Callable, FUNCTIONS, Owner};
use super::scope::{Binding, Reach, rank};
use super::units::{self, describe};

impl Typing<'_, '_> {
    /// Types a path.
    pub(super) fn path(&mut self, segments: &[Segment], span: Span) -> Option<Expr> {
        let [first, rest @ ..] = segments else { return None };
        if first.name.text.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
            || first.name.text.contains(':')
        {
            let fault = Diagnostic::error("R0905", span, "a symbol is no value in this version");
            return self.fail(fault);
        }
        if rest.is_empty() {
            return match &first.args {
                Some(args) => self.call(&first.name, args, span),
                None => self.name(&first.name, span),
            };
        }
        self.field_path(segments, span)
    }

    /// A single word: a name of the block, or a field without a group.
    fn name(&mut self, name: &ast::Name, span: Span) -> Option<Expr> {
        if let Some((binding, _)) = self.scope.find(&name.text) {
            return self.bound(binding, span);
        }
        if let Some(info) = Field::named(&name.text) {
            return self.field(info, None, span);
        }
        if let Some(declared) = self.scope.declared(&name.text) {
            let message = format!("`{}` is used above its declaration", name.text);
            let fault = Diagnostic::error("R0302", span, message);
            return self
                .fail(fault.also(declared, "declared here").help("move the declaration up"));
        }
        let fault = Diagnostic::error("R0201", span, format!("unknown name `{}`", name.text));
        let fault = match self.scope.suggest(&name.text) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None if names::is_function(&name.text) => {
                fault.help(format!("it is a function: write `{}(...)`", name.text))
            }
            None => fault,
        };
        self.fail(fault)
    }

    /// Reads a name of the block.
    fn bound(&mut self, binding: Binding, span: Span) -> Option<Expr> {
        let kind = binding.kind()?;
        let scope = &self.scope;
        let (unit, nullable) = match binding {
            Binding::Param(index) => (scope.params.get(index)?.unit.clone(), false),
            Binding::Let(index) => {
                let value = &scope.lets.get(index)?.value;
                (value.unit.clone(), value.nullable)
            }
            Binding::Series(index) => {
                let series = scope.series.get(index)?;
                (series.unit.clone(), is_nullable(series.indicator))
            }
            Binding::State(index) => {
                let state = scope.states.get(index)?;
                (state.unit.clone(), state.nullable)
            }
            Binding::Broken => return None,
        };
        if let Binding::Let(index) = binding
            && let Some(reach) = scope.reaches.get(index).copied().flatten()
        {
            self.asks(reach.field, span, Some(reach.span))?;
        }
        Some(Expr { kind, unit, nullable, span })
    }

    /// `group.field`, perhaps with an asset.
    fn field_path(&mut self, segments: &[Segment], span: Span) -> Option<Expr> {
        let parts: Vec<&str> = segments.iter().map(|part| part.name.text.as_str()).collect();
        let name = parts.join(".");
        if let Some(info) = Field::named(&name) {
            let args = segments.last().and_then(|part| part.args.as_deref());
            let is_early = segments.iter().rev().skip(1).any(|part| part.args.is_some());
            if is_early {
                let fault = Diagnostic::error("R0213", span, "arguments stand at the end");
                return self.fail(fault);
            }
            return self.field(info, args, span);
        }
        if names::is_later_field(&name) {
            let message = format!("`{name}` is not supported by this version");
            return self.fail(Diagnostic::error("R0902", span, message));
        }
        let first = parts.first().copied().unwrap_or("");
        if self.scope.declared(first).is_some() {
            let message = format!("`{first}` has no parts");
            return self.fail(Diagnostic::error("R0202", span, message));
        }
        let fault = Diagnostic::error("R0202", span, format!("unknown field `{name}`"));
        let fault = match self.scope.suggest(&name) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => {
                let group = format!("{first}.");
                let known = crate::schema::FIELDS.iter().map(|info| info.name);
                let list: Vec<&str> = known.filter(|name| name.starts_with(&group)).collect();
                if list.is_empty() { fault } else { fault.help(list.join(", ")) }
            }
        };
        self.fail(fault)
    }

    /// Reads a field, if this place may.
    fn field(&mut self, info: &FieldInfo, args: Option<&[Arg]>, span: Span) -> Option<Expr> {
        if !names::is_readable(self.scope.owner, info.scope) {
            return self.fail(out_of_scope(self.scope.owner, info, span));
        }
        if info.needs == Needs::Bars && !self.scope.on_bars {
            let message = format!("`{}` is of the last closed bar, and there are none", info.name);
            let fault = Diagnostic::error("R0313", span, message);
            let help = "wake the strategy `on bar`, or read `market.last`";
            return self.fail(fault.label("this strategy does not wake on bars").help(help));
        }
        self.asks(info.field, span, None)?;
        let (unit, argument) = match (units::of_field(info), args) {
            (Some(unit), None) => (unit, None),
            (Some(_), Some(_)) => {
                let message = format!("`{}` takes no argument", info.name);
                return self.fail(Diagnostic::error("R0213", span, message));
            }
            (None, _) if info.ty == Type::Asset => {
                let message = format!("`{}` is an asset and no value", info.name);
                let fault = Diagnostic::error("R0216", span, message);
                let help = format!("it is an argument: `account.free({})`", info.name);
                return self.fail(fault.help(help));
            }
            (None, args) => {
                let (asset, argument) = self.asset_argument(info, args.unwrap_or(&[]), span)?;
                (Unit::Money(asset), Some(argument))
            }
        };
        let kind = ExprKind::Field(info.field, argument);
        Some(Expr { kind, unit, nullable: info.nullable, span })
    }

    /// The asset of `account.free(...)`.
    fn asset_argument(
        &mut self,
        info: &FieldInfo,
        args: &[Arg],
        span: Span,
    ) -> Option<(Asset, AssetArg)> {
        match args {
            [Arg::Asset(name)] => {
                let text = name.text.clone();
                return Some((Asset::Named(text.clone()), AssetArg::Named(text)));
            }
            [Arg::Expr(expr, None)] if is_pays(expr) => {
                self.asks(Field::OrderPays, expr.span, None)?;
                return Some((Asset::Pays, AssetArg::Pays));
            }
            _ => {}
        }
        let message = format!("`{}` needs one asset", info.name);
        let fault = Diagnostic::error("R0216", span, message);
        let help = format!("write `{0}(USDT)` or `{0}(order.pays)`", info.name);
        self.fail(fault.help(help))
    }

    /// Reports a field that is not known yet at this place; `inside` is where a let reads it.
    pub(super) fn asks(&mut self, field: Field, span: Span, inside: Option<Span>) -> Option<()> {
        let info = field.info();
        let name = info.name;
        let fault = match (self.place, info.when) {
            (Place::Let, _) if field == Field::OrderApproved => Some(verdict(span)),
            (Place::On(Occasion::Fill), When::Fill)
            | (Place::On(Occasion::Closed), When::Closed) => None,
            (_, When::Fill | When::Closed) => Some(momentary(info, span)),
            (Place::Let, when) => {
                let before = self.reach.map_or(0, |reach| rank(reach.field.info().when));
                if rank(when) > before {
                    self.reach = Some(Reach { field, span });
                }
                None
            }
            (Place::Latch, When::Order | When::FinalOrder) => {
                let message = format!("a latch cannot read `{name}`");
                let fault = Diagnostic::error("R0304", span, message);
                Some(fault.help("latches are judged also when there is no order; use `deny`"))
            }
            (Place::Cap, When::FinalOrder) => {
                let message = format!("a cap cannot read `{name}`");
                let fault = Diagnostic::error("R0303", span, message);
                Some(fault.help("caps decide the quantity; a rule on the final one is a `deny`"))
            }
            (Place::Check | Place::Cap | Place::Latch | Place::Strategy | Place::On(_), _)
                if field == Field::OrderApproved =>
            {
                Some(verdict(span))
            }
            (Place::On(occasion), When::Order | When::FinalOrder)
                if occasion != Occasion::Order =>
            {
                let message = format!("there is no order on `{}`", occasion.word());
                let fault = Diagnostic::error("R0304", span, message);
                Some(fault.label(format!("`{name}` is of the order at hand")))
            }
            _ => None,
        };
        let Some(fault) = fault else { return Some(()) };
        let fault = match inside {
            Some(inside) => fault.also(inside, format!("`{name}` is read here")),
            None => fault,
        };
        self.fail(fault)
    }

    /// Types a call.
    fn call(&mut self, name: &ast::Name, args: &[Arg], span: Span) -> Option<Expr> {
        if names::is_window(&name.text) {
            return self.window(name, args, span);
        }
        if names::is_later_function(&name.text) {
            let message = format!("`{}` is not supported by this version", name.text);
            return self.fail(Diagnostic::error("R0903", name.span, message));
        }
        let Some(callable) = names::function(&name.text) else {
            let message = format!("unknown function `{}`", name.text);
            let fault = Diagnostic::error("R0212", name.span, message);
            let fault = match nearest(&name.text, FUNCTIONS.split(' ')) {
                Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                None => fault.help(format!("functions: {}", FUNCTIONS.replace(' ', ", "))),
            };
            return self.fail(fault);
        };
        let wanted = match callable {
            Callable::Pure(Function::Abs) => 1,
            Callable::Pure(Function::Clamp) => 3,
            Callable::Pure(Function::Max | Function::Min) | Callable::Stateful(_) => 2,
        };
        let values: Vec<&ast::Expr> = args
            .iter()
            .filter_map(|arg| match arg {
                Arg::Expr(expr, None) => Some(expr),
                Arg::Expr(_, Some(_)) | Arg::Asset(_) => None,
            })
            .collect();
        if values.len() != wanted || args.len() != wanted {
            let values =
                if wanted == 1 { "one value".to_owned() } else { format!("{wanted} values") };
            let message = format!("`{}` takes {values}", name.text);
            return self.fail(Diagnostic::error("R0213", span, message));
        }
        match callable {
            Callable::Pure(function) => self.pure(function, &values, span),
            Callable::Stateful(indicator) => {
                let index = self.stateful(indicator, name, &values, span)?;
                self.bound(Binding::Series(index), span)
            }
        }
    }

    /// `max`, `min`, `abs`, `clamp`: all values have the unit of the result.
    fn pure(&mut self, function: Function, values: &[&ast::Expr], span: Span) -> Option<Expr> {
        let typed: Vec<Option<Expr>> = values.iter().map(|value| self.infer(value)).collect();
        let typed: Option<Vec<Expr>> = typed.into_iter().collect();
        let mut args = Vec::new();
        let mut values = typed?.into_iter();
        let mut first = values.next()?;
        for value in values {
            let (left, right) = self.fit(first, value, "compare", "R0203")?;
            first = left;
            args.push(right);
        }
        let mut unit = first.unit.clone();
        for arg in &args {
            unit = units::same(&unit, &arg.unit).unwrap_or(unit);
        }
        args.insert(0, first);
        if !units::is_number(&unit) {
            let message = format!("no such function of {}", describe(&unit));
            return self.fail(Diagnostic::error("R0207", span, message));
        }
        let nullable = args.iter().any(|arg| arg.nullable);
        Some(Expr { kind: ExprKind::Call(function, args), unit, nullable, span })
    }

    /// Makes a call with state a series of the block and returns its index.
    pub(super) fn stateful(
        &mut self,
        indicator: Indicator,
        name: &ast::Name,
        values: &[&ast::Expr],
        span: Span,
    ) -> Option<usize> {
        if self.scope.owner == Owner::Risk {
            let message = format!("a risk block cannot keep the series `{}`", name.text);
            let fault = Diagnostic::error("R0306", name.span, message);
            return self.fail(fault.help("series belong to strategies"));
        }
        let [first, second] = values else { return None };
        let is_crossing = matches!(indicator, Indicator::Crossover | Indicator::Crossunder);
        let (inputs, length, unit) = if is_crossing {
            let (Some(left), Some(right)) = (self.infer(first), self.infer(second)) else {
                return None;
            };
            let (left, right) = self.fit(left, right, "compare", "R0203")?;
            (vec![left, right], None, Unit::Bool)
        } else {
            let (input, length) = (self.infer(first), self.length(second));
            let input = input?;
            let unit = if input.unit == Unit::Int { Unit::Num } else { input.unit.clone() };
            (vec![input], Some(length?), unit)
        };
        if let Some(wrong) = inputs.iter().find(|input| !units::is_number(&input.unit)) {
            let message =
                format!("`{}` is of numbers, not of {}", name.text, describe(&wrong.unit));
            return self.fail(Diagnostic::error("R0207", wrong.span, message));
        }
        let shown = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
        let shown = shown.and_then(|(start, end)| self.scope.text.get(start..end)).unwrap_or("");
        let name = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(self.scope.add_series(Series { name, indicator, inputs, length, unit, span }))
    }

    /// The length of a series: constant, or a parameter that cannot leave the limits.
    fn length(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let mut typed = self.infer(expr)?;
        if typed.unit != Unit::Int {
            let message = format!("a length is an integer, not {}", describe(&typed.unit));
            return self.fail(Diagnostic::error("R0315", typed.span, message));
        }
        let ends: Vec<&Expr> = if let ExprKind::Param(index) = &typed.kind {
            let param = self.scope.params.get(*index)?;
            let range = param.range.iter().flat_map(|(low, high)| [low, high]);
            let table = param.table.iter().map(|(_, value)| value);
            range.chain(table).chain([&param.value]).collect()
        } else if matches!(typed.kind, ExprKind::Number { .. }) {
            vec![&typed]
        } else {
            let message = "a length is a literal or a parameter";
            let fault = Diagnostic::error("R0315", typed.span, message);
            return self.fail(fault.help("memory is reserved before the first event"));
        };
        let allowed = 1..=SERIES_LENGTH_MAX;
        let fits = |kind: &ExprKind| {
            if let ExprKind::Number { mantissa, .. } = kind {
                allowed.contains(mantissa)
            } else {
                false
            }
        };
        if !ends.iter().all(|end| fits(&end.kind)) {
            let message = format!("a length is from 1 to {SERIES_LENGTH_MAX}");
            let mut fault = Diagnostic::error("R0315", typed.span, message);
            if let ExprKind::Param(index) = typed.kind
                && let Some(param) = self.scope.params.get(index)
            {
                fault = fault.also(param.span, "its range or value goes beyond");
            }
            return self.fail(fault);
        }
        typed.span = expr.span;
        Some(typed)
    }
}

/// A crossing is known from the first bar on: what is not known is no crossing.
const fn is_nullable(indicator: Indicator) -> bool {
    !matches!(indicator, Indicator::Crossover | Indicator::Crossunder)
}

fn is_pays(expr: &ast::Expr) -> bool {
    let ast::ExprKind::Path(segments) = &expr.kind else { return false };
    matches!(segments.as_slice(), [group, field]
        if group.name.text == "order" && field.name.text == "pays" && field.args.is_none())
}

/// A field of one fill, or of one round trip, where there is none.
fn momentary(info: &FieldInfo, span: Span) -> Diagnostic {
    let event = if info.when == When::Fill { "fill" } else { "closed" };
    let message = format!("`{}` is known only on `{event}`", info.name);
    Diagnostic::error("R0327", span, message)
        .help(format!("keep it in a state: `update x = {} on {event}`", info.name))
}

fn verdict(span: Span) -> Diagnostic {
    Diagnostic::error("R0305", span, "the verdict is known only after every rule")
        .help("`order.approved` stands in invariants")
}

fn out_of_scope(owner: Owner, info: &FieldInfo, span: Span) -> Diagnostic {
    let (who, help) = match owner {
        Owner::Risk => {
            ("a risk block", "only strategies see bars; `market.last` is the last price")
        }
        Owner::Strategy => {
            ("a strategy", "strategies are blind for accounts: limits belong in a risk block")
        }
    };
    Diagnostic::error("R0301", span, format!("{who} cannot read `{}`", info.name)).help(help)
}
