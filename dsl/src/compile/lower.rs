//! From typed expressions to nodes: scales, parameters, assets and facts of one instrument.

use std::collections::BTreeMap;

use model::num::{MONEY_SCALE, Rounding, Scale};
use model::order::Cause;

use super::graph::{Graph, NodeId};
use super::number::Num;
use super::{Binding, Carries};
use crate::bounds::Bounds;
use crate::diagnostics::Diagnostic;
use crate::evaluate::readout::Sides;
use crate::evaluate::{Input, Part, Recall};
use crate::schema::{Field, Needs, Type};
use crate::span::Span;
use crate::typed::{
    Arith, Asset, AssetArg, Compare, Depth, Expr, ExprKind, Extent, Fold, Function, Let, Param,
    RiskBlock, RuleName, State, Unit, Window,
};
use crate::value::Value;

/// An asset, as far as it is known at bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound<'a> {
    Name(&'a str),
    Pays,
}

/// What is being bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) block: &'a str,
    pub(crate) params: &'a [Param],
    pub(crate) states: &'a [State],
    pub(crate) windows: &'a [Window],
    pub(crate) lets: &'a [Let],
}

/// Lowers the expressions of one block for one instrument.
pub(crate) struct Lower<'a> {
    pub(crate) graph: Graph,
    pub(crate) binding: &'a Binding<'a>,
    /// Results of the series built so far.
    pub(crate) series: Vec<Option<Num>>,
    pub(crate) found: Vec<Diagnostic>,
    names: Names<'a>,
    params: Vec<Option<Num>>,
    /// Lets by section, number, and whether on the left of `??`.
    lets: BTreeMap<(u8, usize, bool), Num>,
    /// Sections of longer bars, by their length.
    pub(crate) frames: Vec<(i64, u8)>,
    rule: &'a str,
    /// On the left of `??`, where a field that no source carries is simply na.
    tolerant: bool,
}

impl<'a> Names<'a> {
    /// Returns what a risk block names.
    pub(crate) fn of(block: &'a RiskBlock) -> Self {
        Self {
            block: &block.name,
            params: &block.params,
            states: &block.states,
            windows: &block.windows,
            lets: &block.lets,
        }
    }
}

impl<'a> Lower<'a> {
    pub(crate) fn new(binding: &'a Binding<'a>, names: Names<'a>, series: usize) -> Self {
        Self {
            graph: Graph::default(),
            binding,
            series: vec![None; series],
            found: Vec::new(),
            names,
            params: vec![None; names.params.len()],
            lets: BTreeMap::new(),
            frames: Vec::new(),
            rule: names.block,
            tolerant: false,
        }
    }

    /// From here on a field that no source carries is simply na.
    pub(crate) fn tolerate(&mut self) {
        self.tolerant = true;
    }

    /// Tells whether a parameter was read that has values of its own for some symbols.
    pub(crate) fn has_chosen(&self) -> bool {
        let mut read = self.names.params.iter().zip(&self.params);
        read.any(|(param, number)| number.is_some() && !param.table.is_empty())
    }

    /// Starts the next section.
    pub(crate) fn next_section(&mut self) {
        self.graph.next_section();
    }

    /// Goes to where the values of longer bars are computed, and returns where it was.
    pub(crate) fn enter_frame(&mut self, frame: Option<i64>) -> u8 {
        let known = frame.and_then(|length| self.frames.iter().find(|known| known.0 == length));
        self.graph.go_to(known.map_or(0, |(_, section)| *section))
    }

    /// Names the rule that messages are about.
    pub(crate) fn enter(&mut self, rule: &'a RuleName) {
        self.rule = &rule.code;
    }

    /// Lowers a condition; none is `otherwise`.
    pub(crate) fn condition(&mut self, expr: Option<&'a Expr>, otherwise: bool) -> NodeId {
        match expr {
            Some(expr) => self.lower(expr).num,
            None => self.graph.constant(Value::bool(otherwise)),
        }
    }

    /// Lowers an expression. What cannot be bound is reported and becomes na.
    pub(crate) fn lower(&mut self, expr: &'a Expr) -> Num {
        match &expr.kind {
            ExprKind::Number { mantissa, decimals } => self.literal(expr, *mantissa, *decimals),
            ExprKind::Ticks(count) => {
                let instrument = self.binding.instrument;
                self.steps(*count, instrument.tick.0, instrument.price_scale)
            }
            ExprKind::Lots(count) => {
                let instrument = self.binding.instrument;
                self.steps(*count, instrument.lot.0, instrument.qty_scale)
            }
            ExprKind::Bool(truth) => Num::plain(self.graph.constant(Value::bool(*truth))),
            ExprKind::Na => self.na(Cause::Missing),
            ExprKind::Word(index) => Num::plain(self.graph.number(i128::from(*index))),
            ExprKind::Field(field, asset) => self.field(*field, asset.as_ref(), expr.span),
            ExprKind::Param(index) => self.param(*index, expr),
            ExprKind::Let(index) => self.named(*index),
            ExprKind::Series(index) => match self.series.get(*index).copied().flatten() {
                Some(series) => series,
                None => self.na(Cause::Missing),
            },
            ExprKind::State(index) => self.state(*index),
            ExprKind::Window(index) => self.window(*index),
            ExprKind::Depth(depth) => self.depth(*depth, expr.span),
            ExprKind::Neg(inner) => {
                let inner = self.lower(inner);
                self.graph.negated(inner)
            }
            ExprKind::Not(inner) => {
                let inner = self.lower(inner).num;
                Num::plain(self.graph.not(inner))
            }
            ExprKind::IsNa(inner) => {
                let inner = self.lower(inner);
                Num::plain(self.graph.unknown(inner))
            }
            ExprKind::Arith(arith, a, b) => self.arith(*arith, a, b),
            ExprKind::Compare(compare, a, b) => {
                self.same_asset(a, b);
                let (a, b) = (self.lower(a), self.lower(b));
                Num::plain(self.graph.compare(*compare, a, b))
            }
            ExprKind::And(a, b) => {
                let (a, b) = (self.lower(a).num, self.lower(b).num);
                Num::plain(self.graph.and(a, b))
            }
            ExprKind::Or(a, b) => {
                let (a, b) = (self.lower(a).num, self.lower(b).num);
                Num::plain(self.graph.or(a, b))
            }
            ExprKind::If(condition, a, b) => {
                self.same_asset(a, b);
                let condition = self.lower(condition).num;
                let (a, b) = (self.lower(a), self.lower(b));
                self.graph.choose(condition, a, b)
            }
            ExprKind::Default(a, b) => {
                self.same_asset(a, b);
                let outer = std::mem::replace(&mut self.tolerant, true);
                let a = self.lower(a);
                self.tolerant = outer;
                let b = self.lower(b);
                self.graph.fallback(a, b)
            }
            ExprKind::Call(function, args) => self.call(*function, args),
        }
    }

    /// Returns how a condition that is a comparison compares, and what.
    pub(crate) fn compared(&self, condition: &'a Expr) -> Option<(Compare, &'a Expr)> {
        let mut condition = condition;
        while let ExprKind::Let(index) = &condition.kind {
            condition = &self.names.lets.get(*index)?.value;
        }
        let ExprKind::Compare(compare, measure, _) = &condition.kind else { return None };
        Some((*compare, measure))
    }

    /// Returns both sides of a condition that is a comparison, for messages of a statement that
    /// says no where it `holds`, or where it does not.
    pub(crate) fn sides(&mut self, condition: &'a Expr, holds: bool) -> Option<Sides> {
        match &condition.kind {
            ExprKind::Compare(compare, a, b) => {
                let decimals = self.shown_decimals(&a.unit);
                let (a, b) = (self.lower(a), self.lower(b));
                let observed = self.graph.readout(a, decimals, 1);
                let limit = self.graph.readout(b, decimals, 1);
                Some(Sides::new(observed, limit, *compare, holds))
            }
            ExprKind::Let(index) => {
                let value = &self.names.lets.get(*index)?.value;
                self.sides(value, holds)
            }
            ExprKind::Number { .. }
            | ExprKind::Ticks(_)
            | ExprKind::Lots(_)
            | ExprKind::Bool(_)
            | ExprKind::Na
            | ExprKind::Word(_)
            | ExprKind::Field(..)
            | ExprKind::Param(_)
            | ExprKind::Series(_)
            | ExprKind::State(_)
            | ExprKind::Window(_)
            | ExprKind::Depth(_)
            | ExprKind::Neg(_)
            | ExprKind::Not(_)
            | ExprKind::Arith(..)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::If(..)
            | ExprKind::Default(..)
            | ExprKind::IsNa(_)
            | ExprKind::Call(..) => None,
        }
    }

    fn shown_decimals(&self, unit: &Unit) -> u8 {
        match unit {
            Unit::Num | Unit::Money(_) => MONEY_SCALE,
            Unit::Price => self.binding.instrument.price_scale.decimals(),
            Unit::Qty => self.binding.instrument.qty_scale.decimals(),
            Unit::Int | Unit::Bool | Unit::Duration | Unit::Time | Unit::Word(_) => 0,
        }
    }

    fn na(&mut self, cause: Cause) -> Num {
        Num::plain(self.graph.constant(Value::na(cause)))
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Num {
        self.found.push(diagnostic);
        self.na(Cause::Missing)
    }

    fn steps(&mut self, count: i64, step: i64, scale: Scale) -> Num {
        let mantissa = i128::from(count).saturating_mul(i128::from(step));
        self.graph.decimal(mantissa, scale.decimals())
    }

    fn literal(&mut self, expr: &'a Expr, mantissa: i128, decimals: u8) -> Num {
        let instrument = self.binding.instrument;
        let number = self.graph.decimal(mantissa, decimals);
        let (scale, what) = match expr.unit {
            Unit::Price => (instrument.price_scale, "prices"),
            Unit::Qty => (instrument.qty_scale, "quantities"),
            Unit::Int
            | Unit::Num
            | Unit::Bool
            | Unit::Money(_)
            | Unit::Duration
            | Unit::Time
            | Unit::Word(_) => return number,
        };
        let held = i32::from(scale.decimals());
        if number.scale <= held {
            return number;
        }
        let symbol = &instrument.symbol;
        let message = format!("{what} of {symbol} have {held} decimals, this has {}", number.scale);
        self.report(
            Diagnostic::error("R0501", expr.span, message)
                .label("is never rounded")
                .help("write fewer decimals, or a number of ticks or lots"),
        )
    }

    fn named(&mut self, index: usize) -> Num {
        let lets = self.names.lets;
        let Some(named) = lets.get(index) else { return self.na(Cause::Missing) };
        let outer = named.frame.map(|_| self.enter_frame(named.frame));
        let key = (self.graph.section(), index, self.tolerant);
        let value = match self.lets.get(&key) {
            Some(known) => *known,
            None => self.lower(&named.value),
        };
        self.lets.insert(key, value);
        if let Some(outer) = outer {
            self.graph.go_to(outer);
        }
        value
    }

    fn param(&mut self, index: usize, used: &'a Expr) -> Num {
        if let Some(known) = self.params.get(index).copied().flatten() {
            return known;
        }
        let params = self.names.params;
        let Some(param) = params.get(index) else { return self.na(Cause::Missing) };
        let value = self.chosen(param);
        let symbol = &self.binding.instrument.symbol;
        if self.asset(&value.unit) != self.asset(&used.unit) {
            self.mismatch(value, used);
        }
        let number = self.lower(value);
        if let Some((low, high)) = &param.range {
            // Ends of a range are compared only, so they may be finer than the instrument.
            let (low, high) = (self.end(low), self.end(high));
            let above = self.graph.compare(Compare::GreaterEq, number, low);
            let below = self.graph.compare(Compare::LessEq, number, high);
            let within = self.graph.and(above, below);
            if self.graph.known(within) == Some(Value::FALSE) {
                let message = format!("`{}` is outside of its range for {symbol}", param.name);
                self.report(
                    Diagnostic::error("R0507", value.span, message)
                        .also(param.span, "the range is declared here"),
                );
            }
        }
        if let Some(slot) = self.params.get_mut(index) {
            *slot = Some(number);
        }
        number
    }

    /// Lowers an end of a range.
    fn end(&mut self, expr: &'a Expr) -> Num {
        if let ExprKind::Number { mantissa, decimals } = expr.kind {
            return self.graph.decimal(mantissa, decimals);
        }
        self.lower(expr)
    }

    /// Returns the value for this instrument: that of the most specific name that fits, else the
    /// default.
    fn chosen(&self, param: &'a Param) -> &'a Expr {
        let symbol = &self.binding.instrument.symbol;
        let fitting = param.table.iter().filter(|(name, _)| name.fits(symbol));
        // A venue says more than a kind, both say most.
        let specific = fitting.max_by_key(|(name, _)| (name.venue.is_some(), name.kind.is_some()));
        specific.map_or(&param.value, |(_, value)| value)
    }

    fn arith(&mut self, arith: Arith, a: &'a Expr, b: &'a Expr) -> Num {
        match (&a.unit, &b.unit) {
            (Unit::Money(_), Unit::Price | Unit::Qty) => self.in_quote(a),
            _ if arith != Arith::Mul => self.same_asset(a, b),
            _ => {}
        }
        let (a, b) = (self.lower(a), self.lower(b));
        match arith {
            Arith::Add => self.graph.sum(a, b, false),
            Arith::Sub => self.graph.sum(a, b, true),
            Arith::Mul => self.graph.product(a, b),
            Arith::Div => self.graph.quotient(a, b),
        }
    }

    fn call(&mut self, function: Function, args: &'a [Expr]) -> Num {
        let Some((first, rest)) = args.split_first() else { return self.na(Cause::Missing) };
        for other in rest {
            self.same_asset(first, other);
        }
        let first = self.lower(first);
        let mut rest = rest.iter();
        let mut next = |lower: &mut Self| rest.next().map(|expr| lower.lower(expr));
        match function {
            Function::Abs => self.graph.magnitude(first),
            Function::Max | Function::Min => {
                let mut best = first;
                while let Some(other) = next(self) {
                    best = self.graph.extreme(best, other, function == Function::Max);
                }
                best
            }
            Function::Clamp => {
                let mut within = first;
                if let Some(low) = next(self) {
                    within = self.graph.extreme(within, low, true);
                }
                if let Some(high) = next(self) {
                    within = self.graph.extreme(within, high, false);
                }
                within
            }
            Function::Floor | Function::Ceil | Function::Round => {
                let rounding = rounding(function);
                self.graph.stepped(first, 0, 1, rounding)
            }
            Function::RoundDown | Function::RoundUp | Function::RoundNearest => {
                let instrument = self.binding.instrument;
                let (scale, step) = match args.first().map(|arg| &arg.unit) {
                    Some(Unit::Qty) => (instrument.qty_scale, instrument.lot.0),
                    _ => (instrument.price_scale, instrument.tick.0),
                };
                self.graph.stepped(first, scale.decimals(), i128::from(step), rounding(function))
            }
            Function::Mod => {
                let Some(step) = next(self) else { return first };
                let times = self.graph.quotient(first, step);
                let whole = self.graph.stepped(times, 0, 1, Rounding::Floor);
                let below = self.graph.product(step, whole);
                self.graph.sum(first, below, true)
            }
        }
    }
}

/// Returns how a function rounds.
fn rounding(function: Function) -> Rounding {
    match function {
        Function::Ceil | Function::RoundUp => Rounding::Ceil,
        Function::Round | Function::RoundNearest => Rounding::HalfEven,
        Function::Floor
        | Function::RoundDown
        | Function::Max
        | Function::Min
        | Function::Abs
        | Function::Clamp
        | Function::Mod => Rounding::Floor,
    }
}

/// Facts.
impl<'a> Lower<'a> {
    /// Returns a field without an argument.
    pub(crate) fn fact(&mut self, field: Field) -> Num {
        self.field(field, None, Span::default())
    }

    fn field(&mut self, field: Field, asset: Option<&'a AssetArg>, span: Span) -> Num {
        let info = field.info();
        if !carried(self.binding.carries, info.needs) {
            if self.tolerant {
                return self.na(Cause::Missing);
            }
            return self.not_carried(field, span);
        }
        let instrument = self.binding.instrument;
        let price = i32::from(instrument.price_scale.decimals());
        let qty = i32::from(instrument.qty_scale.decimals());
        let money = i32::from(MONEY_SCALE);
        let (bounds, scale) = match info.ty {
            Type::Int | Type::Duration | Type::Time => (Bounds::NARROW, 0),
            Type::Bool => (Bounds::BOOL, 0),
            Type::Price => (Bounds::NARROW, price),
            Type::Mark => (Bounds::NARROW, i32::from(instrument.mark_decimals())),
            Type::Qty => (Bounds::NARROW, qty),
            Type::Reporting | Type::Quote | Type::Pays => (Bounds::MONEY, money),
            Type::Word(words) => {
                let last = i128::try_from(words.len().saturating_sub(1)).unwrap_or(0);
                (Bounds { lo: 0, hi: last }, 0)
            }
            // Of two numbers at one scale: an average price is money over a quantity, both at 1e-9.
            Type::Share | Type::PriceRatio => return self.ratio(field),
            Type::Named | Type::Worth => return self.amount(field, asset, span),
            // Only an argument, never a value: the checker refuses it elsewhere.
            Type::Asset => return self.na(Cause::Missing),
        };
        let input = Input { field, part: Part::Whole, asset: None };
        Num { num: self.graph.load(input, bounds), den: None, scale }
    }

    fn ratio(&mut self, field: Field) -> Num {
        let input = |part| Input { field, part, asset: None };
        let num = self.graph.load(input(Part::Over), Bounds::MONEY);
        Num { num, den: Some(self.graph.load(input(Part::Under), Bounds::MONEY)), scale: 0 }
    }

    /// An amount of the asset that is the field's argument, or of what the order pays with.
    fn amount(&mut self, field: Field, asset: Option<&'a AssetArg>, span: Span) -> Num {
        let asset = match asset {
            Some(AssetArg::Pays) | None => None,
            Some(AssetArg::Named(name)) => {
                let name = self.canonical(name);
                let id = (self.binding.assets)(name);
                if id.is_none() {
                    let message = format!("no account or instrument of this session has {name}");
                    let help = "name an asset that is held or traded, or remove the rule";
                    return self.report(Diagnostic::error("R0506", span, message).help(help));
                }
                id
            }
        };
        let input = Input { field, part: Part::Whole, asset };
        let num = self.graph.load(input, Bounds::MONEY);
        Num { num, den: None, scale: i32::from(MONEY_SCALE) }
    }

    fn not_carried(&mut self, field: Field, span: Span) -> Num {
        let info = field.info();
        let (rule, symbol) = (self.rule, &self.binding.instrument.symbol);
        let what = match info.needs {
            Needs::Touch => "best bid and ask",
            Needs::Bars => "closed bars",
            Needs::LastPrice => "trades or bars",
            Needs::Nothing => "data",
        };
        let message = format!("{rule} reads `{}`, which no source of {symbol} carries", info.name);
        self.report(
            Diagnostic::error("R0503", span, message)
                .label(format!("needs {what}"))
                .help(format!("add a source with {what}, or write `{} ?? ...`", info.name)),
        )
    }
}

/// Memory.
impl<'a> Lower<'a> {
    /// Decimals at which a remembered value is held, and its range.
    pub(crate) fn held(&self, unit: &Unit) -> (u8, Bounds) {
        let instrument = self.binding.instrument;
        match unit {
            Unit::Num => (MONEY_SCALE, Bounds::NARROW),
            Unit::Money(_) => (MONEY_SCALE, Bounds::MONEY),
            // As marks are: the middle of two prices lies between them.
            Unit::Price => (instrument.mark_decimals(), Bounds::NARROW),
            Unit::Qty => (instrument.qty_scale.decimals(), Bounds::NARROW),
            Unit::Bool => (0, Bounds::BOOL),
            Unit::Int | Unit::Duration | Unit::Time | Unit::Word(_) => (0, Bounds::NARROW),
        }
    }

    fn state(&mut self, index: usize) -> Num {
        let (states, number) = (self.names.states, u16::try_from(index));
        let (Some(state), Ok(number)) = (states.get(index), number) else {
            return self.na(Cause::Missing);
        };
        let (decimals, bounds) = self.held(&state.unit);
        let num = self.graph.recall(Recall::State(number), bounds);
        Num { num, den: None, scale: i32::from(decimals) }
    }

    fn depth(&mut self, depth: Depth, span: Span) -> Num {
        if !self.binding.carries.touch {
            return match self.tolerant {
                true => self.na(Cause::Missing),
                false => self.not_carried(Field::BookDepth, span),
            };
        }
        let scale = i32::from(self.binding.instrument.qty_scale.decimals());
        Num { num: self.graph.recall(Recall::Depth(depth), Bounds::NARROW), den: None, scale }
    }

    fn window(&mut self, index: usize) -> Num {
        let (windows, number) = (self.names.windows, u16::try_from(index));
        let (Some(window), Ok(number)) = (windows.get(index), number) else {
            return self.na(Cause::Missing);
        };
        let (decimals, bounds) = match window.fold {
            Fold::Count | Fold::Rate => (0, Bounds::NARROW),
            Fold::Sum(_) => self.held(&window.unit),
        };
        let num = self.graph.recall(Recall::Window(number), bounds);
        let sum = Num { num, den: None, scale: i32::from(decimals) };
        match (window.fold, &window.extent) {
            (Fold::Rate, Extent::Time(length)) => {
                let second = Num::plain(self.graph.number(1_000_000_000));
                let scaled = self.graph.product(sum, second);
                let length = self.lower(length);
                self.graph.quotient(scaled, length)
            }
            _ => sum,
        }
    }

    /// Returns a constant of the block, as a plain number at scale 0.
    pub(crate) fn constant(&mut self, expr: &'a Expr) -> Option<i128> {
        let number = self.lower(expr);
        self.graph.known(number.num).and_then(Value::number)
    }
}

/// Assets.
impl<'a> Lower<'a> {
    /// Reports two amounts of different assets.
    pub(crate) fn same_asset(&mut self, a: &Expr, b: &Expr) {
        if let (Some(left), Some(right)) = (self.asset(&a.unit), self.asset(&b.unit))
            && left != right
        {
            self.mismatch(a, b);
        }
    }

    /// Reports money that is not in the quote asset, where prices and quantities meet it.
    pub(crate) fn in_quote(&mut self, money: &Expr) {
        let quote = Unit::Money(Asset::Quote);
        self.in_asset(money, &quote);
    }

    /// Reports money that is not in the asset of `unit`.
    pub(crate) fn in_asset(&mut self, money: &Expr, unit: &Unit) {
        if self.asset(&money.unit) != self.asset(unit) {
            let (is, wanted) = (self.shown(&money.unit), self.shown(unit));
            let symbol = &self.binding.instrument.symbol;
            let message = format!("an amount of {wanted} is needed here for {symbol}, not of {is}");
            self.report(
                Diagnostic::error("R0502", money.span, message)
                    .help(format!("write the amount in {wanted}, or bind another symbol")),
            );
        }
    }

    fn mismatch(&mut self, a: &Expr, b: &Expr) {
        let (left, right) = (self.shown(&a.unit), self.shown(&b.unit));
        let symbol = &self.binding.instrument.symbol;
        let message = format!("an amount of {left} meets an amount of {right} for {symbol}");
        let help = format!(
            "`order.value` and `account` amounts are in {}, `order.notional` in the quote asset",
            self.binding.reporting
        );
        self.report(
            Diagnostic::error("R0502", a.span, message).label(left).also(b.span, right).help(help),
        );
    }

    fn asset<'b>(&'b self, unit: &'b Unit) -> Option<Bound<'b>> {
        let Unit::Money(asset) = unit else { return None };
        Some(match asset {
            Asset::Named(name) => Bound::Name(self.canonical(name)),
            Asset::Reporting => Bound::Name(self.canonical(self.binding.reporting)),
            Asset::Quote => Bound::Name(&self.binding.instrument.settle),
            Asset::Pays => Bound::Pays,
        })
    }

    /// A renamed quote asset (`--settle USD=USDT`) is the same asset under both names.
    fn canonical<'b>(&'b self, name: &'b str) -> &'b str {
        let instrument = self.binding.instrument;
        if name == instrument.symbol.quote { &instrument.settle } else { name }
    }

    fn shown(&self, unit: &Unit) -> String {
        match self.asset(unit) {
            Some(Bound::Name(name)) => name.to_owned(),
            Some(Bound::Pays) => "what the order pays with".to_owned(),
            None => "no asset".to_owned(),
        }
    }
}

fn carried(carries: Carries, needs: Needs) -> bool {
    match needs {
        Needs::Nothing => true,
        Needs::Touch => carries.touch,
        Needs::Bars => carries.bars,
        Needs::LastPrice => carries.last_price,
    }
}
