//! Types names, fields and calls.

use crate::ast::{self, Arg, Segment};
use crate::diagnostics::Diagnostic;
use crate::limits::SERIES_LENGTH_MAX;
use crate::parse::suggest::nearest;
use crate::schema::{Field, FieldInfo, Needs, Type, When};
use crate::span::Span;
use crate::typed::{
    Arith, Asset, AssetArg, Expr, ExprKind, Function, Indicator, Occasion, Series, Unit,
};
use crate::typed::{Depth, DepthReach, DepthSide};

use super::expr::{Place, Typing};
use super::names::{self, Callable, FUNCTIONS, Owner, Past};
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
        if let (Some(parts), Some(args)) = (names::parts(&first.name.text), &first.args) {
            return self.parted(&first.name, parts, args, rest, span);
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
        self.fits_frame(binding, span)?;
        if let Binding::Let(index) = binding
            && let Some(reach) = self.scope.reaches.get(index).copied().flatten()
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
        if self.frame.is_some() && info.needs != Needs::Bars {
            let message = format!("`{}` is not of a closed bar", info.name);
            let fault = Diagnostic::error("R0330", span, message);
            return self.fail(fault.help(
                "a series on longer bars reads open, high, low, close, volume and bar.time",
            ));
        }
        self.asks(info.field, span, None)?;
        if matches!(info.field, Field::BookBidDepth | Field::BookAskDepth | Field::BookDepth) {
            return self.depth(info, args.unwrap_or(&[]), span);
        }
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
                let asset = if info.ty == Type::Worth { Asset::Reporting } else { asset };
                (Unit::Money(asset), Some(argument))
            }
        };
        let kind = ExprKind::Field(info.field, argument);
        Some(Expr { kind, unit, nullable: info.nullable, span })
    }

    /// `book.bid_depth(5)`, `book.depth(opposite, 10bps)`.
    fn depth(&mut self, info: &FieldInfo, args: &[Arg], span: Span) -> Option<Expr> {
        let (side, reach) = match (info.field, args) {
            (Field::BookBidDepth, [reach]) => (Some(DepthSide::Bid), Some(reach)),
            (Field::BookAskDepth, [reach]) => (Some(DepthSide::Ask), Some(reach)),
            (Field::BookDepth, [Arg::Expr(side, None), reach]) => (named_side(side), Some(reach)),
            _ => (None, None),
        };
        let reach = reach.and_then(|reach| match reach {
            Arg::Expr(ast::Expr { kind: ast::ExprKind::Literal(literal), .. }, None) => {
                depth_reach(literal)
            }
            Arg::Expr(..) | Arg::Asset(_) => None,
        });
        let (Some(side), Some(reach)) = (side, reach) else {
            let message = format!("`{}` is read with how deep it goes", info.name);
            let fault = Diagnostic::error("R0332", span, message);
            let help = if info.field == Field::BookDepth {
                "write `book.depth(opposite, 10bps)` or `book.depth(own, 5)`"
            } else {
                "write so many levels, `(5)`, or a share of the best price, `(10bps)`"
            };
            return self.fail(fault.help(help));
        };
        let kind = ExprKind::Depth(Depth { side, reach });
        Some(Expr { kind, unit: Unit::Qty, nullable: true, span })
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
        let (least, most) = arity(callable);
        let values = self.values(name, args, least, most, span)?;
        match callable {
            Callable::Pure(function) => self.pure(function, &values, span),
            Callable::Stateful(indicator) => self.stateful(indicator, name, &values, span),
            Callable::Past(past) => self.of_past(past, name, &values, span),
        }
    }

    /// Returns the arguments of a call, if they are values and as many as the function takes.
    fn values<'e>(
        &mut self,
        name: &ast::Name,
        args: &'e [Arg],
        least: usize,
        most: usize,
        span: Span,
    ) -> Option<Vec<&'e ast::Expr>> {
        let values: Vec<&ast::Expr> = args
            .iter()
            .filter_map(|arg| match arg {
                Arg::Expr(expr, None) => Some(expr),
                Arg::Expr(_, Some(_)) | Arg::Asset(_) => None,
            })
            .collect();
        if values.len() == args.len() && (least..=most).contains(&values.len()) {
            return Some(values);
        }
        let count = match (least, most) {
            (0, 0) => "no value".to_owned(),
            (1, 1) => "one value".to_owned(),
            (least, most) if least == most => format!("{most} values"),
            (least, most) => format!("{least} or {most} values"),
        };
        let message = format!("`{}` takes {count}", name.text);
        self.fail(Diagnostic::error("R0213", span, message))
    }

    /// Functions without state: all values have one unit, mostly that of the result.
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
        let mut nullable = args.iter().any(|arg| arg.nullable);
        match function {
            Function::Floor | Function::Ceil | Function::Round => {
                if !matches!(unit, Unit::Num | Unit::Int) {
                    let message = format!("no integers of {}", describe(&unit));
                    let fault = Diagnostic::error("R0207", span, message);
                    return self.fail(fault.help("divide it by a value of its unit first"));
                }
                unit = Unit::Int;
            }
            Function::RoundDown | Function::RoundUp | Function::RoundNearest => {
                if !matches!(unit, Unit::Price | Unit::Qty) {
                    let message = format!("{} has neither tick nor lot", describe(&unit));
                    let fault = Diagnostic::error("R0207", span, message);
                    return self.fail(fault.help("`floor`, `ceil` and `round` make integers"));
                }
            }
            Function::Mod => {
                nullable = nullable || args.get(1).is_some_and(|by| self.can_be_zero(by));
            }
            Function::Max | Function::Min | Function::Abs | Function::Clamp => {}
        }
        Some(Expr { kind: ExprKind::Call(function, args), unit, nullable, span })
    }

    /// Makes a call with state a series of the block and reads it.
    fn stateful(
        &mut self,
        indicator: Indicator,
        name: &ast::Name,
        values: &[&ast::Expr],
        span: Span,
    ) -> Option<Expr> {
        self.keeps(name)?;
        let (inputs, length, unit) = match (indicator, values) {
            (Indicator::Crossover | Indicator::Crossunder, [first, second]) => {
                let (left, right) = (self.infer(first), self.infer(second));
                let (left, right) = self.fit(left?, right?, "compare", "R0203")?;
                (vec![left, right], None, Unit::Bool)
            }
            (Indicator::Tr | Indicator::Atr | Indicator::Vwap, _) => {
                let length = match values {
                    [length] => Some(self.length(length)?),
                    _ => None,
                };
                let unit = Unit::Price;
                (self.bar_inputs(indicator, span)?, length, unit)
            }
            (_, [first, second]) => {
                let (input, length) = (self.infer(first), self.length(second));
                let input = input?;
                let plain = matches!(indicator, Indicator::Rsi | Indicator::Zscore)
                    || input.unit == Unit::Int;
                let unit = if plain { Unit::Num } else { input.unit.clone() };
                (vec![input], Some(length?), unit)
            }
            _ => return None,
        };
        if let Some(wrong) = inputs
            .iter()
            .find(|input| !units::is_number(&input.unit) && input.kind != time_of_bar().kind)
        {
            let message =
                format!("`{}` is of numbers, not of {}", name.text, describe(&wrong.unit));
            return self.fail(Diagnostic::error("R0207", wrong.span, message));
        }
        self.kept(indicator, inputs, length, unit, span)
    }

    /// Refuses a risk block that keeps a series.
    fn keeps(&mut self, name: &ast::Name) -> Option<()> {
        if self.scope.owner == Owner::Strategy {
            return Some(());
        }
        let message = format!("a risk block cannot keep the series `{}`", name.text);
        let fault = Diagnostic::error("R0306", name.span, message);
        self.fail(fault.help("series belong to strategies"))
    }

    /// Adds a series and reads it.
    fn kept(
        &mut self,
        indicator: Indicator,
        inputs: Vec<Expr>,
        length: Option<Expr>,
        unit: Unit,
        span: Span,
    ) -> Option<Expr> {
        let shown = usize::try_from(span.start).ok().zip(usize::try_from(span.end).ok());
        let shown = shown.and_then(|(start, end)| self.scope.text.get(start..end)).unwrap_or("");
        let name = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let frame = self.frame;
        let index =
            self.scope.add_series(Series { name, indicator, inputs, length, frame, unit, span });
        self.bound(Binding::Series(index), span)
    }

    /// Returns what indicators of whole bars read.
    fn bar_inputs(&mut self, indicator: Indicator, span: Span) -> Option<Vec<Expr>> {
        let mut read = |field: Field| self.field(field.info(), None, span);
        let (high, low, close) =
            (read(Field::BarHigh)?, read(Field::BarLow)?, read(Field::BarClose)?);
        if indicator != Indicator::Vwap {
            return Some(vec![high, low, close]);
        }
        let (volume, time) = (read(Field::BarVolume)?, read(Field::BarTime)?);
        let sum = |a: Expr, b: Expr| {
            let (unit, nullable) = (a.unit.clone(), a.nullable || b.nullable);
            let kind = ExprKind::Arith(Arith::Add, Box::new(a), Box::new(b));
            Expr { kind, unit, nullable, span }
        };
        Some(vec![sum(sum(high, low), close), volume, time])
    }

    /// `x[k]`: what x was k steps ago. Of a series on longer bars, k of these.
    pub(super) fn past(&mut self, inner: &ast::Expr, steps: u64, span: Span) -> Option<Expr> {
        if self.scope.owner == Owner::Risk {
            let fault = Diagnostic::error("R0306", span, "a risk block cannot keep earlier values");
            return self.fail(fault.help("series belong to strategies"));
        }
        let now = self.infer(inner)?;
        if steps == 0 {
            return Some(now);
        }
        let length = ExprKind::Number { mantissa: i128::from(steps), decimals: 0 };
        let length = Expr { kind: length, unit: Unit::Int, nullable: false, span };
        self.earlier(now, length, span)
    }

    /// Keeps what a value was `length` steps ago.
    fn earlier(&mut self, now: Expr, length: Expr, span: Span) -> Option<Expr> {
        if matches!(now.kind, ExprKind::Na) {
            return self.fail(Diagnostic::error("R0217", now.span, "`na` of what unit?"));
        }
        if let ExprKind::Number { mantissa, .. } = length.kind
            && mantissa > SERIES_LENGTH_MAX
        {
            let message = format!("at most {SERIES_LENGTH_MAX} steps back");
            return self.fail(Diagnostic::error("R0315", span, message));
        }
        let outer = self.frame;
        self.frame = self.frame.or_else(|| self.scope.frame(&now.kind));
        let unit = now.unit.clone();
        let kept = self.kept(Indicator::Lag, vec![now], Some(length), unit, span);
        self.frame = outer;
        kept
    }

    /// `change(x, n)` and `roc(x, n)`; one step when no length is given.
    fn of_past(
        &mut self,
        past: Past,
        name: &ast::Name,
        values: &[&ast::Expr],
        span: Span,
    ) -> Option<Expr> {
        self.keeps(name)?;
        let (first, rest) = values.split_first()?;
        let now = self.infer(first);
        let length = match rest.first() {
            Some(length) => self.length(length),
            None => Some(Expr {
                kind: ExprKind::Number { mantissa: 1, decimals: 0 },
                unit: Unit::Int,
                nullable: false,
                span,
            }),
        };
        let now = now?;
        if !units::is_number(&now.unit) {
            let message = format!("`{}` is of numbers, not of {}", name.text, describe(&now.unit));
            return self.fail(Diagnostic::error("R0207", now.span, message));
        }
        let before = self.earlier(now.clone(), length?, span)?;
        let difference = difference(now, before.clone(), span);
        Some(match past {
            Past::Change => difference,
            Past::Roc => ratio(difference, before, span),
        })
    }

    /// `macd(x, fast, slow, smooth).line` and its like.
    fn parted(
        &mut self,
        name: &ast::Name,
        parts: &[&str],
        args: &[Arg],
        rest: &[Segment],
        span: Span,
    ) -> Option<Expr> {
        let part = match rest {
            [Segment { name: part, args: None }] => parts.iter().find(|known| **known == part.text),
            _ => None,
        };
        let Some(part) = part else {
            let message = format!("`{}` has parts: say which", name.text);
            let fault = Diagnostic::error("R0331", span, message);
            let list: Vec<String> = parts.iter().map(|part| format!("`.{part}`")).collect();
            return self.fail(fault.help(format!("write {} behind it", list.join(", "))));
        };
        self.keeps(name)?;
        if name.text == "macd" {
            let values = self.values(name, args, 4, 4, span)?;
            let [x, fast, slow, smooth] = values.as_slice() else { return None };
            return self.macd(name, [x, fast, slow, smooth], part, span);
        }
        let values = self.values(name, args, 3, 3, span)?;
        let [x, length, wide] = values.as_slice() else { return None };
        let middle = self.stateful(Indicator::Sma, name, &[x, length], span)?;
        let wide = self.expect(wide, &Unit::Num, "the width of the bands")?;
        if *part == "middle" {
            return Some(middle);
        }
        let off = self.stateful(Indicator::Stdev, name, &[x, length], span)?;
        let (unit, nullable) = (off.unit.clone(), off.nullable || wide.nullable);
        let kind = ExprKind::Arith(Arith::Mul, Box::new(wide), Box::new(off));
        let off = Expr { kind, unit: unit.clone(), nullable, span };
        if *part == "lower" {
            return Some(difference(middle, off, span));
        }
        let kind = ExprKind::Arith(Arith::Add, Box::new(middle), Box::new(off));
        Some(Expr { kind, unit, nullable, span })
    }

    fn macd(
        &mut self,
        name: &ast::Name,
        [x, fast, slow, smooth]: [&ast::Expr; 4],
        part: &str,
        span: Span,
    ) -> Option<Expr> {
        let fast = self.stateful(Indicator::Ema, name, &[x, fast], span)?;
        let slow = self.stateful(Indicator::Ema, name, &[x, slow], span)?;
        let line = difference(fast, slow, span);
        let smooth = self.length(smooth)?;
        if part == "line" {
            return Some(line);
        }
        let unit = line.unit.clone();
        let signal = self.kept(Indicator::Ema, vec![line.clone()], Some(smooth), unit, span)?;
        Some(if part == "signal" { signal } else { difference(line, signal, span) })
    }

    /// Reports a name that is not of the longer bars at hand.
    fn fits_frame(&mut self, binding: Binding, span: Span) -> Option<()> {
        let (Some(frame), Some(kind)) = (self.frame, binding.kind()) else { return Some(()) };
        let own = self.scope.frame(&kind);
        let fits = match binding {
            Binding::Series(_) => own == Some(frame),
            Binding::Let(index) if own.is_none() => {
                let fields = self.scope.lets.get(index).map(|item| self.scope.fields(&item.value));
                let is_bar = |field: &Field| field.info().needs == Needs::Bars;
                !self.scope.keeps_series(index) && fields.iter().flatten().all(is_bar)
            }
            Binding::Let(_) => own == Some(frame),
            Binding::State(_) => false,
            Binding::Param(_) | Binding::Broken => true,
        };
        if fits {
            return Some(());
        }
        let fault = Diagnostic::error("R0330", span, "is not of these longer bars");
        self.fail(fault.help(
            "a series on longer bars reads their prices, parameters, and series on the same length",
        ))
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

/// How many values a function takes, at least and at most.
const fn arity(callable: Callable) -> (usize, usize) {
    match callable {
        Callable::Pure(
            Function::Abs
            | Function::Floor
            | Function::Ceil
            | Function::Round
            | Function::RoundDown
            | Function::RoundUp
            | Function::RoundNearest,
        )
        | Callable::Stateful(Indicator::Atr) => (1, 1),
        Callable::Pure(Function::Clamp) => (3, 3),
        Callable::Stateful(Indicator::Tr | Indicator::Vwap) => (0, 0),
        Callable::Past(_) => (1, 2),
        Callable::Pure(Function::Max | Function::Min | Function::Mod) | Callable::Stateful(_) => {
            (2, 2)
        }
    }
}

/// Returns `a - b` of one unit.
fn difference(a: Expr, b: Expr, span: Span) -> Expr {
    let (unit, nullable) = (a.unit.clone(), a.nullable || b.nullable);
    Expr { kind: ExprKind::Arith(Arith::Sub, Box::new(a), Box::new(b)), unit, nullable, span }
}

/// Returns `a / b` of one unit.
fn ratio(a: Expr, b: Expr, span: Span) -> Expr {
    let kind = ExprKind::Arith(Arith::Div, Box::new(a), Box::new(b));
    Expr { kind, unit: Unit::Num, nullable: true, span }
}

/// The end of the bar, which one indicator reads as a number.
const fn time_of_bar() -> Expr {
    let kind = ExprKind::Field(Field::BarTime, None);
    Expr { kind, unit: Unit::Time, nullable: true, span: Span { source: 0, start: 0, end: 0 } }
}

/// `own` or `opposite`.
fn named_side(expr: &ast::Expr) -> Option<DepthSide> {
    let ast::ExprKind::Path(segments) = &expr.kind else { return None };
    let [only] = segments.as_slice() else { return None };
    match only.name.text.as_str() {
        "own" => Some(DepthSide::Own),
        "opposite" => Some(DepthSide::Opposite),
        _ => None,
    }
}

/// A whole number of levels, or a share below one.
fn depth_reach(literal: &ast::Literal) -> Option<DepthReach> {
    if let ast::Literal::Number(number) = literal {
        let levels = u16::try_from(number.mantissa).ok();
        return levels.filter(|n| *n > 0 && number.decimals == 0).map(DepthReach::Levels);
    }
    let ast::Literal::Percent(number) = literal else { return None };
    let power = model::num::pow10(9_u8.checked_sub(number.decimals)?)?;
    let rate = i64::try_from(number.mantissa.checked_mul(power)?).ok()?;
    (rate > 0 && rate < 1_000_000_000).then_some(DepthReach::Within(rate))
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
