//! Types expressions: names to indices, literals to numbers, units through the algebra, and
//! whether the result can be `na`.
//!
//! A wrong expression gives one diagnostic and no value; what contains it stays silent, so that
//! one mistake is one message. Overflow aside (it is `na` anywhere, and refuses), `nullable` is
//! exact to the field.

use crate::ast::{self, Literal, Operator};
use crate::diagnostics::Diagnostic;
use crate::limits::NODES_MAX;
use crate::span::Span;
use crate::typed::{Arith, Asset, Compare, Expr, ExprKind, Occasion, Unit};

use super::scope::{Binding, Reach, Scope};
use super::units::{self, Misfit, describe, describe_fully};

/// Where an expression stands, which decides what it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Value of a `let`: judged where the let is read.
    Let,
    /// Condition of a latch: there may be no order.
    Latch,
    /// A cap: the quantity is not final.
    Cap,
    /// `deny`, `require`, and what a cooldown or a throttle asks of the order.
    Check,
    /// What happens on an occasion: an update, a window's filter.
    On(Occasion),
    /// Anything in a strategy.
    Strategy,
    /// An invariant: also the verdict.
    Invariant,
}

/// Types the expressions of one place.
pub(crate) struct Typing<'a, 't> {
    /// Names.
    pub(crate) scope: &'a mut Scope<'t>,
    /// Findings.
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Where.
    pub(crate) place: Place,
    /// The most that was asked of the moment so far.
    pub(crate) reach: Option<Reach>,
    /// Length of the bars that are read here, if they are not the trigger's.
    pub(crate) frame: Option<i64>,
}

impl<'a, 't> Typing<'a, 't> {
    /// Begins at a place.
    pub(crate) fn new(
        scope: &'a mut Scope<'t>,
        diagnostics: &'a mut Vec<Diagnostic>,
        place: Place,
    ) -> Self {
        Self { scope, diagnostics, place, reach: None, frame: None }
    }

    /// Reports a finding; for use as the last word of a function that gives up.
    pub(crate) fn fail<T>(&mut self, fault: Diagnostic) -> Option<T> {
        self.diagnostics.push(fault);
        None
    }

    /// Types an expression that must be a truth.
    pub(crate) fn condition(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let typed = self.infer(expr)?;
        if typed.unit == Unit::Bool {
            return Some(typed);
        }
        let found = describe(&typed.unit);
        let fault =
            Diagnostic::error("R0207", typed.span, format!("a condition cannot be {found}"));
        self.fail(fault.help("compare it with something"))
    }

    /// Types an expression that must have a unit; an asset still to be bound fits any.
    pub(crate) fn expect(&mut self, expr: &ast::Expr, wanted: &Unit, what: &str) -> Option<Expr> {
        let mut typed = self.infer(expr)?;
        self.adapt(&mut typed, wanted);
        match units::same(&typed.unit, wanted) {
            Ok(_) if *wanted != Unit::Int || typed.unit == Unit::Int => Some(typed),
            Err(Misfit::Assets(a, b)) => self.fail(mixed(&typed, &a, &b)),
            _ => {
                let (wanted, found) = (describe_fully(wanted), describe_fully(&typed.unit));
                let message = format!("{what} is {wanted}, not {found}");
                self.fail(Diagnostic::error("R0207", typed.span, message).label(found))
            }
        }
    }

    /// Types an expression.
    pub(crate) fn infer(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Literal(literal) => self.literal(literal, span),
            ast::ExprKind::Path(segments) => self.path(segments, span),
            ast::ExprKind::Neg(inner) => self.negative(inner, span),
            ast::ExprKind::Not(inner) => {
                let inner = self.condition(inner)?;
                let nullable = inner.nullable;
                Some(truth(ExprKind::Not(Box::new(inner)), nullable, span))
            }
            ast::ExprKind::Binary(operator, left, right) => {
                self.binary(*operator, left, right, span)
            }
            ast::ExprKind::In(value, low, high) => self.within(value, low, high, span),
            ast::ExprKind::IsNa(inner, negated) => self.is_na(inner, *negated, span),
            ast::ExprKind::If(condition, yes, no) => self.conditional(condition, yes, no, span),
            ast::ExprKind::Index(inner, steps) => self.past(inner, *steps, span),
        }
    }

    fn literal(&mut self, literal: &Literal, span: Span) -> Option<Expr> {
        let number = |number: &ast::Number, unit| Expr {
            kind: ExprKind::Number { mantissa: number.mantissa, decimals: number.decimals },
            unit,
            nullable: false,
            span,
        };
        let nanoseconds = |ns: i64, unit| Expr {
            kind: ExprKind::Number { mantissa: i128::from(ns), decimals: 0 },
            unit,
            nullable: false,
            span,
        };
        Some(match literal {
            Literal::Number(n) if n.point => number(n, Unit::Num),
            Literal::Number(n) => number(n, Unit::Int),
            Literal::Percent(n) => number(n, Unit::Num),
            Literal::Amount(n, asset) => number(n, Unit::Money(Asset::Named(asset.text.clone()))),
            Literal::Duration(ns) => nanoseconds(*ns, Unit::Duration),
            Literal::Instant(ns) => nanoseconds(*ns, Unit::Time),
            Literal::Ticks(n) => {
                let count = self.whole(n, "ticks", span)?;
                Expr { kind: ExprKind::Ticks(count), unit: Unit::Price, nullable: false, span }
            }
            Literal::Lots(n) => {
                let count = self.whole(n, "lots", span)?;
                Expr { kind: ExprKind::Lots(count), unit: Unit::Qty, nullable: false, span }
            }
            Literal::Bool(truth) => {
                Expr { kind: ExprKind::Bool(*truth), unit: Unit::Bool, nullable: false, span }
            }
            // The unit comes from what stands beside it.
            Literal::Na => Expr { kind: ExprKind::Na, unit: Unit::Num, nullable: true, span },
            Literal::TimeOfDay(_) => {
                let fault = Diagnostic::error(
                    "R0905",
                    span,
                    "a time of the day is not supported here by this version",
                );
                return self.fail(fault.help("compare `now` with a moment: @2026-01-05T10:00:00Z"));
            }
        })
    }

    /// Returns a number of steps.
    fn whole(&mut self, number: &ast::Number, what: &str, span: Span) -> Option<i64> {
        match i64::try_from(number.mantissa) {
            Ok(count) if number.decimals == 0 => Some(count),
            _ => {
                let message = format!("{what} are whole");
                self.fail(Diagnostic::error("R0220", span, message).label("not a whole number"))
            }
        }
    }

    fn negative(&mut self, inner: &ast::Expr, span: Span) -> Option<Expr> {
        let inner = self.infer(inner)?;
        if !units::is_number(&inner.unit) {
            let message = format!("{} has no negative", describe(&inner.unit));
            return self.fail(Diagnostic::error("R0204", inner.span, message));
        }
        let (unit, nullable) = (inner.unit.clone(), inner.nullable);
        let kind = if let ExprKind::Number { mantissa, decimals } = inner.kind {
            ExprKind::Number { mantissa: mantissa.saturating_neg(), decimals }
        } else if let ExprKind::Ticks(count) = inner.kind {
            ExprKind::Ticks(count.saturating_neg())
        } else if let ExprKind::Lots(count) = inner.kind {
            ExprKind::Lots(count.saturating_neg())
        } else {
            ExprKind::Neg(Box::new(inner))
        };
        Some(Expr { kind, unit, nullable, span })
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        match operator {
            Operator::Implies | Operator::Or | Operator::And => {
                let (left, right) = self.both(left, right, Self::condition)?;
                let nullable = left.nullable || right.nullable;
                let (left, right) = (Box::new(left), Box::new(right));
                let kind = if operator == Operator::And {
                    ExprKind::And(left, right)
                } else if operator == Operator::Or {
                    ExprKind::Or(left, right)
                } else {
                    let (unknown, place) = (left.nullable, left.span);
                    let not = truth(ExprKind::Not(left), unknown, place);
                    ExprKind::Or(Box::new(not), right)
                };
                Some(truth(kind, nullable, span))
            }
            Operator::Compare(compare) => self.comparison(compare, left, right, span),
            Operator::Arith(arith) => self.arithmetic(arith, left, right, span),
            Operator::Default => self.fallback(left, right, span),
        }
    }

    /// Types both sides, so that both may report, and gives up if one is wrong.
    fn both(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        each: impl Fn(&mut Self, &ast::Expr) -> Option<Expr>,
    ) -> Option<(Expr, Expr)> {
        let left = each(self, left);
        let right = each(self, right);
        Some((left?, right?))
    }

    fn comparison(
        &mut self,
        compare: Compare,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let (left, right) = match (self.word_list(left), self.word_list(right)) {
            (Some(list), None) => (self.infer(left)?, self.word(right, list)?),
            (None, Some(list)) => (self.word(left, list)?, self.infer(right)?),
            _ => self.both(left, right, Self::infer)?,
        };
        self.compare(compare, left, right, span)
    }

    /// Compares two typed values.
    fn compare(&mut self, op: Compare, left: Expr, right: Expr, span: Span) -> Option<Expr> {
        if matches!(left.kind, ExprKind::Na) || matches!(right.kind, ExprKind::Na) {
            let fault = Diagnostic::error("R0214", span, "a comparison with `na` is always `na`");
            return self.fail(fault.help("write `is na` or `is not na`"));
        }
        let (left, right) = self.fit(left, right, "compare", "R0203")?;
        let ordered = !matches!(left.unit, Unit::Bool | Unit::Word(_));
        if !ordered && !matches!(op, Compare::Equal | Compare::NotEqual) {
            let message = format!("{} has no order", describe(&left.unit));
            let fault = Diagnostic::error("R0203", span, message);
            return self.fail(fault.help("compare with `==` or `!=`"));
        }
        let nullable = left.nullable || right.nullable;
        Some(truth(ExprKind::Compare(op, Box::new(left), Box::new(right)), nullable, span))
    }

    /// Returns the words of a field or name that is one, without reporting anything.
    fn word_list(&self, expr: &ast::Expr) -> Option<&'static [&'static str]> {
        let ast::ExprKind::Path(segments) = &expr.kind else { return None };
        let name: Vec<&str> = segments.iter().map(|part| part.name.text.as_str()).collect();
        let name = name.join(".");
        let unit = match self.scope.unit(&name) {
            Some(unit) => unit.clone(),
            None => units::of_field(crate::schema::Field::named(&name)?)?,
        };
        if let Unit::Word(list) = unit { Some(list) } else { None }
    }

    /// Types a word of a list.
    fn word(&mut self, expr: &ast::Expr, list: &'static [&'static str]) -> Option<Expr> {
        let name = if let ast::ExprKind::Path(segments) = &expr.kind
            && let [only] = segments.as_slice()
            && only.args.is_none()
        {
            only.name.text.as_str()
        } else {
            ""
        };
        let index = list.iter().position(|word| *word == name);
        let Some(index) = index.and_then(|index| u16::try_from(index).ok()) else {
            let fault = Diagnostic::error("R0215", expr.span, "not one of the words of this field");
            let help = match crate::parse::suggest::nearest(name, list.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("one of: {}", list.join(", ")),
            };
            return self.fail(fault.help(help));
        };
        Some(Expr {
            kind: ExprKind::Word(index),
            unit: Unit::Word(list),
            nullable: false,
            span: expr.span,
        })
    }

    fn arithmetic(
        &mut self,
        op: Arith,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let (mut left, mut right) = self.both(left, right, Self::infer)?;
        if matches!(op, Arith::Add | Arith::Sub) {
            self.meet(&mut left, &mut right);
        }
        let unit = match op {
            Arith::Add => units::sum(&left.unit, &right.unit, false),
            Arith::Sub => units::sum(&left.unit, &right.unit, true),
            Arith::Mul => units::product(&left.unit, &right.unit),
            Arith::Div => units::quotient(&left.unit, &right.unit),
        };
        let unit = match unit {
            Ok(unit) => unit,
            Err(misfit) => {
                let (verb, code) = match op {
                    Arith::Add => ("add", "R0204"),
                    Arith::Sub => ("subtract", "R0204"),
                    Arith::Mul => ("multiply", "R0205"),
                    Arith::Div => ("divide", "R0205"),
                };
                return self.misfit(&left, &right, verb, code, misfit);
            }
        };
        let can_be_zero = op == Arith::Div && self.can_be_zero(&right);
        let nullable = left.nullable || right.nullable || can_be_zero;
        let kind = ExprKind::Arith(op, Box::new(left), Box::new(right));
        Some(Expr { kind, unit, nullable, span })
    }

    /// Tells whether a divisor may be zero: not a literal, nor a parameter whose range excludes it.
    pub(super) fn can_be_zero(&self, expr: &Expr) -> bool {
        if let ExprKind::Param(index) = &expr.kind {
            let range = self.scope.params.get(*index).and_then(|param| param.range.as_ref());
            let signs = range.map(|(low, high)| (sign(low), sign(high)));
            return !matches!(signs, Some((Some(1), _) | (_, Some(-1))));
        }
        matches!(sign(expr), None | Some(0))
    }

    /// Tells whether a literal or a parameter is, or by its range may be, zero or less.
    pub(super) fn may_be_nothing(&self, expr: &Expr) -> bool {
        let ExprKind::Param(index) = &expr.kind else {
            return sign(expr).is_some_and(|sign| sign <= 0);
        };
        let Some(param) = self.scope.params.get(*index) else { return false };
        let table = param.table.iter().map(|(_, value)| value);
        let values = table.chain([&param.value]).chain(param.range.iter().map(|(low, _)| low));
        values.filter_map(sign).any(|sign| sign <= 0)
    }

    fn fallback(&mut self, left: &ast::Expr, right: &ast::Expr, span: Span) -> Option<Expr> {
        let (left, right) = self.both(left, right, Self::infer)?;
        let (left, right) = self.fit(left, right, "choose between", "R0203")?;
        if !left.nullable {
            let fault = Diagnostic::warning("R0404", left.span, "this is never `na`");
            self.diagnostics.push(fault.label("so what follows `??` is never used"));
        }
        let unit = units::same(&left.unit, &right.unit).unwrap_or(Unit::Num);
        let nullable = right.nullable;
        let kind = ExprKind::Default(Box::new(left), Box::new(right));
        Some(Expr { kind, unit, nullable, span })
    }

    /// `value in low..high` is two comparisons.
    fn within(
        &mut self,
        value: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let value = self.infer(value)?;
        let (low, high) = self.both(low, high, Self::infer)?;
        if super::names::size(&value) > NODES_MAX / 2 {
            let fault =
                Diagnostic::error("R0105", value.span, "too large for `in`, which reads it twice");
            return self.fail(fault.help("name it with `let`"));
        }
        let low = self.compare(Compare::GreaterEq, value.clone(), low, span)?;
        let high = self.compare(Compare::LessEq, value, high, span)?;
        let nullable = low.nullable || high.nullable;
        Some(truth(ExprKind::And(Box::new(low), Box::new(high)), nullable, span))
    }

    fn is_na(&mut self, inner: &ast::Expr, negated: bool, span: Span) -> Option<Expr> {
        let inner = self.infer(inner)?;
        if !inner.nullable {
            let fault = Diagnostic::warning("R0405", inner.span, "this is never `na`");
            self.diagnostics.push(fault);
        }
        let test = truth(ExprKind::IsNa(Box::new(inner)), false, span);
        Some(if negated { truth(ExprKind::Not(Box::new(test)), false, span) } else { test })
    }

    fn conditional(
        &mut self,
        condition: &ast::Expr,
        yes: &ast::Expr,
        no: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let condition = self.condition(condition);
        let (yes, no) = self.both(yes, no, Self::infer)?;
        let (yes, no) = self.fit(yes, no, "choose between", "R0203")?;
        let condition = condition?;
        let unit = units::same(&yes.unit, &no.unit).unwrap_or(Unit::Num);
        let nullable = condition.nullable || yes.nullable || no.nullable;
        let kind = ExprKind::If(Box::new(condition), Box::new(yes), Box::new(no));
        Some(Expr { kind, unit, nullable, span })
    }

    /// Gives literals without a unit of their own the unit of the other side.
    fn meet(&self, left: &mut Expr, right: &mut Expr) {
        self.adapt(left, &right.unit.clone());
        self.adapt(right, &left.unit.clone());
    }

    /// Makes two values ones of the same unit, or reports that they are not.
    pub(super) fn fit(
        &mut self,
        mut left: Expr,
        mut right: Expr,
        verb: &str,
        code: &'static str,
    ) -> Option<(Expr, Expr)> {
        if matches!((&left.kind, &right.kind), (ExprKind::Na, ExprKind::Na)) {
            let span = left.span.to(right.span);
            return self.fail(Diagnostic::error("R0217", span, "`na` of what unit?"));
        }
        self.meet(&mut left, &mut right);
        match units::same(&left.unit, &right.unit) {
            Ok(_) => Some((left, right)),
            Err(misfit) => self.misfit(&left, &right, verb, code, misfit),
        }
    }

    /// Adapts a literal: `na` takes any unit, a whole number may be a number, and an amount of the
    /// base asset is a quantity.
    pub(super) fn adapt(&self, expr: &mut Expr, wanted: &Unit) {
        match (&expr.kind, &expr.unit, wanted) {
            (ExprKind::Na, ..) => expr.unit = wanted.clone(),
            (ExprKind::Number { .. }, Unit::Int, Unit::Num) => expr.unit = Unit::Num,
            (ExprKind::Number { .. }, Unit::Money(Asset::Named(asset)), Unit::Qty)
                if self.is_base(asset) =>
            {
                expr.unit = Unit::Qty;
            }
            _ => {}
        }
    }

    /// Tells whether an asset is the base of every symbol of the block.
    pub(super) fn is_base(&self, asset: &str) -> bool {
        let symbols = &self.scope.symbols;
        !symbols.is_empty() && symbols.iter().all(|symbol| symbol.base == asset)
    }

    /// Reports two units that do not fit.
    pub(super) fn misfit<T>(
        &mut self,
        left: &Expr,
        right: &Expr,
        verb: &str,
        code: &'static str,
        misfit: Misfit,
    ) -> Option<T> {
        if let Misfit::Assets(a, b) = misfit {
            let fault = mixed(left, &a, &b);
            return self.fail(fault.also(right.span, describe_fully(&right.unit)));
        }
        let joiner = match verb {
            "compare" | "multiply" => "with",
            "divide" => "by",
            "subtract" => "minus",
            _ => "and",
        };
        let (a, b) = (describe(&left.unit), describe(&right.unit));
        let message = match verb {
            "subtract" => format!("cannot subtract {b} from {a}"),
            _ => format!("cannot {verb} {a} {joiner} {b}"),
        };
        let mut fault = Diagnostic::error(code, left.span, message)
            .label(describe_fully(&left.unit))
            .also(right.span, describe_fully(&right.unit));
        for side in [left, right] {
            if let Some((name, span)) = self.declaration(side) {
                fault = fault.also(span, format!("`{name}` is declared here"));
            }
        }
        let help = bare_number(left, right).or_else(|| bare_number(right, left));
        let help = help.filter(|_| code != "R0205");
        let meant = || self.meant(left, right).or_else(|| self.meant(right, left));
        if let Some(help) = help.or_else(|| if verb == "compare" { meant() } else { None }) {
            fault = fault.help(help);
        }
        self.fail(fault)
    }

    /// Where the name that an expression consists of is declared.
    fn declaration(&self, expr: &Expr) -> Option<(String, Span)> {
        let name = if let ExprKind::Param(index) = expr.kind {
            &self.scope.params.get(index)?.name
        } else if let ExprKind::Let(index) = expr.kind {
            &self.scope.lets.get(index)?.name
        } else if let ExprKind::Series(index) = expr.kind {
            &self.scope.series.get(index)?.name
        } else if let ExprKind::State(index) = expr.kind {
            &self.scope.states.get(index)?.name
        } else {
            return None;
        };
        Some((name.clone(), self.scope.declared(name)?))
    }

    /// What was probably meant: a field of the same group with the other side's unit.
    fn meant(&self, wrong: &Expr, other: &Expr) -> Option<String> {
        let ExprKind::Field(field, _) = wrong.kind else { return None };
        let (group, _) = field.info().name.split_once('.')?;
        let fields = crate::schema::FIELDS.iter().filter(|info| info.field != field);
        let mut fitting = fields.filter(|info| {
            info.name.split_once('.').is_some_and(|(other, _)| other == group)
                && super::names::is_readable(self.scope.owner, info.scope)
                && units::of_field(info).is_some_and(|unit| units::same(&unit, &other.unit).is_ok())
        });
        fitting.next().map(|info| format!("did you mean `{}`?", info.name))
    }
}

/// The unit that a bare number needs beside another value.
fn bare_number(bare: &Expr, other: &Expr) -> Option<String> {
    let ExprKind::Number { mantissa, decimals } = bare.kind else { return None };
    if !matches!(bare.unit, Unit::Int | Unit::Num) {
        return None;
    }
    let number = model::decimal::format_trimmed(mantissa, decimals);
    match &other.unit {
        Unit::Price if decimals > 0 => Some("a price is written in whole ticks".to_owned()),
        Unit::Qty if decimals > 0 => Some("a quantity is written in whole lots".to_owned()),
        Unit::Price => Some(format!("a price needs a unit, such as `{number} ticks`")),
        Unit::Qty => Some(format!("a quantity needs a unit, such as `{number} lots`")),
        Unit::Money(Asset::Named(asset)) => Some(format!("write `{number} {asset}`")),
        Unit::Money(_) => Some(format!("money needs an asset, such as `{number} USDT`")),
        Unit::Duration => Some(format!("a duration needs a unit, such as `{number}s`")),
        Unit::Int | Unit::Num | Unit::Bool | Unit::Time | Unit::Word(_) => None,
    }
}

/// Makes a truth.
pub(super) fn truth(kind: ExprKind, nullable: bool, span: Span) -> Expr {
    Expr { kind, unit: Unit::Bool, nullable, span }
}

/// Two assets never mix.
fn mixed(expr: &Expr, a: &str, b: &str) -> Diagnostic {
    Diagnostic::error("R0208", expr.span, format!("cannot mix {a} with {b}"))
        .label(describe_fully(&expr.unit))
        .help("different assets need a rate between them")
}

impl Binding {
    /// Returns the form of an expression that reads the name; none if its declaration is wrong.
    pub(super) const fn kind(self) -> Option<ExprKind> {
        match self {
            Self::Param(index) => Some(ExprKind::Param(index)),
            Self::Let(index) => Some(ExprKind::Let(index)),
            Self::Series(index) => Some(ExprKind::Series(index)),
            Self::State(index) => Some(ExprKind::State(index)),
            Self::Broken => None,
        }
    }
}

/// Returns the sign of a literal.
fn sign(expr: &Expr) -> Option<i128> {
    if let ExprKind::Number { mantissa, .. } = expr.kind {
        Some(mantissa.signum())
    } else if let ExprKind::Ticks(count) | ExprKind::Lots(count) = expr.kind {
        Some(i128::from(count.signum()))
    } else if let ExprKind::Neg(inner) = &expr.kind {
        sign(inner).map(i128::saturating_neg)
    } else {
        None
    }
}
