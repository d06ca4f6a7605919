//! Typed trees by hand, an instrument and facts in a table.

use std::cell::RefCell;
use std::collections::BTreeMap;

use model::id::AssetId;
use model::instrument::{FeeAsset, Instrument, Kind};
use model::num::{Money, Price, Qty, Rate, Scale};
use model::symbol::Symbol;

use crate::compile::{Binding, Carries};
use crate::evaluate::{Facts, Input, Part};
use crate::schema::Field;
use crate::span::Span;
use crate::typed::*;
use crate::value::Value;

pub(crate) const ALL: Carries = Carries { touch: true, bars: true, last_price: true };

/// Facts by input; what is not there is missing. Records what was asked.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) facts: BTreeMap<Input, Value>,
    pub(crate) asked: RefCell<Vec<Input>>,
}

impl Facts for Table {
    fn read(&self, input: &Input) -> Value {
        self.asked.borrow_mut().push(*input);
        self.facts.get(input).copied().unwrap_or(Value::MISSING)
    }
}

impl Table {
    pub(crate) fn with(mut self, field: Field, number: i128) -> Self {
        self.facts.insert(whole(field), Value::known(number));
        self
    }

    pub(crate) fn ratio(mut self, field: Field, over: i128, under: i128) -> Self {
        self.facts.insert(Input { part: Part::Over, ..whole(field) }, Value::known(over));
        self.facts.insert(Input { part: Part::Under, ..whole(field) }, Value::known(under));
        self
    }
}

pub(crate) fn whole(field: Field) -> Input {
    Input { field, part: Part::Whole, asset: None }
}

/// Prices have two decimals and ticks of 0.05, quantities four and lots of 0.001.
pub(crate) fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::parse("binance:BTC_USDT").unwrap(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Spot,
        settle: "USDT".to_owned(),
        price_scale: Scale::new(2).unwrap(),
        qty_scale: Scale::new(4).unwrap(),
        tick: Price(5),
        lot: Qty(10),
        qty_min: Qty(10),
        qty_max: Qty(1_000_000_000),
        notional_min: Money::units(5),
        fee_maker: Rate(0),
        fee_taker: Rate(0),
        fee_asset: FeeAsset::Received,
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(0),
        mark_spread_max: Rate(0),
        mark_age_max_ns: 0,
        mark_liquidation: false,
        leverage_max: 1,
        maintenance: Rate(0),
    }
}

pub(crate) fn asset_id(name: &str) -> Option<AssetId> {
    match name {
        "USDT" => Some(AssetId(0)),
        "BTC" => Some(AssetId(1)),
        _ => None,
    }
}

pub(crate) fn binding(instrument: &Instrument) -> Binding<'_> {
    Binding { instrument, reporting: "USDT", carries: ALL, assets: &asset_id }
}

pub(crate) fn expr(kind: ExprKind, unit: Unit) -> Expr {
    Expr { kind, unit, nullable: true, span: Span::default() }
}

pub(crate) fn number(mantissa: i128, decimals: u8) -> Expr {
    expr(ExprKind::Number { mantissa, decimals }, Unit::Num)
}

pub(crate) fn usdt(whole: i128) -> Expr {
    expr(ExprKind::Number { mantissa: whole, decimals: 0 }, usdt_unit())
}

pub(crate) fn usdt_unit() -> Unit {
    Unit::Money(Asset::Named("USDT".to_owned()))
}

pub(crate) fn price(mantissa: i128, decimals: u8) -> Expr {
    expr(ExprKind::Number { mantissa, decimals }, Unit::Price)
}

pub(crate) fn field(field: Field, unit: Unit) -> Expr {
    expr(ExprKind::Field(field, None), unit)
}

pub(crate) fn close() -> Expr {
    field(Field::BarClose, Unit::Price)
}

pub(crate) fn reduces() -> Expr {
    field(Field::OrderReduces, Unit::Bool)
}

pub(crate) fn named(index: usize, unit: Unit) -> Expr {
    expr(ExprKind::Let(index), unit)
}

pub(crate) fn param(index: usize, unit: Unit) -> Expr {
    expr(ExprKind::Param(index), unit)
}

pub(crate) fn compare(compare: Compare, a: Expr, b: Expr) -> Expr {
    expr(ExprKind::Compare(compare, Box::new(a), Box::new(b)), Unit::Bool)
}

pub(crate) fn arith(arith: Arith, a: Expr, b: Expr, unit: Unit) -> Expr {
    expr(ExprKind::Arith(arith, Box::new(a), Box::new(b)), unit)
}

pub(crate) fn fallback(a: Expr, b: Expr) -> Expr {
    let unit = a.unit.clone();
    expr(ExprKind::Default(Box::new(a), Box::new(b)), unit)
}

pub(crate) fn call(function: Function, args: Vec<Expr>) -> Expr {
    let unit = args[0].unit.clone();
    expr(ExprKind::Call(function, args), unit)
}

pub(crate) fn rule(code: &str) -> RuleName {
    RuleName {
        code: code.to_owned(),
        doc: String::new(),
        message: None,
        shown: Vec::new(),
        span: Span::default(),
    }
}

pub(crate) fn block() -> RiskBlock {
    RiskBlock {
        name: "core".to_owned(),
        hard: true,
        applies: Applies::All,
        params: Vec::new(),
        states: Vec::new(),
        updates: Vec::new(),
        windows: Vec::new(),
        lets: Vec::new(),
        latches: Vec::new(),
        caps: Vec::new(),
        checks: Vec::new(),
        cooldowns: Vec::new(),
        throttles: Vec::new(),
        budget: None,
        doc: String::new(),
        span: Span::default(),
    }
}

pub(crate) fn deny(code: &str, condition: Expr, unless: Option<Expr>) -> Check {
    Check { rule: rule(code), require: false, condition, unless }
}

pub(crate) fn cap(code: &str, measure: Measure, bound: Expr) -> Cap {
    Cap { rule: rule(code), measure, bound, when: None, unless: None }
}

pub(crate) fn latch(code: &str, when: Expr, unless: Option<Expr>) -> Latch {
    Latch {
        rule: rule(code),
        effect: Effect::Halt,
        end: LatchEnd::Manual,
        when,
        held_ns: 0,
        unless,
        cancel_orders: true,
        notify: false,
        flatten: false,
    }
}

pub(crate) fn parameter(name: &str, value: Expr) -> Param {
    Param {
        name: name.to_owned(),
        unit: value.unit.clone(),
        is_percent: false,
        value,
        range: None,
        table: Vec::new(),
        doc: String::new(),
        span: Span::default(),
    }
}

pub(crate) fn let_(value: Expr) -> Let {
    Let { name: "x".to_owned(), value, frame: None, span: Span::default() }
}

pub(crate) fn series(indicator: Indicator, inputs: Vec<Expr>, length: Option<i128>) -> Series {
    Series {
        name: "s".to_owned(),
        indicator,
        unit: inputs[0].unit.clone(),
        inputs,
        frame: None,
        length: length.map(|n| expr(ExprKind::Number { mantissa: n, decimals: 0 }, Unit::Int)),
        span: Span::default(),
    }
}

pub(crate) fn enter(code: &str, when: Expr) -> StrategyRule {
    StrategyRule {
        rule: rule(code),
        exit: false,
        long: true,
        when,
        unless: None,
        size: None,
        price: None,
        protect: None,
        tif: model::order::TimeInForce::Gtc,
        post_only: false,
        ttl: None,
        stop: None,
        strength: None,
        where_shortable: false,
    }
}

pub(crate) fn strategy(series: Vec<Series>, rules: Vec<StrategyRule>) -> Strategy {
    Strategy {
        name: "s1".to_owned(),
        trigger: Trigger::Bar(60_000_000_000),
        symbols: Vec::new(),
        params: Vec::new(),
        order: (0..series.len()).map(Step::Series).collect(),
        series,
        lets: Vec::new(),
        states: Vec::new(),
        updates: Vec::new(),
        active: None,
        rules,
        quotes: Vec::new(),
        cancels: Vec::new(),
        budget: None,
        doc: String::new(),
        span: Span::default(),
    }
}
